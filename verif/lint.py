# SPDX-License-Identifier: Apache-2.0
"""Lints the Verilog: Verilator -Wall and Icarus as strict Verilog-2005, then Yosys, for several
geometries, because a width that fits one may not fit another; the core, then the DE1-SoC demo."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xnor_fcc.board.demo import Board, board_of
from xnor_fcc.errors import UserError, run_main
from xnor_fcc.geometry import NAMED, Geometry
from xnor_fcc_sim import simulator
from xnor_fcc_sim.sources import board_sources, rtl_sources

GEOMETRIES = (
    Geometry(),
    Geometry.for_widths((784, 1024, 1024, 1024, 10), pe=1024, simd=1, lanes=2),
    Geometry.for_widths((40, 17, 4), pe=3, simd=5, lanes=1, image_width=8),
    Geometry.for_widths((50, 10), pe=7, simd=64, lanes=5, image_width=16),
    Geometry.for_widths((1, 1), pe=1, simd=1, lanes=1, image_width=512),
    Geometry(pe=32, simd=12, taps=8, weight_depth=8000),
    Geometry(pe=69, simd=205, lanes=2),
    Geometry.for_widths((50, 30, 10), pe=6, simd=7, lanes=2, weight_stream=24),
)


# (PE, SIMD, LANES) and the clock in MHz; the small one is for Yosys.
BOARDS = ((NAMED["throughput"], 50), ((8, 64, 2), 75), ((8, 64, 1), 100))


@dataclass(frozen=True)
class Design:
    """Something to lint."""

    name: str
    top: str
    parameters: dict[str, int]
    sources: Sequence[Path]
    xnors: int
    """XNORs a cycle and lane."""
    board: Board | None = None
    """Writes the memory files, which Yosys reads at once."""


def designs() -> list[Design]:
    """The core in GEOMETRIES, the board in BOARDS."""
    result = []
    for g in GEOMETRIES:
        name = f"PE={g.pe} SIMD={g.simd} LANES={g.lanes}"
        result.append(Design(name, "xnor_fcc", g.parameters(), rtl_sources(), g.pe * g.simd))
    sources = [*board_sources(), Path(__file__).parent / "board" / "altera_pll.v"]
    for (pe, simd, lanes), clock in BOARDS:
        name = f"the board with PE={pe} SIMD={simd} LANES={lanes} at {clock} MHz"
        board = board_of((pe, simd, lanes), clock_mhz=clock)
        result.append(Design(name, "de1_soc", board.parameters(), sources, pe * simd, board))
    return result


def verilator(design: Design) -> str:
    """Complaints of `verilator -Wall`, empty if none."""
    environment = {**os.environ, **simulator.verilator_environment()}
    command = ["verilator", "--lint-only", "-Wall", "--language", "1364-2005", "--top-module"]
    command += [design.top, f"-I{simulator.RTL}"]
    command += [f"-G{name}={value}" for name, value in design.parameters.items()]
    command += [str(path) for path in design.sources]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
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
    linters = [verilator, icarus, yosys]
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
