# SPDX-License-Identifier: Apache-2.0
"""The rules of fcc_image_sink: what must come of a packet, whole (`Format`) or beat by beat
(`PacketRules`), written down apart from each other."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from xnor_fcc.geometry import ceil_div
from xnor_fcc.registers import BIT
from xnor_fcc_sim.bits import number
from xnor_fcc_sim.packets import Beat

ERROR = {name: 1 << bit for name, bit in BIT["ERROR"].items()}
# What the strobes of the module set.
REASONS = {
    "error_short": "PACKET_SHORT",
    "error_long": "PACKET_LONG",
    "error_frame": "PACKET_FRAME",
    "error_flag": "PACKET_FLAGGED",
}


@dataclass
class Packet:
    """Beats, and what has to come of them: an image and its second plane, or strobes and a drop."""

    beats: list[Beat]
    image: int | None
    strobes: Counter[str] = field(default_factory=Counter)
    residual: int = 0


class Format:
    """How the sink is configured, and packets in that format. `residual`: thresholds of the second
    bit of an 8-bit pixel, where its first one is 0 and where it is 1."""

    def __init__(
        self,
        width: int,
        inputs: int,
        pixel_mode: bool,
        threshold: int,
        seed: int,
        residual: tuple[int, int] = (0, 0),
    ) -> None:
        self.width = width
        self.inputs = inputs
        self.pixel_mode = pixel_mode
        self.threshold = threshold
        self.residual = residual
        self.rng = np.random.default_rng(seed)
        self.symbols = width // 8
        self.bytes = inputs if pixel_mode else ceil_div(inputs, 8)
        self.beats = ceil_div(self.bytes, self.symbols)
        self.empty = self.beats * self.symbols - self.bytes

    def configuration(self) -> dict[str, int]:
        """The sink's configuration ports."""
        return {
            "inputs": self.inputs,
            "pixel_mode": self.pixel_mode,
            "pixel_threshold": self.threshold,
            "pixel_residual": self.residual[1] << 8 | self.residual[0],
        }

    def good(self, ones: bool = False) -> Packet:
        """A random image; the bits and bytes behind it are random too, or all one."""
        total = self.beats * self.symbols
        payload = self.rng.integers(0, 256, total, dtype=np.uint8)
        if ones:
            payload[:] = 255
        elif self.pixel_mode:  # values at the thresholds decide
            near = self.rng.random(total) < 0.5
            edges = self.rng.choice([self.threshold, *self.residual], int(near.sum()))
            payload[near] = np.clip(edges - self.rng.integers(0, 2, edges.size), 0, 255)
        residual = 0
        if self.pixel_mode:
            pixels = payload[: self.inputs]
            bits = (pixels >= self.threshold).astype(np.uint8)
            low, high = self.residual
            residual = number(pixels >= np.where(bits, high, low))
        else:
            bits = np.unpackbits(payload, bitorder="little")[: self.inputs]
        beats = []
        for index in range(self.beats):
            data = payload[index * self.symbols : (index + 1) * self.symbols].tobytes()
            last = index == self.beats - 1
            beats.append(
                Beat(
                    data=int.from_bytes(data, "big"),
                    start=int(index == 0),
                    end=int(last),
                    # Empty means nothing before the end.
                    empty=self.empty if last else int(self.rng.integers(0, self.symbols)),
                )
            )
        return Packet(beats, number(bits), residual=residual)

    def kinds(self) -> list[str]:
        """The kinds of malformed packets that exist in this format."""
        kinds = ["long_beat", "endless", "no_start", "no_end", "flag", "flag_first"]
        if self.beats > 1:
            kinds += ["short_beat", "cut"]
        if self.beats > 2:
            kinds += ["flag_then_short", "flag_then_long"]
        if self.empty > 0:
            kinds.append("long_empty")
        if self.symbols == 1 or self.empty < self.symbols - 1:
            kinds.append("short_empty")
        return kinds

    def bad(self, kind: str) -> Packet:
        """A packet malformed in one way, followed by a good start of a packet or nothing."""
        beats = self.good().beats
        middle = replace(self.good().beats[0], start=0, end=0)
        last = beats[-1]
        strobes: list[str]
        match kind:
            case "short_beat":
                beats = [*beats[:-2], replace(beats[-2], end=1, empty=0)]
                strobes = ["error_short"]
            case "short_empty":
                beats[-1] = replace(last, empty=last.empty + 1)
                strobes = ["error_short"]
            case "long_empty":
                beats[-1] = replace(last, empty=last.empty - 1)
                strobes = ["error_long"]
            case "long_beat":
                beats = [*beats[:-1], replace(last, end=0), replace(middle, end=1)]
                strobes = ["error_long"]
            case "endless":  # the next packet's start ends it
                beats = [*beats[:-1], replace(last, end=0), *[middle] * (self.beats + 19)]
                strobes = ["error_long", "error_frame"]
            case "no_start":
                beats[0] = replace(beats[0], start=0)
                strobes = ["error_frame"]
            case "no_end":  # it is too long already where it should have ended
                beats[-1] = replace(last, end=0)
                strobes = ["error_long", "error_frame"]
            case "cut":
                beats = beats[:-1]
                strobes = ["error_frame"]
            case "flag" | "flag_first":
                index = 0 if kind == "flag_first" else int(self.rng.integers(0, len(beats)))
                beats[index] = replace(beats[index], error=1)
                strobes = ["error_flag"]
            case "flag_then_short":  # once it is bad, its length says nothing more
                first = replace(beats[0], error=1)
                beats = [first, *beats[1:-2], replace(beats[-2], end=1, empty=0)]
                strobes = ["error_flag"]
            case "flag_then_long":
                first = replace(beats[0], error=1)
                beats = [first, *beats[1:-1], replace(last, end=0), replace(middle, end=1)]
                strobes = ["error_flag"]
            case _:
                raise ValueError(kind)
        return Packet(beats, None, Counter(strobes))


