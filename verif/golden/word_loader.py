# SPDX-License-Identifier: Apache-2.0
"""The rules of fcc_word_loader: chunks into words of a memory, cycle by cycle."""

from __future__ import annotations

from xnor_fcc.geometry import ceil_div
from xnor_fcc_sim.bits import join


class Loader:
    """What one loader should do: words of `width` bits out of chunks of `chunk` bits, `depth` of
    them, of which `preset` are there from the start, written whole or in slices of `size` bits."""

    def __init__(self, chunk: int, width: int, depth: int, preset: int, size: int = 0) -> None:
        self.chunk, self.width, self.depth, self.preset = chunk, width, depth, preset
        self.chunks, self.size = ceil_div(width, chunk), size or width
        # (slice, address, data): the first two are shown in this cycle, the last in the next one.
        self.due: tuple[int, int, int] | None = None
        self.data: tuple[int, int, int] | None = None
        self.overflow = False
        self.partial: list[int] = []
        self.loaded = preset
        self.patched = 0  # the word that is written again next

    def cycle(
        self, restart: bool, chunk: int | None, seek: int | None = None, patch: int | None = None
    ) -> None:
        """Take the inputs of a cycle; where words can be written again, the address of the first
        of them or a chunk."""
        self.data, self.due, self.overflow = self.due, None, False
        if restart:
            self.partial, self.loaded = [], 0
        elif seek is not None:
            self.partial, self.patched = [], seek
        elif patch is not None:
            if self.takes(patch, self.patched):
                self.patched += 1
        elif chunk is not None and self.loaded == self.depth:
            self.overflow = True
        elif chunk is not None and self.takes(chunk, self.loaded):
            self.loaded += 1

    def reset(self) -> None:
        """Instead of a cycle: nothing is begun; what is being written already will have been."""
        self.data, self.due, self.overflow = self.due, None, False
        self.partial, self.loaded = [], self.preset

    def takes(self, chunk: int, address: int) -> bool:
        """Another chunk of the word; whether it was the last one."""
        self.partial.append(chunk)
        end = len(self.partial) == self.chunks
        bits = len(self.partial) * self.chunk
        if end or bits % self.size == 0:
            number = (min(bits, self.width) - 1) // self.size
            word = join(self.partial, self.chunk) & ((1 << self.width) - 1)
            self.due = (number, address, word >> number * self.size)
        if end:
            self.partial = []
        return end

    def slice_width(self, number: int) -> int:
        """Bits of a slice."""
        return min(self.size, self.width - number * self.size)
