# SPDX-License-Identifier: Apache-2.0
"""The explorer: what it tries, what it keeps, what it names, what it refuses."""

from __future__ import annotations

import importlib.util
import itertools
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xnor_fcc import explore, pareto, plot
from xnor_fcc.area import Area
from xnor_fcc.devices import DATA, Device, devices
from xnor_fcc.errors import UserError
from xnor_fcc.geometry import Geometry, GeometryError, Shape
from xnor_fcc.integer import IntegerNetwork, ShiftLayer
from xnor_fcc.places import ROOT
from xnor_fcc.random_network import random_network
from xnor_fcc.space import Candidate, Sizes, Space, front, pick, step_sizes, thin

DEFAULT = (784, 1024, 1024, 1024, 10)
SMALL = (60, 40, 40, 10)
DE1 = devices()["de1-soc"]


def shrunk(**changes: object) -> Device:
    """The DE1-SoC with other figures."""
    return replace(DE1, **changes)  # type: ignore[arg-type]


# ---- devices


def test_devices() -> None:
    """Figures of the vendor that the documents rely on, and what follows from them."""
    known = devices()
    assert {(d.part, d.alms, d.blocks) for d in known.values()} >= {
        ("5CSEMA5F31C6", 32070, 397), ("5CSEBA6U23I7", 41910, 553), ("5CGXFC5C6F27C7", 29080, 446),
    }
    assert DE1.alm_limit == pytest.approx(28_863)
    assert DE1.block_limit(10_000) == 397
    assert DE1.block_limit(20_000) == 385
    assert DE1.port_bits == 280
    for entry in DATA["devices"]:
        assert entry["source"] and entry["family"] in DATA["families"]
    assert sum(d.named for d in known.values()) == 1


# ---- the space


