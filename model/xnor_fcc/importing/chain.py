# SPDX-License-Identifier: Apache-2.0
"""What every import ends in: a chain of layers, folded into integers.

A source of any kind is brought into one form: what prepares the inputs, and then layers that are a
matrix of weights and a function of the product (`Stage`).  That function is the source's own code:
bias, batch normalisation and quantiser as the source computes them, in its own precision.  It is
asked for every product there is, one for each P of 0 to M (see `integer`), and the answers are
folded as in `export`.  No threshold is rederived by a formula, so none can round differently.

Values.  The inputs of a layer take two values, or up to four in even steps: `Grid`, a centre c and
half a step s, which stand for +-1, or for -3, -1, 1, 3.  So c = 0, s = 1 in a network of +-1, and
c = s = 1/2 in one of 0 and 1.  A row of weights has one magnitude a, and zeros, and then

    product = a * (s * d + c * (sum of the row's signs))

is a function of the dot product d of integers, which P tells.  Three values take the upper three
of four levels.

Sums of the source.  Weights of magnitude 0.1, say, make float sums that depend on the order in
which they are added.  The product above is rounded once.  Where the source's answer is another one
for a product a few rounding errors away, its bit is `undecided`: it depends on the source's matrix
product, not on the network, and `comparison` counts it apart.

Scores.  The core's are 2P - M + bias.  The source's must be a common positive scale times these,
plus a common offset, with any bias per class.  Biases that are not whole numbers in this scale are
rounded, see `whole_biases`; then not the scores but the classes are compared.  Where a class
differs, its score and the other's are a near tie: equal but for rounding, of the biases or of the
source's sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import UserError
from ..folding import fold, negated
from ..integer import IntegerNetwork, Layer, OutputLayer
from ..shape import top_level

# One rounding of float32, relative.
_ROUNDING = 2.0**-24
# Within this part of their greatest, float32 scores count as equal.
_SAME = 1e-6

# How many fractions of biases are tried.
_CUTS = 64

Progress = Callable[[Sequence["Stage"]], Iterable["Stage"]]


@dataclass(frozen=True)
class Stage:
    """A layer of a source: its name for messages, weights and what follows the product.

    `weights` float (m, n), the values that the source multiplies with.  `respond` takes products
    float32 (rows, m), any number of rows, and returns what they become, (rows, m): the inputs of
    the next layer or, in the last, the scores.
    """

    name: str
    weights: np.ndarray
    respond: Callable[[np.ndarray], np.ndarray]


class Source(Protocol):
    """A network of somebody else, ready to be folded."""

    kind: str
    inputs: int
    # The values of a black and of a white pixel unless the user says otherwise.
    grey: tuple[float, float]
    stages: list[Stage]

    def enter(self, x: np.ndarray) -> np.ndarray:
        """What the first layer multiplies, (N, n), for inputs float32 (N, inputs)."""

    def run(self, x: np.ndarray) -> list[np.ndarray]:
        """The source's own run on float32 (N, inputs): each hidden layer's outputs, the scores."""


@dataclass(frozen=True)
class Grid:
    """The values of an activation: centre + half * (2 * level - top), levels 0 to `top`."""

    centre: float
    half: float
    order: int = 1

    @property
    def top(self) -> int:
        """The highest level: 1, or 3 of order 2."""
        return top_level(self.order)

    @property
    def reach(self) -> float:
        """The greatest magnitude of a value."""
        return abs(self.centre) + abs(self.half) * self.top

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Whether each is a value of the grid, bool of the same shape."""
        steps = ((values.astype(np.float64) - self.centre) / self.half + self.top) / 2
        near: np.ndarray = np.abs(steps - np.rint(steps).clip(0, self.top)) < 1e-3
        return near

    def levels(self, values: np.ndarray) -> np.ndarray:
        """The nearest levels, uint8 of the same shape."""
        steps = (values.astype(np.float64) - self.centre) / self.half
        return np.rint((steps + self.top) / 2).clip(0, self.top).astype(np.uint8)

    @classmethod
    def of(cls, values: np.ndarray, where: str) -> Grid:
        """The grid that holds every value; UserError, naming `where`, if there is none."""
        found = np.unique(values).astype(np.float64)
        if len(found) == 1:
            return cls(found[0] - 1, 1.0)
        if len(found) == 2:
            return cls(float(found.sum()) / 2, float(found[1] - found[0]) / 2)
        step = float(np.diff(found).min())
        down = (found[-1] - found) / step
        if down[0] > 3.01 or np.abs(down - np.rint(down)).max() > 1e-4:
            listed = ", ".join(f"{value:.4g}" for value in found[:4])
            raise UserError(
                f"{where} takes {len(found)} values ({listed}{', ...' if len(found) > 4 else ''}), "
                "but an activation is of one bit, or of up to four values in even steps."
            )
        return cls(float(found[-1]) - 1.5 * step, step / 2, 2)


