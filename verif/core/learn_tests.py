# SPDX-License-Identifier: Apache-2.0
"""A core that learns, against `learning.Learner`: every score, latent and sign; settings: geometry,
seed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cocotb
import numpy as np

from core.learn_bench import LearnBench
from xnor_fcc.geometry import Geometry, ceil_div
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.learning import NO_LABEL, Learner, features
from xnor_fcc.learning_cycles import learning_period, walk_cycles
from xnor_fcc.pack import pack
from xnor_fcc.registers import ADDRESS, BIT, errors_in, word
from xnor_fcc_sim.clock import let_pass
from xnor_fcc_sim.packets import beats_of, image_packet
from xnor_fcc_sim.settings import settings
from xnor_fcc_sim.streams import write_burst
from xnor_fcc_sim.traffic import bursts, make, random_widths

LIMIT_MS = 400


@dataclass
class Case:
    """A network that learns, images for it, their features, and labels of all kinds."""

    geometry: Geometry
    rng: np.random.Generator
    network: IntegerNetwork
    bits: np.ndarray
    x: np.ndarray
    labels: list[int]
    learner: Learner

    @property
    def widths(self) -> tuple[int, ...]:
        """Of the network."""
        return self.network.shape.widths

    @property
    def patience(self) -> int:
        """Cycles in which an image is answered for certain, without backpressure."""
        return 2 * learning_period(self.geometry, self.widths, moved=True) + 4000

    def packet(self, image: int, grey: bool = False) -> bytes:
        """With its label."""
        pixels = image_packet(self.network, self.bits[image], grey, self.rng)
        return pixels + bytes([self.labels[image]])


def case(turn: int, layers: int, images: int, margin: int = 32, start: int = 8) -> Case:
    """A random one for the core of the settings, as number `turn`."""
    want = settings()
    geometry = Geometry(**want["geometry"])
    rng = np.random.default_rng(int(want["seed"]) + 1000 * turn)
    # Without layers: one of a single word, and of all classes that can learn.
    widths: tuple[int, ...] = (min(geometry.simd, geometry.max_width), geometry.learn)
    while layers:
        widths = random_widths(rng, geometry, layers)
        if widths[-1] <= geometry.learn:
            break
    network, bits = make(int(rng.integers(1 << 30)), widths, images)
    classes = widths[-1]
    odd = [NO_LABEL, 254, *([classes] if classes < NO_LABEL else [])]
    labels = [
        int(rng.choice(odd) if rng.random() < 0.2 else rng.integers(classes))
        for _ in range(images)
    ]
    learner = Learner(network, margin, geometry.lanes, start=start)
    return Case(geometry, rng, network, bits, features(network, bits), labels, learner)


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def learns_bit_by_bit(dut: Any) -> None:
    """Networks of 1 to 4 layers, margins and starts at their ends: first at full rate, where cycles
    are those of the model, then 8-bit pixels with gaps, backpressure and partial batches. Latents,
    counters, and afterwards the answers without learning."""
    geometry = Geometry(**settings()["geometry"])
    lanes = geometry.lanes
    bench = LearnBench(dut, geometry)
    await bench.reset()
    # Far from the middle latents saturate.
    for turn, (margin, start) in enumerate([(32, 8), (255, 127), (0, 0), (1, 3), (32, 8)]):
        layers = 1 + turn % geometry.max_layers if turn < 4 else 0
        one = case(turn, layers, 12 * geometry.lanes + 1, margin, start)
        await bench.prepare(one.learner)
        await bench.write("PARTIAL_TIMEOUT", 3000)
        await bench.start()
        for image in range(len(one.bits)):
            bench.driver.append(one.packet(image))
        await bench.answered(len(one.bits), one.patience)
        done = bench.compare(one.learner, one.x, one.labels)
        moved = sum(images for *_, images in done)
        beats = geometry.image_beats(8 * ceil_div(one.widths[0], 8) + 8, False)
        for (before, size, images), (after, *_) in pairwise(done[:-1]):  # it is a partial batch
            assert size == lanes
            period = learning_period(geometry, one.widths, images > 0)
            # Of short passes the images of a batch may take longer to come in.
            if period > lanes * (beats + 1) + 8:
                assert after - before == period

        await bench.stop()
        bench.set_idle_generator(bursts(one.rng, 6))
        bench.set_backpressure_generator(bursts(one.rng, 12))
        await bench.write("PARTIAL_TIMEOUT", 5)
        await bench.start(pixel_8bit=True)
        for image in range(len(one.bits)):
            bench.driver.append(one.packet(image, grey=True))
            if one.rng.random() < 0.3:
                await let_pass(dut.clk, 1 + int(one.rng.integers(200)))
        await bench.answered(len(one.bits), 40 * one.patience)
        done = bench.compare(one.learner, one.x, one.labels)
        assert lanes == 1 or {size for _, size, _ in done} != {lanes}, "no partial batch"
        moved += sum(images for *_, images in done)
        bench.set_idle_generator(None)
        bench.ready.stop()
        dut.aso_result_ready.value = 1
        await bench.stop()

        assert await bench.read("MOVED") == moved
        known = sum(label < one.widths[-1] for label in one.labels)
        assert await bench.read("LEARNT") == 2 * known
        bad = any(one.widths[-1] <= label != NO_LABEL for label in one.labels)
        assert errors_in(await bench.read("ERROR")) == ["LABEL"] * bad
        await bench.set_learning(one.learner)
        found = await bench.read_latents(*one.learner.latents.shape)
        assert (found == one.learner.latents).all()

        # The signs, which a core does not tell: in what it answers, without labels.
        await bench.start()
        for bits in one.bits:
            bench.driver.append(image_packet(one.network, bits, False, one.rng))
        await bench.answered(len(one.bits), one.patience)
        fixed = Learner(one.learner.network, lanes=geometry.lanes)
        bench.compare(fixed, one.x, [NO_LABEL] * len(one.bits))
        await bench.stop()
        await bench.write("CONTROL", 1 << BIT["CONTROL"]["SOFT_RESET"])


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def refuses_what_it_cannot_learn(dut: Any) -> None:
    """No latents, too few, too many; a network of no inputs, or of more classes than can learn;
    writes while it runs. Nothing of it changes what is there."""
    geometry = Geometry(**settings()["geometry"])
    one = case(0, 1, 2)
    bench = LearnBench(dut, geometry)
    await bench.reset()
    assert await bench.read("LEARNING") == word("LEARNING", CLASSES=geometry.learn)
    learner, inputs = one.learner, one.widths[-2]
    await bench.load(pack(one.network, geometry))

    async def refused(error: str) -> None:
        await bench.write("CONTROL", 1 << BIT["CONTROL"]["ENABLE"])
        await let_pass(dut.clk, 60)
        assert await bench.read("STATUS") == 0
        assert errors_in(await bench.read("ERROR")) == [error]
        await bench.write("ERROR", 0xFFFF_FFFF)
        assert await bench.read("ERROR") == 0

    await bench.set_learning(learner, ENABLE=1)
    await refused("NOT_LOADED")
    if inputs > 1:
        await bench.write_latents(learner.latents[:, 1:])
        await refused("NOT_LOADED")
    await bench.set_learning(learner, RESTART=1, ENABLE=1)
    await refused("NOT_LOADED")
    rest = np.zeros((learner.latents.shape[0], geometry.max_width - inputs), np.int8)
    latents = np.concatenate([learner.latents, rest], axis=1)
    await bench.write_latents(latents)
    assert await bench.read("ERROR") == 0
    if geometry.max_width > 1:  # a memory of one row has room for two
        await bench.write_latents(latents[:, :1])
        assert errors_in(await bench.read("ERROR")) == ["LOAD_OVERFLOW"]
        await bench.write("ERROR", 0xFFFF_FFFF)
    await bench.write("LEARNING", word("LEARNING", ENABLE=1, MARGIN=1))
    await refused("BAD_TABLE")
    if geometry.max_classes > geometry.learn:
        await bench.set_learning(learner, ENABLE=1)
        await bench.write("CLASSES", geometry.learn + 1)
        await refused("BAD_TABLE")
        await bench.write("CLASSES", one.widths[-1])
    await bench.set_learning(learner, ENABLE=1)
    wanted = await bench.read("LEARNING")
    assert wanted == word(
        "LEARNING", ENABLE=1, CLASSES=geometry.learn, MARGIN=learner.margin, INPUTS=inputs
    )

    # While it runs.
    await bench.start()
    for register in ("LEARNING", "LATENTS"):
        await bench.write(register, 0xFFFF_FFFF)
        assert errors_in(await bench.read("ERROR")) == ["CONFIG_BUSY"]
        await bench.write("ERROR", 0xFFFF_FFFF)
    assert await bench.read("LATENTS") == 0
    assert await bench.read("LEARNING") == wanted
    await bench.write("LEARNT", 7)
    await bench.stop()
    await bench.set_learning(learner)
    found = await bench.read_latents(len(latents), latents.shape[1])
    assert (found == latents).all()
    assert await bench.read("LEARNT") == await bench.read("MOVED") == 0


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def labels_that_are_missing(dut: Any) -> None:
    """A packet without its label is one byte short: dropped, counted, named, as one with two is.
    Nothing is learnt of it, and the images around it are what they are."""
    one = case(0, min(2, settings()["geometry"]["max_layers"]), 9)
    bench = LearnBench(dut, one.geometry)
    await bench.reset()
    await bench.prepare(one.learner)
    await bench.write("PARTIAL_TIMEOUT", 5)
    await bench.start()
    width = one.geometry.image_width
    for image in range(9):
        packet = one.packet(image)
        if image % 3 == 1:
            bad = packet[:-1] if image % 2 else packet + packet[-1:]
            await bench.drive_beats(beats_of(bad, width))
        else:
            await bench.drive_beats(beats_of(packet, width))
    good = [image for image in range(9) if image % 3 != 1]
    await bench.answered(len(good), one.patience)
    assert [words[-1] & 0xFFFF for _, words in bench.answers] == good
    bench.compare(one.learner, one.x[good], [one.labels[image] for image in good])
    await bench.stop()
    assert await bench.read("DROPPED") == 3
    errors = set(errors_in(await bench.read("ERROR"))) - {"LABEL"}
    # A packet of one byte is nothing but a label, which has no image at all.
    short = "PACKET_FLAGGED" if len(one.packet(0)) == 2 else "PACKET_SHORT"
    assert errors == {short, "PACKET_LONG"}
    await bench.set_learning(one.learner)
    assert (await bench.read_latents(*one.learner.latents.shape) == one.learner.latents).all()


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def reset_and_stop_in_a_walk(dut: Any) -> None:
    """A stopped core finishes its walk. A reset cuts it off: the rows up to some place have moved,
    the others have not, in the order of the walk. What is loaded then learns as ever."""
    geometry = Geometry(**settings()["geometry"])
    bench = LearnBench(dut, geometry)
    await bench.reset()
    cut = 0
    for turn in range(10):
        one = case(turn, 1 + turn % min(3, geometry.max_layers), geometry.lanes, margin=255)
        one.labels = [0] * geometry.lanes
        learner, before = one.learner, one.learner.latents
        await bench.prepare(learner)
        # Weights are what was loaded last, so that more of them can follow.
        chunks = pack(learner.network, geometry).weight_chunks()
        await bench.write("LOAD_SELECT", 0)
        await write_burst(dut, ADDRESS["LOAD_DATA"], chunks.ravel().tolist())
        await bench.start()
        for image in range(geometry.lanes):
            bench.driver.append(one.packet(image))
        await bench.answered(geometry.lanes, one.patience)
        bench.compare(learner, one.x, one.labels)
        after, stopped = learner.latents, turn == 0
        if not stopped:
            await let_pass(
                dut.clk, 1 + int(one.rng.integers(walk_cycles(geometry, one.widths)))
            )
        await bench.write("CONTROL", 0 if stopped else 1 << BIT["CONTROL"]["SOFT_RESET"])
        while await bench.read("STATUS"):
            assert stopped
        await bench.set_learning(learner)
        found = await bench.read_latents(*after.shape)
        inputs = after.shape[1]
        first = 0 if len(one.widths) == 2 or inputs <= geometry.simd else geometry.simd
        order = np.roll(np.arange(inputs), -first)
        found, before, after = (each[:, order] for each in (found, before, after))
        prefixes = [
            k
            for k in range(inputs + 1)
            if (found[:, :k] == after[:, :k]).all() and (found[:, k:] == before[:, k:]).all()
        ]
        assert prefixes, "no place up to which the rows have moved"
        assert not stopped or inputs in prefixes
        cut += inputs not in prefixes
        bench.forget()
        # The next word is loaded from its first chunk on, however the walk ended.
        words, parts = chunks.shape
        if words < geometry.weight_depth:
            await write_burst(dut, ADDRESS["LOAD_DATA"], [0] * (parts - 1))
            assert await bench.read("WEIGHTS_LOADED") == words
            await bench.write("LOAD_DATA", 0)
            assert await bench.read("WEIGHTS_LOADED") == words + 1
    assert cut or geometry.max_width < 10, "every walk was over before its reset"
