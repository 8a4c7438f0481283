# SPDX-License-Identifier: Apache-2.0
"""`fcc_pixel_sink` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc.map_plan import image_area
from xnor_fcc_sim import simulator


# Beats of a pixel and two symbols more; the narrowest beat, one bit a pixel, and the largest image;
# as many bits as a pixel may have; beats of just a pixel; the widest beat; numbers.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("width", "channels", "levels", "sides"),
    [
        (32, 2, 2, [3, 4, 5, 8, 9, 17]),
        (8, 1, 1, [3, 5, 4, 127, 66]),
        (64, 4, 64, [3, 4, 6]),
        (32, 4, 3, [4, 7, 16]),
        (512, 3, 7, [5, 6, 12]),
        (32, 3, 0, [3, 5, 8]),
        (8, 1, 0, [4, 5]),
    ],
)
def test_fcc_pixel_sink(
    width: int, channels: int, levels: int, sides: list[int], tmp_path: Path
) -> None:
    """Good, malformed, interrupted and waiting packets."""
    depth = max(image_area(side).words for side in sides)
    parameters = {"WIDTH": width, "CHANNELS": channels, "LEVELS": levels, "DEPTH": depth}
    model = simulator.build("fcc_pixel_sink", parameters)
    settings = {
        "channels": channels,
        "levels": levels,
        "sides": sides,
        "depth": depth,
        "long": width == 64,
    }
    model.run("modules.fcc_pixel_sink_tests", tmp_path, settings=settings)
