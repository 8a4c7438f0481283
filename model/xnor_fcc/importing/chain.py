# SPDX-License-Identifier: Apache-2.0
"""What every import ends in: a chain of layers, folded into integers.

A source of any kind is brought into one form: what prepares the inputs, and then layers that are a
matrix of weights and a function of the product (`Stage`).  That function is the source's own code:
bias, batch normalisation and quantiser as the source computes them, in its own precision.  It is
asked for every product there is, one for each P of 0 to M (see `integer`), and the answers are
folded as in `export`.  No threshold is rederived by a formula, so none can round differently.

`stage` has the values and products of a layer, `pixels` those of the inputs, `scores` the output
layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from ..folding import fold
from ..integer import IntegerNetwork, Layer
from .pixels import Inputs
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


@dataclass(frozen=True)
class Imported:
    """A folded network, with what `comparison` needs."""

    network: IntegerNetwork
    inputs: Inputs
    scores: Scores
    hidden: tuple[Folded, ...]
    notes: tuple[str, ...]


def integers(
    source: Source,
    inputs: Inputs,
    name: str = "unnamed",
    progress: Progress = lambda stages: stages,
) -> Imported:
    """Fold a source; UserError names the layer that cannot be mapped, and why."""
    grid = inputs.grid
    layers: list[Folded] = []
    notes: list[str] = []
    hidden: list[Layer] = []
    output = None
    if inputs.residual is not None and inputs.residual[0] == 0:
        lower, upper = inputs.threshold, inputs.residual[1]
        if upper - lower == 1:
            notes.append(
                f"The input quantiser is a sign that answers 0 to the shade {lower} alone, which "
                "makes three values and inputs of order 2; half a shade added before that sign "
                "makes them one bit."
            )
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
        products, noise = signs.products(grid, stage)
        answers = _answers(stage, products)
        if stage is source.stages[-1]:
            output, scores = output_layer(stage, signs, grid, answers)
            break
        try:
            given = Grid.of(answers, f"What follows {stage.name}")
            levels = given.levels(answers)
            hidden.append(fold(signs.bits, levels, signs.mask, grid.order, given.order))
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
                loose |= given.levels(_answers(stage, as_type(near, stage.dtype))) != levels
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
    return Imported(network, inputs, scores, tuple(layers), tuple(notes))


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


def _is_sign(answers: np.ndarray) -> bool:
    """Whether the answers (M + 1, m) to all products are -1 and 1, and 0 to one at most of each."""
    if set(np.unique(answers).tolist()) != {-1, 0, 1}:
        return False
    return bool(((answers == 0).sum(axis=0) <= 1).all())
