# SPDX-License-Identifier: Apache-2.0
"""Rings of many sizes: which word every tap shows after any number of rotations of an image or of a
hidden layer whose word 0 comes late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, fields, start

# Of the ports image and hidden.
_BITS = 256
_IDLE = {"load_image": 0, "load_hidden": 0, "load_late": 0, "rotate": 0}


@dataclass(frozen=True)
class Ring:
    """Sizes of one ring of the device under test."""

    number: int
    ring: int
    taps: int
    simd: int

    def shown(self, dut: Any) -> list[int]:
        """The word at each tap."""
        packed = int(dut.taps.value) >> 128 * self.number
        return fields(packed, self.simd, self.taps)

    def want(self, contents: int, words: int, rotations: int, hidden: bool) -> list[int | None]:
        """What each tap has to show; None for word 0 of a hidden layer before it is due."""
        numbers = [(tap + rotations + hidden) % words for tap in range(self.taps)]
        late = hidden and rotations < words - self.taps
        every = fields(contents, self.simd, words)
        return [None if late and n == 0 else every[n] for n in numbers]


def rings(dut: Any) -> list[Ring]:
    """All rings of the device under test."""
    sizes = fields(int(dut.sizes.value), 8, 33)
    result = [Ring(n, *sizes[3 * n : 3 * n + 3]) for n in range(11)]
    assert any(r.taps == 1 for r in result) and any(1 < r.taps == r.ring for r in result)
    assert any(1 < r.taps < r.ring / 2 for r in result)
    assert any(r.ring / 2 < r.taps < r.ring for r in result)
    assert any(r.ring * r.simd > 64 for r in result)
    return result


def compare(got: list[int], want: list[int | None], where: str) -> None:
    """The taps, as far as they are due."""
    assert [g if w is not None else None for g, w in zip(got, want, strict=True)] == want, where


def late_rings(words: int, rotations: int) -> int:
    """Which rings take word 0 with the next strobe: by their taps, before `rotations` rotations."""
    if rotations == 0:  # with the load
        return sum(1 << taps for taps in range(words, 16))
    # At the end of step words - TAPS - 1, which is the rotation of that number + 1.
    due = words - rotations
    return 1 << due if due > 0 else 0


class Bench:
    """Loads and rotates, with nonsense on all inputs that do not count."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        self.rng = np.random.default_rng(seed)
        self.every: list[Ring] = []

    async def reset(self) -> None:
        """Anything may be inside."""
        await start(self.dut, reset=0, length=1, image=0, hidden=0, **_IDLE)
        self.every = rings(self.dut)

    def nonsense(self) -> int:
        """Random bits for all words of a ring."""
        return int.from_bytes(self.rng.bytes(_BITS // 8), "little")

    async def show(self, **inputs: int) -> None:
        """A cycle with these inputs, then some in which nothing may move anything."""
        strobes = {name: inputs[name] for name in inputs if name in _IDLE}
        data = {name: inputs[name] for name in inputs if name not in _IDLE}
        for cycle in range(int(self.rng.integers(3, 6))):
            drive(self.dut, image=self.nonsense(), hidden=self.nonsense())
            drive(self.dut, **{**_IDLE, **(strobes if cycle == 0 else {})})
            # What is loaded is taken one cycle after the strobe.
            drive(self.dut, **(data if cycle == 1 else {}))
            await edge(self.dut)

    async def layer(self, words: int, hidden: bool, turns: int) -> None:
        """Load a layer of `words` words and rotate it, each ring with word 0 when it is due."""
        contents = self.nonsense()
        port = "hidden" if hidden else "image"
        drive(self.dut, length=1 << words - 1)
        for rotations in range(turns):
            late = late_rings(words, rotations) if hidden else 0
            inputs = {"rotate": 1, "load_late": late}
            if rotations == 0:
                # A load wins over a rotation in the same cycle.
                inputs.update({f"load_{port}": 1, "rotate": words % 2})
            if rotations == 0 or late:
                inputs[port] = contents
            await self.show(**inputs)
            for ring in self.every:
                if words > ring.ring or rotations < ring.taps - words:
                    continue
                want = ring.want(contents, words, rotations, hidden)
                where = f"{ring}, {words} words, {rotations} rotations"
                compare(ring.shown(self.dut), want, where)


@cocotb.test(timeout_time=500, timeout_unit="us")
async def rotation_of_an_image(dut: Any) -> None:
    """Tap i shows word (i + r) mod words after r rotations, once wound up, for all words."""
    bench = Bench(dut, seed=1)
    await bench.reset()
    for words in range(1, max(r.ring for r in bench.every) + 1):
        await bench.layer(words, hidden=False, turns=2 * words + 14)


@cocotb.test(timeout_time=500, timeout_unit="us")
async def rotation_of_a_hidden_layer(dut: Any) -> None:
    """Tap i shows word (i + r + 1) mod words, and word 0 from the step on in which it is due."""
    bench = Bench(dut, seed=2)
    await bench.reset()
    for words in range(1, max(r.ring for r in bench.every) + 1):
        await bench.layer(words, hidden=True, turns=2 * words + 14)


async def at_full_rate(dut: Any, hidden: bool) -> None:
    """Rotations in a row; the taps of every cycle, for one ring after the other."""
    bench = Bench(dut, seed=3 + hidden)
    await bench.reset()
    port = "hidden" if hidden else "image"
    for ring in bench.every:
        for words in range(1, ring.ring + 1):
            contents = bench.nonsense()
            # Word 0 is not complete when the others are loaded.
            early = contents ^ ((1 << ring.simd) - 1 if hidden and words > ring.taps else 0)
            drive(dut, length=1 << words - 1, rotate=0, image=~contents % (1 << _BITS),
                  hidden=~contents % (1 << _BITS))
            drive(dut, **{f"load_{port}": 1})
            drive(dut, load_late=0xFFFF if hidden and words <= ring.taps else 0)
            await edge(dut)
            drive(dut, load_image=0, load_hidden=0, load_late=0, rotate=1)
            data: int | None = early  # taken one cycle after its strobe
            for rotations in range(-1, 3 * words + ring.taps):
                # This cycle's strobe is that of the next rotation.
                due = hidden and words > ring.taps and rotations + 1 == words - ring.taps - 1
                drive(dut, hidden=bench.nonsense(), image=bench.nonsense())
                drive(dut, **{port: bench.nonsense() if data is None else data})
                drive(dut, load_late=0xFFFF if due else 0)
                data = contents if due else None
                await edge(dut)
                if rotations >= max(0, ring.taps - words):
                    want = ring.want(contents, words, rotations, hidden)
                    where = f"{ring}, {words} words, {rotations} rotations"
                    compare(ring.shown(dut), want, where)


@cocotb.test(timeout_time=500, timeout_unit="us")
async def one_rotation_a_cycle(dut: Any) -> None:
    """Rotations of an image take one cycle each, and the taps follow two cycles later."""
    await at_full_rate(dut, hidden=False)


@cocotb.test(timeout_time=500, timeout_unit="us")
async def one_rotation_a_cycle_of_a_hidden_layer(dut: Any) -> None:
    """The same with a hidden layer, whose word 0 comes with the rotation of its step."""
    await at_full_rate(dut, hidden=True)
