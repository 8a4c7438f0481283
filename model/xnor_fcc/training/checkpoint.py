# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that survive being killed at any moment.

Each one is a new file, complete before it gets its name, and carries its own SHA-256.  The newest
sound one counts; the one before it is kept in case the newest is damaged on disk.
"""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError
from ..files import write_atomically

_KEPT = 2
_DIGEST_BYTES = 32


def save(directory: Path, stem: str, number: int, state: dict[str, Any]) -> None:
    """Write `state` as `<stem>-<number>.ckpt` and drop all but the newest two of this stem."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    body = buffer.getvalue()
    write_atomically(_path(directory, stem, number), hashlib.sha256(body).digest() + body)
    for old in _numbers(directory, stem)[_KEPT:]:
        _path(directory, stem, old).unlink(missing_ok=True)


def load_newest(directory: Path, stem: str) -> tuple[int, dict[str, Any]] | None:
    """Number and state of the newest sound checkpoint of `stem`, or None if there is none."""
    for number in _numbers(directory, stem):
        try:
            contents = _path(directory, stem, number).read_bytes()
        except OSError:
            continue
        digest, body = contents[:_DIGEST_BYTES], contents[_DIGEST_BYTES:]
        if hashlib.sha256(body).digest() == digest:
            return number, torch.load(io.BytesIO(body), weights_only=True)
    return None


def resume(directory: Path, stem: str, settings: str) -> tuple[int, dict[str, Any] | None]:
    """What `load_newest` gives, 0 and None if nothing; UserError if it is of other `settings`."""
    found = load_newest(directory, stem)
    if found is None:
        return 0, None
    number, state = found
    if state["recipe"] != settings:
        raise UserError(
            f"The checkpoints in {directory} belong to a run with other settings; repeat those, "
            "or add --restart to throw that run away, or choose another --output."
        )
    return number, state


def clear(directory: Path) -> None:
    """Remove every checkpoint in `directory`, and leftovers of interrupted writes."""
    for pattern in ("*.ckpt", ".*.ckpt.*.part"):
        for path in directory.glob(pattern):
            path.unlink(missing_ok=True)


def _path(directory: Path, stem: str, number: int) -> Path:
    return directory / f"{stem}-{number:05d}.ckpt"


def _numbers(directory: Path, stem: str) -> list[int]:
    """Numbers of the checkpoints of `stem`, newest first."""
    name = re.compile(re.escape(stem) + r"-(\d+)\.ckpt")
    found = [match for path in directory.glob("*.ckpt") if (match := name.fullmatch(path.name))]
    return sorted((int(match[1]) for match in found), reverse=True)
