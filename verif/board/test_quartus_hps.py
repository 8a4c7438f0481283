# SPDX-License-Identifier: Apache-2.0
"""The Platform Designer files and their compilation: Tcl under stand-ins, held to the Verilog and
to the driver's addresses."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from board.platform_designer import (
    HPS,
    Component,
    System,
    check_component,
    check_system,
    read_component,
    read_system,
    system_script,
    verilog_ports,
)
from board.tclsh import Script
from core.illegal import ILLEGAL, ILLEGAL_MAPS, MAPS
from xnor_fcc.board.address_map import BASE, OFFSET
from xnor_fcc.devices import devices
from xnor_fcc.geometry import Geometry
from xnor_fcc_sim.simulator import ROOT, RTL

COMPONENT = HPS / "xnor_fcc_hw.tcl"
SYSTEMS = {"hps": HPS / "system.tcl", "jtag": ROOT / "quartus" / "jtag" / "jtag_system.tcl"}
PARAMETERS = set(re.findall(r"^ {4}parameter (\w+) =", (RTL / "xnor_fcc.v").read_text(), re.M))
# Small, because only the widths of the streams matter.
TINY = {"PE": 2, "SIMD": 2, "MAX_WIDTH": 8, "MAX_CLASSES": 2, "WEIGHT_DEPTH": 8, "BANK_DEPTH": 8}

pytestmark = pytest.mark.needs("tclsh")


# ---- the component


@pytest.mark.one_quick
@pytest.mark.parametrize("image_width", [8, 16, 64, 512])
@pytest.mark.parametrize("weight_stream", [0, 8, 24])
def test_component_has_the_ports_of_the_core(
    tmp_path: Path, image_width: int, weight_stream: int
) -> None:
    values = {**TINY, "IMAGE_WIDTH": image_width, "WEIGHT_STREAM": weight_stream}
    component = read_component(COMPONENT, tmp_path, values)
    check_component(component, verilog_ports(values, tmp_path), PARAMETERS)
    assert ("weight" in component.enabled()) == (weight_stream > 0)
    assert component.messages == []


def test_component_has_the_defaults_of_the_core(tmp_path: Path) -> None:
    text = (RTL / "xnor_fcc.v").read_text()
    defaults = dict(re.findall(r"^ {4}parameter (\w+) = (.+?),?$", text, re.M))
    component = read_component(COMPONENT, tmp_path, {})
    assert component.parameters == {n: v.strip('"') for n, v in defaults.items()}


@pytest.mark.parametrize(
    "values, message",
    [
        ({"PE": 2, "TAPS": 3}, "TAPS must be"),
        ({"MAX_CLASSES": 9, "MAX_WIDTH": 8}, "MAX_CLASSES must be"),
        ({"WEIGHT_DEPTH": 1000, "BANK_DEPTH": 9}, "BANK_DEPTH must"),
        ({"WEIGHT_STREAM": 12}, "WEIGHT_STREAM must"),
        ({"ORDER": 2, "LANES": 3}, "LANES must be even"),
    ],
)
def test_component_refuses_what_the_core_refuses(
    tmp_path: Path, values: dict[str, int], message: str
) -> None:
    (found,) = read_component(COMPONENT, tmp_path, values).messages
    assert found.startswith(message)


@pytest.mark.parametrize("values", [values for values, _ in ILLEGAL])
def test_component_refuses_all_that_is_illegal(tmp_path: Path, values: dict[str, int]) -> None:
    """By the range of a parameter, or by a message where it takes more than one to see it."""
    component = read_component(COMPONENT, tmp_path, values)
    legal = all(component.allows(name, value) for name, value in values.items())
    assert not legal or component.messages, values


@pytest.mark.parametrize("values", [values for values, _ in ILLEGAL_MAPS])
def test_component_refuses_all_that_is_illegal_in_a_core_for_convolutions(
    tmp_path: Path, values: dict[str, int]
) -> None:
    component = read_component(COMPONENT, tmp_path, {**MAPS, **values})
    legal = all(component.allows(name, value) for name, value in values.items())
    assert not legal or component.messages, values
    assert not read_component(COMPONENT, tmp_path, MAPS).messages


def test_component_allows_the_defaults(tmp_path: Path) -> None:
    component = read_component(COMPONENT, tmp_path, {})
    for name, default in component.parameters.items():
        assert name == "PRESET" or component.allows(name, int(default)), name
    assert not component.messages


@pytest.fixture(scope="module")
def tiny_ports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, int]]:
    return verilog_ports(TINY, tmp_path_factory.mktemp("ports"))


@pytest.mark.parametrize(
    "pattern, replacement, complaint",
    [
        (r"add_interface_port csr avs_csr_read read.*", "", "avs_csr_read"),
        ("avs_csr_write write", "avs_csr_wr write", "avs_csr_wr"),
        ("asi_image_valid valid Input", "asi_image_valid valid Output", "asi_image_valid is"),
        ("avs_csr_address address Input 6", "avs_csr_address address Input 5", "avs_csr_address"),
        ("aso_result_empty empty", "aso_result_empty data", "signal twice"),
        (r"add_interface_port reset.*", r"\g<0>\n\g<0>", "in 2 interfaces"),
        (r"  MAX_LAYERS  .*\n.*", "", "parameters: ['MAX_LAYERS']"),
        (r"  MAX_LAYERS  ", "  LAYERS  ", "parameters: ['LAYERS', 'MAX_LAYERS']"),
        (r"  set_parameter_property \$name HDL.*", "", "not passed on: ['BANK_DEPTH', "),
        (r"WIDTH_EXPR \$bits", "WIDTH_EXPR 5", "asi_image_empty"),
        (r"terminate asi_image_empty", "", "symbols, empty"),
        (r"rtl \*\.vh", "rtl *.none", "files|no files"),
        (r"maxChannel 0", "dataBitsPerSymbol 64", "symbols, empty"),
    ],
)
def test_a_wrong_component_is_found(
    tmp_path: Path,
    tiny_ports: dict[str, tuple[str, int]],
    pattern: str,
    replacement: str,
    complaint: str,
) -> None:
    text = COMPONENT.read_text()
    changed = re.sub(pattern, replacement, text)
    assert changed != text, "the change changes nothing"
    # Where the paths from it lead to the same files.
    path = tmp_path / "quartus" / "hps" / "xnor_fcc_hw.tcl"
    path.parent.mkdir(parents=True)
    path.write_text(changed)
    (tmp_path / "rtl").symlink_to(RTL)
    values = dict(TINY)
    ports = tiny_ports
    if "terminate" in pattern:
        values["IMAGE_WIDTH"] = 8
        ports = verilog_ports(values, tmp_path)
    with pytest.raises(AssertionError) as error:
        check_component(read_component(path, tmp_path, values), ports, PARAMETERS)
    assert any(part in str(error.value) for part in complaint.split("|")), error.value


# ---- the systems


@pytest.fixture
def component(tmp_path: Path) -> Component:
    directory = tmp_path / "component"
    directory.mkdir()
    return read_component(COMPONENT, directory, {})


def make(
    path: Path, directory: Path, component: Component, parameters: str | None = None
) -> System:
    script = system_script(path, directory, component, parameters)
    done = script.run()
    assert (done.returncode, done.stderr) == (0, "")
    return read_system(script)


@pytest.mark.parametrize("name", SYSTEMS)
def test_systems_fit_together(tmp_path: Path, component: Component, name: str) -> None:
    system = make(SYSTEMS[name], tmp_path, component)
    check_system(system, component)
    assert system.name == f"xnor_fcc_{name}"
    part = devices()["de1-soc"].part
    assert f"\nset_project_property DEVICE {part}\n" in SYSTEMS[name].read_text()
    assert {"clk": "clk.clk_in", "reset": "clk.clk_in_reset"}.items() <= system.exports.items()


@pytest.mark.parametrize(
    "name, registers, buffer, seen_at",
    [
        # The processor sees its bridges at the addresses of the Cyclone V.
        ("hps", "hps.h2f_lw_axi_master", "hps.h2f_axi_master", (0xFF200000, 0xC0000000)),
        ("jtag", "jtag.master", "jtag.master", (0, 0)),
    ],
)
def test_addresses_are_those_of_the_driver(
    tmp_path: Path,
    component: Component,
    name: str,
    registers: str,
    buffer: str,
    seen_at: tuple[int, int],
) -> None:
    system = make(SYSTEMS[name], tmp_path, component)
    slaves = {
        "core": "core.csr",
        "image_csr": "image_dma.csr",
        "image_descriptor": "image_dma.descriptor_slave",
        "result_csr": "result_dma.csr",
        "result_descriptor": "result_dma.descriptor_slave",
    }
    for part, slave in slaves.items():
        address = seen_at[0] + system.addresses[registers, slave]
        assert address == BASE[name]["registers"] + OFFSET[part]
    assert seen_at[1] + system.addresses[buffer, "stream_buffer.s1"] == BASE[name]["buffer"]
    for engine in ("image_dma.mm_read", "result_dma.mm_write"):
        assert system.addresses[engine, "stream_buffer.s1"] == BASE["dma"]["buffer"]
    assert system.values["image_dma"]["MODE"] == "1" and system.values["result_dma"]["MODE"] == "2"


@pytest.mark.parametrize("width", [8, 32, 512])
def test_streams_follow_the_core(tmp_path: Path, width: int) -> None:
    (tmp_path / "component").mkdir()
    component = read_component(COMPONENT, tmp_path / "component", {"IMAGE_WIDTH": width})
    system = make(SYSTEMS["hps"], tmp_path, component, f"IMAGE_WIDTH {width} PE 16")
    check_system(system, component)
    assert system.values["core"] == {"IMAGE_WIDTH": str(width), "PE": "16"}
    assert system.values["image_dma"]["DATA_WIDTH"] == str(width)


@pytest.mark.parametrize(
    "parameters, message",
    [("PEE 16", "PEE is not a parameter"), ("WEIGHT_STREAM 64", "with a weight memory")],
)
@pytest.mark.parametrize("name", SYSTEMS)
def test_systems_that_cannot_be(
    tmp_path: Path, component: Component, name: str, parameters: str, message: str
) -> None:
    done = system_script(SYSTEMS[name], tmp_path, component, parameters).run()
    assert done.returncode == 2 and message in done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "file, pattern, replacement, complaint",
    [
        ("system.tcl", r"0 core.csr_irq", "0 core.irq", "no interface core.irq"),
        ("system.tcl", r"1 image_dma.csr_irq", "0 image_dma.csr_irq", "interrupts collide"),
        ("system.tcl", r"set_interface_property memory.*", "", "hps.memory is not connected"),
        ("system.tcl", r"h2f_axi_clock ", "", "hps.h2f_axi_clock is not connected"),
        ("system.tcl", "MEM_TCL 7", "MEM_CL 7", "no parameter"),
        ("system.tcl", r"save_system \w+", "save_system other", "saved"),
        ("accelerator.tcl", "altera_msgdma", "altera_sgdma", "altera_sgdma"),
        ("accelerator.tcl", "core clock reset ", "core clk reset ", "no interface core.clk"),
        ("accelerator.tcl", "core.result result_dma", "core.result image_dma", "image_dma.st_sink"),
        ("accelerator.tcl", r"image_dma 1 \$width", "image_dma 1 32", "other signals"),
        ("accelerator.tcl", "ERROR_ENABLE 1 ", "", "other signals"),
        ("accelerator.tcl", "PACKET_ENABLE 1", "PACKET_ENABLE 0", "knows no packets"),
        ("accelerator.tcl", r"set_connection_parameter_value.*", "", "has no address"),
        ("accelerator.tcl", "RESULT_CSR result_dma.csr", "IMAGE_CSR result_dma.csr", "overlap"),
        ("accelerator.tcl", r"RESULT_DESCRIPTOR .*", "", "descriptor_slave is not connected"),
        ("accelerator.tcl", "memorySize", "memory_size", "no parameter"),
        ("accelerator.tcl", "DATA_FIFO_DEPTH 64", "DATA_FIFO_DEPTH 65", "cannot be 65"),
        ("accelerator.tcl", "Aligned Accesses", "aligned", "TRANSFER_TYPE of image_dma"),
        ("system.tcl", "S2F_Width 2", "S2F_Width 64", "S2F_Width of hps cannot be 64"),
    ],
)
def test_a_wrong_system_is_found(
    tmp_path: Path, component: Component, file: str, pattern: str, replacement: str, complaint: str
) -> None:
    copies = tmp_path / "hps"
    copies.mkdir()
    for path in HPS.glob("*.tcl"):
        text = path.read_text()
        changed = re.sub(pattern, replacement, text) if path.name == file else text
        assert changed != text or path.name != file, "the change changes nothing"
        (copies / path.name).write_text(changed)
    with pytest.raises((AssertionError, KeyError)) as error:
        check_system(make(copies / "system.tcl", tmp_path, component), component)
    assert complaint in str(error.value), error.value


def test_what_the_stand_ins_know_of_the_core_is_the_core(tmp_path: Path) -> None:
    """The defaults of Tcl, of Python and of Verilog are one."""
    component = read_component(COMPONENT, tmp_path, {})
    for name, value in Geometry().parameters().items():
        assert component.parameters[name] == str(value), name




# ---- the compilation of the systems

BUILD_SCRIPT = HPS / "build.tcl"
SUMMARY = """
Type  : Slow 1100mV 85C Model Setup 'clk'
Slack : {setup}
TNS   : 0.000

