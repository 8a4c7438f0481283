# SPDX-License-Identifier: Apache-2.0
"""The plan of a convolutional network: its maps, layer by layer, and their sides.

A convolution is written as its channels, then `x1` for a 1x1 window instead of 3x3, then `p` where
a 2x2 max-pool follows: "64p,64,128x1,128p". Windows move by one pixel and stay inside the map.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import UserError
from ..maps import Pixels

_CONVOLUTION = re.compile(r"([1-9]\d{0,4})(x1)?(p)?")


class Convolution(NamedTuple):
    """One of a plan."""

    channels: int
    kernel: int
    pool: bool


@dataclass(frozen=True)
class Plan:
    """A convolutional network's shape. Raises `UserError` where a map does not fit."""

    side: int  # of an image, in pixels
    colours: int
    border: int  # zero pixels put around the image
    levels: tuple[tuple[int, ...], ...]  # thermometer thresholds of each colour
    maps: str  # the convolutions, as above
    hidden: tuple[int, ...]  # neurons of the dense hidden layers behind
    classes: int

    def __post_init__(self) -> None:
        if len(self.levels) != self.colours or len({len(each) for each in self.levels}) != 1:
            raise UserError("Every colour needs as many levels as the others.")
        if self.convolutions[0].kernel != 3:
            raise UserError("The first convolution must be a 3x3 one.")
        _ = self.sides  # raises UserError

    @property
    def pixels(self) -> Pixels:
        """How pixels become the first map, for the integer network."""
        return Pixels(self.side, np.array(self.levels, np.uint8), self.border)

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """First to last."""
        found = [_CONVOLUTION.fullmatch(part.strip()) for part in self.maps.split(",")]
        if not all(found):
            raise UserError(f"The maps {self.maps!r} are not a list like 64p,64,128p.")
        return tuple(
            Convolution(int(match[1]), 1 if match[2] else 3, bool(match[3]))
            for match in found
            if match
        )

    @property
    def channels(self) -> tuple[int, ...]:
        """Of the thermometer input, then of every map."""
        return (self.colours * len(self.levels[0]), *(each.channels for each in self.convolutions))

    @property
    def sides(self) -> tuple[int, ...]:
        """Of the input with its border, then of every map behind its pool."""
        found = [self.side + 2 * self.border]
        for i, each in enumerate(self.convolutions):
            side = found[-1] - each.kernel + 1
            if side < 1:
                raise UserError(f"Map {i} does not hold a window of {each.kernel}x{each.kernel}.")
            if each.pool and side % 2:
                raise UserError(f"A map of {side}x{side} cannot be pooled by 2x2: its side is odd.")
            found.append(side // 2 if each.pool else side)
        return tuple(found)

    @property
    def widths(self) -> tuple[int, ...]:
        """Of the dense layers: values of the last map, hidden neurons, classes."""
        return (self.sides[-1] ** 2 * self.channels[-1], *self.hidden, self.classes)


def even_levels(count: int) -> tuple[int, ...]:
    """So many thresholds, evenly over the 256 values of a pixel: 32, 64, ... 224 for seven."""
    return tuple(round(256 * (k + 1) / (count + 1)) for k in range(count))
