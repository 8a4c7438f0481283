# SPDX-License-Identifier: Apache-2.0
"""The page of `make report`: from complete, made-up, missing and damaged measurements."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from PIL import Image

from commands.made import Checker, external_references, texts
from xnor_fcc.data import DATASETS, binarise, load_test_images
from xnor_fcc.errors import UserError
from xnor_fcc.files import write_json
from xnor_fcc.geometry import Geometry
from xnor_fcc.random_network import Convolution, random_map_network, random_network
from xnor_fcc.shape import PIXEL_BITS
from xnor_fcc_sim import provenance as report_source
from xnor_fcc_sim.answers import Answers
from xnor_fcc_sim.page import blocks as report_blocks
from xnor_fcc_sim.page import drawings as report_pictures
from xnor_fcc_sim.page import report
from xnor_fcc_sim.page.sections import TOPICS, Topic
from xnor_fcc_sim.sources import ROOT

WIDTHS = (784, 12, 12, 10)
IMAGES = 60
NETWORK = random_network(np.random.default_rng(1), WIDTHS)
GEOMETRY = dict(vars(Geometry(pe=4, simd=64, lanes=2, max_width=784)))


def made_up_answers() -> Answers:
    """Answers to the first images, six of them wrong, and a batch after the other."""
    labels = load_test_images()[1][:IMAGES]
    scores = np.full((IMAGES, 10), -50, np.int32)
    classes = labels.astype(np.int32)
    classes[::10] = (classes[::10] + 3) % 10
    scores[np.arange(IMAGES), classes] = 17
    groups = 9  # three in each layer
    return Answers(
        scores,
        classes,
        labels,
        image=np.arange(4 * 13, dtype=np.int32),
        load=np.array([30, 130], np.int32),
        done=np.array([40 + 100 * b + 9 * g for b in range(2) for g in range(groups)], np.int32),
        result=np.arange(105, 105 + 44, dtype=np.int32),
    )


def sim_report(answers: Answers) -> dict[str, Any]:
    right = float((answers.classes == answers.labels).mean())
    return {
        "simulator": "verilator", "network": "mnist", "dataset": "mnist", "inputs": "test set",
        "flip": None, "geometry": GEOMETRY,
        "widths": list(WIDTHS), "images": IMAGES, "wrong_bits": 0, "first_difference": None,
        "accuracy": right, "model_accuracy": right, "hidden_bits_checked": 31_337,
        "accumulators_checked": 4_242, "cycles_per_image": 77.5, "model_cycles_per_image": 77.5,
        "batch_cycles": 155.0, "model_batch_cycles": 155, "latency_cycles": 166,
        "model_latency_cycles": 166, "counters": {"CYCLES": 4711}, "busy": 0.97531,
        "images_per_second": 531.2, "source": {"commit": "abc1234", "dirty": False,
                                               "rtl": report_source.rtl_hash()},
    }  # fmt: skip


def core() -> dict[str, Any]:
    return {"geometry": GEOMETRY, "images": 123, "wrong_bits": 0, "accuracy": 0.9931,
            "cycles_per_image": 112.25, "cycles": 246, "busy": 0.96,
            "model_cycles_per_image": 112.25, "model_cycles": 246, "alm": 25_451.0, "m10k": 377}


BEST = {"pe": 43, "simd": 171, "lanes": 4, "cycles_per_image": 105.0, "latency": 698,
        "alm": 28_607.4, "blocks": 382}  # fmt: skip

MADE_UP: dict[str, Any] = {
    "coverage": {
        "functional": 1.0, "line": 0.98765, "toggle": 0.96543, "bins": 321, "bins_hit": 321,
        "missing": [], "exclusions": 7,
        "per_module": {"fcc_csr": {"line": 1.0, "toggle": 0.951}, "fcc_ring": {"line": 0.99,
                                                                            "toggle": None}},
    },
    "mutate": {
        "mutants": 510, "killed": 490, "survived": 5, "equivalent": 15, "invalid": 9,
        "score": 0.9899, "killed_by_time_out": 2, "seconds": 4321.0,
        "per_module": {"fcc_csr": {"mutants": 510, "killed": 490, "survived": 5,
                                   "equivalent": 15, "score": 0.9899}},
        "survivors": [{"mutant": "fcc_csr-3", "digest": "d", "text": "fcc_csr.v:1: `<` -> `<=`",
                       "reason": "Redundant <b>."}],
        "proven": [{"mutant": "fcc_csr-4", "text": "fcc_csr.v:2: a & b", "method": "Yosys"}],
    },
    "formal": [
        {"name": "ring", "claim": "words in order", "mode": "prove", "depth": "unbounded",
         "induction": 4, "seconds": 3.5, "status": "PASS",
         "twin": {"mutation": "a becomes b", "status": "FAIL", "seconds": 3.2}},
        {"name": "core", "claim": "all of it", "mode": "bmc", "depth": 82, "induction": None,
         "seconds": 200.0, "status": "PASS",
         "twin": {"mutation": "7 becomes 6", "status": "FAIL", "seconds": 100.0}},
    ],
    "soak": {
        "minutes": 121.4, "seed": 20261, "scenarios": 5_150, "episodes": 20_202,
        "images": 303_030, "malformed_packets": 40_404, "register_accesses": 505_050,
        "hidden_bits": 60_606_060, "cycles": 707_070_707, "failures": [],
        "commit": "def5678",
    },
    "softerrors": {
        "geometry": GEOMETRY, "draws": 8, "images": 10_000, "seed": 5, "accuracy": 0.993,
        "curves": {"weights": {
            "memory_bits": 2_965_504, "flips": [1, 100, 10_000],
            "accuracy_mean": [0.993, 0.9911, 0.551], "accuracy_min": [0.993, 0.99, 0.4],
            "accuracy_max": [0.993, 0.992, 0.6],
        }},
        "hardware": {"flips": 300, "images": 96, "wrong_bits": 0},
    },
    "bench": {
        "xnor_per_cycle_per_alm": 1.2249, "throughput": core(),
        "latency": core(), "default": core(), "original": core(), "images_per_second": 367.1,
        "lanes_scaling": [{"lanes": n, "measured": 46_336 / n, "modelled": 46_336 / n,
                           "weight_stall_cycles": 260_610, "wrong_bits": 0} for n in (1, 2)],
        "yosys": "0.70",
    },
    "area": {
        "forms": {name: {simd: {"alm": 100.0, "xnor_per_cycle_per_alm": 1.2832, "flip_flops": 3}
                         for simd in ("32", "64")} for name in ("tree", "rtl")},
        "labels": {"tree": "recursive adder tree", "rtl": "what is built"},
        "coder_alm": {"32": 28.0, "64": 64.5}, "pe": 4, "acc_bits": 12, "yosys": "0.70",
    },
    "board": {
        "alm": 24_706.0, "m10k": 380, "dsp": 3, "flip_flops": 41_164, "board": "Terasic DE1-SoC",
        "available": {"alm": 32_070, "m10k": 397}, "geometry": GEOMETRY, "images": 64,
        "yosys": "0.70",
    },
    "route": {
        "fmax_mhz": 153.71, "xnor_per_cycle": 4096, "top": "fcc_lane", "geometry": GEOMETRY,
        "lut4": 14_467, "ff": 7_175, "ebr": 0, "device": "LFE5U-85F", "target_mhz": 150,
        "available": {"lut4": 83_640, "ff": 83_640, "ebr": 208},
        "critical_path": [{"kind": "routing", "from": "a", "to": "b", "net": "n", "delay_ns": 1.5},
                          {"kind": "logic", "from": "b", "to": "b", "net": "", "delay_ns": 0.5}],
    },
    "explore": {
        "device": {"board": "Terasic DE1-SoC", "block": "M10K"}, "widths": [784, 1024, 10],
        "fit": 45_264, "front": [BEST] * 3, "picks": {"throughput": BEST}, "named": {},
        "table": [],
    },
    "activity": {
        "throughput": {"geometry": GEOMETRY, "toggles_per_image": 654_321.0,
                       "register_toggles_per_image": 1.0, "logic_toggles_per_image": 2.0,
                       "toggles_per_register_bit_and_cycle": 0.123, "cycles_per_image": 112.0},
    },
}  # fmt: skip

JUNIT = """<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest">
<testcase classname="verif.commands.test_report" name="test_good[1]" time="0.25"/>
<testcase classname="verif.commands.test_report.TestAll" name="test_fine" time="1.5"/>
</testsuite></testsuites>"""
DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" viewBox="0 0 9 9">'
    '<defs><path id="dot" d="M0 0h1v1z"/></defs><use href="#dot"/><text>ALMs</text></svg>'
)


def fill(build: Path) -> Path:
    """A build directory in which everything has been measured, and passes."""
    for name, contents in MADE_UP.items():
        write_json(build / name / "report.json", contents)
    answers = made_up_answers()
    answers.write(build / "sim" / "answers.npz")
    np.savez(build / "sim" / "images.npz", images=load_test_images()[0][:IMAGES])
    NETWORK.save(build / "sim" / "network.npz")
    write_json(build / "sim" / "report.json", sim_report(answers))
    (build / "test").mkdir(exist_ok=True)
    (build / "test" / "junit.xml").write_text(JUNIT)
    (build / "explore" / "pareto.svg").write_text(DRAWING)
    (build / "softerrors" / "plot.svg").write_text(DRAWING)
    # Newer than whatever somebody saves while the tests run.
    tomorrow = time.time() + 86_400
    for path in build.rglob("*.*"):
        os.utime(path, (tomorrow, tomorrow))
    return build


@pytest.fixture(scope="session")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything measured, to be read only; with its page."""
    build = fill(tmp_path_factory.mktemp("complete") / "build")
    report.build_report(build, build / "report")
    return build


