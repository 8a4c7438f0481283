# SPDX-License-Identifier: Apache-2.0
"""Networks by chance, for tests and measurements."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from .integer import IntegerNetwork
from .layers import Layer, OutputLayer
from .shape import factor

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
    layers = []
    for i, (n, m) in enumerate(sizes[:-1]):
        most = n * factor(orders[i], ternaries[i])
        # Levels have a mean square of 5; and (P - M / 2) is the dot product times s / 2.
        variance = n * (5 if orders[i] == 2 else 1) * (4 * _COUNTED if ternaries[i] else 1)
        spread = np.sqrt(variance) / 2
        near = np.rint(most / 2 + rng.normal(0, spread, m))
        thresholds = np.clip(near, 0, most + 1).astype(np.int32)
        extreme = rng.random(m) < 1 / 16
        thresholds[extreme] = rng.choice([0, most + 1], int(extreme.sum()))
        weights, mask = _random_weights(rng, m, n, ternaries[i])
        lower = upper = None
        if orders[i + 1] == 2:
            below, above = np.rint(np.abs(rng.normal(0, spread, (2, m)))).astype(np.int32)
            lower = np.maximum(thresholds - below, 0)
            upper = np.minimum(thresholds + above, most + 1)
        layers.append(Layer(weights, thresholds, mask, lower, upper, orders[i]))
    n, m = sizes[-1]
    reach = max(2, int(np.sqrt(n)))
    bias = rng.integers(-reach, reach + 1, m).astype(np.int32)
    weights, mask = _random_weights(rng, m, n, ternaries[-1])
    pixel_threshold = int(rng.integers(1, 256))
    residual = None
    if orders[0] == 2:
        residual = (
            int(rng.integers(0, pixel_threshold + 1)), int(rng.integers(pixel_threshold, 256))
        )
    return IntegerNetwork(
        tuple(layers),
        OutputLayer(weights, bias, mask, orders[-1]),
        pixel_threshold,
        name="random-" + "-".join(str(width) for width in widths),
        pixel_residual=residual,
    )


def _random_weights(
    rng: np.random.Generator, rows: int, columns: int, ternary: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Weights and, for ternary ones, their mask."""
    weights = rng.integers(0, 2, (rows, columns), dtype=np.uint8)
    if not ternary:
        return weights, None
    mask = (rng.random((rows, columns)) < _COUNTED).astype(np.uint8)
    return weights & mask, mask
