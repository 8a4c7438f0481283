# SPDX-License-Identifier: Apache-2.0
"""Programs that pip does not bring, and an extra: tests with one of these marks are skipped without
them."""

from __future__ import annotations

import shutil

import pytest

from xnor_fcc import plot

# The simulator for a core that sees few images: Icarus builds in no time, where it is there at all.
QUICKEST = "icarus" if shutil.which("iverilog") else "verilator"

needs_icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="Icarus Verilog is not installed"
)
needs_tclsh = pytest.mark.skipif(
    shutil.which("tclsh") is None, reason="tclsh is not installed (Debian: apt install tcl)"
)
needs_matplotlib = pytest.mark.skipif(
    not plot.available(), reason="matplotlib is not installed (pip install 'xnor-fcc[plots]')"
)
