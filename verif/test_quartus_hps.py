# SPDX-License-Identifier: Apache-2.0
"""The Platform Designer files and the hosts without Python: Tcl under stand-ins, C with gcc, and
both end to end against the simulated core."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest

import simulator
from platform_designer import (
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
from simulator import ROOT, RTL, VERIF
from tclsh import Script, needs_tclsh, quoted
from xnor_fcc.address_map import BASE, OFFSET
from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import random_network
from xnor_fcc.reference import evaluate
from xnor_fcc.register_script import register_script

COMPONENT = HPS / "xnor_fcc_hw.tcl"
SYSTEMS = {"hps": HPS / "system.tcl", "jtag": ROOT / "quartus" / "jtag" / "jtag_system.tcl"}
PARAMETERS = set(re.findall(r"^ {4}parameter (\w+) =", (RTL / "xnor_fcc.v").read_text(), re.M))
# Small, because only the widths of the streams matter.
TINY = {"PE": 2, "SIMD": 2, "MAX_WIDTH": 8, "MAX_CLASSES": 2, "WEIGHT_DEPTH": 8, "BANK_DEPTH": 8}

pytestmark = needs_tclsh


# ---- the component


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
    ],
)
def test_component_refuses_what_the_core_refuses(
    tmp_path: Path, values: dict[str, int], message: str
) -> None:
    (found,) = read_component(COMPONENT, tmp_path, values).messages
    assert found.startswith(message)


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
        (r"  LANES  .*", "", "parameters: ['LANES']"),
        (r"  LANES  ", "  LANE  ", "parameters: ['LANE', 'LANES']"),
        (r"set_parameter_property PRESET HDL.*", "", "not passed on: ['PRESET']"),
        (r"WIDTH_EXPR \[expr \{max\(1, \$bits\)\}\]", "WIDTH_EXPR 5", "asi_image_empty"),
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
    assert seen_at[1] + system.addresses[buffer, "buffer.s1"] == BASE[name]["buffer"]
    for engine in ("image_dma.mm_read", "result_dma.mm_write"):
        assert system.addresses[engine, "buffer.s1"] == BASE["dma"]["buffer"]
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




# ---- hosts without Python

HOST = ROOT / "quartus" / "host"
JTAG_SCRIPT = ROOT / "quartus" / "jtag" / "classify.tcl"
CORE = Geometry(pe=4, simd=7, lanes=2, max_width=30, weight_depth=120, bank_depth=32,
                threshold_depth=16, max_classes=6, image_width=16)  # fmt: skip
NETWORK = random_network(np.random.default_rng(5), (30, 17, 11, 5))
IMAGES = np.random.default_rng(7).integers(0, 2, (6, 30), np.uint8)
CLASSES = evaluate(NETWORK, IMAGES).classes

# System Console, whose master is the simulated core.
CONSOLE = """
set requests [open /dev/fd/$env(XFCC_REQUESTS) w]
set answers [open /dev/fd/$env(XFCC_ANSWERS) r]
proc get_service_paths {kind} {
  if {$kind ne "master"} {error "no stand-in for $kind"}
  return {/devices/5CSEMA5@1/phy_0/master}
}
proc claim_service {kind path name} {return $path/$name}
proc close_service {kind path} {}
proc master_write_32 {path address values} {
  foreach value $values {lappend words [format %%x $value]}
  puts $::requests "w [format %%x $address] $words"
}
proc master_read_32 {path address count} {
  puts $::requests "r [format %%x $address] [format %%x $count]"
  flush $::requests
  foreach word [gets $::answers] {lappend values 0x$word}
  return $values
}
set patience 1
set argv [list %s]
source %s
"""


def tcl_host(directory: Path, file: Path) -> list[str]:
    wrapper = directory / "console.tcl"
    wrapper.write_text(CONSOLE % (quoted(file), quoted(JTAG_SCRIPT)))
    return ["tclsh", str(wrapper)]


def compiled(directory: Path, bus: Path) -> Path:
    program = directory / bus.stem
    command = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-O1", "-DPATIENCE=1", f"-I{HOST}"]
    command += ["-o", str(program), str(HOST / "classify.c"), str(bus)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


def c_host(directory: Path, file: Path) -> list[str]:
    return [str(compiled(directory, VERIF / "bus_pipe.c")), str(file)]


HOSTS: dict[str, Callable[[Path, Path], list[str]]] = {"jtag": tcl_host, "hps": c_host}


@dataclass
class Outcome:
    """How a host program ended, and what the core's STATUS was then."""

    status: int
    output: list[str]
    errors: str
    core_status: int


