# SPDX-License-Identifier: Apache-2.0
"""Frames byte by byte, without the serial line: whole ones come out, damaged ones leave nothing
behind but a fault; settings: `bits`, the parameter BUFFER_BITS."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Event, First, RisingEdge, Timer

from modules.unit import CLOCK_NS, drive, edge, settings, start
from xnor_fcc.board.uart import frame

DAMAGED, CUT, OVERRUN = 1, 2, 3
# Cycles of a period of silence, and between bytes: a checksum takes nine.
PERIOD, GAP = 64, 10


class TB:
    """The module, and what has come out of it."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.out = bytearray()
        self.rng = np.random.default_rng(1)
        self.reading = True
        self.again = Event()

    async def start(self) -> None:
        """Reset, and silence until it listens."""
        await start(
            self.dut, tick=0, rx_valid=0, rx_data=0, rx_error=0, out_ready=0, flush=0,
            fault_taken=0,
        )  # fmt: skip
        cocotb.start_soon(self._take())
        await self.silence()

    async def _take(self) -> None:
        dut = self.dut
        while True:
            if dut.out_valid.value != 1 or not self.reading:
                await First(RisingEdge(dut.out_valid), self.again.wait())
                self.again.clear()
                continue
            await edge(dut, int(self.rng.integers(1, 3)))
            if dut.out_valid.value == 1:  # which a flush may have ended
                drive(dut, out_ready=1)
                await edge(dut)
                self.out += bytes([int(dut.out_data.value)] if dut.out_valid.value == 1 else [])
                drive(dut, out_ready=0)
            await edge(dut)

    def read_on(self) -> None:
        """After `reading` was false."""
        self.reading = True
        self.again.set()

    async def wait(self, cycles: int) -> None:
        """So many cycles in which nothing is driven."""
        await Timer((cycles - 1) * CLOCK_NS, "ns")
        await edge(self.dut)

    async def tick(self) -> None:
        """A period of silence ends."""
        drive(self.dut, tick=1)
        await edge(self.dut)
        drive(self.dut, tick=0)

    async def silence(self) -> None:
        """Two of them."""
        for _ in range(2):
            await self.tick()
            await self.wait(PERIOD)

    async def send(self, data: bytes, bad: int | None = None) -> None:
        """Bytes from the line, number `bad` without a stop bit."""
        for number, byte in enumerate(data):
            drive(self.dut, rx_valid=1, rx_data=byte, rx_error=number == bad)
            await edge(self.dut)
            drive(self.dut, rx_valid=0, rx_data=~byte & 0xFF, rx_error=1)
            await self.wait(GAP)
        await self.wait(GAP)

    def frame(self, payload: int) -> bytes:
        """A random one, as the host makes it."""
        kind, number, wanted = self.rng.integers(0, (256, 256, 65536)).tolist()
        return frame(kind, number, self.rng.bytes(payload), wanted)

    async def passes(self, data: bytes) -> None:
        """A frame comes through as it is, without its checksum, and leaves no fault."""
        self.out.clear()
        await self.send(data)
        await self.wait(100 + 8 * len(data))
        assert self.dut.fault.value == 0, "a fault where there is none"
        assert self.out == data[:-4], "a good frame does not come through"

    async def fails(self, fault: int, where: object) -> None:
        """A fault stands and nothing has come out; the next frame is heard after silence."""
        dut = self.dut
        await self.wait(30)
        assert not self.out, f"something of a damaged frame came through, {where}"
        assert int(dut.fault.value), f"no fault, {where}"
        assert int(dut.fault.value) == fault, where
        await self.silence()
        await self.send(self.frame(0))
        await self.wait(60)
        assert not self.out, f"a frame came through before the fault has been told, {where}"
        await self.taken()
        # Half of the silence is not enough.
        await self.send(b"\x00")
        await self.tick()
        await edge(dut, 3)
        await self.send(self.frame(0))
        await self.wait(60)
        assert not self.out and dut.fault.value == 0, "heard before silence"
        await self.silence()
        await self.passes(self.frame(3))

    async def taken(self) -> None:
        """The fault is told."""
        drive(self.dut, fault_taken=1)
        await edge(self.dut)
        drive(self.dut, fault_taken=0)
        await edge(self.dut)
        await edge(self.dut)
        assert self.dut.fault.value == 0


