# SPDX-License-Identifier: Apache-2.0
"""The whole core between bus models of another author, `cocotbext-avalon`.

Where each side of the protocol comes from, so that no rule of Avalon is tested against our own
reading of it alone:

- The tests of the whole core (bench.py): cocotb-bus' `AvalonMaster`, its `AvalonSTPkts` as driver
  and monitor. Ours are the loading of memories (`streams.write_burst`), the weight stream
  (`Bench._feed_weights`), and malformed packets (`Bench.drive_beats`).
- With full_rate (MNIST, the flood, benchmarks) `streams.ImageDriver` and `streams.ResultMonitor`
  replace `AvalonSTPkts`.
- This file: `AvalonMMMasterBFM`, `AvalonSTSource` twice, `AvalonSTSink`. Nothing of ours touches a
  bus: every register, every chunk of both memories and every beat goes through the peer.

The peer is strict. It fails at X or Z in a beat, at a packet without start or with two, at `empty`
before its end; and its streams carry X in Icarus, random values in Verilator, while they are not
valid, which a core must not look at. Its limits: one register access at a time (in a row:
fcc_csr_tests, flood_tests), and no check that a waiting beat stays stable
(fcc_result_source_tests, the proofs).

Settings: geometry, seed, idle ("x" or "random": streams between beats).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import cocotb
import numpy as np
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

from core.core_tests import patience, random_widths
from xnor_fcc.geometry import Geometry, ceil_div
from xnor_fcc.pack import MemoryImage, pack
from xnor_fcc.random_network import random_network
from xnor_fcc.registers import ADDRESS, BIT, ID_VALUE, errors_in
from xnor_fcc_sim.bench import CLOCK_NS, Expected, bit_packet, grey_packet, settings

if TYPE_CHECKING:  # in typing from Python 3.11 on
    from typing_extensions import Self


def pauses(rng: np.random.Generator, share: float) -> Iterator[bool]:
    """Endless: whether to pause in a cycle."""
    while True:
        yield bool(rng.random() < share)


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

    async def load(self, image: MemoryImage) -> None:
        """Load a network through the registers."""
        await self.write("INPUTS", image.inputs)
        await self.write("CLASSES", image.classes)
        await self.write("LAYERS", len(image.table))
        await self.write("PIXEL_THRESHOLD", image.pixel_threshold)
        for layer, (words, groups) in enumerate(image.table):
            await self.write("LAYER_TABLE", groups << 16 | words, layer)
        memories = {1: image.offset_chunks()}
        if not self.geometry.weight_stream:
            memories[0] = image.weight_chunks()
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


def weight_packets(image: MemoryImage) -> list[bytes]:
    """The packet that a pass needs; none for a core with a weight memory."""
    size = image.geometry.weight_stream // 8
    if not size:
        return []
    return [b"".join(beat.to_bytes(size, "little") for beat in image.weight_beats())]


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def between_foreign_models(dut: Any) -> None:
    """Packed and 8-bit pixels, at full rate and under gaps and backpressure: every score, class and
    id; a packet with the error flag in each run is dropped and counted."""
    want = settings()
    geometry = Geometry(**want["geometry"])
    rng = np.random.default_rng(int(want["seed"]))
    widths = random_widths(rng, geometry, 3)
    network = random_network(rng, widths)
    image = pack(network, geometry)
    count = 6 * geometry.lanes + 2
    # Batches wait until they are full, so that there are as many weight packets as passes.
    batches, timeout = ceil_div(count - 1, geometry.lanes), 2000
    peer = await Peer.power_up(dut, geometry, str(want["idle"]))
    await peer.reset(cycles=5)
    await peer.load(image)
    await peer.write("PARTIAL_TIMEOUT", timeout)
    for grey, share in ((False, 0.0), (True, 0.4), (False, 0.7)):
        for stream in peer.streams:
            stream.set_pause_generator(pauses(rng, share) if share else None)
            stream.pause = False
        bits = rng.integers(0, 2, (count, widths[0])).astype(np.uint8)
        packets = [
            grey_packet(row, network.pixel_threshold, rng) if grey else bit_packet(row)
            for row in bits
        ]
        bad = int(rng.integers(0, count))
        await peer.start(grey)
        peer.send(packets, bad, weight_packets(image) * batches)
        await peer.answers(Expected(network, bits), bad, 4 * patience(geometry, widths, timeout))

        assert await peer.read("DROPPED") == 1
        assert errors_in(await peer.read("ERROR")) == ["PACKET_FLAGGED"]
        assert await peer.read("IMAGES") == count - 1
        assert await peer.read("BATCHES") == batches
        assert all(stream.idle() for stream in peer.streams)
        await peer.soft_reset()
