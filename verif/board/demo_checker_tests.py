# SPDX-License-Identifier: Apache-2.0
"""Results in, lamps and digits out, against the header of demo_checker; settings: `labels`."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, settings, start


class Bench:
    """The checker beside its rules, result by result."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        self.labels: list[int] = settings()["labels"]
        self.rng = np.random.default_rng(seed)
        self.worst = self.wrong = 0
        self.seen = False
        self.selected = 0
        self.shown = (0, 0)

    async def begin(self) -> None:
        """After a reset, image 0 selected."""
        await start(self.dut, result_valid=0, result_data=0, selected=0)
        await self.pause(2)

    async def pause(self, cycles: int) -> None:
        """Data without a result."""
        for _ in range(cycles):
            drive(self.dut, result_valid=0, result_data=int(self.rng.integers(1 << 32)))
            await edge(self.dut)

    async def answer(self, image: int, found: int) -> None:
        """A result, and all that comes of it; ids go on where the ring turns."""
        turn = int(self.rng.integers(1 << 16)) // len(self.labels) * len(self.labels)
        drive(self.dut, result_valid=1, result_data=found << 16 | turn + image)
        await edge(self.dut)
        await self.pause(2)
        self.wrong += found != self.labels[image]
        if image == len(self.labels) - 1:
            self.worst, self.wrong = max(self.worst, self.wrong), 0
        if image == self.selected:
            self.seen, self.shown = True, (found & 15, self.labels[image])
        self.check(f"image {image} of {len(self.labels)}, {found}")

    def check(self, where: str) -> None:
        """What is shown."""
        assert int(self.dut.worst.value) == self.worst, where
        assert bool(self.dut.seen.value) == self.seen, where
        if self.seen:
            assert (int(self.dut.found.value), int(self.dut.label.value)) == self.shown, where

    async def select(self, image: int) -> None:
        """Other switches."""
        drive(self.dut, selected=image)
        self.seen = self.seen and image == self.selected
        self.selected = image
        await self.pause(2)
        self.check(f"{image} selected")

    async def round(self, wrong: set[int]) -> None:
        """One turn of the ring with these images answered wrong."""
        for image, label in enumerate(self.labels):
            await self.answer(image, (label + 1 + int(self.rng.integers(9))) % 10
                              if image in wrong else label)  # fmt: skip

    async def reset(self) -> None:
        """All forgotten."""
        drive(self.dut, reset=1)
        await self.pause(1)
        drive(self.dut, reset=0)
        self.worst = self.wrong = 0
        self.seen = False
        await self.pause(1)
        self.check("reset")


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def one_wrong_answer(dut: Any) -> None:
    """At every place of the ring, the first and the last one too, each selected in its turn; and
    again in the round after, which counts for itself."""
    bench = Bench(dut, seed=1)
    await bench.begin()
    for place in range(len(bench.labels)):
        await bench.select(place)
        for _ in range(2):
            await bench.round({place})
        assert bench.worst == 1
        await bench.reset()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def the_worst_round_stays(dut: Any) -> None:
    """Rounds with more and with fewer wrong answers, with all of them and with none."""
    bench = Bench(dut, seed=2)
    await bench.begin()
    images = len(bench.labels)
    for count in (0, 1, 2, 1, images - 1, 2, images, 0, images - 1):
        await bench.select(int(bench.rng.integers(images)))
        await bench.round(set(bench.rng.permutation(images)[:count].tolist()))
    assert bench.worst == images
    # A reset in a round: what was wrong before it counts no more.
    await bench.answer(0, bench.labels[0] ^ 1)
    await bench.reset()
    for image in range(1, images):
        await bench.answer(image, bench.labels[image])
    assert bench.worst == 0


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def classes_beyond_a_digit_are_wrong(dut: Any) -> None:
    """A class that equals the label in its low bits only."""
    bench = Bench(dut, seed=3)
    await bench.begin()
    for bit in range(4, 16):
        for image, label in enumerate(bench.labels):
            await bench.answer(image, label | (1 << bit if image == len(bench.labels) - 1 else 0))
        assert bench.worst == 1
        await bench.reset()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def results_in_every_cycle(dut: Any) -> None:
    """As fast as they can come: the right number, and a reset in any cycle."""
    bench = Bench(dut, seed=4)
    await bench.begin()
    images = len(bench.labels)
    for cut in (None, 0, 1, images - 1, images, images + 1):
        wrongs = []
        for cycle in range(3 * images):
            wrong = bool(bench.rng.integers(2))
            found = bench.labels[cycle % images] ^ int(wrong)
            drive(dut, result_valid=1, result_data=found << 16 | cycle, reset=int(cycle == cut))
            await edge(dut)
            wrongs.append(wrong)
            if cycle == cut:
                wrongs = [False] * len(wrongs)
        drive(dut, reset=0)
        await bench.pause(3)
        rounds = [sum(wrongs[turn * images : (turn + 1) * images]) for turn in range(3)]
        assert int(dut.worst.value) == max(rounds), cut
        await bench.reset()
