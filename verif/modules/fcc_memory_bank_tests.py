# SPDX-License-Identifier: Apache-2.0
"""A bank of any width: what its files hold, what is written, and no bit of one slice in another."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, settings, start


async def _read(dut: Any, address: int) -> int:
    """A word, two cycles after its address."""
    drive(dut, read_address=address)
    await edge(dut)
    drive(dut, read_address=0)
    await edge(dut)
    await edge(dut)
    return int(dut.read_data.value)


async def _write(dut: Any, slices: int, address: int, word: int) -> None:
    """Some slices of a word, which is taken one cycle after its address."""
    drive(dut, write=slices, write_address=address)
    await edge(dut)
    drive(dut, write=0, write_address=0, write_data=word)
    await edge(dut)
    drive(dut, write_data=0)


@cocotb.test(timeout_time=100, timeout_unit="us")
async def words(dut: Any) -> None:
    """The files' words first; then random ones, none, all bits, and one bit at either end of each
    slice alone; then slices alone."""
    width, depth, size = (settings()["parameters"][name] for name in ("WIDTH", "DEPTH", "SLICE"))
    slices = -(-width // size)
    assert len(dut.write_data) == len(dut.read_data) == width
    await start(dut, reset=0, write=0, write_address=0, write_data=0, read_address=0)
    rng = np.random.default_rng(1)
    starts = range(size, width, size)
    ends = sorted({0, width - 1, *(bit for s in starts for bit in (s - 1, s))})
    if len(ends) > 20:
        ends = [*ends[:6], *rng.choice(ends, 8).tolist(), *ends[-6:]]
    contents = [int(word, 16) for word in settings()["preset"]]
    assert [await _read(dut, address) for address in range(depth)] == contents
    random = [int.from_bytes(rng.bytes(width // 8 + 1), "little") % (1 << width) for _ in range(4)]
    for turn, word in enumerate([*random, 0, (1 << width) - 1, *(1 << bit for bit in ends)]):
        address = turn % depth
        await _write(dut, (1 << slices) - 1, address, word)
        contents[address] = word
        assert [await _read(dut, address) for address in range(depth)] == contents
    for number in sorted({0, 1, slices // 2, slices - 1} & set(range(slices))):
        address = number % depth
        mask = (1 << size) - 1 << number * size
        await _write(dut, 1 << number, address, ~contents[address] & (1 << width) - 1)
        contents[address] ^= mask & (1 << width) - 1
        assert [await _read(dut, address) for address in range(depth)] == contents
