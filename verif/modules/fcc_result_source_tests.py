# SPDX-License-Identifier: Apache-2.0
"""Result packets of whole and partial batches, against the scores that were handed over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, hold, join, settings, start
from xnor_fcc.geometry import ceil_div


@dataclass(frozen=True)
class Batch:
    """Identity and scores (lanes, classes) of a batch of `count` images, each in the lowest of its
    `share` lanes; the other lanes hold nonsense."""

    count: int
    share: int
    ids: tuple[int, ...]
    stamp: int
    scores: np.ndarray

    def beats(self) -> list[tuple[int, int, int]]:
        """(data, startofpacket, endofpacket) of all packets."""
        beats = []
        for lane in range(0, self.count * self.share, self.share):
            scores = self.scores[lane].tolist()
            best = scores.index(max(scores))
            data = [score & 0xFFFF_FFFF for score in scores] + [best << 16 | self.ids[lane]]
            beats += [(d, int(i == 0), int(i == len(scores))) for i, d in enumerate(data)]
        return beats


class Bench:
    """Hands over batches, takes packets, and watches every cycle."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        built = settings()["parameters"]
        self.lanes: int = built["LANES"]
        # Lanes of an image, images of a batch.
        self.share = 2 if settings()["pairs"] else 1
        self.room = self.lanes // self.share
        self.pe: int = built["PE"]
        self.max_classes: int = built["MAX_CLASSES"]
        self.score_bits: int = built["SCORE_BITS"]
        self.group_bits: int = built["GROUP_BITS"]
        self.rng = np.random.default_rng(seed)
        self.now = 0xFFFF_FF00  # wraps during the test
        self.cycles = 0
        self.beats: list[tuple[int, int, int]] = []
        self.presented: list[int] = []  # cycle in which each beat was first shown
        self.held: tuple[int, int, int] | None = None
        self.sent: list[int] = []  # cycles of results_sent
        self.images_sent = 0
        self.takes: Iterator[bool] = iter(repeat(True))
        # Whose score leaves next; the one that was told in the cycle before.
        self.next_score = (0, 0)
        self.told: int | None = None

    async def reset(self, takes: Iterable[bool] = repeat(True)) -> None:
        """Empty, with a sink that is ready where `takes` says so."""
        self.takes = iter(takes)
        names = ("begin_batch", "scores_done", "scores_group", "scores", "parity", "batch_count")
        drive(self.dut, pairs=settings()["pairs"], batch_ids=0, batch_stamp=0)
        await start(self.dut, classes=1, aso_ready=0, now=0, **dict.fromkeys(names, 0))

    def batch(self, classes: int, count: int, spread: int) -> Batch:
        """Random scores of magnitude up to `spread`, every class with one parity for all lanes."""
        limit = min(spread, (1 << (self.score_bits - 1)) - 2)
        parity = self.rng.integers(0, 2, classes)
        halves = self.rng.integers(-(limit + 1) // 2, limit // 2 + 1, (self.lanes, classes))
        if self.rng.random() < 0.3:  # the extremes
            ends = [-(1 << (self.score_bits - 2)), (1 << (self.score_bits - 2)) - 1]
            halves = self.rng.choice(ends, halves.shape)
        ids = tuple(self.rng.integers(0, 1 << 16, self.lanes).tolist())
        stamp = int(self.rng.integers(0, 1 << 32))
        return Batch(count, self.share, ids, stamp, 2 * halves + parity)

    async def cycle(self, **inputs: int) -> None:
        """One cycle with the given inputs, and nonsense where nothing is handed over."""
        dut, rng = self.dut, self.rng
        ready = next(self.takes)
        drive(dut, aso_ready=ready, now=self.now & 0xFFFF_FFFF)
        if "begin_batch" not in inputs:
            drive(dut, begin_batch=0, batch_count=int(rng.integers(0, self.lanes + 1)))
            drive(dut, batch_ids=0, batch_stamp=0)
        if "scores_done" not in inputs:
            drive(dut, scores_done=0, scores_group=int(rng.integers(0, 1 << self.group_bits)))
            drive(dut, parity=0, scores=0)
        drive(dut, **inputs)
        await edge(dut)
        shown = None
        if dut.aso_valid.value:
            shown = (
                int(dut.aso_data.value),
                int(dut.aso_startofpacket.value),
                int(dut.aso_endofpacket.value),
            )
            assert dut.busy.value
            if self.held is None:
                self.presented.append(self.cycles)
        assert self.held in (None, shown), "a beat was withdrawn or changed before it was taken"
        if self.held is None:
            score = shown[0] if shown and not shown[2] else None
            assert score == self.told, "a score that was not told, or another one"
        else:
            assert self.told is None, "a score was told for which there was no room"
        self.told = self.tell()
        taken = shown is not None and ready
        if taken and shown is not None:
            self.beats.append(shown)
            self.images_sent += shown[2]
        assert bool(dut.image_sent.value) == (taken and shown is not None and shown[2] == 1)
        self.held = None if taken else shown
        if dut.results_sent.value:
            self.sent.append(self.cycles)
            self.next_score = (0, 0)
        self.now += 1
        self.cycles += 1

    def tell(self) -> int | None:
        """The score that is on its way out, as its beat will have it."""
        dut = self.dut
        if not dut.score_valid.value:
            return None
        lane, number = int(dut.score_lane.value), int(dut.score_class.value)
        assert (lane, number) == self.next_score
        last = number == int(dut.classes.value) - 1
        self.next_score = (lane + self.share, 0) if last else (lane, number + 1)
        return int(dut.score.value.to_signed()) & 0xFFFF_FFFF

    async def hand_over(self, batch: Batch, gaps: Iterator[bool], more_groups: int = 0) -> None:
        """Identity, then group after group of scores, the last one first, as the lanes finish
        them."""
        classes = batch.scores.shape[1]
        await self.cycle(
            begin_batch=1,
            batch_count=batch.count * batch.share,
            batch_ids=join(batch.ids, 16),
            batch_stamp=batch.stamp,
        )
        groups = ceil_div(classes, self.pe) + more_groups
        padded = self.rng.integers(-2, 2, (self.lanes, groups * self.pe))
        padded[:, :classes] = batch.scores
        for group in reversed(range(groups)):
            while not next(gaps):
                await self.cycle()
            mine = padded[:, group * self.pe : (group + 1) * self.pe]
            await self.cycle(
                scores_done=1,
                scores_group=group,
                scores=join((mine >> 1).ravel().tolist(), self.score_bits - 1),
                parity=join((mine[0] & 1).tolist(), 1),
            )

    async def until_sent(self, count: int) -> None:
        """Wait for the `count`-th results_sent."""
        for _ in range(5000):
            if len(self.sent) >= count:
                return
            await self.cycle()
        raise AssertionError("the results do not leave")

    async def run(self, batches: list[Batch], gaps: Iterable[bool], more_groups: int = 0) -> None:
        """One batch after the other, each handed over as soon as the one before is sent."""
        gap = iter(gaps)
        for number, batch in enumerate(batches, 1):
            await self.hand_over(batch, gap, more_groups)
            await self.until_sent(number)
        for _ in range(5000):
            if not self.dut.busy.value:
                break
            await self.cycle()
        for _ in range(20):
            await self.cycle()
        assert self.beats == [beat for batch in batches for beat in batch.beats()]
        assert self.images_sent == sum(batch.count for batch in batches)
        assert len(self.sent) == len(batches), "results_sent is not once a batch"


@cocotb.test(timeout_time=200, timeout_unit="us")
async def timing_and_latency(dut: Any) -> None:
    """First beat 2 cycles after the last scores, one a cycle; LATENCY counts to the first class."""
    bench = Bench(dut, seed=1)
    for classes in range(1, bench.max_classes + 1):
        for count in range(1, bench.room + 1):
            await bench.reset()
            drive(dut, classes=classes)
            bench.presented, bench.beats = [], []
            batch = bench.batch(classes, count, 1 << 30)
            await bench.hand_over(batch, iter(repeat(True)))
            last, now = bench.cycles - 1, bench.now - 1
            before = len(bench.sent)
            await bench.until_sent(before + 1)
            for _ in range(3):
                await bench.cycle()
            beats = count * (classes + 1)
            assert bench.beats == batch.beats()
            assert bench.presented == list(range(last + 2, last + 2 + beats))
            assert bench.sent[before:] == [last + beats], "the copy is free too late"
            want = now + 2 + classes - batch.stamp & 0xFFFF_FFFF
            assert int(dut.latency.value) == want
            assert not dut.busy.value


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def backpressure(dut: Any) -> None:
    """Whole and partial batches, ties and extremes, through a sink that is ready now and then."""
    for number, (busy, idle) in enumerate(((1, 0), (5, 1), (1, 1), (1, 4), (2, 30))):
        bench = Bench(dut, seed=20 + number)
        rng = np.random.default_rng(200 + number)
        await bench.reset(hold(rng, busy, idle))
        for classes in range(1, bench.max_classes + 1, 1 + number // 2):
            drive(dut, classes=classes)
            batches = [
                bench.batch(classes, int(rng.integers(1, bench.room + 1)), spread)
                for spread in (0, 2, 9, 1 << 30)
            ]
            await bench.run(batches, hold(rng, 1, number))
            bench.beats, bench.sent, bench.images_sent = [], [], 0


@cocotb.test(timeout_time=200, timeout_unit="us")
async def last_beat_waits(dut: Any) -> None:
    """The last beat of a batch, not yet taken, stands while the next batch is handed over."""
    bench = Bench(dut, seed=3)
    classes = bench.max_classes
    batches = [bench.batch(classes, bench.room, 50) for _ in range(2)]
    await bench.reset()
    drive(dut, classes=classes)
    await bench.hand_over(batches[0], iter(repeat(True)))
    await bench.until_sent(1)
    bench.takes = iter(repeat(False))
    await bench.hand_over(batches[1], iter(repeat(True)))
    for _ in range(50):
        await bench.cycle()
    assert bench.beats == batches[0].beats()[:-1]
    assert len(bench.sent) == 1 and dut.busy.value
    bench.takes = iter(repeat(True))
    await bench.until_sent(2)
    for _ in range(3):
        await bench.cycle()
    assert bench.beats == batches[0].beats() + batches[1].beats()


@cocotb.test(timeout_time=200, timeout_unit="us")
async def more_groups_than_classes(dut: Any) -> None:
    """An output layer with more groups than the classes need overwrites nothing."""
    bench = Bench(dut, seed=4)
    await bench.reset()
    room = (1 << bench.group_bits) - ceil_div(bench.max_classes, bench.pe)
    for more in (1, 2, 3, 9):
        if more > room:
            continue
        drive(dut, classes=bench.max_classes)
        batches = [bench.batch(bench.max_classes, bench.room, 1 << 30) for _ in range(2)]
        await bench.run(batches, repeat(True), more)
        bench.beats, bench.sent, bench.images_sent = [], [], 0


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def reset_while_sending(dut: Any) -> None:
    """A reset in any cycle withdraws what is being sent, and the next batch is answered whole."""
    bench = Bench(dut, seed=5)
    await bench.reset()
    drive(dut, classes=bench.max_classes)
    beats = bench.room * (bench.max_classes + 1)
    for cycles in [*range(min(beats + 5, 24)), *range(max(24, beats - 3), beats + 5)]:
        bench.takes = iter(repeat(cycles % 2 == 0))
        await bench.hand_over(bench.batch(bench.max_classes, bench.room, 50), iter(repeat(True)))
        for _ in range(cycles):
            await bench.cycle()
        drive(dut, reset=1)
        await bench.cycle()
        drive(dut, reset=0)
        bench.held, bench.told, bench.next_score = None, None, (0, 0)
        await bench.cycle()
        assert not dut.aso_valid.value and not dut.busy.value and int(dut.latency.value) == 0
        bench.takes = iter(repeat(True))
        bench.beats, bench.sent, bench.images_sent = [], [], 0
        await bench.run([bench.batch(bench.max_classes, bench.room, 50)], repeat(True))
        bench.beats, bench.sent, bench.images_sent = [], [], 0
