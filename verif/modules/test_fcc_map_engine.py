# SPDX-License-Identifier: Apache-2.0
"""`fcc_map_engine` alone."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from xnor_fcc.geometry import Geometry
from xnor_fcc.random_network import Convolution, random_map_network
from xnor_fcc_sim import simulator

# Side, border, convolutions, dense layers, orders, ternary, colours and levels; PE and slot.
_NETWORKS = {
    # The smallest image: one position, one neuron.
    "smallest": ((3, 0, [(1, 3, False)], [1], [1, 1], [False] * 2, 1, 1), (1, 3)),
    # A pool, slices, an odd side in front of a dense layer.
    "binary": (
        (8, 1, [(7, 3, True), (13, 3, False), (4, 1, False)], [9, 4], [1] * 5, [False] * 5, 1, 2),
        (2, 6),
    ),
    # A layer of one step is behind one that has hardly ended: the shortest drain shows.
    "ternary": ((4, 0, [(4, 3, True), (4, 1, False)], [3], [1] * 3, [True] * 3, 1, 1), (4, 4)),
    "order-2": (
        (6, 0, [(5, 3, False), (6, 1, True)], [5, 3], [1, 2, 2, 2], [False, True] * 2, 2, 1),
        (3, 6),
    ),
    "mixed": (
        (7, 0, [(5, 3, False), (4, 3, False)], [5, 3], [1, 1, 2, 1], [False] * 4, 1, 1),
        (1, 4),
    ),
    # Pixels as numbers, with weights of both kinds, in both kinds of core.
    "numbers": ((5, 0, [(5, 3, False)], [4, 3], [8, 1, 1], [False] * 3, 2, 0), (2, 6)),
    "numbers-2": ((4, 1, [(3, 3, True)], [4, 3], [8, 1, 2], [True, False, False], 1, 0), (3, 3)),
}


@pytest.mark.one_quick
@pytest.mark.parametrize("name", ["binary", *(name for name in _NETWORKS if name != "binary")])
def test_fcc_map_engine(name: str, tmp_path: Path) -> None:
    """Networks of every kind: cycles, scores, loading, resets."""
    network, (pe, slot) = _NETWORKS[name]
    side, border, convolutions, dense, orders, ternary, colours, levels = network
    made = random_map_network(
        np.random.default_rng(1), side, [Convolution(*c) for c in convolutions], dense,
        colours, levels, border, orders, ternary,
    )  # fmt: skip
    made.save(tmp_path / "network.npz")
    base = Geometry.for_widths(made.shape, pe, 3 * slot, 4)
    geometry = replace(base, bank_depth=max(1, base.weight_depth // 3))
    groups = geometry.groups(geometry.max_width)
    own = ("PE", "MAX_LAYERS", "MAX_CLASSES", "WEIGHT_DEPTH", "BANK_DEPTH", "THRESHOLD_DEPTH",
           "MAP_INPUT", "MAP_EVEN", "MAP_ODD", "ORDER", "TERNARY")  # fmt: skip
    parameters = {
        **{key: geometry.parameters()[key] for key in own},
        "SLOT": slot,
        "RING": geometry.ring,
        "SCORE_BITS": geometry.score_bits,
        "GROUPS": groups,
        "GROUP_BITS": max(1, (groups - 1).bit_length()),
        "PLACE": 3 * geometry.pixel_bits,
        "NUMBERS": int(geometry.numbers),
    }
    model = simulator.build("fcc_map_engine", parameters)
    settings = {"geometry": asdict(geometry), "network": str(tmp_path / "network.npz")}
    model.run("modules.fcc_map_engine_tests", tmp_path, settings=settings)
