# SPDX-License-Identifier: Apache-2.0
"""The FPGAs of devices.json: what each has, and how much of it one dares to fill."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .area import Shapes

DATA: dict[str, Any] = json.loads(Path(__file__).with_name("devices.json").read_bytes())

# Pins of a streamed weight port beside its data, with clock and reset.
_PORT_PINS = 6


@dataclass(frozen=True)
class Device:
    """An FPGA, and how much of it one dares to fill; see devices.json for the meaning."""

    name: str
    board: str
    part: str
    clock_mhz: int
    alms: int
    block: str
    """What a block of RAM is called."""
    blocks: int
    block_bits: int
    shapes: Shapes
    user_io: int
    named: bool
    logic_fill: float
    blocks_fill: float
    crowded: float
    crowded_fill: float

    @property
    def alm_limit(self) -> float:
        """Most ALMs one dares to use."""
        return self.logic_fill * self.alms

    def block_limit(self, alm: float) -> int:
        """Most blocks of RAM one dares to use beside `alm` ALMs."""
        fill = self.crowded_fill if alm > self.crowded * self.alms else self.blocks_fill
        return math.floor(fill * self.blocks)

    @property
    def port_bits(self) -> int:
        """Bits of the widest port for streamed weights, a multiple of 8."""
        return max(0, (self.user_io - _PORT_PINS) // 8 * 8)


def devices() -> dict[str, Device]:
    """The devices of devices.json by name."""
    fill = DATA["fill"]
    result = {}
    for entry in DATA["devices"]:
        family = DATA["families"][entry["family"]]
        result[entry["name"]] = Device(
            **{key: entry[key] for key in (
                "name", "board", "part", "clock_mhz", "alms", "blocks", "user_io", "named"
            )},
            block=family["block"],
            block_bits=family["block_bits"],
            shapes=tuple((words, bits) for words, bits in family["shapes"]),
            logic_fill=fill["logic"],
            blocks_fill=fill["blocks"],
            crowded=fill["crowded"],
            crowded_fill=fill["crowded_blocks"],
        )
    return result
