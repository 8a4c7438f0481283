# SPDX-License-Identifier: Apache-2.0
"""The numpy reference against a definition in plain Python, one bit at a time; and its two ways to
a layer's sums, packed bits and matrix products, against each other."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from xnor_fcc import reference
from xnor_fcc.errors import UserError
from xnor_fcc.integer import IntegerNetwork, Layer, OutputLayer, ShiftLayer
from xnor_fcc.popcount import PackedLayer
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import activations, counted, evaluate, preactivations

SHAPES = [
    (1, 1),
    (1, 1, 1, 1),
    (7, 3),
    (13, 9, 17, 4),
    (64, 33, 5),
    (100, 65, 31, 8, 10),
    (31, 16, 16, 16, 16, 3),
]
# Orders of the layers' inputs and which layers are ternary, of networks of three layers.
KINDS = [
    ((1, 1, 1), (True, True, True)),
    ((2, 2, 2), (False, False, False)),
    ((2, 2, 2), (True, True, True)),
    ((2, 1, 1), (False, True, False)),
    ((1, 2, 1), (True, False, False)),
    ((1, 1, 2), (False, False, True)),
    ((1, 2, 2), (False, True, True)),
]


def plain(network: IntegerNetwork, image: list[int]) -> tuple[int, list[int], list[list[int]]]:
    """Class, scores and hidden bits of one image, straight from the definition."""
    x, hidden = image, []
    for layer in network.hidden:
        x = [
            int(popcount(x, weights.tolist()) >= threshold)
            for weights, threshold in zip(layer.weights, layer.thresholds.tolist(), strict=True)
        ]
        hidden.append(x)
    scores = [
        2 * popcount(x, weights.tolist()) - len(x) + bias
        for weights, bias in zip(network.output.weights, network.output.bias.tolist(), strict=True)
    ]
    best = 0
    for c, score in enumerate(scores):
        if score > scores[best]:
            best = c
    return best, scores, hidden


def popcount(x: list[int], w: list[int]) -> int:
    return sum(1 for a, b in zip(x, w, strict=True) if a == b)


def count(x: list[int], weights: list[int], mask: list[int] | None, order: int) -> int:
    """P of one neuron of any kind, plane by plane and input by input."""
    total = 0
    for plane, factor in ((1, 2), (0, 1)) if order == 2 else ((0, 1),):
        for k, value in enumerate(x):
            equal = value >> plane & 1 == weights[k]
            if mask is None:
                total += factor * equal
            elif mask[k]:
                total += factor * 2 * equal
            else:
                total += factor
    return total


def plain_of_any_kind(network: IntegerNetwork, x: list[int]) -> tuple[list[int], list[list[int]]]:
    """Scores and hidden activations of one image, straight from the definition."""
    hidden = []
    for layer in network.hidden:
        assert isinstance(layer, Layer)
        answers = []
        for j in range(layer.outputs):
            mask = None if layer.mask is None else layer.mask[j].tolist()
            p = count(x, layer.weights[j].tolist(), mask, layer.order)
            answer = int(p >= layer.thresholds[j])
            if layer.lower is not None and layer.upper is not None:
                bound = layer.upper[j] if answer else layer.lower[j]
                answer = 2 * answer + int(p >= bound)
            answers.append(answer)
        hidden.append(answers)
        x = answers
    last = network.output
    scores = []
    for c in range(last.outputs):
        mask = None if last.mask is None else last.mask[c].tolist()
        scores.append(
            2 * count(x, last.weights[c].tolist(), mask, last.order) - last.most + int(last.bias[c])
        )
    return scores, hidden


@pytest.mark.parametrize(("orders", "ternary"), KINDS)
@pytest.mark.parametrize("widths", [(1, 1, 1, 1), (13, 9, 17, 4), (64, 33, 20, 5)])
def test_reference_is_the_definition_of_every_kind(
    widths: tuple[int, ...], orders: tuple[int, ...], ternary: tuple[bool, ...]
) -> None:
    rng = np.random.default_rng([*widths, *orders, *ternary])
    network = random_network(rng, widths, orders, ternary)
    images = rng.integers(0, 4 if orders[0] == 2 else 2, (10, widths[0]), dtype=np.uint8)
    images[0], images[1] = 0, images.max()
    result = evaluate(network, images)
    assert result.scores.dtype == np.int32
    for i, image in enumerate(images):
        scores, hidden = plain_of_any_kind(network, image.tolist())
        assert result.scores[i].tolist() == scores
        assert [layer[i].tolist() for layer in result.hidden] == hidden
        # The same scores from what activations and weights stand for.
        last = network.output
        values = (2 * result.hidden[-1][i].astype(int) - (3 if last.order == 2 else 1)).tolist()
        weights = (2 * last.weights.astype(int) - 1) * (1 if last.mask is None else last.mask)
        factor = 2 if last.ternary else 1
        assert (factor * (weights @ values) + last.bias).tolist() == scores
    if min(widths[1:3]) > 8:
        for layer, answers in zip(network.hidden, result.hidden, strict=True):
            levels = 4 if layer.output_order == 2 else 2
            assert np.unique(answers).tolist() == list(range(levels)), "not lively"


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few images, which small networks otherwise do not have."""
    monkeypatch.setattr(reference, "_WORK", 0)


