# SPDX-License-Identifier: Apache-2.0
"""Line and toggle coverage out of Verilator's coverage files, without verilator_coverage.

A file has one line a counter: `C '<fields>' <count>`, each field \\x01 name \\x02 value. The fields
used here: f source file, l line, n column, t kind, o what it counts, S the lines of a block.

**Points.** What counts is a place in the source, not an instance: the counters of all instances, of
all parameter sets and of all runs that come from the same place are added up.

- A *line point* is a block of statements, or one side of a branch, by file, line, column and side;
  it is hit when it has run in any instance of any build.
- A *toggle point* is one bit of one signal in one direction, by file, line of the declaration,
  name, bit and direction. A signal that is wider in another build has its further bits there; a
  generate loop's signal is one for all its turns. It is hit when the bit has changed so in any
  instance.

So the denominator is everything that any build of the campaign has, and a build of other parameters
can add points, never hide one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from xnor_fcc.errors import UserError

LINE, TOGGLE = "line", "toggle"
_KINDS = {"line": LINE, "branch": LINE, "toggle": TOGGLE}
_COUNTER = re.compile(r"C '(.*)' (\d+)")
# Index of a turn of a generate loop in the name of a signal.
_TURN = re.compile(r"\[\d+\](?=\.)")


@dataclass(frozen=True, order=True)
class Point:
    """One place that can be covered; `what` is a side of a branch, or a bit and its direction."""

    file: str
    line: int
    column: int
    kind: str
    what: str

    @property
    def module(self) -> str:
        """Every module is a file."""
        return self.file.removesuffix(".v")

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


class Counts:
    """Counters of many runs, added up by their places."""

    def __init__(self) -> None:
        self.hits: Counter[Point] = Counter()
        # Lines of each line point's block.
        self.lines: dict[Point, set[int]] = {}

    def add(self, path: Path, files: Iterable[str]) -> None:
        """Add a coverage file's counters of the named source files; `UserError` if it is none."""
        wanted = set(files)
        for point, count, lines in parse(path):
            if point.file in wanted:
                # A point that was never hit is known too.
                self.hits[point] += count
                if point.kind == LINE:
                    self.lines.setdefault(point, {point.line}).update(lines)

    def points(self, kind: str, module: str | None = None) -> list[Point]:
        """The points of a kind, of one module or of all, in the order of the source."""
        return sorted(p for p in self.hits if p.kind == kind and module in (None, p.module))


def parse(path: Path) -> Iterator[tuple[Point, int, set[int]]]:
    """(point, count, lines of its block) of every counter of a file that Verilator has written."""
    text = path.read_bytes().decode("latin-1")
    header, _, body = text.partition("\n")
    if not header.startswith("# SystemC::Coverage-3"):
        raise UserError(f"{path} is not a coverage file of Verilator.")
    for number, row in enumerate(body.splitlines(), 2):
        match = _COUNTER.fullmatch(row)
        if match is None:
            raise UserError(f"{path}, line {number}: not a counter; the file is damaged.")
        fields = dict(part.split("\2", 1) for part in match[1].split("\1")[1:])
        kind = _KINDS.get(fields["t"])
        if kind is None:
            continue
        what = fields["o"]
        column = int(fields["n"])
        if kind == TOGGLE:
            what, column = _TURN.sub("[]", what), 0
        file = Path(fields["f"]).name
        point = Point(file, int(fields["l"]), column, kind, what)
        yield point, int(match[2]), _spans(fields.get("S", ""))


def _spans(text: str) -> set[int]:
    """Lines of a list such as 63,66-68."""
    lines: set[int] = set()
    for span in filter(None, text.split(",")):
        first, _, last = span.partition("-")
        lines.update(range(int(first), int(last or first) + 1))
    return lines


def lcov(counts: Counts, directory: Path) -> str:
    """The line counters as an lcov tracefile, a line as often as the most frequent block on it."""
    text = []
    for file in sorted({point.file for point in counts.hits}):
        lines: Counter[int] = Counter()
        for point, spans in counts.lines.items():
            if point.file == file:
                for line in spans:
                    lines[line] = max(lines[line], counts.hits[point])
        text += ["TN:", f"SF:{directory / file}"]
        text += [f"DA:{line},{count}" for line, count in sorted(lines.items())]
        text += [f"LF:{len(lines)}", f"LH:{sum(c > 0 for c in lines.values())}", "end_of_record"]
    return "\n".join(text) + "\n"
