# SPDX-License-Identifier: Apache-2.0
"""Whole small networks through all lanes at once, with the packed weights and the integer
reference: what is given and taken in which cycle, and what two lanes make of one image."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, fields, join, known, number, settings, start
from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.pack import Memory, pack
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import activations, preactivations
from xnor_fcc.shape import top_level

# Cycles after the control word (the last one of a group for what comes of it).
_IMAGES_AT = 2
_OUTPUT_AT = 3
_SHOWN_AT = 3
_WEIGHT_AT = 4
_OFFSET_AT = 6
_SCORES_AT = 8  # one more where ORDER is 2
_MARGINS_AT = 9
_STROBES = ("load_image", "load_hidden", "load_late", "load_output", "rotate", "step")
# What accompanies a step and means nothing without one.
_TAGS = ("first", "last", "output_layer", "combine", "split")


@dataclass
class Cycle:
    """The control word of a cycle, and what belongs to it."""

    inputs: dict[str, int] = field(default_factory=dict)
    images: int | None = None
    weight: int | None = None
    offset: int | None = None
    margins: tuple[int, int] | None = None
    # Of the last step of a group of the output layer: its number, and the scores of its classes
    # without bit 0, by lane.
    group: int | None = None
    scores: dict[int, list[int]] = field(default_factory=dict)
    # What stands beside the rings when they have been loaded, by lane: from word 1 on, or all.
    rest: dict[int, int] = field(default_factory=dict)
    hidden: dict[int, int] = field(default_factory=dict)
    # The word at the first tap once the ring has turned, by lane.
    shown: dict[int, int] = field(default_factory=dict)


class Bench:
    """Plays sequencer, memories and batcher."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        self.geometry = Geometry(**settings()["geometry"])
        self.widths: list[int] = settings()["widths"]
        self.acc_bits = self.geometry.score_bits - 1
        self.scores_at = _SCORES_AT + (self.geometry.order == 2)
        self.rng = np.random.default_rng(seed)

    async def reset(self, pairs: bool) -> None:
        """Empty; two lanes carry an image, or each its own."""
        self.pairs = pairs
        names = ("length", "images", "weight", "offset", "up", "down", "group", "sequencer_busy")
        await start(self.dut, pairs=pairs, **dict.fromkeys((*names, *_STROBES, *_TAGS), 0))

    def network(self, seed: int) -> IntegerNetwork:
        """One of the given widths; with inputs of order 2 where lanes work in pairs."""
        orders = settings()["orders"] if self.pairs else None
        return random_network(np.random.default_rng(seed), self.widths, orders)

    def levels(self, network: IntegerNetwork) -> np.ndarray:
        """Random images, one for each lane or pair of lanes."""
        count = self.geometry.images_per_batch(network.shape)
        top = top_level(network.shape.orders[0])
        return self.rng.integers(0, top + 1, (count, network.inputs), dtype=np.uint8)

    def by_lane(self, levels: np.ndarray, order: int) -> dict[int, int]:
        """The bits that belong into each lane: the first ones of two in the higher lane."""
        share = 2 if self.pairs else 1
        planes = [levels] if order == 1 else [levels & 1, levels >> 1]
        return {
            share * image + plane: number(bits[image].astype(np.uint8))
            for plane, bits in enumerate(planes)
            for image in range(len(levels))
        }

    def mark_shown(
        self, cycles: list[Cycle], contents: dict[int, int], words: int, begin: int
    ) -> None:
        """What the first tap shows of `contents` once the ring has turned in each of these cycles,
        from word `begin` on."""
        at = begin
        for cycle in cycles:
            if cycle.inputs.get("rotate"):
                at += 1
                cycle.shown = {
                    lane: fields(bits, self.geometry.simd, words)[at % words]
                    for lane, bits in contents.items()
                }

    def append_pass(
        self,
        timeline: list[Cycle],
        network: IntegerNetwork,
        memory: Memory,
        x: np.ndarray,
        gaps: bool = False,
    ) -> None:
        """All cycles of one batch: load, wind up, step, layer after layer; each layer is loaded as
        soon after the last step of the one before as Geometry allows, or later where there are
        `gaps`. The images are loaded in the last cycle of `timeline`."""
        g, rng, shape = self.geometry, self.rng, network.shape
        sums = preactivations(network, x)
        weights = iter(memory.weights)
        numbers = iter(zip(memory.offsets, memory.margins, strict=True))

        def pause(mean: float) -> int:
            return int(rng.geometric(1 - mean)) - 1 if gaps else 0

        words_before = 0
        hidden: dict[int, int] = {}
        for layer, (words, groups) in enumerate(memory.table):
            output = layer == len(memory.table) - 1
            length = {"length": 1 << words - 1}
            wait = g.gap(words_before, words) if layer else 0
            timeline += [Cycle({**length}) for _ in range(wait + pause(0.7))]
            load = timeline[-1]
            load.inputs.update(length)
            if output:
                load.inputs.update(load_output=1)
            if layer:
                load.inputs.update(load_hidden=1)
                load.rest = {lane: bits >> g.simd for lane, bits in hidden.items()}
            else:
                load.inputs.update(load_image=1)
                hidden = bits_of = self.by_lane(x, shape.orders[0])
                load.images = join((bits_of.get(n, 0) for n in range(g.lanes)), g.capacity)
            begin = len(timeline)
            timeline += [Cycle({**length, "rotate": 1}) for _ in range(g.wind(words * g.simd))]
            if layer and words <= g.taps:
                load.inputs["load_late"], load.hidden = 1, hidden
            late = words - g.taps - 1 if layer else -1
            for group in reversed(range(groups)):
                offset, margins = next(numbers)
                for word in range(words):
                    timeline += [Cycle({**length}) for _ in range(pause(0.3))]
                    cycle = Cycle({**length, "rotate": 1, "step": 1, "group": group})
                    timeline.append(cycle)
                    cycle.inputs["first"] = int(word == 0)
                    cycle.inputs["last"] = int(word == words - 1)
                    cycle.inputs["output_layer"] = int(output)
                    cycle.inputs["combine"] = int(shape.orders[layer] == 2)
                    if not output:
                        cycle.inputs["split"] = int(shape.orders[layer + 1] == 2)
                    cycle.weight = number(next(weights))
                    if word == 0:
                        cycle.offset = join((offset >> 1).tolist(), self.acc_bits)
                    if word == words - 1:
                        up, down = (join(row.tolist(), self.acc_bits) for row in margins)
                        cycle.margins = (up, down)
                        if output:
                            cycle.group = group
                            mine = sums[layer][:, group * g.pe : (group + 1) * g.pe] >> 1
                            share = 2 if self.pairs else 1
                            cycle.scores = {share * i: row.tolist() for i, row in enumerate(mine)}
                    if late == word and group == groups - 1:
                        cycle.inputs["load_late"], cycle.hidden = 1, hidden
            # The last one turns no more where the next layer is loaded with it.
            self.mark_shown(timeline[begin:-1], hidden, words, begin=int(layer > 0))
            if not output:
                answers = activations(network.hidden[layer], sums[layer])
                hidden = self.by_lane(answers, shape.orders[layer + 1])
            words_before = words

    def give(self, timeline: list[Cycle], at: int) -> int:
        """Inputs of cycle `at`, nonsense where nothing counts; whether the sequencer is busy."""
        dut, rng, g = self.dut, self.rng, self.geometry
        nothing = Cycle()

        def ago(cycles: int) -> Cycle:
            inside = cycles <= at < len(timeline) + cycles
            return timeline[at - cycles] if inside else nothing

        def or_noise(value: int | None, width: int) -> int:
            return number(rng.integers(0, 2, width, np.uint8)) if value is None else value

        drive(dut, **dict.fromkeys(_STROBES, 0))
        drive(dut, **{name: int(rng.integers(2)) for name in _TAGS})
        drive(dut, group=int(rng.integers(g.groups(g.max_width))))
        drive(dut, **ago(0).inputs)
        busy = int(rng.random() < 0.1)
        drive(dut, sequencer_busy=busy)
        drive(dut, images=or_noise(ago(_IMAGES_AT).images, g.lanes * g.capacity))
        drive(dut, weight=or_noise(ago(_WEIGHT_AT).weight, g.pe * g.simd))
        drive(dut, offset=or_noise(ago(_OFFSET_AT).offset, g.pe * self.acc_bits))
        up, down = ago(_MARGINS_AT).margins or (None, None)
        drive(dut, up=or_noise(up, g.pe * self.acc_bits), down=or_noise(down, g.pe * self.acc_bits))
        return busy

    async def run(self, timeline: list[Cycle]) -> None:
        """Give all cycles; everything must come exactly where it is due."""
        dut, g = self.dut, self.geometry
        timeline = [*timeline, *[Cycle() for _ in range(g.drain + 5)]]
        settling = g.drain + 3
        # Cycles since the sequencer was busy; at first there is no telling.
        since = -1

        def ago(cycles: int) -> Cycle:
            return timeline[at - cycles] if at >= cycles else Cycle()

        for at in range(len(timeline)):
            busy = self.give(timeline, at)
            await edge(dut)
            where = f"cycle {at}"
            taken = ago(_IMAGES_AT).inputs.get("load_image", 0)
            assert int(dut.load_image_s2.value) == taken, where
            output = ago(_OUTPUT_AT).inputs.get("load_output", 0)
            assert int(dut.load_output_s3.value) == output, where
            if since >= 0:
                assert bool(dut.settling.value) == (0 < since <= settling), where
            elif at > settling:
                assert not dut.settling.value, where
            since = 1 if busy else since + (since > 0)
            cycle = ago(self.scores_at)
            assert bool(dut.scores_done.value) == (cycle.group is not None), where
            if cycle.group is not None:
                assert int(dut.scores_group.value) == cycle.group
                packed, lane_bits = int(dut.scores.value), g.pe * self.acc_bits
                for lane, want in cycle.scores.items():
                    got = fields(packed >> lane * lane_bits, self.acc_bits, g.pe)[: len(want)]
                    mask = (1 << self.acc_bits) - 1
                    assert got == [score & mask for score in want], f"{where}, lane {lane}"
            shown = ago(_SHOWN_AT).shown
            first_taps = known(dut.shown) if shown else 0
            for lane, want_word in shown.items():
                got_word = first_taps >> lane * g.simd & (1 << g.simd) - 1
                assert got_word == want_word, f"{where}, lane {lane}: {got_word:#x}"
            cycle = ago(2)
            for what, bits in (("rest", cycle.rest), ("all", cycle.hidden)):
                for lane, want_bits in bits.items():
                    beside = int(dut.g_lane[lane].lane.hidden.value)
                    got_bits = beside >> g.simd if what == "rest" else beside
                    assert got_bits == want_bits, f"{where}, lane {lane}: {got_bits:#x}"