@pytest.fixture(scope="session")
def complete_page(complete: Path) -> str:
    return (complete / "report" / "report.html").read_text()


@pytest.fixture
def build(tmp_path: Path, complete: Path) -> Path:
    """Everything measured, to be changed."""
    return shutil.copytree(complete, tmp_path / "build", ignore=lambda *_: ["report"])


def made(build: Path) -> tuple[dict[str, Any], str]:
    """Report and page."""
    result = report.build_report(build, build / "report")
    return result, (build / "report" / "report.html").read_text()


def change(build: Path, name: str, **values: object) -> None:
    """Other values for keys of a report, in one of its dictionaries."""
    path = build / name / "report.json"
    write_json(path, {**json.loads(path.read_text()), **values})


def section(page: str, name: str) -> str:
    """The markup of one section."""
    return page.split(f'<section id="{name}"')[1].split("</section>")[0]


def check(page: str) -> None:
    """Well-formed, and alone in the world."""
    found = Checker(page)
    assert len(found.ids) == len(set(found.ids))
    assert found.references
    for reference in found.references:
        assert reference.startswith(("#", "data:")), reference
        assert not reference.startswith("#") or reference[1:] in found.ids, reference
    assert not {"iframe", "object", "embed", "base"} & set(found.tags)
    assert external_references(page) == []


