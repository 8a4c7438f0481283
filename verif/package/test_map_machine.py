# SPDX-License-Identifier: Apache-2.0
"""The packed memories of cores for convolutions, run word by word, give the reference's answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from golden.map_cases import images_of, map_case
from golden.map_machine import MapMachine, Pass
from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.map_plan import MOST_GROUPS, MOST_SIDE, MOST_WORDS, Stage, Window
from xnor_fcc.pack import pack
from xnor_fcc.pack_maps import MapMemory
from xnor_fcc.random_network import Convolution, random_map_network
from xnor_fcc.reference import evaluate


def memory_of(network: IntegerNetwork, geometry: Geometry) -> MapMemory:
    memory = pack(network, geometry)
    assert isinstance(memory, MapMemory)
    return memory


def wrong_bits(network: IntegerNetwork, images: np.ndarray, machine: MapMachine) -> int:
    """Hidden bits and scores in which the machine differs from the reference, image after image."""
    assert network.pixels is not None
    expected = evaluate(network, network.inputs_from(images))
    wrong = 0
    for i, image in enumerate(network.pixels.numbers(images)):
        machine.store(image, i % 2)
        result = machine.run(i % 2)
        for seen, answers in zip(result.maps, expected.hidden, strict=True):
            wanted = answers[i] if answers.ndim == 4 else answers[i][None, None]
            wrong += int((seen[:, :, : wanted.shape[2]] != wanted).sum())
            wrong += int(seen[:, :, wanted.shape[2] :].sum())
        wrong += sum(a != b for a, b in zip(result.scores, expected.scores[i], strict=True))
        check_pass(machine, network, result)
    return wrong


def check_pass(machine: MapMachine, network: IntegerNetwork, result: Pass) -> None:
    """What goes for every pass: its steps, the words that it reads, the places that it writes."""
    g, shape = machine.geometry, network.shape
    assert len(result.steps) == g.steps(shape) <= g.pass_cycles(shape)
    assert {step.weight for step in result.steps} == set(range(g.weight_words(shape)))
    assert {step.offset for step in result.steps} == set(range(len(machine.offsets)))
    for layer, stage in enumerate(machine.stages):
        low = machine.base(layer)
        high = low + (g.map_odd if layer & 1 else g.map_even)
        writes = [w for group in result.groups if group.layer == layer for w in group.writes]
        places = {(write.bank, write.address) for write in writes}
        assert len(places) == len(writes), "a word is written twice"
        if layer < len(machine.stages) - 1:
            assert max(address for _, address in places) < low + stage.out_words(machine.parts)
            assert low <= min(address for _, address in places)
            assert low + stage.out_words(machine.parts) <= high


@pytest.mark.parametrize(
    "seed", [*range(12), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(12, 60))]
)
def test_random_networks(seed: int) -> None:
    rng = np.random.default_rng([seed, 17])
    network, geometry = map_case(rng, most_side=9, most_slot=14)
    machine = MapMachine(memory_of(network, geometry))
    assert wrong_bits(network, images_of(network, rng, 2), machine) == 0


CORNERS = {
    # The smallest slot that a pixel fits, of groups of two neurons.
    "tiny slots": (6, [Convolution(5), Convolution(9, 3, True)], [7, 3], 1, 1, 2, 12, 1, False),
    "one window": (3, [Convolution(1)], [1], 1, 1, 1, 9, 1, False),
    "one position, unpooled": (5, [Convolution(7), Convolution(9)], [4], 1, 1, 3, 9, 1, True),
    "pooled to one": (4, [Convolution(7, 3, True)], [2], 1, 1, 3, 9, 2, False),
    "repeats of an odd side": (5, [Convolution(8)], [9, 2], 1, 1, 3, 9, 1, False),
    "slices of five": (5, [Convolution(14), Convolution(13)], [5], 1, 1, 1, 9, 2, True),
    "points": (4, [Convolution(5), Convolution(7, 1), Convolution(3, 1, True)], [6], 1, 1, 1, 9, 2,
               True),
    "every kind": (7, [Convolution(8), Convolution(7, 1), Convolution(5)], [9, 8, 3], 2, 2, 4, 36,
                   2, True),
    "a pool of a pool": (14, [Convolution(6, 3, True), Convolution(5, 1, True)], [3], 2, 1, 2, 18,
                         1, False),
}  # fmt: skip


def corner(name: str) -> tuple[IntegerNetwork, Geometry]:
    side, convolutions, dense, colours, levels, pe, simd, order, ternary = CORNERS[name]
    count = len(convolutions) + len(dense)
    network = random_map_network(
        np.random.default_rng(len(name)), side, convolutions, dense, colours, levels,
        orders=[1, *[order] * (count - 1)], ternary=ternary,
    )  # fmt: skip
    return network, Geometry.for_widths(network.shape, pe, simd, 4)


@pytest.mark.parametrize("name", CORNERS)
def test_corners(name: str) -> None:
    network, geometry = corner(name)
    machine = MapMachine(memory_of(network, geometry))
    images = images_of(network, np.random.default_rng(1), 2)
    assert wrong_bits(network, images, machine) == 0


@pytest.mark.parametrize("seed", range(6))
def test_a_larger_core_gives_the_same(seed: int) -> None:
    """Of more colours, levels, words and planes than the network has."""
    rng = np.random.default_rng([seed, 18])
    network, small = map_case(rng, most_side=8, most_slot=12, kinds=seed % 2 > 0)
    slot = small.pe * -(-27 // small.pe)
    large = replace(
        Geometry.for_widths(network.shape, small.pe, 3 * slot, 4),
        pixel_channels=3, pixel_levels=3, map_input=200, map_even=300, map_odd=500,
        order=2, lanes=8, ternary=1, max_width=6 * slot + small.max_width, weight_depth=20_000,
        bank_depth=512,
    )  # fmt: skip
    machine = MapMachine(memory_of(network, large))
    assert wrong_bits(network, images_of(network, rng, 2), machine) == 0


# What a fault in a memory, in a table entry, or in the machine's own rules does.
FAULTS: dict[str, Callable[[MapMemory], MapMemory]] = {
    # The last synapse's, which no other one follows, of class 0.
    "a weight": lambda m: replace(m, weights=m.weights ^ (
        np.arange(m.weights.size) == m.weights.size - m.geometry.pe).reshape(m.weights.shape)),
    "an offset": lambda m: replace(m, offsets=m.offsets + 2 * (
        np.arange(m.offsets.size) == m.offsets.size - m.geometry.pe).reshape(m.offsets.shape)),
    "a level": lambda m: replace(m, levels=np.where(np.arange(m.levels.size) == 0, 0, m.levels)),
    "a slot that is not masked": lambda m: replace(
        m, stages=tuple(replace(stage, last_slots=3) for stage in m.stages)),
    "groups in another order": lambda m: replace(
        m, weights=np.concatenate([m.weights[1:], m.weights[:1]])),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_seen(fault: str) -> None:
    network, geometry = corner("tiny slots")
    memory = memory_of(network, geometry)
    images = images_of(network, np.random.default_rng(1), 2)
    assert wrong_bits(network, images, MapMachine(FAULTS[fault](memory))) > 0


@pytest.mark.parametrize("seed", range(4))
def test_steps_tell_what_they_read(seed: int) -> None:
    """A word of every lane stands in banks at the addresses that the step reads, all at once."""
    network, geometry = map_case(np.random.default_rng([seed, 19]), most_side=8, most_slot=12)
    memory = memory_of(network, geometry)
    machine = MapMachine(memory)
    assert network.pixels is not None
    image = network.pixels.numbers(images_of(network, np.random.default_rng(1), 1))[0]
    machine.store(image)
    result = machine.run()
    done = {group.step for group in result.groups}
    for number, step in enumerate(result.steps):
        assert (number in done) == step.last
        wanted = sum(address is not None for address in step.reads)
        stage = machine.stages[step.layer]
        if stage.window is Window.DENSE:
            assert wanted == sum(step.mask)
        else:
            inside = sum(word is not None for word in step.words[:: geometry.order])
            assert wanted <= 8 and inside in (1, 2, 4)
        depth = 2 * geometry.map_input if step.image else geometry.map_even + geometry.map_odd
        assert all(address is None or address < depth for address in step.reads)
        for lane, word in enumerate(step.words):
            if word is not None:
                assert word >> geometry.simd == 0 and lane % geometry.order < stage.order
                for j, there in enumerate(step.mask):
                    assert there or not word >> j * geometry.slot & (1 << geometry.slot) - 1
    for before, after in pairwise(result.steps):
        assert after.first == before.last


def test_sinks_write_a_place_when_its_third_row_comes() -> None:
    network, geometry = corner("every kind")
    machine = MapMachine(memory_of(network, geometry))
    image = np.arange(98, dtype=np.uint8).reshape(7, 7, 2)
    writes = machine.pixel_writes(image, 1)
    assert [pixel for pixel, _ in writes] == list(range(14, 49))
    assert {write.bank for _, write in writes} == set(range(8))
    # Pixels 4 to 7 of rows 2 and 3 begin at the third word of a row of two, in the upper half.
    _, write = writes[2 * 7 + 4]
    assert (write.bank, write.address) == (0, geometry.map_input + 3)
    bits = [
        int(0 < level <= image[y, 4, colour])
        for y in (2, 3, 4)
        for colour in (0, 1)
        for level in machine.levels[colour]
    ]
    assert write.data == sum(bit << i for i, bit in enumerate(bits))


def test_entries_are_read_as_they_are_written() -> None:
    rng = np.random.default_rng(4)
    for _ in range(100):
        stage = Stage(
            Window(int(rng.integers(4))), int(rng.integers(1, MOST_WORDS + 1)),
            int(rng.integers(1, MOST_SIDE + 1)), int(rng.integers(1, MOST_GROUPS + 1)),
            bool(rng.integers(2)), bool(rng.integers(2)), int(rng.integers(1, 4)),
            int(rng.integers(1, 3)), bool(rng.integers(2)),
        )  # fmt: skip
        assert Stage.of_entry(stage.entry) == stage and stage.entry < 1 << 32
    everything = Stage(Window.PIXELS, 127, 127, 255, True, True, 3, 2, True)
    assert everything.entry == 0xBFFF_FF7F
    assert Stage(Window.SQUARE, 3, 5, 2).entry == 0x3202_0503
