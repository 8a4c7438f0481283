# SPDX-License-Identifier: Apache-2.0
"""`fcc_csr` alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xnor_fcc.geometry import Geometry
from xnor_fcc.pack import pack
from xnor_fcc.random_network import random_network
from xnor_fcc.registers import RESET
from xnor_fcc_sim import simulator

_WIDTHS = (61, 23, 29, 5)


@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("layers", "with_preset", "learn"),
    [(3, False, 10), (3, True, 0), (1, False, 0), (16, False, 1)],
)
def test_fcc_csr(layers: int, with_preset: bool, learn: int, tmp_path: Path) -> None:
    """The register map, with as few and as many layers as there can be, with labels and without;
    with a preset file, also what it presets."""
    geometry = Geometry.for_widths(_WIDTHS, pe=7, simd=11, lanes=3)
    memory = pack(random_network(np.random.default_rng(1), _WIDTHS), geometry)
    # The simulation runs in tmp_path, where it finds the file.
    memory.write_preset(tmp_path / "preset", pixel_8bit=True)
    names = "PE SIMD LANES TAPS MAX_WIDTH MAX_LAYERS MAX_CLASSES WEIGHT_DEPTH THRESHOLD_DEPTH"
    parameters = {name: geometry.parameters()[name] for name in [*names.split(), "IMAGE_WIDTH"]}
    parameters["SCORE_BITS"] = geometry.score_bits
    parameters |= {"WEIGHT_STREAM": 56, "ORDER": 2, "TERNARY": 1, "MAX_LAYERS": layers}
    parameters["LEARN"] = learn
    preset = {
        "INPUTS": [memory.inputs],
        "CLASSES": [memory.classes],
        "LAYERS": [len(memory.table)],
        "PIXEL_THRESHOLD": [memory.pixel_threshold],
        "PARTIAL_TIMEOUT": [RESET["PARTIAL_TIMEOUT"]],
        "PIXEL_RESIDUAL": [0],
        "LAYER_TABLE": [groups << 16 | words for words, groups in memory.table],
    }
    file = {"PRESET": "preset_config.hex"} if with_preset else {}
    model = simulator.build("fcc_csr", {**parameters, **file})
    settings = {"parameters": parameters, "preset": preset if with_preset else None}
    model.run("modules.fcc_csr_tests", tmp_path, settings=settings)
