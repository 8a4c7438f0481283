# SPDX-License-Identifier: Apache-2.0
"""Testbench of the whole core, used inside the simulator by every `*_tests.py` that drives it.

`Bench` carries data; what is right is decided by `xnor_fcc.reference` before anything is sent.
Every accepted image must be answered once, in order, with its id, class and scores
(`checks.Results`), and every hidden bit of every layer of every image is compared as the core hands
it from layer to layer (`passes.Passes`). For the first batches the accumulator of every neuron is
compared too: there a single wrong weight or threshold shows on any image, even where it changes no
bit.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import Task
from cocotb.triggers import ClockCycles, Event, RisingEdge
from cocotb_bus.drivers import BitDriver
from cocotb_bus.drivers.avalon import AvalonMaster
from cocotb_bus.drivers.avalon import AvalonSTPkts as PacketDriver
from cocotb_bus.monitors.avalon import AvalonSTPkts as PacketMonitor

from xnor_fcc.geometry import Geometry, Shape
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.loading import load_checks, load_writes
from xnor_fcc.pack import Memory
from xnor_fcc.registers import ADDRESS, BIT
from xnor_fcc_sim.checks import Expected, Failures, MapExpected, Results, expected_of
from xnor_fcc_sim.clock import CLOCK_NS, clock_cycle, let_pass
from xnor_fcc_sim.map_passes import MapPasses
from xnor_fcc_sim.packets import Beat, drive_beat
from xnor_fcc_sim.passes import Passes
from xnor_fcc_sim.settings import settings
from xnor_fcc_sim.streams import ImageDriver, ResultMonitor, write_burst


class Bench:
    """Clock, reset, drivers, monitors and checkers around `xnor_fcc`.

    The setting `observer`, "module:name", is somebody who wants to watch: called with every bench.
    """

    def __init__(
        self, dut: Any, geometry: Geometry, deep_batches: int = 0, full_rate: bool = False
    ) -> None:
        """`full_rate`: the quick drivers of streams.py, which never pause and never push back."""
        self.dut = dut
        self.full_rate = full_rate
        self.geometry = geometry
        self.core = (dut.g_maps if geometry.map_input else dut.g_legal).core
        self.failures = Failures()
        self.results = Results(self.failures)
        self.packets = 0  # seen by the core since it was started: the next id
        dut.reset.value = 1
        dut.asi_image_error.value = 0
        if geometry.image_width == 8:
            dut.asi_image_empty.value = 0
        dut.aso_result_ready.value = 1
        dut.avs_csr_read.value = 0
        dut.avs_csr_write.value = 0
        for name in ("valid", "data", "startofpacket", "endofpacket"):
            getattr(dut, f"asi_weight_{name}").value = 0
        self.weight_packet: list[Beat] = []
        self.weight_gaps: Iterator[tuple[int, int]] | None = None
        self.weight_feed: Task[None] | None = None
        Clock(dut.clk, CLOCK_NS, unit="ns").start()
        self.csr = AvalonMaster(dut, "avs_csr", dut.clk, case_insensitive=False)
        self.driver: PacketDriver | ImageDriver
        if full_rate:
            self.driver = ImageDriver(dut, geometry.image_width)
        else:
            self.driver = PacketDriver(dut, "asi_image", dut.clk, case_insensitive=False)
            self.driver.log.setLevel("WARNING")
        self.monitor: PacketMonitor | ResultMonitor | None = None
        self.ready = BitDriver(dut.aso_result_ready, dut.clk)
        self.passes: Passes | MapPasses
        if geometry.map_input:
            self.passes = MapPasses(dut, geometry, self.results, deep_batches, not full_rate)
        else:
            self.passes = Passes(dut, geometry, self.results, deep_batches)
        if observer := settings().get("observer"):
            module, _, name = observer.partition(":")
            getattr(importlib.import_module(module), name)(self)

    def watch_results(self) -> None:
        """A new monitor for the results: after a reset an old one may hold half a packet."""
        self.ignore_results()
        if self.full_rate:
            self.monitor = ResultMonitor(self.dut, self.results.receive)
            return
        monitor = PacketMonitor(
            self.dut,
            "aso_result",
            self.dut.clk,
            callback=self.results.receive,
            case_insensitive=False,
        )
        monitor.log.setLevel("WARNING")
        self.monitor = monitor

    def ignore_results(self) -> None:
        """What is on its way out belongs to nobody any more."""
        if self.monitor is not None:
            self.monitor.kill()
            self.monitor = None

    @property
    def expected(self) -> Expected | MapExpected | None:
        """Answers of the loaded network for the images that tests send by index."""
        return self.results.expected

    def cycle(self) -> int:
        """Clock cycles since the start of the simulation."""
        return clock_cycle()

    def set_idle_generator(self, generator: Iterator[tuple[int, int]] | None) -> None:
        """(valid, idle) runs of the image stream; None for full rate."""
        assert not isinstance(self.driver, ImageDriver), "full_rate knows no pauses"
        self.driver.set_valid_generator(generator)

    def set_backpressure_generator(self, generator: Iterable[tuple[int, int]]) -> None:
        """(ready, not ready) runs of the result stream."""
        self.ready.start(generator)

    # ---- registers

    async def read(self, register: str, index: int = 0) -> int:
        """Value of a register."""
        value = int(await self.csr.read(ADDRESS[register] + index))
        await RisingEdge(self.dut.clk)
        return value

    async def write(self, register: str, value: int, index: int = 0) -> None:
        """Write a register."""
        await self.csr.write(ADDRESS[register] + index, value)

    async def reset(self, read_back: bool = True) -> None:
        """Hardware reset; `read_back` checks that the core is the one that was asked for."""
        self.dut.reset.value = 1
        await ClockCycles(self.dut.clk, 5)
        self.dut.reset.value = 0
        await ClockCycles(self.dut.clk, 2)
        self.watch_results()
        for name, value in self.geometry.parameters().items():
            if read_back and name in ADDRESS:
                assert await self.read(name) == value, f"the core was built with another {name}"

    async def load(self, memory: Memory) -> None:
        """Load a network into the stopped core."""
        if self.geometry.weight_stream:
            self.weight_packet = [Beat(data) for data in memory.weight_beats()]
            self.weight_packet[0].start = self.weight_packet[-1].end = 1
        for address, values in load_writes(memory):
            await write_burst(self.dut, address, values.tolist())
        for name, value in load_checks(memory).items():
            assert await self.read(name) == value, f"{name} after loading"

    async def start(
        self, pixel_8bit: bool = False, weights: Iterable[list[Beat]] | None = None
    ) -> None:
        """Start the core; fails if it refuses. `weights`: other packets than the good ones."""
        self.stop_weights()
        control = 1 << BIT["CONTROL"]["ENABLE"] | pixel_8bit << BIT["CONTROL"]["PIXEL_8BIT"]
        await self.write("CONTROL", control)
        for _ in range(40):
            if await self.read("STATUS") >> BIT["STATUS"]["RUNNING"] & 1:
                self.packets = 0
                self.start_weights(weights)
                return
        raise AssertionError(f"not started, ERROR = {await self.read('ERROR'):#x}")

    async def stop(self, cycles: int = 100_000) -> None:
        """Stop the core and wait until it is empty."""
        await self.write("CONTROL", 0)
        for _ in range(cycles // 4):
            if await self.read("STATUS") == 0:
                self.stop_weights()
                return
        raise AssertionError("the core does not come to rest")

    def start_weights(self, packets: Iterable[list[Beat]] | None = None) -> None:
        """Where weights are streamed: one packet a pass from now on, for ever, as fast as the core
        takes it or in the (valid, idle) runs of `weight_gaps`."""
        if self.geometry.weight_stream:
            feed = self._feed_weights(repeat(self.weight_packet) if packets is None else packets)
            self.weight_feed = cocotb.start_soon(feed)

    async def _feed_weights(self, packets: Iterable[list[Beat]]) -> None:
        dut = self.dut
        allowed = 0
        for beat in chain.from_iterable(packets):
            if self.weight_gaps is not None:
                while allowed == 0:
                    allowed, idle = next(self.weight_gaps)
                    if idle:
                        dut.asi_weight_valid.value = 0
                        await ClockCycles(dut.clk, idle)
                allowed -= 1
            dut.asi_weight_valid.value = 1
            dut.asi_weight_data.value = beat.data
            dut.asi_weight_startofpacket.value = beat.start
            dut.asi_weight_endofpacket.value = beat.end
            await RisingEdge(dut.clk)
            while dut.asi_weight_ready.value != 1:
                await RisingEdge(dut.clk)

    async def weights_inside(self) -> None:
        """Wait until a core that streams its weights has as many words as it can hold."""
        g = self.geometry
        if g.weight_stream:
            await ClockCycles(self.dut.clk, 2 * g.pe * g.simd // g.weight_stream + 8)

    def stop_weights(self) -> None:
        """No more weights until the next start."""
        if self.weight_feed is not None:
            self.weight_feed.cancel()
            self.weight_feed = None
        self.dut.asi_weight_valid.value = 0

    # ---- images

    def expect(self, network: IntegerNetwork, x: np.ndarray) -> None:
        """From now on images are rows of `x`, bits or levels as `reference.evaluate` takes them,
        and the core runs `network`."""
        assert self.results.head == len(self.results.pending), "images are still under way"
        self.results.expected = expected_of(network, x)
        self.passes.restart()

    def accept(self, image: int) -> None:
        """A good packet with image number `image` is about to be sent."""
        self.results.pending.append((self.packets, image))
        self.packets += 1

    async def drive_beats(self, beats: Sequence[Beat]) -> None:
        """Drive beats as they are, right or wrong, one after the other."""
        for beat in beats:
            await drive_beat(self.dut, beat)
        self.dut.asi_image_valid.value = 0
        self.dut.asi_image_error.value = 0

    def append(self, image: int, packet: bytes, taken: Event | None = None) -> None:
        """Queue a good packet behind the others, without gaps; `taken` is set when it is in."""
        self.accept(image)
        self.driver.append(packet, event=taken)

    async def send(self, image: int, packet: bytes) -> None:
        """Queue a good packet behind the others and wait until the core has taken it."""
        taken = Event()
        self.append(image, packet, taken)
        await taken.wait()

    async def drain(self, cycles: int) -> None:
        """Wait until every accepted image is answered, at most `cycles` without an answer."""
        waited, head = 0, self.results.head
        while self.results.head < len(self.results.pending):
            await let_pass(self.dut.clk, 16)
            waited = waited + 16 if self.results.head == head else 0
            head = self.results.head
            assert waited <= cycles, (
                f"{len(self.results.pending) - head} images were not answered in {cycles} cycles"
            )

    def check(self, images: int) -> None:
        """Fail unless exactly `images` images were answered, all without a difference."""
        assert not self.failures.all, (
            f"{len(self.failures.all)} differences, the first: {self.failures.all[0].where}"
        )
        assert self.results.head == len(self.results.pending) == images, (
            f"{self.results.head} of {len(self.results.pending)} images answered, {images} wanted"
        )

    async def check_cycles(self, widths: Shape | Sequence[int]) -> None:
        """The cycles of the running core must be those of the cycle model, to the cycle."""
        g = self.geometry
        busy = await self.read("BUSY_CYCLES") - await self.read("STALL_CYCLES")
        waited = await self.read("WEIGHT_STALL_CYCLES")
        batches = await self.read("BATCHES")
        assert batches == len(self.passes.batches) > 0
        assert busy - waited == batches * g.pass_cycles(widths), (
            f"{busy} busy cycles, {waited} of them waiting for weights, for {batches} batches, the "
            f"model says {g.pass_cycles(widths)} for each"
        )
        assert await self.read("STEP_CYCLES") == batches * g.steps(widths)
        assert g.weight_stream or not waited
