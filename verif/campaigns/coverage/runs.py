# SPDX-License-Identifier: Apache-2.0
"""The simulations of whole cores in a coverage campaign; pytest runs them when it is given this
file, which `make coverage` does.

The geometries are the corners of core/corners.py and those below, chosen so that each value in the
plan is somebody's. What a core runs beside core_tests.py is named behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from core.corners import (
    CORNERS,
    FLOODED,
    LEARN_CORNERS,
    LEARN_TESTS,
    MAP_CORNERS,
    MAP_TESTS,
    SMALL,
    run_map_preset,
    run_preset,
)
from core.corners import (
    tests_of as names_of,
)
from xnor_fcc.geometry import Geometry
from xnor_fcc.places import ROOT
from xnor_fcc_sim import simulator

_IN_TURN = "networks_in_turn"
# Who watches, and what is visible inside the core to be looked at.
OBSERVER = "campaigns.coverage.monitor:Monitor"
MAP_OBSERVER = "campaigns.coverage.map_monitor:MapMonitor"
LEARN_OBSERVER = "campaigns.coverage.learn_monitor:LearnMonitor"
CONTROLS = [Path(__file__).with_name("probes.vlt")]

GEOMETRIES = {
    **CORNERS,
    # One lane and a word as wide as the PEs; two chunks a word; one bank that is full.
    "one-lane": dict(pe=6, simd=6, lanes=1, max_width=40, weight_depth=150, bank_depth=150,
                     threshold_depth=40, max_classes=9, max_layers=4, image_width=16),
    "four-lanes": dict(pe=4, simd=10, lanes=4, max_width=70, weight_depth=256, bank_depth=64,
                       threshold_depth=90, max_classes=8, max_layers=5, image_width=128),
    "wide-beats": dict(pe=4, simd=12, lanes=6, max_width=48, weight_depth=200, bank_depth=256,
                       threshold_depth=60, max_classes=5, max_layers=3, image_width=512),
    "taps": dict(pe=6, simd=4, lanes=1, max_width=30, taps=3, weight_depth=200, bank_depth=128,
                 threshold_depth=40, max_classes=6, max_layers=4, image_width=256),
    "ring-of-taps": dict(pe=8, simd=7, lanes=1, max_width=27, taps=4, weight_depth=90,
                         bank_depth=1, threshold_depth=24, max_classes=6, max_layers=4,
                         image_width=8),
    "one-word": dict(pe=3, simd=24, lanes=1, max_width=24, weight_depth=60, threshold_depth=40,
                     max_classes=6, max_layers=4, image_width=32),
    # Layers of words enough to hide the pipeline behind, and no more PEs than bits in a word.
    "long-ring": dict(pe=3, simd=4, lanes=1, max_width=80, weight_depth=500, threshold_depth=120,
                      max_classes=5, max_layers=4, image_width=16),
    "smallest": dict(pe=1, simd=1, lanes=1, max_width=1, max_layers=1, max_classes=1,
                     weight_depth=2, bank_depth=2, threshold_depth=2, image_width=8),
    "streamed-square": dict(pe=8, simd=8, lanes=1, max_width=40, weight_depth=2, bank_depth=1,
                            threshold_depth=40, max_classes=6, max_layers=4, image_width=8,
                            weight_stream=72),
    "streamed-taps": dict(pe=10, simd=4, lanes=2, max_width=24, taps=3, weight_depth=2,
                          bank_depth=1, threshold_depth=24, max_classes=4, max_layers=4,
                          image_width=16, weight_stream=8),
    "flood": asdict(FLOODED),
    "flood-kinds": {**asdict(FLOODED), "lanes": 2, "order": 2, "ternary": 1},
    "small": SMALL,
    "small-taps": {**SMALL, "taps": 3},
    "small-stream": {**SMALL, "weight_stream": 8},
    "small-lane": {**SMALL, "lanes": 1, "taps": 3},
    "small-lane-stream": {**SMALL, "lanes": 1, "weight_stream": 8},
    **{f"maps-{name}": sizes for name, sizes in MAP_CORNERS.items()},
    **{f"learns-{name}": sizes for name, sizes in LEARN_CORNERS.items()},
    # Every limit of a core can be exceeded alone; beats wider than the one colour.
    "maps-small": dict(pe=4, simd=36, lanes=4, max_width=108, max_layers=5, max_classes=4,
                       weight_depth=60, bank_depth=60, threshold_depth=40, image_width=16,
                       map_input=6, map_even=4, map_odd=2, pixel_channels=1, pixel_levels=4),
    "maps-colours": dict(pe=6, simd=54, lanes=4, max_width=162, max_layers=6, max_classes=4,
                         weight_depth=60, bank_depth=40, threshold_depth=40, image_width=32,
                         map_input=6, map_even=3, map_odd=2, pixel_channels=3, pixel_levels=2),
}  # fmt: skip


def watched(observer: str = OBSERVER) -> dict[str, str]:
    """Settings with which a monitor watches, in a campaign."""
    counts = simulator.COVERAGE
    return {"observer": observer, "bins": str(Path(counts).resolve())} if counts else {}


def run(
    name: str, tests: Sequence[str], module: str = "core.core_tests", **settings: object
) -> None:
    """Run tests on a geometry of this page."""
    geometry = Geometry(**GEOMETRIES[name])
    observer = MAP_OBSERVER if geometry.map_input else OBSERVER
    if module == "core.learn_tests":
        observer = LEARN_OBSERVER
    model = simulator.build("xnor_fcc", geometry.parameters(), controls=CONTROLS)
    label = f"coverage-{name}-{module}-{'-'.join(str(value) for value in settings.values())}"
    model.run(
        module,
        simulator.run_directory(label),
        testcase=tests,
        settings={"geometry": asdict(geometry), "seed": 1, **settings, **watched(observer)},
        seed=1,
    )


@pytest.mark.parametrize("name", CORNERS)
def test_corner(name: str) -> None:
    run(name, names_of(Geometry(**CORNERS[name])))


@pytest.mark.parametrize(
    "name",
    ["one-lane", "four-lanes", "wide-beats", "taps", "ring-of-taps", "one-word", "long-ring",
     "smallest", "streamed-square", "streamed-taps"],
)  # fmt: skip
def test_geometry(name: str) -> None:
    run(name, [_IN_TURN])


@pytest.mark.parametrize("kind", ["software", "hardware"])
@pytest.mark.parametrize(
    "name", ["small-taps", "small-stream", "small-lane", "small-lane-stream"]
)
def test_resets(name: str, kind: str) -> None:
    run(name, ["resets"], "campaigns.coverage.coverage_tests", kind=kind, moments=200)


@pytest.mark.parametrize("name", ["one-lane", "flood", "one-of-each"])
def test_loads(name: str) -> None:
    run(name, ["resets_while_loading", "reloads"], "campaigns.coverage.coverage_tests")


def test_loads_of_a_stream() -> None:
    run("small-stream", ["reloads"], "campaigns.coverage.coverage_tests")


@pytest.mark.parametrize("name", ["small", "one-lane"])
def test_moments(name: str) -> None:
    run(name, ["refusals", "stops"], "campaigns.coverage.coverage_tests", moments=120)


@pytest.mark.parametrize("name", ["flood", "flood-kinds"])
def test_tables(name: str) -> None:
    run(name, ["wrong_tables"], "campaigns.coverage.coverage_tests")


@pytest.mark.parametrize("name", ["flood", "one-lane", "word-wider-than-layers"])
def test_numbers(name: str) -> None:
    run(name, ["numbers"], "campaigns.coverage.coverage_tests")


@pytest.mark.parametrize("name", ["odd", "flood", "four-lanes", "more-pe-than-neurons", "one-lane"])
def test_batches(name: str) -> None:
    run(name, ["batches"], "campaigns.coverage.coverage_tests")


@pytest.mark.parametrize("name", ["one-lane", "flood"])
def test_streams(name: str) -> None:
    run(name, ["backpressure", "packets", "interrupts"], "campaigns.coverage.coverage_tests")


@pytest.mark.parametrize("name", ["flood", "streamed-taps", "more-pe-than-neurons"])
def test_counters(name: str) -> None:
    run(name, ["wraps"], "campaigns.coverage.coverage_tests")


def test_weights() -> None:
    run("streamed-taps", ["weight_frames"], "campaigns.coverage.coverage_tests")


def test_flood() -> None:
    run("flood", ["flood"], "core.flood_tests", rounds=6, malformed=900, accesses=900)


def test_locked_while_checking() -> None:
    run("flood", ["locked_while_the_table_is_checked"], "core.flood_tests")


def test_preset(tmp_path: Path) -> None:
    run_preset(tmp_path, CONTROLS, **watched())


@pytest.mark.parametrize("name", MAP_CORNERS)
def test_maps(name: str) -> None:
    run(f"maps-{name}", MAP_TESTS, "core.map_core_tests")


@pytest.mark.parametrize("name", ["maps-small", "maps-colours"])
def test_maps_of_small_cores(name: str) -> None:
    tests = ["pixels_at_the_levels", "malformed_packets", "wrong_tables"]
    tests += ["tables_beyond_the_core"] if name == "maps-small" else []
    run(name, tests, "campaigns.coverage.map_coverage_tests")


def test_maps_of_every_kind() -> None:
    run("maps-order-2-ternary", ["every_kind"], "campaigns.coverage.map_coverage_tests")


def test_map_preset(tmp_path: Path) -> None:
    run_map_preset(tmp_path, CONTROLS, **watched(MAP_OBSERVER))


@pytest.mark.parametrize("name", LEARN_CORNERS)
def test_learning(name: str) -> None:
    run(f"learns-{name}", LEARN_TESTS, "core.learn_tests")


def test_popcount() -> None:
    """Shorter words than the suite counts: the longest take half an hour to build with toggles."""
    sources = [*simulator.rtl_sources(), ROOT / "verif" / "modules" / "popcount_sizes.v"]
    model = simulator.build("popcount_sizes", {"LONGEST": 24}, sources=sources)
    directory = simulator.run_directory("coverage-popcount")
    tests = ["equal_bits", "every_coded_bit_counts", "plane_counters", "five_bits", "parity_coders"]
    model.run(
        "modules.xnor_popcount_tests", directory, tests, settings={"longest": 24, "words": 60}
    )
