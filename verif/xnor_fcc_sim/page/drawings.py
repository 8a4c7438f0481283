# SPDX-License-Identifier: Apache-2.0
"""Drawings of the report: images, what the core did cycle by cycle, and pictures of other tools."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from markupsafe import Markup, escape
from PIL import Image

from xnor_fcc.errors import UserError
from xnor_fcc.geometry import Geometry
from xnor_fcc_sim.answers import Answers
from xnor_fcc_sim.page import timeline as pictures

_WIDTH = 1000  # of a drawing, in its own units


def svg(width: float, height: float, title: str, parts: Sequence[str], more: str = "") -> Markup:
    """A drawing of that many units out of elements; `more`: attributes, a space before each."""
    return Markup(
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img"{more}><title>{escape(title)}</title>'
        f"{''.join(parts)}</svg>"
    )


def shades(picture: np.ndarray) -> str:
    """SVG image of a picture uint8 (height, width, C), a unit a pixel: its colours where they are
    three, else their mean."""
    height, width, colours = picture.shape
    drawn = picture if colours == 3 else picture.mean(axis=2).astype(np.uint8)
    png = io.BytesIO()
    Image.fromarray(drawn).save(png, "PNG", optimize=True)
    data = base64.b64encode(png.getvalue()).decode()
    return f'<image width="{width}" height="{height}" href="data:image/png;base64,{data}"/>'


def digit(bits: np.ndarray, width: int) -> str:
    """SVG path of an image (height * width,) of 0/1: a box for each run of ones in a row."""
    boxes = []
    for y, row in enumerate(bits.reshape(-1, width).tolist()):
        edges = [x for x, (a, b) in enumerate(pairwise([0, *row, 0])) if a != b]
        for a, b in zip(edges[::2], edges[1::2], strict=True):
            boxes.append(f"M{a} {y}h{b - a}v1h{a - b}z")
    return "".join(boxes)


def runs(cycles: Sequence[int], apart: int = 1) -> Iterator[tuple[int, int]]:
    """First and last of each run of ascending numbers that are at most `apart` from each other."""
    first = last = None
    for cycle in cycles:
        if last is not None and first is not None and cycle > last + apart:
            yield first, last
            first = cycle
        first = cycle if first is None else first
        last = cycle
    if first is not None and last is not None:
        yield first, last


def tick(least: float) -> int:
    """The least of 1, 2, 5, 10, 20, 50 and so on that is not below `least`."""
    return next(s * 10**e for e in range(9) for s in (1, 2, 5) if s * 10**e >= least)


def _lanes(answers: Answers, geometry: Geometry, widths: Sequence[int], scale: float) -> list[str]:
    """A bar for each group of neurons, from when the one before it was done until it is."""
    groups = [(layer, group) for layer, m in enumerate(widths[1:])
              for group in reversed(range(geometry.groups(m)))]
    parts = []
    before = 0
    done = answers.done.tolist()
    loads = answers.load.tolist()
    for number, cycle in enumerate(done):
        batch, place = divmod(number, len(groups))
        if batch >= len(loads):
            break  # never loaded: more groups done than there should be
        layer, group = groups[place]
        start = max(before, loads[batch])
        tip = f"batch {batch}, layer {layer}, group {group}"
        shade = f"var(--layer-{layer % 4})"
        parts.append(pictures.bar(start, cycle, 1, shade, "", tip, scale))
        before = cycle
    return parts


def _packets(
    cycles: np.ndarray, beats: int, lanes: int, row: int, said: str, scale: float
) -> list[str]:
    """Bars of the packets of a stream, of `beats` beats each; `said` takes packet and batch."""
    parts = []
    moments = cycles.tolist()
    for packet, start in enumerate(range(0, len(moments), beats)):
        batch = packet // lanes
        for first, last in runs(moments[start : start + beats]):
            shade = f"var(--batch-{batch % 2})"
            tip = said.format(packet, batch)
            parts.append(pictures.bar(first, last + 1, row, shade, "", tip, scale))
    return parts


def legend(layers: Sequence[str], bottom: int) -> list[str]:
    """Which layer has which colour, below a drawing that ends at `bottom`."""
    apart = min(120, (_WIDTH - pictures.LEFT) // len(layers))
    return [
        f'<rect x="{x}" y="{bottom + 28}" width="12" height="12" rx="2" '
        f'fill="var(--layer-{layer % 4})"/>'
        f'<text x="{x + 18}" y="{bottom + 39}">{name}</text>'
        for layer, name in enumerate(layers)
        for x in [pictures.LEFT + apart * layer]
    ]


def timeline(answers: Answers, geometry: Geometry, widths: Sequence[int]) -> Markup:
    """What the core did in the first cycles of `answers`: images in, groups done, results out."""
    seen = [answers.image, answers.load, answers.done, answers.result]
    total = int(max(cycles[-1] for cycles in seen if len(cycles))) + 1
    scale = (_WIDTH - pictures.LEFT - 20) / total
    step = tick(total / 10)
    bottom = 40 + 3 * (pictures.HEIGHT + pictures.GAP)

    parts = pictures.axis(total, 3, step, scale)
    beats = geometry.image_beats(widths[0], False)
    said = "image {} of the stream, for batch {}"
    parts += _packets(answers.image, beats, geometry.lanes, 0, said, scale)
    parts += _lanes(answers, geometry, widths, scale)
    said = "result {}, of batch {}"
    parts += _packets(answers.result, widths[-1] + 1, geometry.lanes, 2, said, scale)
    for batch, cycle in enumerate(answers.load.tolist()):
        x = pictures.LEFT + cycle * scale
        parts.append(
            f'<line x1="{x:.1f}" y1="26" x2="{x:.1f}" y2="{bottom}" stroke="var(--fail)"/>'
            f'<text x="{x:.1f}" y="20" text-anchor="middle">batch {batch}</text>'
        )
    lanes = "lane" if geometry.lanes == 1 else f"{geometry.lanes} lanes"
    parts += pictures.names(("image stream", lanes, "result stream"))
    parts += legend([f"{n}→{m}" for n, m in pairwise(widths)], bottom)
    title = (
        f"What the core did in its first {total:,} clock cycles: images taken, groups of neurons "
        "done, results taken"
    )
    return Markup(
        f'<svg viewBox="0 0 {_WIDTH} {bottom + 50}" role="img" font-size="13">'
        f"<title>{title}</title>{''.join(parts)}</svg>"
    )


def embedded(drawing: bytes, title: str) -> Markup:
    """An SVG file as an image with a data URL."""
    data = base64.b64encode(drawing).decode()
    return Markup('<img alt="{}" src="data:image/svg+xml;base64,{}">').format(title, data)


def image(path: Path, title: str) -> Markup:
    """The drawing of another tool as an image inside the page, where a browser neither runs nor
    loads anything. `UserError` if it is damaged."""
    try:
        drawing = path.read_bytes()
        ElementTree.fromstring(drawing)
    except ElementTree.ParseError as error:
        raise UserError(f"The drawing {path} is damaged ({error}); make it again.") from error
    return embedded(drawing, title)
