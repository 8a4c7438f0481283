# SPDX-License-Identifier: Apache-2.0
"""The serial host link: the driver against the simulated link and core, and against serial ports
of the operating system whose other end is a program."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from board.uart_model import Board
from board.uart_port import BIT_NS, DIVIDER, TIMEOUT
from measure import synthesis
from xnor_fcc import classify
from xnor_fcc.board.uart import BAUD
from xnor_fcc.errors import run_main
from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.places import RTL
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import evaluate
from xnor_fcc_sim import learn, simulator, toolchain
from xnor_fcc_sim.sources import uart_sources

SMALL = (30, 23, 9, 5)
# Grey images of it take two frames.
WIDE = (1100, 5)
TESTS = ["bit_exact", "rate", "damage", "cuts", "errors"]


def run(geometry: Geometry, tests: list[str], name: str, **settings: object) -> None:
    parameters = geometry.parameters()
    assert parameters.pop("WEIGHT_STREAM") == 0  # there is no way for them over the line
    model = simulator.build(
        "xnor_fcc_uart",
        {**parameters, "DIVIDER": DIVIDER, "TIMEOUT": TIMEOUT},
        [*simulator.rtl_sources(), *uart_sources()],
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
    # Two per cent too fast, and as much too slow.
    bits = [(BIT_NS * 98 // 100, 2), (-(-BIT_NS * 102 // 100), 1)]
    run(geometry, TESTS, "small", widths=SMALL, bits=bits, images=5, damages=10)


@pytest.mark.slow
def test_a_core_learns_over_the_serial_link() -> None:
    geometry = replace(Geometry.for_widths(SMALL, 4, 7, 2, image_width=16), learn=5)
    run(geometry, ["learning"], "learning", widths=SMALL)


@pytest.mark.one_quick
@pytest.mark.parametrize("image_width", [8, 512])
def test_images_of_several_frames_over_the_serial_link(image_width: int) -> None:
    """Also of the narrowest and the widest beats."""
    geometry = Geometry.for_widths(WIDE, 3, 20, 1, image_width=image_width)
    settings = {"widths": WIDE, "bits": [(BIT_NS, 1)], "images": 2}
    run(geometry, ["bit_exact"], f"wide-{image_width}", **settings)


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("DIVIDER", 8, 8192), ("TIMEOUT", 12, 131072), ("BUFFER_BITS", 4, 16)],
)
def test_impossible_parameters_are_refused(name: str, least: int, most: int) -> None:
    """With the name of a module that says why; those at the ends are not."""
    for value in (least - 1, least, most, most + 1):
        command = ["--lint-only", "-Wno-fatal", "--top-module", "fcc_uart_host"]
        command += [f"-G{name}={value}", *map(str, uart_sources())]
        result = toolchain.verilator().run(command)
        refused = f"{name}_must_be_{least}_to_{most}" in result.stderr
        assert refused == (not least <= value <= most) == (result.returncode != 0), value


@pytest.mark.slow
def test_the_link_is_as_small_as_the_document_says() -> None:
    text = (RTL / "INTEGRATION.md").read_text()
    found = re.search(r"The link takes (\d+) ALMs and (\d+) M10K", text)
    assert found is not None
    parameters = {"IMAGE_WIDTH": 64, "DIVIDER": 50, "TIMEOUT": 131072, "BUFFER_BITS": 11}
    cost = synthesis.intel("fcc_uart_host", parameters, uart_sources())
    assert cost.alm == pytest.approx(int(found[1]), rel=0.05)
    assert cost.m10k == int(found[2])


# ---- ports of the operating system

# So that silence is short.
FAST = ("--baud", "4000000")


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, ...]:
    """Arguments of `classify`: seven images and the file of a network."""
    random_network(np.random.default_rng(5), SMALL).save(tmp_path / "net.npz")
    images = np.random.default_rng(6).integers(0, 256, (7, 30), np.uint8)
    images[:, :2] = 0, 255  # which no network takes for the same
    np.save(tmp_path / "x.npy", images)
    return str(tmp_path / "x.npy"), "--network", str(tmp_path / "net.npz")


def board(files: tuple[str, ...], fault: str = "", life: int = 0) -> Board:
    geometry = Geometry.for_widths(SMALL, 4, 7, 2, image_width=16)
    return Board(IntegerNetwork.load(files[2]), geometry, fault, life)


def test_classify_asks_the_board(
    files: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Through a port of the operating system, at the usual rate and at another."""
    network = IntegerNetwork.load(files[2])
    expected = evaluate(network, network.inputs_from(np.load(files[0])))
    for rate in ((), FAST):
        with board(files) as link:
            assert classify.main([*files, "--json", "--device", link.device, *rate]) == 0
            assert link.loaded == link.chunks, "the network was not loaded"
        told = json.loads(capsys.readouterr().out)
        assert [row["class"] for row in told["images"]] == expected.classes.tolist()
        assert [row["scores"] for row in told["images"]] == expected.scores.tolist()


