# SPDX-License-Identifier: Apache-2.0
"""Thresholds written and reset."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, fields, settings, start


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def writes_and_resets(dut: Any) -> None:
    """Each threshold by its number, in the next cycle; numbers beyond the last one and a write in
    the cycle of a reset change nothing; a reset brings back what is preset."""
    count, preset = settings()["count"], settings()["preset"]
    await start(dut, write=0, index=0, threshold=0)
    rng = np.random.default_rng(1)
    want = list(preset)
    ends = [0, count - 1, min(255, count), 255]
    for turn in range(700):
        write, threshold = bool(rng.integers(2)), int(rng.integers(256))
        index = int(rng.choice([*ends, int(rng.integers(count))]))
        # A long time between resets, at the end, lets all of them be written.
        reset = turn in (200, 201, 300) or (turn < 100 and rng.random() < 0.2)
        drive(dut, write=write, index=index, threshold=threshold, reset=reset)
        await edge(dut)
        assert fields(int(dut.levels.value), 8, count) == want
        if reset:
            want = list(preset)
        elif write and index < count:
            want[index] = threshold
    assert want != preset
