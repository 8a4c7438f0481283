# SPDX-License-Identifier: Apache-2.0
"""Offsets split into what the accumulators take and the parity that completes the scores."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, fields, join, settings, start

_OFFSET_AT = 3  # cycles after the address


class Bench:
    """The memory and its contents, (words, PE) signed offsets."""

    def __init__(self, dut: Any, seed: int) -> None:
        built = settings()["parameters"]
        self.dut = dut
        self.pe: int = built["PE"]
        self.bits: int = built["SCORE_BITS"]
        self.depth: int = built["DEPTH"]
        self.rng = np.random.default_rng(seed)
        self.contents = np.zeros((self.depth, self.pe), np.int64)

    async def begin(self) -> None:
        """Clock running, nothing written."""
        names = ("write", "write_address", "write_data", "read_address", "first_s3")
        await start(self.dut, reset=0, **dict.fromkeys(names, 0))

    async def write(self) -> None:
        """Random words, the extremes among them."""
        low, high = -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        self.contents = np.asarray(self.rng.integers(low, high + 1, self.contents.shape))
        self.contents[0, :] = low
        self.contents[-1, :] = high
        for address in self.rng.permutation(self.depth).tolist():
            drive(self.dut, write=1, write_address=address)
            await edge(self.dut)
            # The word is taken one cycle after its address.
            drive(self.dut, write_data=join(self.contents[address].tolist(), self.bits))
        drive(self.dut, write=0)
        await edge(self.dut)
        drive(self.dut, write_data=0)

    async def read(self, addresses: list[int], firsts: list[bool]) -> None:
        """One address a cycle; `firsts` marks those whose offset the accumulators take."""
        parity: list[int] | None = None
        coming: list[int] | None = None
        for cycle in range(len(addresses) + 4):
            known = cycle < len(addresses)
            at = cycle - _OFFSET_AT
            first = 0 <= at < len(addresses) and firsts[at]
            drive(self.dut, read_address=addresses[cycle] if known else 0, first_s3=first)
            await edge(self.dut)
            if parity is not None:
                assert fields(int(self.dut.parity.value), 1, self.pe) == parity, f"cycle {cycle}"
            if 0 <= at < len(addresses):
                want = self.contents[addresses[at]]
                got = fields(int(self.dut.offset.value), self.bits - 1, self.pe)
                mask = (1 << (self.bits - 1)) - 1
                assert got == [int(offset) >> 1 & mask for offset in want], f"cycle {cycle}"
                parity = coming
                if first:
                    coming = [int(offset) & 1 for offset in want]
            else:
                parity = coming


@cocotb.test(timeout_time=100, timeout_unit="us")
async def preset_contents(dut: Any) -> None:
    """What the file holds is there before anything is written; runs first."""
    bench = Bench(dut, seed=1)
    await bench.begin()
    bench.contents = np.array(settings()["preset"])
    addresses = list(range(bench.depth))
    await bench.read(addresses, [True] * bench.depth)


@cocotb.test(timeout_time=100, timeout_unit="us")
async def every_word(dut: Any) -> None:
    """Every word, one a cycle, split into offset and parity."""
    bench = Bench(dut, seed=2)
    await bench.begin()
    for _ in range(3):
        await bench.write()
        addresses = [*range(bench.depth), *bench.rng.permutation(bench.depth).tolist()]
        await bench.read(addresses, [True] * len(addresses))


@cocotb.test(timeout_time=100, timeout_unit="us")
async def parity_stays(dut: Any) -> None:
    """Parity follows only where an offset is taken, two cycles later, and stays until the next."""
    bench = Bench(dut, seed=3)
    await bench.begin()
    await bench.write()
    addresses = bench.rng.integers(0, bench.depth, 200).tolist()
    await bench.read(addresses, [bool(x) for x in bench.rng.random(200) < 0.2])
