# SPDX-License-Identifier: Apache-2.0
"""The whole core for convolutions on geometries that hurt, random networks on each."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.corners import MAP_CORNERS, run_map_preset, run_maps


@pytest.mark.parametrize(
    "name", ["odd", *(pytest.param(n, marks=pytest.mark.slow) for n in MAP_CORNERS if n != "odd")]
)
def test_corner_of_convolutions(name: str) -> None:
    run_maps(name, seed=1)


@pytest.mark.slow
@pytest.mark.needs("iverilog")
def test_convolutions_in_four_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """Icarus starts from X, where Verilator starts from random values. It is slow with long words:
    PEs, words and layers have half the size here."""
    monkeypatch.setenv("SIM", "icarus")
    run_maps("slot-of-a-group", seed=2, pe=4, simd=12, max_width=200, pixel_channels=1)


@pytest.mark.slow
def test_preset_memory_images_of_convolutions(tmp_path: Path) -> None:
    run_map_preset(tmp_path)
