# SPDX-License-Identifier: Apache-2.0
"""The lists of sources name every file there is, once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from xnor_fcc_sim.sources import ROOT, listed

LISTS = {
    "rtl/sources.f": ["rtl/*.v"],
    "quartus/sources.f": ["quartus/de1_soc.v", "quartus/demo/*.v"],
}


def difference(named: Iterable[Path], present: Iterable[Path]) -> list[str]:
    """What is missing from a list of sources, and what is too much in it."""
    named, present = list(named), set(present)
    complaints = [f"{path} is not in the list" for path in sorted(present - set(named))]
    complaints += [f"{path} does not exist" for path in named if path not in present]
    complaints += [f"{path} is there twice" for path in set(named) if named.count(path) > 1]
    return complaints


@pytest.mark.parametrize("name", LISTS)
def test_the_list_is_that_of_the_files(name: str) -> None:
    present = [path for pattern in LISTS[name] for path in ROOT.glob(pattern)]
    assert present
    assert difference(listed(ROOT / name), present) == []


def test_a_difference_is_seen() -> None:
    a, b, c = Path("a.v"), Path("b.v"), Path("c.v")
    assert difference([a, b], [b, a]) == []
    assert difference([a, b, a], [a, c]) == [
        "c.v is not in the list", "b.v does not exist", "a.v is there twice"
    ]


def test_comments_and_empty_lines_are_no_files(tmp_path: Path) -> None:
    path = tmp_path / "sources.f"
    path.write_text("// a comment\n\nrtl/xnor_fcc.v\n")
    assert listed(path) == [ROOT / "rtl" / "xnor_fcc.v"]
