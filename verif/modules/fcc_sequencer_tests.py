# SPDX-License-Identifier: Apache-2.0
"""Every control word of every cycle, against the schedule that the sequencer's header describes."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise, repeat
from typing import Any, NamedTuple

import cocotb
import numpy as np

from modules.unit import drive, edge, hold, join, settings, start
from xnor_fcc.geometry import DRAIN, Geometry, Shape


class Layer(NamedTuple):
    """An entry of the table."""

    words: int
    groups: int
    ternary: bool = False
    order_2: bool = False

    @property
    def turn(self) -> int:
        """Steps of a group, which goes through the words once for each plane of its weights."""
        return self.words * (2 if self.ternary else 1)

    @property
    def steps(self) -> int:
        """Steps of all groups."""
        return self.turn * self.groups

    @property
    def entry(self) -> int:
        """As it stands in the table."""
        return self.ternary << 31 | self.groups << 16 | self.order_2 << 15 | self.words


Table = list[Layer]

_INPUTS = ("batch_valid", "results_sent", "weight_ready")
_STROBES = (
    *("busy", "stall", "weight_stall", "load_image", "load_hidden", "load_late", "load_output"),
    *("rotate", "step", "step_due"),
)
_STEP = ("first", "last", "group", "output_layer", "weight_address", "threshold_address", "combine")


@dataclass(frozen=True)
class Word:
    """What the sequencer says in one cycle; `step` only where one is given."""

    strobes: frozenset[str]
    words: int | None  # of the layer in the ring or being loaded
    pass_last: bool = False  # of the step that is due
    step: tuple[int, ...] | None = None
    where: tuple[int, int, int] | None = None  # layer, group, step of the group
    split: bool | None = None  # of that step; None in the output layer


class Model:
    """The header in Python, cycle by cycle."""

    def __init__(self, table: Table, taps: int, drain: int, overlaps: bool) -> None:
        self.table = table
        self.taps = taps
        self.drain = drain
        self.overlaps = overlaps
        self.next = 0  # the layer to be loaded
        self.layer: Layer | None = None  # in the ring
        self.todo: deque[tuple[int, int, int] | None] = deque()  # steps of it, None to wind up
        self.since = 0  # cycles since its last step
        self.address = self.group_address = 0
        self.pending = False  # results of the batch before are still being sent
        self.held = False  # the layer would have been loaded by now, but for them

    def gap(self, before: Layer, after: Layer) -> int:
        """Cycles from the last step of a layer to the load of the next one."""
        spare = max(0, after.words - self.taps)
        overlap = min(spare, before.turn) if self.overlaps else 0
        return max(0, self.drain - overlap)

    def cycle(self, batch_valid: bool, results_sent: bool, weight_ready: bool) -> Word:
        """One cycle with these inputs."""
        strobes: set[str] = set()
        step = where = split = None
        waiting = not self.todo
        pass_last = self.next == 0 and len(self.todo) == 1
        if waiting:
            self.since += 1
            strobes |= {"busy", "stall"} if self.held else set()
        elif self.todo[0] is None:
            strobes |= {"busy", "rotate"}
            self.todo.popleft()
        elif not weight_ready:
            strobes |= {"busy", "weight_stall", "step_due"}
        else:
            strobes |= {"busy", "rotate", "step", "step_due"}
            where = self.todo.popleft()
            assert where is not None
            step = self.step(*where)
            number, group, at = where
            layer = self.table[number]
            # Word 0 of a hidden layer goes to the last tap when that one has passed word 1.
            if number and group == layer.groups - 1 and at == layer.words - self.taps - 1:
                strobes |= {"load_late"}
            if number < len(self.table) - 1:
                split = self.table[number + 1].order_2
            self.since = 0
        self.held = False
        if not self.todo:
            first, output = self.next == 0, self.next == len(self.table) - 1
            after = self.table[self.next]
            if first or self.layer is None:
                due = batch_valid
            else:
                due = self.since >= self.gap(self.layer, after)
            self.held = due and output and self.pending
            if due and not self.held:
                self.load(after)
                strobes |= {"load_image"} if first else {"load_hidden"}
                strobes |= {"load_late"} if not first and after.words <= self.taps else set()
                strobes |= {"load_output"} if output else set()
            if waiting and not first:
                strobes |= {"busy"}
        self.pending = "load_output" in strobes or (self.pending and not results_sent)
        words = self.layer.words if self.layer else None
        return Word(frozenset(strobes), words, pass_last, step, where, split)

    def load(self, layer: Layer) -> None:
        """The next layer goes into the ring."""
        self.layer = layer
        self.todo.extend([None] * max(0, self.taps - layer.words))
        for group in reversed(range(layer.groups)):
            self.todo.extend((self.next, group, at) for at in range(layer.turn))
        if self.next == 0:
            self.address = self.group_address = 0
        self.next = (self.next + 1) % len(self.table)

    def step(self, number: int, group: int, at: int) -> tuple[int, ...]:
        """What accompanies step `at` of a group."""
        layer = self.table[number]
        last = at == layer.turn - 1
        output = number == len(self.table) - 1
        told = (at == 0, last, group, output, self.address, self.group_address, layer.order_2)
        self.address += 1
        self.group_address += last
        return tuple(int(value) for value in told)


class Bench:
    """The sequencer beside its model, a batcher that offers batches, and a taker of results."""

    def __init__(self, dut: Any, seed: int) -> None:
        want = settings()
        self.dut = dut
        # Handles, found once: a bench looks at them in every cycle.
        self.strobes = [(name, getattr(dut, name)) for name in _STROBES]
        self.words = [getattr(dut, name) for name in _STEP]
        self.geometry = Geometry(**want["geometry"])
        self.drain = want["drain"]
        self.groups = self.geometry.groups(self.geometry.max_width)
        self.rng = np.random.default_rng(seed)
        self.seen: Counter[tuple[int, int, int]] = Counter()
        self.events: Counter[str] = Counter()
        self.table: Table = []

    async def reset(self) -> None:
        """Idle, with no table yet."""
        names = ("batch_valid", "results_sent", "weight_ready", "table_entries", "layers")
        await start(self.dut, **dict.fromkeys(names, 0))

    def flags(self, layers: int) -> list[bool]:
        """Any layers."""
        return [bool(flag) for flag in self.rng.integers(0, 2, layers)]

    def ternary(self, layers: int) -> list[bool]:
        """Any layers, where the sequencer was built for it."""
        return [flag and self.geometry.ternary == 1 for flag in self.flags(layers)]

    def shape(self) -> Shape:
        """A network whose table is consistent, so that the cycle model speaks about it."""
        layers = int(self.rng.integers(1, self.geometry.max_layers + 1))
        widths = self.rng.integers(1, self.geometry.max_width + 1, layers + 1).tolist()
        return Shape(tuple(widths), (1,) * layers, tuple(self.ternary(layers)))

    def table_of(self, shape: Shape) -> Table:
        """Layer table of a network; that it is of order 2 somewhere costs the sequencer nothing."""
        g = self.geometry
        flags = (shape.ternary, self.flags(len(shape.ternary)))
        layers = zip(pairwise(shape.widths), *flags, strict=True)
        return [Layer(g.words(n), g.groups(m), *flags) for (n, m), *flags in layers]

    def any_table(self, layers: int) -> Table:
        """A table of `layers` layers with any words and groups, the extremes often."""
        taps, ring = self.geometry.taps, self.geometry.ring
        words = self.rng.choice([1, taps, min(taps + 1, ring), ring, 0, 0], layers)
        groups = self.rng.choice([1, self.groups, 0, 0], layers)
        words[words == 0] = self.rng.integers(1, ring + 1, int((words == 0).sum()))
        groups[groups == 0] = self.rng.integers(1, self.groups + 1, int((groups == 0).sum()))
        flags = (self.ternary(layers), self.flags(layers))
        return [Layer(*row) for row in zip(words.tolist(), groups.tolist(), *flags, strict=True)]

    def model(self) -> Model:
        """Idle, with the table of now."""
        g = self.geometry
        return Model(self.table, g.taps, self.drain, g.pe <= g.simd)

    async def configure(self, table: Table) -> None:
        """Present a layer table to the idle sequencer; unused entries hold nonsense."""
        self.table = table
        entries = [layer.entry for layer in table]
        entries += [0xFFFF_FFFF] * (self.geometry.max_layers - len(table))
        drive(self.dut, table_entries=join(entries, 32), layers=len(table))
        self.expected = self.model()
        self.seen.clear()
        for _ in range(2):
            await self.cycle(False)
        self.events.clear()

    async def cycle(
        self, batch_valid: bool, results_sent: bool = False, weight_ready: bool = True
    ) -> Word:
        """One cycle, compared with the model's."""
        dut = self.dut
        want = self.expected.cycle(batch_valid, results_sent, weight_ready)
        drive(dut, **dict(zip(_INPUTS, (batch_valid, results_sent, weight_ready), strict=True)))
        await edge(dut)
        got = frozenset(name for name, strobe in self.strobes if strobe.value)
        assert got == want.strobes, f"{sorted(got)}, not {sorted(want.strobes)}: {want.where}"
        if "step_due" in got:
            assert bool(dut.pass_last.value) == want.pass_last, want.where
        if want.words is not None:
            assert int(dut.length.value) == 1 << want.words - 1
        if want.step is not None:
            values = tuple(int(word.value) for word in self.words)
            assert values == want.step, f"{values}, not {want.step}, at {want.where}"
        if want.split is not None:
            assert bool(dut.split.value) == want.split, want.where
        if want.where is not None:
            self.seen[want.where] += 1
        self.events.update(got)
        return want

    async def passes(
        self,
        count: int,
        offers: Iterable[bool] = repeat(True),
        takes: Iterable[bool] = repeat(True),
        weights: Iterable[bool] = repeat(True),
    ) -> None:
        """`count` batches, offered, their results sent and their weights there where the patterns
        say so."""
        offer, take, weight = iter(offers), iter(takes), iter(weights)
        left, offered, unsent = count, False, 0
        last = (len(self.table) - 1, 0, self.table[-1].turn - 1)
        for _ in range(100_000):
            offered = left > 0 and (offered or next(offer))
            sent = unsent > 0 and next(take)
            word = await self.cycle(offered, sent, next(weight))
            unsent -= sent
            if "load_image" in word.strobes:
                left, offered = left - 1, False
            if word.where == last:
                unsent += 1
            if not left and not unsent and not word.strobes:
                break
        else:
            raise AssertionError("the sequencer does not finish")
        every = {
            (number, group, at): count
            for number, layer in enumerate(self.table)
            for group in range(layer.groups)
            for at in range(layer.turn)
        }
        assert self.seen == every, "a step was left out or given twice"
        assert self.events["step"] == sum(every.values())

    def cycles(self, shape: Shape) -> int:
        """Cycles of a pass of the network whose table is presented, by the cycle model, with the
        DRAIN of this build."""
        g, model = self.geometry, self.model()
        longer = 0
        for before, after in pairwise(self.table):
            theirs = g.gap(before.turn, after.words)
            mine = model.gap(before, after)
            assert mine == theirs or self.drain != DRAIN
            longer += theirs - mine
        return g.pass_cycles(shape) - longer


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def lone_passes(dut: Any) -> None:
    """Tables of every number of layers, one batch each, word for word."""
    bench = Bench(dut, seed=1)
    await bench.reset()
    for layers in [*range(1, bench.geometry.max_layers + 1)] * 6:
        await bench.configure(bench.any_table(layers))
        await bench.passes(1)


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def largest_table(dut: Any) -> None:
    """Every entry at its maximum, two batches: the addresses reach the end of the memories."""
    bench = Bench(dut, seed=2)
    await bench.reset()
    g = bench.geometry
    await bench.configure([Layer(g.ring, bench.groups, g.ternary == 1)] * g.max_layers)
    await bench.passes(2)
    assert sum(bench.seen.values()) == 2 * g.weight_depth


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def many_words_and_groups(dut: Any) -> None:
    """Layers of as many words and of as many groups as there can be; then addresses around 2^8,
    2^16 and the end of the memories, in the middle of a pass."""
    bench = Bench(dut, seed=10)
    await bench.reset()
    g = bench.geometry
    await bench.configure([Layer(g.ring, 1), Layer(1, bench.groups), Layer(2, 2)])
    await bench.passes(1)
    table = [Layer(2, 4), Layer(1, 2)]
    steps = sum(layer.steps for layer in table)
    for address in (0xFF, 0xFFFF, min(g.weight_depth, g.threshold_depth) - steps):
        for ahead in range(steps):
            await bench.configure(table)
            while (await bench.cycle(bench.events["load_image"] == 0, True)).step is None:
                pass
            dut.weight_address_reg.value = bench.expected.address = address - ahead
            dut.threshold_address_reg.value = bench.expected.group_address = address - ahead
            while (await bench.cycle(False, True)).strobes:
                pass


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def every_gap(dut: Any) -> None:
    """A layer of every number of words behind one of every other: the gap between the two. The
    same with ternary weights before it, where there may be."""
    bench = Bench(dut, seed=7)
    await bench.reset()
    words = range(1, bench.geometry.ring + 1)
    for ternary in range(1 + bench.geometry.ternary):
        for before in words:
            for after in words:
                first = Layer(before, 1 + (before + after) % 2, ternary == 1)
                await bench.configure([first, Layer(after, 1)])
                await bench.passes(1)


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def cycles_of_a_pass(dut: Any) -> None:
    """A pass is busy for the cycles of the cycle model, and many in a row exactly that many times,
    without a gap between them."""
    bench = Bench(dut, seed=3)
    await bench.reset()
    for _ in range(8):
        shape = bench.shape()
        await bench.configure(bench.table_of(shape))
        await bench.passes(1)
        assert bench.events["busy"] == bench.cycles(shape)
        await bench.configure(bench.table)
        loads = 0
        for cycle in range(3 * bench.cycles(shape) + 1):
            # Results leave at once: nothing holds up the next pass.
            word = await bench.cycle(loads < 3, results_sent=True)
            loads += "load_image" in word.strobes
            assert ("busy" in word.strobes) == (cycle > 0) or "load_output" in word.strobes
            stalled = bench.events["stall"]
            if stalled:
                break
        else:
            assert not (await bench.cycle(False)).strobes
            assert bench.events["busy"] == 3 * bench.cycles(shape)
            assert bench.events["load_image"] == 3
            continue
        # A single step in a pass: the results of the one before have no time to leave.
        assert sum(layer.steps for layer in bench.table) == 1
        while (await bench.cycle(False, True)).strobes:
            pass


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def random_batches_results_and_weights(dut: Any) -> None:
    """Batches and weights that come and results that go at random times; the cycles in which
    nothing is waited for are those of the cycle model."""
    bench = Bench(dut, seed=4)
    await bench.reset()
    stalls: Counter[str] = Counter()
    for round_ in range(16):
        shape = bench.shape()
        await bench.configure(bench.table_of(shape))
        rng = np.random.default_rng(40 + round_)
        weights = hold(rng, 1 + 5 * (round_ % 3), round_ % 4)
        await bench.passes(
            5, hold(rng, 4, 1 + 9 * (round_ % 3)), hold(rng, 1, 1 + 20 * (round_ % 8)), weights
        )
        waited = bench.events["stall"] + bench.events["weight_stall"]
        assert bench.events["busy"] - waited == 5 * bench.cycles(shape)
        stalls.update(bench.events)
    assert stalls["stall"] > 0 and stalls["weight_stall"] > 0, "nothing was held back"


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def random_tables(dut: Any) -> None:
    """The same with tables that no network has."""
    bench = Bench(dut, seed=8)
    await bench.reset()
    for round_ in range(8):
        await bench.configure(bench.any_table(1 + round_ % bench.geometry.max_layers))
        rng = np.random.default_rng(80 + round_)
        weights = hold(rng, 3, round_ % 3)
        await bench.passes(5, hold(rng, 4, 5), hold(rng, 1, 1 + 20 * round_), weights)


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def waits_for_results(dut: Any) -> None:
    """The output layer of the next batch waits, however long, and goes on one cycle after."""
    bench = Bench(dut, seed=5)
    await bench.reset()
    for layers in (1, bench.geometry.max_layers):
        await bench.configure(bench.any_table(layers))
        while "load_output" not in (await bench.cycle(True)).strobes:
            pass
        while "stall" not in (await bench.cycle(True)).strobes:
            pass
        for _ in range(100):
            # A network of one layer waits with the batch; without one there is nothing to do.
            assert "stall" in (await bench.cycle(layers == 1)).strobes
        await bench.cycle(layers == 1, results_sent=True)
        assert "load_output" in (await bench.cycle(layers == 1)).strobes
        while (await bench.cycle(False)).strobes:
            pass
        # Nothing is pending any more for the next round.
        await bench.cycle(False, results_sent=True)


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def waits_for_weights(dut: Any) -> None:
    """Every step waits for its weight word, however long, and nothing else does."""
    bench = Bench(dut, seed=9)
    await bench.reset()
    await bench.configure(bench.any_table(2))
    steps = sum(layer.steps for layer in bench.table)
    wait = {"busy", "weight_stall", "step_due"}
    before = 0
    for _ in range(50 * (steps + bench.drain + bench.geometry.taps)):
        word = await bench.cycle(bench.events["load_image"] == 0, True, False)
        if "weight_stall" in word.strobes:
            for _ in range(20):
                assert (await bench.cycle(False, True, False)).strobes == wait
            assert "step" in (await bench.cycle(False, True, True)).strobes
            before += 1
        elif before == steps:
            break
    assert before == steps
    assert bench.events["weight_stall"] == 21 * steps


@cocotb.test(timeout_time=3000, timeout_unit="us")
async def reset_in_a_pass(dut: Any) -> None:
    """A reset in any cycle of a pass, stalls included, leaves an idle sequencer."""
    bench = Bench(dut, seed=6)
    await bench.reset()
    await bench.configure(bench.any_table(2))
    rng = np.random.default_rng(60)
    length = 2 * bench.drain + 2 * bench.geometry.taps
    length += 2 * sum(layer.steps for layer in bench.table)
    for cycles in [*range(1, min(length, 120)), *rng.integers(1, 4 * length, 12).tolist()]:
        for _ in range(cycles):
            await bench.cycle(True, False, rng.random() < 0.7)
        drive(dut, reset=1)
        await bench.cycle(True)
        drive(dut, reset=0)
        await bench.configure(bench.table)
        await bench.cycle(False)
    await bench.passes(2)
