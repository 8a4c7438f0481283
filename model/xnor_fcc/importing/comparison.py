# SPDX-License-Identifier: Apache-2.0
"""An imported network against its source: both run on the same images, every bit compared."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..integer import Layer
from ..layers import ConvLayer
from ..maps import pooled, windows
from ..reference import activations, counted, evaluate
from .chain import Folded, Imported
from .pixels import Entrance
from .stage import Source

# Images of which windows are laid out at a time.
_BLOCK = 16


def compare(imported: Imported, source: Source, grey: np.ndarray) -> dict[str, Any]:
    """Run source and integer network on grey uint8 (N, ...): counts of what differs.

    `hidden_bits`: compared; `differing_bits`: of these, with each layer on what the layers before
    gave; `undecided_bits`: that differ where rounding in the source decides, with each layer on
    what the source gave, as in `wrong_bits`: those that differ anywhere else.  `differing_scores`
    is None where biases had to be rounded.  `near_ties`: classes that differ by rounding alone.
    `wrong_scores`, `wrong_classes`: of images whose hidden bits agree, those left unexplained.
    """
    network, scores = imported.network, imported.scores
    given = network.inputs_from(grey)
    *outputs, answers = source.run(imported.inputs.given(grey))
    mine = evaluate(network, given)
    clean = np.ones(len(grey), np.bool_)
    counts = {"hidden_bits": 0, "differing_bits": 0, "undecided_bits": 0, "wrong_bits": 0}
    first = None
    taken, levels = given, imported.inputs.levels(grey)
    for i, (layer, theirs) in enumerate(zip(imported.hidden, outputs, strict=True)):
        before, (levels, strange) = levels, layer.levels(theirs)
        there = (mine.hidden[i].reshape(levels.shape) ^ levels) | strange
        counts["hidden_bits"] += levels.size * layer.given.order
        counts["differing_bits"] += _ones(there)
        clean &= ~there.any(axis=1)
        # The same layer alone, on the source's own activations.
        hardware = network.hidden[i]
        assert isinstance(hardware, Layer)
        answered, loose = _alone(hardware, layer, taken, before)
        alone = (answered ^ levels) | strange
        counts["undecided_bits"] += _ones(np.where(loose, alone, 0))
        wrong = np.where(loose, 0, alone)
        counts["wrong_bits"] += _ones(wrong)
        if first is None and wrong.any():
            image, neuron = (int(place[0]) for place in np.nonzero(wrong))
            first = {"image": image, "layer": i, "neuron": neuron}
        taken = levels
    theirs = answers.astype(np.float64)
    values = theirs / scores.scale - scores.offset
    # Scores of a type coarser than float32 may be further off.
    near = scores.rounding + max(0.25, scores.noise / scores.scale)
    wrong_values = ~(np.abs(values - mine.scores).max(axis=1) <= near)
    classes = theirs.argmax(axis=1)
    other = classes != mine.classes
    rows = np.arange(len(grey))
    margin = theirs[rows, classes] - theirs[rows, mine.classes]
    tie = margin <= 2 * (scores.rounding * scores.scale + scores.noise)
    return {
        "images": len(grey),
        **counts,
        "differing_scores": (
            int((np.rint(values) != mine.scores).sum()) if scores.exact else None
        ),
        "wrong_scores": int((wrong_values & clean).sum()),
        "differing_classes": int(other.sum()),
        "near_ties": int((other & tie & clean).sum()),
        "wrong_classes": int((other & ~tie & clean).sum()),
        "bias_rounding": 0.0 if scores.exact else scores.rounding,
        "first_wrong": first,
    }


def _alone(
    hardware: Layer, layer: Folded, taken: np.ndarray, levels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What a layer answers to activations (N, ...), levels uint8 (N, K), and where rounding in the
    source decides; `levels` are the activations as the source has them."""
    answers: list[np.ndarray] = []
    loose: list[np.ndarray] = []
    for first in range(0, len(taken), _BLOCK):
        these, those = taken[first : first + _BLOCK], levels[first : first + _BLOCK]
        pool = isinstance(hardware, ConvLayer) and hardware.pool
        if isinstance(hardware, ConvLayer):
            side = math.isqrt(these[0].size // hardware.channels)
            these = these.reshape(len(these), side, side, -1)
            those = windows(those.reshape(len(these), side, side, -1), hardware.kernel)
        answered = activations(hardware, counted(hardware, these))
        undecided = np.zeros(answered.shape, np.bool_)
        if layer.loose.any():
            popcounts = layer.signs.popcounts(those.reshape(-1, those.shape[-1]), layer.taken)
            undecided = np.take_along_axis(layer.loose, popcounts, axis=0).reshape(answered.shape)
        for found, each in ((answers, answered), (loose, undecided)):
            found.append((pooled(each) if pool else each).reshape(len(each), -1))
    return np.concatenate(answers), np.concatenate(loose)


def random_images(inputs: Entrance, count: int, seed: int) -> np.ndarray:
    """Grey images uint8 (count, ...): dark ones, bright ones, and pixels next to thresholds."""
    rng = np.random.default_rng(seed)
    shape = (count, *inputs.shape)
    share = rng.random((count, *[1] * len(inputs.shape)))
    grey = np.where(rng.random(shape) < share, rng.integers(128, 256, shape),
                    rng.integers(0, 128, shape))  # fmt: skip
    near = rng.choice(inputs.limits, shape) - rng.integers(0, 2, shape)
    grey = np.where(rng.random(shape) < 0.2, near, grey)
    return grey.clip(0, 255).astype(np.uint8)


def _ones(levels: np.ndarray) -> int:
    """How many bits of levels 0 to 3 are 1."""
    return int((levels & 1).sum() + (levels >> 1).sum())
