# SPDX-License-Identifier: Apache-2.0
"""Marks of tests that need a program that pip does not bring; without it they are skipped."""

from __future__ import annotations

import shutil

import pytest

needs_icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="Icarus Verilog is not installed"
)
needs_tclsh = pytest.mark.skipif(
    shutil.which("tclsh") is None, reason="tclsh is not installed (Debian: apt install tcl)"
)
