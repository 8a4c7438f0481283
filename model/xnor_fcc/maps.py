# SPDX-License-Identifier: Apache-2.0
"""Maps: how pixels become the first one, and how large those behind it are.

A map is the activations H x W x C of one layer, square: H = W is its side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .errors import UserError
from .layers import WIDTH_LIMIT, ConvLayer, NetworkFormatError

MOST_COLOURS = 4


@dataclass(frozen=True, eq=False)
class Pixels:
    """How the pixels of an image, uint8 (side, side, C), become a network's first map.

    `levels` uint8 (C, L): bit c * L + k of a place is (pixel of colour c >= levels[c, k]), a
    thermometer; a level of 0 never fires and fills up a colour that has fewer.  `border`: so many
    rows and columns of zero pixels go around the image first.  Raises NetworkFormatError.
    """

    side: int
    levels: np.ndarray
    border: int = 0

    def __post_init__(self) -> None:
        for what, value, low in (("side", self.side, 1), ("border", self.border, 0)):
            if not isinstance(value, int) or not low <= value <= WIDTH_LIMIT:
                raise NetworkFormatError(
                    f"The {what} of an image must be from {low} to {WIDTH_LIMIT}, not {value!r}."
                )
        levels = self.levels
        if not isinstance(levels, np.ndarray) or levels.dtype != np.uint8 or levels.ndim != 2:
            raise NetworkFormatError("The levels must be a uint8 array of shape (colours, levels).")
        if not 1 <= len(levels) <= MOST_COLOURS or not 1 <= levels.shape[1] <= WIDTH_LIMIT:
            raise NetworkFormatError(
                f"There must be 1 to {MOST_COLOURS} colours of at least one level, not levels of "
                f"shape {levels.shape}."
            )
        # As numbers that ascend with those that never fire behind the others.
        ordered = levels.astype(np.int16) - 1 & 0xFF
        if (np.diff(ordered, axis=1) < 0).any():
            raise NetworkFormatError("The levels of a colour must ascend, those of 0 behind them.")

    @property
    def colours(self) -> int:
        """Number of colours C: 1 for grey."""
        return len(self.levels)

    @property
    def channels(self) -> int:
        """Channels of the first map: C * L bits."""
        return self.levels.size

    @property
    def map_side(self) -> int:
        """Side of the first map."""
        return self.side + 2 * self.border

    def bordered(self, images: np.ndarray) -> np.ndarray:
        """The images uint8 (N, map side, map side, C), border and all, which a core is sent.

        Images are uint8 (N, side, side, C), (N, side, side) where C is 1, or (N, side * side * C);
        UserError if they are not.
        """
        whole = (self.side, self.side, self.colours)
        shapes = [whole, (self.side * self.side * self.colours,)]
        shapes += [whole[:2]] * (self.colours == 1)
        if images.dtype != np.uint8 or images.shape[1:] not in shapes:
            raise UserError(
                f"The images must be uint8 of shape (N, {self.side}, {self.side}, {self.colours}) "
                f"for this network, not {images.dtype} of {images.shape}."
            )
        around = (self.border, self.border)
        return np.pad(images.reshape(len(images), *whole), ((0, 0), around, around, (0, 0)))

    def packets(self, images: np.ndarray, beat: int) -> np.ndarray:
        """What a core is sent of images as `bordered` takes them, uint8 (N, bytes): a pixel in each
        beat of `beat` bytes, its colours first."""
        pixels = self.bordered(images)
        beats = np.zeros((len(pixels), self.map_side**2, beat), np.uint8)
        beats[:, :, : self.colours] = pixels.reshape(len(pixels), -1, self.colours)
        return beats.reshape(len(pixels), -1)

    def bits(self, images: np.ndarray) -> np.ndarray:
        """The first map, uint8 (N, map side, map side, C * L) of 0/1, of images as `bordered`."""
        pixels = self.bordered(images)
        bits = np.empty((*pixels.shape, self.levels.shape[1]), np.uint8)
        for k, level in enumerate(self.levels.T):
            np.logical_and(pixels >= level, level > 0, out=bits[..., k], casting="unsafe")
        return bits.reshape(*pixels.shape[:3], self.channels)

    def __eq__(self, other: object) -> bool:
        """Equal in everything."""
        return isinstance(other, Pixels) and (
            (self.side, self.border) == (other.side, other.border)
            and np.array_equal(self.levels, other.levels)
        )

    __hash__ = None  # type: ignore[assignment]


def positions(side: int, layers: Sequence[ConvLayer]) -> tuple[int, ...]:
    """Windows a side of each convolution behind a map of `side`, before its pool.

    Raises NetworkFormatError where a window or a pool does not fit.
    """
    found = []
    for i, layer in enumerate(layers):
        windows = side - layer.kernel + 1
        if windows < 1:
            raise NetworkFormatError(
                f"Layer {i} has windows of {layer.kernel}x{layer.kernel}, but its map is only "
                f"{side}x{side}."
            )
        if layer.pool and windows % 2:
            raise NetworkFormatError(
                f"Layer {i} pools 2x2, but its map of {windows}x{windows} has an odd side."
            )
        found.append(windows)
        side = windows // 2 if layer.pool else windows
    return tuple(found)


def windows(maps: np.ndarray, kernel: int) -> np.ndarray:
    """The windows (N, H', W', kernel * kernel * C) of maps (N, H, W, C), inputs in order (ky, kx,
    channel); H' = H - kernel + 1."""
    if kernel == 1:
        return maps
    seen = np.lib.stride_tricks.sliding_window_view(maps, (kernel, kernel), axis=(1, 2))
    count, height, width, channels = seen.shape[:4]
    return seen.transpose(0, 1, 2, 4, 5, 3).reshape(
        count, height, width, kernel * kernel * channels
    )


def pooled(maps: np.ndarray) -> np.ndarray:
    """The greatest of every 2x2 of maps (N, H, W, C), H and W even; of bits it is their OR."""
    rows = np.maximum(maps[:, ::2], maps[:, 1::2])
    return np.maximum(rows[:, :, ::2], rows[:, :, 1::2])
