# SPDX-License-Identifier: Apache-2.0
"""quartus/power.tcl, run by tclsh with stand-ins that note down what is asked of Quartus."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from board.tclsh import Script
from xnor_fcc_sim.simulator import ROOT

pytestmark = pytest.mark.needs("tclsh")

PACKAGES = ("::quartus::project", "::quartus::flow")
RECORDED = (
    "project_open",
    "project_close",
    "set_global_assignment",
    "set_instance_assignment",
    "execute_module",
)
ANSWERS = """
proc get_global_assignment {args} {
  array set options $args
  return [dict get {TOP_LEVEL_ENTITY xnor_fcc PROJECT_OUTPUT_DIRECTORY out} $options(-name)]
}
"""
FAILS = """
proc execute_module {args} {
  note execute_module {*}$args
  error "ERROR: no fit"
}
"""


class Project:
    """A directory with a project that says it is compiled, and a VCD file."""

    def __init__(self, directory: Path) -> None:
        script = ROOT / "quartus" / "power.tcl"
        self.script = Script(script, directory, PACKAGES, RECORDED, ANSWERS)
        self.vcd = directory / "made here" / "activity.vcd"
        self.vcd.parent.mkdir()
        self.vcd.write_text("$timescale 1ps $end\n$scope module xnor_fcc $end\n")
        self.qpf = directory / "board" / "de1_soc.qpf"
        (self.qpf.parent / "out").mkdir(parents=True)
        self.qpf.write_text("")
        (self.qpf.parent / "out" / "de1_soc.pow.summary").write_text("Total : not measured\n")

    def run(self, *arguments: object, fails: bool = False) -> subprocess.CompletedProcess[str]:
        return self.script.run(*arguments, more=FAILS if fails else "")

    @property
    def calls(self) -> list[str]:
        return self.script.calls


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def expected(project: Project, instance: str) -> list[str]:
    """What must be asked of Quartus, in this order."""
    made = [
        f"set_instance_assignment -name POWER_READ_INPUT_FILE activity.vcd -to {instance}",
        f"set_global_assignment -name POWER_INPUT_FILE_NAME {{{project.vcd}}} "
        "-section_id activity.vcd",
        "set_global_assignment -name POWER_INPUT_FILE_TYPE VCD -section_id activity.vcd",
        "set_global_assignment -name POWER_USE_INPUT_FILES ON",
        "set_global_assignment -name POWER_USE_PVA ON",
        "set_global_assignment -name POWER_REPORT_SIGNAL_ACTIVITY ON",
    ]
    return [
        "project_open -current_revision de1_soc",
        *made,
        "execute_module -tool pow",
        *(f"{call} -remove" for call in made),
        "project_close",
    ]


def test_assignments_for_the_top_level(project: Project) -> None:
    result = project.run(project.qpf, project.vcd)
    assert (result.returncode, result.stderr) == (0, "")
    assert project.calls == expected(project, "xnor_fcc")
    assert "Total : not measured" in result.stdout
    assert f"{project.qpf.parent / 'out'}/*.pow.rpt" in result.stdout


def test_assignments_for_an_instance(project: Project) -> None:
    result = project.run(project.qpf.with_suffix(""), project.vcd, "top|fpga_core:x|xnor_fcc:core")
    assert result.returncode == 0, result.stderr
    assert project.calls == expected(project, "top|fpga_core:x|xnor_fcc:core")


def test_a_failed_analysis_leaves_no_assignments(project: Project) -> None:
    result = project.run(project.qpf, project.vcd, fails=True)
    assert result.returncode == 1
    assert result.stderr.startswith("error: the power analyser failed")
    assert "no fit" in result.stderr
    assert project.calls == expected(project, "xnor_fcc")


def test_usage(project: Project) -> None:
    result = project.run("--help")
    assert result.returncode == 0 and result.stdout.startswith("usage: quartus_sh -t")
    assert project.calls == []


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "two or three arguments are needed; usage: "),
        (["{qpf}"], "two or three arguments are needed; usage: "),
        (["{qpf}", "{vcd}", "a", "b"], "two or three arguments are needed; usage: "),
        (["{vcd}", "{vcd}"], "there is no project "),
        (["{qpf}", "{vcd}.gz"], "there is no file "),
        (["{qpf}", "{qpf}"], "is not a VCD file: "),
    ],
)
def test_wrong_arguments_are_refused(
    project: Project, arguments: list[str], message: str
) -> None:
    """In one sentence, before Quartus is asked for anything."""
    filled = [text.format(qpf=project.qpf, vcd=project.vcd) for text in arguments]
    result = project.run(*filled)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ") and message in result.stderr
    assert result.stderr.count("\n") == 1
    assert project.calls == []
