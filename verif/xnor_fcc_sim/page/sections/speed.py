# SPDX-License-Identifier: Apache-2.0
"""Sections on what the core costs: cycles, area, clock, switching, and how others compare."""

from __future__ import annotations

import json
from pathlib import Path

from xnor_fcc.devices import devices
from xnor_fcc_sim.page.blocks import (
    DASH,
    FAIL,
    NOTE,
    PASS,
    Block,
    Cell,
    Facts,
    Picture,
    Table,
    View,
    bars,
    number,
    or_dash,
    percent,
    share,
    word,
)
from xnor_fcc_sim.page.drawings import image
from xnor_fcc_sim.page.reports import (
    Activity,
    Anchor,
    Area,
    Bench,
    Board,
    Core,
    Exploration,
    Explored,
    Route,
    structure,
)
from xnor_fcc_sim.page.sections.topic import Topic, sizes

ANCHORS = Path(__file__).parents[1] / "anchors.json"
# Clock of the DE1-SoC.
_MHZ = devices()["de1-soc"].clock_mhz


def speed(d: Bench, _: Path) -> View:
    """Throughput, latency and area of the named geometries."""
    rows = []
    good = True
    for name in ("throughput", "latency", "default", "original"):
        r: Core = getattr(d, name)
        good &= r.cycles_per_image == r.model_cycles_per_image
        good &= r.cycles == r.model_cycles
        good &= r.wrong_bits == 0
        rows.append(
            [
                word(name),
                word(sizes(r.geometry)),
                number(r.cycles_per_image, ",g"),
                number(_MHZ * 1e6 / r.cycles_per_image, ",.0f"),
                number(r.cycles),
                number(r.cycles / _MHZ, ",.2f"),
                share(r.busy),
                number(r.alm, ",.0f"),
                number(r.m10k),
                number(r.images),
                Cell(f"{r.wrong_bits:,}", sort=float(r.wrong_bits),
                     state=PASS if r.wrong_bits == 0 else FAIL),
            ]
        )
    ports = d.lanes_scaling
    good &= all(p.wrong_bits == 0 and p.measured == p.modelled for p in ports)
    lanes = [
        [number(p.lanes), cell, number(p.modelled, ",g"), number(p.weight_stall_cycles)]
        for p, cell in zip(ports, bars([p.measured for p in ports]), strict=True)
    ]
    best = d.throughput
    return View(
        PASS if good else FAIL,
        f"{best.cycles_per_image:,g}",
        f"cycles an image, {_MHZ * 1e6 / best.cycles_per_image:,.0f} images a second at "
        f"{_MHZ} MHz",
        [
            Table(
                "The same network in three geometries. Images a second and microseconds at "
                f"{_MHZ} MHz; area of the whole core, estimated by Yosys {d.yosys}",
                ("geometry", "parameters", "cycles an image", "images a second", "latency, cycles",
                 "latency, µs", "busy", "ALM", "M10K", "images simulated", "wrong bits"),
                rows,
            ),
            Table(
                "Weights through one narrow port: cycles an image fall as lanes are added",
                ("lanes", "cycles an image", "by the model", "cycles waited for weights"),
                lanes,
            ),
            Facts(
                [
                    ("XNOR per cycle per ALM of the PE array, SIMD=128",
                     f"{d.xnor_per_cycle_per_alm:.2f}"),
                    ("simulated images a second, throughput geometry",
                     f"{d.images_per_second:,.0f}"),
                ]
            ),
        ],
    )


