# SPDX-License-Identifier: Apache-2.0
"""quartus/build.tcl without Quartus: run by tclsh with stand-ins, and what it asks for is checked
against the files, the pins of the board and the ports of the design."""

from __future__ import annotations

import csv
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from board.tclsh import Script, tcl_list
from xnor_fcc.board.demo import board_of
from xnor_fcc.devices import devices
from xnor_fcc_sim.simulator import ROOT
from xnor_fcc_sim.sources import board_sources

pytestmark = pytest.mark.needs("tclsh")

PACKAGES = ("::quartus::project", "::quartus::flow", "::quartus::report")
RECORDED = (
    "project_new",
    "project_close",
    "set_global_assignment",
    "set_instance_assignment",
    "set_location_assignment",
    "set_parameter",
    "export_assignments",
    "load_report",
    "unload_report",
)
# The report data base, in the variable `panels`, and a compiler that fails at the stage `fails`.
STAND_INS = """
proc execute_module {args} {
  note execute_module {*}$args
  set tool [lindex $args end]
  if {$tool eq $::fails} {error "ERROR: Quartus could not"}
  file mkdir output_files
  if {$tool eq "asm"} {close [open output_files/de1_soc.sof w]}
}
proc get_report_panel_names {} {dict keys $::panels}
proc get_report_panel_id {name} {lsearch -exact [dict keys $::panels] $name}
proc rows_of {id} {lindex [dict values $::panels] $id}
proc get_number_of_rows {args} {llength [rows_of [dict get $args -id]]}
proc get_report_panel_row {args} {
  lindex [rows_of [dict get $args -id]] [dict get $args -row]
}
"""

Panels = dict[str, list[list[str]]]


def good_reports() -> Panels:
    """The panels of a compilation in which everything holds, as Quartus lays them out."""
    summary = "Timing Analyzer||Multicorner Timing Analysis Summary"
    loose = "Timing Analyzer||Unconstrained Paths||Unconstrained Paths Summary"
    corners = ["Slow 1100mV 85C Model", "Slow 1100mV 0C Model"]
    head = ["Fmax", "Restricted Fmax", "Clock Name", "Note"]
    return {
        "Fitter||Fitter Summary": [
            ["Fitter Status", "Successful - Sun Jan 01 00:00:00 2023"],
            ["Logic utilization (in ALMs)", "24,512 / 32,070 ( 76 % )"],
            ["Total registers", "38470"],
            ["Total RAM Blocks", "384 / 397 ( 97 % )"],
        ],
        summary: [
            ["Clock", "Setup", "Hold", "Recovery", "Removal", "Minimum Pulse Width"],
            ["Worst-case Slack", "3.250", "0.120", "N/A", "N/A", "8.900"],
            [" CLOCK_50", "3.250", "0.120", "N/A", "N/A", "8.900"],
            ["Design-wide TNS", "0.0", "0.0", "0.0", "0.0", "0.0"],
        ],
        loose: [
            ["Property", "Setup", "Hold"],
            ["Illegal Clocks", "0", "0"],
            ["Unconstrained Clocks", "0", "0"],
            ["Unconstrained Input Ports", "0", "0"],
            ["Unconstrained Output Port Paths", "0", "0"],
        ],
        **{
            f"Timing Analyzer||{corner}||{corner} Fmax Summary": [
                head, [f"{mhz} MHz", f"{mhz} MHz", "CLOCK_50", ""]
            ]
            for corner, mhz in zip(corners, (59.7, 61.2), strict=True)
        },
    }


