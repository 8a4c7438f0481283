# SPDX-License-Identifier: Apache-2.0
"""Offsets, parities and margins loaded through the registers; every output in every cycle."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np

from golden.word_loader import Loader
from modules.unit import drive, edge, fields, settings, start

# Cycles from a step to what belongs to it.
_OFFSET_AT = 6
_PARITY_AT = 8  # one more where ORDER is 2
_MARGINS_AT = 9


@dataclass
class Step:
    """The numbers of the group whose address is given in a cycle, None where they are unknown, and
    whether it is the first step of the group."""

    word: list[int] | None
    first: bool


class Bench:
    """Drives every input in every cycle."""

    def __init__(self, dut: Any, seed: int) -> None:
        built = settings()["parameters"]
        self.dut = dut
        self.pe: int = built["PE"]
        self.bits: int = built["SCORE_BITS"]
        self.depth: int = built["DEPTH"]
        self.margins: bool = built["ORDER"] == 2
        self.rng = np.random.default_rng(seed)
        preset: list[list[int]] | None = settings()["preset"]
        self.contents: list[list[int] | None] = [*preset] if preset else [None] * self.depth
        self.numbers = self.pe * (3 if self.margins else 1)
        self.loader = Loader(
            self.bits, self.numbers * self.bits, self.depth, self.depth if preset else 0
        )
        self.steps: deque[Step] = deque([Step(None, False)] * (_MARGINS_AT + 1))
        self.parity: list[int] | None = None

    async def begin(self) -> None:
        """Clock running, after a reset; what earlier tests have written is not known."""
        names = ("restart", "chunk_valid", "chunk", "step", "first", "address")
        await start(self.dut, **dict.fromkeys(names, 0))

    def _expect(self) -> None:
        """What must be there, by the steps of the cycles before."""
        dut, ago, half = self.dut, self.steps, self.bits - 1
        word = ago[_OFFSET_AT].word
        if word is not None:
            got = fields(int(dut.offset.value), half, self.pe)
            assert got == [number >> 1 for number in word[: self.pe]]
        step = ago[_PARITY_AT + self.margins]
        if step.first:
            self.parity = None if step.word is None else [x & 1 for x in step.word[: self.pe]]
        if self.parity is not None:
            assert fields(int(dut.parity.value), 1, self.pe) == self.parity
        word = ago[_MARGINS_AT].word
        if not self.margins:
            assert (int(dut.up.value), int(dut.down.value)) == (0, 0)
        elif word is not None:
            got = [x for port in (dut.up, dut.down) for x in fields(int(port.value), half, self.pe)]
            assert got == [number & (1 << half) - 1 for number in word[self.pe :]]

    async def cycle(
        self,
        restart: bool = False,
        chunk: bool = False,
        address: int | None = None,
        step: bool = False,
        first: bool = False,
        reset: bool = False,
    ) -> None:
        """A cycle with the given inputs; a chunk is random, an address too unless it is given."""
        dut, loader, rng = self.dut, self.loader, self.rng
        data = int(rng.integers(1 << self.bits))
        where = int(rng.integers(self.depth)) if address is None else address
        drive(dut, reset=reset, restart=restart, chunk_valid=chunk, chunk=data)
        drive(dut, address=where, step=step, first=first)
        await edge(dut)
        assert int(dut.loaded.value) == loader.loaded
        assert bool(dut.overflow.value) == loader.overflow
        word = None if address is None else self.contents[where]
        self.steps.appendleft(Step(word, step and first))
        self.steps.pop()
        self._expect()
        if loader.data is not None:  # written at the end of this cycle
            self.contents[loader.data[1]] = fields(loader.data[2], self.bits, self.numbers)
        if reset:
            loader.reset()
        else:
            loader.cycle(restart, data if chunk else None)

    async def rest(self) -> None:
        """Until all that was given has come out and been written."""
        for _ in range(_MARGINS_AT + 2):
            await self.cycle()

    async def load(self, words: int, pauses: float = 0.0) -> None:
        """Random words, one number after the other."""
        for _ in range(words * self.loader.chunks):
            while self.rng.random() < pauses:
                await self.cycle()
            await self.cycle(chunk=True)
        await self.rest()

    async def read(self, addresses: list[int]) -> None:
        """Each is the first step of its group."""
        for address in addresses:
            await self.cycle(address=address, step=True, first=True)
        await self.rest()

    @property
    def known(self) -> list[int]:
        """Addresses whose words are known."""
        return [a for a, word in enumerate(self.contents) if word is not None]


@cocotb.test(timeout_time=500, timeout_unit="us")
async def preset_words(dut: Any) -> None:
    """What the files hold is there and counts as loaded before anything is written; runs first."""
    bench = Bench(dut, seed=1)
    await bench.begin()
    await bench.read(list(range(bench.depth)))
    # Full: a chunk is one too many.
    await bench.cycle(chunk=True)
    await bench.read(list(range(bench.depth)))


async def _loaded(dut: Any, seed: int) -> Bench:
    """A bench whose words are all known."""
    bench = Bench(dut, seed)
    bench.contents = [None] * bench.depth
    await bench.begin()
    await bench.cycle(restart=True)
    await bench.load(bench.depth)
    assert len(bench.known) == bench.depth
    return bench


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def every_word(dut: Any) -> None:
    """The whole memory, and one number more."""
    bench = await _loaded(dut, seed=2)
    await bench.cycle(chunk=True)
    await bench.cycle()
    order = list(range(bench.depth))
    await bench.read(order + order[::-1] + bench.rng.permutation(order).tolist())


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def loads_again_and_again(dut: Any) -> None:
    """Restarts and resets in mid-word: the words before stay, the next number begins word 0."""
    bench = await _loaded(dut, seed=3)
    for case in range(8):
        await bench.cycle(restart=True)
        await bench.load(int(bench.rng.integers(1, bench.depth + 1)), pauses=0.3)
        for _ in range(int(bench.rng.integers(bench.loader.chunks))):
            await bench.cycle(chunk=True)
        await bench.rest()
        if case % 2:
            await bench.cycle(reset=True)
            await bench.cycle()
        await bench.read(bench.rng.permutation(bench.known).tolist())


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def any_steps(dut: Any) -> None:
    """Parity follows first steps alone, and stays; offsets and margins follow the address. What is
    under way knows no reset."""
    bench = await _loaded(dut, seed=4)
    for _ in range(400):
        address = int(bench.rng.integers(bench.depth))
        step, first = (bool(x) for x in bench.rng.random(2) < 0.4)
        await bench.cycle(address=address, step=step, first=first, reset=bench.rng.random() < 0.05)
    await bench.rest()