# ---- from complete measurements


def test_all_measured_is_a_pass_without_a_gap(build: Path) -> None:
    result, page = made(build)
    check(page)
    assert result["verdict"] == "pass" and result["failed"] == []
    assert result["sections"] == {topic.name: "measured" for topic in TOPICS}
    assert result["bytes"] == Path(result["file"]).stat().st_size
    assert json.loads((build / "report" / "report.json").read_text()) == result
    assert "ot measured" not in texts(page.split("<body>")[1])


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("suite", ("tests 2 ", "passed 2 ", "failed 0 ", "test_fine",
                   "verif/commands/test_report.py The page of `make report`: from")),
        ("coverage", ("98.77 %", "96.54 %", "321", "exclusions 7", "95.1 %")),
        ("mutation", ("510", "490", "99.0 %", "fcc_csr-3", "Redundant &lt;b&gt;.")),
        ("proofs", ("all time", "82 cycles", "7 becomes 6", "300.0")),
        ("soak", ("121 min", "20261", "5,150", "40,404", "60,606,060", "commit def5678")),
        ("softerrors", ("2,965,504", "55.10 %", "40.00 %", "10,000", "96 images, 0 wrong")),
        ("accuracy", ("90.00 %", "31,337", "4,242", "77.5", "166", "4,711", "97.5 %", "abc1234")),
        ("timeline", ("first group done", "10 28 ", "64 82 ")),
        ("speed", ("112.25", "445,434", "4.92", "25,451", "23,168", "260,610", "1.22")),
        ("area", ("1.28", "64.5", "recursive adder tree")),
        ("board", ("24,706", "32,070", "77.0 %", "95.7 %")),
        ("clock", ("153.7 MHz", "2.00 ns", "75 %", "14,467", "17.3 %")),
        ("geometries", ("105.00", "28,607", "382")),
        ("activity", ("654,321", "0.123")),
        ("anchors", ("FINN", "98.40 %", "99.31 %", "25,451 ALM")),
    ],
)
def test_the_page_shows_what_was_measured(
    complete_page: str, name: str, figures: tuple[str, ...]
) -> None:
    shown = texts(section(complete_page, name)) + " "
    for figure in figures:
        assert figure in shown, f"{figure!r} in {shown}"


