# SPDX-License-Identifier: Apache-2.0
"""`fcc_label_splitter` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator


# Beats of one byte, in which a label is always alone; of two; of eight; as wide as they may be.
@pytest.mark.one_quick
@pytest.mark.parametrize("width", [16, 8, 64, 512])
def test_fcc_label_splitter(width: int, tmp_path: Path) -> None:
    """Packets, their labels, broken ones, stops."""
    parameters = {"WIDTH": width}
    model = simulator.build("fcc_label_splitter", parameters)
    settings = {"parameters": parameters}
    model.run("modules.fcc_label_splitter_tests", tmp_path, settings=settings)
