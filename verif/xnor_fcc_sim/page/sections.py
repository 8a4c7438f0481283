# SPDX-License-Identifier: Apache-2.0
"""The sections of the report: for each what it reads, what it demands, and what it shows.

A view is made of what one make target wrote. It invents nothing: a key that is not there, or that
holds another type than it should, is an error of the file (`KeyError`, `TypeError`, ...), which
report.py turns into one sentence.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from measure import area
from xnor_fcc.data import binarise, class_names
from xnor_fcc.errors import UserError
from xnor_fcc.geometry import Geometry
from xnor_fcc.images import read_images
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc_sim.answers import Answers
from xnor_fcc_sim.page.blocks import (
    DASH,
    FAIL,
    NOTE,
    PASS,
    Block,
    Cell,
    Digit,
    Digits,
    Facts,
    Matrix,
    Picture,
    Table,
    Text,
    View,
    bars,
    number,
    or_dash,
    percent,
    share,
    verdict,
    word,
)
from xnor_fcc_sim.page.drawings import digit, inlined, timeline
from xnor_fcc_sim.sources import ROOT

ANCHORS = Path(__file__).with_name("anchors.json")
# Clock of the DE1-SoC.
_MHZ = 50
# What is demanded.
MUTANTS, SCORE, COVERED = 500, 0.95, 0.95
# Misread images shown at most.
_SHOWN = 300
# Tests listed as the slowest.
_SLOWEST = 10


@dataclass(frozen=True)
class Topic:
    """A section: where its figures come from, and how they are shown."""

    name: str
    title: str
    group: str
    target: str
    """The make target that measures it."""
    path: str
    """What that writes, below build/."""
    view: Callable[[Any, Path], View]
    """From what the file holds and its path."""
    depends: tuple[str, ...] = ("rtl/*.v", "rtl/*.vh")
    """Files of the repository that the figures are of."""
    kept: str = ""
    """Page of the repository that keeps the figures of a long run."""
    demanding: bool = False
    """It passes, fails, or is not complete; others only tell."""
    always: bool = False
    """Shown without a measurement too: the view then gets None."""


def _sizes(g: dict[str, Any]) -> str:
    """PE, SIMD and LANES of a geometry."""
    text = f"PE={g['pe']:d} SIMD={g['simd']:d} LANES={g['lanes']:d}"
    return text + (f" WEIGHT_STREAM={g['weight_stream']:d}" if g["weight_stream"] else "")


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


# ---- verification


def _purpose(path: Path) -> str:
    """What a test file says it is: the first sentence of its docstring."""
    if not path.exists():
        return ""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return " ".join(text.split("\n\n")[0].split())


def suite(root: ElementTree.Element, _: Path) -> View:
    """Pass and fail, from pytest's junit.xml."""
    files: dict[str, dict[str, float]] = {}
    bad, skipped = [], []
    cases = list(root.iter("testcase"))
    for case in cases:
        parts = case.attrib["classname"].split(".")
        file = next((part for part in reversed(parts) if part.startswith("test_")), parts[-1])
        row = files.setdefault(file, dict.fromkeys(("tests", PASS, FAIL, "skip", "seconds"), 0.0))
        what = {child.tag: child for child in case}
        problem = what.get("failure", what.get("error"))
        name = f"{file}::{case.attrib['name']}"
        if problem is not None:
            said = (problem.get("message") or problem.text or "").strip().splitlines()
            bad.append([word(name, FAIL, code=True), word(said[0] if said else "no message")])
        elif "skipped" in what:
            skipped.append([word(name, code=True), word(what["skipped"].get("message") or "")])
        row["tests"] += 1
        row[FAIL if problem is not None else "skip" if "skipped" in what else PASS] += 1
        row["seconds"] += float(case.attrib["time"])
    passed = int(sum(row[PASS] for row in files.values()))
    seconds = sum(row["seconds"] for row in files.values())
    blocks: list[Block] = [
        Facts(
            [
                ("tests", f"{len(cases):,}"),
                ("passed", f"{passed:,}"),
                ("failed", f"{len(bad):,}"),
                ("skipped", f"{len(skipped):,}"),
                ("time", _duration(seconds)),
            ]
        )
    ]
    if bad:
        blocks.append(Table("What failed", ("test", "what it said"), bad))
    if skipped:
        blocks.append(Table("What was skipped", ("test", "why"), skipped))
    rows = []
    for file, row in sorted(files.items()):
        what_for = _purpose(ROOT / "verif" / f"{file}.py")
        counts = [number(row[key], ",.0f") for key in ("tests", PASS, FAIL, "skip")]
        counts[2].state = FAIL if row[FAIL] else ""
        counts.append(number(row["seconds"], ",.1f"))
        rows.append([word(file, code=True), word(what_for), *counts])
    columns = ("file", "what it checks", "tests", "passed", "failed", "skipped", "seconds")
    blocks.append(Table(f"Every file of tests: {len(rows)}", columns, rows, folded=True))
    slow = sorted(cases, key=lambda case: -float(case.attrib["time"]))[:_SLOWEST]
    blocks.append(
        Table(
            f"The {len(slow)} slowest tests",
            ("test", "seconds"),
            [
                [word(case.attrib["name"], code=True), cell]
                for case, cell in zip(
                    slow, bars([float(case.attrib["time"]) for case in slow], ",.1f"), strict=True
                )
            ],
            folded=True,
        )
    )
    # A skip is not a pass.
    state = FAIL if bad or not passed else NOTE if skipped else PASS
    detail = f"of {len(cases):,} tests passed"
    detail += f", {len(bad)} failed" * bool(bad) + f", {len(skipped)} skipped" * bool(skipped)
    return View(state, f"{passed:,}", detail, blocks)


