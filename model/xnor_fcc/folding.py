# SPDX-License-Identifier: Apache-2.0
"""From a table of answers to thresholds: what a neuron answers to every P, as an integer layer.

A neuron whose folded slope is negative answers more for *small* P.  Its weights are stored negated,
which turns P into M - P: from 1 for P <= s it becomes 1 for P' >= M - s.  A neuron that never
switches keeps its weights and gets T = 0 (always 1) or T = M + 1 (always 0).
"""

from __future__ import annotations

import numpy as np

from .errors import UserError
from .integer import Layer


def fold(
    weights: np.ndarray,
    responses: np.ndarray,
    mask: np.ndarray | None = None,
    order: int = 1,
    output_order: int | None = None,
) -> Layer:
    """The integer layer of weights uint8 (m, n) and answers uint8 (M + 1, m) by P.

    `order` is that of the inputs, and of the answers unless `output_order` says otherwise; `mask`
    uint8 (m, n) marks ternary weights that count.  Raises UserError if a neuron's answers both rise
    and fall: then no threshold describes it.
    """
    most = len(responses) - 1
    steps = np.diff(responses.astype(np.int8), axis=0)
    torn = (steps > 0).any(axis=0) & (steps < 0).any(axis=0)
    if torn.any():
        raise UserError(
            f"Neuron {int(torn.argmax())} both rises and falls over its popcounts, so it "
            "has no threshold; its batch normalisation holds values that are not finite."
        )
    folded = negated(weights, responses[0] > responses[-1], mask)

    def threshold(level: int) -> np.ndarray:
        # Rising or constant: reached on the last `reached` values of P, P >= M + 1 - reached.
        # Falling: on the first, P <= reached - 1, so with negated weights P' = M - P is at least
        # M + 1 - reached as well.
        reached = (responses >= level).sum(axis=0)
        return (most + 1 - reached).astype(np.int32)

    if (output_order or order) == 1:
        return Layer(folded, threshold(1), mask, order=order)
    return Layer(folded, threshold(2), mask, threshold(1), threshold(3), order)


def negated(weights: np.ndarray, rows: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Weights uint8 (m, n) with those of `rows`, bool (m,), of the other sign; zeros stay zeros."""
    counted = np.ones_like(weights) if mask is None else mask
    return np.where(rows[:, None], counted - weights, weights).astype(np.uint8)
