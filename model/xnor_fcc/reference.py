# SPDX-License-Identifier: Apache-2.0
"""Bit-exact evaluation of an `IntegerNetwork` in numpy: what the hardware must answer.

The popcounts come out of a float32 matrix product of +-1 operands.  Every partial sum is a whole
number of magnitude at most n, and float32 holds every whole number up to 2^24, so the product is
exact in whatever order the BLAS library adds; layers wider than that are refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import UserError
from .integer import IntegerNetwork

_EXACT_INPUTS = 1 << 24


@dataclass(frozen=True)
class Evaluation:
    """Answers for N images: classes int64 (N,), scores int32 (N, classes), hidden bits.

    `hidden` has one uint8 (N, m) of 0/1 for every hidden layer, first to last.
    """

    classes: np.ndarray
    scores: np.ndarray
    hidden: tuple[np.ndarray, ...]


def evaluate(network: IntegerNetwork, bits: np.ndarray) -> Evaluation:
    """Evaluate `network` on `bits` (N, inputs) of 0/1, uint8 or bool; N may be 0.

    Raises UserError if `bits` does not fit the network.
    """
    sums = preactivations(network, bits)
    hidden = tuple((each >= 0).astype(np.uint8) for each in sums[:-1])
    scores = sums[-1]
    # numpy's argmax takes the first of equal maxima: the lowest class index on a tie.
    return Evaluation(scores.argmax(axis=1), scores, hidden)


def preactivations(network: IntegerNetwork, bits: np.ndarray) -> list[np.ndarray]:
    """Every layer's sums before the decision, int32 (N, m) each, the output layer last.

    A hidden neuron's is 2P + 1 - 2T: at least 0 exactly if its bit is 1 (P >= T), and odd, so
    its distance from 0 says how close the neuron was to switching.  The output layer's are the
    scores 2P - n + bias.
    """
    x = _checked(network, bits)
    sums = []
    for layer in network.hidden:
        # 2P + 1 - 2T = (2P - n) + (n + 1 - 2T)
        sums.append(_product(x, layer.weights) + (layer.inputs + 1 - 2 * layer.thresholds))
        x = (sums[-1] >= 0).astype(np.uint8)
    sums.append(_product(x, network.output.weights) + network.output.bias)
    return sums


def _checked(network: IntegerNetwork, bits: np.ndarray) -> np.ndarray:
    if bits.ndim != 2 or bits.shape[1] != network.inputs:
        raise UserError(
            f"The images must have shape (N, {network.inputs}) for this network, not {bits.shape}."
        )
    if bits.dtype not in (np.uint8, np.bool_) or (bits.size and bits.max() > 1):
        raise UserError("The images must be bits: uint8 or bool, 0 or 1 each.")
    if max(layer.inputs for layer in network.layers) > _EXACT_INPUTS:
        raise UserError(f"A layer has more than {_EXACT_INPUTS} inputs, too many for exact sums.")
    return bits


def _product(bits: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """2P - n as int32 (N, m) from bits (N, n) and weights (m, n)."""
    return (_signs(bits) @ _signs(weights).T).astype(np.int32)


def _signs(bits: np.ndarray) -> np.ndarray:
    return bits.astype(np.float32) * np.float32(2) - np.float32(1)