def coverage(d: Any, _: Path) -> View:
    """Functional, line and toggle coverage."""
    demands = (("functional", 1.0), ("line", COVERED), ("toggle", COVERED))
    rows = [
        [word(name), share(d[name], needed, 2), number(100 * needed, ".0f", " %")]
        for name, needed in demands
    ]
    modules = [
        [word(name, code=True), share(row["line"], COVERED), share(row["toggle"], COVERED)]
        for name, row in sorted(d["per_module"].items())
    ]
    missing = [[word(text if isinstance(text, str) else json.dumps(text))] for text in d["missing"]]
    blocks: list[Block] = [
        Table("What is demanded", ("coverage", "reached", "demanded"), rows),
        Facts(
            [
                ("bins of the plan", f"{d['bins']:,}"),
                ("of them hit", f"{d['bins_hit']:,}"),
                ("exclusions", f"{d['exclusions']:,}"),
            ]
        ),
    ]
    if missing:
        blocks.append(Table("Bins not hit", ("bin",), missing, folded=len(missing) > 20))
    blocks.append(Table("Module by module", ("module", "lines", "toggles"), modules))
    groups = [
        [word(name), number(row["bins"]), number(row["hit"]),
         share(row["hit"] / row["bins"] if row["bins"] else None, 1.0)]
        for name, row in d.get("per_group", {}).items()
    ]
    if groups:
        columns = ("what must be seen", "bins", "hit", "share")
        blocks.append(Table("The plan, group by group", columns, groups, folded=True))
    for key, what in (("missed_lines", "Lines not run"), ("missed_bits", "Bits not toggled")):
        rows = [[word(point, code=True)] for point in d.get(key, ())]
        if rows:
            blocks.append(Table(f"{what}: {len(rows):,}", ("where",), rows, folded=True))
    good = all(d[name] >= needed for name, needed in demands)
    return View(
        PASS if good else FAIL,
        percent(d["functional"]),
        f"functional; line {percent(d['line'])}, toggle {percent(d['toggle'])}",
        blocks,
    )


