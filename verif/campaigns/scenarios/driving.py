# SPDX-License-Identifier: Apache-2.0
"""What plays a scenario into the ports of any core: packets with their gaps, and results that are
taken in bursts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

from cocotb.triggers import ClockCycles

from xnor_fcc_sim.packets import Beat, drive_beat

# A packet on its way: idle cycles before it and between its beats, and its beats.
Sending = tuple[int, int, list[Beat]]


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
