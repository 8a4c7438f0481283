# SPDX-License-Identifier: Apache-2.0
"""`make explore`: which geometries of the core fit an FPGA, and what each is worth for a network.

Every PE, SIMD and LANES that can make a difference is tried: of all sizes that give every layer
the same number of groups (PE) or words (SIMD), the smallest. The cycles come from `Geometry`, the
area from `area`, what a device offers from devices.json. Listed are the geometries that no other
one beats in cycles an image, ALMs and latency at once (the Pareto front), thinned out.

What keeps a geometry from growing is named for its next larger PE, SIMD and LANES:

    logic          there are not enough ALMs
    memory width   the blocks of RAM have room for the weights, but not that many bits a cycle
    memory depth   the weights are more bits than the blocks hold
    pins           it fits, but images, results or streamed weights take longer through the ports
                   than the computing
    size           no layer is wider, or the core's parameters end there
    -              nothing: it fits, and is another point of the front

A network that is too large for the blocks of RAM is explored with streamed weights, over a port as
wide as the device has pins.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from . import plot
from .area import Area, Shapes, estimate, memories, popcount_alm
from .container import write_atomically, write_json
from .errors import CommandLine, UserError
from .geometry import NAMED, Geometry, GeometryError, Shape, ceil_div
from .geometry_options import add_network
from .integer import IntegerNetwork, find_network
from .places import BUILD

DATA: dict[str, Any] = json.loads(Path(__file__).with_name("devices.json").read_text())
DEFAULT_OUT = BUILD / "explore"

MAX_WIDTH, MAX_LAYERS, MAX_LANES, MAX_PE, MAX_SIMD = 32767, 16, 64, 4096, 4096

# Pins of a streamed weight port beside its data, with clock and reset.
_PORT_PINS = 6
# Share of a period's cycles that must be steps in the geometry picked for throughput.
_BUSY = 0.95
# PARTIAL_TIMEOUT after a reset.
_TIMEOUT = 256
# LANES for which the limit of the memory is drawn.
_FLOORS = 4
# Streamed geometries whose exact period is worked out.
_STREAM_ROWS = 40


@dataclass(frozen=True)
class Device:
    """An FPGA, and how much of it one dares to fill; see devices.json for the meaning."""

    name: str
    board: str
    part: str
    alms: int
    block: str
    """What a block of RAM is called."""
    blocks: int
    block_bits: int
    shapes: Shapes
    user_io: int
    named: bool
    logic_fill: float
    blocks_fill: float
    crowded: float
    crowded_fill: float

    @property
    def alm_limit(self) -> float:
        """Most ALMs one dares to use."""
        return self.logic_fill * self.alms

    def block_limit(self, alm: float) -> int:
        """Most blocks of RAM one dares to use beside `alm` ALMs."""
        fill = self.crowded_fill if alm > self.crowded * self.alms else self.blocks_fill
        return math.floor(fill * self.blocks)

    @property
    def port_bits(self) -> int:
        """Bits of the widest port for streamed weights, a multiple of 8."""
        return max(0, (self.user_io - _PORT_PINS) // 8 * 8)


def devices() -> dict[str, Device]:
    """The devices of devices.json by name."""
    fill = DATA["fill"]
    result = {}
    for entry in DATA["devices"]:
        family = DATA["families"][entry["family"]]
        result[entry["name"]] = Device(
            **{key: entry[key] for key in (
                "name", "board", "part", "alms", "blocks", "user_io", "named"
            )},
            block=family["block"],
            block_bits=family["block_bits"],
            shapes=tuple((words, bits) for words, bits in family["shapes"]),
            logic_fill=fill["logic"],
            blocks_fill=fill["blocks"],
            crowded=fill["crowded"],
            crowded_fill=fill["crowded_blocks"],
        )
    return result


class Sizes(NamedTuple):
    """What is varied."""

    pe: int
    simd: int
    lanes: int


@dataclass(frozen=True)
class Candidate:
    """A geometry that fits, and what it is worth for the network."""

    geometry: Geometry
    area: Area
    period: int
    """Cycles from batch to batch, always fed."""
    latency: int
    """Cycles of a lone image, last beat in to class out."""
    steps: int
    """Steps of a pass."""
    images: int
    """Images of a batch."""

    @property
    def sizes(self) -> Sizes:
        """PE, SIMD, LANES."""
        return Sizes(self.geometry.pe, self.geometry.simd, self.geometry.lanes)

    @property
    def cycles(self) -> float:
        """Cycles an image, always fed."""
        return self.period / self.images

    @property
    def busy(self) -> float:
        """Share of the period in which the PEs take a word."""
        return self.steps / self.period

    @cached_property
    def costs(self) -> tuple[float, float, float]:
        """What is to be small: cycles an image, ALMs, latency."""
        return (self.cycles, self.area.alm, float(self.latency))


def step_sizes(widths: Iterable[int], limit: int) -> list[int]:
    """Every smallest size that cuts a layer of one of `widths` into some number of parts, rising.

    Between two neighbours of the list every layer needs the same number of groups (or words).
    """
    sizes = set()
    for width in widths:
        size = width
        while size >= 1:
            parts = ceil_div(width, size)
            smallest = ceil_div(width, parts)
            sizes.add(smallest)
            size = smallest - 1
    return sorted(size for size in sizes if size <= limit)


def lane_sizes(shape: Shape, limit: int) -> list[int]:
    """Every number of lanes up to `limit` in which a network works: where two lanes carry an image,
    the even ones."""
    step = 2 if shape.pairs else 1
    return list(range(step, limit + 1, step))


class Space:
    """All geometries for one network on one device.

    `port` is 0 for a core with a weight memory, else the bits of the streamed weight port.
    """

    def __init__(
        self,
        device: Device,
        shape: Shape | Sequence[int],
        port: int = 0,
        max_lanes: int = MAX_LANES,
        timeout: int = _TIMEOUT,
    ) -> None:
        self.device = device
        self.shape = Shape.of(shape)
        self.port = port
        self.lanes = lane_sizes(self.shape, max_lanes)
        self.timeout = timeout
        self.pes = step_sizes(self.shape.widths[1:], MAX_PE)
        self.simds = step_sizes(self.shape.widths[:-1], MAX_SIMD)
        self.tried = self.fit = 0

    def geometry(self, sizes: Sizes) -> Geometry:
        """The smallest core of these sizes for the network; `GeometryError` if there is none."""
        return Geometry.for_widths(self.shape, *sizes, weight_stream=self.port)

    def build(self, sizes: Sizes) -> tuple[Geometry, Area]:
        """The core of these sizes and what it takes; `GeometryError` if there is none."""
        geometry = self.geometry(sizes)
        return geometry, estimate(geometry, self.device.shapes)

    def excess(self, geometry: Geometry, area: Area) -> list[str]:
        """What the device has too little of: "logic", "memory width", "memory depth"."""
        result = []
        if area.alm > self.device.alm_limit:
            result.append("logic")
        limit = self.device.block_limit(area.alm)
        if area.blocks > limit:
            bits = sum(width * depth for width, depth in memories(geometry))
            full = bits > limit * self.device.block_bits
            result.append("memory depth" if full else "memory width")
        return result

    def judge(self, geometry: Geometry, area: Area) -> Candidate:
        """The candidate, its cycles exact."""
        return Candidate(
            geometry,
            area,
            geometry.period_cycles(self.shape),
            geometry.latency_cycles(self.shape, self.timeout),
            geometry.steps(self.shape),
            geometry.images_per_batch(self.shape),
        )

    def judge_streamed(self, geometry: Geometry, area: Area) -> Candidate:
        """The candidate with a lower bound of its cycles: the exact ones take long to count."""
        beats = ceil_div(geometry.pe * geometry.simd, self.port) * geometry.steps(self.shape)
        bare = replace(geometry, weight_stream=0)
        return Candidate(
            geometry,
            area,
            max(beats, bare.period_cycles(self.shape)),
            max(beats, bare.latency_cycles(self.shape, self.timeout)),
            geometry.steps(self.shape),
            geometry.images_per_batch(self.shape),
        )

    def _words_of_simd(self, pe: int) -> Iterator[int]:
        """SIMDs to try with a PE: the smallest of each kind, and the one from which layers overlap.

        A layer may begin while the one before is finished only where PE <= SIMD.
        """
        for simd, following in pairwise([*self.simds, MAX_SIMD + 1]):
            yield simd
            if simd < pe < following:
                yield pe

    def explore(self) -> list[Candidate]:
        """Every geometry that fits, in no order."""
        found = []
        judge = self.judge_streamed if self.port else self.judge
        for pe in tqdm(self.pes, desc="exploring", delay=2, leave=False, disable=None):
            for simd in self._words_of_simd(pe):
                # Words of many beats only wait for them.
                if self.port and pe * simd > 2 * self.port:
                    break
                if pe * popcount_alm(simd) > self.device.alm_limit:
                    break
                for lanes in self.lanes:
                    self.tried += 1
                    try:
                        geometry, area = self.build(Sizes(pe, simd, lanes))
                    except GeometryError:
                        break  # too many banks or parts of a kind
                    if self.excess(geometry, area):
                        break
                    found.append(judge(geometry, area))
        self.fit = len(found)
        if self.port:
            # The bound is close: exact cycles for the best by it.
            rows = thin(front(found), _STREAM_ROWS)
            found = [self.judge(row.geometry, row.area) for row in rows]
        return found

    def bounds(self, candidate: Candidate) -> dict[str, str]:
        """What stops the next larger PE, SIMD and LANES; see the head of this file."""
        pe, simd, lanes = candidate.sizes
        larger = {
            "pe": next((Sizes(p, simd, lanes) for p in self.pes if p > pe), None),
            "simd": next((Sizes(pe, s, lanes) for s in self.simds if s > simd), None),
            "lanes": next((Sizes(pe, simd, n) for n in self.lanes if n > lanes), None),
        }
        return {name: self._bound(sizes) for name, sizes in larger.items()}

    def _bound(self, sizes: Sizes | None) -> str:
        if sizes is None:
            return "size"
        try:
            geometry, area = self.build(sizes)
        except GeometryError:
            return "size"
        excess = self.excess(geometry, area)
        if excess:
            return ", ".join(excess)
        after = (self.judge_streamed if self.port else self.judge)(geometry, area)
        computing = geometry.pass_cycles(self.shape)
        return "pins" if after.period > computing else "-"

    def memory_floor(self) -> dict[int, float]:
        """Fewest cycles an image that the blocks of RAM allow, were logic without end, by LANES.

        For up to 4 lanes; empty where weights are streamed or do not fit at all.
        """
        best: tuple[int, Geometry] | None = None
        if self.port:
            return {}
        for pe in self.pes:
            for simd in self._words_of_simd(pe):
                try:
                    geometry = self.geometry(Sizes(pe, simd, self.lanes[0]))
                except GeometryError:
                    continue
                cycles = geometry.pass_cycles(self.shape)
                if best is not None and cycles >= best[0]:
                    continue
                area = estimate(geometry, self.device.shapes)
                in_blocks = area.parts["memory in logic"] == 0
                if in_blocks and area.blocks <= self.device.block_limit(0):
                    best = (cycles, geometry)
        if best is None:
            return {}
        cores = [replace(best[1], lanes=lanes) for lanes in self.lanes if lanes <= _FLOORS]
        return {
            core.lanes: core.period_cycles(self.shape) / core.images_per_batch(self.shape)
            for core in cores
        }


def front(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The candidates that no other one beats in `costs`, the fewest cycles an image first."""
    kept: list[Candidate] = []
    costs = np.empty((0, 3))
    for candidate in sorted(candidates, key=lambda c: (*c.costs, c.sizes)):
        cost = np.array(candidate.costs)
        if not (costs <= cost).all(axis=1).any():
            kept.append(candidate)
            costs = np.vstack([costs, cost])
    return kept


