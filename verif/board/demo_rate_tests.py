# SPDX-License-Identifier: Apache-2.0
"""The decimal counter of events a second; settings: `second` in cycles, `digits`."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, settings, start


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def counts_every_second(dut: Any) -> None:
    """Seconds with no event, with one in every cycle, and with random ones: the count of each is
    shown in the next, with all nines where it is more than the digits can tell."""
    want = settings()
    second, digits = int(want["second"]), int(want["digits"])
    rng = np.random.default_rng(1)
    await start(dut, occurs=1)  # the events during reset do not count
    shown = 0
    for density in (0.0, 1.0, *rng.random(20), 0.0):
        events = rng.random(second) < density
        for event in events:
            drive(dut, occurs=event)
            await edge(dut)
            assert int(dut.rate.value) == shown
        count = min(int(events.sum()), 10**digits - 1)
        shown = int(str(count), 16)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_begins_a_second(dut: Any) -> None:
    """A reset in the middle of a second forgets what was counted and what was shown."""
    second = int(settings()["second"])
    await start(dut, occurs=1)
    await edge(dut, second + second // 2)
    dut.reset.value = 1
    await edge(dut, 2)
    assert int(dut.rate.value) == 0
    dut.reset.value = 0
    drive(dut, occurs=0)
    await edge(dut, second)
    drive(dut, occurs=1)
    await edge(dut, 1)
    assert int(dut.rate.value) == 0
