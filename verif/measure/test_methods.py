# SPDX-License-Identifier: Apache-2.0
"""`make methods`: the runs it finds, the figures it gives, the page and the picture it writes."""

from __future__ import annotations

import importlib.util
import itertools
import json
import xml.etree.ElementTree as ElementTree
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from measure import methods
from xnor_fcc import plot
from xnor_fcc.data import load_test_images
from xnor_fcc.errors import UserError
from xnor_fcc.generated import markers
from xnor_fcc.geometry import NAMED, Geometry, Shape
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import evaluate

WIDTHS = (784, 210, 100, 10)
WHOLE = (784, 1024, 1024, 1024, 10)
IMAGES = np.random.default_rng(1).integers(0, 256, (200, 784)).astype(np.uint8)
LABELS = np.random.default_rng(2).integers(0, 10, 200)


def recipe(**changes: Any) -> dict[str, Any]:
    return {"widths": list(WIDTHS), "seed": 1, "epochs": 3, "order": 1, "weights": "binary",
            "first_layer": "binary", "pruned_from": "", **changes}  # fmt: skip


def commit(directory: Path, file: str, found: float | None = None, **changes: Any) -> None:
    """A random network of such a recipe in `directory`, or the report of its training alone."""
    told = recipe(**changes)
    path = directory / file
    if path.suffix == ".json":
        path.write_text(json.dumps({"recipe": told, "test_accuracy": found}))
        return
    layers = len(told["widths"]) - 1
    network = random_network(
        np.random.default_rng(len(list(directory.iterdir()))), told["widths"],
        orders=(told["order"],) * layers, ternary=told["weights"] == "ternary",
    )  # fmt: skip
    classes = evaluate(network, network.inputs_from(IMAGES)).classes
    accuracy = float((classes == LABELS).mean()) if found is None else found
    replace(network, info={"recipe": told, "test_accuracy": accuracy}).save(path)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> methods.Report:
    """Of two seeds of a binary network, one in float, one of order 2, a ternary and a pruned one,
    and runs with a first layer of shifts and with two scales of ternary weights. Those on another
    data set do not count."""
    tmp_path = tmp_path_factory.mktemp("committed")
    commit(tmp_path, "mnist.npz")
    commit(tmp_path, "other.json", 0.5, seed=2)
    commit(tmp_path, "exact.json", 0.75, name="float", epochs=9)
    commit(tmp_path, "double.npz", order=2)
    commit(tmp_path, "ternary.npz", weights="ternary")
    commit(tmp_path, "cut.npz", widths=[784, 150, 10], pruned_from="x.npz")
    commit(tmp_path, "shifts.json", 0.25, first_layer="shifts")
    commit(tmp_path, "scales.json", 0.4, name="ttq", weights="ternary")
    commit(tmp_path, "maps.json", 0.9, name="conv", maps="8p,8")
    commit(tmp_path, "garments.npz", dataset="fashion")
    commit(tmp_path, "garments.json", 0.5, dataset="fashion", name="float")
    (tmp_path / "mnist_trained.npz").write_text("not an integer network, and not asked for")
    runs = methods.load_runs(tmp_path, tmp_path)
    assert len(runs) == 8
    return methods.measure(runs, IMAGES, LABELS)


@pytest.fixture
def report(measured: methods.Report) -> methods.Report:
    """A copy to play with."""
    return deepcopy(measured)


def row(report: methods.Report, name: str) -> methods.Row:
    (found,) = [row for row in report["rows"] if row["name"] == name]
    return found


def test_figures_of_every_kind(report: methods.Report) -> None:
    plain, double = row(report, "mnist"), row(report, "double")
    ternary, cut = row(report, "ternary"), row(report, "cut")
    bits = 784 * 210 + 210 * 100 + 100 * 10
    assert plain["weight_bits"] == double["weight_bits"] == bits == ternary["weight_bits"] // 2
    assert row(report, "exact")["weight_bits"] == 32 * bits
    assert row(report, "shifts")["weight_bits"] == bits + 3 * 784 * 210
    for name in ("exact", "shifts", "scales"):
        assert "cycles_per_image" not in row(report, name) and not row(report, name)["network"]

    g = Geometry.for_widths(WIDTHS, *NAMED["throughput"])
    assert plain["cycles_per_image"] == g.period_cycles(WIDTHS) / 2
    assert plain["latency_cycles"] == g.latency_cycles(WIDTHS, 0)
    steps = 4 * 4 + 2 * 2 + 1
    assert plain["xnors_per_image"] == steps * 69 * 205 == 2 * plain["weight_bits_read_per_image"]
    # Both lanes for one image; or two rounds for both.
    assert double["xnors_per_image"] == 2 * plain["xnors_per_image"]
    assert ternary["weight_bits_read_per_image"] == 2 * plain["weight_bits_read_per_image"]
    shape = Shape(WIDTHS, (2, 2, 2), (False,) * 3)
    pairs = Geometry.for_widths(shape, *NAMED["throughput"])
    assert (pairs.order, pairs.lanes) == (2, 2)
    assert double["cycles_per_image"] == pairs.period_cycles(shape)
    # A core that was built for more takes as long.
    larger = Geometry.for_widths(WHOLE, *NAMED["throughput"])
    assert cut["cycles_per_image"] == larger.period_cycles(cut["widths"]) / 2
    assert cut["latency_cycles"] == larger.latency_cycles(cut["widths"], 0)
    assert cut["toggles_per_image"] < plain["toggles_per_image"] < ternary["toggles_per_image"]


