# SPDX-License-Identifier: Apache-2.0
"""Images in, good and malformed ones, against what each packet should have become."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, hold, number, settings, start
from xnor_fcc.geometry import ceil_div

_STROBES = ("error_short", "error_long", "error_frame", "error_flag")


@dataclass(frozen=True)
class Beat:
    """One beat of the image stream."""

    data: int
    sop: bool
    eop: bool
    empty: int
    error: bool = False


@dataclass
class Packet:
    """Beats, and what has to come of them: an image and its second plane, or strobes and a drop."""

    beats: list[Beat]
    image: int | None
    strobes: Counter[str] = field(default_factory=Counter)
    residual: int = 0


class Format:
    """How the sink is configured, and packets in that format. `residual`: thresholds of the second
    bit of an 8-bit pixel, where its first one is 0 and where it is 1."""

    def __init__(
        self,
        width: int,
        inputs: int,
        pixel_mode: bool,
        threshold: int,
        seed: int,
        residual: tuple[int, int] = (0, 0),
    ) -> None:
        self.width = width
        self.inputs = inputs
        self.pixel_mode = pixel_mode
        self.threshold = threshold
        self.residual = residual
        self.rng = np.random.default_rng(seed)
        self.symbols = width // 8
        self.bytes = inputs if pixel_mode else ceil_div(inputs, 8)
        self.beats = ceil_div(self.bytes, self.symbols)
        self.empty = self.beats * self.symbols - self.bytes

    def configuration(self) -> dict[str, int]:
        """The sink's configuration ports."""
        return {
            "inputs": self.inputs,
            "pixel_mode": self.pixel_mode,
            "pixel_threshold": self.threshold,
            "pixel_residual": self.residual[1] << 8 | self.residual[0],
        }

    def good(self, ones: bool = False) -> Packet:
        """A random image; the bits and bytes behind it are random too, or all one."""
        total = self.beats * self.symbols
        payload = self.rng.integers(0, 256, total, dtype=np.uint8)
        if ones:
            payload[:] = 255
        elif self.pixel_mode:  # values at the thresholds decide
            near = self.rng.random(total) < 0.5
            edges = self.rng.choice([self.threshold, *self.residual], int(near.sum()))
            payload[near] = np.clip(edges - self.rng.integers(0, 2, edges.size), 0, 255)
        residual = 0
        if self.pixel_mode:
            pixels = payload[: self.inputs]
            bits = (pixels >= self.threshold).astype(np.uint8)
            low, high = self.residual
            residual = number(pixels >= np.where(bits, high, low))
        else:
            bits = np.unpackbits(payload, bitorder="little")[: self.inputs]
        beats = []
        for index in range(self.beats):
            data = payload[index * self.symbols : (index + 1) * self.symbols].tobytes()
            last = index == self.beats - 1
            beats.append(
                Beat(
                    data=int.from_bytes(data, "big"),
                    sop=index == 0,
                    eop=last,
                    # Empty means nothing before the end.
                    empty=self.empty if last else int(self.rng.integers(0, self.symbols)),
                )
            )
        return Packet(beats, number(bits), residual=residual)

    def kinds(self) -> list[str]:
        """The kinds of malformed packets that exist in this format."""
        kinds = ["long_beat", "endless", "no_start", "no_end", "flag", "flag_first"]
        if self.beats > 1:
            kinds += ["short_beat", "cut"]
        if self.beats > 2:
            kinds += ["flag_then_short", "flag_then_long"]
        if self.empty > 0:
            kinds.append("long_empty")
        if self.symbols == 1 or self.empty < self.symbols - 1:
            kinds.append("short_empty")
        return kinds

    def bad(self, kind: str) -> Packet:
        """A packet malformed in one way, followed by a good start of a packet or nothing."""
        beats = self.good().beats
        middle = replace(self.good().beats[0], sop=False, eop=False)
        last = beats[-1]
        strobes: list[str]
        match kind:
            case "short_beat":
                beats = [*beats[:-2], replace(beats[-2], eop=True, empty=0)]
                strobes = ["error_short"]
            case "short_empty":
                beats[-1] = replace(last, empty=last.empty + 1)
                strobes = ["error_short"]
            case "long_empty":
                beats[-1] = replace(last, empty=last.empty - 1)
                strobes = ["error_long"]
            case "long_beat":
                beats = [*beats[:-1], replace(last, eop=False), replace(middle, eop=True)]
                strobes = ["error_long"]
            case "endless":  # the next packet's start ends it
                beats = [*beats[:-1], replace(last, eop=False), *[middle] * (self.beats + 19)]
                strobes = ["error_long", "error_frame"]
            case "no_start":
                beats[0] = replace(beats[0], sop=False)
                strobes = ["error_frame"]
            case "no_end":  # it is too long already where it should have ended
                beats[-1] = replace(last, eop=False)
                strobes = ["error_long", "error_frame"]
            case "cut":
                beats = beats[:-1]
                strobes = ["error_frame"]
            case "flag" | "flag_first":
                index = 0 if kind == "flag_first" else int(self.rng.integers(0, len(beats)))
                beats[index] = replace(beats[index], error=True)
                strobes = ["error_flag"]
            case "flag_then_short":  # once it is bad, its length says nothing more
                first = replace(beats[0], error=True)
                beats = [first, *beats[1:-2], replace(beats[-2], eop=True, empty=0)]
                strobes = ["error_flag"]
            case "flag_then_long":
                first = replace(beats[0], error=True)
                beats = [first, *beats[1:-1], replace(last, eop=False), replace(middle, eop=True)]
                strobes = ["error_flag"]
            case _:
                raise ValueError(kind)
        return Packet(beats, None, Counter(strobes))


