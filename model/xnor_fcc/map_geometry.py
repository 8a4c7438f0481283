# SPDX-License-Identifier: Apache-2.0
"""What `geometry.Geometry` says of cores for convolutions (MAP_INPUT > 0): their rules, the
smallest one of some PE and SIMD, what fits, and the cycles of a network.

    pass    = sum of blocks^2 * repeats * groups * rounds * words of all layers (`map_plan`), that
              of the first one eight times where it takes pixels as numbers
              + (layers - 1) * drain
    latency = pass + classes + overhead          a lone image, last beat in to class out
    period  = max(pass, load, send)              cycles from image to image, always fed
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .map_plan import MOST_SIDE, SLOTS, Stage, image_area, plan
from .parameters import PARAMETERS, most
from .shape import GeometryError, KindError, MapShape

if TYPE_CHECKING:
    from .geometry import Geometry

# Cycles from the last step of a layer to the load of the next one, by ORDER (DRAIN in
# fcc_map_engine.v).
DRAIN = {1: 11, 2: 13}
# Cycles of a lone image outside the pass, in a core of ORDER 1: storing it, pipeline, result.
LATENCY_OVERHEAD = 13
# Cycles from the last step of the output layer until its result begins to leave.
RESULT_OVERHEAD = 11

# Parameters that only such a core has: name, least and greatest value.
LIMITS = {
    name.lower(): (parameter.smallest_in(maps=True), most(name))
    for name, parameter in PARAMETERS.items()
    if parameter.maps
}


def check(g: Geometry) -> None:
    """The rules of a core for convolutions; GeometryError, in a sentence, if it breaks one."""
    for name, (low, high) in LIMITS.items():
        value = getattr(g, name)
        if not low <= value <= high:
            raise GeometryError(f"{name.upper()}={value} is outside {low} to {high}.")
    bits = SLOTS * g.pixel_channels * (g.pixel_levels or 1)
    for wrong, rule in (
        (g.lanes != 4 * g.order, f"LANES={g.lanes} must be 4 * ORDER"),
        (g.simd % SLOTS != 0, f"SIMD={g.simd} must be a multiple of 3"),
        (g.slot % g.pe != 0, f"PE={g.pe} must divide SIMD / 3, which is {g.slot}"),
        (bits > g.slot, f"SIMD={g.simd} must be at least {SLOTS * bits}, the bits of 3x3 pixels"),
        (
            8 * g.pixel_channels > g.image_width,
            f"IMAGE_WIDTH={g.image_width} must be at least {8 * g.pixel_channels}, a pixel",
        ),
        (g.weight_stream != 0, f"WEIGHT_STREAM={g.weight_stream} must be 0"),
        (g.taps != 1, f"TAPS={g.taps} must be 1"),
    ):
        if wrong:
            raise GeometryError(f"{rule} where MAP_INPUT is not 0.")


def smallest(shape: MapShape, pe: int, simd: int) -> dict[str, int]:
    """Parameters of the smallest core of PE and SIMD that runs a network of `shape`."""
    if simd % SLOTS or simd // SLOTS % pe:
        raise GeometryError(
            f"PE={pe} SIMD={simd} is no core for convolutions: SIMD must be a multiple of 3, and "
            f"PE divide SIMD / 3."
        )
    stages = plan(shape, pe, simd)
    even, odd = (_area_words(stages, parity, simd // SLOTS // pe) for parity in (0, 1))
    order = 2 if shape.pairs else 1
    words = sum(stage.turn for stage in stages)
    return {
        "pe": pe,
        "simd": simd,
        "lanes": 4 * order,
        "max_width": max(*(stage.words * simd for stage in stages), *shape.widths[1:]),
        "max_layers": len(stages),
        "max_classes": shape.widths[-1],
        "weight_depth": max(2, words),
        "threshold_depth": max(2, sum(stage.groups for stage in stages)),
        "order": order,
        "ternary": int(any(shape.ternary)),
        "map_input": image_area(shape.side).words,
        "map_even": max(1, even),
        "map_odd": max(1, odd),
        "pixel_channels": shape.colours,
        "pixel_levels": shape.levels,
    }


def default_sizes(shape: MapShape) -> tuple[int, int, int]:
    """PE, SIMD, LANES of a core whose slots suit a network: as many channels as its convolutions
    have, and the bits of three pixels, but rather not more than 64; two groups fill a slot."""
    count = len(shape.convolutions)
    bits = SLOTS * shape.channels
    slot = max(bits, min(64, max(shape.widths[1 : count + 1])))
    slot = 1 << (slot - 1).bit_length()
    return max(1, slot // 2), SLOTS * slot, 4


def _area_words(stages: tuple[Stage, ...], parity: int, parts: int) -> int:
    """Words of a bank that the maps of even (0) or odd (1) layers take."""
    return max((stage.out_words(parts) for stage in stages[parity:-1:2]), default=0)


def require_fit(g: Geometry, shape: MapShape) -> None:
    """Raise `GeometryError` unless a network of `shape` fits; `KindError` where the core is of
    another kind, as `Geometry.require_fit`."""
    if not g.map_input:
        raise KindError(
            "The network has convolutions, which this core (MAP_INPUT=0) was built without."
        )
    if g.numbers != (shape.levels == 0):
        takes = ("bits of a thermometer", "numbers")
        raise KindError(
            f"The network's first layer takes pixels as {takes[shape.levels == 0]}, but this core "
            f"(PIXEL_LEVELS={g.pixel_levels}) has them as {takes[g.numbers]}."
        )
    stages = plan(shape, g.pe, g.simd)
    parts = g.slot // g.pe
    even, odd = (_area_words(stages, parity, parts) for parity in (0, 1))
    for what, need, have in (
        ("images of {} pixels a side", shape.side, MOST_SIDE),
        ("windows of {} words", max(stage.words for stage in stages), g.ring),
        ("layers of up to {} neurons", max(shape.widths[1:]), g.max_width),
        ("{} layers", len(stages), g.max_layers),
        ("{} classes", shape.widths[-1], g.max_classes),
        ("{} weight words", sum(stage.turn for stage in stages), g.weight_depth),
        ("{} threshold words", sum(stage.groups for stage in stages), g.threshold_depth),
        ("{} colours", shape.colours, g.pixel_channels),
        ("{} levels a colour", shape.levels, g.pixel_levels),
        ("{} words a bank for an image", image_area(shape.side).words, g.map_input),
        ("{} words a bank for the maps of even layers", even, g.map_even),
        ("{} words a bank for the maps of odd layers", odd, g.map_odd),
    ):
        if need > have:
            raise GeometryError(
                f"The network needs {what.format(need)}, but this core has room for {have}."
            )


def pass_cycles(g: Geometry, shape: MapShape) -> int:
    """Cycles of one image through all layers."""
    stages = plan(shape, g.pe, g.simd)
    return sum(stage.steps for stage in stages) + (len(stages) - 1) * DRAIN[g.order]


def latency_cycles(g: Geometry, shape: MapShape) -> int:
    """Cycles from the last beat of a lone image to the beat with its class."""
    return pass_cycles(g, shape) + shape.widths[-1] + LATENCY_OVERHEAD + g.order - 1


def results_cycles(g: Geometry, shape: MapShape) -> int:
    """Cycles from the last step of the output layer until its result has left."""
    return RESULT_OVERHEAD + g.order - 1 + shape.widths[-1] + 1


def load_cycles(shape: MapShape) -> int:
    """Shortest time in which an image can come: a pixel a beat."""
    return shape.side**2


def send_cycles(g: Geometry, shape: MapShape) -> int:
    """Shortest time in which the output layer and its results can follow each other."""
    return plan(shape, g.pe, g.simd)[-1].steps + results_cycles(g, shape)
