# SPDX-License-Identifier: Apache-2.0
"""Groups of coded words through the PEs, against sums of equal bits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, fields, join, number, parities, planes, settings, start

_OFFSET_AT = 2  # cycles after the first word of a group
_DONE_AT = 3  # cycles after the last one; its sums come a cycle later


@dataclass(frozen=True)
class Step:
    """One word given to the array."""

    activation: np.ndarray  # bits (TAPS, SIMD)
    weight: np.ndarray  # bits (PE, SIMD)
    first: bool
    last: bool
    tag: int
    offset: np.ndarray  # of the group
    halve: bool

    def seen(self) -> np.ndarray:
        """The word that each PE sees: bits (PE, SIMD)."""
        firsts = self.firsts()
        return np.repeat(self.activation, np.diff(firsts), axis=0)

    def firsts(self) -> list[int]:
        """The first PE of each tap, and how many there are."""
        taps = len(self.activation)
        return [tap * len(self.weight) // taps for tap in range(taps + 1)]

    def coded(self) -> dict[str, int]:
        """The word as the ports take it: weights in planes of the PEs of a tap, tap by tap."""
        simd = self.weight.shape[1]
        weight = parities(self.weight ^ 1)
        blocks = [planes(weight[a:b]) << a * simd for a, b in pairwise(self.firsts())]
        return {"activation": number(parities(self.activation).ravel()), "weight": sum(blocks)}


class Bench:
    """Feeds steps at chosen cycles and compares every cycle with the sums."""

    def __init__(self, dut: Any, seed: int) -> None:
        built = settings()["parameters"]
        self.dut = dut
        self.pe: int = built["PE"]
        self.simd: int = built["SIMD"]
        self.taps: int = built["TAPS"]
        self.acc_bits: int = built["ACC_BITS"]
        self.tag_bits: int = built["TAG_BITS"]
        self.halve: int = built["HALVE"]
        self.rng = np.random.default_rng(seed)

    async def reset(self) -> None:
        """Empty."""
        names = ("activation", "weight", "step", "first", "last", "halve", "tag", "offset")
        await start(self.dut, **dict.fromkeys(names, 0))

    def group(self, words: int) -> list[Step]:
        """`words` words of a group; sums stay within the accumulator."""
        low, high = -(1 << (self.acc_bits - 1)), (1 << (self.acc_bits - 1)) - 1
        high -= words * self.simd
        assert high >= low, "the accumulator is too small for a group so long"
        near = -(self.rng.integers(0, words * self.simd + 1, self.pe))
        ends = self.rng.choice([low, high, 0, -1], self.pe)
        offset = np.clip(np.where(self.rng.random(self.pe) < 0.4, ends, near), low, high)
        density = self.rng.choice([0.0, 0.5, 0.5, 1.0])
        tag = int(self.rng.integers(1 << self.tag_bits))
        steps = []
        for word in range(words):
            activation = self.rng.integers(0, 2, (self.taps, self.simd), dtype=np.uint8)
            equal = (self.rng.random((self.pe, self.simd)) < density).astype(np.uint8)
            halve = bool(word and self.halve and self.rng.integers(2))
            last = word == words - 1
            step = Step(activation, equal, word == 0, last, tag, offset, halve)
            steps.append(replace(step, weight=step.seen() ^ 1 ^ equal))
        return steps

    async def run(self, timeline: list[Step | None]) -> None:
        """One entry a cycle, None for a gap; offsets only in the cycle in which they count."""
        done: dict[int, tuple[int, np.ndarray]] = {}
        offsets: dict[int, np.ndarray] = {}
        sums = np.zeros(self.pe, np.int64)
        for cycle in range(len(timeline) + _DONE_AT + 2):
            step = timeline[cycle] if cycle < len(timeline) else None
            nonsense = [int(x) for x in self.rng.integers(0, 2, 3)]
            # Where it is not looked at it may be anything.
            known = step is not None and self.halve
            drive(self.dut, halve=step.halve if step and known else nonsense[2])
            if step is not None:
                sums = step.offset if step.first else sums
                sums = sums >> int(step.halve)
                sums = sums + (step.seen() == step.weight).sum(axis=1)
                if step.first:
                    offsets[cycle + _OFFSET_AT] = step.offset
                if step.last:
                    done[cycle + _DONE_AT] = (step.tag, sums)
                drive(self.dut, **step.coded())
                drive(self.dut, step=1, first=step.first, last=step.last, tag=step.tag)
            else:
                drive(self.dut, step=0, first=nonsense[0], last=nonsense[1])
            other = self.rng.integers(-4, 4, self.pe)
            offset = offsets.get(cycle, other)
            drive(self.dut, offset=join(offset.tolist(), self.acc_bits))
            await edge(self.dut)
            assert bool(self.dut.done.value) == (cycle in done), f"cycle {cycle}"
            if cycle in done:
                assert int(self.dut.done_tag.value) == done[cycle][0]
            if cycle - 1 in done:
                _, want = done[cycle - 1]
                mask = (1 << self.acc_bits) - 1
                got = fields(int(self.dut.accumulator.value), self.acc_bits, self.pe)
                assert got == (want & mask).tolist()
                bits = fields(int(self.dut.bits.value), 1, self.pe)
                assert bits == (want >= 0).astype(int).tolist()


@cocotb.test(timeout_time=100, timeout_unit="us")
async def groups_in_a_row(dut: Any) -> None:
    """Groups of 1 to 7 words without a gap, many of one word behind each other."""
    bench = Bench(dut, seed=1)
    await bench.reset()
    longest = min(7, ((1 << bench.acc_bits) - 1) // bench.simd)
    lengths = [1, 1, 1, 2, 1, longest, 1, *range(1, longest + 1)] * 3
    await bench.run([step for words in lengths for step in bench.group(words)])


@cocotb.test(timeout_time=200, timeout_unit="us")
async def gaps(dut: Any) -> None:
    """Cycles without a step, between groups and within them, change nothing."""
    bench = Bench(dut, seed=2)
    await bench.reset()
    longest = min(7, ((1 << bench.acc_bits) - 1) // bench.simd)
    for mean in (0.2, 0.5, 0.8):
        timeline: list[Step | None] = []
        for _ in range(25):
            for step in bench.group(int(bench.rng.integers(1, longest + 1))):
                timeline += [None] * int(bench.rng.geometric(1 - mean) - 1)
                timeline.append(step)
        await bench.run(timeline)


@cocotb.test(timeout_time=100, timeout_unit="us")
async def reset_clears_done(dut: Any) -> None:
    """What is in the pipeline when the reset comes is never reported."""
    bench = Bench(dut, seed=3)
    await bench.reset()
    for age in range(1, _DONE_AT + 1):
        step = bench.group(1)[0]
        drive(dut, **step.coded())
        drive(dut, step=1, first=1, last=1)
        await edge(dut)
        drive(dut, step=0)
        for _ in range(age - 1):
            await edge(dut)
            assert not dut.done.value
        drive(dut, reset=1)
        await edge(dut)
        assert bool(dut.done.value) == (age == _DONE_AT)
        drive(dut, reset=0)
        for _ in range(_DONE_AT + 3):
            await edge(dut)
            assert not dut.done.value, f"reset {age} cycles after the step"
        await bench.run([*bench.group(1)])
