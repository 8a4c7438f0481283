# SPDX-License-Identifier: Apache-2.0
"""`fcc_image_sink` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator


# A capacity that ends in mid-granule, one below a beat, and beats of one byte; the same with second
# planes.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("width", "capacity", "order"),
    [(8, 77, 1), (16, 99, 1), (64, 205, 1), (128, 13, 1), (8, 77, 2), (64, 205, 2), (128, 13, 2)],
)
def test_fcc_image_sink(width: int, capacity: int, order: int, tmp_path: Path) -> None:
    """Good, malformed, interrupted and waiting packets."""
    parameters = {"WIDTH": width, "CAPACITY": capacity, "ORDER": order}
    model = simulator.build("fcc_image_sink", parameters)
    settings = {"long": width == 64 and order == 1, "order": order}
    model.run("modules.fcc_image_sink_tests", tmp_path, settings=settings)