def same_both_ways(network: IntegerNetwork, x: np.ndarray) -> None:
    """Packed bits and matrix products give the same bits, scores and classes."""
    result, sums = evaluate(network, x), preactivations(network, x)
    for layer, answers, each in zip(network.hidden, result.hidden, sums, strict=False):
        assert answers.dtype == np.uint8
        assert np.array_equal(answers, activations(layer, each))
    assert np.array_equal(result.scores, sums[-1])
    assert np.array_equal(result.classes, sums[-1].argmax(axis=1))


@pytest.mark.parametrize("seed", range(40))
def test_packed_bits_are_the_product(seed: int, small_blocks: None) -> None:
    """Widths around whole words, numbers of images around whole blocks, every kind."""
    rng = np.random.default_rng([seed, 6])
    widths = rng.choice([1, 2, 9, 63, 64, 65, 127, 128, 130, 200], rng.integers(2, 6)).tolist()
    layers = len(widths) - 1
    network = random_network(
        rng, widths, rng.integers(1, 3, layers).tolist(), (rng.random(layers) < 0.4).tolist()
    )
    count = int(rng.choice([0, 1, 3, 127, 128, 129, 300]))
    x = rng.integers(0, 4 if network.layers[0].order == 2 else 2, (count, widths[0]), np.uint8)
    same_both_ways(network, x)
    # Memory that is not in one piece is no different.
    assert np.array_equal(evaluate(network, x[::-2]).scores, evaluate(network, x).scores[::-2])


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("ternary", [False, True])
@pytest.mark.parametrize("n", [65_535, 65_536, 70_001])
def test_layers_at_the_limit_of_16_bits(n: int, order: int, ternary: bool) -> None:
    """All synapses agree, or none: the sums are the most, and minus that."""
    m = 20
    mask = np.ones((m, n), np.uint8) if ternary else None
    layer = OutputLayer(np.ones((m, n), np.uint8), np.zeros(m, np.int32), mask, order)
    x = np.zeros((2, n), np.uint8)
    x[1] = 3 if order == 2 else 1
    product = PackedLayer(layer).product(x)
    assert product.dtype == np.int32
    assert product.tolist() == [[-layer.most] * m, [layer.most] * m]
    assert np.array_equal(product, counted(layer, x))


def test_threads_change_nothing(small_blocks: None) -> None:
    rng = np.random.default_rng(9)
    network = random_network(rng, (100, 65, 31, 10), (2, 1, 2), (False, True, False))
    x = rng.integers(0, 4, (1000, 100), np.uint8)
    one = evaluate(network, x, threads=1)
    for threads in (2, 5, 64):
        other = evaluate(network, x, threads)
        assert np.array_equal(other.scores, one.scores)
        assert np.array_equal(other.classes, one.classes)
        assert all(map(np.array_equal, other.hidden, one.hidden))
    same_both_ways(network, x)


