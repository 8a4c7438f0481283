# SPDX-License-Identifier: Apache-2.0
"""`fcc_memory_bank`, and the `fcc_memory` it is made of, alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xnor_fcc.geometry import SLICE, slices
from xnor_fcc_sim import simulator


# A bit, and around one slice and around two; as many slices as take three digits to name, the last
# one of a bit.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("width", "depth"),
    [
        *((1, 1), (SLICE - 1, 3), (SLICE, 2), (SLICE + 1, 1)),
        *((2 * SLICE - 1, 1), (2 * SLICE, 3), (2 * SLICE + 1, 2), (112 * SLICE + 1, 1)),
    ],
)
def test_fcc_memory_bank(
    width: int, depth: int, tmp_path: Path, quickest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contents at power-up, and what is written."""
    monkeypatch.setenv("SIM", quickest)
    rng = np.random.default_rng(width)
    words = [
        int.from_bytes(rng.bytes(width // 8 + 1), "little") % (1 << width) for _ in range(depth)
    ]
    for number, bits in enumerate(slices(width)):
        lines = (f"{word >> number * SLICE & (1 << bits) - 1:x}\n" for word in words)
        # The simulation runs in tmp_path, where it finds the files.
        (tmp_path / f"preset_{number:03d}.hex").write_text("".join(lines))
    parameters = {"WIDTH": width, "DEPTH": depth, "SLICE": SLICE}
    model = simulator.build("fcc_memory_bank", {**parameters, "PRESET": "preset"})
    settings = {"parameters": parameters, "preset": [f"{word:x}" for word in words]}
    model.run("modules.fcc_memory_bank_tests", tmp_path, settings=settings)
