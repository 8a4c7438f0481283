# SPDX-License-Identifier: Apache-2.0
"""How the driver reaches a core: the interfaces `Transport` and `Mover`, and the transport of a
board whose processor sees the core.

A transport reaches registers, by byte offsets, and has a mover, which brings images to the core and
results back. Where DMA engines do that (`DmaTransport`, `msgdma.DmaMover`), the transport has a
second window, the memory that they read and write. `MappedTransport` maps both from files, which
are /dev/mem or UIO devices on the board; the tests have another one, which drives the ports of the
simulated core. Over a serial line (`uart`) the transport is the mover.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ..errors import UserError
from .address_map import BASE, BUFFER_BYTES, REGISTER_BYTES
from .msgdma import DmaMover


class TransportError(UserError):
    """The hardware cannot be reached from this process; the sentence says why."""


class Mover(Protocol):
    """Brings images to the core and results back.

    `single`: an image is answered before the next one reaches the core, so that no two are in it.
    """

    @property
    def single(self) -> bool:
        """See above."""

    def reset(self) -> bool:
        """Forget whatever is on the way; False if it does not come to rest."""

    def chunk(self, size: int, words: int, beat: int) -> int:
        """How many images of `size` bytes, with results of so many words, go at a time; 0 if not
        even one. `beat`: bytes of a beat of asi_image."""

    def exchange(
        self, packets: np.ndarray, words: int, beat: int, timeout: float
    ) -> np.ndarray:
        """Send uint8 (n, bytes) as n packets; return uint32 (n, words), the result packets.
        `TimeoutError` where the core does not answer within `timeout` seconds, or within what the
        hardware in front of it allows."""


class Transport(Protocol):
    """Registers of 32 bits, at byte offsets that are multiples of 4, a mover, and a clock."""

    def read(self, offset: int) -> int:
        """A register."""

    def write(self, offset: int, value: int) -> None:
        """Write a register."""

    def write_many(self, offset: int, values: Sequence[int] | np.ndarray) -> None:
        """Write values to one register, one after the other."""

    def mover(self) -> Mover:
        """What moves images and results."""

    def now(self) -> float:
        """Seconds since some moment."""

    def pause(self) -> None:
        """Let a little time go by."""

    def close(self) -> None:
        """Give the hardware back."""


class DmaTransport(Transport, Protocol):
    """One with the memory of DMA engines as a second window."""

    def read_buffer(self, offset: int, words: int) -> np.ndarray:
        """uint32 (words,) from the buffer."""

    def write_buffer(self, offset: int, words: np.ndarray) -> None:
        """Write uint32 (N,) to the buffer; it has arrived when this returns."""


class Window:
    """`size` bytes of a file from byte `base` on, as 32-bit words."""

    def __init__(self, path: str, base: int, size: int) -> None:
        page = mmap.PAGESIZE
        start = base // page * page
        try:
            # O_SYNC: the processor must not cache, join or reorder accesses to registers.
            file = os.open(path, os.O_RDWR | os.O_SYNC)
            try:
                self._map = mmap.mmap(file, base - start + size, offset=start)
            finally:
                os.close(file)
        except PermissionError as cause:
            raise TransportError(f"{path} may not be opened; run this as root.") from cause
        except (OSError, ValueError, OverflowError) as cause:
            reason = getattr(cause, "strerror", None) or cause
            raise TransportError(
                f"{size} bytes of {path} at {base:#x} cannot be mapped ({reason})."
            ) from cause
        first = (base - start) // 4
        self.words = np.frombuffer(self._map, "<u4")[first : first + size // 4]

    def close(self) -> None:
        """Unmap; reads and writes fail from now on."""
        self.words = np.empty(0, np.uint32)
        self._map.close()


class MappedTransport:
    """Two windows of files, given as PATH@ADDRESS (the address is 0 where it is left out).

    Whole words are copied between aligned arrays only: to the processor the windows are device
    memory, where an unaligned access is a bus error.
    """

    def __init__(
        self,
        registers: str = f"/dev/mem@{BASE['hps']['registers']:#x}",
        buffer: str = f"/dev/mem@{BASE['hps']['buffer']:#x}",
    ) -> None:
        """Raises `TransportError` with one sentence where a window cannot be mapped."""
        self.registers = Window(*parse_window(registers), REGISTER_BYTES)
        try:
            self.buffer = Window(*parse_window(buffer), BUFFER_BYTES)
        except TransportError:
            self.registers.close()
            raise

    def read(self, offset: int) -> int:
        """A register."""
        return int(self.registers.words[offset // 4])

    def write(self, offset: int, value: int) -> None:
        """Write a register."""
        self.registers.words[offset // 4] = value

    def write_many(self, offset: int, values: Sequence[int] | np.ndarray) -> None:
        """Write values to one register, one after the other."""
        words, index = self.registers.words, offset // 4
        for value in np.asarray(values, np.uint32):
            words[index] = value

    def read_buffer(self, offset: int, words: int) -> np.ndarray:
        """uint32 (words,) from the buffer."""
        return self.buffer.words[offset // 4 : offset // 4 + words].copy()

    def write_buffer(self, offset: int, words: np.ndarray) -> None:
        """Write uint32 (N,) to the buffer; it has arrived when this returns."""
        first, last = offset // 4, offset // 4 + len(words)
        self.buffer.words[first:last] = words
        # Registers are behind another bridge: only a read answered by this one proves that its
        # writes have not been overtaken.
        _ = int(self.buffer.words[last - 1])

    def mover(self) -> Mover:
        """DMA engines."""
        return DmaMover(self)

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def pause(self) -> None:
        """Let others run."""
        time.sleep(0)

    def close(self) -> None:
        """Unmap both windows."""
        self.registers.close()
        self.buffer.close()


def parse_window(text: str) -> tuple[str, int]:
    """(path, address) of PATH or PATH@ADDRESS; raises `TransportError` for any other address."""
    path, _, address = text.partition("@")
    try:
        base = int(address or "0", 0)
    except ValueError:
        base = -1
    if not path or base < 0 or base % 4:
        raise TransportError(
            f"{text} is not a window; write PATH@ADDRESS, for example /dev/mem@0xff200000."
        )
    return path, base
