# SPDX-License-Identifier: Apache-2.0
"""`fcc_weight_source` alone: with a memory, and with a stream."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xnor_fcc.geometry import ceil_div
from xnor_fcc_sim import simulator

_PRESET = "preset"


def build(**parameters: int) -> simulator.Model:
    """The module of the given size."""
    return simulator.build("fcc_weight_source", parameters)


# The smallest one; several banks, the last one in part, and surplus bits of the last chunk; a bank
# that is not full and words of whole chunks; as many banks as a core may have; more words than
# a byte counts, in two banks.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("width", "depth", "bank"), [(1, 2, 1), (45, 11, 4), (64, 9, 16), (33, 100, 1), (8, 300, 256)]
)
def test_memory(width: int, depth: int, bank: int, tmp_path: Path) -> None:
    """Loading, refused chunks, restarts, resets, and words when they are due."""
    parameters = {"WIDTH": width, "DEPTH": depth, "BANK_DEPTH": bank, "BEAT": 0}
    settings = {"parameters": parameters, "preset": None}
    tests = ["every_word", "loads_again_and_again"]
    build(**parameters).run("modules.fcc_weight_source_tests", tmp_path, tests, settings)


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "bank_depth"), [(11, 4), (100, 1)])
def test_memory_with_contents_at_power_up(depth: int, bank_depth: int, tmp_path: Path) -> None:
    """Every bank has its file, and its words count as loaded."""
    parameters = {"WIDTH": 37, "DEPTH": depth, "BANK_DEPTH": bank_depth, "BEAT": 0}
    rng = np.random.default_rng(1)
    words = [int.from_bytes(rng.bytes(5), "little") >> 3 for _ in range(depth)]
    for bank in range(ceil_div(depth, bank_depth)):
        mine = words[bank_depth * bank :][:bank_depth]
        lines = "".join(f"{word:010x}\n" for word in mine)
        # The simulation runs in tmp_path, where it finds the files.
        (tmp_path / f"{_PRESET}_weights_{bank:02d}_000.hex").write_text(lines)
    model = simulator.build("fcc_weight_source", {**parameters, "PRESET": _PRESET})
    settings = {"parameters": parameters, "preset": words}
    tests = ["preset_words", "every_word", "loads_again_and_again"]
    model.run("modules.fcc_weight_source_tests", tmp_path, tests, settings)


# One beat a word, with many bits to spare, and a word of one bit; several beats; the
# widest beat, exactly full and nearly empty in the second one.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("width", "beat"), [(1, 8), (13, 512), (45, 16), (1024, 512), (513, 512)]
)
def test_stream(width: int, beat: int, tmp_path: Path) -> None:
    """Words out of packets, when they are taken, what empties it, what it refuses."""
    parameters = {"WIDTH": width, "DEPTH": 2, "BANK_DEPTH": 1, "BEAT": beat}
    tests = ["stream_of_words", "stream_is_emptied", "stream_out_of_step"]
    settings = {"parameters": parameters, "preset": None}
    build(**parameters).run("modules.fcc_weight_source_tests", tmp_path, tests, settings)
