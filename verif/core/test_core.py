# SPDX-License-Identifier: Apache-2.0
"""The whole core on random geometries, and the corners by name."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from needs import needs_icarus
from xnor_fcc.data import load_test_images
from xnor_fcc.geometry import Geometry
from xnor_fcc.pack import pack
from xnor_fcc.random_network import random_network
from xnor_fcc_sim import simulator
from xnor_fcc_sim.simulate import Inputs

ALL = [
    "networks_in_turn",
    "bad_packets_lose_nothing_else",
    "refuses_to_start_without_a_fitting_network",
    "reset_in_mid_flight",
    "interrupt_and_backlog",
]

CORNERS = {
    "odd": dict(pe=3, simd=5, lanes=2, max_width=37, weight_depth=300, threshold_depth=60,
                max_classes=7, image_width=8),
    "one-of-each": dict(pe=1, simd=1, lanes=1, max_width=9, weight_depth=300, threshold_depth=60,
                        max_classes=4, image_width=8),
    "word-wider-than-layers": dict(pe=5, simd=64, lanes=3, max_width=50, weight_depth=60,
                                   threshold_depth=60, max_classes=10, image_width=16),
    "more-pe-than-neurons": dict(pe=48, simd=4, lanes=5, max_width=40, weight_depth=60,
                                 threshold_depth=8, max_classes=10, image_width=32),
    "seed-like": dict(pe=32, simd=1, lanes=2, max_width=32, weight_depth=160, threshold_depth=8,
                      max_classes=10, image_width=64),
    "all-taps": dict(pe=16, simd=4, lanes=2, max_width=64, taps=16, weight_depth=400,
                     threshold_depth=40, max_classes=10, image_width=64),
    # Weights over asi_weight: words of one beat, of two with a surplus, and of many.
    "streamed": dict(pe=4, simd=16, lanes=2, max_width=60, taps=1, weight_depth=2, bank_depth=1,
                     threshold_depth=60, max_classes=9, image_width=16, weight_stream=64),
    "streamed-in-part": dict(pe=6, simd=7, lanes=3, max_width=50, weight_depth=2, bank_depth=1,
                             threshold_depth=60, max_classes=5, image_width=8, weight_stream=24),
    "streamed-slowly": dict(pe=7, simd=9, lanes=1, max_width=40, taps=3, weight_depth=2,
                            bank_depth=1, threshold_depth=60, max_classes=5, image_width=32,
                            weight_stream=8),
    # Cores for networks beyond one bit: pairs of lanes, two rounds through the words, both.
    "order-2": dict(pe=5, simd=7, lanes=4, max_width=41, taps=2, weight_depth=400,
                    threshold_depth=60, max_classes=7, image_width=16, order=2),
    "ternary": dict(pe=4, simd=6, lanes=3, max_width=40, taps=2, weight_depth=800,
                    threshold_depth=60, max_classes=7, image_width=8, ternary=1),
    "order-2-ternary": dict(pe=18, simd=9, lanes=2, max_width=45, weight_depth=300,
                            threshold_depth=30, max_classes=20, image_width=32, order=2,
                            ternary=1),
    "order-2-streamed": dict(pe=4, simd=16, lanes=2, max_width=60, weight_depth=2, bank_depth=1,
                             threshold_depth=60, max_classes=9, image_width=64, weight_stream=64,
                             order=2, ternary=1),
}


def random_geometry(seed: int) -> Geometry:
    """A geometry of odd sizes that runs networks of up to 5 layers, of other kinds often."""
    rng = np.random.default_rng(seed)
    pe, simd = (int(n) for n in rng.integers(1, 40, 2))
    width = int(rng.integers(max(4, simd // 2), 120))
    ring = -(-width // simd)
    groups = -(-width // pe)
    # Words of at most 16 beats, which are slow enough.
    streams = [bits for bits in (8, 24, 64, 256) if 16 * bits >= pe * simd]
    sizes = dict(
        pe=pe,
        simd=simd,
        lanes=int(rng.integers(1, 6)),
        max_width=width,
        taps=int(rng.integers(1, min(pe, ring) + 1)),
        max_layers=int(rng.integers(5, 9)),
        max_classes=int(rng.integers(1, min(width, 16) + 1)),
        weight_depth=max(2, 3 * ring * groups + int(rng.integers(0, 50))),
        bank_depth=int(rng.integers(20, 400)) + 3 * ring * groups // 50,
        threshold_depth=max(2, 5 * groups),
        image_width=int(rng.choice([8, 16, 32, 64, 128])),
        weight_stream=int(rng.choice([0, 0, *streams])),
    )
    sizes["ternary"] = int(rng.integers(0, 2))
    if sizes["lanes"] % 2 == 0:
        sizes["order"] = int(rng.integers(1, 3))
    return Geometry(**sizes)


def run(geometry: Geometry, seed: int, name: str) -> None:
    tests = [*ALL, *(["weights_out_of_step"] if geometry.weight_stream else [])]
    model = simulator.build("xnor_fcc", geometry.parameters())
    model.run(
        "core.core_tests",
        simulator.run_directory(name),
        testcase=tests,
        settings={"geometry": asdict(geometry), "seed": seed},
        seed=seed,
    )


@pytest.mark.parametrize(
    "name", ["odd", *(pytest.param(n, marks=pytest.mark.slow) for n in CORNERS if n != "odd")]
)
def test_corner_geometry(name: str) -> None:
    run(Geometry(**CORNERS[name]), seed=1, name=f"corner-{name}")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 22))
def test_random_geometry(seed: int) -> None:
    run(random_geometry(seed), seed, name=f"random-{seed}")


@pytest.mark.slow
@needs_icarus
@pytest.mark.parametrize("name", ["odd", "word-wider-than-layers", "seed-like", "streamed-in-part"])
def test_corner_geometry_in_four_states(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Icarus starts from X, where Verilator starts from random values."""
    monkeypatch.setenv("SIM", "icarus")
    run(Geometry(**CORNERS[name]), seed=2, name=f"icarus-{name}")


