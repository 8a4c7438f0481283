# SPDX-License-Identifier: Apache-2.0
"""`make explore`: which geometries of the core fit an FPGA, and what each is worth for a network.

Lists the geometries that `space` finds, the best ones marked. A network that is too large for the
blocks of RAM is explored with streamed weights, over a port as wide as the device has pins.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypedDict

from . import pareto, plot
from .devices import Device, devices
from .errors import CommandLine, UserError
from .files import write_json, write_text
from .geometry import MAPS, NAMED, GeometryError, MapShape, Shape
from .geometry_options import add_network
from .integer import IntegerNetwork, find_network
from .parameters import most
from .places import BUILD
from .space import MAX_LANES, TIMEOUT, Candidate, Sizes, Space, front, lane_sizes, pick, thin
from .tables import columns

DEFAULT_OUT = BUILD / "explore"

MAX_WIDTH, MAX_LAYERS = most("MAX_WIDTH"), most("MAX_LAYERS")


# ---- report


class Fit(TypedDict):
    """A geometry of the front."""

    pe: int
    simd: int
    lanes: int
    cycles_per_image: float
    latency: int
    """Cycles of a lone image."""
    alm: float
    blocks: int


class Row(Fit):
    """A geometry of the table."""

    period: int
    busy: float
    alm_share: float
    parts: dict[str, float]
    """ALMs by part."""
    bounds: dict[str, str]
    """What stops the next larger "pe", "simd", "lanes"."""
    parameters: dict[str, int]


class NamedRow(Row):
    """A geometry that has a name."""

    exceeds: list[str]


class Limits(TypedDict):
    """What one dares to fill of the device, and what its memory allows."""

    alm: float
    blocks: int
    blocks_crowded: int
    memory_floor: dict[str, float]


class Report(TypedDict):
    """What report.json holds."""

    device: dict[str, Any]
    """The fields of `Device`."""
    widths: list[int]
    orders: list[int]
    ternary: list[bool]
    weight_bits: int
    weight_stream: int
    note: str
    timeout: int
    limits: Limits
    tried: int
    fit: int
    picks: dict[str, Row]
    named: dict[str, NamedRow]
    table: list[Row]
    front: list[Fit]


def _row(space: Space, candidate: Candidate) -> Row:
    """A candidate as it stands in the report."""
    bounds = space.bounds(candidate)
    pe, simd, lanes = candidate.sizes
    return {
        "pe": pe,
        "simd": simd,
        "lanes": lanes,
        "cycles_per_image": round(candidate.cycles, 3),
        "period": candidate.period,
        "latency": candidate.latency,
        "busy": round(candidate.busy, 4),
        "alm": round(candidate.area.alm, 1),
        "alm_share": round(candidate.area.alm / space.device.alms, 4),
        "blocks": candidate.area.blocks,
        "parts": {name: round(alm, 1) for name, alm in candidate.area.parts.items()},
        "bounds": bounds,
        "parameters": candidate.geometry.parameters(),
    }


def explore(
    device: Device,
    shape: Shape | Sequence[int],
    max_lanes: int = MAX_LANES,
    timeout: int = TIMEOUT,
    streamed: bool = False,
    port: int | None = None,
    rows: int = 16,
) -> Report:
    """The report: what fits, the best, the front. Streams weights where they do not fit, or must.

    `port` is the width of the weight port in bits, by default as wide as the pins allow.
    `UserError` if nothing fits either way.
    """
    shape = Shape.of(shape)
    maps = isinstance(shape, MapShape)
    if maps and streamed:
        raise UserError("A core for convolutions has its weights in a memory: none are streamed.")
    space = Space(device, shape, 0, max_lanes, timeout)
    weights = sum(n * m * planes for n, m, planes in shape.layers)
    reason = "Streamed, as asked for."
    found = [] if streamed else space.explore()
    if not found:
        if not streamed:
            reason = (
                f"The network does not fit {device.part}: it has {weights:,} weight bits, the "
                f"device {device.blocks * device.block_bits:,} bits in {device.blocks} "
                f"{device.block}, {device.alms:,} ALMs."
            )
        if maps:
            raise UserError(f"{reason} Nor can a core for convolutions stream its weights.")
        port = device.port_bits if port is None else port
        if port < 8:
            raise UserError(f"{reason} It has no pins for a port to stream weights over, either.")
        space = Space(device, shape, port, max_lanes, timeout)
        found = space.explore()
        if not found:
            raise UserError(f"{reason} Nor does the smallest core with streamed weights.")
    best = front(found)
    picks = pick(found)
    named: dict[str, NamedRow] = {}
    if device.named and not space.port:
        known = {"maps": MAPS} if maps else {n: NAMED[n] for n in ("throughput", "latency")}
        for name, sizes in known.items():
            if sizes[2] not in space.lanes:
                continue
            try:
                geometry, area = space.build(Sizes(*sizes))
            except GeometryError:  # of slots too small for the network's pixels
                continue
            candidate = space.judge(geometry, area)
            named[name] = {
                **_row(space, candidate), "exceeds": space.excess(geometry, area)
            }
    shown = [*picks.values()]
    for cost in (0, 2):
        ranked = sorted(best, key=lambda c, k=cost: (c.costs[k], c.costs))  # type: ignore[misc]
        shown += ranked[:3]
    shown += thin(best, rows)
    unique = {candidate.sizes: candidate for candidate in shown}
    floor = space.memory_floor()
    return {
        "device": asdict(device),
        "widths": list(shape.widths),
        "orders": list(shape.orders),
        "ternary": list(shape.ternary),
        "weight_bits": weights,
        "weight_stream": space.port,
        "note": reason if space.port else "",
        "timeout": timeout,
        "limits": {
            "alm": device.alm_limit,
            "blocks": device.block_limit(0),
            "blocks_crowded": device.block_limit(device.alms),
            "memory_floor": {str(k): v for k, v in floor.items()},
        },
        "tried": space.tried,
        "fit": space.fit,
        "picks": {name: _row(space, candidate) for name, candidate in picks.items()},
        "named": named,
        "table": [
            _row(space, c) for c in sorted(unique.values(), key=lambda c: c.costs)
        ],
        "front": [
            {
                "pe": c.sizes.pe,
                "simd": c.sizes.simd,
                "lanes": c.sizes.lanes,
                "cycles_per_image": round(c.cycles, 3),
                "latency": c.latency,
                "alm": round(c.area.alm, 1),
                "blocks": c.area.blocks,
            }
            for c in best
        ],
    }


def _sizes(row: Fit) -> Sizes:
    return Sizes(row["pe"], row["simd"], row["lanes"])


def _sizes_text(row: Fit) -> str:
    return f"PE={row['pe']} SIMD={row['simd']} LANES={row['lanes']}"


def _network_text(report: Report) -> str:
    kinds = ["second order"] * (2 in report["orders"]) + ["ternary"] * any(report["ternary"])
    return "-".join(map(str, report["widths"])) + f" ({', '.join(kinds)})" * bool(kinds)


def table(report: Report) -> str:
    """The report for the reader at the terminal."""
    device = report["device"]
    limits = report["limits"]
    lines = [
        f"{_network_text(report)} on {device['board']}, {device['part']}: at most "
        f"{limits['alm']:,.0f} of {device['alms']:,} ALMs; of {device['blocks']} {device['block']} "
        f"{limits['blocks']}, or {limits['blocks_crowded']} where the logic is crowded.",
        f"Fit: {report['fit']:,} geometries. ALMs are estimates of Yosys' estimates.",
    ]
    if report["note"]:
        lines.append(f"{report['note']} Weights streamed over {report['weight_stream']} bits.")
    head = ("", "PE", "SIMD", "LANES", "cyc/image", "latency", "busy", "ALM", device["block"],
            "next PE", "next SIMD", "next LANE")
    rows = []
    marks = {_sizes(row): name for name, row in report["picks"].items()}
    for row in report["table"]:
        sizes = _sizes(row)
        mark = ("both" if len(marks) == 1 else marks[sizes]) if sizes in marks else ""
        rows.append((
            mark, *map(str, sizes), f"{row['cycles_per_image']:.2f}",
            str(row["latency"]), f"{row['busy']:.1%}", f"{row['alm']:,.0f}", str(row["blocks"]),
            *(row["bounds"][k] for k in Sizes._fields),
        ))
    lines += ["", columns(head, rows, left=(0, 9, 10, 11)), ""]
    for name, row in report["picks"].items():
        lines.append(
            f"best for {name}: {_sizes_text(row)}: {row['cycles_per_image']:.2f} cycles an image, "
            f"latency {row['latency']} cycles, {row['alm']:,.0f} ALMs ({row['alm_share']:.0%}), "
            f"{row['blocks']} {device['block']}."
        )
        if name in report["named"]:
            known = report["named"][name]
            same = _sizes(known) == _sizes(row)
            exceeds = f"; it exceeds: {', '.join(known['exceeds'])}" if known["exceeds"] else ""
            lines.append(
                f"  the geometry named {name} is the same." if same else
                f"  the geometry named {name}, {_sizes_text(known)}, takes "
                f"{known['cycles_per_image']:.2f} cycles an image, latency {known['latency']}, "
                f"{known['alm']:,.0f} ALMs, {known['blocks']} {device['block']}{exceeds}."
            )
    lines.append(
        "next ...: what stops the next larger size (logic, memory width, memory depth, pins, size; "
        "--help explains)."
    )
    return "\n".join(lines)


def shown(report: Report) -> pareto.Pareto:
    """What the picture of a report shows."""
    streamed = f", weights streamed over {report['weight_stream']} bits" * bool(
        report["weight_stream"]
    )
    network = f"{_network_text(report)} on {report['device']['part']}{streamed}"
    return pareto.data(report, network)


# ---- command line

_DESCRIPTION = """\
Lists the geometries (PE, SIMD, LANES) of the core that fit an FPGA and are worth building for a
network, the best ones marked. Where the weights do not fit the chip, it explores cores that stream
them."""

_EPILOG = """\
PE: neurons at once; SIMD: inputs of each per cycle; LANES: images at once, which share every
weight. Latency counts from the last beat of a lone image to its class, with the wait of a core of
several lanes for more images (--timeout). busy: share of the cycles in which the PEs work; best for
throughput is the fastest geometry that keeps them busy for 95 %. The ALMs are an estimate
(model/xnor_fcc/area.py). Writes report.json, and pareto.svg where matplotlib is installed
(pip install 'xnor-fcc[plots]').

