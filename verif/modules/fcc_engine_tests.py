# SPDX-License-Identifier: Apache-2.0
"""Small networks from loading to scores: what comes, when it comes, and what a pass takes."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator
from itertools import repeat
from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, fields, hold, join, number, settings, start
from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.pack import pack
from xnor_fcc.reference import preactivations
from xnor_fcc.shape import top_level

_IMAGES_AT = 2  # cycles after the load
_UNLIMITED = 0x7FFF_FFFF


class Bench:
    """Plays registers, batcher, result source and the sender of the weights."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        self.geometry = Geometry(**settings()["geometry"])
        self.network = IntegerNetwork.load(settings()["network"])
        self.memory = pack(self.network, self.geometry)
        self.shape = self.network.shape
        self.share = 2 if self.shape.pairs else 1
        self.streamed = self.geometry.weight_stream > 0
        self.rng = np.random.default_rng(seed)
        self.forget()

    def forget(self) -> None:
        """Nothing is under way."""
        self.waiting: deque[np.ndarray] = deque()  # batches, levels (images, inputs)
        self.due: deque[tuple[int, np.ndarray, int]] = deque()  # scores, groups left, of batches
        self.images: deque[int | None] = deque([None] * _IMAGES_AT)
        self.loaded: deque[bool] = deque([False] * _IMAGES_AT)
        self.beats: deque[tuple[int, int, int]] = deque()
        self.offered = False
        self.outputs = 0  # output layers begun whose scores have not come
        self.sent: deque[int] = deque()  # cycles left until the results of a batch have left
        self.loads: list[int] = []  # cycles in which batches were loaded
        self.answered = self.cycles = self.steps = self.stalls = self.weight_stalls = 0
        # Of each load: stalls of either kind as far as its cycle.
        self.lost: list[int] = []

    async def reset(self, reset: bool = True) -> None:
        """Clock running; after a reset of everything, or of what is under way only."""
        names = ("check_start", "weight_restart", "images",
                 "chunk_valid", "threshold_restart", "chunk_threshold", "chunk",
                 "asi_weight_valid", "asi_weight_data", "asi_weight_startofpacket",
                 "asi_weight_endofpacket", "batch_valid", "results_sent")  # fmt: skip
        drive(self.dut, core_reset=1, running=1, core_busy=0)
        await start(self.dut, reset=int(reset), **dict.fromkeys(names, 0))
        drive(self.dut, core_reset=0)
        self.describe()
        await edge(self.dut, 4)

    def describe(self, **instead: int) -> None:
        """Drive the network's description, with other values `instead` of some."""
        memory = self.memory
        drive(self.dut, table_entries=join(memory.entries, 32), layers=len(memory.entries))
        drive(self.dut, inputs=memory.inputs, classes=memory.classes)
        drive(self.dut, pixel_mode=self.shape.orders[0] == 2)
        drive(self.dut, **instead)

    async def check(self) -> tuple[bool, bool, bool]:
        """What the check says within the cycles of its header: ok, a bad table, not loaded."""
        dut = self.dut
        drive(dut, check_start=1)
        await edge(dut)
        drive(dut, check_start=0)
        for _ in range(3 * len(self.memory.entries) + 3):
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
        assert bool(self.dut.pairs.value) == self.shape.pairs

    # ---- loading

    async def chunk(self, target: str, value: int) -> None:
        """32 bits of the weights or the thresholds."""
        drive(self.dut, chunk=value, chunk_valid=1, chunk_threshold=target == "threshold")
        await edge(self.dut)
        drive(self.dut, chunk_valid=0)

    async def restart(self, target: str) -> None:
        """Begin with the weights or the thresholds again."""
        drive(self.dut, **{f"{target}_restart": 1})
        await edge(self.dut)
        drive(self.dut, **{f"{target}_restart": 0})

    async def load(self) -> None:
        """The whole network; what was loaded reads as it is."""
        dut = self.dut
        chunks = {"weight": self.memory.weight_chunks(), "threshold": self.memory.offset_chunks()}
        counts = {"weight": len(self.memory.weights), "threshold": len(self.memory.offsets)}
        for target, values in chunks.items():
            if self.streamed and target == "weight":
                continue
            await self.restart(target)
            for value in values.ravel().tolist():
                await self.chunk(target, value)
                assert not dut.load_overflow.value
            await edge(dut, 3)
            loaded, crc = getattr(dut, f"{target}s_loaded"), getattr(dut, f"{target}s_crc")
            assert int(loaded.value) == counts[target]
            assert int(crc.value) == zlib.crc32(np.ascontiguousarray(values, "<u4").tobytes())
        if self.streamed:
            assert int(dut.weights_loaded.value) == _UNLIMITED

    # ---- computing

    def levels(self) -> np.ndarray:
        """Random images, as many as a batch holds."""
        count = self.geometry.images_per_batch(self.shape)
        top = top_level(self.shape.orders[0])
        return self.rng.integers(0, top + 1, (count, self.network.inputs), dtype=np.uint8)

    def _by_lane(self, x: np.ndarray) -> int:
        """What the batcher shows of a batch: the first plane of two in the higher lane."""
        planes = [x] if self.shape.orders[0] == 1 else [x & 1, x >> 1]
        lanes = [0] * self.geometry.lanes
        for plane, bits in enumerate(planes):
            for image in range(len(x)):
                lanes[self.share * image + plane] = number(bits[image].astype(np.uint8))
        return join(lanes, self.geometry.capacity)

    def send_weights(self, passes: int) -> None:
        """Packets for so many passes wait at the door."""
        for _ in range(passes if self.streamed else 0):
            beats = self.memory.weight_beats()
            self.beats += [(b, i == 0, i == len(beats) - 1) for i, b in enumerate(beats)]

    async def cycle(self, offer: bool = True, keep: int = 0) -> None:
        """One cycle: what waits is offered, if `offer` so far as weights go; results leave `keep`
        cycles after the last score. Every output is checked."""
        dut, g = self.dut, self.geometry
        self.offered = bool(self.beats) and (self.offered or offer)
        data, begin, end = self.beats[0] if self.offered else (0, 0, 0)
        drive(dut, asi_weight_valid=self.offered, asi_weight_data=data)
        drive(dut, asi_weight_startofpacket=begin, asi_weight_endofpacket=end)
        shown = self.images[0]
        if shown is None:
            shown = number(self.rng.integers(0, 2, g.lanes * g.capacity, np.uint8))
        leaving = bool(self.sent) and self.sent[0] == 0
        drive(dut, batch_valid=bool(self.waiting), images=shown, results_sent=leaving)
        await edge(dut)
        self.images.popleft()
        if leaving:
            self.sent.popleft()
        self.sent = deque(max(0, left - 1) for left in self.sent)
        if self.offered and dut.asi_weight_ready.value == 1:
            self.beats.popleft()
            self.offered = False
        assert bool(dut.load_image_s2.value) == self.loaded.popleft()
        load = dut.load_image.value == 1
        self.loaded.append(load)
        self.images.append(self._by_lane(self.waiting[0]) if load else None)
        busy = dut.sequencer_busy.value == 1 or dut.settling.value == 1
        assert busy or not self.due, "it forgets a batch"
        self.outputs += dut.load_output_s3.value == 1
        self._scores(keep)
        self.stalls += dut.stall.value == 1
        self.weight_stalls += dut.weight_stall.value == 1
        if load:
            self.loads.append(self.cycles)
            self.lost.append(self.stalls + self.weight_stalls)
            sums = preactivations(self.network, self.waiting.popleft())[-1]
            self.due.append((g.groups(self.network.classes), sums, self.cycles))
        self.steps += dut.step.value == 1
        assert self.streamed or not (dut.weight_stall.value or dut.weight_fault.value)
        self.cycles += 1

    def _scores(self, keep: int) -> None:
        """Those of a group of the oldest batch, the last group first."""
        dut, g = self.dut, self.geometry
        if dut.scores_done.value != 1:
            return
        assert self.due and self.outputs, "scores that nobody waits for"
        groups, sums, loaded = self.due[0]
        assert int(dut.scores_group.value) == groups - 1
        packed, parity = int(dut.scores.value), fields(int(dut.parity.value), 1, g.pe)
        half = g.score_bits - 1
        mine = sums[:, (groups - 1) * g.pe : groups * g.pe]
        for image, want in enumerate(mine.tolist()):
            above = fields(packed >> self.share * image * g.pe * half, half, g.pe)
            got = [2 * a + p for a, p in zip(above, parity, strict=True)][: len(want)]
            assert got == [x & (1 << g.score_bits) - 1 for x in want], f"image {image}"
        self.due[0] = (groups - 1, sums, loaded)
        if groups == 1:
            self.due.popleft()
            self.outputs -= 1
            self.answered += 1
            self.sent.append(keep)

    async def run(self, batches: int, offers: Iterator[bool], keep: int = 0) -> None:
        """So many batches, all of them waiting; each pass takes what the model says, and the
        cycles for which it is held up."""
        g = self.geometry
        before, steps = self.answered, self.steps
        loads = len(self.loads)
        self.waiting += [self.levels() for _ in range(batches)]
        self.send_weights(batches)
        limit = 100 + batches * (keep + 40 * g.steps(self.shape) + g.pass_cycles(self.shape))
        for _ in range(limit):
            if self.answered == before + batches and not self.sent:
                break
            await self.cycle(next(offers), keep)
        assert self.answered == before + batches, "not every batch is answered"
        assert self.steps == steps + batches * g.steps(self.shape)
        for first in range(loads, len(self.loads) - 1):
            took = self.loads[first + 1] - self.loads[first]
            assert took == g.pass_cycles(self.shape) + self.lost[first + 1] - self.lost[first]
        for _ in range(2 * g.drain):
            await self.cycle()
        assert not self.dut.sequencer_busy.value and not self.dut.settling.value