def mutation(d: Any, _: Path) -> View:
    """Planted faults and which of them the tests find."""

    def row(name: Cell, r: dict[str, Any]) -> list[Cell]:
        counts = [number(r[key]) for key in ("mutants", "killed", "survived", "equivalent")]
        return [name, *counts, share(r["score"])]

    enough = d["mutants"] >= MUTANTS
    blocks: list[Block] = [
        Table(
            "Module by module",
            ("module", "mutants", "killed", "survived", "proven equivalent", "score"),
            [row(word(name, code=True), r) for name, r in sorted(d["per_module"].items())],
            total=row(word("all"), d),
        ),
        Text(
            f"{d['invalid']:,} more did not elaborate and were replaced. "
            f"{d['killed_by_time_out']:,} of those killed were stopped by the time limit. Judging "
            f"took {_duration(d['seconds'])} of computing. The score is killed / (mutants - proven "
            "equivalent)."
        ),
    ]
    if not enough:
        lacking = f"{d['mutants']:,} of at least {MUTANTS} mutants: the campaign is not complete."
        blocks.insert(0, Text(lacking, NOTE))
    survivors = [
        [
            word(s["mutant"], code=True),
            word(s["text"], code=True),
            word(s["reason"]) if s["reason"] else word("open", FAIL),
        ]
        for s in d["survivors"]
    ]
    if survivors:
        blocks.append(Table("Survivors", ("mutant", "change", "why no test finds it"), survivors))
    proven = [
        [word(p["mutant"], code=True), word(p["text"], code=True), word(p["method"])]
        for p in d["proven"]
    ]
    if proven:
        columns = ("mutant", "change", "method")
        blocks.append(Table("Proven equivalent", columns, proven, folded=True))
    state = FAIL if d["score"] < SCORE else PASS if enough else NOTE
    detail = f"of {d['mutants'] - d['equivalent']:,} planted faults found"
    return View(state, percent(d["score"]), detail, blocks)


def proofs(d: Any, _: Path) -> View:
    """Formal proofs and their faulty twins."""
    if not isinstance(d, list):
        raise TypeError("not a list of proofs")
    rows = []
    held = 0
    for p in d:
        twin = p["twin"]
        good = p["status"] == "PASS" and twin["status"] == "FAIL"
        held += good
        depth = p["depth"]
        unbounded = depth == "unbounded"
        reach = word("all time") if unbounded else word(f"{depth:,} cycles")
        rows.append(
            [
                word(p["name"], code=True),
                word(p["claim"]),
                reach,
                Cell(p["status"], state=PASS if p["status"] == "PASS" else FAIL),
                word(twin["mutation"], code=True),
                Cell(
                    "fails" if twin["status"] == "FAIL" else twin["status"],
                    state=PASS if twin["status"] == "FAIL" else FAIL,
                ),
                number(p["seconds"] + twin["seconds"], ".1f"),
            ]
        )
    columns = ("proof", "what holds", "for", "status", "fault of the twin", "the twin", "seconds")
    unlimited = sum(p["depth"] == "unbounded" for p in d)
    return View(
        PASS if held == len(d) > 0 else FAIL,
        f"{held} of {len(d)}",
        f"proofs hold and their twins fail; {unlimited} for all time",
        [Table("Each proof with a twin: the same property over a faulty core", columns, rows)],
    )


def soak(d: Any, _: Path) -> View:
    """The random system test."""
    counts = ("scenarios", "episodes", "images", "malformed_packets", "register_accesses",
              "hidden_bits", "cycles")
    rows = [("time", f"{d['minutes']:,.0f} min"), ("seed", str(d["seed"]))]
    rows += [(name.replace("_", " "), f"{d[name]:,}") for name in counts]
    rows.append(("failures", f"{len(d['failures']):,}"))
    blocks: list[Block] = [Facts(rows)]
    running = d.get("ended") == "running"
    if running:
        blocks.append(Text("This run had not ended when it last wrote its report.", NOTE))
    if d["failures"]:
        failures = [
            [word(f["scenario"], FAIL, code=True), word(f["simulator"]), word(f["why"])]
            for f in d["failures"]
        ]
        columns = ("verif/campaigns/scenarios/saved/", "simulator", "what was seen")
        blocks.append(Table("What failed", columns, failures))
    state = FAIL if d["failures"] else PASS if d["scenarios"] and not running else NOTE
    detail = f"of random traffic, {d['scenarios']:,} scenarios; failures: {len(d['failures'])}"
    return View(state, f"{d['minutes']:,.0f} min", detail, blocks)


_CURVES = {"weights": "weight memory", "uncoded": "weight memory if it were not parity-coded",
           "thresholds": "threshold memory"}


