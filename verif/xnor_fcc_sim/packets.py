# SPDX-License-Identifier: Apache-2.0
"""Images as packets, and packets as beats of the streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from cocotb.triggers import RisingEdge

from xnor_fcc.integer import IntegerNetwork


def bit_packet(bits: np.ndarray) -> bytes:
    """Packet of an image (n,) of 0/1 as packed 1-bit pixels."""
    return np.packbits(bits, bitorder="little").tobytes()


def grey_packet(
    levels: np.ndarray,
    threshold: int,
    rng: np.random.Generator,
    residual: tuple[int, int] | None = None,
) -> bytes:
    """Packet of 8-bit pixels that become `levels`: 0 and 1 by the threshold, or 0 to 3 with the
    residual thresholds below and above it; at the ends of a level's range where it hurts."""
    ends = [0, threshold, 256]
    if residual is not None:
        ends = [0, residual[0], threshold, residual[1], 256]
    low, high = np.array(ends[:-1])[levels], np.array(ends[1:])[levels] - 1
    assert (low <= high).all(), "no pixel has such a level"
    end = np.where(rng.random(levels.shape) < 0.5, low, high)
    anywhere = rng.random(levels.shape) < 0.5
    return np.where(anywhere, rng.integers(low, high + 1), end).astype(np.uint8).tobytes()


def image_packet(
    network: IntegerNetwork, x: np.ndarray, grey: bool, rng: np.random.Generator
) -> bytes:
    """Packet of an image (inputs,) of bits or levels as `network` takes them; `grey`: as 8-bit
    pixels, the only form in which there are levels."""
    assert grey or network.pixel_residual is None
    if grey:
        return grey_packet(x, network.pixel_threshold, rng, network.pixel_residual)
    return bit_packet(x)


def map_packet(network: IntegerNetwork, grey: np.ndarray, width: int) -> bytes:
    """Packet of an image uint8 (inputs,) for a core for convolutions, its border and all, a pixel a
    beat of `width` bits; the rest of a beat, which means nothing, is 0xA5, or 0 where pixels are
    numbers, because the core may have more colours than the network."""
    pixels = network.pixels
    assert pixels is not None
    beats = pixels.packets(grey[None], width // 8).reshape(-1, width // 8)
    if pixels.values is None:
        beats[:, pixels.colours :] = 0xA5
    return beats.tobytes()


@dataclass
class Beat:
    """One beat of the image stream, or of the weight stream."""

    data: int
    start: int = 0
    end: int = 0
    empty: int = 0
    error: int = 0


def beats_of(packet: bytes, width: int) -> list[Beat]:
    """The beats of a well-formed packet on a stream of `width` bits, first byte highest."""
    size = width // 8
    beats = []
    for start in range(0, len(packet), size):
        chunk = packet[start : start + size]
        beats.append(
            Beat(int.from_bytes(chunk.ljust(size, b"\xff"), "big"), empty=size - len(chunk))
        )
    beats[0].start = 1
    beats[-1].end = 1
    return beats


async def drive_beat(dut: Any, beat: Beat) -> None:
    """Drive a beat of asi_image until it has been taken; `valid` stays."""
    dut.asi_image_valid.value = 1
    dut.asi_image_data.value = beat.data
    dut.asi_image_startofpacket.value = beat.start
    dut.asi_image_endofpacket.value = beat.end
    dut.asi_image_empty.value = beat.empty
    dut.asi_image_error.value = beat.error
    await RisingEdge(dut.clk)
    while dut.asi_image_ready.value != 1:
        await RisingEdge(dut.clk)
