# SPDX-License-Identifier: Apache-2.0
"""The eight banks: which word goes where, and which address reads it."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, join, part, settings, start
from xnor_fcc.map_plan import BANKS

_READS = ("read_even_near", "read_even_far", "read_odd_near", "read_odd_far")


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def random_accesses(dut: Any) -> None:
    """Every bank is written and read at random, in the same cycle too; what is read in a cycle in
    which it is written says nothing, and a cycle later it is there."""
    width, depth = settings()["width"], settings()["depth"]
    rng = np.random.default_rng(1)
    names = ("write", "write_address", "write_data", *_READS)
    await start(dut, reset=0, **dict.fromkeys(names, 0))
    memory: list[dict[int, int]] = [{} for _ in range(BANKS)]
    want: list[int | None] = [None] * BANKS
    checked = 0
    # Few enough that what is written is read.
    addresses = [0, depth - 1, *rng.integers(0, depth, 6).tolist()]
    for turn in range(600):
        write = int(rng.integers(0, 1 << BANKS)) if turn % 3 else 1 << turn // 3 % BANKS
        address = int(rng.choice(addresses))
        data = [int.from_bytes(rng.bytes(16), "little") % (1 << width) for _ in range(4)]
        reads = [address if rng.random() < 0.2 else int(rng.choice(addresses)) for _ in _READS]
        drive(dut, write=write, write_address=address, write_data=join(data, width))
        drive(dut, **dict(zip(_READS, reads, strict=True)))
        await edge(dut)
        for bank, value in enumerate(want):
            if value is not None:
                assert part(dut.pixels, bank, width) == value, f"bank {bank}"
                checked += 1
        for bank in range(BANKS):
            at = reads[bank // 4 * 2 + bank % 4 // 2]
            written = write >> bank & 1
            want[bank] = None if written and at == address else memory[bank].get(at)
            if written:
                memory[bank][address] = data[bank // 4 * 2 + bank % 2]
    assert checked > 1000