@dataclass(frozen=True)
class Signs:
    """A stage's weights in integers: signs int8 (m, n) of -1, 0, 1, and each row's magnitude."""

    signs: np.ndarray
    size: np.ndarray

    @classmethod
    def of(cls, stage: Stage) -> Signs:
        """Raises UserError if a row is neither binary nor ternary."""
        weights = np.asarray(stage.weights, np.float64)
        if not np.isfinite(weights).all():
            raise UserError(f"{stage.name} has weights that are not finite.")
        size = np.abs(weights).max(axis=1, initial=0)
        other = (weights != 0) & (np.abs(weights) != size[:, None])
        if other.any():
            row = int(other.any(axis=1).argmax())
            count = len(np.unique(np.abs(weights[row])))
            raise UserError(
                f"{stage.name} is no layer of binary or ternary weights: neuron {row} has weights "
                f"of {count} magnitudes."
            )
        # A row of zeros has no magnitude of its own: any does.
        return cls(np.sign(weights).astype(np.int8), np.where(size == 0, size.max() or 1.0, size))

    @property
    def ternary(self) -> bool:
        """Whether a weight is 0."""
        return bool((self.signs == 0).any())

    @property
    def bits(self) -> np.ndarray:
        """As of `integer`: 1 is +1."""
        return (self.signs > 0).astype(np.uint8)

    @property
    def mask(self) -> np.ndarray | None:
        """As of `integer`: 1 where a ternary weight counts."""
        return (self.signs != 0).astype(np.uint8) if self.ternary else None

    @property
    def scale(self) -> int:
        """What one of the dot product is worth in 2P."""
        return 2 if self.ternary else 1

    def most(self, grid: Grid) -> int:
        """The greatest P for inputs of this grid."""
        return int(self.signs.shape[1]) * grid.top * self.scale

    def products(self, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
        """The product for each P, float32 (M + 1, m), and by how much the source's may differ."""
        most, n = self.most(grid), self.signs.shape[1]
        dot = np.arange(-most, most + 1, 2) / self.scale
        total = self.signs.sum(axis=1, dtype=np.int64)
        exact = self.size * (grid.half * dot[:, None] + grid.centre * total)
        noise = _ROUNDING * self.size * grid.reach * n * (4 + np.sqrt(n))
        # Sums of multiples of one power of two that fit the fraction are exact in any order.
        parts = [
            _odd_part(size * each)
            for size in np.unique(self.size)
            for each in (grid.centre - grid.half, 2 * grid.half)
        ]
        if max(parts) * (most + n) * 2 < 1 / _ROUNDING:
            noise = np.zeros_like(noise)
        return exact.astype(np.float32), noise

    def popcounts(self, levels: np.ndarray, grid: Grid) -> np.ndarray:
        """P, int64 (N, m), of input levels (N, n)."""
        values = 2.0 * levels - grid.top
        dot = np.rint(values @ self.signs.T.astype(np.float64)).astype(np.int64)
        return (self.scale * dot + self.most(grid)) // 2


@dataclass(frozen=True)
class Inputs:
    """How pixels become the inputs of network and source."""

    grid: Grid
    threshold: int
    residual: tuple[int, int] | None
    values: np.ndarray  # float32 (256,): what the source is given for a pixel

    @classmethod
    def graded(cls, source: Source, grey: tuple[float, float]) -> Inputs:
        """Of a source with an input quantiser, for pixels from grey[0] (black) to grey[1]."""
        low, high = grey
        values = (np.arange(256) * (high - low) / 255 + low).astype(np.float32)
        taken = source.enter(np.repeat(values[:, None], source.inputs, axis=1))
        advice = (
            f"from {low:g} (black) to {high:g} (white); say with --grey LOW HIGH what pixels are, "
            "or with --bits LOW HIGH that the network takes black and white images"
        )
        if not np.isfinite(taken).all():
            raise UserError("The inputs become values that are not finite.")
        if (taken != taken[:, :1]).any():
            raise UserError("The input quantiser treats pixels differently by their place.")
        ramp = taken[:, 0]
        count = len(np.unique(ramp))
        if count > 4:
            raise UserError(f"The inputs are not quantised to one or two bits: {count} values "
                            f"for pixels {advice}.")  # fmt: skip
        if count == 1:
            raise UserError(f"The input quantiser never switches for pixels {advice}.")
        grid = Grid.of(ramp, "The input quantiser")
        if ramp[0] > ramp[-1]:
            # Dark pixels are the higher values: mirrored, so that levels rise with the pixel.
            mirrored = Grid.of(-ramp, "The input quantiser")
            grid = Grid(-mirrored.centre, -mirrored.half, mirrored.order)
        levels = grid.levels(ramp)
        if (np.diff(levels.astype(np.int8)) < 0).any():
            raise UserError("The input quantiser both rises and falls over the grey values.")
        if grid.order == 1:
            return cls(grid, int((levels < 1).sum()), None, values)
        lower, threshold, upper = (int((levels < level).sum()) for level in (1, 2, 3))
        return cls(grid, threshold, (lower, upper), values)

    @classmethod
    def black_and_white(
        cls, source: Source, bits: tuple[float, float], threshold: int
    ) -> Inputs:
        """Of a source that takes two values, for a pixel below the threshold and from there."""
        values = np.where(np.arange(256) < threshold, *bits).astype(np.float32)
        pair = np.repeat(values[[0, 255], None], source.inputs, axis=1)
        low, high = source.enter(pair)
        if (low != low[0]).any() or (high != high[0]).any() or low[0] == high[0]:
            raise UserError(
                f"Inputs of {bits[0]:g} and {bits[1]:g} do not become two values, the same for "
                "each input."
            )
        half = (float(high[0]) - float(low[0])) / 2
        return cls(Grid(float(low[0]) + half, half), threshold, None, values)


@dataclass(frozen=True)
class Folded:
    """A folded hidden layer with what the comparison needs."""

    signs: Signs
    taken: Grid  # of its inputs
    given: Grid  # of its outputs
    loose: np.ndarray  # bool (M + 1, m): where rounding in the source decides


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


@dataclass(frozen=True)
class Imported:
    """A folded network, with what `comparison` needs."""

    network: IntegerNetwork
    inputs: Inputs
    scores: Scores
    hidden: tuple[Folded, ...]


def integers(
    source: Source,
    inputs: Inputs,
    name: str = "unnamed",
    progress: Progress = lambda stages: stages,
) -> Imported:
    """Fold a source; UserError names the layer that cannot be mapped, and why."""
    grid, layers = inputs.grid, []
    hidden: list[Layer] = []
    output = None
    if not source.stages:
        raise UserError(f"The {source.kind} has no fully connected layer.")
    if source.stages[0].weights.shape[1] != source.inputs:
        raise UserError(
            f"{source.stages[0].name} has {source.stages[0].weights.shape[1]} inputs, but the "
            f"{source.kind} is given {source.inputs}."
        )
    for i, stage in enumerate(progress(source.stages)):
        signs = Signs.of(stage)
        if i and signs.signs.shape[1] != len(source.stages[i - 1].weights):
            raise UserError(
                f"{stage.name} has {signs.signs.shape[1]} inputs, but "
                f"{len(source.stages[i - 1].weights)} neurons are before it."
            )
        products, noise = signs.products(grid)
        answers = _answers(stage, products)
        if stage is source.stages[-1]:
            output, scores = _output(stage, signs, grid, answers)
            break
        try:
            given = Grid.of(answers, f"What follows {stage.name}")
            levels = given.levels(answers)
            hidden.append(fold(signs.bits, levels, signs.mask, grid.order, given.order))
        except UserError as cause:
            raise UserError(f"{stage.name} cannot be mapped: {cause}") from cause
        loose = np.zeros(levels.shape, np.bool_)
        if noise.any():
            for near in (products - noise, products + noise):
                loose |= given.levels(_answers(stage, near.astype(np.float32))) != levels
        layers.append(Folded(signs, grid, given, loose))
        grid = given
    assert output is not None
    network = IntegerNetwork(
        tuple(hidden),
        output,
        inputs.threshold,
        name,
        {"imported_from": source.kind},
        inputs.residual,
    )
    return Imported(network, inputs, scores, tuple(layers))


def _answers(stage: Stage, products: np.ndarray) -> np.ndarray:
    answers = np.asarray(stage.respond(products))
    if answers.shape != products.shape:
        raise UserError(
            f"What follows {stage.name} turns {products.shape[1]} products into an array of shape "
            f"{answers.shape[1:]}, not into one value each."
        )
    bad = ~np.isfinite(answers)
    if bad.any():
        raise UserError(
            f"What follows {stage.name} gives values that are not finite for neuron "
            f"{int(bad.any(axis=0).argmax())}: look at its batch normalisation."
        )
    return answers


def _output(
    stage: Stage, signs: Signs, grid: Grid, answers: np.ndarray
) -> tuple[OutputLayer, Scores]:
    """The output layer whose scores the table of float scores (M + 1, classes) is."""
    table = answers.astype(np.float64)
    most = len(table) - 1
    slopes = (table[-1] - table[0]) / (2 * most)
    middle = (table[-1] + table[0]) / 2
    noise = _SAME * float(np.abs(table).max())
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


def _odd_part(value: float) -> float:
    """The whole number that is left of a value without its powers of two; 0 for 0."""
    fraction = abs(np.frexp(value)[0])
    whole = int(fraction * 2**53)
    return float(whole // (whole & -whole)) if whole else 0.0
