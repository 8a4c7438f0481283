# SPDX-License-Identifier: Apache-2.0
"""`xnor-fcc rtl`: what it prints can be built from, and a copy is whole."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from edalize.flows.sim import Sim

from xnor_fcc import rtl
from xnor_fcc.errors import run_main
from xnor_fcc.geometry import Geometry
from xnor_fcc.parameters import PARAMETERS
from xnor_fcc.places import ROOT, RTL
from xnor_fcc_sim.toolchain import verilator_environment

SMALL = Geometry.for_widths((24, 20, 4), pe=4, simd=8, lanes=1).parameters()


def test_the_list_is_that_of_the_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert rtl.main([]) == 0
    first, *files = capsys.readouterr().out.splitlines()
    assert first == f"+incdir+{RTL}"
    assert files == [str(path) for path in sorted(RTL.glob("*.v"))]


@pytest.mark.parametrize(
    "tool", ["verilator", pytest.param("iverilog", marks=pytest.mark.needs("iverilog"))]
)
def test_the_list_is_a_command_file(
    tool: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rtl.main([])
    (tmp_path / "core.f").write_text(capsys.readouterr().out)
    if tool == "verilator":
        command = ["verilator", "--lint-only", "-Wall", "-f", "core.f", "--top-module", rtl.TOP]
        command += [f"-G{name}={value}" for name, value in SMALL.items()]
    else:
        command = ["iverilog", "-t", "null", "-c", "core.f", "-s", rtl.TOP]
        command += [f"-P{rtl.TOP}.{name}={value}" for name, value in SMALL.items()]
    environment = {**os.environ, **verilator_environment()}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)


def test_the_parameters_are_those_of_a_geometry() -> None:
    parameters = rtl.edam()["parameters"]
    defaults = {name: parameter["default"] for name, parameter in parameters.items()}
    maps = {name: parameter.default for name, parameter in PARAMETERS.items() if parameter.maps}
    assert defaults == {**Geometry().parameters(), **maps, "PRESET": ""}
    assert parameters["PE"]["datatype"] == "int" and parameters["PRESET"]["datatype"] == "str"
    assert parameters["PE"]["description"] == "Neurons computed at once in a lane (>= 1)."


def test_json_is_the_edam_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert rtl.main(["--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == rtl.edam() and printed["toplevel"] == "xnor_fcc"


def edam(**parameters: int) -> dict[str, Any]:
    """The core for Icarus, with other values of some parameters."""
    result = rtl.edam() | {"flow_options": {"tool": "icarus"}}
    for name, value in parameters.items():
        result["parameters"][name]["default"] = value
    return result


def build(design: dict[str, Any], directory: Path) -> None:
    directory.mkdir()
    flow = Sim(design, str(directory))
    flow.configure()
    flow.build()


@pytest.mark.needs("iverilog")
def test_edalize_builds_the_core(tmp_path: Path) -> None:
    build(edam(**SMALL), tmp_path / "good")
    assert (tmp_path / "good" / rtl.TOP).stat().st_size > 0
    with pytest.raises(RuntimeError, match="exited with an error"):
        build(edam(**{**SMALL, "PE": 0}), tmp_path / "bad")


# ---- copies


def copied(directory: Path) -> int:
    return run_main(lambda: rtl.main(["--copy", str(directory)]))


def files(directory: Path) -> dict[str, bytes]:
    paths = [path for path in directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


def test_a_copy_is_whole_and_can_be_renewed(tmp_path: Path) -> None:
    target = tmp_path / "third_party" / "xnor_fcc"
    assert copied(target) == 0
    first = files(target)
    for path in rtl.named(target / "rtl" / "sources.f"):
        assert first[str(path)] == (ROOT / path).read_bytes()
    assert {"LICENSE", "rtl/fcc_registers.vh", "rtl/xnor_fcc.core", "rtl/sources.f"} < set(first)
    assert "verif/fusesoc/vectors/results.hex" in first
    (target / "rtl" / "fcc_lane.v").write_text("an older one")
    assert copied(target) == 0
    assert files(target) == first


def test_a_directory_with_something_else_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "mine.v").write_text("mine")
    assert copied(tmp_path) == 2
    assert capsys.readouterr().err == (
        f"error: {tmp_path} holds something else: name a directory of its own.\n"
    )
    assert files(tmp_path) == {"rtl/mine.v": b"mine"}


def test_a_file_is_no_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    assert copied(tmp_path / "file") == 2
    assert copied(tmp_path / "file" / "below") == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.startswith("error: ") for line in lines] == [True, True]
    assert files(tmp_path) == {"file": b"mine"}


def test_json_and_a_copy_do_not_go_together(tmp_path: Path) -> None:
    assert run_main(lambda: rtl.main(["--json", "--copy", str(tmp_path)])) == 2
