# SPDX-License-Identifier: Apache-2.0
"""Tables for pages and for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tabulate import tabulate


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of Markdown that can also be read as it is; cells stand as `str` gives them."""
    return tabulate(list(rows), head, tablefmt="github", disable_numparse=True)


def columns(head: Sequence[str], rows: Iterable[Sequence[object]], left: Iterable[int] = ()) -> str:
    """A table for the terminal: columns to the right, those numbered in `left` to the left."""
    kept = set(left)
    sides = ["left" if i in kept else "right" for i in range(len(head))]
    return tabulate(list(rows), head, "plain", disable_numparse=True, colalign=sides)
