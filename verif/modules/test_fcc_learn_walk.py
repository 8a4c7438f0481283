# SPDX-License-Identifier: Apache-2.0
"""`fcc_learn_walk` alone, many sizes in one build."""

from __future__ import annotations

from pathlib import Path

from xnor_fcc_sim import simulator


def test_fcc_learn_walk(tmp_path: Path) -> None:
    """Synapses, words, groups, chunks, how long it takes, resets."""
    sources = [*simulator.rtl_sources(), Path(__file__).with_name("walk_sizes.v")]
    model = simulator.build("walk_sizes", sources=sources)
    model.run("modules.fcc_learn_walk_tests", tmp_path)
