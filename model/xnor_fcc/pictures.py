# SPDX-License-Identifier: Apache-2.0
"""Pictures of every format and depth that Pillow opens, as grey or colours of 8 bits."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import UserError, first_line

if TYPE_CHECKING:
    from PIL.Image import Image

# Tags of TIFF.
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
_WHITE_IS_ZERO, _SIGNED = 0, 2

# Share of what can be seen that may stand out from the paper by chance: noise at the edge of ink.
_STRAY = 0.02


class ImageFileError(UserError):
    """A file that holds no images this program can read; the sentence says what it needs."""


def decode(
    contents: bytes, path: Path, fit: tuple[int, int] | None, paper: int, colours: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """The picture that a file `path` holds, grey uint8 (height, width) or, of 3 colours, (height,
    width, 3), scaled to `fit` (width, height); and its grey as it is. See `images.read_picture`;
    raises `ImageFileError`."""
    from PIL import Image, ImageOps  # not needed for arrays: a board may not have it

    if colours not in (1, 3):
        raise ImageFileError(
            f"{path} is a picture, grey or of 3 colours, but the network takes {colours} colours."
        )
    mode, around = ("L", paper) if colours == 1 else ("RGB", (paper,) * 3)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about large pictures and odd metadata
            with Image.open(io.BytesIO(contents)) as picture:
                tags = getattr(picture, "tag_v2", {})
                shades = _shades(ImageOps.exif_transpose(picture), tags, paper, mode)
            scaled = shades if fit is None else ImageOps.pad(shades, fit, color=around)
    except Image.UnidentifiedImageError as cause:
        reason = _refusal(contents)
        if reason is not None:
            raise ImageFileError(f"{path} cannot be read ({reason}).") from cause
        raise ImageFileError(
            f"{path} is no image file: neither IDX, .npy, .npz nor a picture such as PNG."
        ) from cause
    except Exception as cause:  # a zoo, on damaged files
        raise ImageFileError(f"{path} cannot be read ({first_line(cause)}).") from cause
    return np.array(scaled, np.uint8), np.array(shades.convert("L"), np.uint8)


def _refusal(contents: bytes) -> str | None:
    """Why Pillow does not open a file of a format that it knows; None if it is of none."""
    from PIL import Image

    for name in Image.ID:
        factory, accept = Image.OPEN[name]
        try:
            if accept is not None and accept(contents[:16]) is True:
                with factory(io.BytesIO(contents), ""):
                    return None
        except Exception as cause:  # whatever a format's reader raises
            return f"{name}: {first_line(cause)}"
    return None


def _shades(picture: Image, tags: Mapping[int, Any], paper: int, mode: str) -> Image:
    """Mode "L" or "RGB" of a picture of any mode; `tags` are those of a TIFF."""
    from PIL import Image

    if picture.mode.startswith(("I", "F")):  # which Pillow would cut off at 255
        values = np.array(picture)
        grey = _of_floats(values) if picture.mode == "F" else _of_integers(values, tags)
        if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
            grey = 255 - grey
        return Image.fromarray(grey).convert(mode)
    if picture.mode == "La":  # multiplied by what covers the paper
        picture = picture.convert("LA")
    if picture.mode == "RGBa" or "A" in picture.getbands() or "transparency" in picture.info:
        return _on_paper(picture.convert("RGBA"), paper, mode)
    return picture.convert(mode)


def _of_integers(values: np.ndarray, tags: Mapping[int, Any]) -> np.ndarray:
    """Grey uint8 of more than 8 bits: the upper ones, unless no value needs them."""
    bits = tags.get(_BITS, (16,))[0]
    signed = tags.get(_SAMPLE_FORMAT, (1,))[0] == _SIGNED
    if bits == 32 and not signed:
        values = values.view(np.uint32)
    low, high = int(values.min()), int(values.max())
    if low < 0:
        raise ValueError(f"its values go down to {low}, and grey begins at 0")
    if high <= 255:
        return values.astype(np.uint8)
    if high > 0xFFFF:
        raise ValueError(f"its values reach {high}, and grey has at most 16 bits")
    used = bits - signed if bits <= 16 else 16
    return (values >> (used - 8)).astype(np.uint8)


def _of_floats(values: np.ndarray) -> np.ndarray:
    """Grey uint8 of numbers from 0 to 1 or from 0 to 255."""
    if not np.isfinite(values).all():
        raise ValueError("some of its values are no numbers")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 255:
        raise ValueError(
            f"its values are from {low:g} to {high:g}, and grey is from 0 to 1 or from 0 to 255"
        )
    return np.rint(values * (255 if high <= 1 else 1)).astype(np.uint8)


def _on_paper(picture: Image, paper: int, mode: str) -> Image:
    """A picture of mode "RGBA" with `paper` behind it, as mode "L" or "RGB".

    Paper that is transparent has no colour of its own: ink that could not be seen on `paper`, such
    as black on black, is taken to be of the opposite shade.
    """
    from PIL import Image, ImageChops

    def over(ground: int) -> Image.Image:
        sheet = Image.new("RGBA", picture.size, (ground, ground, ground, 255))
        return Image.alpha_composite(sheet, picture).convert(mode)

    ink = np.array(picture.convert("RGB").convert("L"))
    cover = np.array(picture.getchannel("A"), np.int64)
    lost = cover[(ink < 128) == (paper < 128)].sum()
    if cover.min() < 128 and lost > (1 - _STRAY) * cover.sum():
        return ImageChops.invert(over(255 - paper))
    return over(paper)
