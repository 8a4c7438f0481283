# SPDX-License-Identifier: Apache-2.0
"""Reads images to classify from the files people have: IDX, .npy, .npz."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from .container import read_foreign
from .data import load_test_images, parse_idx
from .errors import UserError


class ImageFileError(UserError):
    """A file that holds no images this program can read; the sentence says what it needs."""


def read_images(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """(images uint8 (N, ...), labels (N,) or None) from one file.

    An IDX file of bytes, plain or .gz, as MNIST comes; a .npy file of uint8 or bool; a .npz file
    with `images` and perhaps `labels`, or the committed test set. Raises `ImageFileError`.
    """
    if not path.is_file():
        raise ImageFileError(f"There is no file {path}.")
    if path.suffix == ".npz":
        return _from_npz(path)
    images = read_array(path)
    if images.dtype == np.bool_:
        images = images.astype(np.uint8)
    if images.dtype != np.uint8 or images.ndim < 2:
        raise ImageFileError(
            f"{path} holds {images.dtype} of shape {images.shape}; images are uint8 or bool of "
            "shape (N, ...)."
        )
    return images, None


def read_array(path: Path) -> np.ndarray:
    """The array of a .npy file or of an IDX file of bytes, plain or .gz."""
    try:
        if path.suffix == ".npy":
            array: np.ndarray = np.load(path, allow_pickle=False)
            return array
        contents = path.read_bytes()
        if path.suffix == ".gz":
            contents = gzip.decompress(contents)
    except (OSError, ValueError, EOFError) as cause:
        raise ImageFileError(f"{path} cannot be read ({cause}).") from cause
    return parse_idx(contents, str(path))


def _from_npz(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    arrays = read_foreign(path, ImageFileError)
    if arrays is None:
        return load_test_images(path)
    images = arrays.get("images")
    if images is None or images.dtype not in (np.uint8, np.bool_) or images.ndim < 2:
        raise ImageFileError(f"{path} has no array `images` of uint8 or bool, shape (N, ...).")
    return images.astype(np.uint8), arrays.get("labels")