def thin(candidates: Sequence[Candidate], rows: int) -> list[Candidate]:
    """At most `rows` of a front: with ever larger steps, those that save the more ALMs for it."""
    ratio = 1.0
    while True:
        kept: list[Candidate] = []
        for cost in (0, 2):
            alm = math.inf
            for candidate in sorted(candidates, key=lambda c, k=cost: (c.costs[k], c.costs)):  # type: ignore[misc]
                if candidate.area.alm < alm / ratio:
                    alm = candidate.area.alm
                    if candidate not in kept:
                        kept.append(candidate)
        if len(kept) <= max(rows, 2):
            return sorted(kept, key=lambda c: c.costs)
        ratio *= 1.02


def pick(candidates: Sequence[Candidate]) -> dict[str, Candidate]:
    """The best geometry for "throughput" and for "latency"; the smaller of equals.

    For throughput the PEs must be busy for 95 % of the cycles, if any geometry's are: what waits is
    better spent on another lane.
    """
    busy = [c for c in candidates if c.busy >= _BUSY] or candidates
    return {
        "throughput": min(busy, key=lambda c: (c.cycles, c.area.alm, c.sizes)),
        "latency": min(candidates, key=lambda c: (c.latency, c.area.alm, c.sizes)),
    }


# ---- report


