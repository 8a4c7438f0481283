# SPDX-License-Identifier: Apache-2.0
"""Images out of a ring, beat by beat; settings: `beats` of every image, `empty`."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, settings, start


async def _beats(dut: Any, count: int, ready: float, rng: np.random.Generator) -> None:
    """`count` beats from image 0 on, taken where `ready` says so."""
    images: list[list[int]] = settings()["beats"]
    each = len(images[0])
    held = None
    taken = cycles = 0
    while taken < count:
        now = bool(rng.random() < ready)
        drive(dut, aso_ready=now)
        await edge(dut)
        cycles += 1
        assert cycles < 2 or dut.aso_valid.value == 1, "a gap"
        if not dut.aso_valid.value:
            continue
        image, beat = divmod(taken, each)
        shown = tuple(
            int(getattr(dut, f"aso_{name}").value)
            for name in ("data", "startofpacket", "endofpacket", "empty")
        )
        last = beat == each - 1
        want = images[image % len(images)][beat]
        assert shown == (want, beat == 0, last, settings()["empty"] if last else 0), taken
        assert held in (None, shown)
        held = None if now else shown
        taken += now


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def every_image(dut: Any) -> None:
    """Three turns without a gap, then with waits: the last image is followed by the first."""
    rng = np.random.default_rng(1)
    count = 3 * sum(len(image) for image in settings()["beats"])
    for ready in (1.0, 0.6):
        await start(dut, aso_ready=0)
        await _beats(dut, count, ready, rng)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_reset_begins_with_the_first(dut: Any) -> None:
    """In every cycle of a turn."""
    rng = np.random.default_rng(2)
    total = sum(len(image) for image in settings()["beats"])
    await start(dut, aso_ready=0)
    for moment in range(total + 2):
        drive(dut, aso_ready=1)
        await edge(dut, moment + 1)
        drive(dut, reset=1)
        await edge(dut)
        drive(dut, reset=0)
        await _beats(dut, len(settings()["beats"][0]) + 1, 0.8, rng)
