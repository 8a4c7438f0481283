# SPDX-License-Identifier: Apache-2.0
"""The model of corrupted memories, by itself and against the simulated core; corrupted loads; and
the report of `make softerrors`."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from core.corners import CORNERS, FLOODED, random_geometry
from faults import Fault
from measure import soft_errors
from xnor_fcc import plot
from xnor_fcc.errors import UserError
from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.pack import pack
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import evaluate, preactivations
from xnor_fcc_sim import simulator
from xnor_fcc_sim.page import reports
from xnor_fcc_sim.page.reports import structure

# Several words and groups in each layer, none of them full.
WIDTHS = (40, 23, 31, 6)


def network_for(geometry: Geometry, rng: np.random.Generator) -> IntegerNetwork:
    """A random network of three layers that fits."""
    widths = [int(n) for n in rng.integers(1, geometry.max_width + 1, 3)]
    network = random_network(rng, (*widths, int(rng.integers(1, geometry.max_classes + 1))))
    geometry.require_fit(network.widths)
    return network


def images_for(network: IntegerNetwork, count: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 2, (count, network.inputs)).astype(np.uint8)


# ---- the model by itself


@pytest.mark.parametrize("geometry", [FLOODED, random_geometry(3), random_geometry(8)])
def test_an_intact_memory_is_the_network(geometry: Geometry) -> None:
    network = network_for(geometry, np.random.default_rng(1))
    bits = images_for(network, 50)
    memory = pack(network, geometry)
    weights = soft_errors.weights_in(memory)
    for stored, layer in zip(weights, network.layers, strict=True):
        flat = stored.reshape(len(stored), -1)
        assert (flat[: layer.outputs, : layer.inputs] == layer.weights).all()
        assert flat[layer.outputs :].all() and flat[:, layer.inputs :].all()
    sums = soft_errors.layer_sums(memory, weights, bits)
    for got, want in zip(sums, preactivations(network, bits), strict=True):
        assert (got[:, : want.shape[1]] == want).all()
        assert (got[:, want.shape[1] :] < 0).all()  # neurons that are not there
    classes = soft_errors.classes_of(memory, weights, bits)
    assert (classes == evaluate(network, bits).classes).all()


def test_a_coded_flip_turns_two_neighbours_or_the_last_synapse() -> None:
    network = random_network(np.random.default_rng(2), WIDTHS)
    memory = pack(network, FLOODED)
    before = soft_errors.weights_in(memory)
    for place in range(soft_errors.weight_bits(memory)):
        after, coded = soft_errors.with_coded_flips(memory, np.array([place]))
        assert (after.offsets == memory.offsets).all()
        _, uncoded = soft_errors.with_uncoded_flips(memory, np.array([place]))
        turned = [np.argwhere(a != b).tolist() for a, b in zip(before, coded, strict=True)]
        alone = [np.argwhere(a != b).tolist() for a, b in zip(before, uncoded, strict=True)]
        synapse = place % memory.weights.shape[1] // FLOODED.pe
        for two, one in zip(turned, alone, strict=True):
            if one:
                ((neuron, word, k),) = one
                assert k == synapse
                last = k == FLOODED.simd - 1
                assert two == [[neuron, word, k], *([] if last else [[neuron, word, k + 1]])]
            else:
                assert not two
        assert sum(map(len, alone)) == 1


def test_a_flipped_threshold_changes_one_number() -> None:
    memory = pack(random_network(np.random.default_rng(3), WIDTHS), FLOODED)
    size = FLOODED.score_bits
    for place in range(soft_errors.threshold_bits(memory)):
        flipped = soft_errors.flip_thresholds(memory, np.array([place]))
        differences = (flipped.offsets - memory.offsets).ravel()
        (neuron,) = np.flatnonzero(differences)
        assert neuron == place // size and abs(differences[neuron]) == 1 << place % size
        assert (flipped.offset_chunks() ^ memory.offset_chunks()).sum() == 1 << place % size
    both = soft_errors.flip_thresholds(memory, np.array([0, 1]))
    assert abs((both.offsets - memory.offsets)[0, 0]) in (1, 3)


def test_draws_are_distinct_places_and_the_same_again() -> None:
    places = soft_errors.draw(1000, 400, 1, 2)
    assert len(set(places.tolist())) == 400 and places.max() < 1000
    assert (places == soft_errors.draw(1000, 400, 1, 2)).all()
    assert (places != soft_errors.draw(1000, 400, 1, 3)).any()
    memory = pack(random_network(np.random.default_rng(3), WIDTHS), FLOODED)
    flips = 500
    bad = soft_errors.corrupted(memory, flips, 1)
    changed = (bad.weights != memory.weights).sum()
    changed += np.bitwise_count(bad.offset_chunks() ^ memory.offset_chunks()).sum()
    assert changed == flips


# ---- against the simulated core


def simulate(
    geometry: Geometry, name: str, unknown: int = 0, seed: int = 1
) -> soft_errors.Simulated:
    network = network_for(geometry, np.random.default_rng(seed))
    memory = pack(network, geometry)
    half = (soft_errors.weight_bits(memory) + soft_errors.threshold_bits(memory)) // 2
    return soft_errors.simulate(
        geometry,
        network,
        images_for(network, 3 * geometry.lanes + 1),
        [0, 1, half // 30, half // 4, half],
        seed,
        simulator.run_directory(f"soft-errors-{name}"),
        unknown,
    )


@pytest.mark.slow
@pytest.mark.needs("iverilog")
@pytest.mark.parametrize("seed", [3, 22, 23])
def test_the_model_is_exact(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random geometries and networks with up to half of all bits in memory flipped."""
    monkeypatch.setenv("SIM", "icarus")
    result = simulate(random_geometry(seed), str(seed), seed=seed)
    assert result["wrong_bits"] == 0 and len(result["flips_by_load"]) >= 4
    assert result["hidden_bits"] > 0