def soft_errors(d: Any, path: Path) -> View:
    """Accuracy against flipped weight bits."""
    hardware = d["hardware"]
    curves = d.get("curves") or {"weights": d}
    rows = []
    for name, curve in curves.items():
        keys = ("flips", "accuracy_mean", "accuracy_min", "accuracy_max")
        for flips, *shares in zip(*(curve[key] for key in keys), strict=True):
            cells = [share(value, digits=2) for value in shares]
            rows.append([word(_CURVES.get(name, name)), number(flips), *cells])
    blocks: list[Block] = [
        Facts(
            [
                ("geometry", _sizes(d["geometry"])),
                ("bits of weight memory in use", f"{d['memory_bits']:,}"),
                ("test images", f"{d['images']:,}"),
                ("random draws for each number of flips", f"{d['draws']:,}"),
                ("seed", str(d["seed"])),
                ("the same in the simulated core",
                 f"{hardware['images']:,} images, {hardware['wrong_bits']:,} wrong bits"),
            ]
        )
    ]
    for drawing in sorted(path.parent.glob("*.svg")):
        title = "Accuracy against the number of flipped bits"
        blocks.append(Picture(inlined(drawing, title), title, white=True))
    columns = ("flips in", "flips", "mean accuracy", "worst draw", "best draw")
    blocks.append(Table("Accuracy by number of flipped bits", columns, rows, folded=True))
    # The last number of flips that costs less than a percentage point.
    means = list(zip(d["flips"], d["accuracy_mean"], strict=True))
    start = d.get("accuracy", means[0][1])
    borne = max((flips for flips, mean in means if mean > start - 0.01), default=0)
    return View(
        PASS if hardware["wrong_bits"] == 0 else FAIL,
        f"{borne:,}",
        f"of {d['memory_bits']:,} weight bits flipped cost less than 1 % of accuracy",
        blocks,
    )


# ---- answers


def accuracy(d: Any, _: Path) -> View:
    """What `make sim` found."""
    right = d["wrong_bits"] == 0 and d["accuracy"] == d["model_accuracy"]
    pairs = (
        ("cycles of a batch", "batch_cycles"),
        ("cycles an image", "cycles_per_image"),
        ("latency, last beat in to class out", "latency_cycles"),
    )
    rows = []
    exact = True
    for name, key in pairs:
        seen, model = d[key], d[f"model_{key}"]
        exact &= seen is None or seen == model  # None: too few batches to tell
        rows.append(
            [word(name), or_dash(seen, ",g"), number(model, ",g"),
             Cell("not seen") if seen is None else verdict(seen == model, "equal", "differs")]
        )
    accurate = [word("accuracy"), share(d["accuracy"], digits=2),
                share(d["model_accuracy"], digits=2),
                verdict(d["accuracy"] == d["model_accuracy"], "equal", "differs")]
    for cell in accurate[1:3]:
        cell.bar = None
    blocks: list[Block] = [
        Facts(
            [
                ("core", _sizes(d["geometry"])),
                ("simulator", d["simulator"]),
                ("network", d["network"]),
                ("images", f"{d['images']:,}"),
                ("wrong bits", f"{d['wrong_bits']:,}"),
                ("hidden bits checked", f"{d['hidden_bits_checked']:,}"),
                ("accumulators checked", f"{d['accumulators_checked']:,}"),
                ("cycles in which all PEs stepped", percent(d["busy"])),
                ("simulated images a second", f"{d['images_per_second']:,.0f}"),
            ]
        ),
        Table("Hardware and model", ("", "hardware", "model", ""), [accurate, *rows]),
        Table(
            "What the core itself counted",
            ("counter", "value"),
            [[word(name, code=True), number(value)] for name, value in d["counters"].items()],
            folded=True,
        ),
    ]
    if d["flip"]:
        planted = f"A fault was planted in what was loaded: FLIP={d['flip']}."
        blocks.insert(0, Text(planted, NOTE))
    if d["first_difference"]:
        blocks.insert(0, Text(f"First difference: {d['first_difference']}", FAIL))
    state = PASS if right and exact and not d["flip"] else FAIL
    return View(
        state,
        DASH if d["accuracy"] is d["model_accuracy"] is None else percent(d["accuracy"], 2),
        f"of {d['images']:,} images; {d['wrong_bits']:,} wrong bits, "
        f"{d['hidden_bits_checked']:,} hidden bits checked",
        blocks,
    )


def _answers(d: Any, path: Path) -> Answers:
    """The answers beside a report of `make sim`, which must be of the same run."""
    answers = Answers.read(path)
    right = float((answers.classes == answers.labels).mean()) if len(answers.labels) else 0.0
    if len(answers.labels) != d["images"] or right != d["accuracy"]:
        raise UserError(f"{path} is not of the run that report.json beside it tells of; run make "
                        "sim again.")
    return answers


