# SPDX-License-Identifier: Apache-2.0
"""How the pixels of an image become the first map of a network with convolutions, and what its
source takes.

What the source's first convolution takes may be any function of one pixel's one colour, of up to 65
values in even steps: of a sign, a quantiser of a few bits, or thermometer bits that the source
makes itself. It is found by running the source. Each step of each channel is a bit of the first
map, the thermometer's level where it fires; where a channel falls, or has stepped before black, the
weights of that bit have the other sign. Zeros around the image may be black pixels.

Of more values, up to 256 in even steps, each is a number that the core takes as such (`Numbers`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import UserError
from ..maps import MOST_COLOURS, Pixels
from ..parameters import most
from .pixels import how_told, taken
from .stage import Grid, Signs, Source

_NEVER = 256
# The greatest number that a pixel's colour may be.
_TOP = 255
_TRIES = 16


@dataclass(frozen=True)
class Form:
    """How images stand in what a source is given: rows first or colours first."""

    side: int
    colours: int
    border: int
    """Rows and columns that the source puts around an image."""
    colours_first: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image's pixels."""
        return self.side, self.side, self.colours


@dataclass(frozen=True)
class Shades:
    """The values that a source is given for pixels: `values` (256,), or, where `levels` has the
    steps of a thermometer outside of it, its two values at 0 and 255."""

    values: np.ndarray
    levels: tuple[int, ...] = ()

    def of(self, images: np.ndarray, form: Form) -> np.ndarray:
        """For images uint8 (N, side, side, colours), (N, inputs)."""
        if self.levels:
            reached = images[..., None] >= np.array(self.levels)
            given = self.values[np.where(reached, 255, 0)].reshape(*images.shape[:3], -1)
        else:
            given = self.values[images]
        if form.colours_first:
            given = given.transpose(0, 3, 1, 2)
        return given.reshape(len(images), -1)