def forms(d: Area, _: Path) -> View:
    """What forms of the PE array cost."""
    simds = list(d.coder_alm)
    table = []
    for name, row in d.forms.items():
        table.append((d.labels[name], [row[simd].xnor_per_cycle_per_alm for simd in simds]))
    most = max(max(figures) for _, figures in table)
    rows = [
        [word(label), *(Cell(f"{f:.2f}", sort=float(f), bar=f / most) for f in figures)]
        for label, figures in table
    ]
    best = d.forms["rtl"][simds[-1]].xnor_per_cycle_per_alm
    return View(
        NOTE,
        f"{best:.2f}",
        f"XNOR per cycle per ALM at SIMD={simds[-1]}",
        [
            Table(
                f"XNORs per cycle per ALM by form of the PE array (PE={d.pe}, accumulator of "
                f"{d.acc_bits} bits), more is better; estimated by Yosys {d.yosys}",
                ("form", *(f"SIMD {simd}" for simd in simds)),
                rows,
                total=[word("ALMs that code one word, once for all PEs"),
                       *(number(d.coder_alm[simd], ",g") for simd in simds)],
            )
        ],
    )


def board(d: Board, _: Path) -> View:
    """The whole demo."""
    have = d.available
    rows = [
        [word(name), number(used, form), number(there), share(used / there)]
        for name, used, form, there in (
            ("ALM", d.alm, ",.0f", have.alm),
            ("M10K", d.m10k, ",", have.m10k),
        )
    ]
    fits = d.alm <= have.alm and d.m10k <= have.m10k
    return View(
        PASS if fits else FAIL,
        percent(d.alm / have.alm, 0),
        f"of the ALMs and {percent(d.m10k / have.m10k, 0)} of the M10K of the {d.board}",
        [
            Table(
                f"The demo for the {d.board} from its pins inward, {sizes(d.geometry)}, "
                f"{d.images} images; estimated by Yosys {d.yosys}",
                ("", "used", "there", "share"),
                rows,
            ),
            Facts([("DSP blocks", f"{d.dsp:,}"), ("flip-flops", f"{d.flip_flops:,}")]),
        ],
    )


def clock(d: Route, _: Path) -> View:
    """A lane placed and routed."""
    have = d.available
    path = d.critical_path
    total = sum(p.delay_ns for p in path)
    routing = sum(p.delay_ns for p in path if p.kind == "routing")
    g = d.geometry
    return View(
        NOTE,
        f"{d.fmax_mhz:.1f} MHz",
        f"routed, {d.xnor_per_cycle:,} XNORs a cycle, {d.device}",
        [
            Facts(
                [
                    ("placed and routed", f"{d.top} PE={g.pe} SIMD={g.simd} TAPS={g.taps}"),
                    ("device", d.device),
                    ("clock reached", f"{d.fmax_mhz:.1f} MHz, {d.target_mhz:g} asked for"),
                    ("critical path", f"{total:.2f} ns, {percent(routing / total, 0)} of it "
                     "routing"),
                ]
            ),
            Table(
                "What it takes",
                ("", "used", "there", "share"),
                [[word(name.upper()), number(used), number(have[name]), share(used / have[name])]
                 for name, used in (("lut4", d.lut4), ("ff", d.ff), ("ebr", d.ebr))],
            ),
            Table(
                "The critical path, from register to register",
                ("kind", "net or cell", "ns"),
                [[word(p.kind), word(p.net or p.to, code=True), number(p.delay_ns, ".3f")]
                 for p in path],
                folded=True,
            ),
        ],
    )


def geometries(d: Exploration, path: Path) -> View:
    """What `make explore` found."""
    device = d.device

    def row(name: str, r: Explored) -> list[Cell]:
        return [
            word(name),
            word(f"PE={r.pe} SIMD={r.simd} LANES={r.lanes}"),
            number(r.cycles_per_image, ",.2f"),
            number(r.latency),
            number(r.alm, ",.0f"),
            number(r.blocks),
        ]

    columns = ("", "parameters", "cycles an image", "latency, cycles", "ALM", device.block)
    widths = "-".join(map(str, d.widths))
    title = f"Geometries that no other one beats, {widths} on the {device.board}"
    drawing = path.with_name("pareto.svg")
    blocks: list[Block] = []
    if drawing.exists():
        blocks.append(Picture(image(drawing, title), title, white=True))
    blocks += [
        Table("The best of those that fit, by the model of the area", columns,
              [row(f"best {name}", r) for name, r in d.picks.items()]
              + [row(f"{name}, as built", r) for name, r in d.named.items()]),
        Table("A choice of the others", columns, [row("", r) for r in d.table], folded=True),
    ]
    detail = f"geometries on the Pareto front of {d.fit:,} that fit the {device.board}"
    return View(NOTE, f"{len(d.front):,}", detail, blocks)


