# SPDX-License-Identifier: Apache-2.0
"""The Verilog files, from the lists that simulation, lint, synthesis and Quartus share."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The core's sources; another directory with the same files where faults are planted in a copy.
RTL = Path(os.environ.get("XNOR_FCC_RTL", ROOT / "rtl"))


def listed(path: Path) -> list[Path]:
    """The files that a list names, one a line, from the top of the repository."""
    lines = (line.strip() for line in path.read_text().splitlines())
    named = [Path(line) for line in lines if line and not line.startswith("//")]
    return [RTL / path.name if path.parts[0] == "rtl" else ROOT / path for path in named]


def rtl_sources() -> list[Path]:
    """Every Verilog file of the core."""
    return listed(ROOT / "rtl" / "sources.f")


def board_sources() -> list[Path]:
    """Every Verilog file of the DE1-SoC demo, those of the core included."""
    return [*listed(ROOT / "quartus" / "sources.f"), *rtl_sources()]