class Sink:
    """Drives the stream, takes the images, and counts every event."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        self.width = len(dut.asi_data)
        self.capacity = len(dut.staged_bits)
        self.rng = np.random.default_rng(seed)
        self.strobes: Counter[str] = Counter()
        self.dropped = 0
        self.planes: int = settings()["order"]
        # Ids and planes.
        self.taken: list[tuple[int, ...]] = []
        self.cycles = 0
        self.stalled: tuple[int, ...] | None = None

    async def reset(self, form: Format) -> None:
        """Configured, enabled, nothing sent yet."""
        await start(
            self.dut, enable=0, restart=0, asi_valid=0, staged_ready=0, **form.configuration()
        )
        await self.restart(form)

    async def restart(self, form: Format) -> None:
        """Disabled for some cycles, then enabled again with ids from 0, as the core does it."""
        drive(self.dut, enable=0)
        await self.cycle(None, False)
        drive(self.dut, restart=1, **form.configuration())
        await self.cycle(None, False)
        drive(self.dut, restart=0)
        await self.cycle(None, False)
        drive(self.dut, enable=1)

    async def cycle(self, beat: Beat | None, take: bool) -> bool:
        """One cycle; True if the beat was accepted."""
        dut, rng = self.dut, self.rng
        sop, eop = (bool(bit) for bit in rng.integers(0, 2, 2))
        shown = beat or Beat(int(rng.integers(0, 256)), sop, eop, empty=0, error=True)
        drive(
            dut,
            asi_valid=beat is not None,
            asi_data=shown.data,
            asi_startofpacket=shown.sop,
            asi_endofpacket=shown.eop,
            asi_empty=shown.empty,
            asi_error=shown.error,
            staged_ready=take,
        )
        await edge(dut)
        self.cycles += 1
        for name in _STROBES:
            self.strobes[name] += int(getattr(dut, name).value)
        self.dropped += int(dut.dropped.value)
        staged = None
        if dut.staged_valid.value:
            names = ("staged_id", "staged_bits", "staged_residual")
            staged = tuple(int(getattr(dut, name).value) for name in names)
            assert not dut.asi_ready.value, "ready although the staged image is not taken"
        assert self.stalled in (None, staged), "a staged image did not wait unchanged"
        self.stalled = None if take else staged
        if take and staged is not None:
            self.taken.append(staged)
        return beat is not None and bool(dut.asi_ready.value)

    async def send(
        self, packets: Sequence[Packet], gaps: Iterable[bool], takes: Iterable[bool]
    ) -> None:
        """Send packets, valid where `gaps` says so, staged_ready where `takes` says so."""
        gap, take = iter(gaps), iter(takes)
        for packet in packets:
            for beat in packet.beats:
                while not next(gap):
                    await self.cycle(None, next(take))
                waited = 0
                while not await self.cycle(beat, next(take)):
                    waited += 1
                    assert waited < 1000, "the sink takes no beat"

    async def finish(self) -> None:
        """Take what is staged and let the events out."""
        for _ in range(4):
            await self.cycle(None, True)

    def check(self, packets: Sequence[Packet], first_id: int = 0) -> None:
        """Every image with its id and its bits, every drop and every reason; forgets them."""
        want = [
            (first_id + i & 0xFFFF, p.image, p.residual if self.planes == 2 else 0)
            for i, p in enumerate(packets)
            if p.image is not None
        ]
        assert self.taken == want, f"{self.taken} instead of {want}"
        assert self.dropped == sum(p.image is None for p in packets)
        assert +self.strobes == sum((p.strobes for p in packets), Counter())
        self.taken, self.dropped, self.strobes = [], 0, Counter()


def formats(dut: Any, seed: int) -> list[Format]:
    """Both pixel kinds with image sizes around bytes, beats and the capacity."""
    width, capacity = len(dut.asi_data), len(dut.staged_bits)
    sizes = {1, 7, 8, 9, 61, width - 1, width, width + 1, capacity - 1, capacity}
    forms = []
    for inputs in sorted(size for size in sizes if 1 <= size <= capacity):
        threshold = 1 + 37 * inputs % 255
        residual = (29 * inputs % (threshold + 1), threshold + 31 * inputs % (256 - threshold))
        forms.append(Format(width, inputs, False, 128, seed + inputs))
        forms.append(Format(width, inputs, True, threshold, seed + inputs, residual))
    return forms


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def sizes_and_full_rate(dut: Any) -> None:
    """Images of every size arrive bit for bit, one every beats + 1 cycles, padded with zeros."""
    sink = Sink(dut, seed=1)
    for form in formats(dut, seed=10):
        await sink.reset(form)
        packets = [form.good(), form.good(ones=True), form.good(), form.good()]
        before = sink.cycles
        await sink.send(packets, repeat(True), repeat(True))
        assert sink.cycles - before == len(packets) * (form.beats + 1) - 1
        assert not dut.staged_valid.value
        await sink.cycle(None, True)
        assert dut.staged_valid.value, "not staged in the cycle after the last beat"
        await sink.finish()
        sink.check(packets)


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def waits_for_the_taker(dut: Any) -> None:
    """An image that nobody takes stands still and holds the stream back, however long."""
    form = formats(dut, seed=20)[-1]
    sink = Sink(dut, seed=2)
    await sink.reset(form)
    packets = [form.good() for _ in range(3)]
    await sink.send(packets[:1], repeat(True), repeat(False))
    for _ in range(200):
        assert not await sink.cycle(packets[1].beats[0], False)
    await sink.send(packets[1:], repeat(True), repeat(True))
    await sink.finish()
    sink.check(packets)


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def each_malformed_kind(dut: Any) -> None:
    """Bad packets of one kind, alone and two in a row, between good ones: only they are lost."""
    sink = Sink(dut, seed=3)
    for form in formats(dut, seed=30)[1::3]:
        await sink.reset(form)
        for kind in form.kinds():
            await sink.restart(form)
            packets = [
                *(form.good(), form.bad(kind), form.good()),
                *(form.bad(kind), form.bad(kind), form.good(), form.good()),
            ]
            await sink.send(packets, repeat(True), repeat(True))
            await sink.finish()
            try:
                sink.check(packets)
            except AssertionError as error:
                raise AssertionError(f"{kind}, {form.inputs} inputs: {error}") from error


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def lost_tail(dut: Any) -> None:
    """The missing last beat of a short packet, sent alone without a start, completes nothing."""
    sink = Sink(dut, seed=10)
    for form in formats(dut, seed=100):
        if form.beats == 1:
            continue
        await sink.reset(form)
        tail = [replace(form.good().beats[-1], sop=False)]
        packets = [
            *(form.good(), form.bad("short_beat")),
            *(Packet(tail, None, Counter(["error_frame"])), form.good()),
        ]
        await sink.send(packets, repeat(True), repeat(True))
        await sink.finish()
        sink.check(packets)


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def random_mixture(dut: Any) -> None:
    """Good and bad packets of all kinds in random order, with random gaps and waits."""
    sink = Sink(dut, seed=4)
    for turn, form in enumerate(formats(dut, seed=40)[::3]):
        rng = np.random.default_rng(400 + turn)
        kinds = form.kinds()
        await sink.reset(form)
        packets: list[Packet] = []
        for _ in range(20):
            kind = kinds[rng.integers(len(kinds))] if rng.random() < 0.5 else ""
            # An unended packet must be followed by a start, or it is one with what follows.
            if kind == "no_start" and packets and not packets[-1].beats[-1].eop:
                kind = "flag"
            packets.append(form.bad(kind) if kind else form.good())
        packets.append(form.good())
        await sink.send(packets, hold(rng, 3, turn % 3), hold(rng, 2, turn % 4))
        await sink.finish()
        sink.check(packets)


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def shrinking_leaves_no_bits(dut: Any) -> None:
    """After a larger image of ones, a smaller one has zeros beyond its inputs."""
    sink = Sink(dut, seed=5)
    forms = formats(dut, seed=50)
    await sink.reset(forms[-1])
    for form in [*forms[::-1], forms[-1], *forms[:2]]:
        await sink.restart(form)
        packets = [form.good(ones=True), form.bad("long_beat"), form.good()]
        await sink.send(packets, repeat(True), repeat(True))
        await sink.finish()
        sink.check(packets)


@cocotb.test(timeout_time=4000, timeout_unit="us")
async def tail_of_a_larger_image(dut: Any) -> None:
    """The rest of a packet that was cut by disabling or by a reset comes in when the sink is set to
    smaller images: it leaves no bits beyond their end."""
    sink = Sink(dut, seed=11)
    forms = formats(dut, seed=110)
    cases = 0
    for small in forms:
        large = [form for form in forms if form.beats > small.beats + 1][-1:]
        for form in large:
            for reset in (False, True):
                await sink.reset(form)
                cut = form.good(ones=True).beats
                await sink.send([Packet(cut[: small.beats], None)], repeat(True), repeat(True))
                if reset:
                    drive(dut, reset=1)
                    await sink.cycle(None, False)
                    drive(dut, reset=0)
                await sink.restart(small)
                sink.dropped, sink.strobes = 0, Counter()
                tail = [replace(beat, eop=False) for beat in cut[small.beats :]]
                tail[-1] = replace(tail[-1], eop=True)
                strobes = Counter(["error_frame"] if reset else [])
                packets = [Packet(tail, None, strobes), small.good(), small.good()]
                await sink.send(packets, repeat(True), repeat(True))
                await sink.finish()
                sink.check(packets)
                cases += 1
    assert cases or max(form.beats for form in forms) <= 2


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def disabled_in_a_packet(dut: Any) -> None:
    """The packet that was cut by disabling is dropped, without a reason, and no other."""
    sink = Sink(dut, seed=6)
    for form in formats(dut, seed=60):
        if form.beats == 1:
            continue
        await sink.reset(form)
        first, cut, second = form.good(), form.good(), form.good()
        middle = form.beats // 2
        await sink.send([first, Packet(cut.beats[:middle], None)], repeat(True), repeat(True))
        drive(dut, enable=0)
        for _ in range(5):
            assert not await sink.cycle(cut.beats[middle], True)
        drive(dut, enable=1)
        await sink.send([Packet(cut.beats[middle:], None), second], repeat(True), repeat(True))
        # Between packets it costs nothing.
        drive(dut, enable=0)
        await sink.finish()
        drive(dut, enable=1)
        third = form.good()
        await sink.send([third], repeat(True), repeat(True))
        await sink.finish()
        sink.check([first, Packet([], None), second, third])


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def disabled_with_an_image_staged(dut: Any) -> None:
    """An image that is complete when the sink is disabled is still handed over, unharmed."""
    form = formats(dut, seed=70)[-1]
    sink = Sink(dut, seed=7)
    await sink.reset(form)
    packets = [form.good(), form.good()]
    await sink.send(packets[:1], repeat(True), repeat(False))
    drive(dut, enable=0)
    for _ in range(5):
        assert not await sink.cycle(packets[1].beats[0], False)
    await sink.finish()
    drive(dut, enable=1)
    await sink.send(packets[1:], repeat(True), repeat(True))
    await sink.finish()
    sink.check(packets)


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def reset_in_a_packet(dut: Any) -> None:
    """After a reset in mid-packet, or with an image staged, the sink begins from nothing."""
    form = formats(dut, seed=80)[-1]
    sink = Sink(dut, seed=8)
    await sink.reset(form)
    for beats in (form.good().beats[:-1], form.bad("flag_first").beats[:-1], form.good().beats):
        await sink.send([Packet(beats, None)], repeat(True), repeat(False))
        drive(dut, reset=1)
        await sink.cycle(None, False)
        drive(dut, reset=0)
        sink.stalled, sink.strobes, sink.dropped = None, Counter(), 0
        packets = [form.good(), form.good()]
        await sink.send(packets, repeat(True), repeat(True))
        await sink.finish()
        sink.check(packets)


@cocotb.test(timeout_time=8000, timeout_unit="us")
async def ids_wrap(dut: Any) -> None:
    """The id counts modulo 2^16, dropped packets included."""
    if not settings()["long"]:
        return
    form = Format(len(dut.asi_data), 1, False, 128, seed=90)
    sink = Sink(dut, seed=9)
    await sink.reset(form)
    # 65,534 packets of one flagged beat, driven without looking.
    beat = replace(form.good().beats[0], error=True)
    await sink.cycle(beat, True)
    await edge(dut, 65533)
    await sink.finish()
    sink.dropped, sink.strobes = 0, Counter()
    packets = [form.good() for _ in range(4)]
    await sink.send(packets, repeat(True), repeat(True))
    await sink.finish()
    sink.check(packets, first_id=65534)
