# SPDX-License-Identifier: Apache-2.0
"""What the functional coverage asks for and random traffic meets too seldom: resets, refused writes
and stops at every moment, wrong tables one by one, extreme numbers, every batch, every pattern of
backpressure, counters that wrap; settings: geometry, seed, and kind for the resets.

Each test checks all answers, as every run of the core does; that a state was really met is for
monitor.py to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import cycle, product
from typing import Any

import cocotb
import numpy as np
from cocotb.task import Task
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge

from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork, Layer, OutputLayer
from xnor_fcc.loading import load_writes
from xnor_fcc.pack import Memory, pack
from xnor_fcc.registers import ADDRESS, BIT, errors_in
from xnor_fcc_sim.bench import Bench
from xnor_fcc_sim.packets import Beat, beats_of, bit_packet, grey_packet
from xnor_fcc_sim.settings import settings
from xnor_fcc_sim.streams import write_burst
from xnor_fcc_sim.traffic import make, malformed, out_of_step, patience, random_widths

_ENABLE, _GREY, _RESET = (
    1 << BIT["CONTROL"][name] for name in ("ENABLE", "PIXEL_8BIT", "SOFT_RESET")
)
_ALL_ERRORS = (1 << len(BIT["ERROR"])) - 1
_ORDER_2, _TERNARY = (1 << BIT["LAYER_TABLE"][name] for name in ("ORDER_2", "TERNARY"))
_WRAP = 1 << 32


class Run:
    """A loaded core with images that are answered."""

    def __init__(self, dut: Any, layers: int = 3) -> None:
        want = settings()
        self.dut = dut
        self.geometry = Geometry(**want["geometry"])
        self.rng = np.random.default_rng(int(want["seed"]))
        self.bench = Bench(dut, self.geometry)
        widths = random_widths(self.rng, self.geometry, min(layers, self.geometry.max_layers))
        network, bits = make(int(want["seed"]), widths, 4 * self.geometry.lanes + 1)
        self.use(network, bits)
        self.answered = 0

    def use(self, network: IntegerNetwork, bits: np.ndarray) -> None:
        """Another network, and images for it."""
        self.network, self.bits = network, bits
        self.memory: Memory = pack(network, self.geometry)
        self.bench.expect(network, bits)

    @property
    def quiet(self) -> int:
        """Cycles in which an image must have been answered."""
        return patience(self.geometry, self.network.widths, 300)

    async def load(self, timeout: int = 0) -> None:
        """Load the network again."""
        await self.bench.load(self.memory)
        await self.bench.write("PARTIAL_TIMEOUT", timeout)

    def packet(self, index: int) -> list[Beat]:
        """An image as beats of 1-bit pixels; of odd ones the bits behind the last pixel are 1."""
        packet = bytearray(bit_packet(self.bits[index]))
        if index % 2 and self.network.inputs % 8:
            packet[-1] |= 0xFF << self.network.inputs % 8 & 0xFF
        return beats_of(bytes(packet), self.geometry.image_width)

    async def _feed(self, images: Iterable[int]) -> None:
        for index in images:
            await self.bench.drive_beats(self.packet(index))
            self.bench.accept(index)  # complete only now: it may be cut short

    def feed(self, lone: bool = False) -> Task[None]:
        """One image, or images without end, counted as they are taken."""
        return cocotb.start_soon(self._feed([0] if lone else cycle(range(len(self.bits)))))

    def cut(self, feeding: Task[None]) -> None:
        """No more images, wherever the last one is."""
        feeding.cancel()
        self.dut.asi_image_valid.value = 0
        self.dut.asi_image_error.value = 0

    async def answer(self, images: Sequence[int] = (0,)) -> None:
        """Start, have images answered, stop; everything that was accepted must have been."""
        bench = self.bench
        bench.watch_results()
        await bench.start()
        for index in images:
            bench.accept(index)
            await bench.drive_beats(self.packet(index))
        await self.finish()

    async def finish(self) -> None:
        """Wait for the answers to what was accepted, all of them right, and stop."""
        await self.bench.drain(self.quiet)
        assert not self.bench.failures.all, self.bench.failures.all[0].where
        await self.bench.stop()

    def forget(self) -> None:
        """A reset: what was accepted is not answered."""
        bench = self.bench
        bench.stop_weights()
        bench.ignore_results()
        del bench.results.pending[bench.results.head :]
        bench.expect(self.network, self.bits)


@cocotb.test(timeout_time=400, timeout_unit="ms")
async def resets(dut: Any) -> None:
    """A reset at any moment, results taken or held, running or stopping: clean, and well again."""
    hard = settings()["kind"] == "hardware"
    run = Run(dut)
    bench, g, rng = run.bench, run.geometry, run.rng
    await bench.reset()
    await run.load()
    span = g.latency_cycles(run.network.widths, 0) + g.send_cycles(run.network.widths)
    for number in range(int(settings()["moments"])):
        held, stopping = number % 3 == 1, number % 4 == 3
        dut.aso_result_ready.value = int(not held)
        bench.packets = 0
        await bench.write("CONTROL", _ENABLE)
        bench.start_weights()
        if g.weight_stream and number % 2:
            bench.stop_weights()  # a step waits for its word
        await ClockCycles(dut.clk, int(rng.integers(0, 5 + 3 * len(run.memory.table))))
        # Behind a lone image nothing follows: its scores are on their way, and the core is idle.
        lone = number % 5 == 2
        feeding = run.feed(lone)
        if lone:
            await ClockCycles(dut.clk, int(rng.integers(span // 3, span + 10)))
        elif number % 8:
            await ClockCycles(dut.clk, int(rng.integers(1, span * (4 if held else 2))))
        if stopping:
            await bench.write("CONTROL", 0)
            await ClockCycles(dut.clk, int(rng.integers(1, 30)))
        # A strobe that is overruled by the reset still makes a glitch in the simulator.
        bench.passes.stop()
        if hard:
            await bench.reset(read_back=False)
        else:
            await bench.write("CONTROL", _RESET)
        run.cut(feeding)
        dut.aso_result_ready.value = 1
        await ClockCycles(dut.clk, 3)
        run.forget()
        assert dut.aso_result_valid.value == 0
        for register in ("STATUS", "ERROR", "IMAGES", "BATCHES", "DROPPED", "BUSY_CYCLES"):
            assert await bench.read(register) == 0, register
        if hard:
            assert await bench.read("THRESHOLDS_LOADED") == 0
            await run.load()
        await run.answer([number % len(run.bits)])


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def resets_while_loading(dut: Any) -> None:
    """A reset in the middle of a memory word, or nowhere in particular, and a load after it."""
    run = Run(dut)
    bench = run.bench
    await bench.reset()
    for kind in ("software", "hardware"):
        for cut in (0, 1, 2):
            for address, values in load_writes(run.memory):
                memory = address == ADDRESS["LOAD_DATA"]
                part = values[: 1 if memory and len(values) > 1 else None]
                await write_burst(dut, address, part.tolist())
                if memory and cut == 1:  # one chunk of the first memory
                    break
            if cut == 0:
                await bench.write("LOAD_SELECT", 0)
            await ClockCycles(dut.clk, 2)
            if kind == "hardware":
                await bench.reset(read_back=False)
            else:
                await bench.write("CONTROL", _RESET)
            await ClockCycles(dut.clk, 4)
            await run.load()
            await run.answer()


@cocotb.test(timeout_time=400, timeout_unit="ms")
async def refusals(dut: Any) -> None:
    """Every configuration register written at any moment of a running core: nothing changes."""
    run = Run(dut)
    bench, g, rng = run.bench, run.geometry, run.rng
    await bench.reset()
    await run.load(timeout=20)
    registers = ("INPUTS", "CLASSES", "LAYERS", "PIXEL_THRESHOLD", "PIXEL_RESIDUAL",
                 "PARTIAL_TIMEOUT", "LOAD_SELECT", "LOAD_DATA", "LAYER_TABLE",
                 "CONTROL")  # fmt: skip
    kept = {name: await bench.read(name) for name in registers[:7]}
    loaded = await bench.read("THRESHOLDS_LOADED")
    span = g.latency_cycles(run.network.widths, 0)
    for number in range(int(settings()["moments"])):
        bench.watch_results()
        stopping = number % 4 == 3 and number % 10 > 1
        dut.aso_result_ready.value = int(number % 3 != 1 and not stopping)
        bench.packets = 0
        await write_burst(dut, ADDRESS["CONTROL"], [_ENABLE])
        bench.start_weights()
        feeding = None
        if number % 5:  # not only while the table is checked
            await ClockCycles(dut.clk, 3 * len(run.memory.table) + 6)
        if number % 10 > 1:
            feeding = run.feed()
            await ClockCycles(dut.clk, int(rng.integers(1, span * 3)))
        if stopping:
            await ClockCycles(dut.clk, 4 * span)
            await write_burst(dut, ADDRESS["CONTROL"], [0])
        for name in rng.permutation(registers).tolist():
            value = _ENABLE | _GREY if name == "CONTROL" else kept.get(name, 1) ^ 1
            await write_burst(dut, ADDRESS[name], [value])
        errors = errors_in(await bench.read("ERROR"))
        assert errors == ["CONFIG_BUSY"], errors
        await bench.write("ERROR", _ALL_ERRORS)
        dut.aso_result_ready.value = 1
        if feeding is not None:
            await ClockCycles(dut.clk, span)
            run.cut(feeding)
        await bench.write("CONTROL", 0)
        await bench.drain(run.quiet)
        await bench.stop()
        assert not bench.failures.all, bench.failures.all[0].where
        for name, value in kept.items():
            assert await bench.read(name) == value, name
        assert await bench.read("THRESHOLDS_LOADED") == loaded
        # A packet that the stop has cut in two belongs to nobody.
        await bench.write("CONTROL", _RESET)
        await ClockCycles(dut.clk, 3)
        run.forget()


@cocotb.test(timeout_time=400, timeout_unit="ms")
async def stops(dut: Any) -> None:
    """Stopped at any moment, the table check among them: what was accepted is answered."""
    run = Run(dut)
    bench, g, rng = run.bench, run.geometry, run.rng
    await bench.reset()
    await run.load(timeout=200)
    span = g.latency_cycles(run.network.widths, 200)
    for number in range(int(settings()["moments"])):
        bench.watch_results()
        held = number % 3 == 1
        dut.aso_result_ready.value = int(not held)
        bench.packets = 0
        await write_burst(dut, ADDRESS["CONTROL"], [_ENABLE])
        bench.start_weights()
        feeding = None
        if number % 4:
            await ClockCycles(dut.clk, 3 * g.max_layers + 6)
            if number % 4 > 1:
                feeding = run.feed()
                await ClockCycles(dut.clk, int(rng.integers(1, span * (3 if held else 1))))
            await write_burst(dut, ADDRESS["CONTROL"], [_ENABLE])  # which changes nothing
        await write_burst(dut, ADDRESS["CONTROL"], [0])
        await RisingEdge(dut.clk)
        if feeding is not None:
            await RisingEdge(dut.clk)
            run.cut(feeding)
        dut.aso_result_ready.value = 1
        await bench.drain(run.quiet)
        await ClockCycles(dut.clk, 3 * g.max_layers + 6)
        await bench.stop()
        assert await bench.read("STATUS") == 0
        assert not bench.failures.all, bench.failures.all[0].where
        await bench.write("CONTROL", _RESET | _ENABLE)  # the reset makes the rest void
        await ClockCycles(dut.clk, 3 * g.max_layers + 6)
        assert await bench.read("STATUS") == 0
        run.forget()
    await run.answer()


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def wrong_tables(dut: Any) -> None:
    """Descriptions that are wrong in one way each, and memories that lack one word."""
    run = Run(dut)
    bench, g = run.bench, run.geometry
    await bench.reset()
    ring, groups, classes = g.ring, g.groups(g.max_width), 1
    # (INPUTS, CLASSES, LAYERS, table): wide enough for everything but what is wrong.
    good = (1, classes, 2, [(1, 1), (1, 1)])
    inputs_of_ring = (ring - 1) * g.simd + 1
    unfilled = g.words(g.pe) + 1
    wrong = [
        (*good[:2], 0, good[3]),
        (*good[:2], g.max_layers + 1, good[3]),
        (*good[:3], [(0, 1), (1, 1)]),
        (*good[:3], [(1, 1), (0, 1)]),
        (inputs_of_ring, 1, 2, [(ring + 1, 1), (1, 1)]),
        (*good[:3], [(1, groups), (ring + 1, 1)]),
        (*good[:3], [(1, 1), (1, 0)]),
        (*good[:3], [(1, groups + 1), (1, 1)]),
        (0, *good[1:]),
        (g.max_width + 1, 1, 2, [(ring, 1), (1, 1)]),
        (inputs_of_ring, 1, 2, [(ring - 1, 1), (1, 1)]),
        (1, 1, 2, [(2, 1), (1, 1)]),
        (*good[:3], [(1, 1), (unfilled, 1)]),
        (1, 0, *good[2:]),
        (1, g.max_classes + 1, 2, [(1, 1), (1, groups)]),
        (1, g.pe + 1, 2, [(1, 1), (1, 1)]),
        (inputs_of_ring, 1, 3, [(ring, groups)] * 3),
        (1, 1, g.max_layers, [(1, groups)] * g.max_layers),
    ]
    # Two planes of 1-bit pixels; kinds of layers that the core was built without.
    wrong.append((*good[:3], [(1 | _ORDER_2, 1), (1, 1)]))
    if g.order == 1:
        wrong.append((*good[:3], [(1, 1), (1 | _ORDER_2, 1)]))
    if not g.ternary:
        wrong.append((*good[:3], [(1, 1), (1, 1 | _TERNARY >> 16)]))
    for inputs, most, layers, table in wrong:
        for name, value in (("INPUTS", inputs), ("CLASSES", most), ("LAYERS", layers)):
            await bench.write(name, value)
        for number, (words, count) in enumerate(table):
            await bench.write("LAYER_TABLE", count << 16 | words, number)
        await bench.write("CONTROL", _ENABLE)
        await ClockCycles(dut.clk, 3 * g.max_layers + 8)
        assert errors_in(await bench.read("ERROR")) == ["BAD_TABLE"], (inputs, most, layers, table)
        assert await bench.read("STATUS") == 0
        await bench.write("ERROR", _ALL_ERRORS)
    for memory in (0, 1):
        if memory == 0 and g.weight_stream:
            continue
        await run.load()
        lacking = [values for address, values in load_writes(run.memory)
                   if address == ADDRESS["LOAD_DATA"]][-1 if memory else 0]  # fmt: skip
        await bench.write("LOAD_SELECT", memory)
        await write_burst(dut, ADDRESS["LOAD_DATA"], lacking[:-1].tolist())
        await bench.write("CONTROL", _ENABLE)
        await ClockCycles(dut.clk, 3 * g.max_layers + 8)
        assert errors_in(await bench.read("ERROR")) == ["NOT_LOADED"], memory
        await bench.write("ERROR", _ALL_ERRORS)
    await run.load()
    await run.answer()


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def reloads(dut: Any) -> None:
    """A network loaded after everything that can come before is answered with."""
    run = Run(dut, layers=2)
    bench, g = run.bench, run.geometry
    await bench.reset()

    async def once_more() -> None:
        run.use(*make(int(run.rng.integers(1 << 20)), run.network.widths, len(run.bits)))
        await run.load()
        await run.answer([1, 2, 3])

    async def refused(error: str) -> None:
        await bench.write("CONTROL", _ENABLE)
        await ClockCycles(dut.clk, 3 * g.max_layers + 8)
        assert errors_in(await bench.read("ERROR")) == [error]
        await bench.write("ERROR", _ALL_ERRORS)

    await once_more()  # behind a hardware reset
    await once_more()  # behind a stop
    await bench.write("CONTROL", _RESET)
    await once_more()
    await bench.write("LAYERS", 0)
    await refused("BAD_TABLE")
    await once_more()
    for memory, name in ((0, "WEIGHTS_LOADED"), (1, "THRESHOLDS_LOADED")):
        await bench.write("LOAD_SELECT", memory)
        if memory or not g.weight_stream:
            assert await bench.read(name) == 0
            await refused("NOT_LOADED")
        await once_more()
        # The surplus of a memory that is full already.
        await bench.write("LOAD_SELECT", memory)
        chunks = -(-g.pe * g.simd // 32) * g.weight_depth
        count = g.threshold_depth * g.pe if memory else chunks * (not g.weight_stream)
        surplus = run.rng.integers(0, 1 << 32, count + 1)
        await write_burst(dut, ADDRESS["LOAD_DATA"], surplus.tolist())
        await ClockCycles(dut.clk, 2)
        assert errors_in(await bench.read("ERROR")) == ["LOAD_OVERFLOW"]
        await bench.write("ERROR", _ALL_ERRORS)
        # Every bit of the memory the other way round.
        await bench.write("LOAD_SELECT", memory)
        await write_burst(dut, ADDRESS["LOAD_DATA"], (surplus[:count] ^ (_WRAP - 1)).tolist())
        await once_more()
        # Half a word.
        await bench.write("LOAD_SELECT", memory)
        if memory or not g.weight_stream:
            await bench.write("LOAD_DATA", 0)
        await once_more()


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def numbers(dut: Any) -> None:
    """Thresholds, scores, ties and pixels at their ends."""
    run = Run(dut, layers=2)
    bench, g, rng = run.bench, run.geometry, run.rng
    await bench.reset()
    limit = 1 << g.score_bits - 1

    def bits(rows: int, columns: int) -> np.ndarray:
        return rng.integers(0, 2, (rows, columns)).astype(np.uint8)

    async def images(network: IntegerNetwork, inputs: np.ndarray) -> None:
        run.use(network, inputs)
        await run.load()
        await run.answer(range(len(inputs)))

    # One class, the classes in between, all of them; the ends of a score in a network of one layer.
    for n in (1, min(g.max_width, g.simd + 1), g.max_width):
        for classes in sorted({1, min(3, g.max_classes), g.max_classes}):
            plain = np.zeros((classes, n), np.uint8)
            both = np.concatenate([plain[:1], 1 - plain[:1], bits(2, n)])
            lowest, highest = n - limit, limit - 1 - n
            for bias in (
                [lowest] * classes,
                [highest] * classes,
                [n] * classes,
                [0] * classes,
                [-1] * classes,
                [1, *[0] * (classes - 1)],
                [*[0] * (classes - 1), 1],
                [0, *[2] * (classes - 1)],
                [lowest, *[highest] * (classes - 1)],
                [*[0] * (classes // 2), 4, *[0] * (classes - classes // 2 - 1)],
            ):
                output = OutputLayer(plain, np.array(bias, np.int32))
                await images(IntegerNetwork((), output), both)
    # Thresholds of every kind beside one another.
    if g.max_layers > 1:
        for n in sorted({1, 2, min(g.max_width, g.simd), g.max_width}):
            m = g.max_width
            kinds = np.array([0, 1, n // 2, n, n + 1], np.int32)
            weights = np.zeros((m, n), np.uint8)
            hidden = Layer(weights, kinds[np.arange(m) % len(kinds)].astype(np.int32))
            classes = g.max_classes
            output = OutputLayer(bits(classes, m), np.zeros(classes, np.int32))
            network = IntegerNetwork((hidden,), output)
            try:
                g.require_fit(network.widths)
            except Exception:  # too many words for this core
                continue
            both = np.concatenate([weights[:1], 1 - weights[:1], bits(4, n)])
            await images(network, both)

    # Pixels at a threshold of 0, of 1, somewhere, of 255.
    network, inputs = run.network, run.bits
    for threshold in (0, 1, 77, 255):
        run.use(replace(network, pixel_threshold=max(1, threshold)), inputs)
        ones = np.ones_like(inputs)
        if threshold == 0:  # every pixel is at least 0
            run.use(network, ones)
        await run.load()
        await bench.write("PIXEL_THRESHOLD", threshold)
        bench.watch_results()
        await bench.start(pixel_8bit=True)
        for number in range(8):
            index = number % len(inputs)
            packet = bytearray(grey_packet(run.bits[index], max(1, threshold), rng))
            for place, bit in enumerate(run.bits[index]):
                low, high = (0, max(0, threshold - 1)), (threshold, 255)
                if threshold == 0:
                    packet[place] = int(rng.choice([0, 7, 255]))
                elif rng.random() < 0.6:
                    packet[place] = int(rng.choice(high if bit else low))
            bench.accept(index)
            await bench.drive_beats(beats_of(bytes(packet), g.image_width))
        await run.finish()


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def batches(dut: Any) -> None:
    """Batches of every size, started because full, after a timeout, or by a stop."""
    run = Run(dut, layers=2)
    bench, g = run.bench, run.geometry
    await bench.reset()
    await run.load()
    patient = g.image_beats(run.network.inputs, False) + 20
    for count in range(1, g.lanes + 1):
        for timeout in (0, 1, patient, 300):
            await bench.write("PARTIAL_TIMEOUT", timeout)
            first = len(bench.passes.batches)
            await run.answer(range(count))
            sizes = [size for _, size in bench.passes.batches[first:]]
            assert sum(sizes) == count
            assert timeout < patient or sizes == [count], (sizes, timeout)
        # By a stop: nobody waits for more.
        await bench.write("PARTIAL_TIMEOUT", 100_000)
        first = len(bench.passes.batches)
        bench.watch_results()
        await bench.start()
        for index in range(count):
            bench.accept(index)
            await bench.drive_beats(run.packet(index))
        await ClockCycles(dut.clk, 10)
        await bench.write("CONTROL", 0)
        await bench.drain(run.quiet)
        await bench.stop()
        assert [size for _, size in bench.passes.batches[first:]] == [count]


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def backpressure(dut: Any) -> None:
    """Results taken in every pattern: not one beat is lost or doubled."""
    run = Run(dut, layers=2)
    bench, g = run.bench, run.geometry
    await bench.reset()
    await run.load(timeout=3)
    beats = run.network.classes + 1
    patterns: dict[str, list[tuple[int, int]]] = {
        "none": [(1, 0)],
        "every beat": [(1, 2)],
        "first": [(beats, 80)],
        "some": [(3, 1), (1, 4), (2, 2)],
    }
    for pattern in patterns.values():
        bench.set_backpressure_generator(cycle(pattern))
        await run.answer([*range(len(run.bits))])
        bench.ready.stop()

    async def hold_last() -> None:
        while True:
            await FallingEdge(dut.clk)
            if dut.aso_result_valid.value == 1 and dut.aso_result_endofpacket.value == 1:
                dut.aso_result_ready.value = 0
                await ClockCycles(dut.clk, 80)
                dut.aso_result_ready.value = 1
                await RisingEdge(dut.clk)

    dut.aso_result_ready.value = 1
    holding = cocotb.start_soon(hold_last())
    await run.answer([*range(len(run.bits))])
    holding.cancel()
    # Nobody takes anything while one image follows the other, and while only two batches come.
    for images in (4 * g.lanes, 2 * g.lanes):
        dut.aso_result_ready.value = 0
        bench.watch_results()
        await bench.start()
        feeding = cocotb.start_soon(
            bench.drive_beats([beat for n in range(images) for beat in run.packet(n)])
        )
        for index in range(images):
            bench.accept(index)
        await ClockCycles(dut.clk, 4 * g.period_cycles(run.network.widths) + 300)
        assert await bench.read("STALL_CYCLES") > 0
        dut.aso_result_ready.value = 1
        await bench.drain(run.quiet)
        await feeding
        assert not bench.failures.all, bench.failures.all[0].where
        await bench.stop()


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def packets(dut: Any) -> None:
    """Every malformed packet in both formats of pixels, between good ones."""
    run = Run(dut, layers=1)
    bench, g, rng = run.bench, run.geometry, run.rng
    await bench.reset()
    dropped = 0
    # Widths whose last beats are filled differently.
    for width, grey in product((g.max_width, g.max_width - 1, g.max_width - 8), (False, True)):
        run.use(*make(3, (width, 1), 6))
        await run.load(timeout=3)
        bench.watch_results()
        await bench.start(pixel_8bit=grey)

        def beats(index: int, grey: bool = grey) -> list[Beat]:
            row, threshold = run.bits[index], run.network.pixel_threshold
            packet = grey_packet(row, threshold, rng) if grey else bit_packet(row)
            return beats_of(packet, g.image_width)

        for errors, packet in wrong_packets(beats(0), g.image_width // 8, rng):
            await bench.drive_beats(packet)
            # A packet without an end is one more, dropped when the next one starts.
            count = sum(beat.start for beat in packet) or 1
            dropped += count
            bench.packets += count
            for index in (1, 2):
                bench.accept(index)
                await bench.drive_beats(beats(index))
            await bench.drain(run.quiet)
            assert await bench.read("DROPPED") == dropped
            assert set(errors_in(await bench.read("ERROR"))) == errors, packet
            assert not bench.failures.all, bench.failures.all[0].where
            await bench.write("ERROR", _ALL_ERRORS)
        await bench.stop()


def wrong_packets(
    good: list[Beat], symbols: int, rng: np.random.Generator
) -> list[tuple[set[str], list[Beat]]]:
    """Malformed packets out of a good one of at least two beats, and the errors they must raise."""

    def copy() -> list[Beat]:
        return [replace(beat) for beat in good]

    wrong = [({name}, packet) for name, packet in malformed(good, rng).items()]
    for place in {0, len(good) // 2, len(good) - 1}:
        flagged = copy()
        flagged[place].error = 1
        wrong.append(({"PACKET_FLAGGED"}, flagged))
    for missing, name in ((1, "PACKET_SHORT"), (-1, "PACKET_LONG")):
        if 0 <= good[-1].empty + missing < symbols:
            resized = copy()
            resized[-1].empty += missing
            wrong.append(({name}, resized))
    lone = Beat(0, start=1, end=1, error=1)
    wrong.append(({"PACKET_SHORT", "PACKET_FLAGGED"}, [lone]))
    wrong.append(({"PACKET_FRAME"}, good[:1]))  # no end: the next packet cuts it off
    wrong.append(({"PACKET_FRAME", "PACKET_SHORT"}, [good[0], replace(lone, error=0)]))
    return wrong


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def interrupts(dut: Any) -> None:
    """A batch that is handed over in the cycle in which the interrupt of the one before is cleared
    interrupts again."""
    run = Run(dut, layers=2)
    bench = run.bench
    await bench.reset()
    await run.load()
    result = 1 << BIT["IRQ_STATUS"]["RESULT"]
    await bench.write("IRQ_ENABLE", result)
    bench.watch_results()
    await bench.start()
    for number in range(4):
        bench.accept(0)
        feeding = cocotb.start_soon(bench.drive_beats(run.packet(0)))
        while bench.core.results_sent.value != 1:
            await FallingEdge(dut.clk)
        dut.avs_csr_address.value = ADDRESS["IRQ_STATUS"]
        dut.avs_csr_writedata.value = result
        dut.avs_csr_write.value = 1
        await RisingEdge(dut.clk)
        dut.avs_csr_write.value = 0
        await feeding
        await bench.drain(run.quiet)
        assert dut.ins_csr_irq.value == 1, number
        assert await bench.read("IRQ_STATUS") == result
    await bench.write("IRQ_STATUS", result)
    await RisingEdge(dut.clk)
    assert dut.ins_csr_irq.value == 0
    assert not bench.failures.all, bench.failures.all[0].where
    await bench.stop()


async def deposit(dut: Any, handle: Any, value: int) -> None:
    """Put a value into a register of the core; the core goes on from there."""
    handle.value = value
    await RisingEdge(dut.clk)


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def wraps(dut: Any) -> None:
    """Counters beyond their end: modulo 2^32, 2^64 and 2^16, and differences that stay right."""
    run = Run(dut, layers=2)
    bench, g = run.bench, run.geometry
    csr = bench.core.csr
    widths = run.network.widths
    await bench.reset()
    await run.load(timeout=4)
    await bench.start()
    await bench.weights_inside()

    async def one(index: int) -> None:
        bench.accept(index)
        await bench.drive_beats(run.packet(index))

    # The latency of an image that comes before the wrap and is answered behind it.
    await deposit(dut, csr.cycles_reg, _WRAP - g.image_beats(widths[0], False) - 12)
    assert await bench.read("CYCLES") > _WRAP - 64
    await one(0)
    await bench.drain(run.quiet)
    assert await bench.read("LATENCY") == g.latency_cycles(widths, 4)
    assert await bench.read("CYCLES_HIGH") == 0  # as of the read before the wrap
    assert await bench.read("CYCLES") < 4096
    assert await bench.read("CYCLES_HIGH") == 1
    await deposit(dut, csr.cycles_reg, (1 << 64) - 20)
    assert await bench.read("CYCLES") > _WRAP - 20
    assert await bench.read("CYCLES_HIGH") == _WRAP - 1
    await ClockCycles(dut.clk, 40)
    assert await bench.read("CYCLES") < 64
    assert await bench.read("CYCLES_HIGH") == 0

    # What is counted by events, and by cycles of the sequencer.
    counters = {
        "IMAGES": csr.images_reg, "BATCHES": csr.batches_reg, "DROPPED": csr.dropped_reg,
        "BUSY_CYCLES": csr.busy_cycles_reg, "STEP_CYCLES": csr.step_cycles_reg,
        "STALL_CYCLES": csr.stall_cycles_reg, "WEIGHT_STALL_CYCLES": csr.weight_stall_cycles_reg,
    }  # fmt: skip
    before = {name: _WRAP - 2 for name in counters}
    for name, handle in counters.items():
        handle.value = before[name]
    await RisingEdge(dut.clk)
    first = len(bench.passes.batches)
    for index in range(4):
        await one(index)
        await bench.drain(run.quiet)
        # Dropped two at once: an odd number from an even one would show.
        await bench.drive_beats([Beat(0, start=1), Beat(0, start=1, end=1, error=1)])
        bench.packets += 2
    passes = len(bench.passes.batches) - first
    await ClockCycles(dut.clk, 20)
    for name, counted in (("IMAGES", 4), ("BATCHES", passes), ("DROPPED", 8),
                          ("STEP_CYCLES", passes * g.steps(widths))):  # fmt: skip
        assert await bench.read(name) == (before[name] + counted) % _WRAP, name
    waited = (await bench.read("WEIGHT_STALL_CYCLES") - before["WEIGHT_STALL_CYCLES"]) % _WRAP
    busy = (await bench.read("BUSY_CYCLES") - before["BUSY_CYCLES"]) % _WRAP
    assert busy - waited == passes * g.pass_cycles(widths)
    assert bool(waited) == bool(g.weight_stream)

    # A stall, counted across the end.
    await deposit(dut, csr.stall_cycles_reg, _WRAP - 2)
    dut.aso_result_ready.value = 0
    images = 3 * g.lanes
    feeding = cocotb.start_soon(
        bench.drive_beats([beat for n in range(images) for beat in run.packet(n)])
    )
    for index in range(images):
        bench.accept(index)
    await ClockCycles(dut.clk, 4 * g.period_cycles(widths) + 300)
    stalled = await bench.read("STALL_CYCLES")
    assert stalled < 1 << 20
    dut.aso_result_ready.value = 1
    await bench.drain(run.quiet)
    await feeding

    # Ids are 16 bits.
    await deposit(dut, bench.core.image_input.image_sink.id_reg, 0xFFFD)
    bench.packets = 0xFFFD
    for index in range(6):
        await one(index % len(run.bits))
    await run.finish()


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def weight_frames(dut: Any) -> None:
    """Weight packets out of step in every way, each followed by a reset and an answer."""
    run = Run(dut, layers=2)
    bench, g = run.bench, run.geometry
    await bench.reset()
    await run.load()
    good = bench.weight_packet
    beats = len(good) // g.steps(run.network.widths)
    kinds = list(out_of_step(good, beats).values())
    kinds.append([*good[:1], replace(good[1], start=1), *good[2:]])  # a start inside
    for bad in kinds:
        bench.passes.stop()
        await bench.start(weights=iter([bad, good]))
        feeding = run.feed()
        await ClockCycles(dut.clk, run.quiet)
        run.cut(feeding)
        assert errors_in(await bench.read("ERROR")) == ["WEIGHT_FRAME"]
        await bench.write("CONTROL", _RESET)
        await ClockCycles(dut.clk, 3)
        run.forget()
        await run.answer()
