# SPDX-License-Identifier: Apache-2.0
"""One HTML page of what the other make targets measured, readable without a network.

It measures nothing itself and takes a moment. What has not been measured is named with the command
that measures it; what is older than the RTL is marked.
"""

from __future__ import annotations

import argparse
import json
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from xnor_fcc.errors import CommandLine, UserError
from xnor_fcc.files import write_json, write_text
from xnor_fcc.places import BUILD, CHECKOUT
from xnor_fcc_sim import provenance as report_source
from xnor_fcc_sim.page import pages
from xnor_fcc_sim.page.blocks import FAIL, MISSING, NOTE, PASS, Block
from xnor_fcc_sim.page.reports import structure
from xnor_fcc_sim.page.sections import TOPICS, Topic
from xnor_fcc_sim.sources import ROOT

TEMPLATE = "report_page.html.j2"

_EPILOG = """\
The exit code says whether the page could be made, the page whether the tests pass.

examples
  xnor-fcc report --open
  xnor-fcc report --build saved/build --output page --json
make report takes options in ARGS=.
"""
_TIME = "%Y-%m-%d %H:%M"


@dataclass
class Section:
    """A topic with what is known of it."""

    topic: Topic
    state: str
    figure: str = ""
    detail: str = ""
    blocks: list[Block] | None = None
    file: str = ""
    when: str = ""
    commit: str = ""
    stale: str = ""
    """Why it may not hold any more, a sentence."""

    @property
    def standing(self) -> str:
        """What report.json says of it: measured, missing or stale."""
        return "missing" if self.state == MISSING else "stale" if self.stale else "measured"

    @property
    def incomplete(self) -> bool:
        """Whether something is demanded of it that this run was too short to show."""
        return self.state == NOTE and self.topic.demanding

    @property
    def kept(self) -> str:
        """Page of the repository that keeps an earlier run; an installed package has none."""
        return self.topic.kept if CHECKOUT and (ROOT / self.topic.kept).is_file() else ""


def _read(path: Path) -> Any:
    """What the file of a topic holds; of an .npz the report beside it."""
    if path.suffix == ".xml":
        return ElementTree.parse(path).getroot()
    if path.suffix == ".npz":
        path.stat()
        return _read(path.with_name("report.json"))
    data = json.loads(path.read_text("utf-8"))
    if data is None:
        raise ValueError("it holds nothing")
    return data


def _stale(topic: Topic, measured: float, source: dict[str, Any], rtl: str) -> str:
    """Why figures may not be those of today's files; empty if they are."""
    if "rtl" in source and all(pattern.startswith("rtl/") for pattern in topic.depends):
        return "" if source["rtl"] == rtl else "The RTL is not the one that was measured."
    files = [path for pattern in topic.depends for path in ROOT.glob(pattern)]
    if not files:  # an installed package has not all of them
        return ""
    newest = max(files, key=lambda path: path.stat().st_mtime)
    changed = newest.stat().st_mtime
    if changed <= measured:
        return ""
    at = datetime.fromtimestamp(changed).strftime(_TIME)
    return f"Older than {newest.relative_to(ROOT)}, which changed {at}."


def _commit(source: dict[str, Any]) -> str:
    if not source.get("commit"):
        return "commit not recorded"
    return f"commit {source['commit']}" + " with changes on top" * bool(source.get("dirty"))


