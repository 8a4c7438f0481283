# SPDX-License-Identifier: Apache-2.0
"""`fcc_threshold_memory` alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xnor_fcc.geometry import Geometry
from xnor_fcc.pack import pack
from xnor_fcc.random_network import random_network
from xnor_fcc_sim import simulator


def test_fcc_threshold_memory(tmp_path: Path) -> None:
    """Offsets, parity, contents at power-up."""
    geometry = Geometry(
        pe=5,
        simd=3,
        lanes=1,
        max_width=23,
        max_classes=7,
        max_layers=2,
        weight_depth=64,
        threshold_depth=11,
    )
    image = pack(random_network(np.random.default_rng(1), (17, 23, 7)), geometry)
    # The simulation runs in tmp_path, where it finds the file.
    image.write_preset(tmp_path / "preset")
    preset = np.zeros((geometry.threshold_depth, geometry.pe), int)
    preset[: len(image.offsets)] = image.offsets
    parameters = {"PE": geometry.pe, "SCORE_BITS": geometry.score_bits, "DEPTH": 11}
    file = {"PRESET": "preset_thresholds.hex"}
    model = simulator.build("fcc_threshold_memory", {**parameters, **file})
    settings = {"parameters": parameters, "preset": preset.tolist()}
    model.run("modules.fcc_threshold_memory_tests", tmp_path, settings=settings)
