# SPDX-License-Identifier: Apache-2.0
"""`fcc_map_lanes` alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from xnor_fcc.geometry import Geometry
from xnor_fcc.random_network import Convolution, random_map_network
from xnor_fcc_sim import simulator

# Side, convolutions, dense layers, orders, ternary.
PLAIN = (8, [(7, 3, True), (5, 1, False)], [4, 3], [1, 1, 1, 1], [False] * 4)
KINDS = (7, [(7, 3, False), (8, 3, False)], [5, 3], [1, 2, 1, 2], [False, True, False, True])
NUMBERS = (4, [(3, 3, False)], [4, 3], [8, 1, 1], [True, False, False])
MIXED = (3, [(20, 3, False), (19, 1, False)], [3], [1, 2, 2], [True, False, False])
ONE = (3, [(1, 3, False)], [1], [1, 1], [False, False])


# Slots of three groups; the smallest one; every kind of layer, in pairs of lanes; a slot of 21;
# pixels as numbers.
CASES = [(PLAIN, 2, 6), (ONE, 1, 3), (KINDS, 3, 6), (PLAIN, 7, 21), (NUMBERS, 2, 4)]
# More PEs than share a copy of the controls of a pair: 7,776 XNORs a cycle, for which four-state
# logic takes a quarter of an hour.
if simulator.chosen() != "icarus":
    CASES.append((MIXED, 18, 18))


@pytest.mark.one_quick
@pytest.mark.parametrize(("network", "pe", "slot"), CASES)
def test_fcc_map_lanes(
    network: tuple[int, list[tuple[int, int, bool]], list[int], list[int], list[bool]],
    pe: int,
    slot: int,
    tmp_path: Path,
) -> None:
    """Bits, scores, delays, resets."""
    side, convolutions, dense, orders, ternary = network
    made = random_map_network(
        np.random.default_rng(pe), side, [Convolution(*c) for c in convolutions], dense,
        1, 1, 0, orders, ternary,
    )  # fmt: skip
    made.save(tmp_path / "network.npz")
    geometry = Geometry.for_widths(made.shape, pe, 3 * slot, 4)
    groups = geometry.groups(geometry.max_width)
    parameters = {
        "PE": pe,
        "SLOT": slot,
        "ACC_BITS": geometry.score_bits - 1,
        "GROUP_BITS": max(1, (groups - 1).bit_length()),
        "ORDER": geometry.order,
        "HALVE": int(geometry.numbers),
    }
    model = simulator.build("fcc_map_lanes", parameters)
    # Hundreds of XNORs a cycle are slow in four-state logic.
    quick = simulator.chosen() == "icarus" and pe * slot > 12
    settings = {
        "geometry": asdict(geometry),
        "network": str(tmp_path / "network.npz"),
        "images": 2 if quick else 3,
        "between": 9 if quick else 1,
    }
    model.run("modules.fcc_map_lanes_tests", tmp_path, settings=settings)
