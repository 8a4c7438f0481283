# SPDX-License-Identifier: Apache-2.0
"""Tables of packed networks pass the rules of cores for convolutions; tables that lie do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from golden.map_cases import map_case
from golden.map_table import MapDescription, MapTableRules
from xnor_fcc.geometry import Geometry
from xnor_fcc.map_plan import Stage, Window
from xnor_fcc.pack_maps import pack_maps
from xnor_fcc.random_network import Convolution, random_map_network


@pytest.mark.parametrize("seed", range(30))
def test_packed_networks_fit(seed: int) -> None:
    """On the smallest core, and on no smaller one."""
    network, g = map_case(np.random.default_rng([seed, 23]))
    net = MapDescription.of(pack_maps(network, g))
    rules = MapTableRules(g)
    assert rules.fits(net) and rules.loaded(net)
    assert not rules.loaded(replace(net, weights=net.weights - 1))
    assert not rules.loaded(replace(net, thresholds=net.thresholds - 1))
    for wrong in ({"inputs": net.inputs + 1}, {"classes": 0}, {"classes": g.max_classes + 1},
                  {"layers": len(net.entries) - 1}, {"grey": False}):  # fmt: skip
        assert not rules.fits(replace(net, **wrong))
    for name in ("weight_depth", "threshold_depth", "map_input", "map_even", "map_odd",
                 "max_layers"):  # fmt: skip
        low = 2 if name.endswith("depth") else 1
        value = getattr(g, name)
        if value > low:
            assert not MapTableRules(replace(g, **{name: value - 1})).fits(net), name


def network_and_rules() -> tuple[MapDescription, MapTableRules]:
    """A network of every window: 3x3 pixels, 1x1, 3x3 with a pool, three dense layers; on a core
    with room for more."""
    network = random_map_network(
        np.random.default_rng(1), 8,
        [Convolution(10), Convolution(9, 1), Convolution(13, 3, True)], [10, 7, 3], 1, 1,
    )  # fmt: skip
    g = replace(
        Geometry.for_widths(network.shape, 2, 18, 4),
        max_width=900, map_input=400, map_even=400, map_odd=400, weight_depth=2000,
        threshold_depth=300, max_layers=8, bank_depth=512,
    )  # fmt: skip
    return MapDescription.of(pack_maps(network, g)), MapTableRules(g)


def changed(layer: int, **fields: object) -> Callable[[MapDescription], MapDescription]:
    """A description with another entry."""

    def change(net: MapDescription) -> MapDescription:
        entries = list(net.entries)
        stage = replace(Stage.of_entry(entries[layer]), **fields)  # type: ignore[arg-type]
        entries[layer] = stage.entry
        return replace(net, entries=tuple(entries))

    return change


def unused(bit: int) -> Callable[[MapDescription], MapDescription]:
    return lambda net: replace(net, entries=(net.entries[0] | 1 << bit, *net.entries[1:]))


LIES = {
    "no window of pixels": changed(0, window=Window.SQUARE),
    "a dense layer first": changed(0, window=Window.DENSE, flat=True, side=1),
    "pixels again": changed(2, window=Window.PIXELS, words=1),
    "two words of pixels": changed(0, words=2),
    "pixels of order 2": changed(0, order=2),
    "an image of another side": changed(0, side=5),
    "a window beyond the map": changed(2, side=5),
    "points on another map": changed(1, side=5),
    "words of a window": changed(2, words=3),
    "words of points": changed(1, words=3),
    "words of slots": changed(3, words=2),
    "no words": changed(1, words=0),
    "words beyond the core": changed(3, words=127),
    "no groups": changed(5, groups=0),
    "slots of a window": changed(2, last_slots=2),
    "slots of a point": changed(1, last_slots=3),
    "slots of the last word": changed(4, last_slots=1),
    "no slots of the last word": changed(4, words=1, last_slots=0),
    "a pool of an odd side": changed(0, pool=True, side=5),
    "a pool of a dense layer": changed(4, pool=True),
    "a dense layer of a side": changed(3, side=2),
    "flat in front of a window": changed(0, flat=True),
    "not flat in front of a dense layer": changed(2, flat=False),
    "flat at the end": changed(5, flat=True),
    "order 2": changed(4, order=2),
    "ternary": changed(4, ternary=True),
    "bit 7": unused(7),
    "bit 30": unused(30),
    "no layer": lambda net: replace(net, entries=()),
    "a window at the end": lambda net: replace(net, entries=net.entries[:2]),
    "more layers": lambda net: replace(net, entries=(*net.entries[:4], *[net.entries[4]] * 6)),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_table_that_lies_is_refused(lie: str) -> None:
    net, rules = network_and_rules()
    assert rules.fits(net)
    assert not rules.fits(LIES[lie](net))


def test_every_rule_is_needed() -> None:
    """Without what makes it a lie, a table passes: the core's kinds, and the room."""
    net, rules = network_and_rules()
    g = replace(rules.geometry, order=2, lanes=8, ternary=1)
    for lie in ("order 2", "ternary"):
        assert MapTableRules(g).fits(LIES[lie](net))
    fewer = replace(net, classes=2)
    assert rules.fits(fewer)
    assert rules.fits(changed(5, groups=3)(net))
