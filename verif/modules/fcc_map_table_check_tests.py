# SPDX-License-Identifier: Apache-2.0
"""Layer tables that fit and that do not, each limit from both sides."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product
from typing import Any

import cocotb
import numpy as np

from golden.map_tables import Core, Table, random_stages, verdict
from modules.unit import drive, edge, join, settings, start
from xnor_fcc.map_plan import SLOTS, Stage, Window

_PLENTY = 0xFFFF_FFFF


class Bench:
    """The check, beside its rules."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        self.core = Core(**settings()["core"])
        self.sides: list[int] = settings()["sides"]
        self.rng = np.random.default_rng(seed)
        self.verdicts: Counter[str] = Counter()

    async def reset(self) -> None:
        """Nothing under way."""
        names = "start table_entries layers inputs classes weights_loaded thresholds_loaded"
        await start(self.dut, pixel_mode=0, **dict.fromkeys(names.split(), 0))

    def table(self) -> Table:
        """A table that fits, loaded with what it needs."""
        return Table.of(self.core, random_stages(self.rng, self.core, self.sides))

    async def judge(self, table: Table, again: bool = False) -> str:
        """Verdict of the device under test, compared with the rules'. `again`: there may be a
        check under way, whose verdict comes at the latest in the cycle of the start."""
        dut, core = self.dut, self.core
        layers = len(table.entries) if table.layers == -1 else table.layers
        # What is not in use does not matter.
        nonsense = self.rng.integers(0, 1 << 32, core.max_layers).tolist()
        entries = [*table.entries, *nonsense][: core.max_layers]
        drive(
            dut,
            start=1,
            table_entries=join(entries, 32),
            layers=layers,
            inputs=table.inputs,
            classes=table.classes,
            pixel_mode=table.grey,
            weights_loaded=table.weights,
            thresholds_loaded=table.thresholds,
        )
        await edge(dut)
        assert again or not dut.done.value
        drive(dut, start=0)
        cycles, done = 0, False
        while not done:
            await edge(dut)
            cycles, done = cycles + 1, bool(dut.done.value)
            assert cycles <= 8 * core.max_layers + 3
            assert bool(dut.busy.value) != done
        names = ("ok", "bad_table", "not_loaded")
        found = [name for name in names if getattr(dut, name).value]
        want = verdict(core, replace(table, entries=tuple(entries), layers=layers))
        assert found == [want], f"{found}, not {want}: {self.told(table)}"
        if want != "bad_table":
            assert cycles == 8 * layers + 3
        await edge(dut)
        assert not dut.done.value and not dut.busy.value
        self.verdicts[want] += 1
        return want

    def told(self, table: Table) -> str:
        """A table for a reader."""
        stages = "\n".join(str(Stage.of_entry(entry)) for entry in table.entries)
        return f"{table}\n{stages}"


# Limits of a core, and the most that they may be.
MOST = {
    **{"ring": 127, "most_groups": 255, "map_input": 8192, "map_even": 8192, "map_odd": 8192},
    **{"weight_depth": 1 << 20, "threshold_depth": 1 << 20},
}


