# SPDX-License-Identifier: Apache-2.0
"""Hosts without Python, the System Console script and the C example, end to end against the
simulated core."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from board.tclsh import Script, quoted
from xnor_fcc.board.address_map import BUFFER_BYTES
from xnor_fcc.board.driver_errors import DriverError
from xnor_fcc.geometry import NAMED, Geometry, KindError
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.pack import pack
from xnor_fcc.random_network import Convolution, random_map_network, random_network
from xnor_fcc.reference import evaluate
from xnor_fcc.register_script import register_script
from xnor_fcc.registers import ADDRESS
from xnor_fcc_sim import simulator
from xnor_fcc_sim.simulator import ROOT

pytestmark = pytest.mark.needs("tclsh")

HOST = ROOT / "quartus" / "host"
JTAG_SCRIPT = ROOT / "quartus" / "jtag" / "classify.tcl"
CORE = Geometry(pe=4, simd=7, lanes=2, max_width=30, weight_depth=120, bank_depth=32,
                threshold_depth=16, max_classes=6, image_width=16)  # fmt: skip
NETWORK = random_network(np.random.default_rng(5), (30, 23, 9, 5))
IMAGES = np.random.default_rng(7).integers(0, 2, (6, 30), np.uint8)
CLASSES = evaluate(NETWORK, IMAGES).classes
# A core that does everything, and a network that takes it.
ABLE = replace(CORE, order=2, ternary=1)
SECOND = random_network(np.random.default_rng(5), (30, 23, 9, 5), (2, 2, 2), (False, True, False))

# System Console, whose master is the simulated core.
CONSOLE = """
set requests [open /dev/fd/$env(XFCC_REQUESTS) w]
set answers [open /dev/fd/$env(XFCC_ANSWERS) r]
proc get_service_paths {kind} {
  if {$kind ne "master"} {error "no stand-in for $kind"}
  return $::paths
}
set paths {}
proc refresh_connections {} {set ::paths {/devices/5CSEMA5@1/phy_0/master}}
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
set patience %d
set argv [list %s]
source %s
"""


def tcl_host(directory: Path, file: Path, patience: int) -> list[str]:
    wrapper = directory / "console.tcl"
    wrapper.write_text(CONSOLE % (patience, quoted(file), quoted(JTAG_SCRIPT)))
    return ["tclsh", str(wrapper)]


def compiled(directory: Path, bus: Path, patience: int = 1) -> Path:
    program = directory / bus.stem
    command = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-O1", f"-DPATIENCE={patience}"]
    command += [f"-I{HOST}", "-o", str(program), str(HOST / "classify.c"), str(bus)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


def c_host(directory: Path, file: Path, patience: int) -> list[str]:
    return [str(compiled(directory, Path(__file__).with_name("bus_pipe.c"), patience)), str(file)]


HOSTS: dict[str, Callable[[Path, Path, int], list[str]]] = {"jtag": tcl_host, "hps": c_host}


@dataclass
class Outcome:
    """How a host program ended, and what the core's STATUS was then."""

    status: int
    output: list[str]
    errors: str
    core_status: int


def run_host(
    master: str, directory: Path, text: str, patience: int = 60, core: Geometry = CORE
) -> Outcome:
    """Let a host work through a register script with the simulated core."""
    file = directory / "network.txt"
    file.write_text(text)
    model = simulator.build("xnor_fcc", core.parameters())
    model.run(
        "board.driver_tests",
        simulator.run_directory(f"host-{master}"),
        testcase="program",
        settings={
            "geometry": asdict(core),
            "command": HOSTS[master](directory, file, patience),
            "master": master,
            "directory": str(directory),
        },
    )
    names = ("status", "output", "errors", "core_status")
    status, output, errors, core_status = ((directory / name).read_text() for name in names)
    return Outcome(int(status), output.splitlines(), errors, int(core_status))


@pytest.mark.one_quick
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


@pytest.mark.one_quick
@pytest.mark.parametrize("master", HOSTS)
def test_hosts_without_labels(tmp_path: Path, master: str) -> None:
    outcome = run_host(master, tmp_path, register_script(NETWORK, CORE, IMAGES[:2]))
    assert (outcome.status, outcome.errors) == (0, "")
    assert outcome.output[-1] == "2 images, 0 wrong"


