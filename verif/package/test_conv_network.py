# SPDX-License-Identifier: Apache-2.0
"""Networks with convolutions: their rules, their file, and the reference against a definition in
plain Python, one position and one bit at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from golden.map_cases import images_of
from xnor_fcc import container, reference
from xnor_fcc.errors import UserError
from xnor_fcc.integer import IntegerNetwork, Layer, NetworkFormatError, OutputLayer, ShiftLayer
from xnor_fcc.layers import ConvLayer
from xnor_fcc.maps import Pixels
from xnor_fcc.places import NETWORKS
from xnor_fcc.random_network import Convolution, random_map_network, random_network
from xnor_fcc.reference import activations, evaluate, preactivations
from xnor_fcc.shape import PIXEL_BITS

# (side, convolutions, dense layers, colours, levels, border)
SIZES = {
    "smallest": (3, [Convolution(1)], [1], 1, 1, 0),
    "border": (4, [Convolution(5, 3, True)], [3], 1, 2, 1),
    "points": (5, [Convolution(6), Convolution(9, 1), Convolution(4, 1)], [7, 3], 2, 3, 0),
    "pools": (10, [Convolution(9, 3, True), Convolution(8, 3, True)], [4], 3, 7, 0),
    "wide": (6, [Convolution(65), Convolution(70, 1, True)], [66, 5], 4, 17, 0),
    "odd": (7, [Convolution(10), Convolution(11)], [5], 3, 3, 0),
    # Pixels as numbers.
    "numbers": (4, [Convolution(9, 3, True), Convolution(7, 1)], [6, 4], 3, 0, 1),
    "number": (3, [Convolution(11)], [2], 1, 0, 0),
}


def make(size: str, seed: int = 0, kinds: bool = False) -> IntegerNetwork:
    """A random network of one of the sizes; with `kinds` of random orders, some layers ternary."""
    side, convolutions, dense, colours, levels, border = SIZES[size]
    rng = np.random.default_rng([seed, len(size), kinds])
    count = len(convolutions) + len(dense)
    orders = [1, *rng.integers(1, 3, count - 1).tolist()] if kinds else [1] * count
    if not levels:
        orders[:2] = [PIXEL_BITS, 1]
    ternary = (rng.random(count) < 0.4).tolist() if kinds else False
    return random_map_network(
        rng, side, convolutions, dense, colours, levels, border, orders, ternary
    )


def images_for(network: IntegerNetwork, count: int, seed: int = 1) -> np.ndarray:
    """Random images, pixels around the levels among them."""
    return images_of(network, np.random.default_rng(seed), count)


# ---- the definition


def plain_map(pixels: Pixels, image: list[list[list[int]]]) -> list[list[list[int]]]:
    """The first map of one image (row, column, channel), of bits or numbers."""
    side, levels = pixels.map_side, pixels.levels.tolist()
    rows = []
    for y in range(side):
        row = []
        for x in range(side):
            up, left = y - pixels.border, x - pixels.border
            inside = 0 <= up < pixels.side and 0 <= left < pixels.side
            place = image[up][left] if inside else [0] * pixels.colours
            if pixels.values is not None:
                row.append([int(pixels.values[c, v]) for c, v in enumerate(place)])
                continue
            row.append([int(0 < level <= v) for v, of in zip(place, levels, strict=True)
                        for level in of])  # fmt: skip
        rows.append(row)
    return rows


def plain_answer(layer: Layer, x: list[int], j: int) -> int:
    """What neuron j answers to its inputs, bits or levels."""
    counts = 0
    for k, value in enumerate(x):
        if layer.order == PIXEL_BITS:  # the number, what is missing to 255, or half of both
            what = (255 - value, value)[layer.weights[j, k]]
            counts += what if layer.mask is None else 2 * what if layer.mask[j, k] else 255
            continue
        for plane, factor in ((1, 2), (0, 1)) if layer.order == 2 else ((0, 1),):
            equal = int((value >> plane & 1) == layer.weights[j, k])
            if layer.mask is None:
                counts += factor * equal
            else:
                counts += factor * (2 * equal if layer.mask[j, k] else 1)
    bit = int(counts >= layer.thresholds[j])
    if layer.lower is None or layer.upper is None:
        return bit
    return 2 * bit + int(counts >= (layer.upper if bit else layer.lower)[j])


def plain(network: IntegerNetwork, image: np.ndarray) -> tuple[list[list[int]], list[int]]:
    """Every hidden layer's answers, flat in order (row, column, channel), and the scores."""
    assert network.pixels is not None
    maps = plain_map(network.pixels, image.tolist())
    hidden = []
    x: list[int] = []
    for layer in network.hidden:
        assert isinstance(layer, Layer)
        if isinstance(layer, ConvLayer):
            side = len(maps) - layer.kernel + 1
            answers = []
            for top in range(side):
                row = []
                for left in range(side):
                    window = [
                        value
                        for ky in range(layer.kernel)
                        for kx in range(layer.kernel)
                        for value in maps[top + ky][left + kx]
                    ]
                    row.append([plain_answer(layer, window, j) for j in range(layer.outputs)])
                answers.append(row)
            if layer.pool:
                answers = [
                    [
                        [
                            max(
                                answers[2 * y + dy][2 * x + dx][j] for dy in (0, 1) for dx in (0, 1)
                            )
                            for j in range(layer.outputs)
                        ]
                        for x in range(side // 2)
                    ]
                    for y in range(side // 2)
                ]
            maps = answers
            x = [value for row in maps for place in row for value in place]
        else:
            x = [plain_answer(layer, x, j) for j in range(layer.outputs)]
        hidden.append(x)
    last = network.output
    # From what activations and weights stand for, not from counts.
    top, factor = (3, 2) if last.order == 2 else (1, 2)
    values = [factor * value - top for value in x]
    scores = []
    for c in range(last.outputs):
        mask = [1] * len(x) if last.mask is None else last.mask[c].tolist()
        signs = [(2 * w - 1) * m for w, m in zip(last.weights[c].tolist(), mask, strict=True)]
        dot = sum(a * b for a, b in zip(values, signs, strict=True))
        scores.append((2 if last.ternary else 1) * dot + int(last.bias[c]))
    return hidden, scores


@pytest.mark.parametrize("kinds", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_reference_is_the_definition(size: str, kinds: bool) -> None:
    network = make(size, 3, kinds)
    images = images_for(network, 3)
    result = evaluate(network, network.inputs_from(images))
    assert result.scores.dtype == np.int32
    for i, image in enumerate(images):
        hidden, scores = plain(network, image)
        assert [answers[i].ravel().tolist() for answers in result.hidden] == hidden
        assert result.scores[i].tolist() == scores
        assert result.classes[i] == scores.index(max(scores))


def test_maps_have_their_shapes() -> None:
    network = make("pools")
    x = network.inputs_from(images_for(network, 2))
    assert x.shape == (2, 10, 10, 21) and x.dtype == np.uint8
    result = evaluate(network, x)
    assert [answers.shape for answers in result.hidden] == [(2, 4, 4, 9), (2, 1, 1, 8)]
    assert [answers.dtype for answers in result.hidden] == [np.uint8] * 2
    sums = preactivations(network, x)
    assert [each.shape for each in sums] == [(2, 8, 8, 9), (2, 2, 2, 8), (2, 4)]
    assert network.map_sides == (4, 1) and network.widths == (300, 9, 8, 4)
    assert network.inputs == 300 and network.classes == 4


@pytest.mark.parametrize("seed", range(12))
def test_packed_bits_are_the_product(seed: int) -> None:
    """The reference's two ways to the sums, on blocks of images that are full and not full."""
    size = list(SIZES)[seed % len(SIZES)]
    network = make(size, seed, kinds=seed % 3 > 0)
    x = network.inputs_from(images_for(network, (0, 1, 3, 4, 9)[seed % 5]))
    sums = preactivations(network, x)
    for threads in (1, 2):
        result = evaluate(network, x, threads)
        for layer, answers, each in zip(network.hidden, result.hidden, sums, strict=False):
            expected = activations(layer, each)
            if isinstance(layer, ConvLayer) and layer.pool:
                count, height, width, m = expected.shape
                blocks = expected.reshape(count, height // 2, 2, width // 2, 2, m)
                expected = blocks.max(axis=(2, 4), initial=0)
            assert np.array_equal(answers, expected)
        assert np.array_equal(result.scores, sums[-1])


def test_a_block_is_a_few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of maps a thread takes few images at a time: their sums are large."""
    seen: set[int] = set()

    def given(layer: Layer, x: np.ndarray) -> np.ndarray:
        seen.add(len(x))
        return unwatched(layer, x)

    unwatched = reference._given
    monkeypatch.setattr(reference, "_given", given)
    monkeypatch.setattr(reference, "_WORK", 0)
    network = make("smallest")
    evaluate(network, network.inputs_from(images_for(network, 10)))
    assert seen == {4, 2}


def test_images_of_another_shape_are_refused() -> None:
    network = make("odd")
    grey = make("border")
    images = images_for(network, 2)
    for wrong in (
        images[..., :2], images[..., 0], images.transpose(0, 3, 1, 2), images[:, :-1],
        images.astype(np.int16), images[0],
    ):  # fmt: skip
        with pytest.raises(UserError, match=r"uint8 of shape \(N, 7, 7, 3\) for this network, not"):
            network.inputs_from(wrong)
    assert np.array_equal(network.inputs_from(images.reshape(2, -1)), network.inputs_from(images))
    flat = images_for(grey, 2)[..., 0]
    assert np.array_equal(grey.inputs_from(flat), grey.inputs_from(flat[..., None]))
    with pytest.raises(UserError, match=r"shape \(N, 7, 7, 9\) for this network, not \(2, 147\)"):
        evaluate(network, images.reshape(2, -1))
    with pytest.raises(UserError, match="must be bits"):
        evaluate(network, network.inputs_from(images) * np.uint8(2))


def test_a_level_of_zero_never_fires() -> None:
    pixels = Pixels(1, np.array([[1, 255, 0], [0, 0, 0]], np.uint8), 1)
    bits = pixels.inputs(np.array([[[[0, 0]]], [[[1, 255]]], [[[255, 255]]]], np.uint8))
    assert bits[:, 1, 1].tolist() == [[0] * 6, [1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0]]
    assert bits.sum() == 3 and bits.shape == (3, 3, 3, 6)


@pytest.mark.parametrize("size", ["border", "numbers"])
def test_a_core_is_sent_its_colours_and_nothing_else(size: str) -> None:
    """A pixel a beat, its border and all; of numbers what the pixels become."""
    network = make(size)
    pixels, images = network.pixels, images_for(network, 3)
    assert pixels is not None
    beats = pixels.packets(images, 4).reshape(3, pixels.map_side, pixels.map_side, 4)
    want = network.inputs_from(images) if size == "numbers" else pixels.bordered(images)
    assert (beats[..., : pixels.colours] == want).all() and not beats[..., pixels.colours :].any()
    assert size != "numbers" or (want != pixels.bordered(images)).any()


# ---- rules


def conv(m: int, n: int, kernel: int = 3, pool: bool = False, **kinds: object) -> ConvLayer:
    """A convolution of zeros."""
    weights, thresholds = np.zeros((m, n), np.uint8), np.zeros(m, np.int32)
    return ConvLayer(weights, thresholds, kernel=kernel, pool=pool, **kinds)  # type: ignore[arg-type]


def output(n: int, **kinds: object) -> OutputLayer:
    return OutputLayer(np.zeros((2, n), np.uint8), np.zeros(2, np.int32), **kinds)  # type: ignore[arg-type]


def net(*layers: Layer | ShiftLayer, n: int, **more: object) -> IntegerNetwork:
    """A network of grey images of 6x6, one level."""
    known = {"pixels": Pixels(6, np.array([[9]], np.uint8)), **more}
    return IntegerNetwork(tuple(layers), output(n), **known)  # type: ignore[arg-type]


LEVELS = np.array([[3, 2]], np.uint8)
NUMBERS = Pixels.of_numbers(6, np.arange(256, dtype=np.uint8)[None])


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: conv(1, 25, 5), "must be 1x1 or 3x3, not 5x5"),
        (lambda: conv(1, 10), "A window of 3x3 cannot have 10 inputs"),
        (lambda: net(conv(1, 9), conv(1, 9), conv(1, 9), n=1), "3x3, but its map is only 2x2"),
        (lambda: net(conv(1, 9), conv(1, 1, 1, True), conv(1, 1, 1, True), conv(1, 1, 1, True),
                     n=1), "Layer 3 pools 2x2, but its map of 1x1 has an odd side"),
        (lambda: net(conv(4, 9), conv(1, 27), n=4), "has 4 channels, but layer 1 has 3 channels"),
        (lambda: net(conv(4, 9), n=4), "Layer 0 has 64 outputs, but layer 1 has 4 inputs"),
        (lambda: net(conv(4, 9, pool=True), n=15), "Layer 0 has 16 outputs, but layer 1 has 15"),
        (lambda: net(conv(1, 1, 1), n=36), "Layer 0 must have windows of 3x3 on the 1 single"),
        (lambda: net(conv(1, 18), n=16), "Layer 0 must have windows of 3x3 on the 1 single"),
        (lambda: net(conv(1, 9, order=2), n=16), "Layer 0 must have windows of 3x3 on the 1 "),
        (lambda: net(conv(1, 9), n=16, pixels=None), "needs the levels of its pixels"),
        (lambda: net(Layer(np.zeros((1, 36), np.uint8), np.zeros(1, np.int32)), n=1),
         "needs the levels of its pixels"),
        (lambda: net(conv(1, 9), Layer(np.zeros((36, 16), np.uint8), np.zeros(36, np.int32)),
                     conv(1, 9), n=16), "Layer 2 is a convolution behind a dense layer"),
        (lambda: net(conv(1, 9), n=16, pixel_threshold=7), "not by both"),
        (lambda: net(conv(1, 9), n=16, pixel_residual=(1, 200)), "not by both"),
        (lambda: net(conv(1, 9), conv(1, 9, order=2), n=4), "outputs of order 1, but layer 1"),
        (lambda: Pixels(0, LEVELS), "side of an image must be from 1 to"),
        (lambda: Pixels(5, np.array([[2, 3]], np.uint8), -1), "border of an image must be from 0"),
        (lambda: Pixels(5, LEVELS), "must ascend"),
        (lambda: Pixels(5, np.array([[0, 3]], np.uint8)), "must ascend, those of 0 behind"),
        (lambda: Pixels(5, np.zeros((5, 1), np.uint8)), "1 to 4 colours"),
        (lambda: Pixels(5, np.zeros((1, 0), np.uint8)), "1 to 4 colours"),
        (lambda: Pixels(5, np.zeros(3, np.uint8)), "of shape \\(colours, levels\\)"),
        (lambda: Pixels(5, np.zeros((1, 3), np.int32)), "of shape \\(colours, levels\\)"),
        (lambda: Pixels.of_numbers(5, np.zeros((1, 255), np.uint8)), "of shape \\(colours, 256\\)"),
        (lambda: Pixels.of_numbers(5, np.zeros((5, 256), np.uint8)), "1 to 4 colours"),
        (lambda: Pixels.of_numbers(5, np.zeros((1, 256), np.int16)), "must be a uint8 array"),
        (lambda: Pixels(5, LEVELS, 0, np.zeros((1, 256), np.uint8)), "colours without levels"),
        (lambda: net(conv(1, 9), n=16, pixels=NUMBERS), "3x3 on the 1 colours of the pixels"),
        (lambda: net(conv(1, 9, order=8), n=16), "3x3 on the 1 single bits"),
        (lambda: net(Layer(np.zeros((1, 36), np.uint8), np.zeros(1, np.int32), order=8), n=1,
                     pixels=None), "Pixels are numbers for a convolution only"),
        (lambda: net(conv(1, 9, order=8, lower=np.zeros(1, np.int32),
                          upper=np.zeros(1, np.int32)), n=16, pixels=NUMBERS),
         "outputs must be of order 1"),
        (lambda: conv(1, 9, order=4), "must be 1 or 2, or 8 of pixels, not 4"),
    ],
)  # fmt: skip
def test_construction_refuses(make: Callable[[], object], match: str) -> None:
    with pytest.raises(NetworkFormatError, match=match):
        make()


# ---- the file


@pytest.mark.parametrize("kinds", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_save_and_load(size: str, kinds: bool, tmp_path: Path) -> None:
    network = make(size, kinds=kinds)
    path, again = tmp_path / "n.npz", tmp_path / "again.npz"
    network.save(path)
    loaded = IntegerNetwork.load(path)
    assert loaded == network and loaded.kinds == network.kinds >= {"convolutions"}
    loaded.save(again)
    assert again.read_bytes() == path.read_bytes()
    version = 3 if SIZES[size][4] else 4
    assert container.read(path, "xnor-fcc-network", version, "file")[1]["version"] == version


def test_equality_sees_maps() -> None:
    network = make("odd")
    pixels = network.pixels
    assert pixels is not None and isinstance(network.hidden[0], ConvLayer)
    levels = pixels.levels.copy()
    levels[0, 0] -= 1
    points = make("points", 1)
    others = [
        network,
        replace(network, pixels=replace(pixels, levels=levels)),
        replace(network, pixels=replace(pixels, side=5, border=1)),
        points,
        replace(make("points", 1), hidden=make("points", 2).hidden),
    ]
    for i, one in enumerate(others):
        for k, other in enumerate(others):
            assert (one == other) == (i == k)
    numbers = make("number")
    assert numbers.pixels is not None and numbers.pixels.values is not None
    table = numbers.pixels.values.copy()
    table[0, 9] ^= 1
    assert numbers != replace(numbers, pixels=replace(numbers.pixels, values=table))
    # Only how the layers are placed differs: a pool, and what a window is.
    a = net(conv(4, 9), conv(8, 4, 1, True), n=32)
    b = net(conv(4, 9), conv(8, 36, 3, False), n=32)
    assert a != b and a == net(conv(4, 9), conv(8, 4, 1, True), n=32)


def failure(path: Path, network: IntegerNetwork, version: int = 3, **changed: object) -> str:
    """The sentence with which loading fails of a file with other arrays or entries in it."""
    network.save(path)
    arrays, manifest = container.read(path, "xnor-fcc-network", (1, 2, 3, 4), "file")
    for name in ("kind", "version"):
        manifest.pop(name)
    for name, value in changed.items():
        part = arrays if isinstance(value, np.ndarray) or name in arrays else manifest
        part[name] = value  # type: ignore[assignment]
        if value is None:
            part.pop(name)
    container.write(path, "xnor-fcc-network", version, arrays, manifest)
    with pytest.raises(NetworkFormatError) as caught:
        IntegerNetwork.load(path)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message and str(path) in message
    return message.replace(str(path), "")


def test_each_fault_of_a_file_has_its_own_sentence(tmp_path: Path) -> None:
    network = make("points")
    path = tmp_path / "x.npz"
    dense = random_network(np.random.default_rng(1), (4, 3, 2))
    found = [
        failure(path, network, version=2, pixel_threshold=128),
        failure(path, network, side=None),
        failure(path, network, side=0),
        failure(path, network, border=-1),
        failure(path, network, levels=None),
        failure(path, network, levels=np.zeros((2, 3), np.int32)),
        failure(path, network, levels=np.zeros((5, 3), np.uint8)),
        failure(path, network, levels=np.zeros((2, 4), np.uint8)),
        failure(path, network, convolutions=None),
        failure(path, network, convolutions=[[3, False], [1, False]]),
        failure(path, network, convolutions=[[3, False], [1, False], [-1, False]]),
        failure(path, network, convolutions=[[3, False], [3, False], [1, False]]),
        failure(path, network, weights1=None),
        failure(path, network, weights3=np.zeros((7, 3), np.uint8)),
        failure(path, network, exponents0=np.zeros((6, 54), np.uint8)),
        failure(path, network, orders=[2, 1, 1, 1, 1]),
        failure(path, network, name=3),
        failure(path, dense, version=5),
        failure(path, network, version=4),
        failure(path, make("number"), version=4, values=np.zeros((1, 255), np.uint8)),
        failure(path, make("number"), version=4, orders=[1, 1]),
    ]
    assert len(set(found)) == len(found), found
    assert failure(path, network, version=1, pixel_threshold=128) == found[0]
    assert failure(path, dense, orders=[1, 1]) == found[1]
    same = "has no valid list of convolutions"
    for wrong in ([], [[3, False]] * 5, [[3, 0]] * 3, [[3]] * 3, [3] * 3, [[True, True]] * 3):
        assert same in failure(path, network, convolutions=wrong)
    assert "how large its images" in failure(path, network, side=True)


def test_files_of_old_versions_stay_as_they_are(tmp_path: Path) -> None:
    """The project's own, byte for byte."""
    files = sorted(path for path in NETWORKS.glob("*.npz") if "_trained" not in path.stem)
    assert len(files) >= 4
    for path in files:
        network = IntegerNetwork.load(path)
        if network.pixels is None:
            network.save(tmp_path / "again.npz")
            assert (tmp_path / "again.npz").read_bytes() == path.read_bytes(), path
