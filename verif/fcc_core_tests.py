# SPDX-License-Identifier: Apache-2.0
"""The core between its rooms: what random traffic meets too seldom; settings: geometry, seed."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from bench import Bench, beats_of, bit_packet, settings
from core_tests import make, patience
from xnor_fcc.geometry import Geometry
from xnor_fcc.pack import pack
from xnor_fcc.registers import ADDRESS, BIT

WIDTHS = (23, 9, 7, 4)


async def loaded(dut: Any) -> tuple[Bench, Any]:
    """A core with a network of WIDTHS, and images of it."""
    want = settings()
    geometry = Geometry(**want["geometry"])
    network, bits = make(int(want["seed"]), WIDTHS, 4 * geometry.lanes)
    bench = Bench(dut, geometry)
    await bench.reset()
    await bench.load(pack(network, geometry))
    bench.expect(network, bits)
    await bench.write("PARTIAL_TIMEOUT", 0)
    return bench, bits


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def what_it_says_of_itself(dut: Any) -> None:
    """The sizes that it derives from its parameters, and that weights from outside cannot lack."""
    geometry = Geometry(**settings()["geometry"])
    bench = Bench(dut, geometry)
    await bench.reset()
    assert await bench.read("SCORE_BITS") == geometry.score_bits
    unlimited = 0x7FFF_FFFF if geometry.weight_stream else 0
    assert await bench.read("WEIGHTS_LOADED") == unlimited
    assert await bench.read("THRESHOLDS_LOADED") == await bench.read("STATUS") == 0


async def ready_for_images(dut: Any) -> None:
    """The table check is over."""
    for _ in range(40):
        await RisingEdge(dut.clk)
        if dut.asi_image_ready.value == 1:
            return
    raise AssertionError("not started")


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def soft_reset_in_every_cycle(dut: Any) -> None:
    """A software reset in each cycle of a pass, and a start right behind it: nothing comes out that
    is not asked for, and the next image is answered in time."""
    bench, bits = await loaded(dut)
    g = bench.geometry
    beats = [b for row in bits for b in beats_of(bit_packet(row), g.image_width)]
    span = g.latency_cycles(WIDTHS, 0) + g.image_beats(WIDTHS[0], False) + g.send_cycles(WIDTHS)
    enable, reset = (1 << BIT["CONTROL"][name] for name in ("ENABLE", "SOFT_RESET"))
    answered = 0
    for moment in range(1, span + 20):
        bench.ignore_results()
        await bench.write("CONTROL", enable)
        bench.start_weights()
        await ready_for_images(dut)
        stream = cocotb.start_soon(bench.drive_beats(beats))
        await ClockCycles(dut.clk, moment)
        # Two writes in two cycles: the reset, the start.
        for value in (reset, enable):
            dut.avs_csr_address.value = ADDRESS["CONTROL"]
            dut.avs_csr_writedata.value = value
            dut.avs_csr_write.value = 1
            await RisingEdge(dut.clk)
        dut.avs_csr_write.value = 0
        stream.cancel()
        dut.asi_image_valid.value = 0
        bench.stop_weights()
        bench.watch_results()
        bench.packets = 0
        bench.start_weights()
        image = moment % len(bits)
        # A strobe that is overruled by the reset still makes a glitch in the simulator.
        await RisingEdge(dut.clk)
        bench.passes.restart()
        bench.accept(image)
        await ready_for_images(dut)
        await bench.drive_beats(beats_of(bit_packet(bits[image]), g.image_width))
        await bench.drain(patience(g, WIDTHS, 0))
        answered += 1
        bench.check(answered)
        if not g.weight_stream:
            assert await bench.read("LATENCY") == g.latency_cycles(WIDTHS, 0), moment
        assert await bench.read("ERROR") == 0
        await bench.check_cycles(WIDTHS)
        await bench.stop()
        assert await bench.read("IMAGES") == 1
        await bench.write("CONTROL", reset)
    bench.check(answered)
