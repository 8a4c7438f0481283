# SPDX-License-Identifier: Apache-2.0
"""Checksums of random loads against zlib, the two memories in any order."""

from __future__ import annotations

import zlib
from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, start

MEMORIES = ("weight", "threshold")
IDLE = dict.fromkeys(("weight_restart", "threshold_restart", "chunk_valid", "chunk_threshold"), 0)


def check(dut: Any, loaded: dict[str, bytes]) -> None:
    """Both checksums are those of the bytes written to the memories."""
    for memory, data in loaded.items():
        assert int(getattr(dut, f"{memory}s_crc").value) == zlib.crc32(data), (memory, data.hex())


@cocotb.test(timeout_time=100, timeout_unit="us")
async def random_loads(dut: Any) -> None:
    """Chunks, gaps, restarts and resets; every cycle is compared."""
    rng = np.random.default_rng(1)
    await start(dut, **IDLE, chunk=0)
    loaded = {memory: b"" for memory in MEMORIES}
    special = (0, 0xFFFF_FFFF, 1, 0x8000_0000)
    for cycle in range(3000):
        chunk = special[rng.integers(4)] if rng.random() < 0.2 else int(rng.integers(1 << 32))
        memory = MEMORIES[rng.integers(2)]
        port = rng.choice(["chunk_valid", "restart", "none"], p=[0.75, 0.02, 0.23])
        reset = cycle % 500 == 499
        drive(dut, **IDLE)
        drive(dut, chunk=chunk, reset=reset, chunk_threshold=int(rng.integers(2)))
        if port == "restart":
            drive(dut, **{f"{memory}_restart": 1})
        elif port == "chunk_valid":
            drive(dut, chunk_valid=1, chunk_threshold=MEMORIES.index(memory))
        await edge(dut)
        check(dut, loaded)
        if reset:
            loaded = {memory: b"" for memory in MEMORIES}
        elif port == "restart":
            loaded[memory] = b""
        elif port == "chunk_valid":
            loaded[memory] += chunk.to_bytes(4, "little")


@cocotb.test(timeout_time=10, timeout_unit="us")
async def known_value(dut: Any) -> None:
    """The check value by which CRC-32 is told from its relatives: of the text 12345678."""
    await start(dut, **IDLE, chunk=0)
    for text in (b"1234", b"5678"):
        drive(dut, chunk_valid=1, chunk=int.from_bytes(text, "little"))
        await edge(dut)
    drive(dut, **IDLE)
    await edge(dut)
    assert int(dut.weights_crc.value) == 0x9AE0DAAF
    assert int(dut.thresholds_crc.value) == 0
