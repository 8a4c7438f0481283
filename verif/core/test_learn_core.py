# SPDX-License-Identifier: Apache-2.0
"""The whole core while it learns, on geometries whose ends meet."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from xnor_fcc.geometry import Geometry
from xnor_fcc_sim import simulator

TESTS = [
    "learns_bit_by_bit",
    "refuses_what_it_cannot_learn",
    "labels_that_are_missing",
    "reset_and_stop_in_a_walk",
]

# Classes in several groups, a chunk of PEs of no power of two; the label alone in a beat; a PE
# for every bit of a chunk, and for more; one of everything; as many classes as can learn.
GEOMETRIES = {
    "odd": dict(pe=3, simd=5, lanes=3, max_width=37, weight_depth=300, threshold_depth=60,
                max_classes=9, image_width=8, learn=7),
    "chunk": dict(pe=32, simd=8, lanes=4, max_width=48, weight_depth=60, threshold_depth=12,
                  max_classes=16, image_width=64, learn=10),
    "wide": dict(pe=37, simd=40, lanes=2, max_width=90, weight_depth=60, threshold_depth=12,
                 max_classes=32, image_width=32, learn=32),
    "one": dict(pe=1, simd=1, lanes=1, max_width=9, weight_depth=300, threshold_depth=60,
                max_classes=4, image_width=16, learn=4),
    "least": dict(pe=2, simd=3, lanes=1, max_width=6, max_layers=1, max_classes=1, weight_depth=6,
                  threshold_depth=4, image_width=512, learn=1),
    "many": dict(pe=5, simd=7, lanes=64, max_width=30, weight_depth=150, threshold_depth=30,
                 max_classes=6, image_width=128, learn=6),
}  # fmt: skip


@pytest.mark.parametrize(
    "name", ["odd", *(pytest.param(n, marks=pytest.mark.slow) for n in GEOMETRIES if n != "odd")]
)
def test_learning(name: str, tmp_path: Path) -> None:
    """Every score, latent and sign, and every cycle."""
    geometry = Geometry(**GEOMETRIES[name])
    model = simulator.build("xnor_fcc", geometry.parameters())
    settings = {"geometry": asdict(geometry), "seed": 5}
    model.run("core.learn_tests", tmp_path, TESTS, settings)
