# SPDX-License-Identifier: Apache-2.0
"""Every control word of every cycle, against the schedule that the sequencer's header describes."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

import cocotb
import numpy as np

from golden.map_tables import Core, Place, Walk, random_stages
from modules.unit import drive, edge, hold, join, settings, start
from xnor_fcc.map_plan import Stage, Window

_STROBES = ("busy", "stall", "load_image", "image_done", "load_output", "start", "step")
# What the lanes and memories get so many cycles after the feeder.
_LATER, _MASK_AT = 2, 4


@dataclass(frozen=True)
class Word:
    """What the sequencer says in one cycle; `step` only where one is given."""

    strobes: frozenset[str]
    layer: int | None
    """Whose output the writer is told of; None before the first."""
    step: Place | None = None


class Model:
    """The header in Python, cycle by cycle."""

    def __init__(self, walk: Walk, drain: int) -> None:
        self.walk, self.drain = walk, drain
        self.count = len(walk.stages)
        self.next = 0  # the layer to be loaded
        self.layer: int | None = None
        self.todo: deque[Place] = deque()
        self.since = 0  # cycles since the last step of a layer
        self.pending = False  # results of the image before are still being sent
        self.held = False  # the layer would have been loaded by now, but for them

    def cycle(self, batch_valid: bool, half: int, results_sent: bool) -> Word:
        """One cycle with these inputs."""
        strobes: set[str] = set()
        step, told = None, self.layer
        waiting = not self.todo
        if waiting:
            self.since += 1
            strobes |= {"busy", "stall"} if self.held else set()
            strobes |= {"busy"} if self.next else set()
        else:
            step = self.todo.popleft()
            strobes |= {"busy", "step"}
            strobes |= {"image_done"} if step.final and self.layer == 0 else set()
            self.since = 0
        self.held = False
        if not self.todo:
            output = self.next == self.count - 1
            due = self.since >= self.drain if self.next else batch_valid
            self.held = due and output and self.pending
            if due and not self.held:
                strobes |= {"start"}
                strobes |= {"load_image"} if self.next == 0 else set()
                strobes |= {"load_output"} if output else set()
                self.layer = self.next
                self.todo.extend(self.walk.layer(self.next, half))
                self.next = (self.next + 1) % self.count
        self.pending = "load_output" in strobes or (self.pending and not results_sent)
        return Word(frozenset(strobes), told, step)


class Bench:
    """The sequencer beside its model, a sink that offers images, and a taker of results."""

    def __init__(self, dut: Any, seed: int) -> None:
        want = settings()
        self.dut = dut
        self.core = Core(**want["core"])
        self.drain: int = want["drain"]
        self.group_bits: int = want["group_bits"]
        self.sides: list[int] = want["sides"]
        self.rng = np.random.default_rng(seed)
        self.half = 0
        self.events: Counter[str] = Counter()

    async def reset(self) -> None:
        """Idle, with no table yet."""
        names = ("batch_valid", "batch_half", "results_sent", "table_entries", "layers")
        await start(self.dut, **dict.fromkeys(names, 0))

    def stages(self, most_groups: int = 4) -> list[Stage]:
        """A table that fits; its output layer's groups have a number."""
        return random_stages(self.rng, self.core, self.sides, most_groups)

    async def configure(self, stages: list[Stage]) -> None:
        """Present a layer table to the idle sequencer; unused entries hold nonsense."""
        self.walk = Walk(self.core, stages)
        entries = [stage.entry for stage in stages]
        entries += [0xFFFF_FFFF] * (self.core.max_layers - len(stages))
        drive(self.dut, table_entries=join(entries, 32), layers=len(stages))
        self.expected = Model(self.walk, self.drain)
        self.history: deque[Word] = deque([Word(frozenset(), None)] * _MASK_AT, maxlen=1 + _MASK_AT)
        for _ in range(2):
            await self.cycle(False)
        self.events.clear()

    async def cycle(self, batch_valid: bool, results_sent: bool = False) -> Word:
        """One cycle, compared with the model's."""
        dut = self.dut
        want = self.expected.cycle(batch_valid, self.half, results_sent)
        drive(dut, batch_valid=batch_valid, batch_half=self.half, results_sent=results_sent)
        await edge(dut)
        got = frozenset(name for name in _STROBES if getattr(dut, name).value)
        assert got == want.strobes, f"{sorted(got)}, not {sorted(want.strobes)}: {want.step}"
        if "load_image" in got:
            self.half ^= 1
        self.history.append(want)
        if want.step is not None:
            self.check_feeder(want.step)
        if want.layer is not None and want.layer < len(self.walk.stages) - 1:
            self.check_writer(want.layer)
        self.check_lanes(self.history[-1 - _LATER])
        masked = self.history[-1 - _MASK_AT].step
        if masked is not None:
            assert int(dut.mask_s4.value) == masked.mask, masked
        self.events.update(got)
        return want

    def check_feeder(self, step: Place) -> None:
        """What goes to the feeder in the cycle of a step."""
        dut, stage = self.dut, self.walk.stages[step.layer]
        told = (int(dut.address.value), int(dut.row.value), bool(dut.far.value))
        assert told == (step.address, step.row, step.far), f"{told} at {step}"
        assert bool(dut.image.value) == (step.layer == 0)
        assert int(dut.plane.value) == step.plane, step
        if stage.window is not Window.DENSE:
            area = self.walk.source(step.layer, 0)
            steps = (int(dut.row_step.value), int(dut.column_step.value))
            mask = (1 << self.core.address_bits) - 1
            assert steps == (area.row_step & mask, area.slice_step & mask), f"{steps} at {step}"

    def check_writer(self, layer: int) -> None:
        """What the writer is told of a hidden layer from the cycle after its load on."""
        dut, stage = self.dut, self.walk.stages[layer]
        told = tuple(int(getattr(dut, name).value) for name in ("odd", "groups", "side", "pool"))
        assert told == (layer & 1, stage.groups, stage.side, stage.pool)
        assert bool(dut.flat.value) == stage.flat
        if not stage.flat:
            area = stage.out_area(self.core.parts)
            steps = (int(dut.line_step.value), int(dut.slice_step.value))
            mask = (1 << self.core.address_bits) - 1
            assert steps == (area.row_step & mask, area.slice_step & mask), f"{steps} of {layer}"

    def check_lanes(self, word: Word) -> None:
        """What goes to the lanes and memories two cycles later."""
        dut, step = self.dut, word.step
        assert bool(dut.step_s2.value) == (step is not None)
        if step is None:
            return
        output = step.layer == len(self.walk.stages) - 1
        names = ("weight_address", "threshold_address", "first", "last", "halve", "output_layer",
                 "combine")  # fmt: skip
        told = tuple(int(getattr(dut, f"{name}_s2").value) for name in names)
        order_2 = self.walk.stages[step.layer].order == 2
        ends = (step.first, step.last, step.halve)
        want = (step.weight, step.threshold, *ends, output, order_2)
        assert told == want, f"{told}, not {want}, at {step}"
        if output:
            assert int(dut.group_s2.value) == step.group
        else:
            split = self.walk.stages[step.layer + 1].order == 2
            assert bool(dut.split_s2.value) == split, step

    async def passes(
        self,
        count: int,
        offers: Iterable[bool] = repeat(True),
        takes: Iterable[bool] = repeat(True),
    ) -> None:
        """`count` images, offered, and their results sent where the patterns say so."""
        offer, take = iter(offers), iter(takes)
        left, offered, unsent = count, False, 0
        for _ in range(1_000_000):
            offered = left > 0 and (offered or next(offer))
            sent = unsent > 0 and next(take)
            word = await self.cycle(offered, sent)
            unsent -= sent
            if "load_image" in word.strobes:
                left, offered = left - 1, False
            if word.step and word.step.final and word.step.layer == len(self.walk.stages) - 1:
                unsent += 1
            if not left and not unsent and not word.strobes:
                break
        else:
            raise AssertionError("the sequencer does not finish")
        for _ in range(_MASK_AT):
            await self.cycle(False)
        assert self.events["step"] == count * self.steps

    @property
    def steps(self) -> int:
        """Steps of a pass."""
        return sum(stage.steps for stage in self.walk.stages)

    @property
    def pass_cycles(self) -> int:
        """Cycles of a pass by the header."""
        return self.steps + (len(self.walk.stages) - 1) * self.drain


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def lone_passes(dut: Any) -> None:
    """Tables by chance, one image each, word for word, in as many cycles as the header says."""
    bench = Bench(dut, seed=1)
    await bench.reset()
    kinds: set[tuple[int, bool, bool]] = set()
    for _ in range(settings()["tables"]):
        stages = bench.stages()
        await bench.configure(stages)
        await bench.passes(1)
        assert bench.events["busy"] == bench.pass_cycles
        kinds |= {(stage.window, stage.pool, stage.repeats > 1) for stage in stages}
    assert len({window for window, _, _ in kinds}) >= min(3, bench.core.max_layers), kinds


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def images_in_a_row(dut: Any) -> None:
    """Many images pass without a gap between them, the halves by turns."""
    bench = Bench(dut, seed=2)
    await bench.reset()
    for _ in range(4):
        await bench.configure(bench.stages(2))
        loads = 0
        for cycle in range(3 * bench.pass_cycles + 1):
            # Results leave at once: nothing holds up the next pass.
            word = await bench.cycle(loads < 3, results_sent=True)
            loads += "load_image" in word.strobes
            assert ("busy" in word.strobes) == (cycle > 0)
        assert not (await bench.cycle(False)).strobes
        assert bench.events["load_image"] == bench.events["image_done"] == 3
        assert bench.events["start"] == 3 * len(bench.walk.stages)
        await bench.cycle(False, results_sent=True)


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def random_images_and_results(dut: Any) -> None:
    """Images that come and results that go at random times."""
    bench = Bench(dut, seed=3)
    await bench.reset()
    stalled = 0
    for round_ in range(settings()["tables"] // 2):
        await bench.configure(bench.stages(2))
        rng = np.random.default_rng(40 + round_)
        pause = bench.pass_cycles * (round_ % 3)
        await bench.passes(4, hold(rng, 4, 1 + 9 * (round_ % 3)), hold(rng, 1, 1 + pause))
        assert bench.events["busy"] - bench.events["stall"] == 4 * bench.pass_cycles
        stalled += bench.events["stall"]
    assert stalled, "nothing was held back"


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def waits_for_results(dut: Any) -> None:
    """The output layer of the next image waits, however long, and goes on in the cycle after; the
    result is sent in each cycle around the one in which it would have begun."""
    bench = Bench(dut, seed=4)
    await bench.reset()
    await bench.configure(bench.stages(1))
    until = bench.pass_cycles - bench.walk.stages[-1].steps
    for sent in range(until - 6, until + 6):
        for _ in range(bench.pass_cycles + 1):
            await bench.cycle("load_image" not in bench.events)
        bench.events.clear()
        loaded = False
        for cycle in range(until + 60):
            word = await bench.cycle(not loaded, results_sent=cycle == sent)
            loaded |= "load_image" in word.strobes
        assert bench.events["load_output"] == 1
        assert bench.events["stall"] == max(0, sent + 1 - until)
        while (await bench.cycle(False)).strobes:
            pass
        await bench.cycle(False, results_sent=True)
        bench.events.clear()


@cocotb.test(timeout_time=50000, timeout_unit="us")
async def limits(dut: Any) -> None:
    """Tables at the ends of what an entry can say."""
    bench = Bench(dut, seed=5)
    await bench.reset()
    for rows in settings()["tables_at_limits"]:
        stages = [Stage(Window(window), *rest) for window, *rest in rows]
        await bench.configure(stages)
        await bench.passes(1)
        assert bench.events["busy"] == bench.pass_cycles


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def reset_in_a_pass(dut: Any) -> None:
    """A reset in any cycle of a pass, stalls included, leaves an idle sequencer."""
    bench = Bench(dut, seed=6)
    await bench.reset()
    stages = min((bench.stages(1) for _ in range(20)), key=lambda s: sum(x.steps for x in s))
    await bench.configure(stages)
    length = 2 * bench.pass_cycles
    every = range(1, min(length, 100))
    for cycles in chain(every, bench.rng.integers(1, 2 * length, 10).tolist()):
        for _ in range(cycles):
            await bench.cycle(True)
        drive(dut, reset=1)
        await bench.cycle(True)
        drive(dut, reset=0)
        await bench.configure(stages)
        await bench.cycle(False)
    await bench.passes(2)
