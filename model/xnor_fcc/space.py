# SPDX-License-Identifier: Apache-2.0
"""Which geometries of the core fit an FPGA for a network, and which of them no other one beats.

Every PE, SIMD and LANES that can make a difference is tried: of all sizes that give every layer
the same number of groups (PE) or words (SIMD), the smallest. The cycles come from `Geometry`, the
area from `area`, what a device offers from `devices`. Left are the geometries that no other one
beats in cycles an image, ALMs and latency at once (the Pareto front), thinned out.

A core for convolutions has 4 * ORDER lanes; of all slots (SIMD / 3) that give every layer the same
number of slices, the smallest that PE divides is tried.

What keeps a geometry from growing is named for its next larger PE, SIMD and LANES:

    logic          there are not enough ALMs
    memory width   the blocks of RAM have room for the weights, but not that many bits a cycle
    memory depth   the weights are more bits than the blocks hold
    pins           it fits, but images, results or streamed weights take longer through the ports
                   than the computing
    size           no layer is wider, or the core's parameters end there
    -              nothing: it fits, and is another point of the front
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from .area import Area, estimate, memories, popcount_alm
from .devices import Device
from .geometry import Geometry, GeometryError, MapShape, Shape, ceil_div
from .map_plan import BLOCK, SLOTS
from .parameters import most
from .registers import RESET

MAX_LANES, MAX_PE, MAX_SIMD = most("LANES"), most("PE"), most("SIMD")

# Share of a period's cycles that must be steps in the geometry picked for throughput.
_BUSY = 0.95
# PARTIAL_TIMEOUT after a reset.
TIMEOUT = RESET["PARTIAL_TIMEOUT"]
# LANES for which the limit of the memory is drawn.
_FLOORS = 4
# Streamed geometries whose exact period is worked out.
_STREAM_ROWS = 40


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
    the even ones; where they carry the positions of a block, that many."""
    if isinstance(shape, MapShape):
        return [lanes for lanes in (BLOCK * (2 if shape.pairs else 1),) if lanes <= limit]
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
        timeout: int = TIMEOUT,
    ) -> None:
        self.device = device
        self.shape = Shape.of(shape)
        self.port = port
        self.lanes = lane_sizes(self.shape, max_lanes)
        self.timeout = timeout
        self.pes = step_sizes(self.shape.widths[1:], MAX_PE)
        self.simds = step_sizes(self.shape.widths[:-1], MAX_SIMD)
        if isinstance(self.shape, MapShape):
            # Slots of layers that are read as maps or vectors; and three pixels fit one.
            pixels = 3 * self.shape.channels
            slots = step_sizes(self.shape.widths[1:-1], MAX_SIMD // SLOTS)
            self.simds = sorted({SLOTS * max(pixels, slot) for slot in slots})
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

        A layer may begin while the one before is finished only where PE <= SIMD. In a core for
        convolutions PE divides a slot.
        """
        if isinstance(self.shape, MapShape):
            slots = (simd // SLOTS for simd in self.simds)
            rounded = sorted({SLOTS * pe * ceil_div(slot, pe) for slot in slots})
            yield from (simd for simd in rounded if simd <= MAX_SIMD)
            return
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
        """What stops the next larger PE, SIMD and LANES; see the module's description."""
        pe, simd, lanes = candidate.sizes
        pes, simds = self.pes, self.simds
        if isinstance(self.shape, MapShape):
            pes = [p for p in range(1, simd // SLOTS + 1) if simd // SLOTS % p == 0]
            simds = list(self._words_of_simd(pe))
        larger = {
            "pe": next((Sizes(p, simd, lanes) for p in pes if p > pe), None),
            "simd": next((Sizes(pe, s, lanes) for s in simds if s > simd), None),
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
    better spent on another lane, unless that is no choice, in a core for convolutions.
    """
    busy = [c for c in candidates if c.busy >= _BUSY or c.geometry.map_input] or candidates
    return {
        "throughput": min(busy, key=lambda c: (c.cycles, c.area.alm, c.sizes)),
        "latency": min(candidates, key=lambda c: (c.latency, c.area.alm, c.sizes)),
    }
