# SPDX-License-Identifier: Apache-2.0
"""`fcc_pair` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator


# The shortest sums, and those of a block of the core.
@pytest.mark.one_quick
@pytest.mark.parametrize(("pe", "acc_bits"), [(3, 2), (1, 5), (16, 14), (2, 31)])
def test_fcc_pair(pe: int, acc_bits: int, tmp_path: Path) -> None:
    """Sums, residual bits, lanes in pairs and on their own."""
    parameters = {"PE": pe, "ACC_BITS": acc_bits}
    model = simulator.build("fcc_pair", parameters)
    model.run("modules.fcc_pair_tests", tmp_path, settings={"parameters": parameters})
