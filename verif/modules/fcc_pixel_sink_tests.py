# SPDX-License-Identifier: Apache-2.0
"""Images of pixels in, good and malformed ones: what is stored of them, where and when, and in
which order they are handed over."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any

import cocotb
import numpy as np

from golden.image_packets import REASONS
from golden.pixel_packets import PixelFormat, PixelPacket, Stored
from modules.unit import drive, edge, hold, settings, start
from xnor_fcc_sim.packets import Beat

# Cycles from a beat to what is stored of it.
_WRITE_AT = 2


@dataclass(frozen=True)
class Due:
    """What may be stored of a beat: just this, or, of a bad packet, anything of its half."""

    half: int
    stored: Stored | None = None
    anything: bool = False


@dataclass
class Image:
    """An image that has come whole."""

    half: int
    id: int
    stamp: int
    at: int
    """Cycle of its last beat."""


class Sink:
    """Drives the stream, watches what is stored, takes the images, and counts every event."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        self.depth: int = settings()["depth"]
        self.rng = np.random.default_rng(seed)
        self.now = int(self.rng.integers(0, 1 << 32))
        self.cycles = 0
        self.due: deque[Due | None] = deque([None] * _WRITE_AT)
        self.clear()

    def clear(self) -> None:
        """As after a reset."""
        self.strobes: Counter[str] = Counter()
        self.dropped = 0
        self.waiting: deque[Image] = deque()
        self.taken: Image | None = None
        self.write_half = self.number = 0

    async def reset(self, form: PixelFormat) -> None:
        """Configured, enabled, nothing sent yet."""
        names = ("enable", "restart", "asi_valid", "batch_taken", "batch_done", "now")
        await start(self.dut, **dict.fromkeys(names, 0), **form.configuration())
        self.clear()
        await self.restart(form)

    async def reset_now(self) -> None:
        """One cycle of reset. What is still stored then of the beats before it goes to places that
        the next image overwrites."""
        drive(self.dut, reset=1)
        await self.cycle()
        drive(self.dut, reset=0)
        self.due = deque(due and replace(due, stored=None, anything=True) for due in self.due)
        self.clear()

    async def restart(self, form: PixelFormat) -> None:
        """Disabled for some cycles, then enabled again with ids from 0, as the core does it."""
        drive(self.dut, enable=0)
        await self.cycle()
        drive(self.dut, restart=1, **form.configuration())
        await self.cycle()
        drive(self.dut, restart=0)
        await self.cycle()
        drive(self.dut, enable=1)
        self.number = 0

    async def cycle(
        self,
        beat: Beat | None = None,
        due: Due | None = None,
        take: bool = False,
        free: bool = False,
    ) -> bool:
        """One cycle; True if the beat was accepted. The waiting image is begun with (`take`), or
        the one that was is needed no more (`free`), where there is one."""
        dut, rng = self.dut, self.rng
        take = take and self.taken is None and bool(self.waiting) and self.visible()
        free = free and self.taken is not None
        first, last = rng.integers(0, 2, 2).tolist()
        shown = beat or Beat(int(rng.integers(0, 256)), first, last, error=1)
        drive(
            dut,
            now=self.now,
            asi_valid=beat is not None,
            asi_data=shown.data,
            asi_startofpacket=shown.start,
            asi_endofpacket=shown.end,
            asi_empty=shown.empty,
            asi_error=shown.error,
            batch_taken=take,
            batch_done=free,
        )
        before = self.taken
        await edge(dut)
        for name in REASONS:
            self.strobes[name] += int(getattr(dut, name).value)
        self.dropped += int(dut.dropped.value)
        accepted = beat is not None and bool(dut.asi_ready.value)
        held = [image for image in (*self.waiting, self.taken) if image is not None]
        if dut.enable.value:
            assert bool(dut.asi_ready.value) == (self.write_half not in {i.half for i in held})
        else:
            assert not dut.asi_ready.value
        assert bool(dut.batch_valid.value) == (self.visible() and self.taken is None)
        assert bool(dut.waiting.value) == bool(held)
        if self.waiting and self.taken is None:
            assert int(dut.batch_half.value) == self.waiting[0].half
        if before is not None:
            told = (int(dut.batch_half.value), int(dut.batch_id.value), int(dut.batch_stamp.value))
            assert told == (before.half, before.id, before.stamp), f"{told}, not {before}"
        self.due.append(due if accepted else None)
        self.check_write(self.due.popleft(), {image.half for image in held})
        if take:
            self.taken = self.waiting.popleft()
        if free:
            self.taken = None
        self.cycles += 1
        self.now = (self.now + 1) & 0xFFFF_FFFF
        return accepted

    def visible(self) -> bool:
        """An image waits."""
        return bool(self.waiting) and self.waiting[0].at < self.cycles

    def check_write(self, due: Due | None, held: set[int]) -> None:
        """What is stored in this cycle, compared with what is due of the beat that came before."""
        write = int(self.dut.write.value)
        if due is None or (due.stored is None and not due.anything):
            assert not write, "something is stored"
            return
        if due.anything:
            if write:
                assert write.bit_count() == 1
                address = int(self.dut.write_address.value)
                assert address // self.depth == due.half and due.half not in held
            return
        stored = due.stored
        assert stored is not None and write == 1 << stored.bank, f"{write:#x}, not {stored}"
        address = stored.address + due.half * self.depth
        told = (int(self.dut.write_address.value), int(self.dut.write_data.value))
        assert told == (address, stored.data), f"{told}, not {(address, stored.data)}"

    async def send(
        self,
        packets: Sequence[PixelPacket],
        gaps: Iterable[bool] = repeat(True),
        takes: Iterable[bool] = repeat(True),
        frees: Iterable[bool] = repeat(True),
    ) -> None:
        """Send packets, valid where `gaps` says so; images are begun with and needed no more
        where `takes` and `frees` say so."""
        gap, take, free = iter(gaps), iter(takes), iter(frees)
        for packet in packets:
            for index, beat in enumerate(packet.beats):
                while not next(gap):
                    await self.cycle(take=next(take), free=next(free))
                waited = 0
                due = Due(self.write_half, anything=True)
                if packet.good:
                    due = Due(self.write_half, packet.stored[index])
                while not await self.cycle(beat, due, next(take), next(free)):
                    waited += 1
                    assert waited < 1000, "the sink takes no beat"
            self.sent(packet)

    def sent(self, packet: PixelPacket) -> None:
        """Its last beat was accepted in the cycle before."""
        if packet.good:
            stamp = (self.now - 1) & 0xFFFF_FFFF
            image = Image(self.write_half, self.number & 0xFFFF, stamp, self.cycles - 1)
            self.waiting.append(image)
            self.write_half ^= 1
        self.number += 1

    async def finish(self, packets: Sequence[PixelPacket]) -> None:
        """All images are taken, and every drop and every reason has come; forgets them."""
        for _ in range(12):
            await self.cycle(take=True, free=True)
        assert not self.waiting and self.taken is None
        assert self.dropped == sum(not packet.good for packet in packets)
        assert +self.strobes == sum((packet.strobes for packet in packets), Counter())
        self.dropped, self.strobes = 0, Counter()


