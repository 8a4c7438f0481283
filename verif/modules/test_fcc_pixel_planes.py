# SPDX-License-Identifier: Apache-2.0
"""`fcc_pixel_planes` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator


# The smallest slot, full; the largest pixel in a slot with room.
@pytest.mark.one_quick
@pytest.mark.parametrize(("numbers", "slot"), [(3, 3), (12, 64)])
def test_fcc_pixel_planes(numbers: int, slot: int, tmp_path: Path) -> None:
    """Every plane."""
    model = simulator.build("fcc_pixel_planes", {"NUMBERS": numbers, "SLOT": slot})
    settings = {"numbers": numbers, "slot": slot}
    model.run("modules.fcc_pixel_planes_tests", tmp_path, settings=settings)
