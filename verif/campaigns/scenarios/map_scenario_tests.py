# SPDX-License-Identifier: Apache-2.0
"""Plays one `scenario.Scenario` of a core for convolutions against the reference.

What becomes of each packet follows from its beats as the core takes them (`Packets`): every good
one is answered with its own scores, class and id, every other one is dropped, counted and named.
Hidden bits, sums and cycles are those of the reference and of the cycle model (`bench.Bench`).
What was found on the way is counted in the file `report`, of failed runs too.

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

from campaigns.scenarios.driving import Sending, hold, meanwhile, send
from campaigns.scenarios.scenario import Episode, Packet, Scenario
from core.host import Host, while_stopped
from golden.image_packets import PacketRules
from golden.pixel_packets import PixelFormat
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.pack import Memory, pack
from xnor_fcc.registers import ADDRESS, BIT, errors_in, mask
from xnor_fcc_sim.bench import Bench
from xnor_fcc_sim.clock import let_pass
from xnor_fcc_sim.packets import Beat, beats_of, map_packet
from xnor_fcc_sim.settings import settings
from xnor_fcc_sim.streams import write_burst
from xnor_fcc_sim.traffic import make_maps, patience

_ENABLE = 1 << BIT["CONTROL"]["ENABLE"] | 1 << BIT["CONTROL"]["PIXEL_8BIT"]
_SOFT_RESET = 1 << BIT["CONTROL"]["SOFT_RESET"]
# Accesses of one prelude of noise; different images of an episode.
_NOISE, _IMAGES = 120, 6


class Packets:
    """What comes of the beats that the core takes, by the rules of the image port; a good packet is
    told to the bench by the number of its image."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.dut = bench, bench.dut
        self.rules = PacketRules(bench.geometry.image_width)
        self.rules.configure(0, grey=True, threshold=0)
        self.images: dict[bytes, int] = {}
        self.malformed = 0
        self.reset()
        cocotb.start_soon(self._watch())

    def reset(self) -> None:
        """Nothing has been seen."""
        self.rules.reset()
        self._count()

    def _count(self) -> None:
        self.dropped, self.taken, self.good, self.errors = 0, 0, 0, 0

    def begin(self, images: dict[bytes, int]) -> None:
        """The core is about to be started; half a packet that it has is none any more. `images`:
        their numbers by their bytes, a whole beat for each pixel."""
        self.images = images
        self.rules.configure(len(next(iter(images))), grey=True, threshold=0)
        self.rules.cut()
        self._count()

    async def _watch(self) -> None:
        dut, edge = self.dut, RisingEdge(self.dut.clk)
        wide = self.bench.geometry.image_width > 8
        while True:
            await edge
            if dut.asi_image_valid.value == 1 and dut.asi_image_ready.value == 1:
                self._beat(
                    Beat(
                        int(dut.asi_image_data.value),
                        int(dut.asi_image_startofpacket.value),
                        int(dut.asi_image_endofpacket.value),
                        int(dut.asi_image_empty.value) if wide else 0,
                        int(dut.asi_image_error.value),
                    )
                )

    def _beat(self, beat: Beat) -> None:
        self.taken += 1
        fate = self.rules.beat(beat)
        self.errors |= fate.errors
        self.dropped += fate.dropped
        self.malformed += fate.dropped
        self.bench.packets += fate.dropped
        if fate.image is not None:
            self.good += 1
            self.bench.accept(self.images[self.rules.payload])


