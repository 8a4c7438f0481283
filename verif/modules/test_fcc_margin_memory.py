# SPDX-License-Identifier: Apache-2.0
"""`fcc_margin_memory` alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xnor_fcc.geometry import Geometry
from xnor_fcc.pack import pack
from xnor_fcc.random_network import random_network
from xnor_fcc_sim import simulator


def test_fcc_margin_memory(tmp_path: Path) -> None:
    """Margins, contents at power-up."""
    geometry = Geometry(
        pe=5,
        simd=3,
        lanes=2,
        max_width=23,
        max_classes=7,
        max_layers=2,
        weight_depth=64,
        threshold_depth=11,
        order=2,
    )
    network = random_network(np.random.default_rng(1), (17, 23, 7), orders=(1, 2))
    image = pack(network, geometry)
    assert image.margins.any(axis=(0, 2)).all(), "no margins to be seen"
    # The simulation runs in tmp_path, where it finds the file.
    image.write_preset(tmp_path / "preset")
    preset = np.zeros((geometry.threshold_depth, 2, geometry.pe), int)
    preset[: len(image.margins)] = image.margins
    parameters = {"PE": geometry.pe, "MARGIN_BITS": geometry.score_bits - 1, "DEPTH": 11}
    model = simulator.build("fcc_margin_memory", {**parameters, "PRESET": "preset_margins.hex"})
    settings = {"parameters": parameters, "preset": preset.tolist()}
    model.run("modules.fcc_margin_memory_tests", tmp_path, settings=settings)
