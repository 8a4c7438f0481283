# SPDX-License-Identifier: Apache-2.0
"""What every import ends in: a chain of layers, folded into integers.

A source of any kind is brought into one form: what prepares the inputs, and then layers that are a
matrix of weights and a function of the product (`Stage`).  That function is the source's own code:
bias, batch normalisation and quantiser as the source computes them, in its own precision.  It is
asked for every product there is, one for each P of 0 to M (see `integer`), and the answers are
folded as in `export`.  No threshold is rederived by a formula, so none can round differently.

Convolutions come first. Where their answers go, `behind` finds out; a dense layer behind them gets
its weights in the core's order of inputs.

`stage` has the values and products of a layer, `pixels` and `thermometer` those of the inputs,
`scores` the output layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np

from ..errors import UserError
from ..folding import fold
from ..integer import IntegerNetwork, Layer
from ..layers import ConvLayer
from ..shape import factor
from .behind import Behind
from .pixels import Entrance
from .scores import Scores, output_layer
from .stage import Grid, Signs, Source, Stage, as_type

Progress = Callable[[Sequence[Stage]], Iterable[Stage]]


@dataclass(frozen=True)
class Folded:
    """A folded hidden layer with what the comparison needs."""

    signs: Signs
    taken: Grid  # of its inputs
    given: Grid  # of its outputs
    loose: np.ndarray  # bool (M + 1, m): where rounding in the source decides
    behind: Behind | None  # of a convolution

    def levels(self, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of a source's outputs (N, any number): the levels as the core has them, uint8 (N, K) by
        row, column, channel, and which are no values of the grid."""
        if self.behind is None:
            return self.given.levels(outputs), ~self.given.holds(outputs)
        outputs = outputs[:, self.behind.order]
        levels = self.given.levels(outputs)
        opposite = np.tile(self.behind.opposite, self.behind.places)
        return np.where(opposite, self.given.top - levels, levels), ~self.given.holds(outputs)


@dataclass(frozen=True)
class Imported:
    """A folded network, with what `comparison` needs."""

    network: IntegerNetwork
    inputs: Entrance
    scores: Scores
    hidden: tuple[Folded, ...]
    notes: tuple[str, ...]


def integers(
    source: Source,
    inputs: Entrance,
    name: str = "unnamed",
    progress: Progress = lambda stages: stages,
) -> Imported:
    """Fold a source; UserError names the layer that cannot be mapped, and why."""
    _check_sizes(source)
    grid, behind = inputs.grid, None
    layers: list[Folded] = []
    notes = inputs.notes
    hidden: list[Layer] = []
    output = None
    for i, stage in enumerate(progress(source.stages)):
        turned = None
        if behind is not None:
            stage, turned = _in_order(stage, behind)
        signs = Signs.of(stage)
        products, noise = signs.products(grid, stage)
        signs = signs if turned is None else signs.turned(turned)
        if i + 1 == len(source.stages):
            output, scores = output_layer(stage, signs, grid, _answers(stage, products))
            break
        bits, mask = (signs.bits, signs.mask) if i else inputs.weights(signs)
        # Those of an image are bits of a thermometer, or numbers, whatever values these make.
        order = grid.order if i else inputs.order
        try:
            behind = None
            if stage.window is not None:
                moved = source.stages[i + 1].window is None
                behind = Behind.of(stage, products, _answers, moved)
            ask = partial(_answers, stage) if behind is None else behind.answers
            answers = ask(products)
            given = Grid.of(answers, f"What follows {stage.name}")
            levels = given.levels(answers)
            hidden.append(_folded(bits, levels, mask, order, given, behind))
        except UserError as cause:
            raise UserError(f"{stage.name} cannot be mapped: {cause}") from cause
        if _is_sign(answers):
            notes.append(
                f"{stage.name}: the sign behind it answers 0 to 0, which makes three values and a "
                "layer of order 2; half a step added before that sign makes it one bit."
            )
        loose = np.zeros(levels.shape, np.bool_)
        if noise.any():
            for near in (products - noise, products + noise):
                loose |= given.levels(ask(as_type(near, stage.dtype))) != levels
        layers.append(Folded(signs, grid, given, loose, behind))
        grid = given
    assert output is not None
    info = {"imported_from": source.kind}
    network = IntegerNetwork(tuple(hidden), output, name=name, info=info, **inputs.facts)
    return Imported(network, inputs, scores, tuple(layers), tuple(notes))


