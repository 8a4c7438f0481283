# SPDX-License-Identifier: Apache-2.0
"""The cycles of a core whose weights are streamed (WEIGHT_STREAM), which steps wait for.

They follow from the cycles in which words arrive: a word of `beats` beats has arrived `beats`
cycles after the one before it was passed on, is passed on when the word in front of it is taken,
and can be taken one cycle later; see fcc_weight_stream.v.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .shape import Shape, ceil_div

if TYPE_CHECKING:
    from .geometry import Geometry


def cycles(g: Geometry, shape: Shape) -> int:
    """Cycles of one pass after the other with weights streamed without a pause."""
    arrived = taken = between = 0
    ahead = -1
    while ahead != taken - arrived:
        start, ahead = taken, taken - arrived
        arrived, taken = _pass(g, shape, arrived, taken, taken + 1)
        between = taken - start
    return between


def lone_pass(g: Geometry, shape: Shape) -> int:
    """Cycles of a pass whose first words have been waiting for it."""
    long_ago = -(g.pe * g.simd)
    return _pass(g, shape, long_ago, long_ago, 1)[1]


def period(g: Geometry, shape: Shape, load_cycles: int) -> int:
    """Cycles from batch to batch when images always wait: until what waits for what repeats."""
    arrived = taken = load = output = 0
    before = None
    while True:
        arrived, taken = _pass(g, shape, arrived, taken, load + 1, output)
        # The results have been sent, the output layer is loaded, and steps.
        output = taken + g.results_cycles(shape) + 1
        load, last_load = max(taken, load + load_cycles), load
        state = (taken - arrived, load - taken)
        if state == before:
            return load - last_load
        before = state


def _pass(
    g: Geometry, shape: Shape, arrived: int, taken: int, start: int, output: int = 0
) -> tuple[int, int]:
    """Cycles in which the last word of a pass is passed on behind the arriving one, and taken.

    `arrived` and `taken`: the same of the word before the pass; `start` and `output`: the first
    cycles in which the sequencer may step, and step in the output layer.
    """
    beats = ceil_div(g.pe * g.simd, g.weight_stream)
    steps_before = 0
    layers = shape.layers
    for layer, (n, m, rounds) in enumerate(layers):
        words = g.words(n)
        free = taken + 1 + g.gap(steps_before, words) if layer else start
        if layer == len(layers) - 1:
            free = max(free, output)
        free += g.wind(n)
        for _ in range(words * rounds * g.groups(m)):
            arrived = max(arrived + beats, taken)
            taken = max(arrived + 1, free)
            free = taken + 1
        steps_before = words * rounds
    return arrived, taken