@pytest.mark.slow
def test_what_does_not_fit_the_chip_is_marked(report: methods.Report) -> None:
    """The default network of order 2 needs another geometry, the ternary one another chip."""
    assert methods.hardware(Shape.of(WHOLE))["exceeds"] == []
    double = methods.hardware(Shape(WHOLE, (2,) * 4, (False,) * 4))
    assert double["m10k"] > 397 and double["exceeds"] == ["memory width"]
    instead = double["fitting"]
    assert instead is not None
    assert instead["m10k"] <= 397 and instead["alm"] <= 32_070 and instead["lanes"] % 2 == 0
    assert double["cycles_per_image"] < instead["cycles_per_image"] < 300
    ternary = methods.hardware(Shape(WHOLE, (1,) * 4, (True,) * 4))
    assert ternary["exceeds"] == ["memory depth"] and ternary["fitting"] is None

    for each in report["rows"]:
        each["exceeds"] = []
    assert "*" not in methods.table(report) and "does not fit" not in methods.page(report)
    row(report, "mnist").update({"exceeds": ["logic"], "fitting": instead})
    assert f"{row(report, 'mnist')['m10k']} * |" in " ".join(methods.table(report).split())
    text = methods.page(report)
    assert "`mnist` does not fit the Terasic DE1-SoC in this geometry (logic); the quickest" in text
    assert f"that does is PE={instead['pe']} SIMD={instead['simd']} " in text
    row(report, "mnist")["fitting"] = None
    assert "no geometry with a weight memory does." in methods.page(report)


def test_runs_of_one_method_share_a_row(report: methods.Report) -> None:
    plain = row(report, "mnist")
    assert plain["runs"] == 2 and plain["accuracy_max"] == 0.5
    assert plain["accuracy_min"] == plain["accuracy"]
    assert plain["accuracy_mean"] == (plain["accuracy"] + 0.5) / 2
    assert row(report, "double")["runs"] == 1
    assert "2 of 3 epochs: " in methods.table(report)


def test_runs_without_a_network_are_told_by_their_mean(tmp_path: Path) -> None:
    for seed, accuracy in enumerate((0.5, 0.25, 0.75)):
        commit(tmp_path, f"run{seed}.json", accuracy, seed=seed, pruned_from="x.npz")
    commit(tmp_path, "longer.json", 0.9, epochs=4, pruned_from="x.npz")
    report = methods.measure(methods.load_runs(tmp_path, tmp_path), IMAGES, LABELS)
    assert [(r["name"], r["accuracy"], r["runs"]) for r in report["rows"]] == [
        ("longer", 0.9, 1), ("run0", 0.5, 3)
    ]  # fmt: skip
    assert report["pruned"] == [] and report["front"] == []
    shown = methods.drawn(report)
    assert shown.front == [] and [point.name for point in shown.points] == ["", ""]
    assert (shown.points[1].best, shown.points[1].worst) == (0.25, 0.75)


def test_summaries(report: methods.Report) -> None:
    assert report["order2_accuracy"] == row(report, "double")["accuracy"]
    cut = row(report, "cut")
    assert report["pruned"] == [
        {key: cut[key] for key in ("name", "accuracy", "cycles_per_image")}
    ]
    assert [goal["name"] for goal in report["goals"]] == [None] * 3
    assert methods.quickest([cut], cut["accuracy"]) == "cut"
    assert methods.quickest([cut], cut["accuracy"] + 0.01) is None
    costs = {entry["recipe"]: entry for entry in report["binarisation"]}
    assert costs.keys() == {"float", "best"}
    assert costs["best"]["below_float"] == 0.75 - row(report, "mnist")["accuracy"]


def test_the_front_has_no_network_that_another_one_beats() -> None:
    places = [(5, 0.9), (7, 0.9), (9, 0.95), (9, 0.94), (11, 0.93), (12, 0.96)]
    rows = [{"network": True, "cycles_per_image": c, "accuracy": a} for c, a in places]
    rows += [{"network": False, "cycles_per_image": 1, "accuracy": 1.0},
             {"network": True, "accuracy": 1.0}]  # fmt: skip
    kept = methods.front(cast(list[methods.Row], rows[::-1]))
    assert [(r["cycles_per_image"], r["accuracy"]) for r in kept] == [
        (5, 0.9), (9, 0.95), (12, 0.96)
    ]  # fmt: skip


