# SPDX-License-Identifier: Apache-2.0
"""`fcc_lanes` alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from xnor_fcc.geometry import Geometry
from xnor_fcc_sim import simulator


# The smallest one; hidden layers below the taps, an odd number of lanes; as many lanes as a core
# may have; the smallest pair; layers that start while the one before is being finished; more PEs
# than share a copy of the controls of a pair, and more than synapses, in two pairs.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("pe", "simd", "taps", "lanes", "widths", "orders"),
    [
        (1, 1, 1, 1, (1, 1), None),
        (3, 4, 3, 3, (17, 7, 13, 11, 4), None),
        (1, 2, 1, 64, (3, 2), None),
        (1, 1, 1, 2, (1, 1), (2,)),
        (4, 4, 1, 2, (18, 41, 27, 3), (2, 1, 2)),
        (18, 5, 2, 4, (9, 21, 19), (1, 2)),
    ],
)
def test_fcc_lanes(
    pe: int,
    simd: int,
    taps: int,
    lanes: int,
    widths: tuple[int, ...],
    orders: tuple[int, ...] | None,
    tmp_path: Path,
) -> None:
    """Networks of several layers in all lanes: delays, hidden bits, scores, pairs, resets."""
    base = asdict(Geometry.for_widths(widths, pe=pe, simd=simd, lanes=lanes))
    geometry = Geometry(**{**base, "taps": taps, "order": 2 if orders else 1})
    parameters = {**geometry.lane_parameters(), "LANES": lanes, "DRAIN": geometry.drain}
    model = simulator.build("fcc_lanes", parameters, visible=["fcc_lane.hidden"])
    settings = {"geometry": asdict(geometry), "widths": widths, "orders": orders}
    model.run("modules.fcc_lanes_tests", tmp_path, settings=settings)
