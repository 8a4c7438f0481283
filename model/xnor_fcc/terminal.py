# SPDX-License-Identifier: Apache-2.0
"""Standard output and standard error as a command needs them, whatever it was started with: closed,
full, no longer read, not blocking, in an encoding that lacks characters."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import select
import sys
from collections.abc import Iterator
from typing import TextIO


class StreamError(OSError):
    """Standard output takes no more."""


class Streams:
    """The two streams while a command runs."""

    def __init__(self, output: _Raw | None) -> None:
        self._output = output

    def failure(self) -> OSError | None:
        """Why not all that was printed has arrived; None if it has."""
        found: OSError | None = None
        try:
            sys.stdout.flush()
        except OSError as error:
            found = error
        return found if self._output is None else self._output.error


class _Raw(io.RawIOBase):
    """A file descriptor to write to. After its first error it takes everything, and drops it: what
    is said once need not be said again when the interpreter ends."""

    def __init__(self, descriptor: int, strict: bool) -> None:
        self._descriptor = descriptor
        self._strict = strict
        self.error: OSError | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        while self.error is None:
            try:
                return os.write(self._descriptor, view)
            except BlockingIOError:  # somebody else has made the terminal so
                select.select([], [self._descriptor], [])
            except OSError as error:
                self.error = error
                if self._strict:
                    raise StreamError(error.errno, error.strerror) from error
        return view.nbytes


def _unencodable(error: UnicodeError) -> tuple[str | bytes, int]:
    """A byte of a file's name as it is; any other character that there is none for as an escape."""
    assert isinstance(error, UnicodeEncodeError)
    character = error.object[error.start]
    if "\udc80" <= character <= "\udcff":
        return bytes([ord(character) - 0xDC00]), error.start + 1
    return character.encode("ascii", "backslashreplace").decode(), error.start + 1


codecs.register_error("xnor-fcc", _unencodable)


def _errors(encoding: str) -> str:
    """The handler of errors for an encoding: ours, unless a single byte makes no sense in it."""
    try:
        "\udcfc".encode(encoding, "xnor-fcc")
    except UnicodeError:
        return "backslashreplace"
    return "xnor-fcc"


def _open(stream: TextIO | None, descriptor: int, strict: bool) -> tuple[TextIO, _Raw]:
    raw = _Raw(descriptor, strict)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    at_once = not strict or raw.isatty() or getattr(stream, "write_through", False)
    text = io.TextIOWrapper(
        io.BufferedWriter(raw), encoding, _errors(encoding), line_buffering=at_once
    )
    return text, raw


@contextlib.contextmanager
def standard_streams() -> Iterator[Streams]:
    """Put streams that cannot surprise in the place of the interpreter's own; streams that somebody
    else has put there, such as a test, stay.

    A closed descriptor is opened on nothing first, or the next file that is opened would get it,
    and all that a child prints.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free: this one
    kept = sys.stdout, sys.stderr
    raw = None
    try:
        if sys.stdout is sys.__stdout__ or sys.stdout is None:
            sys.stdout, raw = _open(sys.stdout, 1, strict=True)
        if sys.stderr is sys.__stderr__ or sys.stderr is None:
            sys.stderr, _ = _open(sys.stderr, 2, strict=False)
        yield Streams(raw)
    finally:
        sys.stdout, sys.stderr = kept
