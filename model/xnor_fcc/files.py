# SPDX-License-Identifier: Apache-2.0
"""Files that a command reads at once, and files that it writes: whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# How names begin that stand for something that is open: no file can be renamed to them.
_OPEN = ("/dev/fd/", "/dev/std", "/proc/")


def read_bytes(path: Path) -> bytes:
    """What a file, or a pipe that somebody writes into, holds. Raises OSError with its name."""
    with _named(path):
        # A pipe without a writer would be waited for without end; so it is empty.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            os.set_blocking(descriptor, True)
            return file.read()


def write_whole(files: Mapping[Path, bytes]) -> None:
    """Write all these files, or, where one of them has no room, none.

    Each is written beside its place first, then all are renamed; what was there before stays until
    then. Directories are made. Raises OSError with the name of the file.
    """
    places: dict[Path, tuple[Path, Path]] = {}
    made: list[Path] = []
    try:
        for path, contents in files.items():
            made = _make_directory(path.parent) + made
            with _named(path):
                if _is_special(path):
                    _write(path, contents, os.O_NONBLOCK)  # a pipe without a reader is an error
                    continue
                beside, place = _places(path)
                places[path] = beside, place
                _write(beside, contents, os.O_CREAT | os.O_EXCL)
        for path, (beside, place) in places.items():
            with _named(path):
                os.replace(beside, place)
    except BaseException:
        for beside, _ in places.values():
            with contextlib.suppress(OSError):
                beside.unlink()
        for directory in made:
            with contextlib.suppress(OSError):
                directory.rmdir()
        raise


def require_writable(path: Path) -> None:
    """OSError, with its name, where no file can be written as `write_whole` would do it; nothing is
    left there, nor changed."""
    made = _make_directory(path.parent)
    try:
        with _named(path):
            if not _is_special(path):
                beside, _ = _places(path)
                _write(beside, b"", os.O_CREAT | os.O_EXCL)
                beside.unlink()
    finally:
        for directory in made:
            directory.rmdir()


def write_atomically(path: Path, contents: bytes) -> None:
    """Write `contents` so that `path` holds either the old or the complete new file."""
    write_whole({path: contents})


def write_text(path: Path, text: str) -> None:
    """Write a text, UTF-8, as `write_atomically` does; names of files stay the bytes that they
    are."""
    write_atomically(path, text.encode("utf-8", "surrogateescape"))


def write_json(path: Path, value: Any) -> None:
    """Write a report, readable by people too, so that `path` never holds half of one."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def _write(path: Path, contents: bytes, flags: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | flags, 0o666)
    with open(descriptor, "wb") as file:
        os.set_blocking(descriptor, True)
        file.write(contents)
        file.flush()
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fsync(descriptor)


def _places(path: Path) -> tuple[Path, Path]:
    """Where a file is written at first, and where it goes then: a link stays a link."""
    place = Path(os.path.realpath(path))
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return place.with_name(f".{place.name[:48]}.{secrets.token_hex(8)}.part"), place


def _make_directory(path: Path) -> list[Path]:
    """Make a directory with those above it; the new ones, the lowest first."""
    new = [each for each in (path, *path.parents) if not each.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:  # which one would rather expect to help
        raise NotADirectoryError(
            errno.ENOTDIR, os.strerror(errno.ENOTDIR), error.filename
        ) from error
    return new


def _is_special(path: Path) -> bool:
    """Whether `path` is no place for a file: a device, a pipe, or the name of something open."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return str(path).startswith(_OPEN) or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Give an OSError the name of what was asked for."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