def _pictures(path: Path) -> tuple[np.ndarray, int]:
    """The images beside a file of answers, as bits (N, pixels), and the side of square ones."""
    images, _ = read_images(path.with_name("images.npz"))
    threshold = IntegerNetwork.load(path.with_name("network.npz")).pixel_threshold
    bits = binarise(images, threshold)
    return bits, math.isqrt(bits.shape[1])


def confusion(d: Any, path: Path) -> View:
    """Which classes the hardware takes for which, and pictures of the images."""
    answers = _answers(d, path)
    bits, side = _pictures(path)
    highest = int(max(answers.labels.max(), answers.classes.max()))
    size = max(answers.scores.shape[1], highest + 1)
    names = class_names(d.get("dataset"), answers.scores.shape[1])
    counts = np.zeros((size, size), int)
    np.add.at(counts, (answers.labels, answers.classes), 1)
    wrong = np.flatnonzero(answers.labels != answers.classes).tolist()
    wrong.sort(key=lambda i: (answers.labels[i], answers.classes[i], i))
    digits = []
    linked: set[tuple[int, int]] = set()
    for index in wrong[:_SHOWN]:
        label, answer = int(answers.labels[index]), int(answers.classes[index])
        scores = answers.scores[index]
        known = max(label, answer) < len(scores)
        margin = f"{scores[answer] - scores[label]:+,}" if known else DASH
        anchor = "" if (label, answer) in linked else f"read-{label}-{answer}"
        linked.add((label, answer))
        picture = digit(bits[index, : side * side], side)
        digits.append(Digit(index, label, answer, margin, picture, anchor))
    rows = []
    for label in range(size):
        name = names[label] if label < len(names) else str(label)
        of_label, answered = counts[label].sum(), counts[:, label].sum()
        right = counts[label, label]
        rows.append(
            [
                number(label, "d", f" {name}" if name != str(label) else ""),
                number(int(of_label)),
                share(right / of_label if of_label else None, digits=2),
                share(right / answered if answered else None, digits=2),
            ]
        )
        for cell in rows[-1][2:]:
            cell.bar = None
    shown = f"All {len(digits)}" if len(digits) == len(wrong) else f"{len(digits)} of {len(wrong)}"
    blocks: list[Block] = [
        Matrix(
            f"The {len(answers.labels):,} answers of the simulated hardware: what an image is, and "
            "what it was read as",
            counts.tolist(),
        ),
        Table(
            "Class by class",
            ("class", "images", "recall", "precision"),
            rows,
        ),
    ]
    if digits and side * side == bits.shape[1]:
        blocks.append(
            Digits(
                f"{shown} misread images as the core sees them: what it is → what it was read as; "
                "index in the test set; by how much the score of the answer beats that of the "
                "right class",
                digits,
                side,
            )
        )
    elif not digits:
        blocks.append(Text("No image was misread."))
    return View(NOTE, f"{len(wrong):,}", f"of {len(answers.labels):,} images misread", blocks)


def cycles(d: Any, path: Path) -> View:
    """The first batches, clock cycle by clock cycle."""
    answers = _answers(d, path)
    geometry, widths = Geometry(**d["geometry"]), d["widths"]
    if not len(answers.done):
        text = "A batch of this geometry is too long to be watched cycle by cycle."
        return View(NOTE, "", "", [Text(text)])
    periods = np.diff(answers.load).tolist()
    model = geometry.period_cycles(widths)
    groups = sum(geometry.groups(m) for m in widths[1:])
    first = answers.load[0]
    done = [c for c in answers.done.tolist() if c > first][:groups]
    # How long each layer's groups took to come out, one after the other.
    rows = []
    place = 0
    for layer, (n, m) in enumerate(pairwise(widths)):
        count = geometry.groups(m)
        mine = done[place : place + count]
        place += count
        if not mine:
            break
        rows.append(
            [
                word(f"{layer}: {n}→{m}"),
                number(count),
                number(geometry.words(n)),
                number(count * geometry.words(n)),
                number(mine[0] - first),
                number(mine[-1] - first),
            ]
        )
    caption = (
        f"Watched in the running core, {_sizes(d['geometry'])}: an image a bar above, a group of "
        "neurons a bar in the middle, from when the one before it was done; a result a bar below, "
        "batches in turn dark and light. A red line: a batch is loaded"
    )
    columns = ("layer", "groups", "words", "steps", "first group done", "last group done")
    return View(
        NOTE,
        ", ".join(f"{p:,}" for p in sorted(set(periods))) or DASH,
        f"cycles from batch to batch, {model:,} by the model",
        [
            Picture(timeline(answers, geometry, widths), caption),
            Table("The first batch, in clock cycles from its load", columns, rows),
        ],
    )