Type  : Fast 1100mV 0C Model Hold 'clk'
Slack : 0.173
TNS   : 0.000
"""


class Compilation:
    """A copy of quartus/ with stand-ins that leave the files which the real tools would."""

    def __init__(
        self, directory: Path, setup: str = "1.234", fails: str = "", summary: str = SUMMARY
    ) -> None:
        shutil.copytree(ROOT / "quartus", directory / "quartus")
        self.output = directory / "build"
        script = directory / "quartus" / "hps" / "build.tcl"
        stand_ins = f"""
proc exec {{program args}} {{
  note exec [file tail $program] {{*}}[lrange $args 0 end-2]
  if {{[file tail $program] eq "{fails}"}} {{error "says why"}}
  if {{[file tail $program] eq "qsys-generate"}} {{
    set top [file rootname [lindex $args 0]]
    file mkdir $top/synthesis
    close [open $top/synthesis/$top.qip w]
  }}
}}
proc execute_module {{-tool name}} {{
  note execute_module $name
  if {{$name eq "{fails}"}} {{error "ERROR: says why"}}
  set top $::top
  file mkdir output_files
  if {{$name eq "asm"}} {{close [open output_files/$top.sof w]}}
  if {{$name eq "sta"}} {{
    set stream [open output_files/$top.sta.summary w]
    puts $stream {{{summary.format(setup=setup)}}}
    close $stream
  }}
}}
"""
        recorded = ("project_new", "project_open", "project_close", "set_global_assignment",
                    "set_instance_assignment", "set_location_assignment", "export_assignments")
        packages = ("::quartus::project", "::quartus::flow")
        self.script = Script(script, directory, packages, recorded, stand_ins)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.script.run(*arguments)

    def sof(self, host: str) -> Path:
        return self.output / f"quartus_{host}" / "output_files" / f"xnor_fcc_{host}.sof"


def test_compilation_of_the_system_with_the_processor(tmp_path: Path) -> None:
    compilation = Compilation(tmp_path)
    done = compilation.run("hps", "PE", "16")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"worst slack 0.173 ns\n{compilation.sof('hps')}\n"
    calls = compilation.script.calls
    hps = tmp_path / "quartus" / "hps"
    assert calls[0] == (
        f"exec qsys-script --script={hps}/system.tcl {{--search-path={hps}/,$}} "
        "{--cmd=set parameters {PE 16}}"
    )
    assert calls[1].startswith("exec qsys-generate xnor_fcc_hps.qsys --synthesis=VERILOG ")
    assert calls[2] == "project_new xnor_fcc_hps -overwrite"
    steps = [call for call in calls if call.startswith(("exec", "project", "execute"))][3:]
    assert steps == [
        "execute_module map",
        "project_close",
        "exec quartus_sta -t xnor_fcc_hps/synthesis/submodules/hps_sdram_p0_pin_assignments.tcl "
        "xnor_fcc_hps",
        "project_open xnor_fcc_hps",
        *(f"execute_module {tool}" for tool in ("fit", "sta", "asm")),
        "project_close",
    ]
    for path in re.findall(r"-name SDC_FILE (\S+)", "\n".join(calls)):
        assert Path(path).is_file()


def test_compilation_of_the_system_behind_jtag(tmp_path: Path) -> None:
    compilation = Compilation(tmp_path)
    assert compilation.run("jtag").returncode == 0
    text = "\n".join(compilation.script.calls)
    assert "jtag/jtag_system.tcl" in text and "hps_sdram" not in text
    assert "set_global_assignment -name TOP_LEVEL_ENTITY xnor_fcc_jtag" in text


@pytest.mark.parametrize("name", SYSTEMS)
def test_pins_are_those_of_the_board(tmp_path: Path, component: Component, name: str) -> None:
    """Clock and key of the board's table, at ports that the system exports."""
    with open(ROOT / "quartus" / "pins.csv") as stream:
        lines = csv.DictReader(line for line in stream if not line.startswith("#"))
        board = {row["signal"]: (row["pin"], row["standard"]) for row in lines}
    compilation = Compilation(tmp_path / "copy")
    assert compilation.run(name).returncode == 0
    text = "\n".join(compilation.script.calls)
    pins = dict(re.findall(r"set_location_assignment (\S+) -to (\S+)", text))
    standards = dict(
        (port, standard)
        for standard, port in re.findall(r"IO_STANDARD \{(.+)\} -to (\S+)", text)
    )
    exports = make(SYSTEMS[name], tmp_path, component).exports
    assert {"clk", "reset"} <= exports.keys()
    # Platform Designer names a port after the export and the signal in it.
    ports = {"CLOCK_50": "clk_clk", "KEY[0]": "reset_reset_n"}
    for signal, port in ports.items():
        assert (pins[board[signal][0]], standards[port]) == (port, board[signal][1])
    assert len(pins) == len(ports)
    sdc = (HPS / "system.sdc").read_text()
    # The clock of the JTAG chain has a port of its own on the device.
    assert set(re.findall(r"get_ports (\w+)", sdc)) == {*ports.values(), "altera_reserved_tck"}


