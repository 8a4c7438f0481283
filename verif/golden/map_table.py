# SPDX-License-Identifier: Apache-2.0
"""The rules of fcc_map_table_check: which layer tables fit a core for convolutions, and what must
be loaded for them."""

from __future__ import annotations

from dataclasses import dataclass

from xnor_fcc.geometry import Geometry
from xnor_fcc.map_plan import MOST_SIDE, SLOTS, Stage, Window, image_area
from xnor_fcc.pack_maps import MapMemory

# Bits of an entry that say nothing and must be 0.
UNUSED = 1 << 7 | 1 << 30


@dataclass(frozen=True)
class MapDescription:
    """What is checked: the description of a network, and how much has been loaded."""

    entries: tuple[int, ...]
    inputs: int
    classes: int
    weights: int
    thresholds: int
    layers: int = -1  # other than the table's
    grey: bool = True  # 8-bit pixels

    @classmethod
    def of(cls, memory: MapMemory) -> MapDescription:
        """That of a network that fits, loaded with exactly what it needs."""
        return cls(
            memory.entries, memory.inputs, memory.classes, len(memory.weights), len(memory.offsets)
        )

    @property
    def stages(self) -> list[Stage]:
        """The layers as their entries tell them."""
        return [Stage.of_entry(entry) for entry in self.entries]

    @property
    def steps(self) -> int:
        """Weight words that it takes."""
        return sum(stage.turn for stage in self.stages)

    @property
    def groups(self) -> int:
        """Threshold words that it takes."""
        return sum(stage.groups for stage in self.stages)


class MapTableRules:
    """The rules for a core."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self.parts = geometry.slot // geometry.pe

    def fits(self, net: MapDescription) -> bool:
        """The rules, one by one."""
        g, stages = self.geometry, net.stages
        if net.layers not in (-1, len(stages)) or not 1 <= len(stages) <= g.max_layers:
            return False
        if not net.grey or any(entry & UNUSED for entry in net.entries):
            return False
        for number, stage in enumerate(stages):
            last = number == len(stages) - 1
            if not self._in_range(stage) or (number == 0 and stage.order == 2):
                return False
            if not self._reads(stage, stages[number - 1] if number else None):
                return False
            # What a dense layer reads, and nothing else, is flat.
            if stage.flat != (not last and stages[number + 1].window is Window.DENSE):
                return False
            area = g.map_odd if number & 1 else g.map_even
            if not last and stage.out_words(self.parts) > area:
                return False
        side = stages[0].side + 2
        if net.inputs != side * side or image_area(side).words > g.map_input:
            return False
        if stages[-1].window is not Window.DENSE:
            return False
        if not 1 <= net.classes <= min(g.max_classes, stages[-1].groups * g.pe):
            return False
        return net.steps <= g.weight_depth and net.groups <= g.threshold_depth

    def _in_range(self, stage: Stage) -> bool:
        """What goes for a layer by itself."""
        g = self.geometry
        if not 1 <= stage.words <= g.ring or not 1 <= stage.groups <= g.groups(g.max_width):
            return False
        if (stage.order == 2 and g.order == 1) or (stage.ternary and not g.ternary):
            return False
        return stage.side >= 1 and not (stage.pool and stage.side % 2)

    def _reads(self, stage: Stage, before: Stage | None) -> bool:
        """Whether a layer's windows are those of what has been written before it."""
        if before is None or stage.window is Window.PIXELS:
            return (
                before is None and stage.window is Window.PIXELS and stage.words == 1
                and stage.last_slots == SLOTS and stage.side + 2 <= MOST_SIDE
            )  # fmt: skip
        if stage.window is Window.DENSE:
            slots = SLOTS * (stage.words - 1) + stage.last_slots
            return (
                before.flat and slots == before.slots(self.parts) and stage.last_slots >= 1
                and stage.side == 1 and not stage.pool
            )  # fmt: skip
        slices = before.slices(self.parts)
        if before.flat:
            return False
        if stage.window is Window.SQUARE:
            return (stage.side + 2, stage.words, stage.last_slots) == (
                before.out_side, 3 * slices, 3
            )  # fmt: skip
        return (stage.side, stage.words, stage.last_slots) == (before.out_side, slices, 1)

    def loaded(self, net: MapDescription) -> bool:
        """Enough words for every step and every group."""
        return net.steps <= net.weights and net.groups <= net.thresholds
