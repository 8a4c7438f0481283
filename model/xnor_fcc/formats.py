# SPDX-License-Identifier: Apache-2.0
"""The formats of raw data files: that of MNIST, perhaps compressed, and the batches of CIFAR-10."""

from __future__ import annotations

import gzip
import math
import zlib

import numpy as np

from .errors import UserError, first_line

# What an IDX file may hold, by its third byte.
_BYTES = 8
_IDX_TYPES = {
    _BYTES: "bytes", 9: "signed bytes", 11: "shorts", 12: "integers", 13: "floats", 14: "doubles"
}  # fmt: skip


def gunzipped(contents: bytes, name: str) -> bytes:
    """`contents`, those of the file `name`, decompressed if gzip has compressed them: which they
    say themselves."""
    if not contents.startswith(b"\x1f\x8b"):
        return contents
    try:
        return gzip.decompress(contents)
    except (OSError, EOFError, zlib.error) as cause:
        raise UserError(f"The file {name} is a damaged gzip file ({first_line(cause)}).") from cause


def is_idx(contents: bytes) -> bool:
    """Whether this is an IDX file, of bytes or of something else."""
    return len(contents) >= 4 and contents[:2] == b"\0\0" and (
        contents[2] in _IDX_TYPES and 1 <= contents[3] <= 16
    )


def parse_idx(contents: bytes, name: str) -> np.ndarray:
    """The uint8 array of an IDX file (two zero bytes, type 8, rank, big-endian sizes, data)."""
    if not is_idx(contents):
        raise UserError(f"The file {name} is not an IDX file of bytes.")
    if contents[2] != _BYTES:
        raise UserError(f"The IDX file {name} holds {_IDX_TYPES[contents[2]]}, not bytes.")
    rank = contents[3]
    header = 4 + 4 * rank
    shape = tuple(int.from_bytes(contents[4 * i : 4 * i + 4], "big") for i in range(1, rank + 1))
    if len(contents) - header != math.prod(shape):
        raise UserError(f"The IDX file {name} does not hold as many bytes as its header says.")
    return np.frombuffer(contents, dtype=np.uint8, offset=header).reshape(shape)


def make_idx(array: np.ndarray) -> bytes:
    """The IDX file of a uint8 array."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


def parse_batch(contents: bytes, side: int, colours: int) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, side, side, colours) and labels uint8 (N,) of a batch of CIFAR-10.

    A record is the label, then the image colour by colour, row by row.
    """
    records = np.frombuffer(contents, np.uint8).reshape(-1, 1 + colours * side * side)
    planes = records[:, 1:].reshape(-1, colours, side, side)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), records[:, 0].copy()


def make_batch(images: np.ndarray, labels: np.ndarray) -> bytes:
    """What `parse_batch` reads."""
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return np.hstack([labels[:, None].astype(np.uint8), planes]).tobytes()
