# SPDX-License-Identifier: Apache-2.0
"""The packed memory, executed by a literal Python model of the ring, gives the reference's
answers; so the packer and the hardware are each tested against a third party."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest

from xnor_fcc import packing
from xnor_fcc.errors import run_main
from xnor_fcc.geometry import Geometry, GeometryError
from xnor_fcc.integer import IntegerNetwork, Layer, OutputLayer, ShiftLayer
from xnor_fcc.loading import load_checks, load_writes
from xnor_fcc.pack import Memory, pack, parity_coded
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import evaluate, preactivations
from xnor_fcc.register_script import register_script
from xnor_fcc.registers import ADDRESS, BIT


def places_of(geometry: Geometry) -> list[tuple[int, range]]:
    """Of each PE its tap, and the bits of a weight word that its synapses have."""
    found = []
    for tap in range(geometry.taps):
        first, end = (n * geometry.pe // geometry.taps for n in (tap, tap + 1))
        for p in range(first, end):
            start = first * geometry.simd + p - first
            size = end - first
            found.append((tap, range(start, start + size * geometry.simd, size)))
    return found


def decoded(memory: Memory) -> np.ndarray:
    """The weights, uint8 (steps, PE, SIMD): bit k is stored as the parity of the inverted bits 0 to
    k."""
    places = [list(bits) for _, bits in places_of(memory.geometry)]
    assert sorted(chain(*places)) == list(range(memory.weights.shape[1]))
    coded = memory.weights[:, places]
    inverted = coded.copy()
    inverted[..., 1:] ^= coded[..., :-1]
    return inverted ^ 1


def execute(memory: Memory, activation: np.ndarray) -> list[list[int]]:
    """All scores 2P + offset of all layers of one image, by lists that rotate.

    An image of a network with layers of order 2 has two planes of activations, the residual bits
    and the first bits; each turns in a ring of its own, and the first bits count twice.
    """
    g = memory.geometry
    taps = [tap for tap, _ in places_of(g)]
    weights, offsets = decoded(memory).tolist(), memory.offsets.tolist()
    margins = memory.margins.tolist()
    address = group_address = 0
    sums = []
    for layer, entry in enumerate(memory.entries):
        words, groups = entry & 0x7FFF, entry >> 16 & 0x7FFF
        order, rounds = 1 + (entry >> 15 & 1), 1 + (entry >> 31)
        rings = []
        for plane in range(order):
            bits = [int(level) >> plane & 1 for level in activation]
            bits += [0] * (words * g.simd - len(bits))
            rings.append([bits[i * g.simd : (i + 1) * g.simd] for i in range(words)])
        # The contents as the taps see them, periodic; a hidden layer begins with word 1.
        turn = max(0, g.taps - words) + (1 if layer else 0)
        scores, levels = [0] * (groups * g.pe), [0] * (groups * g.pe)
        for group in reversed(range(groups)):
            counts = [0] * g.pe
            for _ in range(rounds * words):
                for p, tap in enumerate(taps):
                    for plane, ring in enumerate(rings):
                        equal = map(int.__eq__, ring[(tap + turn) % words], weights[address][p])
                        counts[p] += 2**plane * sum(equal)
                turn += 1
                address += 1
            ups, downs = margins[group_address]
            for p, offset in enumerate(offsets[group_address]):
                scores[group * g.pe + p] = score = 2 * counts[p] + offset
                first = score >= 0
                residual = score >> 1 >= (ups[p] if first else -downs[p])
                levels[group * g.pe + p] = 2 * first + residual
            group_address += 1
        sums.append(scores)
        if layer + 1 < len(memory.entries) and not memory.entries[layer + 1] >> 15 & 1:
            levels = [level >> 1 for level in levels]
        activation = np.array(levels[: g.capacity])
    assert (address, group_address) == (len(weights), len(offsets))
    return sums


def check_execution(
    network: IntegerNetwork, geometry: Geometry, rng: np.random.Generator, images: int
) -> None:
    memory = pack(network, geometry)
    activations = rng.integers(0, 4 if network.pixel_residual else 2, (images, network.inputs))
    want = preactivations(network, activations.astype(np.uint8))
    for row, activation in enumerate(activations):
        got = execute(memory, activation)
        for layer, scores in enumerate(got):
            width = network.widths[layer + 1]
            assert scores[:width] == want[layer][row].tolist()
            limit = 1 << geometry.score_bits - 1
            assert all(-limit <= score < limit for score in scores)
            if layer < len(got) - 1:
                assert all(score < 0 for score in scores[width:]), "a padded neuron fired"


@pytest.mark.parametrize("seed", range(25))
def test_executing_the_packed_image_gives_the_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    widths = tuple(int(n) for n in rng.integers(1, 40, int(rng.integers(2, 6))))
    pe, simd = (int(n) for n in rng.integers(1, 20, 2))
    geometry = Geometry.for_widths(widths, pe, simd, 1)
    network = random_network(rng, widths)
    check_execution(network, geometry, rng, 3)
    most = min(pe, geometry.ring)
    check_execution(network, replace(geometry, taps=int(rng.integers(1, most + 1))), rng, 1)
    check_execution(network, replace(geometry, taps=most), rng, 1)


@pytest.mark.parametrize("seed", range(25))
def test_executing_networks_of_every_kind_gives_the_reference(seed: int) -> None:
    """On the smallest core for each, and on one that could do everything."""
    rng = np.random.default_rng(seed)
    layers = int(rng.integers(1, 5))
    widths = tuple(int(n) for n in rng.integers(1, 40, layers + 1))
    orders = rng.integers(1, 3, layers).tolist()
    ternary = (rng.random(layers) < 0.5).tolist()
    network = random_network(rng, widths, orders, ternary)
    pe, simd = (int(n) for n in rng.integers(1, 20, 2))
    geometry = Geometry.for_widths(network.shape, pe, simd, 2)
    assert (geometry.order, geometry.ternary) == (max(orders), int(any(ternary)))
    check_execution(network, geometry, rng, 2)
    check_execution(network, replace(geometry, order=2, ternary=1), rng, 2)


def test_padded_neurons_have_no_level() -> None:
    network = random_network(np.random.default_rng(3), (9, 5, 3), (2, 2))
    memory = pack(network, Geometry.for_widths(network.shape, 4, 5, 2))
    # Groups of a layer from the last one down: neuron 4 alone, then 0 to 3; then the classes.
    assert memory.margins.shape == (3, 2, 4)
    assert memory.offsets[0, 1:].tolist() == [-2 * 27 - 1] * 3
    assert not memory.margins[0, :, 1:].any() and not memory.margins[2].any()
    layer = network.hidden[0]
    assert isinstance(layer, Layer) and layer.lower is not None and layer.upper is not None
    up, down = layer.upper - layer.thresholds, layer.thresholds - layer.lower
    assert memory.margins[0, :, 0].tolist() == [up[4], down[4]]
    assert memory.margins[1].tolist() == [up[:4].tolist(), down[:4].tolist()]


def test_a_ternary_layer_is_stored_in_two_planes() -> None:
    network = random_network(np.random.default_rng(1), (13, 7), ternary=True)
    output = network.output
    assert output.mask is not None
    geometry = Geometry.for_widths(network.shape, pe=4, simd=13, lanes=1)
    # One word; groups of 4: the last one first, each with its two planes.
    stored = decoded(pack(network, geometry)).reshape(2, 2, 4, 13)
    for group, neurons in ((0, range(4, 7)), (1, range(4))):
        for p, neuron in enumerate(neurons):
            value = (2 * output.weights[neuron].astype(int) - 1) * output.mask[neuron]
            planes = 2 * stored[group, :, p].astype(int) - 1
            assert (planes.sum(axis=0) == 2 * value).all()
            assert (planes[1] == np.where(value == 1, 1, -1)).all()
    assert stored[0, :, 3].all(), "padding is 1 in both planes"


def test_entries_tell_the_kind_of_each_layer() -> None:
    network = random_network(np.random.default_rng(2), (9, 5, 3, 2), (1, 2, 1), (True, False, True))
    memory = pack(network, Geometry.for_widths(network.shape, 2, 4, 2))
    assert memory.table == ((3, 3), (2, 2), (1, 1))
    assert memory.entries == (
        1 << 31 | 3 << 16 | 3, 2 << 16 | 1 << 15 | 2, 1 << 31 | 1 << 16 | 1
    )  # fmt: skip


def test_power_of_two_weights_are_refused() -> None:
    tail = random_network(np.random.default_rng(2), (5, 3))
    ones = np.ones((5, 9), np.uint8)
    network = IntegerNetwork((ShiftLayer(ones, ones, np.zeros(5, np.int32)),), tail.output)
    with pytest.raises(GeometryError, match="which no core computes"):
        pack(network, Geometry(order=2, ternary=1))


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
    memory = pack(random_network(np.random.default_rng(4), widths), geometry)
    chunks = memory.weight_chunks()
    assert chunks.shape == (len(memory.weights), 2)  # 39 bits
    for row, chunk in zip(memory.weights, chunks.tolist(), strict=True):
        value = chunk[0] | chunk[1] << 32
        assert [value >> i & 1 for i in range(39)] == row.tolist() and value >> 39 == 0
    for offset, chunk in zip(memory.offsets.ravel(), memory.offset_chunks().ravel(), strict=True):
        negative = int(chunk) >> geometry.score_bits - 1
        assert int(chunk) - (negative << geometry.score_bits) == offset


def test_chunks_of_a_core_of_order_2_have_margins_behind_the_offsets() -> None:
    rng = np.random.default_rng(4)
    for network in (random_network(rng, (9, 5, 3), (1, 2)), random_network(rng, (9, 5, 3))):
        geometry = replace(Geometry.for_widths(network.shape, pe=3, simd=13, lanes=2), order=2)
        memory = pack(network, geometry)
        chunks = memory.offset_chunks().astype(np.int64)
        assert chunks.shape == (len(memory.offsets), 9)
        limit = 1 << geometry.score_bits
        assert np.array_equal(chunks[:, :3], memory.offsets % limit)
        assert np.array_equal(chunks[:, 3:6], memory.margins[:, 0])
        assert np.array_equal(chunks[:, 6:], memory.margins[:, 1])
        assert memory.margins.any() == bool(network.kinds)
        assert memory.margins.min() >= 0 and memory.margins.max() < limit // 2


def test_load_writes_tell_the_residual_to_a_core_of_order_2_only() -> None:
    rng = np.random.default_rng(4)
    plain, second = random_network(rng, (9, 5, 3)), random_network(rng, (9, 5, 3), (2, 2))
    assert second.pixel_residual is not None
    lower, upper = second.pixel_residual
    small = Geometry.for_widths(second.shape, 3, 13, 2)
    for network, geometry, want in (
        (plain, Geometry.for_widths((9, 5, 3), 3, 13, 2), None),
        (plain, small, 0),
        (second, small, upper << 8 | lower),
    ):
        memory = pack(network, geometry)
        writes = list(load_writes(memory))
        told = [int(v[0]) for address, v in writes if address == ADDRESS["PIXEL_RESIDUAL"]]
        assert told == ([] if want is None else [want])
        table = [int(v[0]) for address, v in writes if address >= ADDRESS["LAYER_TABLE"]]
        assert table == list(memory.entries)
        data = [values for address, values in writes if address == ADDRESS["LOAD_DATA"]]
        assert np.array_equal(data[1], memory.offset_chunks().ravel())


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
    memory = pack(random_network(np.random.default_rng(4), widths), geometry)
    packet = memory.weight_beats()
    assert len(packet) == beats * len(memory.weights) == beats * geometry.steps(widths)
    for number, row in enumerate(memory.weights):
        mine = packet[number * beats : (number + 1) * beats]
        assert all(0 <= value < 1 << beat for value in mine)
        value = sum(bits << i * beat for i, bits in enumerate(mine))
        assert [value >> i & 1 for i in range(39)] == row.tolist() and value >> 39 == 0


def test_preset_files_hold_the_same(tmp_path: Path) -> None:
    widths = (20, 9, 4)
    geometry = Geometry(pe=2, simd=6, lanes=1, max_width=20, max_classes=4, max_layers=3,
                        weight_depth=50, bank_depth=16, threshold_depth=9)
    memory = pack(random_network(np.random.default_rng(8), widths), geometry)
    memory.write_preset(tmp_path / "p")

    def words(name: str) -> list[int]:
        return [int(line, 16) for line in (tmp_path / name).read_text().split()]

    banks = [words(f"p_weights_{b:02d}_000.hex") for b in range(4)]
    assert [len(bank) for bank in banks] == [16, 16, 16, 2]
    flat = list(chain(*banks))
    for row, value in zip(memory.weights, flat, strict=False):
        assert [value >> i & 1 for i in range(12)] == row.tolist()
    assert not any(flat[len(memory.weights) :])
    mask = (1 << geometry.score_bits) - 1
    for row, value in zip(memory.offsets, words("p_thresholds_000.hex"), strict=False):
        got = [value >> p * geometry.score_bits & mask for p in range(2)]
        assert got == [int(offset) & mask for offset in row]
    config = words("p_config.hex")
    assert config[:6] == [1, 20, 4, 2, memory.pixel_threshold, 256]
    assert config[6:] == [0, 5 << 16 | 4, 2 << 16 | 2, 0]
    assert not list(tmp_path.glob("p_margins*"))


def test_preset_files_of_wide_words_are_slices(tmp_path: Path) -> None:
    """Weights, the last slice of which has one bit; offsets and margins."""
    geometry = Geometry(pe=113, simd=17, lanes=2, max_width=40, max_classes=4, max_layers=2,
                        weight_depth=6, bank_depth=4, threshold_depth=3, order=2)
    network = random_network(np.random.default_rng(8), (40, 40, 4), orders=(1, 2))
    memory = pack(network, geometry)
    memory.write_preset(tmp_path / "p")
    bits = geometry.score_bits
    assert [geometry.pe * n for n in (geometry.simd, bits, 2 * (bits - 1))] == [1921, 1130, 2034]
    weights = [sum(int(bit) << i for i, bit in enumerate(row)) for row in memory.weights]
    mask = (1 << bits) - 1
    offsets = [
        sum((int(x) & mask) << p * bits for p, x in enumerate(row)) for row in memory.offsets
    ]
    margins = [
        sum(int(x) << i * (bits - 1) for i, x in enumerate(row.ravel())) for row in memory.margins
    ]
    for name, width, words, depth in (
        ("p_weights_00", 1921, weights[:4], 4),
        ("p_weights_01", 1921, weights[4:], 2),
        ("p_thresholds", 1130, offsets, 3),
        ("p_margins", 2034, margins, 3),
    ):
        files = sorted(tmp_path.glob(f"{name}_*.hex"))
        sizes = [min(160, width - first) for first in range(0, width, 160)]
        assert [path.name for path in files] == [
            f"{name}_{s:03d}.hex" for s in range(len(sizes))
        ]
        columns = [[int(line, 16) for line in path.read_text().split()] for path in files]
        for size, column in zip(sizes, columns, strict=True):
            assert len(column) == depth and all(0 <= value < 1 << size for value in column)
        rows = zip(*columns, strict=True)
        got = [sum(value << 160 * s for s, value in enumerate(row)) for row in rows]
        assert got == words + [0] * (depth - len(words)) and any(words)


@pytest.mark.parametrize(("simd", "sizes"), [(159, [159]), (160, [160]), (320, [160, 160])])
def test_every_bank_has_a_file_for_every_slice(
    simd: int, sizes: list[int], tmp_path: Path
) -> None:
    """As many banks as there can be, of words of whole slices."""
    network = random_network(np.random.default_rng(8), (simd, 90, 4))
    geometry = replace(
        Geometry.for_widths(network.widths, pe=1, simd=simd, lanes=1),
        weight_depth=100, bank_depth=1,
    )  # fmt: skip
    memory = pack(network, geometry)
    assert len(memory.weights) == 94
    memory.write_preset(tmp_path / "p")
    names = sorted(path.name for path in tmp_path.glob("p_weights_*"))
    assert names == [
        f"p_weights_{bank:02d}_{s:03d}.hex" for bank in range(100) for s in range(len(sizes))
    ]
    for bank, row in enumerate(memory.weights):
        first = 0
        for s, size in enumerate(sizes):
            (word,) = (tmp_path / f"p_weights_{bank:02d}_{s:03d}.hex").read_text().split()
            part = row[first : first + size]
            assert int(word, 16) == int("".join(map(str, part[::-1].tolist())), 2), (bank, s)
            first += size


def test_words_of_too_many_slices_have_no_preset(tmp_path: Path) -> None:
    network = random_network(np.random.default_rng(8), (3, 2))
    memory = pack(network, Geometry.for_widths((3, 2), pe=161, simd=1000, lanes=1))
    with pytest.raises(GeometryError, match=r"word of 161,000 bits is too wide .* at most 160,000"):
        memory.write_preset(tmp_path / "p")
    assert not list(tmp_path.iterdir())
    # And one slice fewer.
    memory = pack(network, Geometry.for_widths((3, 2), pe=160, simd=1000, lanes=1))
    assert (tmp_path / "p_weights_00_999.hex") in memory.write_preset(tmp_path / "p")


def test_preset_files_of_a_core_of_order_2(tmp_path: Path) -> None:
    network = random_network(np.random.default_rng(8), (20, 9, 4), (2, 2), (False, True))
    assert network.pixel_residual is not None
    lower, upper = network.pixel_residual
    geometry = replace(Geometry.for_widths(network.shape, 2, 6, 2), threshold_depth=9)
    memory = pack(network, geometry)
    memory.write_preset(tmp_path / "p", enable=False)

    def words(name: str) -> list[int]:
        return [int(line, 16) for line in (tmp_path / name).read_text().split()]

    config = words("p_config.hex")
    assert config[0] == 1 << BIT["CONTROL"]["PIXEL_8BIT"]
    assert config[6:] == [upper << 8 | lower, *memory.entries]
    bits = geometry.score_bits
    offsets, margins = words("p_thresholds_000.hex"), words("p_margins_000.hex")
    assert len(offsets) == len(margins) == 9
    for row, value in zip(memory.offsets, offsets, strict=False):
        assert [value >> p * bits & (1 << bits) - 1 for p in range(2)] == [
            int(offset) % (1 << bits) for offset in row
        ]
    for row, value in zip(memory.margins, margins, strict=False):
        assert [value >> i * (bits - 1) & (1 << bits - 1) - 1 for i in range(4)] == [*row.ravel()]
    assert not any(offsets[len(memory.offsets) :] + margins[len(memory.margins) :])


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


# ---- the command


@pytest.fixture
def saved(tmp_path: Path) -> tuple[IntegerNetwork, str]:
    network = random_network(np.random.default_rng(0), (40, 20, 10), [2, 1], [False, True])
    network.save(tmp_path / "net.npz")
    return network, str(tmp_path / "net.npz")


SIZES = ["--pe", "3", "--simd", "16", "--lanes", "2"]


def test_the_command_writes_what_the_functions_make(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], saved: tuple[IntegerNetwork, str]
) -> None:
    network, file = saved
    out, text = tmp_path / "a" / "out", tmp_path / "b" / "net.writes"
    arguments = ["--network", file, *SIZES, "--output", str(out), "--out", str(text), "--json"]
    assert packing.main([*arguments, "--prefix", "mine", "--grey"]) == 0
    report = json.loads(capsys.readouterr().out)
    geometry = Geometry.for_widths(network.shape, 3, 16, 2)
    memory = pack(network, geometry)
    assert report["parameters"] == geometry.parameters()
    assert report["checks"] == load_checks(memory)
    assert report["layer_table"] == list(memory.entries)
    assert text.read_text() == register_script(network, geometry)
    again = tmp_path / "again"
    again.mkdir()
    wanted = memory.write_preset(again / "mine", pixel_8bit=True)
    assert {path.name for path in wanted} == {
        "mine_config.hex", "mine_thresholds_000.hex", "mine_margins_000.hex",
        "mine_weights_00_000.hex",
    }  # fmt: skip
    assert report["files"] == [*(str(out / path.name) for path in wanted), str(text)]
    for path in wanted:
        assert (out / path.name).read_bytes() == path.read_bytes()
    assert packing.main(["--network", file, *SIZES, "--out", str(text)]) == 0
    printed = capsys.readouterr().out
    assert "PE=3 SIMD=16 LANES=2" in printed and f"wrote {text}\n" in printed


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Say what to write"),
        (["--output", "new", "--prefix", "a/b"], "--prefix a/b is no beginning"),
        (["--output", "new", "--prefix", ""], "is no beginning"),
        (["--output", "new", "--lanes", "3"], "LANES=3 must be even"),
        (["--output", "new", "--network", "nothing"], "There is no network nothing"),
        (["--output", "net.npz"], "net.npz"),
        (["--output", "new", "--weight-stream", "64"], "--help explains it"),
    ],
)
def test_the_command_refuses(
    arguments: list[str], says: str, tmp_path: Path, saved: tuple[IntegerNetwork, str],
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run_main(lambda: packing.main(["--network", saved[1], *SIZES, *arguments])) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and says in captured.err
    assert [path.name for path in tmp_path.iterdir()] == ["net.npz"]


def test_a_file_stays_where_packing_fails(
    tmp_path: Path, saved: tuple[IntegerNetwork, str]
) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("of an earlier network")
    arguments = ["--network", saved[1], "--lanes", "3", "--out", str(kept)]
    assert run_main(lambda: packing.main(arguments)) == 2
    assert kept.read_text() == "of an earlier network"
