# SPDX-License-Identifier: Apache-2.0
"""Whole small networks through one lane, with the packed weights and the integer reference."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cocotb
import numpy as np

from unit import drive, edge, fields, join, settings, start
from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork, random_network
from xnor_fcc.pack import MemoryImage, pack
from xnor_fcc.reference import evaluate

_OFFSET_AT = 2  # cycles after the first step of a group
_DONE_AT = 3  # cycles after its last step
_STROBES = ("load_image", "load_hidden", "rotate", "step", "first", "last")


def number(bits: np.ndarray) -> int:
    """Bits, the first lowest, as an integer."""
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


@dataclass
class Cycle:
    """Inputs of one cycle."""

    inputs: dict[str, int] = field(default_factory=dict)
    offset: np.ndarray | None = None  # what the group given here needs, two cycles later
    done: tuple[int, ...] | None = None  # scores due three cycles later
    scores_last: bool = False
    hidden: int | None = None  # bits that stand beside the ring in this cycle


class Bench:
    """Plays the sequencer and the memories for one lane."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        self.geometry = Geometry(**settings()["geometry"])
        self.widths: list[int] = settings()["widths"]
        self.acc_bits = self.geometry.score_bits - 1
        self.rng = np.random.default_rng(seed)

    async def reset(self) -> None:
        """Empty."""
        names = ("length", "image", "output_layer", "last_group", "weight", "offset")
        await start(self.dut, **dict.fromkeys([*names, *_STROBES], 0))

    def one_pass(
        self, network: IntegerNetwork, image: MemoryImage, bits: np.ndarray, gaps: bool
    ) -> list[Cycle]:
        """All cycles of one image: load, wind up, step, drain, layer after layer."""
        g = self.geometry
        answer = evaluate(network, bits[None])
        scores = answer.scores[0]
        timeline: list[Cycle] = []
        weights, offsets = iter(image.weights), iter(image.offsets)
        for layer, (words, groups) in enumerate(image.table):
            output = layer == len(image.table) - 1
            length = {"length": 1 << words - 1}
            if layer == 0:
                # Bits beyond the inputs are 0, as the image sink leaves them.
                timeline.append(Cycle({**length, "load_image": 1, "image": number(bits)}))
            else:
                hidden = number(answer.hidden[layer - 1][0])
                timeline.append(Cycle({**length, "load_hidden": 1}, hidden=hidden))
            timeline += [Cycle({**length, "rotate": 1})] * g.wind(words * g.simd)
            for group in range(groups):
                offset = next(offsets)
                for word in range(words):
                    while gaps and self.rng.random() < 0.3:
                        timeline.append(Cycle(length))
                    cycle = Cycle({**length, "rotate": 1, "step": 1})
                    cycle.inputs["weight"] = number(next(weights))
                    cycle.inputs["first"] = int(word == 0)
                    cycle.inputs["last"] = int(word == words - 1)
                    cycle.inputs["output_layer"] = int(output)
                    cycle.inputs["last_group"] = int(group == groups - 1)
                    cycle.offset = offset if word == 0 else None
                    if output and word == words - 1:
                        cycle.done = tuple(scores[group * g.pe : (group + 1) * g.pe].tolist())
                        cycle.scores_last = group == groups - 1
                    timeline.append(cycle)
            if not output:
                timeline += [Cycle(length)] * _DONE_AT
        return timeline

    async def run(self, timeline: list[Cycle]) -> None:
        """Give all cycles; scores must come exactly where they are due."""
        dut, rng = self.dut, self.rng
        timeline = [*timeline, *[Cycle() for _ in range(_DONE_AT + 2)]]
        parity = np.zeros(self.geometry.pe, int)
        for number_, cycle in enumerate(timeline):
            drive(dut, **dict.fromkeys(_STROBES, 0))
            drive(dut, image=int(rng.integers(1 << 16)), output_layer=int(rng.integers(2)))
            drive(dut, **cycle.inputs)
            before = timeline[number_ - _OFFSET_AT] if number_ >= _OFFSET_AT else Cycle()
            offset = (
                rng.integers(-4, 4, self.geometry.pe) if before.offset is None else before.offset
            )
            drive(dut, offset=join((offset >> 1).tolist(), self.acc_bits))
            await edge(dut)
            due = timeline[number_ - _DONE_AT] if number_ >= _DONE_AT else Cycle()
            assert bool(dut.scores_done.value) == (due.done is not None), f"cycle {number_}"
            if due.done is not None:
                assert bool(dut.scores_last.value) == due.scores_last
                got = fields(int(dut.scores.value), self.acc_bits, self.geometry.pe)
                mask = (1 << self.acc_bits) - 1
                want = [score >> 1 & mask for score in due.done]
                assert got[: len(want)] == want, f"cycle {number_}"
                # Bit 0 of a score is bit 0 of the offset, which the lane never sees.
                assert [score & 1 for score in due.done] == parity[: len(want)].tolist()
            if before.offset is not None:
                parity = offset & 1
            if cycle.hidden is not None:
                got_hidden = int(dut.hidden_reg.value)
                assert got_hidden == cycle.hidden, f"{got_hidden:#x}, not {cycle.hidden:#x}"


@cocotb.test(timeout_time=500, timeout_unit="us")
async def networks(dut: Any) -> None:
    """Random networks, several images each: every hidden bit, zeros beyond, and every score."""
    bench = Bench(dut, seed=1)
    await bench.reset()
    for seed in range(4):
        network = random_network(np.random.default_rng(10 + seed), bench.widths)
        image = pack(network, bench.geometry)
        bits = bench.rng.integers(0, 2, (3, network.inputs), dtype=np.uint8)
        for row in bits:
            await bench.run(bench.one_pass(network, image, row, gaps=seed % 2 == 1))
            # The output layer's own signs are no hidden bits.
            assert int(dut.hidden_reg.value) == 0


@cocotb.test(timeout_time=500, timeout_unit="us")
async def images_in_a_row(dut: Any) -> None:
    """The next image is loaded in the cycle after the last step, while scores are still due."""
    bench = Bench(dut, seed=2)
    await bench.reset()
    network = random_network(np.random.default_rng(20), bench.widths)
    image = pack(network, bench.geometry)
    bits = bench.rng.integers(0, 2, (4, network.inputs), dtype=np.uint8)
    bits[0], bits[1] = 0, 1
    await bench.run(
        [cycle for row in bits for cycle in bench.one_pass(network, image, row, gaps=False)]
    )


@cocotb.test(timeout_time=500, timeout_unit="us")
async def reset_in_a_layer(dut: Any) -> None:
    """After a reset in any part of a pass the next image is answered as if nothing had been."""
    bench = Bench(dut, seed=3)
    await bench.reset()
    network = random_network(np.random.default_rng(30), bench.widths)
    image = pack(network, bench.geometry)
    bits = bench.rng.integers(0, 2, (2, network.inputs), dtype=np.uint8)
    whole = bench.one_pass(network, image, bits[0], gaps=False)
    for cut in (3, len(whole) // 3, len(whole) // 2, len(whole) - 1, len(whole)):
        for cycle in whole[:cut]:
            drive(dut, **dict.fromkeys(_STROBES, 0))
            drive(dut, **cycle.inputs)
            await edge(dut)
        drive(dut, **dict.fromkeys(_STROBES, 0))
        drive(dut, reset=1)
        await edge(dut)
        drive(dut, reset=0)
        for _ in range(_DONE_AT + 2):
            await edge(dut)
            assert not dut.scores_done.value
        await bench.run(bench.one_pass(network, image, bits[1], gaps=False))
