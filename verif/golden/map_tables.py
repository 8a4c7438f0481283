# SPDX-License-Identifier: Apache-2.0
"""Layer tables of cores for convolutions: which fit, tables by chance, and the walk through their
steps, without a network behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from xnor_fcc.geometry import Geometry
from xnor_fcc.map_plan import SLOTS, Area, Stage, Window, image_area
from xnor_fcc.shape import PIXEL_BITS, ceil_div

# Bits of an entry that are 0.
RESERVED = 1 << 7 | 1 << 30


@dataclass(frozen=True)
class Core:
    """Limits of a core for convolutions, any part of it alone: a slot may be smaller than a pixel
    of a whole core."""

    pe: int
    slot: int
    ring: int
    """Most words of a window."""
    most_groups: int
    max_layers: int
    max_classes: int
    weight_depth: int
    threshold_depth: int
    map_input: int
    map_even: int
    map_odd: int
    order: int = 1
    ternary: int = 0
    numbers: int = 0
    """1: the first layer takes pixels as numbers."""

    @classmethod
    def of(cls, geometry: Geometry) -> Core:
        """Those of a whole core."""
        g = geometry
        return cls(
            g.pe, g.slot, g.ring, g.groups(g.max_width), g.max_layers, g.max_classes,
            g.weight_depth, g.threshold_depth, g.map_input, g.map_even, g.map_odd, g.order,
            g.ternary, int(g.numbers),
        )  # fmt: skip

    @property
    def parts(self) -> int:
        """Groups of a slot."""
        return self.slot // self.pe

    def area(self, layer: int) -> int:
        """Words of a bank of the area that a layer writes."""
        return self.map_odd if layer & 1 else self.map_even

    def base(self, layer: int) -> int:
        """Where that area begins."""
        return self.map_even if layer & 1 else 0

    @property
    def address_bits(self) -> int:
        """Bits of an address of either memory."""
        words = max(2 * self.map_input, self.map_even + self.map_odd)
        return max(1, (words - 1).bit_length())


@dataclass(frozen=True)
class Table:
    """What is checked: the description of a network, and how much has been loaded."""

    entries: tuple[int, ...]
    inputs: int
    classes: int
    weights: int
    thresholds: int
    layers: int = -1
    """Other than there are entries."""
    grey: bool = True
    """8-bit pixels."""

    @classmethod
    def of(cls, core: Core, stages: Sequence[Stage], classes: int = 0) -> Table:
        """A table that is loaded with exactly what it needs; 0 classes: as many as there may be."""
        most = min(core.max_classes, stages[-1].groups * core.pe)
        return cls(
            tuple(stage.entry for stage in stages),
            (stages[0].side + 2) ** 2,
            classes or most,
            sum(stage.turn for stage in stages),
            sum(stage.groups for stage in stages),
        )

    def with_stage(self, layer: int, stage: Stage) -> Table:
        """Another entry in its place."""
        return self.with_entry(layer, stage.entry)

    def with_entry(self, layer: int, entry: int) -> Table:
        """Other bits in its place."""
        entries = (*self.entries[:layer], entry, *self.entries[layer + 1 :])
        return replace(self, entries=entries)


def verdict(core: Core, table: Table) -> str:
    """What the check of such a core has to say: "ok", "bad_table" or "not_loaded"."""
    layers = len(table.entries) if table.layers == -1 else table.layers
    if not 1 <= layers <= core.max_layers or not table.grey:
        return "bad_table"
    stages = [Stage.of_entry(entry) for entry in table.entries[:layers]]
    if any(entry & RESERVED for entry in table.entries[:layers]):
        return "bad_table"
    if table.inputs != (stages[0].side + 2) ** 2:
        return "bad_table"
    # What is left of numbers' sums tells one bit.
    if core.numbers and any(stage.order == 2 for stage in stages[1:2]):
        return "bad_table"
    if not all(_stage_fits(core, stages, layer) for layer in range(layers)):
        return "bad_table"
    if not 1 <= table.classes <= min(core.max_classes, stages[-1].groups * core.pe):
        return "bad_table"
    words = sum(stage.turn for stage in stages)
    groups = sum(stage.groups for stage in stages)
    if words > core.weight_depth or groups > core.threshold_depth:
        return "bad_table"
    return "ok" if words <= table.weights and groups <= table.thresholds else "not_loaded"


def _stage_fits(core: Core, stages: Sequence[Stage], layer: int) -> bool:
    """Whether a layer, behind those before it, is one that the core can run."""
    stage, last = stages[layer], layer == len(stages) - 1
    if not (1 <= stage.words <= core.ring and 1 <= stage.groups <= core.most_groups):
        return False
    if stage.order > core.order or stage.ternary > core.ternary or stage.side < 1:
        return False
    dense = stage.window is Window.DENSE
    if stage.pool and (stage.side % 2 or dense):
        return False
    if last and (not dense or stage.flat):
        return False
    if dense and not last and not stage.flat:
        return False
    if (stage.window is Window.PIXELS) != (layer == 0):
        return False
    if layer == 0:
        if stage.words != 1 or stage.last_slots != SLOTS or stage.side > 125 or stage.order == 2:
            return False
        if image_area(stage.side + 2).words > core.map_input:
            return False
    else:
        before = stages[layer - 1]
        slices = before.slices(core.parts)
        if dense != before.flat:
            return False
        want = {
            Window.SQUARE: (before.out_side - 2, 3 * slices, SLOTS),
            Window.POINT: (before.out_side, slices, 1),
            Window.DENSE: (1, *_dense(before.slots(core.parts))),
        }[stage.window]
        if (stage.side, stage.words, stage.last_slots) != want:
            return False
    return last or stage.out_words(core.parts) <= core.area(layer)


def _dense(slots: int) -> tuple[int, int]:
    """Words of a dense layer that reads some slots, and slots of the last one."""
    words = ceil_div(slots, SLOTS)
    return words, slots - SLOTS * (words - 1)


def random_stages(
    rng: np.random.Generator, core: Core, sides: Sequence[int], most_groups: int = 0
) -> list[Stage]:
    """A table that fits; its first side one of `sides`, its last layer within the classes."""
    most = min(core.most_groups, most_groups or core.most_groups)
    for _ in range(10_000):
        count = int(rng.integers(2, core.max_layers + 1))
        stages: list[Stage] = []
        convolutions = int(rng.integers(1, count))
        for layer in range(count):
            groups = int(rng.integers(1, most + 1))
            flat = convolutions - 1 <= layer < count - 1
            order = int(rng.integers(1, core.order + 1)) if layer > core.numbers else 1
            ternary = bool(rng.integers(0, core.ternary + 1))
            if layer == 0:
                planes = PIXEL_BITS if core.numbers else 1
                side = sides[int(rng.integers(len(sides)))]
                stage = Stage(Window.PIXELS, 1, side, groups, planes=planes)
            elif layer < convolutions:
                before = stages[-1]
                slices, side = before.slices(core.parts), before.out_side
                square = side >= 3 and rng.random() < 0.7
                window = Window.SQUARE if square else Window.POINT
                words, side = (3 * slices, side - 2) if square else (slices, side)
                slots = SLOTS if square else 1
                stage = Stage(window, words, side, groups, last_slots=slots)
            else:
                words, slots = _dense(stages[-1].slots(core.parts))
                stage = Stage(Window.DENSE, words, 1, groups, last_slots=slots)
            pool = layer < convolutions and stage.side % 2 == 0 and rng.random() < 0.5
            stage = replace(stage, pool=bool(pool), flat=flat, order=order, ternary=ternary)
            stages.append(stage)
        words = max(stage.words for stage in stages)
        if words <= core.ring and verdict(core, Table.of(core, stages)) == "ok":
            return stages
    raise AssertionError("no table fits")


@dataclass(frozen=True)
class Place:
    """A step of a table, and what the feeder and the memories are told with it."""

    layer: int
    block: tuple[int, int]
    repeat: int
    group: int
    """Of the output layer counted as its neurons are; of others without meaning."""
    first: bool
    last: bool
    weight: int
    threshold: int
    address: int
    """Of the block's first pixel in the word's slice."""
    row: int
    far: bool
    mask: int
    """Slots 1 and 2 of the word."""
    plane: int = 0
    """Of the bits of pixels that are numbers."""
    halve: bool = False
    """The first step of a further plane."""
    final: bool = False
    """The last step of its layer."""


@dataclass(frozen=True)
class Walk:
    """A table step by step."""

    core: Core
    stages: Sequence[Stage]
    layers: list[list[Place]] = field(default_factory=list)

    def source(self, layer: int, half: int) -> Area:
        """Where the pixels lie that a layer which is not dense reads."""
        if layer == 0:
            return image_area(self.stages[0].side + 2, half * self.core.map_input)
        return self.stages[layer - 1].out_area(self.core.parts, self.core.base(layer - 1))

    def layer(self, layer: int, half: int) -> Iterator[Place]:
        """Its steps, of the image in this half of the memory."""
        core, stage = self.core, self.stages[layer]
        weight = sum(before.turn for before in self.stages[:layer])
        threshold = sum(before.groups for before in self.stages[:layer])
        output = layer == len(self.stages) - 1
        dense = stage.window is Window.DENSE
        area = self.source(layer, half)
        turn = stage.rounds * stage.words
        every = [*stage.walk()]
        for y, x, repeat in every:
            for counted in range(stage.groups):
                for number in range(stage.group_steps):
                    plane, at = divmod(number, turn)
                    word = at % stage.words
                    row, piece = 0, word
                    if stage.window is Window.SQUARE:
                        row, piece = word % 3, word // 3
                    slots = SLOTS
                    if stage.window is Window.POINT or (dense and word == stage.words - 1):
                        slots = stage.last_slots
                    yield Place(
                        layer,
                        (y, x),
                        repeat,
                        stage.groups - 1 - counted if output else counted,
                        number == 0,
                        number == stage.group_steps - 1,
                        weight + counted * turn + at,
                        threshold + counted,
                        core.base(layer - 1) + word
                        if dense
                        else area.place(2 * y, 2 * x, piece)[1],
                        row,
                        bool(x & 1),
                        (slots > 1) | (slots > 2) << 1,
                        plane,
                        plane > 0 and at == 0,
                        (y, x, repeat) == every[-1]
                        and counted == stage.groups - 1
                        and number == stage.group_steps - 1,
                    )
