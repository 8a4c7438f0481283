# SPDX-License-Identifier: Apache-2.0
"""The core between its modules: what random traffic meets too seldom; settings: geometry, seed."""

from __future__ import annotations

import zlib
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge

from xnor_fcc.geometry import Geometry, Shape
from xnor_fcc.pack import pack
from xnor_fcc.registers import ADDRESS, BIT, errors_in, mask
from xnor_fcc_sim.bench import Bench
from xnor_fcc_sim.packets import beats_of, bit_packet, image_packet
from xnor_fcc_sim.settings import settings
from xnor_fcc_sim.traffic import make, patience

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


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def the_widest_layer(dut: Any) -> None:
    """A layer of MAX_WIDTH inputs and neurons passes the table check, one word or group more does
    not, where SIMD and PE divide MAX_WIDTH and nothing is rounded up."""
    geometry = Geometry(**settings()["geometry"])
    assert geometry.max_width % geometry.pe == geometry.max_width % geometry.simd == 0
    bench = Bench(dut, geometry)
    await bench.reset()
    words, groups = geometry.max_width // geometry.simd, geometry.max_width // geometry.pe
    for register, value in (("INPUTS", geometry.max_width), ("CLASSES", 1), ("LAYERS", 2)):
        await bench.write(register, value)
    for first, second, verdict in (
        ((words, groups), (words, groups), "NOT_LOADED"),
        ((words, groups + 1), (words, groups), "BAD_TABLE"),
        ((words, groups), (words, groups + 1), "BAD_TABLE"),
        ((words, groups), (words + 1, groups), "BAD_TABLE"),
    ):
        for layer, (read, made) in enumerate((first, second)):
            await bench.write("LAYER_TABLE", made << 16 | read, index=layer)
        await bench.write("CONTROL", 1)
        await ClockCycles(dut.clk, 30)
        assert errors_in(await bench.read("ERROR")) == [verdict], (first, second)
        await bench.write("ERROR", mask("ERROR"))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def each_memory_its_checksum(dut: Any) -> None:
    """Selecting and loading one memory leaves the checksum of the other alone; a soft reset keeps
    both, a hard one clears both."""
    bench, _ = await loaded(dut)
    names = ("WEIGHTS_CRC", "THRESHOLDS_CRC")

    async def checksums() -> list[int]:
        return [await bench.read(name) for name in names]

    want = await checksums()
    for selected in (0, 1, 0):
        await bench.write("LOAD_SELECT", selected)
        want[selected] = 0
        assert await checksums() == want
        await bench.write("LOAD_DATA", 0x1234_5678)
        want[selected] = zlib.crc32(0x1234_5678.to_bytes(4, "little"))
        assert await checksums() == want
    await bench.write("CONTROL", 1 << BIT["CONTROL"]["SOFT_RESET"])
    assert await checksums() == want
    await bench.reset()
    assert await checksums() == [0, 0]


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def orders_that_change_without_a_gap(dut: Any) -> None:
    """Layers of order 1 and 2 in turn, each loaded with the last step of the one before, whose bits
    are still to be decided then: every bit is decided as its own layer says."""
    want = settings()
    geometry, rng = Geometry(**want["geometry"]), np.random.default_rng(int(want["seed"]))
    width = geometry.max_width
    bench = Bench(dut, geometry)
    await bench.reset()
    for orders in ((1, 2, 1), (2, 1, 2)):
        shape = Shape((width, width, width, 4), orders, (False,) * 3)
        assert geometry.pass_cycles(shape) == geometry.steps(shape)
        network, x = make(int(want["seed"]), shape, 6)
        bench.expect(network, x)
        await bench.load(pack(network, geometry))
        await bench.write("PARTIAL_TIMEOUT", 0)
        await bench.start(pixel_8bit=orders[0] == 2)
        for image, row in enumerate(x):
            bench.append(image, image_packet(network, row, orders[0] == 2, rng))
        await bench.drain(patience(geometry, shape, 0))
        await bench.stop()
        assert bench.passes.hidden_bits == len(x) * shape.hidden_bits
    bench.check(2 * len(x))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def busy_without_a_gap(dut: Any) -> None:
    """STATUS, read in every cycle, says BUSY from an image's last beat until its answer has been
    taken, and not for much longer: what is configured meanwhile would change the answer."""
    bench, bits = await loaded(dut)
    g = bench.geometry
    await bench.start()
    seen: list[bool] = []
    taken: list[int] = []

    async def watch() -> None:
        while True:
            await RisingEdge(dut.clk)
            if dut.avs_csr_readdatavalid.value == 1:
                seen.append(bool(int(dut.avs_csr_readdata.value) >> BIT["STATUS"]["BUSY"] & 1))
            last = dut.aso_result_valid.value == 1 and dut.aso_result_endofpacket.value == 1
            if last and dut.aso_result_ready.value == 1:
                taken.append(len(seen))

    watching = cocotb.start_soon(watch())
    dut.avs_csr_address.value = ADDRESS["STATUS"]
    dut.avs_csr_read.value = 1
    bench.accept(0)
    await bench.drive_beats(beats_of(bit_packet(bits[0]), g.image_width))
    sent = len(seen)
    await bench.drain(patience(g, WIDTHS, 0))
    await ClockCycles(dut.clk, 10)
    dut.avs_csr_read.value = 0
    watching.cancel()
    bench.check(1)
    # An image counts as inside once it is complete, and a read answers in the next cycle.
    assert all(seen[sent + 2 : taken[0]]), seen
    assert not any(seen[taken[0] + 2 :]), seen


