# SPDX-License-Identifier: Apache-2.0
"""Bytes to another author's receiver, whose rate is off by two per cent; settings: `divider`."""

from __future__ import annotations

import logging
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly, RisingEdge, Timer
from cocotbext.uart import UartSink

from modules.unit import CLOCK_NS, drive, edge, settings, start


async def send(dut: Any, data: list[int], gaps: bool) -> None:
    """Hand over bytes, with random pauses or none."""
    rng = np.random.default_rng(2)
    await edge(dut)
    for byte in data:
        drive(dut, valid=1, data=byte)
        await ReadOnly()
        if dut.ready.value != 1:
            await RisingEdge(dut.ready)
        await edge(dut)
        if gaps:
            drive(dut, valid=0, data=0x99)
            await edge(dut, int(rng.integers(1, 30)))
    drive(dut, valid=0)


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def every_byte(dut: Any) -> None:
    """Back to back and with gaps; at all but the smallest divider some of them, at the largest a
    few."""
    divider = int(settings()["divider"])
    bit_ns, sent = CLOCK_NS * divider, list(range(0, 256, settings()["step"]))
    logging.getLogger("cocotb.fcc_uart_transmitter.txd").setLevel(logging.WARNING)
    await start(dut, valid=0, data=0)
    for sink_ns in (bit_ns, np.floor(bit_ns * 0.98), np.ceil(bit_ns * 1.02)):
        # Its start bit is half a bit: at the wrong rates let it begin at rest.
        sink = UartSink(dut.txd, baud=1e9 / (sink_ns + 0.01), stop_bits=0.5)
        for gaps in (False, True):
            await send(dut, sent, gaps)
            await Timer(12 * bit_ns, "ns")
            assert list(sink.read_nowait()) == sent, (sink_ns, gaps)
        sink._run_cr.cancel()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def every_cycle(dut: Any) -> None:
    """The line in each cycle of bytes that follow each other, and a reset among them."""
    divider = int(settings()["divider"])
    await start(dut, valid=0, data=0)
    await edge(dut)
    for data in (0x00, 0xA5, 0xFF, 0x5A):
        drive(dut, valid=1, data=data)
        await edge(dut)
        assert dut.ready.value == 1
        drive(dut, data=~data & 0xFF)
        for cycle in range(10 * divider):
            if cycle == 10 * divider - 1:
                break
            await edge(dut)
            bits = 1 << 9 | data << 1
            assert int(dut.txd.value) == bits >> cycle // divider & 1, (data, cycle)
            assert dut.ready.value == 0
    drive(dut, valid=0)
    await edge(dut)
    assert dut.ready.value == 1 and dut.txd.value == 1
    await edge(dut, 3)
    assert dut.ready.value == 1 and dut.txd.value == 1
    drive(dut, valid=1, data=0)
    await edge(dut, 2)
    drive(dut, valid=0, reset=1)
    await edge(dut, 2)
    assert dut.txd.value == 1 and dut.ready.value == 1
    drive(dut, reset=0)
    await edge(dut, 20 * divider)
    assert dut.txd.value == 1
