# SPDX-License-Identifier: Apache-2.0
"""`fcc_word_loader` alone, many sizes in one build."""

from __future__ import annotations

from pathlib import Path

from xnor_fcc_sim import simulator


def test_fcc_word_loader(tmp_path: Path) -> None:
    """Words, restarts, overflow, preset words."""
    sources = [*simulator.rtl_sources(), Path(__file__).with_name("loader_sizes.v")]
    model = simulator.build("loader_sizes", sources=sources)
    model.run("modules.fcc_word_loader_tests", tmp_path)
