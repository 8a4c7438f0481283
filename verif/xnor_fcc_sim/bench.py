# SPDX-License-Identifier: Apache-2.0
"""Testbench of the whole core, used inside the simulator by every `*_tests.py` that drives it.

`Bench` carries data; what is right is decided by `xnor_fcc.reference` before anything is sent.
Every accepted image must be answered once, in order, with its id, class and scores (`_Results`),
and every hidden bit of every layer of every image is compared as the core hands it from layer to
layer (`_Passes`). For the first batches the accumulator of every neuron is compared too: there a
single wrong weight or threshold shows on any image, even where it changes no bit.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import Task
from cocotb.triggers import ClockCycles, Event, FallingEdge, RisingEdge
from cocotb_bus.drivers import BitDriver
from cocotb_bus.drivers.avalon import AvalonMaster
from cocotb_bus.drivers.avalon import AvalonSTPkts as PacketDriver
from cocotb_bus.monitors.avalon import AvalonSTPkts as PacketMonitor

from xnor_fcc.geometry import Geometry, Shape
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.loading import load_checks, load_writes
from xnor_fcc.pack import MemoryImage
from xnor_fcc.reference import activations, preactivations
from xnor_fcc.registers import ADDRESS, BIT
from xnor_fcc_sim.streams import ImageDriver, ResultMonitor, write_burst

CLOCK_NS = 20  # 50 MHz, the clock of the DE1-SoC
# Cycles from the one with `load_image_s2` to the first in which a group of the batch may be done;
# until then groups of the batch before are.
FIRST_DONE = 6


def settings() -> dict[str, Any]:
    """What the pytest side passed to `Model.run`."""
    result: dict[str, Any] = json.loads(os.environ["XNOR_FCC_SETTINGS"])
    return result


def bit_packet(bits: np.ndarray) -> bytes:
    """Packet of an image (n,) of 0/1 as packed 1-bit pixels."""
    return np.packbits(bits, bitorder="little").tobytes()


def grey_packet(
    levels: np.ndarray,
    threshold: int,
    rng: np.random.Generator,
    residual: tuple[int, int] | None = None,
) -> bytes:
    """Packet of 8-bit pixels that become `levels`: 0 and 1 by the threshold, or 0 to 3 with the
    residual thresholds below and above it; at the ends of a level's range where it hurts."""
    ends = [0, threshold, 256]
    if residual is not None:
        ends = [0, residual[0], threshold, residual[1], 256]
    low, high = np.array(ends[:-1])[levels], np.array(ends[1:])[levels] - 1
    assert (low <= high).all(), "no pixel has such a level"
    end = np.where(rng.random(levels.shape) < 0.5, low, high)
    anywhere = rng.random(levels.shape) < 0.5
    return np.where(anywhere, rng.integers(low, high + 1), end).astype(np.uint8).tobytes()


def image_packet(
    network: IntegerNetwork, x: np.ndarray, grey: bool, rng: np.random.Generator
) -> bytes:
    """Packet of an image (inputs,) of bits or levels as `network` takes them; `grey`: as 8-bit
    pixels, the only form in which there are levels."""
    assert grey or network.pixel_residual is None
    if grey:
        return grey_packet(x, network.pixel_threshold, rng, network.pixel_residual)
    return bit_packet(x)


@dataclass
class Beat:
    """One beat of the image stream, or of the weight stream."""

    data: int
    start: int = 0
    end: int = 0
    empty: int = 0
    error: int = 0


def beats_of(packet: bytes, width: int) -> list[Beat]:
    """The beats of a well-formed packet on a stream of `width` bits, first byte highest."""
    size = width // 8
    beats = []
    for start in range(0, len(packet), size):
        chunk = packet[start : start + size]
        beats.append(
            Beat(int.from_bytes(chunk.ljust(size, b"\xff"), "big"), empty=size - len(chunk))
        )
    beats[0].start = 1
    beats[-1].end = 1
    return beats


