# SPDX-License-Identifier: Apache-2.0
"""`fcc_result_source` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator


# Several groups of classes and several lanes; one group and the widest scores; no number left over
# for a group; two lanes an image, several images and one.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("lanes", "pe", "max_classes", "score_bits", "group_bits", "pairs"),
    [
        (3, 4, 10, 9, 4, False),
        (1, 5, 3, 32, 4, False),
        (2, 4, 8, 10, 1, False),
        (6, 4, 10, 9, 4, True),
        (2, 5, 3, 11, 4, True),
        (8, 3, 1, 3, 1, False),
    ],
)
def test_fcc_result_source(
    lanes: int,
    pe: int,
    max_classes: int,
    score_bits: int,
    group_bits: int,
    pairs: bool,
    tmp_path: Path,
) -> None:
    """Packets, backpressure, latency, reset."""
    parameters = {
        "LANES": lanes,
        "PE": pe,
        "MAX_CLASSES": max_classes,
        "SCORE_BITS": score_bits,
        "GROUP_BITS": group_bits,
    }
    model = simulator.build("fcc_result_source", parameters)
    settings = {"parameters": parameters, "pairs": pairs}
    model.run("modules.fcc_result_source_tests", tmp_path, settings=settings)


# More classes than a byte counts; as many lanes as there can be, alone and in pairs.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("lanes", "classes", "pairs"), [(1, 520, False), (64, 2, False), (64, 2, True)]
)
def test_most_classes_and_lanes(lanes: int, classes: int, pairs: bool, tmp_path: Path) -> None:
    """Whole batches of these."""
    parameters = {"LANES": lanes, "PE": 7, "MAX_CLASSES": classes, "SCORE_BITS": 20,
                  "GROUP_BITS": 7}  # fmt: skip
    model = simulator.build("fcc_result_source", parameters)
    tests = ["last_beat_waits", "more_groups_than_classes"]
    settings = {"parameters": parameters, "pairs": pairs}
    model.run("modules.fcc_result_source_tests", tmp_path, tests, settings)
