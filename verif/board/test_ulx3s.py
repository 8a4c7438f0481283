# SPDX-License-Identifier: Apache-2.0
"""The ULX3S demo: simulated from its pins inward, its clock, and the command that builds it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from board.ulx3s_bench import PLL, parameters, simulate, tiny
from measure import synthesis, ulx3s
from xnor_fcc.board import ulx3s as board_module
from xnor_fcc.board.preset_demo import PRESET
from xnor_fcc.board.ulx3s import Ulx3s, ulx3s_of
from xnor_fcc.errors import UserError, run_main
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.places import RTL
from xnor_fcc.reference import evaluate
from xnor_fcc_sim import simulator, toolchain
from xnor_fcc_sim.sources import ulx3s_sources

ALL = ["every_image", "images_a_second", "power_resets", "a_host_takes_over"]


def run(board: Ulx3s, name: str, tests: list[str], second: int) -> None:
    """Simulate the Verilog of a board."""
    sources = [*ulx3s_sources(), PLL]
    model = simulator.build("ulx3s", parameters(board, second), sources, visible=["serial_demo"])
    simulate(board, model, name, tests, second)


@pytest.mark.slow
def test_ulx3s_demo_with_a_tiny_network() -> None:
    """Lamps, buttons, reset, and a host on the line."""
    board = tiny()
    assert 0 < board.wrong() < len(board.bits)
    run(board, "ulx3s-tiny", ALL, second=1500)


@pytest.mark.needs("iverilog")
def test_ulx3s_demo_in_four_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """From power-up, with nothing known but what the FPGA and the reset set."""
    monkeypatch.setenv("SIM", "icarus")
    run(tiny(2), "ulx3s-icarus", ["every_image", "power_resets"], second=600)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "images"), [("mnist", 4), ("digits", 128)])
def test_ulx3s_demo_as_it_is_built(name: str, images: int) -> None:
    """The geometry and the network of `make ulx3s`; a second has room for all images."""
    board = ulx3s_of(network=IntegerNetwork.load(find_network(name)), images=images)
    second = (images + 2) * board.geometry.period_cycles(board.network.widths)
    run(board, f"ulx3s-{name}", ["every_image"], second)


def test_ulx3s_defaults_are_those_of_the_verilog() -> None:
    text = (RTL / "boards" / "ulx3s" / "ulx3s.v").read_text()
    for name, value in ulx3s_of().parameters().items():
        assert f"parameter {name} = {value},\n" in text, name
    assert f'parameter PRESET = "{PRESET}",\n' in text


def test_ulx3s_pins_are_those_of_the_top() -> None:
    """Every bit of every port has one pin, an electrical standard, and nothing else has."""
    text = (RTL / "boards" / "ulx3s" / "ulx3s.v").read_text()
    ports = set()
    declared = re.findall(r"^ *(?:input|output) +wire +(?:\[(\d+):0\])? *(\w+)", text, re.M)
    for width, name in declared:
        ports |= {f"{name}[{bit}]" for bit in range(int(width) + 1)} if width else {name}
    pins = (RTL / "boards" / "ulx3s" / "ulx3s.lpf").read_text()
    located = re.findall(r'^LOCATE COMP "(\S+)" SITE "(\w+)";', pins, re.M)
    assert {port for port, _ in located} == ports and len(located) == len(ports) == 19
    assert len({site for _, site in located}) == len(located)
    assert set(re.findall(r'^IOBUF PORT "(\S+)" .*IO_TYPE=LVCMOS33', pins, re.M)) == ports


@pytest.mark.parametrize("clock", [10, 15, 25, 50, 85, 125, 195, 200])
def test_ulx3s_pll_runs_in_its_range(clock: int, tmp_path: Path) -> None:
    """Oscillator from 400 to 800 MHz, phase detector from 3.125 MHz (the ECP5 data sheet), and the
    frequency that ecppll finds for the same."""
    division = (600 + clock // 2) // clock
    assert 400 <= clock * division <= 800 and 1 <= division <= 128 and 1 <= clock // 5 <= 128
    program, _ = synthesis._tool("ecppll")
    command = [*program, "-i", "25", "-o", str(clock), "-f", "pll.v"]
    synthesis._run(command, tmp_path, tmp_path / "log", "ecppll failed")
    text = (tmp_path / "pll.v").read_text()
    found = {n: int(v) for n, v in re.findall(r"\.(CLK\w+_DIV)\((\d+)\)", text)}
    assert 25 * found["CLKFB_DIV"] == clock * found["CLKI_DIV"]


@pytest.mark.parametrize("clock", [5, 9, 10, 52, 200, 205])
def test_ulx3s_refuses_clocks_that_the_pll_does_not_make(clock: int) -> None:
    """In the Verilog with the name of a module, in Python with a sentence."""
    legal = 10 <= clock <= 200 and clock % 5 == 0
    board = tiny(2)
    command = ["--lint-only", "-Wno-fatal", "--top-module", "ulx3s", f"-I{simulator.RTL}"]
    sizes = {**board.parameters(), "CLOCK_MHZ": clock}
    command += [f"-G{name}={value}" for name, value in sizes.items()]
    result = toolchain.verilator().run([*command, *map(str, [*ulx3s_sources(), PLL])])
    assert ("CLOCK_MHZ_must_be_a_multiple_of_5" in result.stderr) == (not legal)
    assert (result.returncode == 0) == legal
    if legal:
        assert replace(board, clock_mhz=clock).parameters()["CLOCK_MHZ"] == clock
    else:
        with pytest.raises(UserError, match=f"multiples of 5 MHz from 10 to 200, not {clock} MHz"):
            replace(board, clock_mhz=clock)


# ---- the command


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command builds its tiny board, with nothing done before."""
    monkeypatch.setattr(ulx3s, "ulx3s_of", lambda *a: replace(tiny(), clock_mhz=a[-1]))
    monkeypatch.setattr(synthesis, "BUILD", tmp_path / "synthesis")
    monkeypatch.setattr(ulx3s, "OUTPUT", tmp_path / "files")
    return tmp_path / "out"


