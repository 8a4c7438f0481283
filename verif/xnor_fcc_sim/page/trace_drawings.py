# SPDX-License-Identifier: Apache-2.0
"""Drawings of a trace: pixels, bits, margins, and clock cycle by clock cycle.

Matplotlib draws the margins. Bits and cycles stay SVG of our own: a mark is a pixel or a bar that a
tip explains, and has the colours of the page, light or dark.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from xnor_fcc import plot
from xnor_fcc.geometry import MapShape
from xnor_fcc_sim.page import timeline as pictures
from xnor_fcc_sim.page.drawings import digit, embedded, legend, runs, svg, tick
from xnor_fcc_sim.page.map_drawings import png
from xnor_fcc_sim.trace import EVENTS, Layer, Trace

_WIDTH = 1000  # of a drawing across the page, in its own units
_BINS = 41  # of a histogram, about
# How much of a bit 1 the levels 0 to 3 of an activation of order 2 are drawn with.
_SHADES = (0.0, 1 / 3, 2 / 3, 1.0)


def across(pixels: int) -> int:
    """Width of a picture of so many pixels: its side if it is square, else all of them in a row."""
    side = math.isqrt(pixels)
    return side if side * side == pixels else pixels


def grid(neurons: int) -> int:
    """Width of a picture of a layer: about square."""
    return math.ceil(math.sqrt(neurons))


def _height(count: int, width: int) -> int:
    """Units of a picture; one of a single row is made high enough to be seen."""
    rows = -(-count // width)
    return rows if rows > 1 or width < 4 else max(1, width // 12)


def grey(pixels: np.ndarray, width: int, title: str) -> Markup:
    """A grey image, uint8 (n,), as a PNG inside the page."""
    height = _height(len(pixels), width)
    picture = png(pixels.reshape(-1, width), width, height)
    return svg(width, height, title, [picture], ' class="bits"')


def bits(layer: Layer, width: int, two: bool, title: str) -> Markup:
    """Bits (or, with `two` of them each, levels) of a layer, row by row, number 0 at the top left.

    What differs from the reference is framed in red, with a tip that tells both.
    """
    seen = layer.seen
    count, rows = len(seen), -(-len(seen) // width)
    room = np.zeros(rows * width, np.uint8)

    def path(which: np.ndarray, look: str) -> str:
        drawn = room.copy()
        drawn[:count] = which
        return f'<path {look} d="{digit(drawn, width)}"/>' if which.any() else ""

    parts = [path(np.ones(count, np.uint8), 'class="zero"')]
    for level in range(1, 4 if two else 2):
        shade = _SHADES[level] if two else 1.0
        look = f'class="one" data-level="{level}" fill-opacity="{shade:.3g}"'
        parts.append(path((seen == level).astype(np.uint8), look))
    for j in np.flatnonzero(layer.wrong).tolist():
        y, x = divmod(j, width)
        parts.append(
            f'<rect class="wrong" x="{x + 0.15}" y="{y + 0.15}" width="0.7" height="0.7">'
            f"<title>number {j}: {seen[j]}, by the reference {layer.wanted[j]}</title></rect>"
        )
    height = _height(count, width)
    if height == rows:
        return svg(width, height, title, parts, ' class="bits"')
    stretched = [f'<g transform="scale(1 {height})">', *parts, "</g>"]
    return svg(width, height, title, stretched, ' class="bits"')


@dataclass(frozen=True)
class Margins:
    """How many neurons are how far from their thresholds: a count for each bin between `edges`, of
    which 0 is one. From there on a neuron's bit is 1."""

    edges: list[int]
    counts: list[int]


def margins(sums: np.ndarray) -> Margins:
    """Of P - T, int32 (m,)."""
    reach = max(1, int(sums.max()) + 1, -int(sums.min()))
    step = math.ceil(2 * reach / _BINS)
    most = math.ceil(reach / step)
    edges = np.arange(-most, most + 1) * step
    counts, _ = np.histogram(sums, edges)  # sums are whole: that the last bin has an end is nothing
    return Margins(edges.tolist(), counts.tolist())


