# SPDX-License-Identifier: Apache-2.0
"""Small networks with convolutions from loading to scores: what comes, when it comes, and what a
pass takes."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator
from typing import Any

import cocotb
import numpy as np

from golden.map_cases import images_of
from golden.map_machine import MapMachine
from modules.unit import drive, edge, fields, hold, join, settings, start
from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.map_plan import BANKS
from xnor_fcc.pack_maps import pack_maps

# Cycles from the last step of a group of the output layer to its scores, by ORDER.
_SCORES_AT = {1: 10, 2: 11}


class Bench:
    """Plays registers, sink and result source."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        self.geometry = Geometry(**settings()["geometry"])
        self.network = IntegerNetwork.load(settings()["network"])
        self.memory = pack_maps(self.network, self.geometry)
        self.shape = self.network.shape
        self.rng = np.random.default_rng(seed)
        self.forget()

    def forget(self) -> None:
        """Nothing is under way."""
        # Halves and scores of images that wait, and of those that were begun with.
        self.waiting: deque[tuple[int, list[int]]] = deque()
        self.due: deque[list[int]] = deque()
        self.group = 0  # of the oldest of these, counted down
        self.free = [0, 1]  # halves
        self.held: deque[int] = deque()  # halves that are read
        self.sent: deque[int] = deque()  # cycles left until a result has left
        self.steps: deque[bool] = deque([False] * 16, maxlen=16)
        self.loads: list[int] = []  # cycles in which images were loaded
        self.lost: list[int] = []  # stalls as far as these
        self.answered = self.cycles = self.stalls = self.stepped = 0

    async def reset(self, reset: bool = True) -> None:
        """Clock running; after a reset of everything, or of what is under way only."""
        names = ("check_start", "weight_restart", "image_write", "image_address", "image_data",
                 "chunk_valid", "threshold_restart", "chunk_threshold", "chunk",
                 "batch_valid", "batch_half", "results_sent")  # fmt: skip
        drive(self.dut, core_reset=1)
        await start(self.dut, reset=int(reset), **dict.fromkeys(names, 0))
        drive(self.dut, core_reset=0)
        self.describe()
        await edge(self.dut, 4)

    def describe(self, **instead: int) -> None:
        """Drive the network's description, with other values `instead` of some."""
        memory = self.memory
        drive(self.dut, table_entries=join(memory.entries, 32), layers=len(memory.entries))
        drive(self.dut, inputs=memory.inputs, classes=memory.classes, pixel_mode=1)
        drive(self.dut, **instead)

    async def check(self) -> tuple[bool, bool, bool]:
        """What the check says within the cycles of its header: ok, a bad table, not loaded."""
        dut = self.dut
        drive(dut, check_start=1)
        await edge(dut)
        drive(dut, check_start=0)
        for _ in range(8 * len(self.memory.entries) + 3):
            await edge(dut)
            if dut.check_done.value == 1:
                break
            assert dut.check_busy.value == 1
        assert dut.check_done.value == 1 and not dut.check_busy.value
        verdicts = (dut.check_ok, dut.check_bad_table, dut.check_not_loaded)
        ok, bad, lacking = (bool(verdict.value) for verdict in verdicts)
        return ok, bad, lacking

    async def begin(self) -> None:
        """Checked and found right, as before every start."""
        assert await self.check() == (True, False, False)

    async def load(self) -> None:
        """The whole network; what was loaded reads as it is."""
        dut = self.dut
        chunks = {"weight": self.memory.weight_chunks(), "threshold": self.memory.offset_chunks()}
        counts = {"weight": len(self.memory.weights), "threshold": len(self.memory.offsets)}
        for target, values in chunks.items():
            drive(dut, **{f"{target}_restart": 1})
            await edge(dut)
            drive(dut, **{f"{target}_restart": 0})
            drive(dut, chunk_valid=1, chunk_threshold=target == "threshold")
            for value in values.ravel().tolist():
                drive(dut, chunk=value)
                await edge(dut)
                assert not dut.load_overflow.value
            drive(dut, chunk_valid=0)
            await edge(dut, 3)
            loaded, crc = getattr(dut, f"{target}s_loaded"), getattr(dut, f"{target}s_crc")
            assert int(loaded.value) == counts[target]
            assert int(crc.value) == zlib.crc32(np.ascontiguousarray(values, "<u4").tobytes())

    async def image(self, keep: int = 0) -> None:
        """An image arrives in a half that is free, while others are worked on."""
        pixels = self.network.pixels
        assert pixels is not None
        while not self.free:
            await self.cycle(keep)
        half = self.free.pop(0)
        machine = MapMachine(self.memory)
        image = pixels.numbers(images_of(self.network, self.rng, 1))[0]
        for _, write in machine.pixel_writes(image, half):
            assert write.data is not None
            drive(self.dut, image_write=1 << write.bank, image_address=write.address)
            drive(self.dut, image_data=write.data)
            await self.cycle(keep)
        drive(self.dut, image_write=0)
        machine.store(image, half)
        self.waiting.append((half, machine.run(half).scores))

    async def cycle(self, keep: int = 0) -> None:
        """One cycle; results leave `keep` cycles after the last score. Every output is checked."""
        dut, g = self.dut, self.geometry
        leaving = bool(self.sent) and self.sent[0] == 0
        drive(dut, batch_valid=bool(self.waiting), results_sent=leaving)
        drive(dut, batch_half=self.waiting[0][0] if self.waiting else int(self.rng.integers(2)))
        await edge(dut)
        if leaving:
            self.sent.popleft()
        self.sent = deque(max(0, left - 1) for left in self.sent)
        busy = dut.sequencer_busy.value == 1 or dut.settling.value == 1
        assert busy or not self.due, "it forgets an image"
        self.stalls += dut.stall.value == 1
        if dut.image_done.value == 1:
            self.free.append(self.held.popleft())
        if dut.load_image.value == 1:
            half, scores = self.waiting.popleft()
            self.held.append(half)
            self.due.append(scores)
            self.loads.append(self.cycles)
            self.lost.append(self.stalls)
            if len(self.due) == 1:
                self.group = g.groups(self.network.classes)
        self.stepped += dut.step.value == 1
        self.steps.append(dut.step.value == 1)
        if dut.scores_done.value == 1:
            self._scores(keep)
        self.cycles += 1

    def _scores(self, keep: int) -> None:
        """Those of a group of the oldest image, the last group first."""
        dut, g = self.dut, self.geometry
        assert self.due, "scores that nobody waits for"
        # The group's last step.
        assert self.steps[-1 - _SCORES_AT[g.order]]
        self.group -= 1
        assert int(dut.scores_group.value) == self.group
        half = g.score_bits - 1
        above = fields(int(dut.scores.value), half, g.pe)
        parity = fields(int(dut.parity.value), 1, g.pe)
        want = self.due[0][self.group * g.pe : (self.group + 1) * g.pe]
        got = [2 * a + p for a, p in zip(above, parity, strict=True)][: len(want)]
        assert got == [x & (1 << g.score_bits) - 1 for x in want], f"group {self.group}"
        if self.group == 0:
            self.due.popleft()
            self.group = g.groups(self.network.classes)
            self.answered += 1
            self.sent.append(keep)

    async def run(self, images: int, gaps: Iterator[bool] | None = None, keep: int = 0) -> None:
        """So many images, one behind the other where `gaps` says so; each pass takes what the model
        says, and the cycles for which it is held up."""
        g = self.geometry
        before, stepped, loads = self.answered, self.stepped, len(self.loads)
        for _ in range(images):
            while gaps and not next(gaps):
                await self.cycle(keep)
            await self.image(keep)
        for _ in range(images * (keep + g.pass_cycles(self.shape)) + 200):
            if self.answered == before + images and not self.sent:
                break
            await self.cycle(keep)
        assert self.answered == before + images, "not every image is answered"
        assert self.stepped == stepped + images * g.steps(self.shape)
        for first in range(loads, len(self.loads) - 1):
            took = self.loads[first + 1] - self.loads[first]
            lost = self.lost[first + 1] - self.lost[first]
            assert took >= g.pass_cycles(self.shape) + lost
        for _ in range(40):
            await self.cycle()
        assert not self.dut.sequencer_busy.value and not self.dut.settling.value

    async def row(self) -> None:
        """Two images wait, and are answered without a pause between them."""
        loads = len(self.loads)
        half = self.waiting
        # None is begun with before both have come.
        images = []
        for _ in range(2):
            self.waiting = deque()
            await self.image()
            images.append(self.waiting[0])
        self.waiting = half
        self.waiting += images
        before = self.answered
        for _ in range(3 * self.geometry.pass_cycles(self.shape) + 100):
            await self.cycle()
        assert self.answered == before + 2
        took = self.loads[loads + 1] - self.loads[loads]
        lost = self.lost[loads + 1] - self.lost[loads]
        assert took - lost == self.geometry.pass_cycles(self.shape)


