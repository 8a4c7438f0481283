# SPDX-License-Identifier: Apache-2.0
"""What `make methods` tells of the committed networks with convolutions.

They take another core than dense ones, so they are compared with each other, by data set. Their
accuracy is the one that their training reported, to which the parity test holds the reference.
Cycles are those of `Geometry`, areas those of `area.estimate`, in the core that `make sim` takes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from xnor_fcc.area import estimate
from xnor_fcc.data import DATASETS
from xnor_fcc.geometry import Geometry, MapShape
from xnor_fcc.integer import ConvLayer, IntegerNetwork
from xnor_fcc.map_geometry import default_sizes
from xnor_fcc.places import NETWORKS
from xnor_fcc.tables import markdown


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
