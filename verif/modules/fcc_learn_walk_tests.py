# SPDX-License-Identifier: Apache-2.0
"""Walks of many sizes, every cycle against the order in which synapses and chunks have to come."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import Any

import cocotb
import numpy as np

from golden.learn_walk import Cycle, Walk
from modules.unit import drive, edge, fields, join, known, start

_COUNT = 14


class Bench:
    """All walks at once."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        self.rng = np.random.default_rng(seed)
        self.walks: list[Walk] = []
        # What is to come of each.
        self.coming: list[deque[Cycle]] = [deque() for _ in range(_COUNT)]
        self.words, self.groups, self.is_image = ([1] * _COUNT for _ in range(3))
        self.finished = [0] * _COUNT

    async def reset(self) -> None:
        """None under way."""
        await start(self.dut, start=0, words=0, groups=0, is_image=0)
        sizes = fields(int(self.dut.sizes.value), 16, 4 * _COUNT)
        self.walks = [Walk(*sizes[4 * n : 4 * n + 4]) for n in range(_COUNT)]
        assert {walk.pe for walk in self.walks} >= {1, 3, 5, 31, 32, 33, 69}
        assert {walk.simd for walk in self.walks} >= {1, 7, 64, 205}

    def choose(self, n: int, words: int, groups: int, is_image: bool) -> None:
        """The next layer of a walk."""
        self.words[n], self.groups[n], self.is_image[n] = words, groups, int(is_image)

    async def cycle(self, begin: Collection[int] = (), reset: bool = False) -> None:
        """One cycle, in which some begin."""
        dut = self.dut
        drive(dut, start=sum(1 << n for n in begin), reset=reset, words=join(self.words, 16),
              groups=join(self.groups, 16), is_image=join(self.is_image, 1))  # fmt: skip
        await edge(dut)
        want = [coming.popleft() if coming else Cycle() for coming in self.coming]
        for name in ("take", "give", "rotate", "done"):
            packed = sum(getattr(cycle, name) << n for n, cycle in enumerate(want))
            assert int(getattr(dut, name).value) == packed, f"{name}: {self.layers(packed)}"
        taken = [n for n, cycle in enumerate(want) if cycle.take]
        for name, width in (("first", 1), ("moving", 1), ("row", 16), ("position", 16),
                            ("group", 16), ("place", 16)):  # fmt: skip
            got = known(getattr(dut, name)) if taken else 0
            for n in taken:
                mine = got >> n * width & (1 << width) - 1
                assert mine == getattr(want[n], name), f"{name} of {self.walks[n]}: {want[n]}"
        for n, cycle in enumerate(want):
            self.finished[n] += cycle.done
        for n in begin:
            walk, layer = self.walks[n], (self.words[n], self.groups[n])
            assert not self.coming[n]
            self.coming[n].extend(walk.cycles(*layer, bool(self.is_image[n])))
            assert len(self.coming[n]) == walk.documented(*layer)
        if reset:
            self.coming = [deque() for _ in range(_COUNT)]

    def layers(self, bits: int) -> str:
        """What the walks are at, for a message."""
        every = zip(self.walks, self.words, self.groups, self.is_image, strict=True)
        return f"{bits:#b} of {list(every)}"

    async def all(self) -> None:
        """A walk of each."""
        await self.cycle(range(_COUNT))
        while any(self.coming):
            await self.cycle()
        await self.cycle()


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def smallest_and_largest(dut: Any) -> None:
    """A word and as many as the ring has, a group and as many as there are, of images and of hidden
    bits, one after the other without a cycle between them."""
    bench = Bench(dut, seed=1)
    await bench.reset()
    await bench.cycle()
    waiting: list[deque[tuple[int, int, bool]]] = [
        deque((words, groups, is_image) for words in sorted({1, min(2, walk.ring), walk.ring})
              for groups in sorted({1, walk.groups}) for is_image in (False, True))
        for walk in bench.walks
    ]  # fmt: skip
    total = [len(layers) for layers in waiting]
    while any(waiting) or any(bench.coming):
        begin = [n for n in range(_COUNT) if waiting[n] and not bench.coming[n]]
        for n in begin:
            bench.choose(n, *waiting[n].popleft())
        await bench.cycle(begin)
    await bench.cycle()
    assert bench.finished == total


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def random_walks(dut: Any) -> None:
    """Any layers, with pauses."""
    bench = Bench(dut, seed=2)
    await bench.reset()
    for _ in range(1200):
        begin = [n for n in range(_COUNT) if not bench.coming[n] and bench.rng.random() < 0.1]
        for n in begin:
            walk = bench.walks[n]
            words, groups = (int(bench.rng.integers(1, m + 1)) for m in (walk.ring, walk.groups))
            bench.choose(n, words, groups, bool(bench.rng.integers(2)))
        await bench.cycle(begin)


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def reset_in_every_cycle(dut: Any) -> None:
    """A reset in each of the first cycles and in some later ones ends a walk, and the next one is
    whole."""
    bench = Bench(dut, seed=3)
    await bench.reset()
    for moment in [*range(24), 30, 37, 41, 59]:
        for n, walk in enumerate(bench.walks):
            words = min(walk.ring, 2)
            bench.choose(n, words, min(walk.groups, 2), moment % 2 == 1)
        await bench.cycle(range(_COUNT))
        for _ in range(moment):
            await bench.cycle()
        await bench.cycle(reset=True)
        for _ in range(moment % 3):
            await bench.cycle()
        quick = [n for n, walk in enumerate(bench.walks) if walk.documented(2, 2) < 80]
        assert len(quick) >= 7
        for n in quick:
            bench.choose(n, bench.words[n], 1, moment % 4 < 2)
        await bench.cycle(quick)
        while any(bench.coming):
            await bench.cycle()
    await bench.all()