def run_host(master: str, directory: Path, text: str) -> Outcome:
    """Let a host work through a register script with the simulated core."""
    file = directory / "network.txt"
    file.write_text(text)
    model = simulator.build("xnor_fcc", CORE.parameters())
    model.run(
        "driver_tests",
        simulator.run_directory(f"host-{master}"),
        testcase="program",
        settings={
            "geometry": asdict(CORE),
            "command": HOSTS[master](directory, file),
            "master": master,
            "directory": str(directory),
        },
    )
    names = ("status", "output", "errors", "core_status")
    status, output, errors, core_status = ((directory / name).read_text() for name in names)
    return Outcome(int(status), output.splitlines(), errors, int(core_status))


@pytest.mark.parametrize("master", HOSTS)
def test_hosts_classify_like_the_reference(tmp_path: Path, master: str) -> None:
    """The right classes, a wrong label noticed, and the core left at rest."""
    labels = CLASSES.copy()
    labels[3] = (labels[3] + 1) % 5
    outcome = run_host(master, tmp_path, register_script(NETWORK, CORE, IMAGES, labels))
    assert (outcome.status, outcome.errors) == (1, "")
    lines = [f"image {i}: {found}" for i, found in enumerate(CLASSES)]
    lines[3] += f", not {labels[3]}"
    assert outcome.output == [*lines, "6 images, 1 wrong"]
    assert outcome.core_status == 0


@pytest.mark.parametrize("master", HOSTS)
def test_hosts_without_labels(tmp_path: Path, master: str) -> None:
    outcome = run_host(master, tmp_path, register_script(NETWORK, CORE, IMAGES[:2]))
    assert (outcome.status, outcome.errors) == (0, "")
    assert outcome.output[-1] == "2 images, 0 wrong"


@pytest.mark.parametrize("master", HOSTS)
@pytest.mark.parametrize(
    "pattern, replacement, message",
    [
        (r"expect 8 4 PE", "expect 8 5 PE", "PE is 0x4, but "),
        (r"expect 0 .*", "expect 0 1 ID", "ID is 0x58464343, but "),
        (r"write 6c (\S+) ", "write 6c ", "not all of the network arrived: WEIGHTS_LOADED is "),
        (r"image 4 ", "image 3 ", "not answered within 1 s; the core dropped 1 images"),
        (r"write 5c .*", "write 5c 0", "the core does not start within 1 s; the core dropped 0"),
        (r"image 4 ", "image 4000 ", "does not fit the buffer"),
        (r"\nimage", "\nwhatever", "it says whatever."),
    ],
)
def test_hosts_say_what_is_wrong(
    tmp_path: Path, master: str, pattern: str, replacement: str, message: str
) -> None:
    text = register_script(NETWORK, CORE, IMAGES)
    changed = re.sub(pattern, replacement, text, count=1)
    assert changed != text
    outcome = run_host(master, tmp_path, changed)
    assert outcome.status == 2 and message in outcome.errors, outcome.errors
    assert outcome.errors.startswith("error: ") and outcome.errors.count("\n") == 1
    assert outcome.core_status == 0


def test_c_host_on_a_machine_that_is_no_board(tmp_path: Path) -> None:
    program = compiled(tmp_path, HOST / "bus_mem.c")
    for arguments, message in (
        ([], "one file is needed"),
        ([tmp_path / "none"], "cannot be read"),
    ):
        done = subprocess.run([program, *arguments], capture_output=True, text=True)
        assert done.returncode == 2 and message in done.stderr
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


NOTHING = "proc get_service_paths {kind} {return {}}"
OTHER = """
proc get_service_paths {kind} {return {/a /b}}
proc claim_service {kind path name} {return $path}
proc master_read_32 {path address count} {return 0x00000000}
"""


@pytest.mark.parametrize(
    "stand_ins, file, message",
    [
        (NOTHING, None, "one file is needed"),
        (NOTHING, "none", "there is no file"),
        (NOTHING, "network.txt", "there is no JTAG-to-Avalon master"),
        (OTHER, "network.txt", "no xnor-fcc core behind /a: its identification reads 0x00000000"),
    ],
)
def test_console_without_a_core(
    tmp_path: Path, stand_ins: str, file: str | None, message: str
) -> None:
    (tmp_path / "network.txt").write_text("")
    script = Script(
        JTAG_SCRIPT, tmp_path, recorded=["master_write_32", "close_service"], stand_ins=stand_ins
    )
    done = script.run(*([] if file is None else [tmp_path / file]))
    assert done.returncode == 2 and message in done.stderr, done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert script.calls == (["close_service master /a"] if stand_ins is OTHER else [])
