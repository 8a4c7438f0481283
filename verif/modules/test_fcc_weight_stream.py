# SPDX-License-Identifier: Apache-2.0
"""`fcc_weight_stream` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator


# One beat a word, exactly and with a surplus; several beats, exactly and with a surplus; a word of
# one bit; beats of 512 bits.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("width", "beat"),
    [(24, 24), (13, 16), (32, 8), (45, 16), (1, 8), (512, 512), (1025, 512)],
)
def test_fcc_weight_stream(width: int, beat: int, tmp_path: Path) -> None:
    """Words at full rate and with gaps, every framing fault, resets."""
    parameters = {"WIDTH": width, "BEAT": beat}
    model = simulator.build("fcc_weight_stream", parameters)
    model.run("modules.fcc_weight_stream_tests", tmp_path, settings={"parameters": parameters})


@pytest.mark.slow
@pytest.mark.parametrize("width", [8 * 257, 8 * 256])
def test_words_of_many_beats(width: int, tmp_path: Path) -> None:
    """More beats than a byte counts."""
    parameters = {"WIDTH": width, "BEAT": 8}
    model = simulator.build("fcc_weight_stream", parameters)
    tests = ["full_rate", "two_words_ahead", "disabled"]
    model.run("modules.fcc_weight_stream_tests", tmp_path, tests, {"parameters": parameters})