def formats(dut: Any, seed: int, most: int = 1 << 30) -> list[PixelFormat]:
    """Images of the sides that the settings name, up to the `most` first."""
    want = settings()
    return [
        PixelFormat(len(dut.asi_data), want["channels"], want["levels"], side, seed + side)
        for side in want["sides"][:most]
    ]


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def sizes_and_full_rate(dut: Any) -> None:
    """Images of every size, a pixel a cycle: every bit in its place, image behind image."""
    sink = Sink(dut, seed=1)
    for form in formats(dut, seed=10):
        await sink.reset(form)
        packets = [form.good(), form.good(ones=True)]
        if form.side < 60:  # thousands of pixels take long, and have been in both halves by now
            packets += [form.good(), form.good()]
        before = sink.cycles
        await sink.send(packets)
        assert sink.cycles - before == len(packets) * form.side**2
        await sink.finish(packets)


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def waits_for_the_reader(dut: Any) -> None:
    """Two images wait, or one is used and one waits, however long, and the stream with them."""
    form = formats(dut, seed=20)[0]
    sink = Sink(dut, seed=2)
    await sink.reset(form)
    packets = [form.good() for _ in range(5)]
    await sink.send(packets[:2], takes=repeat(False))
    for _ in range(50):
        assert not await sink.cycle(packets[2].beats[0])
    await sink.cycle(take=True)
    for _ in range(50):
        assert not await sink.cycle(packets[2].beats[0])
    await sink.cycle(free=True)
    await sink.send(packets[2:3], takes=repeat(False))
    for _ in range(50):
        assert not await sink.cycle(packets[3].beats[0])
    await sink.send(packets[3:])
    await sink.finish(packets)


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def events_around_the_last_beat(dut: Any) -> None:
    """An image is begun with and freed in every cycle around the last beat of the next one."""
    form = formats(dut, seed=30)[0]
    sink = Sink(dut, seed=3)
    await sink.reset(form)
    count = form.side**2
    for take in range(count - 4, count + 4):
        for free in range(take + 1, take + 6):
            first, second = form.good(), form.good()
            await sink.send([first], takes=repeat(False))
            takes = (cycle == take for cycle in range(1 << 20))
            frees = (cycle == free for cycle in range(1 << 20))
            await sink.send([second], takes=takes, frees=frees)
            for cycle in range(count, free + 1):
                await sink.cycle(take=cycle == take, free=cycle == free)
            await sink.finish([first, second])


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def each_malformed_kind(dut: Any) -> None:
    """Bad packets of one kind, alone and two in a row, between good ones: only they are lost."""
    sink = Sink(dut, seed=4)
    for form in formats(dut, seed=40, most=2):
        await sink.reset(form)
        for kind in form.kinds():
            await sink.restart(form)
            packets = [
                *(form.good(), form.bad(kind), form.good()),
                *(form.bad(kind), form.bad(kind), form.good(), form.good()),
            ]
            # What is no start belongs to a packet that did not end.
            try:
                await sink.send(packets)
                await sink.finish(packets)
            except AssertionError as error:
                raise AssertionError(f"{kind}, side {form.side}: {error}") from error


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def random_mixture(dut: Any) -> None:
    """Good and bad packets of all kinds in random order, with random gaps and waits."""
    sink = Sink(dut, seed=5)
    for turn, form in enumerate(formats(dut, seed=50, most=3)):
        rng = np.random.default_rng(500 + turn)
        kinds = form.kinds()
        await sink.reset(form)
        packets: list[PixelPacket] = []
        for _ in range(14):
            kind = kinds[rng.integers(len(kinds))] if rng.random() < 0.5 else ""
            # An unended packet must be followed by a start, or it is one with what follows.
            if kind == "no_start" and packets and not packets[-1].beats[-1].end:
                kind = "flag"
            packets.append(form.bad(kind) if kind else form.good())
        packets.append(form.good())
        busy = form.side**2
        await sink.send(packets, hold(rng, 3, turn), hold(rng, 2, 2), hold(rng, 1, busy))
        await sink.finish(packets)


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def lost_tail(dut: Any) -> None:
    """The missing last beat of a short packet, sent alone without a start, completes nothing."""
    sink = Sink(dut, seed=6)
    form = formats(dut, seed=60)[0]
    await sink.reset(form)
    tail = [replace(form.good().beats[-1], start=0)]
    packets = [
        *(form.good(), form.bad("short_beat")),
        *(PixelPacket(tail, False, [], Counter(["error_frame"])), form.good()),
    ]
    await sink.send(packets)
    await sink.finish(packets)


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def tail_of_a_larger_image(dut: Any) -> None:
    """The rest of a packet that was cut by disabling or by a reset comes in when the sink is set to
    smaller images: it is dropped, and nothing of it is stored."""
    sink = Sink(dut, seed=7)
    small, large = formats(dut, seed=70)[:2]
    for reset in (False, True):
        for cut in range(1, small.side**2 + 2):
            await sink.reset(large)
            beats = large.good().beats
            await sink.send([PixelPacket(beats[:cut], False, [])])
            if reset:
                await sink.reset_now()
            await sink.restart(small)
            sink.strobes, sink.dropped = Counter(), 0
            strobes = Counter(["error_frame"] if reset else [])
            packets = [PixelPacket(beats[cut:], False, [], strobes), small.good(), small.good()]
            # Nothing of the tail is stored: nothing is due of its beats.
            for beat in packets[0].beats:
                assert await sink.cycle(beat)
            sink.number += 1
            await sink.send(packets[1:])
            await sink.finish(packets)


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def disabled_in_a_packet(dut: Any) -> None:
    """The packet that was cut by disabling is dropped, without a reason, and no other; an image
    that is complete then waits on, unharmed."""
    sink = Sink(dut, seed=8)
    form = formats(dut, seed=80)[0]
    await sink.reset(form)
    for middle in range(1, form.side**2):
        first, cut, second = form.good(), form.good(), form.good()
        await sink.send([first], takes=repeat(False))
        await sink.send([PixelPacket(cut.beats[:middle], False, [])], takes=repeat(False))
        sink.number -= 1
        drive(dut, enable=0)
        for _ in range(5):
            assert not await sink.cycle(cut.beats[middle])
        drive(dut, enable=1)
        packets = [first, PixelPacket(cut.beats[middle:], False, []), second]
        await sink.send(packets[1:])
        await sink.finish(packets)


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def reset_in_a_packet(dut: Any) -> None:
    """After a reset in any cycle of a packet, and with images waiting, nothing is left."""
    sink = Sink(dut, seed=9)
    form = formats(dut, seed=90)[0]
    await sink.reset(form)
    count = form.side**2
    for cut in range(1, 3 * count):
        packets = [form.good() for _ in range(3)]
        if cut % 3 == 0:
            packets[1] = form.bad("flag_first")
        whole, rest = divmod(cut, count)
        whole = min(whole, 2)
        sent = packets[:whole]
        await sink.send(sent, takes=repeat(cut % 2 == 1), frees=repeat(cut % 5 == 1))
        held = {image.half for image in (*sink.waiting, sink.taken) if image}
        if rest and sink.write_half not in held:
            middle = PixelPacket(packets[whole].beats[:rest], False, [])
            await sink.send([middle], takes=repeat(cut % 2 == 1))
        await sink.reset_now()
        again = [form.good(), form.good(), form.good()]
        await sink.send(again)
        await sink.finish(again)


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def ids_wrap(dut: Any) -> None:
    """The id counts modulo 2^16, dropped packets included."""
    if not settings()["long"]:
        return
    form = formats(dut, seed=100)[0]
    sink = Sink(dut, seed=10)
    await sink.reset(form)
    # 65,534 packets of one beat, driven without looking.
    beat = replace(form.good().beats[0], end=1)
    await sink.cycle(beat, Due(0, anything=True))
    await edge(dut, 65533)
    sink.number = 65534
    drive(dut, asi_valid=0)
    for _ in range(4):
        await sink.cycle()
    sink.dropped, sink.strobes = 0, Counter()
    packets = [form.good() for _ in range(4)]
    await sink.send(packets)
    await sink.finish(packets)
