# SPDX-License-Identifier: Apache-2.0
"""Words loaded through the registers or streamed in; every output in every cycle."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from golden.word_loader import Loader
from modules.unit import drive, edge, settings, start
from xnor_fcc.geometry import SLICE, ceil_div

_WORD_AT = 4  # cycles from the address and the step to the word
_UNLIMITED = 0x7FFF_FFFF
_RESETS = ("reset", "core_reset", "start")


class Bench:
    """Drives every input in every cycle, with nonsense where it must not count."""

    def __init__(self, dut: Any, seed: int) -> None:
        built = settings()["parameters"]
        self.dut = dut
        self.width: int = built["WIDTH"]
        self.depth: int = built["DEPTH"]
        self.beat: int = built["BEAT"]
        self.beats = ceil_div(self.width, self.beat) if self.beat else 0
        self.rng = np.random.default_rng(seed)
        preset: list[int] | None = settings()["preset"]
        self.contents: list[int | None] = [*preset] if preset else [None] * self.depth
        # Words of which some slices have been written, and nobody knows what was there before.
        self.begun: dict[int, int] = {}
        preset_words = self.depth if preset else 0
        self.loader = Loader(32, self.width, self.depth, preset_words, min(self.width, SLICE))
        # Words that are due, the next one first.
        self.coming: list[int | None] = [None] * _WORD_AT

    def bit(self) -> int:
        """0 or 1."""
        return int(self.rng.integers(2))

    def bits(self, count: int) -> int:
        """Random bits."""
        return int.from_bytes(self.rng.bytes(ceil_div(count, 8)), "little") & (1 << count) - 1

    async def begin(self) -> None:
        """Clock running, after a reset of everything."""
        names = ("restart", "chunk_valid", "chunk", "asi_valid", "asi_data", "asi_startofpacket",
                 "asi_endofpacket", "step", "address", "step_due", "pass_last", "running",
                 "core_busy")  # fmt: skip
        await start(self.dut, core_reset=1, **dict.fromkeys((*names, "start"), 0))
        drive(self.dut, core_reset=0)

    def _word_is(self) -> None:
        """The word of this cycle is the one that is due in it."""
        want = self.coming.pop(0)
        assert want is None or int(self.dut.word.value) == want

    # ---- a memory

    async def memory(
        self, restart: bool = False, chunk: int | None = None, address: int | None = None,
        reset: bool = False,
    ) -> None:  # fmt: skip
        """A cycle of a memory: restart, a chunk, an address to be read."""
        dut, loader = self.dut, self.loader
        drive(dut, reset=reset, restart=restart, chunk_valid=chunk is not None)
        drive(dut, chunk=self.bits(32) if chunk is None else chunk)
        drive(dut, address=int(self.rng.integers(self.depth)) if address is None else address)
        for name in ("core_reset", "start", "running", "core_busy", "asi_valid", "step",
                     "asi_startofpacket", "asi_endofpacket", "step_due", "pass_last"):  # fmt: skip
            drive(dut, **{name: self.bit()})
        await edge(dut)
        assert (dut.ready.value, dut.fault.value, dut.asi_ready.value) == (1, 0, 0)
        assert int(dut.loaded.value) == loader.loaded
        assert bool(dut.overflow.value) == loader.overflow
        self._word_is()
        self.coming.append(None if address is None else self.contents[address])
        if loader.data is not None:  # written at the end of this cycle
            self._written(*loader.data)
        if reset:
            loader.reset()
        else:
            loader.cycle(restart, chunk)

    def _written(self, number: int, address: int, data: int) -> None:
        """A slice of a word."""
        before = self.contents[address]
        word = self.begun.get(address, 0) if before is None else before
        start, size = number * self.loader.size, self.loader.slice_width(number)
        word = word & ~((1 << size) - 1 << start) | data << start
        if before is None and start + size < self.width:
            self.begun[address] = word
        else:
            self.contents[address] = word

    async def rest(self) -> None:
        """Until what was loaded has been written."""
        for _ in range(3):
            await self.memory()

    async def load(self, words: int, pauses: float = 0.0) -> None:
        """Random words, one chunk after the other."""
        for _ in range(words * self.loader.chunks):
            while self.rng.random() < pauses:
                await self.memory()
            await self.memory(chunk=self.bits(32))
        await self.rest()

    async def read(self, addresses: list[int]) -> None:
        """One address a cycle."""
        for address in addresses:
            await self.memory(address=address)
        for _ in range(_WORD_AT):
            await self.memory()

    # ---- a stream

    async def stream(
        self, beat: tuple[int, int, int] | None, due: bool = False, last: bool = False,
        enabled: tuple[int, int] = (1, 1), resets: tuple[int, int, int] = (0, 0, 0),
    ) -> tuple[bool, bool]:  # fmt: skip
        """A cycle of a stream: a beat (data, start, end) is offered, a step is due, the last one of
        its pass or not. Whether the beat was accepted, and the step given."""
        dut = self.dut
        data, begin, end = beat or (self.bits(self.beat), self.bit(), self.bit())
        drive(dut, asi_valid=beat is not None, asi_data=data, asi_startofpacket=begin)
        drive(dut, asi_endofpacket=end, step_due=due, pass_last=last, step=0)
        drive(dut, running=enabled[0], core_busy=enabled[1])
        drive(dut, **dict(zip(_RESETS, resets, strict=True)))
        written = self.bit()
        drive(dut, restart=self.bit(), chunk_valid=written, chunk=self.bits(32))
        drive(dut, address=self.bit())
        await cocotb.triggers.Timer(1, "ns")
        given = due and dut.ready.value == 1
        drive(dut, step=given)
        await edge(dut)
        assert int(dut.loaded.value) == _UNLIMITED
        assert int(dut.overflow.value) == written
        accepted = beat is not None and dut.asi_ready.value == 1
        self._word_is()
        self.coming.append(None)
        return accepted, given

    def packet(self, words: list[int]) -> list[tuple[int, int, int]]:
        """The beats of one packet, surplus bits random."""
        beats = []
        for word in words:
            word |= self.bits(self.beats * self.beat) >> self.width << self.width
            for index in range(self.beats):
                beats.append((word >> index * self.beat & (1 << self.beat) - 1, 0, 0))
        beats[0] = (beats[0][0], 1, beats[0][2])
        beats[-1] = (*beats[-1][:2], 1)
        return beats

    async def passes(self, steps: int, count: int, offers: float, dues: float) -> None:
        """`count` passes of `steps` steps; every word comes 4 cycles after its step."""
        words = [self.bits(self.width) for _ in range(steps * count)]
        beats = [b for i in range(count) for b in self.packet(words[i * steps : (i + 1) * steps])]
        taken = idle = 0
        while taken < len(words):
            offer = beats[0] if beats and self.rng.random() < offers else None
            due = bool(self.rng.random() < dues)
            enabled = ((1, 0), (0, 1), (1, 1))[int(self.rng.integers(3))]
            last = (taken + 1) % steps == 0
            accepted, given = await self.stream(offer, due, last, enabled)
            if accepted:
                beats.pop(0)
            if given:
                self.coming[-1] = words[taken]
                taken += 1
            idle = 0 if accepted or given else idle + 1
            assert idle < 200 and not self.dut.fault.value
        for _ in range(_WORD_AT):
            await self.stream(None)


@cocotb.test(timeout_time=500, timeout_unit="us")
async def preset_words(dut: Any) -> None:
    """What the files hold is there and counts as loaded before anything is written; runs first."""
    bench = Bench(dut, seed=1)
    await bench.begin()
    await bench.read(list(range(bench.depth)))
    # Full: a chunk is one too many.
    await bench.memory(chunk=0)
    await bench.read(list(range(bench.depth)))


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def every_word(dut: Any) -> None:
    """The whole memory, and one chunk more."""
    bench = Bench(dut, seed=2)
    await bench.begin()
    await bench.memory(restart=True)
    await bench.load(bench.depth)
    await bench.memory(chunk=bench.bits(32))
    await bench.memory()
    order = list(range(bench.depth))
    await bench.read(order + order[::-1] + bench.rng.permutation(order).tolist())


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def loads_again_and_again(dut: Any) -> None:
    """Restarts and resets in mid-word: the words before stay, the next chunk begins word 0."""
    bench = Bench(dut, seed=3)
    bench.contents = [None] * bench.depth  # the tests before this one have written
    await bench.begin()
    for case in range(8):
        await bench.memory(restart=True)
        await bench.load(int(bench.rng.integers(1, bench.depth + 1)), pauses=0.3)
        for _ in range(int(bench.rng.integers(bench.loader.chunks))):
            if bench.loader.loaded < bench.depth:
                await bench.memory(chunk=bench.bits(32))
        if case % 2:
            await bench.rest()
            await bench.memory(reset=True)
            await bench.memory()
        known = [a for a, word in enumerate(bench.contents) if word is not None]
        await bench.read(bench.rng.permutation(known).tolist())


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def stream_of_words(dut: Any) -> None:
    """At full rate and with gaps on both sides, taken while the core runs or is busy."""
    bench = Bench(dut, seed=4)
    await bench.begin()
    for steps, offers, dues in ((1, 1.0, 1.0), (5, 1.0, 1.0), (4, 0.4, 1.0), (7, 1.0, 0.3)):
        await bench.passes(steps, 6, offers, dues)


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def stream_is_emptied(dut: Any) -> None:
    """By a reset of the core and by a start, each alone, and not by the reset of the loader; where
    the core neither runs nor is busy, nothing is taken."""
    bench = Bench(dut, seed=5)
    await bench.begin()
    for resets in ((0, 1, 0), (0, 0, 1)):
        # As many words as it takes, none of which is used.
        beats = bench.packet([bench.bits(bench.width) for _ in range(4)])
        accepted = 0
        for _ in range(6 * bench.beats):
            took, _ = await bench.stream(beats[min(accepted, len(beats) - 1)])
            accepted += took
        assert accepted == 2 * bench.beats
        await bench.stream(None, resets=resets)
        await bench.passes(3, 2, 1.0, 1.0)
    for enabled in ((0, 0), (1, 0), (0, 1)):
        took, _ = await bench.stream(bench.packet([0])[0], enabled=enabled)
        assert took == any(enabled)
        await bench.stream(None, resets=(0, 1, 0))
    for beat in bench.packet([0, 0])[: bench.beats]:
        assert (await bench.stream(beat))[0]
    await bench.stream(None)
    await bench.stream(None, resets=(1, 0, 0))
    assert (await bench.stream(None, due=True))[1], "the word is still there"


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def stream_out_of_step(dut: Any) -> None:
    """A packet that ends before its pass, or goes on behind it: a fault, until it is emptied."""
    bench = Bench(dut, seed=6)
    await bench.begin()
    for last in (False, True):
        words = [bench.bits(bench.width)] * (2 if last else 1)
        beats = bench.packet(words)
        for beat in beats[: bench.beats]:
            assert (await bench.stream(beat))[0]
        await bench.stream(None)
        assert not dut.fault.value
        assert not (await bench.stream(None, due=True, last=last))[1]
        for _ in range(3):
            accepted, given = await bench.stream(beats[0], due=True, last=not last)
            assert dut.fault.value == 1 and not accepted and not given
        await bench.stream(None, resets=(0, 1, 0))
        await bench.passes(3, 2, 1.0, 1.0)