def test_pages_of_the_repository_are_named_in_a_checkout_only(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [topic.kept for topic in TOPICS if topic.kept]
    assert len(kept) == 5 and all((ROOT / page).is_file() for page in kept)
    page = made(build)[1]
    assert all(f"kept in <code>{name}</code>" in page for name in kept)
    monkeypatch.setattr(report, "CHECKOUT", False)
    page = made(build)[1]
    assert not [name for name in kept if name in page]


def test_what_a_section_depends_on_is_there() -> None:
    """A pattern that finds nothing would never make a figure old."""
    for topic in TOPICS:
        for pattern in topic.depends:
            assert list(ROOT.glob(pattern)), f"{topic.name}: {pattern}"


def test_a_changed_figure_changes_the_page(build: Path) -> None:
    assert "707,070,707" in made(build)[1]
    change(build, "soak", cycles=123_456_789)
    page = made(build)[1]
    assert "123,456,789" in page and "707,070,707" not in page


def test_the_confusion_matrix_has_every_image_once(complete_page: str) -> None:
    answers = made_up_answers()
    shown = section(complete_page, "confusion")
    table = re.search(r'<table class="matrix">.*?</table>', shown, re.S)
    assert table is not None
    rows = re.findall(r"<tr><th scope=\"row\">(\d+)</th>(.*?)</tr>", table[0], re.S)
    counts = np.zeros((10, 10), int)
    for label, row in rows:
        cells = [texts(cell).replace(",", "") for cell in re.findall(r"<td.*?</td>", row, re.S)]
        counts[int(label)] = [0 if cell == "·" else int(cell) for cell in cells[:-1]]
        assert int(cells[-1]) == counts[int(label)].sum()
    assert counts.sum() == IMAGES
    for label, answer in np.ndindex(10, 10):
        both = (answers.labels == label) & (answers.classes == answer)
        assert counts[label, answer] == both.sum()
    # Recall of a class is out of the images of it, precision out of the answers with it.
    by_class = texts(shown.split("Class by class")[-1].split("</table>")[0])
    for c in range(10):
        row = f" {c} {counts[c].sum()} "
        for count in (counts[c].sum(), counts[:, c].sum()):
            row += f"{100 * counts[c, c] / count:.2f} % " if count else f"{report_blocks.DASH} "
        assert row in f"{by_class} "


def test_every_misread_image_has_its_picture(complete_page: str) -> None:
    answers = made_up_answers()
    bits = binarise(load_test_images()[0], NETWORK.pixel_threshold)
    shown = section(complete_page, "confusion")
    wrong = np.flatnonzero(answers.labels != answers.classes)
    figures = re.findall(r"<figure.*?</figure>", shown, re.S)
    assert len(figures) == len(wrong) == IMAGES // 10
    for index in wrong:
        figure = next(f for f in figures if f"Test image {index}:" in f)
        assert f"{answers.labels[index]} → {answers.classes[index]}" in texts(figure)
        assert "+67" in texts(figure)  # 17 less -50
        path = re.search(r'<path d="(.*?)"', figure)
        assert path is not None and np.array_equal(drawn(path[1]), bits[index])


@pytest.mark.parametrize("colours, levels", [(1, 1), (3, 7), (2, 3), (3, 0)])
def test_misread_images_have_the_shades_that_convolutions_see(
    build: Path, colours: int, levels: int
) -> None:
    """In colours where they are three. Without levels the network takes numbers."""
    rng = np.random.default_rng(1)
    orders = [1, 1] if levels else [PIXEL_BITS, 1]
    sizes = 8, [Convolution(4)], [10], colours, levels, 1, orders
    network = random_map_network(rng, *sizes)
    network.save(build / "sim" / "network.npz")
    images = rng.integers(0, 256, (IMAGES, 8 * 8 * colours), dtype=np.uint8)
    np.savez(build / "sim" / "images.npz", images=images)
    answers = made_up_answers()
    shown = section(made(build)[1], "confusion")
    pixels = network.pixels
    assert pixels is not None
    for index in np.flatnonzero(answers.labels != answers.classes):
        figure = re.search(rf"Test image {index}:.*?base64,(.*?)\"", shown, re.S)
        assert figure is not None
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(figure[1]))))
        want = np.zeros((10, 10, colours), int)
        for y, x, c in np.ndindex(10, 10, colours):
            inside = 1 <= y <= 8 and 1 <= x <= 8
            pixel = images[index].reshape(8, 8, colours)[y - 1, x - 1, c] if inside else 0
            if pixels.values is not None:
                want[y, x, c] = pixels.values[c, pixel]
            else:
                fired = sum(0 < level <= pixel for level in pixels.levels[c].tolist())
                want[y, x, c] = 255 * fired // levels
        assert np.array_equal(picture, want if colours == 3 else want.sum(axis=2) // colours)


def test_images_that_are_not_square_have_no_pictures(build: Path) -> None:
    network = random_network(np.random.default_rng(1), (785, 12, 10))
    network.save(build / "sim" / "network.npz")
    np.savez(build / "sim" / "images.npz", images=np.zeros((IMAGES, 785), np.uint8))
    shown = section(made(build)[1], "confusion")
    assert "<figure" not in shown and "No image was misread." not in shown


def drawn(path: str) -> np.ndarray:
    """The image that a path of boxes draws."""
    image = np.zeros((28, 28), np.uint8)
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", path):
        image[int(y), int(x) : int(x) + int(width)] += 1
    return image.reshape(-1)


def test_the_timeline_draws_what_was_seen(complete_page: str) -> None:
    shown = section(complete_page, "timeline")
    tips = re.findall(r"<title>([^<]*), cycles (\d+) to (\d+)</title>", shown)
    bars = {tip: (int(start), int(end)) for tip, start, end in tips}
    assert bars["image 0 of the stream, for batch 0"] == (0, 13)
    assert bars["image 3 of the stream, for batch 1"] == (39, 52)
    # The groups of a layer come from the last one down to group 0.
    assert bars["batch 0, layer 0, group 2"] == (30, 40)
    assert bars["batch 0, layer 1, group 2"] == (58, 67)
    assert bars["batch 1, layer 2, group 0"] == (203, 212)
    assert bars["result 1, of batch 0"] == (116, 127)
    assert len(bars) == 4 + 2 * 9 + 4


# ---- what is missing, old, short or failed


def test_nothing_measured_is_said_and_not_invented(tmp_path: Path) -> None:
    result, page = made(tmp_path / "build")
    check(page)
    assert set(result["sections"].values()) == {"missing"}
    assert result["verdict"] == "note" and "Nothing has been measured yet." in page
    for topic in TOPICS:
        assert f"Not measured: run make {topic.target} ." in texts(section(page, topic.name))
    assert "FINN" in section(page, "anchors")  # of the repository


@pytest.mark.parametrize(
    ("name", "topic"), [("sim", "accuracy"), ("coverage", "coverage"), ("test", "suite")]
)
def test_one_missing_measurement_is_no_pass(build: Path, name: str, topic: str) -> None:
    shutil.rmtree(build / name)
    result, page = made(build)
    check(page)
    assert result["sections"][topic] == "missing" and result["verdict"] == "note"


def test_older_than_the_rtl_is_marked(build: Path) -> None:
    os.utime(build / "area" / "report.json", (1e9, 1e9))
    result, page = made(build)
    assert result["sections"]["area"] == "stale" and result["verdict"] == "note"
    shown = texts(section(page, "area"))
    assert re.search(r"Older than rtl/\w+\.vh?, which changed", shown) and "2001-09-" in shown
    assert [n for n, standing in result["sections"].items() if standing != "measured"] == ["area"]


def test_a_recorded_hash_of_the_rtl_counts_more_than_the_date(build: Path) -> None:
    os.utime(build / "sim" / "report.json", (1e9, 1e9))
    assert made(build)[0]["sections"]["accuracy"] == "measured"
    change(build, "sim", source={"commit": "abc1234", "dirty": True, "rtl": "0" * 16})
    result, page = made(build)
    assert result["sections"]["accuracy"] == result["sections"]["confusion"] == "stale"
    assert "abc1234 with changes on top" in section(page, "accuracy")


FAILURES: list[tuple[str, str, dict[str, object], str]] = [
    ("coverage", "coverage", {"functional": 0.99999}, "99.99 %"),
    ("coverage", "coverage", {"line": 0.9499}, "94.99 %"),
    ("coverage", "coverage", {"toggle": 0.5, "missing": ["bin <reset>"]}, "bin &lt;reset&gt;"),
    ("mutate", "mutation", {"score": 0.94}, "94.0 %"),
    ("soak", "soak", {"failures": [{"scenario": "12ab.json", "simulator": "icarus",
                                    "why": "image 3: class 1, not 2"}]}, "image 3: class 1, not 2"),
    ("softerrors", "softerrors", {"hardware": {"flips": 1, "images": 1, "wrong_bits": 2}},
     "2 wrong bits"),
    ("sim", "accuracy", {"wrong_bits": 3, "first_difference": "image 0, layer 1"},
     "First difference: image 0, layer 1"),
    ("sim", "accuracy", {"latency_cycles": 167}, "differs"),
    ("sim", "accuracy", {"flip": "weight:0:1:2"}, "A fault was planted"),
    ("bench", "speed", {"original": {**core(), "wrong_bits": 1}}, "original"),
    ("bench", "speed", {"latency": {**core(), "cycles": 245}}, "245"),
    ("board", "board", {"alm": 40_000.0}, "124.7 %"),
]


@pytest.mark.parametrize(("name", "topic", "values", "shown"), FAILURES)
def test_a_failure_is_a_failure_of_the_page(
    build: Path, name: str, topic: str, values: dict[str, object], shown: str
) -> None:
    change(build, name, **values)
    result, page = made(build)
    check(page)
    assert result["failed"] == [topic] and result["verdict"] == "fail"
    assert "FAIL" in texts(page.split("<main>")[0])
    assert shown in section(page, topic)


def test_a_soak_that_still_runs_is_no_pass(build: Path) -> None:
    change(build, "soak", ended="running")
    result, page = made(build)
    assert result["verdict"] == "note" and "had not ended" in section(page, "soak")


def test_a_campaign_is_as_old_as_its_beginning(build: Path) -> None:
    path = build / "mutate" / "report.json"
    change(build, "mutate", wall_seconds=10.0)
    os.utime(path, (time.time() + 86_400,) * 2)
    assert made(build)[0]["sections"]["mutation"] == "measured"
    change(build, "mutate", wall_seconds=1e9)
    assert made(build)[0]["sections"]["mutation"] == "stale"


@pytest.mark.parametrize("place", ["status", "twin"])
def test_a_proof_counts_only_with_its_twin(build: Path, place: str) -> None:
    proofs = json.loads(json.dumps(MADE_UP["formal"]))
    if place == "twin":
        proofs[1]["twin"]["status"] = "PASS"
    else:
        proofs[1]["status"] = "FAIL"
    write_json(build / "formal" / "report.json", proofs)
    result, page = made(build)
    assert result["failed"] == ["proofs"] and "1 of 2" in page


@pytest.mark.parametrize(
    ("inside", "verdict", "shown"),
    [
        ('<failure message="assert 1 == 2&#10;more">trace</failure>', "fail", "assert 1 == 2"),
        ("<error>broken fixture</error>", "fail", "broken fixture"),
        ('<skipped message="tclsh is not installed"/>', "note", "tclsh is not installed"),
    ],
)
def test_neither_a_failed_nor_a_skipped_test_is_a_pass(
    build: Path, inside: str, verdict: str, shown: str
) -> None:
    case = f'<testcase classname="verif.test_x" name="test_bad" time="1">{inside}</testcase>'
    path = build / "test" / "junit.xml"
    path.write_text(JUNIT.replace("</testsuite>", f"{case}</testsuite>"))
    result, page = made(build)
    check(page)
    assert result["verdict"] == verdict
    assert result["failed"] == (["suite"] if verdict == "fail" else [])
    text = texts(section(page, "suite"))
    assert shown in text and "tests 3 passed 2 " in text


def test_a_campaign_that_is_not_complete_is_no_pass(build: Path) -> None:
    change(build, "mutate", mutants=400)
    result, page = made(build)
    assert result["verdict"] == "note" and result["failed"] == []
    assert "400 of at least 500 mutants" in section(page, "mutation")


def test_a_run_without_a_misread_image(build: Path) -> None:
    answers = made_up_answers()
    answers.classes[:] = answers.labels
    answers.write(build / "sim" / "answers.npz")
    write_json(build / "sim" / "report.json", sim_report(answers))
    page = made(build)[1]
    check(page)
    assert "No image was misread." in section(page, "confusion")


def test_classes_have_the_names_of_the_data_set(build: Path, complete_page: str) -> None:
    assert "ankle boot" not in complete_page
    change(build, "sim", dataset="fashion")
    shown = section(made(build)[1], "confusion")
    assert "9 ankle boot" in shown and "0 T-shirt/top" in shown
    first = load_test_images()[1][0]  # read as another
    names = DATASETS["fashion"].classes
    assert f"{names[first]} → {names[(first + 3) % 10]}" in shown


def test_images_that_nobody_has_labels_for(build: Path) -> None:
    (build / "sim" / "answers.npz").unlink()
    change(build, "sim", accuracy=None, model_accuracy=None, dataset=None, inputs="random")
    result, page = made(build)
    check(page)
    assert result["sections"]["accuracy"] == "measured"
    assert result["sections"]["confusion"] == "missing"


def test_batches_too_long_to_be_watched(build: Path) -> None:
    answers = made_up_answers()
    Answers(answers.scores, answers.classes, answers.labels).write(build / "sim" / "answers.npz")
    page = made(build)[1]
    check(page)
    assert "too long to be watched" in section(page, "timeline")


# ---- damaged input


def run(build: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xnor_fcc", "report", "--build", str(build)]
    return subprocess.run(command, capture_output=True, text=True)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    contents = bytearray(path.read_bytes())
    contents[len(contents) // 2] ^= 0xFF
    path.write_bytes(bytes(contents))


# Files, and the topic that reads them.
READ = [(topic.path, topic) for topic in TOPICS]
READ += [
    (f"{topic.target}/{drawing}", topic)
    for name, drawing in (("geometries", "pareto.svg"), ("softerrors", "plot.svg"))
    for topic in TOPICS
    if topic.name == name
]


@pytest.mark.parametrize("damage", [cut, emptied, flipped])
@pytest.mark.parametrize(("name", "topic"), READ, ids=lambda x: x if isinstance(x, str) else x.name)
def test_a_damaged_file_is_named(
    build: Path, name: str, topic: Topic, damage: Callable[[Path], None]
) -> None:
    damage(build / name)
    with pytest.raises(UserError, match=re.escape(name)) as raised:
        report.gather(topic, build, "")
    assert str(raised.value).endswith(".") and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "topic", [t for t in TOPICS if t.path.endswith("json")], ids=lambda topic: topic.name
)
def test_a_missing_key_or_another_type_is_named(build: Path, topic: Topic) -> None:
    """Of everything that the page reads, however deep it lies."""
    path = build / topic.path
    contents = json.loads(path.read_text())
    deep = list(broken(contents, topic.reads))
    assert len(deep) > 10
    for instead in [{}, [], 3, "text", [None], {"images": "many"}, None, *deep]:
        path.write_text(json.dumps(instead))
        if instead == [] and topic.name == "proofs":
            assert report.gather(topic, build, "").state == "fail"
            continue
        with pytest.raises(UserError, match=re.escape(topic.path)):
            report.gather(topic, build, "")


def broken(contents: Any, kind: Any) -> Iterator[Any]:
    """Copies of what a file holds, each without one thing that a `kind` of reports.py needs, or
    with another type for it."""
    if dataclasses.is_dataclass(kind):
        types = get_type_hints(kind)
        for field in dataclasses.fields(kind):
            name = field.name
            if field.default is field.default_factory is dataclasses.MISSING:
                yield {key: value for key, value in contents.items() if key != name}
            yield {**contents, name: [[]]}
            if name in contents:
                for inside in broken(contents[name], types[name]):
                    yield {**contents, name: inside}
    elif get_origin(kind) is list and contents:
        for inside in broken(contents[0], get_args(kind)[0]):
            yield [inside, *contents[1:]]
    elif get_origin(kind) is dict and contents:
        key, value = next(iter(contents.items()))
        for inside in broken(value, get_args(kind)[1]):
            yield {**contents, key: inside}


def test_an_older_report_of_the_area_is_said_to_be_one(build: Path) -> None:
    """One without the labels of the forms, which the page does not know itself."""
    path = build / "area" / "report.json"
    contents = json.loads(path.read_text())
    del contents["labels"]
    write_json(path, contents)
    with pytest.raises(UserError) as raised:
        made(build)
    assert str(raised.value) == (
        f"The file {path} is not what make area writes (required field missing @ $.labels); run "
        "make area again."
    )


def test_damage_ends_in_one_sentence_and_leaves_no_old_page(build: Path) -> None:
    assert run(build).returncode == 0
    page = build / "report" / "report.html"
    assert page.exists()
    flipped(build / "sim" / "answers.npz")
    result = run(build)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ") and len(result.stderr.splitlines()) == 1
    assert "sim/answers.npz" in result.stderr
    assert not page.exists()


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    result = run(tmp_path / "nowhere")
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "nowhere").exists()


def test_answers_of_another_run_are_refused(build: Path) -> None:
    change(build, "sim", accuracy=0.5, model_accuracy=0.5)
    with pytest.raises(UserError, match="not of the run"):
        made(build)


def test_a_drawing_is_an_image_and_cannot_lead_out_of_the_page(build: Path) -> None:
    """A browser runs and loads nothing of an image; of markup in the page it would."""
    outside = (
        '<script>alert(1)</script><image href="http://example.org/x.png"/>'
        '<use href="http://example.org/x.svg#a"/>'
        '<h:iframe xmlns:h="http://www.w3.org/1999/xhtml" src="http://example.org"/>'
    )
    drawing = build / "explore" / "pareto.svg"
    drawing.write_text(DRAWING.replace("<text>", outside + "<text>"))
    page = made(build)[1]
    check(page)
    shown = section(page, "geometries")
    data = re.findall(r'<img alt="Geometries [^"]*" src="data:image/svg\+xml;base64,(.*?)"', shown)
    assert [base64.b64decode(one) for one in data] == [drawing.read_bytes()]
    assert "example.org" not in page and "alert(1)" not in page


@pytest.mark.parametrize(
    "markup",
    [
        '<img src="x.png">',
        '<a href="https://example.org">x</a>',
        '<link rel="stylesheet" href="x.css">',
        '<p style="background: url(x.png)">x</p>',
        "<style>@import 'x.css';</style>",
        "<style>p { background: url('https://example.org/x.png'); }</style>",
    ],
)
def test_an_external_reference_is_counted(markup: str) -> None:
    assert len(external_references(f"<p>{markup}</p>")) == 1
    assert not external_references('<a href="#x">x</a><img src="data:,">')


def test_only_a_whole_reads_100_percent() -> None:
    assert report_blocks.percent(1.0) == "100.0 %"
    assert report_blocks.percent(0.99999) == "99.9 %"
    assert report_blocks.percent(0.993, 2) == "99.30 %"


def test_a_digit_is_drawn_pixel_by_pixel() -> None:
    bits = np.random.default_rng(3).integers(0, 2, 784).astype(np.uint8)
    assert np.array_equal(drawn(report_pictures.digit(bits, 28)), bits)


def test_the_hash_of_the_rtl_follows_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = report_source.rtl_hash()
    copy = shutil.copytree(ROOT / "rtl", tmp_path / "rtl")
    monkeypatch.setattr("xnor_fcc_sim.sources.RTL", copy)
    monkeypatch.setattr("xnor_fcc_sim.provenance.RTL", copy)
    assert report_source.rtl_hash() == before
    with (copy / "fcc_ring.v").open("a") as file:
        file.write("//\n")
    assert report_source.rtl_hash() != before
