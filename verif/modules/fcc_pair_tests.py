# SPDX-License-Identifier: Apache-2.0
"""Sums of two lanes in, scores and bits out, against the formulas of the module's header."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, fields, join, number, settings, start

# Cycles after the sums.
_MARGINS_AT = 1
_SCORES_AT = 1
_BITS_AT = 2


@dataclass(frozen=True)
class Group:
    """What arrives for the PEs of a group, each (PE,), and how it is to be read."""

    combine: bool
    split: bool
    low: np.ndarray
    high: np.ndarray
    up: np.ndarray
    down: np.ndarray

    @property
    def k(self) -> np.ndarray:
        """The sum of the image, or that of the lower lane."""
        return self.low + 2 * self.high if self.combine else self.low

    @property
    def decided(self) -> tuple[np.ndarray, np.ndarray]:
        """First and residual bits of the image."""
        first = self.k >= 0
        return first, self.k >= np.where(first, self.up, -self.down)

    def bits(self, pairs: bool) -> tuple[int, int]:
        """What the lower and the higher lane store."""
        first, residual = self.decided
        high = first if pairs else self.high >= 0
        return number(residual if self.split else first), number(high)


class Bench:
    """Two lanes that finish a group in every cycle, or in some."""

    def __init__(self, dut: Any, seed: int) -> None:
        built = settings()["parameters"]
        self.dut = dut
        self.pe: int = built["PE"]
        self.bits: int = built["ACC_BITS"]
        self.rng = np.random.default_rng(seed)

    async def begin(self, pairs: bool) -> None:
        """Clock running, the lanes in pairs or not."""
        self.pairs = pairs
        names = ("combine", "split", "low", "high", "up", "down")
        await start(self.dut, reset=0, pairs=pairs, **dict.fromkeys(names, 0))

    def sums(self) -> np.ndarray:
        """Any sums, the ends of the range and the neighbours of 0 among them."""
        limit = 1 << (self.bits - 1)
        corners = self.rng.choice([-limit, -1, 0, min(1, limit - 1), limit - 1], self.pe)
        anything = self.rng.integers(-limit, limit, self.pe)
        return np.where(self.rng.random(self.pe) < 0.3, corners, anything)

    def group(self, combine: bool, split: bool) -> Group:
        """Any group whose K fits; margins are at most the greatest one, M + 1, and K is at the edge
        of what they decide as often as not."""
        rng, limit = self.rng, 1 << (self.bits - 1)
        k = self.sums()
        high = self.sums()
        low = k
        if combine:
            # Whatever is left to the lower lane must fit too.
            high = np.clip(high, -((limit - 1 - k) // 2), (limit + k) // 2)
            low = k - 2 * high
        margins = rng.integers(0, limit + 1, (2, self.pe))
        edge_of = np.minimum(np.abs(k) + rng.integers(0, 2, self.pe), limit)
        near = rng.random((2, self.pe)) < 0.5
        up, down = np.where(near, edge_of, margins)
        result = Group(combine, split, low, high, up, down)
        assert (result.k == k).all() and (-limit <= low).all() and (low < limit).all()
        return result

    async def run(self, groups: list[Group]) -> None:
        """One group a cycle."""
        dut = self.dut
        ever_more = [self.group(False, False) for _ in range(_BITS_AT + 1)]
        groups = [*groups, *ever_more]
        for at in range(-1, len(groups) - 1):
            now, coming, before = groups[at], groups[at + 1], groups[at - _MARGINS_AT]
            drive(dut, combine=coming.combine, split=now.split)
            for name, group in (("low", now), ("high", now), ("up", before), ("down", before)):
                drive(dut, **{name: join(getattr(group, name).tolist(), self.bits)})
            await edge(dut)
            if at >= _SCORES_AT:
                due = groups[at - _SCORES_AT]
                mask = (1 << self.bits) - 1
                for port, want in (("low_score", due.k), ("high_score", due.high)):
                    got = fields(int(getattr(dut, port).value), self.bits, self.pe)
                    assert got == [value & mask for value in want.tolist()], f"{port}, {due}"
            if at >= _BITS_AT:
                due = groups[at - _BITS_AT]
                got_bits = (int(dut.low_bits.value), int(dut.high_bits.value))
                assert got_bits == due.bits(self.pairs), due


@cocotb.test(timeout_time=500, timeout_unit="us")
async def pairs_of_lanes(dut: Any) -> None:
    """Inputs and outputs of either order, changing from one cycle to the next."""
    bench = Bench(dut, seed=1)
    await bench.begin(pairs=True)
    kinds = bench.rng.integers(0, 2, (600, 2), dtype=bool).tolist()
    groups = [bench.group(*kind) for kind in kinds]
    await bench.run(groups)
    # Every answer of every kind, or the test says little.
    for kind in ((False, False), (False, True), (True, False), (True, True)):
        answers = {
            answer
            for group in groups
            if (group.combine, group.split) == kind
            for answer in zip(*(bits.tolist() for bits in group.decided), strict=True)
        }
        assert len(answers) == 4, kind


@cocotb.test(timeout_time=500, timeout_unit="us")
async def lanes_on_their_own(dut: Any) -> None:
    """Each lane's sums and signs pass through."""
    bench = Bench(dut, seed=2)
    await bench.begin(pairs=False)
    await bench.run([bench.group(False, False) for _ in range(300)])
