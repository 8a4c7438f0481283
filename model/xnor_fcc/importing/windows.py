# SPDX-License-Identifier: Apache-2.0
"""Which convolutions of a source a core has: windows of 1x1 or 3x3, each next to the one before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Convolution:
    """A convolution's sizes, as a source tells them."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int
    given: tuple[int, ...]
    """(channels, rows, columns) of what it takes, with the zeros that it puts around that."""
    padded: bool
    """Whether it puts zeros around a map."""

    def refusal(self, first: bool) -> str | None:
        """Why no core computes it, as the end of a sentence; None if one does. `first`: of all
        layers, which may have zeros around its map: they may be black pixels."""
        if len(self.kernel) != 2:
            return f"it is of {len(self.kernel)} dimensions, and maps have 2"
        sizes = ["x".join(map(str, each)) for each in (self.kernel, self.strides, self.dilations)]
        if self.strides != (1, 1):
            return f"its windows move by {sizes[1]} pixels, those of a core by one (stride 1)"
        if self.dilations != (1, 1):
            return f"its windows are dilated by {sizes[2]}, those of a core take adjoining pixels"
        if self.groups != 1:
            return f"it has {self.groups} groups, and in a core each filter takes every channel"
        if self.padded and not first:
            return "it pads a map with zeros, which are no bits (only the image may be padded)"
        if self.given[1] != self.given[2]:
            return f"its map of {self.given[1]}x{self.given[2]} is not square"
        if self.kernel in ((3, 3), (1, 1))[: 1 if first else 2] or (self.whole and not first):
            return None
        what = "first layer has windows of 3x3" if first else "windows are of 1x1 or 3x3"
        return f"its windows are of {sizes[0]}, but a core's {what}"

    @property
    def whole(self) -> bool:
        """Whether its only window is its whole map, so that it is a dense layer."""
        return self.kernel == self.given[1:]

    def dense(self, first: bool, last: bool, after_dense: bool) -> bool:
        """Whether it is a dense layer of a core: the last one, one behind such a layer, or one of
        other windows than a core has."""
        other = self.kernel not in ((1, 1), (3, 3))
        return self.whole and not first and (last or after_dense or other)

    @property
    def window(self) -> Window:
        """Its place in a core."""
        return Window(self.kernel[0], self.given[0], self.given[1] - self.kernel[0] + 1)


@dataclass(frozen=True)
class Window:
    """What of a convolution decides its place in a core."""

    kernel: int
    channels: int
    """Of the map that it takes."""
    side: int
    """Windows a side."""

    @property
    def taken(self) -> tuple[int, int, int]:
        """(channels, rows, columns) of the map that it takes."""
        side = self.side + self.kernel - 1
        return self.channels, side, side

    @property
    def positions(self) -> int:
        """Windows of an image."""
        return self.side**2


def in_order(weights: np.ndarray, dense: bool) -> np.ndarray:
    """Weights (m, channels, rows, columns) of a source as (m, n): by row, column, channel, as a
    core has them; those of a dense layer in the order of its inputs."""
    return (weights if dense else weights.transpose(0, 2, 3, 1)).reshape(len(weights), -1)
