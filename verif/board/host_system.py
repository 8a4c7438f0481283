# SPDX-License-Identifier: Apache-2.0
"""The Platform Designer system around the simulated core: what a host sees of it.

`SimulatedTransport` puts two models of an mSGDMA engine, a buffer memory and the ports of the
simulated core behind the driver's `Transport`, so that the driver runs against the RTL unchanged.
The driver's blocking calls come from a thread of `cocotb.task.bridge`.
`serve` lets another program make the accesses, in C or Tcl, over a pair of pipes.
"""

from __future__ import annotations

import os
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import Task, resume
from cocotb.triggers import ClockCycles, Event, RisingEdge

from xnor_fcc.board import msgdma
from xnor_fcc.board.address_map import BASE, BUFFER_BYTES, REGISTER_BYTES
from xnor_fcc.board.transport import DmaTransport
from xnor_fcc_sim.clock import CLOCK_NS
from xnor_fcc_sim.msgdma_model import MsgdmaModel, part_of
from xnor_fcc_sim.packets import beats_of, drive_beat
from xnor_fcc_sim.streams import read_register, write_burst


class SimulatedTransport:
    """`Transport` to the ports of the simulated core `dut`; make one in a cocotb test.

    Faults to plant: `cut_packets` bytes are missing of every image packet, `dead_results` takes no
    results, `lose_writes` of every run of writes to one register are lost, `flip` is the bits that
    change in the last of them, `override` maps register offsets to what they read instead, `shift`
    is how many bytes too high all reads of registers go.
    `writes` counts the writes of any kind. `pauses` is how often an engine that could move a beat
    does not.
    """

    def __init__(self, dut: Any, image_width: int) -> None:
        self.dut = dut
        self.image_width = image_width
        self.buffer = np.zeros(BUFFER_BYTES, np.uint8)
        self.cut_packets = 0
        self.dead_results = False
        self.lose_writes = 0
        self.flip = 0
        self.override: dict[int, int] = {}
        self.shift = 0
        self.pauses = 0.0
        self.rng = np.random.default_rng(1)
        self.writes = 0
        self.closed = False
        self.packets: deque[bytes] = deque()
        self.packet_waits = Event()
        self.results: deque[tuple[int, int]] = deque()  # (address, bytes) still to come
        self.image_dma = MsgdmaModel(self._accept_image, self._forget_images)
        self.result_dma = MsgdmaModel(self._accept_result, self._forget_results)
        self.sender: Task[None] | None = None
        dut.reset.value = 1
        for name in ("valid", "error", "empty", "startofpacket", "endofpacket", "data"):
            getattr(dut, f"asi_image_{name}").value = 0
        for name in ("valid", "startofpacket", "endofpacket", "data"):
            getattr(dut, f"asi_weight_{name}").value = 0
        for name in ("avs_csr_read", "avs_csr_write", "aso_result_ready"):
            getattr(dut, name).value = 0
        Clock(dut.clk, CLOCK_NS, unit="ns").start()
        self._forget_images()
        cocotb.start_soon(self._take_results())

    async def start(self) -> None:
        """Power up: the core comes out of reset."""
        await ClockCycles(self.dut.clk, 5)
        self.dut.reset.value = 0
        await ClockCycles(self.dut.clk, 2)

    # ---- Transport

    def read(self, offset: int) -> int:
        """A register."""
        if offset in self.override:
            return self.override[offset]
        place, part = part_of(offset + self.shift)
        if place == "core":
            return resume(read_register)(self.dut, part // 4)
        # A read of a DMA engine takes time too, in which the engine moves on.
        self.pause()
        engine = self._engine(place)
        return engine.read_csr(part) if engine and place.endswith("csr") else 0

    def write(self, offset: int, value: int) -> None:
        """Write a register."""
        self.write_many(offset, [value])

    def write_many(self, offset: int, values: Sequence[int] | np.ndarray) -> None:
        """Write values to one register, one after the other."""
        place, part = part_of(offset)
        engine = self._engine(place)
        plain = np.asarray(values).tolist()
        self.writes += len(plain)
        if place == "core":
            if len(plain) > 1 and self.lose_writes:
                plain = plain[: -self.lose_writes]
            if len(plain) > 1:
                plain[-1] ^= self.flip
            resume(write_burst)(self.dut, part // 4, plain)
        elif engine is not None:
            resume(self._write_engine)(engine, place, part, plain)

    def read_buffer(self, offset: int, words: int) -> np.ndarray:
        """uint32 (words,) from the buffer."""
        return self.buffer[offset : offset + 4 * words].view("<u4").copy()

    def write_buffer(self, offset: int, words: np.ndarray) -> None:
        """Write uint32 (N,) to the buffer."""
        self.writes += len(words)
        self.buffer[offset : offset + 4 * len(words)] = words.astype("<u4").view(np.uint8)

    def mover(self) -> msgdma.DmaMover:
        """The two engines."""
        return msgdma.DmaMover(self)

    def now(self) -> float:
        """Simulated seconds."""
        return simulated_seconds()

    def pause(self) -> None:
        """A few cycles."""
        resume(self._cycles)(16)

    def close(self) -> None:
        """Remember that the driver has let go."""
        self.closed = True

    # ---- inside the simulator

    async def _cycles(self, count: int) -> None:
        await ClockCycles(self.dut.clk, count)

    def _engine(self, place: str) -> MsgdmaModel | None:
        return {"image": self.image_dma, "result": self.result_dma}.get(place.partition("_")[0])

    async def _write_engine(
        self, engine: MsgdmaModel, place: str, offset: int, values: list[int]
    ) -> None:
        for value in values:
            await RisingEdge(self.dut.clk)
            if place.endswith("csr"):
                engine.write_csr(offset, value)
            else:
                engine.write_descriptor(offset, value)

    def _accept_image(self, descriptor: tuple[int, int, int, int]) -> None:
        read, _, length, control = descriptor
        assert control & msgdma.GENERATE_SOP and control & msgdma.GENERATE_EOP
        start = read - BASE["dma"]["buffer"]
        assert start % (self.image_width // 8) == 0, "only aligned packets are sent right"
        self.packets.append(self.buffer[start : start + length - self.cut_packets].tobytes())
        self.packet_waits.set()

    def _forget_images(self) -> None:
        if self.sender is not None:
            self.sender.cancel()
        self.packets.clear()
        self.dut.asi_image_valid.value = 0
        self.sender = cocotb.start_soon(self._send_images())

    async def _send_images(self) -> None:
        dut, edge = self.dut, RisingEdge(self.dut.clk)
        while True:
            while not self.packets:
                self.packet_waits.clear()
                await self.packet_waits.wait()
                await edge
            for beat in beats_of(self.packets.popleft(), self.image_width):
                while self._pausing():
                    dut.asi_image_valid.value = 0
                    await edge
                await drive_beat(dut, beat)
            dut.asi_image_valid.value = 0
            self.image_dma.finished()

    def _accept_result(self, descriptor: tuple[int, int, int, int]) -> None:
        _, write, length, _ = descriptor
        assert write % 4 == 0 and length % 4 == 0
        self.results.append((write - BASE["dma"]["buffer"], length))
        self.dut.aso_result_ready.value = not self.dead_results

    def _forget_results(self) -> None:
        self.results.clear()
        self.dut.aso_result_ready.value = 0

    async def _take_results(self) -> None:
        dut, edge = self.dut, RisingEdge(self.dut.clk)
        while True:
            await edge
            taken = dut.aso_result_valid.value == 1 and dut.aso_result_ready.value == 1
            if self.pauses:
                more = sum(length for _, length in self.results) > (4 if taken else 0)
                dut.aso_result_ready.value = more and not self.dead_results and not self._pausing()
            if not taken:
                continue
            if not self.results:  # a beat taken with the clock edge of the reset
                continue
            address, length = self.results.popleft()
            word = int(dut.aso_result_data.value).to_bytes(4, "big")
            self.buffer[address : address + 4] = np.frombuffer(word, np.uint8)
            if length > 4:
                self.results.appendleft((address + 4, length - 4))
            else:
                self.result_dma.finished()
                if not self.pauses:
                    dut.aso_result_ready.value = bool(self.results)

    def _pausing(self) -> bool:
        return self.pauses > 0 and self.rng.random() < self.pauses


def simulated_seconds() -> float:
    """The clock of a driver in the simulator."""
    return resume(_seconds)()


async def _seconds() -> float:
    return float(cocotb.utils.get_sim_time("ns")) * 1e-9


def refused(kind: type[Exception], action: Callable[[], object]) -> str:
    """The sentence of the error that `action` must end with."""
    try:
        action()
    except kind as error:
        assert str(error).endswith(".") and "\n" not in str(error)
        return str(error)
    raise AssertionError(f"no {kind.__name__}")


class Program:
    """A program that makes its accesses over pipes, see `serve`."""

    def __init__(self, status: int, output: str, errors: str) -> None:
        self.status = status
        self.output = output
        self.errors = errors


def serve(command: Sequence[str], master: str, transport: DmaTransport, directory: Path) -> Program:
    """Run a program and make the accesses it asks for, as that master sees the system.

    Its environment variable XFCC_REQUESTS names the descriptor to which it writes lines of
    hexadecimal numbers, `w ADDRESS VALUE ...` and `r ADDRESS COUNT`; the values read come as one
    line from that of XFCC_ANSWERS. More than one word are at addresses that follow each other.
    """
    requests, child_requests = os.pipe()
    child_answers, answers = os.pipe()
    environment = {
        **os.environ,
        "XFCC_REQUESTS": str(child_requests),
        "XFCC_ANSWERS": str(child_answers),
    }
    with (
        open(directory / "output", "w+") as output,
        open(directory / "errors", "w+") as errors,
        open(requests) as asked,
        open(answers, "w") as told,
    ):
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=errors,
            env=environment,
            pass_fds=(child_requests, child_answers),
        )
        os.close(child_requests)
        os.close(child_answers)
        for line in asked:
            kind, address, *numbers = line.split()
            window, offset = _window(master, int(address, 16))
            values = [int(number, 16) for number in numbers]
            if kind == "w" and window == "buffer":
                transport.write_buffer(offset, np.array(values, np.uint32))
            elif kind == "w":
                for index, value in enumerate(values):
                    transport.write(offset + 4 * index, value)
            else:
                if window == "buffer":
                    read = transport.read_buffer(offset, values[0]).tolist()
                else:
                    read = [transport.read(offset + 4 * index) for index in range(values[0])]
                print(*(f"{value:x}" for value in read), file=told, flush=True)
        status = process.wait()
        output.seek(0)
        errors.seek(0)
        return Program(status, output.read(), errors.read())


def _window(master: str, address: int) -> tuple[str, int]:
    for window, size in (("registers", REGISTER_BYTES), ("buffer", BUFFER_BYTES)):
        offset = address - BASE[master][window]
        if 0 <= offset < size:
            return window, offset
    raise AssertionError(f"{address:#x} is outside the system")
