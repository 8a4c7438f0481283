# SPDX-License-Identifier: Apache-2.0
"""`fcc_pe_array` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator


# Fewer PEs than a block of accumulators, and more than one block a tap; PEs that see several taps;
# accumulators that are halved.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("pe", "simd", "taps", "acc_bits", "tag_bits", "halve"),
    [
        *[(5, 13, 2, 8, 3, 0), (1, 1, 1, 4, 1, 0), (3, 40, 3, 10, 2, 0), (37, 4, 2, 7, 1, 0)],
        *[(2, 65, 1, 31, 16, 0), (19, 5, 1, 8, 2, 1)],
    ],
)
def test_fcc_pe_array(
    pe: int, simd: int, taps: int, acc_bits: int, tag_bits: int, halve: int, tmp_path: Path
) -> None:
    """Sums, decisions and their cycle."""
    parameters = {
        **{"PE": pe, "SIMD": simd, "TAPS": taps, "ACC_BITS": acc_bits, "TAG_BITS": tag_bits},
        "HALVE": halve,
    }
    model = simulator.build("fcc_pe_array", parameters)
    model.run("modules.fcc_pe_array_tests", tmp_path, settings={"parameters": parameters})