def _row(space: Space, candidate: Candidate) -> dict[str, Any]:
    """A candidate as it stands in the report."""
    bounds = space.bounds(candidate)
    return {
        **candidate.sizes._asdict(),
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
    timeout: int = _TIMEOUT,
    streamed: bool = False,
    port: int | None = None,
    rows: int = 16,
) -> dict[str, Any]:
    """The report: what fits, the best, the front. Streams weights where they do not fit, or must.

    `port` is the width of the weight port in bits, by default as wide as the pins allow.
    `UserError` if nothing fits either way.
    """
    shape = Shape.of(shape)
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
        port = device.port_bits if port is None else port
        if port < 8:
            raise UserError(f"{reason} It has no pins for a port to stream weights over, either.")
        space = Space(device, shape, port, max_lanes, timeout)
        found = space.explore()
        if not found:
            raise UserError(f"{reason} Nor does the smallest core with streamed weights.")
    best = front(found)
    picks = pick(found)
    named = {}
    if device.named and not space.port:
        for name in ("throughput", "latency"):
            if NAMED[name][2] not in space.lanes:
                continue
            geometry, area = space.build(Sizes(*NAMED[name]))
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
                **c.sizes._asdict(),
                "cycles_per_image": round(c.cycles, 3),
                "latency": c.latency,
                "alm": round(c.area.alm, 1),
                "blocks": c.area.blocks,
            }
            for c in best
        ],
    }


