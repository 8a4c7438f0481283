# SPDX-License-Identifier: Apache-2.0
"""`fcc_threshold_memory` alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xnor_fcc.geometry import Geometry
from xnor_fcc.pack import pack
from xnor_fcc.random_network import random_network
from xnor_fcc_sim import simulator


@pytest.mark.one_quick
@pytest.mark.parametrize(("pe", "slices"), [(5, 1), (45, 3)])
def test_fcc_threshold_memory(pe: int, slices: int, tmp_path: Path) -> None:
    """Offsets, parity, contents at power-up; in words of one slice and of several."""
    geometry = Geometry(
        pe=pe,
        simd=3,
        lanes=1,
        max_width=pe + 18,
        max_classes=7,
        max_layers=2,
        weight_depth=128,
        threshold_depth=11,
    )
    memory = pack(random_network(np.random.default_rng(1), (17, pe + 18, 7)), geometry)
    # The simulation runs in tmp_path, where it finds the files.
    written = memory.write_preset(tmp_path / "preset")
    assert sum("thresholds" in path.name for path in written) == slices
    preset = np.zeros((geometry.threshold_depth, geometry.pe), int)
    preset[: len(memory.offsets)] = memory.offsets
    parameters = {"PE": geometry.pe, "SCORE_BITS": geometry.score_bits, "DEPTH": 11}
    file = {"PRESET": "preset_thresholds"}
    model = simulator.build("fcc_threshold_memory", {**parameters, **file})
    settings = {"parameters": parameters, "preset": preset.tolist()}
    model.run("modules.fcc_threshold_memory_tests", tmp_path, settings=settings)
