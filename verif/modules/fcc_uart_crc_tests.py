# SPDX-License-Identifier: Apache-2.0
"""Checksums of random bytes against zlib."""

from __future__ import annotations

import zlib
from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, start


@cocotb.test(timeout_time=100, timeout_unit="us")
async def random_bytes(dut: Any) -> None:
    """With the shortest pauses and longer ones, restarts at rest and in mid-byte."""
    rng = np.random.default_rng(1)
    await start(dut, reset=0, restart=1, valid=0, data=0)
    drive(dut, restart=0)
    done = b""
    for byte in [*range(256), *rng.integers(0, 256, 200).tolist()]:
        drive(dut, valid=1, data=byte)
        await edge(dut)
        assert dut.busy.value == 0 and int(dut.crc.value) == zlib.crc32(done), done
        done += bytes([byte])
        drive(dut, valid=0, data=~byte & 0xFF)
        cut = rng.random() < 0.05
        for _ in range(int(rng.integers(1, 8)) if cut else 8):
            await edge(dut)
            assert dut.busy.value == 1
        if cut or rng.random() < 0.02:
            drive(dut, restart=1)
            await edge(dut)
            drive(dut, restart=0)
            done = b""
        if rng.random() < 0.2:
            await edge(dut, 3)
