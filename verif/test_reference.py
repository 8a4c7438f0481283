# SPDX-License-Identifier: Apache-2.0
"""The numpy reference against a definition in plain Python, one bit at a time."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from xnor_fcc.errors import UserError
from xnor_fcc.integer import IntegerNetwork, Layer, OutputLayer, random_network
from xnor_fcc.reference import evaluate, preactivations

SHAPES = [
    (1, 1),
    (1, 1, 1, 1),
    (7, 3),
    (13, 9, 17, 4),
    (64, 33, 5),
    (100, 65, 31, 8, 10),
    (31, 16, 16, 16, 16, 3),
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


def test_simulation_needs_no_torch() -> None:
    """Nothing that the hardware tests build on may import torch, a download of gigabytes."""
    code = (
        "import sys\n"
        "sys.modules['torch'] = sys.modules['brevitas'] = None\n"
        "import xnor_fcc.data, xnor_fcc.integer, xnor_fcc.reference, xnor_fcc.pack\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
