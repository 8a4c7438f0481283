# SPDX-License-Identifier: Apache-2.0
"""Networks by chance, for tests and measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from .integer import IntegerNetwork
from .layers import ConvLayer, Layer, OutputLayer
from .maps import Pixels
from .shape import PIXEL_BITS, factor

# Share of the weights of a ternary network that count.
_COUNTED = 2 / 3


def random_network(
    rng: np.random.Generator,
    widths: Sequence[int],
    orders: Sequence[int] | None = None,
    ternary: bool | Sequence[bool] = False,
) -> IntegerNetwork:
    """A lively network for tests, of the given (inputs, hidden..., classes).

    `orders`: that of the inputs of each layer, all 1 unless given; `ternary`: which layers are, or
    all.  Thresholds lie within about one standard deviation of P around M / 2, so that neurons
    switch on random inputs; about one in sixteen is 0 or M + 1.  Biases have both signs.
    """
    sizes = list(pairwise(widths))
    orders = [1] * len(sizes) if orders is None else list(orders)
    ternaries = [ternary] * len(sizes) if isinstance(ternary, bool) else list(ternary)
    layers = [
        _random_layer(rng, n, m, orders[i], ternaries[i], orders[i + 1])
        for i, (n, m) in enumerate(sizes[:-1])
    ]
    output = _random_output(rng, *sizes[-1], orders[-1], ternaries[-1])
    pixel_threshold = int(rng.integers(1, 256))
    residual = None
    if orders[0] == 2:
        residual = (
            int(rng.integers(0, pixel_threshold + 1)),
            int(rng.integers(pixel_threshold, 256)),
        )
    return IntegerNetwork(
        tuple(layers),
        output,
        pixel_threshold,
        name="random-" + "-".join(str(width) for width in widths),
        pixel_residual=residual,
    )


@dataclass(frozen=True)
class Convolution:
    """A convolution by its sizes: channels of its answers, rows of a window, whether it pools."""

    channels: int
    kernel: int = 3
    pool: bool = False


def random_map_network(
    rng: np.random.Generator,
    side: int,
    convolutions: Sequence[Convolution],
    dense: Sequence[int],
    colours: int = 1,
    levels: int = 7,
    border: int = 0,
    orders: Sequence[int] | None = None,
    ternary: bool | Sequence[bool] = False,
) -> IntegerNetwork:
    """The same, of a network that begins with convolutions: images of `side`, without the border.

    `dense`: (hidden..., classes) of the dense layers.  `orders` and `ternary` are of all layers, in
    order; the first order is 1, or 8 for pixels as numbers, which have no levels.  About one colour
    in four has a level that never fires, if it has more than one.
    """
    count = len(convolutions) + len(dense)
    orders = [1] * count if orders is None else list(orders)
    ternaries = [ternary] * count if isinstance(ternary, bool) else list(ternary)
    if orders[0] == PIXEL_BITS:
        values = rng.permuted(np.tile(np.arange(256), (colours, 1)), axis=1)
        pixels = Pixels.of_numbers(side, values.astype(np.uint8), border)
    else:
        order = rng.permuted(np.tile(np.arange(255), (colours, 1)), axis=1)
        heights = np.sort(1 + order[:, :levels])
        heights[(rng.random(colours) < 1 / 4) & (levels > 1), -1] = 0
        pixels = Pixels(side, heights.astype(np.uint8), border)
    hidden: list[Layer] = []
    side, channels = pixels.map_side, pixels.channels
    for i, each in enumerate(convolutions):
        inputs = each.kernel**2 * channels
        layer = _random_layer(rng, inputs, each.channels, orders[i], ternaries[i], orders[i + 1])
        hidden.append(ConvLayer(**vars(layer), kernel=each.kernel, pool=each.pool))
        side = (side - each.kernel + 1) // (2 if each.pool else 1)
        channels = each.channels
    sizes = list(pairwise([side**2 * channels, *dense]))
    for i, (n, m) in enumerate(sizes[:-1], start=len(convolutions)):
        hidden.append(_random_layer(rng, n, m, orders[i], ternaries[i], orders[i + 1]))
    output = _random_output(rng, *sizes[-1], orders[-1], ternaries[-1])
    return IntegerNetwork(tuple(hidden), output, name="random-maps", pixels=pixels)


def cnv_network(rng: np.random.Generator, levels: int = 7) -> IntegerNetwork:
    """The network for CIFAR-10 of Courbariaux et al. (BinaryNet) in the size of FINN's and
    BNN-PYNQ's CNV, 32x32 pixels of three colours, with random weights: 64-64-P-128-128-P-256-256
    windows of 3x3 without padding, 512-512-10 dense."""
    sizes = ((64, False), (64, True), (128, False), (128, True), (256, False), (256, False))
    layers = [Convolution(channels, 3, pool) for channels, pool in sizes]
    network = random_map_network(rng, 32, layers, [512, 512, 10], colours=3, levels=levels)
    return replace(network, name="cnv-random")


def _random_layer(
    rng: np.random.Generator, n: int, m: int, order: int, ternary: bool, output_order: int
) -> Layer:
    """A hidden layer of n inputs and m neurons."""
    most = n * factor(order, ternary)
    # Levels have a mean square of 5, or of 21845; and (P - M / 2) is the dot product times s / 2.
    squares = (4**order - 1) / 3
    variance = n * squares * (4 * _COUNTED if ternary else 1)
    spread = np.sqrt(variance) / 2
    near = np.rint(most / 2 + rng.normal(0, spread, m))
    thresholds = np.clip(near, 0, most + 1).astype(np.int32)
    extreme = rng.random(m) < 1 / 16
    thresholds[extreme] = rng.choice([0, most + 1], int(extreme.sum()))
    weights, mask = _random_weights(rng, m, n, ternary)
    lower = upper = None
    if output_order == 2:
        below, above = np.rint(np.abs(rng.normal(0, spread, (2, m)))).astype(np.int32)
        lower = np.maximum(thresholds - below, 0)
        upper = np.minimum(thresholds + above, most + 1)
    return Layer(weights, thresholds, mask, lower, upper, order)


def _random_output(
    rng: np.random.Generator, n: int, m: int, order: int, ternary: bool
) -> OutputLayer:
    """An output layer of n inputs and m classes."""
    reach = max(2, int(np.sqrt(n)))
    bias = rng.integers(-reach, reach + 1, m).astype(np.int32)
    weights, mask = _random_weights(rng, m, n, ternary)
    return OutputLayer(weights, bias, mask, order)


def _random_weights(
    rng: np.random.Generator, rows: int, columns: int, ternary: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Weights and, for ternary ones, their mask."""
    weights = rng.integers(0, 2, (rows, columns), dtype=np.uint8)
    if not ternary:
        return weights, None
    mask = (rng.random((rows, columns)) < _COUNTED).astype(np.uint8)
    return weights & mask, mask
