# SPDX-License-Identifier: Apache-2.0
"""The passes of a running core for convolutions, watched inside it: every slot that is written to
its maps, in which cycle, to which banks and address, every hidden bit in it, and for some images
the sums of every group at the first position of every block."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Event, RisingEdge, Timer

from xnor_fcc.geometry import Geometry, MapShape
from xnor_fcc.map_plan import plan
from xnor_fcc.shape import PIXEL_BITS
from xnor_fcc_sim.checks import MapExpected, Results
from xnor_fcc_sim.clock import CLOCK_NS, clock_cycle
from xnor_fcc_sim.map_schedule import GroupSums, SlotWrite, pass_of


@dataclass
class ObservedMaps:
    """What the core was seen to make of the image that came as number `position`, in pass `batch`.

    `hidden[l]`: bits or levels of layer l, uint8 (H, W, m) or (m,). `sums[l]`: its accumulators at
    the first position of every block of 2x2, int32 (h, w, m), or all of a dense layer, (m,).
    """

    position: int
    batch: int = -1
    lane: int = 0
    hidden: list[np.ndarray] = field(default_factory=list)
    sums: list[np.ndarray] = field(default_factory=list)


class MapPasses:
    """Watches the passes of a core for convolutions, one image each."""

    def __init__(
        self, dut: Any, geometry: Geometry, results: Results, deep: int, every_cycle: bool
    ) -> None:
        """`deep`: images after each start whose sums are compared. `every_cycle`: nothing may be
        written in any other cycle either, which takes half of the time of a long run to see."""
        self.dut, self.engine = dut, dut.g_maps.core.engine
        # Rises in the cycle after the load. The strobe itself may rise for no time in between.
        self.taken = dut.g_maps.core.pixel_sink.taken_reg
        self.geometry = geometry
        self.results, self.failures = results, results.failures
        self.deep, self.every_cycle = deep, every_cycle
        self.loaded = Event()
        self.observed: ObservedMaps | None = None
        self.start()

    def observe(self, position: int) -> ObservedMaps:
        """Keep what is seen of one image that has not been sent yet."""
        assert position >= len(self.results.pending)
        self.observed = ObservedMaps(position)
        return self.observed

    def start(self) -> None:
        """Begin with an empty core."""
        self.batches: list[tuple[int, int]] = []  # (position of the image, 1)
        self.starts: list[int] = []  # clock cycle of each image's load
        self.hidden_bits = 0
        self.sums_checked = 0
        self.tasks = [cocotb.start_soon(self._watch())]

    def stop(self) -> None:
        """Watch no more."""
        for task in self.tasks:
            task.cancel()

    def restart(self) -> None:
        """Forget what was in flight: the core has been reset, or runs another network."""
        self.stop()
        self.start()

    async def _watch(self) -> None:
        first = self.results.head
        schedule: _Schedule | None = None
        while True:
            await RisingEdge(self.taken)
            now = clock_cycle() - 1
            expected = self.results.expected
            assert isinstance(expected, MapExpected)
            if schedule is None:
                schedule = _Schedule(self.geometry, expected)
            position = first + len(self.batches)
            self.batches.append((position, 1))
            self.starts.append(now)
            self.loaded.set()
            self.loaded.clear()
            # The image is among those that were sent once its packet has ended, long before.
            _, image = self.results.pending[position]
            seen = None
            if self.observed is not None and self.observed.position == position:
                seen = self.observed
                seen.batch = len(self.batches) - 1
                hidden = expected.sums_of(image)[:-1]
                seen.sums = [np.zeros_like(first_of_blocks(sums)) for sums in hidden]
            deep = len(self.batches) <= self.deep or seen is not None
            # Its last word is written about when the next image is loaded.
            self.tasks = [task for task in self.tasks if not task.done()]
            self.tasks.append(cocotb.start_soon(self._follow(schedule, image, deep, seen)))

    async def _follow(
        self, schedule: _Schedule, image: int, deep: bool, seen: ObservedMaps | None
    ) -> None:
        """What is written for an image in the pass that has begun a cycle ago, word by word."""
        engine = self.engine
        words: list[str] = []
        cycle = 1
        # In the middle of a cycle, and by time alone: an edge of the clock at that very moment may
        # come before or after.
        await Timer(CLOCK_NS // 2, "ns")
        for event in schedule.deep if deep else schedule.writes:
            while self.every_cycle and cycle + 1 < event.cycle:
                await Timer(CLOCK_NS, "ns")
                cycle += 1
                self._nothing(cycle, schedule)
            if event.cycle > cycle:
                await Timer((event.cycle - cycle) * CLOCK_NS, "ns")
                cycle = event.cycle
            if isinstance(event, GroupSums):
                self._compare_sums(event, image, seen)
                if self.every_cycle and cycle not in schedule.cycles:
                    self._nothing(cycle, schedule)
                continue
            banks = int(engine.map_write.value)
            address = int(engine.map_address.value)
            if (banks, address) != (event.banks, event.address):
                self.failures.add(
                    f"image {image}, layer {event.layer}: banks {banks:#x} at address {address} "
                    f"are written in cycle {cycle} of its pass, not {event.banks:#x} at "
                    f"{event.address}"
                )
            # As text: what lies outside of the map may be undefined, and nothing else.
            words.append(str(engine.map_data.value))
        self._compare(schedule, image, words, seen)

    def _nothing(self, cycle: int, schedule: _Schedule) -> None:
        """Nothing may be written in this cycle of a pass."""
        banks = int(self.engine.map_write.value)
        if banks and cycle not in schedule.cycles:
            self.failures.add(f"banks {banks:#x} are written in cycle {cycle} of a pass")

    def _compare(
        self, schedule: _Schedule, image: int, words: list[str], seen: ObservedMaps | None
    ) -> None:
        """Every bit of the image's maps, and in which neuron the first wrong one is."""
        expected = self.results.expected
        assert isinstance(expected, MapExpected)
        g = self.geometry
        raw = np.frombuffer("".join(words).encode(), np.uint8) - np.uint8(ord("0"))
        bits = raw.reshape(len(words), -1)[:, ::-1].reshape(len(words), 4, g.order, g.slot)
        for layer, levels in enumerate(expected.maps(image)):
            events, ports, y, x, slices = schedule.places[layer]
            got = bits[events, ports]
            wanted = schedule.slots(levels)[y, x, slices]
            order = expected.network.hidden[layer].output_order
            planes = [wanted] if order == 1 else [wanted & 1, wanted >> 1]
            if seen is not None:
                seen.hidden.append(schedule.map_of(layer, got[:, :order], levels.shape))
            self.hidden_bits += levels.size * order
            for plane, want in enumerate(planes):
                if np.array_equal(got[:, plane], want):
                    continue
                wrong = np.argwhere(got[:, plane] != want)
                place, bit = (int(n) for n in wrong[0])
                neuron = int(slices[place]) * g.slot + bit
                self.failures.add(
                    f"image {image}, layer {layer}, pixel ({y[place]}, {x[place]}), neuron "
                    f"{neuron}: bit {got[place, plane, bit]}, not {want[place, bit]} (plane "
                    f"{plane})",
                    len(wrong),
                )

    def _compare_sums(self, event: GroupSums, image: int, seen: ObservedMaps | None) -> None:
        """The sums of a group at the first position of a block, in 2's complement."""
        expected = self.results.expected
        assert isinstance(expected, MapExpected)
        g = self.geometry
        bits = g.score_bits - 1
        packed = int(self.engine.scores.value)
        sums = expected.sums_of(image)[event.layer]
        if sums.ndim == 3:
            sums = sums[event.y, event.x]
        first = event.group * g.pe
        order = expected.network.layers[event.layer].order
        for p, want in enumerate(accumulated(sums[first : first + g.pe], order).tolist()):
            self.sums_checked += 1
            got = packed >> p * bits & (1 << bits) - 1
            want &= (1 << bits) - 1
            if seen is not None:
                kept = seen.sums[event.layer]
                place = (event.y // 2, event.x // 2) if kept.ndim == 3 else ()
                kept[(*place, first + p)] = got - (got >> bits - 1 << bits)
            if got != want:
                self.failures.add(
                    f"image {image}, layer {event.layer}, position ({event.y}, {event.x}), neuron "
                    f"{first + p}: accumulator {got}, not {want}",
                    (got ^ want).bit_count(),
                )


class _Schedule:
    """A pass, ready to be followed and compared."""

    def __init__(self, geometry: Geometry, expected: MapExpected) -> None:
        shape = expected.network.shape
        assert isinstance(shape, MapShape)
        stages = plan(shape, geometry.pe, geometry.simd)
        events = list(pass_of(geometry, stages))
        self.deep = sorted(events, key=lambda event: event.cycle)
        self.writes = [event for event in events if isinstance(event, SlotWrite)]
        self.cycles = {event.cycle for event in self.writes}
        self.slot = geometry.slot
        # Of each hidden layer: number of the write, port, y, x and slice of every slot.
        self.places: list[tuple[np.ndarray, ...]] = []
        for layer in range(len(stages) - 1):
            found = [
                (number, *place)
                for number, event in enumerate(self.writes)
                if event.layer == layer
                for place in event.places
            ]
            self.places.append(tuple(np.array(found).T))

    def slots(self, levels: np.ndarray) -> np.ndarray:
        """A map (H, W, C), or the answers (m,) of a dense layer, as (H, W, slices, SLOT)."""
        if levels.ndim == 1:
            levels = levels[None, None]
        high, wide, channels = levels.shape
        slices = -(-channels // self.slot)
        padded = np.zeros((high, wide, slices * self.slot), np.uint8)
        padded[:, :, :channels] = levels
        return padded.reshape(high, wide, slices, self.slot)

    def map_of(self, layer: int, got: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The map of `shape` whose slots were written as bits (slots, planes, SLOT)."""
        _, _, y, x, slices = self.places[layer]
        slots = self.slots(np.zeros(shape, np.uint8))
        slots[y, x, slices] = sum(got[:, plane] << plane for plane in range(got.shape[1]))
        return slots.reshape(*slots.shape[:2], -1)[:, :, : shape[-1]].reshape(shape)


def accumulated(sums: np.ndarray, order: int) -> np.ndarray:
    """What accumulators hold in the end of sums, as of `reference.preactivations`, of a layer whose
    inputs are of `order`: all but bit 0. Of numbers they have been halved behind each plane of bits
    but the last."""
    return sums >> (PIXEL_BITS if order == PIXEL_BITS else 1)


def first_of_blocks(sums: np.ndarray) -> np.ndarray:
    """Sums (H, W, m) of the first position of every block, or (m,) as they are."""
    return sums[::2, ::2] if sums.ndim == 3 else sums
