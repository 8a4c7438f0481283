# SPDX-License-Identifier: Apache-2.0
"""The facts of a geometry and what it refuses. Its cycles are held against the RTL in test_core."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from xnor_fcc.geometry import (
    IMAGE_WIDTHS,
    NAMED,
    Geometry,
    GeometryError,
    KindError,
    Shape,
    best_bank_depth,
    slices,
)
from xnor_fcc.parameters import PARAMETERS

DEFAULT = (784, 1024, 1024, 1024, 10)


@pytest.mark.parametrize(
    ("pe", "simd", "steps"),
    [(32, 128, 744), (64, 128, 376), (56, 128, 445), (1024, 1, 784 + 3 * 1024)],
)
def test_steps_of_the_default_network(pe: int, simd: int, steps: int) -> None:
    assert Geometry.for_widths(DEFAULT, pe, simd, 1).steps(DEFAULT) == steps


def test_pass_of_the_default_core() -> None:
    # Every layer starts while the one before is being finished.
    assert Geometry().pass_cycles(DEFAULT) == 744
    assert Geometry().period_cycles(DEFAULT) == 744
    # One word a layer more than the taps: nothing can be started before the bits are there.
    original = Geometry.for_widths(DEFAULT, 1024, 1, 2)
    assert original.pass_cycles(DEFAULT) == 784 + 3 * 1024 + 3 * 7


@pytest.mark.parametrize(
    ("taps", "before", "words", "gap"),
    [
        (1, 8, 9, 0), (1, 8, 8, 0), (1, 8, 7, 1), (1, 8, 2, 6), (1, 8, 1, 7),
        (1, 7, 8, 0), (1, 6, 8, 1), (1, 1, 8, 6), (3, 8, 8, 2), (3, 8, 3, 7), (3, 8, 2, 7),
    ],
)
def test_gap_between_layers(taps: int, before: int, words: int, gap: int) -> None:
    assert Geometry(pe=8, simd=8, max_width=72, taps=taps).gap(before, words) == gap
    # The last group's bits lie in more than one word.
    assert Geometry(pe=9, simd=8, max_width=72, taps=taps).gap(before, words) == 7


SECOND = Shape(DEFAULT, (2,) * 4, (False,) * 4)
TERNARY = Shape(DEFAULT, (1,) * 4, (True,) * 4)


def test_plain_widths_are_a_shape_of_single_bits() -> None:
    shape = Shape.of(DEFAULT)
    assert shape == Shape(DEFAULT, (1,) * 4, (False,) * 4) and Shape.of(shape) is shape
    assert not shape.pairs and SECOND.pairs and not TERNARY.pairs
    assert TERNARY.layers == [(n, m, 2) for n, m, _ in shape.layers]
    for kind in ({}, {"order": 2}, {"ternary": 1}):
        geometry = Geometry(**kind)
        assert geometry.pass_cycles(shape) == geometry.pass_cycles(DEFAULT)
        assert geometry.images_per_batch(shape) == 4


def test_the_smallest_core_has_what_the_kind_needs() -> None:
    plain = Geometry.for_widths(DEFAULT, 32, 128, 4)
    assert (plain.order, plain.ternary) == (1, 0)
    mixed = Shape(DEFAULT, (1, 1, 2, 1), (False, True, False, False))
    for shape, order, ternary in ((SECOND, 2, 0), (TERNARY, 1, 1), (mixed, 2, 1)):
        geometry = Geometry.for_widths(shape, 32, 128, 4)
        assert (geometry.order, geometry.ternary) == (order, ternary)
        geometry.require_fit(shape)
    assert Geometry.for_widths(mixed, 32, 128, 4).weight_depth == 744 + 256
    with pytest.raises(GeometryError, match="LANES=3 must be even where ORDER is 2"):
        Geometry.for_widths(SECOND, 32, 128, 3)


def test_scores_of_every_kind_have_room() -> None:
    # 1024 inputs of the greatest P 1, 3, 2, 6: 2049, 6145, 4097 and 12289 to either side.
    cases = ((1, 0, 1, 13), (2, 0, 3, 14), (1, 1, 2, 14), (2, 1, 6, 15))
    for order, ternary, factor, bits in cases:
        geometry = Geometry(order=order, ternary=ternary)
        assert (geometry.factor, geometry.score_bits) == (factor, bits)
        assert 2 * 1024 * factor + 1 < 1 << bits - 1


def test_cycles_of_second_order() -> None:
    core = Geometry(order=2)
    # Two lanes an image: half as many of them a batch, of as many steps. The drain of 9 shows where
    # 8 words less a tap hide 7 cycles, in front of three layers.
    assert core.images_per_batch(SECOND) == 2
    assert core.steps(SECOND) == 744
    assert core.pass_cycles(SECOND) == core.period_cycles(SECOND) == 744 + 3 * 2
    assert core.pass_cycles(DEFAULT) == 744 + 3 * 2
    assert core.latency_cycles(SECOND, 100) == 750 + 100 + 10 + 13
    # One pair of lanes never waits for another image.
    assert Geometry(order=2, lanes=2).latency_cycles(SECOND, 100) == 750 + 10 + 13
    assert Geometry(order=2, lanes=2).latency_cycles(DEFAULT, 100) == 750 + 100 + 10 + 13
    # Images of order 2 are 8-bit pixels: 98 beats and one to be handed over.
    assert core.load_cycles(SECOND) == core.load_cycles(SECOND, True) == 2 * 99
    inside = Shape(DEFAULT, (1, 2, 2, 2), (False,) * 4)
    assert core.load_cycles(inside) == 14 + 14
    assert core.send_cycles(SECOND) == 8 + 10 + 2 * 11


def test_cycles_of_ternary_weights() -> None:
    core = Geometry(ternary=1, weight_depth=1488)
    assert core.images_per_batch(TERNARY) == 4
    assert core.pass_cycles(TERNARY) == core.steps(TERNARY) == 2 * 744
    assert core.send_cycles(TERNARY) == 2 * 8 + 9 + 4 * 11
    # A layer of 2 words hides at most 2 steps of the pipeline behind, or 4 where it takes 2 rounds.
    core = Geometry(pe=8, simd=8, max_width=72, ternary=1)
    widths = (16, 72, 8)
    assert core.pass_cycles(widths) == 9 * 2 + 9 + (7 - 2)
    assert core.pass_cycles(Shape(widths, (1, 1), (True, False))) == 9 * 2 * 2 + 9 + (7 - 4)
    assert core.pass_cycles(Shape(widths, (1, 1), (False, True))) == 9 * 2 + 9 * 2 + (7 - 2)


def test_refuses_a_kind_that_it_was_built_without() -> None:
    second, ternary = Geometry(order=2), Geometry(ternary=1, weight_depth=2000)
    second.require_fit(SECOND)
    ternary.require_fit(TERNARY)
    for geometry, shape, words in (
        (Geometry(), SECOND, r"second-order activations, which this core \(ORDER=1\) was built"),
        (ternary, SECOND, "second-order activations"),
        (Geometry(), TERNARY, r"ternary weights, which this core \(TERNARY=0\) was built"),
        (second, TERNARY, "ternary weights"),
    ):
        with pytest.raises(KindError, match=words):
            geometry.require_fit(shape)
    with pytest.raises(GeometryError, match="1488 weight words"):
        Geometry(ternary=1).require_fit(TERNARY)


def test_cycles_with_streamed_weights() -> None:
    widths = (16, 16, 2)  # 16 + 4 steps
    one, two = (
        Geometry.for_widths(widths, 4, 4, 1, image_width=16, weight_stream=bits) for bits in (16, 8)
    )
    five = Geometry.for_widths(widths, 5, 8, 1, image_width=16, weight_stream=8)
    # A word a cycle: as quick as from memory, but for the gap in front of 4 words.
    assert one.stream_cycles(widths) == one.pass_cycles(widths) == 16 + 4 + 4
    assert one.latency_cycles(widths, 9) == 24 + 2 + 12
    # A word every two cycles: in the gap the stream rests for two. A lone image finds two words
    # inside, so that the last step is in cycle 2 * 19 + 2.
    assert two.stream_cycles(widths) == two.period_cycles(widths) == 2 * 20 + 2
    assert two.latency_cycles(widths, 9) == 2 * 19 + 2 + 2 + 12
    # Ternary weights are twice as many words.
    shape = Shape(widths, (1, 1), (True, False))
    three = Geometry.for_widths(shape, 4, 4, 1, image_width=16, weight_stream=8)
    assert three.stream_cycles(shape) == three.period_cycles(shape) == 2 * 36 + 2
    assert three.latency_cycles(shape, 9) == 2 * 35 + 2 + 2 + 12
    # A word every five cycles: the stream never rests.
    assert five.steps(widths) == 4 * 2 + 2
    assert five.stream_cycles(widths) == five.period_cycles(widths) == 5 * 10
    assert five.latency_cycles(widths, 9) == 2 + 8 * 5 + 2 + 12


def test_the_period_with_streamed_weights_is_no_shorter_than_anything_in_it() -> None:
    rng = np.random.default_rng(2)
    longer = 0
    for _ in range(300):
        widths = tuple(int(n) for n in rng.integers(1, 120, int(rng.integers(2, 6))))
        pe, simd, lanes = (int(n) for n in rng.integers(1, 40, 3) % (40, 40, 5) + 1)
        stream = int(rng.choice([8, 24, 64, 256]))
        geometry = Geometry.for_widths(widths, pe, simd, lanes, weight_stream=stream)
        bounds = (
            geometry.stream_cycles(widths),
            geometry.load_cycles(widths),
            geometry.send_cycles(widths),
        )
        period = geometry.period_cycles(widths)
        assert period >= max(bounds)
        # Words that arrive while results hold up the output layer are words that were waited for.
        longer += period > max(bounds)
        loaded = Geometry.for_widths(widths, pe, simd, lanes)
        assert geometry.stream_cycles(widths) >= loaded.pass_cycles(widths)
        assert geometry.latency_cycles(widths, 5) >= loaded.latency_cycles(widths, 5)
    assert 0 < longer < 300


def test_a_short_layer_costs_the_winding_up_of_the_taps() -> None:
    geometry = Geometry(pe=16, simd=4, lanes=1, max_width=64, taps=16)
    assert [geometry.wind(n) for n in (1, 4, 5, 60, 61, 64)] == [15, 15, 14, 1, 0, 0]
    assert Geometry(pe=16, simd=4, lanes=1, max_width=64, taps=1).wind(1) == 0


def test_what_bounds_the_period() -> None:
    tiny = Geometry(pe=32, simd=32, lanes=4, max_width=32, image_width=8)
    assert tiny.period_cycles((32, 10)) == tiny.send_cycles((32, 10)) == 1 + 9 + 4 * 11
    assert tiny.period_cycles((32, 10), True) == tiny.load_cycles((32, 10), True) == 4 * 33
    assert tiny.load_cycles((8, 10)) == 3 * 2 + 4


def test_scores_never_overflow() -> None:
    for width in (1, 2, 3, 31, 32, 33, 1023, 1024, 1025):
        for simd in (1, 7, 128):
            geometry = Geometry(pe=1, simd=simd, max_width=width, max_classes=1)
            assert 2 * geometry.capacity + 1 <= 2 ** (geometry.score_bits - 1) - 1
            assert geometry.capacity >= width


@pytest.mark.parametrize(
    "wrong",
    [
        {"pe": 0}, {"pe": -3}, {"simd": 0}, {"lanes": 0}, {"lanes": 1000}, {"max_width": 0},
        {"max_width": 40000}, {"taps": 5, "pe": 4}, {"taps": 9}, {"max_layers": 0},
        {"max_layers": 17}, {"max_classes": 0}, {"max_classes": 1025}, {"weight_depth": 1},
        {"bank_depth": 1}, {"threshold_depth": 1}, {"image_width": 24}, {"image_width": 0},
        {"pe": 2.5}, {"simd": "8"}, {"weight_stream": -8}, {"weight_stream": 4},
        {"weight_stream": 65}, {"order": 0}, {"order": 3}, {"ternary": 2}, {"ternary": -1},
        {"lanes": 3, "order": 2},
    ],
)
def test_refuses_what_cannot_be_built(wrong: dict) -> None:
    with pytest.raises(GeometryError, match=next(iter(wrong)).upper()):
        Geometry(**wrong)


@pytest.mark.parametrize(
    ("widths", "reason"),
    [
        ((1025, 10), "1025 neurons or inputs"),
        ((784, 2000, 10), "2000 neurons"),
        ((8,) * 10, "9 layers"),
        ((784, 17), "17 classes"),
        ((1024,) * 6 + (10,), "weight words"),
        ((8,) * 2 + (1024,) * 4 + (10,), "weight words|threshold words"),
    ],
)
def test_refuses_a_network_that_does_not_fit(widths: tuple[int, ...], reason: str) -> None:
    with pytest.raises(GeometryError, match=reason):
        Geometry().require_fit(widths)


def test_each_layer_is_rounded_up_by_itself() -> None:
    """Words and groups counted one by one, in networks of which rounding decides: the smallest core
    has as many, one word or group fewer is refused, and so it is in the cycles."""
    rng = np.random.default_rng(3)
    decided = 0
    for _ in range(200):
        widths = tuple(int(n) for n in rng.integers(1, 60, int(rng.integers(3, 7))))
        pe, simd = (int(n) for n in rng.integers(2, 30, 2))
        groups = [len(range(0, m, pe)) for m in widths[1:]]
        words = [len(range(0, n, simd)) for n in widths[:-1]]
        steps = sum(len(range(g * w)) for g, w in zip(groups, words, strict=True))
        decided += sum(groups) != len(range(0, sum(widths[1:]), pe))
        core = Geometry.for_widths(widths, pe, simd, 1)
        core.require_fit(widths)
        assert core.steps(widths) == steps
        assert (core.weight_depth, core.threshold_depth) == (max(2, steps), max(2, sum(groups)))
        for name, count, what in (("weight_depth", steps, "weight"),
                                  ("threshold_depth", sum(groups), "threshold")):  # fmt: skip
            replace(core, **{name: max(2, count)}).require_fit(widths)
            if count > 2:
                with pytest.raises(GeometryError, match=f"needs {count} {what} words, but"):
                    replace(core, **{name: count - 1}).require_fit(widths)
    assert decided > 100


def test_banks_are_counted_in_whole_blocks() -> None:
    """The shape with the fewest blocks, of those the deepest, each block laid down by itself."""
    rng = np.random.default_rng(4)
    chosen = set()
    for _ in range(300):
        width, depth = int(rng.integers(1, 400)), int(rng.integers(1, 2200))
        blocks = {
            deep: len([1 for _ in range(0, depth, deep) for _ in range(0, width, wide)])
            for deep, wide in ((1024, 10), (512, 20), (256, 40))
        }
        best = best_bank_depth(width, depth)
        assert blocks[best] == min(blocks.values())
        assert all(blocks[deep] > blocks[best] for deep in blocks if deep > best)
        chosen.add(best)
    assert chosen == {1024, 512, 256}
    for width, want in ((1, [1]), (159, [159]), (160, [160]), (161, [160, 1]), (320, [160, 160]),
                        (321, [160, 160, 1])):  # fmt: skip
        assert slices(width) == want


def test_beats_are_counted_whole() -> None:
    """An image that fills its last beat, and one that is a byte or a bit more."""
    for width in IMAGE_WIDTHS:
        core = Geometry(image_width=width)
        for beats in (1, 2, 3):
            assert core.image_beats(beats * width, False) == beats
            assert core.image_beats(beats * width + 1, False) == beats + 1
            assert core.image_beats(beats * width // 8, True) == beats
            assert core.image_beats(beats * width // 8 + 1, True) == beats + 1


def test_streamed_weights_need_no_room() -> None:
    widths = (1024,) * 6 + (10,)
    Geometry(threshold_depth=256, weight_stream=64).require_fit(widths)
    with pytest.raises(GeometryError, match="weight words"):
        Geometry(threshold_depth=256).require_fit(widths)
    geometry = Geometry.for_widths(widths, 32, 128, 4, weight_stream=64)
    assert geometry.weight_depth == 2
    geometry.require_fit(widths)


def test_the_smallest_core_of_a_network_runs_it_and_no_larger_one() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        widths = tuple(int(n) for n in rng.integers(1, 200, int(rng.integers(2, 6))))
        pe, simd, lanes = (int(n) for n in rng.integers(1, 50, 3))
        geometry = Geometry.for_widths(widths, pe, simd, lanes)
        geometry.require_fit(widths)
        with pytest.raises(GeometryError):
            geometry.require_fit((max(widths) + 1, *widths[1:]))
        assert geometry.steps(widths) <= geometry.weight_depth <= max(2, geometry.steps(widths))


def test_the_defaults_are_those_of_the_parameters() -> None:
    defaults = {name: x.default for name, x in PARAMETERS.items() if x.number}
    assert {name.upper(): value for name, value in asdict(Geometry()).items()} == defaults
    assert Geometry().parameters() == {
        name: value for name, value in defaults.items() if not PARAMETERS[name].maps
    }
    assert Geometry.for_widths(DEFAULT, 32, 128, 4).image_width == defaults["IMAGE_WIDTH"]
    assert NAMED["default"] == tuple(defaults[name] for name in ("PE", "SIMD", "LANES"))


def test_the_label_tells_what_a_core_can_do() -> None:
    assert Geometry(pe=16, simd=64, lanes=2).label == "PE=16 SIMD=64 LANES=2"
    built = Geometry(pe=16, simd=64, lanes=2, order=2, ternary=1)
    assert built.label == "PE=16 SIMD=64 LANES=2 ORDER=2 TERNARY=1"


def test_hidden_bits_of_a_shape() -> None:
    assert Shape.of((9, 5, 4, 2)).hidden_bits == 9
    assert Shape((9, 5, 4, 2), (2, 1, 2), (False,) * 3).hidden_bits == 5 + 2 * 4
    assert Shape.of((9, 2)).hidden_bits == 0
