# SPDX-License-Identifier: Apache-2.0
"""`fcc_learn_registers` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator


# Several words a row; one class, the fewest rows; a word that is full; as many classes and rows as
# there can be.
@pytest.mark.one_quick
@pytest.mark.parametrize(("classes", "row_bits"), [(10, 6), (1, 1), (4, 9), (32, 15)])
def test_fcc_learn_registers(classes: int, row_bits: int, tmp_path: Path) -> None:
    """Settings, counters, latents, what is refused, what passes on."""
    parameters = {"CLASSES": classes, "ROW_BITS": row_bits}
    model = simulator.build("fcc_learn_registers", parameters)
    settings = {"parameters": parameters}
    model.run("modules.fcc_learn_registers_tests", tmp_path, settings=settings)
