# SPDX-License-Identifier: Apache-2.0
"""`fcc_learner` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator

_NAMES = ("LANES", "PE", "SIMD", "RING", "CLASSES", "SCORE_BITS", "MAX_WIDTH", "MAX_LAYERS",
          "MAX_CLASSES", "WEIGHT_DEPTH")  # fmt: skip


# Several groups, lanes and words; the smallest; chunks that are whole synapses; more PEs than
# classes; as many classes as there can be; as many lanes, and the widest scores.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    "sizes",
    [
        (3, 3, 7, 4, 10, 12, 25, 3, 12, 100),
        (1, 1, 1, 1, 1, 3, 1, 1, 1, 2),
        (4, 32, 64, 2, 4, 10, 128, 2, 4, 50),
        (2, 69, 5, 3, 32, 14, 15, 16, 40, 300),
        (64, 5, 4, 3, 3, 32, 12, 2, 32, 64),
    ],
)
def test_fcc_learner(sizes: tuple[int, ...], tmp_path: Path) -> None:
    """Batches, holds, latents, weight words, resets, refusals."""
    parameters = dict(zip(_NAMES, sizes, strict=True))
    model = simulator.build("fcc_learner", parameters)
    settings = {"parameters": parameters}
    model.run("modules.fcc_learner_tests", tmp_path, settings=settings)
