# SPDX-License-Identifier: Apache-2.0
"""The clock of the simulated core."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge, Timer

CLOCK_NS = 20  # 50 MHz, the clock of the DE1-SoC


def clock_cycle() -> int:
    """Clock cycles since the start of the simulation."""
    return int(cocotb.utils.get_sim_time("ns")) // CLOCK_NS


async def let_pass(clk: Any, cycles: int) -> None:
    """So many rising edges of the clock (>= 1), as cocotb's `ClockCycles`, which wakes up at each
    of them: in a long run that waits most of the time a quarter of it."""
    # Short of the last one, whether this begins with an edge or in the middle of a cycle.
    await Timer(cycles * CLOCK_NS - 3 * CLOCK_NS // 4, "ns")
    await RisingEdge(clk)
