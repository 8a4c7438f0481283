# SPDX-License-Identifier: Apache-2.0
"""`fcc_threshold_source` alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xnor_fcc_sim import simulator

_PRESET = "preset"
_TESTS = ["every_word", "loads_again_and_again", "any_steps"]


# The smallest one; many words; scores as wide as they can be; the same with margins.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("pe", "bits", "depth", "order"),
    [(1, 3, 2, 1), (3, 9, 300, 1), (2, 32, 5, 1), (1, 3, 2, 2), (5, 7, 11, 2), (2, 32, 3, 2)],
)
def test_fcc_threshold_source(pe: int, bits: int, depth: int, order: int, tmp_path: Path) -> None:
    """Loading, refused chunks, restarts, resets; numbers when they are due."""
    parameters = {"PE": pe, "SCORE_BITS": bits, "DEPTH": depth, "ORDER": order}
    model = simulator.build("fcc_threshold_source", parameters)
    settings = {"parameters": parameters, "preset": None}
    model.run("modules.fcc_threshold_source_tests", tmp_path, _TESTS, settings)


@pytest.mark.slow
@pytest.mark.parametrize("order", [1, 2])
def test_contents_at_power_up(order: int, tmp_path: Path) -> None:
    """Offsets and margins have a file each, and their words count as loaded."""
    pe, bits, depth = 3, 8, 7
    parameters = {"PE": pe, "SCORE_BITS": bits, "DEPTH": depth, "ORDER": order}
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 1 << bits, (depth, pe * (3 if order == 2 else 1)))
    rows[:, pe:] >>= 1  # a margin has a bit less
    files = (("thresholds", bits, rows[:, :pe]), ("margins", bits - 1, rows[:, pe:]))
    for name, width, part in files:
        words = [sum(int(x) << i * width for i, x in enumerate(row)) for row in part]
        # The simulation runs in tmp_path, where it finds the files.
        lines = "".join(f"{word:x}\n" for word in words)
        (tmp_path / f"{_PRESET}_{name}_000.hex").write_text(lines)
    model = simulator.build("fcc_threshold_source", {**parameters, "PRESET": _PRESET})
    settings = {"parameters": parameters, "preset": rows.tolist()}
    model.run("modules.fcc_threshold_source_tests", tmp_path, ["preset_words", *_TESTS], settings)
