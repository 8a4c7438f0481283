# SPDX-License-Identifier: Apache-2.0
"""The whole core for convolutions with random networks, random traffic and bad input; settings:
geometry, seed."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge

from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.pack import pack
from xnor_fcc.registers import BIT, errors_in, mask
from xnor_fcc_sim.bench import Bench
from xnor_fcc_sim.clock import let_pass
from xnor_fcc_sim.packets import beats_of, map_packet
from xnor_fcc_sim.settings import settings
from xnor_fcc_sim.traffic import (
    batches_until_steady,
    bursts,
    make_maps,
    malformed,
    patience,
    random_map_network_for,
)

# The generous limit for one test in simulated time, in ms; each has tighter limits of its own.
LIMIT_MS = 400
_ENABLE = 1 << BIT["CONTROL"]["ENABLE"] | 1 << BIT["CONTROL"]["PIXEL_8BIT"]


def _wanted() -> tuple[Geometry, np.random.Generator]:
    want = settings()
    return Geometry(**want["geometry"]), np.random.default_rng(int(want["seed"]))


async def _loaded(dut: Any, geometry: Geometry, network: IntegerNetwork) -> Bench:
    bench = Bench(dut, geometry, deep_batches=3)
    await bench.reset()
    await bench.load(pack(network, geometry))
    return bench


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def networks_in_turn(dut: Any) -> None:
    """Networks of every depth and of all kinds that the core was built for: a lone image and full
    rate with exact cycles first, then random gaps and backpressure."""
    geometry, rng = _wanted()
    bench = Bench(dut, geometry, deep_batches=2)
    await bench.reset()
    answered = 0
    for _ in range(4):
        network = random_map_network_for(rng, geometry)
        shape = network.shape
        dut._log.info("network %s", shape)
        images = batches_until_steady(geometry, shape, True) + 3
        grey, maps = make_maps(rng, network, images)
        packets = [map_packet(network, image, geometry.image_width) for image in grey]
        bench.expect(network, maps)
        await bench.load(pack(network, geometry))
        quiet = patience(geometry, shape, 0)

        await bench.start(pixel_8bit=True)
        await bench.send(1, packets[1])
        await bench.drain(quiet)
        assert await bench.read("LATENCY") == geometry.latency_cycles(shape, 0)

        first = len(bench.passes.starts)
        for image, packet in enumerate(packets):
            bench.append(image, packet)
        await bench.drain(quiet)
        periods = np.diff(bench.passes.starts[first:])[-3:]
        assert set(periods.tolist()) == {geometry.period_cycles(shape, True)}, (periods, shape)

        await bench.stop()
        bench.set_idle_generator(bursts(rng, 6))
        bench.set_backpressure_generator(bursts(rng, 12))
        await bench.start(pixel_8bit=True)
        for image in rng.permutation(images).tolist():
            if rng.random() < 0.5:
                await bench.send(image, packets[image])
            else:
                bench.append(image, packets[image])
        await bench.drain(4 * quiet)
        answered += 2 * images + 1
        bench.set_idle_generator(None)
        bench.ready.stop()
        dut.aso_result_ready.value = 1
        await bench.stop()
        bench.check(answered)
        assert bench.passes.sums_checked > 0
        assert bench.passes.hidden_bits == (2 * images + 1) * shape.hidden_bits
        assert errors_in(await bench.read("ERROR")) == []
        await bench.check_cycles(shape)
        assert await bench.read("IMAGES") == 2 * images + 1
        await bench.write("CONTROL", 1 << BIT["CONTROL"]["SOFT_RESET"])


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def bad_packets_lose_nothing_else(dut: Any) -> None:
    """Every kind of malformed packet between good ones: dropped, counted, named; the images around
    it are answered with their own results and ids."""
    geometry, rng = _wanted()
    network = random_map_network_for(rng, geometry)
    grey, maps = make_maps(rng, network, 6)
    bench = await _loaded(dut, geometry, network)
    bench.expect(network, maps)
    await bench.start(pixel_8bit=True)
    good = [beats_of(map_packet(network, image, geometry.image_width), geometry.image_width)
            for image in grey]  # fmt: skip
    kinds = malformed(good[0], rng)
    # No end: cut off by the start of the next packet.
    kinds["PACKET_FRAME, no end"] = good[0][: int(rng.integers(1, len(good[0])))]
    kinds["PACKET_SHORT, not all of its last beat"] = beats_of(
        map_packet(network, grey[0], geometry.image_width), geometry.image_width
    )
    kinds["PACKET_SHORT, not all of its last beat"][-1].empty = 1
    answered = 0
    for number, (kind, beats) in enumerate(kinds.items()):
        for turn in range(3):
            image = int(rng.integers(0, len(grey)))
            bench.accept(image)
            await bench.drive_beats(good[image])
            if turn < 2:
                await bench.drive_beats(beats)
                bench.packets += 1
        await bench.drain(patience(geometry, network.shape, 0))
        answered += 3
        assert await bench.read("DROPPED") == 2 * number + 2, kind
        assert errors_in(await bench.read("ERROR")) == [kind.split(",")[0]], kind
        await bench.write("ERROR", mask("ERROR"))
        bench.check(answered)
    assert len(kinds) == 6


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def refuses_to_start_without_a_fitting_network(dut: Any) -> None:
    """Nothing loaded, too little, a table that lies, images that are not of pixels: a sticky error,
    nothing computed, and a correct network runs afterwards, its configuration locked."""
    geometry, rng = _wanted()
    network = random_map_network_for(rng, geometry)
    grey, maps = make_maps(rng, network, 3)
    bench = Bench(dut, geometry)
    await bench.reset()
    memory = pack(network, geometry)

    async def refused(name: str, control: int = _ENABLE) -> None:
        await bench.write("CONTROL", control)
        await let_pass(dut.clk, 8 * geometry.max_layers + 20)
        assert await bench.read("STATUS") == 0
        assert errors_in(await bench.read("ERROR")) == [name]
        await bench.write("ERROR", mask("ERROR"))
        assert await bench.read("BUSY_CYCLES") == 0

    await refused("BAD_TABLE")
    await bench.load(memory)
    await bench.write("LOAD_SELECT", 0)
    await refused("NOT_LOADED")
    await bench.load(memory)
    await bench.write("LOAD_SELECT", 1)
    await refused("NOT_LOADED")
    await bench.load(memory)
    await refused("BAD_TABLE", 1 << BIT["CONTROL"]["ENABLE"])
    for layer, entry in enumerate(memory.entries):
        # A bit that means nothing, a side more, another window, a pool or its lack.
        for wrong in (entry ^ 1 << 7, entry + (1 << 8), entry ^ 1 << 24, entry ^ 1 << 26):
            await bench.write("LAYER_TABLE", wrong, index=layer)
            await refused("BAD_TABLE")
        await bench.write("LAYER_TABLE", entry, index=layer)
    for register, value in (
        ("LAYERS", 0), ("LAYERS", geometry.max_layers + 1), ("CLASSES", 0),
        ("CLASSES", geometry.max_classes + 1), ("INPUTS", memory.inputs - 1),
        ("INPUTS", memory.inputs + 1),
    ):  # fmt: skip
        before = await bench.read(register)
        await bench.write(register, value)
        await refused("BAD_TABLE")
        await bench.write(register, before)
    bench.expect(network, maps)
    await bench.start(pixel_8bit=True)
    for image in range(3):
        await bench.send(image, map_packet(network, grey[image], geometry.image_width))
    for register in ("LOAD_SELECT", "LOAD_DATA", "INPUTS", "LAYER_TABLE", "LEVEL"):
        await bench.write(register, 3)
        assert errors_in(await bench.read("ERROR")) == ["CONFIG_BUSY"], register
        await bench.write("ERROR", mask("ERROR"))
    await bench.drain(patience(geometry, network.shape, 0))
    bench.check(3)
    await bench.check_cycles(network.shape)


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def reset_in_mid_flight(dut: Any) -> None:
    """A software reset at any moment of a pass returns to a clean state; the network stays."""
    geometry, rng = _wanted()
    network = random_map_network_for(rng, geometry)
    grey, maps = make_maps(rng, network, 5)
    packets = [map_packet(network, image, geometry.image_width) for image in grey]
    bench = await _loaded(dut, geometry, network)
    bench.expect(network, maps)
    span = geometry.load_cycles(network.shape, True) + geometry.latency_cycles(network.shape, 0)
    for moment in sorted(rng.integers(1, span + 20, 12).tolist()):
        bench.passes.stop()
        await bench.write("CONTROL", _ENABLE)
        await let_pass(dut.clk, 8 * geometry.max_layers + 10)
        stream = cocotb.start_soon(
            bench.drive_beats([b for p in packets for b in beats_of(p, geometry.image_width)])
        )
        await ClockCycles(dut.clk, moment)
        stream.cancel()
        dut.asi_image_valid.value = 0
        bench.ignore_results()
        await bench.write("CONTROL", 1 << BIT["CONTROL"]["SOFT_RESET"])
        await ClockCycles(dut.clk, 3)
        assert dut.aso_result_valid.value == 0
        for register in ("STATUS", "ERROR", "IMAGES", "BATCHES", "DROPPED", "BUSY_CYCLES"):
            assert await bench.read(register) == 0, register
    bench.watch_results()
    bench.expect(network, maps)
    await bench.start(pixel_8bit=True)
    for image, packet in enumerate(packets):
        bench.append(image, packet)
    await bench.drain(patience(geometry, network.shape, 0))
    bench.check(len(packets))
    await bench.check_cycles(network.shape)


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def interrupt_and_backlog(dut: Any) -> None:
    """Results that nobody takes stall the core without a loss; the interrupt follows its mask; a
    core that is stopped then still answers what is inside."""
    geometry, rng = _wanted()
    network = random_map_network_for(rng, geometry)
    grey, maps = make_maps(rng, network, 6)
    bench = await _loaded(dut, geometry, network)
    bench.expect(network, maps)
    await bench.write("IRQ_ENABLE", 1 << BIT["IRQ_ENABLE"]["RESULT"])
    await bench.start(pixel_8bit=True)
    dut.aso_result_ready.value = 0
    for image in range(6):
        bench.append(image, map_packet(network, grey[image], geometry.image_width))
    await let_pass(dut.clk, 6 * geometry.period_cycles(network.shape, True) + 300)
    assert bench.results.head == 0
    assert await bench.read("STALL_CYCLES") > 0
    assert dut.ins_csr_irq.value == 0
    # The scores leave, the class waits: its image is not answered yet.
    for _ in range(network.classes):
        dut.aso_result_ready.value = 1
        await RisingEdge(dut.clk)
        dut.aso_result_ready.value = 0
        await ClockCycles(dut.clk, 2)
    assert dut.aso_result_valid.value == 1 and dut.aso_result_endofpacket.value == 1
    assert await bench.read("IMAGES") == 0
    assert await bench.read("BATCHES") == 1
    dut.aso_result_ready.value = 1
    await bench.drain(patience(geometry, network.shape, 0))
    bench.check(6)
    await bench.check_cycles(network.shape)
    assert dut.ins_csr_irq.value == 1
    await bench.write("IRQ_STATUS", 0b11)
    await RisingEdge(dut.clk)
    assert dut.ins_csr_irq.value == 0
    for image in range(2):
        await bench.send(image, map_packet(network, grey[image], geometry.image_width))
    await bench.stop()
    bench.check(8)


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def preset_runs_without_a_host(dut: Any) -> None:
    """A core with preset memories classifies from power-up without one register write."""
    want = settings()
    geometry = Geometry(**want["geometry"])
    network = IntegerNetwork.load(want["network"])
    grey, maps = make_maps(np.random.default_rng(5), network, 4)
    bench = Bench(dut, geometry, deep_batches=2)
    bench.expect(network, maps)
    await bench.reset(read_back=False)
    for image in range(4):
        await bench.send(image, map_packet(network, grey[image], geometry.image_width))
    await bench.drain(patience(geometry, network.shape, 0))
    bench.check(4)
    await bench.check_cycles(network.shape)
