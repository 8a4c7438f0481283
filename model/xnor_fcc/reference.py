# SPDX-License-Identifier: Apache-2.0
"""Bit-exact evaluation of an `IntegerNetwork` in numpy: what the hardware must answer.

There are two ways to the sums of a layer, and both are exact.  `evaluate` counts packed bits
(`popcount`), a block of images at a time on every processor: fast enough to check a core while it
runs.  `preactivations` multiplies float32 matrices of small whole numbers.  Every partial sum is a
whole number of magnitude at most n, or 3n where the activations are of order 2, 255n where they
are pixels, and float32 holds every whole number up to 2^24, so the product is exact in whatever
order the BLAS library adds; layers wider than that are refused.  Sharing nothing but the decisions,
they check each other.
Power-of-two weights on grey pixels reach further and are multiplied in float64 by both, exact up to
2^53.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from .errors import UserError
from .integer import ConvLayer, IntegerNetwork, Layer, OutputLayer, ShiftLayer
from .maps import pooled, windows
from .popcount import PackedLayer
from .shape import top_level

_EXACT = 1 << 24
# What a thread takes at a time: images whose sums stay in its cache, few where they are of maps;
# more where it would have less than a millisecond or two to do, counted in weights times images.
_BLOCK, _MAP_BLOCK, _WORK = 128, 4, 1 << 27


@dataclass(frozen=True)
class Evaluation:
    """Answers for N images: classes int64 (N,), scores int32 (N, classes), hidden activations.

    `hidden` has one uint8 (N, m) for every hidden layer, first to last: 0/1, or levels 0 to 3 where
    the layer's outputs are of order 2.  A convolution's is its map (N, H, W, m), pooled if it does.
    """

    classes: np.ndarray
    scores: np.ndarray
    hidden: tuple[np.ndarray, ...]


def evaluate(network: IntegerNetwork, x: np.ndarray, threads: int | None = None) -> Evaluation:
    """Evaluate `network` on `x` (N, inputs), as of `IntegerNetwork.inputs_from`; N may be 0.

    `x` is uint8: bits of 0/1 (or bool), levels of 0 to 3 for inputs of order 2, grey pixels for
    power-of-two weights, the first map (N, H, W, C) for convolutions, of bits or of pixels.
    `threads`: at most so many, by default one for every processor that this process may use; the
    answers are the same.  Raises UserError if `x` does not fit the network.
    """
    x = _checked(network, x)
    hidden = tuple(np.empty((len(x), *shape), np.uint8) for shape in _answers(network))
    scores = np.empty((len(x), network.classes), np.int32)
    sums = [_sums(layer) for layer in network.layers]

    least = _MAP_BLOCK if network.convolutions else _BLOCK
    size = max(least, _WORK // _work(network))

    def answer(first: int) -> None:
        block = slice(first, first + size)
        given = x[block]
        for layer, of, answers in zip(network.hidden, sums, hidden, strict=False):
            counted = of(_given(layer, given))
            if isinstance(layer, ConvLayer) and layer.pool:
                # An answer grows with its sum, so the greatest sum has the greatest answer.
                counted = pooled(counted)
            given = answers[block] = activations(layer, counted)
        scores[block] = sums[-1](_given(network.output, given))

    blocks = range(0, len(x), size)
    threads = min(threads or processors(), len(blocks))
    if threads > 1:
        # numpy computes without holding Python's lock.
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(answer, blocks))
    else:
        for first in blocks:
            answer(first)
    # numpy's argmax takes the first of equal maxima: the lowest class index on a tie.
    return Evaluation(scores.argmax(axis=1), scores, hidden)


def processors() -> int:
    """Number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def preactivations(network: IntegerNetwork, x: np.ndarray) -> list[np.ndarray]:
    """Every layer's sums before the decision, int32 (N, m) each, the output layer last.

    A hidden neuron's is 2P + 1 - 2T: at least 0 exactly if its bit is 1 (P >= T), and odd, so
    its distance from 0 says how close the neuron was to switching.  With power-of-two weights it is
    2d + 1 - 2T of the dot product d, at the ends of int32 where it goes beyond.  The output layer's
    are the scores 2P - M + bias.  A convolution's are (N, H', W', m), those of every position.
    """
    x = _checked(network, x)
    sums = []
    for layer in network.hidden:
        x = _given(layer, x)
        sums.append(_shifted(layer)(x) if isinstance(layer, ShiftLayer) else counted(layer, x))
        x = activations(layer, sums[-1])
        if isinstance(layer, ConvLayer) and layer.pool:
            x = pooled(x)
    sums.append(counted(network.output, _given(network.output, x)))
    return sums


def _work(network: IntegerNetwork) -> int:
    """Weights that an image meets, at every position again."""
    sides = [*network.map_sides, *[1] * (len(network.layers) - len(network.map_sides))]
    return sum(
        weights.size * side**2 for weights, side in zip(network.weights, sides, strict=True)
    )


