# SPDX-License-Identifier: Apache-2.0
"""Signs into the chunks of weight words, of many sizes, against words that are made as a whole."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, fields, join, known, parities, planes, start
from xnor_fcc.geometry import ceil_div

_COUNT, _CHUNK = 16, 32
# Cycles from `give` to its chunk.
_LATENCY = 2


@dataclass
class Cycle:
    """What one coder is given, and the chunk that comes of it."""

    take: bool = False
    first: bool = False
    group: int = 0
    place: int = 0
    negative: int = 0
    give: bool = False
    clear: bool = False
    chunk: int | None = None


class Coder:
    """One of those in the device under test, and what plays the walk for it."""

    def __init__(self, pe: int, classes: int, rng: np.random.Generator) -> None:
        self.pe, self.classes, self.rng = pe, classes, rng
        self.groups = ceil_div(classes, pe)
        # How likely a cycle without a synapse, and one without a chunk that could be given, is.
        self.pauses = 0.0
        self.chunks = self.words = 0
        self.steps = self.forever()
        # Chunks of this cycle and of those before.
        self.way: deque[int | None] = deque([None] * (_LATENCY + 1), _LATENCY + 1)

    def noise(self) -> Cycle:
        """A cycle in which nothing counts."""
        first, group, place, negative = (
            int(self.rng.integers(high)) for high in (2, self.groups, 32, 1 << 32)
        )
        return Cycle(False, bool(first), group, place, negative)

    def forever(self) -> Iterator[Cycle]:
        """One word after the other; some are cut off, with what is left of them then forgotten."""
        while True:
            synapses = int(self.rng.choice([1, 2, 3, 7, int(self.rng.integers(1, 90))]))
            group = int(self.rng.integers(self.groups))
            signs = self.rng.integers(0, 2, (synapses, self.classes), np.uint8)
            if self.rng.random() < 0.2:
                signs[:] = self.rng.integers(2)
            cut = int(self.rng.integers(synapses)) if self.rng.random() < 0.2 else synapses
            yield from self.word(signs, group, cut)

    def word(self, signs: np.ndarray, group: int, cut: int) -> Iterator[Cycle]:
        """A word of signs (synapses, classes), 1 where a weight is -1, up to synapse `cut`."""
        # Of the group's PEs, none beyond the classes.
        mine = np.zeros((self.pe, len(signs)), np.uint8)
        in_group = signs[:, group * self.pe : (group + 1) * self.pe].T
        mine[: len(in_group)] = parities(in_group)
        packed = planes(mine)
        count = ceil_div(self.pe * len(signs), _CHUNK)
        chunks = iter(fields(packed, _CHUNK, count))
        at = waiting = 0
        while at < len(signs) or waiting:
            if at == cut < len(signs):
                yield from (self.noise() for _ in range(1 + int(self.rng.integers(3))))
                cycle = self.noise()
                cycle.clear = True
                yield cycle
                return
            cycle = self.noise()
            due = waiting >= _CHUNK or at == len(signs)
            if due and self.rng.random() >= self.pauses:
                cycle.give, cycle.chunk = True, next(chunks)
                waiting -= min(waiting, _CHUNK)
                self.chunks += 1
            if at < len(signs) and waiting < _CHUNK and self.rng.random() >= self.pauses:
                cycle.take, cycle.first, cycle.group, cycle.place = True, at == 0, group, waiting
                spare = int(self.rng.integers(1 << 32)) >> self.classes << self.classes
                cycle.negative = spare | join(signs[at].tolist(), 1)
                at, waiting = at + 1, waiting + self.pe
            yield cycle
        self.words += 1


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def words(dut: Any) -> None:
    """Words of 1 to 89 synapses, as fast as they can and with pauses, of all groups; what is left
    of one that was cut off is forgotten."""
    names = ("clear", "take", "first", "group", "place", "negative", "give")
    await start(dut, reset=0, **dict.fromkeys(names, 0))
    sizes = fields(int(dut.sizes.value), 8, 2 * _COUNT)
    rng = np.random.default_rng(1)
    coders = [Coder(sizes[2 * n], sizes[2 * n + 1], rng) for n in range(_COUNT)]
    assert {coder.pe for coder in coders} >= {1, 3, 5, 31, 32, 33, 64, 69}
    assert {coder.classes for coder in coders} >= {1, 4, 5, 10, 32}
    drive(dut, clear=(1 << _COUNT) - 1)
    await edge(dut)
    for turn in range(1600):
        if turn % 400 == 0:
            for coder in coders:
                coder.pauses = (0, 0.4)[turn // 400 % 2]
        every = [next(coder.steps) for coder in coders]
        drive(dut, **{name: join((getattr(cycle, name) for cycle in every), 1)
                      for name in ("clear", "take", "first", "give")},
              group=join((cycle.group for cycle in every), 8),
              place=join((cycle.place for cycle in every), 8),
              negative=join((cycle.negative for cycle in every), 32))  # fmt: skip
        await edge(dut)
        for coder, cycle in zip(coders, every, strict=True):
            coder.way.appendleft(cycle.chunk)
        if turn < _LATENCY:
            continue
        due = [coder.way[_LATENCY] for coder in coders]
        assert int(dut.chunk_valid.value) == sum((c is not None) << n for n, c in enumerate(due))
        got = known(dut.chunk) if any(due) else 0
        for n, want in enumerate(due):
            if want is not None:
                chunk = got >> n * _CHUNK & (1 << _CHUNK) - 1
                where = f"{coders[n].pe} PEs, {coders[n].classes} classes"
                assert chunk == want, f"{where}: {chunk:#x}, not {want:#x}"
    assert all(coder.chunks > 30 and coder.words > 10 for coder in coders)