@pytest.mark.slow
@pytest.mark.parametrize("master", HOSTS)
def test_hosts_take_a_core_that_was_left_learning(tmp_path: Path, master: str) -> None:
    """By a host that was cut off: it would wait for labels, and for whole batches."""
    left = (("LEARNING", "1"), ("PARTIAL_TIMEOUT", "ffffffff"))
    text = "".join(f"write {4 * ADDRESS[name]:x} {value}\n" for name, value in left)
    text += register_script(NETWORK, CORE, IMAGES[:2])
    outcome = run_host(master, tmp_path, text, core=replace(CORE, learn=5))
    assert (outcome.status, outcome.errors) == (0, "")
    assert outcome.output[-1] == "2 images, 0 wrong"


@pytest.mark.slow
@pytest.mark.parametrize("master", HOSTS)
def test_hosts_classify_grey_images_of_second_order(tmp_path: Path, master: str) -> None:
    grey = np.random.default_rng(7).integers(0, 256, (6, 30), np.uint8)
    classes = evaluate(SECOND, SECOND.inputs_from(grey)).classes
    text = register_script(SECOND, ABLE, grey, classes)
    outcome = run_host(master, tmp_path, text, core=ABLE)
    assert (outcome.status, outcome.errors, outcome.core_status) == (0, "", 0)
    lines = [f"image {i}: {found}" for i, found in enumerate(classes)]
    assert outcome.output == [*lines, "6 images, 0 wrong"]


@pytest.mark.slow
@pytest.mark.parametrize("master", HOSTS)
def test_hosts_classify_images_in_colours(tmp_path: Path, master: str) -> None:
    """By a network with convolutions; one that was packed for a core of other pixels is refused."""
    network = random_map_network(np.random.default_rng(5), 5, [Convolution(8)], [4], 2, 1)
    core = Geometry.for_widths(network.shape, 4, 24, 4, image_width=16)
    images = np.random.default_rng(7).integers(0, 256, (6, 5, 5, 2), np.uint8)
    classes = evaluate(network, network.inputs_from(images)).classes
    text = register_script(network, core, images, classes)
    outcome = run_host(master, tmp_path, text, core=core)
    assert (outcome.status, outcome.errors, outcome.core_status) == (0, "", 0)
    lines = [f"image {i}: {found}" for i, found in enumerate(classes)]
    assert outcome.output == [*lines, "6 images, 0 wrong"]
    other = replace(core, pixel_channels=1, pixel_levels=2)
    outcome = run_host(master, tmp_path, text, core=other)
    assert outcome.status == 2 and "PIXEL is 0x201, but " in outcome.errors, outcome.errors


@pytest.mark.slow
@pytest.mark.parametrize("master", HOSTS)
@pytest.mark.parametrize(("able", "message"), [
    (ABLE, "ORDER is 0x1, but "), (replace(CORE, ternary=1), "TERNARY is 0x0, but "),
])
def test_hosts_refuse_a_network_of_a_kind_that_the_core_lacks(
    tmp_path: Path, master: str, able: Geometry, message: str
) -> None:
    """The file tells what the network's core must be, so nothing of it is loaded."""
    ternary = random_network(np.random.default_rng(5), (30, 23, 5), ternary=True)
    outcome = run_host(master, tmp_path, register_script(ternary, able))
    assert outcome.status == 2 and message in outcome.errors, outcome.errors
    assert outcome.errors.startswith("error: ") and outcome.errors.count("\n") == 1
    for core in (CORE, replace(CORE, order=2)):
        with pytest.raises(KindError, match="ternary weights"):
            register_script(ternary, core)


