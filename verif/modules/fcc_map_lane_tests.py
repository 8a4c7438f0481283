# SPDX-License-Identifier: Apache-2.0
"""Groups of any length through one lane, against counts of equal bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, fields, hold, join, number, parities, planes, settings, start

# Cycles after a step (the last one of a group for what comes of it).
_WORD_AT, _WEIGHT_AT, _OFFSET_AT = 1, 3, 5
_BITS_DONE_AT = {1: 6, 2: 8}
_SCORES_AT = {1: 7, 2: 8}
_SUMS_AT = 7
_LONGEST = 10
_STROBES = ("step", "first", "last")


@dataclass(frozen=True)
class Step:
    """A step, and what comes of its group where it is the last one."""

    first: bool
    last: bool
    output: bool
    group: int
    word: int
    mask: int
    weight: int
    offset: int
    halve: bool
    sums: list[int] | None = None


class Bench:
    """Plays the sequencer, the feeder and the memories."""

    def __init__(self, dut: Any, seed: int) -> None:
        want = settings()
        self.dut = dut
        self.pe, self.slot = int(want["pe"]), int(want["slot"])
        self.acc_bits: int = want["acc_bits"]
        self.order: int = want["order"]
        self.numbers: bool = want["numbers"]
        self.group_bits: int = want["group_bits"]
        self.most_words: int = want["words"]
        self.rng = np.random.default_rng(seed)
        self.simd = 3 * self.slot

    async def reset(self) -> None:
        """Empty."""
        names = "step first last halve output_layer group word mask weight offset"
        await start(self.dut, **dict.fromkeys(names.split(), 0))

    def group(self) -> list[Step]:
        """The steps of a group of any kind; the sums reach both their ends often."""
        rng, mask = self.rng, (1 << self.acc_bits) - 1
        words = int(rng.integers(1, self.most_words + 1))
        output, tag = bool(rng.integers(2)), int(rng.integers(1 << self.group_bits))
        offsets = rng.integers(-words * self.simd - 1, 2, self.pe)
        sums = offsets.copy()
        kind = rng.integers(4)
        # Where inputs are numbers: words with which a further plane begins.
        begins = self.numbers & (rng.random(words) < 0.6)
        steps = []
        for at in range(words):
            halve = at > 0 and bool(begins[at])
            sums >>= int(halve)
            word = rng.integers(0, 2, self.simd, dtype=np.uint8)
            weight = rng.integers(0, 2, (self.pe, self.simd), dtype=np.uint8)
            slots = int(rng.choice([0b00, 0b01, 0b11]))
            seen = word * np.repeat([1, slots & 1, slots >> 1], self.slot).astype(np.uint8)
            if kind < 2:  # every synapse counts, or none does
                weight[:] = seen if kind else 1 - seen
            sums += (weight == seen).sum(axis=1)
            last = at == words - 1
            # The code takes inverted weights: an XNOR is the XOR with these.
            steps.append(
                Step(
                    *(at == 0, last, output, tag, number(word), slots),
                    planes(parities(1 - weight)),
                    join(offsets.tolist(), self.acc_bits),
                    halve,
                    [int(value) & mask for value in sums] if last else None,
                )
            )
        return steps

    async def run(self, steps: Sequence[Step | None], cut: int = 1 << 30) -> None:
        """Give all steps, None for a cycle without one; sums, bits and scores must come exactly
        where they are due. Or as many cycles as `cut`."""
        dut, rng = self.dut, self.rng
        line = [*steps, *[None] * _LONGEST]
        for at in range(min(len(line), cut)):

            def ago(cycles: int) -> Step | None:
                return line[at - cycles] if at >= cycles else None  # noqa: B023

            now, word, weight, offset = map(ago, (0, _WORD_AT, _WEIGHT_AT, _OFFSET_AT))
            drive(dut, step=now is not None)
            first, last, output, halve = rng.integers(0, 2, 4).tolist()
            # Without numbers nobody looks at it.
            drive(dut, halve=now.halve if now and self.numbers else halve)
            drive(dut, first=now.first if now else first, last=now.last if now else last)
            drive(dut, output_layer=now.output if now else output)
            drive(dut, group=now.group if now else int(rng.integers(1 << self.group_bits)))
            size = self.simd
            nonsense = number(rng.integers(0, 2, size * (self.pe + 1), np.uint8))
            drive(dut, word=word.word if word else nonsense & (1 << size) - 1)
            drive(dut, mask=word.mask if word else int(rng.integers(4)))
            drive(dut, weight=weight.weight if weight else nonsense >> size)
            any_offset = int(rng.integers(1 << self.acc_bits))
            drive(dut, offset=offset.offset if offset and offset.first else any_offset)
            await edge(dut)
            hidden, scores = ago(_BITS_DONE_AT[self.order]), ago(_SCORES_AT[self.order])
            done = hidden is not None and hidden.last and not hidden.output
            assert bool(dut.bits_done.value) == done, f"cycle {at}"
            scored = scores is not None and scores.last and scores.output
            assert bool(dut.scores_done.value) == scored, f"cycle {at}"
            if scored and scores:
                assert int(dut.scores_group.value) == scores.group
            finished = ago(_SUMS_AT)
            if finished is None or finished.sums is None:
                continue
            assert fields(int(dut.sums.value), self.acc_bits, self.pe) == finished.sums
            if self.order == 1:
                signs = [value >> self.acc_bits - 1 for value in finished.sums]
                assert fields(int(dut.bits.value), 1, self.pe) == [1 - sign for sign in signs]


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def groups_in_a_row(dut: Any) -> None:
    """Groups of every length, without a gap."""
    bench = Bench(dut, seed=1)
    await bench.reset()
    await bench.run([step for _ in range(settings()["groups"]) for step in bench.group()])


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def groups_with_gaps(dut: Any) -> None:
    """The same with cycles without a step in and between them."""
    bench = Bench(dut, seed=2)
    await bench.reset()
    line: list[Step | None] = []
    busy = iter(hold(bench.rng, 2, 2))
    for _ in range(settings()["groups"] // 2):
        for step in bench.group():
            while not next(busy):
                line.append(None)
            line.append(step)
    await bench.run(line)


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def reset_in_a_group(dut: Any) -> None:
    """After a reset in any cycle nothing comes of what was under way; the next group is whole."""
    bench = Bench(dut, seed=3)
    await bench.reset()
    for cut in range(1, 25, settings()["between"]):
        steps: list[Step] = []
        while len(steps) < cut:
            steps += bench.group()
        await bench.run(steps, cut)
        drive(dut, **dict.fromkeys(_STROBES, 0))
        drive(dut, reset=1)
        await edge(dut)
        drive(dut, reset=0)
        for _ in range(cut % 3 * _LONGEST // 2):
            await edge(dut)
            assert not dut.bits_done.value and not dut.scores_done.value
        await bench.run(bench.group())