def _sizes_text(row: dict[str, Any]) -> str:
    return f"PE={row['pe']} SIMD={row['simd']} LANES={row['lanes']}"


def _network_text(report: dict[str, Any]) -> str:
    kinds = ["second order"] * (2 in report["orders"]) + ["ternary"] * any(report["ternary"])
    return "-".join(map(str, report["widths"])) + f" ({', '.join(kinds)})" * bool(kinds)


def table(report: dict[str, Any]) -> str:
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
    rows: list[tuple[str, ...]] = [head]
    marks = {
        tuple(row[k] for k in Sizes._fields): name for name, row in report["picks"].items()
    }
    both = {tuple(row[k] for k in Sizes._fields) for row in report["picks"].values()}
    for row in report["table"]:
        sizes = tuple(row[k] for k in Sizes._fields)
        mark = ("both" if len(both) == 1 else marks[sizes]) if sizes in marks else ""
        rows.append((
            mark, *(str(row[k]) for k in Sizes._fields), f"{row['cycles_per_image']:.2f}",
            str(row["latency"]), f"{row['busy']:.1%}", f"{row['alm']:,.0f}", str(row["blocks"]),
            *(row["bounds"][k] for k in Sizes._fields),
        ))
    size = [max(len(row[i]) for row in rows) for i in range(len(head))]
    left = {0, 9, 10, 11}
    lines.append("")
    lines += [
        "  ".join(
            cell.ljust(size[i]) if i in left else cell.rjust(size[i])
            for i, cell in enumerate(row)
        ).rstrip()
        for row in rows
    ]
    lines.append("")
    for name, row in report["picks"].items():
        lines.append(
            f"best for {name}: {_sizes_text(row)}: {row['cycles_per_image']:.2f} cycles an image, "
            f"latency {row['latency']} cycles, {row['alm']:,.0f} ALMs ({row['alm_share']:.0%}), "
            f"{row['blocks']} {device['block']}."
        )
        if name in report["named"]:
            known = report["named"][name]
            same = tuple(known[k] for k in Sizes._fields) == tuple(row[k] for k in Sizes._fields)
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


# ---- picture

_FRAME = plot.Frame(80, 40, 700, 420)
_COLOURS = ("#6baed6", "#fd8d3c", "#74c476", "#9e9ac8")


def _lanes_colour(lanes: int) -> str:
    return _COLOURS[min(lanes, len(_COLOURS)) - 1]