@dataclass(frozen=True)
class Maps:
    """The `Entrance` in front of a convolution."""

    grid: Grid
    form: Form
    shades: Shades
    colours: np.ndarray
    """int (channels,): of which colour a channel of the source's first map tells."""
    table: np.ndarray
    """uint8 (256, channels): its level for each pixel."""

    @classmethod
    def of(
        cls,
        source: Source,
        grey: tuple[float, float],
        bits: tuple[float, float] | None,
        levels: Sequence[int],
    ) -> Maps:
        """Of pixels from grey[0] (black) to grey[1], or, with `bits`, of these two values: for a
        pixel below a level and from there, a channel for each of `levels`. UserError if there is
        no such entrance."""
        if bits is None:
            low, high = grey
            shades = Shades(taken(source, np.arange(256) * (high - low) / 255 + low, "--grey"))
        else:
            ends = np.where(np.arange(256) < 128, *bits)
            shades = Shades(taken(source, ends, "--bits"), tuple(levels))
        problem = (
            f"The first convolution cannot be mapped: images of shape {source.shape} are not "
            f"square ones of 1 to {MOST_COLOURS} colours"
            + (f" with {len(levels)} levels each (--levels)." if len(levels) > 1 else ".")
        )
        for form in _forms(source, len(shades.levels) or 1):
            found = _entered(source, form, shades)
            if found is not None:
                return cls._of(form, shades, *found, how_told(grey))
            problem = (
                "The first convolution cannot be mapped: each value that it takes must tell of one "
                "colour of one pixel, and zeros around the image must be what black pixels become."
            )
        raise UserError(problem)

    @classmethod
    def _of(
        cls, form: Form, shades: Shades, colours: np.ndarray, values: np.ndarray, advice: str
    ) -> Maps:
        if not np.isfinite(values).all():
            raise UserError("The inputs become values that are not finite.")
        count = len(np.unique(values))
        if count == 1:
            raise UserError(f"The input quantiser never switches for pixels {advice}.")
        grid = Grid.steps_of(values, _TOP)
        if grid is None:
            raise UserError(
                f"The first convolution takes {count} values, but a core's pixels are bits of a "
                f"thermometer, or numbers of {_TOP} even steps at most: quantise the inputs to 8 "
                f"bits or fewer, for pixels {advice}."
            )
        if grid.top > most("PIXEL_LEVELS"):
            return Numbers.with_room(grid, form, shades, colours, values)
        table = grid.levels(values)
        steps_up, steps_down = ((sign * np.diff(table.astype(int), axis=0) > 0).any(axis=0)
                                for sign in (1, -1))  # fmt: skip
        if (steps_up & steps_down).any():
            raise UserError("The input quantiser both rises and falls over the grey values.")
        return cls(grid, form, shades, colours, table)

    @property
    def order(self) -> int:
        """Of what the core's first layer takes."""
        return self.pixels.order

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image's pixels."""
        return self.form.shape

    @property
    def limits(self) -> np.ndarray:
        """Pixels at which an input changes."""
        return np.unique(self.pixels.levels)

    @property
    def facts(self) -> dict[str, Any]:
        """What of an `IntegerNetwork` says it."""
        return {"pixels": self.pixels}

    @property
    def notes(self) -> list[str]:
        """What the user should know."""
        return []

    def given(self, grey: np.ndarray) -> np.ndarray:
        """What the source is given for images uint8 (N, ...), (N, inputs)."""
        return self.shades.of(grey.reshape(len(grey), *self.shape), self.form)

    def levels(self, grey: np.ndarray) -> np.ndarray:
        """The source's first map in levels, uint8 (N, H, W, channels)."""
        pixels = self.pixels.bordered(grey)  # as the source is given them
        levels: np.ndarray = self.table[pixels[..., self.colours], np.arange(len(self.colours))]
        return levels

    @cached_property
    def _bits(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The thermometer's levels uint8 (colours, L), and of each channel's each step, (channels,
        top), its bit in the first map and whether that has the other sign."""
        wanted = np.arange(1, self.grid.top + 1)
        reached = self.table[:, :, None] >= wanted
        opposite = reached[0]  # falls, or is always there
        fires = (reached != opposite).argmax(axis=0)
        fires[(reached == opposite).all(axis=0)] = _NEVER
        of = np.repeat(self.colours[:, None], self.grid.top, axis=1)
        length = max(int((of == colour).sum()) for colour in range(self.form.colours))
        if length > most("PIXEL_LEVELS"):
            raise UserError(
                f"The first convolution takes {length} bits of a colour, but a core's thermometer "
                f"has up to {most('PIXEL_LEVELS')}."
            )
        levels = np.zeros((self.form.colours, length), np.uint8)
        place = np.zeros(of.shape, np.int64)
        for colour in range(self.form.colours):
            here = np.flatnonzero(of == colour)
            here = here[np.argsort(fires.flat[here], kind="stable")]
            place.flat[here] = colour * length + np.arange(len(here))
            levels[colour, : len(here)] = fires.flat[here] % _NEVER
        return levels, place, opposite

    @cached_property
    def pixels(self) -> Pixels:
        """As of the network."""
        return Pixels(self.form.side, self._bits[0], self.form.border)

    def weights(self, signs: Signs) -> tuple[np.ndarray, np.ndarray | None]:
        """Bits and mask of the first layer's weights. A bit that no channel has never fires, and
        has weight 1: it counts nothing."""
        levels, place, opposite = self._bits

        def spread(values: np.ndarray) -> np.ndarray:
            wide = np.ones((len(values), values.shape[1] // len(place), levels.size), np.uint8)
            wide[:, :, place] = values.reshape(len(values), -1, *place.shape[:1], 1)
            return wide

        bits, mask = spread(signs.bits), signs.mask
        if mask is not None:
            mask = spread(mask)
        turned = np.zeros(levels.size, np.uint8)
        turned[place] = opposite
        bits = bits ^ turned if mask is None else (bits ^ turned) & mask
        flat = (len(bits), -1)
        return bits.reshape(flat), None if mask is None else mask.reshape(flat)


@dataclass(frozen=True)
class Numbers(Maps):
    """The same where each channel is a colour of its own, of up to 256 values."""

    @classmethod
    def with_room(
        cls, grid: Grid, form: Form, shades: Shades, colours: np.ndarray, values: np.ndarray
    ) -> Numbers:
        """With values (256, channels) on a grid that the colours of pixels may have more steps
        than; UserError if two channels tell of one colour."""
        if sorted(colours.tolist()) != [*range(form.colours)]:
            raise UserError(
                f"The first convolution takes {grid.top + 1} values of {len(colours)} channels "
                f"from {form.colours} colours, but pixels are numbers colour by colour."
            )
        low = grid.centre - grid.half * grid.top
        wide = Grid(low + grid.half * _TOP, grid.half, _TOP)
        return cls(wide, form, shades, colours, wide.levels(values))

    @property
    def limits(self) -> np.ndarray:
        """Pixels at which an input changes."""
        return np.arange(1, 256)

    @cached_property
    def pixels(self) -> Pixels:
        """As of the network."""
        values = self.table.T[np.argsort(self.colours)]
        return Pixels.of_numbers(self.form.side, values.copy(), self.form.border)

    def weights(self, signs: Signs) -> tuple[np.ndarray, np.ndarray | None]:
        """Bits and mask of the first layer's weights."""

        def ordered(bits: np.ndarray) -> np.ndarray:
            channels = bits.reshape(len(bits), -1, len(self.colours))
            return channels[:, :, np.argsort(self.colours)].reshape(len(bits), -1)

        return ordered(signs.bits), None if signs.mask is None else ordered(signs.mask)


def _forms(source: Source, channels: int) -> Iterator[Form]:
    """How the images of a source may stand, `channels` for each colour; what it takes decides."""
    window = source.stages[0].window
    assert window is not None
    mapped = window.taken[1]
    shape = source.shape
    if len(shape) == 3:
        found = [(shape[1:], shape[0], True), (shape[:2], shape[2], False)]
    elif len(shape) == 2:
        found = [(shape, 1, True)]
    else:
        count = source.inputs // mapped**2
        found = [((mapped, source.inputs // (mapped * count or 1)), count, first)
                 for first in (True, False)]  # fmt: skip
    for (rows, columns), given, first in found:
        border, rest = divmod(mapped - rows, 2)
        if rows != columns or border < 0 or rest or given % channels:
            continue
        if rows * columns * given == source.inputs and 1 <= given // channels <= MOST_COLOURS:
            yield Form(rows, given // channels, border, first)


def _entered(source: Source, form: Form, shades: Shades) -> tuple[np.ndarray, np.ndarray] | None:
    """Of which colour each channel of the source's first map tells, int (channels,), and its value
    for each pixel, (256, channels); None if it is no function of one pixel's one colour."""
    window = source.stages[0].window
    assert window is not None
    border, side = form.border, form.side
    inside = slice(border, border + side)
    black = np.zeros((-(-256 // side**2), *form.shape), np.uint8)
    ramp = np.arange(black[..., 0].size).reshape(black[..., 0].shape) % 256

    def enter(images: np.ndarray) -> np.ndarray:
        entered = source.enter(shades.of(images, form)).reshape(len(images), *window.taken)
        return entered.transpose(0, 2, 3, 1)

    tables = []
    for colour in range(form.colours):
        images = black.copy()
        images[..., colour] = ramp
        seen = enter(images)[:, inside, inside].reshape(-1, window.channels)
        tables.append(seen[:256])
    varies = np.array([(table != table[:1]).any(axis=0) for table in tables])
    colours = varies.argmax(axis=0)
    table = np.stack(tables)[colours, :, np.arange(window.channels)].T
    # Values that are not finite equal nothing; `Maps` tells of them.
    if not np.isfinite(table).all():
        return colours, table
    images = np.random.default_rng(0).integers(0, 256, (_TRIES, *form.shape)).astype(np.uint8)
    around = ((0, 0), (border, border), (border, border), (0, 0))
    expected = table[np.pad(images, around)[..., colours], np.arange(window.channels)]
    return (colours, table) if np.array_equal(enter(images), expected) else None
