# SPDX-License-Identifier: Apache-2.0
"""Reads images to classify from the files people have: IDX, .npy, .npz, and pictures (PNG)."""

from __future__ import annotations

import gzip
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .container import read_foreign
from .data import parse_idx, read_test_images
from .errors import UserError, first_line

if TYPE_CHECKING:
    from PIL.Image import Image

# What the first bytes of an IDX file of bytes are, and the names of files that hold arrays.
_IDX = b"\x00\x00\x08"
_ARRAYS = (".npy", ".npz", ".gz")
# How many random images may be asked for: they are kept in memory.
MOST_RANDOM = 100_000


class ImageFileError(UserError):
    """A file that holds no images this program can read; the sentence says what it needs."""


def is_picture(path: Path) -> bool:
    """Whether `path` can only be a picture, such as a PNG: no file of arrays."""
    if path.suffix in _ARRAYS:
        return False
    try:
        with open(path, "rb") as file:
            return file.read(len(_IDX)) != _IDX
    except OSError as cause:
        raise _unreadable(path, cause) from cause


def read_images(
    paths: Path | Sequence[Path], fit: tuple[int, int] | None = None, paper: int = 0
) -> tuple[np.ndarray, np.ndarray | None]:
    """(images uint8 (N, ...), labels (N,) or None) from a file, or several with images of one size.

    An IDX file of bytes, plain or .gz, as MNIST comes; a .npy file of uint8 or bool; a .npz file
    with `images` and perhaps `labels`, or the committed test set; a picture, see `read_picture`
    for `fit` and `paper`. There are labels if every file has them. Raises `ImageFileError`.
    """
    paths = [paths] if isinstance(paths, Path) else paths
    files = [_read(path, fit, paper) for path in paths]
    first = files[0][0]
    for path, (some, _) in zip(paths, files, strict=True):
        if some.shape[1:] != first.shape[1:]:
            raise ImageFileError(
                f"{paths[0]} has images of {_size(first)} pixels, but {path} of {_size(some)}."
            )
    images = np.concatenate([some for some, _ in files])
    labels = [known for _, known in files if known is not None]
    return images, np.concatenate(labels) if len(labels) == len(files) else None


def read_picture(path: Path, fit: tuple[int, int] | None = None, paper: int = 0) -> np.ndarray:
    """A picture of any format that Pillow opens, as grey uint8 (height, width).

    Grey is Pillow's "L", of 16-bit grey the high byte. `paper` is the grey value behind transparent
    parts, and around a picture that is scaled to `fit` (width, height), keeping its ratio, in the
    middle. Raises `ImageFileError`.
    """
    from PIL import Image, ImageOps  # not needed for arrays: a board may not have it

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about large pictures and odd metadata
            with Image.open(path) as picture:
                shades = _shades(ImageOps.exif_transpose(picture), paper)
        if fit is not None:
            shades = ImageOps.pad(shades, fit, color=paper)
    except Image.UnidentifiedImageError as cause:
        raise ImageFileError(
            f"{path} is no image file: neither IDX, .npy, .npz nor a picture such as PNG."
        ) from cause
    except Exception as cause:  # a zoo, on damaged files
        raise _unreadable(path, cause) from cause
    return np.array(shades, np.uint8)


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
    path: Path, labels: Path | None, count: int | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """The first `count` images of a file, as `read_images`, and their labels from it or `labels`.

    Raises UserError for what cannot be read, or is fewer.
    """
    images, known = read_images(path)
    if labels is not None:
        known = read_labels(labels, len(images))
    chosen = selection(len(images), 0, count)
    return images[chosen], None if known is None else known[chosen]


def side_of(inputs: int) -> int | None:
    """Width and height of the square image of so many pixels; None if no square has them."""
    side = math.isqrt(inputs)
    return side if side * side == inputs else None


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
        raise _unreadable(path, cause) from cause
    return parse_idx(contents, str(path))


def _read(
    path: Path, fit: tuple[int, int] | None, paper: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Images (N, ...) and labels of one file."""
    if not path.is_file():
        raise ImageFileError(f"There is no file {path}.")
    if is_picture(path):
        return read_picture(path, fit, paper)[None], None
    images, labels = _from_npz(path) if path.suffix == ".npz" else (read_array(path), None)
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
    return images, None if labels is None else _whole(labels, path)


def _from_npz(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    arrays = read_foreign(path, ImageFileError)
    if arrays is None:
        return read_test_images(path)
    if "images" not in arrays:
        raise ImageFileError(f"{path} has no array `images`, uint8 or bool of shape (N, ...).")
    return arrays["images"], arrays.get("labels")


def _shades(picture: Image, paper: int) -> Image:
    """Mode "L" of a picture of any mode."""
    from PIL import Image

    if picture.mode.startswith(("I", "F")):  # which Pillow would cut off at 255
        values = np.array(picture)
        if picture.mode == "F" or values.min() < 0 or values.max() > 0xFFFF:
            raise ValueError("its values are beyond 16 bits of grey")
        return Image.fromarray((values >> 8).astype(np.uint8))
    if "A" in picture.getbands() or "transparency" in picture.info:
        ground = Image.new("RGBA", picture.size, (paper, paper, paper, 255))
        picture = Image.alpha_composite(ground, picture.convert("RGBA"))
    return picture.convert("L")


def _unreadable(path: Path, cause: Exception) -> ImageFileError:
    reason = getattr(cause, "strerror", None) or first_line(cause)
    return ImageFileError(f"{path} cannot be read ({reason}).")


def _size(images: np.ndarray) -> str:
    """Pixels of each image: width x height of a picture."""
    return "x".join(map(str, reversed(images.shape[1:])))
