# SPDX-License-Identifier: Apache-2.0
"""Plays one `scenario.Scenario` of a core that learns against `learning.Learner`.

Every good packet is answered with the scores, the class and the id that the model has for it, in
the batches that the core made; every other packet is dropped, counted and named. After an episode
latents and counters are those of the model. A reset may cut off what is on its way; all batches
that were answered before are compared. What was found on the way is counted in the file `report`,
of failed runs too.

Settings: scenario, its geometry, report.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.task import Task
from cocotb.triggers import ClockCycles, RisingEdge

from campaigns.scenarios.driving import hold, meanwhile, send
from campaigns.scenarios.scenario import Episode, Packet, Scenario
from core.host import SOFT_RESET, Host, while_stopped
from core.learn_bench import LearnBench
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.learning import NO_LABEL, Learner, features
from xnor_fcc.learning_cycles import learning_period
from xnor_fcc.registers import errors_in, mask
from xnor_fcc_sim.clock import let_pass
from xnor_fcc_sim.packets import Beat, beats_of, image_packet
from xnor_fcc_sim.settings import settings

# Accesses of one prelude of noise.
_NOISE = 120


class Sender:
    """Packets on their way into the core: which have been taken whole, and what is to come of them.

    `good`: (id, bits, label) of those that are images; `dropped` and `errors` of the others.
    """

    def __init__(self, dut: Any, network: IntegerNetwork, width: int, grey: bool) -> None:
        self.dut, self.network, self.width, self.grey = dut, network, width, grey
        self.taken = self.dropped = 0
        self.good: list[tuple[int, np.ndarray, int]] = []
        self.errors: set[str] = set()

    async def send(self, packets: list[Packet]) -> None:
        """All of them, with their gaps."""
        for packet in packets:
            beats, image, errors = self._made(packet)
            await send(self.dut, [(packet.gap, packet.pause, beats)])
            if image is not None:
                self.good.append((self.taken, *image))
            else:
                self.dropped += 1
                self.errors |= errors
            self.taken += 1
        self.rest()

    def rest(self) -> None:
        """Nothing is offered."""
        self.dut.asi_image_valid.value = 0
        self.dut.asi_image_error.value = 0

    def _made(self, packet: Packet) -> tuple[list[Beat], tuple[np.ndarray, int] | None, set[str]]:
        """Its beats; bits and label of an image, or the errors of a packet that is none: flagged,
        without its label, or with a byte more."""
        rng = np.random.default_rng(packet.seed)
        network = self.network
        bits = rng.integers(0, 2, network.inputs, np.uint8)
        if packet.kind in ("zeros", "ones"):
            bits[:] = packet.kind == "ones"
        # Mostly classes; none, and two that are no class.
        odd = [NO_LABEL, network.classes, 254]
        label = int(rng.choice(odd) if rng.random() < 0.2 else rng.integers(network.classes))
        whole = image_packet(network, bits, self.grey, rng) + bytes([label])
        if packet.kind in ("good", "zeros", "ones"):
            return beats_of(whole, self.width), (bits, label), set()
        if packet.kind.startswith(("short", "cut", "flag_then_short")):
            errors = {"PACKET_SHORT"}
            if len(whole) == 2:
                # Nothing but a label is left: a beat that is all flagged, longer than the image.
                errors = {"PACKET_FLAGGED"} | ({"PACKET_LONG"} if self.width > 8 else set())
            return beats_of(whole[:-1], self.width), None, errors
        if packet.kind.startswith(("long", "endless", "flag_then_long")):
            return beats_of(whole + b"\0", self.width), None, {"PACKET_LONG"}
        beats = beats_of(whole, self.width)
        beats[packet.seed % len(beats)].error = 1
        return beats, None, {"PACKET_FLAGGED"}


class Player:
    """Plays the episodes of a scenario, one after the other, on one core."""

    def __init__(self, dut: Any, scenario: Scenario) -> None:
        self.dut, self.scenario, self.geometry = dut, scenario, scenario.core
        self.bench = LearnBench(dut, self.geometry)
        self.host = Host(dut, self.geometry.max_layers, scenario.seed)
        self.learner: Learner | None = None
        self.loaded = False
        self.images = self.malformed = self.episodes = 0
        self.holding: Task[None] | None = None

    def report(self) -> dict[str, int]:
        """What has been seen so far."""
        return {
            "episodes": self.episodes,
            "images": self.images,
            "malformed_packets": self.malformed,
            "register_accesses": self.host.done,
            "hidden_bits": 0,
            "cycles": self.bench.cycle(),
        }

    async def play(self) -> None:
        """All of it."""
        await self.bench.reset()
        for number, episode in enumerate(self.scenario.episodes):
            self.dut._log.info("episode %d", number)
            await self._play(episode)
            self.episodes += 1

    # ---- before the start

    async def _prelude(self, name: str) -> None:
        """One of `scenario.PRELUDES`: noise, a reset, or noise for those about memories."""
        match name:
            case "soft reset" | "soft resets":
                await self._soft_reset()
            case "hard reset":
                await self._hard_reset()
            case _:
                await self.host.flood(while_stopped, _NOISE)
                self.loaded = False

    async def _soft_reset(self) -> None:
        """What has been loaded stays."""
        self.bench.ignore_results()
        await self.bench.write("CONTROL", SOFT_RESET)
        await self._forget()

    async def _hard_reset(self) -> None:
        """What has been loaded counts as lost."""
        self.bench.ignore_results()
        self.dut.reset.value = 1
        await ClockCycles(self.dut.clk, 2)
        await self.bench.reset()
        self.bench.ignore_results()
        await self._forget()
        self.loaded = False

    async def _forget(self) -> None:
        """Answers that were on their way when a reset came belong to nobody."""
        await ClockCycles(self.dut.clk, 6)
        assert self.dut.aso_result_valid.value == 0
        self.bench.batches.clear()
        self.bench.answers.clear()
        self.bench.watch_results()

    # ---- an episode

    async def _play(self, episode: Episode) -> None:
        g, bench = self.geometry, self.bench
        if episode.network is not None:
            network = episode.network.make(g)
            learner = Learner(network, episode.margin, g.lanes, start=episode.start)
            self.loaded = False
        else:
            assert self.learner is not None
            learner = Learner(self.learner.network, episode.margin, g.lanes)
        self.learner = learner
        for name in episode.prelude:
            await self._prelude(name)
        if not self.loaded:
            await bench.write("LEARNING", 0)
            await bench.prepare(learner)
            self.loaded = True
        await bench.set_learning(learner, ENABLE=1)
        await bench.write("PARTIAL_TIMEOUT", episode.timeout)
        await bench.write("ERROR", mask("ERROR"))
        names = ("IMAGES", "DROPPED", "LEARNT", "MOVED")
        before = {name: await bench.read(name) for name in names}
        await bench.start(pixel_8bit=episode.grey)
        sender = Sender(self.dut, learner.network, g.image_width, episode.grey)
        await self._traffic(episode, sender)
        self.malformed += sender.dropped
        if "reset" in episode.ending:
            return
        learnt, moved = self._compare(sender)
        change = {name: await bench.read(name) - count for name, count in before.items()}
        assert change == {
            "IMAGES": len(sender.good), "DROPPED": sender.dropped, "LEARNT": learnt, "MOVED": moved,
        }, change  # fmt: skip
        if not episode.noise and not episode.accesses:
            classes = learner.network.classes
            refused = any(classes <= label != NO_LABEL for _, _, label in sender.good)
            wanted = sender.errors | ({"LABEL"} if refused else set())
            assert set(errors_in(await bench.read("ERROR"))) == wanted
        await bench.set_learning(learner)
        found = await bench.read_latents(*learner.latents.shape)
        assert (found == learner.latents).all(), "latents after the episode"

    def _compare(self, sender: Sender) -> tuple[int, int]:
        """All answers of the episode: how many images were learnt from, and moved something."""
        assert self.learner is not None
        good, bench, network = sender.good, self.bench, self.learner.network
        ids = [words[-1] & 0xFFFF for _, words in bench.answers]
        assert ids == [number for number, _, _ in good], (ids, len(good))
        labels = [label for _, _, label in good]
        self.images += len(good)
        if not good:
            return 0, 0
        x = features(network, np.array([bits for _, bits, _ in good]))
        done = bench.compare(self.learner, x, labels)
        known = sum(label < network.classes for label in labels)
        return known, sum(images for _, _, images in done)

    async def _traffic(self, episode: Episode, sender: Sender) -> None:
        """Packets, accesses and backpressure together, and the end of the episode."""
        dut, bench, network = self.dut, self.bench, sender.network
        packets = [packet for packet in episode.packets for _ in range(packet.repeat)]
        drained = episode.ending == "drained"
        # Whole packets, but where a reset comes.
        wanted = len(packets) if drained else len(packets) * episode.cut // 100
        quiet = 3 * learning_period(self.geometry, network.widths, True) + 3000
        quiet += self.geometry.lanes * (network.classes + 2) * sum(map(sum, episode.backpressure))
        if episode.backpressure:
            self.holding = cocotb.start_soon(hold(dut, episode.backpressure))
        reset = "reset" in episode.ending
        sending = cocotb.start_soon(sender.send(packets if reset else packets[:wanted]))
        accesses = cocotb.start_soon(meanwhile(dut, self.host, episode))
        waited, before = 0, -1
        while sender.taken < wanted:
            waited = waited + 16 if sender.taken == before else 0
            before = sender.taken
            assert waited <= quiet, f"no packet was taken in {quiet} cycles"
            await let_pass(dut.clk, 16)
        await ClockCycles(dut.clk, episode.wait + 1)
        if drained:
            await bench.answered(len(sender.good), quiet)
            if not episode.noise:
                await accesses
        accesses.cancel()
        self.host.rest()
        await RisingEdge(dut.clk)
        if reset:
            sending.cancel()
            sender.rest()
            self._answered_so_far(sender)
            await (self._hard_reset() if episode.ending == "hard reset" else self._soft_reset())
            # A walk may have been cut off: weights are neither old nor new.
            self.loaded = False
        else:
            await sending
            await bench.write("CONTROL", 0)
            await bench.answered(len(sender.good), quiet)
            await bench.stop()
        if self.holding is not None:
            self.holding.cancel()
        dut.aso_result_ready.value = 1

    def _answered_so_far(self, sender: Sender) -> None:
        """Before a reset: every batch that has been answered whole."""
        assert self.learner is not None
        bench = self.bench
        first = 0
        for size in bench.batches:
            batch = slice(first, first + size)
            if batch.stop > min(len(bench.answers), len(sender.good)):
                break
            some = sender.good[batch]
            x = features(self.learner.network, np.array([bits for _, bits, _ in some]))
            learnt = self.learner.learn_features(x, np.array([label for _, _, label in some]))
            found = bench.answers[batch]
            scores = [words[:-1] for _, words in found]
            assert scores == learnt.scores.tolist(), f"scores of images {first} and behind"
            assert [words[-1] & 0xFFFF for _, words in found] == [number for number, _, _ in some]
            first = batch.stop
        self.images += first


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def scenario(dut: Any) -> None:
    """The scenario of the settings, from reset to its end."""
    want = settings()
    player = Player(dut, Scenario.of(want["scenario"]))
    try:
        await player.play()
    finally:
        Path(want["report"]).write_text(json.dumps(player.report()) + "\n")
