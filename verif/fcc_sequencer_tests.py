# SPDX-License-Identifier: Apache-2.0
"""Every control word of every cycle, against the schedule that the sequencer's header describes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from itertools import pairwise, repeat
from typing import Any

import cocotb
import numpy as np

from unit import drive, edge, hold, join, settings, start
from xnor_fcc.geometry import DRAIN, Geometry

Table = list[tuple[int, int]]

_STROBES = ("busy", "stall", "load_image", "load_hidden", "load_output", "rotate", "step")
_STEP = ("first", "last", "last_group", "output_layer", "weight_address", "threshold_address")


@dataclass(frozen=True)
class Word:
    """What the sequencer says in one cycle; `step` only where one is given."""

    strobes: frozenset[str] = frozenset()
    words: int = 0
    step: tuple[int, ...] | None = None
    where: tuple[int, int, int] | None = None  # layer, group, step


def schedule(table: Table, taps: int, drain: int) -> list[Word]:
    """The control words of one pass, without stalls."""
    result = []
    address = offset_address = 0
    for layer, (words, groups) in enumerate(table):
        output = layer == len(table) - 1
        load = {"busy", "load_hidden" if layer else "load_image"}
        result.append(Word(frozenset(load | ({"load_output"} if output else set())), words))
        result += [Word(frozenset({"busy", "rotate"}), words)] * max(0, taps - words)
        for group in range(groups):
            for word in range(words):
                step = (
                    *(int(word == 0), int(word == words - 1)),
                    *(int(group == groups - 1), int(output), address, offset_address),
                )
                strobes = frozenset({"busy", "rotate", "step"})
                result.append(Word(strobes, words, step, (layer, group, word)))
                address += 1
            offset_address += 1
        if not output:
            result += [Word(frozenset({"busy"}))] * drain
    return result


def model(words: list[Word]) -> Generator[Word, tuple[bool, bool], None]:
    """Yields the word of each cycle; is sent that cycle's `batch_valid` and `results_sent`."""
    pending = False
    batch, sent = yield Word()
    while True:
        while not batch:
            pending &= not sent
            batch, sent = yield Word()
        pending &= not sent
        for word in words:
            if "load_output" in word.strobes:
                while pending:
                    batch, sent = yield Word(frozenset({"busy", "stall"}))
                    pending &= not sent
                pending = True
            batch, sent = yield word
            pending &= not sent


