# SPDX-License-Identifier: Apache-2.0
"""When a core for convolutions writes which slots of its maps, and when which sums are there: a
pass of it as a list, counted in clock cycles from the one in which the image is loaded. Without the
output layer, which writes nothing and may have to wait for the results of the image before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xnor_fcc.geometry import Geometry
from xnor_fcc.map_geometry import DRAIN
from xnor_fcc.map_plan import Stage, slot_place

# Cycles from the last step of a group to its sums, and to the write of its bits, by ORDER (see
# fcc_map_lanes.v, fcc_map_writer.v).
SUMS, WRITE = {1: 10, 2: 11}, {1: 12, 2: 14}


@dataclass(frozen=True)
class SlotWrite:
    """A cycle in which slots are written."""

    cycle: int
    banks: int
    """One bit a bank."""
    address: int
    layer: int
    places: tuple[tuple[int, int, int, int], ...]
    """(port, y, x, slice) of each slot that lies inside the map; port 2 * (row mod 2) + column mod
    2 of a block carries it. y and x are 0 of a dense layer."""


@dataclass(frozen=True)
class GroupSums:
    """A cycle in which the sums of a group are there, at the block's first position."""

    cycle: int
    layer: int
    y: int
    x: int
    group: int


def pass_of(geometry: Geometry, stages: Sequence[Stage]) -> Iterator[SlotWrite | GroupSums]:
    """All of a pass, layer by layer, each layer's in order of time but for sums before writes."""
    parts = geometry.slot // geometry.pe
    begin = 1
    for layer, stage in enumerate(stages[:-1]):
        writer = _Writer(stage, geometry.map_even if layer % 2 else 0, parts)
        for line, column, repeat in stage.walk():
            for group in range(stage.groups):
                begin += stage.group_steps
                last = begin - 1
                yield GroupSums(last + SUMS[geometry.order], layer, 2 * line, 2 * column, group)
                if group == stage.groups - 1 or group % parts == parts - 1:
                    found = writer.write(line, column, repeat, group // parts)
                    if found is not None:
                        yield SlotWrite(last + WRITE[geometry.order], found[0], found[1], layer,
                                        found[2])
        begin += DRAIN[geometry.order]


class _Writer:
    """Where the slots of one layer go."""

    def __init__(self, stage: Stage, base: int, parts: int) -> None:
        self.stage, self.base = stage, base
        self.area = stage.out_area(parts, base)
        self.slots = 0

    def write(
        self, line: int, column: int, repeat: int, slice_: int
    ) -> tuple[int, int, tuple[tuple[int, int, int, int], ...]] | None:
        """(banks, address, places) of a slot of a block; None if it is not written."""
        stage = self.stage
        if stage.flat:
            y, x = line, column
            if stage.repeats > 1:
                if not stage.inside(line, column)[repeat]:
                    return None
                y, x = 2 * line + repeat // 2, 2 * column + repeat % 2
            bank, address = slot_place(self.base, self.slots)
            self.slots += 1
            return 1 << bank, address, ((bank % 2, y, x, slice_),)
        if stage.pool:
            bank, address = self.area.place(line, column, slice_)
            port = 2 * (bank // 4) + bank % 2
            return 1 << bank, address, ((port, line, column, slice_),)
        banks, address, places = 0, 0, []
        for port, inside in enumerate(stage.inside(line, column)):
            y, x = 2 * line + port // 2, 2 * column + port % 2
            bank, address = self.area.place(y, x, slice_)
            banks |= 1 << bank
            if inside:
                places.append((port, y, x, slice_))
        return banks, address, tuple(places)
