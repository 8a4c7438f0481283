# SPDX-License-Identifier: Apache-2.0
"""`fcc_argmax` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator


# Few bits, and as many as there can be.
@pytest.mark.one_quick
@pytest.mark.parametrize(("score_bits", "index_bits"), [(7, 4), (32, 15)])
def test_fcc_argmax(score_bits: int, index_bits: int, tmp_path: Path) -> None:
    """Highest score, lowest index on a tie."""
    parameters = {"SCORE_BITS": score_bits, "INDEX_BITS": index_bits}
    model = simulator.build("fcc_argmax", parameters)
    model.run("modules.fcc_argmax_tests", tmp_path, settings={"parameters": parameters})
