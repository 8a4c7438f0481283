# SPDX-License-Identifier: Apache-2.0
"""The whole core while it learns, on geometries whose ends meet."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from core.corners import LEARN_CORNERS, LEARN_TESTS
from xnor_fcc.geometry import Geometry
from xnor_fcc_sim import simulator


@pytest.mark.parametrize(
    "name", ["odd", *(pytest.param(n, marks=pytest.mark.slow) for n in LEARN_CORNERS if n != "odd")]
)
def test_learning(name: str, tmp_path: Path) -> None:
    """Every score, latent and sign, and every cycle."""
    geometry = Geometry(**LEARN_CORNERS[name])
    model = simulator.build("xnor_fcc", geometry.parameters())
    settings = {"geometry": asdict(geometry), "seed": 5}
    model.run("core.learn_tests", tmp_path, LEARN_TESTS, settings)