@pytest.mark.needs("iverilog")
def test_one_flip_that_the_model_does_not_know_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIM", "icarus")
    result = simulate(FLOODED, "unknown", unknown=1)
    assert result["wrong_bits"] > 0 and "not" in (result["first_difference"] or "")


def run(
    test: str, directory: Path, geometry: Geometry, sources: list[Path] | None = None
) -> None:
    """One test of soft_errors_tests.py with a random network."""
    directory.mkdir(parents=True, exist_ok=True)
    network = random_network(np.random.default_rng(4), WIDTHS)
    network.save(directory / "network.npz")
    simulator.build("xnor_fcc", geometry.parameters(), sources=sources).run(
        "measure.soft_errors_tests",
        directory,
        testcase=test,
        settings={"geometry": asdict(geometry), "network": str(directory / "network.npz"),
                  "seed": 6},
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.needs("iverilog")
def test_flips_after_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIM", "icarus")
    run("flips_after_loading", simulator.run_directory("flips-after-loading"), FLOODED)


@pytest.mark.slow
@pytest.mark.needs("iverilog")
@pytest.mark.parametrize("name", ["flood", "odd"])
def test_corrupted_loads_show(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIM", "icarus")
    geometry = FLOODED if name == "flood" else Geometry(**CORNERS["odd"] | {"max_width": 40})
    run("corrupted_loads_show", simulator.run_directory(f"corrupted-loads-{name}"), geometry)


# Checksums that do not see something, and what a test must then complain of.
FAULTS = {
    "a bit is left out": Fault(
        "fcc_load_crc.v",
        "thresholds_reg : weights_reg) ^ chunk;",
        "thresholds_reg : weights_reg) ^ {1'b0, chunk[30:0]};",
        "WEIGHTS_CRC after loading",
    ),
    "a sum that does not mind the order": Fault(
        "fcc_load_crc.v",
        "next = (next >> 1) ^ (next[0] ? POLYNOMIAL : 32'd0);",
        "next = next;",
        "WEIGHTS_CRC after loading",
    ),
    "what was loaded before counts": Fault(
        "fcc_load_crc.v",
        "if (reset || weight_restart) weights_reg <= START;",
        "if (reset) weights_reg <= START;",
        "WEIGHTS: 1 flipped bits reads",
    ),
    "every memory's chunks count": Fault(
        "fcc_load_crc.v",
        "else if (chunk_valid && chunk_threshold) thresholds_reg <= next;",
        "else if (chunk_valid) thresholds_reg <= next;",
        "THRESHOLDS shows 1 flipped bits of WEIGHTS",
    ),
}


@pytest.mark.one_quick
@pytest.mark.needs("iverilog")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_blind_checksum_is_found(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIM", "icarus")
    with pytest.raises(AssertionError, match=FAULTS[fault].complaint):
        run("corrupted_loads_show", tmp_path, FLOODED, FAULTS[fault].sources(tmp_path))


# ---- measuring, and the report


@pytest.fixture(scope="module")
def measured() -> soft_errors.Measured:
    """Curves of a random network whose labels are what it answers."""
    network = random_network(np.random.default_rng(7), (45, 30, 20, 5))
    bits = images_for(network, 400)
    return soft_errors.measure(
        pack(network, FLOODED), bits, evaluate(network, bits).classes, draws=3, seed=1
    )


def report_of(measured: soft_errors.Measured) -> soft_errors.Report:
    report = {
        **measured, "geometry": asdict(FLOODED), "network": "random", "classes": 5, "draws": 3,
        "images": 400, "seed": 1,
        "hardware": {"flips": 11, "flips_by_load": [1, 10], "images": 20, "hidden_bits": 1000,
                     "wrong_bits": 0},
    }  # fmt: skip
    return cast(soft_errors.Report, report)


def test_accuracy_falls_from_the_networks_own_to_chance(measured: soft_errors.Measured) -> None:
    assert measured["accuracy"] == 1.0
    for name, curve in measured["curves"].items():
        assert curve["flips"][0] == 1 and curve["flips"][-1] == curve["memory_bits"] // 2
        rows = [curve["accuracy_min"], curve["accuracy_median"], curve["accuracy_max"]]
        for low, middle, high in zip(*rows, strict=True):
            assert 0 <= low <= middle <= high <= 1
        assert rows[1][-1] < 0.6, name
        # One flip in a threshold of so small a network may cost a class.
        assert name == "thresholds" or rows[1][0] > 0.8
        lost = curve["flips_for_one_percent"]
        assert lost is not None and 1 <= lost < curve["memory_bits"] // 2
    assert measured["curves"]["weights"]["memory_bits"] == measured["curves"]["uncoded"][
        "memory_bits"]


def test_the_cost_of_one_percent() -> None:
    curve = ([1, 100, 10_000], [0.9, 0.9, 0.7])
    assert soft_errors.flips_for(*curve, 0.9, 0.1) == 1000
    assert soft_errors.flips_for(*curve, 0.9, 0.2) == 10_000
    assert soft_errors.flips_for(*curve, 0.9, 0.3) is None
    assert soft_errors.flips_for(*curve, 1.0, 0.1) == 1


def test_the_picture_and_the_page_show_the_report(
    measured: soft_errors.Measured, tmp_path: Path
) -> None:
    report = report_of(measured)
    shown = soft_errors.drawn(report)
    for name, curve in report["curves"].items():
        assert shown.curves[name] == (
            curve["flips"], curve["accuracy_min"], curve["accuracy_median"], curve["accuracy_max"]
        )  # fmt: skip
        assert " flips cost 1 %" in shown.labels[name]
    assert (shown.chance, shown.images) == (0.2, 400)
    assert f"{report['curves']['weights']['memory_bits']:,} weight bits" in shown.legend
    median = report["curves"]["weights"]["accuracy_median"]
    path = tmp_path / "page.md"
    path.write_text("before\n<!-- generated: begin -->\nstale\n<!-- generated: end -->\nafter\n")
    soft_errors.write_page(report, path)
    text = path.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "stale" not in text
    assert f"| 1 | {median[0]:.2%} (" in " ".join(text.split())


@pytest.mark.needs("matplotlib")
def test_the_picture_is_the_same_for_the_same_data(measured: soft_errors.Measured) -> None:
    shown = soft_errors.drawn(report_of(measured))
    picture = soft_errors.picture(shown)
    assert picture == soft_errors.picture(shown) and plot.shows(picture, shown)
    assert not plot.shows(picture, replace(shown, chance=0.1))
    texts = [e.text for e in ElementTree.fromstring(picture).iter() if e.tag.endswith("}text")]
    assert {shown.legend, "chance", "1,000", "flipped bits", *shown.labels.values()} <= set(texts)


def test_the_picture_in_the_repository_is_that_of_the_page() -> None:
    assert plot.shows(soft_errors.PICTURE.read_text(), soft_errors.drawn(report_on_the_page()))


def report_on_the_page() -> soft_errors.Report:
    """What SOFT_ERRORS.md tells, as the report that it was written from."""
    page = soft_errors.PAGE.read_text()
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("|")]
    cost = [text.replace(",", "").strip() for text in rows[-1][1:]]
    head = re.search(r"PE=(\d+) SIMD=(\d+): ([\d,]+) bits .* and ([\d,]+) bits .* are in use. "
                     r"Median \(and range\) of (\d+) draws, ([\d,]+) test images", page)
    assert head is not None
    pe, simd, weights, thresholds, draws, images = (int(n.replace(",", "")) for n in head.groups())
    sizes = (weights, weights, thresholds)
    curves: dict[str, Any] = {}
    for column, (name, size) in enumerate(zip(soft_errors.CURVES, sizes, strict=True)):
        curve: dict[str, Any] = {"memory_bits": size, "flips_for_one_percent": int(cost[column])}
        for flips, *cells in rows[3:-1]:
            # Of 10,000 images: the percentages are exact.
            shares = [round(float(n) / 100, 6) for n in re.findall(r"([\d.]+)%", cells[column])]
            keys = ("accuracy_median", "accuracy_min", "accuracy_max") if shares else ()
            for key, share in zip(keys, shares, strict=True):
                curve.setdefault(key, []).append(share)
            if shares:
                curve.setdefault("flips", []).append(int(flips.replace(",", "")))
        curves[name] = curve
    report = {"curves": curves, "classes": 10, "images": images, "draws": draws,
              "geometry": {"pe": pe, "simd": simd}}  # fmt: skip
    return cast(soft_errors.Report, report)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--draws", "0"], "--draws 0 is outside 1 to 1000"),
        (["--images", "10001"], "--images 10001 is outside 1 to 10000"),
        (["--seed", "-1"], "--seed -1 is outside"),
        (["--geometry", "huge"], "invalid choice: 'huge'"),
    ],
)
def test_bad_arguments_are_refused(
    arguments: list[str], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    command = ["soft_errors.py", "--output", str(output), *arguments]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(UserError, match=complaint):
        soft_errors.main()
    assert not output.exists()


@pytest.mark.needs("matplotlib")
def test_a_difference_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    measured: soft_errors.Measured,
) -> None:
    """The exit code, with a simulation and curves that are made up."""
    hardware = {"flips": 1, "flips_by_load": [1], "images": 3, "hidden_bits": 9,
                "wrong_bits": 2, "first_difference": "image 0: class 1, not 2"}
    monkeypatch.setattr(soft_errors, "simulate", lambda *_: hardware)
    monkeypatch.setattr(soft_errors, "measure", lambda *_: measured)
    monkeypatch.setattr("sys.argv", ["soft_errors.py", "--output", str(tmp_path)])
    assert soft_errors.main() == 1
    assert "2 bits of the simulated core are not the model's: image 0" in capsys.readouterr().err
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["hardware"] == hardware and report["draws"] == soft_errors.DRAWS
    weights: Mapping[str, object] = measured["curves"]["weights"]
    keys = ("memory_bits", "flips", "accuracy_mean", "accuracy_min", "accuracy_max")
    assert all(report[key] == weights[key] for key in keys)
    assert structure(report, reports.SoftErrors).hardware.wrong_bits == 2  # as the page reads it
    hardware["wrong_bits"] = 0
    assert soft_errors.main() == 0
