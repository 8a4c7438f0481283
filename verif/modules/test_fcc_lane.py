# SPDX-License-Identifier: Apache-2.0
"""`fcc_lane` alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from xnor_fcc.geometry import Geometry
from xnor_fcc_sim import simulator


# Groups that do not reach the ring's end, and a hidden layer below the taps; groups that reach
# beyond it, as many taps as words; one tap and layers that start while the one before is being
# finished, all of them without a gap; groups that share words, layers that overlap in part. Some of
# these with bits that are decided outside.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("pe", "simd", "taps", "widths", "order"),
    [
        (3, 4, 3, (17, 7, 13, 11, 4), 1),
        (8, 3, 6, (11, 17, 5, 10), 1),
        (4, 4, 1, (30, 41, 38, 27, 3), 1),
        (3, 5, 2, (9, 37, 44, 21, 4), 1),
        (8, 3, 6, (11, 17, 5, 10), 2),
        (4, 4, 1, (42, 51, 38, 27, 3), 2),
    ],
)
def test_fcc_lane(
    pe: int, simd: int, taps: int, widths: tuple[int, ...], order: int, tmp_path: Path
) -> None:
    """Networks of several layers, gaps, resets."""
    base = asdict(Geometry.for_widths(widths, pe=pe, simd=simd, lanes=2))
    geometry = Geometry(**{**base, "taps": taps, "order": order})
    model = simulator.build("fcc_lane", geometry.lane_parameters())
    settings = {"geometry": asdict(geometry), "widths": list(widths)}
    model.run("modules.fcc_lane_tests", tmp_path, settings=settings)
