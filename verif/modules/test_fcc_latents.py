# SPDX-License-Identifier: Apache-2.0
"""`fcc_latents` alone, many sizes in one build."""

from __future__ import annotations

from pathlib import Path

from xnor_fcc_sim import simulator


def test_fcc_latents(tmp_path: Path) -> None:
    """Moves, ends, signs, loading, reading, resets."""
    sources = [*simulator.rtl_sources(), Path(__file__).with_name("latents_sizes.v")]
    model = simulator.build("latents_sizes", sources=sources)
    model.run("modules.fcc_latents_tests", tmp_path)
