# SPDX-License-Identifier: Apache-2.0
"""Thresholds written and reset, sizes read, everything else passed on to fcc_csr, whose part the
testbench has."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, fields, settings, start
from xnor_fcc.registers import ADDRESS, OF_MAPS, word

_INPUTS = ("avs_address", "avs_read", "avs_write", "avs_writedata", "csr_readdata", "locked")


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def writes_and_resets(dut: Any) -> None:
    """Each threshold by its number, in the next cycle; numbers beyond the last one, a write in the
    cycle of a reset and one while configuration is locked change nothing; a reset brings back what
    is preset."""
    count, preset = settings()["count"], settings()["preset"]
    await start(dut, **dict.fromkeys(_INPUTS, 0))
    rng = np.random.default_rng(1)
    want = list(preset)
    ends = [0, max(0, count - 1), min(255, count), 255]
    for turn in range(700):
        write, locked, threshold = bool(rng.integers(2)), rng.random() < 0.1, int(rng.integers(256))
        index = int(rng.choice([*ends, int(rng.integers(count or 9))]))
        # All bits above the two fields are ignored.
        value = word("LEVEL", INDEX=index, THRESHOLD=threshold) | int(rng.integers(1 << 16)) << 16
        # A long time between resets, at the end, lets all of them be written.
        reset = turn in (200, 201, 300) or (turn < 100 and rng.random() < 0.2)
        drive(dut, avs_write=write, avs_address=ADDRESS["LEVEL"], avs_writedata=value,
              locked=locked, reset=reset)  # fmt: skip
        await edge(dut)
        assert fields(int(dut.levels.value), 8, count) == want and (count or not dut.levels.value)
        # Refused by fcc_csr, as every description of the network is.
        refused = write and locked
        assert int(dut.csr_address.value) == ADDRESS["INPUTS" if refused else "LEVEL"]
        if reset:
            want = list(preset)
        elif write and not locked and index < count:
            want[index] = threshold
    assert want != preset or not count


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def accesses(dut: Any) -> None:
    """Every address read and written, at once too: what is read is this module's word or what
    fcc_csr answers, in the next cycle; all addresses go to fcc_csr, that of a refused threshold
    aside; only a write of LEVEL changes a threshold."""
    values, count, preset = (settings()[name] for name in ("values", "count", "preset"))
    await start(dut, **dict.fromkeys(_INPUTS, 0))
    rng = np.random.default_rng(2)
    assert set(values) == OF_MAPS - {"LEVEL"}
    mine = {ADDRESS[name]: value for name, value in {**values, "LEVEL": 0}.items()}
    levels = list(preset)
    read: int | None = None
    for turn in range(64 * 20):
        address = turn % 64 if turn < 256 else int(rng.integers(64))
        write, locked = (bool(rng.integers(2)) for _ in range(2))
        reads = turn < 256 or bool(rng.integers(2))
        value, answer = (int(rng.integers(1 << 32)) for _ in range(2))
        drive(dut, avs_address=address, avs_read=reads, avs_write=write, avs_writedata=value,
              csr_readdata=answer, locked=locked)  # fmt: skip
        await edge(dut)
        if read is not None:
            assert int(dut.avs_readdata.value) == mine.get(read, answer), f"address {read}"
        assert fields(int(dut.levels.value), 8, count) == levels
        is_level = write and address == ADDRESS["LEVEL"]
        went_to = ADDRESS["INPUTS"] if is_level and locked else address
        assert int(dut.csr_address.value) == went_to
        if is_level and not locked and value >> 8 & 0xFF < count:
            levels[value >> 8 & 0xFF] = value & 0xFF
        read = address if reads else None
