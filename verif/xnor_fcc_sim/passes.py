# SPDX-License-Identifier: Apache-2.0
"""The passes of a running core, watched inside it: which images a batch holds, every hidden bit of
them, and for some batches every accumulator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Event, FallingEdge, RisingEdge

from xnor_fcc.geometry import Geometry
from xnor_fcc_sim.checks import Expected, Results
from xnor_fcc_sim.clock import clock_cycle

# Cycles from the one with `load_image_s2` to the first in which a group of the batch may be done;
# until then groups of the batch before are.
FIRST_DONE = 6


@dataclass
class Observed:
    """What the core was seen to make of the image that came as number `position`.

    `inputs[plane]` and `hidden[l][plane]` have bit j at bit j, planes as in `Expected`; `sums[l]`
    has the signed accumulator of each neuron. `batch` and `lane` say where it was.
    """

    position: int
    batch: int = -1
    lane: int = -1
    inputs: list[int] = field(default_factory=list)
    hidden: list[list[int]] = field(default_factory=list)
    sums: list[dict[int, int]] = field(default_factory=list)


class Passes:
    """Watches the passes of the core: which images a batch holds, and every hidden bit of them."""

    def __init__(
        self, dut: Any, geometry: Geometry, results: Results, deep_batches: int
    ) -> None:
        """`deep_batches`: batches after each start whose accumulators are compared."""
        self.dut, self.core = dut, dut.g_legal.core
        self.lanes = self.core.engine.lanes
        self.geometry = geometry
        self.results, self.failures = results, results.failures
        self.deep_batches = deep_batches
        self.observed: Observed | None = None
        self.loaded = Event()
        self.start()

    def observe(self, position: int) -> Observed:
        """Keep what is seen of one image that has not been sent yet."""
        assert isinstance(self.results.expected, Expected) and position >= len(self.results.pending)
        layers = len(self.results.expected.sums)
        self.observed = Observed(
            position, hidden=[[] for _ in range(layers - 1)], sums=[{} for _ in range(layers)]
        )
        return self.observed

    def start(self) -> None:
        """Begin with an empty core."""
        self.batches: list[tuple[int, int]] = []  # (position of the first image, images)
        self.starts: list[int] = []  # clock cycle of each batch's load
        self.hidden_loads = 0
        self.hidden_bits = 0
        self.sums_checked = 0
        self.tasks = [
            cocotb.start_soon(self._watch_batches()),
            cocotb.start_soon(self._watch_hidden()),
        ]
        if self.deep_batches:
            self.tasks.append(cocotb.start_soon(self._watch_sums()))

    def stop(self) -> None:
        """Watch no more."""
        for task in self.tasks:
            task.cancel()

    def restart(self) -> None:
        """Forget what was in flight: the core has been reset."""
        self.stop()
        self.start()

    def _images(self, batch: int) -> list[int]:
        first, count = self.batches[batch]
        pending = self.results.pending
        return [image for _, image in pending[first : first + count]]

    async def _watch_batches(self) -> None:
        dut, core = self.dut, self.core
        position = self.results.head
        while True:
            await RisingEdge(core.load_image_s2)
            self.starts.append(clock_cycle())
            inputs = core.images.value if self.observed is not None else None
            await RisingEdge(dut.clk)
            await FallingEdge(dut.clk)
            assert isinstance(self.results.expected, Expected)
            count = int(core.batch_count.value) // self.results.expected.lanes
            self.batches.append((position, count))
            seen = self.observed
            if seen is not None and inputs is not None and 0 <= seen.position - position < count:
                seen.batch = len(self.batches) - 1
                seen.lane = (seen.position - position) * self.results.expected.lanes
                bits = self.geometry.capacity
                for lane in range(seen.lane, seen.lane + self.results.expected.order):
                    seen.inputs.append(int(inputs[(lane + 1) * bits - 1 : lane * bits]))
            position += count
            self.loaded.set()
            self.loaded.clear()

    async def _watch_hidden(self) -> None:
        dut = self.dut
        lanes = [self.lanes.g_lane[n].lane.hidden for n in range(self.geometry.lanes)]
        while True:
            await RisingEdge(self.lanes.load_late_s1)
            await RisingEdge(dut.clk)
            await FallingEdge(dut.clk)  # the last bits may come in with the same clock edge
            assert isinstance(self.results.expected, Expected)
            batch, layer = divmod(self.hidden_loads, len(self.results.expected.hidden))
            self.hidden_loads += 1
            width = self.results.expected.sums[layer].shape[1]
            for position, image in enumerate(self._images(batch)):
                for plane, wanted in enumerate(self.results.expected.hidden[layer]):
                    lane = position * self.results.expected.lanes + plane
                    got, want = int(lanes[lane].value), wanted[image]
                    self.hidden_bits += width
                    if seen := self._observed_at(batch, position):
                        seen.hidden[layer].append(got)
                    if got != want:
                        difference = got ^ want
                        neuron = (difference & -difference).bit_length() - 1
                        self.failures.add(
                            f"image {image}, layer {layer}, neuron {neuron}: bit "
                            f"{got >> neuron & 1}, not {want >> neuron & 1} (lane {lane})",
                            difference.bit_count(),
                        )

    async def _watch_sums(self) -> None:
        """The sums of every group of the first batches, and of the one with the observed image, in
        2's complement, those of two lanes where these carry one image. The groups of a layer come
        from the last one down to group 0."""
        dut, g = self.dut, self.geometry
        acc_bits = g.score_bits - 1
        mask = (1 << acc_bits) - 1
        lane_done = self.lanes.g_lane[0].lane.done
        # The sums follow a cycle after `done`, those of pairs two cycles after it.
        done = [False] * g.order
        batch: int | None = 0
        while batch is not None:
            layer = group = 0
            while not isinstance(self.results.expected, Expected) or layer < len(
                self.results.expected.sums
            ):
                await FallingEdge(dut.clk)
                done.append(lane_done.value == 1)
                if not done.pop(0) or len(self.starts) <= batch:
                    continue
                if clock_cycle() - g.order < self.starts[batch] + FIRST_DONE:
                    continue  # of the batch before
                assert isinstance(self.results.expected, Expected)
                width = self.results.expected.sums[layer].shape[1]
                if group == 0:
                    group = g.groups(width)
                group -= 1
                neurons = np.arange(group * g.pe, min(width, (group + 1) * g.pe))
                scores, lane_bits = self.core.scores.value, g.pe * acc_bits
                for position, image in enumerate(self._images(batch)):
                    lane = position * self.results.expected.lanes
                    # A lane without an image may be undefined.
                    packed = int(scores[(lane + 1) * lane_bits - 1 : lane * lane_bits])
                    wanted = self.results.expected.sums[layer][image, neurons] >> 1 & mask
                    for p, want in enumerate(wanted.tolist()):
                        self.sums_checked += 1
                        got = packed >> p * acc_bits & mask
                        if seen := self._observed_at(batch, position):
                            sign = got >> acc_bits - 1 << acc_bits
                            seen.sums[layer][int(neurons[p])] = got - sign
                        if got != want:
                            self.failures.add(
                                f"image {image}, layer {layer}, neuron {neurons[p]}: accumulator "
                                f"{got}, not {want} (lane {lane})",
                                (got ^ want).bit_count(),
                            )
                if group == 0:
                    layer += 1
            batch = await self._next_deep(batch + 1)

    async def _next_deep(self, batch: int) -> int | None:
        """The next batch whose sums are looked at, from `batch` on, before its first group is done;
        None if there is none."""
        if batch < self.deep_batches:
            return batch
        seen = self.observed
        while seen is not None and not (0 <= seen.batch < batch):
            while len(self.batches) <= batch:
                await self.loaded.wait()
            if seen.batch == batch:
                return batch
            batch += 1
        return None

    def _observed_at(self, batch: int, position: int) -> Observed | None:
        """What is kept of the image at `position` of a batch, if it is the observed one."""
        seen = self.observed
        first, _ = self.batches[batch]
        return seen if seen is not None and seen.position == first + position else None