class Build:
    """build.tcl of a copy of the repository that a test may damage, and a place for its output."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "repository"
        for folder in ("quartus", "rtl"):
            shutil.copytree(ROOT / folder, self.root / folder)
        (self.root / "model").symlink_to(ROOT / "model")
        self.output = directory / "made here"
        script = self.root / "quartus" / "build.tcl"
        self.script = Script(script, directory, PACKAGES, RECORDED, STAND_INS)
        self.panels = good_reports()

    def run(
        self, *options: object, fails: str = "none", more: str = ""
    ) -> subprocess.CompletedProcess[str]:
        panels = tcl_list(
            word
            for name, rows in self.panels.items()
            for word in (name, " ".join(tcl_list(row) for row in rows))
        )
        return self.script.run(
            *options,
            "--python",
            sys.executable,
            "--output",
            self.output,
            more=f"set panels {panels}\nset fails {fails}\n{more}",
        )

    @property
    def calls(self) -> list[list[str]]:
        return [words(call) for call in self.script.calls]

    @property
    def report(self) -> dict[str, Any]:
        result: dict[str, Any] = json.loads((self.output / "report.json").read_text())
        return result

    def edit(self, name: str, old: str, new: str) -> None:
        """Change one place of a file below quartus/."""
        path = self.root / "quartus" / name
        text = path.read_text()
        assert text.count(old) == 1, old
        path.write_text(text.replace(old, new))


def words(call: str) -> list[str]:
    """The elements of a Tcl list that is one line; braces are not nested in what is noted here."""
    return [a or b for a, b in re.findall(r"\{([^{}]*)\}|(\S+)", call)]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return Build(tmp_path)


# ---- what is checked, as a list of complaints


@functools.cache
def _module(text: str) -> str:
    """What Yosys knows of the module de1_soc with source `text`, as JSON."""
    code = "from pyosys import libyosys as ys; d = ys.Design(); "
    code += "ys.run_pass('read_verilog de1_soc.v', d); ys.run_pass('write_json top.json', d)"
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "de1_soc.v").write_text(text)
        subprocess.run([sys.executable, "-c", code], cwd=scratch, check=True, capture_output=True)
        return (Path(scratch) / "top.json").read_text()


def top_module(build: Build) -> dict[str, Any]:
    """Ports and parameters of de1_soc, by Yosys."""
    text = (build.root / "quartus" / "de1_soc.v").read_text()
    result: dict[str, Any] = json.loads(_module(text))["modules"]["de1_soc"]
    return result


def port_bits(build: Build) -> list[str]:
    """The ports of de1_soc bit by bit, as assignments name them."""
    result = []
    for name, port in top_module(build)["ports"].items():
        count = len(port["bits"])
        result += [name] if count == 1 else [f"{name}[{bit}]" for bit in range(count)]
    return result


def table() -> dict[str, tuple[str, str]]:
    """(pin, I/O standard) of each signal of the board."""
    lines = (ROOT / "quartus" / "pins.csv").read_text().splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return {row["signal"]: (row["pin"], row["standard"]) for row in rows}


def assignments(build: Build, command: str, name: str = "") -> Iterator[tuple[str, str]]:
    """(target, value) of the recorded calls of `command`, those with -name `name`."""
    for call in build.calls:
        if call[0] == command and (not name or call[2] == name):
            options = call[1:] if name == "" else call[3:]
            yield (options[-1], options[0]) if "-to" in options else ("", options[0])


def pin_complaints(build: Build) -> Iterator[str]:
    """Locations and standards against the ports of the top level and the table of the board."""
    ports = port_bits(build)
    pins = table()
    locations = list(assignments(build, "set_location_assignment"))
    placed = Counter(bit for bit, _ in locations)
    used = Counter(pin for _, pin in locations)
    standards = dict(assignments(build, "set_instance_assignment", "IO_STANDARD"))
    for bit in ports:
        if placed[bit] != 1:
            yield f"{bit} has {placed[bit]} locations"
        if bit in pins and standards.get(bit) != pins[bit][1]:
            yield f"{bit} has the I/O standard {standards.get(bit)}"
    for pin, times in used.items():
        if times > 1:
            yield f"{pin} is taken {times} times"
    for bit, pin in locations:
        if bit not in ports:
            yield f"{bit} is no port"
        if bit not in pins:
            yield f"{bit} is no signal of the board"
        elif pin != pins[bit][0]:
            yield f"{bit} is at {pins[bit][0]}, not {pin}"


def project_complaints(build: Build) -> Iterator[str]:
    """Files, device, top level and parameters."""
    values = {name: [v for _, v in assignments(build, "set_global_assignment", name)] for name in (
        "VERILOG_FILE", "SDC_FILE", "SEARCH_PATH", "DEVICE", "TOP_LEVEL_ENTITY"
    )}
    for name in ("VERILOG_FILE", "SDC_FILE", "SEARCH_PATH"):
        for path in values[name]:
            if not Path(path).exists():
                yield f"{path} does not exist"
    named = [os.path.relpath(path, build.root) for path in values["VERILOG_FILE"]]
    present = [os.path.relpath(path, ROOT) for path in board_sources()]
    if sorted(named) != sorted(present):
        yield f"the sources differ: {set(named) ^ set(present)}"
    if values["DEVICE"] != [devices()["de1-soc"].part]:
        yield f"the device is {values['DEVICE']}"
    if values["TOP_LEVEL_ENTITY"] != ["de1_soc"]:
        yield f"the top level is {values['TOP_LEVEL_ENTITY']}"
    known = top_module(build)["parameter_default_values"]
    for call in build.calls:
        if call[0] == "set_parameter" and call[2] not in known:
            yield f"de1_soc has no parameter {call[2]}"


def sdc_complaints(build: Build, directory: Path) -> Iterator[str]:
    """Ports and clocks that the SDC names, and ports that it leaves without a constraint."""
    stand_ins = """
