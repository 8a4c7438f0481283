# SPDX-License-Identifier: Apache-2.0
"""`make route`: a lane placed and routed on a Lattice ECP5, and the clock it reaches.

A lane (rtl/fcc_lane.v) is the ring, the coders and all PEs of one image, that is nearly all of a
core's logic. Yosys synthesises, nextpnr-ecp5 places and routes, both open tools; there is none for
the Cyclone V. Only paths from register to register are timed. What the rest of the core reaches,
control and memories, is not in this figure."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any, TypedDict

from tqdm import tqdm

from measure import synthesis
from xnor_fcc.errors import CommandLine, UserError, run_main
from xnor_fcc.files import write_json
from xnor_fcc.geometry import Geometry
from xnor_fcc.places import BUILD
from xnor_fcc.progress import followed
from xnor_fcc_sim.provenance import source
from xnor_fcc_sim.reports import Source

OUTPUT = BUILD / "route"


def parser() -> CommandLine:
    """The command line."""
    result = CommandLine(
        prog="make route",
        description=__doc__,
        epilog="With make, options go into ARGS: make route ARGS='--seed 2'. The default lane "
        "computes 4,096 XNORs a cycle. Figures are printed and written to build/route/report.json. "
        "It takes some minutes, and nothing if it was done before and nothing has changed.",
    )
    result.add_argument("--pe", type=int, default=64, help="neurons computed at once (default: 64)")
    result.add_argument("--simd", type=int, default=64, help="synapses per PE (default: 64)")
    result.add_argument(
        "--taps",
        type=int,
        default=4,
        help="ring positions that PEs see; more of them mean shorter wires (default: 4)",
    )
    result.add_argument("--freq", type=int, default=200, help="clock to aim at, MHz (default: 200)")
    result.add_argument("--seed", type=int, default=1, help="seed of the placement (default: 1)")
    result.add_argument(
        "--least", type=float, default=0.0, metavar="MHZ", help="fail if the clock stays below this"
    )
    return result


def _clock() -> AbstractContextManager[None]:
    """A clock that shows that work is still going on; how far it is nobody knows."""
    text = "synthesising, placing, routing"
    # Nothing where there is no terminal to draw on.
    bar = tqdm(desc=text, bar_format="{desc}: {elapsed}", leave=False, disable=None)
    return followed(bar, bar.refresh, seconds=1.0)


def merge_cells(steps: Sequence[synthesis.PathStep]) -> list[tuple[str, float, float]]:
    """The critical path as (net or cell reached, logic ns, routing ns), one row a level."""
    rows: list[tuple[str, float, float]] = []
    logic = 0.0
    for step in steps:
        if step.kind == "routing":
            rows.append((step.net, round(logic, 2), round(step.delay_ns, 2)))
            logic = 0.0
        else:
            logic += step.delay_ns
    if steps:
        rows.append((f"{steps[-1].end} ({steps[-1].kind})", round(logic, 2), 0.0))
    return rows


class Step(TypedDict("_From", {"from": str})):
    """A step of the critical path."""

    kind: str
    to: str
    net: str
    delay_ns: float


class Report(TypedDict):
    """What report.json holds."""

    fmax_mhz: float
    xnor_per_cycle: int
    top: str
    geometry: dict[str, Any]
    lut4: int
    ff: int
    ebr: int
    available: dict[str, int]
    device: str
    target_mhz: float
    critical_path: list[Step]
    seed: int
    yosys: str
    nextpnr: str
    seconds: float
    source: Source


def show(report: Report, route: synthesis.Route) -> None:
    """Print the figures."""
    geometry = report["geometry"]
    available = route.available
    rows = [
        ("lane", f"PE={geometry['pe']} SIMD={geometry['simd']} TAPS={geometry['taps']}, "
         f"{report['xnor_per_cycle']:,} XNORs a cycle"),
        ("clock", f"{route.fmax_mhz:.1f} MHz after routing, seed {route.seed}"),
        ("LUT4", f"{route.lut4:,} of {available['lut4']:,}"),
        ("flip-flops", f"{route.ff:,} of {available['ff']:,}"),
        ("block RAM", f"{route.ebr} of {available['ebr']}"),
        ("tools", f"Yosys {route.yosys}, nextpnr-ecp5 {route.nextpnr}"),
    ]
    for name, value in rows:
        print(f"{name:>12}: {value}")
    print("\ncritical path (ns of logic, then of routing to the next cell):")
    for name, logic, routing in merge_cells(route.critical_path):
        print(f"{logic:6.2f} {routing:6.2f}  {name}")


def main() -> int:
    """Route, print, write."""
    options = parser().parse_args()
    if options.freq < 1:
        raise UserError("The clock to aim at must be at least 1 MHz.")
    geometry = Geometry(pe=options.pe, simd=options.simd, lanes=1, taps=options.taps)
    started = time.monotonic()
    measured_on = source()
    with _clock():
        route = synthesis.ecp5(
            "fcc_lane", geometry.lane_parameters(), freq=options.freq, seed=options.seed
        )
    path: list[Step] = [
        {"kind": step.kind, "from": step.start, "to": step.end, "net": step.net,
         "delay_ns": step.delay_ns}
        for step in route.critical_path
    ]
    report: Report = {
        "fmax_mhz": route.fmax_mhz,
        "xnor_per_cycle": options.pe * options.simd,
        "top": "fcc_lane",
        "geometry": asdict(geometry),
        "lut4": route.lut4,
        "ff": route.ff,
        "ebr": route.ebr,
        "available": route.available,
        "device": "LFE5U-85F",
        "target_mhz": options.freq,
        "critical_path": path,
        "seed": options.seed,
        "yosys": route.yosys,
        "nextpnr": route.nextpnr,
        "seconds": time.monotonic() - started,
        "source": measured_on,
    }
    write_json(OUTPUT / "report.json", report)
    show(report, route)
    if route.fmax_mhz < options.least:
        raise UserError(
            f"The clock of {route.fmax_mhz:.1f} MHz is below the {options.least:g} MHz asked for; "
            "look at the critical path above."
        )
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
