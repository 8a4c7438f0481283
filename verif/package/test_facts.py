# SPDX-License-Identifier: Apache-2.0
"""One source for each fact: every committed copy is what `make facts` writes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from faults import plant
from xnor_fcc import __version__, facts
from xnor_fcc.parameters import PARAMETERS
from xnor_fcc.places import ROOT, RTL

FILES = {str(path.relative_to(ROOT)): text for path, text in facts.generated().items()}


@pytest.mark.parametrize("name", FILES)
def test_generated_files_are_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text() == FILES[name], "run `make facts`"


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("rtl/fcc_registers.vh", "TIMEOUT = 32'd256", "TIMEOUT = 32'd255"),
        ("rtl/REGISTERS.md", "| 256 | 5 |", "| 255 | 5 |"),
        ("quartus/host/xnor_fcc.h", "0x58464343u", "0x58464344u"),
        ("quartus/hps/address_map.tcl", "ID_VALUE 0x58464343", "ID_VALUE 0x58464344"),
        ("rtl/xnor_fcc.v", "WEIGHT_DEPTH = 768", "WEIGHT_DEPTH = 744"),
        ("rtl/fcc_core.v", "WEIGHT_DEPTH = 2", "WEIGHT_DEPTH = 744"),
        ("rtl/fcc_map_core.v", "MAP_ODD = 1", "MAP_ODD = 0"),
        ("rtl/xnor_fcc.core", "default: 768", "default: 744"),
        ("rtl/xnor_fcc.core", "      - fcc_lane.v\n", ""),
        ("rtl/xnor_fcc.core", "      - is_toplevel ? (TAPS)\n", ""),
        ("quartus/hps/xnor_fcc_hw.tcl", "INTEGER 768", "INTEGER 744"),
        ("quartus/hps/xnor_fcc_hw.tcl", "INTEGER 4     {1:64}", "INTEGER 4     {1:128}"),
        ("rtl/xnor_fcc.core", f"fcc:{__version__}\n", "fcc:0.0.9\n"),
        ("verif/fusesoc/xnor_fcc_tb.core", f"_tb:{__version__}\n", "_tb:0.0.9\n"),
        ("quartus/hps/xnor_fcc_hw.tcl", f"VERSION {__version__}\n", "VERSION 1.0\n"),
        ("README.md", "| `WEIGHT_DEPTH` | 768 |", "| `WEIGHT_DEPTH` | 744 |"),
    ],
)
def test_a_copy_that_drifts_is_found_and_put_right(
    name: str, good: str, bad: str, tmp_path: Path
) -> None:
    for each in FILES:
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each).write_text((ROOT / each).read_text())
    path = tmp_path / name
    path.write_text(plant(name, path.read_text(), good, bad))
    wrong = {p for p, text in facts.generated(tmp_path).items() if p.read_text() != text}
    assert wrong == {path}
    assert facts.generated(tmp_path)[path] == (ROOT / name).read_text()


def test_the_verilog_has_these_defaults(tmp_path: Path) -> None:
    """By Yosys, which does not care how the list of parameters is written."""
    commands = f"['read_verilog {RTL / 'xnor_fcc.v'}', 'write_json top.json']"
    code = (
        "from pyosys import libyosys as ys; d = ys.Design(); "
        f"[ys.run_pass(command, d) for command in {commands}]"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    module = json.loads((tmp_path / "top.json").read_text())["modules"]["xnor_fcc"]
    found = module["parameter_default_values"]
    assert {name: int(found[name], 2) for name, x in PARAMETERS.items() if x.number} == {
        name: x.default for name, x in PARAMETERS.items() if x.number
    }
    assert set(found) == set(PARAMETERS) and not found["PRESET"].strip()


def test_every_default_is_legal_and_every_meaning_is_told() -> None:
    for name, parameter in PARAMETERS.items():
        assert parameter.meaning and not parameter.meaning.endswith("."), name
        assert parameter.description.endswith("."), name
        if isinstance(parameter.default, int):
            high = parameter.default if parameter.high is None else parameter.high
            legal = parameter.values or range(parameter.low, high + 1)
            assert parameter.default in legal, name
    assert PARAMETERS["PE"].description == "Neurons computed at once in a lane (>= 1)."
    assert PARAMETERS["LANES"].range == "1 to 64" and PARAMETERS["ORDER"].range == "1 or 2"
    assert PARAMETERS["IMAGE_WIDTH"].range == "8, 16, 32, 64, 128, 256 or 512"


def test_a_file_without_its_place_is_refused(tmp_path: Path) -> None:
    for each in FILES:
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each).write_text((ROOT / each).read_text())
    path = tmp_path / "rtl" / "xnor_fcc.core"
    path.write_text(path.read_text().replace("# files: end", "# no end"))
    with pytest.raises(facts.UserError, match="lacks the lines # files: begin and # files: end"):
        facts.generated(tmp_path)


INNER = sorted({*RTL.glob("*.v"), *(ROOT / "quartus" / "demo").glob("*.v")} - {RTL / "xnor_fcc.v"})


def repeated(text: str, maps: bool = False) -> list[str]:
    """Parameters of the core to which a module inside, of a core for convolutions where `maps`,
    gives a default that says something."""
    found = re.findall(r"^ *parameter (\w+) = (\d+)", text, re.M)
    return [
        f"{name} = {value}"
        for name, value in found
        if name in PARAMETERS and int(value) != PARAMETERS[name].smallest_in(maps)
    ]


@pytest.mark.parametrize("path", INNER, ids=lambda path: path.stem)
def test_a_module_inside_repeats_no_default(path: Path) -> None:
    """Whoever instantiates it sets every parameter; the smallest legal values stand there."""
    assert repeated(path.read_text(), path.stem.startswith("fcc_map_")) == []


def test_a_repeated_default_is_seen() -> None:
    assert repeated((RTL / "xnor_fcc.v").read_text())[0] == "PE = 32"
    text = "    parameter TAPS = 1,\n    parameter TAPS = 4,\n    parameter IMAGE_WIDTH = 64\n"
    assert repeated(text) == ["TAPS = 4", "IMAGE_WIDTH = 64"]
    text = "    parameter MAP_ODD = 0,\n    parameter MAP_EVEN = 1,\n    parameter PE = 2\n"
    assert repeated(text) == ["MAP_EVEN = 1", "PE = 2"]
    assert repeated(text, maps=True) == ["MAP_ODD = 0", "PE = 2"]
