# SPDX-License-Identifier: Apache-2.0
"""The whole core with random networks, random traffic and bad input; settings: geometry, seed."""

from __future__ import annotations

from itertools import chain, repeat
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
from xnor_fcc_sim.packets import beats_of, bit_packet, image_packet
from xnor_fcc_sim.settings import settings
from xnor_fcc_sim.traffic import (
    batches_until_steady,
    bursts,
    make,
    malformed,
    out_of_step,
    patience,
    random_shape,
    random_widths,
)

# The generous limit for one test in simulated time, in ms; each has tighter limits of its own.
LIMIT_MS = 400


async def loaded_bench(dut: Any, geometry: Geometry, network: IntegerNetwork) -> Bench:
    """A bench with a freshly reset and loaded core."""
    bench = Bench(dut, geometry, deep_batches=3)
    await bench.reset()
    await bench.load(pack(network, geometry))
    return bench


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def networks_in_turn(dut: Any) -> None:
    """Networks of 1 to 5 layers reloaded in mid-session, of all kinds that the core was built for:
    full rate with exact cycles first, as 8-bit pixels where these alone have levels, then 8-bit
    pixels under random gaps, of weights too where they are streamed, and backpressure."""
    want = settings()
    geometry, seed = Geometry(**want["geometry"]), int(want["seed"])
    rng = np.random.default_rng(seed)
    bench = Bench(dut, geometry, deep_batches=2)
    await bench.reset()
    answered = 0
    counts = [n for n in range(1, min(5, geometry.max_layers) + 1)]
    for turn, layers in enumerate(counts):
        shape = random_shape(rng, geometry, layers)
        widths, grey = shape.widths, shape.orders[0] == 2
        batch = geometry.images_per_batch(shape)
        images = batches_until_steady(geometry, shape, grey) * batch + 3
        network, bits = make(seed + 100 * turn, shape, images)
        dut._log.info("network %s", shape)
        bench.expect(network, bits)
        await bench.load(pack(network, geometry))
        timeout = geometry.image_beats(widths[0], True) + 40
        await bench.write("PARTIAL_TIMEOUT", timeout)
        quiet = patience(geometry, shape, timeout)

        # A lone image: its latency to the cycle.
        await bench.start(pixel_8bit=grey)
        await bench.weights_inside()
        await bench.send(1, image_packet(network, bits[1], grey, rng))
        await bench.drain(quiet)
        assert await bench.read("LATENCY") == geometry.latency_cycles(shape, timeout)
        answered += 1

        # Full rate: cycles from batch to batch as the model says, whatever bounds them.
        first = len(bench.passes.starts)
        for image in range(images):
            bench.append(image, image_packet(network, bits[image], grey, rng))
        await bench.drain(quiet)
        answered += images
        sizes = [count for _, count in bench.passes.batches[first:]]
        assert sizes == [batch] * (images // batch) + ([images % batch] if images % batch else [])
        # The last batch may be a partial one, which starts when it is sure that no image follows.
        periods = np.diff(bench.passes.starts[first:])[: images // batch - 1][-3:]
        assert len(periods) == 3
        assert set(periods.tolist()) == {geometry.period_cycles(shape, grey)}, (periods, shape)

        # 8-bit pixels, gaps, backpressure.
        await bench.stop()
        bench.set_idle_generator(bursts(rng, 6))
        bench.set_backpressure_generator(bursts(rng, 12))
        bench.weight_gaps = bursts(rng, 6)
        await bench.start(pixel_8bit=True)
        for image in rng.permutation(images).tolist():
            packet = image_packet(network, bits[image], True, rng)
            if rng.random() < 0.5:
                await bench.send(image, packet)
            else:
                bench.append(image, packet)
        await bench.drain(quiet)
        answered += images
        bench.set_idle_generator(None)
        bench.weight_gaps = None
        bench.ready.stop()
        dut.aso_result_ready.value = 1
        bench.check(answered)
        assert bench.passes.sums_checked > 0
        assert bench.passes.hidden_bits == (2 * images + 1) * shape.hidden_bits
        await bench.stop()
        assert errors_in(await bench.read("ERROR")) == []
        await bench.check_cycles(shape)
        assert await bench.read("IMAGES") == 2 * images + 1
        await bench.write("CONTROL", 1 << BIT["CONTROL"]["SOFT_RESET"])


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def bad_packets_lose_nothing_else(dut: Any) -> None:
    """Every kind of malformed packet between good ones: dropped, counted, named; the images around
    it are answered with their own results and ids."""
    want = settings()
    geometry, seed = Geometry(**want["geometry"]), int(want["seed"])
    rng = np.random.default_rng(seed)
    widths = (geometry.max_width, *random_widths(rng, geometry, 1))
    geometry.require_fit(widths)
    network, bits = make(seed, widths, 12)
    bench = await loaded_bench(dut, geometry, network)
    bench.expect(network, bits)
    await bench.write("PARTIAL_TIMEOUT", 7)
    await bench.start()
    good = beats_of(bit_packet(bits[0]), geometry.image_width)
    kinds = malformed(good, rng)
    # No end: cut off by the start of the next packet.
    kinds["PACKET_FRAME, no end"] = good[:1] if len(good) > 1 else []
    dropped = answered = 0
    for kind, beats in kinds.items():
        if not beats:
            continue
        for image in rng.integers(0, len(bits), 3).tolist():
            bench.accept(image)
            await bench.drive_beats(beats_of(bit_packet(bits[image]), geometry.image_width))
        for _ in range(2):
            await bench.drive_beats(beats)
            bench.packets += 1
        for image in rng.integers(0, len(bits), 4).tolist():
            bench.accept(image)
            await bench.drive_beats(beats_of(bit_packet(bits[image]), geometry.image_width))
        await bench.drain(patience(geometry, widths, 7))
        dropped, answered = dropped + 2, answered + 7
        assert await bench.read("DROPPED") == dropped, kind
        assert errors_in(await bench.read("ERROR")) == [kind.split(",")[0]], kind
        await bench.write("ERROR", mask("ERROR"))
        bench.check(answered)
    assert dropped >= 6


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def refuses_to_start_without_a_fitting_network(dut: Any) -> None:
    """Nothing loaded, too little loaded, or an impossible layer table: a sticky error, nothing
    computed, and a correct network runs afterwards."""
    want = settings()
    geometry, seed = Geometry(**want["geometry"]), int(want["seed"])
    rng = np.random.default_rng(seed)
    widths = random_widths(rng, geometry, 2)
    network, bits = make(seed, widths, 6)
    bench = Bench(dut, geometry)
    await bench.reset()
    memory = pack(network, geometry)

    async def refused(*names: str) -> None:
        with_error = False
        try:
            await bench.start()
        except AssertionError:
            with_error = True
        assert with_error, "started"
        assert errors_in(await bench.read("ERROR")) == list(names)
        await bench.write("ERROR", mask("ERROR"))
        assert await bench.read("ERROR") == 0
        assert await bench.read("BUSY_CYCLES") == 0

    await refused("BAD_TABLE")
    await bench.load(memory)
    await bench.write("LOAD_SELECT", 0)
    if geometry.weight_stream:
        # No weights can be missing, and none can be loaded.
        await bench.write("LOAD_DATA", 0)
        assert errors_in(await bench.read("ERROR")) == ["LOAD_OVERFLOW"]
        await bench.write("ERROR", mask("ERROR"))
    else:
        await refused("NOT_LOADED")
    await bench.load(memory)
    await bench.write("LOAD_SELECT", 1)
    await refused("NOT_LOADED")
    await bench.load(memory)
    words, groups = memory.table[1]
    entries = [0, words, groups << 16, groups << 16 | geometry.ring + 1, 0xFFFFFFFF]
    # A kind of layer that the core was built without.
    for flag, has in (("ORDER_2", geometry.order == 2), ("TERNARY", geometry.ternary)):
        if not has:
            entries.append(groups << 16 | words | 1 << BIT["LAYER_TABLE"][flag])
    for entry in entries:
        await bench.write("LAYER_TABLE", entry, index=1)
        await bench.write("CONTROL", 1)
        await let_pass(dut.clk, 30)
        assert "BAD_TABLE" in errors_in(await bench.read("ERROR")), hex(entry)
        await bench.write("ERROR", mask("ERROR"))
    await bench.write("LAYER_TABLE", groups << 16 | words, index=1)
    for register, value in (
        ("LAYERS", 0), ("LAYERS", geometry.max_layers + 1), ("CLASSES", 0),
        ("CLASSES", geometry.max_classes + 1), ("INPUTS", 0), ("INPUTS", geometry.max_width + 1),
    ):
        before = await bench.read(register)
        await bench.write(register, value)
        await bench.write("CONTROL", 1)
        await let_pass(dut.clk, 30)
        assert "BAD_TABLE" in errors_in(await bench.read("ERROR")), (register, value)
        assert await bench.read("STATUS") == 0
        await bench.write("ERROR", mask("ERROR"))
        await bench.write(register, before)
    # More chunks than the memory holds.
    await bench.write("LOAD_SELECT", 1)
    for _ in range(geometry.threshold_depth * pack(network, geometry).offset_chunks().shape[1]):
        await bench.write("LOAD_DATA", 0)
    assert await bench.read("THRESHOLDS_LOADED") == geometry.threshold_depth
    assert await bench.read("ERROR") == 0
    await bench.write("LOAD_DATA", 0)
    assert errors_in(await bench.read("ERROR")) == ["LOAD_OVERFLOW"]
    await bench.write("ERROR", mask("ERROR"))

    bench.expect(network, bits)
    await bench.load(memory)
    await bench.start()
    for index in range(6):
        await bench.send(index, bit_packet(bits[index]))
    # Configuration is locked while it runs, and the lock does no harm.
    for register in ("LOAD_SELECT", "LOAD_DATA", "INPUTS", "LAYER_TABLE", "PARTIAL_TIMEOUT"):
        await bench.write(register, 3)
        assert errors_in(await bench.read("ERROR")) == ["CONFIG_BUSY"], register
        await bench.write("ERROR", mask("ERROR"))
    await bench.drain(patience(geometry, widths, 256))
    bench.check(6)
    await bench.check_cycles(widths)


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def reset_in_mid_flight(dut: Any) -> None:
    """A software reset at any moment of a pass returns to a clean state; the network stays."""
    want = settings()
    geometry, seed = Geometry(**want["geometry"]), int(want["seed"])
    rng = np.random.default_rng(seed)
    shape = random_shape(rng, geometry, 3)
    grey = shape.orders[0] == 2
    network, bits = make(seed, shape, 4 * geometry.lanes)
    packets = [image_packet(network, row, grey, rng) for row in bits]
    bench = await loaded_bench(dut, geometry, network)
    bench.expect(network, bits)
    span = geometry.latency_cycles(shape, 0) + 20
    for moment in sorted(rng.integers(1, span, 12).tolist()):
        await bench.write("PARTIAL_TIMEOUT", 0)
        await bench.write("CONTROL", 1 | grey << BIT["CONTROL"]["PIXEL_8BIT"])
        await ClockCycles(dut.clk, 12)
        bench.start_weights()
        stream = cocotb.start_soon(
            bench.drive_beats(
                [beat for packet in packets for beat in beats_of(packet, geometry.image_width)]
            )
        )
        await ClockCycles(dut.clk, moment)
        stream.cancel()
        bench.stop_weights()
        dut.asi_image_valid.value = 0
        bench.ignore_results()
        await bench.write("CONTROL", 1 << BIT["CONTROL"]["SOFT_RESET"])
        await ClockCycles(dut.clk, 3)
        assert dut.aso_result_valid.value == 0
        for register in ("STATUS", "ERROR", "IMAGES", "BATCHES", "DROPPED", "BUSY_CYCLES"):
            assert await bench.read(register) == 0, register
    bench.watch_results()
    bench.expect(network, bits)
    await bench.start(pixel_8bit=grey)
    for index, packet in enumerate(packets):
        bench.append(index, packet)
    await bench.drain(patience(geometry, shape, 0))
    bench.check(len(bits))
    await bench.check_cycles(shape)


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def interrupt_and_backlog(dut: Any) -> None:
    """Results that nobody takes stall the core without a loss; the interrupt follows its mask."""
    want = settings()
    geometry, seed = Geometry(**want["geometry"]), int(want["seed"])
    rng = np.random.default_rng(seed)
    shape = random_shape(rng, geometry, 2)
    grey = shape.orders[0] == 2
    images = 4 * geometry.lanes
    network, bits = make(seed, shape, images)
    bench = await loaded_bench(dut, geometry, network)
    bench.expect(network, bits)
    await bench.write("PARTIAL_TIMEOUT", 60)
    await bench.write("IRQ_ENABLE", 1 << BIT["IRQ_ENABLE"]["RESULT"])
    await bench.start(pixel_8bit=grey)
    dut.aso_result_ready.value = 0
    for image in range(images):
        bench.append(image, image_packet(network, bits[image], grey, rng))
    await let_pass(dut.clk, 6 * geometry.period_cycles(shape) + 300)
    assert bench.results.head == 0
    assert await bench.read("STALL_CYCLES") > 0
    assert dut.ins_csr_irq.value == 0
    dut.aso_result_ready.value = 1
    await bench.drain(patience(geometry, shape, 60))
    bench.check(images)
    await bench.check_cycles(shape)
    assert dut.ins_csr_irq.value == 1
    await bench.write("IRQ_STATUS", 0b11)
    await RisingEdge(dut.clk)
    assert dut.ins_csr_irq.value == 0
    # An error does not interrupt until it is asked for.
    await bench.write("LOAD_DATA", 0)
    await ClockCycles(dut.clk, 2)
    assert dut.ins_csr_irq.value == 0
    await bench.write("IRQ_ENABLE", 1 << BIT["IRQ_ENABLE"]["ERROR"])
    await ClockCycles(dut.clk, 2)
    assert dut.ins_csr_irq.value == 1


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def weights_out_of_step(dut: Any) -> None:
    """A weight packet that does not fit its pass, first or behind good ones: WEIGHT_FRAME, no wrong
    answer and none at all with its weights, and after a software reset all is well again."""
    want = settings()
    geometry, seed = Geometry(**want["geometry"]), int(want["seed"])
    rng = np.random.default_rng(seed)
    widths = random_widths(rng, geometry, 2)
    images = 4 * geometry.lanes
    network, bits = make(seed, widths, images)
    bench = await loaded_bench(dut, geometry, network)
    good = bench.weight_packet
    beats = len(good) // geometry.steps(widths)
    answered = 0
    for ahead in (0, 1, 2):
        for kind, bad in out_of_step(good, beats).items():
            bench.expect(network, bits)
            # What is watched inside are hidden bits, which may come of the bad packet.
            bench.passes.stop()
            await bench.write("PARTIAL_TIMEOUT", 60)
            await bench.start(weights=chain(repeat(good, ahead), [bad], repeat(good)))
            for image in range(images):
                bench.accept(image)
            stream = cocotb.start_soon(
                bench.drive_beats(
                    [b for row in bits for b in beats_of(bit_packet(row), geometry.image_width)]
                )
            )
            await let_pass(dut.clk, patience(geometry, widths, 60))
            stream.cancel()
            dut.asi_image_valid.value = 0
            assert errors_in(await bench.read("ERROR")) == ["WEIGHT_FRAME"], kind
            assert await bench.read("STATUS") == 0b11, kind
            answers = bench.results.head - answered
            # The packet behind arrives while the last step of the one before may still be due.
            assert answers in (ahead * geometry.lanes, max(0, ahead - 1) * geometry.lanes), kind
            del bench.results.pending[bench.results.head :]
            bench.stop_weights()
            answered += answers
            bench.check(answered)
            await bench.write("CONTROL", 1 << BIT["CONTROL"]["SOFT_RESET"])
            await ClockCycles(dut.clk, 3)
            assert await bench.read("STATUS") == await bench.read("ERROR") == 0
            # As if nothing had been.
            bench.watch_results()
            bench.expect(network, bits)
            await bench.start()
            for image in range(images):
                await bench.send(image, bit_packet(bits[image]))
            await bench.drain(patience(geometry, widths, 60))
            answered += images
            bench.check(answered)
            await bench.check_cycles(widths)
            await bench.stop()


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def preset_runs_without_a_host(dut: Any) -> None:
    """A core with preset memories classifies from power-up without one register write."""
    want = settings()
    geometry = Geometry(**want["geometry"])
    network = IntegerNetwork.load(want["network"])
    bits = np.random.default_rng(5).integers(0, 2, (9, network.inputs)).astype(np.uint8)
    bench = Bench(dut, geometry, deep_batches=2)
    bench.expect(network, bits)
    await bench.reset(read_back=False)
    for index in range(9):
        await bench.send(index, bit_packet(bits[index]))
    await bench.drain(patience(geometry, network.widths, 256))
    bench.check(9)
    await bench.check_cycles(network.widths)