def histogram(shown: Margins, title: str) -> Markup:
    """The margins as a picture; `UserError` without matplotlib."""
    axes = plot.axes(4.2, 2.7)
    step = shown.edges[1] - shown.edges[0]
    colours = ["#e39a4e" if edge < 0 else "#4f8fc9" for edge in shown.edges[:-1]]
    axes.bar(shown.edges[:-1], shown.counts, 0.9 * step, align="edge", color=colours)
    axes.axvline(0, color="black", linestyle="dashed", linewidth=1)
    for text, x, side in (("bit 0", -6, "right"), ("bit 1", 6, "left")):
        axes.annotate(text, (0, 1), (x, 3), xycoords=("data", "axes fraction"),
                      textcoords="offset points", ha=side)  # fmt: skip
    axes.set_xlabel("P - T")
    axes.set_ylabel("neurons")
    return embedded(plot.svg(axes, title, shown).encode(), title)


def layer_names(trace: Trace) -> list[str]:
    """What each layer is called: its inputs and outputs."""
    return [f"{n}→{m}" for n, m, _ in trace.shape.layers]


def map_name(trace: Trace, layer: int) -> str:
    """What a convolution is called: its windows, what they lie on, and what comes out."""
    shape = trace.shape
    assert isinstance(shape, MapShape)
    kernel, pool = shape.convolutions[layer]
    channels = (shape.channels, *shape.widths[1:])
    side, out = (shape.side, *shape.sides)[layer : layer + 2]
    pooled = ", 2x2 max-pool" if pool else ""
    return (
        f"{kernel}x{kernel} windows of {side}x{side}x{channels[layer]}{pooled}, "
        f"{out}x{out}x{channels[layer + 1]}"
    )


def timeline(trace: Trace, title: str) -> Markup:
    """The clock cycles around the image: what belongs to it in colours, what does not in grey."""
    first = min(int(cycles[0]) for cycles in trace.cycles.values() if len(cycles))
    last = max(int(trace.mine[event][-1]) for event in EVENTS if len(trace.mine[event]))
    total = last + 1 - first
    total += max(1, total // 60)
    scale = (_WIDTH - pictures.LEFT - 20) / total
    # What is nearer than that runs into one bar: there are some thousand slots of maps.
    apart = max(1, round((1.5 if trace.maps else 0.4) / scale))
    done_row = "slots written" if trace.maps else "groups done"
    rows = ("image stream", "steps", done_row, "result stream")
    names = layer_names(trace)

    def bars(cycles: np.ndarray, row: int, colour: str, tip: str) -> list[str]:
        inside = cycles[(cycles >= first) & (cycles < first + total)]
        return [pictures.bar(a, b + 1, row, colour, "", tip, scale, first)
                for a, b in runs(inside.tolist(), apart)]

    parts = pictures.axis(total, len(rows), tick(total / 10), scale, first)
    for row, event in enumerate(("image", "step", "done", "result")):
        others = np.setdiff1d(trace.cycles[event], trace.mine[event])
        parts += bars(others, row, "var(--idle)", "other images")
    parts += bars(trace.mine["image"], 0, "var(--pass)", "this image")
    for layer, (steps, done) in enumerate(zip(trace.steps(), trace.done(), strict=True)):
        colour = f"var(--layer-{layer % 4})"
        tip = f"layer {layer}, {names[layer]}"
        parts += bars(steps, 1, colour, tip)
        if len(steps) and len(done):
            drain = pictures.bar(int(steps[-1]) + 1, int(done[-1]) + 1, 2, colour, "",
                                 f"{tip}: pipeline draining", scale, first)
            parts.append(f'<g opacity="0.4">{drain}</g>')
        if trace.writes_slots(layer):
            parts += bars(done, 2, colour, f"{tip}: slots written")
            continue
        groups = range(len(done) - 1, -1, -1)
        parts += [
            pictures.bar(cycle, cycle + 1, 2, colour, "", f"{tip}: group {group} done", scale,
                         first)
            for group, cycle in zip(groups, done.tolist(), strict=True)
        ]
    parts += bars(trace.mine["result"], 3, "var(--pass)", "result of this image")
    bottom = 40 + len(rows) * (pictures.HEIGHT + pictures.GAP)
    for cycle in trace.cycles["load"].tolist():
        own = cycle in trace.mine["load"]
        x = pictures.LEFT + (cycle - first) * scale
        tone = "var(--fail)" if own else "var(--idle)"
        parts.append(f'<line x1="{x:.1f}" y1="26" x2="{x:.1f}" y2="{bottom}" stroke="{tone}"/>')
        if own:
            said = "its pass begins" if trace.maps else "its batch is loaded"
            parts.append(f'<text x="{x:.1f}" y="20" text-anchor="middle">{said}: {cycle}</text>')
    parts += [*pictures.names(rows), *legend(names, bottom)]
    return svg(_WIDTH, bottom + 50, title, parts, ' font-size="13"')
