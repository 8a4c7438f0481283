# SPDX-License-Identifier: Apache-2.0
"""Layers of a source: weights of one magnitude, inputs of a few values, and their products.

Values.  The inputs of a layer take two values, or up to four in even steps: `Grid`, a centre c and
half a step s, which stand for +-1, or for -3, -1, 1, 3.  So c = 0, s = 1 in a network of +-1, and
c = s = 1/2 in one of 0 and 1.  Pixels in front of a convolution may take more (`thermometer`).  A
row of weights has one magnitude a, and zeros, and then

    product = a * (s * d + c * (sum of the row's signs))

is a function of the dot product d of integers, which P tells.  Three values take the upper three
of four levels.

Sums of the source.  Weights of magnitude 0.1, say, make float sums that depend on the order in
which they are added.  The product above is rounded once, to the type that the source multiplies
in.  Where the source's answer is another one for a product a few rounding errors away, its bit is
`undecided`: it depends on the source's matrix product, not on the network, and `comparison` counts
it apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..errors import UserError
from .windows import Window

FLOAT32 = np.dtype(np.float32)


def rounding_of(dtype: np.dtype[Any]) -> float:
    """The relative error of one rounding to a type; 0 of whole numbers."""
    return float(np.finfo(dtype).eps) / 2 if dtype.kind == "f" else 0.0


@dataclass(frozen=True)
class Stage:
    """A layer of a source: its name for messages, weights and what follows the product.

    `weights` float (m, n), the values that the source multiplies with.  `respond` takes products
    (rows, m) of `dtype`, any number of rows, and returns what they become, (rows, m): the inputs of
    the next layer or, in the last, the scores.  `rounding` is the relative error of one rounding
    in the source, that of `dtype` or `coarser` where numpy does not have the source's own type.

    `window`: it is a convolution; its weights are those of a window, by row, column, channel.
    `respond` takes a product for each position, (rows, m * positions) by filter, row, column, and
    returns what the next layer takes, (rows, any number).
    """

    name: str
    weights: np.ndarray
    respond: Callable[[np.ndarray], np.ndarray]
    dtype: np.dtype[Any] = FLOAT32
    coarser: float = 0.0
    window: Window | None = None

    @property
    def rounding(self) -> float:
        """Of a product, relative; 0 of whole numbers."""
        return max(rounding_of(self.dtype), self.coarser)


class Source(Protocol):
    """A network of somebody else, ready to be folded."""

    kind: str
    inputs: int
    # Of one image.
    shape: tuple[int, ...]
    # What it is given.
    dtype: np.dtype[Any]
    stages: list[Stage]

    @property
    def grey(self) -> tuple[float, float]:
        """The values of a black and of a white pixel unless the user says otherwise."""

    def enter(self, x: np.ndarray) -> np.ndarray:
        """What the first layer multiplies, (N, n), for inputs (N, inputs) of `dtype`."""

    def run(self, x: np.ndarray) -> list[np.ndarray]:
        """The source's own run on (N, inputs): each hidden layer's outputs, then the scores."""


@dataclass(frozen=True)
class Grid:
    """The values of an activation: centre + half * (2 * level - top), levels 0 to `top`."""

    centre: float
    half: float
    top: int = 1

    @property
    def order(self) -> int:
        """Of such activations."""
        return 1 if self.top == 1 else 2

    @property
    def reach(self) -> float:
        """The greatest magnitude of a value."""
        return abs(self.centre) + abs(self.half) * self.top

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Whether each is a value of the grid, bool of the same shape."""
        steps = ((values.astype(np.float64) - self.centre) / self.half + self.top) / 2
        near: np.ndarray = np.abs(steps - np.rint(steps).clip(0, self.top)) < 1e-3
        return near

    def levels(self, values: np.ndarray) -> np.ndarray:
        """The nearest levels, uint8 of the same shape."""
        steps = (values.astype(np.float64) - self.centre) / self.half
        return np.rint((steps + self.top) / 2).clip(0, self.top).astype(np.uint8)

    @classmethod
    def of(cls, values: np.ndarray, where: str) -> Grid:
        """The grid that holds every value, of two or four; UserError, naming `where`, if there is
        none."""
        found = np.unique(values.astype(np.float64))
        if len(found) == 1:
            return cls(found[0] - 1, 1.0)
        if len(found) == 2:
            return cls(float(found.sum()) / 2, float(found[1] - found[0]) / 2)
        step, steps = _steps(found)
        if not 0 < steps <= 3:
            listed = ", ".join(f"{value:.4g}" for value in found[:4])
            raise UserError(
                f"{where} takes {len(found)} values ({listed}{', ...' if len(found) > 4 else ''}), "
                "but an activation is of one bit, or of up to four values in even steps."
            )
        return cls(float(found[-1]) - 1.5 * step, step / 2, 3)

    @classmethod
    def steps_of(cls, values: np.ndarray, most: int) -> Grid | None:
        """The grid whose lowest and highest level are values; None if it has more than `most`
        steps, or does not hold them all."""
        found = np.unique(values.astype(np.float64))
        if len(found) < 2:
            return None
        step, steps = _steps(found)
        centre = (float(found[0]) + float(found[-1])) / 2
        return cls(centre, step / 2, steps) if 0 < steps <= most else None


