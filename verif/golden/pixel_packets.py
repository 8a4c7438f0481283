# SPDX-License-Identifier: Apache-2.0
"""The rules of fcc_pixel_sink: what must come of a packet of pixels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from golden.map_machine import number
from xnor_fcc.map_plan import image_area
from xnor_fcc_sim.packets import Beat


@dataclass(frozen=True)
class Stored:
    """Bits that go to a bank, of an image in the first half of the memory."""

    bank: int
    address: int
    data: int


@dataclass
class PixelPacket:
    """Beats, and what has to come of them: what is stored of each, or strobes and a drop."""

    beats: list[Beat]
    good: bool
    stored: list[Stored | None]
    strobes: Counter[str] = field(default_factory=Counter)


class PixelFormat:
    """How the sink is configured, and packets in that format."""

    KINDS = (
        *("short_beat", "short_line", "short_empty", "long_beat", "endless", "no_start", "no_end"),
        *("cut", "flag", "flag_first", "flag_last", "flag_then_short", "flag_then_long"),
    )

    def __init__(self, width: int, channels: int, levels: int, side: int, seed: int) -> None:
        """`side` pixels a line and lines, border and all; `levels` of each of the `channels`, 0
        where these stay numbers."""
        self.width, self.channels, self.side = width, channels, side
        self.rng = np.random.default_rng(seed)
        self.levels = np.sort(self.rng.integers(1, 256, (channels, levels)), axis=1)
        # Some are never reached, or by every pixel but 0.
        self.levels[self.rng.random((channels, levels)) < 0.2] = 0
        self.levels[self.rng.random((channels, levels)) < 0.1] = 1

    def configuration(self) -> dict[str, int]:
        """The sink's configuration ports."""
        levels = int.from_bytes(self.levels.astype(np.uint8).tobytes(), "little")
        if not self.levels.size:  # of which nothing is read
            levels = int.from_bytes(self.rng.bytes(8 * self.channels), "little")
        return {"side": self.side, "levels": levels}

    def good(self, ones: bool = False) -> PixelPacket:
        """A random image, pixels around the levels among them; symbols behind a pixel are random
        too, and so is `empty` but at the end."""
        side, rng, symbols = self.side, self.rng, self.width // 8
        image = rng.integers(0, 256, (side, side, symbols))
        levels = self.levels.ravel() if self.levels.size else np.array([0, 255])
        edges = rng.choice(levels, image.shape) - rng.integers(0, 2, image.shape)
        image = np.where(rng.random(image.shape) < 0.4, edges.clip(0, 255), image)
        if ones:
            image[:] = 255
        colours = image[:, :, : self.channels, None]
        if self.levels.size:
            bits = ((colours >= self.levels) & (self.levels > 0)).astype(np.uint8)
        else:
            bits = np.unpackbits(colours.astype(np.uint8), axis=3, bitorder="little")
        rows = bits.reshape(side, side, -1)
        area = image_area(side)
        stored: list[Stored | None] = [None] * (2 * side)
        for y in range(2, side):
            for x in range(side):
                three = np.concatenate([rows[y - 2, x], rows[y - 1, x], rows[y, x]])
                stored.append(Stored(*area.place(y - 2, x), number(three)))
        beats = [
            Beat(
                data=int.from_bytes(bytes(pixel.tolist()), "big"),
                start=int(i == 0),
                end=int(i == side**2 - 1),
                empty=0 if i == side**2 - 1 else int(rng.integers(0, symbols)),
            )
            for i, pixel in enumerate(image.reshape(side**2, symbols))
        ]
        return PixelPacket(beats, True, stored)

    def kinds(self) -> list[str]:
        """The kinds of malformed packets that exist in this format."""
        return [kind for kind in self.KINDS if kind != "short_empty" or self.width > 8]

    def bad(self, kind: str) -> PixelPacket:
        """A packet malformed in one way, followed by a good start of a packet or nothing."""
        good = self.good()
        beats = good.beats
        middle = replace(beats[0], start=0, end=0)
        last = beats[-1]
        flagged = [replace(beats[0], error=1), *beats[1:]]
        tail = [replace(last, end=0), replace(middle, end=1)]
        match kind:
            case "short_beat":
                beats, strobes = [*beats[:-2], replace(beats[-2], end=1)], ["error_short"]
            case "short_line":  # it ends with a line, and with none of its pixels
                cut = int(self.rng.integers(1, self.side)) * self.side
                beats = [*beats[: cut - 1], replace(beats[cut - 1], end=1)]
                strobes = ["error_short"]
            case "short_empty":
                most = self.width // 8
                beats = [*beats[:-1], replace(last, empty=int(self.rng.integers(1, most)))]
                strobes = ["error_short"]
            case "long_beat":
                beats, strobes = [*beats[:-1], *tail], ["error_long"]
            case "endless":  # the next packet's start ends it
                beats = [*beats[:-1], tail[0], *[middle] * (self.side**2 + 19)]
                strobes = ["error_long", "error_frame"]
            case "no_start":
                beats, strobes = [replace(beats[0], start=0), *beats[1:]], ["error_frame"]
            case "no_end":  # it is too long already where it should have ended
                beats, strobes = [*beats[:-1], tail[0]], ["error_long", "error_frame"]
            case "cut":
                beats = beats[: int(self.rng.integers(1, len(beats)))]
                strobes = ["error_frame"]
            case "flag" | "flag_first" | "flag_last":
                index = {"flag_first": 0, "flag_last": len(beats) - 1}.get(kind, -1)
                index = int(self.rng.integers(0, len(beats))) if index < 0 else index
                beats[index] = replace(beats[index], error=1)
                strobes = ["error_flag"]
            case "flag_then_short":  # once it is bad, its length says nothing more
                beats, strobes = [*flagged[:-2], replace(beats[-2], end=1)], ["error_flag"]
            case "flag_then_long":
                beats, strobes = [*flagged[:-1], *tail], ["error_flag"]
            case _:
                raise ValueError(kind)
        return PixelPacket(beats, False, good.stored, Counter(strobes))
