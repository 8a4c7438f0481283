# SPDX-License-Identifier: Apache-2.0
"""Watches the running core cycle by cycle, and one image on its way; for stream_tests.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Event, FallingEdge, RisingEdge

from xnor_fcc.geometry import Geometry, MapShape
from xnor_fcc.map_geometry import DRAIN
from xnor_fcc.map_plan import image_area
from xnor_fcc.reference import activations
from xnor_fcc.shape import PIXEL_BITS
from xnor_fcc_sim.bench import Bench
from xnor_fcc_sim.checks import Expected, MapExpected
from xnor_fcc_sim.map_passes import ObservedMaps, accumulated, first_of_blocks
from xnor_fcc_sim.passes import FIRST_DONE, Observed
from xnor_fcc_sim.trace import EVENTS, Layer, Trace, done_counts

# Cycles from the beat of a pixel to the write of its bits, in a core for convolutions.
_STORED = 2


class Watch:
    """The clock cycles in which each of `EVENTS` was seen, and for the beats of images and results
    the number of their packet, from `images` and `results` on."""

    def __init__(self, bench: Bench, images: int = 0, results: int = 0) -> None:
        self.bench = bench
        self.seen: dict[str, list[int]] = {event: [] for event in EVENTS}
        self.packets: dict[str, list[int]] = {"image": [], "result": []}
        self.current = {"image": images, "result": results}
        # (cycle, banks, address, bits) of what is written to the memory of images.
        self.stored: list[tuple[int, int, int, int]] = []

    async def run(self, going: Callable[[], bool]) -> None:
        """Watch from the next clock edge on, while `going`."""
        dut, core, bench, seen = self.bench.dut, self.bench.core, self.bench, self.seen
        edge = RisingEdge(dut.clk)
        streams = [(name, *(getattr(dut, f"{prefix}_{name}_{wire}") for wire in
                            ("valid", "ready", "endofpacket")))
                   for prefix, name in (("asi", "image"), ("aso", "result"))]
        if not going():
            return
        engine, maps = core.engine, bench.geometry.map_input > 0
        events: list[tuple[str, Any, int]]
        if maps:
            events = [("load", engine.load_image, 0), ("step", engine.step, 0),
                      ("done", engine.map_write, 0), ("done", engine.scores_done, 0)]
        else:
            lane = engine.lanes.g_lane[0].lane
            events = [("load", core.load_image_s2, 0), ("done", lane.done, 0),
                      # A cycle later the word is on the taps.
                      ("step", engine.lanes.step_s1, 1)]
        while going():
            await edge
            cycle = bench.cycle() - 1  # values before the edge are those of the cycle it ends
            for name, valid, ready, end in streams:
                if valid.value == 1 and ready.value == 1:
                    seen[name].append(cycle)
                    self.packets[name].append(self.current[name])
                    self.current[name] += end.value == 1
            for name, wire, later in events:
                if wire.value != 0:
                    seen[name].append(cycle + later)
            if maps and (banks := int(engine.image_write.value)):
                self.stored.append((cycle, banks, int(engine.image_address.value),
                                    int(engine.image_data.value)))

    def counted_from(self, cycle: int) -> dict[str, np.ndarray]:
        """What was seen, in cycles counted from one of them: int32."""
        return {event: np.array(cycles, np.int32) - np.int32(cycle)
                for event, cycles in self.seen.items()}


class Tracer:
    """Follows image number `image` of a stream into the core and out of it."""

    def __init__(self, bench: Bench, image: int) -> None:
        """Before the stream, when `results.head` images are answered and none is under way."""
        self.bench = bench
        self.image = image
        self.before = bench.results.head
        assert bench.expected is not None
        self.observed = bench.passes.observe(self.before + image)
        # The watch begins a batch earlier: with the beat behind image `first` - 1.
        shape = bench.expected.network.shape
        self.first = max(0, image - bench.geometry.images_per_batch(shape))
        self.begin = Event()
        self.watch = Watch(bench)
        self.task = cocotb.start_soon(self._run())

    def event(self, image: int) -> Event | None:
        """What must be set when image number `image` of the stream is in."""
        return self.begin if image == self.first - 1 else None

    async def _run(self) -> None:
        dut, bench = self.bench.dut, self.bench
        if self.first:
            await self.begin.wait()
            await FallingEdge(dut.clk)  # now every monitor has seen the edge before
        else:
            await RisingEdge(dut.asi_image_valid)
        self.watch = Watch(bench, self.first, bench.results.head - self.before)
        await self.watch.run(self._going)

    def _going(self) -> bool:
        """Until its batch is answered."""
        batch = self.observed.batch
        return batch < 0 or self.bench.results.head < sum(self.bench.passes.batches[batch])

    def trace(self, packet: bytes, grey: np.ndarray, about: dict[str, Any]) -> Trace:
        """What was seen, when all is answered; `packet` is the image's result."""
        bench, expected, seen, image = self.bench, self.bench.expected, self.observed, self.image
        assert expected is not None
        network, g = expected.network, bench.geometry
        words = np.frombuffer(packet, ">i4").astype(np.int32)
        start = bench.passes.starts[seen.batch]
        first = next(cycle for cycle, number in
                     zip(self.watch.seen["image"], self.watch.packets["image"], strict=True)
                     if number == image)
        cycles = self.watch.counted_from(first)
        mine = {name: cycles[name][np.array(numbers) == image]
                for name, numbers in self.watch.packets.items()}
        shape = network.shape
        # What was done before these cycles is the batch before.
        first_done = DRAIN[g.order] + 1 if g.map_input else FIRST_DONE
        for name, begin, count in (("load", 0, 1), ("step", 1, g.steps(shape)),
                                   ("done", first_done, sum(done_counts(g, shape)))):
            mine[name] = cycles[name][cycles[name] >= start - first + begin][:count]
        about |= {
            "image": image, "answer": int(words[-1]) >> 16, "batch": seen.batch, "lane": seen.lane,
            "geometry": vars(g), **{part.name: getattr(shape, part.name) for part in fields(shape)},
        }  # fmt: skip
        if isinstance(expected, MapExpected):
            assert isinstance(seen, ObservedMaps) and isinstance(shape, MapShape)
            beats = {int(cycle) + first for cycle in mine["image"]}
            stored = [write for cycle, *write in self.watch.stored if cycle - _STORED in beats]
            layers = _map_layers(seen, expected, image, first_map(g, shape, stored))
        else:
            assert isinstance(seen, Observed)
            layers = _dense_layers(seen, expected, image)
        scores = Layer(words[:-1], np.array(expected.scores[image], np.int32))
        return Trace(about, grey, *layers, scores, cycles, mine)


