# SPDX-License-Identifier: Apache-2.0
"""`fcc_learn_moves` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator


# Several lanes and classes, and scores of as many bits as a margin with its sign; the smallest,
# whose scores are below most margins; as many lanes as there can be, and more classes than a byte
# counts; as many classes, and the widest scores.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("lanes", "classes", "most", "bits"),
    [(3, 10, 12, 9), (1, 1, 1, 3), (64, 5, 520, 10), (4, 32, 32, 32)],
)
def test_fcc_learn_moves(lanes: int, classes: int, most: int, bits: int, tmp_path: Path) -> None:
    """What moves, where to, and what is told of it."""
    parameters = {"LANES": lanes, "CLASSES": classes, "MAX_CLASSES": most, "SCORE_BITS": bits}
    model = simulator.build("fcc_learn_moves", parameters)
    settings = {"parameters": parameters}
    model.run("modules.fcc_learn_moves_tests", tmp_path, settings=settings)
