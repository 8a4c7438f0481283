# SPDX-License-Identifier: Apache-2.0
"""A core for convolutions word by word: what its memories, lanes and writer see, step by step.

It knows what a core knows: table entries, memory words, level registers. Whatever is read of maps
has been written before, by the image or by a layer; memories are full of ones at first, so that a
word which should have been masked is seen. Nothing in it comes from the network.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from xnor_fcc.map_plan import BANKS, BLOCK, SLOTS, Area, Stage, Window, image_area, slot_place
from xnor_fcc.pack_maps import MapMemory
from xnor_fcc.shape import PIXEL_BITS


@dataclass(frozen=True)
class Write:
    """A word that goes to a bank."""

    bank: int
    address: int
    data: int | None
    """Bits of a slot, those of plane p from bit p * SLOT on; None where it lies outside of the map,
    and what is written does not matter."""


@dataclass(frozen=True)
class Step:
    """A step: which it is, what it reads, and what the lanes get."""

    layer: int
    block: tuple[int, int]
    """Row and column of the block."""
    repeat: int
    group: int
    plane: int
    """Of the bits of pixels that are numbers."""
    round: int
    word: int
    weight: int
    """Address in the weight memory."""
    offset: int
    """Address in the threshold memory."""
    image: bool
    """The banks of the images are read, not those of the maps."""
    reads: tuple[int | None, ...]
    """Address that each bank must be given; None where the bank's word does not matter."""
    mask: tuple[bool, bool, bool]
    """Slots of the word that are there."""
    words: tuple[int | None, ...]
    """Bits of each lane, slot j from bit j * SLOT on; None where they do not matter, of a position
    outside of the map, and of the second lane of a pair where inputs are of order 1."""
    first: bool
    """The first step of its group."""
    last: bool
    """The last step of its group."""


@dataclass(frozen=True)
class Group:
    """What a group answers: after its last step."""

    layer: int
    block: tuple[int, int]
    repeat: int
    group: int
    step: int
    """Number of its last step in the pass."""
    sums: np.ndarray
    """int64 (positions, PE): 2P + offset."""
    levels: np.ndarray | None
    """uint8 (positions, PE): bits, or levels of order 2; None of the output layer."""
    inside: tuple[bool, ...]
    """Positions that lie inside of the map; what the others have does not matter."""
    writes: tuple[Write, ...]
    """What is written when it is done."""


@dataclass
class Pass:
    """One image through all layers."""

    steps: list[Step] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    maps: list[np.ndarray] = field(default_factory=list)
    """Of each hidden layer uint8 (side, side, groups * PE), pooled if it pools: what it has
    written, absent neurons and all."""
    scores: list[int] = field(default_factory=list)
    """Of every class."""


