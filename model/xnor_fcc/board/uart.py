# SPDX-License-Identifier: Apache-2.0
"""A core behind a serial line: the frames of ``rtl/uart/fcc_uart_host.v``, which has their format.

    with Driver(open_uart("/dev/ttyUSB0")) as core:
        ...

Every frame is answered. Frames go out ahead of the answers as far as the link's buffer and this
side's allow, so that the line never rests. Whatever goes wrong is one `LinkError`; the link then
drops what it has, and the next access begins with the silence after which it listens again.
"""

from __future__ import annotations

import contextlib
import errno
import time
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
from tqdm import tqdm

from ..errors import UserError
from .transport import Mover, TransportError

_T = TypeVar("_T")

BAUD = 1_000_000
"""Bits a second: 50 cycles each at 50 MHz, and a rate that every USB adapter has."""
BUFFER_BYTES = (1 << 11) - 1
"""What the link holds of frames without an answer: BUFFER_BITS of fcc_uart_host."""
TIMEOUT_BITS = 131072
"""Bits in silence after which a frame counts as cut: TIMEOUT of fcc_uart_host."""
PAYLOAD = 1008
"""Bytes of the largest payload: whole words and beats, and two such frames fit the buffer."""
# What an operating system is sure to hold of answers that nobody reads.
_REPLIES = 2048
# Bytes of a frame and of a reply around what they carry.
_FRAME, _REPLY = 10, 8
# The kinds of frames: an address is a frame of registers.
_IMAGE, _FIRST, _LAST = 0x80, 0x01, 0x02
_DAMAGED, _CUT, _OVERRUN, _STUCK, _LENGTH = range(1, 6)
_STATUS = {
    _DAMAGED: "what was sent arrived damaged",
    _CUT: "what was sent did not arrive whole",
    _OVERRUN: "more was sent than its buffer holds",
    _STUCK: "the core neither takes images nor answers",
    _LENGTH: "the core's answer has another length than the network's",
}
# Silences that an open port is listened to for, before it counts as one that never is silent.
_ROUNDS = 5
# Images are moved in parts of so many bytes, after each of which progress is told.
_PART = 32768


class LinkError(TransportError):
    """The serial line, or what is at its other end, failed; the sentence says how."""


class _StuckError(LinkError):
    """The core does not take an image, or does not answer."""


class Port(Protocol):
    """What a serial port of pyserial has, and all that is needed of it."""

    timeout: float | None
    """Seconds until `read` gives up."""

    def write(self, data: bytes, /) -> int | None:
        """Send all of it."""

    def read(self, size: int, /) -> bytes:
        """`size` bytes, or fewer after the time-out."""

    def close(self) -> None:
        """Give it back."""


def frame(kind: int, number: int, payload: bytes, wanted: int) -> bytes:
    """A frame with its checksum."""
    sizes = len(payload).to_bytes(2, "big") + wanted.to_bytes(2, "big")
    body = bytes([kind, number]) + sizes + payload
    return body + zlib.crc32(body).to_bytes(4, "little")


@dataclass(eq=False)
class _Sent:
    """A frame on its way: its number, the words wanted, its bytes; `answer` is uint32 (wanted,)."""

    number: int
    wanted: int
    size: int
    answer: np.ndarray | None = field(default=None)


