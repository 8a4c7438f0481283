# SPDX-License-Identifier: Apache-2.0
"""The output layer: the float scores of a source as whole numbers.

The core's scores are 2P - M + bias.  The source's must be a common positive scale times these, plus
a common offset, with any bias per class.  Biases that are not whole numbers in this scale are
rounded, see `whole_biases`; then not the scores but the classes are compared.  Where a class
differs, its score and the other's are a near tie: equal but for rounding, of the biases or of the
source's sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from ..folding import negated
from ..integer import OutputLayer
from .stage import Grid, Signs, Stage, rounding_of

# Within this part of their greatest, scores count as equal, and of types coarser than float32
# within four roundings.
_SAME = 1e-6

# How many fractions of biases are tried.
_CUTS = 64


@dataclass(frozen=True)
class Scores:
    """The source's scores are scale * (2P - M + bias + offset), up to the biases' rounding."""

    scale: float
    offset: float
    rounding: float  # the greatest that a bias was rounded by
    noise: float  # within which scores of the source are equal

    @property
    def exact(self) -> bool:
        """Whether every bias is a whole number."""
        return self.rounding * self.scale <= self.noise


def output_layer(
    stage: Stage, signs: Signs, grid: Grid, answers: np.ndarray
) -> tuple[OutputLayer, Scores]:
    """The output layer whose scores the table of float scores (M + 1, classes) is."""
    table = answers.astype(np.float64)
    most = len(table) - 1
    slopes = (table[-1] - table[0]) / (2 * most)
    middle = (table[-1] + table[0]) / 2
    rounding = max(stage.rounding, rounding_of(answers.dtype))
    noise = max(_SAME, 4 * rounding) * float(np.abs(table).max())
    line = slopes * np.arange(-most, most + 1, 2)[:, None] + middle
    if np.abs(table - line).max() > noise:
        raise UserError(
            f"What follows {stage.name}, the output layer, does not only scale the products and "
            "add to them, so its scores are not those of a core."
        )
    scale = float(np.abs(slopes).mean())
    reach = scale * 2 * most
    if reach <= 100 * noise:
        raise UserError(
            f"{stage.name}, the output layer, has biases so large that the products hardly count."
        )
    if np.abs(np.abs(slopes) - scale).max() * 2 * most > 2 * noise:
        raise UserError(
            f"{stage.name}, the output layer, scales its classes differently "
            f"({np.abs(slopes).min():.4g} to {np.abs(slopes).max():.4g} for one step), but a core "
            "only adds a whole number to each: give all classes one scale."
        )
    folded = negated(signs.bits, slopes < 0, signs.mask)
    biases = middle / scale
    # A common offset changes no class: the one that leaves the biases nearest to whole numbers.
    fractions = np.unique(biases - np.rint(biases))
    errors = [float(np.abs(b - np.rint(b)).max()) for b in (biases - f for f in fractions)]
    whole = np.rint(biases - float(fractions[int(np.argmin(errors))]))
    if min(errors) * scale > noise:
        whole = whole_biases(biases)
    left = biases - whole
    offset = float(left.max() + left.min()) / 2
    limit = np.iinfo(np.int32).max
    output = OutputLayer(folded, whole.clip(-limit, limit).astype(np.int32), signs.mask, grid.order)
    return output, Scores(scale, offset, float(np.ptp(left)) / 2, noise)


def whole_biases(biases: np.ndarray) -> np.ndarray:
    """Whole numbers (classes,) that put most pairs of classes in the order of these biases.

    2P - M of all classes is odd, or of all of them even: scores without biases differ by multiples
    of 2.  So of a class and a later one the earlier wins if their products differ by at least
    2 ceil((later bias - earlier bias) / 2), ties going to the earlier.  Of each bias that leaves
    the place of its fraction, modulo 2, among those of the others; whole numbers have two places,
    the lower one where it lies before some cut and the upper one from there, and all cuts, and
    all points to count from, are tried.
    """
    fractions = np.unique(np.mod(biases, 2).round(6))
    fractions = fractions[:: -(-len(fractions) // _CUTS)]
    earlier, later = np.triu_indices(len(biases), 1)
    best, fewest = np.rint(biases), len(earlier) + 1
    wanted = np.ceil(((biases[later] - biases[earlier]) / 2).round(6))
    for start in fractions:
        turns, places = np.divmod((biases - start).round(6), 2)
        for cut in np.unique(places):
            whole = 2 * turns + (places >= cut)
            got = np.ceil((whole[later] - whole[earlier]) / 2)
            wrong = int((got != wanted).sum())
            if wrong < fewest:
                best, fewest = whole, wrong
    return best