what stops the next larger size
  logic:        too few ALMs
  memory width: the weights fit the blocks of RAM, but not that many bits a cycle
  memory depth: the weights are more bits than the blocks hold
  pins:         it fits, but images, results or streamed weights take longer through the ports than
                the computing
  size:         no layer is wider

devices
{devices}

examples
  xnor-fcc explore --network order2
  xnor-fcc explore --widths 784-512-10 --device de0-cv --max-lanes 2
  xnor-fcc explore --streamed --port 64 --json
make explore takes DEVICE=, NETWORK=, WIDTHS=, and other options in ARGS=.
"""


def parse_widths(text: str) -> tuple[int, ...]:
    """Widths from "784-1024-10"; `UserError` where that is no network."""
    parts = text.split("-")
    if len(parts) < 2:
        raise UserError(
            f"WIDTHS={text} lacks a layer: give inputs, hidden layers and classes, as in "
            "784-1024-1024-10."
        )
    if len(parts) - 1 > MAX_LAYERS:
        raise UserError(f"WIDTHS={text} has {len(parts) - 1} layers, a core at most {MAX_LAYERS}.")
    for number, part in enumerate(parts, 1):
        if not (part.isascii() and part.isdigit()) or not 1 <= int(part[:9]) <= MAX_WIDTH:
            what = f'"{part}"' if part else "missing"
            raise UserError(
                f"WIDTHS={text}: width {number} is {what}, but must be a number from 1 to "
                f"{MAX_WIDTH}."
            )
    return tuple(int(part) for part in parts)


def load_shape(name: str) -> Shape:
    """What of a network file decides the core, given by path or as a name in model/networks."""
    shape = IntegerNetwork.load(find_network(name)).shape
    parse_widths("-".join(map(str, shape.widths)))
    return shape


def parser() -> CommandLine:
    """The command line."""
    known = devices()
    result = CommandLine(
        prog="xnor-fcc explore",
        description=_DESCRIPTION,
        epilog=_EPILOG.format(
            devices="\n".join(f"  {d.name + ':':<11}{d.board}, {d.part}" for d in known.values())
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add(
        "--device", default="de1-soc", metavar="NAME",
        help="name of an FPGA board (default: de1-soc)",
    )
    network = result.add_mutually_exclusive_group()
    add_network(network, default=None)
    network.add_argument(
        "--widths", metavar="N-N-...",
        help="instead: inputs, hidden layers, classes, as 784-1024-1024-10, all of single bits",
    )
    add(
        "--max-lanes", type=int, default=MAX_LANES, metavar="N",
        help="most lanes to try (default: 64)",
    )
    add(
        "--timeout", type=int, default=TIMEOUT, metavar="N",
        help="cycles that a core of several lanes waits for more images (default: 256)",
    )
    add("--fill", type=float, metavar="SHARE", help="share of the ALMs to use (default: 0.9)")
    add("--streamed", action="store_true", help="explore streamed weights even where they fit")
    add(
        "--port", type=int, metavar="BITS",
        help="bits of the streamed weight port (default: all pins; images, results and registers "
        "are taken to be served from inside the chip)",
    )
    add(
        "--rows", type=int, default=16, metavar="N",
        help="about how many rows of the front (default: 16)",
    )
    add("--json", action="store_true", help="print report.json instead of the table")
    add(
        "--output", type=Path, default=DEFAULT_OUT, metavar="DIR",
        help=f"directory for report.json and pareto.svg (default: {DEFAULT_OUT})",
    )
    return result


def _in_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UserError(f"{name} {value} is outside {low} to {high}.")


def main(argv: Sequence[str] | None = None) -> int:
    """Explore, print, write."""
    options = parser().parse_args(argv)
    known = devices()
    if options.device not in known:
        raise UserError(
            f"The device {options.device} is not known; there are {', '.join(known)} "
            "(model/xnor_fcc/devices.json)."
        )
    device = known[options.device]
    _in_range("--max-lanes", options.max_lanes, 1, MAX_LANES)
    _in_range("--timeout", options.timeout, 0, 2**32 - 1)
    _in_range("--rows", options.rows, 2, 1000)
    if options.fill is not None:
        _in_range("--fill", options.fill, 0.01, 1)
        device = replace(device, logic_fill=options.fill)
    if options.port is not None:
        _in_range("--port", options.port, 8, 4096)
        if options.port % 8:
            raise UserError(f"--port {options.port} is not a multiple of 8.")
    shape = (
        Shape.of(parse_widths(options.widths))
        if options.widths is not None
        else load_shape(options.network or "mnist")
    )
    if not lane_sizes(shape, options.max_lanes):
        wanted = "two lanes carry an image of second order"
        if isinstance(shape, MapShape):
            lanes = 4 * (2 if shape.pairs else 1)
            wanted = f"{lanes} lanes carry the positions of a convolution"
        raise UserError(f"--max-lanes {options.max_lanes} is too few: {wanted}.")
    report = explore(
        device, shape, options.max_lanes, options.timeout, options.streamed, options.port,
        options.rows,
    )
    write_json(options.output / "report.json", report)
    written = str(options.output / "report.json")
    drawing = options.output / "pareto.svg"
    drawing.unlink(missing_ok=True)
    if plot.available():
        write_text(drawing, pareto.picture(shown(report)))
        written += f" and {drawing}"
    print(json.dumps(report, indent=1) if options.json else table(report))
    if not options.json:
        print(f"wrote {written}")
        if not plot.available():
            print(f"No picture of the front: {plot.MISSING}")
    return 0
