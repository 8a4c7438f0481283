# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies that draw a `Scenario`; what they draw shrinks to few and simple parts.

Bounds keep one scenario at seconds: at most 300 steps a layer and cores that build in a moment.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from math import isqrt
from typing import Any

from hypothesis import strategies as st

from campaigns.scenarios.scenario import (
    BAD,
    BAD_WEIGHTS,
    BIASES,
    ENDINGS,
    GOOD,
    PRELUDES,
    THRESHOLDS,
    Access,
    Episode,
    Network,
    Packet,
    Scenario,
    steps_needed,
)
from xnor_fcc.geometry import IMAGE_WIDTHS, Geometry
from xnor_fcc.registers import MAP, mask
from xnor_fcc.shape import PIXEL_BITS

# Steps of the widest layer, and beats of a streamed weight word.
_STEPS, _STREAMED_STEPS, _BEATS = 250, 60, 8
_WIDEST = 96
# XNORs a cycle of all lanes together, for the sake of Icarus.
_XNORS = 1000
_SEEDS = st.integers(0, 255)
_FOREVER = 0xFFFF_FFFF
# (on, off) cycles; the first list shrinks to nothing at all.
_BURSTS = st.lists(st.tuples(st.integers(1, 8), st.integers(0, 20)), max_size=4).map(tuple)
_HOLDS = st.tuples(st.tuples(st.integers(1, 40), st.integers(60, 500)))

_WRITABLE = [r["address"] for r in MAP["registers"] if r["access"] != "ro"]
_VALUES = st.one_of(
    st.integers(0, 15), st.sampled_from([mask("ERROR"), _FOREVER]), st.integers(0, _FOREVER)
)


def _sizes(simd: int, pe: int, most: int) -> st.SearchStrategy[int]:
    """Widths of a layer, corners more often than not."""
    corners = {1, 2, simd - 1, simd, simd + 1, pe - 1, pe, pe + 1, most - 1, most}
    fitting = sorted(size for size in corners if 1 <= size <= most)
    return st.one_of(st.sampled_from(fitting), st.integers(1, most))


@st.composite
def _networks(draw: st.DrawFn, core: dict[str, int]) -> Network:
    sizes = _sizes(core["simd"], core["pe"], core["max_width"])
    layers = draw(st.integers(1, core["max_layers"]))
    classes = draw(st.integers(1, core["max_classes"]))
    widths = draw(st.lists(sizes, min_size=layers, max_size=layers))
    kinds: dict[str, Any] = {}
    if core["order"] == 2:
        orders = st.lists(st.integers(1, 2), min_size=layers, max_size=layers)
        kinds["orders"] = tuple(draw(orders))
    if core["ternary"]:
        ternary = st.lists(st.booleans(), min_size=layers, max_size=layers)
        kinds["ternary"] = tuple(draw(ternary))
    return Network(
        (*widths, classes),
        draw(_SEEDS),
        draw(st.sampled_from(THRESHOLDS)),
        draw(st.sampled_from(BIASES)),
        **kinds,
    )