class Player:
    """Plays the episodes of a scenario, one after the other, on one core."""

    def __init__(self, dut: Any, scenario: Scenario) -> None:
        self.dut, self.scenario, self.geometry = dut, scenario, scenario.core
        self.bench = Bench(dut, self.geometry, deep_batches=1, full_rate=True)
        self.packets = Packets(self.bench)
        self.host = Host(dut, self.geometry.max_layers, scenario.seed)
        self.network: IntegerNetwork | None = None
        self.memory: Memory | None = None
        self.loaded = False
        self.hidden_bits = self.episodes = 0
        self.holding: Task[None] | None = None

    def report(self) -> dict[str, int]:
        """What has been seen so far."""
        return {
            "episodes": self.episodes,
            "images": self.bench.results.head,
            "malformed_packets": self.packets.malformed,
            "register_accesses": self.host.done,
            "hidden_bits": self.hidden_bits + self.bench.passes.hidden_bits,
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

    async def _refused(self, name: str) -> None:
        """The core does not start, and says why."""
        bench = self.bench
        await bench.write("ERROR", mask("ERROR"))
        await bench.write("CONTROL", _ENABLE)
        await let_pass(self.dut.clk, 8 * self.geometry.max_layers + 20)
        assert errors_in(await bench.read("ERROR")) == [name]
        assert await bench.read("STATUS") == 0

    async def _half(self, select: int, chunks: np.ndarray) -> None:
        """The network, then the first half of one memory once more: the rest is forgotten."""
        assert self.memory is not None
        await self.bench.load(self.memory)
        await self.bench.write("LOAD_SELECT", select)
        flat = chunks.ravel().tolist()
        await write_burst(self.dut, ADDRESS["LOAD_DATA"], flat[: len(flat) // 2])
        await self._refused("NOT_LOADED")

    async def _overflow(self, select: int, chunks: int, bits: int) -> None:
        """One memory filled with noise to the last word, and three chunks more."""
        await self.bench.write("LOAD_SELECT", select)
        values = self.host.rng.integers(0, 1 << bits, chunks + 3).tolist()
        await write_burst(self.dut, ADDRESS["LOAD_DATA"], values)
        await ClockCycles(self.dut.clk, 3)
        assert "LOAD_OVERFLOW" in errors_in(await self.bench.read("ERROR"))

    async def _prelude(self, name: str) -> None:
        """One of `scenario.PRELUDES`."""
        g, bench, memory = self.geometry, self.bench, self.memory
        assert memory is not None
        match name:
            case "noise":
                await self.host.flood(while_stopped, _NOISE)
            case "no table":
                await bench.load(memory)
                await bench.write("LAYERS", 0)
                await self._refused("BAD_TABLE")
            case "half the weights":
                await self._half(0, memory.weight_chunks())
            case "half the thresholds":
                await self._half(1, memory.offset_chunks())
            case "weights overflow":
                await self._overflow(0, g.weight_depth * -(-g.pe * g.simd // 32), 32)
            case "thresholds overflow":
                chunks = g.threshold_depth * memory.offset_chunks().shape[1]
                await self._overflow(1, chunks, g.score_bits)
            case "soft reset" | "soft resets":
                resets = [_SOFT_RESET] * (2 if name == "soft resets" else 1)
                await write_burst(self.dut, ADDRESS["CONTROL"], resets)
                await ClockCycles(self.dut.clk, 4)
                self.packets.reset()
                return
            case "hard reset":
                await self._hard_reset()
        self.loaded = False

    async def _hard_reset(self) -> None:
        """Everything is lost but the contents of the memories, which count as not loaded."""
        bench = self.bench
        bench.ignore_results()
        bench.passes.stop()  # the pass that is cut off writes no more
        self.dut.reset.value = 1
        await ClockCycles(self.dut.clk, 2)
        del bench.results.pending[bench.results.head :]
        self.packets.reset()
        await bench.reset()
        self.loaded = False

    # ---- an episode

    def _beats(self, packet: Packet, good: list[list[Beat]]) -> list[Beat]:
        """A packet: one of the good images, or one that is malformed."""
        assert self.network is not None and self.network.pixels is not None
        rng = np.random.default_rng(packet.seed)
        if packet.kind in ("zeros", "ones"):  # the first image is black, the last one white
            return good[0 if packet.kind == "zeros" else -1]
        if packet.kind == "good":
            return good[packet.seed % len(good)]
        g = self.geometry
        if packet.kind == "noise":
            return [
                Beat(
                    int.from_bytes(rng.bytes(g.image_width // 8), "big"),
                    start=int(rng.random() < 0.3),
                    # A packet of one beat is never an image.
                    end=int(rng.random() < 0.3),
                    error=1,
                )
                for _ in range(int(rng.integers(1, 8)))
            ]
        pixels = self.network.pixels
        form = PixelFormat(g.image_width, g.pixel_channels, g.pixel_levels, pixels.map_side,
                           packet.seed)  # fmt: skip
        return form.bad(packet.kind if packet.kind in form.kinds() else "short_line").beats

    async def _play(self, episode: Episode) -> None:
        g, dut, bench, packets = self.geometry, self.dut, self.bench, self.packets
        if episode.network is not None:
            self.network = episode.network.make(g)
            self.memory = pack(self.network, g)
            self.loaded = False
        network, memory = self.network, self.memory
        assert network is not None and memory is not None and network.pixels is not None
        for name in episode.prelude:
            await self._prelude(name)
        if not self.loaded:
            await bench.load(memory)
            self.loaded = True
        grey, maps = make_maps(np.random.default_rng(self.scenario.seed), network, _IMAGES)
        good = [beats_of(map_packet(network, image, g.image_width), g.image_width)
                for image in grey]  # fmt: skip
        index = {b"".join(beat.data.to_bytes(g.image_width // 8, "big") for beat in beats): i
                 for i, beats in enumerate(good)}  # fmt: skip
        sendings: list[Sending] = [
            (packet.gap, packet.pause, self._beats(packet, good))
            for packet in episode.packets
            for _ in range(packet.repeat)
        ]
        self.hidden_bits += bench.passes.hidden_bits
        bench.expect(network, maps)
        first = bench.results.head
        await bench.write("ERROR", mask("ERROR"))
        before = {name: await bench.read(name) for name in ("IMAGES", "DROPPED", "BUSY_CYCLES",
                  "STALL_CYCLES", "BATCHES", "STEP_CYCLES")}  # fmt: skip
        packets.begin(index)
        if episode.eager:  # written to while it checks its table
            await write_burst(dut, ADDRESS["CONTROL"], [_ENABLE])
            await write_burst(dut, ADDRESS["LAYERS"], [0] * episode.eager)
        await bench.start(pixel_8bit=True)
        quiet = patience(g, network.shape, 0) + 2 * sum(map(sum, episode.backpressure))
        quiet += 2 * len(memory.entries) * sum(off for _, off in episode.backpressure)
        await self._traffic(episode, sendings, quiet)
        if "reset" in episode.ending:
            return
        answered = bench.results.head - first
        assert answered == packets.good
        assert bench.passes.hidden_bits == answered * network.shape.hidden_bits
        change = {name: await bench.read(name) - count for name, count in before.items()}
        assert change["IMAGES"] == change["BATCHES"] == answered, (change, answered)
        assert change["DROPPED"] == packets.dropped, (change, packets.dropped)
        busy = change["BUSY_CYCLES"] - change["STALL_CYCLES"]
        assert busy == answered * g.pass_cycles(network.shape), (busy, answered)
        assert change["STEP_CYCLES"] == answered * g.steps(network.shape)
        if not episode.noise and not episode.accesses and not episode.eager:
            assert await bench.read("ERROR") == packets.errors

    async def _traffic(self, episode: Episode, sendings: list[Sending], quiet: int) -> None:
        """Packets, accesses and backpressure together, and the end of the episode."""
        dut, bench, packets = self.dut, self.bench, self.packets
        if episode.backpressure:
            self.holding = cocotb.start_soon(hold(dut, episode.backpressure))
        total = sum(len(beats) for _, _, beats in sendings)
        drained = episode.ending == "drained"
        wanted = total if drained else total * episode.cut // 100
        sending = cocotb.start_soon(send(dut, sendings))
        accesses = cocotb.start_soon(meanwhile(dut, self.host, episode))
        waited, before = 0, packets.taken
        while packets.taken < wanted:
            await let_pass(dut.clk, 16)
            waited = waited + 16 if packets.taken == before else 0
            before = packets.taken
            assert waited <= quiet, f"no beat was taken for {quiet} cycles"
        await ClockCycles(dut.clk, episode.wait + 1)
        if drained:
            await bench.drain(quiet)
            if not episode.noise:
                await accesses
        accesses.cancel()
        self.host.rest()
        await RisingEdge(dut.clk)
        if episode.ending == "hard reset":
            sending.cancel()
            await self._hard_reset()
        elif episode.ending == "soft reset":
            bench.ignore_results()
            bench.passes.stop()
            # No beat of the old packet behind the reset.
            sending.cancel()
            dut.asi_image_valid.value = 0
            await bench.write("CONTROL", _SOFT_RESET)
            await ClockCycles(dut.clk, 4)
            del bench.results.pending[bench.results.head :]
            packets.reset()
            bench.watch_results()
            assert dut.aso_result_valid.value == 0
        else:
            await bench.write("CONTROL", 0)
            await bench.drain(quiet)
            await bench.stop()
        sending.cancel()
        dut.asi_image_valid.value = 0
        dut.asi_image_error.value = 0
        if self.holding is not None:
            self.holding.cancel()
        dut.aso_result_ready.value = 1


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def scenario(dut: Any) -> None:
    """The scenario of the settings, from reset to its end."""
    want = settings()
    player = Player(dut, Scenario.of(want["scenario"]))
    try:
        await player.play()
        bench = player.bench
        assert not bench.failures.all, bench.failures.all[0].where
        assert bench.results.head == len(bench.results.pending)
    finally:
        Path(want["report"]).write_text(json.dumps(player.report()) + "\n")