def test_learn_asks_the_board(
    files: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """This one was built without learning, which it says once it has the network."""
    np.savez(tmp_path / "x.npz", images=np.load(files[0]), labels=np.arange(7) % 5)
    out = tmp_path / "out.npz"
    given = ["--inputs", str(tmp_path / "x.npz"), "--out", str(out), *files[1:]]
    with board(files) as link:
        assert run_main(lambda: learn.main([*given, "--device", link.device, *FAST])) == 2
        assert link.loaded == link.chunks, "the network was not loaded"
    assert "(LEARN=0) was built without learning" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("fault", "life", "sentence"),
    [
        ("mute", 0, "Nothing answers at {}; check that it is the right port, that the FPGA is "),
        ("noise", 0, "What comes from {} is no answer of an xnor-fcc core; check that it is the "),
        ("flood", 0, "{} sends without end; check that it is the right port, and that the board's"),
        ("silent", 500, "{} does not answer any more; check the cable and the board."),
        ("unplugged", 500, "{} has gone away in the middle ("),
        ("swallows", 0, "An answer from {} got lost on the way; check the cable."),
        ("damaged", 0, "An answer from {} arrived damaged; check the cable."),
        ("stuck", 0, "The link at {} tells that the core neither takes images nor answers; load "),
    ],
)
def test_what_goes_wrong_at_a_port_is_a_sentence(
    fault: str, life: int, sentence: str, files: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with board(files, fault, life) as link:
        assert run_main(lambda: classify.main([*files, "--device", link.device, *FAST])) == 2
    out, error = capsys.readouterr()
    assert not out and error.count("\n") == 1
    assert error.startswith("error: " + sentence.format(link.device)), error


def test_a_port_that_does_not_open_is_a_sentence(
    files: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def told(device: str, *options: str) -> str:
        code = run_main(lambda: classify.main([*files, "--device", device, *options]))
        out, error = capsys.readouterr()
        assert code == 2 and not out and error.count("\n") == 1 and error.startswith("error: ")
        return error.removeprefix("error: ").rstrip("\n")

    assert told("/dev/nowhere").startswith("There is no port /dev/nowhere; plug the board in")
    (tmp_path / "file").touch()
    assert "does not open as a serial port of 1000000 baud" in told(str(tmp_path / "file"))
    assert told("/dev/null", "--baud", "0") == "--baud 0 is not a rate; the board's own is needed."
    with board(files) as link:
        import serial

        with serial.Serial(link.device, exclusive=True):
            assert told(link.device) == f"{link.device} is used by another program; close that one."
        assert "does not open" in told(link.device, "--baud", str(1 << 40))
    if os.geteuid() == 0:

        def forbidden(*arguments: object, **options: object) -> None:
            raise serial.SerialException(13, "could not open port: Permission denied")

        monkeypatch.setattr(serial, "Serial", forbidden)
    else:
        (tmp_path / "file").chmod(0)
    assert "may not be opened; be a member of its group" in told(str(tmp_path / "file"))
    monkeypatch.setitem(sys.modules, "serial", None)
    assert "pip install 'xnor-fcc[serial]'" in told("/dev/null")
    code = run_main(lambda: classify.main([*files, "--baud", str(BAUD)]))
    assert code == 2 and "name one" in capsys.readouterr().err
