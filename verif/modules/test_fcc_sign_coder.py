# SPDX-License-Identifier: Apache-2.0
"""`fcc_sign_coder` alone, many sizes in one build."""

from __future__ import annotations

from pathlib import Path

from xnor_fcc_sim import simulator


def test_fcc_sign_coder(tmp_path: Path) -> None:
    """Words, chunks, groups, words that were cut off."""
    sources = [*simulator.rtl_sources(), Path(__file__).with_name("coder_sizes.v")]
    model = simulator.build("coder_sizes", sources=sources)
    model.run("modules.fcc_sign_coder_tests", tmp_path)