def test_a_network_that_is_not_as_its_training_says(tmp_path: Path) -> None:
    commit(tmp_path, "wrong.npz", 0.5)
    (run,) = methods.load_runs(tmp_path, tmp_path)
    with pytest.raises(UserError, match=r"^The network wrong reads 0\.\d+ .* says 0\.5000\.$"):
        methods.measured_accuracy(run, IMAGES, LABELS)


def test_a_report_that_is_not_as_its_network_says(tmp_path: Path) -> None:
    commit(tmp_path, "net.npz")
    (run,) = methods.load_runs(tmp_path, tmp_path)
    # The same training told twice is one run, even by an older program that told less of it.
    commit(tmp_path, "net.json", run.accuracy, distinct=0)
    assert len(methods.load_runs(tmp_path, tmp_path)) == 1
    commit(tmp_path, "net.json", run.accuracy + 0.01)
    with pytest.raises(UserError, match="not of the same accuracy"):
        methods.load_runs(tmp_path, tmp_path)


def test_files_that_are_something_else(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"recipe": 3}')
    with pytest.raises(UserError, match=r"x\.json is not the report of a training run"):
        methods.load_runs(tmp_path, tmp_path)
    (tmp_path / "x.json").unlink()
    random_network(np.random.default_rng(1), (4, 3)).save(tmp_path / "x.npz")
    with pytest.raises(UserError, match="does not say how it was trained"):
        methods.load_runs(tmp_path, tmp_path)


def test_what_the_picture_shows(report: methods.Report) -> None:
    """Every method is in it, those without a core as lines."""
    shown = methods.drawn(report)
    points = {point.name: point for point in shown.points}
    assert points.keys() == {"mnist", "double", "ternary", "cut"}
    assert len(points) == len(shown.points)
    for name, point in points.items():
        found = row(report, name)
        assert (point.cycles, point.error) == (found["cycles_per_image"], 1 - found["accuracy"])
        assert (point.best, point.worst) == (1 - found["accuracy_max"], 1 - found["accuracy_min"])
    assert [name for name, point in points.items() if point.pruned] == ["cut"]
    kinds = {name: point.kind for name, point in points.items()}
    assert kinds == {"mnist": "binary", "double": "order 2", "ternary": "ternary weights",
                     "cut": "binary"}  # fmt: skip
    assert shown.lines == {
        "float, 210, 100: 75.00%": 0.25,
        "first layer +-2^k, 210, 100: 25.00%": 0.75,
        "ternary weights, a scale for each sign, 210, 100: 40.00%": 0.6,
    }
    assert shown.front == [(points[n].cycles, points[n].error) for n in report["front"]]
    assert shown.front[0] == (points["cut"].cycles, points["cut"].error)


@pytest.mark.needs("matplotlib")
def test_the_picture_is_the_same_for_the_same_data(report: methods.Report) -> None:
    shown = methods.drawn(report)
    picture = methods.picture(shown)
    assert picture == methods.picture(shown) and plot.shows(picture, shown)
    assert not plot.shows(picture, replace(shown, images=1))
    texts = [e.text for e in ElementTree.fromstring(picture).iter() if e.tag.endswith("}text")]
    assert {"mnist", "double", "ternary", "cut", *shown.lines} <= set(texts)


def test_without_matplotlib_nothing_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr("sys.argv", ["methods.py", "--output", str(tmp_path / "out")])
    with pytest.raises(UserError, match=r"matplotlib: pip install 'xnor-fcc\[plots\]'\.$"):
        methods.main()
    assert not (tmp_path / "out").exists()


# ---- what is committed


@pytest.fixture(scope="module")
def committed() -> methods.Report:
    return methods.measure(methods.load_runs(), *load_test_images())


@pytest.mark.slow
def test_the_page_and_the_picture_are_what_the_command_writes(committed: methods.Report) -> None:
    begin, end = markers("methods")
    kept = methods.PAGE.read_text().split(begin, 1)[1].split(end, 1)[0]
    assert kept.strip() == methods.page(committed), "run `make methods ARGS=--write`"
    assert plot.shows(methods.PICTURE.read_text(), methods.drawn(committed))


@pytest.mark.slow
@pytest.mark.needs("matplotlib")
def test_names_do_not_cover_each_other(committed: methods.Report) -> None:
    axes = methods.draw(methods.drawn(committed))
    axes.figure.canvas.figure.draw_without_rendering()
    boxes = {text.get_text(): text.get_window_extent() for text in axes.texts if text.get_text()}
    assert len(boxes) >= 10
    for (one, here), (other, there) in itertools.combinations(boxes.items(), 2):
        assert not here.overlaps(there), f"{one} and {other}"


@pytest.mark.slow
def test_what_the_committed_networks_reach(committed: methods.Report) -> None:
    assert (committed["order2_accuracy"] or 0) >= 0.99
    assert any(
        row["accuracy"] >= 0.984 and row["cycles_per_image"] <= 60 for row in committed["pruned"]
    )
