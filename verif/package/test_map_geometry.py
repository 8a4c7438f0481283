# SPDX-License-Identifier: Apache-2.0
"""Cores for convolutions: which can be built, what fits them, how long a network takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from golden.map_cases import map_case
from xnor_fcc.geometry import Geometry, GeometryError, KindError, Shape
from xnor_fcc.map_geometry import DRAIN
from xnor_fcc.map_plan import Area, Stage, Window, image_area, plan, slot_place
from xnor_fcc.pack import pack
from xnor_fcc.random_network import Convolution, random_map_network
from xnor_fcc.shape import PIXEL_BITS, MapShape

# Courbariaux and Bengio's convolutional network, as FINN and BNN-PYNQ have it, with 7 levels.
CNV = MapShape(
    (3072, 64, 64, 128, 128, 256, 256, 512, 512, 10), (1,) * 9, (False,) * 9,
    side=32, colours=3, levels=7,
    convolutions=((3, False), (3, True), (3, False), (3, True), (3, False), (3, False)),
)  # fmt: skip


def test_the_steps_of_a_large_network() -> None:
    g = Geometry.for_widths(CNV, 32, 192, 4)
    assert [stage.steps for stage in plan(CNV, 32, 192)] == [
        450, 1176, 432, 600, 192, 96, 32, 48, 3
    ]  # fmt: skip
    assert g.steps(CNV) == 3029 and g.pass_cycles(CNV) == 3029 + 8 * DRAIN[1]
    assert g.period_cycles(CNV) == g.pass_cycles(CNV) and g.images_per_batch(CNV) == 1
    assert g.period_cycles(CNV) <= 3200 and g.latency_cycles(CNV, 256) <= 3400
    assert g.weight_words(CNV) == 271 == g.weight_depth and g.threshold_depth == 61
    assert (g.map_input, g.map_even, g.map_odd) == (120, 120, 28)
    assert (g.max_width, g.lanes, g.max_layers, g.taps) == (2304, 4, 9, 1)
    assert CNV.sides == (30, 14, 12, 5, 3, 1) and CNV.layers[6] == (256, 512, 1)
    maps = 30**2 * 64 + 14**2 * 64 + 12**2 * 128 + 5**2 * 128 + 3**2 * 256 + 256
    assert CNV.hidden_bits == maps + 512 + 512
    # Pixels as numbers are read eight times, a plane of bits each, with the same weights.
    numbers = replace(CNV, levels=0, orders=(PIXEL_BITS, *CNV.orders[1:]))
    other = Geometry.for_widths(numbers, 32, 192, 4)
    assert other.pass_cycles(numbers) == g.pass_cycles(CNV) + 7 * 450
    assert other.weight_depth == 271 and other.pixel_levels == 0
    second = replace(CNV, orders=(1, *(2,) * 8))
    assert second.hidden_bits == 2 * CNV.hidden_bits
    other = Geometry.for_widths(second, 32, 192, 4)
    assert other.lanes == 8 and other.pass_cycles(second) == 3029 + 8 * DRAIN[2]


def test_parameters_of_maps_are_those_of_map_cores_alone() -> None:
    maps = {"MAP_INPUT", "MAP_EVEN", "MAP_ODD", "PIXEL_CHANNELS", "PIXEL_LEVELS"}
    g = Geometry.for_widths(CNV, 32, 192, 4)
    assert not maps & Geometry().parameters().keys()
    others = Geometry().parameters()
    assert others.pop("LEARN") == 0, "which is one of dense cores alone"
    assert g.parameters() == others | {
        name.upper(): value for name, value in vars(g).items() if name != "learn"
    }
    assert maps < g.parameters().keys()


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"map_input": 8193}, "MAP_INPUT=8193 is outside 1 to 8192"),
        ({"map_input": -1}, "MAP_INPUT=-1 is outside 1 to 8192"),
        ({"map_even": 0}, "MAP_EVEN=0 is outside 1 to 8192"),
        ({"map_odd": 0}, "MAP_ODD=0 is outside"),
        ({"map_input": 0}, "MAP_EVEN and MAP_ODD must be 0"),
        ({"pixel_channels": 5}, "PIXEL_CHANNELS=5 is outside 1 to 4"),
        ({"pixel_levels": -1}, "PIXEL_LEVELS=-1 is outside 0 to 64"),
        ({"pixel_levels": 0, "simd": 24, "pe": 8}, "SIMD=24 must be at least 27"),
        ({"pixel_levels": 8}, "SIMD=192 must be at least 216"),
        ({"lanes": 8}, "LANES=8 must be 4 \\* ORDER"),
        ({"order": 2}, "LANES=4 must be 4 \\* ORDER"),
        ({"simd": 193}, "SIMD=193 must be a multiple of 3"),
        ({"pe": 33}, "PE=33 must divide SIMD / 3, which is 64"),
        ({"image_width": 16}, "IMAGE_WIDTH=16 must be at least 24"),
        ({"weight_stream": 64}, "WEIGHT_STREAM=64 must be 0"),
        ({"taps": 2}, "TAPS=2 must be 1"),
        ({"map_odd": 1.0}, "must be a whole number"),
    ],
)
def test_rules(changed: dict[str, int], match: str) -> None:
    g = Geometry.for_widths(CNV, 32, 192, 4)
    with pytest.raises(GeometryError, match=match):
        replace(g, **changed)


def test_sizes_that_are_no_map_core() -> None:
    for pe, simd in ((32, 128), (5, 192), (64, 96)):
        with pytest.raises(GeometryError, match=f"PE={pe} SIMD={simd} is no core for conv"):
            Geometry.for_widths(CNV, pe, simd, 4)
    with pytest.raises(GeometryError, match="must be at least 189, the bits of 3x3 pixels"):
        Geometry.for_widths(CNV, 32, 96, 4)
    with pytest.raises(GeometryError, match="Layer 1 needs 192 words of a window with PE=1 SIMD=3"):
        Geometry.for_widths(CNV, 1, 3, 4)
    with pytest.raises(GeometryError, match="Layer 4 needs 256 groups with PE=1 SIMD=192, but"):
        Geometry.for_widths(CNV, 1, 192, 4)
    # Beats are widened to a pixel.
    assert Geometry.for_widths(CNV, 32, 192, 4, image_width=8).image_width == 32


@pytest.mark.parametrize(
    ("less", "match"),
    [
        ({"max_width": 2112}, "windows of 12 words, but this core has room for 11"),
        ({"max_layers": 8}, "9 layers, but this core has room for 8"),
        ({"max_classes": 9}, "10 classes, but this core has room for 9"),
        ({"weight_depth": 270}, "271 weight words, but this core has room for 270"),
        ({"threshold_depth": 60}, "61 threshold words"),
        ({"pixel_channels": 2}, "3 colours, but this core has room for 2"),
        ({"pixel_levels": 6}, "7 levels a colour, but this core has room for 6"),
        ({"map_input": 119}, "120 words a bank for an image, but this core has room for 119"),
        ({"map_even": 119}, "120 words a bank for the maps of even layers"),
        ({"map_odd": 27}, "28 words a bank for the maps of odd layers"),
    ],
)
def test_what_does_not_fit_is_told(less: dict[str, int], match: str) -> None:
    g = Geometry.for_widths(CNV, 32, 192, 4)
    g.require_fit(CNV)
    with pytest.raises(GeometryError, match=match):
        replace(g, **less).require_fit(CNV)


def test_kinds_that_do_not_fit() -> None:
    g = Geometry.for_widths(CNV, 32, 192, 4)
    with pytest.raises(KindError, match="has convolutions, which this core \\(MAP_INPUT=0\\)"):
        Geometry(pe=32, simd=192).require_fit(CNV)
    with pytest.raises(KindError, match="no convolutions, but this core \\(MAP_INPUT=120\\)"):
        g.require_fit(Shape.of((10, 10)))
    with pytest.raises(KindError, match="second-order activations"):
        g.require_fit(replace(CNV, orders=(1, *(2,) * 8)))
    with pytest.raises(KindError, match="ternary weights"):
        g.require_fit(replace(CNV, ternary=(True, *(False,) * 8)))
    numbers = replace(CNV, levels=0, orders=(PIXEL_BITS, *CNV.orders[1:]))
    with pytest.raises(KindError, match=r"takes pixels as numbers, but this core .* as bits of"):
        g.require_fit(numbers)
    with pytest.raises(KindError, match=r"as bits of a thermometer, but .*LEVELS=0.* as numbers"):
        Geometry.for_widths(numbers, 32, 192, 4).require_fit(CNV)
    wide = replace(CNV, side=128, convolutions=((3, True), *CNV.convolutions[1:]))
    with pytest.raises(GeometryError, match="images of 128 pixels a side, but this core has room"):
        g.require_fit(wide)


@pytest.mark.parametrize("seed", range(20))
def test_the_smallest_core_has_room_for_no_less(seed: int) -> None:
    network, g = map_case(np.random.default_rng([seed, 3]))
    g.require_fit(network.shape)
    memory = pack(network, g)
    assert len(memory.weights) == g.weight_words(network.shape)
    assert memory.weights.shape[1] == g.pe * g.simd
    assert len(memory.offsets) == sum(groups for _, groups in memory.table)
    for name in ("max_layers", "max_classes", "pixel_channels", "pixel_levels", "map_input",
                 "map_even", "map_odd"):  # fmt: skip
        if getattr(g, name) > (0 if name == "pixel_levels" else 1):
            with pytest.raises(GeometryError):
                replace(g, **{name: getattr(g, name) - 1}).require_fit(network.shape)


def test_a_bias_too_large_for_the_core() -> None:
    network = random_map_network(np.random.default_rng(1), 3, [Convolution(2)], [2], levels=1)
    bias = np.array([0, 1 << 20], np.int32)
    network = replace(network, output=replace(network.output, bias=bias))
    with pytest.raises(GeometryError, match="bias is too large"):
        pack(network, Geometry.for_widths(network.shape, 1, 9, 4))


def test_places_of_maps() -> None:
    """The arithmetic of addresses, by hand."""
    area = Area(100, 5, 9, 3)  # four words of slices, four quarters of a row
    assert (area.slice_step, area.row_step, area.words) == (4, 16, 48)
    assert area.place(0, 0) == (0, 100) and area.place(0, 3, 2) == (3, 102)
    assert area.place(1, 4) == (4, 104) and area.place(4, 8, 1) == (0, 100 + 32 + 8 + 1)
    assert [slot_place(7, n) for n in range(4)] == [(0, 7), (1, 7), (2, 7), (0, 8)]
    assert image_area(32).words == 120 and image_area(3).words == 1
    places = {area.place(y, x, s) for y in range(5) for x in range(9) for s in range(3)}
    assert len(places) == 135 and max(address for _, address in places) < 148


def test_flat_pixels_come_as_they_are_written() -> None:
    unpooled = Stage(Window.SQUARE, 3, 3, 1, flat=True)
    assert unpooled.repeats == 4 and unpooled.steps == 4 * 4 * 3
    assert list(unpooled.flat_pixels()) == [
        (0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (1, 2), (2, 0), (2, 1), (2, 2)
    ]  # fmt: skip
    pooled = Stage(Window.SQUARE, 3, 4, 1, pool=True, flat=True)
    assert pooled.repeats == 1 and list(pooled.flat_pixels()) == [(0, 0), (0, 1), (1, 0), (1, 1)]
