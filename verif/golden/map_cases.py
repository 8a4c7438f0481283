# SPDX-License-Identifier: Apache-2.0
"""Networks that begin with convolutions by chance, each with the smallest core of a PE and SIMD by
chance: odd sides, pools, windows of both sizes, several slices, flat layers that repeat, every
kind."""

from __future__ import annotations

import numpy as np

from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.random_network import Convolution, random_map_network
from xnor_fcc.shape import PIXEL_BITS


def map_case(
    rng: np.random.Generator,
    most_side: int = 12,
    most_slot: int = 30,
    kinds: bool = True,
) -> tuple[IntegerNetwork, Geometry]:
    """A network of images of at most `most_side`, border and all, and its core.

    Without `kinds` it has single bits and binary weights only.
    """
    colours, levels = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    slot = max(int(rng.integers(1, most_slot + 1)), 3 * colours * levels)
    pe = int(rng.choice([part for part in range(1, slot + 1) if slot % part == 0]))
    border = int(rng.integers(0, 2))
    side = map_side = int(rng.integers(3 + 2 * border, most_side + 1))
    convolutions = []
    for i in range(int(rng.integers(1, 5))):
        kernel = 3 if i == 0 or (side >= 3 and rng.random() < 0.7) else 1
        positions = side - kernel + 1
        pool = positions % 2 == 0 and rng.random() < 0.5
        channels = int(rng.integers(1, 2 * slot + 2))
        convolutions.append(Convolution(channels, kernel, bool(pool)))
        side = positions // 2 if pool else positions
    dense = [int(width) for width in rng.integers(1, 2 * slot + 2, rng.integers(1, 4))]
    count = len(convolutions) + len(dense)
    orders, ternary = [1] * count, [False] * count
    if kinds and rng.random() < 0.5:
        orders[1:] = rng.integers(1, 3, count - 1).tolist()
    if kinds and rng.random() < 0.5:
        ternary = (rng.random(count) < 0.5).tolist()
    if kinds and rng.random() < 0.25:
        orders[:2] = [PIXEL_BITS, 1]
    network = random_map_network(
        rng, map_side - 2 * border, convolutions, dense, colours, levels, border, orders, ternary
    )
    return network, Geometry.for_widths(network.shape, pe, 3 * slot, 4)


def images_of(network: IntegerNetwork, rng: np.random.Generator, count: int) -> np.ndarray:
    """Random images, uint8 (count, side, side, colours) without the border; pixels around the
    levels among them, of numbers the ends."""
    pixels = network.pixels
    assert pixels is not None
    shape = (count, pixels.side, pixels.side, pixels.colours)
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    edges = rng.choice(pixels.edges, shape).astype(int) - rng.integers(0, 2, shape)
    return np.where(rng.random(shape) < 0.3, edges.clip(0, 255).astype(np.uint8), images)
