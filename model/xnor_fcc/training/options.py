# SPDX-License-Identifier: Apache-2.0
"""Options of the command line from the fields of a dataclass: one place tells name, range and help.

A field made by `option` is an option of the command; `check` holds the value of every such field to
its range, whether it came from the command line or from Python.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, get_args, get_type_hints

from ..errors import UserError

_KEY = "option"


@dataclass(frozen=True)
class Option:
    """What is known of a field; `low` to `high` is allowed, or to below `high` where `below`."""

    help: str
    flag: str = ""
    """As it is typed; "" for the field's name."""
    low: float = -math.inf
    high: float = math.inf
    below: bool = False
    reason: str = ""
    """Why, as the end of a sentence."""
    choices: tuple[Any, ...] | None = None
    needs: str = ""
    """The attribute that a class must have true for the option to be offered."""

    @property
    def range(self) -> str:
        """Its range in words."""
        if self.high == math.inf:
            return f"at least {self.low}"
        return f"from {self.low} to {'below ' * self.below}{self.high}"


def option(default: Any, help: str, **known: Any) -> Any:
    """A dataclass's field that is an option too; `known` are further fields of `Option`."""
    return field(default=default, metadata={_KEY: Option(help, **known)})


def options_of(kind: type) -> dict[str, Option]:
    """The options of a dataclass by field; one that only got another default keeps its option."""
    found = {}
    for name in (each.name for each in fields(kind)):
        for base in filter(is_dataclass, kind.__mro__):
            known = base.__dataclass_fields__.get(name)
            if known is not None and _KEY in known.metadata:
                found[name] = known.metadata[_KEY]
                break
    return found


def check(values: Any) -> None:
    """Raise `UserError` where a field of the dataclass `values` is outside its option's range."""
    for name, option in options_of(type(values)).items():
        value = getattr(values, name)
        if option.choices is not None or value is None or isinstance(value, str):
            continue
        if not option.low <= value <= option.high or (option.below and value == option.high):
            raise UserError(f"{_flag(name, option)} must be {option.range}{option.reason}.")


def add_options(parser: argparse.ArgumentParser, values: Any) -> None:
    """Give `parser` the options of the dataclass `values`, which are their defaults."""
    hints = get_type_hints(type(values))
    for name, option in _offered(values).items():
        (kind, *_) = get_args(hints[name]) or (hints[name],)
        flag = _flag(name, option)
        shown: dict[str, Any] = {"choices": option.choices}
        if option.choices is None:
            shown = {"metavar": flag.strip("-").replace("-", "_").upper()}
        parser.add_argument(
            flag, dest=name, type=kind, default=getattr(values, name), help=option.help, **shown
        )


def chosen(options: argparse.Namespace, values: Any) -> dict[str, Any]:
    """The fields that `add_options` offered for `values`, as they were given."""
    return {name: getattr(options, name) for name in _offered(values)}


def _offered(values: Any) -> dict[str, Option]:
    return {
        name: option
        for name, option in options_of(type(values)).items()
        if not option.needs or getattr(values, option.needs)
    }


def _flag(name: str, option: Option) -> str:
    return option.flag or "--" + name.replace("_", "-")
