# SPDX-License-Identifier: Apache-2.0
"""`fcc_map_lane` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator


# Some PEs; one PE and slots of one bit; as many PEs as a slot has; more PEs than share a copy of
# the controls; the widest slot. Some of these with bits that are decided outside; two whose inputs
# may be numbers.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("pe", "slot", "order", "words", "halve"),
    [
        *[(3, 6, 1, 5, 0), (3, 6, 2, 5, 0), (1, 1, 1, 9, 0), (1, 1, 2, 127, 0), (21, 21, 1, 3, 0)],
        *[(2, 64, 1, 4, 0), (3, 6, 1, 16, 1), (18, 3, 2, 8, 1)],
    ],
)
def test_fcc_map_lane(
    pe: int, slot: int, order: int, words: int, halve: int, tmp_path: Path
) -> None:
    """Groups, gaps, resets."""
    # Sums from -P - 1 to P + 1.
    acc_bits = (3 * slot * words + 1).bit_length() + 1
    parameters = {
        "PE": pe,
        "SLOT": slot,
        "ACC_BITS": acc_bits,
        "GROUP_BITS": 3,
        "ORDER": order,
        "HALVE": halve,
    }
    model = simulator.build("fcc_map_lane", parameters)
    groups, between = (120 if words < 20 else 20), 1
    if simulator.chosen() == "icarus" and pe * slot > 100:
        # Hundreds of XNORs take four-state logic a fifth of a second for a cycle.
        groups, between = 8, 6
    settings = {
        **{"pe": pe, "slot": slot, "order": order, "words": words, "acc_bits": acc_bits},
        **{"group_bits": 3, "groups": groups, "between": between, "numbers": bool(halve)},
    }
    model.run("modules.fcc_map_lane_tests", tmp_path, settings=settings)
