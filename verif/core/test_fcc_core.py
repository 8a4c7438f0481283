# SPDX-License-Identifier: Apache-2.0
"""`fcc_core`, as `xnor_fcc` wraps it, in the moments and sizes that random traffic seldom meets.

Always with Icarus, which builds a small core in a moment, and where a register starts from X.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from core.corners import SMALL
from core.elaboration import elaborate
from xnor_fcc.geometry import Geometry
from xnor_fcc_sim import simulator

pytestmark = pytest.mark.needs("iverilog")


@pytest.fixture(autouse=True)
def _icarus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIM", "icarus")


def named(sizes: dict[str, int]) -> str:
    return ",".join(f"{name}={value}" for name, value in sizes.items())


def run(geometry: Geometry, directory: Path, test: str) -> None:
    model = simulator.build("xnor_fcc", geometry.parameters())
    settings = {"geometry": asdict(geometry), "seed": 1}
    model.run("core.fcc_core_tests", directory, testcase=test, settings=settings)


# With three taps a layer of two words has to be wound up before its first step.
@pytest.mark.slow
@pytest.mark.parametrize("form", [{"taps": 3}, {"weight_stream": 8}], ids=named)
def test_reset(form: dict[str, int], tmp_path: Path) -> None:
    run(Geometry(**{**SMALL, **form}), tmp_path, "soft_reset_in_every_cycle")


@pytest.mark.slow
@pytest.mark.parametrize("form", [{"weight_stream": 16}, {}, {"order": 2}], ids=named)
def test_stop(form: dict[str, int], tmp_path: Path) -> None:
    run(Geometry(**{**SMALL, **form}), tmp_path, "stop_in_every_cycle")


@pytest.mark.parametrize("form", [{}, {"order": 2}], ids=named)
def test_stop_while_an_image_comes(form: dict[str, int], tmp_path: Path) -> None:
    run(Geometry(**{**SMALL, **form}), tmp_path, "stop_while_an_image_comes")


@pytest.mark.one_quick
@pytest.mark.parametrize("form", [{}, {"weight_stream": 8}, {"order": 2}], ids=named)
def test_busy(form: dict[str, int], tmp_path: Path) -> None:
    run(Geometry(**{**SMALL, **form}), tmp_path, "busy_without_a_gap")


@pytest.mark.slow
def test_orders_in_turn(tmp_path: Path) -> None:
    # Words enough to hide the whole pipeline behind.
    sizes = {"pe": 4, "simd": 4, "max_width": 48, "weight_depth": 300, "threshold_depth": 30}
    geometry = Geometry(**{**SMALL, **sizes}, order=2)
    run(geometry, tmp_path, "orders_that_change_without_a_gap")


def test_widest_layer(tmp_path: Path) -> None:
    sizes = {"simd": 4, "max_width": 24, "weight_depth": 200, "threshold_depth": 20}
    run(Geometry(**{**SMALL, **sizes}), tmp_path, "the_widest_layer")


def test_checksums(tmp_path: Path) -> None:
    run(Geometry(**SMALL), tmp_path, "each_memory_its_checksum")


# Capacities around which a score needs one bit more.
@pytest.mark.parametrize(("width", "weight_stream"), [(30, 8), (31, 0), (32, 0)])
def test_derived_sizes(width: int, weight_stream: int, tmp_path: Path) -> None:
    sizes = {"pe": 2, "simd": width, "max_width": width, "weight_stream": weight_stream}
    run(Geometry(**{**SMALL, **sizes}), tmp_path, "what_it_says_of_itself")


SIZES = {
    "PE": 2, "SIMD": 3, "LANES": 1, "MAX_WIDTH": 7, "MAX_LAYERS": 2, "MAX_CLASSES": 2,
    "WEIGHT_DEPTH": 20, "BANK_DEPTH": 20, "THRESHOLD_DEPTH": 4,
}


@pytest.mark.parametrize(
    "parameters",
    [
        {"PE": 1},
        {"SIMD": 1},
        {"LANES": 64},
        {"MAX_WIDTH": 1, "MAX_CLASSES": 1},
        {"TAPS": 2},
        {"TAPS": 3, "PE": 3},
        {"MAX_LAYERS": 1},
        {"MAX_LAYERS": 16},
        {"MAX_CLASSES": 1},
        {"MAX_CLASSES": 7},
        {"WEIGHT_DEPTH": 2},
        {"WEIGHT_DEPTH": 100, "BANK_DEPTH": 1},
        {"THRESHOLD_DEPTH": 2},
        {"WEIGHT_STREAM": 16},
        *({"IMAGE_WIDTH": bits} for bits in (8, 16, 32, 64, 128, 256, 512)),
    ],
    ids=named,
)
def test_what_is_just_legal_elaborates(parameters: dict[str, int]) -> None:
    result = elaborate("iverilog", {**SIZES, **parameters})
    assert result.returncode == 0, result.stderr