async def drive_beat(dut: Any, beat: Beat) -> None:
    """Drive a beat of asi_image until it has been taken; `valid` stays."""
    dut.asi_image_valid.value = 1
    dut.asi_image_data.value = beat.data
    dut.asi_image_startofpacket.value = beat.start
    dut.asi_image_endofpacket.value = beat.end
    dut.asi_image_empty.value = beat.empty
    dut.asi_image_error.value = beat.error
    await RisingEdge(dut.clk)
    while dut.asi_image_ready.value != 1:
        await RisingEdge(dut.clk)


class Expected:
    """What a network must answer for a set of images, as Python integers that compare fast.

    `hidden[l]`: the planes of the activations of layer l, lane by lane of an image: the first bits
    alone, or the residual bits, then the first bits. `hidden[l][plane][i]` has neuron j's bit at
    bit j, `scores[i]` is the list of class scores, `classes[i]` the class; `sums[l]` int32 (N, m)
    is 2P + offset of every neuron.
    """

    def __init__(self, network: IntegerNetwork, x: np.ndarray) -> None:
        self.network = network
        self.x = x
        self.sums = preactivations(network, x)
        self.hidden = []
        for layer, sums in zip(network.hidden, self.sums, strict=False):
            values = activations(layer, sums)
            planes = [values] if layer.output_order == 1 else [values & 1, values >> 1]
            self.hidden.append([_whole_numbers(plane) for plane in planes])
        # Lanes that carry an image, and bit planes of its inputs.
        self.lanes = 2 if network.shape.pairs else 1
        self.order = network.shape.orders[0]
        self.scores: list[list[int]] = self.sums[-1].tolist()
        self.classes: list[int] = self.sums[-1].argmax(axis=1).tolist()


