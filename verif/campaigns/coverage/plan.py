# SPDX-License-Identifier: Apache-2.0
"""The plan of the functional coverage: what must be seen at least once, from coverage_plan.json.

A group is one thing to be seen; its bins are all combinations of the values of its axes but the
impossible ones, each of which has its reason. `monitor` samples them in simulations,
`campaign` merges what was seen and writes the table of COVERAGE.md.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xnor_fcc.errors import UserError
from xnor_fcc.registers import BIT, MAP

PLAN = Path(__file__).with_name("plan.json")
# Values that come from the register map, but for what only cores that learn have: the campaign has
# none of these.
_LISTS = {
    "@errors": [name for name in BIT["ERROR"] if name != "LABEL"],
    "@registers": [
        *(register["name"] for register in MAP["registers"] if not register.get("learn")),
        "no register",
    ],
}


@dataclass(frozen=True)
class Group:
    """One thing to be seen."""

    section: str
    name: str
    see: str
    why: str
    axes: Mapping[str, tuple[str, ...]]
    impossible: Mapping[tuple[str, ...], str]

    @property
    def bins(self) -> list[tuple[str, ...]]:
        """Every combination that can be."""
        return [b for b in itertools.product(*self.axes.values()) if b not in self.impossible]

    def bin_name(self, values: Sequence[str]) -> str:
        """A bin as reports name it."""
        return f"{self.name}: {', '.join(values)}"


@dataclass(frozen=True)
class Section:
    """Groups that are sampled in the same moment."""

    name: str
    when: str
    groups: tuple[Group, ...]


def read_plan(path: Path = PLAN) -> list[Section]:
    """The plan; `UserError` where it contradicts itself."""
    sections = []
    names: set[str] = set()
    for part in json.loads(path.read_text())["sections"]:
        groups = tuple(_group(part["name"], entry) for entry in part["groups"])
        for group in groups:
            if group.name in names:
                raise UserError(f"{path.name} has two groups named {group.name!r}.")
            names.add(group.name)
        sections.append(Section(part["name"], part["when"], groups))
    return sections


def _group(section: str, entry: Mapping[str, Any]) -> Group:
    axes = {
        axis: tuple(_LISTS[values] if isinstance(values, str) else values)
        for axis, values in entry["axes"].items()
    }
    impossible = {tuple(row[:-1]): row[-1] for row in entry.get("impossible", [])}
    every = set(itertools.product(*axes.values()))
    unknown = next((row for row in impossible if row not in every), None)
    if unknown is not None:
        raise UserError(f"The plan calls {unknown} of {entry['name']!r} impossible: no such bin.")
    return Group(section, entry["name"], entry["see"], entry["why"], axes, impossible)


def groups(path: Path = PLAN) -> dict[str, Group]:
    """Every group by its name."""
    return {group.name: group for section in read_plan(path) for group in section.groups}