def gather(topic: Topic, build: Path, rtl: str) -> Section:
    """The section of a topic; `UserError` if its file is damaged."""
    path = build / topic.path
    again = f"run make {topic.target} again"
    data = None
    try:
        data = _read(path)
    except (FileNotFoundError, NotADirectoryError):  # the latter where there is no home
        if not topic.always:
            return Section(topic, MISSING)
    except (ElementTree.ParseError, ValueError) as error:
        raise UserError(f"The file {path} is damaged ({error}); {again}.") from error
    except OSError as error:
        raise UserError(f"The file {path} cannot be read ({error.strerror}); {again}.") from error
    try:
        typed = topic.reads is not None and data is not None
        view = topic.view(structure(data, topic.reads) if typed else data, path)
        about = data if isinstance(data, dict) else {}
        source = dict(about.get("source") or {"commit": about.get("commit")})
        if data is None:
            return Section(topic, MISSING, blocks=view.blocks)
        written = path.stat().st_mtime
        # A long campaign works on the files that it found when it began.
        began = written - float(about.get("wall_seconds") or 60 * float(about.get("minutes") or 0))
        return Section(
            topic,
            view.state,
            view.figure,
            view.detail,
            view.blocks,
            str(path.relative_to(build.parent)),
            datetime.fromtimestamp(written).strftime(_TIME),
            _commit(source),
            _stale(topic, began, source, rtl),
        )
    except (KeyError, TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
        what = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise UserError(
            f"The file {path} is not what make {topic.target} writes ({what}); {again}."
        ) from error


@dataclass(frozen=True)
class Verdict:
    """On the whole page: its state, a sentence, and what the sentence leaves open."""

    state: str
    sentence: str
    gaps: tuple[tuple[str, list[Section]], ...] = ()


def verdict(sections: list[Section]) -> Verdict:
    """A pass only if everything was measured, on today's files, and passes."""
    failed = [s for s in sections if s.state == FAIL]
    kinds = (
        ("Failed", failed),
        ("Not measured", [s for s in sections if s.state == MISSING]),
        ("Outdated", [s for s in sections if s.stale]),
        ("Not complete", [s for s in sections if s.incomplete]),
    )
    gaps = tuple((name, some) for name, some in kinds if some)
    if failed:
        return Verdict(FAIL, "Something that was measured fails.", gaps)
    if all(s.state == MISSING for s in sections):
        return Verdict(NOTE, "Nothing has been measured yet.", gaps)
    if gaps:
        return Verdict(NOTE, "What was measured passes.", gaps)
    return Verdict(PASS, "Everything was measured, and passes.")


def render(sections: list[Section]) -> str:
    """The page."""
    return pages.ENVIRONMENT.get_template(TEMPLATE).render(
        verdict=verdict(sections),
        groups=[(name, list(some)) for name, some in groupby(sections, lambda s: s.topic.group)],
        sections=sections,
        made=datetime.now().strftime(_TIME),
        commit=_commit(dict(report_source.source())),
    )


def build_report(
    build: Path, output: Path, opener: Callable[[str], object] | None = None
) -> dict[str, Any]:
    """Write report.html and report.json into `output` from what stands below `build`."""
    rtl = report_source.rtl_hash()
    sections = [gather(topic, build, rtl) for topic in TOPICS]
    page = render(sections)
    file = output / "report.html"
    write_text(file, page)
    judged = verdict(sections)
    report = {
        "file": str(file),
        "bytes": len(page.encode()),
        "sections": {section.topic.name: section.standing for section in sections},
        "failed": [section.topic.name for section in sections if section.state == FAIL],
        "verdict": judged.state,
    }
    write_json(output / "report.json", report)
    if opener is not None:
        opener(file.resolve().as_uri())
    return report


def parser() -> CommandLine:
    """The command line."""
    result = CommandLine(
        prog="xnor-fcc report",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument(
        "--build", type=Path, default=BUILD, metavar="DIR",
        help=f"directory of what was measured (default: {BUILD})",
    )
    result.add_argument(
        "--output", type=Path, metavar="DIR",
        help="directory of the page (default: report/ in the former)",
    )
    result.add_argument("--open", action="store_true", help="show it in the browser")
    result.add_argument("--json", action="store_true", help="print report.json instead of text")
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Gather, write, say where."""
    options = parser().parse_args(argv)
    if options.build != BUILD and not options.build.is_dir():
        raise UserError(f"There is no directory {options.build}; --build names one.")
    build = options.build.resolve()
    output = (options.output or build / "report").resolve()
    for stale in ("report.html", "report.json"):
        (output / stale).unlink(missing_ok=True)
    report = build_report(build, output, webbrowser.open if options.open else None)
    if options.json:
        print(json.dumps(report, indent=1))
        return 0
    for name in ("missing", "stale"):
        some = [topic for topic, standing in report["sections"].items() if standing == name]
        if some:
            print(f"{name}: {', '.join(some)}")
    if report["failed"]:
        print(f"failed: {', '.join(report['failed'])}")
    print(f"wrote {report['file']}, {report['bytes'] / 1e6:.2f} MB")
    return 0
