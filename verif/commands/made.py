# SPDX-License-Identifier: Apache-2.0
"""What the tests of commands lend one another."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path


def run(output: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`xnor-fcc simulate` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "xnor_fcc_sim.simulate", "--output", str(output), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def texts(markup: str) -> str:
    """The text of markup, spaces made even."""
    return " ".join(re.sub(r"<[^>]*>", " ", markup).split())


class Checker(HTMLParser):
    """Elements that do not nest, names given twice, references."""

    VOID = frozenset(("meta", "link", "br", "img", "input", "hr"))

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.tags: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag}: {names}"
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.references += [v or "" for n, v in attrs if n in ("src", "href", "xlink:href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()
