# SPDX-License-Identifier: Apache-2.0
"""The parts of a file that a command writes, between two lines that name them."""

from __future__ import annotations

from pathlib import Path

from .errors import UserError
from .files import write_text

# What makes a line a comment, before and behind it; in all other files it is #.
_COMMENTS = {".md": ("<!-- ", " -->"), ".v": ("// ", "")}


def markers(name: str = "generated", suffix: str = ".md") -> tuple[str, str]:
    """The lines before and behind the part `name` in a file whose name ends in `suffix`."""
    before, behind = _COMMENTS.get(suffix, ("# ", ""))
    return f"{before}{name}: begin{behind}", f"{before}{name}: end{behind}"


def filled(page: Path, content: str, text: str, name: str = "generated") -> str:
    """`content`, that of `page`, with `text` in the place of its part `name`.

    The lines around the part stay as they are, indentation included; `UserError` where they are
    missing.
    """
    begin, end = markers(name, page.suffix)
    lines = content.splitlines(keepends=True)
    stripped = [line.strip() for line in lines]
    if begin not in stripped or end not in stripped[stripped.index(begin) :]:
        raise UserError(f"{page} lacks the lines {begin} and {end} between which the text goes.")
    start = stripped.index(begin) + 1
    stop = stripped.index(end, start)
    return "".join([*lines[:start], text, "\n", *lines[stop:]])


def fill(page: Path, text: str, name: str = "generated") -> None:
    """Put `text` in the place of the part `name` of `page`; `UserError` where it has none."""
    write_text(page, filled(page, page.read_text("utf-8"), text, name))
