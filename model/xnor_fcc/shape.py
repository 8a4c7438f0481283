# SPDX-License-Identifier: Apache-2.0
"""`Shape`: what of a network decides the core it needs, and the arithmetic of sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from .errors import UserError

# The order of inputs that are the colours of pixels themselves, numbers of 0 to 255.
PIXEL_BITS = 8


class GeometryError(UserError):
    """A geometry that cannot be built, or a network that does not fit one."""


class KindError(GeometryError):
    """A network of a kind that the core was built without, or that none computes."""


@dataclass(frozen=True)
class Shape:
    """What of a network decides the core it needs and the cycles it takes, layer by layer."""

    widths: tuple[int, ...]
    """Inputs, hidden..., classes."""
    orders: tuple[int, ...]
    """Bit planes of each layer's inputs: 1 or 2, or `PIXEL_BITS` where the first takes pixels."""
    ternary: tuple[bool, ...]
    """Whether each layer's weights are ternary."""

    @classmethod
    def of(cls, shape: Shape | Sequence[int]) -> Shape:
        """A shape as it is; plain widths are those of a network of single bits."""
        if isinstance(shape, Shape):
            return shape
        layers = len(shape) - 1
        return cls(tuple(shape), (1,) * layers, (False,) * layers)

    @property
    def pairs(self) -> bool:
        """Whether two lanes carry an image: some layer's inputs are of order 2."""
        return 2 in self.orders

    @property
    def rounds(self) -> tuple[int, ...]:
        """How often a group of each layer goes through its words: once for each weight plane."""
        return tuple(2 if ternary else 1 for ternary in self.ternary)

    @cached_property
    def layers(self) -> list[tuple[int, int, int]]:
        """(inputs, outputs, rounds) of each layer."""
        sizes = zip(pairwise(self.widths), self.rounds, strict=True)
        return [(n, m, rounds) for (n, m), rounds in sizes]

    @property
    def hidden_bits(self) -> int:
        """Hidden bits of one image, in all planes."""
        activations = zip(self.widths[1:-1], self.orders[1:], strict=True)
        return sum(m * order for m, order in activations)


@dataclass(frozen=True)
class MapShape(Shape):
    """The same of a network that begins with convolutions; the widths of these are channels."""

    side: int
    """Rows and columns of the first map, the border of the images and all."""
    colours: int
    """Colours of a pixel."""
    levels: int
    """Thresholds of each colour: the first map has colours * levels channels; 0 where the first
    layer takes the colours as numbers."""
    convolutions: tuple[tuple[int, bool], ...]
    """(kernel, pool) of the first layers: 1 or 3 rows and columns of a window, max-pool."""

    @property
    def channels(self) -> int:
        """Channels of the first map."""
        return self.colours * (self.levels or 1)

    @cached_property
    def positions(self) -> tuple[int, ...]:
        """Windows a side of each convolution, before its pool."""
        found, side = [], self.side
        for kernel, pool in self.convolutions:
            found.append(side - kernel + 1)
            side = found[-1] // 2 if pool else found[-1]
        return tuple(found)

    @property
    def sides(self) -> tuple[int, ...]:
        """Side of the map that each convolution answers, pooled where it pools."""
        places = zip(self.positions, self.convolutions, strict=True)
        return tuple(side // 2 if pool else side for side, (_, pool) in places)

    @cached_property
    def layers(self) -> list[tuple[int, int, int]]:
        """(inputs, outputs, rounds) of each layer; the inputs of a convolution are a window's."""
        count = len(self.convolutions)
        channels = (self.channels, *self.widths[1:])
        inputs = [k * k * c for (k, _), c in zip(self.convolutions, channels, strict=False)]
        inputs += [self.sides[-1] ** 2 * channels[count], *channels[count + 1 : -1]]
        return list(zip(inputs, self.widths[1:], self.rounds, strict=True))

    @property
    def hidden_bits(self) -> int:
        """Hidden bits of one image, in all planes: those of the maps, pooled where a layer pools,
        and of the dense layers."""
        places = [*(side**2 for side in self.sides), *[1] * len(self.widths)]
        activations = zip(self.widths[1:-1], places, self.orders[1:], strict=False)
        return sum(m * count * order for m, count, order in activations)


def top_level(order: int) -> int:
    """The highest level of an activation: 1, or 3 of order 2, or 255 of a pixel."""
    return (1 << order) - 1


def factor(order: int, ternary: bool) -> int:
    """The greatest P of an input, over its planes of activations and of weights."""
    return top_level(order) * (2 if ternary else 1)


def ceil_div(a: int, b: int) -> int:
    """Quotient of non-negative integers rounded up."""
    return -(-a // b)
