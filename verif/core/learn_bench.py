# SPDX-License-Identifier: Apache-2.0
"""`LearnBench`: the whole core while its weights move, when no fixed network says what is right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge
from cocotb_bus.drivers.avalon import AvalonSTPkts as PacketDriver
from cocotb_bus.monitors.avalon import AvalonSTPkts as PacketMonitor

from xnor_fcc.geometry import Geometry, ceil_div
from xnor_fcc.learning import Learner
from xnor_fcc.loading import latent_words, latents_in
from xnor_fcc.pack import pack
from xnor_fcc.registers import ADDRESS, word
from xnor_fcc_sim.bench import Bench
from xnor_fcc_sim.clock import clock_cycle, let_pass
from xnor_fcc_sim.streams import write_burst


class LearnBench(Bench):
    """Answers are kept as they come. `batches`: how many images each has; `answers`: (cycle, words)
    of each result."""

    def __init__(self, dut: Any, geometry: Geometry) -> None:
        super().__init__(dut, geometry)
        self.passes.stop()
        self.batches: list[int] = []
        self.answers: list[tuple[int, list[int]]] = []
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        core, edge = self.core, RisingEdge(self.dut.clk)
        while True:
            await RisingEdge(core.load_image_s2)
            await edge
            await edge
            self.batches.append(int(core.batch_count.value))

    def watch_results(self) -> None:
        """Every answer is taken down, whatever it says."""
        self.ignore_results()
        monitor = PacketMonitor(
            self.dut, "aso_result", self.dut.clk, callback=self._take, case_insensitive=False
        )
        monitor.log.setLevel("WARNING")
        self.monitor = monitor

    def forget(self) -> None:
        """After a reset: what was on its way, in or out, belongs to nobody any more."""
        self.driver.kill()
        driver = PacketDriver(self.dut, "asi_image", self.dut.clk, case_insensitive=False)
        driver.log.setLevel("WARNING")
        self.driver = driver
        self.watch_results()

    def _take(self, packet: bytes) -> None:
        words = np.frombuffer(packet, ">u4").astype(np.int64)
        scores = words[:-1].astype(np.uint32).astype(np.int32).tolist()
        self.answers.append((clock_cycle(), [*scores, int(words[-1])]))

    async def prepare(self, learner: Learner) -> None:
        """Load the network of `learner` and its latents into the stopped core; learning is on."""
        await self.load(pack(learner.network, self.geometry))
        await self.set_learning(learner, RESTART=1)
        await self.write_latents(learner.latents)
        await self.set_learning(learner, ENABLE=1)

    async def set_learning(self, learner: Learner, **flags: int) -> None:
        """Write LEARNING."""
        inputs = learner.latents.shape[1]
        value = word("LEARNING", MARGIN=learner.margin, INPUTS=inputs, **flags)
        await self.write("LEARNING", value)

    async def write_latents(self, latents: np.ndarray) -> None:
        """Latents int8 (classes, n) from the next row on."""
        words = latent_words(latents, self.geometry.learn)
        await write_burst(self.dut, ADDRESS["LATENTS"], words.tolist())

    async def read_latents(self, classes: int, inputs: int) -> np.ndarray:
        """Latents int8 (classes, n), from row 0 on where LEARNING has just been written."""
        learn = self.geometry.learn
        count = inputs * ceil_div(learn, 4)
        words = np.array([await self.read("LATENTS") for _ in range(count)], np.uint32)
        return latents_in(words, learn, classes)

    async def answered(self, images: int, cycles: int) -> None:
        """Wait for so many answers altogether, at most `cycles` for each."""
        waited, seen = 0, len(self.answers)
        while len(self.answers) < images:
            await let_pass(self.dut.clk, 16)
            waited = waited + 16 if len(self.answers) == seen else 0
            seen = len(self.answers)
            assert waited <= cycles, f"{seen} of {images} images answered in {cycles} cycles"

    def compare(
        self, learner: Learner, x: np.ndarray, labels: Sequence[int]
    ) -> list[tuple[int, int, int]]:
        """Hold all answers since the last call to what `learner` makes of the same batches: `x`
        uint8 (N, n), the features. Answers of each batch the cycle of its last answer, its images,
        and how many of them moved something."""
        sizes = list(self.batches)
        assert sum(sizes) == len(x) == len(self.answers), (sizes, len(x), len(self.answers))
        first, result = 0, []
        for size in sizes:
            batch = slice(first, first + size)
            learnt = learner.learn_features(x[batch], np.array(labels[batch]))
            found = [words[:-1] for _, words in self.answers[batch]]
            assert found == learnt.scores.tolist(), f"scores of images {first} to {batch.stop - 1}"
            classes = [words[-1] >> 16 for _, words in self.answers[batch]]
            assert classes == learnt.classes.tolist()
            first += size
            result.append((self.answers[first - 1][0], size, learnt.images_moved))
        self.batches.clear()
        self.answers.clear()
        return result
