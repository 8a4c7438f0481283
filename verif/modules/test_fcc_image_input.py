# SPDX-License-Identifier: Apache-2.0
"""`fcc_image_input` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator


# Labels beside pixels or alone, as the image's bytes have it; always alone; a beat an image; a core
# without labels.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("width", "lanes", "capacity", "learn"),
    [(32, 3, 75, 1), (8, 1, 37, 1), (64, 4, 45, 1), (32, 3, 64, 0)],
)
def test_fcc_image_input(width: int, lanes: int, capacity: int, learn: int, tmp_path: Path) -> None:
    """Images, their numbers, their labels, stops."""
    parameters = {"WIDTH": width, "LANES": lanes, "CAPACITY": capacity, "ORDER": 1, "LEARN": learn}
    model = simulator.build("fcc_image_input", parameters)
    settings = {"parameters": parameters}
    model.run("modules.fcc_image_input_tests", tmp_path, settings=settings)
