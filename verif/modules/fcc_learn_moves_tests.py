# SPDX-License-Identifier: Apache-2.0
"""Scores and labels into moves, every cycle against the rule for one score, and whole batches
against `xnor_fcc.learning.moves`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, hold, join, settings, start
from xnor_fcc.learning import NO_LABEL, moves

_EVENTS = ("learnt", "moved", "bad_label")


class Bench:
    """Tells scores, and knows what moves."""

    def __init__(self, dut: Any, seed: int) -> None:
        built = settings()["parameters"]
        self.dut = dut
        self.lanes: int = built["LANES"]
        self.most: int = built["CLASSES"]
        self.bits: int = built["SCORE_BITS"]
        self.rng = np.random.default_rng(seed)
        self.classes, self.margin, self.enable = 1, 0, True
        self.label([0] * self.lanes)
        # What moves: lane and class, and whether towards the image.
        self.moving: dict[tuple[int, int], bool] = {}
        # The score of the cycle before: lane, class, score, label.
        self.coming: tuple[int, int, int, int] | None = None
        self.lane_moved = False
        self.told = dict.fromkeys(_EVENTS, False)
        self.counts = dict.fromkeys(_EVENTS, 0)

    async def reset(self) -> None:
        """Nothing moves."""
        names = ("score_valid", "score_lane", "score_class", "score", "labels", "clear", "margin")
        await start(self.dut, **{**dict.fromkeys(names, 0), "clear": 1}, classes=1, enable=1)
        drive(self.dut, clear=0)

    def choose(self, classes: int, margin: int) -> None:
        """Another network."""
        self.classes, self.margin = classes, margin

    def label(self, labels: list[int]) -> None:
        """Another batch's labels."""
        self.labels, self.packed = labels, join(labels, 8)

    async def cycle(
        self, lane: int = 0, number: int = 0, score: int | None = None, clear: bool = False,
        reset: bool = False,
    ) -> None:  # fmt: skip
        """One cycle, with the score of a class of a lane or none, and what was on the wires."""
        dut, rng, valid = self.dut, self.rng, score is not None
        if score is None:
            score, lane = int(rng.integers(1 << self.bits)), int(rng.integers(self.lanes))
            number = int(rng.integers(self.classes))
        drive(dut, enable=self.enable, classes=self.classes, margin=self.margin, clear=clear,
              labels=self.packed, score_valid=valid, score_lane=lane, score_class=number,
              score=score & (1 << self.bits) - 1, reset=reset)  # fmt: skip
        await edge(dut)
        self.compare()
        # What the score of the cycle before moves is forgotten, too; what this cycle's does is not.
        came, self.coming = self.coming, None
        self.judge(came, keeps=not clear)
        if clear:
            self.moving = {}
        if valid and self.enable:
            self.coming = (lane, number, score, self.labels[lane])
        if reset:
            self.coming, self.lane_moved = None, False
            self.told = dict.fromkeys(_EVENTS, False)

    def judge(self, came: tuple[int, int, int, int] | None, keeps: bool) -> None:
        """What the score of the cycle before does."""
        self.told = dict.fromkeys(_EVENTS, False)
        if came is None:
            return
        lane, number, score, label = came
        is_class = label < self.classes
        towards = number == label
        moves_it = is_class and (score if towards else -score) < self.margin
        if moves_it and keeps:
            self.moving[lane, number] = towards
        self.lane_moved |= moves_it
        if number == self.classes - 1:
            self.told["learnt"] = is_class
            self.told["moved"] = self.lane_moved
            self.told["bad_label"] = not is_class and label != NO_LABEL
            self.lane_moved = False

    def compare(self) -> None:
        """Every output."""
        dut = self.dut
        for name, want in self.told.items():
            assert bool(getattr(dut, name).value) == want, name
            self.counts[name] += want
        moving = sum(1 << number * self.lanes + lane for lane, number in self.moving)
        assert int(dut.moves.value) == moving, f"{int(dut.moves.value):#x}, not {moving:#x}"
        if self.moving:
            ups = str(dut.ups.value)[::-1]
            for (lane, number), towards in self.moving.items():
                assert ups[number * self.lanes + lane] == str(int(towards))

    def scores(self, count: int) -> np.ndarray:
        """Random ones around the margin, around 0, and at both ends: (count, classes)."""
        low, high = -(1 << self.bits - 1), (1 << self.bits - 1) - 1
        near = [self.margin + n for n in (-1, 0, 1)]
        some = [low, low + 1, high - 1, high, -1, 0, 1, *near, *(-n for n in near)]
        scores = self.rng.choice(some, (count, self.classes))
        wild = self.rng.integers(low, high + 1, scores.shape)
        return np.where(self.rng.random(scores.shape) < 0.3, wild, scores).clip(low, high)

    def some_labels(self) -> list[int]:
        """Classes, numbers beyond them, none."""
        beyond = [min(254, self.classes), self.most, min(254, self.most + 1), 127, 254]
        kinds = [int(self.rng.integers(self.classes)), int(self.rng.choice(beyond)), NO_LABEL]
        return self.rng.choice(kinds, self.lanes, p=(0.7, 0.2, 0.1)).tolist()

    async def batch(self, count: int, comes: Iterable[bool]) -> np.ndarray:
        """Scores of `count` images, where `comes` says so; what moves is compared."""
        come = iter(comes)
        self.label(self.some_labels())
        scores = self.scores(count)
        before = dict(self.counts)
        await self.cycle(clear=True)
        for lane in range(count):
            for number in range(self.classes):
                while not next(come):
                    await self.cycle()
                await self.cycle(lane, number, int(scores[lane, number]))
        await self.cycle()
        await self.cycle()
        labels = np.array(self.labels[:count])
        want = moves(scores, labels, self.margin)
        if not self.enable:
            want[:] = 0
        got = np.zeros_like(want)
        for (lane, number), towards in self.moving.items():
            got[lane, number] = 1 if towards else -1
        assert (got == want).all()
        known = labels < self.classes
        refused = ~known & (labels != NO_LABEL)
        sums = (int(known.sum()), int(want.any(axis=1).sum()), int(refused.sum()))
        told = tuple(self.counts[name] - before[name] for name in _EVENTS)
        assert told == (sums if self.enable else (0, 0, 0))
        return want


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def batches(dut: Any) -> None:
    """Batches of one image to all lanes, of networks of one class to all, with margins at both
    ends, with gaps or none."""
    bench = Bench(dut, seed=1)
    await bench.reset()
    ups = downs = 0
    every = sorted({1, (bench.most + 1) // 2, bench.most - 1 or 1, bench.most})
    for margin in (0, 1, 32, 254, 255):
        for classes in every:
            bench.choose(classes, margin)
            for count in (1, 1, 1, bench.lanes):
                moved = await bench.batch(count, hold(bench.rng, 2, 2 * (margin % 2)))
                ups, downs = ups + (moved == 1).sum(), downs + (moved == -1).sum()
    assert ups > 2 and (downs > 10 or bench.most == 1)


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def every_score_around_the_margin(dut: Any) -> None:
    """A single lane's class, label or not, with each score near plus and minus the margin."""
    bench = Bench(dut, seed=2)
    await bench.reset()
    low, high = -(1 << bench.bits - 1), (1 << bench.bits - 1) - 1
    for margin in (0, 1, 2, 3, 128, 255):
        bench.choose(bench.most, margin)
        for label in {0, bench.most - 1}:
            bench.label([label] * bench.lanes)
            around = {0, low, high, low // 2, high // 2, -margin, margin}
            for score in sorted({at + more for at in around for more in range(-2, 3)}):
                if low <= score <= high:
                    await bench.cycle(clear=True)
                    for number in sorted({0, bench.most - 1}):
                        await bench.cycle(bench.lanes - 1, number, score)
        await bench.cycle()


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def every_label(dut: Any) -> None:
    """Each of the 256 numbers as a label, of all classes and of half of them."""
    bench = Bench(dut, seed=3)
    await bench.reset()
    for classes in {bench.most, (bench.most + 1) // 2}:
        bench.choose(classes, 255)
        for label in range(256):
            bench.label([label] * bench.lanes)
            for number in sorted({0, min(label, classes - 1), classes - 1}):
                await bench.cycle(0, number, 0)
            await bench.cycle(clear=True)
        await bench.cycle()


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def anything(dut: Any) -> None:
    """The next batch, switched off or not, and resets in every cycle around scores; labels that
    change behind a score are another batch's."""
    bench = Bench(dut, seed=4)
    await bench.reset()
    rng = bench.rng
    for turn in range(1500):
        if turn % 60 == 0:
            await bench.cycle()
            await bench.cycle(reset=True)
            bench.choose(int(rng.integers(1, bench.most + 1)), int(rng.choice([0, 1, 9, 255])))
        if turn % 7 == 0:
            bench.label(bench.some_labels())
        if rng.random() < 0.1:
            bench.enable = bool(rng.random() < 0.8)
        strobes = {"clear": bool(rng.random() < 0.05), "reset": bool(rng.random() < 0.02)}
        if rng.random() < 0.7:
            number = int(rng.choice([bench.classes - 1, int(rng.integers(bench.classes))]))
            score = int(bench.scores(1)[0, 0])
            await bench.cycle(int(rng.integers(bench.lanes)), number, score, **strobes)
        else:
            await bench.cycle(**strobes)
    bench.enable = False
    await bench.cycle()
    await bench.cycle()
    for _ in range(3):
        await bench.batch(bench.lanes, repeat(True))
    assert not bench.moving