async def _ready(dut: Any, seed: int, pairs: bool) -> tuple[Bench, IntegerNetwork, Memory]:
    bench = Bench(dut, seed)
    await bench.reset(pairs)
    network = bench.network(10 * seed + pairs)
    return bench, network, pack(network, bench.geometry)


def _pairings() -> list[bool]:
    """Whether lanes work in pairs: both, where the core can."""
    return [False, True] if settings()["orders"] else [False]


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def networks(dut: Any) -> None:
    """Random networks, one batch after the other, in pairs of lanes or not, with pauses or none."""
    for pairs in _pairings():
        for seed in range(4):
            bench, network, memory = await _ready(dut, seed, pairs)
            timeline = [Cycle()]
            x = bench.levels(network)
            bench.append_pass(timeline, network, memory, x, gaps=seed % 2 == 1)
            await bench.run(timeline)


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def batches_in_a_row(dut: Any) -> None:
    """The next batch is loaded in the cycle of the last step, while scores are still due."""
    for pairs in _pairings():
        bench, network, memory = await _ready(dut, 5, pairs)
        timeline = [Cycle()]
        for _ in range(3):
            bench.append_pass(timeline, network, memory, bench.levels(network))
        assert len(timeline) == 1 + 3 * bench.geometry.pass_cycles(network.shape)
        await bench.run(timeline)


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def reset_in_a_pass(dut: Any) -> None:
    """A reset in any part of a pass takes back all that was under way, and the next batch is
    answered as if nothing had been."""
    for pairs in _pairings():
        bench, network, memory = await _ready(dut, 6, pairs)
        whole = [Cycle()]
        bench.append_pass(whole, network, memory, bench.levels(network))
        end = len(whole)
        for cut in (1, 2, 3, 4, end // 2, end - 1, end + 2, end + 3, end + 4):
            for at in range(cut):
                bench.give(whole, at)
                await edge(dut)
            # Strobes in the cycle of the reset come to nothing, nor do those just before it.
            drive(dut, sequencer_busy=1, **dict.fromkeys(_STROBES, 1))
            await edge(dut, 3)
            drive(dut, reset=1)
            await edge(dut)
            drive(dut, reset=0, sequencer_busy=0, **dict.fromkeys(_STROBES, 0))
            for _ in range(bench.geometry.drain + 5):
                await edge(dut)
                assert not dut.load_image_s2.value and not dut.load_output_s3.value
                assert not dut.scores_done.value and not dut.settling.value
            timeline = [Cycle()]
            bench.append_pass(timeline, network, memory, bench.levels(network))
            await bench.run(timeline)