_Layers = tuple[Layer, list[Layer], list[Layer]]


def _dense_layers(seen: Observed, expected: Expected, image: int) -> _Layers:
    """(inputs, hidden, sums) of a core for dense layers."""
    network = expected.network
    sums = [sums[image] for sums in expected.sums]
    wanted = [activations(layer, each[None])[0]
              for layer, each in zip(network.hidden, sums, strict=False)]
    return (
        Layer(_levels(seen.inputs, network.inputs), expected.x[image].astype(np.uint8)),
        [Layer(_levels(planes, len(one)), one)
         for planes, one in zip(seen.hidden, wanted, strict=True)],
        [Layer(np.array([found[j] for j in range(len(one))], np.int32), one >> 1)
         for found, one in zip(seen.sums, sums, strict=True)],
    )


def _map_layers(
    seen: ObservedMaps, expected: MapExpected, image: int, inputs: np.ndarray
) -> _Layers:
    """(inputs, hidden, sums) of a core for convolutions."""
    return (
        Layer(inputs, expected.x[image]),
        [Layer(found, wanted)
         for found, wanted in zip(seen.hidden, expected.maps(image), strict=True)],
        [Layer(found, accumulated(first_of_blocks(wanted), layer.order))
         for found, wanted, layer in zip(seen.sums, expected.sums_of(image),
                                         expected.network.layers, strict=False)],
    )


def first_map(
    geometry: Geometry, shape: MapShape, stored: Sequence[Sequence[int]]
) -> np.ndarray:
    """The first map of an image, uint8 (side, side, colours * levels), or numbers (side, side,
    colours), as it was stored: (banks, address, bits) of each write. Each has the bits of a column
    of three rows."""
    g, side = geometry, shape.side
    area = image_area(side)
    places = {area.place(y, x): (y, x) for y in range(side - 2) for x in range(side)}
    bits = np.zeros((side, side, g.pixel_channels, g.pixel_levels or PIXEL_BITS), np.uint8)
    for banks, address, data in stored:
        y, x = places[banks.bit_length() - 1, address % g.map_input]
        raw = np.frombuffer(f"{data:0{bits[:3, 0].size}b}".encode(), np.uint8) - np.uint8(ord("0"))
        bits[y : y + 3, x] = raw[::-1].reshape(3, *bits.shape[2:])
    if g.numbers:
        return np.packbits(bits, axis=3, bitorder="little")[:, :, : shape.colours, 0]
    return bits[:, :, : shape.colours, : shape.levels].reshape(side, side, -1)


def _levels(planes: list[int], width: int) -> np.ndarray:
    """Levels uint8 (width,) from bit planes, the lowest first, with bit j of a level at bit j."""
    size = max(plane.bit_length() for plane in planes) // 8 + width // 8 + 1
    levels = np.zeros(width, np.uint8)
    for number, plane in enumerate(planes):
        bits = np.frombuffer(plane.to_bytes(size, "little"), np.uint8)
        levels += np.unpackbits(bits, bitorder="little")[:width] << number
    return levels