class UartTransport:
    """`Transport` and `Mover` over `port`, whose name is for the sentences of errors.

    `timeout_bits`: TIMEOUT of fcc_uart_host; `clock`: seconds since some moment.
    """

    def __init__(
        self,
        port: Port,
        baud: int = BAUD,
        name: str = "the serial port",
        timeout_bits: int = TIMEOUT_BITS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.port = port
        self.baud = baud
        self.name = name
        self.clock = clock
        # The link is quiet for at most two time-outs before it tells of a cut frame or a dead core,
        # and listens again two after the last byte of either side. The third is for what still
        # waits to be sent, here and in an adapter.
        self._silence = 3 * timeout_bits / baud
        self._patience = 2 * self._silence + 10 * (BUFFER_BYTES + _REPLIES) / baud
        self._sent: deque[_Sent] = deque()
        self._number = 0
        # Both ends are between frames.
        self._in_step = False
        self._answered = False

    # ---- Transport

    def read(self, offset: int) -> int:
        """A register."""
        return int(self._ask(offset // 4)[0])

    def write(self, offset: int, value: int) -> None:
        """Write a register."""
        self.write_many(offset, [value])

    def write_many(self, offset: int, values: Sequence[int] | np.ndarray) -> None:
        """Write values to one register, one after the other. What goes wrong with them may be told
        by a later access only."""
        data = np.asarray(values, np.uint32).astype(">u4").tobytes()
        pieces = range(0, len(data), PAYLOAD)
        for first in tqdm(pieces, "loading", unit="frame", delay=2, disable=None, leave=False):
            self._send(offset // 4, data[first : first + PAYLOAD], 0)

    def now(self) -> float:
        """Seconds since some moment."""
        return self.clock()

    def pause(self) -> None:
        """An access takes time enough."""

    def close(self) -> None:
        """Give the port back."""
        with contextlib.suppress(OSError):
            self.port.close()

    def mover(self) -> Mover:
        """This link moves images and results itself."""
        return self

    # ---- Mover

    # As fcc_uart_host does it, however many frames have been sent.
    single = True

    def reset(self) -> bool:
        """Nothing is kept between accesses."""
        return True

    def chunk(self, size: int, words: int, beat: int) -> int:
        """Images of a part."""
        return max(1, _PART // (size + _FRAME))

    def exchange(
        self, packets: np.ndarray, words: int, beat: int, timeout: float
    ) -> np.ndarray:
        """Send the packets, uint8 (n, bytes), and return the results, uint32 (n, words). How long
        the core may take is the link's to say, not `timeout`'s."""
        pieces = range(0, packets.shape[1], PAYLOAD // beat * beat)
        rows = []
        try:
            for packet in packets:
                for first in pieces:
                    last = first == pieces[-1]
                    kind = _IMAGE | (_FIRST if first == 0 else 0) | (_LAST if last else 0)
                    data = packet[first : first + pieces.step].tobytes()
                    sent = self._send(kind, data, words if last else 0)
                rows.append(sent)
            return np.stack([self._answer(sent) for sent in rows])
        except _StuckError as cause:
            raise TimeoutError from cause

    # ---- frames

    def _ask(self, kind: int) -> np.ndarray:
        return self._answer(self._send(kind, b"", 1))

    def _send(self, kind: int, payload: bytes, wanted: int) -> _Sent:
        """Send a frame as soon as there is room for it and for its answer."""
        if not self._in_step:
            self._await_silence()
        size, reply = len(payload) + _FRAME, 4 * wanted + _REPLY
        while self._sent and (
            sum(sent.size for sent in self._sent) + size > BUFFER_BYTES
            or sum(4 * sent.wanted + _REPLY for sent in self._sent) + reply > _REPLIES
        ):
            self._receive()
        self._number = self._number % 255 + 1  # 0 is that of a frame that could not be read
        sent = _Sent(self._number, wanted, size)
        self._in_step = False
        self._call(lambda: self.port.write(frame(kind, sent.number, payload, wanted)))
        self._sent.append(sent)
        self._in_step = True
        return sent

    def _answer(self, sent: _Sent) -> np.ndarray:
        """What has been answered to a frame; all before it is answered then."""
        while sent.answer is None:
            self._receive()
        return sent.answer

    def _receive(self) -> None:
        """The reply to the oldest frame. After an error nothing more is expected."""
        sent = self._sent[0]
        self._in_step = False
        data = self._read(_REPLY)
        words = int.from_bytes(data[1:3], "big")
        if words not in (0, sent.wanted):
            raise self._garbled()
        data += self._read(4 * words)
        if zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
            raise self._garbled()
        status = data[-5]
        if status in (_DAMAGED, _CUT, _OVERRUN):
            raise LinkError(
                f"The link at {self.name} tells that {_STATUS[status]}, and nothing of it was "
                "used; check the cable, or build both ends for a lower --baud."
            )
        if status:
            kind = _StuckError if status == _STUCK else LinkError
            raise kind(
                f"The link at {self.name} tells that {_STATUS.get(status, f'{status} is wrong')}; "
                "load the network again."
            )
        if (data[0], words) != (sent.number, sent.wanted):
            raise LinkError(f"An answer from {self.name} got lost on the way; check the cable.")
        self._sent.popleft()
        sent.answer = np.frombuffer(data[3:-5], ">u4").astype(np.uint32)
        self._in_step = self._answered = True

    def _garbled(self) -> LinkError:
        if self._answered:
            return LinkError(f"An answer from {self.name} arrived damaged; check the cable.")
        return LinkError(
            f"What comes from {self.name} is no answer of an xnor-fcc core; check that it is the "
            f"right port, and that the board's rate is that of --baud {self.baud}."
        )

    def _read(self, size: int) -> bytes:
        data = self._listen(size, self._patience)
        if len(data) == size:
            return data
        if self._answered:
            raise LinkError(f"{self.name} does not answer any more; check the cable and the board.")
        if data:
            raise self._garbled()
        raise LinkError(
            f"Nothing answers at {self.name}; check that it is the right port, that the FPGA is "
            f"configured, and that the board's rate is that of --baud {self.baud}."
        )

    def _await_silence(self) -> None:
        """Let the link finish and forget, until both ends can begin again."""
        self._sent.clear()
        for _ in range(_ROUNDS):
            if not self._listen(4096, self._silence):
                self._in_step = True
                return
        raise LinkError(
            f"{self.name} sends without end; check that it is the right port, and that the board's "
            f"rate is that of --baud {self.baud}."
        )

    def _listen(self, size: int, seconds: float) -> bytes:
        def listen() -> bytes:
            if self.port.timeout != seconds:  # which pyserial sets the port up again for
                self.port.timeout = seconds
            return self.port.read(size)

        return self._call(listen)

    def _call(self, access: Callable[[], _T]) -> _T:
        try:
            return access()
        except OSError as cause:
            raise LinkError(
                f"{self.name} has gone away in the middle ({_reason(cause)}); plug it in again, "
                "and start again."
            ) from cause


def open_uart(device: str, baud: int = BAUD) -> UartTransport:
    """The link at a serial port, such as /dev/ttyUSB0; `baud` is that of the board. `UserError` in
    one sentence where pyserial is missing or the port does not open."""
    try:
        import serial
    except ImportError as cause:
        raise UserError(
            "A serial port needs the Python package pyserial; pip install 'xnor-fcc[serial]'."
        ) from cause
    try:
        port = serial.Serial(device, baud, timeout=1.0, write_timeout=5.0, exclusive=True)
    except (OSError, ValueError, OverflowError) as cause:
        raise LinkError(_unopened(device, baud, cause)) from cause
    # Otherwise an adapter keeps answers for 16 ms; not every one can be told.
    with contextlib.suppress(OSError, ValueError, AttributeError, NotImplementedError):
        port.set_low_latency_mode(True)
    return UartTransport(port, baud, device)


def _unopened(device: str, baud: int, cause: Exception) -> str:
    number = getattr(cause, "errno", None)
    if number == errno.ENOENT:
        return f"There is no port {device}; plug the board in, and see which ports there are."
    if number == errno.EACCES:
        return f"{device} may not be opened; be a member of its group, which is dialout on Debian."
    if "lock" in str(cause):
        return f"{device} is used by another program; close that one."
    return f"{device} does not open as a serial port of {baud} baud ({_reason(cause)})."


def _reason(cause: Exception) -> str:
    while isinstance(cause.__context__, Exception):
        cause = cause.__context__
    text = getattr(cause, "strerror", None) or (cause.args[-1] if cause.args else cause)
    return str(text).rstrip(".")
