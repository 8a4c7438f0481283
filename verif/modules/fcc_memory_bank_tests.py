# SPDX-License-Identifier: Apache-2.0
"""A bank of any width: what its files hold, what is written, and no bit of one slice in another."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, settings, start


async def _read(dut: Any, address: int) -> int:
    """A word, one cycle after its address."""
    drive(dut, read_address=address)
    await edge(dut)
    drive(dut, read_address=0)
    await edge(dut)
    return int(dut.read_data.value)


@cocotb.test(timeout_time=100, timeout_unit="us")
async def words(dut: Any) -> None:
    """The files' words first; then random ones, none, all bits, and one bit at either end of each
    slice alone."""
    width, depth = (settings()["parameters"][name] for name in ("WIDTH", "DEPTH"))
    assert len(dut.write_data) == len(dut.read_data) == width
    await start(dut, reset=0, write=0, write_address=0, write_data=0, read_address=0)
    rng = np.random.default_rng(1)
    ends = sorted({0, width - 1, *(bit for s in range(0, width, 960) for bit in (s - 1, s))} - {-1})
    if len(ends) > 20:
        ends = [*ends[:6], *rng.choice(ends, 8).tolist(), *ends[-6:]]
    contents = [int(word, 16) for word in settings()["preset"]]
    assert [await _read(dut, address) for address in range(depth)] == contents
    random = [int.from_bytes(rng.bytes(width // 8 + 1), "little") % (1 << width) for _ in range(4)]
    for turn, word in enumerate([*random, 0, (1 << width) - 1, *(1 << bit for bit in ends)]):
        address = turn % depth
        drive(dut, write=1, write_address=address, write_data=word)
        await edge(dut)
        drive(dut, write=0, write_data=0)
        contents[address] = word
        assert [await _read(dut, address) for address in range(depth)] == contents
