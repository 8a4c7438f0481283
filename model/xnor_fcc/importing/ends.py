# SPDX-License-Identifier: Apache-2.0
"""Whether what stands behind the scores of a source answers the class of the greatest score."""

from __future__ import annotations

import numpy as np

# Random scores of so many images.
_TRIES = 32


def trials(classes: int) -> np.ndarray:
    """Scores (N, classes) to try: apart from each other, and too small to saturate a function.

    Every second row rises with the class, so that a function across images shows as well; some are
    all below 0, some all above.
    """
    spread = np.linspace(-1, 1, classes) if classes > 1 else np.zeros(1)
    rng = np.random.default_rng(0)
    scores = rng.permuted(np.tile(spread, (_TRIES, 1)), axis=1)
    scores[::2] = spread + 0.23 * scores[::2]
    scores[1::4] -= 2
    scores[2::4] += 2
    return scores


def keeps_order(scores: np.ndarray, answers: np.ndarray) -> bool:
    """Whether answers keep the order of the classes of scores (N, classes).

    `answers` for N images: a value for each class, which must not fall where the score rises and
    must be greatest where that is; or whole numbers, of which an image's first is its class.
    """
    if answers.ndim == 0 or len(answers) != len(scores):
        return False
    flat = answers.reshape(len(answers), -1)
    best = scores.argmax(axis=1)
    if flat.shape == scores.shape and (flat.dtype.kind == "f" or flat.shape[1] > 1):
        order = np.argsort(scores, axis=1, kind="stable")
        sorted_answers = np.take_along_axis(flat, order, axis=1)
        rising = (np.diff(sorted_answers.astype(np.float64), axis=1) >= 0).all()
        return bool(rising and (flat.argmax(axis=1) == best).all())
    return flat.dtype.kind in "iu" and flat.shape[1] > 0 and bool((flat[:, 0] == best).all())
