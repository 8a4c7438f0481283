# SPDX-License-Identifier: Apache-2.0
"""Geometries that hurt, by name or at random, and runs of the whole core on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from xnor_fcc.geometry import Geometry
from xnor_fcc.pack import pack
from xnor_fcc.random_network import Convolution, random_map_network, random_network
from xnor_fcc_sim import simulator

# Tests of core_tests.py that every core passes; one with streamed weights passes one more.
ALL = [
    "networks_in_turn",
    "bad_packets_lose_nothing_else",
    "refuses_to_start_without_a_fitting_network",
    "reset_in_mid_flight",
    "interrupt_and_backlog",
]

CORNERS = {
    "odd": dict(pe=3, simd=5, lanes=2, max_width=37, weight_depth=300, threshold_depth=60,
                max_classes=7, image_width=8),
    "one-of-each": dict(pe=1, simd=1, lanes=1, max_width=9, weight_depth=300, threshold_depth=60,
                        max_classes=4, image_width=8),
    "word-wider-than-layers": dict(pe=5, simd=64, lanes=3, max_width=50, weight_depth=60,
                                   threshold_depth=60, max_classes=10, image_width=16),
    "more-pe-than-neurons": dict(pe=48, simd=4, lanes=5, max_width=40, weight_depth=60,
                                 threshold_depth=8, max_classes=10, image_width=32),
    "original-like": dict(pe=32, simd=1, lanes=2, max_width=32, weight_depth=160, threshold_depth=8,
                      max_classes=10, image_width=64),
    "all-taps": dict(pe=16, simd=4, lanes=2, max_width=64, taps=16, weight_depth=400,
                     threshold_depth=40, max_classes=10, image_width=64),
    # Could learn, and does not: in every cycle as the others.
    "learns": dict(pe=3, simd=5, lanes=2, max_width=37, weight_depth=300, threshold_depth=60,
                   max_classes=7, image_width=8, learn=7),
    # Weights over asi_weight: words of one beat, of two with a surplus, and of many.
    "streamed": dict(pe=4, simd=16, lanes=2, max_width=60, taps=1, weight_depth=2, bank_depth=1,
                     threshold_depth=60, max_classes=9, image_width=16, weight_stream=64),
    "streamed-in-part": dict(pe=6, simd=7, lanes=3, max_width=50, weight_depth=2, bank_depth=1,
                             threshold_depth=60, max_classes=5, image_width=8, weight_stream=24),
    "streamed-slowly": dict(pe=7, simd=9, lanes=1, max_width=40, taps=3, weight_depth=2,
                            bank_depth=1, threshold_depth=60, max_classes=5, image_width=32,
                            weight_stream=8),
    # Cores for networks beyond one bit: pairs of lanes, two rounds through the words, both.
    "order-2": dict(pe=5, simd=7, lanes=4, max_width=41, taps=2, weight_depth=400,
                    threshold_depth=60, max_classes=7, image_width=16, order=2),
    "ternary": dict(pe=4, simd=6, lanes=3, max_width=40, taps=2, weight_depth=800,
                    threshold_depth=60, max_classes=7, image_width=8, ternary=1),
    "order-2-ternary": dict(pe=18, simd=9, lanes=2, max_width=45, weight_depth=300,
                            threshold_depth=30, max_classes=20, image_width=32, order=2,
                            ternary=1),
    "order-2-streamed": dict(pe=4, simd=16, lanes=2, max_width=60, weight_depth=2, bank_depth=1,
                             threshold_depth=60, max_classes=9, image_width=64, weight_stream=64,
                             order=2, ternary=1),
}

# Parameters at ends that no corner has: banks, layers, classes and lanes as many as there can be or
# nearly, the widest beats; a single layer; weights in the widest beats.
ENDS = {
    "many": dict(pe=3, simd=9, lanes=16, max_width=36, max_layers=16, max_classes=36,
                 weight_depth=200, bank_depth=2, threshold_depth=80, image_width=512),
    "one-layer": dict(pe=2, simd=3, lanes=1, max_width=20, max_layers=1, max_classes=20,
                      weight_depth=70, threshold_depth=10, image_width=256),
    "widest-stream": dict(pe=31, simd=33, lanes=8, max_width=70, weight_depth=2, bank_depth=1,
                          threshold_depth=20, max_classes=9, image_width=128, weight_stream=512),
}


# Tests of learn_tests.py, and cores that learn.
LEARN_TESTS = [
    "learns_bit_by_bit",
    "refuses_what_it_cannot_learn",
    "labels_that_are_missing",
    "reset_and_stop_in_a_walk",
]

# Classes in several groups, a chunk of PEs of no power of two; the label alone in a beat; a PE
# for every bit of a chunk, and for more; one of everything; as many classes as can learn.
LEARN_CORNERS = {
    "odd": dict(pe=3, simd=5, lanes=3, max_width=37, weight_depth=300, threshold_depth=60,
                max_classes=9, image_width=8, learn=7),
    "chunk": dict(pe=32, simd=8, lanes=4, max_width=48, weight_depth=60, threshold_depth=12,
                  max_classes=16, image_width=64, learn=10),
    "wide": dict(pe=37, simd=40, lanes=2, max_width=90, weight_depth=60, threshold_depth=12,
                 max_classes=32, image_width=32, learn=32),
    "one": dict(pe=1, simd=1, lanes=1, max_width=9, weight_depth=300, threshold_depth=60,
                max_classes=4, image_width=16, learn=4),
    "least": dict(pe=2, simd=3, lanes=1, max_width=6, max_layers=1, max_classes=1, weight_depth=6,
                  threshold_depth=4, image_width=512, learn=1),
    "many": dict(pe=5, simd=7, lanes=64, max_width=30, weight_depth=150, threshold_depth=30,
                 max_classes=6, image_width=128, learn=6),
}  # fmt: skip


def random_geometry(seed: int) -> Geometry:
    """A geometry of odd sizes that runs networks of up to 5 layers, of other kinds often."""
    rng = np.random.default_rng(seed)
    pe, simd = (int(n) for n in rng.integers(1, 40, 2))
    width = int(rng.integers(max(4, simd // 2), 120))
    ring = -(-width // simd)
    groups = -(-width // pe)
    # Words of at most 16 beats, which are slow enough.
    streams = [bits for bits in (8, 24, 64, 256) if 16 * bits >= pe * simd]
    sizes = dict(
        pe=pe,
        simd=simd,
        lanes=int(rng.integers(1, 6)),
        max_width=width,
        taps=int(rng.integers(1, min(pe, ring) + 1)),
        max_layers=int(rng.integers(5, 9)),
        max_classes=int(rng.integers(1, min(width, 16) + 1)),
        weight_depth=max(2, 3 * ring * groups + int(rng.integers(0, 50))),
        bank_depth=int(rng.integers(20, 400)) + 3 * ring * groups // 50,
        threshold_depth=max(2, 5 * groups),
        image_width=int(rng.choice([8, 16, 32, 64, 128])),
        weight_stream=int(rng.choice([0, 0, *streams])),
    )
    sizes["ternary"] = int(rng.integers(0, 2))
    if sizes["lanes"] % 2 == 0:
        sizes["order"] = int(rng.integers(1, 3))
    return Geometry(**sizes)

# Tests of map_core_tests.py, and cores for convolutions: slots of an odd number of channels, of as
# many as PEs, of one; all kinds of layers; every colour and beats wider than a pixel; pixels as
# numbers.
MAP_TESTS = ALL
MAP_CORNERS = {
    "odd": dict(pe=3, simd=45, lanes=4, max_width=450, weight_depth=600, bank_depth=200,
                threshold_depth=80, max_classes=7, image_width=8, map_input=40, map_even=30,
                map_odd=25, pixel_channels=1, pixel_levels=5),
    "slot-of-a-group": dict(pe=8, simd=24, lanes=4, max_width=400, weight_depth=400,
                            threshold_depth=50, max_classes=10, image_width=64, map_input=40,
                            map_even=40, map_odd=40, pixel_channels=2, pixel_levels=1),
    "one-pe": dict(pe=1, simd=9, lanes=4, max_width=200, weight_depth=900, threshold_depth=90,
                   max_classes=3, image_width=8, map_input=32, map_even=64, map_odd=16,
                   pixel_channels=1, pixel_levels=1),
    "four-colours": dict(pe=4, simd=72, lanes=4, max_width=500, weight_depth=300,
                         threshold_depth=60, max_classes=5, image_width=32, map_input=40,
                         map_even=20, map_odd=20, pixel_channels=4, pixel_levels=2),
    "order-2-ternary": dict(pe=4, simd=24, lanes=8, max_width=400, weight_depth=900,
                            threshold_depth=80, max_classes=6, image_width=16, map_input=40,
                            map_even=40, map_odd=30, pixel_channels=2, pixel_levels=1, order=2,
                            ternary=1),
    "numbers": dict(pe=3, simd=18, lanes=4, max_width=300, weight_depth=400, bank_depth=150,
                    threshold_depth=60, max_classes=5, image_width=16, map_input=40, map_even=30,
                    map_odd=25, pixel_channels=2, pixel_levels=0, ternary=1),
    "numbers-order-2": dict(pe=2, simd=12, lanes=8, max_width=200, weight_depth=500,
                            threshold_depth=80, max_classes=4, image_width=8, map_input=40,
                            map_even=40, map_odd=30, pixel_channels=1, pixel_levels=0, order=2),
}

# Small, and odd in everything: two chunks a weight word, partial batches, memories that overflow.
FLOODED = Geometry(
    pe=5, simd=9, lanes=3, max_width=45, max_layers=4, max_classes=7, weight_depth=100,
    bank_depth=40, threshold_depth=30, image_width=32,
)  # fmt: skip

# For what fcc_core_tests.py does in every cycle.
SMALL = dict(pe=3, simd=5, lanes=2, max_width=23, max_layers=4, max_classes=5, weight_depth=48,
             bank_depth=20, threshold_depth=12, image_width=8)


def tests_of(geometry: Geometry) -> list[str]:
    """The tests of core_tests.py that a core must pass; most take networks of several layers."""
    if geometry.max_layers == 1:
        return ["networks_in_turn"]
    return [*ALL, *(["weights_out_of_step"] if geometry.weight_stream else [])]


def run(geometry: Geometry, seed: int, name: str) -> None:
    """All of them on one core."""
    model = simulator.build("xnor_fcc", geometry.parameters())
    model.run(
        "core.core_tests",
        simulator.run_directory(name),
        testcase=tests_of(geometry),
        settings={"geometry": asdict(geometry), "seed": seed},
        seed=seed,
    )


def run_maps(name: str, seed: int, **sizes: int) -> None:
    """All tests of a core for convolutions on one of MAP_CORNERS, but for the `sizes` given."""
    geometry = Geometry(**{**MAP_CORNERS[name], **sizes})
    simulator.build("xnor_fcc", geometry.parameters()).run(
        "core.map_core_tests",
        simulator.run_directory(f"maps-{name}-{seed}"),
        testcase=MAP_TESTS,
        settings={"geometry": asdict(geometry), "seed": seed},
        seed=seed,
    )


def run_map_preset(directory: Path, controls: Sequence[Path] = (), **settings: object) -> None:
    """A core for convolutions whose network is in its memories from power-up."""
    convolutions = [Convolution(5), Convolution(9, pool=True)]
    network = random_map_network(np.random.default_rng(3), 10, convolutions, (7, 4), levels=2)
    geometry = Geometry.for_widths(network.shape, pe=2, simd=24, lanes=4, image_width=16)
    prefix, path = directory / "preset", directory / "network.npz"
    pack(network, geometry).write_preset(prefix)
    network.save(path)
    parameters = {**geometry.parameters(), "PRESET": str(prefix)}
    simulator.build("xnor_fcc", parameters, controls=controls).run(
        "core.map_core_tests",
        simulator.run_directory("map-preset"),
        testcase="preset_runs_without_a_host",
        settings={"geometry": asdict(geometry), "network": str(path), **settings},
    )


def run_preset(directory: Path, controls: Sequence[Path] = (), **settings: object) -> None:
    """A core whose network is in its memories from power-up; their images go into `directory`."""
    network = random_network(np.random.default_rng(3), (30, 17, 11, 5))
    geometry = Geometry(pe=4, simd=7, lanes=2, max_width=30, weight_depth=120, bank_depth=32,
                        threshold_depth=16, max_classes=6, image_width=16)
    prefix, path = directory / "preset", directory / "network.npz"
    pack(network, geometry).write_preset(prefix)
    network.save(path)
    parameters = {**geometry.parameters(), "PRESET": str(prefix)}
    simulator.build("xnor_fcc", parameters, controls=controls).run(
        "core.core_tests",
        simulator.run_directory("preset"),
        testcase="preset_runs_without_a_host",
        settings={"geometry": asdict(geometry), "network": str(path), **settings},
    )