# ---- speed and area


def speed(d: Any, _: Path) -> View:
    """Throughput, latency and area of the named geometries."""
    rows = []
    good = True
    for name in ("throughput", "latency", "seed"):
        r = d[name]
        fits = "alm" in r  # the core of the seed is simulated only
        if fits:
            good &= r["cycles_per_image"] == r["model_cycles_per_image"]
            good &= r["cycles"] == r["model_cycles"]
        good &= r["wrong_bits"] == 0
        rows.append(
            [
                word(name),
                word(_sizes(r["geometry"])),
                number(r["cycles_per_image"], ",g"),
                number(_MHZ * 1e6 / r["cycles_per_image"], ",.0f"),
                number(r["cycles"]),
                number(r["cycles"] / _MHZ, ",.2f"),
                share(r["busy"]),
                or_dash(r["alm"] if fits else None, ",.0f"),
                or_dash(r["m10k"] if fits else None),
                number(r["images"]),
                Cell(f"{r['wrong_bits']:,}", sort=float(r["wrong_bits"]),
                     state=PASS if r["wrong_bits"] == 0 else FAIL),
            ]
        )
    ports = d["lanes_scaling"]
    good &= all(r["wrong_bits"] == 0 and r["measured"] == r["modelled"] for r in ports)
    lanes = [
        [number(r["lanes"]), cell, number(r["modelled"], ",g"), number(r["weight_stall_cycles"])]
        for r, cell in zip(ports, bars([r["measured"] for r in ports]), strict=True)
    ]
    best = d["throughput"]
    return View(
        PASS if good else FAIL,
        f"{best['cycles_per_image']:,g}",
        f"cycles an image, {_MHZ * 1e6 / best['cycles_per_image']:,.0f} images a second at "
        f"{_MHZ} MHz",
        [
            Table(
                f"The same network in three geometries. Images a second and microseconds at "
                f"{_MHZ} MHz; area of the whole core, estimated by Yosys {d['yosys']}",
                ("geometry", "parameters", "cycles an image", "images a second", "latency, cycles",
                 "latency, µs", "busy", "ALM", "M10K", "images simulated", "wrong bits"),
                rows,
            ),
            Table(
                "Weights through one narrow port: cycles an image fall as lanes are added",
                ("lanes", "cycles an image", "by the model", "cycles waited for weights"),
                lanes,
            ),
            Facts(
                [
                    ("XNOR per cycle per ALM of the PE array, SIMD=128",
                     f"{d['xnor_per_cycle_per_alm']:.2f}"),
                    ("simulated images a second, throughput geometry",
                     f"{d['images_per_second']:,.0f}"),
                ]
            ),
        ],
    )


def forms(d: Any, _: Path) -> View:
    """What forms of the PE array cost."""
    simds = list(d["coder_alm"])
    table = []
    for name, row in d["forms"].items():
        label = area.TABLE[name].label.replace("*", "").replace("`", "")
        figures = [row[simd]["xnor_per_cycle_per_alm"] for simd in simds]
        table.append((label, figures))
    most = max(max(figures) for _, figures in table)
    rows = [
        [word(label), *(Cell(f"{f:.2f}", sort=float(f), bar=f / most) for f in figures)]
        for label, figures in table
    ]
    best = d["forms"]["rtl"][simds[-1]]["xnor_per_cycle_per_alm"]
    return View(
        NOTE,
        f"{best:.2f}",
        f"XNOR per cycle per ALM at SIMD={simds[-1]}",
        [
            Table(
                f"XNORs per cycle per ALM by form of the PE array (PE={d['pe']:d}, accumulator of "
                f"{d['acc_bits']:d} bits), more is better; estimated by Yosys {d['yosys']}",
                ("form", *(f"SIMD {simd}" for simd in simds)),
                rows,
                total=[word("ALMs that code one word, once for all PEs"),
                       *(number(d["coder_alm"][simd], ",g") for simd in simds)],
            )
        ],
    )


