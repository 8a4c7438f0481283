# SPDX-License-Identifier: Apache-2.0
"""`fcc_window_feeder` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator


# Small slots, in one plane and two, with the whole range of addresses in use; the largest.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("slot", "order", "address_bits"), [(4, 2, 7), (1, 1, 3), (1, 2, 5), (21, 1, 9), (64, 2, 13)]
)
def test_fcc_window_feeder(slot: int, order: int, address_bits: int, tmp_path: Path) -> None:
    """Words of images and maps, and what the banks are asked for."""
    parameters = {"SLOT": slot, "ORDER": order, "ADDRESS_BITS": address_bits}
    model = simulator.build("fcc_window_feeder", parameters)
    settings = {"slot": slot, "order": order, "address_bits": address_bits}
    model.run("modules.fcc_window_feeder_tests", tmp_path, settings=settings)
