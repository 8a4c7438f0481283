# SPDX-License-Identifier: Apache-2.0
"""The parameters of the core, read from ``parameters.json``.

``PARAMETERS["PE"].default`` is what ``rtl/xnor_fcc.v`` is built with when nobody says otherwise,
``.low`` and ``.high`` are the limits that the package holds a core to. ``make facts`` writes the
lists of parameters from it, see `facts`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Parameter:
    """A parameter of ``xnor_fcc``; the fields are told in ``parameters.json``."""

    name: str
    default: int | str
    meaning: str
    low: int = 0
    high: int | None = None
    open: bool = False
    values: tuple[int, ...] = ()
    component_high: int | None = None
    legal: str = ""
    maps: bool = False
    dense: bool = False
    detail: str = ""

    @property
    def number(self) -> bool:
        """Whether it is a number; else it is text."""
        return isinstance(self.default, int)

    @property
    def smallest(self) -> int:
        """The smallest legal number."""
        return self.values[0] if self.values else self.low

    def smallest_in(self, maps: bool) -> int:
        """The smallest legal number in a core for convolutions, which has maps, or in any."""
        # One that is 0 by default is 0 in a core without maps only.
        return max(1, self.smallest) if maps and self.maps and self.default == 0 else self.smallest

    @property
    def range(self) -> str:
        """The legal values in words."""
        if self.legal:
            return self.legal
        if self.values:
            *most, last = map(str, self.values)
            return f"{', '.join(most)} or {last}"
        if self.open:
            return f">= {self.low}"
        return f"{self.low} {'or' if self.high == self.low + 1 else 'to'} {self.high}"

    @property
    def description(self) -> str:
        """All there is to know, in sentences."""
        return f"{self.meaning} ({self.range}). {self.detail}".rstrip()


def _parameters() -> dict[str, Parameter]:
    entries = json.loads(Path(__file__).with_name("parameters.json").read_bytes())["parameters"]
    for entry in entries:
        entry["values"] = tuple(entry.get("values", ()))
    return {entry["name"]: Parameter(**entry) for entry in entries}


PARAMETERS = _parameters()


def default(name: str) -> int:
    """The default of a parameter that is a number."""
    value = PARAMETERS[name].default
    assert isinstance(value, int), f"{name} is text"
    return value


def most(name: str) -> int:
    """The greatest value that the package takes for a parameter."""
    high = PARAMETERS[name].high
    assert high is not None, f"{name} has no limit"
    return high