async def _ready(dut: Any, seed: int) -> Bench:
    """A bench whose network is loaded."""
    bench = Bench(dut, seed)
    await bench.reset()
    await bench.load()
    await bench.begin()
    return bench


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def loading(dut: Any) -> None:
    """Counts and checksums; a chunk too many; a reset of what is under way changes nothing."""
    bench = await _ready(dut, seed=1)
    # Beginning with the one again leaves the other as it is.
    for target, other in (("weight", "threshold"), ("threshold", "weight")):
        await bench.load()
        before = int(getattr(dut, f"{other}s_loaded").value)
        await bench.restart(target)
        await edge(dut)
        assert int(getattr(dut, f"{other}s_loaded").value) == before
        own = _UNLIMITED if bench.streamed and target == "weight" else 0
        assert int(getattr(dut, f"{target}s_loaded").value) == own
    await bench.load()
    drive(dut, core_reset=1)
    await edge(dut)
    drive(dut, core_reset=0)
    await edge(dut)
    assert int(dut.thresholds_loaded.value) == len(bench.memory.offsets)
    for target, depth in (("threshold", bench.geometry.threshold_depth),
                          ("weight", bench.geometry.weight_depth)):  # fmt: skip
        if target == "weight" and bench.streamed:
            drive(dut, chunk_valid=1, chunk_threshold=0)
            await edge(dut)
            assert dut.load_overflow.value == 1
            drive(dut, chunk_valid=0)
            continue
        counter = getattr(dut, f"{target}s_loaded")
        for _ in range(64 * depth * bench.geometry.pe * bench.geometry.simd):
            if int(counter.value) == depth:
                break
            assert not dut.load_overflow.value
            await bench.chunk(target, 0)
            await edge(dut)
        await bench.chunk(target, 0)
        await edge(dut)
        assert dut.load_overflow.value == 1
        await edge(dut)
        assert not dut.load_overflow.value
    drive(dut, reset=1)
    await edge(dut)
    drive(dut, reset=0)
    await edge(dut)
    assert int(dut.thresholds_loaded.value) == 0
    assert int(dut.weights_loaded.value) == (_UNLIMITED if bench.streamed else 0)


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def checks(dut: Any) -> None:
    """What describes no network of this core is refused, and so is one that is not loaded."""
    bench = await _ready(dut, seed=7)
    g, entries = bench.geometry, bench.memory.entries
    bad = (False, True, False)
    for name, value in (
        ("layers", 0),
        ("layers", g.max_layers + 1),
        ("inputs", 0),
        ("inputs", g.max_width + g.simd),
        ("classes", 0),
        ("classes", g.max_classes + 1),
        # A word too many in the first layer, a group too many in the last one.
        ("table_entries", join([entries[0] + 1, *entries[1:]], 32)),
        ("table_entries", join([*entries[:-1], entries[-1] + (g.threshold_depth << 16)], 32)),
    ):
        bench.describe(**{name: value})
        assert await bench.check() == bad, f"{name} = {value}"
    if bench.shape.orders[0] == 2:
        bench.describe(pixel_mode=0)
        assert await bench.check() == bad
    bench.describe()
    for target in ("threshold",) if bench.streamed else ("threshold", "weight"):
        await bench.restart(target)
        assert await bench.check() == (False, False, True)
        await bench.load()
        await bench.begin()
    drive(dut, check_start=1)
    await edge(dut)
    drive(dut, check_start=0, core_reset=1)
    await edge(dut)
    drive(dut, core_reset=0)
    for _ in range(3 * len(entries) + 3):
        await edge(dut)
        assert not dut.check_busy.value and not dut.check_done.value
    await bench.begin()


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def batches(dut: Any) -> None:
    """Without a pause, and one by one."""
    bench = await _ready(dut, seed=2)
    await bench.run(6, repeat(True))
    if len(bench.memory.entries) > 2:
        assert bench.stalls == 0
    for _ in range(3):
        await bench.run(1, repeat(True))
    assert bench.streamed or bench.weight_stalls == 0


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def results_held(dut: Any) -> None:
    """Results that leave late hold up the output layer of the next batch, and no batch is lost;
    weights come when they like."""
    bench = await _ready(dut, seed=3)
    for keep in (1, 7, 3 * bench.geometry.pass_cycles(bench.shape)):
        await bench.run(4, iter(hold(bench.rng, 9, 9)), keep)
    assert bench.stalls


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def reset_in_a_pass(dut: Any) -> None:
    """Nothing comes of what was under way, and the next batch is answered as if nothing had been;
    what is loaded stays."""
    bench = await _ready(dut, seed=4)
    pass_cycles = bench.geometry.pass_cycles(bench.shape)
    ends = range(max(13, pass_cycles - 4), pass_cycles + 2 * bench.geometry.drain)
    for cut in (*range(1, 13), *range(13, pass_cycles - 4, 1 + pass_cycles // 8), *ends):
        bench.waiting += [bench.levels() for _ in range(2)]
        bench.send_weights(2)
        for _ in range(cut):
            await bench.cycle()
        drive(dut, core_reset=1, batch_valid=0, asi_weight_valid=0, results_sent=0)
        await edge(dut)
        drive(dut, core_reset=0)
        bench.forget()
        for _ in range(2 * bench.geometry.drain):
            await bench.cycle()
            assert not dut.sequencer_busy.value and not dut.settling.value
        if cut % 2:
            await bench.begin()
        await bench.run(2, repeat(True))


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def stream_out_of_step(dut: Any) -> None:
    """A packet that begins again in its middle: a fault, and no more steps until it is emptied."""
    bench = await _ready(dut, seed=5)
    for restart in ("check", "core_reset"):
        bench.waiting.append(bench.levels())
        bench.send_weights(2)
        first = bench.beats.popleft()
        bench.beats.appendleft((first[0], 0, first[2]))
        for _ in range(60):
            await bench.cycle()
        assert dut.weight_fault.value == 1 and bench.steps == 0
        drive(dut, asi_weight_valid=0, batch_valid=0, core_reset=1)
        if restart == "check":
            # A check alone empties the stream; the sequencer needs the reset.
            drive(dut, core_reset=0)
            await bench.begin()
            assert not dut.weight_fault.value
            drive(dut, core_reset=1)
        await edge(dut)
        drive(dut, core_reset=0)
        bench.forget()
        await bench.run(2, repeat(True))
        bench.forget()
    # What neither runs nor is busy takes no weights.
    for running, core_busy in ((0, 0), (0, 1), (1, 0)):
        drive(dut, running=running, core_busy=core_busy)
        await edge(dut)
        assert int(dut.asi_weight_ready.value) == (running | core_busy)


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def answers_at_power_up(dut: Any) -> None:
    """Full memories, and the right answers."""
    bench = Bench(dut, seed=6)
    await bench.reset()
    assert int(dut.weights_loaded.value) == bench.geometry.weight_depth
    assert int(dut.thresholds_loaded.value) == bench.geometry.threshold_depth
    await bench.begin()
    await bench.run(3, repeat(True))
