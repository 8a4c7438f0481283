# SPDX-License-Identifier: Apache-2.0
"""`fcc_batcher` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

import simulator


@pytest.mark.parametrize(("lanes", "capacity"), [(1, 5), (3, 37)])
def test_fcc_batcher(lanes: int, capacity: int, tmp_path: Path) -> None:
    """Full and partial batches, their ids and their stamps."""
    parameters = {"LANES": lanes, "CAPACITY": capacity}
    model = simulator.build("fcc_batcher", parameters)
    model.run("fcc_batcher_tests", tmp_path, settings={"parameters": parameters})