@needs_icarus
def test_waves_of_icarus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIM", "icarus")
    geometry = Geometry(**CORNERS["odd"])
    model = simulator.build("xnor_fcc", geometry.parameters(), waves=True)
    model.run("core.core_tests", tmp_path, testcase="interrupt_and_backlog", waves=True,
              settings={"geometry": asdict(geometry), "seed": 1})
    assert (tmp_path / "dump.fst").stat().st_size > 1000


def test_preset_memory_images(tmp_path: Path) -> None:
    network = random_network(np.random.default_rng(3), (30, 17, 11, 5))
    geometry = Geometry(pe=4, simd=7, lanes=2, max_width=30, weight_depth=120, bank_depth=32,
                        threshold_depth=16, max_classes=6, image_width=16)
    prefix = tmp_path / "preset"
    pack(network, geometry).write_preset(prefix)
    network.save(tmp_path / "network.npz")
    model = simulator.build("xnor_fcc", {**geometry.parameters(), "PRESET": str(prefix)})
    model.run(
        "core.core_tests",
        simulator.run_directory("preset"),
        testcase="preset_runs_without_a_host",
        settings={"geometry": asdict(geometry), "network": str(tmp_path / "network.npz")},
    )


@pytest.mark.slow
def test_geometry_of_the_seed_report(tmp_path: Path) -> None:
    """PE = 1024, SIMD = 1, LANES = 2 on real digits: every hidden bit, and 3,874 cycles a batch."""
    network = simulator.ROOT / "model" / "networks" / "mnist.npz"
    geometry = Geometry.for_widths((784, 1024, 1024, 1024, 10), pe=1024, simd=1, lanes=2)
    assert geometry.pass_cycles((784, 1024, 1024, 1024, 10)) == 784 + 3 * 1024 + 3 * 7
    images, labels = load_test_images()
    Inputs(images[:50], labels[:50], "test set").save(tmp_path / "images.npz")
    model = simulator.build("xnor_fcc", geometry.parameters(), large=True)
    model.run(
        "xnor_fcc_sim.stream_tests",
        simulator.run_directory("seed-geometry"),
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
