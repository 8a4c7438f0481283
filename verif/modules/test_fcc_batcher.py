# SPDX-License-Identifier: Apache-2.0
"""`fcc_batcher` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator

_TESTS = [
    *("full_batches", "partial_after_timeout", "long_timeouts", "stamps_of_any_time"),
    *("events_in_every_cycle", "lone_lane_never_waits", "disabling_flushes"),
    *("images_before_the_load", "random_arrivals", "reset_forgets"),
]

# An image a lane, whatever the marks say; one in two lanes with one plane and with two; one image a
# batch.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("lanes", "capacity", "order", "pairs", "planes"),
    [
        (1, 5, 1, False, False),
        (3, 37, 1, True, True),
        (6, 19, 2, False, False),
        (6, 19, 2, True, False),
        (6, 19, 2, True, True),
        (2, 5, 2, True, True),
    ],
)
def test_fcc_batcher(
    lanes: int, capacity: int, order: int, pairs: bool, planes: bool, tmp_path: Path
) -> None:
    """Full and partial batches, their ids and their stamps."""
    run(tmp_path, _TESTS, pairs, planes, LANES=lanes, CAPACITY=capacity, ORDER=order)


@pytest.mark.slow
@pytest.mark.parametrize("pairs", [False, True])
def test_most_lanes(pairs: bool, tmp_path: Path) -> None:
    """As many as there can be, of a bit or two each."""
    tests = ["full_batches", "random_arrivals", "lone_lane_never_waits"]
    run(tmp_path, tests, pairs, pairs, LANES=64, CAPACITY=1 + pairs, ORDER=1 + pairs)


def run(
    directory: Path, tests: list[str], pairs: bool, planes: bool, **parameters: int
) -> None:
    """Build the batcher, and run tests on it."""
    model = simulator.build("fcc_batcher", parameters)
    settings = {"parameters": parameters, "pairs": pairs, "planes": planes}
    model.run("modules.fcc_batcher_tests", directory, tests, settings)
