# SPDX-License-Identifier: Apache-2.0
"""`fcc_sequencer` alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from xnor_fcc.geometry import DRAIN, Geometry
from xnor_fcc_sim import simulator

_TESTS = [
    *("lone_passes", "largest_table", "every_gap", "cycles_of_a_pass"),
    *("random_batches_results_and_weights", "random_tables", "waits_for_results"),
    *("waits_for_weights", "reset_in_a_pass"),
]

# More PEs than synapses, with fewer taps than the ring, and with as many and the shortest drain;
# layers that overlap wholly, because there is one tap, or in part; a drain shorter than they could
# overlap; hardly any words. The same where layers may have ternary weights, in one with the longer
# drain of a core whose lanes work in pairs.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("pe", "simd", "max_width", "taps", "max_layers", "drain", "ternary"),
    [
        (5, 3, 24, 5, 5, DRAIN, 0),
        (7, 2, 13, 7, 3, 3, 0),
        (3, 4, 50, 1, 4, DRAIN, 0),
        (4, 4, 41, 3, 4, DRAIN, 0),
        (2, 3, 12, 2, 3, DRAIN, 0),
        (3, 3, 24, 1, 3, 3, 0),
        (2, 5, 5, 1, 3, 3, 0),
        (5, 3, 24, 5, 5, DRAIN, 1),
        (3, 4, 50, 1, 4, DRAIN, 1),
        (4, 4, 41, 3, 4, DRAIN + 2, 1),
        (2, 3, 12, 2, 3, DRAIN, 1),
        (2, 5, 5, 1, 3, 3, 1),
    ],
)
def test_fcc_sequencer(
    pe: int,
    simd: int,
    max_width: int,
    taps: int,
    max_layers: int,
    drain: int,
    ternary: int,
    tmp_path: Path,
) -> None:
    """Control words of lone, chained, stalled and interrupted passes."""
    ring, groups = -(-max_width // simd), -(-max_width // pe)
    geometry = Geometry(
        pe=pe,
        simd=simd,
        max_width=max_width,
        taps=taps,
        max_layers=max_layers,
        max_classes=1,
        weight_depth=max_layers * ring * groups * (1 + ternary),
        threshold_depth=max_layers * groups,
        ternary=ternary,
    )
    run(geometry, drain, _TESTS, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("layers", [1, 16])
def test_fewest_and_most_layers(layers: int, tmp_path: Path) -> None:
    """Both ends of MAX_LAYERS."""
    geometry = Geometry(
        pe=3, simd=4, max_width=11, taps=2, max_layers=layers, max_classes=1,
        weight_depth=layers * 3 * 4 + 1, threshold_depth=layers * 4 + 1,
    )  # fmt: skip
    tests = ["lone_passes", "cycles_of_a_pass", "random_batches_results_and_weights",
             "random_tables", "waits_for_results"]  # fmt: skip
    run(geometry, DRAIN, tests, tmp_path)


@pytest.mark.slow
def test_many_words_and_groups(tmp_path: Path) -> None:
    """More of each than a byte counts, and memories of more words than 16 bits do."""
    geometry = Geometry(
        pe=1, simd=1, max_width=300, taps=1, max_layers=3, max_classes=1, weight_depth=1 << 17,
        bank_depth=1 << 14, threshold_depth=1 << 17,
    )  # fmt: skip
    run(geometry, DRAIN, ["many_words_and_groups"], tmp_path)


def run(geometry: Geometry, drain: int, tests: Sequence[str], directory: Path) -> None:
    """Build the sequencer of a core, and run tests on it."""
    groups = geometry.groups(geometry.max_width)
    parameters = {
        "PE": geometry.pe,
        "SIMD": geometry.simd,
        "RING": geometry.ring,
        "TAPS": geometry.taps,
        "MAX_LAYERS": geometry.max_layers,
        "GROUPS": groups,
        "GROUP_BITS": max(1, (groups - 1).bit_length()),
        "WEIGHT_DEPTH": geometry.weight_depth,
        "THRESHOLD_DEPTH": geometry.threshold_depth,
        "DRAIN": drain,
        "TERNARY": geometry.ternary,
    }
    model = simulator.build("fcc_sequencer", parameters)
    settings = {"geometry": asdict(geometry), "drain": drain}
    model.run("modules.fcc_sequencer_tests", directory, tests, settings)
