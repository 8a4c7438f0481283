# SPDX-License-Identifier: Apache-2.0
"""Numbers by chance and every plane of their bits, in any order."""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb
import numpy as np

from golden.map_machine import number
from modules.unit import drive, edge, fields, settings, start
from xnor_fcc.map_plan import BANKS

_BITS_AT = 2


@cocotb.test(timeout_time=100, timeout_unit="us")
async def planes(dut: Any) -> None:
    """Of what is given two cycles after the number of a plane, that plane, and zeros beside it."""
    numbers, slot = settings()["numbers"], settings()["slot"]
    rng = np.random.default_rng(1)
    await start(dut, reset=0, plane=0, numbers=0)
    asked: deque[int] = deque([0] * _BITS_AT)
    for _ in range(300):
        plane = int(rng.integers(8))
        asked.append(plane)
        given = rng.integers(0, 256, (BANKS, numbers), np.uint8)
        drive(dut, plane=plane, numbers=int.from_bytes(given.tobytes(), "little"))
        await edge(dut)
        want = given >> asked.popleft() & 1
        assert fields(int(dut.bits.value), slot, BANKS) == [number(bank) for bank in want]
