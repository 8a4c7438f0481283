# SPDX-License-Identifier: Apache-2.0
"""The rules of fcc_word_loader: chunks into words of a memory, cycle by cycle."""

from __future__ import annotations

from xnor_fcc.geometry import ceil_div
from xnor_fcc_sim.bits import join


class Loader:
    """What one loader should do: words of `width` bits out of chunks of `chunk` bits, `depth` of
    them, of which `preset` are there from the start."""

    def __init__(self, chunk: int, width: int, depth: int, preset: int) -> None:
        self.chunk, self.width, self.depth, self.preset = chunk, width, depth, preset
        self.chunks = ceil_div(width, chunk)
        self.due: tuple[int, int] | None = None  # (address, data) written in the next cycle
        self.coming: tuple[int, int] | None = None  # in the one after it
        self.overflow = False
        self.partial: list[int] = []
        self.loaded = preset
        self.patched = 0  # the word that is written again next

    def cycle(
        self, restart: bool, chunk: int | None, seek: int | None = None, patch: int | None = None
    ) -> None:
        """Take the inputs of a cycle; where words can be written again, the address of the first
        of them or a chunk."""
        self.due, self.coming, self.overflow = self.coming, None, False
        if restart:
            self.partial, self.loaded = [], 0
        elif seek is not None:
            self.partial, self.patched = [], seek
        elif patch is not None:
            self.partial.append(patch)
            if len(self.partial) == self.chunks:
                self.coming = (self.patched, self.word())
                self.partial, self.patched = [], self.patched + 1
        elif chunk is not None and self.loaded == self.depth:
            self.overflow = True
        elif chunk is not None:
            self.partial.append(chunk)
            if len(self.partial) == self.chunks:
                self.coming = (self.loaded, self.word())
                self.partial, self.loaded = [], self.loaded + 1

    def word(self) -> int:
        """That of the chunks so far."""
        return join(self.partial, self.chunk) & ((1 << self.width) - 1)
