# SPDX-License-Identifier: Apache-2.0
"""Batch after batch through what learns, with the rings, the scores and the weight memory played
by the testbench: latents, weight words, how long the next batch is held, in every cycle."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import repeat
from typing import Any

import cocotb
import numpy as np

from golden.learn_walk import Cycle, Walk
from modules.unit import (
    drive,
    edge,
    fields,
    hold,
    join,
    known,
    number,
    parities,
    planes,
    settings,
    start,
)
from xnor_fcc.geometry import ceil_div
from xnor_fcc.learning import NO_LABEL, moves, updated
from xnor_fcc.registers import ADDRESS, mask, word

_STROBES = ("core_reset", "avs_read", "avs_write", "load_image", "score_valid", "results_sent",
            "step", "output_layer")  # fmt: skip
_REST = ("avs_address", "avs_writedata", "csr_readdata", "labels", "score_lane", "score_class",
         "score", "weight_address", "table_entries", "layers", "classes", "shown")  # fmt: skip
# From `rotate` to what the first tap shows; from `results_sent` to the walk; from the walk's `give`
# to its chunk.
_SHOWN, _START, _PATCH = 3, 2, 7


class Bench:
    """A core around the device under test."""

    def __init__(self, dut: Any, seed: int) -> None:
        built = settings()["parameters"]
        self.dut = dut
        self.built: dict[str, int] = built
        self.lanes: int = built["LANES"]
        self.pe: int = built["PE"]
        self.simd: int = built["SIMD"]
        self.most: int = built["CLASSES"]
        self.rng = np.random.default_rng(seed)
        self.walk = Walk(self.pe, self.simd, built["RING"], ceil_div(self.most, self.pe))
        # Cycles to come of a walk, and chunks on their way.
        self.coming: deque[Cycle] = deque()
        self.way: deque[bool] = deque([False] * (_PATCH + 1), _PATCH + 1)
        # How often the ring had been turned when, the latest last.
        self.turned: deque[int] = deque([0] * (_SHOWN + 1), _SHOWN + 1)
        self.hold: deque[bool] = deque()  # of the cycles to come, as far as they are known
        self.holding = False
        self.memory: dict[int, list[int]] = {}
        self.address = 0
        self.chunk_of = 0
        self.learns = False
        self.x = np.zeros((0, 0), np.uint8)
        self.ring: list[list[int]] = []
        self.bad_labels = self.learnt = 0

    # ---- the network

    async def begin(self) -> None:
        """After a reset."""
        names = (*_STROBES, *_REST, "locked")
        await start(self.dut, **{**dict.fromkeys(names, 0), "core_reset": 1})

    def network(self, inputs: int, classes: int, groups: int, layers: int) -> None:
        """Of these sizes, somewhere in the weight memory; any latents."""
        self.inputs, self.classes, self.groups, self.layers = inputs, classes, groups, layers
        self.words = ceil_div(inputs, self.simd)
        self.ring = []
        room = self.built["WEIGHT_DEPTH"] - groups * self.words
        self.base = int(self.rng.choice([0, room, int(self.rng.integers(room + 1))]))
        self.latents = self.rng.choice(
            [-128, -2, -1, 0, 1, 127, int(self.rng.integers(-128, 128))], (self.most, inputs)
        ).astype(np.int8)  # fmt: skip
        entries = self.rng.integers(0, 1 << 31, self.built["MAX_LAYERS"]).tolist()
        entries[layers - 1] = groups << 16 | self.words
        if layers > 1:
            entries[layers - 2] ^= 0x0001_0001
        drive(self.dut, table_entries=join(entries, 32), layers=layers, classes=classes)

    async def load(self, margin: int, enable: bool = True, rows: int | None = None) -> None:
        """Settings and latents, `rows` of them or those of all inputs."""
        self.margin, self.learns = margin, enable
        await self.ask(margin, enable, restart=True)
        for k in range(self.inputs if rows is None else rows):
            row = self.latents[:, k].tolist() if k < self.inputs else [0] * self.most
            for at in range(0, self.most, 4):
                await self.write("LATENTS", join(row[at : at + 4], 8))
        await self.cycle()
        await self.cycle()

    async def ask(self, margin: int, enable: bool, restart: bool = False) -> None:
        """Write LEARNING."""
        await self.write("LEARNING", word("LEARNING", ENABLE=enable, MARGIN=margin,
                                          INPUTS=self.inputs, RESTART=restart))  # fmt: skip

    async def write(self, name: str, value: int) -> None:
        """One write."""
        await self.cycle(avs_write=1, avs_address=ADDRESS[name], avs_writedata=value)

    async def check_latents(self) -> None:
        """Read all of them."""
        await self.ask(self.margin, self.learns)
        await self.cycle()
        got: list[int] = []
        parts = ceil_div(self.most, 4)
        for at in range(self.inputs * parts + 1):
            await self.cycle(avs_read=at < self.inputs * parts, avs_address=ADDRESS["LATENTS"])
            if at:
                got.append(known(self.dut.avs_readdata))
        want = [join(row[at : at + 4], 8) for row in self.latents.T.tolist()
                for at in range(0, self.most, 4)]  # fmt: skip
        assert got == want

    async def counted(self, name: str) -> int:
        """A counter."""
        await self.cycle(avs_read=1, avs_address=ADDRESS[name])
        await self.cycle()
        return int(self.dut.avs_readdata.value)

    # ---- cycles

    async def cycle(self, **given: int) -> None:
        """One cycle with these inputs, strobes 0 and the others noise; what is on the wires."""
        dut, rng = self.dut, self.rng
        noise = {"score_lane": self.lanes, "score_class": self.classes, "score": 8,
                 "weight_address": self.built["WEIGHT_DEPTH"]}  # fmt: skip
        inputs = {**dict.fromkeys(_STROBES, 0)}
        inputs |= {name: int(rng.integers(high)) for name, high in noise.items()}
        drive(dut, shown=self.shown(), **{**inputs, **given})
        await edge(dut)
        want = self.coming.popleft() if self.coming else Cycle()
        self.way.appendleft(want.give)
        if self.hold:
            self.holding = self.hold.popleft()
        assert bool(dut.hold.value) == self.holding
        assert bool(dut.rotate.value) == want.rotate
        self.turned.append(self.turned[-1] + want.rotate)
        assert bool(dut.patch_valid.value) == self.way[_PATCH]
        if dut.seek.value:
            self.address, self.chunk_of = int(dut.seek_address.value), 0
        if dut.patch_valid.value:
            self.memory.setdefault(self.address, []).append(int(dut.patch_chunk.value))
            self.chunk_of += 1
            if self.chunk_of == ceil_div(self.pe * self.simd, 32):
                self.address, self.chunk_of = self.address + 1, 0
        self.bad_labels += int(dut.bad_label.value)

    def shown(self) -> int:
        """The word at the first tap of each ring."""
        if not self.ring:
            return 0
        begin = 0 if self.layers == 1 or self.words == 1 else 1
        at = (begin + self.turned[-_SHOWN]) % self.words
        return join((lane[at] for lane in self.ring), self.simd)

    def image_words(self, x: np.ndarray) -> None:
        """What the rings hold: bits (lanes, inputs), noise in the padding."""
        self.x = x
        padded = self.rng.integers(0, 2, (self.lanes, self.words * self.simd), np.uint8)
        padded[:, : self.inputs] = x
        self.ring = [[number(bits) for bits in lane.reshape(self.words, self.simd)]
                     for lane in padded]  # fmt: skip
        self.turned = deque([0] * (_SHOWN + 1), _SHOWN + 1)

    def stored(self) -> dict[int, list[int]]:
        """The chunks of the weight words that the latents stand for, by address."""
        negative = np.zeros((self.groups * self.pe, self.words * self.simd), np.uint8)
        classes = min(self.most, self.groups * self.pe)
        negative[:classes, : self.inputs] = self.latents[:classes] < 0
        chunks, memory, address = ceil_div(self.pe * self.simd, 32), {}, self.base
        begin = 0 if self.layers == 1 or self.words == 1 else 1
        for group in reversed(range(self.groups)):
            for step in range(self.words):
                at = (begin + step) % self.words * self.simd
                mine = negative[group * self.pe : (group + 1) * self.pe, at : at + self.simd]
                memory[address] = fields(planes(parities(mine)), 32, chunks)
                address += 1
        return memory

    # ---- a batch

    async def answer(
        self, count: int, comes: Iterable[bool] = repeat(True), labels: list[int] | None = None
    ) -> np.ndarray:
        """A batch up to the cycle of its `results_sent`; what it moves (count, classes)."""
        rng, come = self.rng, iter(comes)
        self.image_words(rng.integers(0, 2, (self.lanes, self.inputs), np.uint8))
        low, high = -(1 << self.built["SCORE_BITS"] - 1), (1 << self.built["SCORE_BITS"] - 1) - 1
        scores = rng.choice([low, high, 0, self.margin, -self.margin, self.margin - 1,
                             1 - self.margin], (count, self.classes)).clip(low, high)  # fmt: skip
        kinds = [int(rng.integers(self.classes)), NO_LABEL, 254]
        given = labels or rng.choice(kinds, self.lanes, p=(0.8, 0.1, 0.1)).tolist()
        self.memory = {}
        self.hold = deque([self.holding, self.learns])
        await self.cycle(load_image=1)
        # Layers before the output layer, then this one, whose first word it begins with.
        for output in (*([0] * (self.layers > 1)), 1):
            for at in range(2):
                while not next(come):
                    await self.cycle(output_layer=int(rng.integers(2)))
                address = self.base + at if output else int(rng.integers(1 << 30)) % self.depth
                await self.cycle(step=1, output_layer=output, weight_address=address % self.depth)
        await self.cycle(labels=join(given, 8))
        for lane in range(count):
            for number_ in range(self.classes):
                while not next(come):
                    await self.cycle()
                score = int(scores[lane, number_]) & (1 << self.built["SCORE_BITS"]) - 1
                await self.cycle(score_valid=1, score_lane=lane, score_class=number_, score=score)
        noise = int(rng.integers(256))
        moved = moves(scores, np.array(given[:count]), self.margin) * self.learns
        self.learnt += self.learns * sum(label < self.classes for label in given[:count])
        if self.learns:
            after = self.walk.cycles(self.words, self.groups, self.layers == 1) * int(moved.any())
            # This cycle's, those up to the walk, the walk's.
            self.hold = deque([True] * (_START + 1 + len(after)) + [False])
            self.coming = deque([Cycle()] * (_START + 1) + after)
        await self.cycle(results_sent=1, labels=join([noise] * self.lanes, 8))
        return moved

    def cut(self) -> None:
        """A reset of the core has ended what was under way."""
        self.coming.clear()
        self.way.extend([False] * (_PATCH + 1))
        self.hold = deque([False])

    @property
    def depth(self) -> int:
        """Words of the weight memory."""
        return self.built["WEIGHT_DEPTH"]

    async def batch(self, count: int, comes: Iterable[bool] = repeat(True)) -> np.ndarray:
        """A whole batch and what comes of it."""
        moved = await self.answer(count, comes)
        while self.hold:
            await self.cycle()
        if moved.any():
            everyone = np.zeros((count, self.most), np.int8)
            everyone[:, : self.classes] = moved
            self.latents = updated(self.latents, everyone, self.x[:count])
            assert self.memory == self.stored()
        else:
            assert not self.memory
        return moved

    def sizes(self) -> list[tuple[int, int, int, int]]:
        """Inputs, classes, groups, layers: the most and the least, and some between."""
        widest, most, layers = (self.built[n] for n in ("MAX_WIDTH", "CLASSES", "MAX_LAYERS"))
        groups = ceil_div(most, self.pe)
        fewer = (most + 1) // 2
        return [
            (widest, most, groups, layers),
            (1, 1, 1, 1),
            (widest, fewer, groups, 1),  # more groups than it needs
            (min(widest, self.simd), fewer, ceil_div(fewer, self.pe), layers),
            (max(1, widest - 1), most, groups, max(1, layers - 1)),
        ]


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def batches(dut: Any) -> None:
    """Networks of the most and of the fewest inputs, classes, groups and layers: batches of one
    image to all lanes, in a row or with pauses; latents, weight words, counters."""
    bench = Bench(dut, seed=1)
    await bench.begin()
    walks = 0
    for turn, sizes in enumerate(bench.sizes()):
        bench.network(*sizes)
        await bench.load(margin=(0, 255, 32, 1, 7)[turn])
        await bench.cycle(core_reset=1)
        moved = bench.learnt = 0
        for count in (bench.lanes, 1, bench.lanes, max(1, bench.lanes - 1)):
            step = await bench.batch(count, hold(bench.rng, 2, 3 * (turn % 2)))
            moved += int(step.any(axis=1).sum())
            walks += int(step.any())
        await bench.check_latents()
        assert await bench.counted("MOVED") == moved
        assert await bench.counted("LEARNT") == bench.learnt
    assert walks >= 5


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def nothing_moves(dut: Any) -> None:
    """Batches without a label that is a class only hold the next one back; where learning is off
    not even that, and no label is wrong."""
    bench = Bench(dut, seed=2)
    await bench.begin()
    bench.network(*bench.sizes()[0])
    for enable in (True, False, True):
        await bench.load(255, enable)
        before = bench.bad_labels
        for label in (NO_LABEL, 254, bench.classes):
            moved = await bench.answer(bench.lanes, labels=[label] * bench.lanes)
            assert not moved.any()
            for _ in range(6):
                await bench.cycle()
            assert not bench.holding and not bench.memory
        assert bench.bad_labels - before == (2 * bench.lanes if enable else 0)
        await bench.check_latents()


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def reset_of_the_core(dut: Any) -> None:
    """A reset of the core in each of the first cycles behind the results, in those around a word's
    end and in the last ones of the walk: nothing is held, written or turned, and the next batch is
    learnt whole."""
    bench = Bench(dut, seed=3)
    await bench.begin()
    bench.network(*bench.sizes()[0])
    length = len(bench.walk.cycles(bench.words, bench.groups, bench.layers == 1))
    some = bench.rng.integers(0, length, 4).tolist()
    for moment in sorted({*range(12), *some, length - 2, length - 1, length, length + 1}):
        await bench.load(255)
        while not (await bench.answer(bench.lanes, labels=[0] * bench.lanes)).any():
            await bench.cycle(core_reset=1)
            bench.cut()
        for _ in range(moment):
            await bench.cycle()
        await bench.cycle(core_reset=1)
        bench.cut()
        for _ in range(_PATCH):
            drive(dut, core_reset=0)
            await edge(dut)
            assert not dut.hold.value and not dut.rotate.value and not dut.seek.value
        assert not dut.patch_valid.value
        bench.network(*bench.sizes()[0])
        await bench.load(255)
        await bench.batch(bench.lanes)
        await bench.check_latents()


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def refusals(dut: Any) -> None:
    """A network that cannot learn, latents that are not there, one row too many: told while
    learning is on, and only then."""
    bench = Bench(dut, seed=4)
    built = settings()["parameters"]
    inputs, classes, groups, layers = bench.sizes()[0]
    await bench.begin()
    bench.network(inputs, classes, groups, layers)

    async def told(bad: bool, missing: bool) -> None:
        await bench.cycle()
        await bench.cycle()
        assert (bool(dut.bad_table.value), bool(dut.not_loaded.value)) == (bad, missing)

    for enable in (True, False):
        for rows in sorted({0, inputs - 1, inputs}):
            await bench.load(1, enable, rows)
            await told(False, enable and rows < inputs)
        for more in (1, 0x7FFF - groups):
            entries = [0] * built["MAX_LAYERS"]
            entries[layers - 1] = groups + more << 16 | bench.words
            drive(dut, table_entries=join(entries, 32))
            await told(enable, False)
            if layers > 1:
                drive(dut, layers=layers - 1)
                await told(False, False)
                drive(dut, layers=layers)
        bench.network(inputs, classes, groups, layers)
        for many in (built["CLASSES"] + 1, 0xFFFF):
            drive(dut, classes=many)
            await told(enable, False)
        drive(dut, classes=classes)
        await told(False, False)
        await bench.write("LEARNING", word("LEARNING", ENABLE=enable))
        await told(enable, False)
        await bench.write("LEARNING", word("LEARNING", ENABLE=enable, INPUTS=0x7FFF))
        await told(False, enable)
    # A memory has at least two rows; the first words of the row beyond are refused, all of them.
    depth = max(2, built["MAX_WIDTH"])
    await bench.write("LEARNING", mask("LEARNING", "RESTART"))
    for at in range((depth + 1) * ceil_div(bench.most, 4)):
        await bench.write("LATENTS", 0)
        await bench.cycle()
        assert bool(dut.overflow.value) == (at >= depth * ceil_div(bench.most, 4))
