# SPDX-License-Identifier: Apache-2.0
"""`make coverage`: what the tests of the RTL have seen, run through and toggled.

Runs the module tests and runs.py on builds that count, then merges: the bins of
coverage_plan.json that were seen (functional coverage), and the blocks and bits that Verilator
counted (line and toggle coverage, see counts.py). Points in exclusions.json do
not count; an exclusion that is not needed is an error.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from campaigns.coverage.counts import LINE, TOGGLE, Counts, Point, lcov
from campaigns.coverage.plan import Group, groups, read_plan
from xnor_fcc.errors import CommandLine, UserError, run_main
from xnor_fcc.files import write_json
from xnor_fcc.generated import fill
from xnor_fcc.places import BUILD, ROOT
from xnor_fcc.tables import columns, markdown
from xnor_fcc_sim.provenance import source
from xnor_fcc_sim.sources import RTL, rtl_sources

OUTPUT = BUILD / "coverage"
VERIF = ROOT / "verif"
HERE = Path(__file__).resolve().parent
PAGE = HERE / "COVERAGE.md"
EXCLUSIONS = HERE / "exclusions.json"

# What must be reached.
FUNCTIONAL, POINTS = 1.0, 0.95

_BIT = re.compile(r"(?P<name>.*?)(\[(?P<bit>\d+)\])?:(?P<edge>[01]->[01])")


def tests() -> list[str]:
    """The files that a campaign runs: the module tests that use Verilator, and whole cores."""
    modules = sorted(path.name for path in (VERIF / "modules").glob("test_fcc_*.py"))
    return [*(f"modules/{name}" for name in modules), "campaigns/coverage/runs.py"]


def measure(output: Path, select: str = "") -> None:
    """Run the campaign's tests, those that pytest's -k `select` leaves; counts into `output`.

    `UserError` unless all of them pass: what a failing test has seen is worth nothing.
    """
    if importlib.util.find_spec("cocotb_coverage") is None:
        raise UserError("make coverage needs cocotb-coverage, which needs Python 3.11 or newer.")
    counts = output / "counts"
    shutil.rmtree(counts, ignore_errors=True)
    counts.mkdir(parents=True)
    log = output / "tests.log"
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "--color=no"]
    command += ["--basetemp", str(output / "tmp"), *(["-k", select] if select else [])]
    environment = {
        **os.environ,
        "SIM": "verilator",
        "XNOR_FCC_COVERAGE": str(counts),
        # Lines are written when they are said, for the progress bar.
        "PYTHONUNBUFFERED": "1",
    }
    with (
        log.open("w", buffering=1) as file,
        subprocess.Popen(
            [*command, *tests()],
            cwd=VERIF,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
        tqdm(unit="test", desc="coverage") as bar,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            if collected := re.search(r"collected (\d+) items(?:.* (\d+) selected)?", line):
                bar.total = int(collected[2] or collected[1])
                bar.refresh()
            elif verdict := re.match(r"\S+::(\S+) (PASSED|FAILED|ERROR|SKIPPED)", line):
                bar.update()
                bar.set_postfix_str(verdict[1])
    if process.returncode:
        raise UserError(f"A test of the campaign failed or none was selected; see {log}.")


# ---- exclusions


@dataclass(frozen=True)
class Exclusion:
    """Points that no test can reach, and why."""

    file: str
    reason: str
    source: str = ""
    """Of line points: the text of their line."""
    signal: str = ""
    """Of toggle points: the name of the signal."""
    what: str = ""
    """The side of the branch, or the direction of the bit; both if empty."""
    bits: tuple[int, int] | None = None
    """First and last bit; all if None."""

    def matches(self, point: Point, text: str) -> bool:
        """Whether it excludes a point, whose line in the source is `text`."""
        if point.file != self.file:
            return False
        if point.kind == LINE:
            return text.strip() == self.source and self.what in ("", point.what)
        match = _BIT.fullmatch(point.what)
        if match is None or match["name"] != self.signal or self.what not in ("", match["edge"]):
            return False
        if self.bits is None:
            return True
        return match["bit"] is not None and self.bits[0] <= int(match["bit"]) <= self.bits[1]

    def __str__(self) -> str:
        bits = "" if self.bits is None else f"[{self.bits[1]}:{self.bits[0]}]"
        what = f", {self.what}" if self.what else ""
        return f"{self.file}: {self.source or self.signal + bits}{what}"


def read_exclusions(path: Path = EXCLUSIONS) -> list[Exclusion]:
    """The exclusions; `UserError` where one lacks its reason."""
    result = []
    for entry in json.loads(path.read_text()):
        if not entry.get("reason", "").strip():
            raise UserError(f"{path.name}: the exclusion {entry} has no reason.")
        bits = entry.pop("bits", None)
        result.append(Exclusion(**entry, bits=None if bits is None else (bits[0], bits[1])))
    return result


def excluded(counts: Counts, exclusions: Iterable[Exclusion], rtl: Path = RTL) -> set[Point]:
    """The points that do not count; `UserError` for an exclusion that is stale: of nothing, or of
    something that has been reached."""
    text: dict[str, list[str]] = {}
    by_file: dict[str, list[Point]] = {}
    for point in counts.hits:
        by_file.setdefault(point.file, []).append(point)
    result: set[Point] = set()
    for exclusion in exclusions:
        file = exclusion.file
        if file not in text:
            source = rtl / file
            text[file] = source.read_text().splitlines() if source.exists() else []
        lines = text[file]
        points = [
            point
            for point in by_file.get(file, ())
            if exclusion.matches(point, lines[point.line - 1] if point.line <= len(lines) else "")
        ]
        if not points:
            raise UserError(f"Stale exclusion, there is no such point: {exclusion}.")
        reached = min((p for p in points if counts.hits[p]), default=None)
        if reached is not None:
            raise UserError(f"Stale exclusion, a test reaches {reached}: {exclusion}.")
        result.update(points)
    return result


# ---- result


def merged(output: Path) -> tuple[dict[str, set[str]], Counts]:
    """(bins seen of each group, counters) of all runs of a campaign."""
    directory = output / "counts"
    files = sorted(directory.glob("*.dat"))
    if not files:
        raise UserError(f"There are no counts in {directory} yet; run make coverage.")
    names = [path.name for path in rtl_sources()]
    counts = Counts()
    for path in files:
        counts.add(path, names)
    seen: dict[str, set[str]] = {}
    for path in sorted(directory.glob("*.json")):
        for group, bins in json.loads(path.read_text()).items():
            seen.setdefault(group, set()).update(bins)
    return seen, counts


def share(hit: int, of: int) -> float:
    """A coverage, rounded down: what is rounded to 1 has been reached. 0 where nothing ran."""
    return int(10_000 * hit / of) / 10_000 if of else 0.0


def report(
    seen: Mapping[str, set[str]], counts: Counts, exclusions: Sequence[Exclusion], rtl: Path = RTL
) -> dict[str, Any]:
    """What report.json holds."""
    left_out = excluded(counts, exclusions, rtl)
    functional = {
        name: [bin_ for bin_ in map(", ".join, group.bins) if bin_ not in seen.get(name, ())]
        for name, group in groups().items()
    }
    bins = sum(len(group.bins) for group in groups().values())
    missing = [f"{name}: {bin_}" for name, unseen in functional.items() for bin_ in unseen]

    def counted(module: str | None) -> dict[str, Any]:
        row: dict[str, Any] = {}
        for kind in (LINE, TOGGLE):
            points = [p for p in counts.points(kind, module) if p not in left_out]
            hit = sum(counts.hits[p] > 0 for p in points)
            # A module of wires only has no lines to reach; a campaign without any has reached none.
            reached = share(hit, len(points)) if points or module is None else 1.0
            row |= {kind: reached, f"{kind}_points": len(points), f"{kind}_hit": hit}
        return row

    def missed(kind: str) -> list[str]:
        return [str(p) for p in counts.points(kind) if not counts.hits[p] and p not in left_out]

    modules = sorted({point.module for point in counts.hits})
    return {
        "functional": share(bins - len(missing), bins),
        **counted(None),
        "bins": bins,
        "bins_hit": bins - len(missing),
        "missing": missing,
        "per_group": {
            name: {"bins": len(group.bins), "hit": len(group.bins) - len(functional[name])}
            for name, group in groups().items()
        },
        "per_module": {module: counted(module) for module in modules},
        "exclusions": len(exclusions),
        "excluded_points": len(left_out),
        "missed_lines": missed(LINE),
        "missed_bits": missed(TOGGLE),
    }


def complaint(result: Mapping[str, Any]) -> str:
    """One sentence on what is not reached; empty if all is."""
    wants = (("functional", FUNCTIONAL), (LINE, POINTS), (TOGGLE, POINTS))
    short = [
        f"{name} coverage is {100 * result[name]:.2f} % instead of {100 * want:.0f} %"
        for name, want in wants
        if result[name] < want
    ]
    if not short:
        return ""
    unseen = result["missing"][:3]
    more = f" (not seen: {'; '.join(unseen)}{'; ...' * (len(result['missing']) > 3)})"
    return f"{' and '.join(short)}{more * bool(unseen)}."


# ---- the page


def _bins(group: Group) -> str:
    listed = {axis: " / ".join(values) for axis, values in group.axes.items()}
    if group.name == "register":
        listed["register"] = "each of REGISTERS.md / no register"
    text = ", **x** ".join(f"*{axis}* {values}" for axis, values in listed.items())
    reasons: dict[str, list[str]] = {}
    for values, why in group.impossible.items():
        reasons.setdefault(why, []).append(" with ".join(values))
    for why, rows in reasons.items():
        text += f"; cannot be: {' / '.join(rows)}, because {why}"
    return text


def plan_page() -> str:
    """The plan as tables."""
    lines = []
    for section in read_plan():
        lines += ["", f"### {section.name}", "", f"Sampled: {section.when}.", ""]
        # Not by `markdown`: padded to the widest of its sentences a row would have 600 columns.
        lines += ["| group | must be seen | why | bins |", "|---|---|---|---|"]
        lines += [
            f"| {g.name} | {g.see} | {g.why} | {len(g.bins)}: {_bins(g)} |" for g in section.groups
        ]
    return "\n".join(lines[1:])


def result_page(result: Mapping[str, Any], exclusions: Sequence[Exclusion]) -> str:
    """The result as tables."""
    groups_ = result["per_group"].items()
    lines = [
        f"Functional: {result['bins_hit']} of {result['bins']} bins, "
        f"{100 * result['functional']:.2f} %. "
        f"Line: {result['line_hit']} of {result['line_points']} points, "
        f"{100 * result['line']:.2f} %. "
        f"Toggle: {result['toggle_hit']} of {result['toggle_points']} points, "
        f"{100 * result['toggle']:.2f} %. "
        f"{result['exclusions']} exclusions leave out {result['excluded_points']} points.",
        "",
    ]
    sections = []
    for section in read_plan():
        seen = ", ".join(
            f"{name} {row['hit']}/{row['bins']}"
            for name, row in groups_
            if name in {group.name for group in section.groups}
        )
        sections.append((section.name, seen))
    modules = []
    for name, row in [*result["per_module"].items(), ("**all**", result)]:
        label = name if name.startswith("*") else f"`{name}`"
        shares = (
            f"{100 * row[kind]:.1f} %" if row[f"{kind}_points"] else "none"
            for kind in (LINE, TOGGLE)
        )
        modules.append((label, *shares, row["toggle_points"]))
    lines += [markdown(("groups", "bins seen"), sections), ""]
    lines += [markdown(("module", "line", "toggle", "toggle points"), modules)]
    lines += ["", "### Not seen", ""]
    lines += [f"- {bin_}" for bin_ in result["missing"]] or ["Every bin was seen."]
    points = (str(exclusion).replace("|", "\\|") for exclusion in exclusions)
    rows = [(f"`{p}`", exclusion.reason) for p, exclusion in zip(points, exclusions, strict=True)]
    lines += ["", "### Exclusions", "", markdown(("point", "why it cannot be reached"), rows)]
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = CommandLine(
        prog="make coverage ARGS=...",
        description="Runs the tests of the RTL on builds that count, and reports which bins of the "
        "plan were seen, which blocks ran and which bits toggled: build/coverage/report.json, and "
        "lines.info for whoever reads lcov.",
        epilog="Exit code 1 if a bin was not seen, or fewer than 95 % of the blocks or bits.",
    )
    result.add_argument("--show", action="store_true", help="do not run, merge the last counts")
    result.add_argument("--write", action="store_true", help="put plan and result into COVERAGE.md")
    result.add_argument(
        "--select", default="", metavar="EXPRESSION",
        help="run only what pytest's -k selects; the rest counts as not reached",
    )  # fmt: skip
    result.add_argument(
        "--output", type=Path, default=OUTPUT, metavar="DIR",
        help="where counts and report go (default build/coverage)",
    )  # fmt: skip
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; `UserError` unless everything is reached."""
    arguments = parser().parse_args(argv)
    output = arguments.output.resolve()
    exclusions = read_exclusions()
    file = output / "report.json"
    if arguments.show and file.exists():  # what they say of the run stays
        before = json.loads(file.read_text())
        run = {name: before[name] for name in ("seconds", "source") if name in before}
    else:
        run = {"source": source()}
    begin = time.monotonic()
    if not arguments.show:
        measure(output, arguments.select)
        run["seconds"] = round(time.monotonic() - begin, 1)
    seen, counts = merged(output)
    # A few tests do not reach what all of them do: only then may an exclusion be of nothing.
    result = report(seen, counts, [] if arguments.select else exclusions)
    result |= run
    write_json(file, result)
    (output / "lines.info").write_text(lcov(counts, RTL))
    rows = [
        (name, f"{100 * row['line']:.1f} %", f"{100 * row['toggle']:.1f} %")
        for name, row in [*result["per_module"].items(), ("all", result)]
    ]
    print(columns(("module", "line", "toggle"), rows, left=[0]))
    print(f"functional: {result['bins_hit']} of {result['bins']} bins")
    if arguments.write:
        fill(PAGE, plan_page(), "plan")
        fill(PAGE, result_page(result, exclusions), "result")
    if wrong := complaint(result):
        raise UserError(wrong)
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
