# SPDX-License-Identifier: Apache-2.0
"""Drivers that wake up only when something moves, for long runs of the whole core.

The drivers and monitors of cocotb-bus look at every clock edge, which takes most of the time of a
long simulation. These wait for `ready` or `valid` to rise instead. They know full rate only; the
tests of the streams' rules use those of cocotb-bus.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import cocotb
from cocotb.triggers import Event, RisingEdge


class Settable(Protocol):
    """An event, or what else wants to know."""

    def set(self) -> None:
        """It has happened."""


class ImageDriver:
    """Sends packets over `asi_image` back to back, in the order in which they were appended."""

    def __init__(self, dut: Any, width: int) -> None:
        self.dut = dut
        self.size = width // 8
        self.queue: deque[tuple[bytes, Settable | None]] = deque()
        self.waiting = Event()
        dut.asi_image_valid.value = 0
        self.task = cocotb.start_soon(self._run())

    def append(self, packet: bytes, event: Settable | None = None) -> None:
        """Queue a packet; `event` is set when its last beat has been taken."""
        self.queue.append((packet, event))
        self.waiting.set()

    def kill(self) -> None:
        """Send no more, not even the rest of a packet."""
        self.task.cancel()

    async def _run(self) -> None:
        dut, size = self.dut, self.size
        edge, rises = RisingEdge(dut.clk), RisingEdge(dut.asi_image_ready)
        while True:
            if not self.queue:
                dut.asi_image_valid.value = 0
                self.waiting.clear()
                await self.waiting.wait()
                await edge
            packet, event = self.queue.popleft()
            last = -(-len(packet) // size) - 1
            dut.asi_image_valid.value = 1
            for beat in range(last + 1):
                chunk = packet[beat * size : (beat + 1) * size]
                dut.asi_image_data.value = int.from_bytes(chunk.ljust(size, b"\xff"), "big")
                if beat == 0:
                    dut.asi_image_startofpacket.value = 1
                    dut.asi_image_endofpacket.value = last == 0
                    dut.asi_image_empty.value = 0
                elif beat == 1:
                    dut.asi_image_startofpacket.value = 0
                if beat == last:
                    dut.asi_image_endofpacket.value = 1
                    dut.asi_image_empty.value = size - len(chunk)
                await edge
                while dut.asi_image_ready.value != 1:
                    await rises
                    await edge
            if event is not None:
                event.set()


class ResultMonitor:
    """Hands every packet of `aso_result` to `callback` as bytes, highest first in a beat."""

    def __init__(self, dut: Any, callback: Callable[[bytes], None]) -> None:
        self.dut = dut
        self.callback = callback
        self.task = cocotb.start_soon(self._run())

    def kill(self) -> None:
        """Stop listening."""
        self.task.cancel()

    async def _run(self) -> None:
        dut = self.dut
        edge, rises = RisingEdge(dut.clk), RisingEdge(dut.aso_result_valid)
        packet = bytearray()
        while True:
            await edge
            while dut.aso_result_valid.value != 1:
                await rises
                await edge
            if dut.aso_result_ready.value != 1:
                continue
            if dut.aso_result_startofpacket.value == 1:
                assert not packet, "a result packet without an end"
            packet += int(dut.aso_result_data.value).to_bytes(4, "big")
            if dut.aso_result_endofpacket.value == 1:
                self.callback(bytes(packet))
                packet.clear()


async def write_burst(dut: Any, address: int, values: Sequence[int]) -> None:
    """Write `values` to one register, one a cycle."""
    edge = RisingEdge(dut.clk)
    await edge
    dut.avs_csr_address.value = address
    dut.avs_csr_write.value = 1
    try:
        for value in values:
            dut.avs_csr_writedata.value = value
            await edge
    finally:
        dut.avs_csr_write.value = 0


async def read_register(dut: Any, address: int) -> int:
    """The value of a register, which follows a cycle after the read: there are no wait states."""
    edge = RisingEdge(dut.clk)
    await edge
    dut.avs_csr_address.value = address
    dut.avs_csr_read.value = 1
    await edge
    dut.avs_csr_read.value = 0
    await edge
    assert dut.avs_csr_readdatavalid.value == 1
    return int(dut.avs_csr_readdata.value)
