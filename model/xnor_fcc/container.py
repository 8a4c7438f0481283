# SPDX-License-Identifier: Apache-2.0
"""The project's file container: one .npz of plain arrays, with a kind, a version and a hash.

Every entry is an ordinary .npy array, so `numpy.load` opens the file anywhere.  The entry
`manifest` is a 1-D uint8 array holding UTF-8 JSON: `kind` (what the file is), `version` (of that
kind's layout), `sha256` (over all arrays and the rest of the manifest) and whatever the kind adds.

Writing is atomic (`files.write_atomically`) and deterministic: equal contents give equal bytes,
because the zip entries carry a fixed date and a fixed order.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .errors import UserError, first_line
from .files import read_bytes, write_atomically

_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
_RESERVED = frozenset({"kind", "version", "sha256"})


def content_hash(arrays: Mapping[str, np.ndarray], manifest: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over names, dtypes, shapes and bytes of `arrays`, and over `manifest`."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(array.tobytes())
    digest.update(json.dumps(manifest, sort_keys=True).encode())
    return digest.hexdigest()


def write(
    path: Path,
    kind: str,
    version: int,
    arrays: Mapping[str, np.ndarray],
    manifest: Mapping[str, Any],
) -> None:
    """Write `arrays` and the JSON-serialisable `manifest` to `path`, atomically."""
    clash = (_RESERVED & manifest.keys()) | ({"manifest"} & arrays.keys())
    if clash:
        raise ValueError(f"reserved name used: {sorted(clash)}")
    header: dict[str, Any] = {"kind": kind, "version": version, **manifest}
    header["sha256"] = content_hash(arrays, header)
    text = json.dumps(header, sort_keys=True, indent=1).encode()
    entries = {"manifest": np.frombuffer(text, dtype=np.uint8)}
    entries.update((name, np.ascontiguousarray(arrays[name])) for name in sorted(arrays))

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, array in entries.items():
            body = io.BytesIO()
            np.lib.format.write_array(body, array, allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy", date_time=_ZIP_DATE)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            archive.writestr(member, body.getvalue(), compresslevel=9)
    write_atomically(Path(path), packed.getvalue())


def read(
    path: Path,
    kind: str,
    version: int | tuple[int, ...],
    noun: str,
    error: type[UserError] = UserError,
    contents: bytes | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a file of `write`; return its arrays and its manifest, hash checked.

    `version`: the one this program reads, or all of them.  `contents`: those of the file, where
    they have been read already.  `noun` names the thing in the error
    sentences ("network file").  Raises `error`, with its own sentence each, for: missing file,
    unreadable file, not an .npz, truncated or damaged file, no manifest, another kind, another
    version, hash mismatch.
    """
    path = Path(path)
    try:
        contents = read_bytes(path) if contents is None else contents
    except FileNotFoundError as cause:
        raise error(f"The {noun} {path} does not exist.") from cause
    except OSError as cause:
        raise error(f"The {noun} {path} cannot be read ({cause.strerror}).") from cause
    if contents[:4] != b"PK\x03\x04":
        raise error(f"The {noun} {path} is not an .npz file.")
    if not zipfile.is_zipfile(io.BytesIO(contents)):
        raise error(f"The {noun} {path} is truncated; copy or make it again.")
    try:
        with zipfile.ZipFile(io.BytesIO(contents)) as archive:
            arrays = _arrays(archive)
    except Exception as cause:  # zip, zlib and numpy raise a zoo of types on damaged input
        raise error(f"The {noun} {path} is damaged; copy or make it again.") from cause

    manifest = _manifest(arrays.pop("manifest", None))
    if manifest is None:
        raise error(f"The {noun} {path} carries no manifest, so another program wrote it.")
    if manifest.get("kind") != kind:
        found = manifest.get("kind")
        raise error(f"The file {path} is of kind {found!r}, but a {noun} ({kind!r}) is needed.")
    versions = (version,) if isinstance(version, int) else version
    if manifest.get("version") not in versions:
        found = manifest.get("version")
        raise error(
            f"The {noun} {path} has format version {found!r}; this program reads "
            f"{' and '.join(map(str, versions))}."
        )
    stated = manifest.pop("sha256", None)
    if stated != content_hash(arrays, manifest):
        raise error(f"The {noun} {path} does not match its own SHA-256; copy or make it again.")
    return arrays, manifest


def read_foreign(
    path: Path, error: type[UserError] = UserError, contents: bytes | None = None
) -> dict[str, np.ndarray] | None:
    """Every array of an .npz file of another program; None if the file is one of `write`.

    `contents`: those of the file, where they have been read already.  Raises `error`, in
    one sentence, if it is no .npz of arrays.
    """
    try:
        file = io.BytesIO(read_bytes(path) if contents is None else contents)
        with zipfile.ZipFile(file) as archive:
            return None if "manifest.npy" in archive.namelist() else _arrays(archive)
    except Exception as cause:  # a zoo, as in `read`
        raise error(f"{path} cannot be read as an .npz of arrays ({first_line(cause)}).") from cause


def _arrays(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    return {
        name.removesuffix(".npy"): np.lib.format.read_array(
            io.BytesIO(archive.read(name)), allow_pickle=False
        )
        for name in archive.namelist()
    }


def _manifest(array: np.ndarray | None) -> dict[str, Any] | None:
    if array is None or array.dtype != np.uint8 or array.ndim != 1:
        return None
    try:
        value = json.loads(array.tobytes())
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
