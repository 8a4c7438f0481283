# SPDX-License-Identifier: Apache-2.0
"""The whole core from power-up in four-state logic: no X and no Z ever comes out of it.

From the cycle after the first one with reset on, every output of `xnor_fcc` is looked at in every
cycle, at the clock edge, when its receiver does: `ready`, `valid`, `readdatavalid` and the
interrupt always; what accompanies a `valid` while that is high. No memory is preset, and no word of
one is loaded that the network does not need. What goes into the core is X wherever the bus allows
it: on a stream that is not valid, on address and data of registers that are not accessed; what the
core does not use is left open.

The tests of modules and of corners that run in Icarus too would fail over an X in a value they
compare; here nothing has to be compared for an X to be found. Settings: geometry, seed.
"""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from core.peer import Peer, weight_packets
from xnor_fcc.geometry import Geometry, ceil_div
from xnor_fcc.pack import pack
from xnor_fcc.random_network import random_network
from xnor_fcc.registers import BIT
from xnor_fcc_sim.checks import Expected
from xnor_fcc_sim.clock import let_pass
from xnor_fcc_sim.packets import bit_packet
from xnor_fcc_sim.settings import settings
from xnor_fcc_sim.traffic import patience, random_widths

# Outputs that must be defined in every cycle, each with those that count only while it is high.
_OUTPUTS = {
    "asi_image_ready": (),
    "asi_weight_ready": (),
    "ins_csr_irq": (),
    "avs_csr_readdatavalid": ("avs_csr_readdata",),
    "aso_result_valid": (
        *("aso_result_data", "aso_result_startofpacket", "aso_result_endofpacket"),
        "aso_result_empty",
    ),
}


class Watch:
    """Fails at the first X or Z on an output after the first reset; `cycles` has been looked at."""

    def __init__(self, dut: Any) -> None:
        self.outputs = [
            (name, getattr(dut, name), [(below, getattr(dut, below)) for below in names])
            for name, names in _OUTPUTS.items()
        ]
        self.cycles = 0
        self.high: set[str] = set()
        cocotb.start_soon(self._run(dut))

    async def _run(self, dut: Any) -> None:
        edge = RisingEdge(dut.clk)
        await edge
        while dut.reset.value != 1:
            await edge
        while True:
            await edge
            self.cycles += 1
            for name, handle, accompanying in self.outputs:
                self._defined(name, handle)
                if handle.value == 1:
                    self.high.add(name)
                    for below, value in accompanying:
                        self._defined(below, value)

    def _defined(self, name: str, handle: Any) -> None:
        value = str(handle.value)
        assert set(value) <= {"0", "1"}, f"{name} is {value} in cycle {self.cycles}"


class Undefined(Peer):
    """A peer whose registers carry X, too, while they are not accessed."""

    def _forget(self) -> None:
        for port in (self.dut.avs_csr_address, self.dut.avs_csr_writedata):
            port.value = "x" * len(port)

    async def write(self, register: str, value: int, index: int = 0) -> None:
        """Write a register."""
        await super().write(register, value, index)
        self._forget()

    async def read(self, register: str, index: int = 0) -> int:
        """Value of a register."""
        value = await super().read(register, index)
        self._forget()
        return value

    async def read_all(self) -> None:
        """Every address once."""
        for address in range(64):
            await self.csr.read(address)
        self._forget()


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def no_x_comes_out(dut: Any) -> None:
    """Power-up, one cycle of reset, then networks in turn: loaded, images classified, a software
    reset in mid-flight, and images again; a packet that is wrong, a start that is refused."""
    want = settings()
    geometry = Geometry(**want["geometry"])
    rng = np.random.default_rng(int(want["seed"]))
    watch = Watch(dut)
    peer = await Undefined.power_up(dut, geometry, "x")
    await peer.reset(cycles=1)
    await peer.read_all()
    await peer.write("IRQ_ENABLE", 3)
    await peer.write("CONTROL", 1 << BIT["CONTROL"]["ENABLE"])  # nothing is loaded
    await let_pass(dut.clk, 3 * geometry.max_layers + 8)
    assert await peer.read("ERROR") == 1 << BIT["ERROR"]["BAD_TABLE"]
    for layers in (1, 3, 2):
        widths = random_widths(rng, geometry, layers)
        network = random_network(rng, widths)
        memory = pack(network, geometry)
        await peer.load(memory)
        await peer.write("PARTIAL_TIMEOUT", 500)
        quiet = patience(geometry, widths, 500)
        count = 3 * geometry.lanes + 2
        batches = ceil_div(count - 1, geometry.lanes)
        for in_mid_flight in (True, True, False):
            bits = rng.integers(0, 2, (count, widths[0])).astype(np.uint8)
            bad = int(rng.integers(0, count))
            await peer.write("IRQ_ENABLE", 3)
            await peer.start()
            peer.send([bit_packet(row) for row in bits], bad, weight_packets(memory) * batches)
            if in_mid_flight:
                await let_pass(dut.clk, int(rng.integers(1, 3 * geometry.period_cycles(widths))))
            else:
                await peer.answers(Expected(network, bits), bad, quiet)
            await peer.read_all()
            await peer.soft_reset()
            peer.connect()
            await peer.read_all()
    assert watch.cycles > 1000
    never = set() if geometry.weight_stream else {"asi_weight_ready"}
    assert watch.high == set(_OUTPUTS) - never
