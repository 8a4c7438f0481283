# SPDX-License-Identifier: Apache-2.0
"""Whether a core can be built with some parameters."""

from __future__ import annotations

import subprocess

from xnor_fcc_sim import simulator, toolchain


def elaborate(tool: str, parameters: dict[str, int]) -> subprocess.CompletedProcess[str]:
    """`xnor_fcc` with `parameters`, elaborated by "verilator" or "iverilog"."""
    sources = [str(path) for path in simulator.rtl_sources()]
    shared = [f"-I{simulator.RTL}", *sources]
    if tool == "verilator":
        command = ["--lint-only", "-Wno-fatal", "--top-module", "xnor_fcc"]
        command += [f"-G{name}={value}" for name, value in parameters.items()]
        return toolchain.verilator().run([*command, *shared])
    command = ["iverilog", "-g2005", "-t", "null", "-s", "xnor_fcc"]
    command += [f"-Pxnor_fcc.{name}={value}" for name, value in parameters.items()]
    return subprocess.run([*command, *shared], capture_output=True, text=True)
