# SPDX-License-Identifier: Apache-2.0
"""The DE1-SoC demo as somebody in front of the board sees it: switches, a key, digits and lamps.

Nothing but the pins is driven and judged; one net inside, the beat with a class, is counted to know
how many images a second there are. Settings: `geometry`; `found` and `labels`, a digit for each
image of the ring; `second` in cycles; `period`, the cycles from batch to batch by the cycle model.
"""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, First, RisingEdge, Timer, ValueChange
from cocotb.utils import get_sim_time

from xnor_fcc_sim.clock import CLOCK_NS
from xnor_fcc_sim.settings import settings

# The segments of each digit, a at the top, then clockwise, g in the middle.
SEGMENTS = ("abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg")
SHOWN = {"": " ", "g": "-", **{lit: str(digit) for digit, lit in enumerate(SEGMENTS)}}

EVERY_KEY_UP = 0b1111
SHOW_RATE = 1 << 9


def shown(display: Any) -> str:
    """What a seven-segment display shows: a digit, a dash or a blank."""
    off = int(display.value)
    return SHOWN["".join(name for bit, name in enumerate("abcdefg") if not off >> bit & 1)]


class Board:
    """The board with its power just switched on, and everything known about what it should show.

    Every test needs a simulation of its own.
    """

    def __init__(self, dut: Any) -> None:
        want = settings()
        self.dut = dut
        self.found: list[int] = want["found"]
        self.labels: list[int] = want["labels"]
        self.second = int(want["second"])
        self.lanes = int(want["geometry"]["lanes"])
        self.period = int(want["period"])
        # Cycles in which each result ended, since reset.
        self.answers: list[int] = []
        self.released = 0

    async def power_up(self) -> None:
        """Clock and quiet keys; returns when the reset is over. No key is touched."""
        self.dut.KEY.value = EVERY_KEY_UP
        self.dut.SW.value = 0
        Clock(self.dut.CLOCK_50, CLOCK_NS, unit="ns").start()
        cocotb.start_soon(self._count())
        await self.start()

    async def start(self) -> None:
        """Wait for the end of the reset, from which seconds and results are counted."""
        await First(FallingEdge(self.dut.reset), Timer(100 * CLOCK_NS, "ns"))
        assert int(self.dut.reset.value) == 0, "the reset does not end"
        self.released = int(get_sim_time("ns"))
        self.answers.clear()

    async def _count(self) -> None:
        while True:
            await RisingEdge(self.dut.demo.answered)
            self.answers.append((int(get_sim_time("ns")) - self.released) // CLOCK_NS)

    @property
    def round_cycles(self) -> int:
        """Cycles of one turn of the ring, with room for the first latency."""
        return (len(self.found) // self.lanes + 8) * self.period + 2000

    async def cycles(self, number: int) -> None:
        await Timer(number * CLOCK_NS, "ns")

    async def select(self, image: int) -> None:
        """Set the switches, and wait until the display shows a result for them."""
        self.dut.SW.value = image
        await ClockCycles(self.dut.CLOCK_50, 6)  # synchroniser; the image before vanishes
        if shown(self.dut.HEX0) == "-":
            late = Timer(2 * self.round_cycles * CLOCK_NS, "ns")
            await First(ValueChange(self.dut.HEX0), late)
        await Timer(1, "ns")

    def digits(self) -> str:
        """All six, as they are read."""
        return "".join(shown(getattr(self.dut, f"HEX{n}")) for n in range(5, -1, -1))


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def every_image(dut: Any) -> None:
    """From power-up, every position of the switches shows its digit and its label; after a whole
    round the lamps tell how many of them differ."""
    board = Board(dut)
    await board.power_up()
    for image, (found, label) in enumerate(zip(board.found, board.labels, strict=True)):
        await board.select(image)
        got = board.digits()[-3:]
        assert got == f" {label}{found}", f"image {image}: HEX2..0 show {got!r}"
    await board.cycles(board.round_cycles)
    wrong = sum(map(int.__ne__, board.found, board.labels))
    assert int(dut.LEDR.value) == wrong, f"the lamps show {int(dut.LEDR.value)}, not {wrong}"


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def images_a_second(dut: Any) -> None:
    """The rate is what was counted here in each second, to the image, and what the cycle model
    says; all digits of it with SW9, the thousands without."""
    board = Board(dut)
    await board.power_up()
    dut.SW.value = SHOW_RATE
    await board.cycles(6)
    assert board.digits() == "000000"
    count = 0
    for second in range(3):
        end = board.released + (second + 1) * board.second * CLOCK_NS
        await Timer(end - 10 * CLOCK_NS - int(get_sim_time("ns")), "ns")
        assert board.digits() == f"{count:06d}", "the display changed before the second was over"
        await board.cycles(20)
        count = sum(cycle // board.second == second for cycle in board.answers)
        assert board.digits() == f"{count:06d}", f"{board.digits()} shown, {count} counted"
        if second:
            model = board.second * board.lanes / board.period
            assert abs(count - model) <= board.lanes, f"{count} images, {model} by the model"
    dut.SW.value = 0
    await board.cycles(6)
    assert board.digits()[:4] == f"{count // 1000:03d} "


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def key_resets(dut: Any) -> None:
    """While KEY0 is down nothing is known and nothing counted; then everything begins again, the
    ring at image 0 and the core with it. The other keys do nothing."""
    board = Board(dut)
    await board.power_up()
    last = len(board.found) - 1
    await board.select(last)
    await board.cycles(board.round_cycles)
    dut.KEY.value = EVERY_KEY_UP & ~0b1110
    await board.cycles(20)
    right = f" {board.labels[last]}{board.found[last]}"
    assert board.digits()[-3:] == right
    dut.KEY.value = EVERY_KEY_UP & ~1
    # In the middle of an image, of a batch, of a result: at any time.
    await board.cycles(20)
    assert board.digits() == "000 --"
    assert int(dut.LEDR.value) == 0
    await board.cycles(3 * board.period)
    assert board.digits() == "000 --"
    dut.KEY.value = EVERY_KEY_UP
    await board.start()
    await board.select(last)
    assert board.digits()[-3:] == right
    # It has been answered once, in its turn.
    assert last < len(board.answers) <= last + board.lanes
