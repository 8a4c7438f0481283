# SPDX-License-Identifier: Apache-2.0
"""Lints the Verilog: Verilator -Wall and Icarus as strict Verilog-2005, then Yosys, for several
geometries, because a width that fits one may not fit another."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import simulator
from xnor_fcc.errors import UserError, run_main
from xnor_fcc.geometry import Geometry

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


def verilator(geometry: Geometry) -> str:
    """Complaints of `verilator -Wall`, empty if none."""
    environment = {**os.environ, **simulator.verilator_environment()}
    command = ["verilator", "--lint-only", "-Wall", "--language", "1364-2005", "--top-module"]
    command += ["xnor_fcc", f"-I{simulator.RTL}"]
    command += [f"-G{name}={value}" for name, value in geometry.parameters().items()]
    command += [str(path) for path in simulator.rtl_sources()]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    return result.stderr if result.returncode or "%Warning" in result.stderr else ""


def icarus(geometry: Geometry) -> str:
    """Complaints of `iverilog -g2005`, empty if none."""
    command = ["iverilog", "-g2005", "-Wall", "-Wno-timescale", "-t", "null", "-s", "xnor_fcc"]
    command += [f"-I{simulator.RTL}", *simulator.ICARUS_ARGUMENTS]
    command += [f"-Pxnor_fcc.{name}={value}" for name, value in geometry.parameters().items()]
    command += [str(path) for path in simulator.rtl_sources()]
    result = subprocess.run(command, capture_output=True, text=True)
    return result.stderr if result.returncode else ""


def yosys(geometry: Geometry) -> str:
    """Complaints of Yosys' own checks (latches, loops, several drivers), empty if none."""
    parameters = " ".join(f"-set {name} {value}" for name, value in geometry.parameters().items())
    script = f"""
from pyosys import libyosys as ys
d = ys.Design()
files = {[str(path) for path in simulator.rtl_sources()]!r}
ys.run_pass("read_verilog -defer -I{simulator.RTL} " + " ".join(files), d)
ys.run_pass("chparam {parameters} xnor_fcc", d)
ys.run_pass("hierarchy -check -top xnor_fcc", d)
ys.run_pass("proc", d)
ys.run_pass("check -assert", d)
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    output = result.stdout + result.stderr
    # Even a latch that is optimised away later stops some of Yosys' synthesis flows.
    latches = [line for line in output.splitlines() if "Warning: Latch inferred" in line]
    return "\n".join(latches) or (output[-3000:] if result.returncode else "")


def main() -> int:
    """Run every linter on every geometry."""
    linters = [verilator, icarus, yosys]
    if shutil.which("iverilog") is None:
        print("lint: Icarus Verilog is not installed and is left out")
        linters.remove(icarus)
    for geometry in GEOMETRIES:
        for linter in linters:
            # Yosys takes long to elaborate wide arrays, and nothing in it depends on their width.
            if linter is yosys and geometry.pe * geometry.simd > 512:
                continue
            complaint = linter(geometry)
            if complaint:
                print(complaint, file=sys.stderr)
                raise UserError(
                    f"{linter.__name__} objects to PE={geometry.pe} SIMD={geometry.simd} "
                    f"LANES={geometry.lanes}; see above."
                )
        print(f"lint: PE={geometry.pe} SIMD={geometry.simd} LANES={geometry.lanes} clean")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
