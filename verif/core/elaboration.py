# SPDX-License-Identifier: Apache-2.0
"""Whether a core can be built with some parameters."""

from __future__ import annotations

import os
import subprocess

from xnor_fcc_sim import simulator


def elaborate(tool: str, parameters: dict[str, int]) -> subprocess.CompletedProcess[str]:
    """`xnor_fcc` with `parameters`, elaborated by "verilator" or "iverilog"."""
    sources = [str(path) for path in simulator.rtl_sources()]
    if tool == "verilator":
        command = ["verilator", "--lint-only", "-Wno-fatal", "--top-module", "xnor_fcc"]
        command += [f"-G{name}={value}" for name, value in parameters.items()]
    else:
        command = ["iverilog", "-g2005", "-t", "null", "-s", "xnor_fcc"]
        command += [f"-Pxnor_fcc.{name}={value}" for name, value in parameters.items()]
    return subprocess.run(
        [*command, f"-I{simulator.RTL}", *sources],
        env={**os.environ, **simulator.verilator_environment()},
        capture_output=True,
        text=True,
    )