def _whole_numbers(bits: np.ndarray) -> list[int]:
    """Rows of 0/1, bit j of the number from column j."""
    packed = np.packbits(bits, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


@dataclass
class Failure:
    """One difference between hardware and reference."""

    where: str
    bits: int = 1


class _Failures:
    """All differences of a run, in the order in which they were found."""

    def __init__(self) -> None:
        self.all: list[Failure] = []

    def add(self, where: str, bits: int = 1) -> None:
        self.all.append(Failure(where, bits))
        if len(self.all) <= 5:
            cocotb.log.error("Error: %s", where)

    @property
    def wrong_bits(self) -> int:
        return sum(failure.bits for failure in self.all)


class _Results:
    """Checks result packets against the images that were accepted, in order of arrival."""

    def __init__(self, failures: _Failures) -> None:
        self.failures = failures
        self.expected: Expected | None = None
        # (id, image index) of accepted images that are not yet answered.
        self.pending: list[tuple[int, int]] = []
        self.head = 0
        self.answered: list[int] = []

    def receive(self, packet: bytes) -> None:
        words = np.frombuffer(packet, ">i4").tolist()
        if self.head >= len(self.pending) or self.expected is None:
            self.failures.add(f"a result nobody asked for: {packet.hex()}")
            return
        number, image = self.pending[self.head]
        self.head += 1
        scores, last = words[:-1], words[-1] & 0xFFFFFFFF
        self.answered.append(last >> 16)
        want = self.expected.scores[image]
        if last & 0xFFFF != number & 0xFFFF:
            self.failures.add(f"image {image}: answered with id {last & 0xFFFF}, not {number}")
        if scores != want:
            changed = [(a ^ b).bit_count() for a, b in zip(scores, want, strict=False)]
            wrong = sum(changed) or 1
            neuron = next((c for c, bits in enumerate(changed) if bits), 0)
            self.failures.add(
                f"image {image}, output layer, neuron {neuron}: scores {scores}, not {want}", wrong
            )
        if last >> 16 != self.expected.classes[image]:
            self.failures.add(
                f"image {image}: class {last >> 16}, not {self.expected.classes[image]}"
            )


@dataclass
class Observed:
    """What the core was seen to make of the image that came as number `position`.

    `inputs[plane]` and `hidden[l][plane]` have bit j at bit j, planes as in `Expected`; `sums[l]`
    has the signed accumulator of each neuron. `batch` and `lane` say where it was.
    """

    position: int
    batch: int = -1
    lane: int = -1
    inputs: list[int] = field(default_factory=list)
    hidden: list[list[int]] = field(default_factory=list)
    sums: list[dict[int, int]] = field(default_factory=list)


class _Passes:
    """Watches the passes of the core: which images a batch holds, and every hidden bit of them."""

    def __init__(self, bench: Bench, deep_batches: int) -> None:
        self.bench = bench
        self.deep_batches = deep_batches
        self.observed: Observed | None = None
        self.loaded = Event()
        self.start()

    def observe(self, position: int) -> Observed:
        """Keep what is seen of one image that has not been sent yet."""
        assert self.bench.expected is not None and position >= len(self.bench.results.pending)
        layers = len(self.bench.expected.sums)
        self.observed = Observed(
            position, hidden=[[] for _ in range(layers - 1)], sums=[{} for _ in range(layers)]
        )
        return self.observed

    def start(self) -> None:
        """Begin with an empty core."""
        self.batches: list[tuple[int, int]] = []  # (position of the first image, images)
        self.starts: list[int] = []  # clock cycle of each batch's load
        self.hidden_loads = 0
        self.hidden_bits = 0
        self.sums_checked = 0
        self.tasks = [
            cocotb.start_soon(self._watch_batches()),
            cocotb.start_soon(self._watch_hidden()),
        ]
        if self.deep_batches:
            self.tasks.append(cocotb.start_soon(self._watch_sums()))

    def stop(self) -> None:
        """Watch no more."""
        for task in self.tasks:
            task.cancel()

    def restart(self) -> None:
        """Forget what was in flight: the core has been reset."""
        self.stop()
        self.start()

    def _images(self, batch: int) -> list[int]:
        first, count = self.batches[batch]
        pending = self.bench.results.pending
        return [image for _, image in pending[first : first + count]]

    async def _watch_batches(self) -> None:
        dut, core = self.bench.dut, self.bench.core
        position = self.bench.results.head
        while True:
            await RisingEdge(core.load_image_s2)
            self.starts.append(self.bench.cycle())
            inputs = core.images.value if self.observed is not None else None
            await RisingEdge(dut.clk)
            await FallingEdge(dut.clk)
            assert self.bench.expected is not None
            count = int(core.batch_count.value) // self.bench.expected.lanes
            self.batches.append((position, count))
            seen = self.observed
            if seen is not None and inputs is not None and 0 <= seen.position - position < count:
                seen.batch = len(self.batches) - 1
                seen.lane = (seen.position - position) * self.bench.expected.lanes
                bits = self.bench.geometry.capacity
                for lane in range(seen.lane, seen.lane + self.bench.expected.order):
                    seen.inputs.append(int(inputs[(lane + 1) * bits - 1 : lane * bits]))
            position += count
            self.loaded.set()
            self.loaded.clear()

    async def _watch_hidden(self) -> None:
        dut, core, bench = self.bench.dut, self.bench.core, self.bench
        lanes = [core.g_lane[lane].lane.hidden for lane in range(bench.geometry.lanes)]
        while True:
            await RisingEdge(core.load_late_s1)
            await RisingEdge(dut.clk)
            await FallingEdge(dut.clk)  # the last bits may come in with the same clock edge
            assert bench.expected is not None
            batch, layer = divmod(self.hidden_loads, len(bench.expected.hidden))
            self.hidden_loads += 1
            width = bench.expected.sums[layer].shape[1]
            for position, image in enumerate(self._images(batch)):
                for plane, wanted in enumerate(bench.expected.hidden[layer]):
                    lane = position * bench.expected.lanes + plane
                    got, want = int(lanes[lane].value), wanted[image]
                    self.hidden_bits += width
                    if seen := self._observed_at(batch, position):
                        seen.hidden[layer].append(got)
                    if got != want:
                        difference = got ^ want
                        neuron = (difference & -difference).bit_length() - 1
                        bench.failures.add(
                            f"image {image}, layer {layer}, neuron {neuron}: bit "
                            f"{got >> neuron & 1}, not {want >> neuron & 1} (lane {lane})",
                            difference.bit_count(),
                        )

    async def _watch_sums(self) -> None:
        """The sums of every group of the first batches, and of the one with the observed image, in
        2's complement, those of two lanes where these carry one image. The groups of a layer come
        from the last one down to group 0."""
        dut, bench = self.bench.dut, self.bench
        g = bench.geometry
        acc_bits = g.score_bits - 1
        mask = (1 << acc_bits) - 1
        lane_done = bench.core.g_lane[0].lane.done
        # The sums follow a cycle after `done`, those of pairs two cycles after it.
        done = [False] * g.order
        batch: int | None = 0
        while batch is not None:
            layer = group = 0
            while bench.expected is None or layer < len(bench.expected.sums):
                await FallingEdge(dut.clk)
                done.append(lane_done.value == 1)
                if not done.pop(0) or len(self.starts) <= batch:
                    continue
                if bench.cycle() - g.order < self.starts[batch] + FIRST_DONE:
                    continue  # of the batch before
                assert bench.expected is not None
                width = bench.expected.sums[layer].shape[1]
                if group == 0:
                    group = g.groups(width)
                group -= 1
                neurons = np.arange(group * g.pe, min(width, (group + 1) * g.pe))
                scores, lane_bits = bench.core.scores.value, g.pe * acc_bits
                for position, image in enumerate(self._images(batch)):
                    lane = position * bench.expected.lanes
                    # A lane without an image may be undefined.
                    packed = int(scores[(lane + 1) * lane_bits - 1 : lane * lane_bits])
                    wanted = bench.expected.sums[layer][image, neurons] >> 1 & mask
                    for p, want in enumerate(wanted.tolist()):
                        self.sums_checked += 1
                        got = packed >> p * acc_bits & mask
                        if seen := self._observed_at(batch, position):
                            sign = got >> acc_bits - 1 << acc_bits
                            seen.sums[layer][int(neurons[p])] = got - sign
                        if got != want:
                            bench.failures.add(
                                f"image {image}, layer {layer}, neuron {neurons[p]}: accumulator "
                                f"{got}, not {want} (lane {lane})",
                                (got ^ want).bit_count(),
                            )
                if group == 0:
                    layer += 1
            batch = await self._next_deep(batch + 1)

    async def _next_deep(self, batch: int) -> int | None:
        """The next batch whose sums are looked at, from `batch` on, before its first group is done;
        None if there is none."""
        if batch < self.deep_batches:
            return batch
        seen = self.observed
        while seen is not None and not (0 <= seen.batch < batch):
            while len(self.batches) <= batch:
                await self.loaded.wait()
            if seen.batch == batch:
                return batch
            batch += 1
        return None

    def _observed_at(self, batch: int, position: int) -> Observed | None:
        """What is kept of the image at `position` of a batch, if it is the observed one."""
        seen = self.observed
        first, _ = self.batches[batch]
        return seen if seen is not None and seen.position == first + position else None


class Bench:
    """Clock, reset, drivers, monitors and checkers around `xnor_fcc`."""

    def __init__(
        self, dut: Any, geometry: Geometry, deep_batches: int = 0, full_rate: bool = False
    ) -> None:
        """`full_rate`: the quick drivers of streams.py, which never pause and never push back."""
        self.dut = dut
        self.full_rate = full_rate
        self.core = dut.g_legal.core
        self.geometry = geometry
        self.failures = _Failures()
        self.results = _Results(self.failures)
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
        self.passes = _Passes(self, deep_batches)
        if os.environ.get("XNOR_FCC_COVERAGE"):
            # Only then is cocotb-coverage needed, and the inside of the core visible.
            from campaigns.coverage.monitor import Monitor

            Monitor(self)

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
    def expected(self) -> Expected | None:
        """Answers of the loaded network for the images that tests send by index."""
        return self.results.expected

    def cycle(self) -> int:
        """Clock cycles since the start of the simulation."""
        return int(cocotb.utils.get_sim_time("ns")) // CLOCK_NS

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

    async def load(self, image: MemoryImage) -> None:
        """Load a network into the stopped core."""
        if self.geometry.weight_stream:
            self.weight_packet = [Beat(data) for data in image.weight_beats()]
            self.weight_packet[0].start = self.weight_packet[-1].end = 1
        for address, values in load_writes(image):
            await write_burst(self.dut, address, values.tolist())
        for name, value in load_checks(image).items():
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
        self.results.expected = Expected(network, x)
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
            await ClockCycles(self.dut.clk, 16)
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
