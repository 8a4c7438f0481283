# SPDX-License-Identifier: Apache-2.0
"""`fcc_engine` alone."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from xnor_fcc.geometry import Geometry, Shape
from xnor_fcc.pack import pack
from xnor_fcc.random_network import random_network
from xnor_fcc_sim import simulator

_PRESET = "preset"
_SHAPES = {
    "smallest": (Shape.of((1, 1)), (1, 1, 1, 1)),
    "binary": (Shape.of((17, 7, 13, 4)), (3, 4, 3, 3)),
    "ternary": (Shape((9, 11, 5), (1, 1), (True, False)), (2, 3, 1, 1)),
    "order-2": (Shape((9, 14, 11, 3), (2, 1, 2), (False, True, True)), (4, 4, 1, 4)),
}


def geometry_of(name: str, weight_stream: int = 0) -> tuple[Geometry, Shape]:
    """A small core for one of the networks, and the network's shape."""
    shape, (pe, simd, taps, lanes) = _SHAPES[name]
    base = Geometry.for_widths(shape, pe, simd, lanes, weight_stream=weight_stream)
    return replace(base, taps=taps, bank_depth=max(1, base.weight_depth // 3)), shape


def run(
    name: str, directory: Path, tests: list[str], weight_stream: int = 0, preset: bool = False
) -> None:
    """Build the engine of such a core and run tests on it."""
    geometry, shape = geometry_of(name, weight_stream)
    own = ("WEIGHT_DEPTH", "BANK_DEPTH", "THRESHOLD_DEPTH", "MAX_WIDTH", "MAX_LAYERS",
           "MAX_CLASSES", "WEIGHT_STREAM", "TERNARY", "LANES")  # fmt: skip
    parameters: dict[str, object] = {
        **{key: value for key, value in geometry.lane_parameters().items() if key != "ACC_BITS"},
        **{key: geometry.parameters()[key] for key in own},
        "SCORE_BITS": geometry.score_bits,
    }
    network = random_network(np.random.default_rng(1), shape.widths, shape.orders, shape.ternary)
    network.save(directory / "network.npz")
    if preset:
        # The simulation runs in `directory`, where it finds the files.
        pack(network, geometry).write_preset(directory / _PRESET)
        parameters["PRESET"] = _PRESET
    settings = {"geometry": asdict(geometry), "network": str(directory / "network.npz")}
    model = simulator.build("fcc_engine", parameters)
    model.run("modules.fcc_engine_tests", directory, tests, settings)


@pytest.mark.one_quick
@pytest.mark.parametrize("name", _SHAPES)
def test_weights_in_memory(name: str, tmp_path: Path) -> None:
    """Networks of every kind: cycles, scores, loading, resets."""
    run(name, tmp_path, ["loading", "checks", "batches", "results_held", "reset_in_a_pass"])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "beat"), [("smallest", 8), ("binary", 512), ("order-2", 8)])
def test_weights_from_outside(name: str, beat: int, tmp_path: Path) -> None:
    """A word a beat, or several beats a word, in step or out of it."""
    tests = ["loading", "checks", "batches", "results_held", "reset_in_a_pass"]
    tests.append("stream_out_of_step")
    run(name, tmp_path, tests, weight_stream=beat)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["binary", "order-2"])
def test_contents_at_power_up(name: str, tmp_path: Path) -> None:
    """It answers before anything has been loaded."""
    run(name, tmp_path, ["answers_at_power_up"], preset=True)
