# SPDX-License-Identifier: Apache-2.0
"""Counts toggles in a stream of VCD text (IEEE 1364-2005, clause 18) and cuts a window out of it.

A toggle is a bit that goes from 0 to 1 or from 1 to 0 between two time steps. A change to or from x
or z is no toggle and is counted apart. The stream is read once and never held in memory, so it may
come straight from a running simulation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from xnor_fcc.errors import UserError

_ZERO, _ONE, _HASH = b"01#"
# Up to this many bits whole numbers are compared faster than arrays.
_SHORT = 128

_Changes = dict[bytes, bytes]


@dataclass(frozen=True)
class Variable:
    """A declaration: several of them may share an identifier code and are then one and the same."""

    code: bytes
    width: int
    name: str
    """Full dotted name, scopes first, without the bit range."""


@dataclass
class Header:
    """The declarations of a file, in their order; `lines` keeps what was read."""

    variables: list[Variable] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)

    def codes(self) -> dict[bytes, int]:
        """Width of each identifier code."""
        return {variable.code: variable.width for variable in self.variables}

    def only(self, keep: Callable[[Variable], bool]) -> Header:
        """The declarations for which `keep` holds, without scopes that are empty then."""
        result = Header()
        variables = iter(self.variables)
        scopes: list[bytes] = []
        for line in self.lines:
            command = line.split(None, 1)[:1]
            if command == [b"$var"]:
                variable = next(variables)
                if keep(variable):
                    result.lines += [*scopes, line]
                    result.variables.append(variable)
                    scopes.clear()
            elif command == [b"$scope"]:
                scopes.append(line)
            elif command == [b"$upscope"] and scopes:
                scopes.pop()
            else:
                result.lines.append(line)
        return result


@dataclass
class Count:
    """Toggles of each identifier code in a window, the length of the window, the rest."""

    toggles: dict[bytes, int] = field(default_factory=dict)
    unknown: int = 0
    """Bit changes to or from x or z."""
    begin: int = -1
    """First and last time of the window, in time units of the file; -1 where it never came."""
    end: int = -1


def read_header(stream: Iterable[bytes]) -> Header:
    """Read the declarations and stop behind them. One declaration command a line."""
    header = Header()
    scopes: list[str] = []
    for line in stream:
        header.lines.append(line)
        words = line.split()
        command = words[0] if words else b""
        if command == b"$scope":
            scopes.append(words[2].decode())
        elif command == b"$upscope":
            scopes.pop()
        elif command == b"$var":
            name = ".".join((*scopes, words[4].decode()))
            header.variables.append(Variable(words[3], int(words[2]), name))
        elif command == b"$enddefinitions":
            return header
    raise UserError("The VCD file ends before its declarations do.")


def extended(value: bytes, width: int) -> bytes:
    """A vector value with the leading bits that the format leaves out: x and z repeat, else 0."""
    if len(value) >= width:
        return value
    return value.rjust(width, b"0" if value[0] in (_ZERO, _ONE) else value[:1])


def difference(old: bytes, new: bytes, width: int) -> tuple[int, int]:
    """(toggles, bit changes to or from x or z) between two values of a variable."""
    if width <= _SHORT:
        try:
            return (int(old, 2) ^ int(new, 2)).bit_count(), 0
        except ValueError:
            pass  # x or z
    before, after = (np.frombuffer(extended(value, width), np.uint8) for value in (old, new))
    bits = before ^ after
    # "0" and "1" differ in their lowest bit alone, and no two other values do.
    toggles = np.count_nonzero(bits == 1)
    return int(toggles), int(np.count_nonzero(bits) - toggles)


def _value(line: bytes, code: bytes) -> bytes:
    """The value in the change `line` of the variable `code`."""
    return line[1 : -len(code) - 2] if line[0] in b"bB" else line[:1]


class _Output:
    """The part of a file that a window covers, with times from 0."""

    def __init__(self, stream: BinaryIO, header: Header) -> None:
        self.stream = stream
        self.codes = frozenset(header.codes())
        self.time = 0
        stream.writelines(header.lines)

    def begin(self, changes: Mapping[bytes, bytes]) -> None:
        """Write the values with which the window begins."""
        self.stream.writelines([b"#0\n$dumpvars\n", *self._lines(changes), b"$end\n"])

    def step(self, time: int, changes: Mapping[bytes, bytes]) -> None:
        """Write the changes of one time; nothing where no variable of this file changes."""
        lines = self._lines(changes)
        if lines:
            self.end(time)
            self.stream.writelines(lines)

    def end(self, time: int) -> None:
        """Write that it is `time`, which tells how long the window is."""
        if time > self.time:
            self.time = time
            self.stream.write(b"#%d\n" % time)

    def _lines(self, changes: Mapping[bytes, bytes]) -> list[bytes]:
        codes = self.codes
        return [line for code, line in changes.items() if code in codes]


def _steps(stream: Iterable[bytes], wanted: Collection[bytes]) -> Iterator[tuple[int, _Changes]]:
    """Time steps as (time, the last change line of each wanted code). One change a line."""
    time = 0
    changes: _Changes = {}
    for line in stream:
        kind = line[0]
        if kind in b"bB":
            code = line[line.rindex(b" ") + 1 : -1]
            if code in wanted:
                changes[code] = line
        elif kind in b"01xXzZ":
            code = line[1:-1]
            if code in wanted:
                changes[code] = line
        elif kind == _HASH:
            yield time, changes
            time, changes = int(line[1:]), {}
    yield time, changes


def count_toggles(
    stream: Iterable[bytes],
    header: Header,
    counted: Iterable[bytes],
    marker: bytes,
    first: int,
    last: int,
    output: BinaryIO | None = None,
    kept: Header | None = None,
    kept_last: int | None = None,
    progress: Callable[[], object] = lambda: None,
) -> Count:
    """Count in the window from the rise number `first` of the one-bit code `marker` to rise number
    `last`, rises counted from 0: the changes at the time of the first rise are the state in which
    the window begins, those at the time of the last rise belong to it.

    `stream` stands behind the declarations `header` and is read up to the end of the window.
    `counted`: the codes to count. `output` receives the window up to rise `kept_last` (default
    `last`) as a VCD file of its own with the declarations `kept`, times from 0. `progress` is
    called at every rise.
    """
    widths = header.codes()
    count = Count(toggles=dict.fromkeys(counted, 0))
    toggles = count.toggles
    writer = _Output(output, kept or header) if output else None
    wanted = {marker, *toggles, *(writer.codes if writer else ())}
    # The latest change line of each code.
    state = {
        code: (b"x%b\n" if widths[code] == 1 else b"bx %b\n") % code for code in sorted(wanted)
    }
    rises = 0
    for time, changes in _steps(stream, wanted):
        if count.begin >= 0:
            for code, line in changes.items():
                if code in toggles:
                    old, new = _value(state[code], code), _value(line, code)
                    changed, unknown = difference(old, new, widths[code])
                    toggles[code] += changed
                    count.unknown += unknown
            if writer:
                writer.step(time - count.begin, changes)
        rise = state[marker][:1] == b"0" and changes.get(marker, b"")[:1] == b"1"
        state.update(changes)
        if not rise:
            continue
        progress()
        if rises == first:
            count.begin = time
            if writer:
                writer.begin(state)
        if writer and rises == (last if kept_last is None else kept_last):
            writer.end(time - count.begin)
            writer = None
        if rises == last:
            count.end = time
            return count
        rises += 1
    raise UserError(f"The VCD file ends after rise {rises - 1} of its marker, before {last}.")