def test_an_error_in_a_thread_is_an_error(
    small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(layer: PackedLayer, x: np.ndarray) -> np.ndarray:
        assert threading.current_thread() is not threading.main_thread()
        raise MemoryError

    monkeypatch.setattr(PackedLayer, "product", fail)
    network = random_network(np.random.default_rng(0), (5, 4, 3))
    with pytest.raises(MemoryError):
        evaluate(network, np.zeros((1000, 5), np.uint8), threads=2)


def test_the_second_bit_switches_at_its_bounds() -> None:
    n = 5
    levels = np.array([[3] * high + [0] * (n - high) for high in range(n + 1)], np.uint8)
    levels = np.concatenate([levels, levels // 3, levels // 3 * 2])
    for threshold, lower, upper in ((0, 0, 16), (7, 2, 9), (8, 8, 8), (16, 0, 16), (7, 0, 7)):
        at, below, above = (np.array([value], np.int32) for value in (threshold, lower, upper))
        layer = Layer(np.ones((1, n), np.uint8), at, None, below, above, order=2)
        output = OutputLayer(np.ones((1, 1), np.uint8), np.zeros(1, np.int32), order=2)
        network = IntegerNetwork((layer,), output, pixel_residual=(64, 192))
        answers = evaluate(network, levels).hidden[0][:, 0]
        counts = levels.sum(axis=1, dtype=int)
        assert counts.max() == layer.most
        for p, answer in zip(counts, answers, strict=True):
            assert answer >> 1 == (p >= threshold)
            assert answer & 1 == (p >= (upper if p >= threshold else lower))


def test_power_of_two_weights_are_their_dot_product_with_the_pixels() -> None:
    rng = np.random.default_rng(4)
    n, m = 300, 40
    weights = rng.integers(0, 2, (m, n), dtype=np.uint8)
    exponents = rng.integers(0, 8, (m, n), dtype=np.uint8)
    grey = rng.integers(0, 256, (9, n), dtype=np.uint8)
    grey[0], weights[0], exponents[0] = 255, 1, 7  # the largest sum
    sums = [
        [
            sum(g * (1 if w else -1) * 2**e for g, w, e in zip(image, row, powers, strict=True))
            for row, powers in zip(weights.tolist(), exponents.tolist(), strict=True)
        ]
        for image in grey.tolist()
    ]
    thresholds = np.array(sums[1], np.int32)
    thresholds[0] = sums[0][0]
    thresholds[1:3] = np.iinfo(np.int32).min, np.iinfo(np.int32).max
    tail = random_network(rng, (m, 3))
    network = IntegerNetwork((ShiftLayer(weights, exponents, thresholds),), tail.output)
    result = evaluate(network, grey)
    want = (np.array(sums) >= thresholds).astype(np.uint8)
    assert np.array_equal(result.hidden[0], want) and want[0, 0] == want[1, 3:].min() == 1
    assert want[:, 1].all() and not want[:, 2].any()
    margins = preactivations(network, grey)[0]
    assert margins.dtype == np.int32
    assert np.array_equal(margins[:, 3:], 2 * (np.array(sums) - thresholds)[:, 3:] + 1)
    assert np.array_equal(margins >= 0, want == 1)
    assert np.array_equal(result.scores, evaluate(tail, want).scores)


@pytest.mark.parametrize("widths", SHAPES)
@pytest.mark.parametrize("seed", range(8))
def test_reference_is_the_definition(widths: tuple[int, ...], seed: int) -> None:
    rng = np.random.default_rng([seed, *widths])
    network = random_network(rng, widths)
    images = rng.integers(0, 2, (12, widths[0]), dtype=np.uint8)
    images[0], images[1] = 0, 1
    result = evaluate(network, images)
    assert result.scores.dtype == np.int32
    for i, image in enumerate(images):
        best, scores, hidden = plain(network, image.tolist())
        assert result.classes[i] == best
        assert result.scores[i].tolist() == scores
        assert [layer[i].tolist() for layer in result.hidden] == hidden


def test_preactivations_tell_the_bits_and_the_margin() -> None:
    rng = np.random.default_rng(3)
    network = random_network(rng, (40, 30, 20, 5))
    images = rng.integers(0, 2, (50, 40), dtype=np.uint8)
    sums = preactivations(network, images)
    result = evaluate(network, images)
    assert [s.shape for s in sums] == [(50, 30), (50, 20), (50, 5)]
    x = images
    for layer, each, bits in zip(network.hidden, sums, result.hidden, strict=False):
        counts = (x[:, None, :] == layer.weights[None]).sum(axis=2)
        assert each.dtype == np.int32
        assert np.array_equal(each, 2 * counts + 1 - 2 * layer.thresholds)
        assert np.array_equal(each >= 0, bits == 1)
        x = bits
    assert np.array_equal(sums[-1], result.scores)


def test_extreme_thresholds_are_constant() -> None:
    n = 9
    weights = np.ones((2, n), np.uint8)
    layer = Layer(weights, np.array([0, n + 1], np.int32))
    output = OutputLayer(np.ones((1, 2), np.uint8), np.zeros(1, np.int32))
    network = IntegerNetwork((layer,), output)
    images = np.stack([np.zeros(n, np.uint8), np.ones(n, np.uint8)])
    assert evaluate(network, images).hidden[0].tolist() == [[1, 0], [1, 0]]


def test_the_switch_is_at_the_threshold() -> None:
    n = 11
    counts = np.tri(n + 1, n, -1, dtype=np.uint8)  # row P has P ones
    for threshold in range(n + 2):
        layer = Layer(np.ones((1, n), np.uint8), np.array([threshold], np.int32))
        output = OutputLayer(np.ones((1, 1), np.uint8), np.zeros(1, np.int32))
        network = IntegerNetwork((layer,), output)
        answers = evaluate(network, counts).hidden[0][:, 0]
        assert answers.tolist() == [int(p >= threshold) for p in range(n + 1)]


def test_lowest_index_wins_a_tie() -> None:
    weights = np.array([[0, 0], [1, 1], [1, 1]], np.uint8)
    network = IntegerNetwork((), OutputLayer(weights, np.zeros(3, np.int32)))
    images = np.array([[1, 1], [0, 0], [0, 1]], np.uint8)
    assert evaluate(network, images).classes.tolist() == [1, 0, 0]


def test_no_images() -> None:
    network = random_network(np.random.default_rng(0), (5, 4, 3))
    result = evaluate(network, np.zeros((0, 5), np.uint8))
    assert result.scores.shape == (0, 3) and result.classes.shape == (0,)


def test_booleans_are_bits() -> None:
    rng = np.random.default_rng(0)
    network = random_network(rng, (5, 4, 3))
    images = rng.integers(0, 2, (7, 5), dtype=np.uint8)
    same = evaluate(network, images.astype(bool))
    assert np.array_equal(same.scores, evaluate(network, images).scores)


def test_an_old_numpy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(np, "bitwise_count")
    network = random_network(np.random.default_rng(0), (5, 4, 3))
    with pytest.raises(UserError, match=r"needs numpy 2, not [0-9.]+; "):
        evaluate(network, np.zeros((1, 5), np.uint8))


@pytest.mark.parametrize(
    ("images", "match"),
    [
        (np.zeros((3, 6), np.uint8), "shape"),
        (np.zeros(5, np.uint8), "shape"),
        (np.full((1, 5), 2, np.uint8), "0 or 1"),
        (np.zeros((1, 5), np.float32), "uint8 or bool"),
    ],
)
def test_images_that_do_not_fit_are_refused(images: np.ndarray, match: str) -> None:
    network = random_network(np.random.default_rng(0), (5, 4, 3))
    with pytest.raises(UserError, match=match):
        evaluate(network, images)


def test_images_that_do_not_fit_the_kind_are_refused() -> None:
    levels = random_network(np.random.default_rng(0), (5, 4, 3), (2, 2))
    shifts = IntegerNetwork(
        (ShiftLayer(np.ones((4, 5), np.uint8), np.ones((4, 5), np.uint8), np.zeros(4, np.int32)),),
        random_network(np.random.default_rng(0), (4, 3)).output,
    )
    for network, images, match in (
        (levels, np.full((1, 5), 4, np.uint8), "0 to 3"),
        (levels, np.ones((1, 5), bool), "0 to 3"),
        (shifts, np.ones((1, 5), bool), "grey pixels"),
        (shifts, np.ones((1, 4), np.uint8), "shape"),
    ):
        with pytest.raises(UserError, match=match):
            evaluate(network, images)


def test_simulation_needs_no_torch() -> None:
    """Nothing that the hardware tests build on may import torch, a download of gigabytes."""
    code = (
        "import sys\n"
        "sys.modules['torch'] = sys.modules['brevitas'] = None\n"
        "import xnor_fcc.data, xnor_fcc.integer, xnor_fcc.reference, xnor_fcc.pack\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