def board(d: Any, _: Path) -> View:
    """The whole demo."""
    have = d["available"]
    rows = [
        [word(name), number(used, form), number(there), share(used / there)]
        for name, used, form, there in (
            ("ALM", d["alm"], ",.0f", have["alm"]),
            ("M10K", d["m10k"], ",", have["m10k"]),
        )
    ]
    fits = d["alm"] <= have["alm"] and d["m10k"] <= have["m10k"]
    return View(
        PASS if fits else FAIL,
        percent(d["alm"] / have["alm"], 0),
        f"of the ALMs and {percent(d['m10k'] / have['m10k'], 0)} of the M10K of the {d['board']}",
        [
            Table(
                f"The demo for the {d['board']} from its pins inward, {_sizes(d['geometry'])}, "
                f"{d['images']:d} images; estimated by Yosys {d['yosys']}",
                ("", "used", "there", "share"),
                rows,
            ),
            Facts([("DSP blocks", f"{d['dsp']:,}"), ("flip-flops", f"{d['flip_flops']:,}")]),
        ],
    )


def clock(d: Any, _: Path) -> View:
    """A lane placed and routed."""
    have = d["available"]
    path = d["critical_path"]
    total = sum(p["delay_ns"] for p in path)
    routing = sum(p["delay_ns"] for p in path if p["kind"] == "routing")
    g = d["geometry"]
    return View(
        NOTE,
        f"{d['fmax_mhz']:.1f} MHz",
        f"routed, {d['xnor_per_cycle']:,} XNORs a cycle, {d['device']}",
        [
            Facts(
                [
                    ("placed and routed", f"{d['top']} PE={g['pe']:d} SIMD={g['simd']:d} "
                     f"TAPS={g['taps']:d}"),
                    ("device", d["device"]),
                    ("clock reached", f"{d['fmax_mhz']:.1f} MHz, {d['target_mhz']:d} asked for"),
                    ("critical path", f"{total:.2f} ns, {percent(routing / total, 0)} of it "
                     "routing"),
                ]
            ),
            Table(
                "What it takes",
                ("", "used", "there", "share"),
                [[word(name.upper()), number(d[name]), number(have[name]),
                  share(d[name] / have[name])] for name in ("lut4", "ff", "ebr")],
            ),
            Table(
                "The critical path, from register to register",
                ("kind", "net or cell", "ns"),
                [[word(p["kind"]), word(p["net"] or p["to"], code=True),
                  number(p["delay_ns"], ".3f")] for p in path],
                folded=True,
            ),
        ],
    )


def geometries(d: Any, path: Path) -> View:
    """What `make explore` found."""
    device = d["device"]

    def row(name: str, r: dict[str, Any]) -> list[Cell]:
        return [
            word(name),
            word(f"PE={r['pe']:d} SIMD={r['simd']:d} LANES={r['lanes']:d}"),
            number(r["cycles_per_image"], ",.2f"),
            number(r["latency"]),
            number(r["alm"], ",.0f"),
            number(r["blocks"]),
        ]

    columns = ("", "parameters", "cycles an image", "latency, cycles", "ALM", device["block"])
    widths = "-".join(f"{w:d}" for w in d["widths"])
    title = f"Geometries that no other one beats, {widths} on the {device['board']}"
    drawing = path.with_name("pareto.svg")
    blocks: list[Block] = []
    if drawing.exists():
        blocks.append(Picture(inlined(drawing, title), title, white=True))
    blocks += [
        Table("The best of those that fit, by the model of the area", columns,
              [row(f"best {name}", r) for name, r in d["picks"].items()]
              + [row(f"{name}, as built", r) for name, r in d["named"].items()]),
        Table("A choice of the others", columns, [row("", r) for r in d["table"]], folded=True),
    ]
    detail = f"geometries on the Pareto front of {d['fit']:,} that fit the {device['board']}"
    return View(NOTE, f"{len(d['front']):,}", detail, blocks)