@dataclass
class Fate:
    """What comes of one beat: reasons, packets dropped, an image with its id."""

    errors: int = 0
    dropped: int = 0
    # (id, activation bits, or levels of two bits each, pixel 0 lowest)
    image: tuple[int, int] | None = None


class PacketRules:
    """The rules of asi_image, beat by beat."""

    def __init__(self, width: int) -> None:
        self.size = width // 8
        self.reset()

    def configure(
        self, inputs: int, grey: bool, threshold: int, residual: int | None = None
    ) -> None:
        """Format of the images from now on; `residual`: PIXEL_RESIDUAL, where they have levels."""
        self.inputs, self.grey, self.threshold = inputs, grey, threshold
        self.residual = residual
        self.bytes = inputs if grey else ceil_div(inputs, 8)

    def reset(self) -> None:
        """Between two packets, ids from 0."""
        self.open = self.bad = False
        self.number = 0
        self.payload = b""

    def cut(self) -> None:
        """The core is stopped: a packet that is open now will be no image."""
        self.bad = True

    def beat(self, beat: Beat) -> Fate:
        """Take one beat."""
        fate = Fate()
        if beat.start:
            if self.open:  # it never ended
                fate.errors |= ERROR["PACKET_FRAME"]
                fate.dropped += 1
                self.number += 1
            self.bad, self.payload = False, b""
        elif not self.open:  # it never started
            fate.errors |= ERROR["PACKET_FRAME"]
            self.bad, self.payload = True, b""
        self.open = not beat.end
        missing = self.bytes - len(self.payload)  # before this beat
        carried = self.size - (beat.empty if beat.end else 0)
        if not self.bad:  # the length of a packet that is bad anyway says nothing
            if beat.end and carried < missing:
                fate.errors |= ERROR["PACKET_SHORT"]
            # Without an end there is at least one byte more to come.
            if carried + (not beat.end) > missing:
                fate.errors |= ERROR["PACKET_LONG"]
        if beat.error:
            fate.errors |= ERROR["PACKET_FLAGGED"]
        self.bad |= bool(fate.errors & ~ERROR["PACKET_FRAME"])
        if not self.bad:
            self.payload += beat.data.to_bytes(self.size, "big")[:carried]
        if beat.end:
            if self.bad:
                fate.dropped += 1
            else:
                fate.image = (self.number & 0xFFFF, self._bits())
            self.number += 1
        return fate

    def _bits(self) -> int:
        if self.residual is not None:
            return sum(self._level(byte) << 2 * i for i, byte in enumerate(self.payload))
        if self.grey:
            return sum((byte >= self.threshold) << i for i, byte in enumerate(self.payload))
        return int.from_bytes(self.payload, "little") & ((1 << self.inputs) - 1)

    def _level(self, byte: int) -> int:
        assert self.residual is not None
        first = byte >= self.threshold
        return first << 1 | (byte >= (self.residual >> 8 if first else self.residual & 0xFF))
