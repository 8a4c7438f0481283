# SPDX-License-Identifier: Apache-2.0
"""The picture of `make explore`: the geometries that no other one beats, ALMs over cycles an image,
with the best ones and the limits of the device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import plot

# Lanes that have a colour each; the last one is for more, too.
_COLOURS = ("#6baed6", "#fd8d3c", "#74c476", "#9e9ac8")
# Slower than the fastest geometry by more than this, small cores crowd.
_REACH = 40

Place = tuple[float, float]


@dataclass(frozen=True)
class Pareto:
    """What the picture shows; a place is cycles an image and ALMs."""

    front: dict[int, list[Place]]
    """By lanes, as far as these have colours."""
    picks: dict[str, Place]
    """The best, by what they are and their sizes."""
    limits: dict[str, float]
    """ALMs, by what they are."""
    floors: dict[int, float]
    """Cycles an image that the memory allows, by lanes."""
    cycles: tuple[float, float]
    """From the left edge to the right one."""
    network: str


def _lanes(count: int, more: str = "") -> str:
    return f"{count}{more} {'lane' if count == 1 else 'lanes'}"


def data(report: Mapping[str, Any], network: str) -> Pareto:
    """What to draw of a report; `network` says what it was made for."""
    rows = report["front"]
    fastest = min(row["cycles_per_image"] for row in rows)
    slowest = min(max(row["cycles_per_image"] for row in rows), _REACH * fastest)
    left, right = fastest / 1.25, max(slowest, 1.5 * fastest) * 1.1
    front: dict[int, list[Place]] = {}
    for row in rows:
        if row["cycles_per_image"] <= slowest:
            places = front.setdefault(min(row["lanes"], len(_COLOURS)), [])
            places.append((row["cycles_per_image"], row["alm"]))
    named: dict[tuple[str, Place], list[str]] = {}
    for name, row in report["picks"].items():
        sizes = f"{row['pe']} x {row['simd']} x {row['lanes']}"
        place = (min(row["cycles_per_image"], slowest), row["alm"])
        named.setdefault((sizes, place), []).append(name)
    return Pareto(
        front={lanes: front[lanes] for lanes in sorted(front)},
        picks={f"best {' and '.join(n)}: {sizes}": at for (sizes, at), n in named.items()},
        limits={
            "all ALMs": report["device"]["alms"],
            "ALMs one dares to fill": report["limits"]["alm"],
        },
        floors={
            int(lanes): cycles
            for lanes, cycles in report["limits"]["memory_floor"].items()
            if left < cycles < right
        },
        cycles=(left, right),
        network=network,
    )


def picture(shown: Pareto) -> str:
    """The SVG file; `UserError` without matplotlib."""
    axes = plot.axes(8.1, 5.4)
    left, right = shown.cycles
    for text, alm in shown.limits.items():
        axes.axhline(alm, color=plot.RED, linestyle="dashed", linewidth=1)
        axes.annotate(f"{text}: {alm:,.0f}", (right, alm), (-4, 3), textcoords="offset points",
                      ha="right", color=plot.RED)  # fmt: skip
    for lanes, cycles in shown.floors.items():
        axes.axvline(cycles, color=_COLOURS[lanes - 1], linestyle="dotted", linewidth=1.5)
        axes.annotate(f"memory, {_lanes(lanes)}", (cycles, 1), (0, 3), ha="center", fontsize=8,
                      xycoords=("data", "axes fraction"), textcoords="offset points")  # fmt: skip
    for lanes, places in shown.front.items():
        more = " or more" if lanes == len(_COLOURS) else ""
        axes.plot(*zip(*places, strict=True), "o", markersize=4, color=_COLOURS[lanes - 1],
                  label=_lanes(lanes, more))  # fmt: skip
    for text, place in shown.picks.items():
        axes.plot(*place, "o", markersize=10, fillstyle="none", color="black")
        nearer_left = place[0] ** 2 < left * right
        axes.annotate(text, place, (9 if nearer_left else -9, -12), textcoords="offset points",
                      ha="left" if nearer_left else "right", weight="bold")  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(shown.cycles)
    axes.set_ylim(0, 1.08 * shown.limits["all ALMs"])
    plot.logarithmic(axes.xaxis, (1, 2, 5), ",.0f")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel(f"cycles an image ({shown.network})")
    axes.set_ylabel("ALMs, estimated")
    axes.figure.legend(loc="outside lower left", ncols=len(_COLOURS), frameon=False)
    return plot.svg(axes, "Geometries that no other one beats: ALMs over cycles an image", shown)