async def ready_for_images(dut: Any) -> None:
    """The table check is over."""
    for _ in range(40):
        await RisingEdge(dut.clk)
        if dut.asi_image_ready.value == 1:
            return
    raise AssertionError("not started")


async def write_in_a_row(dut: Any, *writes: tuple[str, int]) -> None:
    """Registers written in cycles without a gap."""
    for name, value in writes:
        dut.avs_csr_address.value = ADDRESS[name]
        dut.avs_csr_writedata.value = value
        dut.avs_csr_write.value = 1
        await RisingEdge(dut.clk)
    dut.avs_csr_write.value = 0


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
        await write_in_a_row(dut, ("CONTROL", reset), ("CONTROL", enable))
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


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def stop_in_every_cycle(dut: Any) -> None:
    """The core is stopped in each cycle of its last image's way: every image inside is answered,
    and the next start is like the first one."""
    bench, bits = await loaded(dut)
    g = bench.geometry
    span = g.latency_cycles(WIDTHS, 0) + 8
    answered = 0
    for count in (1, g.lanes + 1):
        for moment in range(1, span):
            await bench.start()
            for image in range(count):
                bench.accept(image)
                await bench.drive_beats(beats_of(bit_packet(bits[image]), g.image_width))
            await ClockCycles(dut.clk, moment)
            await bench.write("CONTROL", 0)
            await bench.drain(patience(g, WIDTHS, 0))
            answered += count
            bench.check(answered)
            await bench.stop()
    assert await bench.read("ERROR") == await bench.read("DROPPED") == 0


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def stop_while_an_image_comes(dut: Any) -> None:
    """The core is stopped in each cycle of an image's way in, and configured in the cycle behind:
    that is refused where the image is answered, and the answer is right."""
    bench, bits = await loaded(dut)
    g = bench.geometry
    beats = beats_of(bit_packet(bits[0]), g.image_width)
    answered = 0
    for moment in range(len(beats) + 6):
        await bench.start()
        stream = cocotb.start_soon(bench.drive_beats(beats))
        await ClockCycles(dut.clk, moment + 1)
        await write_in_a_row(dut, ("CONTROL", 0), ("INPUTS", 1))
        if stream.done():
            bench.accept(0)
            assert errors_in(await bench.read("ERROR")) == ["CONFIG_BUSY"], moment
            answered += 1
        stream.cancel()
        dut.asi_image_valid.value = 0
        await bench.drain(patience(g, WIDTHS, 0))
        bench.check(answered)
        await bench.stop()
        # No part of a packet is left, nor an error.
        await bench.write("CONTROL", 1 << BIT["CONTROL"]["SOFT_RESET"])
        await bench.write("INPUTS", WIDTHS[0])
    assert 3 < answered <= moment
