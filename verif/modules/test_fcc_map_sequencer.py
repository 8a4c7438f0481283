# SPDX-License-Identifier: Apache-2.0
"""`fcc_map_sequencer` alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from golden.map_tables import Core
from xnor_fcc_sim import simulator

SMALL = Core(
    **{"pe": 3, "slot": 6, "ring": 9, "most_groups": 9, "max_layers": 5, "max_classes": 9},
    **{"weight_depth": 400, "threshold_depth": 45, "map_input": 40, "map_even": 70, "map_odd": 31},
)


def core(**changes: int) -> Core:
    return Core(**{**asdict(SMALL), **changes})


# Tables at the ends: (window, words, side, groups, pool, flat, slots of the last word, order,
# ternary) of each layer. The largest image, with its blocks read by a dense layer as they are; all
# groups in a slice each; the longest window.
LARGEST = [(3, 1, 125, 1), (1, 1, 125, 1, False, True, 1), (0, 127, 1, 1, False, False, 1)]
GROUPS = [(3, 1, 1, 255, False, True), (0, 85, 1, 255, False, False)]
LONGEST = [(3, 1, 1, 42), (1, 42, 1, 127, False, True, 1), (0, 43, 1, 2, False, False, 1)]
SQUARES = [(3, 1, 4, 42), (2, 126, 2, 1, False, True), (0, 2, 1, 1, False, False, 1)]
# Slices that stand 128 words apart.
SLICES = [(3, 1, 6, 100), (1, 100, 6, 1, False, True, 1), (0, 12, 1, 1, False, False)]
POOLED = [(3, 1, 124, 1, True), (2, 3, 60, 1, True, True), (0, 100, 1, 1, False, False)]
# Blocks that go back to weights far beyond the first layer's.
LATER = [(3, 1, 6, 6), (2, 9, 4, 6), (1, 3, 4, 2, False, True, 1), (0, 6, 1, 1, False, False, 1)]


# A slot of two groups, with any kind of layer and with none; as many PEs as a slot has, a drain of
# one cycle; four groups a slot; pixels as numbers; one PE in a slot of one bit, at the ends of all
# fields.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("size", "drain", "tables"),
    [
        (core(order=2, ternary=1, weight_depth=800), 13, [LATER]),
        (core(), 11, []),
        (core(pe=6, max_layers=2), 1, []),
        (core(slot=12, max_layers=3), 11, []),
        (core(numbers=1, ternary=1, weight_depth=800), 11, []),
        (core(numbers=1, order=2, max_layers=3), 13, []),
        (
            core(
                **{"pe": 1, "slot": 1, "ring": 127, "most_groups": 255, "max_layers": 3},
                **{"weight_depth": 30000, "threshold_depth": 1000, "max_classes": 255},
                **{"map_input": 2048, "map_even": 2048, "map_odd": 4096},
            ),
            11,
            [LARGEST, GROUPS, LONGEST, SQUARES, SLICES, POOLED],
        ),
    ],
)
def test_fcc_map_sequencer(size: Core, drain: int, tables: list[Any], tmp_path: Path) -> None:
    """Control words of lone, chained, stalled and interrupted passes."""
    group_bits = max(1, (size.most_groups - 1).bit_length())
    parameters = {
        "PE": size.pe,
        "SLOT": size.slot,
        "MAX_LAYERS": size.max_layers,
        "GROUP_BITS": group_bits,
        "WEIGHT_DEPTH": size.weight_depth,
        "THRESHOLD_DEPTH": size.threshold_depth,
        "ADDRESS_BITS": size.address_bits,
        "IMAGE_DEPTH": size.map_input,
        "ODD": size.map_even,
        "DRAIN": drain,
        "TERNARY": size.ternary,
        "NUMBERS": size.numbers,
    }
    model = simulator.build("fcc_map_sequencer", parameters)
    settings = {
        "core": asdict(size),
        "drain": drain,
        "group_bits": group_bits,
        "sides": [1, 2, 3, 4, 5, 6],
        "tables": 6,
        "tables_at_limits": tables,
    }
    model.run("modules.fcc_map_sequencer_tests", tmp_path, settings=settings)
