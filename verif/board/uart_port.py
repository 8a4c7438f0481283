# SPDX-License-Identifier: Apache-2.0
"""A serial port whose other end is the simulated link: what pyserial is to the transport."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import cocotb
from cocotb.task import resume
from cocotb.triggers import SimTimeoutError, with_timeout
from cocotbext.uart import UartSink, UartSource

from board.host_system import simulated_seconds
from xnor_fcc.board.uart import UartTransport
from xnor_fcc_sim.clock import CLOCK_NS

DIVIDER = 8
TIMEOUT = 500
BIT_NS = DIVIDER * CLOCK_NS
# A bit of another author's sender is a number of nanoseconds.
BAUD = round(1e9 / BIT_NS)

Mangle = Callable[[int, int], bytes]


class SimulatedPort:
    """`Port` to the pins `rxd` and `txd` of the link; make one in a cocotb test, out of reset.

    To plant damage, `sending` and `receiving` say what becomes of a byte: they get its number since
    `count_from_here` and the byte. `sent` and `received` count them.
    """

    def __init__(self, rxd: Any, txd: Any, bit_ns: int = BIT_NS) -> None:
        self.timeout: float | None = 0.0
        self.sent = self.received = 0
        self.sending: Mangle | None = None
        self.receiving: Mangle | None = None
        self.closed = False
        for pin in (rxd, txd):
            logging.getLogger(f"cocotb.{pin._path}").setLevel(logging.WARNING)
        self.source = UartSource(rxd, baud=1e9 / (bit_ns + 0.01))
        self.sink = UartSink(txd, baud=1e9 / (BIT_NS + 0.01), stop_bits=0.5)
        self._waiting = bytearray()

    def transport(self) -> UartTransport:
        """The transport over it."""
        return UartTransport(self, BAUD, "the port", TIMEOUT, simulated_seconds)

    def count_from_here(self) -> None:
        """Bytes are numbered from here."""
        self.sent = self.received = 0

    def write(self, data: bytes) -> int:
        """Send."""
        out = bytearray()
        for byte in data:
            out += self.sending(self.sent, byte) if self.sending else bytes([byte])
            self.sent += 1
        self.source.write_nowait(out)
        return len(data)

    def read(self, size: int) -> bytes:
        """Receive."""
        resume(self._receive)(size)
        data, self._waiting = bytes(self._waiting[:size]), self._waiting[size:]
        return data

    def close(self) -> None:
        """Remember that."""
        self.closed = True

    async def _receive(self, size: int) -> None:
        assert self.timeout is not None
        end = cocotb.utils.get_sim_time("ns") + self.timeout * 1e9
        while len(self._waiting) < size:
            left = int(end - cocotb.utils.get_sim_time("ns"))
            try:
                data = await with_timeout(self.sink.read(), max(left, 1), "ns")
            except SimTimeoutError:
                return
            for byte in data:
                mangled = self.receiving(self.received, byte) if self.receiving else bytes([byte])
                self._waiting += mangled
                self.received += 1