@pytest.mark.slow
def test_make_ulx3s_makes_a_bitstream(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its figures; and none where there are not blocks of RAM enough, for which the placer
    would look without end."""
    arguments = ["--output", str(place), "--clock", "10"]
    assert ulx3s.main(arguments) == 0
    assert "images a second at 10 MHz" in capsys.readouterr().out
    report: dict[str, Any] = json.loads((place / "report.json").read_text())
    bitstream = (place / report["bitstream"]).read_bytes()
    assert b"LFE5U-85F" in bitstream[:200] and len(bitstream) > 20_000
    assert report["seeds"] == [{"seed": 1, "fmax_mhz": report["fmax_mhz"]}]
    assert report["fmax_mhz"] > 10
    assert report["slack_ns"] == round(100 - 1000 / report["fmax_mhz"], 3)
    assert 0 < report["lut4"] < report["available"]["lut4"] and 0 < report["ebr"] < 20
    g = tiny().geometry
    assert report["cycles_per_image"] == g.period_cycles((24, 17, 10)) / g.lanes
    assert report["images_per_second"] == int(10e6 / report["cycles_per_image"])

    # Nothing is done again from here on.
    monkeypatch.setattr(synthesis, "_run", lambda *_: pytest.fail("ran a tool"))
    monkeypatch.setattr(synthesis, "_ECP5_BLOCKS", report["ebr"])
    assert ulx3s.main(arguments) == 0, "just enough"
    monkeypatch.setattr(synthesis, "_ECP5_BLOCKS", report["ebr"] - 1)
    assert run_main(lambda: ulx3s.main(arguments)) == 2
    want = f"takes {report['ebr']} blocks of RAM, and an ECP5-85 has {report['ebr'] - 1}"
    assert want in capsys.readouterr().err and not list(place.iterdir())


def test_make_ulx3s_takes_the_fastest_seed(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And makes no bitstream where the clock is missed."""
    reached = {1: 60.04, 2: 71.6, 3: 55.0}

    def routed(*arguments: Any) -> synthesis.Route:
        seed = arguments[4]
        path = place.with_name(f"{seed}.config")
        path.write_text(f"seed {seed}")
        sizes = {"lut4": 9, "ff": 9, "ebr": 9}
        return synthesis.Route(reached[seed], 1, 1, 1, sizes, (), seed, "", "", path)

    monkeypatch.setattr(synthesis, "ecp5", routed)
    monkeypatch.setattr(synthesis, "bitstream", lambda path: path)
    arguments = ["--output", str(place), "--seeds", "3"]
    assert ulx3s.main([*arguments, "--clock", "70"]) == 0
    report: dict[str, Any] = json.loads((place / "report.json").read_text())
    assert [row["seed"] for row in report["seeds"]] == [1, 2, 3]
    assert report["fmax_mhz"] == 71.6 == max(row["fmax_mhz"] for row in report["seeds"])
    assert (place / report["bitstream"]).read_text() == "seed 2"

    assert run_main(lambda: ulx3s.main([*arguments, "--clock", "75"])) == 2
    error = capsys.readouterr().err
    assert "The clock of 75 MHz is missed: the best of --seeds 3 reaches 71.6 MHz" in error
    assert not list(place.iterdir())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--clock", "52"], "multiples of 5 MHz from 10 to 200, not 52"),
        (["--seeds", "0"], "--seeds asks for at least one"),
        (["--images", "48"], "a power of two of 2 to 512 images, not 48"),
        (["--first", "382"], "has images 0 to 381, not 382 to 445"),
        (["--network", "order2"], "single bits only"),
        (["--network", "nothing.npz"], "nothing.npz does not exist"),
        (["--pe", "0"], "PE=0 is outside"),
        (["--fast"], "Unrecognized arguments: --fast"),
    ],
)
def test_make_ulx3s_refuses_in_one_sentence(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Before anything is built."""
    monkeypatch.setattr(synthesis, "ecp5", lambda *_: pytest.fail("built"))
    assert run_main(lambda: ulx3s.main([*arguments, "--output", str(tmp_path / "made")])) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and says in error
    assert not (tmp_path / "made").exists()


def test_ulx3s_shows_digits() -> None:
    board = ulx3s_of()
    assert (board.network.name, len(board.bits)) == (board_module.NETWORK, 64)
    assert board.wrong() == (evaluate(board.network, board.bits).classes != board.labels).sum() < 8
