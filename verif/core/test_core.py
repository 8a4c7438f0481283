# SPDX-License-Identifier: Apache-2.0
"""The whole core on random geometries, and the corners by name."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from core.corners import CORNERS, ENDS, random_geometry, run, run_preset
from xnor_fcc.data import load_test_images
from xnor_fcc.geometry import Geometry
from xnor_fcc.random_network import random_network
from xnor_fcc_sim import simulator
from xnor_fcc_sim.simulate import Inputs


@pytest.mark.parametrize(
    "name", ["odd", *(pytest.param(n, marks=pytest.mark.slow) for n in CORNERS if n != "odd")]
)
def test_corner_geometry(name: str) -> None:
    run(Geometry(**CORNERS[name]), seed=1, name=f"corner-{name}")


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDS)
def test_ends_of_the_parameters(name: str) -> None:
    run(Geometry(**ENDS[name]), seed=3, name=f"end-{name}")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [10, 14, 16, 17, 18, 19])
def test_random_geometry(seed: int) -> None:
    """Of one to five lanes, with ternary weights, of second order with streamed ones, with several
    taps. Streamed words of many beats are slow; the corners have them."""
    run(random_geometry(seed), seed, name=f"random-{seed}")


@pytest.mark.slow
@pytest.mark.needs("iverilog")
@pytest.mark.parametrize(
    "name", ["odd", "word-wider-than-layers", "original-like", "streamed-in-part"]
)
def test_corner_geometry_in_four_states(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Icarus starts from X, where Verilator starts from random values. It is slow with long words
    and many PEs: of two corners these and the layers have half the size here."""
    monkeypatch.setenv("SIM", "icarus")
    sizes = CORNERS[name]
    halved = {"word-wider-than-layers": ("simd", "max_width"), "original-like": ("pe", "max_width")}
    geometry = Geometry(**{**sizes, **{n: sizes[n] // 2 for n in halved.get(name, ())}})
    assert (geometry.ring == 1) == (name == "word-wider-than-layers")
    assert (geometry.pe == geometry.max_width) == (name == "original-like")
    run(geometry, seed=2, name=f"icarus-{name}")


@pytest.mark.slow
@pytest.mark.needs("iverilog")
def test_waves_of_icarus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIM", "icarus")
    geometry = Geometry(**CORNERS["odd"])
    model = simulator.build("xnor_fcc", geometry.parameters(), waves=True)
    model.run("core.core_tests", tmp_path, testcase="interrupt_and_backlog", waves=True,
              settings={"geometry": asdict(geometry), "seed": 1})
    assert (tmp_path / "dump.fst").stat().st_size > 1000


@pytest.mark.slow
def test_preset_memory_images(tmp_path: Path) -> None:
    run_preset(tmp_path)


@pytest.mark.slow
def test_geometry_of_the_original_report(tmp_path: Path) -> None:
    """A PE for each neuron of a layer, SIMD = 1, LANES = 2 on real digits: every hidden bit, every
    cycle. In layers a quarter as wide: `make bench` runs those of the report."""
    whole = (784, 1024, 1024, 1024, 10)
    geometry = Geometry.for_widths(whole, pe=1024, simd=1, lanes=2)
    assert geometry.pass_cycles(whole) == 784 + 3 * 1024 + 3 * 7
    quarter = (784, 256, 256, 256, 10)
    geometry = Geometry.for_widths(quarter, pe=256, simd=1, lanes=2)
    assert geometry.pass_cycles(quarter) == 784 + 3 * 256 + 3 * 7
    network = tmp_path / "network.npz"
    random_network(np.random.default_rng(1), quarter).save(network)
    images, labels = load_test_images()
    # Four batches: two whose sums are compared too, and slots of either parity behind them.
    Inputs(images[:8], labels[:8], "test set").save(tmp_path / "images.npz")
    model = simulator.build("xnor_fcc", geometry.parameters())
    model.run(
        "xnor_fcc_sim.stream_tests",
        simulator.run_directory("original-geometry"),
        settings={
            "geometry": asdict(geometry),
            "network": str(network),
            "loaded": str(network),
            "images": str(tmp_path / "images.npz"),
            "progress": str(tmp_path / "progress"),
            "report": str(tmp_path / "report.json"),
        },
    )


def test_a_simulator_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIM", "modelsim")
    with pytest.raises(simulator.UserError, match="SIM=modelsim is not a simulator known here"):
        simulator.build("xnor_fcc")
    assert os.environ["SIM"] == "modelsim"
