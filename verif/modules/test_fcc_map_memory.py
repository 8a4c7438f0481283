# SPDX-License-Identifier: Apache-2.0
"""`fcc_map_memory` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator


# An odd depth; the smallest one; two planes of the widest slot; the deepest one.
@pytest.mark.one_quick
@pytest.mark.parametrize(("width", "depth"), [(6, 37), (1, 2), (128, 64), (3, 16384)])
def test_fcc_map_memory(width: int, depth: int, tmp_path: Path) -> None:
    """Banks, sides, latency."""
    model = simulator.build("fcc_map_memory", {"WIDTH": width, "DEPTH": depth})
    settings = {"width": width, "depth": depth}
    model.run("modules.fcc_map_memory_tests", tmp_path, settings=settings)
