# SPDX-License-Identifier: Apache-2.0
"""An mSGDMA engine as a host sees it, for the systems that tests and `xnor-fcc serve` simulate."""

from __future__ import annotations

from collections.abc import Callable

from xnor_fcc.board import msgdma
from xnor_fcc.board.address_map import OFFSET, SPAN


class MsgdmaModel:
    """The two ports of an engine: `accept` gets (read address, write address, bytes, control) of
    every descriptor that is handed over, `forget` is called at a reset."""

    def __init__(
        self, accept: Callable[[tuple[int, int, int, int]], None], forget: Callable[[], None]
    ) -> None:
        self.accept = accept
        self.forget = forget
        self.words = [0, 0, 0, 0]
        self.pending = 0
        self.posted: list[tuple[int, int, int, int]] = []

    def read_csr(self, offset: int) -> int:
        """A register of the control and status port."""
        return (msgdma.STATUS_BUSY if self.pending else 0) if offset == msgdma.STATUS else 0

    def write_csr(self, offset: int, value: int) -> None:
        """Write there."""
        if offset == msgdma.CONTROL and value & msgdma.CONTROL_RESET:
            self.pending = 0
            self.forget()

    def write_descriptor(self, offset: int, value: int) -> None:
        """Write to the descriptor port; the control word with GO hands it over."""
        self.words[offset // 4] = value
        if offset == msgdma.DESCRIPTOR_CONTROL and value & msgdma.GO:
            descriptor = (self.words[0], self.words[1], self.words[2], self.words[3])
            self.posted.append(descriptor)
            self.pending += 1
            self.accept(descriptor)

    def finished(self) -> None:
        """A descriptor has been worked off."""
        self.pending -= 1


def part_of(offset: int) -> tuple[str, int]:
    """(part of the system, offset in it) of an offset in the window of registers."""
    for name, start in OFFSET.items():
        if start <= offset < start + SPAN[name]:
            return name, offset - start
    return "nothing", 0
