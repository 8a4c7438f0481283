# SPDX-License-Identifier: Apache-2.0
"""Batches of images, cycle by cycle against a list of what waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, fields, hold, known, settings, start


@dataclass(frozen=True)
class Image:
    """A staged image; `stamp` is the cycle of its last beat."""

    bits: int
    id: int
    stamp: int
    residual: int = 0
    label: int = 0


class Bench:
    """Stages images, plays the sequencer, and knows what waits."""

    def __init__(self, dut: Any, seed: int) -> None:
        built = settings()["parameters"]
        self.dut = dut
        self.capacity: int = built["CAPACITY"]
        # Marks that a batcher of order 1 does not look at.
        self.marks: dict[str, int] = {name: settings()[name] for name in ("pairs", "planes")}
        self.pairs, self.planes = (built["ORDER"] == 2 and mark for mark in self.marks.values())
        # Lanes of an image, images of a batch.
        self.share = 2 if self.pairs else 1
        self.room: int = built["LANES"] // self.share
        self.rng = np.random.default_rng(seed)
        self.now = 0xFFFF_FFC0  # wraps during the test
        self.timeout = 0
        self.enable = True
        self.staged: Image | None = None
        self.waiting: list[Image] = []
        self.last_take = 0
        self.taken = False
        self.loaded: list[Image] = []
        self.batches: list[list[Image]] = []
        self.sent: list[Image] = []

    async def reset(self, timeout: int) -> None:
        """Empty."""
        self.timeout = timeout
        names = ("now", "staged_valid", "staged_bits", "staged_id", "batch_taken", "load_image")
        drive(self.dut, staged_residual=0, staged_label=0, **self.marks)
        await start(self.dut, enable=1, timeout=timeout, **dict.fromkeys(names, 0))

    def lanes(self, image: Image) -> list[int]:
        """What the lanes of an image take, the lower one first."""
        low = image.residual if self.planes else image.bits
        return [low, image.bits] if self.pairs else [image.bits]

    def stage(self) -> None:
        """A new image whose last beat was in the cycle before."""
        bits, residual = (
            int.from_bytes(self.rng.bytes(self.capacity // 8 + 1), "little")
            & ((1 << self.capacity) - 1)
            for _ in range(2)
        )
        number, label = int(self.rng.integers(1 << 16)), int(self.rng.integers(1 << 8))
        image = Image(bits, number, self.now - 1, residual, label)
        self.staged = image
        self.sent.append(image)

    async def cycle(
        self, take_batch: bool = False, load: bool = False, reset: bool = False
    ) -> bool:
        """One cycle; True if a batch is offered."""
        dut = self.dut
        shown = self.staged or Image(0, 0xDEAD, 0)
        drive(
            dut,
            reset=reset,
            enable=self.enable,
            now=self.now & 0xFFFF_FFFF,
            staged_valid=self.staged is not None,
            staged_bits=shown.bits,
            staged_residual=shown.residual,
            staged_id=shown.id,
            staged_label=shown.label,
            batch_taken=take_batch,
            load_image=load,
        )
        await edge(dut)
        ready = len(self.waiting) < self.room and not load
        assert bool(dut.staged_ready.value) == ready
        assert bool(dut.waiting.value) == bool(self.waiting)
        complete = len(self.waiting) == self.room or not self.enable
        expired = self.now >= self.last_take + 1 + self.timeout
        offered = bool(self.waiting) and not self.taken and (complete or expired)
        assert bool(dut.batch_valid.value) == offered, f"{len(self.waiting)} images wait"
        if self.loaded:
            count = len(self.loaded) * self.share
            assert int(dut.batch_count.value) == count
            ids = fields(int(dut.batch_ids.value), 16, count)
            assert ids == [image.id for image in self.loaded for _ in range(self.share)]
            labels = fields(known(dut.batch_labels), 8, count)
            assert labels == [image.label for image in self.loaded for _ in range(self.share)]
            assert int(dut.batch_stamp.value) == self.loaded[0].stamp & 0xFFFF_FFFF
        if load:
            want = [bits for image in self.waiting for bits in self.lanes(image)]
            assert fields(int(dut.images.value), self.capacity, len(want)) == want
            self.loaded, self.waiting, self.taken = self.waiting, [], False
            self.batches.append(self.loaded)
        if take_batch:
            self.taken = True
        if self.staged is not None and ready:
            self.waiting.append(self.staged)
            self.staged = None
            self.last_take = self.now
        if reset:
            self.waiting, self.taken, self.staged = [], False, None
        self.now += 1
        return offered

    async def run(
        self, count: int, comes: Iterator[bool], takes: Iterator[bool], load_after: int = 2
    ) -> None:
        """`count` images that come where `comes` says so, to a sequencer that takes so."""
        left = count
        steps: deque[str] = deque()
        for _ in range(20_000):
            if left and self.staged is None and next(comes):
                self.stage()
                left -= 1
            step = steps.popleft() if steps else ""
            offered = await self.cycle(step == "take", step == "load")
            if offered and not steps and step != "take" and next(takes):
                steps.extend(["take", *[""] * (load_after - 1), "load"])
            if not (left or self.staged or self.waiting):
                break
        assert [image for batch in self.batches for image in batch] == self.sent
        self.batches, self.sent = [], []


@cocotb.test(timeout_time=500, timeout_unit="us")
async def full_batches(dut: Any) -> None:
    """Images without a pause make full batches only, for a sequencer that is fast or slow."""
    for mean in (0, 1, 30):
        bench = Bench(dut, seed=10 + mean)
        rng = np.random.default_rng(100 + mean)
        await bench.reset(timeout=1000)
        batches = []
        for _ in range(4):
            await bench.run(5 * bench.room, iter(repeat(True)), iter(hold(rng, 1, mean)))
            batches.append(len(bench.loaded))
        assert batches == [bench.room] * 4


@cocotb.test(timeout_time=500, timeout_unit="us")
async def partial_after_timeout(dut: Any) -> None:
    """A batch that is not full starts after exactly `timeout` cycles without another image."""
    for timeout in (0, 1, 2, 17, 100):
        bench = Bench(dut, seed=20 + timeout)
        await bench.reset(timeout)
        for images in range(1, bench.room if timeout > 1 else min(2, bench.room)):
            for number in range(images):
                bench.stage()
                assert not await bench.cycle()
                # All but the last come in time, the second one at the last moment.
                if number < images - 1:
                    for _ in range(timeout - 1 if number == 0 else timeout // 2):
                        assert not await bench.cycle()
            for _ in range(timeout):
                assert not await bench.cycle()
            for _ in range(3):
                assert await bench.cycle(), "not offered, or not for long enough"
            await bench.cycle(take_batch=True)
            await bench.cycle()
            await bench.cycle(load=True)
            assert len(bench.batches[-1]) == images
            for _ in range(timeout + 3):
                assert not await bench.cycle(), "offered twice"


# Around each power of 2, where a counter of fewer bits goes wrong, and the most there is.
_LONG = [
    timeout for bits in range(8, 33) for timeout in ((1 << bits) - 1, 1 << bits, (1 << bits) + 1)
    if timeout < 1 << 32
]  # fmt: skip


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def long_timeouts(dut: Any) -> None:
    """Timeouts of up to 2^32 - 1 cycles: the first cycles of them and the last ones, those between
    left out."""
    bench = Bench(dut, seed=21)
    if bench.room == 1:
        return
    await bench.reset(0)
    for timeout in _LONG:
        bench.timeout = timeout
        drive(dut, timeout=timeout)
        bench.stage()
        for _ in range(20):
            assert not await bench.cycle(), f"over at once, of {timeout} cycles"
        # Some down to the last cycles, some to more than a byte of them.
        skipped = bench.last_take + 1 + timeout - bench.now - (270 if timeout % 3 else 8)
        if skipped > 0:
            dut.left_reg.value = int(dut.left_reg.value) - 1 - skipped
            bench.last_take -= skipped
        while bench.now < bench.last_take + 1 + timeout:
            await bench.cycle()
        assert await bench.cycle(), f"not over in time, of {timeout} cycles"
        await bench.cycle(reset=True)


@cocotb.test(timeout_time=500, timeout_unit="us")
async def stamps_of_any_time(dut: Any) -> None:
    """Images whose last beats came around 2^8, 2^16, 2^24 and 2^32 cycles, staged at once or after
    a wait for a lane, in batches that are taken later."""
    bench = Bench(dut, seed=22)
    await bench.reset(timeout=3)
    for bits in (8, 16, 24, 31, 32):
        for early in range(6):
            bench.now = (1 << bits) - early
            bench.last_take = bench.now
            await bench.run(2 * bench.room + 1, iter(repeat(True)), iter(repeat(True)))


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def events_in_every_cycle(dut: Any) -> None:
    """A reset, the end of running and its return in each cycle of two batches' way: every output in
    every cycle."""
    for event in ("reset", "stop", "restart"):
        for moment in range(14):
            bench = Bench(dut, seed=80 + moment)
            await bench.reset(timeout=2)
            steps: deque[str] = deque()
            for cycle in range(24):
                if bench.staged is None and cycle % 2 == moment % 2 and len(bench.sent) < 3:
                    bench.stage()
                if event != "reset" and cycle == moment:
                    bench.enable = False
                if event == "restart" and cycle == moment + 1:
                    bench.enable = True
                cut = event == "reset" and cycle == moment
                step = steps.popleft() if steps else ""
                offered = await bench.cycle(step == "take", step == "load", cut)
                if cut:
                    steps.clear()
                elif offered and not steps and step != "take":
                    steps.extend(["take", "", "load"])


@cocotb.test(timeout_time=500, timeout_unit="us")
async def lone_lane_never_waits(dut: Any) -> None:
    """A batch that is full is offered in the cycle after its last image, whatever the timeout."""
    bench = Bench(dut, seed=30)
    await bench.reset(timeout=0xFFFF_FFFF)
    for _ in range(bench.room):
        assert not await bench.cycle()
        bench.stage()
        assert not await bench.cycle()
    assert await bench.cycle()


@cocotb.test(timeout_time=500, timeout_unit="us")
async def disabling_flushes(dut: Any) -> None:
    """Disabled, a partial batch starts at once; an image still staged starts in the next one."""
    bench = Bench(dut, seed=40)
    await bench.reset(timeout=1000)
    for images in range(1, bench.room + 1):
        bench.enable = True
        for _ in range(images):
            bench.stage()
            await bench.cycle()
        bench.enable = False
        assert await bench.cycle()
        await bench.run(1, iter(repeat(True)), iter(repeat(True)))


@cocotb.test(timeout_time=500, timeout_unit="us")
async def images_before_the_load(dut: Any) -> None:
    """An image that comes between a batch's start and its load still travels with it."""
    bench = Bench(dut, seed=50)
    await bench.reset(timeout=0)
    for late in range(bench.room):
        bench.stage()
        await bench.cycle()
        assert await bench.cycle()
        await bench.cycle(take_batch=True)
        for _ in range(late):
            bench.stage()
            await bench.cycle()
        bench.stage()  # comes too late: in the very cycle of the load
        await bench.cycle(load=True)
        assert len(bench.batches[-1]) == 1 + late
        await bench.cycle()
        assert len(bench.waiting) == 1
        await bench.run(0, iter(repeat(True)), iter(repeat(True)))


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def random_arrivals(dut: Any) -> None:
    """Images and batches at random times, several timeouts and distances to the load."""
    for number, timeout in enumerate((0, 1, 5, 23)):
        bench = Bench(dut, seed=60 + number)
        rng = np.random.default_rng(600 + number)
        await bench.reset(timeout)
        for idle, slow in ((0, 5), (3, 0), (10, 3), (30, 40)):
            comes: Iterable[bool] = hold(rng, 3, idle)
            await bench.run(25, iter(comes), iter(hold(rng, 1, slow)), load_after=2 + number)


@cocotb.test(timeout_time=500, timeout_unit="us")
async def reset_forgets(dut: Any) -> None:
    """A reset empties the lanes, whether a batch waits or has been taken."""
    bench = Bench(dut, seed=70)
    for taken in (False, True):
        await bench.reset(timeout=0)
        bench.stage()
        await bench.cycle()
        await bench.cycle()
        if taken:
            await bench.cycle(take_batch=True)
        await bench.cycle(reset=True)
        bench.sent, bench.batches = [], []
        for _ in range(5):
            assert not await bench.cycle()
        await bench.run(2 * bench.room, iter(repeat(True)), iter(repeat(True)))