proc get_ports {patterns} {return $patterns}
proc get_clocks {patterns} {note get_clocks $patterns}
"""
    recorded = ("create_clock", "derive_pll_clocks", "derive_clock_uncertainty", "set_false_path")
    script = Script(build.root / "quartus" / "de1_soc.sdc", directory, (), recorded, stand_ins)
    result = script.run()
    if result.returncode:
        yield result.stderr
        return
    ports = port_bits(build)
    covered: set[str] = set()
    clocks: dict[str, float] = {}
    calls = [words(call) for call in script.calls]
    for call in calls:
        if call[0] == "create_clock":
            clocks[call[call.index("-name") + 1]] = float(call[call.index("-period") + 1])
        if call[0] in ("create_clock", "set_false_path"):
            for pattern in call[-1].split():
                literal = re.sub(r"\[(\*|\d+)\]", r"[[]\1[]]", pattern)
                found = {bit for bit in ports if fnmatchcase(bit, literal)}
                if not found:
                    yield f"{pattern} is no port"
                covered |= found
    for call in calls:
        if call[0] == "get_clocks":
            yield from (f"{name} is no clock" for name in call[1:] if name not in clocks)
    if clocks != {"CLOCK_50": 20.0}:
        yield f"the clocks are {clocks}"
    for bit in ports:
        if bit not in covered:
            yield f"{bit} has no constraint"
    if ["derive_pll_clocks"] not in calls or ["derive_clock_uncertainty"] not in calls:
        yield "PLL clocks or uncertainty are not derived"


# ---- tests


def test_quartus_is_asked_for_a_whole_build(build: Build) -> None:
    result = build.run()
    assert (result.returncode, result.stderr) == (0, "")
    assert list(pin_complaints(build)) == []
    assert list(project_complaints(build)) == []
    order = [call[0] for call in build.calls if call[0] != "set_location_assignment"
             and not call[0].startswith("set_")]
    assert order == ["project_new", "export_assignments", *3 * ["execute_module"], "load_report",
                     "unload_report", "execute_module", "project_close"]
    tools = [call[-1] for call in build.calls if call[0] == "execute_module"]
    assert tools == ["map", "fit", "sta", "asm"]
    sof = build.output / "output_files" / "de1_soc.sof"
    assert sof.exists()
    assert result.stdout.splitlines()[-2:] == [
        "24512 of 32070 ALMs, 384 of 397 M10K, Fmax 59.7 MHz at a clock of 50 MHz, slack in ns: "
        "setup 3.250, hold 0.120, minimum pulse width 8.900",
        str(sof),
    ]
    report = build.report
    parameters = report.pop("parameters")
    assert report == {
        "alm": 24512,
        "m10k": 384,
        "available": {"alm": 32070, "m10k": 397},
        "clock_mhz": 50,
        "fmax_mhz": 59.7,
        "slack_ns": {"setup": 3.25, "hold": 0.12, "recovery": None, "removal": None,
                     "minimum pulse width": 8.9},
        "unconstrained": "",
        "timing_met": True,
        "sof": str(sof),
        "quartus": "unknown",
    }
    set_parameters = {c[2]: int(c[3]) for c in build.calls if c[0] == "set_parameter"}
    assert parameters == set_parameters
    assert (parameters["PE"], parameters["SIMD"], parameters["LANES"]) == (69, 205, 2)


def test_quartus_constraints_name_what_there_is(build: Build, tmp_path: Path) -> None:
    assert list(sdc_complaints(build, tmp_path)) == []


def test_quartus_gets_the_options(build: Build) -> None:
    """Geometry, clock and network reach the parameters and the memory files."""
    result = build.run("--geometry", "default", "--lanes", 2, "--clock", 75, "--images", 16)
    assert result.returncode == 0, result.stderr
    found = {call[2]: call[3] for call in build.calls if call[0] == "set_parameter"}
    assert (found["PE"], found["LANES"], found["CLOCK_MHZ"]) == ("32", "2", "75")
    assert len((build.output / "preset_labels.hex").read_text().split()) == 16
    assert list(project_complaints(build)) == []


def test_quartus_hands_over_its_arguments(build: Build) -> None:
    """quartus_sh has arguments and version in an array of its own."""
    arguments = tcl_list(["--python", sys.executable, "--output", build.output, "--clock", 60])
    setting = f'array set quartus [list args {arguments} version "Version \\"20.1\\""]'
    result = build.run("--nonsense", 1, more=setting)
    assert result.returncode == 0, result.stderr
    assert (build.report["clock_mhz"], build.report["quartus"]) == (60, 'Version "20.1"')


LATE = {"setup": 1, "hold": 2, "recovery": 3, "removal": 4, "minimum pulse width": 5}
SUMMARY = "Timing Analyzer||Multicorner Timing Analysis Summary"
LOOSE = "Timing Analyzer||Unconstrained Paths||Unconstrained Paths Summary"


def refused(build: Build, result: subprocess.CompletedProcess[str], code: int, text: str) -> None:
    """One sentence, and no configuration file, an older one neither."""
    assert result.returncode == code
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("error: ")
    assert text in result.stderr
    if code == 1:
        assert not (build.output / "output_files" / "de1_soc.sof").exists()
        assert "execute_module -tool asm" not in build.script.calls


def leave_an_old_build(build: Build) -> None:
    (build.output / "output_files").mkdir(parents=True)
    (build.output / "output_files" / "de1_soc.sof").write_text("of an earlier build")
    (build.output / "report.json").write_text("{}")


@pytest.mark.one_quick
@pytest.mark.parametrize("kind", LATE)
def test_quartus_withholds_the_sof_when_timing_fails(build: Build, kind: str) -> None:
    leave_an_old_build(build)
    build.panels[SUMMARY][1][LATE[kind]] = "-0.001"
    refused(build, build.run(), 1, f"the timing does not hold ({kind}), so no .sof is made")
    assert build.report["timing_met"] is False
    assert build.report["sof"] is None
    assert build.report["slack_ns"][kind] == -0.001


def test_quartus_withholds_the_sof_when_something_is_unconstrained(build: Build) -> None:
    leave_an_old_build(build)
    build.panels[LOOSE][3][1:] = ["4", "2"]
    refused(build, build.run(), 1, "(unconstrained input ports: 2 and 4)")
    assert build.report["timing_met"] is False


@pytest.mark.parametrize("kind", ["setup", "hold", "minimum pulse width"])
def test_quartus_must_tell_the_slack(build: Build, kind: str) -> None:
    """A design without paths to time is one that was optimised away."""
    build.panels[SUMMARY][1][LATE[kind]] = "N/A"
    refused(build, build.run(), 1, f"tells no slack for {kind}")


@pytest.mark.one_quick
@pytest.mark.parametrize("name", list(good_reports()))
def test_quartus_reports_must_be_complete(build: Build, name: str) -> None:
    leave_an_old_build(build)
    if "Fmax" in name:
        for panel in [panel for panel in build.panels if "Fmax" in panel]:
            del build.panels[panel]
    else:
        del build.panels[name]
    refused(build, build.run(), 1, "the reports of Quartus have no panel ")
    assert not (build.output / "report.json").exists()


@pytest.mark.one_quick
@pytest.mark.parametrize("name", list(good_reports()))
@pytest.mark.parametrize("rows", [0, 1])
def test_quartus_panels_that_are_empty_tell_nothing(build: Build, name: str, rows: int) -> None:
    """Without a row, or with the headings alone, a panel is no proof that all is well."""
    leave_an_old_build(build)
    for panel in build.panels:
        if panel == name or ("Fmax" in panel and "Fmax" in name):
            build.panels[panel] = build.panels[panel][:rows]
    refused(build, build.run(), 1, "so no .sof is made" if "Fitter" not in name or not rows else "")
    assert not (build.output / "report.json").exists()


# Text, or whole numbers, would be in another order.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("corners", "lowest"),
    [
        ((["100.25"], ["61.2"]), 61.2),
        ((["9.5"], ["10.2"]), 9.5),
        ((["10.2"], ["9.5"]), 9.5),
        ((["59.75", "120.0"], ["59.7", "8.125"]), 8.125),
        ((["7.0", "59.7"], ["61.2", "10.0"]), 7.0),
    ],
)
def test_quartus_tells_the_lowest_fmax(
    build: Build, corners: tuple[list[str], ...], lowest: float
) -> None:
    """Of all clocks in all corners."""
    panels = [panel for panel in build.panels if "Fmax" in panel]
    for panel, rates in zip(panels, corners, strict=True):
        head = build.panels[panel][0]
        build.panels[panel] = [head, *([f"{mhz} MHz", "50 MHz", "CLOCK_50", ""] for mhz in rates)]
    result = build.run()
    assert result.returncode == 0, result.stderr
    assert build.report["fmax_mhz"] == lowest


@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("slack", "met"),
    [("-9.500", False), ("-10.200", False), ("-1e-3", False), ("1.5e-02", True), ("0.000", True),
     ("-0.000", True), ("10", True)],
)  # fmt: skip
def test_quartus_slacks_are_numbers(build: Build, slack: str, met: bool) -> None:
    build.panels[SUMMARY][1][LATE["hold"]] = slack
    result = build.run()
    assert (result.returncode == 0) == met, result.stderr
    assert f"hold {slack}, " in result.stdout
    assert build.report["timing_met"] is met
    assert build.report["slack_ns"]["hold"] == float(slack)


def test_quartus_counts_are_in_order(build: Build) -> None:
    build.panels[LOOSE][3][1:] = ["10", "9"]
    refused(build, build.run(), 1, "(unconstrained input ports: 9 and 10)")


@pytest.mark.one_quick
@pytest.mark.parametrize("tool", ["map", "fit", "sta", "asm"])
def test_quartus_failing_is_one_sentence(build: Build, tool: str) -> None:
    leave_an_old_build(build)
    result = build.run(fails=tool)
    assert result.returncode == 1
    assert re.match(rf"error: .* failed, see .*\.{tool}\.rpt: ERROR: Quartus", result.stderr)
    assert not (build.output / "output_files" / "de1_soc.sof").exists()
    assert not (build.output / "report.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--speed", "9"], "--speed is not an option; --help lists them"),
        (["fast"], "fast is not an option"),
        (["--geometry", "huge"], "invalid choice: 'huge'"),
        (["--pe", "200"], "one can fill"),
        (["--network", "nowhere.npz"], "network file nowhere.npz does not exist"),
        (["--clock", "500"], "A clock of 500 MHz is outside"),
    ],
)
def test_quartus_options_are_checked_first(
    build: Build, options: list[str], message: str
) -> None:
    """In one sentence, before anything is made or an earlier build is removed."""
    leave_an_old_build(build)
    refused(build, build.run(*options), 2, message)
    assert build.calls == []
    assert (build.output / "output_files" / "de1_soc.sof").exists()


def test_quartus_build_without_quartus(build: Build) -> None:
    command = ["tclsh", str(ROOT / "quartus" / "build.tcl")]
    result = subprocess.run(command, capture_output=True, text=True)
    refused(build, result, 2, "this is no Quartus: run it as quartus_sh -t quartus/build.tcl")
    result = build.script.run("--clock")
    refused(build, result, 2, "--clock needs a value")
    result = build.script.run("--python", "no-such-python", "--output", build.output)
    refused(build, result, 2, "the memory files cannot be made with no-such-python")
    result = build.script.run("--help")
    assert result.returncode == 0 and result.stdout.startswith("usage: quartus_sh -t")


def test_quartus_files_name_their_licence() -> None:
    paths = [path for path in (ROOT / "quartus").rglob("*") if path.is_file()]
    assert len(paths) > 10
    for path in paths:
        assert "SPDX-License-Identifier: Apache-2.0" in path.read_text()[:200], path


def test_quartus_readme_leads_somewhere() -> None:
    """Its links, its make targets, and the figures that the repository knows."""
    page = ROOT / "quartus" / "README.md"
    text = page.read_text()
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (page.parent / target).exists(), target
    for target in set(re.findall(r"(?:^|`|\s)make ([a-z]+)", text, re.M)):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M), target
    board = board_of()
    rate = 1e6 * board.clock_mhz * board.geometry.lanes / board.geometry.period_cycles(
        board.network.widths
    )
    assert f"({int(rate):,} or one more)" in text
    assert f"HEX5 to HEX3 show {int(rate / 1000)}:" in text
    assert f"0 to 7 are the digits {', '.join(map(str, board.labels[:8]))} " in text
    assert board.wrong() == 0
    assert board_of(first=0).wrong() == 1


def test_make_quartus_without_quartus() -> None:
    """One sentence at once: no virtual environment is made first."""
    environment = {"PATH": "/usr/bin:/bin"}
    if shutil.which("quartus_sh", path=environment["PATH"]):
        pytest.skip("Quartus is installed")
    command = ["make", "-C", str(ROOT), "quartus", "VENV=/nonexistent/venv"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode != 0
    assert "error: quartus_sh is not on the PATH" in result.stderr
    assert "virtual environment" not in result.stdout


def test_make_quartus_calls_it(tmp_path: Path) -> None:
    """With the virtual environment's Python and the options of ARGS; its exit code is make's."""
    quartus = tmp_path / "quartus_sh"
    quartus.write_text('#!/bin/sh\necho "$@"\nexit 1\n')
    quartus.chmod(0o755)
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "venv" / ".installed-package").touch()
    venv = tmp_path / "venv"
    command = ["make", "-C", str(ROOT), "quartus", f"VENV={venv}", "ARGS=--clock 60"]
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode != 0
    call = f"-t quartus/build.tcl --python {venv}/bin/python --clock 60"
    assert call in result.stdout.splitlines()


def test_quartus_keeps_its_libraries_to_itself(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python does not see them, the compiler does."""
    monkeypatch.setenv("LD_LIBRARY_PATH", "/quartus/linux64")
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\necho "python sees [$LD_LIBRARY_PATH]"\nexec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    more = "proc execute_module {args} {puts $::env(LD_LIBRARY_PATH); exit}"
    result = build.script.run("--python", python, "--output", build.output, more=more)
    assert "python sees []\n" in result.stdout
    assert result.stdout.endswith("\n/quartus/linux64\n")