def _given(layer: Layer | ShiftLayer | OutputLayer, x: np.ndarray) -> np.ndarray:
    """What a layer takes of the answers before it: a map, or (N, n)."""
    return x if isinstance(layer, ConvLayer) else x.reshape(len(x), layer.inputs)


def _answers(network: IntegerNetwork) -> list[tuple[int, ...]]:
    """Shape of what each hidden layer answers to an image."""
    sides = network.map_sides
    maps: list[tuple[int, ...]] = [
        (side, side, layer.outputs) for side, layer in zip(sides, network.convolutions, strict=True)
    ]
    return [*maps, *((layer.outputs,) for layer in network.hidden[len(maps) :])]


def activations(layer: Layer | ShiftLayer, sums: np.ndarray) -> np.ndarray:
    """What a hidden layer answers, uint8 of their shape, from its `preactivations`."""
    bits = (sums >= 0).astype(np.uint8)
    if isinstance(layer, ShiftLayer) or layer.lower is None or layer.upper is None:
        return bits
    # P >= upper exactly if 2P + 1 - 2T > 2 * (upper - T)
    bound = 2 * (np.where(bits, layer.upper, layer.lower) - layer.thresholds)
    return 2 * bits + (sums > bound).astype(np.uint8)


def _checked(network: IntegerNetwork, x: np.ndarray) -> np.ndarray:
    wanted: tuple[int, ...] = (network.inputs,)
    if network.pixels is not None:
        wanted = (network.pixels.map_side, network.pixels.map_side, network.pixels.channels)
    if x.ndim == 0 or x.shape[1:] != wanted:
        raise UserError(
            f"The images must have shape (N, {', '.join(map(str, wanted))}) for this network, not "
            f"{x.shape}."
        )
    first = network.layers[0]
    if isinstance(first, ShiftLayer):
        if x.dtype != np.uint8:
            raise UserError("The images must be grey pixels: uint8, 0 to 255 each.")
    elif first.order == 2:
        if x.dtype != np.uint8 or x.max(initial=0) > 3:
            raise UserError("The images must be levels of second-order inputs: uint8, 0 to 3 each.")
    elif first.order > 2:
        if x.dtype != np.uint8:
            raise UserError("The images must be the colours of pixels: uint8, 0 to 255 each.")
    elif x.dtype not in (np.uint8, np.bool_) or x.max(initial=0) > 1:
        raise UserError("The images must be bits: uint8 or bool, 0 or 1 each.")
    return x


def counted(layer: Layer | OutputLayer, x: np.ndarray) -> np.ndarray:
    """`preactivations` of one layer, from its own inputs uint8 (N, n): bits or levels.

    Those of a convolution are its map (N, H, W, C).
    """
    if isinstance(layer, ConvLayer):
        x = windows(x, layer.kernel)
    return _product(layer, x) + _offset(layer)


def _sums(layer: Layer | ShiftLayer | OutputLayer) -> Callable[[np.ndarray], np.ndarray]:
    """The same from packed bits, as a function of the inputs: the layer is prepared once."""
    if isinstance(layer, ShiftLayer):
        return _shifted(layer)
    packed, offset = PackedLayer(layer), _offset(layer)

    def sums(x: np.ndarray) -> np.ndarray:
        product = packed.product(x)
        product += offset
        return product

    return sums


def _offset(layer: Layer | OutputLayer) -> np.ndarray:
    """What a layer adds to 2P - M, int32 (m,)."""
    if isinstance(layer, OutputLayer):
        return layer.bias
    # 2P + 1 - 2T = (2P - M) + (M + 1 - 2T)
    return layer.most + 1 - 2 * layer.thresholds


def _shifted(layer: ShiftLayer) -> Callable[[np.ndarray], np.ndarray]:
    """The same of power-of-two weights, in float64."""
    weights = np.ldexp(2.0 * layer.weights - 1, layer.exponents).T
    ends = np.iinfo(np.int32)

    def sums(grey: np.ndarray) -> np.ndarray:
        exact = 2 * (grey.astype(np.float64) @ weights - layer.thresholds) + 1
        return exact.clip(ends.min, ends.max).astype(np.int32)

    return sums


def _product(layer: Layer | OutputLayer, x: np.ndarray) -> np.ndarray:
    """2P - M as int32 (..., m) from the layer's inputs (..., n)."""
    top = top_level(layer.order)
    if layer.inputs * top > _EXACT:
        raise UserError(f"A layer has more than {_EXACT} inputs, too many for exact sums.")
    values = x.astype(np.float32) * np.float32(2) - np.float32(top)
    weights = layer.weights.astype(np.float32) * np.float32(2) - np.float32(1)
    if layer.mask is None:
        return (values @ weights.T).astype(np.int32)
    return 2 * (values @ (weights * layer.mask).T).astype(np.int32)
