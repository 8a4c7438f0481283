# SPDX-License-Identifier: Apache-2.0
"""`fcc_image_sink` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator


# A capacity that ends in mid-granule, one below a beat, beats of one byte and the widest ones,
# capacities of whole beats and of a bit; the same with second planes.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("width", "capacity", "order"),
    [
        *((8, 77, 1), (16, 99, 1), (64, 205, 1), (128, 13, 1), (512, 1024, 1), (256, 515, 1)),
        *((8, 77, 2), (64, 205, 2), (128, 13, 2), (512, 1025, 2), (32, 64, 1), (8, 1, 1)),
    ],
)
def test_fcc_image_sink(width: int, capacity: int, order: int, tmp_path: Path) -> None:
    """Good, malformed, interrupted and waiting packets."""
    parameters = {"WIDTH": width, "CAPACITY": capacity, "ORDER": order}
    model = simulator.build("fcc_image_sink", parameters)
    model.run("modules.fcc_image_sink_tests", tmp_path, settings={"order": order})


@pytest.mark.slow
def test_an_image_of_many_beats(tmp_path: Path) -> None:
    """More than 12 bits count."""
    # The ports alone: a compiler takes long for what can be read of 4,200 granules.
    ports = ("clk", "reset", "enable", "restart", "inputs", "pixel_*", "asi_*", "staged_*",
             "dropped", "error_*")  # fmt: skip
    parameters = {"WIDTH": 8, "CAPACITY": 4200, "ORDER": 1}
    model = simulator.build("fcc_image_sink", parameters, nets=ports)
    tests = "disabled_with_an_image_staged"
    model.run("modules.fcc_image_sink_tests", tmp_path, tests, {"order": 1})
