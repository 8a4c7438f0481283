# SPDX-License-Identifier: Apache-2.0
"""`make board`: the DE1-SoC demo from its pins inward, synthesised by Yosys for the Cyclone V.

The whole top level with its memory files, as Quartus would get it, at the geometry of the board.
The area is Yosys' estimate, not a fit: see `synthesis.alm_estimate`. It takes some minutes, once.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypedDict

from measure import synthesis
from xnor_fcc import places
from xnor_fcc.board.demo import DEVICE, Board, board_of
from xnor_fcc.board.preset_demo import PRESET, PresetDemo
from xnor_fcc.devices import devices
from xnor_fcc.errors import CommandLine, UserError, run_main
from xnor_fcc.files import write_json
from xnor_fcc.geometry import NAMED
from xnor_fcc.renamed import current
from xnor_fcc_sim.provenance import source
from xnor_fcc_sim.reports import Source
from xnor_fcc_sim.sources import board_sources

BUILD = places.BUILD / "board"
TOPLEVEL = "de1_soc"


def kept_files(board: PresetDemo, directory: Path) -> Path:
    """Prefix of the memory files of `board`, in a directory named after what is in them: a
    synthesis is kept by the name of its images."""
    directory.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=directory))
    board.write(scratch)
    digest = hashlib.sha256()
    for path in sorted(scratch.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    final = directory / digest.hexdigest()[:16]
    shutil.rmtree(final, ignore_errors=True)
    scratch.rename(final)
    return final / PRESET


class Area(TypedDict):
    """What the board takes, and what there is."""

    alm: float
    m10k: int
    dsp: int
    flip_flops: int
    available: dict[str, int]
    board: str
    geometry: dict[str, Any]
    images: int
    yosys: str


class Report(Area):
    """What report.json holds."""

    source: Source


def measure(board: Board) -> Area:
    """Synthesise `board`; what it takes and what there is. `UserError` where it does not fit."""
    # Yosys runs in a directory below this one, and its scripts cannot name a path with a space.
    prefix = os.path.relpath(kept_files(board, BUILD), synthesis.BUILD / TOPLEVEL)
    parameters: dict[str, Any] = {**board.parameters(), "PRESET": f'"{prefix}"'}
    cost = synthesis.intel(TOPLEVEL, parameters, board_sources())
    device = devices()[DEVICE]
    if cost.alm > device.alms or cost.m10k > device.blocks:
        raise UserError(
            f"By Yosys the board takes {cost.alm:,.0f} ALMs and {cost.m10k} {device.block}, but "
            f"the {device.board} has {device.alms:,} and {device.blocks}."
        )
    if not cost.m10k:
        raise UserError("Yosys found no block RAM in the board: the memories are not inferred.")
    return {
        "alm": cost.alm,
        "m10k": cost.m10k,
        "dsp": cost.dsp,
        "flip_flops": cost.flip_flops,
        "available": {"alm": device.alms, "m10k": device.blocks},
        "board": device.board,
        "geometry": asdict(board.geometry),
        "images": len(board.bits),
        "yosys": cost.yosys,
    }


def parser() -> CommandLine:
    """The command line."""
    result = CommandLine(prog="make board", description="Area of the DE1-SoC demo, by Yosys.")
    result.add_argument(
        "--geometry",
        type=current,
        choices=sorted(NAMED),
        default="throughput",
        help="a core by name (default: %(default)s)",
    )
    return result


def main() -> int:
    """Measure, report."""
    options = parser().parse_args()
    output = BUILD / "report.json"
    output.unlink(missing_ok=True)
    board = board_of(NAMED[options.geometry])
    board.require_fit()
    print("synthesising the whole board with Yosys: some minutes, once", flush=True)
    measured_on = source()
    report: Report = {**measure(board), "source": measured_on}
    write_json(output, report)
    available = report["available"]
    print(
        f"{report['board']}, {options.geometry}: {report['alm']:,.0f} of {available['alm']:,} ALMs,"
        f" {report['m10k']} of {available['m10k']} M10K (Yosys {report['yosys']}, an estimate)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