class MapMachine:
    """A core loaded with `memory`, whose banks are full of ones."""

    def __init__(self, memory: MapMemory) -> None:
        g = self.geometry = memory.geometry
        self.classes = memory.classes
        first, *rest = (Stage.of_entry(entry) for entry in memory.entries)
        self.stages = [replace(first, planes=PIXEL_BITS if g.numbers else 1), *rest]
        self.side = self.stages[0].side + 2
        self.levels = memory.levels.reshape(g.pixel_channels, g.pixel_levels)
        self.offsets, self.margins = memory.offsets, memory.margins
        # Weights as they are multiplied: (words, SIMD, PE).
        coded = memory.weights.reshape(-1, g.simd, g.pe)
        self.weights = 1 ^ coded ^ np.concatenate([0 * coded[:, :1], coded[:, :-1]], axis=1)
        self.parts = g.slot // g.pe
        self._ones = (1 << g.slot) - 1
        self.images = [[self._ones] * (2 * g.map_input) for _ in range(BANKS)]
        full = (1 << g.slot * g.order) - 1
        self.maps = [[full] * (g.map_even + g.map_odd) for _ in range(BANKS)]

    # ---- pixels

    def pixel_writes(self, image: np.ndarray, half: int = 0) -> list[tuple[int, Write]]:
        """What the sink writes of an image uint8 (side, side, colours), border and all, and the
        number of the pixel with which it does. `half`: the one of two images in the memory."""
        g, side = self.geometry, self.side
        area = image_area(side, half * g.map_input)
        given = np.zeros((side, side, g.pixel_channels), np.uint8)
        given[:, :, : image.shape[2]] = image
        if g.numbers:
            bits = np.unpackbits(given[:, :, :, None], axis=3, bitorder="little")
        else:
            reached = (given[:, :, :, None] >= self.levels) & (self.levels > 0)
            bits = reached.astype(np.uint8)
        rows = bits.reshape(side, side, -1)
        found = []
        for y in range(2, side):
            for x in range(side):
                data = number(np.concatenate([rows[y - 2, x], rows[y - 1, x], rows[y, x]]))
                found.append((y * side + x, Write(*area.place(y - 2, x), data)))
        return found

    def store(self, image: np.ndarray, half: int = 0) -> None:
        """An image arrives."""
        for _, write in self.pixel_writes(image, half):
            assert write.data is not None
            self.images[write.bank][write.address] = write.data

    # ---- layers

    def run(self, half: int = 0) -> Pass:
        """The image that is stored in a half goes through all layers."""
        result = Pass()
        weight = offset = 0
        for layer in range(len(self.stages)):
            self._layer(result, layer, half, weight, offset)
            weight += self.stages[layer].turn
            offset += self.stages[layer].groups
        return result

    def _layer(self, result: Pass, layer: int, half: int, weight: int, offset: int) -> None:
        g, stage = self.geometry, self.stages[layer]
        output = layer == len(self.stages) - 1
        writer = None if output else Writer(stage, self.base(layer), g.pe, self.parts, g.order)
        if writer:
            result.maps.append(np.zeros((stage.out_side, stage.out_side, stage.groups * g.pe),
                                        np.uint8))  # fmt: skip
        scores: dict[int, np.ndarray] = {}
        for y, x, repeat in stage.walk():
            at, inside = weight, tuple(stage.inside(y, x))
            for counted in range(stage.groups):
                group = stage.groups - 1 - counted if output else counted
                sums = np.zeros((BLOCK, g.order, g.pe), np.int64)
                turns = [*product(*map(range, (stage.planes, stage.rounds, stage.words)))]
                begin = at
                for plane, round_, word in turns:
                    at = begin + round_ * stage.words + word
                    turn = (plane, round_, word)
                    step = Step(
                        layer, (y, x), repeat, group, *turn, at, offset + counted,
                        layer == 0, self._reads(layer, half, y, x, word), self._mask(stage, word),
                        self._words(layer, half, y, x, word, plane),
                        turn == turns[0], turn == turns[-1],
                    )  # fmt: skip
                    result.steps.append(step)
                    for lane, bits in enumerate(step.words):
                        if bits is not None:
                            agree = self.weights[at] == unpacked(bits, g.simd)[:, None]
                            count = agree.sum(axis=0) << plane
                            sums[lane // g.order, lane % g.order] += count
                at += 1
                # Of order 2 the second lane of a pair has the first bits.
                counts = sums[:, 0] + (2 * sums[:, 1] if stage.order == 2 else 0)
                score = 2 * counts + self.offsets[offset + counted]
                levels, writes = None, []
                if writer:
                    levels = self._levels(layer, score, self.margins[offset + counted])
                    writes = writer.take(group, (y, x), repeat, levels)
                    writer.show(result.maps[-1], group, (y, x), levels)
                else:
                    scores[group] = score[0]
                done = len(result.steps) - 1
                result.groups.append(
                    Group(layer, (y, x), repeat, group, done, score, levels, inside, tuple(writes))
                )
                for write in writes:
                    if write.data is not None:
                        self.maps[write.bank][write.address] = write.data
        if output:
            every = np.concatenate([scores[group] for group in range(stage.groups)])
            result.scores = every[: self.classes].tolist()

    def _levels(self, layer: int, score: np.ndarray, margins: np.ndarray) -> np.ndarray:
        """Bits, or levels if the next layer's inputs are of order 2."""
        bits = (score >= 0).astype(np.uint8)
        if self.stages[layer + 1].order == 1:
            return bits
        # P - T, of 2 * (P - T) + 1.
        beyond = score >> 1
        up, down = margins
        return 2 * bits + np.where(bits == 1, beyond >= up, beyond >= -down).astype(np.uint8)

    def source(self, layer: int, half: int) -> Area:
        """Where the pixels lie that a layer which is not dense reads."""
        g = self.geometry
        if layer == 0:
            return image_area(self.side, half * g.map_input)
        return self.stages[layer - 1].out_area(self.parts, self.base(layer - 1))

    def base(self, layer: int) -> int:
        """Where the area begins that a layer writes."""
        return self.geometry.map_even if layer & 1 else 0

    def _mask(self, stage: Stage, word: int) -> tuple[bool, bool, bool]:
        slots = stage.last_slots if word == stage.words - 1 else SLOTS
        if stage.window is Window.POINT:
            slots = 1
        return (True, slots > 1, slots > 2)

    def _plane(self, place: int, plane: int) -> int:
        """A bit of each number of a place of an image."""
        numbers = unpacked(place, 3 * self.geometry.pixel_bits).reshape(-1, PIXEL_BITS)
        return number(numbers[:, plane])

    def _places(self, layer: int, half: int, y: int, x: int, word: int) -> list[list[Place]]:
        """For each position of a block, where the slots of its word stand; none outside."""
        stage = self.stages[layer]
        mask = self._mask(stage, word)
        if stage.window is Window.DENSE:
            base = self.base(layer - 1)
            slots = [slot_place(base, SLOTS * word + j) for j in range(SLOTS) if mask[j]]
            return [slots, [], [], []]
        area = self.source(layer, half)
        row, piece = (word % 3, word // 3) if stage.window is Window.SQUARE else (0, word)
        if stage.window is Window.PIXELS:
            piece = 0
        found: list[list[Place]] = []
        for q, inside in enumerate(stage.inside(y, x)):
            top, left = 2 * y + q // 2 + row, 2 * x + q % 2
            found.append([area.place(top, left + j, piece) for j in range(SLOTS) if mask[j]]
                         if inside else [])  # fmt: skip
        return found

    def _reads(self, layer: int, half: int, y: int, x: int, word: int) -> tuple[int | None, ...]:
        reads: list[int | None] = [None] * BANKS
        for slots in self._places(layer, half, y, x, word):
            for bank, address in slots:
                assert reads[bank] in (None, address), "two words of a bank in a step"
                reads[bank] = address
        return tuple(reads)

    def _words(
        self, layer: int, half: int, y: int, x: int, word: int, pixel_plane: int
    ) -> tuple[int | None, ...]:
        """Bits of every lane."""
        g, banks = self.geometry, self.images if layer == 0 else self.maps
        found: list[int | None] = []
        for slots in self._places(layer, half, y, x, word):
            for plane in range(g.order):
                if not slots or plane >= self.stages[layer].order:
                    found.append(None)
                    continue
                value = 0
                for j, (bank, address) in enumerate(slots):
                    bits = banks[bank][address] >> plane * g.slot & self._ones
                    if layer == 0 and g.numbers:
                        bits = self._plane(banks[bank][address], pixel_plane)
                    value |= bits << j * g.slot
                found.append(value)
        return tuple(found)


Place = tuple[int, int]


class Writer:
    """Puts the slots of a layer together and says where they go."""

    def __init__(self, stage: Stage, base: int, pe: int, parts: int, order: int) -> None:
        """Of a layer whose area begins at `base`, in a core of `parts` groups a slot."""
        self.stage, self.base, self.pe, self.parts, self.order = stage, base, pe, parts, order
        self.area = stage.out_area(parts, base)
        # Of each position a slot that is being put together, and the slots written side by side.
        self.slots = np.zeros((BLOCK, parts, pe), np.uint8)
        self.flat = 0

    def take(
        self, group: int, block: tuple[int, int], repeat: int, levels: np.ndarray
    ) -> list[Write]:
        """The bits of a group arrive; what is written then."""
        stage, parts = self.stage, self.parts
        if group % parts == 0:
            self.slots[:] = 0
        self.slots[:, group % parts] = levels
        if group % parts < parts - 1 and group < stage.groups - 1:
            return []
        (y, x), inside = block, stage.inside(*block)
        piece = group // parts
        if stage.pool:
            data = self._data(self.slots.max(axis=0))
            if not stage.flat:
                return [Write(*self.area.place(y, x, piece), data)]
        elif stage.flat:
            if not inside[repeat]:
                return []
            data = self._data(self.slots[repeat])
        else:
            places = [self.area.place(2 * y + q // 2, 2 * x + q % 2, piece) for q in range(BLOCK)]
            return [
                Write(*place, self._data(self.slots[q]) if inside[q] else None)
                for q, place in enumerate(places)
            ]
        self.flat += 1
        return [Write(*slot_place(self.base, self.flat - 1), data)]

    def _data(self, levels: np.ndarray) -> int:
        """Planes of levels (groups of a slot, PE)."""
        planes = [levels & 1, levels >> 1][: self.order]
        return number(np.concatenate([plane.ravel() for plane in planes]))

    def show(
        self, seen: np.ndarray, group: int, block: tuple[int, int], levels: np.ndarray
    ) -> None:
        """Enter the levels of a group into a picture of the map."""
        y, x = block
        mine = slice(group * self.pe, group * self.pe + self.pe)
        if self.stage.pool:
            seen[y, x, mine] = levels.max(axis=0)
            return
        for q, inside in enumerate(self.stage.inside(y, x)):
            if inside:
                seen[2 * y + q // 2, 2 * x + q % 2, mine] = levels[q]


def number(bits: np.ndarray) -> int:
    """A number from its bits, the lowest first."""
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


def unpacked(value: int, count: int) -> np.ndarray:
    """uint8 (count,): the bits of a number, the lowest first."""
    raw = np.frombuffer(value.to_bytes(-(-count // 8), "little"), np.uint8)
    return np.unpackbits(raw, count=count, bitorder="little")
