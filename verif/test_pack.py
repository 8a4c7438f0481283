# SPDX-License-Identifier: Apache-2.0
"""The packed memory image, executed by a literal Python model of the ring, gives the reference's
answers; so the packer and the hardware are each tested against a third party."""

from __future__ import annotations

from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest

from xnor_fcc.geometry import Geometry, GeometryError
from xnor_fcc.integer import IntegerNetwork, OutputLayer, random_network
from xnor_fcc.pack import MemoryImage, pack, parity_coded
from xnor_fcc.reference import evaluate, preactivations


def decoded(image: MemoryImage) -> np.ndarray:
    """The weights: bit k of a word is stored as the parity of the inverted bits 0 to k."""
    coded = image.weights.reshape(-1, image.geometry.simd, image.geometry.pe)
    inverted = coded.copy()
    inverted[:, 1:] ^= coded[:, :-1]
    return (inverted ^ 1).reshape(image.weights.shape)


def execute(image: MemoryImage, bits: np.ndarray) -> list[list[int]]:
    """All scores 2P + offset of all layers of one image, by lists that rotate."""
    g = image.geometry
    activation = bits.tolist()
    weights, offsets = decoded(image).tolist(), image.offsets.tolist()
    address = group_address = 0
    sums = []
    for layer, (words, groups) in enumerate(image.table):
        activation += [0] * (words * g.simd - len(activation))
        ring = [activation[i * g.simd : (i + 1) * g.simd] for i in range(words)]
        # The contents as the taps see them, periodic; a hidden layer begins with word 1.
        turn = max(0, g.taps - words) + (1 if layer else 0)
        scores = [0] * (groups * g.pe)
        for group in reversed(range(groups)):
            counts = [0] * g.pe
            for _ in range(words):
                for p in range(g.pe):
                    word = ring[(p % g.taps + turn) % words]
                    counts[p] += sum(
                        word[k] == weights[address][k * g.pe + p] for k in range(g.simd)
                    )
                turn += 1
                address += 1
            for p, offset in enumerate(offsets[group_address]):
                scores[group * g.pe + p] = 2 * counts[p] + offset
            group_address += 1
        sums.append(scores)
        activation = [int(score >= 0) for score in scores][: g.capacity]
    assert (address, group_address) == (len(weights), len(offsets))
    return sums


@pytest.mark.parametrize("seed", range(25))
def test_executing_the_packed_image_gives_the_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    widths = tuple(int(n) for n in rng.integers(1, 40, int(rng.integers(2, 6))))
    pe, simd = (int(n) for n in rng.integers(1, 20, 2))
    geometry = Geometry.for_widths(widths, pe, simd, 1)
    network = random_network(rng, widths)
    bits = rng.integers(0, 2, (3, widths[0])).astype(np.uint8)
    image = pack(network, geometry)
    want = preactivations(network, bits)
    for row, activation in enumerate(bits):
        got = execute(image, activation)
        for layer, scores in enumerate(got):
            width = widths[layer + 1]
            assert scores[:width] == want[layer][row].tolist()
            if layer < len(got) - 1:
                assert all(score < 0 for score in scores[width:]), "a padded neuron fired"


def test_each_weight_is_stored_exactly_once_and_padding_is_one() -> None:
    widths = (13, 7, 3)
    geometry = Geometry.for_widths(widths, pe=4, simd=5, lanes=1)
    network = random_network(np.random.default_rng(0), widths)
    base = decoded(pack(network, geometry))
    total = sum(n * m for n, m in pairwise(widths))
    touched = np.zeros_like(base, dtype=int)
    for layer, weights in enumerate(network.weights):
        for index in np.ndindex(weights.shape):
            before = weights[index]
            weights[index] ^= 1
            touched += decoded(pack(network, geometry)) != base
            weights[index] = before
        assert layer < 2
    assert touched.max() == 1 and touched.sum() == total
    assert (base[touched == 0] == 1).all()


def test_chunks_are_what_the_load_register_takes() -> None:
    widths = (9, 5, 3)
    geometry = Geometry.for_widths(widths, pe=3, simd=13, lanes=1)
    image = pack(random_network(np.random.default_rng(4), widths), geometry)
    chunks = image.weight_chunks()
    assert chunks.shape == (len(image.weights), 2)  # 39 bits
    for row, chunk in zip(image.weights, chunks.tolist(), strict=True):
        value = chunk[0] | chunk[1] << 32
        assert [value >> i & 1 for i in range(39)] == row.tolist() and value >> 39 == 0
    for offset, chunk in zip(image.offsets.ravel(), image.offset_chunks().ravel(), strict=True):
        negative = int(chunk) >> geometry.score_bits - 1
        assert int(chunk) - (negative << geometry.score_bits) == offset


