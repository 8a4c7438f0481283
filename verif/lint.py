# SPDX-License-Identifier: Apache-2.0
"""Lints the Verilog. What each gate is for:

style        verilog_style.py: names, comments, blocks, connections, in every file of rtl/, quartus/
             and verif/; what Quartus is known to refuse (quartus/DIALECT.md) where a syntax tree
             shows it
slang        the strictest reader of the language, as ModelSim and VCS are: every name declared
             before its use, widths, shadowed names; every file with -Wextra, then the designs
Verilator    -Wall as strict Verilog-2005
Icarus       a second reader of Verilog-2005
Yosys        latches, loops, nets with several drivers

The designs are the core, the demos of both boards and the serial link in several sizes, because a
width that fits one may not fit another. A waiver names what it waives, and its reason stands beside
it: `readings` below, and `verilator lint_off` in a file. `make lint` runs ruff and mypy for the
Python besides.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyslang import DiagnosticSeverity
from pyslang.analysis import AnalysisManager
from pyslang.driver import Driver

import verilog_style
from xnor_fcc.board import ulx3s
from xnor_fcc.board.demo import board_of
from xnor_fcc.board.preset_demo import PresetDemo
from xnor_fcc.board.ulx3s import ulx3s_of
from xnor_fcc.errors import UserError, run_main
from xnor_fcc.geometry import NAMED, Geometry
from xnor_fcc_sim import simulator, toolchain
from xnor_fcc_sim.sources import ROOT, board_sources, rtl_sources, uart_sources, ulx3s_sources

GEOMETRIES = (
    Geometry(),
    Geometry.for_widths((784, 1024, 1024, 1024, 10), pe=1024, simd=1, lanes=2),
    Geometry.for_widths((40, 17, 4), pe=3, simd=5, lanes=1, image_width=8),
    Geometry.for_widths((50, 10), pe=7, simd=64, lanes=5, image_width=16),
    Geometry.for_widths((1, 1), pe=1, simd=1, lanes=1, image_width=512),
    Geometry(pe=32, simd=12, taps=8, weight_depth=8000),
    Geometry(pe=69, simd=205, lanes=2),
    # Cores that learn: classes in more than one group of odd PEs, and what is smallest.
    Geometry(learn=10),
    Geometry(pe=3, simd=7, lanes=3, max_width=40, max_classes=11, learn=11, image_width=8),
    Geometry(pe=1, simd=1, lanes=1, max_width=1, max_classes=1, learn=1, weight_depth=2),
    Geometry.for_widths((50, 30, 10), pe=6, simd=7, lanes=2, weight_stream=24),
    # Cores for convolutions: one bit a slot more than a pixel has; a slot of a PE, and memories of
    # a word; every kind of layer, and the widest pixel; pixels as numbers.
    Geometry(
        **{"pe": 5, "simd": 30, "lanes": 4, "max_width": 120, "weight_depth": 700},
        **{"map_input": 64, "map_even": 60, "map_odd": 7, "pixel_channels": 3, "pixel_levels": 1},
        **{"max_classes": 10, "image_width": 64},
    ),
    Geometry(
        **{"pe": 3, "simd": 9, "lanes": 4, "max_width": 9, "max_layers": 2, "weight_depth": 2},
        **{"map_input": 1, "map_even": 1, "map_odd": 1, "pixel_channels": 1, "pixel_levels": 1},
        **{"max_classes": 1, "threshold_depth": 2, "image_width": 8},
    ),
    Geometry(
        **{"pe": 4, "simd": 72, "lanes": 8, "max_width": 250, "order": 2, "ternary": 1},
        **{"map_input": 16, "map_even": 40, "map_odd": 17, "pixel_channels": 4, "pixel_levels": 2},
        **{"max_classes": 10, "image_width": 32},
    ),
    Geometry(
        **{"pe": 4, "simd": 24, "lanes": 4, "max_width": 90, "ternary": 1},
        **{"map_input": 16, "map_even": 20, "map_odd": 17, "pixel_channels": 2, "pixel_levels": 0},
        **{"max_classes": 10, "image_width": 16},
    ),
)


# (PE, SIMD, LANES) and the clock in MHz; the small one is for Yosys.
BOARDS = ((NAMED["throughput"], 50), ((8, 64, 2), 75), ((8, 64, 1), 100))

ULX3S = ((ulx3s.SIZES[ulx3s.NETWORK], ulx3s.CLOCK_MHZ), ((8, 64, 2), 10), ((8, 64, 1), 200))

# Both ends of every range.
UARTS = (
    {"IMAGE_WIDTH": 8, "DIVIDER": 8, "TIMEOUT": 12, "BUFFER_BITS": 4},
    {"IMAGE_WIDTH": 64, "DIVIDER": 50, "TIMEOUT": 131072, "BUFFER_BITS": 11},
    {"IMAGE_WIDTH": 512, "DIVIDER": 8192, "TIMEOUT": 131072, "BUFFER_BITS": 16},
)


@dataclass(frozen=True)
class Design:
    """Something to lint."""

    name: str
    top: str
    parameters: dict[str, int]
    sources: Sequence[Path]
    xnors: int
    """XNORs a cycle and lane."""
    board: PresetDemo | None = None
    """Writes the memory files, which Yosys reads at once."""


def designs() -> list[Design]:
    """The core in GEOMETRIES, the board in BOARDS, the serial link in UARTS, and with a core."""
    result = []
    for g in GEOMETRIES:
        name = f"PE={g.pe} SIMD={g.simd} LANES={g.lanes}"
        result.append(Design(name, "xnor_fcc", g.parameters(), rtl_sources(), g.pe * g.simd))
    sources = [*board_sources(), Path(__file__).parent / "board" / "altera_pll.v"]
    for (pe, simd, lanes), clock in BOARDS:
        name = f"the board with PE={pe} SIMD={simd} LANES={lanes} at {clock} MHz"
        board = board_of((pe, simd, lanes), clock_mhz=clock)
        result.append(Design(name, "de1_soc", board.parameters(), sources, pe * simd, board))
    sources = [*ulx3s_sources(), Path(__file__).parent / "board" / "EHXPLLL.v"]
    for (pe, simd, lanes), clock in ULX3S:
        name = f"the ULX3S with PE={pe} SIMD={simd} LANES={lanes} at {clock} MHz"
        demo = ulx3s_of((pe, simd, lanes), clock_mhz=clock)
        result.append(Design(name, "ulx3s", demo.parameters(), sources, pe * simd, demo))
    for parameters in UARTS:
        name = "the serial link with IMAGE_WIDTH={IMAGE_WIDTH}".format(**parameters)
        result.append(Design(name, "fcc_uart_host", parameters, uart_sources(), 0))
    sources = [*uart_sources(), *rtl_sources()]
    name, parameters = "a core with a serial line", {"PE": 4, "SIMD": 8, "LANES": 1}
    result.append(Design(name, "xnor_fcc_uart", parameters, sources, 4 * 8))
    return result


@dataclass(frozen=True)
class Reading:
    """Files that slang reads together, whatever the top."""

    files: Sequence[Path]
    standard: str = "1364-2005"
    options: Sequence[str] = ()
    undeclared: Collection[str] = ()
    """Names that need no declaration."""


def verilog_files(root: Path, *patterns: str) -> list[Path]:
    """The Verilog files of the project, or those that match one of these patterns."""
    folders = ("rtl", "quartus", "verif")
    files = sorted(path for folder in folders for path in (root / folder).glob("**/*.v"))
    return [f for f in files if not patterns or any(f.match(p) for p in patterns)]


def readings(root: Path) -> list[Reading]:
    """Every Verilog file of the project in at least one reading."""
    proofs = verilog_files(root, "formal/*.v")
    shim = verilog_files(root, "form_shim.v")
    core = [file for file in verilog_files(root, "rtl/*.v") if file.name != "xnor_popcount.v"]
    rest = [file for file in verilog_files(root) if file not in proofs and file not in shim]
    with_rtl = [*proofs, *verilog_files(root, "rtl/*.v")]
    return [
        Reading(rest),
        # It stands for xnor_popcount, with a form in it that the tool that measures it names.
        Reading(
            [*shim, *core, *verilog_files(root, "form_tree.v")],
            options=("-DFORM=form_tree",),
        ),
        # Verilog-2005 but for `assert` and `assume`, which Yosys takes from SystemVerilog. Slang
        # does not look at what stands between their brackets then; the next reading does.
        Reading(with_rtl, undeclared=("assert", "assume")),
        Reading(with_rtl, standard="1800-2017"),
    ]


def slang_on(
    files: Sequence[Path],
    options: Sequence[str],
    standard: str = "1364-2005",
    undeclared: Collection[str] = (),
) -> list[str]:
    """Complaints of slang with -Wextra, each as FILE:LINE: SENTENCE."""
    driver = Driver()
    driver.addStandardArgs()
    # One file has a time scale, the FuseSoC testbench: slang then wants one of every file.
    arguments = ["--std", standard, "-Wextra", "--timescale", "1ns/1ps"]
    arguments += [*options, *(str(file) for file in files)]
    command = " ".join(f'"{argument}"' for argument in ["slang", *arguments])
    if not (driver.parseCommandLine(command) and driver.processOptions()):
        raise UserError(f"slang does not take its arguments: {command}")
    # Its answer counts complaints of the parser, which come again below.
    driver.parseAllSources()
    compilation = driver.createCompilation()
    found = list(compilation.getAllDiagnostics())
    analysis = AnalysisManager(driver.analysisOptions)
    analysis.analyze(compilation)
    found += analysis.getDiagnostics()
    lines = []
    for complaint in found:
        code, place = complaint.code, complaint.location
        if driver.diagEngine.getSeverity(code, place) == DiagnosticSeverity.Ignored:
            continue
        if "UndeclaredIdentifier" in str(code) and complaint.args[0] in undeclared:
            continue
        file = driver.sourceManager.getFileName(place)
        line = driver.sourceManager.getLineNumber(place)
        option = driver.diagEngine.getOptionName(code)
        text = driver.diagEngine.formatMessage(complaint) + (f" (-W{option})" if option else "")
        lines.append(f"{file}:{line}: {text}.")
    return lines


def slang(design: Design) -> str:
    """Complaints of slang, empty if none."""
    options = ["-I", str(simulator.RTL), "--top", design.top]
    # A loop of more steps Quartus takes for one without an end (quartus/DIALECT.md).
    options += ["--max-generate-steps", "5000"]
    options += [f"-G{name}={value}" for name, value in design.parameters.items()]
    return "\n".join(slang_on(design.sources, options))


def files_objected(root: Path) -> str:
    """What the gates on files have to say about a tree of the project, empty if nothing."""
    hardware = verilog_files(
        root, "rtl/*.v", "rtl/*/*.v", "rtl/boards/*/*.v", "quartus/*.v", "quartus/demo/*.v"
    )
    headers = sorted(root.glob("rtl/*.vh")) + sorted(root.glob("verif/**/*.vh"))
    found = verilog_style.complaints([*verilog_files(root), *headers], hardware)
    for reading in readings(root):
        options = ["-I", str(root / "rtl"), *reading.options]
        found += slang_on(reading.files, options, reading.standard, reading.undeclared)
    return "\n".join(dict.fromkeys(found))


def verilator(design: Design) -> str:
    """Complaints of `verilator -Wall`, empty if none."""
    command = ["--lint-only", "-Wall", "--language", "1364-2005", "--top-module", design.top]
    command += [f"-I{simulator.RTL}"]
    command += [f"-G{name}={value}" for name, value in design.parameters.items()]
    command += [str(path) for path in design.sources]
    result = toolchain.verilator().run(command)
    return result.stderr if result.returncode or "%Warning" in result.stderr else ""


def icarus(design: Design) -> str:
    """Complaints of `iverilog -g2005`, empty if none."""
    command = ["iverilog", "-g2005", "-Wall", "-Wno-timescale", "-t", "null", "-s", design.top]
    command += [f"-I{simulator.RTL}"]
    command += [f"-P{design.top}.{name}={value}" for name, value in design.parameters.items()]
    command += [str(path) for path in design.sources]
    result = subprocess.run(command, capture_output=True, text=True)
    return result.stderr if result.returncode else ""


def yosys(design: Design) -> str:
    """Complaints of Yosys' own checks (latches, loops, several drivers), empty if none."""
    parameters = " ".join(f"-set {name} {value}" for name, value in design.parameters.items())
    script = f"""
from pyosys import libyosys as ys
d = ys.Design()
files = {[str(path) for path in design.sources]!r}
ys.run_pass("read_verilog -defer -I{simulator.RTL} " + " ".join(files), d)
ys.run_pass("chparam {parameters} {design.top}", d)
ys.run_pass("hierarchy -check -top {design.top}", d)
ys.run_pass("proc", d)
ys.run_pass("check -assert", d)
"""
    with tempfile.TemporaryDirectory() as scratch:
        if design.board:
            design.board.write(Path(scratch))
        command = [sys.executable, "-c", script]
        result = subprocess.run(command, cwd=scratch, capture_output=True, text=True)
    output = result.stdout + result.stderr
    # Even a latch that is optimised away later stops some of Yosys' synthesis flows.
    latches = [line for line in output.splitlines() if "Warning: Latch inferred" in line]
    return "\n".join(latches) or (output[-3000:] if result.returncode else "")


def main() -> int:
    """Run every linter on every design."""
    if complaint := files_objected(ROOT):
        print(complaint, file=sys.stderr)
        raise UserError("the style gate or slang objects to a Verilog file; see above.")
    print("lint: style and slang, every Verilog file clean")
    linters = [slang, verilator, icarus, yosys]
    if shutil.which("iverilog") is None:
        print("lint: Icarus Verilog is not installed and is left out")
        linters.remove(icarus)
    for design in designs():
        for linter in linters:
            # Yosys takes long to elaborate wide arrays, and nothing in it depends on their width.
            if linter is yosys and design.xnors > 512:
                continue
            complaint = linter(design)
            if complaint:
                print(complaint, file=sys.stderr)
                raise UserError(f"{linter.__name__} objects to {design.name}; see above.")
        print(f"lint: {design.name} clean")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
