# SPDX-License-Identifier: Apache-2.0
"""`xnor_popcount`, `fcc_plane_counter`, `fcc_counter_5to3` and `fcc_parity_coder`: many sizes in
one build."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator

_MANY = ["equal_bits", "every_coded_bit_counts", "plane_counters", "five_bits", "parity_coders"]


@pytest.mark.slow
def test_xnor_popcount(tmp_path: Path) -> None:
    """Counts of random and extreme words, their latency, and every coded bit."""
    sources = [*simulator.rtl_sources(), Path(__file__).with_name("popcount_sizes.v")]
    # Icarus takes a second for a long word.
    longest, words = (262, 150) if simulator.chosen() == "verilator" else (24, 30)
    model = simulator.build(
        "popcount_sizes", {"LONGEST": longest}, sources=sources, optimised=False
    )
    settings = {"longest": longest, "words": words}
    model.run("modules.xnor_popcount_tests", tmp_path, _MANY, settings)


# Six planes in the top column of the counter, seven and nine; around powers of 2; one PE.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("pe", "simd"),
    [
        (2, 448),
        (1, 447),
        (1, 512),
        pytest.param(2, 1020, marks=pytest.mark.verilator),
        pytest.param(1, 1024, marks=pytest.mark.verilator),
    ],
)
def test_the_longest_words(pe: int, simd: int, tmp_path: Path) -> None:
    """Counts of one size at a time."""
    run("xnor_popcount", {"PE": pe, "SIMD": simd}, "one_popcount", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "carries"), [(2, 224), (3, 512)])
def test_the_most_planes(width: int, carries: int, tmp_path: Path) -> None:
    """The counter by itself."""
    run("fcc_plane_counter", {"WIDTH": width, "CARRIES": carries}, "one_counter", tmp_path)


@pytest.mark.one_quick
@pytest.mark.parametrize(
    "width", [448, 513, pytest.param(1024, marks=pytest.mark.verilator)]
)
def test_the_widest_coders(width: int, tmp_path: Path) -> None:
    """Hundreds of blocks of bits."""
    run("fcc_parity_coder", {"WIDTH": width}, "one_coder", tmp_path)


def run(module: str, parameters: dict[str, int], test: str, directory: Path) -> None:
    # The ports alone: a compiler takes long for what can be read of a thousand blocks.
    ports = ("clk", "activation", "weight", "count", "planes", "bits", "coded")
    model = simulator.build(module, parameters, nets=ports, optimised=False)
    # Icarus takes seconds for a long word.
    words, alone = (150, 64) if simulator.chosen() == "verilator" else (6, 8)
    settings = {"parameters": parameters, "words": words, "alone": alone}
    model.run("modules.xnor_popcount_tests", directory, test, settings)
