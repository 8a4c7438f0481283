# SPDX-License-Identifier: Apache-2.0
"""`fcc_sequencer` alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

import simulator
from xnor_fcc.geometry import DRAIN, Geometry


# Fewer taps than the ring; as many taps as words, with the shortest drain.
@pytest.mark.parametrize(
    ("pe", "simd", "max_width", "max_layers", "drain"), [(5, 3, 24, 5, DRAIN), (7, 2, 13, 3, 1)]
)
def test_fcc_sequencer(
    pe: int, simd: int, max_width: int, max_layers: int, drain: int, tmp_path: Path
) -> None:
    """Control words of lone, chained, stalled and interrupted passes."""
    ring, groups = -(-max_width // simd), -(-max_width // pe)
    geometry = Geometry(
        pe=pe,
        simd=simd,
        max_width=max_width,
        taps=min(pe, ring),
        max_layers=max_layers,
        max_classes=1,
        weight_depth=max_layers * ring * groups,
        threshold_depth=max_layers * groups,
    )
    parameters = {
        "RING": geometry.ring,
        "TAPS": geometry.taps,
        "MAX_LAYERS": max_layers,
        "GROUPS": groups,
        "WEIGHT_DEPTH": geometry.weight_depth,
        "THRESHOLD_DEPTH": geometry.threshold_depth,
        "DRAIN": drain,
    }
    model = simulator.build("fcc_sequencer", parameters)
    model.run(
        "fcc_sequencer_tests", tmp_path, settings={"geometry": asdict(geometry), "drain": drain}
    )
