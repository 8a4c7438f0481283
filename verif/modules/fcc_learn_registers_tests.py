# SPDX-License-Identifier: Apache-2.0
"""What is asked of a core that learns, what it has done and the way to its latents, every cycle
against the rules; everything else passes on to fcc_csr, whose part the testbench has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, join, settings, start
from xnor_fcc.geometry import ceil_div
from xnor_fcc.registers import ADDRESS, OF_LEARNING, field, mask, word

_ONES = 0xFFFF_FFFF
_FIELDS = ("ENABLE", "MARGIN", "INPUTS")
_INPUTS = ("avs_address", "avs_read", "avs_write", "avs_writedata", "csr_readdata", "locked",
           "learnt", "moved", "core_reset", "word")  # fmt: skip


class Rules:
    """The registers as a cycle finds them."""

    def __init__(self, classes: int, rows: list[list[int]]) -> None:
        self.classes, self.rows = classes, rows
        self.parts = ceil_div(classes, 4)
        self.core_reset()
        self.reset()

    def core_reset(self) -> None:
        """What was counted is forgotten."""
        self.counts = {"LEARNT": 0, "MOVED": 0}

    def reset(self) -> None:
        """What was asked for, too."""
        self.asked = dict.fromkeys(_FIELDS, 0)
        self.rewind()

    def rewind(self) -> None:
        """Latents are read from row 0 on; cycles until it is there."""
        self.row = self.part = 0
        self.away = 1

    def latents(self) -> int | None:
        """The next word of latents; None where there is none, or not yet."""
        if self.away or self.row >= len(self.rows):
            return None
        return join(self.rows[self.row][4 * self.part : 4 * self.part + 4], 8)

    def next_row(self, inputs: Mapping[str, int]) -> int:
        """The row that has to be there in the next cycle."""
        reads = inputs["avs_read"] and inputs["avs_address"] == ADDRESS["LATENTS"]
        return self.row + bool(reads and not inputs["locked"] and self.part == self.parts - 1)

    def cycle(self, inputs: Mapping[str, int]) -> tuple[dict[str, int], int | None]:
        """What every output is in a cycle with these inputs, and what is read in the next one, None
        for a word that means nothing; afterwards the registers are as the next cycle finds them."""
        address, value, locked = (
            inputs[name] for name in ("avs_address", "avs_writedata", "locked")
        )
        named = {ADDRESS[name]: name for name in OF_LEARNING}.get(address, "")
        write = named if inputs["avs_write"] else ""
        refused = write in ("LEARNING", "LATENTS") and locked
        asks = write == "LEARNING" and not locked
        outputs = {
            "csr_address": ADDRESS["INPUTS"] if refused else address,
            "enable": self.asked["ENABLE"],
            "margin": self.asked["MARGIN"],
            "inputs": self.asked["INPUTS"],
            "restart": int(bool(asks and value & mask("LEARNING", "RESTART"))),
            "chunk_valid": int(write == "LATENTS" and not locked),
        }
        answer: int | None = inputs["csr_readdata"]
        if named == "LEARNING":
            answer = word("LEARNING", CLASSES=self.classes, **self.asked)
        elif named == "LATENTS":
            answer = 0 if locked else self.latents()
        elif named:
            answer = self.counts[named]

        # ---- the next cycle
        self.away = max(0, self.away - 1)
        if inputs["avs_read"] and named == "LATENTS" and not locked:
            self.row, self.part = self.next_row(inputs), (self.part + 1) % self.parts
        for name, port in (("LEARNT", "learnt"), ("MOVED", "moved")):
            self.counts[name] = self.counts[name] + inputs[port] & _ONES
        if asks:
            self.asked = {name: field("LEARNING", name, value) for name in _FIELDS}
            self.rewind()
        if inputs["core_reset"]:
            self.core_reset()
        if inputs["reset"]:
            self.reset()
        return outputs, answer


class Bench:
    """The registers beside their rules, with a memory of latents behind them."""

    def __init__(self, dut: Any, seed: int) -> None:
        built = settings()["parameters"]
        self.dut = dut
        self.classes: int = built["CLASSES"]
        self.depth = 1 << int(built["ROW_BITS"])
        self.rng = np.random.default_rng(seed)
        rows = self.rng.integers(-128, 128, (min(self.depth, 300), self.classes)).tolist()
        self.rules = Rules(self.classes, rows)
        # Row that the memory was asked for in the cycle before.
        self.row = 0
        self.read: tuple[int, int | None] | None = None
        self.last_read = 0

    async def begin(self) -> None:
        """At the end of a reset."""
        await start(self.dut, **dict.fromkeys(_INPUTS, 0))
        drive(self.dut, reset=1, core_reset=1)
        await edge(self.dut)

    async def cycle(self, **given: int) -> None:
        """One cycle with these inputs, all others 0; every output is compared."""
        dut, rules = self.dut, self.rules
        inputs = {**dict.fromkeys(_INPUTS, 0), "reset": 0}
        inputs["csr_readdata"] = int(self.rng.integers(1 << 32))
        inputs["word"] = join(rules.rows[self.row], 8) if self.row < len(rules.rows) else 0
        inputs |= given
        # A reset is one of the core, too.
        inputs["core_reset"] |= inputs["reset"]
        drive(dut, **inputs)
        next_row = rules.next_row(inputs)
        want, answer = rules.cycle({**inputs, "csr_readdata": -1})
        await edge(dut)
        for name, value in want.items():
            got = int(getattr(dut, name).value)
            assert got == value, f"{name} is {got:#x}, not {value:#x}, with {given}"
        if next_row < self.depth:
            assert int(dut.read_row.value) == next_row
        if self.read is not None:
            address, due = self.read
            self.last_read = int(dut.avs_readdata.value)
            # -1: what fcc_csr has in the cycle behind the read.
            due = inputs["csr_readdata"] if due == -1 else due
            assert due in (None, self.last_read), f"address {address} reads {self.last_read:#x}"
        self.row = int(dut.read_row.value)
        self.read = (inputs["avs_address"], answer) if inputs["avs_read"] else None
        if inputs["reset"]:
            self.read = None

    async def write(self, name: str, value: int, **given: int) -> None:
        """One write."""
        await self.cycle(avs_write=1, avs_address=ADDRESS[name], avs_writedata=value, **given)


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def rows(dut: Any) -> None:
    """All latents read in a row and with pauses, from a write of LEARNING on that lies two cycles
    back, whatever else it says; once more from the middle; while locked 0, and none is skipped."""
    bench = Bench(dut, seed=1)
    await bench.begin()
    count = len(bench.rules.rows) * bench.rules.parts
    address = {"avs_address": ADDRESS["LATENTS"]}
    for turn, length in enumerate((count, 1 + count // 2, min(count, 99), 3)):
        await bench.write("LEARNING", int(bench.rng.integers(1 << 32)))
        await bench.cycle()
        done = 0
        while done < length:
            reads = turn == 0 or bench.rng.random() < 0.7
            locked = turn == 2 and bench.rng.random() < 0.4
            await bench.cycle(avs_read=reads, locked=locked, **address)
            done += bool(reads and not locked)
        assert bench.rules.row * bench.rules.parts + bench.rules.part == length
    await bench.cycle()


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def fields_of_learning(dut: Any) -> None:
    """Every value of the margin, inputs at both ends, switched on and off: shown and read from the
    next cycle on; RESTART is told in its own cycle and kept by nobody."""
    bench = Bench(dut, seed=2)
    await bench.begin()
    for margin in range(256):
        inputs = int(bench.rng.choice([0, 1, 0x7FFF, int(bench.rng.integers(0x8000))]))
        asked = word("LEARNING", ENABLE=margin % 2, MARGIN=margin, INPUTS=inputs,
                     RESTART=margin % 3 == 0, CLASSES=margin % 64)  # fmt: skip
        await bench.write("LEARNING", asked | 1 << 31)
        await bench.cycle(avs_read=1, avs_address=ADDRESS["LEARNING"])
        await bench.cycle()
        assert field("LEARNING", "CLASSES", bench.last_read) == bench.classes
        assert field("LEARNING", "INPUTS", bench.last_read) == inputs


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def counters(dut: Any) -> None:
    """Both counters, around each power of 2 where one of fewer bits goes wrong; a reset of the core
    in the cycle of an event, which does not count."""
    bench = Bench(dut, seed=3)
    await bench.begin()
    for bits in range(1, 33):
        value = (1 << bits) - 2
        for name in ("LEARNT", "MOVED"):
            getattr(dut, f"{name.lower()}_reg").value = value
            bench.rules.counts[name] = value
        for turn in range(8):
            name = ("LEARNT", "MOVED")[turn % 2]
            await bench.cycle(learnt=turn % 3 > 0, moved=turn % 5 > 1, avs_read=1,
                              avs_address=ADDRESS[name])  # fmt: skip
    await bench.cycle(core_reset=1, learnt=1, moved=1)
    for name in ("LEARNT", "MOVED"):
        await bench.cycle(avs_read=1, avs_address=ADDRESS[name])
    await bench.cycle()
    assert bench.last_read == 0


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def anything(dut: Any) -> None:
    """Accesses of any kind to any address, at once too, locked or not, with resets of the core and
    of all."""
    bench = Bench(dut, seed=4)
    await bench.begin()
    rng = bench.rng
    own = [ADDRESS[name] for name in sorted(OF_LEARNING)]
    assert set(own) == {ADDRESS[name] for name in ("LATENTS", "LEARNING", "LEARNT", "MOVED")}
    for turn in range(2000):
        address = turn % 64 if turn < 256 else int(rng.choice([*own, int(rng.integers(64))]))
        # Reads of latents in a row, now and then from the beginning.
        writes = rng.random() < (0.1 if address == ADDRESS["LEARNING"] else 0.4)
        await bench.cycle(
            avs_address=address, avs_read=int(rng.integers(2)), avs_write=writes,
            avs_writedata=int(rng.integers(1 << 32)), locked=rng.random() < 0.3,
            learnt=int(rng.integers(2)), moved=int(rng.integers(2)),
            core_reset=rng.random() < 0.02, reset=rng.random() < 0.005,
        )  # fmt: skip
