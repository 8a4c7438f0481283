# SPDX-License-Identifier: Apache-2.0
"""`fcc_map_table_check` alone."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from golden.map_tables import Core
from xnor_fcc_sim import simulator

SMALL = Core(
    **{"pe": 3, "slot": 6, "ring": 20, "most_groups": 7, "max_layers": 4, "max_classes": 19},
    **{"weight_depth": 40, "threshold_depth": 9, "map_input": 12, "map_even": 23, "map_odd": 11},
)
# Every field at its end: a slot is one bit, groups are slices.
WIDE = Core(
    **{"pe": 1, "slot": 1, "ring": 127, "most_groups": 255, "max_layers": 16, "max_classes": 255},
    **{"weight_depth": 30000, "threshold_depth": 256},
    **{"map_input": 1983, "map_even": 512, "map_odd": 510},
)
# Memories of a word or two.
LEAST = Core(
    **{"pe": 2, "slot": 2, "ring": 9, "most_groups": 5, "max_layers": 4, "max_classes": 2},
    **{"weight_depth": 90, "threshold_depth": 20, "map_input": 2, "map_even": 2, "map_odd": 1},
)
SIDES = [1, 2, 3, 4, 5, 6, 7, 8, 9]
ENDS = [1, 2, 3, 4, 6, 19, 20, 62, 64, 120, 122, 124, 125]
MEMORIES = ["weight_depth", "threshold_depth", "map_input", "map_even", "map_odd"]
BOTH = ["ring", "most_groups", *MEMORIES]


# Two groups to a slot; kinds of layers; one, also with pixels as numbers, and eight; fields at
# their ends, as many layers as there may be; areas of hardly a word. `limits`: those that some
# table exceeds alone.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("core", "sides", "limits"),
    [
        (SMALL, SIDES, BOTH),
        (replace(SMALL, order=2, ternary=1, weight_depth=50), SIDES, BOTH),
        (replace(SMALL, pe=6, order=2), SIDES, BOTH),
        (replace(SMALL, pe=6, order=2, numbers=1), SIDES, BOTH),
        (replace(SMALL, slot=24, most_groups=20, ternary=1, threshold_depth=22), SIDES, BOTH[1:]),
        (WIDE, ENDS, MEMORIES),
        (LEAST, SIDES, ["most_groups", "map_input", "map_even", "map_odd"]),
    ],
)
def test_fcc_map_table_check(
    core: Core, sides: list[int], limits: list[str], tmp_path: Path
) -> None:
    """Accepted and refused tables."""
    parameters = {
        "PE": core.pe,
        "SLOT": core.slot,
        "RING": core.ring,
        "GROUPS": core.most_groups,
        "MAX_LAYERS": core.max_layers,
        "MAX_CLASSES": core.max_classes,
        "WEIGHT_DEPTH": core.weight_depth,
        "THRESHOLD_DEPTH": core.threshold_depth,
        "MAP_INPUT": core.map_input,
        "MAP_EVEN": core.map_even,
        "MAP_ODD": core.map_odd,
        "ORDER": core.order,
        "TERNARY": core.ternary,
        "NUMBERS": core.numbers,
    }
    model = simulator.build("fcc_map_table_check", parameters)
    settings = {"core": asdict(core), "sides": sides, "limits": limits}
    model.run("modules.fcc_map_table_check_tests", tmp_path, settings=settings)
