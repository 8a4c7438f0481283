# SPDX-License-Identifier: Apache-2.0
"""The clock of the simulated core."""

from __future__ import annotations

import cocotb

CLOCK_NS = 20  # 50 MHz, the clock of the DE1-SoC


def clock_cycle() -> int:
    """Clock cycles since the start of the simulation."""
    return int(cocotb.utils.get_sim_time("ns")) // CLOCK_NS