@pytest.mark.parametrize(
    "arguments, setup, fails, status, message",
    [
        ([], "1", "", 2, "hps or jtag is needed"),
        (["hps", "PE"], "1", "", 2, "hps or jtag is needed"),
        (["nios"], "1", "", 2, "hps or jtag is needed"),
        (["jtag"], "-0.020", "", 1, "worst slack -0.020 ns"),
        (["jtag"], "none", "", 1, "which is no number"),
        (["hps"], "1", "qsys-script", 1, "qsys-script failed: says why"),
        (["hps"], "1", "quartus_sta", 1, "could not be assigned"),
        (["hps"], "1", "fit", 1, "the fitter failed"),
    ],
)
def test_compilations_that_fail(
    tmp_path: Path, arguments: list[str], setup: str, fails: str, status: int, message: str
) -> None:
    compilation = Compilation(tmp_path, setup, fails)
    done = compilation.run(*arguments)
    assert done.returncode == status and message in done.stderr, done.stderr
    assert compilation.sof(arguments[0] if arguments else "hps").exists() == (status == 0)
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


# As text or as whole numbers these would be sorted otherwise: digits before the point, signs,
# exponents, one number alone; and the worst one first, last or between.
@pytest.mark.parametrize(
    ("slacks", "worst"),
    [
        (("9.500", "10.200", "10.100"), "9.500"),
        (("10.200", "9.500", "100.000"), "9.500"),
        (("-9.500", "1.000", "-10.200"), "-10.200"),
        (("-10.200", "-9.500", "3.000"), "-10.200"),
        (("2.100", "2.099", "2.1"), "2.099"),
        (("1.5e+01", "9.0", "1.2e1"), "9.0"),
        (("3.0e-02", "0.1", "2.0"), "3.0e-02"),
        (("0.000", "0.001", "1.0"), "0.000"),
        (("-0.001", "0.000", "-1e-4"), "-0.001"),
        (("12.345",), "12.345"),
    ],
)
def test_the_worst_slack_is_the_least_number(
    tmp_path: Path, slacks: tuple[str, ...], worst: str
) -> None:
    lines = "\n\n".join(f"Type  : Kind {n}\nSlack : {x}\nTNS   : 0" for n, x in enumerate(slacks))
    compilation = Compilation(tmp_path, summary=lines)
    done = compilation.run("jtag")
    if float(worst) < 0:
        assert done.returncode == 1 and f"(worst slack {worst} ns)" in done.stderr
    else:
        assert done.returncode == 0 and f"worst slack {worst} ns" in done.stdout
    assert compilation.sof("jtag").exists() == (float(worst) >= 0)


@pytest.mark.parametrize("summary", ["", "Type  : Setup\nTNS   : 0.000", "Slack : ", "slack : 1"])
def test_a_summary_without_a_slack_is_no_good_one(tmp_path: Path, summary: str) -> None:
    compilation = Compilation(tmp_path, summary=summary)
    done = compilation.run("jtag")
    assert done.returncode == 1 and done.stderr.startswith("error: the timing summary ")
    assert not compilation.sof("jtag").exists()


def test_compilation_without_quartus(tmp_path: Path) -> None:
    done = Script(BUILD_SCRIPT, tmp_path).run("jtag")
    assert done.returncode == 2 and "this is no Quartus" in done.stderr
