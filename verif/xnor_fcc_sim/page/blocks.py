# SPDX-License-Identifier: Apache-2.0
"""What a section of the report is made of, as texts; report_page.html.j2 gives it its looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

# States of a section and of a cell. NOTE: measured, and either nothing is demanded of it or it
# falls short of a full run.
PASS, FAIL, NOTE, MISSING = "pass", "fail", "note", "missing"
# Stands where there is no number.
DASH = "\u2013"


@dataclass
class Cell:
    """A cell of a table."""

    text: str
    sort: float | None = None
    """What a column of numbers is sorted by; None for words."""
    bar: float | None = None
    """0 to 1: where a bar below the text ends."""
    start: float = 0.0
    """Where it begins."""
    state: str = ""
    code: bool = False
    """Set in the type of source text."""


@dataclass
class Facts:
    """Names and values."""

    rows: list[tuple[str, str]]
    kind: str = "facts"


@dataclass
class Table:
    """Rows of equal length under `columns`; `total` is a last row that stays last when sorted."""

    caption: str
    columns: Sequence[str]
    rows: list[list[Cell]]
    total: list[Cell] = field(default_factory=list)
    folded: bool = False
    """Shown when it is asked for: long, and not what most readers want."""
    wide: bool = False
    """As wide as the page, for the sake of its bars."""
    kind: str = "table"

    def numeric(self, column: int) -> bool:
        """Whether a column holds numbers, which are set to the right."""
        return bool(self.rows) and all(row[column].sort is not None for row in self.rows)


@dataclass
class Picture:
    """A drawing: SVG markup with a title, or an image with a text for who does not see it."""

    markup: Markup
    caption: str
    white: bool = False
    """Drawn on white, whatever the page's colours are."""
    kind: str = "picture"


@dataclass
class Figures:
    """Drawings and tables beside each other, as far as the page is wide."""

    blocks: Sequence[Picture | Table | Text]
    kind: str = "figures"


@dataclass
class Digit:
    """A test image that was misread."""

    index: int
    label: str
    answer: str
    margin: str
    drawing: Markup
    """What an SVG of it holds, one unit a pixel."""
    anchor: str = ""
    """Where links to all images of this label and answer lead, at the first of them."""


@dataclass
class Digits:
    """The misread images."""

    caption: str
    digits: list[Digit]
    side: int
    kind: str = "digits"


@dataclass
class Matrix:
    """Confusion matrix: `counts[label][answer]` images."""

    caption: str
    counts: list[list[int]]
    kind: str = "matrix"

    def heat(self, label: int, answer: int) -> int:
        """0 to 100: how much of the label's images, or of the worst confusion."""
        wrong = max(
            (n for i, row in enumerate(self.counts) for j, n in enumerate(row) if i != j), default=0
        )
        most = sum(self.counts[label]) if label == answer else wrong
        return round(100 * self.counts[label][answer] / most) if most else 0


@dataclass
class Text:
    """A paragraph."""

    text: str
    state: str = ""
    kind: str = "text"


Block = Facts | Table | Picture | Figures | Digits | Matrix | Text


@dataclass
class View:
    """What a section shows of what was measured."""

    state: str
    figure: str
    """The number for the top of the page."""
    detail: str
    """What the number is, in a few words."""
    blocks: list[Block]


def percent(value: float, digits: int = 1) -> str:
    """A share; only a whole reads 100 %."""
    text = f"{100 * value:.{digits}f}"
    if value < 1 and float(text) >= 100:
        text = f"{100 - 10**-digits:.{digits}f}"
    return f"{text} %"


def word(text: str, state: str = "", code: bool = False) -> Cell:
    """A cell of words."""
    if not isinstance(text, str):
        raise TypeError(f"{text!r} where a text belongs")
    return Cell(text, state=state, code=code)


def number(value: float, form: str = ",", unit: str = "") -> Cell:
    """A cell with a number."""
    return Cell(format(value, form) + unit, sort=float(value))


def or_dash(value: float | None, form: str = ",") -> Cell:
    """A cell with a number; a dash for one that is not known."""
    return Cell(DASH, sort=-1.0) if value is None else number(value, form)


def share(value: float | None, needed: float | None = None, digits: int = 1) -> Cell:
    """A cell with a percentage and its bar; `needed` decides about its state."""
    if value is None:
        return Cell(DASH, sort=-1.0)
    state = "" if needed is None else PASS if value >= needed else FAIL
    return Cell(percent(value, digits), sort=value, bar=min(1.0, max(0.0, value)), state=state)


def bars(values: Sequence[float], form: str = ",g") -> list[Cell]:
    """Cells of one column with bars in proportion."""
    most = max((*values, 0.0)) or 1.0
    return [Cell(format(v, form), sort=float(v), bar=v / most) for v in values]


def verdict(good: bool, yes: str = "pass", no: str = "fail") -> Cell:
    """A cell that says whether something held."""
    return Cell(yes if good else no, state=PASS if good else FAIL)
