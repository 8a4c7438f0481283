# SPDX-License-Identifier: Apache-2.0
"""Sections on how the core was checked: tests, coverage, mutants, proofs, random systems, flips."""

from __future__ import annotations

import ast
from pathlib import Path
from xml.etree import ElementTree

from xnor_fcc_sim.page.blocks import (
    FAIL,
    NOTE,
    PASS,
    Block,
    Cell,
    Facts,
    Picture,
    Table,
    Text,
    View,
    bars,
    number,
    percent,
    share,
    word,
)
from xnor_fcc_sim.page.drawings import image
from xnor_fcc_sim.page.reports import Coverage, Judged, Mutation, Proof, Soak, SoftErrors
from xnor_fcc_sim.page.sections.topic import Topic, duration, sizes
from xnor_fcc_sim.sources import ROOT

# What is demanded.
FUNCTIONAL, COVERED = 1.0, 0.95
MUTANTS, SCORE = 500, 0.95
# Tests listed as the slowest.
_SLOWEST = 10


def _purpose(path: Path) -> str:
    """What a test file says it is: the first sentence of its docstring."""
    if not path.exists():
        return ""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def suite(root: ElementTree.Element, _: Path) -> View:
    """Pass and fail, from pytest's junit.xml."""
    files: dict[str, dict[str, float]] = {}
    bad, skipped = [], []
    cases = list(root.iter("testcase"))
    for case in cases:
        parts = case.attrib["classname"].split(".")
        # Behind the file come classes.
        end = next((n for n, part in enumerate(parts, 1) if part.startswith("test_")), len(parts))
        file = "/".join(parts[:end]) + ".py"
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
                ("time", duration(seconds)),
            ]
        )
    ]
    if bad:
        blocks.append(Table("What failed", ("test", "what it said"), bad))
    if skipped:
        blocks.append(Table("What was skipped", ("test", "why"), skipped))
    rows = []
    for file, row in sorted(files.items()):
        what_for = _purpose(ROOT / file)
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


def coverage(d: Coverage, _: Path) -> View:
    """Functional, line and toggle coverage."""
    demands = (
        ("functional", d.functional, FUNCTIONAL),
        ("line", d.line, COVERED),
        ("toggle", d.toggle, COVERED),
    )
    rows = [
        [word(name), share(reached, needed, 2), number(100 * needed, ".0f", " %")]
        for name, reached, needed in demands
    ]
    modules = [
        [word(name, code=True), share(row.line, COVERED), share(row.toggle, COVERED)]
        for name, row in sorted(d.per_module.items())
    ]
    missing = [[word(text)] for text in d.missing]
    blocks: list[Block] = [
        Table("What is demanded", ("coverage", "reached", "demanded"), rows),
        Facts(
            [
                ("bins of the plan", f"{d.bins:,}"),
                ("of them hit", f"{d.bins_hit:,}"),
                ("exclusions", f"{d.exclusions:,}"),
            ]
        ),
    ]
    if missing:
        blocks.append(Table("Bins not hit", ("bin",), missing, folded=len(missing) > 20))
    blocks.append(Table("Module by module", ("module", "lines", "toggles"), modules))
    groups = [
        [word(name), number(group.bins), number(group.hit),
         share(group.hit / group.bins if group.bins else None, 1.0)]
        for name, group in d.per_group.items()
    ]
    if groups:
        columns = ("what must be seen", "bins", "hit", "share")
        blocks.append(Table("The plan, group by group", columns, groups, folded=True))
    for missed, what in ((d.missed_lines, "Lines not run"), (d.missed_bits, "Bits not toggled")):
        rows = [[word(point, code=True)] for point in missed]
        if rows:
            blocks.append(Table(f"{what}: {len(rows):,}", ("where",), rows, folded=True))
    good = all(reached >= needed for _, reached, needed in demands)
    return View(
        PASS if good else FAIL,
        percent(d.functional),
        f"functional; line {percent(d.line)}, toggle {percent(d.toggle)}",
        blocks,
    )


def mutation(d: Mutation, _: Path) -> View:
    """Planted faults and which of them the tests find."""

    def row(name: Cell, r: Judged) -> list[Cell]:
        counts = (r.mutants, r.killed, r.survived, r.equivalent)
        return [name, *map(number, counts), share(r.score)]

    enough = d.mutants >= MUTANTS
    blocks: list[Block] = [
        Table(
            "Module by module",
            ("module", "mutants", "killed", "survived", "proven equivalent", "score"),
            [row(word(name, code=True), r) for name, r in sorted(d.per_module.items())],
            total=row(word("all"), d),
        ),
        Text(
            f"{d.invalid:,} more did not elaborate and were replaced. "
            f"{d.killed_by_time_out:,} of those killed were stopped by the time limit. Judging "
            f"took {duration(d.seconds)} of computing. The score is killed / (mutants - proven "
            "equivalent)."
        ),
    ]
    if not enough:
        lacking = f"{d.mutants:,} of at least {MUTANTS} mutants: the campaign is not complete."
        blocks.insert(0, Text(lacking, NOTE))
    survivors = [
        [
            word(s.mutant, code=True),
            word(s.text, code=True),
            word(s.reason) if s.reason else word("open", FAIL),
        ]
        for s in d.survivors
    ]
    if survivors:
        blocks.append(Table("Survivors", ("mutant", "change", "why no test finds it"), survivors))
    proven = [
        [word(p.mutant, code=True), word(p.text, code=True), word(p.method)] for p in d.proven
    ]
    if proven:
        columns = ("mutant", "change", "method")
        blocks.append(Table("Proven equivalent", columns, proven, folded=True))
    state = FAIL if d.score < SCORE else PASS if enough else NOTE
    detail = f"of {d.mutants - d.equivalent:,} planted faults found"
    return View(state, percent(d.score), detail, blocks)


