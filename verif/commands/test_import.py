# SPDX-License-Identifier: Apache-2.0
"""Imported networks on the simulated core."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from package.foreign import exported, options_for
from xnor_fcc.geometry import Geometry, Shape
from xnor_fcc.importing.command import import_network
from xnor_fcc.importing.comparison import random_images
from xnor_fcc.importing.pixels import Inputs
from xnor_fcc_sim import simulator


@pytest.mark.slow
def test_imported_networks_on_a_core(tmp_path: Path) -> None:
    """Networks of three kinds, loaded in turn: the core answers what qonnx answers."""
    cases: list[tuple[tuple[int, ...], dict[str, Any]]] = [
        ((30, 17, 11, 5), {}),
        ((25, 12, 6), {"weights": "ternary", "scale": 0.1}),
        ((18, 20, 9, 7), {"ternary_activations": True}),
    ]
    networks, names = [], []
    for i, (widths, form) in enumerate(cases):
        source = exported(i, widths, tmp_path / f"{i}.onnx", **form)
        network, report = import_network(source, images=20, **options_for(form))
        assert report["differing_classes"] == 0
        inputs = Inputs.graded(source, (-1.0, 1.0))
        grey = random_images(inputs, 20, 5)
        network.save(tmp_path / f"{i}.npz")
        np.savez(tmp_path / f"{i}-source.npz", grey=grey,
                 classes=source.run(inputs.values[grey])[-1].argmax(axis=1))  # fmt: skip
        networks.append(network)
        names.append(str(tmp_path / str(i)))
    shape = Shape((30, 30, 30, 30), (1, 2, 2), (True, True, True))
    geometry = Geometry.for_widths(shape, pe=4, simd=7, lanes=2, image_width=16)
    for network in networks:
        geometry.require_fit(network.shape)
    model = simulator.build("xnor_fcc", geometry.parameters())
    model.run(
        "commands.import_tests",
        simulator.run_directory("import"),
        settings={"geometry": asdict(geometry), "networks": names},
    )
