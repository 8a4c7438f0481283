# SPDX-License-Identifier: Apache-2.0
"""What plays a scenario into the ports of any core: packets with their gaps, register accesses, and
results that are taken in bursts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

from cocotb.triggers import ClockCycles, RisingEdge

from campaigns.scenarios.scenario import Access, Episode
from core.host import Host, while_running
from xnor_fcc_sim.packets import Beat, drive_beat

# A packet on its way: idle cycles before it and between its beats, and its beats.
Sending = tuple[int, int, list[Beat]]


async def access(dut: Any, given: Access) -> None:
    """One register access after its wait, of a kind that neither stops nor resets the core."""
    if given.wait:
        await ClockCycles(dut.clk, given.wait)
    value = given.value
    if value is not None:
        value = while_running(given.address, value)
    dut.avs_csr_address.value = given.address
    dut.avs_csr_writedata.value = value or 0
    dut.avs_csr_read.value = int(value is None)
    dut.avs_csr_write.value = int(value is not None)
    await RisingEdge(dut.clk)
    dut.avs_csr_read.value = dut.avs_csr_write.value = 0


async def meanwhile(dut: Any, host: Host, episode: Episode) -> None:
    """The accesses of an episode, or noise, which `host` counts; none that stops or resets the
    core."""
    if episode.noise:
        await host.flood(while_running)
    for given in episode.accesses:
        await access(dut, given)
        host.done += 1
    host.rest()


async def send(dut: Any, packets: Sequence[Sending]) -> None:
    """Drive the beats of packets with their gaps."""
    for gap, pause, beats in packets:
        for number, beat in enumerate(beats):
            idle = pause if number else gap
            if idle:
                dut.asi_image_valid.value = 0
                await ClockCycles(dut.clk, idle)
            await drive_beat(dut, beat)
    dut.asi_image_valid.value = 0


async def hold(dut: Any, bursts: Sequence[tuple[int, int]]) -> None:
    """Take results for some cycles and none for some, for ever."""
    for ready, held in cycle(bursts):
        dut.aso_result_ready.value = 1
        await ClockCycles(dut.clk, ready)
        if held:
            dut.aso_result_ready.value = 0
            await ClockCycles(dut.clk, held)
