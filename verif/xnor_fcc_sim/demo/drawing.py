# SPDX-License-Identifier: Apache-2.0
"""From what somebody draws or drops to an image as its data set has it.

MNIST scaled its digits into 20x20 with grey edges, and put their centre of mass into the middle of
28x28 (LeCun, Cortes, Burges: the MNIST database). The digits of UCI fill the height of their 8x8,
each pixel the ink of its area; pieces of Fashion-MNIST fill their image, too.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from xnor_fcc.errors import UserError
from xnor_fcc.pictures import decode

# (x, y) of each point of a stroke, from 0 to 1 across and down the sheet.
Stroke = Sequence[Sequence[float]]

# Pixels of the sheet that is drawn on, about: many for each of the image's, for smooth edges.
_SHEET = 224
# A drawing smaller than this share of the sheet is not made as large as others: it may be a dot.
_SMALL = 0.15
# Most pixels of a dropped picture: that of a telephone's camera.
_MOST = 50_000_000
# What counts as ink, of the darkest, where a picture is cut out of its paper.
_INK = 0.3


@dataclass(frozen=True)
class Style:
    """How images of a data set are made.

    `inner`: share of the side that the ink fills. `pen`: thickness of a stroke, as such a share.
    `mass`: the centre of mass is in the middle, otherwise that of the outline. `filled`: a stroke
    is the outline of something.
    """

    inner: float
    pen: float
    mass: bool = False
    filled: bool = False


# With these pens ten plain digits have, to a tenth, the ink of the test sets on the average.
STYLES = {
    "mnist": Style(20 / 28, 2.6 / 28, mass=True),
    "digits": Style(1.0, 1.4 / 8),
    "fashion": Style(1.0, 2 / 28, filled=True),
}


def style_of(dataset: str | None) -> Style:
    """The style of a data set; MNIST's where nothing is known."""
    return STYLES.get(dataset or "", STYLES["mnist"])


def drawn(strokes: Sequence[Stroke], side: int, style: Style) -> np.ndarray:
    """Grey uint8 (side, side), white on black, of what was drawn with a pen; at least one point."""
    scale = max(1, round(_SHEET / side))
    lines = [np.asarray(stroke, float).reshape(-1, 2) for stroke in strokes]
    points = np.concatenate(lines)
    low, high = points.min(axis=0), points.max(axis=0)
    pen = style.pen * side * scale
    room = style.inner * side * scale - pen
    stretch = room / max(float((high - low).max()), _SMALL)
    middle = side * scale / 2
    sheet = Image.new("L", (side * scale,) * 2)
    _draw(sheet, [(line - (low + high) / 2) * stretch + middle for line in lines], pen, style)
    if style.mass:
        sheet = _centred(sheet)
    return np.asarray(sheet.resize((side, side), Image.Resampling.BOX), np.uint8)


def _draw(sheet: Image.Image, lines: Sequence[np.ndarray], pen: float, style: Style) -> None:
    brush = ImageDraw.Draw(sheet)
    half = pen / 2
    for line in lines:
        path = [(float(x), float(y)) for x, y in line]
        if style.filled and len(path) > 2:
            brush.polygon(path, fill=255)
        if len(path) > 1:
            brush.line(path, fill=255, width=max(1, round(pen)))
        for x, y in path:  # round ends and corners
            brush.ellipse((x - half, y - half, x + half, y + half), fill=255)


def _centred(sheet: Image.Image) -> Image.Image:
    """A square sheet with its centre of mass in the middle, or as near to it as no ink is lost."""
    ink = np.asarray(sheet, float)
    size, box = len(ink), sheet.getbbox()
    if box is None:
        return sheet
    shift = []
    for axis in (0, 1):  # x, y
        weights = ink.sum(axis=axis)
        centre = float((np.arange(size) + 0.5) @ weights / weights.sum())
        shift.append(round(np.clip(size / 2 - centre, -box[axis], size - box[axis + 2])))
    moved = Image.new("L", sheet.size)
    moved.paste(sheet.crop(box), (box[0] + shift[0], box[1] + shift[1]))
    return moved


def dropped(
    contents: bytes, name: str, side: int, colours: int, style: Style | None
) -> tuple[np.ndarray, str]:
    """A picture of any size as an image, grey uint8 (side, side) or of three colours (side, side,
    3), and what was done to it, in words, if anything.

    Dark ink on bright paper is turned round. Without a `style` a picture is scaled, nothing else;
    so is one of the image's own size. `UserError` for what is no picture.
    """
    path = Path(name)
    _check(contents, path)
    if colours > 1:
        scaled, _ = decode(contents, path, (side, side), 0, colours)
        return scaled, ""
    grey, _ = decode(contents, path, None, 0)
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = float(np.median(edge))
    done = []
    if paper > 127:
        grey, paper = 255 - grey, 255 - paper
        done.append("dark ink on bright paper was turned round")
    if grey.shape == (side, side):
        return grey, "; ".join(done)
    done.append("it was scaled and centred as the data set's images are")
    image = _fitted(grey, paper, side, style)
    return image, "; ".join(done)


def _check(contents: bytes, path: Path) -> None:
    """Refuse a picture of more pixels than there is patience for, before they are unpacked."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(contents)) as picture:
                width, height = picture.size
    except Image.DecompressionBombError:
        width = height = _MOST
    except Exception:  # which `decode` tells better
        return
    if width * height > _MOST:
        raise UserError(f"{path} has more than {_MOST // 1_000_000} million pixels.")


def _fitted(grey: np.ndarray, paper: float, side: int, style: Style | None) -> np.ndarray:
    """A picture, ink bright on dark, cut out and put where a data set's images have it."""
    ink = np.clip(grey.astype(np.float32) - paper, 0, None)
    most = float(ink.max(initial=0))
    if most < 16:  # noise of a camera
        return np.zeros((side, side), np.uint8)
    ink *= 255 / most
    rows, columns = (np.flatnonzero((ink > _INK * 255).any(axis=axis)) for axis in (1, 0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = max(1, round(_SHEET / side))
    room = (1.0 if style is None else style.inner) * side * scale
    stretch = room / max(cut.shape)
    width, height = (max(1, round(length * stretch)) for length in reversed(cut.shape))
    small = Image.fromarray(cut.astype(np.uint8)).resize((width, height), Image.Resampling.BILINEAR)
    sheet = Image.new("L", (side * scale,) * 2)
    sheet.paste(small, ((side * scale - width) // 2, (side * scale - height) // 2))
    if style is not None and style.mass:
        sheet = _centred(sheet)
    return np.asarray(sheet.resize((side, side), Image.Resampling.BOX), np.uint8)
