# SPDX-License-Identifier: Apache-2.0
"""Bytes of another author's sender, at rates off by two per cent; settings: `divider`."""

from __future__ import annotations

import logging
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge, Timer
from cocotbext.uart import UartSource

from modules.unit import CLOCK_NS, drive, edge, settings, start


class TB:
    """The receiver, and what it has said so far: (byte, error)."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.bit_ns = CLOCK_NS * int(settings()["divider"])
        self.heard: list[tuple[int, int]] = []

    async def start(self) -> None:
        """Reset with the line at rest."""
        await start(self.dut, rxd=1)
        cocotb.start_soon(self._listen())
        await edge(self.dut, 5)

    async def _listen(self) -> None:
        while True:
            await RisingEdge(self.dut.valid)
            await edge(self.dut)
            self.heard.append((int(self.dut.data.value), int(self.dut.error.value)))

    def source(self, bit_ns: float) -> UartSource:
        """A sender with bits of so many nanoseconds, which it rounds down."""
        logging.getLogger("cocotb.fcc_uart_receiver.rxd").setLevel(logging.WARNING)
        return UartSource(self.dut.rxd, baud=1e9 / (bit_ns + 0.01))

    async def bits(self, *levels: int) -> None:
        """The line at each of these levels for a bit."""
        for level in levels:
            drive(self.dut, rxd=level)
            await Timer(self.bit_ns, "ns")


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def every_byte(dut: Any) -> None:
    """Back to back and with gaps, at rates that are right and off by at least two per cent; at all
    but the smallest divider some of them, at the largest a few."""
    tb = TB(dut)
    await tb.start()
    rng = np.random.default_rng(1)
    for bit_ns in (tb.bit_ns, np.floor(tb.bit_ns * 0.98), np.ceil(tb.bit_ns * 1.02)):
        source = tb.source(bit_ns)
        row = list(range(0, 256, settings()["step"]))
        sent = [*row, *rng.integers(0, 256, 20 if len(row) > 4 else 1).tolist()]
        await source.write(row)
        await source.wait()
        for byte in sent[len(row) :]:
            await Timer(int(rng.integers(1, 3 * tb.bit_ns)), "ns")
            await source.write([byte])
            await source.wait()
        await Timer(2 * tb.bit_ns, "ns")
        assert tb.heard == [(byte, 0) for byte in sent], bit_ns
        tb.heard.clear()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def no_stop_bit(dut: Any) -> None:
    """Told with the byte; a line held low is one such byte, and what follows is heard."""
    tb = TB(dut)
    await tb.start()
    await tb.bits(0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1, 1)
    assert tb.heard == [(0b01010011, 1)]
    await tb.bits(*[0] * 35)
    assert tb.heard[1:] == [(0, 1)]
    await tb.bits(1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 1)
    assert tb.heard[2:] == [(0b01010011, 0)]


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def glitches(dut: Any) -> None:
    """A fall of less than half a bit starts nothing, and hides nothing behind it."""
    tb = TB(dut)
    await tb.start()
    for cycles in range(1, tb.bit_ns // CLOCK_NS // 2):
        drive(dut, rxd=0)
        await edge(dut, cycles)
        await tb.bits(1)
        assert not tb.heard
    await tb.bits(0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1)
    assert tb.heard == [(0x55, 0)]


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def reset_in_a_byte(dut: Any) -> None:
    """What was coming in is forgotten; a line that is low then is no start."""
    tb = TB(dut)
    await tb.start()
    await tb.bits(0, 1, 0, 0)
    drive(dut, reset=1)
    await tb.bits(0)
    drive(dut, reset=0)
    await tb.bits(*[0] * 12, 1)
    assert not tb.heard
    await tb.bits(0, *[1] * 10)
    assert tb.heard == [(0xFF, 0)]
