# SPDX-License-Identifier: Apache-2.0
"""The Verilog files, from the lists that simulation, lint, synthesis and Quartus share."""

from __future__ import annotations

import os
from pathlib import Path

from xnor_fcc import places, rtl

ROOT = places.ROOT
# The core's sources; another directory with the same files where faults are planted in a copy.
RTL = Path(os.environ.get("XNOR_FCC_RTL", places.RTL))


def listed(path: Path) -> list[Path]:
    """The files that a list names."""
    core = Path("rtl")
    return [RTL / file.name if file.parent == core else ROOT / file for file in rtl.named(path)]


def rtl_sources() -> list[Path]:
    """Every Verilog file of the core."""
    return listed(places.RTL / "sources.f")


def uart_sources() -> list[Path]:
    """Every Verilog file of the serial host link."""
    return listed(places.RTL / "uart" / "sources.f")


def board_sources() -> list[Path]:
    """Every Verilog file of the DE1-SoC demo, those of the core included."""
    return [*listed(ROOT / "quartus" / "sources.f"), *rtl_sources()]


def ulx3s_sources() -> list[Path]:
    """Every Verilog file of the ULX3S demo, those of the core and of the serial link included."""
    own = listed(places.RTL / "boards" / "ulx3s" / "sources.f")
    return [*own, *uart_sources(), *rtl_sources()]
