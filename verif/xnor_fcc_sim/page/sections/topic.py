# SPDX-License-Identifier: Apache-2.0
"""What a section of the report is, and what its figures have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xnor_fcc.geometry import Geometry
from xnor_fcc_sim.page.blocks import View


@dataclass(frozen=True)
class Topic:
    """A section: where its figures come from, and how they are shown."""

    name: str
    title: str
    group: str
    target: str
    """The make target that measures it."""
    path: str
    """What that writes, below build/."""
    reads: Any
    """Type in reports.py of its JSON, or of that beside an .npz; None for what is XML."""
    view: Callable[[Any, Path], View]
    """From what the file holds and its path."""
    depends: tuple[str, ...] = ("rtl/*.v", "rtl/*.vh")
    """Files of the repository that the figures are of."""
    kept: str = ""
    """Page of the repository that keeps the figures of a long run."""
    demanding: bool = False
    """It passes, fails, or is not complete; others only tell."""
    always: bool = False
    """Shown without a measurement too: the view then gets None."""


def sizes(g: Geometry) -> str:
    """PE, SIMD and LANES of a geometry."""
    text = f"PE={g.pe} SIMD={g.simd} LANES={g.lanes}"
    return text + (f" WEIGHT_STREAM={g.weight_stream}" if g.weight_stream else "")


def duration(seconds: float) -> str:
    """A time in its unit."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
