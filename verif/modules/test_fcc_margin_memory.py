# SPDX-License-Identifier: Apache-2.0
"""`fcc_margin_memory` alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xnor_fcc.geometry import Geometry
from xnor_fcc.pack import pack
from xnor_fcc.random_network import random_network
from xnor_fcc_sim import simulator


@pytest.mark.one_quick
@pytest.mark.parametrize(("pe", "slices"), [(5, 1), (21, 3)])
def test_fcc_margin_memory(pe: int, slices: int, tmp_path: Path) -> None:
    """Margins, contents at power-up; in words of one slice and of several."""
    geometry = Geometry(
        pe=pe,
        simd=3,
        lanes=2,
        max_width=pe + 18,
        max_classes=7,
        max_layers=2,
        weight_depth=128,
        threshold_depth=11,
        order=2,
    )
    network = random_network(np.random.default_rng(1), (17, pe + 18, 7), orders=(1, 2))
    memory = pack(network, geometry)
    assert memory.margins.any(axis=(0, 2)).all(), "no margins to be seen"
    # The simulation runs in tmp_path, where it finds the files.
    written = memory.write_preset(tmp_path / "preset")
    assert sum("margins" in path.name for path in written) == slices
    preset = np.zeros((geometry.threshold_depth, 2, geometry.pe), int)
    preset[: len(memory.margins)] = memory.margins
    parameters = {"PE": geometry.pe, "MARGIN_BITS": geometry.score_bits - 1, "DEPTH": 11}
    model = simulator.build("fcc_margin_memory", {**parameters, "PRESET": "preset_margins"})
    settings = {"parameters": parameters, "preset": preset.tolist()}
    model.run("modules.fcc_margin_memory_tests", tmp_path, settings=settings)
