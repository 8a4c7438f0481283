# SPDX-License-Identifier: Apache-2.0
"""What the commands write is what the page of `make report` reads: by the types of both."""

from __future__ import annotations

import dataclasses
import types
from typing import Any, TypedDict, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from measure import activity, area, benchmark, board_area, route, soft_errors
from xnor_fcc import explore
from xnor_fcc_sim import reports as written
from xnor_fcc_sim.page import reports as read
from xnor_fcc_sim.page.sections import TOPICS


@pytest.mark.parametrize(
    ("topic", "kind"),
    [
        ("accuracy", written.Simulation),
        ("speed", benchmark.Report),
        ("area", area.Report),
        ("board", board_area.Report),
        ("clock", route.Report),
        ("geometries", explore.Report),
        ("activity", dict[str, activity.Activity]),
        ("softerrors", soft_errors.Report),
    ],
)
def test_what_is_written_is_what_the_page_reads(topic: str, kind: Any) -> None:
    """The reports of the campaigns are read in their own tests."""
    (reads,) = [each.reads for each in TOPICS if each.name == topic]
    assert differences(reads, kind) == []


def differences(reads: Any, kind: Any, where: str = "$") -> list[str]:
    """Where what is written as a `kind` may be of another type than what is read."""
    if dataclasses.is_dataclass(reads):
        if not is_typeddict(kind):  # a dict that nobody describes, or of one type throughout
            return [] if get_origin(kind) is dict else [f"{where}: {kind}, not {reads}"]
        wanted, given = get_type_hints(reads), get_type_hints(kind)
        found = []
        for field in dataclasses.fields(reads):
            inside = f"{where}.{field.name}"
            if field.name in given:
                found += differences(wanted[field.name], given[field.name], inside)
            elif field.default is field.default_factory is dataclasses.MISSING:
                found.append(f"{inside}: never written")
        return found
    if get_origin(reads) in (list, dict) and get_origin(reads) is get_origin(kind):
        pairs = zip(get_args(reads), get_args(kind), strict=True)
        return [one for pair in pairs for one in differences(*pair, f"{where}[]")]
    allowed = alternatives(reads)
    allowed |= {int} if float in allowed else set()
    return [] if alternatives(kind) <= allowed else [f"{where}: {kind}, not {reads}"]


def alternatives(kind: Any) -> set[Any]:
    """The types of a union."""
    return set(get_args(kind)) if isinstance(kind, types.UnionType) else {kind}


class Other(TypedDict):
    """Not what the page takes for the points of a module."""

    line: str
    toggle: int | None


def test_another_type_is_told() -> None:
    """The check itself."""
    assert differences(read.Points, Other) == [f"$.line: {str}, not {float | None}"]
    assert differences(list[read.Group], list[Other]) == [
        "$[].bins: never written", "$[].hit: never written"
    ]  # fmt: skip
    assert differences(read.Points, str) == [f"$: {str}, not {read.Points}"]
    assert differences(dict[str, int], dict[str, float]) == [f"$[]: {float}, not {int}"]