def activity(d: dict[str, Activity], _: Path) -> View:
    """Bits that switch for an image."""
    rows = [
        [
            word(sizes(r.geometry)),
            number(r.toggles_per_image, ",.0f"),
            number(r.register_toggles_per_image, ",.0f"),
            number(r.logic_toggles_per_image, ",.0f"),
            number(r.toggles_per_register_bit_and_cycle, ".3f"),
            number(r.cycles_per_image, ",.2f"),
        ]
        for r in d.values()
    ]
    least = min(r.toggles_per_image for r in d.values())
    return View(
        NOTE,
        f"{least:,.0f}",
        "bits switch for one image, at best",
        [
            Table(
                "Bits that switch for one image in the steady state; glitches, clock and the "
                "inside of block RAM are not in it",
                ("core", "toggles an image", "of registers", "of logic",
                 "toggles of a register bit a cycle", "cycles an image"),
                rows,
            )
        ],
    )


def anchors(d: Bench | None, _: Path) -> View:
    """Published figures of other systems, and ours once they are measured."""
    rows = [
        [
            word(a.design),
            word(a.network),
            share(a.accuracy, digits=2),
            or_dash(a.cycles_per_image, ",g"),
            or_dash(a.latency_cycles, ",g"),
            word(a.area or DASH),
            word(a.source),
        ]
        for a in structure(json.loads(ANCHORS.read_text("utf-8"))["systems"], list[Anchor])
    ]
    ours = (("throughput", d.throughput), ("latency", d.latency)) if d is not None else ()
    for name, r in ours:
        rows.append(
            [
                word(f"this core, {name}: {sizes(r.geometry)}", PASS),
                word("784-1024-1024-1024-10, 1-bit"),
                share(r.accuracy, digits=2),
                or_dash(r.cycles_per_image, ",g"),
                or_dash(r.cycles, ",g"),
                word(f"{r.alm:,.0f} ALM, {r.m10k:,} M10K (Yosys)"),
                word(f"make bench, {r.images:,} images"),
            ]
        )
    columns = ("design", "network", "accuracy", "cycles an image", "latency, cycles", "area",
               "source")
    caption = "Published figures, as far as they could be checked; a dash is what was not"
    return View(NOTE, "", "", [Table(caption, columns, rows)])


_GROUP = "Speed and area"
_EXPLORED = tuple(
    f"model/xnor_fcc/{name}"
    for name in ("area.py", "devices.*", "explore.py", "geometry.py", "shape.py", "space.py")
)

TOPICS = (
    Topic("speed", "Throughput and latency", _GROUP, "bench", "bench/report.json", Bench, speed,
          demanding=True),
    Topic("area", "Area of the PE array", _GROUP, "area", "area/report.json", Area, forms,
          kept="rtl/AREA.md"),
    Topic("board", "The whole board", _GROUP, "board", "board/report.json", Board, board,
          demanding=True),
    Topic("clock", "Clock", _GROUP, "route", "route/report.json", Route, clock),
    Topic("geometries", "Pareto front", _GROUP, "explore", "explore/report.json", Exploration,
          geometries, _EXPLORED),
    Topic("activity", "Switching activity", _GROUP, "activity", "activity/report.json",
          dict[str, Activity], activity),
    Topic("anchors", "Beside other systems", _GROUP, "bench", "bench/report.json", Bench, anchors,
          always=True),
)
