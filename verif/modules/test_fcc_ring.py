# SPDX-License-Identifier: Apache-2.0
"""`fcc_ring` alone, many sizes in one build."""

from __future__ import annotations

from pathlib import Path

from xnor_fcc_sim import simulator


def test_fcc_ring(tmp_path: Path) -> None:
    """Loading, winding up, rotating, holding."""
    sources = [*simulator.rtl_sources(), Path(__file__).with_name("ring_sizes.v")]
    model = simulator.build("ring_sizes", sources=sources)
    model.run("modules.fcc_ring_tests", tmp_path)