async def _ready(dut: Any, seed: int) -> Bench:
    """A bench whose network is loaded."""
    bench = Bench(dut, seed)
    await bench.reset()
    await bench.load()
    await bench.begin()
    return bench


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def images(dut: Any) -> None:
    """Images one behind the other, and one by one."""
    bench = await _ready(dut, seed=1)
    await bench.row()
    await bench.run(4)
    for _ in range(2):
        await bench.run(1)


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def results_held(dut: Any) -> None:
    """Results that leave late hold up the output layer of the next image, and none is lost."""
    bench = await _ready(dut, seed=2)
    for keep in (1, 7, 3 * bench.geometry.pass_cycles(bench.shape)):
        await bench.run(3, iter(hold(bench.rng, 9, 9)), keep)
    assert bench.stalls


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def checks(dut: Any) -> None:
    """What describes no network of this core is refused, and so is one that is not loaded."""
    bench = await _ready(dut, seed=3)
    entries = bench.memory.entries
    bad = (False, True, False)
    for name, value in (
        ("layers", 0),
        ("layers", bench.geometry.max_layers + 1),
        ("inputs", bench.memory.inputs + 1),
        ("classes", 0),
        ("classes", bench.geometry.max_classes + 1),
        ("pixel_mode", 0),
        # A word too many in the last layer, a group too many in the first one.
        ("table_entries", join([*entries[:-1], entries[-1] + 1], 32)),
        ("table_entries", join([entries[0] + (bench.geometry.threshold_depth << 16),
                                *entries[1:]], 32)),
    ):  # fmt: skip
        bench.describe(**{name: value})
        assert await bench.check() == bad, f"{name} = {value}"
    bench.describe()
    for target in ("threshold", "weight"):
        drive(dut, **{f"{target}_restart": 1})
        await edge(dut)
        drive(dut, **{f"{target}_restart": 0})
        assert await bench.check() == (False, False, True)
        await bench.load()
        await bench.begin()
    # Either memory takes as many chunks as it has, and says of one more that it is too many.
    g = bench.geometry
    for target, words, chunks in (
        ("weight", g.weight_depth, bench.memory.weight_chunks().shape[1]),
        ("threshold", g.threshold_depth, bench.memory.offset_chunks().shape[1]),
    ):
        drive(dut, **{f"{target}_restart": 1})
        await edge(dut)
        drive(dut, **{f"{target}_restart": 0}, chunk=0)
        drive(dut, chunk_valid=1, chunk_threshold=target == "threshold")
        for _ in range(words * chunks + 1):
            await edge(dut)
            assert not dut.load_overflow.value
        drive(dut, chunk_valid=0)
        await edge(dut)
        assert dut.load_overflow.value == 1
        await edge(dut)
        assert not dut.load_overflow.value


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def reset_in_a_pass(dut: Any) -> None:
    """Nothing comes of what was under way, and the next image is answered as if nothing had been;
    what is loaded stays."""
    bench = await _ready(dut, seed=4)
    pass_cycles = bench.geometry.pass_cycles(bench.shape)
    cuts = {1, 2, 3, pass_cycles // 2, *range(pass_cycles - 1, pass_cycles + 14, 3)}
    for cut in sorted(cuts):
        await bench.image()
        for _ in range(cut):
            await bench.cycle()
        drive(dut, core_reset=1, batch_valid=0, results_sent=0)
        await edge(dut)
        drive(dut, core_reset=0)
        bench.forget()
        for _ in range(30):
            await bench.cycle()
            assert not dut.sequencer_busy.value and not dut.settling.value
        if cut % 2:
            await bench.begin()
        await bench.run(2)


@cocotb.test(timeout_time=20000, timeout_unit="us")
async def fills_nothing_in(dut: Any) -> None:
    """What stands in the banks of images beyond an image, and in those of maps, changes nothing:
    they are full of ones, then of zeros."""
    bench = await _ready(dut, seed=5)
    words = 2 * bench.geometry.map_input
    place = len(dut.image_data)
    for fill in (1, 0):
        for address in range(words):
            drive(dut, image_write=(1 << BANKS) - 1, image_address=address)
            drive(dut, image_data=((1 << place) - 1) * fill)
            await edge(dut)
        drive(dut, image_write=0)
        await bench.run(2)