@dataclass(frozen=True)
class Signs:
    """A stage's weights in integers: signs int8 (m, n) of -1, 0, 1, and each row's magnitude."""

    signs: np.ndarray
    size: np.ndarray

    @classmethod
    def of(cls, stage: Stage) -> Signs:
        """Raises UserError if a row is neither binary nor ternary."""
        weights = np.asarray(stage.weights, np.float64)
        if not np.isfinite(weights).all():
            raise UserError(f"{stage.name} has weights that are not finite.")
        size = np.abs(weights).max(axis=1, initial=0)
        other = (weights != 0) & (np.abs(weights) != size[:, None])
        if other.any():
            row = int(other.any(axis=1).argmax())
            count = len(np.unique(np.abs(weights[row])))
            raise UserError(
                f"{stage.name} is no layer of binary or ternary weights: neuron {row} has weights "
                f"of {count} magnitudes."
            )
        # A row of zeros has no magnitude of its own: any does.
        return cls(np.sign(weights).astype(np.int8), np.where(size == 0, size.max() or 1.0, size))

    def turned(self, inputs: np.ndarray) -> Signs:
        """With those of some inputs, bool (n,), of the other sign."""
        return Signs(np.where(inputs, -self.signs, self.signs), self.size)

    @property
    def ternary(self) -> bool:
        """Whether a weight is 0."""
        return bool((self.signs == 0).any())

    @property
    def bits(self) -> np.ndarray:
        """As of `integer`: 1 is +1."""
        return (self.signs > 0).astype(np.uint8)

    @property
    def mask(self) -> np.ndarray | None:
        """As of `integer`: 1 where a ternary weight counts."""
        return (self.signs != 0).astype(np.uint8) if self.ternary else None

    @property
    def scale(self) -> int:
        """What one of the dot product is worth in 2P."""
        return 2 if self.ternary else 1

    def most(self, grid: Grid) -> int:
        """The greatest P for inputs of this grid."""
        return int(self.signs.shape[1]) * grid.top * self.scale

    def products(self, grid: Grid, stage: Stage) -> tuple[np.ndarray, np.ndarray]:
        """The product for each P, (M + 1, m), and by how much the stage's own may differ."""
        most, n = self.most(grid), self.signs.shape[1]
        dot = np.arange(-most, most + 1, 2) / self.scale
        total = self.signs.sum(axis=1, dtype=np.int64)
        exact = self.size * (grid.half * dot[:, None] + grid.centre * total)
        noise = stage.rounding * self.size * grid.reach * n * (4 + np.sqrt(n))
        # Sums of multiples of one power of two that fit the fraction are exact in any order.
        parts = [
            _odd_part(size * each)
            for size in np.unique(self.size)
            for each in (grid.centre - grid.half, 2 * grid.half)
        ]
        if max(parts) * (most + n) * 2 * stage.rounding < 1:
            noise = np.zeros_like(noise)
        return as_type(exact, stage.dtype), noise

    def popcounts(self, levels: np.ndarray, grid: Grid) -> np.ndarray:
        """P, int64 (N, m), of input levels (N, n)."""
        values = 2.0 * levels - grid.top
        dot = np.rint(values @ self.signs.T.astype(np.float64)).astype(np.int64)
        return (self.scale * dot + self.most(grid)) // 2


def as_type(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Values in a type, those of whole numbers rounded first."""
    return (values if dtype.kind == "f" else np.rint(values)).astype(dtype)


def _steps(found: np.ndarray) -> tuple[float, int]:
    """The step of rising values, the least between two, and how many there are; 0 if they are not
    whole numbers of it apart."""
    reach = float(found[-1] - found[0])
    steps = int(np.rint(reach / np.diff(found).min()))
    step = reach / steps
    down = (found[-1] - found) / step
    return step, steps if np.abs(down - np.rint(down)).max() <= 1e-4 else 0


def _odd_part(value: float) -> float:
    """The whole number that is left of a value without its powers of two; 0 for 0."""
    fraction = abs(np.frexp(value)[0])
    whole = int(fraction * 2**53)
    return float(whole // (whole & -whole)) if whole else 0.0
