# SPDX-License-Identifier: Apache-2.0
"""Whole small networks through one lane, with the packed weights and the integer reference."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, fields, join, number, settings, start
from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.pack import Memory, pack
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import evaluate, preactivations

# Cycles after a step (the last one of a group for what comes of it).
_WEIGHT_AT = 3
_OFFSET_AT = 5
_SUMS_AT = 7
_DECIDED_AT = 9
_STROBES = ("load_image", "load_hidden", "load_late", "rotate", "step", "first", "last")


@dataclass
class Cycle:
    """Inputs of one cycle, and what belongs to a step given in it."""

    inputs: dict[str, int] = field(default_factory=dict)
    weight: int | None = None
    offset: np.ndarray | None = None
    # Of the last step of a group: 2P + offset of its neurons; its bits, or its number among those
    # of the output layer.
    sums: list[int] | None = None
    decided: int | None = None
    scores_group: int | None = None
    # Bits that stand beside the ring in this cycle, from word 1 on or all of them.
    rest: int | None = None
    hidden: int | None = None


class Bench:
    """Plays the sequencer and the memories for one lane."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        self.geometry = Geometry(**settings()["geometry"])
        self.widths: list[int] = settings()["widths"]
        self.acc_bits = self.geometry.score_bits - 1
        self.paired = self.geometry.order == 2
        self.done_at = _SUMS_AT + self.paired
        self.rng = np.random.default_rng(seed)

    async def reset(self) -> None:
        """Empty."""
        names = ("length", "image", "output_layer", "group", "weight", "offset", "decided")
        await start(self.dut, **dict.fromkeys([*names, *_STROBES], 0))

    def append_pass(
        self,
        timeline: list[Cycle],
        network: IntegerNetwork,
        memory: Memory,
        bits: np.ndarray,
        gaps: bool = False,
    ) -> None:
        """All cycles of one image: load, wind up, step, layer after layer; each layer is loaded as
        soon after the last step of the one before as Geometry allows, or later where there are
        `gaps`. The image is loaded in the last cycle of `timeline`. Where the bits are decided
        outside, the offsets are wrong: the lane's own bits would be."""
        g, rng = self.geometry, self.rng
        answer = evaluate(network, bits[None])
        sums = preactivations(network, bits[None])
        weights, offsets = iter(memory.weights), iter(memory.offsets)

        def pause(mean: float) -> int:
            return int(rng.geometric(1 - mean)) - 1 if gaps else 0

        words_before = 0
        for layer, (words, groups) in enumerate(memory.table):
            output = layer == len(memory.table) - 1
            length = {"length": 1 << words - 1}
            hidden = number(answer.hidden[layer - 1][0]) if layer else None
            wait = g.gap(words_before, words) if layer else 0
            timeline += [Cycle({**length}) for _ in range(wait + pause(0.7))]
            load = timeline[-1]
            load.inputs.update(length)
            if hidden is None:
                # Bits beyond the inputs are 0, as the image sink leaves them.
                load.inputs.update(load_image=1, image=number(bits))
            else:
                load.inputs.update(load_hidden=1)
                load.rest = hidden >> g.simd
            timeline += [Cycle({**length, "rotate": 1}) for _ in range(g.wind(words * g.simd))]
            # Word 0 goes with the load, or with the step after which the last tap is due to it.
            if layer and words <= g.taps:
                load.inputs["load_late"], load.hidden = 1, hidden
            late = words - g.taps - 1 if layer else -1
            for group in reversed(range(groups)):
                wrong = 2 * rng.integers(-g.simd, g.simd, g.pe) * self.paired
                offset = next(offsets) + wrong
                for word in range(words):
                    timeline += [Cycle({**length}) for _ in range(pause(0.3))]
                    cycle = Cycle({**length, "rotate": 1, "step": 1})
                    cycle.inputs["first"] = int(word == 0)
                    cycle.inputs["last"] = int(word == words - 1)
                    cycle.inputs["output_layer"] = int(output)
                    cycle.inputs["group"] = group
                    cycle.weight = number(next(weights))
                    cycle.offset = offset if word == 0 else None
                    if word == words - 1:
                        mine = slice(group * g.pe, (group + 1) * g.pe)
                        right = sums[layer][0, mine]
                        cycle.sums = (right + wrong[: len(right)]).tolist()
                        if output:
                            cycle.scores_group = group
                        else:
                            cycle.decided = number(answer.hidden[layer][0, mine])
                    if late == word and group == groups - 1:
                        cycle.inputs["load_late"], cycle.hidden = 1, hidden
                    timeline.append(cycle)
            words_before = words

    def one_pass(
        self, network: IntegerNetwork, memory: Memory, bits: np.ndarray, gaps: bool = False
    ) -> list[Cycle]:
        """All cycles of one image alone."""
        timeline = [Cycle()]
        self.append_pass(timeline, network, memory, bits, gaps)
        return timeline

    def give(self, timeline: list[Cycle], at: int) -> np.ndarray:
        """Inputs of cycle `at`, and nonsense where nothing counts; the offsets given."""
        dut, rng, g = self.dut, self.rng, self.geometry
        nothing = Cycle()

        def ago(cycles: int) -> Cycle:
            inside = cycles <= at < len(timeline) + cycles
            return timeline[at - cycles] if inside else nothing

        drive(dut, **dict.fromkeys(_STROBES, 0))
        drive(dut, output_layer=int(rng.integers(2)))
        drive(dut, group=int(rng.integers(g.groups(g.max_width))))
        drive(dut, **{name: value for name, value in ago(0).inputs.items() if name != "image"})
        # What is loaded is taken one cycle after the strobe.
        drive(dut, image=ago(1).inputs.get("image", int(rng.integers(1 << 16))))
        weight = ago(_WEIGHT_AT).weight
        size = g.pe * g.simd
        drive(dut, weight=number(rng.integers(0, 2, size, np.uint8)) if weight is None else weight)
        offset = ago(_OFFSET_AT).offset
        given = rng.integers(-4, 4, g.pe) if offset is None else offset
        drive(dut, offset=join((given >> 1).tolist(), self.acc_bits))
        decided = ago(_DECIDED_AT).decided
        drive(dut, decided=number(rng.integers(0, 2, g.pe)) if decided is None else decided)
        return given

    async def run(self, timeline: list[Cycle]) -> None:
        """Give all cycles; sums and scores must come exactly where they are due."""
        dut, g = self.dut, self.geometry
        parity = pending = np.zeros(g.pe, int)
        timeline = [*timeline, *[Cycle() for _ in range(_DECIDED_AT + 2)]]

        def ago(cycles: int) -> Cycle:
            return timeline[at - cycles] if at >= cycles else Cycle()

        for at in range(len(timeline)):
            offset = self.give(timeline, at)
            await edge(dut)
            group = ago(self.done_at).scores_group
            assert bool(dut.scores_done.value) == (group is not None), f"cycle {at}"
            if group is not None:
                assert int(dut.scores_group.value) == group
            sums = ago(_SUMS_AT).sums
            if sums is not None:
                got = fields(int(dut.sums.value), self.acc_bits, g.pe)
                mask = (1 << self.acc_bits) - 1
                assert got[: len(sums)] == [value >> 1 & mask for value in sums], f"cycle {at}"
                # Bit 0 of a score is bit 0 of the offset, which the lane never sees.
                assert [value & 1 for value in sums] == parity[: len(sums)].tolist()
            # Taken into the accumulator a cycle after it was given.
            parity = pending
            if ago(_OFFSET_AT).offset is not None:
                pending = offset & 1
            cycle = ago(1)
            beside = int(dut.hidden.value) if {cycle.rest, cycle.hidden} != {None} else 0
            if cycle.rest is not None:
                got_rest = beside >> g.simd
                assert got_rest == cycle.rest, f"cycle {at}: {got_rest:#x}, not {cycle.rest:#x}"
            if cycle.hidden is not None:
                assert beside == cycle.hidden, f"cycle {at}: {beside:#x}, not {cycle.hidden:#x}"


