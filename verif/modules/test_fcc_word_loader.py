# SPDX-License-Identifier: Apache-2.0
"""`fcc_word_loader` alone, many sizes in one build."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator

_TESTS = ["whole_memory", "gaps_and_restarts", "words_again", "reset_in_a_word"]


def test_fcc_word_loader(tmp_path: Path) -> None:
    """Words, restarts, overflow, preset words, words written again."""
    sources = [*simulator.rtl_sources(), Path(__file__).with_name("loader_sizes.v")]
    model = simulator.build("loader_sizes", sources=sources)
    model.run("modules.fcc_word_loader_tests", tmp_path, _TESTS)


# More chunks than a byte counts; more words; words around 2^16, and the last ones of so many.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("chunk", "width", "depth", "first", "size"),
    [(1, 300, 3, 0, 300), (8, 5, 300, 0, 5), (8, 13, 0x10000 + 20, 0xFFF0, 13),
     (32, 4096, 3, 0, 160), (8, 70, 3, 0, 8)],
)  # fmt: skip
def test_one_loader(
    chunk: int, width: int, depth: int, first: int, size: int, tmp_path: Path
) -> None:
    """To the end of its memory."""
    parameters = {"CHUNK": chunk, "WIDTH": width, "DEPTH": depth, "PRESET_WORDS": first}
    parameters["SLICE"] = size
    model = simulator.build("fcc_word_loader", parameters)
    settings = {"parameters": parameters}
    model.run("modules.fcc_word_loader_tests", tmp_path, ["one_loader"], settings)
