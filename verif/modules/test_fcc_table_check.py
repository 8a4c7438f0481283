# SPDX-License-Identifier: Apache-2.0
"""`fcc_table_check` alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from xnor_fcc.geometry import Geometry
from xnor_fcc_sim import simulator

_ENDS = ("the_widest_layer", "more_steps_than_can_be_counted")
_OTHERS = (
    *("networks_that_fit", "each_reason", "each_kind", "ternary_layers_count_twice"),
    *("boundaries", "random_tables", "reset_in_a_check", "start_in_a_check"),
)


def run(geometry: Geometry, directory: Path, tests: Sequence[str], **instead: int) -> None:
    """Build the check of a core, with other parameters `instead` of some, and run tests on it."""
    own = ("PE", "SIMD", "MAX_WIDTH", "MAX_LAYERS", "MAX_CLASSES", "WEIGHT_DEPTH",
           "THRESHOLD_DEPTH", "ORDER", "TERNARY")  # fmt: skip
    parameters = {
        **{name: geometry.parameters()[name] for name in own},
        "RING": geometry.ring,
        "GROUPS": geometry.groups(geometry.max_width),
        **instead,
    }
    model = simulator.build("fcc_table_check", parameters)
    settings = {"geometry": asdict(geometry)}
    model.run("modules.fcc_table_check_tests", directory, tests, settings)


# Memories too small for the largest table; a PE larger than a word, and the other way round; kinds
# of layers.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("pe", "simd", "order", "ternary"),
    [(3, 5, 1, 0), (11, 2, 1, 0), (3, 5, 2, 1), (11, 2, 2, 0), (11, 2, 1, 1)],
)
def test_fcc_table_check(pe: int, simd: int, order: int, ternary: int, tmp_path: Path) -> None:
    """Accepted and refused tables."""
    geometry = Geometry(
        pe=pe,
        simd=simd,
        lanes=2,
        max_width=29,
        max_layers=5,
        max_classes=7,
        weight_depth=71,
        threshold_depth=23 if pe == 3 else 9,
        order=order,
        ternary=ternary,
    )
    run(geometry, tmp_path, _OTHERS)


@pytest.mark.slow
def test_the_widest_core(tmp_path: Path) -> None:
    """PE and SIMD of 1, all else as large as it can be, as in a core with streamed weights."""
    geometry = Geometry(
        pe=1, simd=1, max_width=32767, max_layers=16, max_classes=32767, weight_depth=2,
        threshold_depth=16 * 32767, weight_stream=8, order=2, ternary=1,
    )  # fmt: skip
    run(geometry, tmp_path, _ENDS, WEIGHT_DEPTH=(1 << 31) - 1)


# One layer, and sixteen wide ones: sums above 2^16.
@pytest.mark.slow
@pytest.mark.parametrize(("pe", "layers"), [(3, 1), (128, 16)])
def test_fewest_and_most_layers(pe: int, layers: int, tmp_path: Path) -> None:
    """Any networks that fit, at both ends of MAX_LAYERS."""
    width = 29 if layers == 1 else 32767
    geometry = Geometry(
        pe=pe, simd=pe + 2, max_width=width, max_layers=layers, max_classes=width,
        weight_depth=1 << 24, bank_depth=1 << 18, threshold_depth=1 << 16,
    )  # fmt: skip
    run(geometry, tmp_path, ["networks_that_fit"])
