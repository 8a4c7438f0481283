# SPDX-License-Identifier: Apache-2.0
"""One Altera Modular Scatter-Gather DMA engine (mSGDMA) with standard descriptors.

Its registers, 32 bits each, as the Embedded Peripherals IP user guide has them:

    control and status port   +0 STATUS   +4 CONTROL
    descriptor port           +0 read address   +4 write address   +8 bytes   +12 control

The write of a descriptor's control word with GO hands the descriptor over. An engine from memory to
a stream sends a descriptor as one packet, memory byte 0 in the high-order bits of the first beat;
an engine from a stream to memory fills memory in the same order.
"""

from __future__ import annotations

from .transport import Transport

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
