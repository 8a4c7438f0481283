# SPDX-License-Identifier: Apache-2.0
"""Rings of many sizes: which word every tap shows after any number of rotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np

from unit import drive, edge, fields, start


@dataclass(frozen=True)
class Ring:
    """Sizes of one ring of the device under test."""

    number: int
    ring: int
    taps: int
    simd: int

    def shown(self, dut: Any) -> list[int]:
        """The word at each tap."""
        packed = int(dut.taps.value) >> 32 * self.number
        columns = fields(packed, self.taps, self.simd)
        return [
            sum((column >> tap & 1) << k for k, column in enumerate(columns))
            for tap in range(self.taps)
        ]


def rings(dut: Any) -> list[Ring]:
    """All rings of the device under test."""
    sizes = fields(int(dut.sizes.value), 8, 24)
    result = [Ring(n, *sizes[3 * n : 3 * n + 3]) for n in range(8)]
    assert any(r.taps == 1 for r in result) and any(1 < r.taps == r.ring for r in result)
    assert any(1 < r.taps < r.ring / 2 for r in result)
    assert any(r.ring / 2 < r.taps < r.ring for r in result)
    return result


async def show(dut: Any, **inputs: int) -> None:
    """A cycle with these inputs, then one of holding, at whose end the taps can be read."""
    drive(dut, **inputs)
    await edge(dut)
    # Nothing but load and rotate may move anything.
    drive(dut, load=0, rotate=0, load_words=0x5A5A_5A5A)
    await edge(dut)


@cocotb.test(timeout_time=500, timeout_unit="us")
async def rotation(dut: Any) -> None:
    """Tap i shows word (i + r) mod words after r rotations, once wound up, for all words."""
    await start(dut, reset=0, load=0, rotate=0, length=1, load_words=0)
    rng = np.random.default_rng(1)
    every = rings(dut)
    for words in range(1, max(r.ring for r in every) + 1):
        contents = int(rng.integers(1 << 32))
        drive(dut, length=1 << words - 1)
        # A load wins over a rotation in the same cycle.
        await show(dut, load=1, load_words=contents, rotate=words % 2)
        for rotations in range(2 * words + 14):
            if rotations:
                await show(dut, rotate=1)
                if rotations % 3 == 0:
                    await edge(dut, int(rng.integers(3)))
            for ring in every:
                if words > ring.ring or rotations < ring.taps - words:
                    continue
                want = fields(contents, ring.simd, words)
                want = [want[(tap + rotations) % words] for tap in range(ring.taps)]
                assert ring.shown(dut) == want, f"{ring}, {words} words, {rotations} rotations"


@cocotb.test(timeout_time=100, timeout_unit="us")
async def one_rotation_a_cycle(dut: Any) -> None:
    """Rotations in a row take one cycle each, and the taps follow one cycle later."""
    await start(dut, reset=0, load=0, rotate=0, length=1, load_words=0)
    for ring in rings(dut):
        contents = int(np.random.default_rng(2 + ring.number).integers(1 << 32))
        words = fields(contents, ring.simd, ring.ring)
        drive(dut, length=1 << ring.ring - 1, load=1, load_words=contents)
        await edge(dut)
        drive(dut, load=0, rotate=1)
        for rotations in range(3 * ring.ring):
            await edge(dut)
            want = [words[(tap + rotations) % ring.ring] for tap in range(ring.taps)]
            assert ring.shown(dut) == want, f"{ring} after {rotations} rotations"
        drive(dut, rotate=0)
