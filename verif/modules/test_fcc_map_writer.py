# SPDX-License-Identifier: Apache-2.0
"""`fcc_map_writer` alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from golden.map_tables import Core
from xnor_fcc_sim import simulator

BASE = Core(
    **{"pe": 1, "slot": 1, "ring": 1, "most_groups": 9, "max_layers": 1, "max_classes": 1},
    **{"weight_depth": 2, "threshold_depth": 2, "map_input": 1, "map_even": 300, "map_odd": 200},
)
SIDES = [1, 2, 3, 4, 5, 6, 7, 10]


# Three groups to a slot in both orders; slots of one bit; slots of four bits of one PE, and of one
# group; 21 bits; 64 bits of one group; the largest side; as many groups as there may be, in slots
# of one PE each.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("pe", "slot", "order", "changes", "sides"),
    [
        (2, 6, 2, {}, SIDES),
        (2, 6, 1, {}, SIDES),
        (1, 1, 1, {"most_groups": 4}, SIDES),
        (1, 1, 2, {"most_groups": 4}, SIDES),
        (1, 4, 1, {}, SIDES),
        (4, 4, 2, {}, SIDES),
        (7, 21, 1, {}, SIDES),
        (64, 64, 2, {}, SIDES),
        (16, 64, 1, {}, SIDES),
        (1, 4, 1, {"most_groups": 1, "map_even": 8192, "map_odd": 6000}, [2, 3, 125, 124]),
        (1, 1, 1, {"most_groups": 255, "map_even": 512, "map_odd": 512}, [1, 2, 3]),
    ],
)
def test_fcc_map_writer(
    pe: int, slot: int, order: int, changes: dict[str, int], sides: list[int], tmp_path: Path
) -> None:
    """Layers of every kind, whole and cut."""
    core = Core(**{**asdict(BASE), "pe": pe, "slot": slot, "order": order, **changes})
    parameters = {
        "PE": pe,
        "SLOT": slot,
        "ORDER": order,
        "ADDRESS_BITS": core.address_bits,
        "ODD": core.map_even,
    }
    model = simulator.build("fcc_map_writer", parameters)
    long = max(sides) > 100
    settings = {"core": asdict(core), "sides": sides, "most_groups": 17000 if long else 400}
    model.run("modules.fcc_map_writer_tests", tmp_path, settings=settings)
