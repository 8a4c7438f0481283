# SPDX-License-Identifier: Apache-2.0
"""Bad input at scale: a flood of malformed packets and of random register accesses between good
images, against `twin.Twin`, which says in every cycle what must come of it.

Hidden bits, scores and classes are compared by `bench.Bench` as in every other run of the core, the
counters of the sequencer with the cycle model at the end of each round.

Settings: geometry, seed, malformed and accesses (how many of each at least), rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from itertools import takewhile
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge, Timer

from core.host import (
    ENABLE,
    SOFT_RESET,
    Host,
    counters,
    progress,
    try_to_start,
    while_coming_to_rest,
    while_running,
    while_stopped,
)
from golden.image_packets import REASONS, Fate, Format, PacketRules
from golden.twin import Twin
from xnor_fcc.geometry import Geometry
from xnor_fcc.pack import pack
from xnor_fcc.random_network import random_network
from xnor_fcc.registers import ADDRESS, BIT, errors_in
from xnor_fcc_sim.bench import Bench
from xnor_fcc_sim.clock import CLOCK_NS, let_pass
from xnor_fcc_sim.packets import Beat, drive_beat
from xnor_fcc_sim.settings import settings
from xnor_fcc_sim.streams import write_burst
from xnor_fcc_sim.traffic import bursts, patience, random_widths


def traffic(
    form: Format, malformed: int, rules: PacketRules, rest: Sequence[Beat]
) -> tuple[list[Beat], list[int]]:
    """Beats with at least so many malformed packets behind `rest`, and the good images in them.

    `rules`: as they stand before the first beat; they are used up. About half of the packets are
    malformed in a way that `Format` names, and it must name the same reasons as the rules; one of
    ten is noise.
    """
    rng, kinds = form.rng, form.kinds()
    beats: list[Beat] = []
    images: list[int] = []

    def take(packet: Iterable[Beat]) -> Fate:
        total = Fate()
        for beat in packet:
            fate = rules.beat(beat)
            total.errors |= fate.errors
            total.dropped += fate.dropped
            if fate.image is not None:
                images.append(fate.image[1])
            beats.append(beat)
        return total

    take(rest)
    dropped = 0
    while dropped < malformed:
        kind = rng.random()
        if kind < 0.1:
            count = int(rng.integers(1, 8))
            words = rng.integers(0, 1 << 62, count) & ((1 << form.width) - 1)
            starts, ends, flags = (rng.random(count) < p for p in (0.3, 0.3, 0.1))
            empties = rng.integers(0, form.symbols, count)
            noise = zip(words, starts, ends, empties, flags, strict=True)
            dropped += take(Beat(*(int(part) for part in beat)) for beat in noise).dropped
            continue
        packet = form.good() if kind < 0.4 else form.bad(kinds[rng.integers(0, len(kinds))])
        was_open, known = rules.open, len(images)
        fate = take(packet.beats)
        dropped += fate.dropped
        if packet.image is not None:
            assert images[known:] == [packet.image]
        elif not was_open:
            # That an end is missing shows with the next start.
            late = {"PACKET_FRAME"} if rules.open else set()
            want = {REASONS[name] for name in packet.strobes}
            assert set(errors_in(fate.errors)) == want - late, (packet, fate)
    if rules.open:
        take([Beat(0, end=1, error=1)])
    return beats, images


async def send(dut: Any, beats: Sequence[Beat], rng: np.random.Generator) -> None:
    """Drive beats as they are, with gaps."""
    edge = RisingEdge(dut.clk)
    for beat in beats:
        while rng.random() < 0.1:
            dut.asi_image_valid.value = 0
            await edge
        await drive_beat(dut, beat)
    dut.asi_image_valid.value = 0


@cocotb.test(timeout_time=400, timeout_unit="ms")
async def flood(dut: Any) -> None:
    """Rounds of a random network each: registers flooded while stopped, a start with what is
    there, the network loaded, images and registers flooded while running. Then the core is
    drained, or stopped or reset in the middle of it, and the counters are compared."""
    want = settings()
    geometry, seed = Geometry(**want["geometry"]), int(want["seed"])
    rounds, malformed, accesses = (int(want[k]) for k in ("rounds", "malformed", "accesses"))
    rng = np.random.default_rng(seed)
    bench = Bench(dut, geometry, full_rate=True)
    twin, host = Twin(dut, bench), Host(dut, geometry.max_layers, seed)
    await bench.reset()
    rest: list[Beat] = []  # of a packet that a stop has cut in two
    for number in range(rounds):
        await host.flood(while_stopped, 500)
        await try_to_start(twin)  # seldom is noise a network

        widths = random_widths(rng, geometry, int(rng.integers(1, geometry.max_layers + 1)))
        network = random_network(rng, widths)
        timeout, grey = int(rng.integers(0, 40)), bool(rng.integers(0, 2))
        form = Format(geometry.image_width, widths[0], grey, network.pixel_threshold, seed + number)
        rules = deepcopy(twin.packets)
        rules.configure(widths[0], grey, network.pixel_threshold)
        # More than its share: those that are cut short send nine tenths of it.
        beats, images = traffic(form, malformed * 6 // (5 * rounds) + 1, rules, rest)
        await bench.load(pack(network, geometry))
        await bench.write("LOAD_SELECT", int(rng.integers(0, 2)))  # forgets what was loaded
        assert not await try_to_start(twin)
        await bench.load(pack(network, geometry))
        await bench.write("PARTIAL_TIMEOUT", timeout)
        bench.expect(network, np.array([[i >> j & 1 for j in range(widths[0])] for i in images],
                                       np.uint8))  # fmt: skip
        twin.begin({image: i for i, image in enumerate(images)})
        before = await counters(bench)
        await bench.start(pixel_8bit=grey)

        bench.set_backpressure_generator(bursts(rng, 10))
        ending = ("drained", "stopped", "reset")[number % 3]
        quiet = patience(geometry, widths, timeout)
        sent = twin.beats
        cut = sent + (len(beats) if ending == "drained" else len(beats) * 9 // 10)
        flooding = cocotb.start_soon(host.flood(while_running))
        sending = cocotb.start_soon(send(dut, beats, rng))
        await progress(twin, cut, quiet)
        if ending == "drained":
            await bench.drain(quiet)
        flooding.cancel()
        host.rest()

        if ending == "reset":
            bench.ignore_results()
            await bench.write("CONTROL", SOFT_RESET)
            await ClockCycles(dut.clk, 4)
            del bench.results.pending[bench.results.head :]
            bench.watch_results()
        else:
            await bench.write("CONTROL", 0)
            await host.flood(while_coming_to_rest, 100)
            await bench.drain(quiet)
            await bench.stop()
        sending.cancel()
        dut.asi_image_valid.value = 0
        bench.ready.stop()
        dut.aso_result_ready.value = 1
        rest = list(takewhile(lambda beat: not beat.start, beats[twin.beats - sent :]))
        rest = rest if twin.packets.open else []

        assert not bench.failures.all, bench.failures.all[0].where
        assert bench.results.head == len(bench.results.pending)
        assert await bench.read("STATUS") == 0
        after = await counters(bench)
        if ending != "reset":
            batches = after["BATCHES"] - before["BATCHES"]
            assert batches == len(bench.passes.batches) > 0
            busy = after["BUSY_CYCLES"] - before["BUSY_CYCLES"]
            stalled = after["STALL_CYCLES"] - before["STALL_CYCLES"]
            assert busy - stalled == batches * geometry.pass_cycles(widths)
            steps = after["STEP_CYCLES"] - before["STEP_CYCLES"]
            assert steps == batches * geometry.steps(widths)
    dut._log.info(
        "%d malformed packets, %d images answered, %d accesses, %d of them refused; %s",
        twin.malformed, bench.results.head, twin.reads + twin.writes, twin.refused,
        dict(twin.reasons),
    )  # fmt: skip
    assert twin.malformed >= malformed
    assert host.done >= accesses
    assert bench.results.head >= malformed // 10
    # Every error that images and registers can raise has been raised, often.
    # No stream of weights, and no labels.
    assert set(twin.reasons) == set(BIT["ERROR"]) - {"WEIGHT_FRAME", "LABEL"}


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def locked_while_the_table_is_checked(dut: Any) -> None:
    """In whichever cycle after ENABLE it is written, configuration is refused."""
    geometry = Geometry(**settings()["geometry"])
    rng = np.random.default_rng(7)
    widths = random_widths(rng, geometry, 2)
    memory = pack(random_network(rng, widths), geometry)
    bench = Bench(dut, geometry, full_rate=True)
    await bench.reset()
    await bench.load(memory)
    accepted = []
    for wait in range(3 * len(memory.table) + 8):
        await write_burst(dut, ADDRESS["CONTROL"], [ENABLE])
        if wait:
            await ClockCycles(dut.clk, wait)
        await write_burst(dut, ADDRESS["LAYERS"], [0])
        await let_pass(dut.clk, 3 * len(memory.table) + 8)
        refused = errors_in(await bench.read("ERROR")) == ["CONFIG_BUSY"]
        if not refused or await bench.read("LAYERS") != len(memory.table):
            accepted.append(wait)
        assert await bench.read("STATUS") & 1
        await bench.write("CONTROL", SOFT_RESET)
        await bench.write("LAYERS", len(memory.table))
    assert not accepted, f"LAYERS could be written {accepted} cycles after ENABLE"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def waiting(dut: Any) -> None:
    """`let_pass` ends with the edge with which cocotb's `ClockCycles` does, wherever it begins."""
    Bench(dut, Geometry(**settings()["geometry"]), full_rate=True)
    for begin in (0, 1, CLOCK_NS // 2, CLOCK_NS // 2 + 4):
        for cycles in (1, 2, 17):
            await RisingEdge(dut.clk)
            edge = cocotb.utils.get_sim_time("ns")
            if begin:
                await Timer(begin, "ns")
            await let_pass(dut.clk, cycles)
            assert cocotb.utils.get_sim_time("ns") == edge + cycles * CLOCK_NS, (begin, cycles)
