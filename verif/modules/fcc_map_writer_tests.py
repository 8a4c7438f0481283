# SPDX-License-Identifier: Apache-2.0
"""What is stored of the bits of every block, where and when."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice, repeat
from typing import Any

import cocotb
import numpy as np

from golden.map_machine import Writer
from golden.map_tables import Core
from modules.unit import drive, edge, hold, number, settings, start
from xnor_fcc.map_plan import BLOCK, Stage, Window

# Cycles from a group to what is stored of it.
_WRITE_AT = 3

Stored = dict[int, tuple[int, int | None]]


class Bench:
    """Plays the lanes and the sequencer."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        self.core = Core(**settings()["core"])
        self.rng = np.random.default_rng(seed)
        # What is due in the cycles to come.
        self.due: deque[Stored] = deque([{}] * _WRITE_AT)
        self.bits: int | None = None
        self.odd = False
        self.stored = 0

    async def reset(self) -> None:
        """Nothing under way."""
        names = "start odd groups side pool flat line_step column_step done bits"
        await start(self.dut, **dict.fromkeys(names.split(), 0))

    async def cycle(self, done: bool = False, stored: Stored | None = None, **inputs: int) -> None:
        """One cycle: a group is done or not, of which this is stored."""
        dut, core = self.dut, self.core
        size = BLOCK * core.order * core.pe
        nonsense = number(self.rng.integers(0, 2, size, np.uint8))
        drive(dut, done=done, bits=nonsense if self.bits is None else self.bits, **inputs)
        self.bits = None
        await edge(dut)
        self.due.append(stored or {})
        want = self.due.popleft()
        if not want:
            assert not dut.write.value
            return
        assert int(dut.write.value) == sum(1 << bank for bank in want), want
        data, mask = int(dut.write_data.value), (1 << core.order * core.slot) - 1
        for bank, (address, value) in want.items():
            assert int(dut.write_address.value) == address, f"bank {bank}"
            if value is not None:
                position = bank // 4 * 2 + bank % 2
                got = data >> position * core.order * core.slot & mask
                assert got == value, f"bank {bank}: {got:#x}, not {value:#x}"
                self.stored += 1

    async def begin(self, stage: Stage, odd: bool) -> None:
        """A layer begins; its description stands from the next cycle on."""
        await self.cycle(start=1)
        area = stage.out_area(self.core.parts)
        mask = (1 << self.core.address_bits) - 1
        drive(
            self.dut,
            start=0,
            odd=odd,
            groups=stage.groups,
            side=stage.side,
            pool=stage.pool,
            flat=stage.flat,
            line_step=area.row_step & mask,
            column_step=area.slice_step & mask,
        )

    def groups(self, stage: Stage, odd: bool) -> Iterator[tuple[int, Stored]]:
        """Random bits of every group of a layer, and what is stored then."""
        core, rng = self.core, self.rng
        writer = Writer(stage, core.base(odd), core.pe, core.parts, core.order)
        for y, x, turn in stage.walk():
            for group in range(stage.groups):
                # Any level, all the same, or mostly 0.
                most = rng.choice([1, 2 * core.order, 2 * core.order])
                levels = rng.integers(0, most, (BLOCK, core.pe)).astype(np.uint8)
                levels[rng.random(BLOCK) < 0.3] = 0
                planes = [(levels >> plane) & 1 for plane in range(core.order)]
                bits = number(np.stack(planes, axis=1).ravel())
                writes = writer.take(group, (y, x), turn, levels)
                yield bits, {write.bank: (write.address, write.data) for write in writes}

    async def layer(
        self, stage: Stage, odd: bool, busy: Iterable[bool] = repeat(True), most: int = 1 << 30
    ) -> None:
        """A layer from its begin to its last group, or to the first `most` of them."""
        await self.begin(stage, odd)
        turns = iter(busy)
        for bits, stored in islice(self.groups(stage, odd), most):
            while not next(turns):
                await self.cycle()
            await self.cycle(True, stored)
            self.bits = bits
        # Its bits come a cycle later, and the next one begins in the cycle after at the earliest.
        await self.cycle()