@pytest.mark.one_quick
@pytest.mark.parametrize("master", HOSTS)
@pytest.mark.parametrize(
    "pattern, replacement, message",
    [
        (r"expect 8 4 PE", "expect 8 5 PE", "PE is 0x4, but "),
        (r"expect 0 .*", "expect 0 1 ID", "ID is 0x58464343, but "),
        (r"write 6c (\S+) ", "write 6c ", "not arrive as it was sent: WEIGHTS_LOADED is 0x"),
        (r"write 6c (\S+) ", "write 6c 12345678 ", "not arrive as it was sent: WEIGHTS_CRC is 0x"),
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
    outcome = run_host(master, tmp_path, changed, patience=1)
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


# Images are numbered modulo 2^16 by the core; so many go round that.
MANY = 0x10000 + 3


def many_images() -> str:
    """A script of so many images; the label of the first one and of the last one is wrong."""
    lines = ["control 1", "classes 2"]
    for number in range(MANY):
        wrong = number in (0, MANY - 1)
        lines.append(f"image 4 {(number + wrong) % 7:x} {number:x}")
    return "\n".join(lines) + "\n"


def check_many(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "image 0: 0, not 1"
    last = (MANY - 1) % 7
    assert lines[-2:] == [
        f"image {MANY - 1}: {last}, not {(last + 1) % 7}", f"{MANY} images, 2 wrong"
    ]  # fmt: skip
    assert lines[0xFFFF:0x10002] == [f"image {n}: {n % 7}" for n in (0xFFFF, 0x10000, 0x10001)]


def test_c_host_with_more_images_than_numbers(tmp_path: Path) -> None:
    """And one whose number is another one says so, below and above 2^16."""
    (tmp_path / "many.txt").write_text(many_images())
    program = compiled(tmp_path, Path(__file__).with_name("bus_echo.c"))
    command = [str(program), str(tmp_path / "many.txt")]
    check_many(subprocess.run(command, capture_output=True, text=True))
    for lost in (0, 0xFF, 0xFFFF, 0x10000, 0x10001):
        done = subprocess.run(
            command, capture_output=True, text=True, env={"XFCC_LOST": str(lost)}
        )
        other = (lost + 1) & 0xFFFF
        assert done.returncode == 2
        assert done.stderr == f"error: image {lost} was answered as image {other}.\n"


ECHO = """
set images 0
proc get_service_paths {kind} {return /master}
proc claim_service {kind path name} {return $path}
proc close_service {kind path} {}
proc master_write_32 {path address values} {
  if {$address == $::go && [lindex $values 0] & 0x80000000} {incr ::images}
}
proc master_read_32 {path address count} {
  if {$address >= $::xfcc(JTAG_BUFFER)} {
    set n [expr {($::images - 1) & 0xffff}]
    set class [expr {($::images - 1) % 7}]
    return [expr {$class << 8 | ($n & 0xff) << 24 | ($n >> 8) << 16}]
  }
  if {$address == $::id} {return $::xfcc(ID_VALUE)}
  return [expr {$address == $::status}]
}
rename source then
proc source {name} {
  uplevel #0 [list then $name]
  if {[file tail $name] ne "address_map.tcl"} {return}
  foreach {variable part register} {go IMAGE_DESCRIPTOR DMA_DESCRIPTOR_CONTROL id CORE REG_ID
      status CORE REG_STATUS} {
    set ::$variable [expr {$::xfcc(JTAG_REGISTERS) + $::xfcc(${part}_OFFSET) + $::xfcc($register)}]
  }
}
"""


@pytest.mark.slow
def test_console_with_more_images_than_numbers(tmp_path: Path) -> None:
    (tmp_path / "many.txt").write_text(many_images())
    check_many(Script(JTAG_SCRIPT, tmp_path, stand_ins=ECHO).run(tmp_path / "many.txt"))


NOTHING = """
set patience 1
proc get_service_paths {kind} {return {}}
proc refresh_connections {} {}
"""
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


def test_the_document_names_what_there_is() -> None:
    """Files, options, exceptions and numbers of HOST.md."""
    text = (ROOT / "quartus" / "HOST.md").read_text()
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / "quartus" / target).exists(), target
    for path in re.findall(r"(?<![\w/])(?:model|quartus|verif)/[\w./]+\.\w+", text):
        assert (ROOT / path).exists(), path
    named = set(re.findall(r"`(\w+Error)`", text))
    there = {kind.__name__ for kind in DriverError.__subclasses__()}
    assert named - {"TransportError", "UserError"} == there
    network = IntegerNetwork.load(find_network("mnist"))
    g = Geometry.for_widths(network.widths, *NAMED["default"])
    chunks = pack(network, g).weight_chunks().size
    assert f"{round(chunks, -3):,} for the MNIST network" in text
    slot = -(-network.inputs // g.image_width) * g.image_width // 8
    assert f"{BUFFER_BYTES // (slot + 4 * (network.classes + 1))} digits of 784" in text
    assert f"{BUFFER_BYTES // 1024} KB on chip" in text
    sizes = re.findall(r"(PE|SIMD|WEIGHT_DEPTH|THRESHOLD_DEPTH) (\d+)", text)
    Geometry(**{name.lower(): int(value) for name, value in sizes}).require_fit(network.widths)
