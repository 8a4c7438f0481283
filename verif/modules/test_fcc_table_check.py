# SPDX-License-Identifier: Apache-2.0
"""`fcc_table_check` alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from xnor_fcc.geometry import Geometry
from xnor_fcc_sim import simulator


# Memories too small for the largest table; a PE larger than a word, and the other way round; kinds
# of layers.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("pe", "simd", "order", "ternary"),
    [(3, 5, 1, 0), (11, 2, 1, 0), (3, 5, 2, 1), (11, 2, 2, 0), (11, 2, 1, 1)],
)
def test_fcc_table_check(pe: int, simd: int, order: int, ternary: int, tmp_path: Path) -> None:
    """Accepted and refused tables."""
    geometry = Geometry(
        pe=pe,
        simd=simd,
        lanes=2,
        max_width=29,
        max_layers=5,
        max_classes=7,
        weight_depth=71,
        threshold_depth=23 if pe == 3 else 9,
        order=order,
        ternary=ternary,
    )
    parameters = {
        "PE": pe,
        "SIMD": simd,
        "RING": geometry.ring,
        "GROUPS": geometry.groups(geometry.max_width),
        **{
            name: geometry.parameters()[name]
            for name in ("MAX_WIDTH", "MAX_LAYERS", "MAX_CLASSES", "WEIGHT_DEPTH")
        },
        "THRESHOLD_DEPTH": geometry.threshold_depth,
        "ORDER": order,
        "TERNARY": ternary,
    }
    model = simulator.build("fcc_table_check", parameters)
    model.run("modules.fcc_table_check_tests", tmp_path, settings={"geometry": asdict(geometry)})
