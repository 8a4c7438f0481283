# SPDX-License-Identifier: Apache-2.0
"""The layers of an `IntegerNetwork`, checked when they are made; `integer` has the mathematics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .errors import UserError
from .shape import PIXEL_BITS, factor

# Scores are int32 in hardware and here; a bias within this bound cannot overflow one.
_BIAS_LIMIT = 1 << 30
WIDTH_LIMIT = 1 << 24
_EXPONENT_LIMIT = 7


class NetworkFormatError(UserError):
    """A network, or the file of one, breaks the format; the sentence says where."""


class _Dense:
    """What every layer has."""

    weights: np.ndarray

    @property
    def inputs(self) -> int:
        """Number of inputs n."""
        return int(self.weights.shape[1])

    @property
    def outputs(self) -> int:
        """Number of neurons m, or of classes."""
        return int(self.weights.shape[0])


class _Counting(_Dense):
    """A layer that a core computes: it counts P."""

    mask: np.ndarray | None
    order: int

    def _check_counting(self) -> None:
        _check_bits(self.weights, "weights")
        if self.order not in (1, 2, PIXEL_BITS):
            raise NetworkFormatError(
                f"The order of a layer must be 1 or 2, or {PIXEL_BITS} of pixels, not "
                f"{self.order!r}."
            )
        if self.mask is not None:
            _check_bits(self.mask, "mask")
            if self.mask.shape != self.weights.shape:
                raise NetworkFormatError(
                    f"The mask must have shape {self.weights.shape}, not {self.mask.shape}."
                )
            if (self.weights > self.mask).any():
                raise NetworkFormatError("A weight bit is 1 where its mask is 0.")

    @property
    def ternary(self) -> bool:
        """Whether its weights are -1, 0, +1."""
        return self.mask is not None

    @property
    def most(self) -> int:
        """The greatest P, M."""
        return self.inputs * factor(self.order, self.ternary)


@dataclass(frozen=True, eq=False)
class Layer(_Counting):
    """A hidden layer: weights uint8 (outputs, inputs) of 0/1, thresholds int32 (outputs,).

    `mask` uint8 (outputs, inputs) of 0/1: the weights are ternary and count where it is 1; where it
    is 0 the weight bit is 0.  `lower`, `upper` int32 (outputs,): the outputs are of order 2.
    `order`: that of the inputs.
    """

    weights: np.ndarray
    thresholds: np.ndarray
    mask: np.ndarray | None = None
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None
    order: int = 1

    def __post_init__(self) -> None:
        self._check_counting()
        _check_vector(self.thresholds, "thresholds", self.outputs)
        if self.thresholds.min() < 0 or self.thresholds.max() > self.most + 1:
            raise NetworkFormatError(
                f"A threshold is outside 0 to {self.most + 1}, the range of {self.inputs} inputs."
            )
        if self.lower is None and self.upper is None:
            return
        if self.lower is None or self.upper is None:
            raise NetworkFormatError("A layer has lower and upper thresholds, or neither.")
        _check_vector(self.lower, "lower thresholds", self.outputs)
        _check_vector(self.upper, "upper thresholds", self.outputs)
        if self.lower.min() < 0 or (self.lower > self.thresholds).any():
            raise NetworkFormatError("A lower threshold is outside 0 to its neuron's threshold.")
        if self.upper.max() > self.most + 1 or (self.upper < self.thresholds).any():
            raise NetworkFormatError(
                f"An upper threshold is outside its neuron's threshold to {self.most + 1}."
            )

    @property
    def output_order(self) -> int:
        """Bit planes of its outputs."""
        return 1 if self.lower is None else 2


@dataclass(frozen=True, eq=False)
class ConvLayer(Layer):
    """A convolution: the layer at every position of a map, stride 1, without padding.

    Its inputs are one window's, in order (row, column, channel): weights uint8 (m, kernel * kernel
    * C).  `kernel`: rows and columns of a window, 1 or 3.  `pool`: the greatest of 2x2 answers
    goes on, of bits their OR.  `order`: 8 of a first one that takes pixels as numbers.
    """

    kernel: int = 3
    pool: bool = False

    def __post_init__(self) -> None:
        if self.kernel not in (1, 3):
            raise NetworkFormatError(
                f"The windows of a convolution must be 1x1 or 3x3, not {self.kernel}x{self.kernel}."
            )
        super().__post_init__()
        if self.inputs % self.kernel**2:
            raise NetworkFormatError(
                f"A window of {self.kernel}x{self.kernel} cannot have {self.inputs} inputs."
            )

    @property
    def channels(self) -> int:
        """Channels C of the map that it reads."""
        return self.inputs // self.kernel**2


@dataclass(frozen=True, eq=False)
class ShiftLayer(_Dense):
    """A first hidden layer of power-of-two weights on 8-bit pixels, which no core computes.

    A weight is (-1)^(1 - weight) * 2^exponent, weights uint8 (outputs, inputs) of 0/1, exponents
    uint8 (outputs, inputs) of 0 to 7; a neuron answers (sum of pixel * weight >= T), thresholds
    int32 (outputs,) of any sign.
    """

    weights: np.ndarray
    exponents: np.ndarray
    thresholds: np.ndarray

    ternary: ClassVar[bool] = False
    order: ClassVar[int] = 1
    output_order: ClassVar[int] = 1

    def __post_init__(self) -> None:
        _check_bits(self.weights, "weights")
        if (
            not isinstance(self.exponents, np.ndarray)
            or self.exponents.dtype != np.uint8
            or self.exponents.shape != self.weights.shape
            or self.exponents.max() > _EXPONENT_LIMIT
        ):
            raise NetworkFormatError(
                f"The exponents must be a uint8 array of shape {self.weights.shape}, 0 to "
                f"{_EXPONENT_LIMIT} each."
            )
        _check_vector(self.thresholds, "thresholds", self.outputs)


@dataclass(frozen=True, eq=False)
class OutputLayer(_Counting):
    """The last layer: weights uint8 (classes, inputs) of 0/1, bias int32 (classes,).

    `mask` and `order` are as of a `Layer`.  `latents` int8 (classes, inputs): what `learning` goes
    on from, at least 0 exactly where the weight is +1; they decide no answer.  Other weights need
    other latents, or none.
    """

    weights: np.ndarray
    bias: np.ndarray
    mask: np.ndarray | None = None
    order: int = 1
    latents: np.ndarray | None = None

    def __post_init__(self) -> None:
        self._check_counting()
        _check_vector(self.bias, "bias", self.outputs)
        if int(np.abs(self.bias.astype(np.int64)).max()) > _BIAS_LIMIT:
            raise NetworkFormatError(f"A bias is outside -{_BIAS_LIMIT} to {_BIAS_LIMIT}.")
        if self.latents is not None:
            self._check_latents(self.latents)

    def _check_latents(self, latents: np.ndarray) -> None:
        if self.ternary or self.order != 1:
            raise NetworkFormatError(
                "Latents are for binary weights on inputs of order 1, and no others have them."
            )
        if not isinstance(latents, np.ndarray) or latents.dtype != np.int8:
            raise NetworkFormatError("The latents must be an int8 array.")
        if latents.shape != self.weights.shape:
            raise NetworkFormatError(
                f"The latents must have shape {self.weights.shape}, not {latents.shape}."
            )
        if not np.array_equal(latents >= 0, self.weights):
            raise NetworkFormatError("The sign of a latent is not that of its weight.")


def _check_bits(bits: np.ndarray, name: str) -> None:
    name = name.capitalize()
    if not isinstance(bits, np.ndarray) or bits.ndim != 2 or min(bits.shape) < 1:
        raise NetworkFormatError(f"{name} must be an array of shape (outputs, inputs), both >= 1.")
    if bits.dtype != np.uint8:
        raise NetworkFormatError(f"{name} must be uint8, not {bits.dtype}.")
    if bits.max() > 1:
        raise NetworkFormatError(f"{name} must be 0 or 1.")
    if max(bits.shape) > WIDTH_LIMIT:
        raise NetworkFormatError(f"A layer may not be wider than {WIDTH_LIMIT}.")


def _check_vector(vector: np.ndarray, name: str, length: int) -> None:
    if not isinstance(vector, np.ndarray) or vector.dtype != np.int32:
        raise NetworkFormatError(f"The {name} must be an int32 array.")
    if vector.shape != (length,):
        raise NetworkFormatError(f"The {name} must have shape ({length},), not {vector.shape}.")
