# SPDX-License-Identifier: Apache-2.0
"""Altera's Modular Scatter-Gather DMA engine (mSGDMA) with standard descriptors, and a pair of them
which moves images and results.

Its registers, 32 bits each, as the Embedded Peripherals IP user guide has them:

    control and status port   +0 STATUS   +4 CONTROL
    descriptor port           +0 read address   +4 write address   +8 bytes   +12 control

The write of a descriptor's control word with GO hands the descriptor over. An engine from memory to
a stream sends a descriptor as one packet, memory byte 0 in the high-order bits of the first beat;
an engine from a stream to memory fills memory in the same order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .address_map import BASE, BUFFER_BYTES, DESCRIPTORS, OFFSET

if TYPE_CHECKING:  # which names this module's mover
    from .transport import DmaTransport, Transport

STATUS, CONTROL = 0, 4
STATUS_BUSY = 1 << 0
STATUS_RESETTING = 1 << 6
CONTROL_RESET = 1 << 1
READ_ADDRESS, WRITE_ADDRESS, LENGTH, DESCRIPTOR_CONTROL = 0, 4, 8, 12
GENERATE_SOP, GENERATE_EOP, GO = 1 << 8, 1 << 9, 1 << 31

# Reads of STATUS until a reset must be over; it takes a few cycles of the FPGA.
_RESET_READS = 1000


class Msgdma:
    """A DMA engine whose two ports are at byte offsets `csr` and `descriptor` of the registers."""

    def __init__(self, transport: Transport, csr: int, descriptor: int) -> None:
        self.transport = transport
        self.csr = csr
        self.descriptor = descriptor

    def reset(self) -> bool:
        """Forget all descriptors and whatever is in the engine; False if it does not come back."""
        self.transport.write(self.csr + CONTROL, CONTROL_RESET)
        for _ in range(_RESET_READS):
            if not self.transport.read(self.csr + STATUS) & STATUS_RESETTING:
                return True
        return False

    @property
    def busy(self) -> bool:
        """A descriptor is waiting or being worked on."""
        return bool(self.transport.read(self.csr + STATUS) & STATUS_BUSY)

    def send(self, address: int, length: int) -> None:
        """Send `length` bytes of memory as one packet."""
        self._post(address, 0, length, GENERATE_SOP | GENERATE_EOP | GO)

    def receive(self, address: int, length: int) -> None:
        """Put the next `length` bytes of the stream into memory, packet after packet."""
        self._post(0, address, length, GO)

    def _post(self, read: int, write: int, length: int, control: int) -> None:
        at = self.descriptor
        self.transport.write(at + READ_ADDRESS, read)
        self.transport.write(at + WRITE_ADDRESS, write)
        self.transport.write(at + LENGTH, length)
        self.transport.write(at + DESCRIPTOR_CONTROL, control)


class DmaMover:
    """`Mover` of two engines and the buffer between them and the host: images are put into that
    memory and sent from there as one packet each, and results come back beside them."""

    single = False

    def __init__(self, transport: DmaTransport) -> None:
        self.transport = transport
        self.image_dma = Msgdma(transport, OFFSET["image_csr"], OFFSET["image_descriptor"])
        self.result_dma = Msgdma(transport, OFFSET["result_csr"], OFFSET["result_descriptor"])

    def reset(self) -> bool:
        """Reset both engines; False if one does not come back."""
        return all([dma.reset() for dma in (self.image_dma, self.result_dma)])

    def chunk(self, size: int, words: int, beat: int) -> int:
        """As many images as fit the buffer with their results."""
        return min(BUFFER_BYTES // (_slot(size, beat) + 4 * words), DESCRIPTORS)

    def exchange(
        self, packets: np.ndarray, words: int, beat: int, timeout: float
    ) -> np.ndarray:
        """Send uint8 (n, bytes) as n packets; return uint32 (n, words), the result packets."""
        count, size = packets.shape
        slot = _slot(size, beat)
        padded = np.zeros((count, slot), np.uint8)
        padded[:, :size] = packets
        self.transport.write_buffer(0, padded.ravel().view("<u4"))
        base = BASE["dma"]["buffer"]
        self.result_dma.receive(base + count * slot, 4 * words * count)
        for number in range(count):
            self.image_dma.send(base + number * slot, size)
        start = self.transport.now()
        while self.result_dma.busy:
            if self.transport.now() - start > timeout:
                raise TimeoutError
            self.transport.pause()
        raw = self.transport.read_buffer(count * slot, words * count)
        # Streams have their first byte in the high-order bits, and so it is the first in memory.
        return raw.astype("<u4").view(">u4").astype(np.uint32).reshape(count, words)


def _slot(size: int, beat: int) -> int:
    """Bytes of a packet in the buffer: it begins at a multiple of the engine's beats, and a result
    at one of its words."""
    whole = max(4, beat)
    return -(-size // whole) * whole