def _some(part: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Tuples of any length up to 32, drawn in runs, so that a run can be left out at once."""
    runs = st.lists(st.lists(part, max_size=8), max_size=4)
    return runs.map(lambda lists: tuple(chain.from_iterable(lists)))


_PACKETS = _some(
    st.builds(
        Packet,
        kind=st.one_of(st.sampled_from(GOOD), st.sampled_from((*GOOD, *BAD))),
        seed=_SEEDS,
        gap=st.one_of(st.just(0), st.integers(0, 60)),
        pause=st.sampled_from((0, 0, 0, 1, 3)),
        repeat=st.sampled_from((1, 1, 1, 2, 5, 9)),
    )
)

_ACCESSES = _some(
    st.builds(
        Access,
        address=st.one_of(st.sampled_from(_WRITABLE), st.integers(0, 63)),
        value=st.one_of(st.none(), _VALUES),
        wait=st.one_of(st.just(0), st.integers(0, 200)),
    )
)


@st.composite
def _episodes(draw: st.DrawFn, core: dict[str, int], first: bool) -> Episode:
    keep = not first and draw(st.sampled_from((False, False, True)))
    ending = draw(st.sampled_from(ENDINGS))
    timeouts = st.one_of(st.integers(0, 8), st.integers(0, 300))
    if ending != "drained":  # which no partial batch would be for ever
        timeouts = st.one_of(timeouts, st.just(_FOREVER))
    streamed: dict[str, Any] = {}
    if core["weight_stream"]:
        streamed["weight_gaps"] = draw(st.one_of(st.just(()), _BURSTS))
        streamed["bad_weights"] = draw(st.sampled_from(("", "", "", *BAD_WEIGHTS)))
        streamed["ahead"] = draw(st.integers(0, 2)) if streamed["bad_weights"] else 0
    residual: dict[str, Any] = {}
    if core["order"] == 2:
        residual["pixel_residual"] = draw(
            st.one_of(st.sampled_from((0xC040, 0, 0xFFFF)), st.integers(0, 0xFFFF))
        )
    return Episode(
        network=None if keep else draw(_networks(core)),
        prelude=tuple(
            draw(st.lists(st.sampled_from(PRELUDES), max_size=2))
            if draw(st.sampled_from((False, False, True)))
            else ()
        ),
        eager=draw(st.sampled_from((0, 0, 0, 1, 4, 20))),
        grey=draw(st.booleans()),
        pixel_threshold=draw(st.one_of(st.sampled_from((128, 0, 1, 255)), st.integers(0, 255))),
        timeout=draw(timeouts),
        lone=draw(st.sampled_from((False, False, True))),
        steady=draw(st.sampled_from((False, False, False, True))),
        packets=draw(_PACKETS),
        backpressure=draw(st.one_of(st.just(()), _BURSTS, _HOLDS)),
        accesses=draw(_ACCESSES),
        noise=draw(st.sampled_from((False, False, True))),
        ending=ending,
        cut=draw(st.sampled_from((100, 100, 50)) if ending == "drained" else st.integers(0, 100)),
        wait=0 if ending == "drained" else draw(st.integers(0, 400)),
        **streamed,
        **residual,
    )


@st.composite
def scenarios(draw: st.DrawFn, episodes: int = 6) -> Scenario:
    """Any scenario of up to so many episodes."""
    pe, simd = draw(st.integers(1, 24)), draw(st.integers(1, 40))
    streams = [bits for bits in (8, 24, 64, 256) if _BEATS * bits >= pe * simd]
    stream = draw(st.sampled_from((0, 0, 0, *streams)))
    widest = min(_WIDEST, isqrt((_STREAMED_STEPS if stream else _STEPS) * pe * simd))
    width = draw(st.integers(1, widest))
    ring = -(-width // simd)
    lanes = draw(st.integers(1, max(1, min(5, _XNORS // (pe * simd)))))
    core = {
        "pe": pe,
        "simd": simd,
        "lanes": lanes,
        "max_width": width,
        "taps": draw(st.integers(1, min(pe, ring))),
        "max_layers": draw(st.integers(1, 6)),
        "max_classes": draw(st.integers(1, min(width, 12))),
        "image_width": draw(st.sampled_from(IMAGE_WIDTHS)),
        "weight_stream": stream,
        "order": draw(st.integers(1, 2)) if lanes % 2 == 0 else 1,
        "ternary": draw(st.sampled_from((0, 0, 1))),
    }
    count = draw(st.integers(1, episodes))
    played = tuple(draw(_episodes(core, number == 0)) for number in range(count))
    needs = [steps_needed(core, e.network.shape) for e in played if e.network is not None]
    slack = st.one_of(st.just(0), st.integers(0, 50))
    weights = 2 if stream else max(2, max(words for words, _ in needs) + draw(slack))
    core["weight_depth"] = weights
    core["bank_depth"] = draw(st.integers(-(-weights // 100), weights + 5))
    core["threshold_depth"] = max(2, max(words for _, words in needs) + draw(slack))
    return Scenario(core, played, draw(_SEEDS))


@st.composite
def learn_scenarios(draw: st.DrawFn, episodes: int = 4) -> Scenario:
    """Any scenario of a core that learns, of up to so many episodes."""
    pe, simd = draw(st.integers(1, 24)), draw(st.integers(1, 40))
    width = draw(st.integers(1, min(_WIDEST, isqrt(_STEPS * pe * simd))))
    classes = draw(st.integers(1, min(width, 12)))
    core = {
        "pe": pe,
        "simd": simd,
        "lanes": draw(st.integers(1, max(1, min(5, _XNORS // (pe * simd))))),
        "max_width": width,
        "taps": 1,
        "max_layers": draw(st.integers(1, 4)),
        "max_classes": classes,
        "image_width": draw(st.sampled_from(IMAGE_WIDTHS)),
        "weight_stream": 0,
        "order": 1,
        "ternary": 0,
        "learn": classes,
    }
    played = []
    for number in range(draw(st.integers(1, episodes))):
        keep = number > 0 and draw(st.booleans())
        ending = draw(st.sampled_from(ENDINGS))
        timeouts = st.one_of(st.integers(0, 8), st.integers(0, 300))
        if ending != "drained":  # which no partial batch would be for ever
            timeouts = st.one_of(timeouts, st.just(_FOREVER))
        played.append(
            Episode(
                network=None if keep else draw(_networks(core)),
                prelude=tuple(
                    draw(st.lists(st.sampled_from(PRELUDES), max_size=2))
                    if draw(st.sampled_from((False, False, True)))
                    else ()
                ),
                grey=draw(st.booleans()),
                timeout=draw(timeouts),
                margin=draw(st.one_of(st.sampled_from((32, 0, 255)), st.integers(0, 255))),
                start=draw(st.one_of(st.sampled_from((8, 0, 127)), st.integers(0, 127))),
                packets=draw(_PACKETS),
                backpressure=draw(st.one_of(st.just(()), _BURSTS, _HOLDS)),
                accesses=draw(_ACCESSES),
                noise=draw(st.sampled_from((False, False, True))),
                ending=ending,
                cut=100 if ending == "drained" else draw(st.integers(0, 100)),
                wait=0 if ending == "drained" else draw(st.integers(0, 400)),
            )
        )
    needs = [steps_needed(core, e.network.shape) for e in played if e.network is not None]
    slack = st.one_of(st.just(0), st.integers(0, 50))
    core["weight_depth"] = max(2, max(words for words, _ in needs) + draw(slack))
    depth = core["weight_depth"]
    core["bank_depth"] = draw(st.integers(-(-depth // 100), depth + 5))
    core["threshold_depth"] = max(2, max(words for _, words in needs) + draw(slack))
    # More classes can be answered than can learn.
    core["max_classes"] = draw(st.integers(classes, width))
    return Scenario(core, tuple(played), draw(_SEEDS))


@st.composite
def _map_networks(draw: st.DrawFn, core: dict[str, int]) -> Network:
    """A network that begins with convolutions, for a core of PE and slot."""
    slot = core["simd"] // 3
    corners = {1, core["pe"], core["pe"] + 1, slot - 1, slot, slot + 1}
    channels = st.one_of(
        st.sampled_from(sorted(corners - {0})), st.integers(1, max(2, min(16, 2 * slot)))
    )
    side = draw(st.integers(3, 9))
    border = draw(st.integers(0, 1))
    convolutions: list[tuple[int, int, bool]] = []
    left = side + 2 * border
    for layer in range(draw(st.integers(1, 3))):
        kernel = 3 if layer == 0 else draw(st.sampled_from((3, 3, 1)))
        if kernel > left:
            kernel = 1
        left -= kernel - 1
        pool = left % 2 == 0 and draw(st.booleans())
        left //= 1 + pool
        convolutions.append((draw(channels), kernel, pool))
    dense = draw(st.lists(st.integers(1, 2 * slot), max_size=2))
    widths = (*dense, draw(st.integers(1, 6)))
    layers = len(convolutions) + len(widths)
    kinds: dict[str, Any] = {}
    if core["order"] == 2:
        orders = draw(st.lists(st.integers(1, 2), min_size=layers - 1, max_size=layers - 1))
        kinds["orders"] = (1, *orders)
    if core["pixel_levels"] == 0:
        kinds["orders"] = (PIXEL_BITS, 1, *kinds.get("orders", (1,) * layers)[2:])
    if core["ternary"]:
        ternary = st.lists(st.booleans(), min_size=layers, max_size=layers)
        kinds["ternary"] = tuple(draw(ternary))
    return Network(
        widths,
        draw(_SEEDS),
        draw(st.sampled_from(THRESHOLDS)),
        draw(st.sampled_from(BIASES)),
        side=side,
        convolutions=tuple(convolutions),
        colours=draw(st.integers(1, core["pixel_channels"])),
        levels=draw(st.integers(min(1, core["pixel_levels"]), core["pixel_levels"])),
        border=border,
        **kinds,
    )


@st.composite
def map_scenarios(draw: st.DrawFn, episodes: int = 3) -> Scenario:
    """Any scenario of a core for convolutions, of up to so many episodes: a core that each of the
    networks just fits, or with some room left."""
    sizes = ((1, 1), (1, 2), (2, 1), (3, 1), (4, 1), (1, 0), (2, 0))
    channels, levels = draw(st.sampled_from(sizes))
    pe = draw(st.integers(1, 4))
    least = -(-3 * channels * (levels or 1) // pe)
    parts = draw(st.integers(least, least + 1))
    order = draw(st.sampled_from((1, 1, 2)))
    core = {
        "pe": pe,
        "simd": 3 * pe * parts,
        "order": order,
        "ternary": draw(st.sampled_from((0, 0, 1))),
        "pixel_channels": channels,
        "pixel_levels": levels,
        "weight_stream": 0,
    }
    count = draw(st.integers(1, episodes))
    played = []
    for number in range(count):
        keep = number > 0 and draw(st.sampled_from((False, False, True)))
        packets = draw(_PACKETS)
        ending = draw(st.sampled_from(ENDINGS))
        episode = Episode(
            network=None if keep else draw(_map_networks(core)),
            prelude=tuple(
                draw(st.lists(st.sampled_from(PRELUDES), max_size=2))
                if draw(st.sampled_from((False, False, True)))
                else ()
            ),
            eager=draw(st.sampled_from((0, 0, 0, 1, 4, 20))),
            # A pass takes hundreds of cycles, and a packet as many.
            packets=tuple(replace(packet, gap=packet.gap * 4) for packet in packets[:6]),
            backpressure=draw(st.one_of(st.just(()), _BURSTS, _HOLDS)),
            accesses=draw(_ACCESSES),
            noise=draw(st.sampled_from((False, False, True))),
            ending=ending,
            cut=100 if ending == "drained" else draw(st.integers(0, 100)),
            wait=0 if ending == "drained" else draw(st.integers(0, 400)),
        )
        played.append(episode)
    needs = [
        Geometry.for_widths(e.network.shape, pe, core["simd"], 4 * order)
        for e in played
        if e.network is not None
    ]
    for name, most in (
        ("max_width", 60), ("max_layers", 2), ("max_classes", 3), ("weight_depth", 20),
        ("threshold_depth", 9), ("map_input", 5), ("map_even", 7), ("map_odd", 7),
    ):  # fmt: skip
        slack = draw(st.one_of(st.just(0), st.integers(0, most)))
        core[name] = max(getattr(need, name) for need in needs) + slack
    widths = [width for width in IMAGE_WIDTHS if 8 * channels <= width <= 64]
    core["image_width"] = draw(st.sampled_from(widths))
    core["bank_depth"] = draw(st.integers(-(-core["weight_depth"] // 100), core["weight_depth"]))
    core["lanes"] = 4 * order
    return Scenario(core, tuple(played), draw(_SEEDS))
