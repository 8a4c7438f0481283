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
from .shape import PIXEL_BITS

MOST_COLOURS = 4


@dataclass(frozen=True, eq=False)
class Pixels:
    """How the pixels of an image, uint8 (side, side, C), become a network's first map.

    `levels` uint8 (C, L): bit c * L + k of a place is (pixel of colour c >= levels[c, k]), a
    thermometer; a level of 0 never fires and fills up a colour that has fewer.  `border`: so many
    rows and columns of zero pixels go around the image first.

    Or the first layer takes numbers: `values` uint8 (C, 256) has the one that pixel p of colour c
    becomes, which a core is sent in its place, and there are no levels (L = 0).  Raises
    NetworkFormatError.
    """

    side: int
    levels: np.ndarray
    border: int = 0
    values: np.ndarray | None = None

    def __post_init__(self) -> None:
        for what, value, low in (("side", self.side, 1), ("border", self.border, 0)):
            if not isinstance(value, int) or not low <= value <= WIDTH_LIMIT:
                raise NetworkFormatError(
                    f"The {what} of an image must be from {low} to {WIDTH_LIMIT}, not {value!r}."
                )
        levels = self.levels
        if not isinstance(levels, np.ndarray) or levels.dtype != np.uint8 or levels.ndim != 2:
            raise NetworkFormatError("The levels must be a uint8 array of shape (colours, levels).")
        if self.values is not None:
            self._check_values()
            return
        if not 1 <= len(levels) <= MOST_COLOURS or not 1 <= levels.shape[1] <= WIDTH_LIMIT:
            raise NetworkFormatError(
                f"There must be 1 to {MOST_COLOURS} colours of at least one level, not levels of "
                f"shape {levels.shape}."
            )
        # As numbers that ascend with those that never fire behind the others.
        ordered = levels.astype(np.int16) - 1 & 0xFF
        if (np.diff(ordered, axis=1) < 0).any():
            raise NetworkFormatError("The levels of a colour must ascend, those of 0 behind them.")

    @classmethod
    def of_numbers(cls, side: int, values: np.ndarray, border: int = 0) -> Pixels:
        """Of pixels that the first layer takes as numbers."""
        return cls(side, np.zeros((len(values), 0), np.uint8), border, values)

    def _check_values(self) -> None:
        values, colours = self.values, len(self.levels)
        assert values is not None
        legal = 1 <= colours <= MOST_COLOURS and not self.levels.size
        if not legal or values.dtype != np.uint8 or values.shape != (colours, 256):
            raise NetworkFormatError(
                f"The values of pixels must be a uint8 array of shape (colours, 256), 1 to "
                f"{MOST_COLOURS} colours without levels."
            )

    @property
    def order(self) -> int:
        """Bit planes of what the first layer takes."""
        return 1 if self.values is None else PIXEL_BITS

    @property
    def colours(self) -> int:
        """Number of colours C: 1 for grey."""
        return len(self.levels)

    @property
    def channels(self) -> int:
        """Channels of the first map: C * L bits, or C numbers."""
        return self.levels.size if self.values is None else self.colours

    @property
    def edges(self) -> np.ndarray:
        """Pixels at which a bit changes, one dimension; of numbers the ends of their range."""
        return self.levels.ravel() if self.values is None else np.array([0, 255], np.uint8)

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
        pixels = self.numbers(images)
        beats = np.zeros((len(pixels), self.map_side**2, beat), np.uint8)
        beats[:, :, : self.colours] = pixels.reshape(len(pixels), -1, self.colours)
        return beats.reshape(len(pixels), -1)

    def numbers(self, images: np.ndarray) -> np.ndarray:
        """The colours that a core is sent, uint8 (N, map side, map side, C), of images as
        `bordered`."""
        pixels = self.bordered(images)
        return pixels if self.values is None else self.values[np.arange(self.colours), pixels]

    def inputs(self, images: np.ndarray) -> np.ndarray:
        """The first map, uint8 (N, map side, map side, C * L) of 0/1, or C numbers of 0 to 255, of
        images as `bordered`."""
        pixels = self.numbers(images)
        if self.values is not None:
            return pixels
        bits = np.empty((*pixels.shape, self.levels.shape[1]), np.uint8)
        for k, level in enumerate(self.levels.T):
            np.logical_and(pixels >= level, level > 0, out=bits[..., k], casting="unsafe")
        return bits.reshape(*pixels.shape[:3], self.channels)

    def __eq__(self, other: object) -> bool:
        """Equal in everything."""
        return isinstance(other, Pixels) and (
            (self.side, self.border) == (other.side, other.border)
            and np.array_equal(self.levels, other.levels)
            # Equal levels: both have values, or neither.
            and (
                self.values is None
                or other.values is None
                or np.array_equal(self.values, other.values)
            )
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
