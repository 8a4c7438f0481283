# SPDX-License-Identifier: Apache-2.0
"""`fcc_result_source` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

import simulator


# Several groups of classes and several lanes; one group and the widest scores; no number left over
# for a group.
@pytest.mark.parametrize(
    ("lanes", "pe", "max_classes", "score_bits", "group_bits"),
    [(3, 4, 10, 9, 4), (1, 5, 3, 32, 4), (2, 4, 8, 10, 1)],
)
def test_fcc_result_source(
    lanes: int, pe: int, max_classes: int, score_bits: int, group_bits: int, tmp_path: Path
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
    model.run("fcc_result_source_tests", tmp_path, settings={"parameters": parameters})
