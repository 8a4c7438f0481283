# SPDX-License-Identifier: Apache-2.0
"""`fcc_weight_memory` and its `fcc_memory_bank`, several sizes in one build."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xnor_fcc.geometry import Geometry
from xnor_fcc.pack import pack
from xnor_fcc.random_network import random_network
from xnor_fcc_sim import simulator


def test_fcc_weight_memory(tmp_path: Path) -> None:
    """Banks, latency, contents at power-up."""
    # The simulation runs in tmp_path, where it finds the files.
    geometry = Geometry(
        pe=3,
        simd=7,
        lanes=1,
        max_width=13,
        max_classes=4,
        max_layers=2,
        weight_depth=17,
        bank_depth=8,
        threshold_depth=7,
    )
    image = pack(random_network(np.random.default_rng(1), (13, 13, 4)), geometry)
    image.write_preset(tmp_path / "preset")
    rows = np.packbits(image.weights, axis=1, bitorder="little")
    words = [int.from_bytes(row.tobytes(), "little") for row in rows]
    sources = [*simulator.rtl_sources(), Path(__file__).with_name("memory_sizes.v")]
    model = simulator.build("memory_sizes", sources=sources)
    settings = {"preset": words + [0] * (17 - len(words)), "preset_size": [21, 17, 8]}
    model.run("modules.fcc_weight_memory_tests", tmp_path, settings=settings)
