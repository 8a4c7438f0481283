# SPDX-License-Identifier: Apache-2.0
"""Weight words out of packets: every cycle against the rules of the header, and every way in which
packets and passes can be out of step."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, repeat
from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, hold, settings, start
from xnor_fcc.geometry import ceil_div

_WORD_AT = 4  # cycles from `take` to `word`
_READY_AFTER = 2  # from a word's last beat to `ready`, at the earliest


@dataclass(frozen=True)
class Beat:
    """One beat of the weight stream."""

    data: int
    start: bool = False
    end: bool = False


@dataclass(frozen=True)
class Word:
    """A word that has arrived."""

    value: int
    last: bool


class Bench:
    """Sends beats and takes words as a sequencer does that makes passes of `steps` steps."""

    def __init__(self, dut: Any, seed: int) -> None:
        built = settings()["parameters"]
        self.dut = dut
        self.width: int = built["WIDTH"]
        self.beat: int = built["BEAT"]
        self.beats = ceil_div(self.width, self.beat)
        self.rng = np.random.default_rng(seed)
        self.enable = True
        self.clear()

    def clear(self) -> None:
        """What the rules say after a reset."""
        self.cycles = 0
        self.step = 0  # the next one of the pass
        self.arriving: list[Beat] = []
        self.arrived: Word | None = None
        self.waiting: Word | None = None
        self.in_packet = False
        self.fault = False
        self.taken: deque[tuple[int, int]] = deque()  # cycle of `word`, value
        self.words: list[int] = []  # all that have been taken
        self.takes: list[int] = []  # their cycles
        self.last_beats: list[int] = []  # cycles in which words were completed

    async def reset(self) -> None:
        """Empty."""
        names = ("asi_valid", "asi_data", "asi_startofpacket", "asi_endofpacket", "take")
        await start(self.dut, **dict.fromkeys([*names, "step_due", "pass_last", "enable"], 0))
        self.clear()

    def nonsense(self, bits: int) -> int:
        """Random bits."""
        return int.from_bytes(self.rng.bytes(ceil_div(bits, 8)), "little") & ((1 << bits) - 1)

    def packet(self, values: list[int]) -> list[Beat]:
        """The beats of a good packet; surplus bits are random."""
        beats = []
        for value in values:
            value |= self.nonsense(self.beats * self.beat) >> self.width << self.width
            for index in range(self.beats):
                beats.append(Beat(value >> index * self.beat & ((1 << self.beat) - 1)))
        beats[0] = replace(beats[0], start=True)
        beats[-1] = replace(beats[-1], end=True)
        return beats

    async def cycle(self, beat: Beat | None, steps: int, due: bool) -> bool:
        """One cycle: `beat` is offered, a word is taken where a step is due and one is there; True
        where the beat was accepted. All outputs are compared."""
        dut = self.dut
        pass_last = self.step == steps - 1
        in_step = self.waiting is not None and self.waiting.last == pass_last
        ready = in_step and not self.fault
        take = due and ready
        advance = self.arrived is not None and (self.waiting is None or take)
        room = self.enable and not self.fault and (self.arrived is None or advance)

        offered = beat or Beat(self.nonsense(self.beat), *self.rng.integers(0, 2, 2).tolist())
        drive(dut, asi_valid=beat is not None, asi_data=offered.data, enable=self.enable)
        drive(dut, asi_startofpacket=offered.start, asi_endofpacket=offered.end)
        # `pass_last` tells nothing unless a step is due, and then `ready` nothing either.
        nonsense = not due and bool(self.rng.integers(2))
        drive(dut, take=take, pass_last=pass_last != nonsense, step_due=due)
        await edge(dut)
        where = f"cycle {self.cycles}"
        assert bool(dut.asi_ready.value) == room, where
        assert bool(dut.fault.value) == self.fault, where
        if not nonsense:
            assert bool(dut.ready.value) == ready, where
        if self.taken and self.taken[0][0] == self.cycles:
            assert int(dut.word.value) == self.taken.popleft()[1], where

        if self.waiting is not None and due and not in_step:
            self.fault = True
        if take and self.waiting is not None:
            self.taken.append((self.cycles + _WORD_AT, self.waiting.value))
            self.words.append(self.waiting.value)
            self.takes.append(self.cycles)
            self.step = (self.step + 1) % steps
            self.waiting = None
        if advance:
            self.waiting, self.arrived = self.arrived, None
        accepted = beat is not None and room
        if accepted and beat is not None:
            self.receive(beat)
        self.cycles += 1
        return accepted

    def receive(self, beat: Beat) -> None:
        """A beat has been accepted."""
        full = len(self.arriving) == self.beats - 1
        if beat.start == self.in_packet:  # a start in mid packet, or none at the start
            self.fault = True
        if beat.end and not full:
            self.fault = True
        self.in_packet = not beat.end
        self.arriving.append(beat)
        if full:
            value = sum(b.data << i * self.beat for i, b in enumerate(self.arriving))
            self.arrived = Word(value & (1 << self.width) - 1, beat.end)
            self.arriving = []
            self.last_beats.append(self.cycles)

    async def run(
        self,
        beats: list[Beat],
        steps: int,
        offers: Iterable[bool] = repeat(True),
        dues: Iterable[bool] = repeat(True),
        idle: int = 60,
    ) -> int:
        """Send all beats, at most until `idle` cycles in a row do nothing; how many were accepted.
        Once offered, a beat stays."""
        offer, due = iter(offers), iter(dues)
        sent, offered, still = 0, False, 0
        while still < idle:
            offered = sent < len(beats) and (offered or next(offer))
            takes = len(self.takes)
            accepted = await self.cycle(beats[sent] if offered else None, steps, next(due))
            sent += accepted
            offered = offered and not accepted
            still = 0 if accepted or len(self.takes) > takes else still + 1
        return sent

    async def expect_fault(self, steps: int, why: str) -> None:
        """The fault is there and stays until the reset; afterwards all is well again."""
        assert self.fault, f"{why}: no fault"
        taken = len(self.words)
        good = self.packet([self.nonsense(self.width) for _ in range(steps)])
        assert await self.run(good, steps) == 0, why
        assert self.fault and len(self.words) == taken, why
        drive(self.dut, reset=1)
        await edge(self.dut)
        drive(self.dut, reset=0)
        self.clear()
        values = [self.nonsense(self.width) for _ in range(steps)]
        await self.run(self.packet(values), steps)
        assert not self.fault and self.words == values, why


def random_words(bench: Bench, steps: int, passes: int) -> list[list[int]]:
    """The words of some packets."""
    return [[bench.nonsense(bench.width) for _ in range(steps)] for _ in range(passes)]


@cocotb.test(timeout_time=500, timeout_unit="us")
async def full_rate(dut: Any) -> None:
    """Packets without a pause: a word every BEATS cycles (every cycle, where that is one), each
    ready 2 cycles after its last beat."""
    bench = Bench(dut, seed=1)
    await bench.reset()
    for steps in (1, 2, 7):
        bench.clear()
        words = random_words(bench, steps, 12)
        beats = [beat for values in words for beat in bench.packet(values)]
        assert await bench.run(beats, steps) == len(beats)
        assert bench.words == list(chain.from_iterable(words))
        assert bench.last_beats == list(range(bench.beats - 1, len(beats), bench.beats))
        assert bench.takes == [cycle + _READY_AFTER for cycle in bench.last_beats]


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def gaps_on_both_sides(dut: Any) -> None:
    """Beats and steps at random times."""
    rng = np.random.default_rng(2)
    bench = Bench(dut, seed=2)
    await bench.reset()
    for case in range(16):
        steps = int(rng.integers(1, 9))
        words = random_words(bench, steps, 8)
        beats = [beat for values in words for beat in bench.packet(values)]
        offers = hold(rng, 1 + 6 * (case % 2), case % 4)
        dues = hold(rng, 1 + 3 * (case % 3), (1 + bench.beats) * (case // 4))
        before = len(bench.words)
        assert await bench.run(beats, steps, offers, dues, idle=400) == len(beats)
        assert bench.words[before:] == list(chain.from_iterable(words))
        assert not bench.fault and bench.step == 0


@cocotb.test(timeout_time=500, timeout_unit="us")
async def two_words_ahead(dut: Any) -> None:
    """While no step is due one word waits and one has arrived behind it, and not a beat more."""
    bench = Bench(dut, seed=3)
    await bench.reset()
    words = random_words(bench, 5, 4)
    beats = [beat for values in words for beat in bench.packet(values)]
    sent = await bench.run(beats, 5, dues=repeat(False))
    assert sent == 2 * bench.beats and not bench.words
    # Both can be taken at once.
    begin = bench.cycles
    for _ in range(4):
        sent += await bench.cycle(beats[sent], 5, True)
    assert bench.takes[:2] == [begin, begin + 1]
    assert bench.words[:2] == words[0][:2]
    await bench.run(beats[sent:], 5)
    assert bench.words == list(chain.from_iterable(words))


@cocotb.test(timeout_time=500, timeout_unit="us")
async def disabled(dut: Any) -> None:
    """Where it is not enabled nothing is accepted; what is inside can still be taken."""
    bench = Bench(dut, seed=4)
    await bench.reset()
    words = random_words(bench, 3, 3)
    beats = [beat for values in words for beat in bench.packet(values)]
    bench.enable = False
    assert await bench.run(beats, 3) == 0
    bench.enable = True
    sent = await bench.run(beats, 3, dues=repeat(False))
    bench.enable = False
    assert await bench.run(beats[sent:], 3) == 0
    assert bench.words == words[0][:2]
    bench.enable = True
    assert await bench.run(beats[sent:], 3) == len(beats) - sent
    assert bench.words == list(chain.from_iterable(words))


def faults(bench: Bench, good: list[Beat], steps: int) -> Iterator[tuple[str, list[Beat], int]]:
    """Every way to spoil a packet of `steps` words: what is wrong, its beats, and how many of its
    words may be taken before it is noticed."""

    def with_beat(index: int, **changes: bool) -> list[Beat]:
        beats = list(good)
        beats[index] = replace(beats[index], **changes)
        return beats

    n = bench.beats
    yield "no start", with_beat(0, start=False), 0
    for word in range(1, steps):
        yield f"start at word {word}", with_beat(word * n, start=True), word
    for index in range(len(good)):
        if index % n:
            yield f"start at beat {index}", with_beat(index, start=True), index // n
        if index % n != n - 1:
            yield f"end at beat {index}", with_beat(index, end=True), index // n
    yield "no end", [*with_beat(len(good) - 1, end=False), *good], steps - 1
    for word in range(1, steps):
        short = good[: word * n]
        short[-1] = replace(short[-1], end=True)
        yield f"{word} words only", [*short, *good], word - 1
        cut = good[word * n :]
        cut[0] = replace(cut[0], start=True)
        yield f"without the first {word} words", [*cut, *good], steps - word - 1
        # One word in the middle twice: with the words behind it nothing may be finished.
        twice = [*good[: word * n], *good[(word - 1) * n :]]
        twice[word * n] = replace(twice[word * n], start=False)
        yield f"word {word - 1} twice", twice, steps - 1
    long = [*good, *(replace(beat, start=False) for beat in good[:n])]
    long[len(good) - 1] = replace(long[len(good) - 1], end=False)
    long[-1] = replace(long[-1], end=True)
    yield "a word too many", long, steps - 1


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def out_of_step(dut: Any) -> None:
    """Every spoiled packet, behind good ones or first: a fault before the last step of its pass,
    and nothing until the reset."""
    bench = Bench(dut, seed=5)
    await bench.reset()
    for steps in (1, 2, 4):
        for ahead in (0, 1, 2):
            words = random_words(bench, steps, ahead)
            before = [beat for values in words for beat in bench.packet(values)]
            values = random_words(bench, steps, 1)[0]
            for why, beats, most in faults(bench, bench.packet(values), steps):
                bench.clear()
                await bench.run([*before, *beats], steps)
                taken = len(bench.words) - ahead * steps
                assert taken <= most, f"{why}: {taken} steps of it were taken"
                await bench.expect_fault(steps, why)


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def reset_at_any_moment(dut: Any) -> None:
    """After a reset in any cycle the next packet is the first one."""
    rng = np.random.default_rng(6)
    bench = Bench(dut, seed=6)
    await bench.reset()
    steps = 3
    for moment in range(4 * bench.beats * steps + 8):
        words = random_words(bench, steps, 5)
        beats = [beat for values in words for beat in bench.packet(values)]
        sent = 0
        for _ in range(moment):
            sent += await bench.cycle(beats[sent], steps, bool(rng.integers(2)))
        drive(dut, reset=1)
        await bench.cycle(beats[sent], steps, False)
        drive(dut, reset=0)
        bench.clear()
        assert await bench.run(beats, steps, idle=10) == len(beats)
        assert bench.words == list(chain.from_iterable(words)) and not bench.fault
