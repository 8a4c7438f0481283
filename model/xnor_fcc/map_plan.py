# SPDX-License-Identifier: Apache-2.0
"""How a map core runs a network that begins with convolutions: the words of each layer, where maps
lie in its memories, and in which order what is computed.

A *position* is one window of a layer. Four of them, a *block* of 2x2, are computed in step, one in
each lane (in each pair of lanes where the core's ORDER is 2). A *slot* is SIMD / 3 channels of one
pixel, a *slice* as many channels of a map, and a *word* three slots. The words of a layer are

    layer 0         1                     three columns of the image, each with its three rows
    3x3 windows     3 * slices            three columns of a row of the kernel, slice by slice
    1x1 windows     slices                one pixel, in the first slot
    dense           ceil(slots / 3)       what the layer before has written, slot by slot

A layer goes through its blocks, row by row; in each through its groups (the output layer from the
last one down), rounds and words. So it takes blocks * repeats * groups * rounds * words steps, and
eight times as many where it takes pixels as numbers, a plane of their bits after the other. A
convolution in front of a dense layer writes its slots side by side; if it does not pool, and has
more than one position, its blocks are computed four times, once for each of their positions.

Maps lie in eight banks: pixel (y, x), slice s in bank (y mod 2) * 4 + (x mod 4) at address

    base + ((y >> 1) << (q + t)) + ((x >> 2) << t) + s

with t the bits that slices take and q those that quarters of a row take; slot n in front of a dense
layer is pixel (0, 4 * (n div 3) + n mod 3) of one slice. Images, as first maps, have a memory of
their own, where pixel (y, x) has the bits of rows y to y + 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import partial
from itertools import product

from .registers import field, mask, word
from .shape import PIXEL_BITS, GeometryError, MapShape, ceil_div

BANKS = 8
# Slots of a word; positions of a block.
SLOTS, BLOCK = 3, 4
# What the fields of a table entry can hold.
MOST_WORDS, MOST_SIDE, MOST_GROUPS = (
    field("LAYER_TABLE", name, mask("LAYER_TABLE", name))
    for name in ("MAP_WORDS", "MAP_SIDE", "MAP_GROUPS")
)


class Window(IntEnum):
    """What the words of a layer are, as its table entry says it."""

    DENSE = 0
    POINT = 1
    SQUARE = 2
    PIXELS = 3


@dataclass(frozen=True)
class Area:
    """Where a map lies in a memory."""

    base: int
    rows: int
    columns: int
    slices: int = 1

    @property
    def slice_step(self) -> int:
        """Words of a bank from four columns to the next four."""
        return 1 << (self.slices - 1).bit_length()

    @property
    def row_step(self) -> int:
        """Words of a bank from two rows to the next two."""
        return self.slice_step << (ceil_div(self.columns, 4) - 1).bit_length()

    @property
    def words(self) -> int:
        """Words of a bank that it takes."""
        return ceil_div(self.rows, 2) * self.row_step

    def place(self, y: int, x: int, s: int = 0) -> tuple[int, int]:
        """(bank, address) of pixel (y, x), slice s."""
        address = self.base + (y >> 1) * self.row_step + (x >> 2) * self.slice_step + s
        return (y & 1) * 4 + (x & 3), address


def slot_place(base: int, n: int) -> tuple[int, int]:
    """(bank, address) of slot n in front of a dense layer."""
    return n % SLOTS, base + n // SLOTS


@dataclass(frozen=True)
class Stage:
    """A layer as its table entry tells it to a core of some PE and slot."""

    window: Window
    words: int
    """Words of a window."""
    side: int
    """Positions a side, before the pool; 1 of a dense layer."""
    groups: int
    pool: bool = False
    flat: bool = False
    """A dense layer reads what it writes."""
    last_slots: int = SLOTS
    """Slots of its last word."""
    order: int = 1
    """Of its inputs."""
    ternary: bool = False
    planes: int = 1
    """Times that the first layer goes through a group's words, for pixels as numbers: once for each
    of their bits, the lowest first."""

    @property
    def entry(self) -> int:
        """The table entry."""
        return word(
            "LAYER_TABLE",
            MAP_WORDS=self.words,
            MAP_SIDE=self.side,
            ORDER_2=self.order - 1,
            MAP_GROUPS=self.groups,
            MAP_WINDOW=self.window,
            MAP_POOL=self.pool,
            MAP_FLAT=self.flat,
            MAP_SLOTS=self.last_slots,
            TERNARY=self.ternary,
        )

    @classmethod
    def of_entry(cls, entry: int) -> Stage:
        """The layer of a table entry, which does not tell whether pixels are numbers."""
        of = partial(field, "LAYER_TABLE", value=entry)
        return cls(
            window=Window(of("MAP_WINDOW")),
            words=of("MAP_WORDS"),
            side=of("MAP_SIDE"),
            groups=of("MAP_GROUPS"),
            pool=bool(of("MAP_POOL")),
            flat=bool(of("MAP_FLAT")),
            last_slots=of("MAP_SLOTS"),
            order=1 + of("ORDER_2"),
            ternary=bool(of("TERNARY")),
        )

    @property
    def rounds(self) -> int:
        """Times that a group goes through its words, of each plane of pixels."""
        return 2 if self.ternary else 1

    @property
    def group_steps(self) -> int:
        """Steps of a group."""
        return self.planes * self.rounds * self.words

    @property
    def blocks(self) -> int:
        """Blocks a side."""
        return ceil_div(self.side, 2)

    @property
    def repeats(self) -> int:
        """Times that a block is computed."""
        return BLOCK if self.flat and not self.pool and self.side > 1 else 1

    @property
    def turn(self) -> int:
        """Weight words of the layer, all of which a block reads."""
        return self.groups * self.rounds * self.words

    @property
    def steps(self) -> int:
        """Steps of the layer."""
        return self.blocks**2 * self.repeats * self.groups * self.group_steps

    @property
    def out_side(self) -> int:
        """Side of the map that it writes."""
        return self.side // 2 if self.pool else self.side

    def slices(self, parts: int) -> int:
        """Slices of the map that it writes, `parts` groups to a slot."""
        return ceil_div(self.groups, parts)

    def slots(self, parts: int) -> int:
        """Slots that it writes."""
        return self.out_side**2 * self.slices(parts)

    def out_area(self, parts: int, base: int = 0) -> Area:
        """Where it writes the pixels of its map, if it is not flat."""
        return Area(base, self.out_side, self.out_side, self.slices(parts))

    def out_words(self, parts: int) -> int:
        """Words of a bank that it writes."""
        if self.flat:
            return ceil_div(self.slots(parts), SLOTS)
        return self.out_area(parts).words

    def walk(self) -> Iterator[tuple[int, int, int]]:
        """(row, column, repeat) of the blocks in order."""
        sides = range(self.blocks)
        return product(sides, sides, range(self.repeats))

    def inside(self, y: int, x: int) -> list[bool]:
        """Whether each position of a block lies inside of the map."""
        return [max(2 * y + q // 2, 2 * x + q % 2) < self.side for q in range(BLOCK)]

    def flat_pixels(self) -> Iterator[tuple[int, int]]:
        """Pixels (y, x) of the map in the order in which a flat layer writes their slots."""
        if self.repeats == 1:
            yield from ((y, x) for y in range(self.out_side) for x in range(self.out_side))
            return
        for y, x, repeat in self.walk():
            if self.inside(y, x)[repeat]:
                yield 2 * y + repeat // 2, 2 * x + repeat % 2


def image_area(side: int, base: int = 0) -> Area:
    """Where the first map of `side` lies: three of its rows to a pixel."""
    return Area(base, side - 2, side)


def plan(shape: MapShape, pe: int, simd: int) -> tuple[Stage, ...]:
    """The layers of a network on a core of PE and SIMD, in order; PE divides SIMD / 3.

    Raises `GeometryError`, in a sentence, for a layer that no table entry can tell.
    """
    slot = simd // SLOTS
    stages: list[Stage] = []
    count = len(shape.convolutions)
    for i, (outputs, order, ternary) in enumerate(
        zip(shape.widths[1:], shape.orders, shape.ternary, strict=True)
    ):
        groups = ceil_div(outputs, pe)
        flat = count - 1 <= i < len(shape.orders) - 1
        slices = stages[-1].slices(slot // pe) if stages else 1
        if i < count:
            kernel, pool = shape.convolutions[i]
            stage = Stage(Window.PIXELS, 1, shape.positions[i], groups, pool, flat)
            if i > 0 and kernel == 3:
                stage = replace(stage, window=Window.SQUARE, words=3 * slices)
            elif i > 0:
                stage = replace(stage, window=Window.POINT, words=slices, last_slots=1)
        else:
            slots = stages[-1].slots(slot // pe)
            words = ceil_div(slots, SLOTS)
            stage = Stage(Window.DENSE, words, 1, groups, flat=flat)
            stage = replace(stage, last_slots=slots - SLOTS * (words - 1))
        planes = 1
        if order == PIXEL_BITS:
            order, planes = 1, PIXEL_BITS
        stages.append(replace(stage, order=order, ternary=ternary, planes=planes))
        for what, need, most in (
            ("{} words of a window", stage.words, MOST_WORDS),
            ("{} positions a side", stage.side, MOST_SIDE),
            ("{} groups", groups, MOST_GROUPS),
        ):
            if need > most:
                raise GeometryError(
                    f"Layer {i} needs {what.format(need)} with PE={pe} SIMD={simd}, but a core "
                    f"for convolutions takes {most} at most."
                )
    return tuple(stages)
