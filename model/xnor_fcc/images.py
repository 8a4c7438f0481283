# SPDX-License-Identifier: Apache-2.0
"""Reads images to classify from the files people have: IDX, .npy, .npz, and pictures (PNG).

What a file is, its contents say, and not its name; each may be compressed by gzip.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .container import read_foreign
from .data import read_test_images
from .errors import UserError, first_line
from .files import read_bytes
from .formats import gunzipped, is_idx, parse_idx
from .pictures import ImageFileError, decode

# How files begin.
_NPY, _ZIP = b"\x93NUMPY", (b"PK\x03\x04", b"PK\x05\x06")
# How many random images may be asked for: they are kept in memory.
MOST_RANDOM = 100_000


@dataclass(frozen=True)
class ImageFile:
    """What a file holds: images uint8 (N, ...), labels (N,) where it has some, and, of a picture
    that was scaled to its image, the grey values (height, width) before that."""

    images: np.ndarray
    labels: np.ndarray | None = None
    picture: np.ndarray | None = None


def read_images(
    paths: Path | Sequence[Path], fit: tuple[int, int] | None = None, paper: int = 0
) -> tuple[np.ndarray, np.ndarray | None]:
    """(images uint8 (N, ...), labels (N,) or None) from a file, or several with images of one size.

    An IDX file of bytes, as MNIST comes; a .npy file of uint8 or bool; a .npz file with `images`
    and perhaps `labels`, or the committed test set; a picture, see `read_picture` for `fit` and
    `paper`. Truth values in one file become black and white beside grey images in another. There
    are labels if every file has them. Raises `ImageFileError`.
    """
    paths = [paths] if isinstance(paths, Path) else paths
    files = [read_file(path, fit, paper) for path in paths]
    first = files[0].images
    for path, file in zip(paths, files, strict=True):
        if file.images.shape[1:] != first.shape[1:]:
            raise ImageFileError(
                f"{paths[0]} has images of {_size(first)} pixels, but {path} of "
                f"{_size(file.images)}."
            )
    every = [file.images for file in files]
    if any(images.max(initial=0) > 1 for images in every):
        every = [as_grey(images) for images in every]
    images = np.concatenate(every)
    labels = [file.labels for file in files if file.labels is not None]
    return images, np.concatenate(labels) if len(labels) == len(files) else None


def read_picture(path: Path, fit: tuple[int, int] | None = None, paper: int = 0) -> np.ndarray:
    """A picture of any format that Pillow opens, as grey uint8 (height, width).

    Grey is Pillow's "L". Of more bits than 8 it is the upper 8, or the lowest where no value is
    above 255; floats are from 0 to 1, or from 0 to 255. `paper` is the grey value around a picture
    that is scaled to `fit` (width, height), keeping its ratio, in the middle, and that behind
    transparent parts: ink which it would hide becomes the opposite shade. Raises `ImageFileError`.
    `read_file` also takes pictures as red, green and blue.
    """
    return decode(_contents(path), path, fit, paper)[0]


def as_grey(images: np.ndarray) -> np.ndarray:
    """Grey images: those in which nothing is above 1 are truth values, black and white."""
    return images * np.uint8(255) if images.max(initial=0) == 1 else images


def flat(
    images: np.ndarray, inputs: int, file: Path | None = None, square: bool = False
) -> np.ndarray:
    """Images (N, ...), those of `file`, as (N, inputs), for a network of so many inputs.

    `ImageFileError` if these are not their pixels; with `square`, for pictures, also if a square
    has as many, and the images are of another form.
    """
    side = side_of(inputs)
    right = math.prod(images.shape[1:]) == inputs
    if not right or (square and side and images.shape[1:] != (side, side)):
        what = "The images have" if file is None else f"{file} has"
        wanted = f"{side}x{side}" if side else inputs
        raise ImageFileError(f"{what} {_size(images)} pixels, but the network takes {wanted}.")
    return images.reshape(len(images), inputs)


def coloured(
    images: np.ndarray, side: int, colours: int, file: Path | None = None
) -> np.ndarray:
    """Images (N, ...), those of `file`, (N, side, side, colours) or flat, as the former;
    `ImageFileError` if they are not such. Grey ones need no axis of colours."""
    whole = (side, side, colours)
    grey = (side, side) if colours == 1 else whole
    if images.shape[1:] not in (whole, grey, (math.prod(whole),)):
        shape = ", ".join(map(str, images.shape[1:]))
        what = "The images are" if file is None else f"{file} has images"
        raise ImageFileError(
            f"{what} of shape ({shape}), but the network takes ({side}, {side}, "
            f"{colours}): rows, columns, colours."
        )
    return images.reshape(len(images), *whole)


def read_labels(path: Path, images: int) -> np.ndarray:
    """The classes of so many images, (images,): an IDX or .npy file; `ImageFileError` if not."""
    labels = read_array(path)
    if labels.shape != (images,):
        raise ImageFileError(f"There are {images} images, but labels of shape {labels.shape}.")
    return _whole(labels, path)


def _whole(labels: np.ndarray, path: Path) -> np.ndarray:
    if labels.dtype.kind not in "iu":
        raise ImageFileError(f"{path} has labels of {labels.dtype}; classes are whole numbers.")
    return labels


def selection(images: int, first: int, count: int | None) -> slice:
    """Which of so many images are meant by --first and --count (None: the rest)."""
    if not 0 <= first < images:
        raise UserError(f"--first {first} is outside 0 to {images - 1}.")
    most = images - first
    count = most if count is None else count
    if not 1 <= count <= most:
        raise UserError(f"--count {count} is outside 1 to {most}.")
    return slice(first, first + count)


def read_labelled(
    path: Path, labels: Path | None, count: int | None, colours: int = 1
) -> tuple[np.ndarray, np.ndarray | None]:
    """The first `count` images of a file, as `read_file`, and their labels from it or `labels`.

    Raises UserError for what cannot be read, or is fewer.
    """
    file = read_file(path, colours=colours)
    images, known = file.images, file.labels
    if labels is not None:
        known = read_labels(labels, len(images))
    chosen = selection(len(images), 0, count)
    return images[chosen], None if known is None else known[chosen]


def side_of(inputs: int) -> int | None:
    """Width and height of the square image of so many pixels; None if no square has them."""
    side = math.isqrt(inputs)
    return side if side * side == inputs else None


def read_array(path: Path) -> np.ndarray:
    """The array of a .npy file or of an IDX file of bytes."""
    return _array(_contents(path), path)


def _array(contents: bytes, path: Path) -> np.ndarray:
    if not contents.startswith(_NPY):
        return parse_idx(contents, str(path))
    try:
        array: np.ndarray = np.load(io.BytesIO(contents), allow_pickle=False)
    except Exception as cause:  # a zoo, on damaged files
        raise ImageFileError(f"{path} cannot be read ({first_line(cause)}).") from cause
    return array


def _contents(path: Path) -> bytes:
    """What a file holds, without the compression of gzip."""
    try:
        contents = read_bytes(path)
    except FileNotFoundError as cause:
        raise ImageFileError(f"There is no file {path}.") from cause
    except OSError as cause:
        raise ImageFileError(f"{path} cannot be read ({cause.strerror}).") from cause
    if not contents:
        raise ImageFileError(f"{path} is empty.")
    return gunzipped(contents, str(path))


def read_file(
    path: Path, fit: tuple[int, int] | None = None, paper: int = 0, colours: int = 1
) -> ImageFile:
    """The images of one file, see `read_images`; a picture of 3 `colours` is (1, height, width, 3):
    red, green, blue."""
    contents = _contents(path)
    labels = None
    if contents.startswith(_ZIP):
        images, labels = _from_npz(contents, path)
    elif contents.startswith(_NPY) or is_idx(contents):
        images = _array(contents, path)
    else:
        image, picture = decode(contents, path, fit, paper, colours)
        return ImageFile(image[None], None, picture)
    if images.dtype == np.bool_:
        images = images.astype(np.uint8)
    if images.dtype != np.uint8 or images.ndim < 2:
        raise ImageFileError(
            f"{path} holds {images.dtype} of shape {images.shape}; images are uint8 or bool of "
            "shape (N, ...)."
        )
    if not images.size:
        raise ImageFileError(f"{path} holds no images: its shape is {images.shape}.")
    if labels is not None and labels.shape != (len(images),):
        raise ImageFileError(
            f"{path} has {len(images)} images, but labels of shape {labels.shape}."
        )
    return ImageFile(images, None if labels is None else _whole(labels, path))


def _from_npz(contents: bytes, path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    arrays = read_foreign(path, ImageFileError, contents)
    if arrays is None:
        return read_test_images(path, contents)
    if "images" not in arrays:
        raise ImageFileError(f"{path} has no array `images`, uint8 or bool of shape (N, ...).")
    return arrays["images"], arrays.get("labels")


def _size(images: np.ndarray) -> str:
    """Pixels of each image: width x height of a picture."""
    return "x".join(map(str, reversed(images.shape[1:])))
