# SPDX-License-Identifier: Apache-2.0
"""Words of blocks of maps by chance: what the banks are asked for, and what comes of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, fields, join, settings, start
from xnor_fcc.map_plan import BANKS, SLOTS, Area

# Cycles from an address to what the banks are asked for, to what they have, and to the pixels.
_READ_AT, _BANKS_AT, _PIXELS_AT = 1, 2, 4


@dataclass(frozen=True)
class Map:
    """A map with random bits in its slots, or the image, and the banks in which it stands."""

    area: Area
    image: bool
    slots: np.ndarray
    """Planes of a slot as numbers, (planes, rows, columns, slices)."""
    banks: list[dict[int, list[int]]]
    """By bank and address: planes of a slot."""

    @classmethod
    def random(
        cls, rng: np.random.Generator, image: bool, slot: int, planes: int, bits: int
    ) -> Map:
        """One that addresses of `bits` reach."""
        while True:
            rows, columns, slices = rng.integers(1, [7, 18, 5]).tolist()
            area = Area(0, rows, columns, 1 if image else slices)
            if area.words <= 1 << bits:
                break
        area = replace(area, base=int(rng.integers(0, (1 << bits) - area.words + 1)))
        planes = 1 if image else planes
        shape = (planes, area.rows, area.columns, area.slices)
        slots = np.array([int.from_bytes(rng.bytes(8), "little") & (1 << slot) - 1
                          for _ in range(int(np.prod(shape)))], object).reshape(shape)  # fmt: skip
        banks: list[dict[int, list[int]]] = [{} for _ in range(BANKS)]
        for y, x, s in np.ndindex(*shape[1:]):
            bank, address = area.place(y, x, s)
            banks[bank][address] = slots[:, y, x, s].tolist()
        return cls(area, image, slots, banks)


@dataclass(frozen=True)
class Word:
    """A word of a block."""

    map: Map
    y: int
    x: int
    slice: int
    row: int

    def pixels(self, planes: int) -> dict[int, int]:
        """What comes, by its number; only what lies inside of the map."""
        found = {}
        area = self.map.area
        for p in range(1 if self.map.image else planes):
            for y in range(2):
                for x in range(4):
                    at = (2 * self.y + self.row + y, 2 * self.x + x)
                    if at[0] < area.rows and at[1] < area.columns:
                        found[(p * 2 + y) * 4 + x] = self.map.slots[(p, *at, self.slice)]
        return found


class Bench:
    """Plays the sequencer and the banks."""

    def __init__(self, dut: Any, seed: int) -> None:
        want = settings()
        self.dut = dut
        self.slot: int = want["slot"]
        self.planes: int = want["order"]
        self.bits: int = want["address_bits"]
        self.rng = np.random.default_rng(seed)
        self.history: deque[Word | None] = deque([None] * _PIXELS_AT, maxlen=1 + _PIXELS_AT)
        self.reads: tuple[int, ...] = (0,) * 4
        self.checked = 0

    def nonsense(self, count: int) -> int:
        """So many slots of any bits."""
        return int.from_bytes(self.rng.bytes(-(-count * self.slot // 8)), "little") & (
            (1 << count * self.slot) - 1
        )

    async def reset(self) -> None:
        """The clock runs."""
        names = "address row_step column_step row far image image_pixels map_pixels"
        await start(self.dut, reset=0, **dict.fromkeys(names.split(), 0))

    def bank_contents(self, word: Word | None) -> tuple[int, int]:
        """What the banks of images and maps have, as they were asked a cycle before."""
        size = 8 * self.planes
        images, maps = self.nonsense(8), self.nonsense(size)
        if word is None:
            return images, maps
        slots = fields(images if word.map.image else maps, self.slot,
                       8 if word.map.image else size)  # fmt: skip
        planes = 1 if word.map.image else self.planes
        for bank in range(BANKS):
            address = self.reads[bank // 4 * 2 + bank % 4 // 2]
            found = word.map.banks[bank].get(address)
            if found is not None:
                slots[bank * planes : (bank + 1) * planes] = found
        packed = join(slots, self.slot)
        return (packed, maps) if word.map.image else (images, packed)

    async def cycle(self, word: Word | None) -> None:
        """One cycle, with this word or any inputs."""
        dut, rng, mask = self.dut, self.rng, (1 << self.bits) - 1
        asked = self.history[-_BANKS_AT]
        images, maps = self.bank_contents(asked)
        if word is None:
            values = rng.integers(0, 1 << self.bits, 3).tolist()
            row, far, image = rng.integers(0, [3, 2, 2]).tolist()
        else:
            area = word.map.area
            first = area.place(2 * word.y, 2 * word.x, word.slice)[1]
            values = [first, area.row_step & mask, area.slice_step & mask]
            row, far, image = word.row, word.x & 1, word.map.image
        drive(
            dut,
            **dict(zip(("address", "row_step", "column_step"), values, strict=True)),
            **{"row": row, "far": far, "image": image},
            **{"image_pixels": images, "map_pixels": maps},
        )
        await edge(dut)
        names = ("even_near", "even_far", "odd_near", "odd_far")
        self.history.append(word)
        self.reads = tuple(int(getattr(dut, f"read_{name}").value) for name in names)
        due = self.history[-1 - _PIXELS_AT]
        if due is not None:
            pixels = fields(int(dut.pixels.value), self.slot, 8 * self.planes)
            for at, value in due.pixels(self.planes).items():
                assert pixels[at] == value, f"pixel {at} of {due.y, due.x, due.slice, due.row}"
                self.checked += 1


@cocotb.test(timeout_time=5000, timeout_unit="us")
async def words_of_maps(dut: Any) -> None:
    """Any words of any maps and images, one a cycle, with cycles of nonsense between them or
    without."""
    bench = Bench(dut, seed=1)
    await bench.reset()
    rng = bench.rng
    seen: set[tuple[int, bool, bool]] = set()
    for turn in range(12):
        maps = [
            Map.random(rng, image, bench.slot, bench.planes, bench.bits)
            for image in (False, True, False)
        ]
        for _ in range(120):
            one = maps[int(rng.integers(3))]
            area = one.area
            row = int(rng.integers(0, 3))
            limits = [-(-area.rows // 2), -(-area.columns // 2), area.slices]
            y, x, s = rng.integers(0, limits).tolist()
            await bench.cycle(Word(one, y, x, s, row))
            seen.add((row, x % 2 == 1, one.image))
            while rng.random() < 0.1 * (turn % 3):
                await bench.cycle(None)
    for _ in range(_PIXELS_AT):
        await bench.cycle(None)
    assert len(seen) == 12 and bench.checked > 3000


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def whole_kernels(dut: Any) -> None:
    """All blocks of a map, word by word in the order of a 3x3 layer."""
    bench = Bench(dut, seed=2)
    await bench.reset()
    for _ in range(4):
        one = Map.random(bench.rng, False, bench.slot, bench.planes, bench.bits)
        area = one.area
        for y in range(-(-area.rows // 2)):
            for x in range(-(-area.columns // 2)):
                for s in range(area.slices):
                    for row in range(SLOTS):
                        await bench.cycle(Word(one, y, x, s, row))
    for _ in range(_PIXELS_AT):
        await bench.cycle(None)
