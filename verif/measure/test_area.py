# SPDX-License-Identifier: Apache-2.0
"""The area model of `xnor_fcc.area` is close to what Yosys makes of the RTL."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from measure import synthesis
from xnor_fcc.area import M10K_SHAPES, counter_alm, estimate, memory, popcount_alm
from xnor_fcc.devices import devices
from xnor_fcc.geometry import BANK_SHAPES, Geometry
from xnor_fcc.random_network import Convolution, random_map_network

# Widths, (PE, SIMD, LANES), bits of the weight stream: small enough to synthesise in a test, and
# each another corner: words short and long, lanes, several banks, no weight memory at all.
CORES = [
    ((64, 48, 5), (5, 7, 3), {}),
    ((256, 64, 10), (12, 64, 1), {}),
    ((200, 200, 10), (2, 8, 1), {}),
    ((96, 80, 10), (8, 24, 2), {"weight_stream": 64}),
    ((100, 64, 64, 10), (8, 32, 2), {"order": 2, "ternary": 1}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("widths", "sizes", "more"), CORES, ids=str)
def test_whole_cores(
    widths: tuple[int, ...], sizes: tuple[int, int, int], more: dict[str, int]
) -> None:
    """The ALMs are within 15 % of Yosys' estimate, the blocks of RAM are the same."""
    stream = more.get("weight_stream", 0)
    geometry = replace(Geometry.for_widths(widths, *sizes, weight_stream=stream), **more)
    found = synthesis.intel("xnor_fcc", geometry.parameters())
    model = estimate(geometry)
    print(f"{sizes}: Yosys {found.alm} ALMs, model {model.alm:.1f}")
    assert model.alm == pytest.approx(found.alm, rel=0.15)
    assert model.blocks == found.m10k


# Shapes, PE, SIMD: several groups a slot, and one; colours, order 2.
MAPS = [
    (6, [Convolution(6), Convolution(6, 3, True)], [4], 3, 1, (1, 2, 2), 3, 27),
    (6, [Convolution(9), Convolution(9, 1, True)], [9, 4], 1, 3, (1, 1, 1, 1), 9, 27),
]


@pytest.mark.slow
@pytest.mark.parametrize("case", MAPS, ids=lambda case: f"PE={case[-2]} SIMD={case[-1]}")
def test_whole_cores_for_convolutions(case: tuple[Any, ...]) -> None:
    """The same of them."""
    side, convolutions, dense, colours, levels, orders, pe, simd = case
    network = random_map_network(
        np.random.default_rng(1), side, convolutions, dense, colours, levels, 0, orders
    )
    geometry = Geometry.for_widths(network.shape, pe, simd, 4)
    found = synthesis.intel("xnor_fcc", geometry.parameters())
    model = estimate(geometry)
    print(f"PE={pe} SIMD={simd}: Yosys {found.alm} ALMs, model {model.alm:.1f}")
    assert model.alm == pytest.approx(found.alm, rel=0.15)
    assert model.blocks == found.m10k


# Cells of the first of these cores, by Yosys 0.70. As long as weights were written whole they were
# those of before there were cores that learn; flip-flops and memories are as many as before there
# were cores for convolutions, and one: what a host's write waits for (occupied_reg of fcc_csr).
# Lookup tables are left out: how many they become depends on the names of what they are made of.
BEFORE = {
    "$_AND_": 1723, "$_MUX_": 1285, "$_NOT_": 708, "$_OR_": 1562, "$_XOR_": 1125, "$mux": 1,
    "MISTRAL_ALUT_ARITH": 1253, "MISTRAL_FF": 3276, "MISTRAL_M10K": 1, "MISTRAL_MLAB": 45,
    "MISTRAL_MUL18X18": 1,
}  # fmt: skip


@pytest.mark.slow
def test_options_that_are_off_cost_nothing() -> None:
    """A core of dense layers that does not learn is gate for gate what it was before there were any
    others. Another Yosys has other gates; of that one the flip-flops and memories are compared."""
    widths, sizes, _ = CORES[0]
    parameters = Geometry.for_widths(widths, *sizes).parameters()
    assert parameters["LEARN"] == 0
    found, kept = synthesis.gates("xnor_fcc", parameters), set(BEFORE)
    if synthesis.yosys_version() != "0.70":
        kept = {"MISTRAL_FF", "MISTRAL_M10K", "MISTRAL_MLAB", "MISTRAL_MUL18X18"}
    cells = {name: n for name, n in found.items() if name in kept or kept == set(BEFORE)}
    assert cells == {name: BEFORE[name] for name in kept}


# Cores that learn: ALMs and M10K that it may cost.
LEARNING = [((64, 48, 5), (5, 7, 3), 550, 1), ((64, 48, 12), (4, 16, 2), 700, 3)]


