# SPDX-License-Identifier: Apache-2.0
"""What the testbenches of single modules share: clock, reset, driving, packing.

They all count cycles the same way: drive the inputs of a cycle, `await edge(dut)`, then read what
was on the wires in that cycle, combinational outputs included. The next drive is the next cycle.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer

from xnor_fcc_sim.bits import fields, join, number, parities, planes
from xnor_fcc_sim.settings import settings

__all__ = [
    "drive",
    "edge",
    "fields",
    "hold",
    "join",
    "known",
    "number",
    "parities",
    "part",
    "planes",
    "settings",
    "settle",
    "start",
]

CLOCK_NS = 10
# What `drive` last set every input of a design to.
_driven: dict[Any, dict[str, int]] = {}


def drive(dut: Any, **inputs: int) -> None:
    """Set input ports by name for the cycle that has just begun; nothing else sets them.

    A value that is there already is not set again: to do so takes half the time of a simulation.
    """
    driven = _driven.setdefault(dut, {})
    for name, given in inputs.items():
        value = int(given)
        if driven.get(name) != value:
            getattr(dut, name).value = value
            driven[name] = value


async def edge(dut: Any, cycles: int = 1) -> None:
    """The clock edge that ends a cycle (or the last of `cycles`)."""
    for _ in range(cycles):
        await RisingEdge(dut.clk)


async def start(dut: Any, reset: int = 1, **inputs: int) -> None:
    """Start the clock with the given inputs and, where there is one, release the reset."""
    drive(dut, **inputs)
    if reset:
        drive(dut, reset=1)
    Clock(dut.clk, CLOCK_NS, unit="ns").start()
    await edge(dut, 3)
    if reset:
        drive(dut, reset=0)


async def settle() -> None:
    """Let combinational logic follow its inputs."""
    await Timer(1, "ns")


def hold(rng: np.random.Generator, mean_busy: float, mean_idle: float) -> Iterable[bool]:
    """Endless random runs of True and False of the given mean lengths; no idle runs for 0."""
    while True:
        for _ in range(rng.geometric(1 / mean_busy)):
            yield True
        if mean_idle:
            for _ in range(rng.geometric(1 / mean_idle)):
                yield False


def known(handle: Any) -> int:
    """A signal whose undefined bits read 0."""
    value = handle.value
    bits = str(value)
    return int(value) if bits.isdecimal() else int("".join(b if b == "1" else "0" for b in bits), 2)


def part(handle: Any, index: int, width: int) -> int:
    """Field `index` of `width` bits of a signal whose other bits may be undefined."""
    return int(handle.value[(index + 1) * width - 1 : index * width])
