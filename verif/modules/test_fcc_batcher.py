# SPDX-License-Identifier: Apache-2.0
"""`fcc_batcher` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator


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
    parameters = {"LANES": lanes, "CAPACITY": capacity, "ORDER": order}
    model = simulator.build("fcc_batcher", parameters)
    settings = {"parameters": parameters, "pairs": pairs, "planes": planes}
    model.run("modules.fcc_batcher_tests", tmp_path, settings=settings)