@pytest.mark.slow
@pytest.mark.parametrize(("widths", "sizes", "alm", "blocks"), LEARNING, ids=str)
def test_what_learning_costs(
    widths: tuple[int, ...], sizes: tuple[int, int, int], alm: int, blocks: int
) -> None:
    """Little, and the model of the area knows it."""
    geometry = Geometry.for_widths(widths, *sizes)
    learning = replace(geometry, learn=widths[-1])
    without, found = (
        synthesis.intel("xnor_fcc", each.parameters()) for each in (geometry, learning)
    )
    print(f"{sizes}: {found.alm - without.alm} ALMs, {found.m10k - without.m10k} M10K")
    assert 0 < found.alm - without.alm < alm
    assert found.m10k - without.m10k == blocks
    model = estimate(learning)
    assert model.alm == pytest.approx(found.alm, rel=0.15)
    assert model.blocks == found.m10k


@pytest.mark.parametrize(
    ("simd", "alm"),
    [(32, 34.5), (64, 57.5), (114, 93.5), (127, 102), (128, 106), (131, 105), (205, 161.4),
     (256, 200.5), (262, 203.5)],
)
def test_popcount_and_accumulator(simd: int, alm: float) -> None:
    """ALMs of a PE with an accumulator of 12 bits, as Yosys 0.70 found them in large arrays."""
    assert popcount_alm(simd) + 12 == pytest.approx(alm, rel=0.02)


@pytest.mark.parametrize(
    ("heights", "functions"),
    [
        ([1], 0),  # nothing to add
        ([2, 0], 2),  # a half adder: sum and carry
        ([3, 0], 2),  # a full adder
        ([4, 0, 0], 3),  # sum, twos, fours
        ([5, 0, 0], 3),  # one 5:3 counter
        ([0, 2], 1),  # nothing leaves the top column
        ([6, 0, 0], 8),  # a 5:3 counter, half adders in two columns, the top column
    ],
)
def test_counters(heights: list[int], functions: int) -> None:
    assert counter_alm(heights) == functions / 2


def test_the_parts_of_a_core_add_up() -> None:
    area = estimate(Geometry())
    assert area.alm == pytest.approx(sum(area.parts.values()))
    # Every bit of the word is chosen from three banks.
    assert area.parts["bank selection"] == pytest.approx(32 * 128 / 2, rel=0.05)
    wider = estimate(Geometry(lanes=5))
    assert wider.alm - area.alm == pytest.approx(
        sum(area.parts[p] for p in (
            "popcount", "accumulators", "ring", "parity coders", "lane control"
        )) / 4 + 0.25 * 16 * Geometry().score_bits
    )


@pytest.mark.parametrize(
    ("width", "depth", "expected"),
    [
        (4096, 256, (103, 0.0)),
        (4096, 744, (309, 2048.0)),  # three times 103 above each other, and a multiplexer
        (7168, 445, (359, 0.0)),
        (14145, 215, (354, 0.0)),
        (897, 46, (23, 0.0)),
        (1650, 3, (0, 825.0)),  # too shallow for blocks
        (45, 11, (0, 22.5)),
        (3, 100, (0, 6.0)),
        (20, 1, (0, 0.0)),  # flip-flops
    ],
)
def test_memory(width: int, depth: int, expected: tuple[int, float]) -> None:
    """The figures of architecture and synthesis; blocks at their widest where words are few."""
    assert memory(width, depth) == expected


def test_no_logic_is_modelled_that_the_rtl_does_not_have() -> None:
    """Every module below the top is accounted for in the model, by its name."""
    package = Path(__file__).resolve().parents[2] / "model" / "xnor_fcc"
    text = (package / "area.py").read_text() + (package / "map_area.py").read_text()
    small = {"fcc_memory", "fcc_counter_5to3", "fcc_core", "fcc_argmax", "fcc_pe_array",
             "fcc_weight_memory", "fcc_weight_stream", "fcc_threshold_memory", "fcc_engine",
             "fcc_lanes", "fcc_threshold_source", "fcc_weight_source", "fcc_map_core",
             "fcc_map_engine", "fcc_map_lane", "fcc_map_lanes", "fcc_map_memory",
             "fcc_image_input", "fcc_learn_walk", "fcc_learn_registers", "fcc_memory_slice"}
    for path in synthesis.RTL.glob("*.v"):
        assert path.stem in text or path.stem in small, path.stem


def test_devices_have_the_shapes_of_yosys() -> None:
    for device in devices().values():
        assert device.shapes == M10K_SHAPES
        assert set(BANK_SHAPES) < set(device.shapes)
        assert max(words * bits for words, bits in device.shapes) == device.block_bits