class Bench:
    """The sequencer beside its model, a batcher that offers batches, and a taker of results."""

    def __init__(self, dut: Any, seed: int) -> None:
        want = settings()
        self.dut = dut
        self.geometry = Geometry(**want["geometry"])
        self.drain = want["drain"]
        self.groups = self.geometry.groups(self.geometry.max_width)
        self.rng = np.random.default_rng(seed)
        self.seen: Counter[tuple[int, int, int]] = Counter()
        self.events: Counter[str] = Counter()
        self.table: Table = []

    async def reset(self) -> None:
        """Idle, with no table yet."""
        await start(self.dut, batch_valid=0, results_sent=0, table_entries=0, layers=0)

    def widths(self) -> list[int]:
        """A network whose table is consistent, so that the cycle model speaks about it."""
        layers = int(self.rng.integers(1, self.geometry.max_layers + 1))
        return self.rng.integers(1, self.geometry.max_width + 1, layers + 1).tolist()

    def table_of(self, widths: list[int]) -> Table:
        """Layer table of a network."""
        return [(self.geometry.words(n), self.geometry.groups(m)) for n, m in pairwise(widths)]

    def any_table(self, layers: int) -> Table:
        """A table of `layers` layers with any words and groups, the extremes often."""
        words = self.rng.choice([1, self.geometry.taps, self.geometry.ring, 0], layers)
        groups = self.rng.choice([1, self.groups, 0, 0], layers)
        words[words == 0] = self.rng.integers(1, self.geometry.ring + 1, int((words == 0).sum()))
        groups[groups == 0] = self.rng.integers(1, self.groups + 1, int((groups == 0).sum()))
        return list(zip(words.tolist(), groups.tolist(), strict=True))

    def configure(self, table: Table) -> None:
        """Present a layer table to the idle sequencer; unused entries hold nonsense."""
        self.table = table
        entries = [groups << 16 | words for words, groups in table]
        entries += [0xFFFF_FFFF] * (self.geometry.max_layers - len(table))
        drive(self.dut, table_entries=join(entries, 32), layers=len(table))
        self.model = model(schedule(table, self.geometry.taps, self.drain))
        self.expected = next(self.model)
        self.seen.clear()
        self.events.clear()

    async def cycle(self, batch_valid: bool, results_sent: bool) -> Word:
        """One cycle, compared with the model's."""
        dut, want = self.dut, self.expected
        drive(dut, batch_valid=batch_valid, results_sent=results_sent)
        await edge(dut)
        got = frozenset(name for name in _STROBES if getattr(dut, name).value)
        assert got == want.strobes, f"{sorted(got)}, not {sorted(want.strobes)}: {want.where}"
        if "rotate" in got:
            assert int(dut.length.value) == 1 << want.words - 1
        if want.step is not None:
            values = tuple(int(getattr(dut, name).value) for name in _STEP)
            assert values == want.step, f"{values}, not {want.step}, at {want.where}"
        if want.where is not None:
            self.seen[want.where] += 1
        self.events.update(got)
        self.expected = self.model.send((batch_valid, results_sent))
        return want

    async def passes(self, count: int, offers: Iterable[bool], takes: Iterable[bool]) -> None:
        """`count` batches, offered and their results sent where the patterns say so."""
        offer, take = iter(offers), iter(takes)
        left, offered, unsent = count, False, 0
        for _ in range(100_000):
            offered = left > 0 and (offered or next(offer))
            sent = unsent > 0 and next(take)
            word = await self.cycle(offered, sent)
            unsent -= sent
            if "load_image" in word.strobes:
                left, offered = left - 1, False
            if word.step is not None and word.where == self.last_step():
                unsent += 1
            if not left and not unsent and not word.strobes:
                break
        else:
            raise AssertionError("the sequencer does not finish")
        every = {
            (layer, group, word): count
            for layer, (words, groups) in enumerate(self.table)
            for group in range(groups)
            for word in range(words)
        }
        assert self.seen == every, "a step was left out or given twice"

    def last_step(self) -> tuple[int, int, int]:
        """The last step of a pass."""
        words, groups = self.table[-1]
        return len(self.table) - 1, groups - 1, words - 1

    def cycles(self, widths: list[int]) -> int:
        """Cycles of a pass by the cycle model, with the DRAIN of this build."""
        layers = len(widths) - 1
        return self.geometry.pass_cycles(widths) - (DRAIN - self.drain) * (layers - 1)


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def lone_passes(dut: Any) -> None:
    """Tables of every number of layers, one batch each, word for word."""
    bench = Bench(dut, seed=1)
    await bench.reset()
    for layers in [*range(1, bench.geometry.max_layers + 1)] * 3:
        bench.configure(bench.any_table(layers))
        await bench.passes(1, repeat(True), repeat(True))


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def largest_table(dut: Any) -> None:
    """Every entry at its maximum, two batches: the addresses reach the end of the memories."""
    bench = Bench(dut, seed=2)
    await bench.reset()
    g = bench.geometry
    bench.configure([(g.ring, bench.groups)] * g.max_layers)
    await bench.passes(2, repeat(True), repeat(True))
    assert sum(bench.seen.values()) == 2 * g.weight_depth


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def cycles_of_a_pass(dut: Any) -> None:
    """A pass takes the cycles of the cycle model, and many in a row exactly that many times."""
    bench = Bench(dut, seed=3)
    await bench.reset()
    for _ in range(8):
        widths = bench.widths()
        bench.configure(bench.table_of(widths))
        await bench.passes(1, repeat(True), repeat(True))
        assert bench.events["busy"] == bench.cycles(widths)
        # Always a batch waiting: `model` allows no gap, and here there is not even a stall.
        bench.configure(bench.table)
        await bench.passes(3, repeat(True), repeat(True))
        assert bench.events["busy"] - bench.events["stall"] == 3 * bench.cycles(widths)
        if len(widths) > 2:
            assert bench.events["stall"] == 0


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def random_batches_and_results(dut: Any) -> None:
    """Batches that come and results that go at random times."""
    bench = Bench(dut, seed=4)
    await bench.reset()
    stalls = 0
    for round_ in range(8):
        bench.configure(bench.any_table(1 + round_ % bench.geometry.max_layers))
        rng = np.random.default_rng(40 + round_)
        await bench.passes(5, hold(rng, 4, 1 + 9 * (round_ % 3)), hold(rng, 1, 1 + 20 * round_))
        stalls += bench.events["stall"]
    assert stalls > 0, "nothing was held back"


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def waits_for_results(dut: Any) -> None:
    """The output layer of the next batch waits, however long, and goes on one cycle after."""
    bench = Bench(dut, seed=5)
    await bench.reset()
    for layers in (1, bench.geometry.max_layers):
        bench.configure(bench.any_table(layers))
        while "load_output" not in (await bench.cycle(True, False)).strobes:
            pass
        while "stall" not in (await bench.cycle(True, False)).strobes:
            pass
        for _ in range(100):
            assert "stall" in (await bench.cycle(False, False)).strobes
        await bench.cycle(False, True)
        assert "load_output" in (await bench.cycle(False, False)).strobes
        while (await bench.cycle(False, False)).strobes:
            pass
        # Nothing is pending any more for the next round.
        await bench.cycle(False, True)


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def reset_in_a_pass(dut: Any) -> None:
    """A reset in any cycle of a pass, stalls included, leaves an idle sequencer."""
    bench = Bench(dut, seed=6)
    await bench.reset()
    bench.configure(bench.any_table(2))
    length = len(schedule(bench.table, bench.geometry.taps, bench.drain))
    for cycles in [*range(1, length + 2), 3 * length]:
        for _ in range(cycles):
            await bench.cycle(True, False)
        drive(dut, reset=1)
        await bench.cycle(True, False)
        drive(dut, reset=0)
        bench.configure(bench.table)
        await bench.cycle(False, False)
    await bench.passes(2, repeat(True), repeat(True))
