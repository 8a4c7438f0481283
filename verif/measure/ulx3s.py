# SPDX-License-Identifier: Apache-2.0
"""`make ulx3s`: the bitstream of the ULX3S-85F demo, with open tools only.

Yosys synthesises the board with its network and its images, nextpnr-ecp5 places and routes it once
for each seed, ecppack makes the bitstream of the fastest. There is none where the clock is missed.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypedDict

from tqdm import tqdm

from measure import synthesis
from measure.board_area import kept_files
from xnor_fcc import places
from xnor_fcc.board.preset_demo import FIRST, IMAGES
from xnor_fcc.board.ulx3s import CLOCK_MHZ, NETWORK, SIZES, Ulx3s, ulx3s_of
from xnor_fcc.errors import CommandLine, UserError, run_main
from xnor_fcc.files import write_json
from xnor_fcc.geometry_options import add_network
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.progress import followed
from xnor_fcc_sim.provenance import source
from xnor_fcc_sim.reports import Source
from xnor_fcc_sim.sources import ulx3s_sources

OUTPUT = places.BUILD / "ulx3s"
TOPLEVEL = "ulx3s"
PINS = places.RTL / "boards" / "ulx3s" / "ulx3s.lpf"
DEVICE = ("--85k", "--package", "CABGA381", "--speed", "6")


class Seed(TypedDict):
    """What came out for one seed of the placement."""

    seed: int
    fmax_mhz: float


class Report(TypedDict):
    """What report.json holds."""

    fmax_mhz: float
    clock_mhz: int
    slack_ns: float
    cycles_per_image: float
    images_per_second: int
    lut4: int
    ff: int
    ebr: int
    available: dict[str, int]
    seeds: list[Seed]
    device: str
    geometry: dict[str, Any]
    images: int
    bitstream: str
    yosys: str
    nextpnr: str
    seconds: float
    source: Source


def parser() -> CommandLine:
    """The command line."""
    result = CommandLine(
        prog="make ulx3s",
        description=__doc__,
        epilog="With make, options go into ARGS: make ulx3s ARGS='--clock 60 --seeds 3'. The "
        "bitstream is build/ulx3s/ulx3s.bit, the figures are in report.json beside it. What was "
        "done before, and has not changed, is not done again.",
    )
    add = result.add_argument
    # fmt: off
    add("--clock", type=int, default=CLOCK_MHZ, metavar="MHZ",
        help="clock of the core, a multiple of 5 from 10 to 200 (default: %(default)s)")
    add("--seeds", type=int, default=1, metavar="N",
        help="place and route so many times and take the fastest (default: %(default)s)")
    for name, *values in zip(("pe", "simd", "lanes"), *SIZES.values(), strict=True):
        known = ", ".join(f"{value} for {net}" for net, value in zip(SIZES, values, strict=True))
        add(f"--{name}", type=int, help=f"of the core (default: {known} and any other network)")
    add("--images", type=int, default=IMAGES,
        help="images in the ring, a power of two up to 512 (default: %(default)s)")
    add("--first", type=int, default=FIRST,
        help="number of the first one in the test set (default: %(default)s)")
    # fmt: on
    add_network(result, default=NETWORK)
    add("--output", type=Path, default=OUTPUT, metavar="DIR", help="default: build/ulx3s")
    return result


def routes(board: Ulx3s, seeds: int) -> list[synthesis.Route]:
    """The board placed and routed with seeds 1 to `seeds`."""
    # Yosys runs in a directory below this one, and its scripts cannot name a path with a space.
    prefix = os.path.relpath(kept_files(board, OUTPUT), synthesis.BUILD / TOPLEVEL)
    parameters = {**board.parameters(), "PRESET": f'"{prefix}"'}
    found = []
    bar = tqdm(total=seeds, desc="synthesising, placing, routing", unit="seed", disable=None)
    with bar, followed(bar, bar.refresh, seconds=1.0):
        for seed in range(1, seeds + 1):
            found.append(
                synthesis.ecp5(
                    TOPLEVEL, parameters, ulx3s_sources(), board.clock_mhz, seed, DEVICE, PINS
                )
            )
            bar.update()
            bar.set_postfix_str(f"{max(route.fmax_mhz for route in found):.1f} MHz")
    return found


def report_of(board: Ulx3s, found: Sequence[synthesis.Route]) -> Report:
    """The figures of the fastest of these, the command's own aside."""
    best = max(found, key=lambda route: route.fmax_mhz)
    cycles = board.geometry.period_cycles(board.network.widths) / board.geometry.lanes
    return {
        "fmax_mhz": best.fmax_mhz,
        "clock_mhz": board.clock_mhz,
        "slack_ns": round(1000 / board.clock_mhz - 1000 / best.fmax_mhz, 3),
        "cycles_per_image": cycles,
        "images_per_second": int(board.clock_mhz * 1e6 / cycles),
        "lut4": best.lut4,
        "ff": best.ff,
        "ebr": best.ebr,
        "available": best.available,
        "seeds": [{"seed": route.seed, "fmax_mhz": route.fmax_mhz} for route in found],
        "device": "LFE5U-85F-6BG381C",
        "geometry": asdict(board.geometry),
        "images": len(board.bits),
        "bitstream": "",
        "yosys": best.yosys,
        "nextpnr": best.nextpnr,
        "seconds": 0.0,
        "source": source(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, print, write."""
    options = parser().parse_args(arguments)
    if options.seeds < 1:
        raise UserError("--seeds asks for at least one.")
    network = IntegerNetwork.load(find_network(options.network))
    sizes = (options.pe, options.simd, options.lanes)
    board = ulx3s_of(sizes, network, options.images, options.first, options.clock)
    bitstream = options.output / f"{TOPLEVEL}.bit"
    for path in (bitstream, options.output / "report.json"):
        path.unlink(missing_ok=True)
    begin = time.monotonic()
    found = routes(board, options.seeds)
    report = report_of(board, found)
    if report["fmax_mhz"] < board.clock_mhz:
        raise UserError(
            f"The clock of {board.clock_mhz} MHz is missed: the best of --seeds {len(found)} "
            f"reaches {report['fmax_mhz']:.1f} MHz; ask for less with --clock, or for more --seeds."
        )
    routed = next(r.routed for r in found if r.fmax_mhz == report["fmax_mhz"])
    assert routed is not None, "it has pins"
    options.output.mkdir(parents=True, exist_ok=True)
    shutil.copy(synthesis.bitstream(routed), bitstream)
    report["bitstream"] = bitstream.name
    report["seconds"] = round(time.monotonic() - begin, 1)
    write_json(options.output / "report.json", report)
    available = report["available"]
    print(
        f"{bitstream}: {report['images_per_second']:,} images a second at {board.clock_mhz} MHz, "
        f"{report['slack_ns']:.2f} ns to spare ({report['fmax_mhz']:.1f} MHz); "
        f"{report['lut4']:,} of {available['lut4']:,} LUT4, {report['ff']:,} flip-flops, "
        f"{report['ebr']} of {available['ebr']} block RAMs"
    )
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
