# SPDX-License-Identifier: Apache-2.0
"""Images in, good and malformed ones, against what each packet should have become."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import repeat
from typing import Any

import cocotb
import numpy as np

from golden.image_packets import REASONS, Format, Packet
from modules.unit import drive, edge, hold, settings, start
from xnor_fcc_sim.packets import Beat


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
        first, last = rng.integers(0, 2, 2).tolist()
        shown = beat or Beat(int(rng.integers(0, 256)), first, last, error=1)
        drive(
            dut,
            asi_valid=beat is not None,
            asi_data=shown.data,
            asi_startofpacket=shown.start,
            asi_endofpacket=shown.end,
            asi_empty=shown.empty,
            asi_error=shown.error,
            staged_ready=take,
        )
        await edge(dut)
        self.cycles += 1
        for name in REASONS:
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
    """Both pixel kinds with image sizes around bytes, beats of either kind and the capacity."""
    width, capacity = len(dut.asi_data), len(dut.staged_bits)
    sizes = {1, 7, 8, 9, 61, width - 1, width, width + 1, capacity - 1, capacity}
    sizes |= {pixels * width // 8 + more for pixels in (1, 2) for more in (-1, 0, 1)}
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
        tail = [replace(form.good().beats[-1], start=0)]
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
            if kind == "no_start" and packets and not packets[-1].beats[-1].end:
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
                tail = [replace(beat, end=0) for beat in cut[small.beats :]]
                tail[-1] = replace(tail[-1], end=1)
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


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def events_at_every_beat(dut: Any) -> None:
    """Disabled for a cycle or more, or reset, before each beat of a packet and behind its last one:
    only that packet is lost, and an image that is complete is not."""
    sink = Sink(dut, seed=12)
    forms = formats(dut, seed=120)
    for form in [forms[0], *(f for f in forms if 2 <= f.beats <= 9)][:5]:
        await sink.reset(form)
        for event in ("disabled", "disabled longer", "reset"):
            for beats in range(form.beats + 1):
                await sink.restart(form)
                first, cut, last = form.good(), form.good(), form.good()
                before = [first, Packet(cut.beats[:beats], None)]
                await sink.send(before, repeat(True), repeat(True))
                if event == "reset":
                    await sink.finish()
                    assert len(sink.taken) == 1 + (beats == form.beats)
                    sink.taken, sink.dropped, sink.strobes = [], 0, Counter()
                    drive(dut, reset=1)
                    await sink.cycle(None, True)
                    drive(dut, reset=0)
                else:
                    drive(dut, enable=0)
                    for _ in range(1 if event == "disabled" else 3):
                        await sink.cycle(None, True)
                    drive(dut, enable=1)
                rest = Packet(cut.beats[beats:], None)
                await sink.send([rest, last], repeat(True), repeat(True))
                await sink.finish()
                if event == "reset":
                    # A tail without its start, where there is one.
                    tail = Packet([], None, Counter(["error_frame"]))
                    whole = [cut] if beats == 0 else [tail] if rest.beats else []
                    sink.check([*whole, last])
                else:
                    middle = cut if beats in (0, form.beats) else rest
                    sink.check([first, middle, last])


@cocotb.test(timeout_time=500, timeout_unit="us")
async def ids_wrap(dut: Any) -> None:
    """Ids around 2^8 and 2^16, modulo 2^16, dropped packets included."""
    form = Format(len(dut.asi_data), 1, False, 128, seed=90)
    sink = Sink(dut, seed=9)
    await sink.reset(form)
    for bits in (8, 12, 16):
        for early in range(4):
            await sink.restart(form)
            first = (1 << bits) - 1 - early
            dut.id_reg.value = first
            await sink.cycle(None, True)
            packets = [form.good(), form.bad("flag"), form.bad("no_end"), form.good(), form.good()]
            await sink.send(packets, repeat(True), repeat(True))
            await sink.finish()
            sink.check(packets, first_id=first)
