# SPDX-License-Identifier: Apache-2.0
"""`fcc_learn_registers` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator


# Several words a row; one class, one row; a word that is full; as many classes as there can be, and
# more rows than a byte counts.
@pytest.mark.one_quick
@pytest.mark.parametrize(("classes", "depth"), [(10, 37), (1, 1), (4, 300), (32, 32767)])
def test_fcc_learn_registers(classes: int, depth: int, tmp_path: Path) -> None:
    """Settings, counters, latents, what is refused, what passes on."""
    parameters = {"CLASSES": classes, "DEPTH": depth}
    model = simulator.build("fcc_learn_registers", parameters)
    settings = {"parameters": parameters}
    model.run("modules.fcc_learn_registers_tests", tmp_path, settings=settings)