@cocotb.test(timeout_time=500, timeout_unit="us")
async def networks(dut: Any) -> None:
    """Random networks, several images each: every hidden bit, zeros beyond, and every score."""
    bench = Bench(dut, seed=1)
    await bench.reset()
    for seed in range(6):
        network = random_network(np.random.default_rng(10 + seed), bench.widths)
        memory = pack(network, bench.geometry)
        bits = bench.rng.integers(0, 2, (3, network.inputs), dtype=np.uint8)
        for row in bits:
            timeline = bench.one_pass(network, memory, row, gaps=seed % 2 == 1)
            checks = [cycle for cycle in timeline if cycle.hidden is not None]
            assert len(checks) == len(bench.widths) - 2
            await bench.run(timeline)
            # The output layer's own signs are no hidden bits.
            assert int(dut.hidden.value) == 0


@cocotb.test(timeout_time=500, timeout_unit="us")
async def images_in_a_row(dut: Any) -> None:
    """The next image is loaded in the cycle of the last step, while scores are still due."""
    bench = Bench(dut, seed=2)
    await bench.reset()
    network = random_network(np.random.default_rng(20), bench.widths)
    memory = pack(network, bench.geometry)
    bits = bench.rng.integers(0, 2, (4, network.inputs), dtype=np.uint8)
    bits[0], bits[1] = 0, 1
    timeline = [Cycle()]
    for row in bits:
        bench.append_pass(timeline, network, memory, row)
    assert len(timeline) == 1 + len(bits) * bench.geometry.pass_cycles(bench.widths)
    await bench.run(timeline)


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def reset_in_a_layer(dut: Any) -> None:
    """After a reset in any part of a pass the next image is answered as if nothing had been."""
    bench = Bench(dut, seed=3)
    await bench.reset()
    network = random_network(np.random.default_rng(30), bench.widths)
    memory = pack(network, bench.geometry)
    bits = bench.rng.integers(0, 2, (2, network.inputs), dtype=np.uint8)
    whole = bench.one_pass(network, memory, bits[0])
    for cut in (3, len(whole) // 3, len(whole) // 2, *range(len(whole) - 2, len(whole) + 4)):
        for at in range(cut):
            bench.give(whole, at)
            await edge(dut)
        drive(dut, **dict.fromkeys(_STROBES, 0))
        drive(dut, reset=1)
        await edge(dut)
        drive(dut, reset=0)
        for _ in range(_DECIDED_AT + 2):
            await edge(dut)
            assert not dut.scores_done.value
        await bench.run(bench.one_pass(network, memory, bits[1]))
