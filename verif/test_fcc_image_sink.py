# SPDX-License-Identifier: Apache-2.0
"""`fcc_image_sink` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

import simulator


# A capacity that ends in mid-granule, one below a beat, and beats of one byte.
@pytest.mark.parametrize(("width", "capacity"), [(8, 77), (16, 99), (64, 205), (128, 13)])
def test_fcc_image_sink(width: int, capacity: int, tmp_path: Path) -> None:
    """Good, malformed, interrupted and waiting packets."""
    model = simulator.build("fcc_image_sink", {"WIDTH": width, "CAPACITY": capacity})
    model.run("fcc_image_sink_tests", tmp_path, settings={"long": width == 64})
