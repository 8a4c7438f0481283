# SPDX-License-Identifier: Apache-2.0
"""Cycles that learning takes (fcc_learner.v), exactly; tests hold the hardware to it.

A batch that learns is alone in the core: the next one waits until its results have left and what
they move is written.

    chunks  = ceil(PE * SIMD / 32)
    word    = chunks + 1                                  where PE >= 32
              SIMD + chunks - floor(PE * (SIMD - 1) / 32)     where PE < 32
    walk    = groups * (words * word + 10)                of the output layer
    period  = pass + LANES * (classes + 1) + 11           from a batch to the next where none moves
              period + walk                               where anything of the batch moves

The period is that of batches which wait at the door, with results that are taken at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from .geometry import Geometry
from .shape import Shape, ceil_div

# Bits of a chunk of a weight word.
_CHUNK = 32
# Cycles from the last chunk of a group until it stands in memory (SETTLE in fcc_learn_walk.v).
_SETTLE = 10
# Cycles of a batch outside of its pass, of its results, and of its walk.
_OVERHEAD = 11


def walk_cycles(geometry: Geometry, shape: Shape | Sequence[int]) -> int:
    """Cycles of a walk through the latents of the output layer of a network of `shape`."""
    *_, inputs, classes = Shape.of(shape).widths
    pe, simd = geometry.pe, geometry.simd
    chunks = ceil_div(pe * simd, _CHUNK)
    word = chunks + 1 if pe >= _CHUNK else simd + chunks - pe * (simd - 1) // _CHUNK
    return geometry.groups(classes) * (geometry.words(inputs) * word + _SETTLE)


def learning_period(geometry: Geometry, shape: Shape | Sequence[int], moved: bool) -> int:
    """Cycles from the results of a full batch to those of the next one, always fed, where the first
    one has moved anything or not."""
    shape = Shape.of(shape)
    results = geometry.lanes * (shape.widths[-1] + 1)
    walk = walk_cycles(geometry, shape) if moved else 0
    return geometry.pass_cycles(shape) + results + _OVERHEAD + walk
