# SPDX-License-Identifier: Apache-2.0
"""What the tests of the whole core for convolutions do not bring about by themselves; settings:
geometry, seed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles

from golden.map_tables import Core, Table, random_stages, verdict
from golden.pixel_packets import PixelFormat
from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.map_plan import Stage, Window
from xnor_fcc.pack import pack
from xnor_fcc.random_network import Convolution, random_map_network
from xnor_fcc.registers import BIT, errors_in, mask
from xnor_fcc_sim.bench import Bench
from xnor_fcc_sim.packets import map_packet
from xnor_fcc_sim.settings import settings
from xnor_fcc_sim.traffic import patience

_ENABLE = 1 << BIT["CONTROL"]["ENABLE"] | 1 << BIT["CONTROL"]["PIXEL_8BIT"]
LIMIT_MS = 200


async def _loaded(dut: Any) -> tuple[Bench, Geometry, IntegerNetwork, np.random.Generator]:
    """A core with a small network in it: two convolutions, the second one flat, and two layers
    behind them."""
    want = settings()
    geometry, rng = Geometry(**want["geometry"]), np.random.default_rng(int(want["seed"]))
    network = random_map_network(
        rng, side=6, convolutions=[Convolution(3, pool=True), Convolution(2, kernel=1)],
        dense=[2, 2], colours=geometry.pixel_channels, levels=geometry.pixel_levels,
    )  # fmt: skip
    heights = np.tile(np.array([1, 128, 255, 0], np.uint8), (geometry.pixel_channels, 1))
    assert network.pixels is not None
    levels = heights[:, : geometry.pixel_levels]
    network = replace(network, pixels=replace(network.pixels, levels=levels))
    bench = Bench(dut, geometry, deep_batches=1)
    await bench.reset()
    await bench.load(pack(network, geometry))
    return bench, geometry, network, rng


async def _answers(bench: Bench, network: IntegerNetwork, grey: np.ndarray) -> None:
    """The core starts and answers these images."""
    assert network.pixels is not None
    head = bench.results.head
    bench.expect(network, network.inputs_from(grey))
    await bench.start(pixel_8bit=True)
    for image, pixels in enumerate(grey):
        await bench.send(image, map_packet(network, pixels, bench.geometry.image_width))
    await bench.drain(patience(bench.geometry, network.shape, 0))
    await bench.stop()
    bench.check(head + len(grey))


async def _refused(bench: Bench, control: int = _ENABLE) -> None:
    await bench.write("CONTROL", control)
    await ClockCycles(bench.dut.clk, 8 * bench.geometry.max_layers + 20)
    assert errors_in(await bench.read("ERROR")) == ["BAD_TABLE"]
    await bench.write("ERROR", mask("ERROR"))


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def pixels_at_the_levels(dut: Any) -> None:
    """Levels of 0, 1, 255 and between, pixels at them and at both ends."""
    bench, _, network, rng = await _loaded(dut)
    grey = rng.choice([0, 1, 127, 128, 254, 255], (4, network.inputs)).astype(np.uint8)
    await _answers(bench, network, grey)


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def every_kind(dut: Any) -> None:
    """Each order of inputs and each kind of weights behind each window; an image of one window, in
    a network of two layers."""
    want = settings()
    geometry, rng = Geometry(**want["geometry"]), np.random.default_rng(int(want["seed"]))
    bench = Bench(dut, geometry, deep_batches=1)
    await bench.reset()
    windows = [Convolution(3), Convolution(3, kernel=1), Convolution(2)]
    for convolutions, side, order, ternary in (
        ([Convolution(3)], 3, 1, False),
        *((windows, 6, order, ternary) for order in (1, 2) for ternary in (False, True)),
    ):
        network = random_map_network(
            rng, side, convolutions, [2], colours=geometry.pixel_channels, levels=1,
            orders=[1, *[order] * len(convolutions)], ternary=ternary,
        )  # fmt: skip
        await bench.load(pack(network, geometry))
        await _answers(bench, network, rng.integers(0, 256, (2, network.inputs)).astype(np.uint8))


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def malformed_packets(dut: Any) -> None:
    """Each kind of malformed packet, then an image that is answered."""
    bench, g, network, rng = await _loaded(dut)
    assert network.pixels is not None
    form = PixelFormat(
        g.image_width, g.pixel_channels, g.pixel_levels, network.pixels.map_side, seed=2
    )
    grey = rng.integers(0, 256, (1, network.inputs)).astype(np.uint8)
    bench.expect(network, network.inputs_from(grey))
    await bench.start(pixel_8bit=True)
    for number, kind in enumerate(form.kinds(), start=1):
        await bench.drive_beats(form.bad(kind).beats)
        bench.packets += 1
        await bench.send(0, map_packet(network, grey[0], g.image_width))
        await bench.drain(patience(g, network.shape, 0))
        bench.check(number)
        assert await bench.read("DROPPED") == number, kind


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def wrong_tables(dut: Any) -> None:
    """Each number of the network's description by itself is another one, then it is right again."""
    bench, g, network, rng = await _loaded(dut)
    memory, limits = pack(network, g), Core.of(g)
    table = Table(memory.entries, memory.inputs, memory.classes, 1 << 30, 1 << 30)
    assert verdict(limits, table) == "ok"
    for layer, entry in enumerate(memory.entries):
        stage = Stage.of_entry(entry)
        others = [
            replace(stage, words=stage.words + 1), replace(stage, side=stage.side + 2),
            replace(stage, groups=0), replace(stage, window=Window((stage.window + 1) % 4)),
            replace(stage, pool=not stage.pool), replace(stage, flat=not stage.flat),
            replace(stage, last_slots=stage.last_slots - 1), replace(stage, order=2),
            replace(stage, ternary=True),
        ]  # fmt: skip
        for wrong in (entry ^ 1 << 7, entry ^ 1 << 30, *(other.entry for other in others)):
            if verdict(limits, table.with_entry(layer, wrong)) == "bad_table":
                await bench.write("LAYER_TABLE", wrong, index=layer)
                await _refused(bench)
        await bench.write("LAYER_TABLE", entry, index=layer)
    for register, value in (
        ("LAYERS", 0), ("LAYERS", g.max_layers + 1), ("LAYERS", len(memory.entries) - 1),
        ("INPUTS", memory.inputs - 1), ("CLASSES", 0), ("CLASSES", g.max_classes + 1),
    ):  # fmt: skip
        before = await bench.read(register)
        await bench.write(register, value)
        await _refused(bench)
        await bench.write(register, before)
    await _refused(bench, 1 << BIT["CONTROL"]["ENABLE"])
    await _answers(bench, network, rng.integers(0, 256, (2, network.inputs)).astype(np.uint8))
    await bench.write("LOAD_SELECT", 0)
    await bench.write("CONTROL", _ENABLE)
    await ClockCycles(dut.clk, 8 * g.max_layers + 20)
    assert errors_in(await bench.read("ERROR")) == ["NOT_LOADED"]


@cocotb.test(timeout_time=LIMIT_MS, timeout_unit="ms")
async def tables_beyond_the_core(dut: Any) -> None:
    """Tables that would fit if one limit of the core were higher, of each limit."""
    bench, g, _, rng = await _loaded(dut)
    limits = Core.of(g)
    higher = {"ring": 127, "most_groups": 40, "weight_depth": 1 << 16, "threshold_depth": 1 << 16,
              "map_input": 512, "map_even": 512, "map_odd": 512}  # fmt: skip
    for name, most in higher.items():
        wider = replace(limits, **{name: most})
        for _ in range(1000):
            table = Table.of(wider, random_stages(rng, wider, [*range(1, 9)]))
            if verdict(limits, table) == "bad_table":
                break
        else:
            raise AssertionError(f"no table exceeds {name} alone")
        for layer, entry in enumerate(table.entries):
            await bench.write("LAYER_TABLE", entry, index=layer)
        await bench.write("LAYERS", len(table.entries))
        await bench.write("INPUTS", table.inputs)
        await bench.write("CLASSES", table.classes)
        await _refused(bench)
