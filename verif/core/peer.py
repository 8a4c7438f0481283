# SPDX-License-Identifier: Apache-2.0
"""The core with a bus model of another author, `cocotbext-avalon`, at each of its interfaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, Timer, with_timeout
from cocotbext.avalon import (
    AvalonFormat,
    AvalonMMMasterBFM,
    AvalonSTBus,
    AvalonSTFrame,
    AvalonSTSink,
    AvalonSTSource,
)

from xnor_fcc.geometry import Geometry
from xnor_fcc.pack import Memory
from xnor_fcc.registers import ADDRESS, BIT, ID_VALUE
from xnor_fcc_sim.checks import Expected
from xnor_fcc_sim.clock import CLOCK_NS

if TYPE_CHECKING:  # in typing from Python 3.11 on
    from typing_extensions import Self


class Peer:
    """The core with a foreign model at each of its interfaces.

    `idle`: what streams carry between beats, "x", "random", 0 or 1.
    """

    def __init__(self, dut: Any, geometry: Geometry, idle: str) -> None:
        self.dut, self.geometry, self.idle = dut, geometry, idle
        Clock(dut.clk, CLOCK_NS, unit="ns").start()
        self.csr = AvalonMMMasterBFM.from_prefix(dut, "avs_csr", dut.clk, dut.reset)
        self.csr.start()
        self.streams: list[Any] = []
        self.connect()

    @classmethod
    async def power_up(cls, dut: Any, geometry: Geometry, idle: str) -> Self:
        """The core in reset, and the peer; the clock begins after the first instant.

        The models write without a delta cycle when they are made, and Icarus 11 forgets to tell the
        gates behind a port of what is written so in that instant.
        """
        dut.reset.value = 1
        await Timer(1, "ns")
        return cls(dut, geometry, idle)

    def connect(self) -> None:
        """New models at the streams, with nothing under way."""
        for stream in self.streams:
            stream.cancel()
        g = self.geometry
        self.images = self._stream(AvalonSTSource, "asi_image", g.image_width, True)
        self.results = self._stream(AvalonSTSink, "aso_result", 32, True)
        self.streams = [self.images, self.results]
        if g.weight_stream:
            self.weights = self._stream(AvalonSTSource, "asi_weight", g.weight_stream, False)
            self.streams.append(self.weights)

    def _stream(self, kind: type, prefix: str, width: int, first_high: bool) -> Any:
        bus = AvalonSTBus.from_prefix(self.dut, prefix)
        options = {"idle_value": self.idle} if kind is AvalonSTSource else {}
        form = AvalonFormat(8, width // 8, first_high)
        return kind(bus, form, self.dut.clk, self.dut.reset, **options)

    async def reset(self, cycles: int) -> None:
        """Hardware reset."""
        await ClockCycles(self.dut.clk, cycles)
        self.dut.reset.value = 0
        await self.csr.wait_reset_release()
        assert await self.read("ID") == ID_VALUE

    async def write(self, register: str, value: int, index: int = 0) -> None:
        """Write a register, and read it back where that is possible."""
        await self.csr.write(ADDRESS[register] + index, int(value))
        if register not in ("LOAD_DATA", "CONTROL"):
            assert await self.read(register, index) == value

    async def read(self, register: str, index: int = 0) -> int:
        """Value of a register."""
        return int(await self.csr.read(ADDRESS[register] + index))

    async def load(self, memory: Memory) -> None:
        """Load a network through the registers."""
        await self.write("INPUTS", memory.inputs)
        await self.write("CLASSES", memory.classes)
        await self.write("LAYERS", len(memory.table))
        await self.write("PIXEL_THRESHOLD", memory.pixel_threshold)
        for layer, (words, groups) in enumerate(memory.table):
            await self.write("LAYER_TABLE", groups << 16 | words, layer)
        memories = {1: memory.offset_chunks()}
        if not self.geometry.weight_stream:
            memories[0] = memory.weight_chunks()
        for target, chunks in memories.items():
            await self.write("LOAD_SELECT", target)
            for chunk in chunks.ravel().tolist():
                await self.write("LOAD_DATA", chunk)

    async def start(self, grey: bool = False) -> None:
        """Start the core."""
        control = 1 << BIT["CONTROL"]["ENABLE"] | int(grey) << BIT["CONTROL"]["PIXEL_8BIT"]
        await self.write("CONTROL", control)
        for _ in range(40):
            if await self.read("STATUS") >> BIT["STATUS"]["RUNNING"] & 1:
                return
        raise AssertionError("not started")

    async def soft_reset(self) -> None:
        """Software reset."""
        await self.write("CONTROL", 1 << BIT["CONTROL"]["SOFT_RESET"])

    def send(self, packets: Sequence[bytes], bad: int, weights: Sequence[bytes]) -> None:
        """Queue images, number `bad` with the error flag, and weight packets."""
        for packet in weights:
            self.weights.send_nowait(AvalonSTFrame(packet))
        for number, packet in enumerate(packets):
            self.images.send_nowait(AvalonSTFrame(packet, error=int(number == bad)))

    async def answers(self, expected: Expected, bad: int, cycles: int) -> None:
        """The results of all images but number `bad`, each within `cycles` of the one before."""
        for number, scores in enumerate(expected.scores):
            if number == bad:
                continue
            answer = bytes(await with_timeout(self.results.recv(), cycles * CLOCK_NS, "ns"))
            last = expected.classes[number] << 16 | number
            want = [score.to_bytes(4, "big", signed=True) for score in scores]
            want.append(last.to_bytes(4, "big"))
            assert answer == b"".join(want), f"image {number}: {answer.hex()}"
        assert self.results.empty()


def weight_packets(memory: Memory) -> list[bytes]:
    """The packet that a pass needs; none for a core with a weight memory."""
    size = memory.geometry.weight_stream // 8
    if not size:
        return []
    return [b"".join(beat.to_bytes(size, "little") for beat in memory.weight_beats())]