def test_quartus_build_needs_numpy(build: Build, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nexec {sys.executable} -S \"$@\"\n")
    python.chmod(0o755)
    result = build.script.run("--python", python, "--output", build.output)
    refused(build, result, 2, "python lacks numpy: install numpy, or")


@pytest.mark.parametrize(
    "name", ["quartus/demo/demo.v", "rtl/fcc_core.v", "quartus/de1_soc.qsf", "rtl/sources.f"]
)
def test_quartus_build_misses_a_file(build: Build, name: str) -> None:
    (build.root / name).unlink()
    refused(build, build.run(), 2, f"{name} is missing")


# Damage, and the complaint it must cause.
PIN_DAMAGE = [
    ("de1_soc.qsf", "PIN_AE26 -to {HEX0[0]}", "PIN_AE27 -to {HEX0[0]}",
     ["PIN_AE27 is taken 2 times", "HEX0[0] is at PIN_AE26, not PIN_AE27"]),
    ("de1_soc.qsf", "set_location_assignment PIN_AF14 -to CLOCK_50\n", "",
     ["CLOCK_50 has 0 locations"]),
    ("de1_soc.qsf", "PIN_AB12 -to {SW[0]}", "PIN_AB12 -to {SW[1]}",
     ["SW[0] has 0 locations", "SW[1] has 2 locations", "SW[1] is at PIN_AC12, not PIN_AB12"]),
    ("de1_soc.qsf", '"3.3-V LVTTL" -to {LEDR[3]}', '"2.5 V" -to {LEDR[3]}',
     ["LEDR[3] has the I/O standard 2.5 V"]),
    ("de1_soc.v", "output wire [9:0] LEDR,", "output wire [9:0] LEDR,\n    output wire LAMP,",
     ["LAMP has 0 locations"]),
    ("de1_soc.v", "input  wire [9:0] SW,", "input  wire [10:0] SW,", ["SW[10] has 0 locations"]),
    ("de1_soc.v", "input  wire [3:0] KEY,", "input  wire [2:0] KEY,", ["KEY[3] is no port"]),
]


