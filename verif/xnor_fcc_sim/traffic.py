# SPDX-License-Identifier: Apache-2.0
"""Random work for a core: networks that fit it and images for them, gaps and backpressure, packets
that are wrong in one way, and how long an answer may take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from xnor_fcc.errors import UserError
from xnor_fcc.geometry import Geometry, GeometryError, Shape
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.random_network import Convolution, random_map_network, random_network
from xnor_fcc.shape import PIXEL_BITS
from xnor_fcc_sim.packets import Beat


def random_widths(rng: np.random.Generator, geometry: Geometry, layers: int) -> tuple[int, ...]:
    """Widths of a network of `layers` layers that fits `geometry`, corners more often than not."""
    return random_shape(rng, geometry, layers, kinds=False).widths


def random_shape(
    rng: np.random.Generator, geometry: Geometry, layers: int, kinds: bool = True
) -> Shape:
    """The same, and of what kind its layers are: any that the core was built for with `kinds`."""
    g = geometry
    for _ in range(1000):
        corners = [1, 2, g.simd - 1, g.simd, g.simd + 1, g.pe - 1, g.pe, g.pe + 1, g.max_width]
        anywhere = rng.integers(1, g.max_width + 1, layers)
        sizes = np.where(rng.random(layers) < 0.5, rng.choice(corners, layers), anywhere)
        sizes = np.clip(sizes, 1, g.max_width).tolist()
        shape = Shape.of((*sizes, int(rng.integers(1, g.max_classes + 1))))
        if kinds and g.order == 2:
            shape = replace(shape, orders=tuple(rng.integers(1, 3, layers).tolist()))
        if kinds and g.ternary:
            shape = replace(shape, ternary=tuple((rng.random(layers) < 0.5).tolist()))
        try:
            g.require_fit(shape)
        except GeometryError:
            continue
        return shape
    raise AssertionError(f"no network of {layers} layers found for {geometry}")


def bursts(rng: np.random.Generator, longest_gap: int) -> Iterator[tuple[int, int]]:
    """Endless random (on, off) runs."""
    while True:
        yield int(rng.integers(1, 8)), int(rng.integers(0, longest_gap + 1))


def make(
    seed: int, shape: Shape | tuple[int, ...], images: int
) -> tuple[IntegerNetwork, np.ndarray]:
    """A random network and random images for it as bits or levels, some all black or all white."""
    rng = np.random.default_rng(seed)
    shape = Shape.of(shape)
    network = random_network(rng, shape.widths, shape.orders, shape.ternary)
    bits = rng.integers(0, 2, (images, shape.widths[0])).astype(np.uint8)
    bits[0] = 0
    bits[-1] = 1
    if shape.orders[0] == 2:
        # As many pixels near the threshold, where levels are narrow, as anywhere.
        grey = rng.integers(0, 256, bits.shape)
        near = network.pixel_threshold + rng.integers(-8, 8, bits.shape)
        grey = np.where(rng.random(bits.shape) < 0.5, grey, near).clip(0, 255)
        grey[0], grey[-1] = 0, 255
        return network, network.inputs_from(grey.astype(np.uint8))
    return network, bits


def random_map_network_for(rng: np.random.Generator, geometry: Geometry) -> IntegerNetwork:
    """A random network of convolutions and dense layers that fits a core for them, of all kinds
    that it was built for."""
    g = geometry
    for _ in range(1000):
        count, dense = int(rng.integers(1, 5)), int(rng.integers(1, 4))
        layers = count + dense
        if layers > g.max_layers:
            continue
        orders = [1, *rng.integers(1, g.order + 1, layers - 1).tolist()]
        if g.numbers:
            orders[:2] = [PIXEL_BITS, 1]
        channels = [1, g.pe, g.slot - 1, g.slot, g.slot + 1, int(rng.integers(1, 3 * g.slot))]
        convolutions = [
            Convolution(
                max(1, int(rng.choice(channels))),
                kernel=3 if i == 0 or rng.random() < 0.7 else 1,
                pool=bool(rng.random() < 0.4),
            )
            for i in range(count)
        ]
        try:
            network = random_map_network(
                rng,
                side=int(rng.integers(3, 15)),
                convolutions=convolutions,
                dense=[
                    *rng.integers(1, 3 * g.slot, dense - 1).tolist(),
                    int(rng.integers(1, g.max_classes + 1)),
                ],
                colours=int(rng.integers(1, g.pixel_channels + 1)),
                levels=0 if g.numbers else int(rng.integers(1, g.pixel_levels + 1)),
                border=int(rng.integers(0, 2)),
                orders=orders,
                ternary=(rng.random(layers) < 0.5 * g.ternary).tolist(),
            )
            g.require_fit(network.shape)
        except UserError:
            continue
        return network
    raise AssertionError(f"no network found for {geometry}")


def make_maps(
    rng: np.random.Generator, network: IntegerNetwork, images: int
) -> tuple[np.ndarray, np.ndarray]:
    """Random pixels uint8 (images, inputs) for a network that begins with convolutions, as many
    beside its levels as anywhere, the first image black and the last one white; and their first
    maps."""
    assert network.pixels is not None
    colours = network.pixels.colours
    shape = (images, network.inputs // colours, colours)
    beside = rng.choice(network.pixels.edges, shape) + rng.integers(-1, 2, shape)
    grey = np.where(rng.random(shape) < 0.5, beside.clip(0, 255), rng.integers(0, 256, shape))
    grey[0], grey[-1] = 0, 255
    pixels = grey.astype(np.uint8).reshape(images, network.inputs)
    return pixels, network.inputs_from(pixels)


def batches_until_steady(geometry: Geometry, shape: Shape, grey: bool) -> int:
    """Batches after which three periods in a row are those of the steady state: what is faster
    than the bottleneck runs ahead of it, a little each batch, until it is stopped."""
    streamed = geometry.weight_stream > 0
    first, second = sorted(
        {
            geometry.period_cycles(shape, grey),
            geometry.stream_cycles(shape) if streamed else geometry.pass_cycles(shape),
            geometry.load_cycles(shape, grey),
            geometry.send_cycles(shape),
            0,
        },
        reverse=True,
    )[:2]
    return 6 + -(-first // (first - second))


def patience(geometry: Geometry, shape: Shape | tuple[int, ...], timeout: int) -> int:
    """Cycles in which at least one more image must have been answered, backpressure included."""
    return 8 * geometry.period_cycles(shape, True) + timeout + 2000


def malformed(good: list[Beat], rng: np.random.Generator) -> dict[str, list[Beat]]:
    """Each kind of bad packet, named after the error it must raise, made out of a good one."""
    def copy() -> list[Beat]:
        return [replace(beat) for beat in good]

    kinds: dict[str, list[Beat]] = {}
    long = [*copy(), *(Beat(int(rng.integers(0, 256))) for _ in range(3))]
    long[len(good) - 1].end = long[len(good) - 1].empty = 0
    long[-1].end = 1
    kinds["PACKET_LONG"] = long
    flagged = copy()
    flagged[int(rng.integers(0, len(flagged)))].error = 1
    kinds["PACKET_FLAGGED"] = flagged
    headless = copy()
    headless[0].start = 0
    kinds["PACKET_FRAME"] = headless
    if len(good) > 1:
        short = copy()[: len(good) - 1]
        short[-1].end = 1
        kinds["PACKET_SHORT"] = short
    return kinds


def out_of_step(good: list[Beat], beats: int) -> dict[str, list[Beat]]:
    """Weight packets that are not what a pass needs, made out of a good one of words of `beats`
    beats."""

    def ended(packet: list[Beat]) -> list[Beat]:
        packet = [replace(beat, start=0, end=0) for beat in packet]
        packet[0].start = packet[-1].end = 1
        return packet

    kinds = {
        "headless": [replace(good[0], start=0), *good[1:]],
        "endless": [*good[:-1], replace(good[-1], end=0)],
        "a word too many": ended(good + good[:beats]),
        "the first word twice": ended(good[:beats] + good),
    }
    if len(good) > beats:
        kinds["without its first word"] = ended(good[beats:])
        kinds["without its last word"] = ended(good[:-beats])
    if beats > 1:
        kinds["cut off in mid word"] = ended(good[:-1])
    return kinds
