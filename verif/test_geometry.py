# SPDX-License-Identifier: Apache-2.0
"""The facts of a geometry and what it refuses. Its cycles are held against the RTL in test_core."""

from __future__ import annotations

import numpy as np
import pytest

from xnor_fcc.geometry import Geometry, GeometryError

DEFAULT = (784, 1024, 1024, 1024, 10)


@pytest.mark.parametrize(
    ("pe", "simd", "steps"),
    [(32, 128, 744), (64, 128, 376), (56, 128, 445), (1024, 1, 784 + 3 * 1024)],
)
def test_steps_of_the_default_network(pe: int, simd: int, steps: int) -> None:
    assert Geometry.for_widths(DEFAULT, pe, simd, 1).steps(DEFAULT) == steps


def test_pass_of_the_default_core() -> None:
    # Four layers load once each, three of them after a drain of 3 cycles.
    assert Geometry().pass_cycles(DEFAULT) == 744 + 4 + 3 * 3
    assert Geometry().period_cycles(DEFAULT) == 757


def test_a_short_layer_costs_the_winding_up_of_the_taps() -> None:
    geometry = Geometry(pe=16, simd=4, lanes=1, max_width=64, taps=16)
    assert [geometry.wind(n) for n in (1, 4, 5, 60, 61, 64)] == [15, 15, 14, 1, 0, 0]
    assert Geometry(pe=16, simd=4, lanes=1, max_width=64, taps=1).wind(1) == 0


def test_what_bounds_the_period() -> None:
    tiny = Geometry(pe=32, simd=32, lanes=4, max_width=32, image_width=8)
    assert tiny.period_cycles((32, 10)) == tiny.send_cycles((32, 10)) == 1 + 6 + 4 * 11
    assert tiny.period_cycles((32, 10), True) == tiny.load_cycles(32, True) == 4 * 33
    assert tiny.load_cycles(8, False) == 3 * 2 + 5


def test_scores_never_overflow() -> None:
    for width in (1, 2, 3, 31, 32, 33, 1023, 1024, 1025):
        for simd in (1, 7, 128):
            geometry = Geometry(pe=1, simd=simd, max_width=width, max_classes=1)
            assert 2 * geometry.capacity + 1 <= 2 ** (geometry.score_bits - 1) - 1
            assert geometry.capacity >= width


@pytest.mark.parametrize(
    "wrong",
    [
        {"pe": 0}, {"pe": -3}, {"simd": 0}, {"lanes": 0}, {"lanes": 1000}, {"max_width": 0},
        {"max_width": 40000}, {"taps": 5, "pe": 4}, {"taps": 9}, {"max_layers": 0},
        {"max_layers": 17}, {"max_classes": 0}, {"max_classes": 1025}, {"weight_depth": 1},
        {"bank_depth": 1}, {"threshold_depth": 1}, {"image_width": 24}, {"image_width": 0},
        {"pe": 2.5}, {"simd": "8"},
    ],
)
def test_refuses_what_cannot_be_built(wrong: dict) -> None:
    with pytest.raises(GeometryError, match=next(iter(wrong)).upper()):
        Geometry(**wrong)


@pytest.mark.parametrize(
    ("widths", "reason"),
    [
        ((1025, 10), "1025 neurons or inputs"),
        ((784, 2000, 10), "2000 neurons"),
        ((8,) * 10, "9 layers"),
        ((784, 17), "17 classes"),
        ((1024,) * 6 + (10,), "weight words"),
        ((8,) * 2 + (1024,) * 4 + (10,), "weight words|threshold words"),
    ],
)
def test_refuses_a_network_that_does_not_fit(widths: tuple[int, ...], reason: str) -> None:
    with pytest.raises(GeometryError, match=reason):
        Geometry().require_fit(widths)


def test_the_smallest_core_of_a_network_runs_it_and_no_larger_one() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        widths = tuple(int(n) for n in rng.integers(1, 200, int(rng.integers(2, 6))))
        pe, simd, lanes = (int(n) for n in rng.integers(1, 50, 3))
        geometry = Geometry.for_widths(widths, pe, simd, lanes)
        geometry.require_fit(widths)
        with pytest.raises(GeometryError):
            geometry.require_fit((max(widths) + 1, *widths[1:]))
        assert geometry.steps(widths) <= geometry.weight_depth <= max(2, geometry.steps(widths))


def test_parameters_are_those_of_the_top_level() -> None:
    from simulator import RTL

    source = (RTL / "xnor_fcc.v").read_text()
    for name in Geometry().parameters():
        assert f"parameter {name} = " in source
    defaults = Geometry().parameters()
    for name, value in defaults.items():
        assert f"parameter {name} = {value}" in source, name
