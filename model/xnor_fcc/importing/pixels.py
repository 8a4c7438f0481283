# SPDX-License-Identifier: Apache-2.0
"""How the pixels of an image become the inputs of a network and of its source.

`Entrance` is what both ways have in common: `Inputs` is that of a dense first layer, where all
pixels are alike, `thermometer.Maps` that of a convolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..errors import UserError
from .stage import Grid, Signs, Source


class Entrance(Protocol):
    """How pixels become the inputs of network and source."""

    @property
    def order(self) -> int:
        """Of what the core's first layer takes."""

    @property
    def grid(self) -> Grid:
        """Of what the source's first layer takes."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image's pixels."""

    @property
    def limits(self) -> np.ndarray:
        """Pixels at which an input changes."""

    @property
    def facts(self) -> dict[str, Any]:
        """What of an `IntegerNetwork` says it."""

    @property
    def notes(self) -> list[str]:
        """What the user should know."""

    def given(self, grey: np.ndarray) -> np.ndarray:
        """What the source is given for images uint8 (N, ...), (N, inputs)."""

    def levels(self, grey: np.ndarray) -> np.ndarray:
        """Levels of what the source's first layer takes: (N, n), or a map (N, H, W, channels)."""

    def weights(self, signs: Signs) -> tuple[np.ndarray, np.ndarray | None]:
        """Bits and mask of the first layer's weights."""


@dataclass(frozen=True)
class Inputs:
    """How pixels become the inputs of network and source, all alike."""

    grid: Grid
    threshold: int
    residual: tuple[int, int] | None
    values: np.ndarray  # (256,): what the source is given for a pixel
    count: int

    @property
    def order(self) -> int:
        """Of what the core's first layer takes."""
        return self.grid.order

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image's pixels."""
        return (self.count,)

    @property
    def limits(self) -> np.ndarray:
        """Pixels at which an input changes."""
        return np.array([self.threshold, *(self.residual or ())])

    @property
    def facts(self) -> dict[str, Any]:
        """What of an `IntegerNetwork` says it."""
        return {"pixel_threshold": self.threshold, "pixel_residual": self.residual}

    @property
    def notes(self) -> list[str]:
        """What the user should know."""
        if self.residual is None or self.residual[0] or self.residual[1] - self.threshold != 1:
            return []
        return [
            f"The input quantiser is a sign that answers 0 to the shade {self.threshold} alone, "
            "which makes three values and inputs of order 2; half a shade added before that sign "
            "makes them one bit."
        ]

    def given(self, grey: np.ndarray) -> np.ndarray:
        """What the source is given for images uint8 (N, ...), (N, inputs)."""
        given: np.ndarray = self.values[grey]
        return given

    def levels(self, grey: np.ndarray) -> np.ndarray:
        """Levels of the inputs, (N, inputs)."""
        levels = (grey >= self.threshold).astype(np.uint8)
        if self.residual is None:
            return levels
        lower, upper = self.residual
        return 2 * levels + (grey >= np.where(levels, upper, lower)).astype(np.uint8)

    def weights(self, signs: Signs) -> tuple[np.ndarray, np.ndarray | None]:
        """Bits and mask of the first layer's weights."""
        return signs.bits, signs.mask

    @classmethod
    def graded(cls, source: Source, grey: tuple[float, float]) -> Inputs:
        """Of a source with an input quantiser, for pixels from grey[0] (black) to grey[1]."""
        low, high = grey
        values = taken(source, np.arange(256) * (high - low) / 255 + low, "--grey")
        entered = source.enter(np.repeat(values[:, None], source.inputs, axis=1))
        advice = how_told(grey)
        if not np.isfinite(entered).all():
            raise UserError("The inputs become values that are not finite.")
        if (entered != entered[:, :1]).any():
            raise UserError("The input quantiser treats pixels differently by their place.")
        ramp = entered[:, 0].astype(np.float64)
        count = len(np.unique(ramp))
        if count > 4:
            raise UserError(f"The inputs are not quantised to one or two bits: {count} values "
                            f"for pixels {advice}.")  # fmt: skip
        if count == 1:
            raise UserError(f"The input quantiser never switches for pixels {advice}.")
        grid = Grid.of(ramp, "The input quantiser")
        if ramp[0] > ramp[-1]:
            # Dark pixels are the higher values: mirrored, so that levels rise with the pixel.
            mirrored = Grid.of(-ramp, "The input quantiser")
            grid = Grid(-mirrored.centre, -mirrored.half, mirrored.top)
        levels = grid.levels(ramp)
        if (np.diff(levels.astype(np.int8)) < 0).any():
            raise UserError("The input quantiser both rises and falls over the grey values.")
        if grid.order == 1:
            return cls(grid, int((levels < 1).sum()), None, values, source.inputs)
        lower, threshold, upper = (int((levels < level).sum()) for level in (1, 2, 3))
        return cls(grid, threshold, (lower, upper), values, source.inputs)

    @classmethod
    def black_and_white(
        cls, source: Source, bits: tuple[float, float], threshold: int
    ) -> Inputs:
        """Of a source that takes two values, for a pixel below the threshold and from there."""
        values = taken(source, np.where(np.arange(256) < threshold, *bits), "--bits")
        pair = np.repeat(values[[0, 255], None], source.inputs, axis=1)
        low, high = source.enter(pair)
        if (low != low[0]).any() or (high != high[0]).any() or low[0] == high[0]:
            raise UserError(
                f"Inputs of {bits[0]:g} and {bits[1]:g} do not become two values, the same for "
                "each input."
            )
        half = (float(high[0]) - float(low[0])) / 2
        return cls(Grid(float(low[0]) + half, half), threshold, None, values, source.inputs)


def how_told(grey: tuple[float, float]) -> str:
    """Of which pixels a sentence speaks, and how to say that they are others."""
    return (
        f"from {grey[0]:g} (black) to {grey[1]:g} (white); say with --grey LOW HIGH what pixels "
        "are, or with --bits LOW HIGH that the network takes black and white images"
    )


def taken(source: Source, values: np.ndarray, option: str) -> np.ndarray:
    """Values of pixels in the type that the source takes; whole numbers must be some before."""
    kind = source.dtype
    if kind.kind == "f":
        return values.astype(kind)
    least, most = (0, 1) if kind.kind == "b" else (np.iinfo(kind).min, np.iinfo(kind).max)
    if (values != np.rint(values)).any() or values.min() < least or values.max() > most:
        raise UserError(
            f"The {source.kind} takes inputs of type {kind}: say with {option} LOW HIGH which "
            "values of it pixels are (--grey for shades, --bits for black and white)."
        )
    return values.astype(kind)
