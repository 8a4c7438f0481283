# SPDX-License-Identifier: Apache-2.0
"""Networks that begin with convolutions through all lanes, word by word: what the word-exact
machine says of every group comes out of them, when it is due."""

from __future__ import annotations

from collections import Counter
from typing import Any

import cocotb
import numpy as np

from golden.map_cases import images_of
from golden.map_machine import Group, MapMachine, Pass, Step
from modules.unit import drive, edge, fields, join, number, settings, start
from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.map_plan import BLOCK, SLOTS
from xnor_fcc.pack_maps import pack_maps

# Cycles after a control word (that of a group's last step for what comes of it), by ORDER.
_PIXELS_AT, _WEIGHT_AT, _OFFSET_AT, _MARGINS_AT = 2, 4, 6, 9
_BITS_DONE_AT = {1: 7, 2: 9}
_SCORES_AT = {1: 8, 2: 9}
_SETTLING = 15
_STROBES = ("step", "first", "last", "sequencer_busy")


class Bench:
    """Plays the sequencer, the feeder and the memories."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        self.geometry = Geometry(**settings()["geometry"])
        self.network = IntegerNetwork.load(settings()["network"])
        self.memory = pack_maps(self.network, self.geometry)
        self.machine = MapMachine(self.memory)
        self.acc_bits = self.geometry.score_bits - 1
        self.rng = np.random.default_rng(seed)
        self.seen: Counter[str] = Counter()

    async def reset(self) -> None:
        """Empty."""
        names = "group output_layer combine split halve pixels mask weight offset up down"
        await start(self.dut, **dict.fromkeys([*_STROBES, *names.split()], 0))

    def passes(self, count: int) -> list[Pass]:
        """What the machine does with so many images."""
        found, pixels = [], self.network.pixels
        assert pixels is not None
        for image in pixels.numbers(images_of(self.network, self.rng, count)):
            self.machine.store(image)
            found.append(self.machine.run())
        return found

    def line(self, one: Pass, gaps: bool) -> list[tuple[Step, Group | None] | None]:
        """The steps of a pass with the group that ends with each, None for a cycle without one; a
        layer begins when the bits of the one before are out."""
        ends = {group.step: group for group in one.groups}
        line: list[tuple[Step, Group | None] | None] = []
        layer = 0
        for index, step in enumerate(one.steps):
            if step.layer != layer:
                line += [None] * 11
            layer = step.layer
            if gaps:
                line += [None] * (int(self.rng.geometric(0.7)) - 1)
            line.append((step, ends.get(index)))
        return line

    def pixels(self, step: Step | None) -> int:
        """The block's pixels with the words of a step among them, all else by chance."""
        g = self.geometry
        count = 8 * g.order
        bits = int.from_bytes(self.rng.bytes(-(-count * g.slot // 8)), "little")
        slots = fields(bits, g.slot, count)
        for lane, word in enumerate(step.words if step else ()):
            if word is None or step is None:
                continue
            q, p = divmod(lane, g.order)
            for j, value in enumerate(fields(word, g.slot, SLOTS)):
                if step.mask[j]:
                    slots[(p * 2 + q // 2) * 4 + q % 2 + j] = value
        return join(slots, g.slot)

    async def run(self, line: list[tuple[Step, Group | None] | None], cut: int = 1 << 30) -> None:
        """Give all of it; bits and scores must come exactly where they are due. Or as many cycles
        as `cut`."""
        dut, g, rng, memory = self.dut, self.geometry, self.rng, self.memory
        line = [*line, *[None] * (_SETTLING + 2)]
        layers = len(self.machine.stages)
        for at in range(min(len(line), cut)):

            def ago(cycles: int) -> tuple[Step, Group | None] | None:
                return line[at - cycles] if at >= cycles else None  # noqa: B023

            now = ago(0)
            nonsense = rng.integers(0, 2, 5).tolist()
            drive(dut, step=now is not None, sequencer_busy=now is not None)
            names = ("first", "last", "combine", "split", "halve")
            drive(dut, **dict(zip(names, nonsense, strict=True)))
            if now is not None:
                step, output = now[0], now[0].layer == layers - 1
                after = self.machine.stages[(step.layer + 1) % layers]
                drive(dut, first=step.first, last=step.last, output_layer=output)
                drive(dut, halve=step.plane > 0 and (step.round, step.word) == (0, 0))
                drive(dut, combine=self.machine.stages[step.layer].order == 2)
                drive(dut, group=self.tag(step.group), split=after.order == 2)
            word, weight, offset, end = map(ago, (_PIXELS_AT, _WEIGHT_AT, _OFFSET_AT, _MARGINS_AT))
            drive(dut, pixels=self.pixels(word[0] if word else None))
            mask = sum(there << j for j, there in enumerate(word[0].mask[1:])) if word else 0
            drive(dut, mask=mask)
            size = g.pe * g.simd
            row = memory.weights[weight[0].weight] if weight else rng.integers(0, 2, size, np.uint8)
            drive(dut, weight=number(row))
            given = memory.offsets[offset[0].offset] if offset else rng.integers(-4, 4, g.pe)
            drive(dut, offset=join((given >> 1).tolist(), self.acc_bits))
            up, down = memory.margins[end[0].offset] if end else rng.integers(0, 4, (2, g.pe))
            drive(dut, up=join(up.tolist(), self.acc_bits), down=join(down.tolist(), self.acc_bits))
            await edge(dut)
            self.check(ago, at, layers)

    def tag(self, group: int) -> int:
        """What travels with a group in the place of its number: every bit of it is used."""
        mask = (1 << len(self.dut.group)) - 1
        return mask - group & mask

    def check(self, ago: Any, at: int, layers: int) -> None:
        """Outputs of a cycle."""
        dut, g = self.dut, self.geometry

        def group(cycles: int) -> Group | None:
            given = ago(cycles)
            return given[1] if given else None

        done, scored = group(_BITS_DONE_AT[g.order]), group(_SCORES_AT[g.order])
        hidden = done is not None and done.layer < layers - 1
        assert bool(dut.bits_done.value) == hidden, f"cycle {at}"
        output = scored is not None and scored.layer == layers - 1
        assert bool(dut.scores_done.value) == output, f"cycle {at}"
        settling = any(ago(cycles) is not None for cycles in range(1, _SETTLING + 1))
        assert bool(dut.settling.value) == settling, f"cycle {at}"
        if output and scored is not None:
            assert int(dut.scores_group.value) == self.tag(scored.group)
            got = fields(int(dut.scores.value), self.acc_bits, g.pe)
            mask = (1 << self.acc_bits) - 1
            assert got == [int(value) >> 1 & mask for value in scored.sums[0]]
            self.seen["scores"] += 1
        due = group(_BITS_DONE_AT[g.order] + 1)
        if due is None or due.levels is None:
            return
        bits = fields(int(dut.bits.value), g.pe, BLOCK * g.order)
        split = self.machine.stages[due.layer + 1].order == 2
        for q in range(BLOCK):
            if not due.inside[q]:
                continue
            want = [number(due.levels[q] & 1), number(due.levels[q] >> 1)][: 1 + split]
            if split:
                self.seen["split"] += 1
            assert bits[q * g.order : q * g.order + 1 + split] == want, f"cycle {at}, position {q}"
            self.seen["bits"] += 1


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def networks(dut: Any) -> None:
    """Images by chance, without a pause and with pauses between the steps."""
    bench = Bench(dut, seed=1)
    await bench.reset()
    for turn, one in enumerate(bench.passes(settings()["images"])):
        await bench.run(bench.line(one, gaps=turn == 1))
    assert bench.seen["bits"] and bench.seen["scores"]
    orders = [stage.order for stage in bench.machine.stages[1:]]
    assert bool(bench.seen["split"]) == (2 in orders)


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def reset_in_a_pass(dut: Any) -> None:
    """After a reset in any cycle around the ends of groups nothing comes of what was under way,
    and the next image is answered as if nothing had been."""
    bench = Bench(dut, seed=2)
    await bench.reset()
    one = bench.passes(1)[0]
    line = bench.line(one, gaps=False)
    ends = [at for at, given in enumerate(line) if given and given[1] is not None]
    cuts = {1, 2, 3, *range(ends[0], ends[0] + 12), *range(len(line) - 1, len(line) + 12)}
    for cut in sorted(cuts)[:: settings()["between"]]:
        await bench.run(line, cut)
        drive(dut, **dict.fromkeys(_STROBES, 0))
        drive(dut, reset=1)
        await edge(dut)
        drive(dut, reset=0)
        for _ in range(_SETTLING + 2):
            await edge(dut)
            assert not dut.bits_done.value and not dut.scores_done.value
            assert not dut.settling.value
    await bench.run(line)
