# SPDX-License-Identifier: Apache-2.0
"""Latents of many sizes: signs in every cycle and rows afterwards, against the rule in integers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, fields, join, known, number, start
from xnor_fcc.learning import updated

_COUNT, _ROWS, _MOVES = 7, 64, 2048
# Cycles from `take` to x and to the signs, at whose end the row is written; and within which a row
# must not come again.
_X_AT, _SIGNS_AT, _APART = 3, 5, 4


@dataclass
class Taken:
    """A row on its way."""

    row: int
    exists: list[bool]
    moving: bool
    x: int = 0


class Latents:
    """One of those in the device under test."""

    def __init__(self, lanes: int, classes: int, depth: int) -> None:
        self.lanes, self.classes, self.depth = lanes, classes, depth
        self.rows = np.zeros((depth, classes), np.int8)
        # -1, 0, +1 of each lane and class.
        self.moved = np.zeros((lanes, classes), np.int8)

    def packed(self) -> tuple[int, int]:
        """The inputs moves and ups, noise where nothing moves in the latter."""
        by_class = self.moved.T.ravel()
        return number((by_class != 0).astype(np.uint8)), number((by_class > 0).astype(np.uint8))

    def move(self, taken: Taken) -> None:
        """What becomes of a row."""
        x = np.frombuffer(taken.x.to_bytes(8, "little"), np.uint8)
        bits = np.unpackbits(x, bitorder="little")[: self.lanes, None]
        row = self.rows[taken.row][:, None]
        moved = self.moved if taken.moving else np.zeros_like(self.moved)
        self.rows[taken.row] = updated(row, moved, bits)[:, 0]


class Bench:
    """All of them at once."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        self.rng = np.random.default_rng(seed)
        self.every: list[Latents] = []
        # This cycle's row first.
        self.way: deque[Taken | None] = deque([None] * (_SIGNS_AT + 1), _SIGNS_AT + 1)
        # How many have been +1, -1; rows in use.
        self.signs = [0, 0]
        self.rows = _ROWS

    async def reset(self) -> None:
        """Nothing on its way; what the rows hold is not known."""
        names = ["take", "row", "exists", "moving", "x", "moves", "ups"]
        names += ["load", "load_row", "load_word", "read_row"]
        await start(self.dut, **dict.fromkeys(names, 0))
        sizes = fields(int(self.dut.sizes.value), 8, 3 * _COUNT)
        self.every = [Latents(*sizes[3 * n : 3 * n + 3]) for n in range(_COUNT)]
        assert {one.lanes for one in self.every} >= {1, 2, 3, 4, 64}
        assert {one.classes for one in self.every} >= {1, 4, 5, 10, 32}

    async def load(self, kind: str) -> None:
        """Write every row: any numbers, or those near an end."""
        ends = {"low": [-128, -127, -126], "high": [127, 126, 125], "zero": [-1, 0, 1]}
        for row in range(self.rows):
            if kind == "any":
                values = self.rng.integers(-128, 128, 32)
            else:
                values = self.rng.choice(ends[kind], 32)
            for one in self.every:
                if row < one.depth:
                    one.rows[row] = values[: one.classes]
            drive(self.dut, load_row=row, load_word=join(values.tolist(), 8),
                  load=sum((row < one.depth) << n for n, one in enumerate(self.every)))  # fmt: skip
            await self.cycle()
        drive(self.dut, load=0)

    async def check(self) -> None:
        """Read every row, one in a cycle."""
        await self.idle(_SIGNS_AT)
        for row in range(self.rows + 1):
            drive(self.dut, read_row=row % _ROWS)
            await self.cycle()
            word = known(self.dut.word)
            for n, one in enumerate(self.every):
                if 0 <= row - 1 < one.depth:
                    got = word >> n * 256 & (1 << 8 * one.classes) - 1
                    want = join(one.rows[row - 1].tolist(), 8)
                    assert got == want, f"row {row - 1} of {one.lanes} lanes: {got:#x}, {want:#x}"

    def choose(self, kind: str) -> None:
        """What moves: any, or all the same way."""
        moves = ups = 0
        for n, one in enumerate(self.every):
            shape = one.moved.shape
            if kind == "any":
                one.moved = self.rng.choice(np.array([-1, 0, 1], np.int8), shape)
            else:
                one.moved = np.full(shape, {"up": 1, "down": -1, "none": 0}[kind], np.int8)
            mine, up = one.packed()
            noise = int.from_bytes(self.rng.bytes(_MOVES // 8), "little") & ~mine
            moves |= mine << n * _MOVES
            ups |= (up | noise & (1 << one.lanes * one.classes) - 1) << n * _MOVES
        drive(self.dut, moves=moves, ups=ups)

    async def cycle(
        self, row: int | None = None, moving: bool = False, inputs: int = _ROWS,
        x: int | None = None, reset: bool = False,
    ) -> None:  # fmt: skip
        """One cycle, in which a row is taken or none; the x of an earlier one, else random."""
        rng, dut = self.rng, self.dut
        bits = int(rng.integers(1 << 63)) << 1 | int(rng.integers(2)) if x is None else x
        taken = None
        if row is not None:
            taken = Taken(row, [row < min(one.depth, inputs) for one in self.every], moving)
        self.way.appendleft(taken)
        exists = taken.exists if taken else [bool(rng.integers(2)) for _ in self.every]
        drive(dut, take=row is not None, row=int(rng.integers(_ROWS)) if row is None else row,
              exists=join(exists, 1), moving=moving if taken else int(rng.integers(2)), x=bits,
              reset=reset)  # fmt: skip
        await edge(dut)
        if (due := self.way[_X_AT]) is not None:
            due.x = bits
        if (due := self.way[_SIGNS_AT]) is not None:
            signs = known(dut.negative)
            for n, one in enumerate(self.every):
                want = 0
                if due.exists[n]:
                    one.move(due)
                    want = number((one.rows[due.row] < 0).astype(np.uint8))
                    self.signs[0] += one.classes - want.bit_count()
                    self.signs[1] += want.bit_count()
                got = signs >> n * 32 & (1 << one.classes) - 1
                assert got == want, f"row {due.row} of {one.lanes} lanes: {got:#x}, {want:#x}"
        if reset:  # what is not written by now never is
            self.way = deque([None] * (_SIGNS_AT + 1), _SIGNS_AT + 1)

    async def idle(self, cycles: int) -> None:
        """No row."""
        for _ in range(cycles):
            await self.cycle()

    async def walk(
        self, moving: bool, gaps: float, inputs: int = _ROWS, x: int | None = None
    ) -> None:  # fmt: skip
        """Every row once, as a walk takes them."""
        for row in range(self.rows):
            while self.rng.random() < gaps:
                await self.cycle(x=x)
            await self.cycle(row, moving, inputs, x)
        for _ in range(_APART):
            await self.cycle(x=x)


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def walks(dut: Any) -> None:
    """Any moves of any latents, row after row with gaps or none, of as many inputs as there are
    rows and of fewer; where nothing moves, of which only the signs are taken."""
    bench = Bench(dut, seed=1)
    await bench.reset()
    await bench.load("any")
    await bench.check()
    for inputs, gaps in ((_ROWS, 0), (_ROWS, 0.4), (7, 0), (1, 0.2)):
        bench.choose("any")
        await bench.walk(True, gaps, inputs)
        await bench.walk(False, gaps, inputs)
        await bench.check()
    assert min(bench.signs) > 500


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def ends(dut: Any) -> None:
    """All lanes to one side, from near both ends and from around 0, twice: the sum first, then the
    ends, and both signs."""
    bench = Bench(dut, seed=2)
    bench.rows = 10
    await bench.reset()
    every_lane = (1 << 64) - 1
    for kind in ("low", "high", "zero"):
        for moves in ("up", "down", "none"):
            for x in (0, every_lane):
                await bench.load(kind)
                bench.choose(moves)
                await bench.walk(True, 0, x=x)
                await bench.walk(True, 0, x=x)
                await bench.check()
        # Most lanes to one side, so that a sum passes an end on its way and comes back.
        await bench.load(kind)
        bench.choose("any")
        await bench.walk(True, 0)
        await bench.check()


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def any_order(dut: Any) -> None:
    """Rows in any order, as soon again as they may, moving or not from one to the next."""
    bench = Bench(dut, seed=3)
    bench.rows = 10
    await bench.reset()
    await bench.load("any")
    for _ in range(4):
        bench.choose("any")
        last: deque[int | None] = deque([None] * _APART, _APART)
        for _ in range(200):
            row = int(bench.rng.integers(8))
            taken = None if row in last or bench.rng.random() < 0.1 else row
            last.append(taken)
            moving = bool(bench.rng.random() < 0.8)
            await bench.cycle(taken, moving, int(bench.rng.choice([3, 8])))
        await bench.check()


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def reset_in_a_walk(dut: Any) -> None:
    """A reset behind each of the first rows: those whose signs have come are written, no other."""
    bench = Bench(dut, seed=4)
    bench.rows = 16
    await bench.reset()
    await bench.load("any")
    for moment in range(12):
        bench.choose("any")
        for row in range(moment):
            await bench.cycle(row, True)
        await bench.cycle(moment, True, reset=True)
        await bench.idle(moment % 3)
        await bench.walk(True, 0)
        await bench.check()
