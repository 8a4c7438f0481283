# SPDX-License-Identifier: Apache-2.0
"""`fcc_core`, as `xnor_fcc` wraps it, in the moments that random traffic seldom meets."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

import simulator
from xnor_fcc.geometry import Geometry


@pytest.mark.parametrize("weight_stream", [0, 8])
def test_fcc_core(weight_stream: int, tmp_path: Path) -> None:
    """Resets in every cycle."""
    geometry = Geometry(
        pe=3,
        simd=5,
        lanes=2,
        max_width=23,
        max_layers=4,
        max_classes=5,
        weight_depth=48,
        bank_depth=20,
        threshold_depth=12,
        image_width=8,
        weight_stream=weight_stream,
    )
    model = simulator.build("xnor_fcc", geometry.parameters())
    model.run("fcc_core_tests", tmp_path, settings={"geometry": asdict(geometry), "seed": 1})
