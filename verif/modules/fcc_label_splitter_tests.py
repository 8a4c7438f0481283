# SPDX-License-Identifier: Apache-2.0
"""Packets whose last byte is a label, every cycle against a plain model; and, by themselves, what
was sent against what came out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, hold, settings, start

_BEAT = ("valid", "data", "startofpacket", "endofpacket", "empty", "error")


@dataclass(frozen=True)
class Beat:
    """What is on the wires of a stream, `valid` aside."""

    data: int
    start: bool
    end: bool
    empty: int = 0
    error: bool = False


@dataclass(frozen=True)
class Packet:
    """An image and its label."""

    image: bytes
    label: int
    error: bool = False

    def beats(self, symbols: int) -> list[Beat]:
        """As they are sent, the first byte in the highest bits."""
        sent = self.image + bytes([self.label])
        beats = []
        for at in range(0, len(sent), symbols):
            part, last = sent[at : at + symbols], at + symbols >= len(sent)
            data = int.from_bytes(part.ljust(symbols, b"\xa5"), "big")
            empty = symbols - len(part)
            beats.append(Beat(data, at == 0, last, empty, self.error and last))
        return beats


@dataclass
class Out:
    """What has to be on the wires in a cycle."""

    ready: bool
    beat: Beat | None
    label: int | None
    ending: bool


class Splitter:
    """The rules: one beat waits until it is known whether pixels follow."""

    def __init__(self, symbols: int) -> None:
        self.symbols = symbols
        self.held: Beat | None = None
        self.label = 0

    def last(self, beat: Beat) -> int:
        """The last byte of a beat that ends a packet."""
        return beat.data >> 8 * beat.empty & 0xFF if beat.empty < self.symbols else beat.data & 0xFF

    def cycle(
        self, came: Beat | None, ready: bool, running: bool, enable: bool, forget: bool
    ) -> Out:
        """What is there in a cycle with these inputs; afterwards what waits is as the next cycle
        finds it."""
        if not enable:
            out = Out(ready and running, came, None, False)
            if came and out.ready:
                self.held = None
            return out
        seen = came if running else None
        alone = seen is not None and seen.end and seen.empty == self.symbols - 1
        held, closes, leaves = self.held, False, None
        if held and held.end:
            leaves = held
        elif held and seen:
            closes = alone and not seen.start
            leaves = replace(held, end=closes, error=held.error or (closes and seen.error))
        label = None
        if leaves and leaves.end:
            label = self.label if held and held.end else self.last(seen) if seen else None
        out = Out(ready and running, leaves, label, bool(held and held.end))
        if seen and ready:
            empty = 0
            if self.symbols == 1:
                empty = seen.empty
            elif seen.end:
                empty = (seen.empty + 1) % self.symbols
            self.label = self.last(seen)
            kept = replace(seen, empty=empty, error=seen.error or alone)
            self.held = None if closes else kept
        elif leaves and ready:
            self.held = None
        if forget:
            self.held = None
        return out


class Bench:
    """Sends beats, takes them, compares every cycle."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        self.symbols: int = settings()["parameters"]["WIDTH"] // 8
        self.rng = np.random.default_rng(seed)
        self.rules = Splitter(self.symbols)
        self.taken: list[tuple[Beat, int | None]] = []
        self.running = self.enable = True

    async def reset(self) -> None:
        """Nothing waits."""
        names = ("running", "restart", "aso_ready", *(f"asi_{name}" for name in _BEAT))
        await start(self.dut, **dict.fromkeys(names, 0), enable=self.enable)

    async def cycle(
        self, came: Beat | None, ready: bool, restart: bool = False, reset: bool = False
    ) -> bool:
        """One cycle; whether the beat that came was accepted."""
        dut, rng = self.dut, self.rng
        beat = came or Beat(int(rng.integers(256)), *(bool(rng.integers(2)) for _ in range(2)))
        drive(dut, asi_valid=came is not None, asi_data=beat.data, asi_startofpacket=beat.start,
              asi_endofpacket=beat.end, asi_empty=beat.empty, asi_error=beat.error,
              aso_ready=ready, running=self.running, enable=self.enable, restart=restart,
              reset=reset)  # fmt: skip
        want = self.rules.cycle(came, ready, self.running, self.enable, restart or reset)
        await edge(dut)
        assert bool(dut.asi_ready.value) == want.ready
        assert bool(dut.aso_valid.value) == (want.beat is not None)
        if self.enable:
            assert bool(dut.ending.value) == want.ending
        if want.beat is not None:
            names = ("data", "startofpacket", "endofpacket", "empty", "error")
            data, *marks = (int(getattr(dut, f"aso_{name}").value) for name in names)
            assert Beat(data, bool(marks[0]), bool(marks[1]), marks[2], bool(marks[3])) == want.beat
            if want.label is not None:
                assert int(dut.label.value) == want.label
            if ready:
                self.taken.append((want.beat, want.label))
        return came is not None and want.ready

    async def send(
        self, beats: Iterable[Beat], comes: Iterable[bool] = repeat(True),
        takes: Iterable[bool] = repeat(True),
    ) -> None:  # fmt: skip
        """Beats, each until it is accepted, and some cycles more."""
        come, take = iter(comes), iter(takes)
        for beat in beats:
            while not next(come):
                await self.cycle(None, next(take))
            for _ in range(200):
                if await self.cycle(beat, next(take)):
                    break
            else:
                raise AssertionError("a beat was never accepted")
        while self.rules.held and self.rules.held.end:
            await self.cycle(None, next(take))
        await self.cycle(None, True)

    def packet(self, size: int, label: int | None = None, error: bool = False) -> Packet:
        """An image of so many bytes."""
        given = int(self.rng.integers(256)) if label is None else label
        return Packet(self.rng.bytes(size), given, error)

    def packets(self) -> list[tuple[bytes, int | None, bool]]:
        """What has come out: image, label, error."""
        found, image, error = [], b"", False
        for beat, label in self.taken:
            assert beat.start == (image == b""), "a packet begins where none ended"
            assert beat.end or not beat.empty
            image += beat.data.to_bytes(self.symbols, "big")[: self.symbols - beat.empty]
            error |= beat.error
            if beat.end:
                found.append((image, label, error))
                image, error = b"", False
        assert not image, "a packet that did not end"
        return found


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def packets(dut: Any) -> None:
    """Images of every length up to three beats and a byte, then of some more, with gaps and
    back-pressure or none, labels of every kind, a flag in the last beat: each leaves whole with its
    own label, and nothing else does."""
    for number, (idle, slow) in enumerate(((0, 0), (2, 0), (0, 2), (3, 3))):
        bench = Bench(dut, seed=10 + number)
        await bench.reset()
        sizes = [*range(1, min(3 * bench.symbols + 2, 30))]
        for beats in (1, 2, 3, 5):
            sizes += [max(1, beats * bench.symbols + more) for more in (-2, -1, 0, 1)]
        labels = [0, 9, 254, 255]
        sent = [
            bench.packet(size, labels[at] if at < 4 else None, error=at % 5 == 3)
            for at, size in enumerate(bench.rng.permutation(sizes).tolist())
        ]
        beats_sent = [beat for packet in sent for beat in packet.beats(bench.symbols)]
        await bench.send(beats_sent, hold(bench.rng, 2, idle), hold(bench.rng, 2, slow))
        assert bench.packets() == [(packet.image, packet.label, packet.error) for packet in sent]


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def broken_packets(dut: Any) -> None:
    """A packet that is only a label leaves with its error; one that is cut off leaves without an
    end, whatever begins then; one without a start keeps it that way."""
    bench = Bench(dut, seed=20)
    await bench.reset()
    symbols = bench.symbols
    whole = [bench.packet(size) for size in (2 * symbols, 2 * symbols + 1, 3 * symbols)]
    only = Packet(b"", 7).beats(symbols)
    assert len(only) == 1
    for packet in whole:
        beats = packet.beats(symbols)
        for cut in range(1, len(beats)):
            for then in (only, beats, [only[0], *beats], beats[1:]):
                bench.taken = []
                await bench.send([*beats[:cut], *then, *only])
        for headless in (beats[1:], [*beats[1:], *beats]):
            await bench.send(headless)
    bench.taken = []
    await bench.send(only * 3)
    images = [(beat.start, beat.end, beat.error, label) for beat, label in bench.taken]
    assert images == [(True, True, True, 7)] * 3


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def stops(dut: Any) -> None:
    """No more beats in each cycle of two packets, whose labels stand alone or beside pixels: an end
    that waits leaves, a beat that does not end a packet stays, and nothing is accepted; with
    `running` again it goes on, and with `restart` or a reset from nothing."""
    for event in ("run", "restart", "reset"):
        for more in (0, 1, 2):
            for moment in range(10):
                bench = Bench(dut, seed=100 * more + moment)
                await bench.reset()
                sizes = [2 * bench.symbols + more, bench.symbols + more]
                every = [bench.packet(size).beats(bench.symbols) for size in sizes]
                beats = [beat for packet in every for beat in packet]
                takes = hold(bench.rng, 2, 1 + more)
                ready = iter(takes)
                for cycle in range(36):
                    bench.running = not moment <= cycle < moment + 5
                    strike = cycle == moment + 4
                    beat = beats[0] if beats else None
                    forget = {event: True} if strike and event != "run" else {}
                    if await bench.cycle(beat, next(ready), **forget):
                        beats.pop(0)
                assert not beats
                if event == "run":
                    assert len(bench.packets()) == 2


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def anything(dut: Any) -> None:
    """Beats of any kind at any time, stops, restarts, resets; with labels and without, where all
    passes in its own cycle."""
    bench = Bench(dut, seed=30)
    await bench.reset()
    rng = bench.rng
    beat: Beat | None = None
    alone = 0
    for turn in range(1800):
        if turn % 50 == 0:
            # Not while there are images: from nothing.
            bench.running = False
            await bench.cycle(None, False, restart=True)
            bench.enable, beat = bool(rng.random() < 0.8), None
        if rng.random() < 0.1:
            bench.running = not bench.running or bool(rng.random() < 0.3)
        if beat is None and rng.random() < 0.7:
            empty = int(rng.integers(bench.symbols)) if bench.symbols > 1 else 0
            if rng.random() < 0.4:
                empty = bench.symbols - 1
            if rng.random() < 0.05:
                empty = (1 << len(dut.asi_empty)) - 1
            data = int.from_bytes(rng.bytes(bench.symbols), "big")
            start_here, end, error = (bool(rng.random() < p) for p in (0.3, 0.4, 0.1))
            # Beats that end nothing may say anything of what they lack.
            beat = Beat(data, start_here, end, empty, error)
            alone += beat.end and empty == bench.symbols - 1
        reset = bool(rng.random() < 0.01)
        if await bench.cycle(beat, bool(rng.random() < 0.7), rng.random() < 0.02, reset):
            beat = None
        elif rng.random() < 0.05:
            beat = None  # withdrawn
    assert alone > 60
