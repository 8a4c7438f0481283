# SPDX-License-Identifier: Apache-2.0
"""The ULX3S demo as somebody in front of the board sees it: buttons, lamps and the serial line.

Nothing but the pins is driven and judged; the answers inside are counted to know how many images a
second there are. Settings: `found` and `labels`, a digit for each image of the ring; `second` in
cycles; `geometry`; `period`, the cycles from batch to batch by the cycle model; `widths` of the
networks that a host loads; `netlist`, whether nothing has the names that it has in the Verilog.
"""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import bridge
from cocotb.triggers import FallingEdge, First, RisingEdge, Timer
from cocotb.utils import get_sim_time

from board.uart_port import SimulatedPort
from xnor_fcc.board.address_map import OFFSET
from xnor_fcc.board.driver import Driver
from xnor_fcc.geometry import Geometry
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import evaluate
from xnor_fcc.registers import ADDRESS
from xnor_fcc_sim.clock import CLOCK_NS
from xnor_fcc_sim.settings import settings

# Buttons: PWR is high while nobody presses it.
NONE, PWR, FIRE1, FIRE2, UP = 0b1, 0b0, 0b011, 0b101, 0b1001
# A host has the core.
TAKEN = 0xF


class Board:
    """The board with its power just switched on. Every test needs a simulation of its own."""

    def __init__(self, dut: Any) -> None:
        want = settings()
        self.dut = dut
        self.found: list[int] = want["found"]
        self.labels: list[int] = want["labels"]
        self.second = int(want["second"])
        self.lanes = int(want["geometry"]["lanes"])
        self.period = int(want["period"])
        self.netlist = bool(want["netlist"])
        self.wrong = sum(map(int.__ne__, self.found, self.labels))
        # Cycles in which each result ended, since reset.
        self.answers: list[int] = []
        self.released = 0

    async def power_up(self) -> None:
        """Clock, quiet buttons, a quiet line; returns when the reset is over."""
        self.dut.btn.value, self.dut.ftdi_txd.value = NONE, 1
        Clock(self.dut.clk_25mhz, CLOCK_NS, unit="ns").start()
        await self.start()

    async def start(self) -> None:
        """Wait for the end of the reset, from which seconds and results are counted; in a netlist,
        where it has another name, they are counted from some cycles earlier."""
        if not self.netlist:
            await First(FallingEdge(self.dut.reset), Timer(100 * CLOCK_NS, "ns"))
            assert int(self.dut.reset.value) == 0, "the reset does not end"
        self.released = int(get_sim_time("ns"))
        self.answers.clear()

    def count(self) -> None:
        """From now on `answers` has what it says."""
        cocotb.start_soon(self._count())

    async def _count(self) -> None:
        while True:
            await RisingEdge(self.dut.demo.answered)
            self.answers.append((int(get_sim_time("ns")) - self.released) // CLOCK_NS)

    async def until(self, cycle: int) -> None:
        """Wait for a cycle since the reset."""
        now = int(get_sim_time("ns"))
        await Timer(self.released + cycle * CLOCK_NS - now, "ns")

    async def held(self, buttons: int) -> int:
        """The lamps while these are held."""
        self.dut.btn.value = buttons
        await Timer(6 * CLOCK_NS, "ns")
        lamps = int(self.dut.led.value)
        self.dut.btn.value = NONE
        await Timer(6 * CLOCK_NS, "ns")
        return lamps

    async def rate(self) -> str:
        """Images in the last second, six digits."""
        pairs = [await self.held(buttons) for buttons in (FIRE1, FIRE2, FIRE1 | FIRE2)]
        return "".join(f"{pair:02x}" for pair in pairs)


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def every_image(dut: Any) -> None:
    """From power-up: each second another image, its label and its digit, round and round; then how
    many of them differ."""
    board = Board(dut)
    await board.power_up()
    for turn in range(len(board.found) + 3):
        image = turn % len(board.found)
        await board.until((turn + 1) * board.second - 2)
        want = board.labels[image] << 4 | board.found[image]
        assert int(dut.led.value) == want, f"image {image}: {int(dut.led.value):#x}, not {want:#x}"
    assert await board.held(UP) == board.wrong
    assert dut.wifi_gpio0.value == 1


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def images_a_second(dut: Any) -> None:
    """What was counted here in each second, to the image, and what the cycle model says."""
    board = Board(dut)
    board.count()
    await board.power_up()
    assert await board.rate() == "000000"
    for second in range(3):
        await board.until((second + 1) * board.second + 20)
        count = sum(cycle // board.second == second for cycle in board.answers)
        assert await board.rate() == f"{count:06d}"
        if second:
            model = board.second * board.lanes / board.period
            assert abs(count - model) <= board.lanes, f"{count} images, {model} by the model"


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def power_resets(dut: Any) -> None:
    """While PWR is held nothing is known; then everything begins again with image 0."""
    board = Board(dut)
    await board.power_up()
    await board.until(2 * board.second + board.second // 2)
    dut.btn.value = PWR
    await Timer(20 * CLOCK_NS, "ns")
    assert int(dut.led.value) == 0
    await Timer(board.second * CLOCK_NS, "ns")
    assert int(dut.led.value) == 0 and (board.netlist or dut.reset.value == 1)
    dut.btn.value = NONE
    await board.start()
    await board.until(board.second - 2)
    assert int(dut.led.value) == board.labels[0] << 4 | board.found[0]


@cocotb.test(timeout_time=5, timeout_unit="sec")
async def a_host_takes_over(dut: Any) -> None:
    """At any moment of the ring: it finds a core of its own, loads networks, classifies to the bit;
    no image of the ring is among its answers. With PWR the ring begins again, with the network that
    is loaded by then."""
    geometry = Geometry(**settings()["geometry"])
    rng = np.random.default_rng(3)
    rows = [np.frombuffer(bytes.fromhex(text), np.uint8) for text in settings()["bits"]]
    ring = np.unpackbits(np.array(rows), axis=1, count=settings()["widths"][0])
    board = Board(dut)
    await board.power_up()
    for moment in (0, 7, 333):
        # A glitch is no start bit.
        dut.ftdi_txd.value = 0
        await Timer(2 * CLOCK_NS, "ns")
        dut.ftdi_txd.value = 1
        await board.until(2 * board.second + moment)
        assert int(dut.led.value) >> 4 < 10
        worst = await board.held(UP)
        port = SimulatedPort(dut.ftdi_txd, dut.ftdi_rxd)
        network = random_network(rng, settings()["widths"])
        grey = rng.integers(0, 256, (9, network.inputs), np.uint8)
        expected = evaluate(network, network.inputs_from(grey))

        def session(port: SimulatedPort = port, network: Any = network, grey: Any = grey) -> Any:
            transport = port.transport()
            # A core of its own from the first frame on, whatever the driver does to it.
            for register in ("IMAGES", "BUSY_CYCLES", "DROPPED"):
                assert transport.read(OFFSET["core"] + 4 * ADDRESS[register]) == 0, register
            with Driver(transport, 1e-3) as core:
                core.load(network)
                return core.geometry, core.classify(grey, grey=True)

        seen, answers = await bridge(session)()
        assert seen.label == geometry.label
        np.testing.assert_array_equal(answers.scores, expected.scores)
        assert answers.counters["IMAGES"] == len(grey) and answers.counters["DROPPED"] == 0
        assert int(dut.led.value) == TAKEN << 4 | int(expected.classes[-1])
        # More than a round of answers that are not the labels' images.
        assert await board.held(UP) == worst
        dut.btn.value = PWR
        await Timer(20 * CLOCK_NS, "ns")
        dut.btn.value = NONE
        await board.start()
        # ENABLE of the memory files starts it; the description is that of these files, too.
        board.found = evaluate(network, ring).classes.tolist()
        await board.until(board.second - 2)
        assert int(dut.led.value) == board.labels[0] << 4 | board.found[0]
