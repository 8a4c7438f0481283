# SPDX-License-Identifier: Apache-2.0
"""The modules of the serial host link, each alone; with a core behind it: board/test_uart.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.uart_faults import FAULTS
from xnor_fcc_sim import simulator
from xnor_fcc_sim.sources import uart_sources

HOST = {"DIVIDER": 8, "TIMEOUT": 64, "IMAGE_WIDTH": 64, "BUFFER_BITS": 8}


def build(module: str, **parameters: int) -> simulator.Model:
    """One of the link's modules."""
    return simulator.build(module, parameters, uart_sources())


# The smallest divider, an odd one and the largest, at which a byte takes 81,920 cycles: what step
# there is from byte to byte, and which tests.
DIVIDERS = pytest.mark.parametrize(
    ("divider", "step", "tests"),
    [
        (8, 1, None),
        (25, 15, None),
        pytest.param(8192, 85, "every_byte", marks=[pytest.mark.slow, pytest.mark.verilator]),
    ],
)


@DIVIDERS
def test_fcc_uart_receiver(divider: int, step: int, tests: str | None, tmp_path: Path) -> None:
    """Every byte at rates off by two per cent, gaps, no stop bit, a line held low, glitches."""
    model = build("fcc_uart_receiver", DIVIDER=divider)
    settings = {"divider": divider, "step": step}
    model.run("modules.fcc_uart_receiver_tests", tmp_path, tests, settings)


@DIVIDERS
def test_fcc_uart_transmitter(divider: int, step: int, tests: str | None, tmp_path: Path) -> None:
    """Every byte to a receiver whose rate is off by two per cent, and the cycles of a byte."""
    model = build("fcc_uart_transmitter", DIVIDER=divider)
    settings = {"divider": divider, "step": step}
    model.run("modules.fcc_uart_transmitter_tests", tmp_path, tests, settings)


def test_fcc_uart_crc(tmp_path: Path) -> None:
    """CRC-32 byte by byte."""
    build("fcc_uart_crc").run("modules.fcc_uart_crc_tests", tmp_path)


# The smallest buffer, in which one frame fits, and one that several fill.
@pytest.mark.parametrize("bits", [4, 6])
def test_fcc_uart_frames(bits: int, tmp_path: Path) -> None:
    """Damage in every byte, cuts, extra bytes, overruns, flushes."""
    model = build("fcc_uart_frames", BUFFER_BITS=bits)
    model.run("modules.fcc_uart_frames_tests", tmp_path, settings={"bits": bits})


@pytest.mark.slow
@pytest.mark.verilator
def test_fcc_uart_frames_in_the_largest_buffer(tmp_path: Path) -> None:
    """65,535 bytes, as many as a frame's length can tell but for the header."""
    model = build("fcc_uart_frames", BUFFER_BITS=16)
    model.run("modules.fcc_uart_frames_tests", tmp_path, "largest_frame", {"bits": 16})


def test_fcc_uart_host(tmp_path: Path) -> None:
    """Registers, images of every length in a beat, results, and everything that goes wrong."""
    settings = {"width": 64, "timeout": HOST["TIMEOUT"]}
    build("fcc_uart_host", **HOST).run("modules.fcc_uart_host_tests", tmp_path, None, settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("timeout", "tests"),
    [
        (12, ["registers", "cut", "dead_core", "patience"]),
        pytest.param(131072, ["patience"], marks=pytest.mark.verilator),
    ],
)
def test_the_ends_of_patience(timeout: int, tests: list[str], tmp_path: Path) -> None:
    """The shortest and the longest time-out."""
    model = build("fcc_uart_host", **{**HOST, "TIMEOUT": timeout})
    settings = {"width": 64, "timeout": timeout}
    model.run("modules.fcc_uart_host_tests", tmp_path, tests, settings)


@pytest.mark.slow
@pytest.mark.parametrize("width", [8, 512])
def test_fcc_uart_host_with_other_beats(width: int, tmp_path: Path) -> None:
    """The narrowest and the widest, in what depends on them."""
    model = build("fcc_uart_host", **{**HOST, "IMAGE_WIDTH": width})
    tests = ["registers", "images", "dead_core"]
    settings = {"width": width, "timeout": HOST["TIMEOUT"]}
    model.run("modules.fcc_uart_host_tests", tmp_path, tests, settings)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_the_link_is_noticed(
    name: str, quickest: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The tests are ones that can fail."""
    monkeypatch.setenv("SIM", quickest)
    fault = FAULTS[name]
    test = name.partition(":")[0]
    module = Path(fault.file).stem
    sources = fault.sources(tmp_path, uart_sources())
    needed = {"fcc_uart_frames": {"BUFFER_BITS": 6}, "fcc_uart_crc": {}, "fcc_uart_host": HOST}
    model = simulator.build(module, needed.get(module, {"DIVIDER": 8}), sources)
    with pytest.raises(AssertionError, match=fault.complaint):
        settings = {"bits": 6, "width": 64, "timeout": HOST["TIMEOUT"], "divider": 8, "step": 1}
        model.run(f"modules.{module}_tests", tmp_path, test, settings)
