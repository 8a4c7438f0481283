# SPDX-License-Identifier: Apache-2.0
"""How the pixels of an image become the inputs of a network and of its source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from .stage import Grid, Source


@dataclass(frozen=True)
class Inputs:
    """How pixels become the inputs of network and source."""

    grid: Grid
    threshold: int
    residual: tuple[int, int] | None
    values: np.ndarray  # (256,): what the source is given for a pixel

    @classmethod
    def graded(cls, source: Source, grey: tuple[float, float]) -> Inputs:
        """Of a source with an input quantiser, for pixels from grey[0] (black) to grey[1]."""
        low, high = grey
        values = _taken(source, np.arange(256) * (high - low) / 255 + low, "--grey")
        taken = source.enter(np.repeat(values[:, None], source.inputs, axis=1))
        advice = (
            f"from {low:g} (black) to {high:g} (white); say with --grey LOW HIGH what pixels are, "
            "or with --bits LOW HIGH that the network takes black and white images"
        )
        if not np.isfinite(taken).all():
            raise UserError("The inputs become values that are not finite.")
        if (taken != taken[:, :1]).any():
            raise UserError("The input quantiser treats pixels differently by their place.")
        ramp = taken[:, 0].astype(np.float64)
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
            grid = Grid(-mirrored.centre, -mirrored.half, mirrored.order)
        levels = grid.levels(ramp)
        if (np.diff(levels.astype(np.int8)) < 0).any():
            raise UserError("The input quantiser both rises and falls over the grey values.")
        if grid.order == 1:
            return cls(grid, int((levels < 1).sum()), None, values)
        lower, threshold, upper = (int((levels < level).sum()) for level in (1, 2, 3))
        return cls(grid, threshold, (lower, upper), values)

    @classmethod
    def black_and_white(
        cls, source: Source, bits: tuple[float, float], threshold: int
    ) -> Inputs:
        """Of a source that takes two values, for a pixel below the threshold and from there."""
        values = _taken(source, np.where(np.arange(256) < threshold, *bits), "--bits")
        pair = np.repeat(values[[0, 255], None], source.inputs, axis=1)
        low, high = source.enter(pair)
        if (low != low[0]).any() or (high != high[0]).any() or low[0] == high[0]:
            raise UserError(
                f"Inputs of {bits[0]:g} and {bits[1]:g} do not become two values, the same for "
                "each input."
            )
        half = (float(high[0]) - float(low[0])) / 2
        return cls(Grid(float(low[0]) + half, half), threshold, None, values)


def _taken(source: Source, values: np.ndarray, option: str) -> np.ndarray:
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
