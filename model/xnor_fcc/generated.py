# SPDX-License-Identifier: Apache-2.0
"""The parts of a page that a command writes, between two lines that name them."""

from __future__ import annotations

from pathlib import Path

from xnor_fcc.errors import UserError


def markers(name: str = "generated") -> tuple[str, str]:
    """The lines before and behind the part `name`."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def fill(page: Path, text: str, name: str = "generated") -> None:
    """Put `text` in the place of the part `name` of `page`; `UserError` where it has none."""
    begin, end = markers(name)
    content = page.read_text()
    if begin not in content or end not in content:
        raise UserError(f"{page} lacks the lines {begin} and {end} between which the text goes.")
    head, rest = content.split(begin, 1)
    tail = rest.split(end, 1)[1]
    page.write_text(f"{head}{begin}\n{text}\n{end}{tail}")
