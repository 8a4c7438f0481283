# SPDX-License-Identifier: Apache-2.0
"""Watches the running core cycle by cycle, and one image on its way; for sim_tests.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Event, FallingEdge, RisingEdge

from xnor_fcc.reference import activations
from xnor_fcc_sim.bench import Bench
from xnor_fcc_sim.checks import Expected
from xnor_fcc_sim.passes import FIRST_DONE, Passes
from xnor_fcc_sim.trace import EVENTS, Layer, Trace


class Watch:
    """The clock cycles in which each of `EVENTS` was seen, and for the beats of images and results
    the number of their packet, from `images` and `results` on."""

    def __init__(self, bench: Bench, images: int = 0, results: int = 0) -> None:
        self.bench = bench
        self.seen: dict[str, list[int]] = {event: [] for event in EVENTS}
        self.packets: dict[str, list[int]] = {"image": [], "result": []}
        self.current = {"image": images, "result": results}

    async def run(self, going: Callable[[], bool]) -> None:
        """Watch from the next clock edge on, while `going`."""
        dut, core, bench, seen = self.bench.dut, self.bench.core, self.bench, self.seen
        edge = RisingEdge(dut.clk)
        streams = [(name, *(getattr(dut, f"{prefix}_{name}_{wire}") for wire in
                            ("valid", "ready", "endofpacket")))
                   for prefix, name in (("asi", "image"), ("aso", "result"))]
        if not going():
            return
        lanes = core.engine.lanes
        done = lanes.g_lane[0].lane.done
        while going():
            await edge
            cycle = bench.cycle() - 1  # values before the edge are those of the cycle it ends
            for name, valid, ready, end in streams:
                if valid.value == 1 and ready.value == 1:
                    seen[name].append(cycle)
                    self.packets[name].append(self.current[name])
                    self.current[name] += end.value == 1
            if core.load_image_s2.value == 1:
                seen["load"].append(cycle)
            if lanes.step_s1.value == 1:
                seen["step"].append(cycle + 1)  # then the word is on the taps
            if done.value == 1:
                seen["done"].append(cycle)

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
        assert isinstance(bench.passes, Passes) and bench.expected is not None
        self.observed = bench.passes.observe(self.before + image)
        # The watch begins a batch earlier: with the beat behind image `first` - 1.
        self.first = max(0, image - bench.geometry.lanes // bench.expected.lanes)
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
        assert isinstance(expected, Expected)
        network, g = expected.network, bench.geometry
        wanted_sums = [sums[image] for sums in expected.sums]
        wanted = [activations(layer, sums[None])[0]
                  for layer, sums in zip(network.hidden, wanted_sums, strict=False)]
        words = np.frombuffer(packet, ">i4").astype(np.int32)
        start = bench.passes.starts[seen.batch]
        first = next(cycle for cycle, number in
                     zip(self.watch.seen["image"], self.watch.packets["image"], strict=True)
                     if number == image)
        cycles = self.watch.counted_from(first)
        mine = {name: cycles[name][np.array(numbers) == image]
                for name, numbers in self.watch.packets.items()}
        groups = sum(g.groups(m) for m in network.widths[1:])
        for name, begin, count in (("load", 0, 1), ("step", 1, g.steps(network.shape)),
                                   ("done", FIRST_DONE, groups)):
            mine[name] = cycles[name][cycles[name] >= start - first + begin][:count]
        shape = network.shape
        about |= {
            "image": image, "answer": int(words[-1]) >> 16, "batch": seen.batch, "lane": seen.lane,
            "geometry": vars(g), "widths": shape.widths, "orders": shape.orders,
            "ternary": shape.ternary,
        }  # fmt: skip
        return Trace(
            about,
            grey,
            Layer(_levels(seen.inputs, network.inputs), expected.x[image].astype(np.uint8)),
            [Layer(_levels(planes, len(one)), one)
             for planes, one in zip(seen.hidden, wanted, strict=True)],
            [Layer(np.array([sums[j] for j in range(len(one))], np.int32), one >> 1)
             for sums, one in zip(seen.sums, wanted_sums, strict=True)],
            Layer(words[:-1], wanted_sums[-1]),
            cycles,
            mine,
        )


def _levels(planes: list[int], width: int) -> np.ndarray:
    """Levels uint8 (width,) from bit planes, the lowest first, with bit j of a level at bit j."""
    size = max(plane.bit_length() for plane in planes) // 8 + width // 8 + 1
    levels = np.zeros(width, np.uint8)
    for number, plane in enumerate(planes):
        bits = np.frombuffer(plane.to_bytes(size, "little"), np.uint8)
        levels += np.unpackbits(bits, bitorder="little")[:width] << number
    return levels