def dense(core: Core, before: Stage, groups: int, flat: bool = False) -> Stage:
    """A dense layer behind another one."""
    slots = before.slots(core.parts)
    words = -(-slots // SLOTS)
    return Stage(Window.DENSE, words, 1, groups, flat=flat, last_slots=slots - SLOTS * (words - 1))


def deep(core: Core, side: int) -> list[Stage]:
    """A large map, of one channel, made smaller until a dense layer can read it."""
    stages = [Stage(Window.PIXELS, 1, side, 1, side % 2 == 0)]
    while stages[-1].slots(core.parts) > 3 * 127 or len(stages) == 1:
        side = stages[-1].out_side
        point = Stage(Window.POINT, 1, side, 1, pool=True, last_slots=1)
        stages.append(Stage(Window.SQUARE, 3, side - 2, 1) if side % 2 else point)
    stages[-1] = replace(stages[-1], flat=True)
    return [*stages, dense(core, stages[-1], 1)]


def sizes(core: Core, sides: list[int]) -> list[list[Stage]]:
    """Tables whose first layer, or the one behind it, has some groups at some side, and the others
    as little as can be."""
    limit = min(255, core.most_groups + 1)
    counts = {1, 2, 3, core.parts, core.parts + 1, limit - 1, limit}
    counts |= {count for bit in range(2, 8) for count in (1 << bit, (1 << bit) + 1)}
    found = []
    for side in sides:
        if side > 3:
            found.append(deep(core, side))
        for pool in (False, True)[: 2 - side % 2]:
            for groups in sorted(count for count in counts if 1 <= count <= limit):
                first = Stage(Window.PIXELS, 1, side, groups, pool, True)
                found.append([first, dense(core, first, 1)])
                one = replace(first, groups=1)
                hidden = dense(core, one, groups, flat=True)
                found.append([one, hidden, dense(core, hidden, 1)])
                for low, high in ((groups, 1), (1, groups)):
                    below = replace(first, groups=low, flat=False)
                    words = below.slices(core.parts)
                    point = Stage(Window.POINT, words, below.out_side, high, last_slots=1)
                    if point.side % 2 == 0:
                        pooled = replace(point, pool=True, flat=True)
                        found.append([below, pooled, dense(core, pooled, 1)])
                    words = point.slices(core.parts)
                    last = Stage(Window.POINT, words, point.side, 1, flat=True, last_slots=1)
                    found.append([below, point, last, dense(core, last, 1)])
                    if last.side % 2 == 0:
                        last = replace(last, pool=True)
                        found.append([below, point, last, dense(core, last, 1)])
    most = max(map(max, ([stage.words for stage in stages] for stages in found)))
    assert most > 127 or most > core.ring
    return [stages for stages in found if all(stage.words <= 127 for stage in stages)]


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def tables_that_fit(dut: Any) -> None:
    """Each is accepted; with one weight or threshold word less it is not."""
    bench = Bench(dut, seed=1)
    await bench.reset()
    for _ in range(40):
        table = bench.table()
        assert await bench.judge(table) == "ok"
        assert await bench.judge(replace(table, weights=table.weights - 1)) == "not_loaded"
        assert await bench.judge(replace(table, thresholds=table.thresholds - 1)) == "not_loaded"
        more = replace(table, weights=_PLENTY, thresholds=_PLENTY)
        assert await bench.judge(more) == "ok"


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def each_number_by_one(dut: Any) -> None:
    """One number more or less, of each field of each layer and of what is beside the table."""
    bench = Bench(dut, seed=2)
    await bench.reset()
    core = bench.core
    for _ in range(6):
        exact = bench.table()
        table = replace(exact, weights=_PLENTY, thresholds=_PLENTY)
        changed = [
            *(replace(table, layers=n) for n in (0, core.max_layers + 1, 1 << 15, 0xFFFF)),
            *(replace(table, layers=len(table.entries) + n) for n in (-1, 1, 1 << 8, 1 << 15)),
            *(replace(table, inputs=table.inputs + n) for n in (-1, 1, 1 << 15)),
            replace(table, inputs=0),
            *(replace(table, classes=n) for n in (0, 1, core.max_classes, core.max_classes + 1)),
            *(replace(table, classes=n) for n in (table.classes + 1, 0xFFFF)),
            replace(table, grey=False),
        ]
        for layer, entry in enumerate(table.entries):
            stage = Stage.of_entry(entry)
            for step in (-1, 1):
                changed += [
                    table.with_stage(layer, replace(stage, words=(stage.words + step) & 0x7F)),
                    table.with_stage(layer, replace(stage, side=(stage.side + step) & 0x7F)),
                    table.with_stage(layer, replace(stage, groups=(stage.groups + step) & 0xFF)),
                    table.with_stage(layer, replace(stage, last_slots=stage.last_slots + step & 3)),
                ]
            changed += [table.with_stage(layer, replace(stage, window=w)) for w in Window]
            changed += [
                table.with_stage(layer, replace(stage, groups=n))
                for n in (core.most_groups, min(255, core.most_groups + 1))
            ]
        for case in changed:
            await bench.judge(case)
        # Nothing is left over.
        assert await bench.judge(exact) == "ok"
    assert set(bench.verdicts) >= {"ok", "bad_table"}


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def each_bit(dut: Any) -> None:
    """One bit of one entry turned over."""
    bench = Bench(dut, seed=3)
    await bench.reset()
    for _ in range(4):
        table = replace(bench.table(), weights=_PLENTY, thresholds=_PLENTY)
        for layer, entry in enumerate(table.entries):
            for bit in range(32):
                await bench.judge(table.with_entry(layer, entry ^ 1 << bit))


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def around_the_limits(dut: Any) -> None:
    """Images, maps, slots, windows and groups of every size: each limit of the core is exceeded
    alone, and what stays within all of them is accepted."""
    bench = Bench(dut, seed=4)
    await bench.reset()
    core = bench.core
    alone: set[str] = set()
    for stages in sizes(core, bench.sides):
        table = Table.of(core, stages)
        if await bench.judge(table) == "bad_table":
            alone |= {
                name
                for name, most in MOST.items()
                if verdict(replace(core, **{name: most}), table) == "ok"
            }
    assert bench.verdicts["ok"]
    assert alone == set(settings()["limits"])


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def layers_in_any_order(dut: Any) -> None:
    """Layers of one position and one group, flat or not, whose numbers fit each other in any order:
    convolutions, the last one flat, then dense layers, and no other order."""
    bench = Bench(dut, seed=9)
    await bench.reset()
    kinds = [
        Stage(window, 1, 1, 1, flat=flat, last_slots=SLOTS if window is Window.PIXELS else 1)
        for window in (Window.PIXELS, Window.POINT, Window.DENSE)
        for flat in (False, True)
    ]
    for count in range(1, min(4, bench.core.max_layers) + 1):
        # The first layer of four is no other than one of the image.
        for stages in product(kinds[: 2 if count == 4 else None], *[kinds] * (count - 1)):
            await bench.judge(Table.of(bench.core, stages))
    assert set(bench.verdicts) == {"ok", "bad_table"}


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def maps_without_positions(dut: Any) -> None:
    """Nothing is computed of a side of 0, and a dense layer of no words whose last word would be
    full reads just that."""
    bench = Bench(dut, seed=10)
    await bench.reset()
    first = Stage(Window.PIXELS, 1, 0, 1)
    point = Stage(Window.POINT, 1, 0, 1, flat=True, last_slots=1)
    for pool, last_slots in product((False, True), range(4)):
        last = Stage(Window.DENSE, 0, 1, 1, last_slots=last_slots)
        flat = replace(first, flat=True, pool=pool)
        await bench.judge(Table.of(bench.core, [flat, last]))
        if bench.core.max_layers > 2:
            await bench.judge(Table.of(bench.core, [first, replace(point, pool=pool), last]))
    assert set(bench.verdicts) == {"bad_table"}


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def random_changes(dut: Any) -> None:
    """Several fields changed, entries of other tables between, any bits at all."""
    bench = Bench(dut, seed=6)
    await bench.reset()
    rng = bench.rng
    for _ in range(200):
        table, other = bench.table(), bench.table()
        for _ in range(int(rng.integers(1, 4))):
            layer = int(rng.integers(len(table.entries)))
            stage = Stage.of_entry(table.entries[layer])
            entry = [
                replace(stage, pool=not stage.pool).entry,
                replace(stage, flat=not stage.flat).entry,
                replace(stage, side=int(rng.integers(0, 128))).entry,
                replace(stage, words=int(rng.integers(0, 128))).entry,
                other.entries[int(rng.integers(len(other.entries)))],
                int(rng.integers(0, 1 << 32)),
            ][int(rng.integers(6))]
            table = table.with_entry(layer, entry)
        await bench.judge(replace(table, weights=_PLENTY, thresholds=_PLENTY))


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def reset_in_a_check(dut: Any) -> None:
    """A check that is reset never ends, and the next one is right."""
    bench = Bench(dut, seed=7)
    await bench.reset()
    table = bench.table()
    for cycles in range(1, 8 * len(table.entries) + 3):
        drive(dut, start=1, layers=len(table.entries), table_entries=join(table.entries, 32))
        await edge(dut)
        drive(dut, start=0)
        await edge(dut, cycles - 1)
        drive(dut, reset=1)
        await edge(dut)
        drive(dut, reset=0)
        for _ in range(12):
            await edge(dut)
            assert not dut.done.value and not dut.busy.value
    assert await bench.judge(table) == "ok"


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def started_again(dut: Any) -> None:
    """A check that begins in any cycle of another one takes its place."""
    bench = Bench(dut, seed=8)
    await bench.reset()
    for cycles in range(1, 8 * bench.core.max_layers + 3):
        first, second = bench.table(), bench.table()
        drive(dut, table_entries=join(first.entries, 32), layers=len(first.entries))
        drive(dut, start=1, inputs=first.inputs)
        await edge(dut)
        drive(dut, start=0)
        await edge(dut, cycles - 1)
        await bench.judge(replace(second, inputs=second.inputs * (cycles % 2)), again=True)