def picture(report: dict[str, Any]) -> str:
    """The front as a drawing (SVG): ALMs over cycles an image, picks marked, limits drawn."""
    points = report["front"]
    device, limits = report["device"], report["limits"]
    # A decade is enough: beyond it small cores crowd.
    fastest = min(p["cycles_per_image"] for p in points)
    slowest = min(max(p["cycles_per_image"] for p in points), 40 * fastest)
    low, high = math.log(fastest / 1.25), math.log(max(slowest, 1.5 * fastest) * 1.1)
    top = device["alms"] * 1.08
    left, right, bottom = _FRAME.left, _FRAME.right, _FRAME.bottom

    def x_of(cycles: float) -> float:
        return left + _FRAME.width * (math.log(cycles) - low) / (high - low)

    def y_of(alm: float) -> float:
        return _FRAME.top + _FRAME.height * (1 - alm / top)

    parts = [_FRAME.row(y_of(alm), f"{alm:,}") for alm in range(0, int(top), 5000)]
    for decade in range(0, 9):
        for digit in (1, 2, 5):
            cycles = digit * 10**decade
            if low < math.log(cycles) < high:
                parts.append(_FRAME.column(x_of(cycles), f"{cycles:,}"))
    for alm, text in ((device["alms"], "all ALMs"), (limits["alm"], "ALMs one dares to fill")):
        y = y_of(alm)
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#d62728" '
                     f'stroke-dasharray="6 4"/><text x="{right - 4}" y="{y - 5:.1f}" '
                     f'text-anchor="end" fill="#d62728">{text}: {alm:,.0f}</text>')
    for lanes, cycles in limits["memory_floor"].items():
        if low < math.log(cycles) < high:
            x = x_of(cycles)
            word = "lane" if lanes == "1" else "lanes"
            parts.append(
                f'<line x1="{x:.1f}" y1="{_FRAME.top}" x2="{x:.1f}" y2="{bottom}" '
                f'stroke="{_lanes_colour(int(lanes))}" stroke-dasharray="2 3"/>'
                f'<text x="{x:.1f}" y="{_FRAME.top - 6}" text-anchor="middle" font-size="11">'
                f"memory, {lanes} {word}</text>"
            )
    for p in points:
        if p["cycles_per_image"] > slowest:
            continue
        parts.append(
            f'<circle cx="{x_of(p["cycles_per_image"]):.1f}" cy="{y_of(p["alm"]):.1f}" r="3" '
            f'fill="{_lanes_colour(p["lanes"])}"><title>{_sizes_text(p)}: '
            f'{p["cycles_per_image"]:.2f} cycles an image, latency {p["latency"]}, '
            f'{p["alm"]:,.0f} ALMs, {p["blocks"]} {device["block"]}</title></circle>'
        )
    for name, row in report["picks"].items():
        x, y = x_of(min(row["cycles_per_image"], slowest)), y_of(row["alm"])
        side, anchor = (12, "start") if x < right - 240 else (-12, "end")
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="none" stroke="#333" stroke-width="2"/>'
            f'<text x="{x + side:.1f}" y="{y + 14:.1f}" font-weight="bold" '
            f'text-anchor="{anchor}">best {name}: '
            f"{row['pe']} x {row['simd']} x {row['lanes']}</text>"
        )
    seen = sorted({min(p["lanes"], len(_COLOURS)) for p in points})
    for i, lanes in enumerate(seen):
        x = left + 120 * i
        more = " or more" if lanes == len(_COLOURS) else ""
        word = "lane" if lanes == 1 else "lanes"
        parts.append(f'<circle cx="{x + 6}" cy="{bottom + 58}" r="4" '
                     f'fill="{_lanes_colour(lanes)}"/><text x="{x + 16}" y="{bottom + 62}">'
                     f"{lanes}{more} {word}</text>")
    streamed = f", weights streamed over {report['weight_stream']} bits" * bool(
        report["weight_stream"]
    )
    cycles_of = f"cycles an image ({_network_text(report)} on {device['part']}{streamed})"
    parts.append(_FRAME.edges(cycles_of, "ALMs, estimated"))
    return plot.document(right + 30, bottom + 80, "make explore", parts)


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
(model/xnor_fcc/area.py). Writes report.json and pareto.svg.

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
        "--timeout", type=int, default=_TIMEOUT, metavar="N",
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
        raise UserError("--max-lanes 1 is too few: two lanes carry an image of second order.")
    report = explore(
        device, shape, options.max_lanes, options.timeout, options.streamed, options.port,
        options.rows,
    )
    write_json(options.output / "report.json", report)
    write_atomically(options.output / "pareto.svg", picture(report).encode())
    print(json.dumps(report, indent=1) if options.json else table(report))
    if not options.json:
        print(f"wrote {options.output / 'report.json'} and {options.output / 'pareto.svg'}")
    return 0