@pytest.mark.one_quick
@pytest.mark.parametrize(("name", "old", "new", "complaints"), PIN_DAMAGE)
def test_quartus_pin_damage_is_seen(
    build: Build, name: str, old: str, new: str, complaints: list[str]
) -> None:
    build.edit(name, old, new)
    assert build.run().returncode == 0
    assert list(pin_complaints(build)) == complaints


def test_quartus_swapped_pins_are_seen(build: Build) -> None:
    build.edit("de1_soc.qsf", "PIN_AA14 -to {KEY[0]}", "PIN_AA15 -to {KEY[0]}")
    build.edit("de1_soc.qsf", "PIN_AA15 -to {KEY[1]}", "PIN_AA14 -to {KEY[1]}")
    assert build.run().returncode == 0
    assert list(pin_complaints(build)) == [
        "KEY[0] is at PIN_AA14, not PIN_AA15", "KEY[1] is at PIN_AA15, not PIN_AA14"
    ]


PROJECT_DAMAGE = [
    ("build.tcl", "set_parameter -name $name", "set_parameter -name X$name", "no parameter XPE"),
    ("de1_soc.qsf", "5CSEMA5F31C6", "5CSEMA4U23C6", "the device is ['5CSEMA4U23C6']"),
    ("build.tcl", "[file join $root rtl]\n", "[file join $root hdl]\n", "does not exist"),
    ("sources.f", "rtl/boards/demo_rate.v\n", "", "the sources differ"),
    ("build.tcl", "TOP_LEVEL_ENTITY $top", "TOP_LEVEL_ENTITY demo", "the top level is ['demo']"),
]


