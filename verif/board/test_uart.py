# SPDX-License-Identifier: Apache-2.0
"""The serial host link: the driver against the simulated link and core, and against serial ports
of the operating system whose other end is a program."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from board.uart_port import DIVIDER, TIMEOUT
from xnor_fcc.geometry import Geometry
from xnor_fcc_sim import simulator
from xnor_fcc_sim.sources import uart_sources

SMALL = (30, 23, 9, 5)
# Grey images of it take two frames.
WIDE = (1100, 9, 5)
TESTS = ["bit_exact", "rate", "damage", "cuts", "errors"]


def run(geometry: Geometry, tests: list[str], name: str, **settings: object) -> None:
    model = simulator.build(
        "uart_system",
        {**geometry.parameters(), "DIVIDER": DIVIDER, "TIMEOUT": TIMEOUT},
        [*simulator.rtl_sources(), *uart_sources(), Path(__file__).with_name("uart_system.v")],
        nets=("clk", "reset", "rxd", "txd"),
    )
    model.run(
        "board.uart_tests", simulator.run_directory(f"uart-{name}"), tests,
        {"geometry": asdict(geometry), **settings},
    )  # fmt: skip


@pytest.mark.slow
def test_the_driver_over_the_serial_link() -> None:
    """Bit-exact answers, the line's rate, damage and cuts anywhere, what the core refuses."""
    geometry = Geometry.for_widths(SMALL, 4, 7, 2, image_width=16)
    run(geometry, TESTS, "small", widths=SMALL, damages=30)


@pytest.mark.one_quick
@pytest.mark.parametrize("image_width", [8, 512])
def test_images_of_several_frames_over_the_serial_link(image_width: int) -> None:
    """Also of the narrowest and the widest beats."""
    geometry = Geometry.for_widths(WIDE, 4, 64, 2, image_width=image_width)
    run(geometry, ["bit_exact"], f"wide-{image_width}", widths=WIDE)
