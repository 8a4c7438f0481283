# SPDX-License-Identifier: Apache-2.0
"""`xnor_popcount`, `fcc_plane_counter`, `fcc_counter_5to3` and `fcc_parity_coder`: many sizes in
one build."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator


@pytest.mark.slow
def test_xnor_popcount(tmp_path: Path) -> None:
    """Counts of random and extreme words, their latency, and every coded bit."""
    sources = [*simulator.rtl_sources(), Path(__file__).with_name("popcount_sizes.v")]
    # Icarus takes a second for a long word.
    longest, words = (262, 150) if simulator.chosen() == "verilator" else (24, 30)
    model = simulator.build("popcount_sizes", {"LONGEST": longest}, sources=sources)
    settings = {"longest": longest, "words": words}
    model.run("modules.xnor_popcount_tests", tmp_path, settings=settings)
