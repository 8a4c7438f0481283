# SPDX-License-Identifier: Apache-2.0
"""Margins of every group, up and down, three cycles after their address."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, fields, join, settings, start

_MARGINS_AT = 3  # cycles after the address


class Bench:
    """The memory and its contents, (words, 2, PE): up, then down."""

    def __init__(self, dut: Any, seed: int) -> None:
        built = settings()["parameters"]
        self.dut = dut
        self.pe: int = built["PE"]
        self.bits: int = built["MARGIN_BITS"]
        self.depth: int = built["DEPTH"]
        self.rng = np.random.default_rng(seed)
        self.contents = np.zeros((self.depth, 2, self.pe), np.int64)

    async def begin(self) -> None:
        """Clock running, nothing written."""
        names = ("write", "write_address", "write_data", "read_address")
        await start(self.dut, reset=0, **dict.fromkeys(names, 0))

    async def write(self) -> None:
        """Random words, the extremes among them."""
        self.contents = np.asarray(self.rng.integers(0, 1 << self.bits, self.contents.shape))
        self.contents[0, :] = 0
        self.contents[-1, :] = (1 << self.bits) - 1
        for address in self.rng.permutation(self.depth).tolist():
            word = join(self.contents[address].ravel().tolist(), self.bits)
            drive(self.dut, write=1, write_address=address)
            await edge(self.dut)
            # The word is taken one cycle after its address; what is not written does not matter.
            drive(self.dut, write=0, write_address=0, write_data=word)
            await edge(self.dut)
            drive(self.dut, write_data=0)

    async def read(self, addresses: list[int]) -> None:
        """One address a cycle."""
        for cycle in range(len(addresses) + _MARGINS_AT):
            drive(self.dut, read_address=addresses[min(cycle, len(addresses) - 1)])
            await edge(self.dut)
            if cycle >= _MARGINS_AT:
                want = self.contents[addresses[cycle - _MARGINS_AT]].tolist()
                for port, margins in zip(("up", "down"), want, strict=True):
                    got = fields(int(getattr(self.dut, port).value), self.bits, self.pe)
                    assert got == margins, f"{port}, cycle {cycle}"


@cocotb.test(timeout_time=100, timeout_unit="us")
async def preset_contents(dut: Any) -> None:
    """What the file holds is there before anything is written; runs first."""
    bench = Bench(dut, seed=1)
    await bench.begin()
    bench.contents = np.array(settings()["preset"])
    await bench.read(list(range(bench.depth)))


@cocotb.test(timeout_time=100, timeout_unit="us")
async def every_word(dut: Any) -> None:
    """Every word, one a cycle."""
    bench = Bench(dut, seed=2)
    await bench.begin()
    for _ in range(3):
        await bench.write()
        await bench.read([*range(bench.depth), *bench.rng.permutation(bench.depth).tolist()])