def _check_sizes(source: Source) -> None:
    """Raise UserError where a layer does not take what the one before it gives."""
    if not source.stages:
        raise UserError(f"The {source.kind} has no layer of weights.")
    first = source.stages[0]
    if first.window is None and first.weights.shape[1] != source.inputs:
        raise UserError(
            f"{first.name} has {first.weights.shape[1]} inputs, but the {source.kind} is given "
            f"{source.inputs}."
        )
    if source.stages[-1].window is not None:
        raise UserError(
            f"{source.stages[-1].name} cannot be mapped: it is the last layer, and a core's scores "
            "are those of a dense layer, or of a window as large as the map."
        )
    for before, after in pairwise(source.stages):
        if before.window is None and after.window is not None:
            raise UserError(
                f"{after.name} cannot be mapped: it is a convolution behind a dense layer."
            )
        if before.window is None and after.weights.shape[1] != len(before.weights):
            raise UserError(
                f"{after.name} has {after.weights.shape[1]} inputs, but {len(before.weights)} "
                "neurons are before it."
            )


def _in_order(stage: Stage, behind: Behind) -> tuple[Stage, np.ndarray]:
    """A layer behind a convolution, its inputs in the core's order, and bool (n,): which of these
    are opposite ones."""
    opposite = behind.opposite
    if stage.window is not None:
        return stage, np.tile(opposite, stage.window.kernel**2)
    if stage.weights.shape[1] != len(behind.order):
        raise UserError(
            f"{stage.name} has {stage.weights.shape[1]} inputs, but {len(behind.order)} values are "
            "before it."
        )
    weights = stage.weights[:, behind.order]
    return replace(stage, weights=weights), np.tile(opposite, behind.places)


def _folded(
    bits: np.ndarray,
    levels: np.ndarray,
    mask: np.ndarray | None,
    order: int,
    given: Grid,
    behind: Behind | None,
) -> Layer:
    """The integer layer of weights (m, n) and answers in levels (M + 1, m) by P."""
    if behind is None:
        return fold(bits, levels, mask, order, given.order)
    assert behind.stage.window is not None
    levels = np.where(behind.opposite, given.top - levels, levels).astype(np.uint8)
    # Of bits of the first map that never fire P has no more values, but M has.
    most = bits.shape[1] * factor(order, mask is not None)
    levels = np.pad(levels, ((0, most + 1 - len(levels)), (0, 0)), mode="edge")
    layer = fold(bits, levels, mask, order, given.order)
    return ConvLayer(**vars(layer), kernel=behind.stage.window.kernel, pool=behind.pool)


def _answers(stage: Stage, products: np.ndarray) -> np.ndarray:
    """What a layer answers to products (rows, any number); of a dense one as many."""
    answers = np.asarray(stage.respond(products))
    if stage.window is None and answers.shape != products.shape:
        raise UserError(
            f"What follows {stage.name} turns {products.shape[1]} products into an array of shape "
            f"{answers.shape[1:]}, not into one value each."
        )
    bad = ~np.isfinite(answers)
    if bad.any():
        which = "" if stage.window else f" for neuron {int(bad.any(axis=0).argmax())}"
        raise UserError(
            f"What follows {stage.name} gives values that are not finite{which}: look at its batch "
            "normalisation."
        )
    return answers


def _is_sign(answers: np.ndarray) -> bool:
    """Whether the answers (M + 1, m) to all products are -1 and 1, and 0 to one at most of each."""
    if set(np.unique(answers).tolist()) != {-1, 0, 1}:
        return False
    return bool(((answers == 0).sum(axis=0) <= 1).all())