def most() -> int:
    """Bytes of the largest payload."""
    return int((1 << settings()["bits"]) - 1 - 6)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def good_frames(dut: Any) -> None:
    """Of every length, again and again round the buffer, many in a row."""
    tb = TB(dut)
    await tb.start()
    for payload in (*range(most() + 1), most()):
        await tb.passes(tb.frame(payload))
    tb.out.clear()
    frames = [tb.frame(n % 4) for n in range(30)]
    for each in frames:
        await tb.send(each)
        await tb.tick()  # the host may pause between frames
    await tb.wait(60)
    assert tb.out == b"".join(each[:-4] for each in frames) and dut.fault.value == 0


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def largest_frame(dut: Any) -> None:
    """One that fills the buffer comes through; one with a byte more is an overrun."""
    tb = TB(dut)
    await tb.start()
    await tb.passes(tb.frame(most()))
    tb.reading = False
    await edge(dut)
    tb.out.clear()
    await tb.send(tb.frame(most() + 1))
    assert int(dut.fault.value) == OVERRUN, "no fault"
    await tb.taken()
    await tb.silence()
    tb.read_on()
    await tb.passes(tb.frame(3))


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def damage(dut: Any) -> None:
    """Each byte of a frame in its turn: a bit turned, all of them, no stop bit, lost, twice."""
    tb = TB(dut)
    await tb.start()
    good = frame(0x85, 0x42, bytes([1, 2, 3, 4]), 0x0103)
    for place in range(len(good)):
        for turned in (1 << tb.rng.integers(8), 0xFF):
            bad = bytearray(good)
            bad[place] ^= turned
            tb.out.clear()
            await tb.send(bytes(bad))
            if dut.fault.value == 0:  # a length that is too large by now waits for more
                assert place in (2, 3), f"byte {place} may be anything"
                await tb.silence()
                await tb.fails(CUT, f"byte {place}")
            else:
                await tb.fails(OVERRUN if dut.fault.value == OVERRUN else DAMAGED, f"byte {place}")
        tb.out.clear()
        await tb.send(good, bad=place)
        await tb.fails(DAMAGED, f"no stop bit in byte {place}")
        lost = good[:place] + good[place + 1 :]
        tb.out.clear()
        await tb.send(lost)
        await tb.silence()
        await tb.fails(CUT if dut.fault.value == CUT else DAMAGED, f"byte {place} lost")
        twice = good[: place + 1] + good[place:]
        tb.out.clear()
        await tb.send(twice)
        await tb.silence()
        if place == len(good) - 1:  # one whole frame, and something behind it
            assert tb.out == good[:-4]
            tb.out.clear()
            await tb.fails(CUT, "the last byte twice")
        else:
            await tb.fails(CUT if dut.fault.value == CUT else DAMAGED, f"byte {place} twice")


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def after_reset(dut: Any) -> None:
    """Half of the silence is not enough, whatever was before the reset; the buffer is empty."""
    tb = TB(dut)
    await tb.start()
    for reading in (True, False):
        tb.reading = reading
        await tb.send(tb.frame(1))
        await tb.tick()
        tb.out.clear()
        drive(dut, reset=1)
        await edge(dut)
        drive(dut, reset=0)
        await edge(dut)
        assert dut.out_valid.value == 0 and dut.fault.value == 0
        await tb.tick()
        await tb.send(tb.frame(2))
        await tb.wait(60)
        tb.read_on()
        await tb.wait(60)
        assert not tb.out, "heard before silence"
        await tb.silence()
        await tb.passes(tb.frame(3))


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def cuts(dut: Any) -> None:
    """Silence after every byte of a frame; a pause of less than that harms nothing."""
    tb = TB(dut)
    await tb.start()
    good = tb.frame(4)
    for place in range(1, len(good)):
        tb.out.clear()
        await tb.send(good[:place])
        await tb.tick()
        await edge(dut, 3)
        assert dut.fault.value == 0, "cut too soon"
        await tb.send(good[place : place + 1])
        if place + 1 == len(good):
            await tb.wait(60)
            assert tb.out == good[:-4]
            continue
        await tb.silence()
        await tb.fails(CUT, place)
    await tb.silence()
    assert dut.fault.value == 0, "silence between frames is none"


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def overruns(dut: Any) -> None:
    """More than the buffer holds, in one frame and in several; what was whole stays."""
    tb = TB(dut)
    await tb.start()
    tb.reading = False
    await edge(dut)
    for start_at in range(3):
        tb.out.clear()
        await tb.send(tb.frame(most() + 1))
        assert int(dut.fault.value) == OVERRUN, "no fault"
        await tb.taken()
        await tb.silence()
        kept = tb.frame(start_at)
        await tb.send(kept)
        await tb.send(tb.frame(most() - start_at - 6 + 1) if most() > 12 else tb.frame(most()))
        assert int(dut.fault.value) == OVERRUN, "no fault"
        await tb.taken()
        await tb.silence()
        assert not tb.out
        tb.read_on()
        await tb.wait(100)
        assert tb.out == kept[:-4]
        # To the last byte of the buffer.
        tb.reading = False
        await edge(dut)
        tb.out.clear()
        full = tb.frame(most())
        await tb.send(full)
        assert dut.fault.value == 0
        tb.read_on()
        await tb.wait(60 + 8 * most())
        assert tb.out == full[:-4]
        tb.reading = False
        await edge(dut)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def flushes(dut: Any) -> None:
    """A flush drops whole frames, a part of one and a fault, in any cycle; silence ends it."""
    tb = TB(dut)
    await tb.start()
    good = tb.frame(4)
    for part in (*range(0, len(good) + 1), -1):
        tb.reading = False
        await edge(dut)
        tb.out.clear()
        if settings()["bits"] > 5:
            await tb.send(good)
        await tb.send(good[:part] if part >= 0 else good, bad=0 if part < 0 else None)
        assert bool(dut.fault.value) == (part < 0)
        drive(dut, flush=1)
        await edge(dut)
        drive(dut, flush=0)
        tb.read_on()
        await tb.wait(60)
        assert not tb.out and dut.fault.value == 0, "something is left after a flush"
        await tb.send(good)
        await tb.wait(60)
        assert not tb.out, "heard after a flush and before silence"
        await tb.silence()
        await tb.passes(tb.frame(3))
    # While the last checksum is being worked on.
    for cycle in range(1, 16):
        tb.out.clear()
        await tb.send(good[:-1])
        drive(dut, rx_valid=1, rx_data=good[-1], rx_error=0)
        await edge(dut)
        drive(dut, rx_valid=0)
        await edge(dut, cycle)
        drive(dut, flush=1)
        await edge(dut)
        drive(dut, flush=0)
        await tb.wait(60)
        assert len(tb.out) <= 4 and dut.fault.value == 0, "something is left after a flush"
        await tb.silence()
        await tb.passes(tb.frame(3))