def stages(core: Core) -> list[Stage]:
    """Layers of every kind, whose maps fit."""
    parts = core.parts
    counts = sorted({1, parts, parts + 1, 3 * parts - 1, core.most_groups})
    found = []
    for side in settings()["sides"]:
        for groups in counts:
            for pool, flat in ((False, False), (True, False), (False, True), (True, True)):
                stage = Stage(Window.PIXELS, 1, side, groups, pool, flat)
                fits = stage.out_words(parts) <= min(core.map_even, core.map_odd)
                short = stage.blocks**2 * stage.repeats * groups <= settings()["most_groups"]
                if groups <= core.most_groups and not (pool and side % 2) and fits and short:
                    found.append(stage)
    return found


@cocotb.test(timeout_time=50000, timeout_unit="us")
async def every_kind(dut: Any) -> None:
    """Layers of every kind and many sizes behind each other, a group a cycle or less, each begun
    as soon as it may be."""
    bench = Bench(dut, seed=1)
    await bench.reset()
    every = stages(bench.core)
    for kind in ((False, False), (True, False), (False, True), (True, True)):
        assert kind in {(stage.pool, stage.flat) for stage in every}, kind
    for turn, stage in enumerate(every):
        busy = hold(np.random.default_rng(turn), 4, turn % 3)
        await bench.layer(stage, turn // 2 % 2 == 1, busy)
    for _ in range(_WRITE_AT):
        await bench.cycle()
    assert bench.stored > len(every)


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def reset_in_a_layer(dut: Any) -> None:
    """After a reset in any cycle of a layer nothing more is stored, and the next one is whole."""
    bench = Bench(dut, seed=2)
    await bench.reset()
    every = [stage for stage in stages(bench.core) if stage.side <= 3 and stage.groups <= 6]
    for turn, cut in enumerate([*range(1, 24)] * 2):
        stage = every[turn % len(every)]
        await bench.layer(stage, turn % 2 == 1, most=cut)
        for _ in range(turn // 23):
            await bench.cycle()
        bench.due = deque([bench.due[0], *[Stored()] * (_WRITE_AT - 1)])
        # A group that is done in the cycle of the reset leaves nothing either.
        await bench.cycle(True, Stored(), reset=1)
        drive(dut, reset=0)
        for _ in range(6):
            await bench.cycle()
        await bench.layer(every[-1 - turn % len(every)], turn % 3 == 1)
        for _ in range(_WRITE_AT):
            await bench.cycle()


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def cut_layers(dut: Any) -> None:
    """A layer that begins before the one before it has ended, as after a reset of the rest of the
    core: nothing of that one is left."""
    bench = Bench(dut, seed=3)
    await bench.reset()
    every = [stage for stage in stages(bench.core) if stage.side <= 5 and stage.groups <= 6]
    for turn in range(40):
        cut, whole = (every[int(bench.rng.integers(len(every)))] for _ in range(2))
        await bench.layer(cut, turn % 2 == 1, most=int(bench.rng.integers(1, 12)))
        await bench.layer(whole, turn % 3 == 1)
    for _ in range(_WRITE_AT):
        await bench.cycle()


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def pools_every_pair_of_levels(dut: Any) -> None:
    """Max-pool of all combinations of levels of the four positions."""
    bench = Bench(dut, seed=4)
    await bench.reset()
    core = bench.core
    stage = Stage(Window.PIXELS, 1, 2, core.parts, pool=True)
    count = (2 * core.order) ** BLOCK
    # Another combination in each PE of each group.
    for first in range(0, count, core.slot):
        await bench.begin(stage, False)
        numbers = (first + np.arange(core.slot)) % count
        base = 2 * core.order
        levels = np.stack([numbers // base**q % base for q in range(BLOCK)])
        most = levels.max(axis=0)
        planes = [(most >> plane) & 1 for plane in range(core.order)]
        data = number(np.concatenate(planes).astype(np.uint8))
        for group in range(core.parts):
            await bench.cycle(True, {0: (0, data)} if group == core.parts - 1 else {})
            mine = levels[:, group * core.pe : (group + 1) * core.pe]
            own = [(mine >> plane) & 1 for plane in range(core.order)]
            bench.bits = number(np.stack(own, axis=1).ravel().astype(np.uint8))
        await bench.cycle()
    for _ in range(_WRITE_AT):
        await bench.cycle()
    assert bench.stored == -(-count // core.slot)