@pytest.mark.one_quick
@pytest.mark.parametrize(("name", "old", "new", "complaint"), PROJECT_DAMAGE)
def test_quartus_project_damage_is_seen(
    build: Build, name: str, old: str, new: str, complaint: str
) -> None:
    build.edit(name, old, new)
    assert build.run().returncode == 0
    assert any(complaint in found for found in project_complaints(build))


SDC_DAMAGE = [
    ("de1_soc.sdc", "get_ports CLOCK_50", "get_ports CLOCK_51", "CLOCK_51 is no port"),
    ("de1_soc.sdc", "{KEY[*] SW[*]}", "{KEY[*] SWITCH[*]}", "SWITCH[*] is no port"),
    ("de1_soc.sdc", "{KEY[*] SW[*]}", "{KEY[*]}", "SW[9] has no constraint"),
    ("de1_soc.sdc", "-period 20.000", "-period 10.000", "the clocks are {'CLOCK_50': 10.0}"),
    ("de1_soc.sdc", "derive_pll_clocks\n", "", "are not derived"),
    ("de1_soc.sdc", "derive_pll_clocks\n", "derive_pll_clocks\nset_false_path -from "
     "[get_clocks CLOCK_5] -to [get_ports {HEX0[*]}]\n", "CLOCK_5 is no clock"),
    ("de1_soc.v", "output wire [9:0] LEDR,", "output wire [9:0] LEDR,\n    output wire LAMP,",
     "LAMP has no constraint"),
]


@pytest.mark.parametrize(("name", "old", "new", "complaint"), SDC_DAMAGE)
def test_quartus_constraint_damage_is_seen(
    build: Build, tmp_path: Path, name: str, old: str, new: str, complaint: str
) -> None:
    build.edit(name, old, new)
    assert any(complaint in found for found in sdc_complaints(build, tmp_path))
