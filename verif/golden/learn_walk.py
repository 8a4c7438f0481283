# SPDX-License-Identifier: Apache-2.0
"""The rules of fcc_learn_walk: the order in which synapses and chunks come, cycle by cycle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xnor_fcc.geometry import ceil_div

_CHUNK, _SETTLE = 32, 10


@dataclass(frozen=True)
class Cycle:
    """What a walk does in a cycle; what accompanies a synapse counts only with `take`."""

    take: bool = False
    give: bool = False
    rotate: bool = False
    done: bool = False
    first: bool = False
    moving: bool = False
    row: int = 0
    position: int = 0
    group: int = 0
    place: int = 0


@dataclass(frozen=True)
class Walk:
    """A walk of these sizes: neurons of a group, synapses of a word, most words, most groups."""

    pe: int
    simd: int
    ring: int
    groups: int

    def word(self, group: int, number: int, moving: bool) -> Iterator[Cycle]:
        """A word of the ring: its synapses, as soon as there is room for their bits, and its chunks
        as soon as they are full; at its end what is left."""
        waiting = position = 0
        while position < self.simd or waiting:
            give = waiting >= _CHUNK or (position == self.simd and waiting > 0)
            waiting -= min(waiting, _CHUNK) if give else 0
            take = position < self.simd and waiting < _CHUNK
            if take:
                row, last = number * self.simd + position, position == self.simd - 1
                yield Cycle(take, give, last, first=position == 0, moving=moving, row=row,
                            position=position, group=group, place=waiting)  # fmt: skip
                position, waiting = position + 1, waiting + self.pe
            else:
                yield Cycle(give=give)

    def cycles(self, words: int, groups: int, is_image: bool) -> list[Cycle]:
        """A whole walk, from the cycle behind `start` on."""
        result: list[Cycle] = []
        # The ring of hidden bits stands at word 1.
        begin = 0 if is_image or words == 1 else 1
        for group in reversed(range(groups)):
            for step in range(words):
                result += self.word(group, (begin + step) % words, group == groups - 1)
            result += [Cycle()] * _SETTLE
        result[-1] = Cycle(done=True)
        return result

    def documented(self, words: int, groups: int) -> int:
        """How many there are, from the header."""
        chunks = ceil_div(self.pe * self.simd, _CHUNK)
        if self.pe >= _CHUNK:
            word = chunks + 1
        else:
            word = self.simd + chunks - self.pe * (self.simd - 1) // _CHUNK
        return groups * (words * word + _SETTLE)
