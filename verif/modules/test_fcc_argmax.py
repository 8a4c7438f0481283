# SPDX-License-Identifier: Apache-2.0
"""`fcc_argmax` alone."""

from __future__ import annotations

from pathlib import Path

from xnor_fcc_sim import simulator


def test_fcc_argmax(tmp_path: Path) -> None:
    """Highest score, lowest index on a tie."""
    parameters = {"SCORE_BITS": 7, "INDEX_BITS": 4}
    model = simulator.build("fcc_argmax", parameters)
    model.run("modules.fcc_argmax_tests", tmp_path, settings={"parameters": parameters})
