# SPDX-License-Identifier: Apache-2.0
"""Plays one `scenario.Scenario` against the reference.

Every register answer, the interrupt, every accepted packet and its id are what `twin.Twin` says, in
every cycle; every score, class and hidden bit, and the accumulators of the first batch, are those
of the reference (`bench.Bench`); each episode's counters are those of the cycle model. What was
found on the way is counted in the file `report`, of failed runs too.

Settings: scenario, its geometry, report.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import chain, cycle, repeat
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.task import Task
from cocotb.triggers import ClockCycles

from campaigns.scenarios.driving import Sending, hold, meanwhile, send
from campaigns.scenarios.scenario import Episode, Packet, Scenario
from core.host import (
    Host,
    counters,
    progress,
    try_to_start,
    while_coming_to_rest,
    while_stopped,
)
from golden.image_packets import Format
from golden.twin import Twin
from golden.word_loader import Loader
from xnor_fcc.geometry import Geometry, Shape
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.pack import Memory, pack
from xnor_fcc.registers import ADDRESS, BIT, errors_in
from xnor_fcc_sim.bench import Bench
from xnor_fcc_sim.clock import let_pass
from xnor_fcc_sim.packets import Beat
from xnor_fcc_sim.settings import settings
from xnor_fcc_sim.streams import write_burst
from xnor_fcc_sim.traffic import batches_until_steady, out_of_step, patience

_ENABLE = 1 << BIT["CONTROL"]["ENABLE"]
_PIXEL_8BIT = 1 << BIT["CONTROL"]["PIXEL_8BIT"]
_SOFT_RESET = 1 << BIT["CONTROL"]["SOFT_RESET"]
# What WEIGHTS_LOADED reads where there is no weight memory.
_UNLIMITED = 0x7FFF_FFFF
# Images at full rate at most; where the steady state comes later it is not looked at.
_STEADY_IMAGES = 100
# Accesses of one prelude of noise.
_NOISE = 120
# A PARTIAL_TIMEOUT above this one is not waited for.
_SOON = 1000


class _Unlimited(Loader):
    """The port of a memory that is not there: nothing to load, and every chunk is one too many."""

    def cycle(
        self,
        restart: bool,
        chunk: int | None,
        seek: int | None = None,
        patch: int | None = None,
    ) -> None:
        """Take the inputs of a cycle."""
        self.overflow = chunk is not None and not restart


class ScenarioTwin(Twin):
    """A twin that knows cores with streamed weights too, as far as the ports tell: when a packet of
    weights that is out of step is noticed depends on what happens inside."""

    def __init__(self, dut: Any, bench: Bench) -> None:
        self.fault_is_due = False
        super().__init__(dut, bench)
        if self.geometry.weight_stream:
            self.rules.geometry = replace(self.geometry, weight_depth=1 << 24, bank_depth=1 << 24)

    def _hardware_reset(self) -> None:
        super()._hardware_reset()
        if self.geometry.weight_stream:
            self.loaders[0] = _Unlimited(32, 1, _UNLIMITED, _UNLIMITED)

    def _write(self, address: int, value: int) -> int:
        events = super()._write(address, value)
        if self.geometry.weight_stream and self.loaders[0].overflow:
            # Without a loader, which takes a cycle, a chunk is one too many at once.
            self.loaders[0].overflow = False
            events |= 1 << BIT["ERROR"]["LOAD_OVERFLOW"]
        return events

    def _value(self, address: int) -> int | None:
        unknown = ["WEIGHT_STALL_CYCLES"] if self.geometry.weight_stream else []
        unknown += ["ERROR", "IRQ_STATUS"] if self.fault_is_due else []
        return None if address in map(ADDRESS.get, unknown) else super()._value(address)


def beats_of(form: Format, kind: str) -> list[Beat]:
    """A packet of one of `scenario.GOOD` or `BAD`."""
    rng = form.rng
    if kind == "noise":
        count = int(rng.integers(1, 8))
        words = [int.from_bytes(rng.bytes(form.symbols), "big") for _ in range(count)]
        starts, ends, flags = (rng.random(count) < p for p in (0.3, 0.3, 0.1))
        empties = rng.integers(0, form.symbols, count)
        return [
            Beat(word, int(start), int(end), int(empty), int(flag))
            for word, start, end, empty, flag in zip(
                words, starts, ends, empties, flags, strict=True
            )
        ]
    if kind in ("good", "ones"):
        packet = form.good(ones=kind == "ones")
    elif kind == "zeros":
        packet = form.good()
        packet.beats = [replace(beat, data=0) for beat in packet.beats]
    else:
        packet = form.bad(kind if kind in form.kinds() else "flag")
    return packet.beats


class Player:
    """Plays the episodes of a scenario, one after the other, on one core."""

    def __init__(self, dut: Any, scenario: Scenario) -> None:
        self.dut, self.scenario = dut, scenario
        self.geometry: Geometry = scenario.core
        self.bench = Bench(dut, self.geometry, deep_batches=1, full_rate=True)
        self.twin = ScenarioTwin(dut, self.bench)
        self.host = Host(dut, self.geometry.max_layers, scenario.seed)
        self.network: IntegerNetwork | None = None
        self.shape = Shape.of((1, 1))
        self.memory: Memory | None = None
        self.loaded = False
        self.hidden_bits = 0
        self.episodes = 0
        self.holding: Task[None] | None = None

    def report(self) -> dict[str, int]:
        """What has been seen so far."""
        twin = self.twin
        return {
            "episodes": self.episodes,
            "images": self.bench.results.head,
            "malformed_packets": twin.malformed,
            "register_accesses": twin.reads + twin.writes,
            "hidden_bits": self.hidden_bits + self.bench.passes.hidden_bits,
            "cycles": self.bench.cycle(),
        }

    async def play(self) -> None:
        """All of it."""
        await self.bench.reset()
        for number, episode in enumerate(self.scenario.episodes):
            self.dut._log.info("episode %d", number)
            await self._play(episode, number)
            self.episodes += 1

    # ---- before the start

    async def _load(self) -> None:
        """The network, with the checksums of what was written."""
        assert self.memory is not None
        await self.bench.load(self.memory)
        self.loaded = True

    async def _load_half(self, select: int, chunks: np.ndarray) -> None:
        """The network, then the first half of one memory once more: the rest is forgotten."""
        await self._load()
        await self.bench.write("LOAD_SELECT", select)
        flat = chunks.ravel().tolist()
        await write_burst(self.dut, ADDRESS["LOAD_DATA"], flat[: len(flat) // 2])

    async def _overflow(self, select: int, chunks: int, bits: int) -> None:
        """One memory filled with noise to the last word, and three chunks more."""
        rng = self.host.rng
        await self.bench.write("LOAD_SELECT", select)
        values = rng.integers(0, 1 << bits, chunks + 3).tolist()
        await write_burst(self.dut, ADDRESS["LOAD_DATA"], values)
        await ClockCycles(self.dut.clk, 3)
        assert "LOAD_OVERFLOW" in errors_in(await self.bench.read("ERROR"))

    async def _prelude(self, name: str) -> None:
        """One of `scenario.PRELUDES`; the twin knows what must come of it."""
        g, memory, bench = self.geometry, self.memory, self.bench
        assert memory is not None
        match name:
            case "noise":
                await self.host.flood(while_stopped, _NOISE)
                await try_to_start(self.twin)  # seldom is noise a network
            case "no table":
                await self._load()
                await bench.write("LAYERS", 0)
                assert not await try_to_start(self.twin)
            case "half the weights":
                await self._load_half(0, memory.weight_chunks())
                started = await try_to_start(self.twin)
                # Streamed weights are not loaded; inputs of order 2 are refused with 1-bit pixels.
                levels = memory.shape.orders[0] == 2
                assert started == (bool(g.weight_stream) and not levels)
            case "half the thresholds":
                await self._load_half(1, memory.offset_chunks())
                assert not await try_to_start(self.twin)
            case "weights overflow":
                words = 0 if g.weight_stream else g.weight_depth
                await self._overflow(0, words * -(-g.pe * g.simd // 32), 32)
            case "thresholds overflow":
                chunks = g.threshold_depth * memory.offset_chunks().shape[1]
                await self._overflow(1, chunks, g.score_bits)
            case "soft reset":
                await bench.write("CONTROL", _SOFT_RESET)
                await ClockCycles(self.dut.clk, 4)
                return
            case "soft resets":  # one cycle after the other
                await write_burst(self.dut, ADDRESS["CONTROL"], [_SOFT_RESET] * 2)
                await bench.read("CYCLES")
                return
            case "hard reset":
                await self._hard_reset()
        self.loaded = False

    async def _hard_reset(self) -> None:
        """Everything is lost but the contents of the memories, which count as not loaded."""
        bench = self.bench
        bench.ignore_results()
        bench.stop_weights()
        self.dut.reset.value = 1
        await ClockCycles(self.dut.clk, 2)
        del bench.results.pending[bench.results.head :]
        await bench.reset()
        self.loaded = False

    # ---- what is sent

    def _packets(self, episode: Episode) -> list[Packet]:
        """The packets of an episode."""
        packets = list(episode.packets)
        if episode.bad_weights:  # images enough to meet the bad packet
            packets = [Packet(seed=7, repeat=4 * self.geometry.lanes)]
        if episode.steady:
            packets = [Packet(repeat=self._steady_images()), *packets]
        if episode.lone:
            packets = [Packet(seed=11), *packets]
        return packets

    def _steady_images(self) -> int:
        g, shape = self.geometry, self.shape
        batches = batches_until_steady(g, shape, False) + 1
        return min(_STEADY_IMAGES, batches * g.images_per_batch(shape))

    def _sendings(self, episode: Episode, packets: Sequence[Packet]) -> list[Sending]:
        """Packets as beats."""
        result: list[Sending] = []
        for packet in packets:
            form = Format(self.geometry.image_width, self.shape.widths[0], self._grey(episode),
                          episode.pixel_threshold, packet.seed)  # fmt: skip
            result += [
                (packet.gap, packet.pause, beats_of(form, packet.kind))
                for _ in range(packet.repeat)
            ]
        return result

    # ---- an episode

    async def _play(self, episode: Episode, number: int) -> None:
        g, dut, bench, twin = self.geometry, self.dut, self.bench, self.twin
        if episode.network is not None:
            self.network = episode.network.make(g)
            self.memory = pack(self.network, g)
            self.loaded = False
        assert self.network is not None
        self.shape = shape = self.network.shape
        grey, levels = self._grey(episode), shape.orders[0] == 2
        inputs = shape.widths[0]
        for name in episode.prelude:
            await self._prelude(name)
        if not self.loaded:
            await self._load()
        timeout = episode.timeout
        if episode.steady:
            timeout = g.image_beats(inputs, grey) + 40
        await bench.write("PIXEL_THRESHOLD", episode.pixel_threshold)
        await bench.write("PIXEL_RESIDUAL", episode.pixel_residual)
        await bench.write("PARTIAL_TIMEOUT", timeout)

        sendings = self._sendings(episode, self._packets(episode))
        rules = deepcopy(twin.packets)
        residual = episode.pixel_residual if levels else None
        rules.configure(inputs, grey, episode.pixel_threshold, residual)
        images = []
        for _, _, beats in sendings:
            fates = map(rules.beat, beats)
            images += [fate.image[1] for fate in fates if fate.image is not None]
        bits = 2 if levels else 1
        rows = [[i >> bits * j & (1 << bits) - 1 for j in range(inputs)] for i in images]
        self.hidden_bits += bench.passes.hidden_bits
        bench.expect(self.network, np.array(rows or [[0] * inputs], np.uint8))
        twin.begin({image: i for i, image in enumerate(images)})
        first, before = bench.results.head, await counters(bench)
        waited = await bench.read("WEIGHT_STALL_CYCLES")

        await self._start(episode)
        open_before = twin.packets.open
        quiet = patience(g, shape, min(timeout, _SOON))
        if episode.backpressure:  # so long takes a batch
            ready = sum(on for on, _ in episode.backpressure)
            bursts = 2 + g.lanes * (shape.widths[-1] + 1) // ready
            quiet += bursts * sum(map(sum, episode.backpressure))
        good_weights = not (episode.bad_weights and g.weight_stream)
        if episode.lone and timeout <= _SOON and not open_before and good_weights:
            await bench.weights_inside()
            await send(dut, sendings[:1])
            await bench.drain(quiet)
            await ClockCycles(dut.clk, 2)
            if not (episode.weight_gaps and g.weight_stream):
                latency = await bench.read("LATENCY")
                want = g.latency_cycles(shape, timeout)
                assert latency == want, f"latency {latency}, the model says {want}"
            sendings = sendings[1:]
        if episode.steady and good_weights and not (episode.weight_gaps or grey):
            sendings = await self._steady(sendings, quiet)

        if not good_weights:
            await self._out_of_step(episode, sendings, quiet)
            return
        await self._traffic(episode, sendings, quiet)
        if "reset" in episode.ending:
            return

        assert await bench.read("STATUS") == 0
        answered = bench.results.head - first
        assert bench.passes.hidden_bits == answered * shape.hidden_bits
        after = await counters(bench)
        change = {name: after[name] - before[name] for name in after}
        batches = change["BATCHES"]
        assert change["IMAGES"] == answered
        assert batches == len(bench.passes.batches)
        waited = await bench.read("WEIGHT_STALL_CYCLES") - waited
        busy = change["BUSY_CYCLES"] - change["STALL_CYCLES"] - waited
        assert busy == batches * g.pass_cycles(shape), (
            f"{busy} cycles for {batches} batches, the model says {g.pass_cycles(shape)} for each"
        )
        assert change["STEP_CYCLES"] == batches * g.steps(shape)

    def _grey(self, episode: Episode) -> bool:
        """Whether images come as 8-bit pixels."""
        return episode.grey or self.shape.orders[0] == 2

    async def _start(self, episode: Episode) -> None:
        """Start the core, at once written to while it checks its table."""
        bench, dut = self.bench, self.dut
        bench.weight_gaps = cycle(episode.weight_gaps) if episode.weight_gaps else None
        if episode.eager:
            control = _ENABLE | (_PIXEL_8BIT if self._grey(episode) else 0)
            await write_burst(dut, ADDRESS["CONTROL"], [control])
            await write_burst(dut, ADDRESS["LAYERS"], [0] * episode.eager)
        await bench.start(pixel_8bit=self._grey(episode), weights=self._weights(episode))

    def _weights(self, episode: Episode) -> Iterator[list[Beat]] | None:
        """Packets of streamed weights, one of them bad; None for good ones."""
        good = self.bench.weight_packet
        if not self.geometry.weight_stream or not episode.bad_weights:
            return None
        assert self.network is not None
        kinds = out_of_step(good, len(good) // self.geometry.steps(self.shape))
        bad = kinds.get(episode.bad_weights, kinds["headless"])
        return chain(repeat(good, episode.ahead), [bad], repeat(good))

    async def _steady(self, sendings: list[Sending], quiet: int) -> list[Sending]:
        """The first packets at full rate: batches follow each other as the cycle model says."""
        g, bench, shape = self.geometry, self.bench, self.shape
        images, batch = self._steady_images(), g.images_per_batch(shape)
        first = len(bench.passes.starts)
        await send(self.dut, sendings[:images])
        await bench.drain(quiet)
        enough = batches_until_steady(g, shape, False) * batch
        if images >= enough and not self.twin.packets.bad:
            full = [count == batch for _, count in bench.passes.batches[first:]]
            periods = np.diff(bench.passes.starts[first:])
            steady = [int(p) for p, f in zip(periods, full[1:], strict=True) if f][-2:]
            want = g.period_cycles(shape)
            assert set(steady) <= {want}, f"periods of {steady} cycles, the model says {want}"
        return sendings[images:]

    async def _traffic(self, episode: Episode, sendings: list[Sending], quiet: int) -> None:
        """Packets, accesses and backpressure together, and the end of the episode."""
        dut, bench, twin, host = self.dut, self.bench, self.twin, self.host
        if episode.backpressure:
            self.holding = cocotb.start_soon(hold(dut, episode.backpressure))
        sent = twin.beats
        total = sum(len(beats) for _, _, beats in sendings)
        drained = episode.ending == "drained"
        sending = cocotb.start_soon(send(dut, sendings))
        accesses = cocotb.start_soon(meanwhile(dut, host, episode))
        # The longest that nothing may be taken: an idle packet, or all results held.
        await progress(twin, sent + (total if drained else total * episode.cut // 100), quiet)
        await ClockCycles(dut.clk, episode.wait + 1)
        if drained:
            await bench.drain(quiet)
            if not episode.noise:
                await accesses
        accesses.cancel()
        host.rest()

        if episode.ending == "hard reset":
            sending.cancel()
            await self._hard_reset()
        elif episode.ending == "soft reset":
            bench.ignore_results()
            await bench.write("CONTROL", _SOFT_RESET)
            bench.stop_weights()
            await ClockCycles(dut.clk, 4)
            del bench.results.pending[bench.results.head :]
            bench.watch_results()
            assert dut.aso_result_valid.value == 0
        else:
            await bench.write("CONTROL", 0)
            if episode.noise:
                await host.flood(while_coming_to_rest, 60)
            await bench.drain(quiet)
            await bench.stop()
        self._quiet(sending)

    async def _out_of_step(
        self, episode: Episode, sendings: list[Sending], quiet: int
    ) -> None:
        """Weights that are out of step: the error, no answer with them, and a soft reset."""
        dut, bench, twin = self.dut, self.bench, self.twin
        # Hidden bits may come of the bad packet, and the interrupt at any time.
        for task in bench.passes.tasks[1:]:
            task.cancel()
        await bench.write("IRQ_ENABLE", 0)
        twin.fault_is_due = True
        head = bench.results.head
        sending = cocotb.start_soon(send(dut, sendings))
        lanes, period = self.geometry.lanes, self.geometry.period_cycles(self.shape, True)
        for _ in range(0, (episode.ahead + 2) * quiet, 64):
            await let_pass(dut.clk, 64)
            if "WEIGHT_FRAME" in errors_in(await bench.read("ERROR")):
                break
        else:
            raise AssertionError("weights that are out of step were not noticed")
        await let_pass(dut.clk, 2 * period + 200)
        answers = bench.results.head - head
        assert answers <= episode.ahead * lanes, f"{answers} answers"
        assert await bench.read("STATUS") == 0b11
        bench.ignore_results()
        await bench.write("CONTROL", _SOFT_RESET)
        bench.stop_weights()
        await ClockCycles(dut.clk, 4)
        twin.fault_is_due = False
        del bench.results.pending[bench.results.head :]
        bench.watch_results()
        self._quiet(sending)

    def _quiet(self, sending: Any) -> None:
        """Nothing is sent, results are taken."""
        sending.cancel()
        self.dut.asi_image_valid.value = 0
        if self.holding is not None:
            self.holding.cancel()
        self.dut.aso_result_ready.value = 1


@cocotb.test(timeout_time=40, timeout_unit="ms")
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