def proofs(d: list[Proof], _: Path) -> View:
    """Formal proofs and their faulty twins."""
    rows = []
    held = 0
    for p in d:
        twin = p.twin
        good = p.status == "PASS" and twin.status == "FAIL"
        held += good
        reach = "all time" if p.depth == "unbounded" else f"{p.depth:,} cycles"
        rows.append(
            [
                word(p.name, code=True),
                word(p.claim),
                word(reach),
                Cell(p.status, state=PASS if p.status == "PASS" else FAIL),
                word(twin.mutation, code=True),
                Cell(
                    "fails" if twin.status == "FAIL" else twin.status,
                    state=PASS if twin.status == "FAIL" else FAIL,
                ),
                number(p.seconds + twin.seconds, ".1f"),
            ]
        )
    columns = ("proof", "what holds", "for", "status", "fault of the twin", "the twin", "seconds")
    unlimited = sum(p.depth == "unbounded" for p in d)
    return View(
        PASS if held == len(d) > 0 else FAIL,
        f"{held} of {len(d)}",
        f"proofs hold and their twins fail; {unlimited} for all time",
        [Table("Each proof with a twin: the same property over a faulty core", columns, rows)],
    )


def soak(d: Soak, _: Path) -> View:
    """The random system test."""
    counts = {
        "scenarios": d.scenarios,
        "episodes": d.episodes,
        "images": d.images,
        "malformed packets": d.malformed_packets,
        "register accesses": d.register_accesses,
        "hidden bits": d.hidden_bits,
        "cycles": d.cycles,
        "failures": len(d.failures),
    }
    rows = [("time", f"{d.minutes:,.0f} min"), ("seed", str(d.seed))]
    rows += [(name, f"{count:,}") for name, count in counts.items()]
    blocks: list[Block] = [Facts(rows)]
    running = d.ended == "running"
    if running:
        blocks.append(Text("This run had not ended when it last wrote its report.", NOTE))
    if d.failures:
        failures = [
            [word(f.scenario, FAIL, code=True), word(f.simulator), word(f.why)] for f in d.failures
        ]
        columns = ("verif/campaigns/scenarios/saved/", "simulator", "what was seen")
        blocks.append(Table("What failed", columns, failures))
    state = FAIL if d.failures else PASS if d.scenarios and not running else NOTE
    detail = f"of random traffic, {d.scenarios:,} scenarios; failures: {len(d.failures)}"
    return View(state, f"{d.minutes:,.0f} min", detail, blocks)


_CURVES = {"weights": "weight memory", "uncoded": "weight memory if it were not parity-coded",
           "thresholds": "threshold memory"}


def soft_errors(d: SoftErrors, path: Path) -> View:
    """Accuracy against flipped weight bits."""
    hardware = d.hardware
    rows = []
    for name, curve in d.curves.items():
        shares = (curve.accuracy_mean, curve.accuracy_min, curve.accuracy_max)
        for flips, *points in zip(curve.flips, *shares, strict=True):
            cells = [share(point, digits=2) for point in points]
            rows.append([word(_CURVES.get(name, name)), number(flips), *cells])
    weights = d.curves["weights"]
    blocks: list[Block] = [
        Facts(
            [
                ("geometry", sizes(d.geometry)),
                ("bits of weight memory in use", f"{weights.memory_bits:,}"),
                ("test images", f"{d.images:,}"),
                ("random draws for each number of flips", f"{d.draws:,}"),
                ("seed", str(d.seed)),
                ("the same in the simulated core",
                 f"{hardware.images:,} images, {hardware.wrong_bits:,} wrong bits"),
            ]
        )
    ]
    for drawing in sorted(path.parent.glob("*.svg")):
        title = "Accuracy against the number of flipped bits"
        blocks.append(Picture(image(drawing, title), title, white=True))
    columns = ("flips in", "flips", "mean accuracy", "worst draw", "best draw")
    blocks.append(Table("Accuracy by number of flipped bits", columns, rows, folded=True))
    # The last number of flips that costs less than a percentage point.
    means = zip(weights.flips, weights.accuracy_mean, strict=True)
    borne = max((flips for flips, mean in means if mean > d.accuracy - 0.01), default=0)
    return View(
        PASS if hardware.wrong_bits == 0 else FAIL,
        f"{borne:,}",
        f"of {weights.memory_bits:,} weight bits flipped cost less than 1 % of accuracy",
        blocks,
    )


_GROUP = "Verification"

TOPICS = (
    Topic("suite", "Test suite", _GROUP, "test", "test/junit.xml", None, suite,
          ("rtl/*.v", "rtl/*.vh", "verif/**/*.py", "model/xnor_fcc/**/*.py"), demanding=True),
    Topic("coverage", "Coverage", _GROUP, "coverage", "coverage/report.json", Coverage, coverage,
          kept="verif/campaigns/coverage/COVERAGE.md", demanding=True),
    Topic("mutation", "Mutation", _GROUP, "mutate", "mutate/report.json", Mutation, mutation,
          kept="verif/campaigns/mutation/MUTATION.md", demanding=True),
    Topic("proofs", "Formal proofs", _GROUP, "formal", "formal/report.json", list[Proof], proofs,
          demanding=True),
    Topic("soak", "Random system test", _GROUP, "soak", "soak/report.json", Soak, soak,
          kept="verif/campaigns/scenarios/SOAK.md", demanding=True),
    Topic("softerrors", "Soft errors", _GROUP, "softerrors", "softerrors/report.json", SoftErrors,
          soft_errors, kept="verif/measure/SOFT_ERRORS.md", demanding=True),
)