def test_coded_words_are_running_parities_of_the_inverted_bits() -> None:
    word = np.array([1, 0, 0, 1, 1, 0, 1], np.uint8)
    assert parity_coded(word).tolist() == [0, 1, 0, 0, 0, 1, 1]
    words = np.random.default_rng(1).integers(0, 2, (3, 4, 300), np.uint8)
    coded = parity_coded(words)
    assert coded.dtype == np.uint8
    for index in np.ndindex(3, 4):
        parity = 0
        for bit, got in zip(words[index].tolist(), coded[index].tolist(), strict=True):
            parity ^= bit ^ 1
            assert got == parity


@pytest.mark.parametrize(("beat", "beats"), [(8, 5), (16, 3), (40, 1), (64, 1)])
def test_beats_are_what_the_weight_stream_takes(beat: int, beats: int) -> None:
    widths = (9, 5, 3)
    geometry = Geometry.for_widths(widths, pe=3, simd=13, lanes=1, weight_stream=beat)
    image = pack(random_network(np.random.default_rng(4), widths), geometry)
    packet = image.weight_beats()
    assert len(packet) == beats * len(image.weights) == beats * geometry.steps(widths)
    for number, row in enumerate(image.weights):
        mine = packet[number * beats : (number + 1) * beats]
        assert all(0 <= value < 1 << beat for value in mine)
        value = sum(bits << i * beat for i, bits in enumerate(mine))
        assert [value >> i & 1 for i in range(39)] == row.tolist() and value >> 39 == 0


def test_preset_files_hold_the_same(tmp_path: Path) -> None:
    widths = (20, 9, 4)
    geometry = Geometry(pe=2, simd=6, lanes=1, max_width=20, max_classes=4, max_layers=3,
                        weight_depth=50, bank_depth=16, threshold_depth=9)
    image = pack(random_network(np.random.default_rng(8), widths), geometry)
    image.write_preset(tmp_path / "p")

    def words(name: str) -> list[int]:
        return [int(line, 16) for line in (tmp_path / name).read_text().split()]

    banks = [words(f"p_weights_{b:02d}.hex") for b in range(4)]
    assert [len(bank) for bank in banks] == [16, 16, 16, 2]
    flat = list(chain(*banks))
    for row, value in zip(image.weights, flat, strict=False):
        assert [value >> i & 1 for i in range(12)] == row.tolist()
    assert not any(flat[len(image.weights) :])
    mask = (1 << geometry.score_bits) - 1
    for row, value in zip(image.offsets, words("p_thresholds.hex"), strict=False):
        got = [value >> p * geometry.score_bits & mask for p in range(2)]
        assert got == [int(offset) & mask for offset in row]
    config = words("p_config.hex")
    assert config[:6] == [1, 20, 4, 2, image.pixel_threshold, 256]
    assert config[6:] == [5 << 16 | 4, 2 << 16 | 2, 0]


def test_a_bias_beyond_the_score_bits_is_refused() -> None:
    network = random_network(np.random.default_rng(0), (10, 3))
    geometry = Geometry.for_widths((10, 3), 2, 4, 1)
    limit = 1 << geometry.score_bits - 1
    for bias in (limit - 11, limit - 10, 10 - limit, 9 - limit):
        fits = bias in (limit - 11, 10 - limit)
        output = OutputLayer(network.output.weights, np.array([0, bias, 0], np.int32))
        changed = IntegerNetwork((), output, network.pixel_threshold, "x", {})
        if fits:
            assert evaluate(changed, np.ones((1, 10), np.uint8)).scores.shape == (1, 3)
            pack(changed, geometry)
        else:
            with pytest.raises(GeometryError, match="bias is too large"):
                pack(changed, geometry)


def test_a_network_that_does_not_fit_is_refused() -> None:
    with pytest.raises(GeometryError, match="has room for"):
        network = random_network(np.random.default_rng(0), (11, 3))
        pack(network, Geometry.for_widths((10, 3), 2, 4, 1))
