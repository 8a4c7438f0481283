# SPDX-License-Identifier: Apache-2.0
"""What the running core was seen to make of one image, kept in a file for trace_page.py."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from xnor_fcc import container
from xnor_fcc.geometry import Geometry, MapShape, Shape
from xnor_fcc.map_plan import plan
from xnor_fcc_sim.map_schedule import SlotWrite, pass_of

_KIND, _VERSION = "xnor-fcc-trace", 1

# What was watched, cycle by cycle; see `Trace.cycles`.
EVENTS = ("image", "load", "step", "done", "result")


@dataclass
class Layer:
    """Activations or sums of a layer: `seen` in the core, `wanted` by the reference."""

    seen: np.ndarray
    wanted: np.ndarray

    @property
    def wrong(self) -> np.ndarray:
        """Where they differ, bool of their shape."""
        different: np.ndarray = self.seen != self.wanted
        return different


@dataclass
class Trace:
    """One image on its way through the core.

    `about`: image, label (None where nobody knows it), answer, network, dataset, flip, geometry,
    batch, lane, simulator, and what `shape` has. `grey`: its pixels, uint8 (n,), of several colours
    side by side. `inputs` and `hidden`: bits of 0/1, or levels of 0 to 3, uint8 (m,), or (H, W, m)
    of a map. `sums`: the accumulators of every layer, int32 (m,); a hidden neuron's is P - T, a
    class's the upper bits of its score. Of a map (h, w, m), those at the first position of each
    block of 2x2; of a network with convolutions none of the output layer. `scores`: int32
    (classes,).

    `cycles`: clock cycles of each of `EVENTS`, int32, ascending, counted from the first beat of
    this image: beats of images taken, loads of batches, steps, groups of neurons done (first lane;
    in a core for convolutions slots written, then groups of the output layer), beats of results
    taken. `mine`: those among them that belong to this image, or to its batch.
    """

    about: dict[str, Any]
    grey: np.ndarray
    inputs: Layer
    hidden: list[Layer]
    sums: list[Layer]
    scores: Layer
    cycles: dict[str, np.ndarray]
    mine: dict[str, np.ndarray]

    @property
    def geometry(self) -> Geometry:
        """The core."""
        return Geometry(**self.about["geometry"])

    @property
    def shape(self) -> Shape:
        """The network."""
        kind = MapShape if self.maps else Shape
        return kind(**{part.name: _tuples(self.about[part.name]) for part in fields(kind)})

    @property
    def maps(self) -> int:
        """How many convolutions the network begins with."""
        return len(self.about.get("convolutions", ()))

    def writes_slots(self, layer: int) -> bool:
        """Whether it is slots of its map that a layer is `done` with, not groups."""
        return self.maps > 0 and layer < len(self.hidden)

    @property
    def answer(self) -> int:
        """The class that the core found."""
        return int(self.about["answer"])

    @property
    def wrong_values(self) -> int:
        """Activations and scores that are not those of the reference."""
        return sum(int(one.wrong.sum()) for one in (self.inputs, *self.hidden, self.scores))

    @property
    def wrong_sums(self) -> int:
        """Accumulators that are not those of the reference."""
        return sum(int(one.wrong.sum()) for one in self.sums)

    def steps(self) -> list[np.ndarray]:
        """The cycles of this batch's steps, layer by layer."""
        g, shape = self.geometry, self.shape
        if isinstance(shape, MapShape):
            counts = [stage.steps for stage in plan(shape, g.pe, g.simd)]
        else:
            counts = [g.groups(m) * g.words(n) * rounds for n, m, rounds in shape.layers]
        return np.split(self.mine["step"], np.cumsum(counts)[:-1])

    def done(self) -> list[np.ndarray]:
        """The cycles in which this batch's groups were done, layer by layer, last group first; or
        its slots were written."""
        counts = done_counts(self.geometry, self.shape)
        return np.split(self.mine["done"], np.cumsum(counts)[:-1])

    def write(self, path: Path) -> None:
        """Write the file, atomically."""
        arrays = {"grey": self.grey}
        for name, layer in self._layers():
            arrays |= {f"{name}_seen": layer.seen, f"{name}_wanted": layer.wanted}
        for event in EVENTS:
            arrays |= {f"cycles_{event}": self.cycles[event], f"mine_{event}": self.mine[event]}
        container.write(path, _KIND, _VERSION, arrays, {"about": self.about})

    def _layers(self) -> list[tuple[str, Layer]]:
        layers = [("inputs", self.inputs), ("scores", self.scores)]
        for name, some in (("hidden", self.hidden), ("sums", self.sums)):
            layers += [(f"{name}{i}", layer) for i, layer in enumerate(some)]
        return layers

    @classmethod
    def read(cls, path: Path) -> Trace:
        """Read what `write` wrote; `UserError` if it is damaged."""
        arrays, manifest = container.read(path, _KIND, _VERSION, "trace")
        about = manifest["about"]
        layers = len(about["widths"]) - 1
        summed = layers - ("convolutions" in about)

        def layer(name: str) -> Layer:
            return Layer(arrays[f"{name}_seen"], arrays[f"{name}_wanted"])

        return cls(
            about,
            arrays["grey"],
            layer("inputs"),
            [layer(f"hidden{i}") for i in range(layers - 1)],
            [layer(f"sums{i}") for i in range(summed)],
            layer("scores"),
            {event: arrays[f"cycles_{event}"] for event in EVENTS},
            {event: arrays[f"mine_{event}"] for event in EVENTS},
        )


def done_counts(geometry: Geometry, shape: Shape) -> list[int]:
    """How often something is done in each layer of a pass, see `Trace.cycles`."""
    counts = [geometry.groups(m) for m in shape.widths[1:]]
    if not isinstance(shape, MapShape):
        return counts
    events = pass_of(geometry, plan(shape, geometry.pe, geometry.simd))
    writes = Counter(event.layer for event in events if isinstance(event, SlotWrite))
    return [*(writes[layer] for layer in range(len(counts) - 1)), counts[-1]]


def _tuples(value: Any) -> Any:
    """Lists of a JSON file as the tuples that they were."""
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