def test_step_sizes_are_the_smallest_of_their_kind() -> None:
    for widths in ((10,), (7, 12), (60, 40, 10), (1024, 784)):
        kinds = {}
        for size in range(max(widths), 0, -1):
            kinds[tuple(-(-width // size) for width in widths)] = size
        assert step_sizes(widths, 10**6) == sorted(kinds.values())
    assert max(step_sizes((1000,), 90)) <= 90


@pytest.mark.slow
def test_nothing_better_is_left_out() -> None:
    """Against every PE, SIMD and LANES there is, on a device that they do not all fit."""
    device = shrunk(alms=3200, blocks=20)
    space = Space(device, SMALL, max_lanes=4)
    found = front(space.explore())
    everything = []
    for sizes in itertools.product(range(1, 42), range(1, 62), range(1, 5)):
        try:
            geometry, area = space.build(Sizes(*sizes))
        except GeometryError:
            continue
        if not space.excess(geometry, area):
            everything.append(space.judge(geometry, area))
    assert len(everything) > 500
    for cost in (0, 2):
        assert min(c.costs[cost] for c in found) == min(c.costs[cost] for c in everything)
    for candidate in front(everything):
        assert any(
            ours.cycles <= candidate.cycles and ours.latency <= candidate.latency
            and ours.area.alm <= 1.03 * candidate.area.alm
            for ours in found
        ), candidate.sizes


def fake(cycles: int, alm: float, latency: int, lanes: int = 1, steps: int = 0) -> Candidate:
    """A candidate with the given costs."""
    geometry = Geometry(pe=8, simd=8, lanes=lanes, max_width=64)
    period = cycles * lanes
    return Candidate(geometry, Area(alm, 1, {}), period, latency, steps or period, lanes)


def test_the_front_is_what_nothing_beats() -> None:
    best = [fake(10, 100, 50), fake(20, 50, 60), fake(30, 60, 30), fake(40, 55, 35)]
    worse = [fake(11, 100, 50), fake(20, 50, 61), fake(40, 60, 30), fake(10, 100, 50)]
    assert front([*worse, *best]) == best
    assert front([]) == []


@pytest.mark.slow
def test_the_front_is_thinned_to_few_rows_with_both_ends() -> None:
    points = [fake(100 + i, 10_000 - 7 * i, 120 + i) for i in range(1000)]
    kept = thin(points, 12)
    assert 4 <= len(kept) <= 12
    assert points[0] in kept
    assert min(c.area.alm for c in kept) < 3200
    assert thin(points[:3], 12) == points[:3]


def test_the_pick_for_throughput_is_busy() -> None:
    lazy, busy = fake(10, 100, 50, steps=5), fake(12, 100, 60, steps=12)
    assert pick([lazy, busy]) == {"throughput": busy, "latency": lazy}
    assert pick([lazy])["throughput"] is lazy


# ---- what bounds


def bounds(device: Device, sizes: tuple[int, int, int], widths: tuple[int, ...] = DEFAULT,
           port: int = 0) -> dict[str, str]:
    space = Space(device, widths, port)
    geometry, area = space.build(Sizes(*sizes))
    assert not space.excess(geometry, area)
    return space.bounds(space.judge(geometry, area))


def test_bounded_by_logic() -> None:
    assert bounds(DE1, (69, 205, 2))["lanes"] == "logic"
    assert bounds(shrunk(alms=20_000, blocks=4000), (57, 262, 1)) == dict.fromkeys(
        ("pe", "simd"), "-") | {"lanes": "logic"}


def test_bounded_by_the_width_of_the_memory() -> None:
    """The latency geometry leaves half of the logic free: only the width of the word stops it."""
    found = bounds(DE1, (57, 262, 1))
    assert found["pe"] == found["simd"] == "memory width"


def test_width_and_depth_of_the_memory() -> None:
    """A word of 8,192 bits takes 410 blocks, not because of the number of the weights."""
    space = Space(DE1, DEFAULT)
    assert space.excess(*space.build(Sizes(64, 128, 1))) == ["memory width"]
    space = Space(shrunk(blocks=200), DEFAULT)
    assert space.excess(*space.build(Sizes(8, 128, 1))) == ["memory depth"]
    # One block more for padding than there is.
    assert bounds(devices()["de0-cv"], (29, 205, 1))["simd"] == "memory depth"


def test_the_last_block_counts() -> None:
    """What takes every block of RAM fits; with one less on the chip it does not."""
    geometry, area = Space(DE1, DEFAULT).build(Sizes(16, 128, 1))
    assert Space(shrunk(blocks=area.blocks), DEFAULT).excess(geometry, area) == []
    assert Space(shrunk(blocks=area.blocks - 1), DEFAULT).excess(geometry, area) != []


def test_bounded_by_pins() -> None:
    """More lanes than the image port can feed bring nothing; nor do larger words of a stream."""
    widths = (512, 16, 10)
    assert bounds(DE1, (16, 128, 4), widths)["lanes"] == "pins"
    found = bounds(DE1, (8, 32, 1), DEFAULT, port=64)
    assert found["pe"] == found["simd"] == "pins"


def test_bounded_by_the_network() -> None:
    assert bounds(DE1, (40, 60, 1), SMALL)["pe"] == "size"
    assert bounds(DE1, (40, 60, 1), SMALL)["simd"] == "size"


# ---- the whole


@pytest.fixture(scope="module")
def report() -> explore.Report:
    return explore.explore(DE1, DEFAULT)


@pytest.mark.slow
def test_the_report_for_the_default_network(report: explore.Report) -> None:
    """Every row fits and is what `Geometry` says; the picks are no worse than what is named."""
    assert 10 <= len(report["table"]) <= 30
    rows = [*report["table"], *report["picks"].values()]
    for row in rows:
        g = Geometry.for_widths(DEFAULT, row["pe"], row["simd"], row["lanes"])
        assert row["parameters"] == g.parameters()
        assert row["cycles_per_image"] == pytest.approx(
            g.period_cycles(DEFAULT) / g.lanes, abs=1e-3
        )
        assert row["latency"] == g.latency_cycles(DEFAULT, 256)
        assert row["alm"] <= 28_863
        assert row["blocks"] <= (385 if row["alm"] > 32_070 / 2 else 397)
    picks, named = report["picks"], report["named"]
    assert picks["throughput"]["cycles_per_image"] <= named["throughput"]["cycles_per_image"]
    assert picks["throughput"]["busy"] >= 0.95
    assert picks["latency"]["latency"] <= named["latency"]["latency"]
    assert named["latency"]["exceeds"] == []
    assert picks["latency"]["lanes"] == 1


@pytest.mark.slow
def test_the_picture_shows_the_report(report: explore.Report) -> None:
    """The whole front up to the slow end, the best ones, what limits them; all within the axes."""
    shown = explore.shown(report)
    places = {(row["cycles_per_image"], row["alm"]): row["lanes"] for row in report["front"]}
    fastest = min(cycles for cycles, _ in places)
    near = {place: lanes for place, lanes in places.items() if place[0] <= 40 * fastest}
    assert 20 < len(near) < len(places)
    assert {p: n for n, some in shown.front.items() for p in some} == {
        place: min(lanes, 4) for place, lanes in near.items()
    }
    assert shown.picks == {
        "best throughput: 43 x 171 x 4": (105.0, report["picks"]["throughput"]["alm"]),
        "best latency: 57 x 262 x 1": (214.0, report["picks"]["latency"]["alm"]),
    }
    assert shown.limits == {"all ALMs": 32_070, "ALMs one dares to fill": DE1.alm_limit}
    assert shown.floors == {1: 214.0, 2: 107.0}
    left, right = shown.cycles
    assert all(left < cycles < right for cycles, _ in near)
    assert shown.network == "784-1024-1024-1024-10 on 5CSEMA5F31C6"


@pytest.mark.slow
def test_one_geometry_that_is_best_for_both_has_one_label(report: explore.Report) -> None:
    best = report["picks"]["latency"]
    both: explore.Report = {**report, "picks": {"throughput": best, "latency": best}}
    assert list(explore.shown(both).picks) == ["best throughput and latency: 57 x 262 x 1"]


@pytest.mark.slow
@pytest.mark.needs("matplotlib")
def test_the_picture_is_the_same_for_the_same_data(report: explore.Report) -> None:
    shown = explore.shown(report)
    picture = pareto.picture(shown)
    assert picture == pareto.picture(shown) and ElementTree.fromstring(picture).tag.endswith("svg")
    assert plot.shows(picture, shown)
    assert not plot.shows(picture, replace(shown, floors={1: 214.0, 2: 108.0}))
    for text in [*shown.picks, "ALMs one dares to fill: 28,863", "memory, 1 lane", "2,000"]:
        assert f">{text}</text>" in picture, text


@pytest.mark.slow
def test_the_picture_in_the_repository_is_todays(report: explore.Report) -> None:
    drawing = (ROOT / "rtl" / "doc" / "pareto.svg").read_text()
    assert plot.shows(drawing, explore.shown(report)), "run `make explore` and copy pareto.svg"


@pytest.mark.slow
def test_a_network_that_is_too_large_is_streamed() -> None:
    widths = (784, 2048, 2048, 10)
    report = explore.explore(DE1, widths)
    assert "does not fit" in report["note"]
    assert report["weight_stream"] == DE1.port_bits
    row = report["picks"]["throughput"]
    g = Geometry(**{name.lower(): value for name, value in row["parameters"].items()})
    assert g.weight_stream == DE1.port_bits
    assert row["period"] == g.period_cycles(widths)
    # No faster than the weights come in.
    assert row["period"] >= report["weight_bits"] / DE1.port_bits
    assert report["named"] == {}
    assert "Weights streamed over 280 bits" in explore.table(report)
    shown = explore.shown(report)
    assert shown.floors == {} and shown.network.endswith(", weights streamed over 280 bits")


@pytest.mark.slow
def test_a_network_that_fits_no_way_is_refused() -> None:
    with pytest.raises(UserError, match=r"does not fit 5CSEMA5F31C6.*Nor does the smallest core"):
        explore.explore(DE1, (32767, 32767, 10))
    with pytest.raises(UserError, match="no pins"):
        explore.explore(shrunk(user_io=10), (784, 4096, 4096, 10))


# ---- networks of other kinds

SECOND = Shape(SMALL, (1, 2, 2), (False,) * 3)
TERNARY = Shape(SMALL, (1, 1, 1), (False, True, True))


def test_two_lanes_an_image_of_second_order() -> None:
    report = explore.explore(shrunk(alms=6000, blocks=60), SECOND)
    # The geometry named latency has one lane.
    assert report["orders"] == [1, 2, 2] and set(report["named"]) == {"throughput"}
    for row in report["table"]:
        g = Geometry.for_widths(SECOND, row["pe"], row["simd"], row["lanes"])
        assert row["parameters"] == g.parameters() and g.order == 2 and g.lanes % 2 == 0
        # All values are rounded.
        assert row["cycles_per_image"] == pytest.approx(
            g.period_cycles(SECOND) / (g.lanes // 2), abs=1e-3
        )
        assert row["latency"] == g.latency_cycles(SECOND, 256)
    assert report["picks"]["latency"]["lanes"] == 2
    assert set(report["limits"]["memory_floor"]) == {"2", "4"}
    assert "60-40-40-10 (second order) on " in explore.table(report)
    assert explore.shown(report).network == "60-40-40-10 (second order) on 5CSEMA5F31C6"


@pytest.mark.slow
def test_ternary_weights_take_twice_the_memory_and_the_steps() -> None:
    device = shrunk(alms=6000, blocks=60)
    plain, ternary = explore.explore(device, SMALL), explore.explore(device, TERNARY)
    assert plain["weight_bits"] == 60 * 40 + 40 * 40 + 40 * 10
    assert ternary["weight_bits"] == 60 * 40 + 2 * (40 * 40 + 40 * 10)
    row = ternary["picks"]["throughput"]
    g = Geometry.for_widths(TERNARY, row["pe"], row["simd"], row["lanes"])
    assert row["parameters"] == g.parameters() and g.ternary == 1
    assert row["period"] == g.period_cycles(TERNARY) > g.period_cycles(SMALL)
    assert "(ternary)" in explore.table(ternary) and "(" not in explore.table(plain).split(",")[0]
    port = explore.explore(device, TERNARY, streamed=True)
    assert port["picks"]["throughput"]["period"] >= ternary["weight_bits"] / port["weight_stream"]


# ---- command line


@pytest.mark.needs("matplotlib")
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a" / "b"
    assert explore.main(["--widths", "60-40-10", "--output", str(out), "--max-lanes", "2"]) == 0
    report = json.loads((out / "report.json").read_text())
    assert report["widths"] == [60, 40, 10]
    assert plot.shows((out / "pareto.svg").read_text(), explore.shown(report))
    assert sorted(path.name for path in out.iterdir()) == ["pareto.svg", "report.json"]
    text = capsys.readouterr().out
    assert "best for throughput" in text and "next LANE" in text
    assert explore.main(["--widths", "60-40-10", "--output", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["widths"] == [60, 40, 10]


@pytest.mark.slow
def test_without_matplotlib_there_is_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a sentence that says how to get the picture; none of an earlier run is left."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    (tmp_path / "pareto.svg").write_text("old")
    assert explore.main(["--widths", "60-40-10", "--output", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "best for throughput" in said
    assert said.endswith(
        f"wrote {tmp_path / 'report.json'}\nNo picture of the front: {plot.MISSING}\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    with pytest.raises(UserError, match=r"^Pictures need .* pip install 'xnor-fcc\[plots\]'\.$"):
        plot.axes(1, 1)


def test_the_command_obeys_its_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report is that of the function with the same figures, all of them not the defaults."""
    command = ["--widths", "60-40-10", "--device", "de0-cv", "--max-lanes", "2", "--timeout", "99",
               "--fill", "0.5", "--rows", "4", "--output", str(tmp_path), "--json"]  # fmt: skip
    device = replace(devices()["de0-cv"], logic_fill=0.5)
    for more, port in (([], None), (["--streamed", "--port", "64"], 64)):
        assert explore.main([*command, *more]) == 0
        wanted = explore.explore(device, (60, 40, 10), 2, 99, bool(more), port, 4)
        assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(wanted))


def test_the_command_takes_the_kind_from_the_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "n.npz", tmp_path / "out"
    network = random_network(np.random.default_rng(1), SMALL, SECOND.orders)
    network.save(path)
    command = ["--network", str(path), "--output", str(out), "--max-lanes", "2"]
    assert explore.main(command) == 0
    report = json.loads((out / "report.json").read_text())
    assert (report["orders"], report["ternary"]) == ([1, 2, 2], [False] * 3)
    assert {row["lanes"] for row in report["table"]} == {2}
    with pytest.raises(UserError, match="--max-lanes 1 is too few"):
        explore.main([*command[:-1], "1"])
    ones, tail = np.ones((40, 60), np.uint8), random_network(np.random.default_rng(1), (40, 10))
    first = ShiftLayer(ones, ones, np.zeros(40, np.int32))
    IntegerNetwork((first,), tail.output).save(path)
    with pytest.raises(UserError, match="which no core computes"):
        explore.main(command)
    capsys.readouterr()


def test_help_explains_every_bound(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        explore.main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for word in ("logic", "memory width", "memory depth", "pins", "size", *devices()):
        assert f"{word}:" in text, word


@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--device", "de2"], "device de2 is not known; there are de1-soc"),
        (["--widths", "784-0-10"], 'width 2 is "0"'),
        (["--widths", "784--10"], "width 2 is missing"),
        (["--widths", "784-"], "width 2 is missing"),
        (["--widths", "784"], "lacks a layer"),
        (["--widths", ""], "lacks a layer"),
        (["--widths", "784-99999-10"], "1 to 32767"),
        (["--widths", "784-1e3-10"], 'width 2 is "1e3"'),
        (["--widths", "-".join(["8"] * 18)], "17 layers"),
        (["--network", "nothing"], "nothing"),
        (["--network", "mnist", "--widths", "784-10"], "not allowed"),
        (["--max-lanes", "0"], "--max-lanes 0 is outside"),
        (["--fill", "1.5"], "--fill 1.5 is outside"),
        (["--port", "12"], "not a multiple of 8"),
        (["--lanse", "2"], "--help explains it"),
        (["--widths", "32767-32767-10"], "Nor does the smallest core"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    """On stderr, with an exit code, and nothing is written."""
    command = [sys.executable, "-m", "xnor_fcc", "explore", "--output", str(tmp_path / "out")]
    run = subprocess.run([*command, *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("error: ") and run.stderr.count("\n") == 1
    assert complaint in run.stderr
    assert list(tmp_path.iterdir()) == []
