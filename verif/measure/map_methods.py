# SPDX-License-Identifier: Apache-2.0
"""What `make methods` tells of the committed networks with convolutions.

They take another core than dense ones, so they are compared with each other, by data set. Their
accuracy is the one that their training reported, to which the parity test holds the reference.
Cycles are those of `Geometry`, areas those of `area.estimate`, in the core that `make sim` takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from xnor_fcc import plot
from xnor_fcc.area import estimate
from xnor_fcc.data import DATASETS
from xnor_fcc.geometry import Geometry, MapShape
from xnor_fcc.integer import ConvLayer, IntegerNetwork
from xnor_fcc.map_geometry import default_sizes
from xnor_fcc.places import NETWORKS
from xnor_fcc.tables import markdown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE = Path(__file__).with_name("map_methods.svg")


class MapRow(TypedDict):
    """The figures of a network."""

    name: str
    dataset: str
    layers: str
    """Channels of the convolutions, P behind pooled ones, then neurons and classes."""
    order: int
    """Bits of most activations."""
    accuracy: float
    weight_bits: int
    pe: int
    simd: int
    lanes: int
    cycles_per_image: float
    latency_cycles: int
    alm: int
    m10k: int


def measure(networks: Path = NETWORKS) -> list[MapRow]:
    """A row for each network with convolutions in that directory, by data set and accuracy."""
    rows = []
    for path in sorted(networks.glob("*.npz")):
        if path.stem.endswith("_trained"):
            continue
        network = IntegerNetwork.load(path)
        if network.pixels is not None:
            rows.append(row_of(path.stem, network))
    order = list(DATASETS)
    return sorted(rows, key=lambda row: (order.index(row["dataset"]), -row["accuracy"]))


def row_of(name: str, network: IntegerNetwork) -> MapRow:
    """The figures of the network of that name."""
    shape = network.shape
    assert isinstance(shape, MapShape)
    pe, simd, lanes = default_sizes(shape)
    geometry = Geometry.for_widths(shape, pe, simd, lanes)
    area = estimate(geometry)
    return {
        "name": name,
        "dataset": network.info["dataset"],
        "layers": outline(network),
        "order": max(layer.order for layer in network.layers[1:]),
        "accuracy": network.info["test_accuracy"],
        "weight_bits": sum(n * m * rounds for n, m, rounds in shape.layers),
        "pe": pe,
        "simd": simd,
        "lanes": lanes,
        "cycles_per_image": geometry.period_cycles(shape) / geometry.images_per_batch(shape),
        "latency_cycles": geometry.latency_cycles(shape, 0),
        "alm": round(area.alm),
        "m10k": area.blocks,
    }


def outline(network: IntegerNetwork) -> str:
    """The layers as the field writes them, 64-64-P-128-10."""
    names = []
    for layer in network.layers:
        names.append(str(layer.outputs))
        if isinstance(layer, ConvLayer) and layer.pool:
            names.append("P")
    return "-".join(names)


def page(rows: list[MapRow]) -> str:
    """The rows as a table of Markdown."""
    head = ("data set", "network", "layers", "activations", "accuracy", "weight bits",
            "PE, SIMD, LANES", "cycles an image", "latency", "ALM", "M10K")  # fmt: skip
    cells = [
        [DATASETS[row["dataset"]].title, f"`{row['name']}`", row["layers"],
         f"{row['order']} bit{'s' * (row['order'] > 1)}", f"{row['accuracy']:.2%}",
         f"{row['weight_bits'] / 1e6:.2f} M", f"{row['pe']}, {row['simd']}, {row['lanes']}",
         f"{row['cycles_per_image']:g}", f"{row['latency_cycles']}", f"{row['alm']:,}",
         f"{row['m10k']:,}"]
        for row in rows
    ]  # fmt: skip
    return markdown(head, cells)


# ---- picture

_COLOURS = ("#1f77b4", "#d62728", "#3a9a4b", "#9467bd")
_MARKS = {1: "o", 2: "D"}
_TICKS = (1, 2, 3, 5)


@dataclass(frozen=True)
class Point:
    """A network with convolutions."""

    name: str
    dataset: str
    order: int
    cycles: float
    error: float
    """Share of the test images."""


@dataclass(frozen=True)
class Drawn:
    """What the picture shows."""

    points: list[Point]


def drawn(rows: list[MapRow]) -> Drawn:
    """What to draw of the rows."""
    return Drawn(
        [
            Point(row["name"], DATASETS[row["dataset"]].title, row["order"],
                  row["cycles_per_image"], 1 - row["accuracy"])
            for row in rows
        ]
    )  # fmt: skip


def draw(shown: Drawn) -> Axes:
    """The plot: error over cycles an image, both logarithmic; `UserError` without matplotlib."""
    axes = plot.axes(7.2, 5.4)
    titles = list(dict.fromkeys(point.dataset for point in shown.points))
    colours = dict(zip(titles, _COLOURS, strict=False))
    for point in shown.points:
        axes.plot(point.cycles, point.error, _MARKS[point.order], markersize=7,
                  color=colours[point.dataset])  # fmt: skip
        axes.annotate(point.name, (point.cycles, point.error), (7, 4), fontsize=8.5,
                      textcoords="offset points")  # fmt: skip
    for title, colour in colours.items():
        axes.plot([], [], _MARKS[1], color=colour, label=title)
    if any(point.order == 2 for point in shown.points):
        axes.plot([], [], _MARKS[2], color="black", label="activations of 2 bits")
    axes.set(xscale="log", yscale="log")
    axes.margins(x=0.3, y=0.1)
    plot.logarithmic(axes.xaxis, _TICKS, ",g")
    plot.logarithmic(axes.yaxis, _TICKS, ".3g", " %", scale=100)
    axes.set_xlabel("cycles an image, each in the core that make sim takes for it")
    axes.set_ylabel("error")
    axes.figure.legend(loc="outside lower left", ncols=3, frameon=False, alignment="left")
    return axes


def picture(shown: Drawn) -> str:
    """The networks as SVG."""
    return plot.svg(draw(shown), "Error and cycles an image of networks with convolutions", shown)
