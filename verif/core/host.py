# SPDX-License-Identifier: Apache-2.0
"""A host that accesses any register at random, and what is asked of a core under such a flood."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge

from golden.twin import RISING, Twin
from xnor_fcc.registers import ADDRESS, BIT, MAP
from xnor_fcc_sim.bench import Bench

ENABLE = 1 << BIT["CONTROL"]["ENABLE"]
SOFT_RESET = 1 << BIT["CONTROL"]["SOFT_RESET"]
_ONES = 0xFFFF_FFFF

Rule = Callable[[int, int], int | None]


class Host:
    """Random accesses to any register, on a bus that is busy about half of the time.

    A `Rule` gets the address and the value of a write and returns the value that may be written
    now, or None.
    """

    def __init__(self, dut: Any, layers: int, seed: int) -> None:
        self.dut = dut
        self.rng = np.random.default_rng(seed)
        writable = [r["address"] for r in MAP["registers"] if r["access"] != "ro"]
        often = [ADDRESS[name] for name in ("ERROR", "IRQ_STATUS", "LOAD_DATA")]
        table = [ADDRESS["LAYER_TABLE"] + layer for layer in range(layers)]
        self.favourites = [*writable, *table, *3 * often]
        self.done = 0

    def _write(self, rule: Rule) -> tuple[int, int] | None:
        rng = self.rng
        address = int(rng.choice(self.favourites) if rng.random() < 0.6 else rng.integers(0, 64))
        values = (0, _ONES, 1 << int(rng.integers(0, 32)), rng.integers(0, 1 << 32),
                  rng.integers(0, 16))  # fmt: skip
        allowed = rule(address, int(values[rng.integers(0, len(values))]))
        return None if allowed is None else (address, allowed)

    async def flood(self, rule: Rule, accesses: int | None = None) -> None:
        """Random reads and writes, for ever or until so many are done."""
        dut, rng, edge = self.dut, self.rng, RisingEdge(self.dut.clk)
        target = None if accesses is None else self.done + accesses
        burst: list[tuple[int, int]] = []
        write: tuple[int, int] | None = None
        address = 0
        await edge
        while target is None or self.done < target:
            kind = rng.random()
            clearing = bool(burst) and burst[-1] == (ADDRESS["ERROR"], _ONES)
            # What was written is read back.
            back = write is not None and (clearing or kind < 0.4)
            writes = write is None if clearing else 0.4 < kind < 0.65
            write = (burst.pop() if burst else self._write(rule)) if writes else None
            read = write is None and (back or kind > 0.65)
            dut.avs_csr_read.value = int(read)
            dut.avs_csr_write.value = int(write is not None)
            if not back:
                address = int(rng.integers(0, 64))
            address, value = write or (address, int(rng.integers(0, 1 << 32)))
            dut.avs_csr_address.value = address
            dut.avs_csr_writedata.value = value
            # Memories are filled, and more than filled, in one go.
            if write and address == ADDRESS["LOAD_DATA"] and not burst and rng.random() < 0.2:
                burst = [(address, int(v)) for v in rng.integers(0, 1 << 32, 250)]
            # Errors are cleared and read in turns, until some came in the cycle that clears them.
            if write and address == ADDRESS["ERROR"] and not burst and rng.random() < 0.2:
                burst = 60 * [(address, _ONES)]
            self.done += read or write is not None
            await edge
        self.rest()

    def rest(self) -> None:
        """No access."""
        self.dut.avs_csr_read.value = self.dut.avs_csr_write.value = 0


def while_running(address: int, value: int) -> int | None:
    """Anything but what legitimately stops or resets a core."""
    return value & ~SOFT_RESET | ENABLE if address == ADDRESS["CONTROL"] else value


def while_stopped(address: int, value: int) -> int | None:
    """Anything but a start; now and then a software reset."""
    return value & ~ENABLE if address == ADDRESS["CONTROL"] else value


def while_coming_to_rest(address: int, value: int) -> int | None:
    """No configuration: when exactly the core allows it again depends on what is inside."""
    return value if address in (ADDRESS["ERROR"], ADDRESS["IRQ_STATUS"]) else None


async def progress(twin: Twin, beats: int, cycles: int) -> None:
    """Wait until so many beats have been taken, at most `cycles` without one."""
    waited, before = 0, twin.beats
    while twin.beats < beats:
        await ClockCycles(twin.dut.clk, 16)
        waited = waited + 16 if twin.beats == before else 0
        before = twin.beats
        assert waited <= cycles, f"no beat was taken for {cycles} cycles"


async def try_to_start(twin: Twin) -> bool:
    """Enable the core with what has been written; the twin knows whether it may start. If so, it is
    stopped again."""
    await twin.bench.write("CONTROL", ENABLE)
    await ClockCycles(twin.dut.clk, 3 * twin.geometry.max_layers + 8)
    started = twin.running
    for name in ("STATUS", "ERROR", "IRQ_STATUS"):
        await twin.bench.read(name)
    await twin.bench.stop()
    return started


async def counters(bench: Bench) -> dict[str, int]:
    """Every counter that a round is measured by."""
    names = (*RISING, "BATCHES", "IMAGES", "DROPPED", "ERROR", "IRQ_STATUS")
    return {name: await bench.read(name) for name in names}
