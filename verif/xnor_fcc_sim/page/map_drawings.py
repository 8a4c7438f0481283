# SPDX-License-Identifier: Apache-2.0
"""Drawings of maps: a small picture for each channel, side by side, and images in colours.

What has a value of its own for every pixel is a PNG inside the page, since a path for each bit of
some hundred channels would make the page many times as large.
"""

from __future__ import annotations

import base64
import io
import math

import numpy as np
from markupsafe import Markup, escape
from PIL import Image

from xnor_fcc_sim.page.drawings import svg
from xnor_fcc_sim.trace import Layer

# Colours of the least and of the greatest value, as of bits (see page.css): those that are the
# reference's, and those that are not.
_ENDS = ((0x18, 0x22, 0x2C), (0xEE, 0xF2, 0xF6))
_WRONG_ENDS = ((0xA3, 0x1C, 0x1A), (0xFF, 0x8F, 0x86))
# What a pixel may be as wide as on the page, so that a map of one pixel does not fill it.
_MOST_PX = 24


def png(pixels: np.ndarray, width: float, height: float) -> str:
    """Pixels uint8 (rows, columns), or with 3 colours or 4 in a third axis, as an SVG element of
    that size."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f'<image width="{width:g}" height="{height:g}" preserveAspectRatio="none" '
        f'href="data:image/png;base64,{data}"/>'
    )


def image(pixels: np.ndarray, title: str) -> list[Markup]:
    """An image uint8 (H, W, C): one picture in grey or of red, green and blue, or of other colours
    one for each of them."""
    high, wide, count = pixels.shape
    parts = [pixels] if count == 3 else [pixels[:, :, c] for c in range(count)]
    return [svg(wide, high, title, [png(part, wide, high)], ' class="bits"') for part in parts]


def columns(channels: int) -> int:
    """Maps side by side: a power of two, of which two to five rows make a picture of a page."""
    return min(channels, 1 << math.ceil(math.log2(math.sqrt(3 * channels))))


def gap(side: int) -> int:
    """Pixels between two maps."""
    return 1 + side // 16


def palette(most: int) -> np.ndarray:
    """Colours uint8 (2, most + 1, 4) of the values 0 to `most`: right ones, wrong ones."""
    ends = np.array([_ENDS, _WRONG_ENDS], float)
    colours = np.full((2, most + 1, 4), 255, np.uint8)
    between = np.linspace(ends[:, 0], ends[:, 1], most + 1, axis=1)
    colours[:, :, :3] = between.round().astype(np.uint8)
    return colours


def maps(
    values: np.ndarray, wrong: np.ndarray, most: int, title: str, what: str = "channel"
) -> Markup:
    """A map (H, W, m) of values up to `most`: channel 0 at the top left.

    Pixels that are `wrong`, bool of its shape, are red, their channels framed in red; a tip on each
    channel tells how many of them.
    """
    high, wide, channels = values.shape
    across, apart = columns(channels), gap(wide)
    down = -(-channels // across)
    width, height = across * (wide + apart) - apart, down * (high + apart) - apart
    picture = np.zeros((height, width, 4), np.uint8)
    drawn = palette(most)[wrong.astype(np.uint8), np.minimum(values, most)]
    counts = wrong.sum(axis=(0, 1)).tolist()
    tips = []
    for c in range(channels):
        y, x = (place * (size + apart) for place, size in
                zip(divmod(c, across), (high, wide), strict=True))
        picture[y : y + high, x : x + wide] = drawn[:, :, c]
        said = f"; {counts[c]} of {high * wide} pixels differ" if counts[c] else ""
        look = "map differs" if counts[c] else "map"
        tips.append(f'<rect class="{look}" x="{x}" y="{y}" width="{wide}" height="{high}">'
                    f"<title>{escape(what)} {c}{said}</title></rect>")
    size = f' class="bits maps" style="max-width:{width * _MOST_PX}px"'
    return svg(width, height, title, [png(picture, width, height), *tips], size)


def reached(inputs: Layer, colours: int) -> tuple[np.ndarray, np.ndarray]:
    """Of the thermometer bits (H, W, colours * levels) of pixels, how many of each colour are 1, or
    the numbers (H, W, colours), and whether any of them is wrong: (H, W, colours) each."""
    shape = (*inputs.seen.shape[:2], colours, -1)
    counts: np.ndarray = inputs.seen.reshape(shape).sum(axis=3, dtype=np.int32)
    return counts, np.asarray(inputs.wrong.reshape(shape).any(axis=3))
