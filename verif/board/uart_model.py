# SPDX-License-Identifier: Apache-2.0
"""A program at the other end of a pseudo terminal that answers as the serial link with a core."""

from __future__ import annotations

import os
import select
import threading
import tty
import zlib
from types import TracebackType

import numpy as np

from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.loading import load_checks
from xnor_fcc.pack import pack
from xnor_fcc.reference import evaluate
from xnor_fcc.registers import ADDRESS, ID_VALUE, VERSION_VALUE


class Board:
    """Its port is `device`. It knows the one network that it will be sent.

    What goes wrong with it, by `fault`: "mute" answers nothing, "noise" answers each frame with
    bytes that are none, "flood" sends without end, "damaged" turns a bit of what it reads,
    "unplugged" goes away after `life` bytes, "silent" answers nothing after so many, "swallows"
    leaves out the answer to the first weights, "stuck" tells of each frame that the core is dead.
    """

    def __init__(
        self, network: IntegerNetwork, geometry: Geometry, fault: str = "", life: int = 0
    ) -> None:
        self.network, self.fault, self.life = network, fault, life
        self.words = {n: value for n, value in geometry.parameters().items() if n in ADDRESS}
        self.words |= {"ID": ID_VALUE, "VERSION": VERSION_VALUE, "SCORE_BITS": geometry.score_bits}
        memory = pack(network, geometry)
        self.words |= load_checks(memory)
        self.chunks = memory.weight_chunks().size + memory.offset_chunks().size
        self.names = {address: name for name, address in ADDRESS.items()}
        self.loaded = self.images = 0
        self.swallowed = False
        self.packet = b""
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.device = os.ttyname(self.slave)
        self.over = False
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Board:
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over = True
        self.thread.join()
        for end in (self.master, self.slave):
            if end >= 0:
                os.close(end)

    def _run(self) -> None:
        waiting, heard = b"", 0
        while not self.over:
            if self.fault == "flood":
                os.write(self.master, bytes(64))
            pause = 0.001 if self.fault == "flood" else 0.05
            if not select.select([self.master], [], [], pause)[0]:
                continue
            data = os.read(self.master, 4096)
            heard += len(data)
            if self.fault == "unplugged" and heard > self.life:
                os.close(self.slave)
                os.close(self.master)
                self.slave = self.master = -1
                return
            deaf = self.fault == "silent" and heard > self.life
            if deaf or self.fault in ("mute", "flood"):
                continue
            if self.fault == "noise":
                os.write(self.master, bytes(range(100, 140)))
                continue
            waiting += data
            while len(waiting) >= 10 + (size := int.from_bytes(waiting[2:4], "big")):
                self._answer(waiting[: 6 + size])
                waiting = waiting[10 + size :]

    def _answer(self, frame: bytes) -> None:
        kind, number, wanted = frame[0], frame[1], int.from_bytes(frame[4:6], "big")
        payload, status = frame[6:], 0
        if kind & 0x80:
            words = self._image(kind, payload)
        elif self.fault == "stuck":
            words, status = [0] * wanted, 4
        else:
            words = [self._read(kind + n) for n in range(wanted)]
            self._write(kind, np.frombuffer(payload, ">u4"))
        body = bytes([number]) + len(words).to_bytes(2, "big")
        body += np.array(words, ">u4").tobytes() + bytes([status])
        body += zlib.crc32(body).to_bytes(4, "little")
        if self.fault == "damaged" and self.loaded and words:
            body = body[:-6] + bytes([body[-6] ^ 1]) + body[-5:]
        if self.fault == "swallows" and self.loaded and not self.swallowed:
            self.swallowed = True
            return
        os.write(self.master, body)

    def _read(self, address: int) -> int:
        name = self.names.get(address, "")
        return self.images if name == "IMAGES" else self.words.get(name, 0)

    def _write(self, address: int, values: np.ndarray) -> None:
        name = self.names.get(address)
        if name == "CONTROL":
            self.words["STATUS"] = int(values[-1]) & 1
            self.images *= not values[-1] & 4
        self.loaded += len(values) * (name == "LOAD_DATA")

    def _image(self, kind: int, payload: bytes) -> list[int]:
        self.packet = payload if kind & 1 else self.packet + payload
        if not kind & 2:
            return []
        grey = np.frombuffer(self.packet, np.uint8)[None]
        answer = evaluate(self.network, self.network.inputs_from(grey))
        last = int(answer.classes[0]) << 16 | self.images & 0xFFFF
        self.images += 1
        return [*(answer.scores[0].astype(np.int64) & 0xFFFF_FFFF).tolist(), last]