def activity(d: Any, _: Path) -> View:
    """Bits that switch for an image."""
    rows = [
        [
            word(_sizes(r["geometry"])),
            number(r["toggles_per_image"], ",.0f"),
            number(r["register_toggles_per_image"], ",.0f"),
            number(r["logic_toggles_per_image"], ",.0f"),
            number(r["toggles_per_register_bit_and_cycle"], ".3f"),
            number(r["cycles_per_image"], ",.2f"),
        ]
        for r in d.values()
    ]
    least = min(r["toggles_per_image"] for r in d.values())
    return View(
        NOTE,
        f"{least:,.0f}",
        "bits switch for one image, at best",
        [
            Table(
                "Bits that switch for one image in the steady state; glitches, clock and the "
                "inside of block RAM are not in it",
                ("core", "toggles an image", "of registers", "of logic",
                 "toggles of a register bit a cycle", "cycles an image"),
                rows,
            )
        ],
    )


def anchors(d: Any, path: Path) -> View:
    """Published figures of other systems, and ours once they are measured."""
    rows = [
        [
            word(a["design"]),
            word(a["network"]),
            share(a["accuracy"], digits=2),
            or_dash(a["cycles_per_image"], ",g"),
            or_dash(a["latency_cycles"], ",g"),
            word(a["area"] or DASH),
            word(a["source"]),
        ]
        for a in json.loads(ANCHORS.read_text())["systems"]
    ]
    for name in ("throughput", "latency") if d is not None else ():
        r = d[name]
        rows.append(
            [
                word(f"this core, {name}: {_sizes(r['geometry'])}", PASS),
                word("784-1024-1024-1024-10, 1-bit"),
                share(r["accuracy"], digits=2),
                or_dash(r["cycles_per_image"], ",g"),
                or_dash(r["cycles"], ",g"),
                word(f"{r['alm']:,.0f} ALM, {r['m10k']:,} M10K (Yosys)"),
                word(f"make bench, {r['images']:,} images"),
            ]
        )
    columns = ("design", "network", "accuracy", "cycles an image", "latency, cycles", "area",
               "source")
    caption = "Published figures, as far as they could be checked; a dash is what was not"
    return View(NOTE, "", "", [Table(caption, columns, rows)])


_VERIFICATION, _ANSWERS, _SPEED = "Verification", "Answers", "Speed and area"
_EXPLORED = tuple(f"model/xnor_fcc/{name}" for name in ("area.py", "explore.py", "geometry.py"))

TOPICS = (
    Topic("suite", "Test suite", _VERIFICATION, "test", "test/junit.xml", suite,
          ("rtl/*.v", "rtl/*.vh", "verif/*.py", "model/xnor_fcc/*.py"), demanding=True),
    Topic("coverage", "Coverage", _VERIFICATION, "coverage", "coverage/report.json", coverage,
          kept="verif/campaigns/coverage/COVERAGE.md", demanding=True),
    Topic("mutation", "Mutation", _VERIFICATION, "mutate", "mutate/report.json", mutation,
          kept="verif/campaigns/mutation/MUTATION.md", demanding=True),
    Topic("proofs", "Formal proofs", _VERIFICATION, "formal", "formal/report.json", proofs,
          demanding=True),
    Topic("soak", "Random system test", _VERIFICATION, "soak", "soak/report.json", soak,
          kept="verif/campaigns/scenarios/SOAK.md", demanding=True),
    Topic("softerrors", "Soft errors", _VERIFICATION, "softerrors", "softerrors/report.json",
          soft_errors, kept="verif/measure/SOFT_ERRORS.md", demanding=True),
    Topic("accuracy", "Accuracy", _ANSWERS, "sim", "sim/report.json", accuracy,
          demanding=True),
    Topic("confusion", "Confusion matrix", _ANSWERS, "sim", "sim/answers.npz", confusion),
    Topic("timeline", "Cycle timeline", _ANSWERS, "sim", "sim/answers.npz", cycles),
    Topic("speed", "Throughput and latency", _SPEED, "bench", "bench/report.json", speed,
          demanding=True),
    Topic("area", "Area of the PE array", _SPEED, "area", "area/report.json", forms,
          kept="rtl/AREA.md"),
    Topic("board", "The whole board", _SPEED, "board", "board/report.json", board,
          demanding=True),
    Topic("clock", "Clock", _SPEED, "route", "route/report.json", clock),
    Topic("geometries", "Pareto front", _SPEED, "explore", "explore/report.json", geometries,
          _EXPLORED),
    Topic("activity", "Switching activity", _SPEED, "activity", "activity/report.json", activity),
    Topic("anchors", "Beside other systems", _SPEED, "bench", "bench/report.json", anchors,
          always=True),
)
