# SPDX-License-Identifier: Apache-2.0
"""What the ULX3S demo is built from: a core, its network, a ring of images, and a clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import UserError
from ..geometry import Geometry
from ..integer import IntegerNetwork, find_network
from .preset_demo import FIRST, IMAGES, PresetDemo, ring_images

NETWORK = "digits"
# PE, SIMD, LANES of the core by network unless another is asked for, and the most taps that it has.
# For "mnist" the memories leave room between blocks of RAM, without which no placer gets short
# wires: its PEs are few, because each has a threshold of its own, and their words wide.
SIZES = {"mnist": (26, 114, 1), "digits": (16, 32, 1)}
TAPS = 8
CLOCK_MHZ = 50
# A block of RAM has room for so many words of 18 bits, or of 36.
_DEEP, _WIDE = 1024, 512
_SLOWEST, _FASTEST, _STEP = 10, 200, 5


@dataclass(frozen=True)
class Ulx3s(PresetDemo):
    """One build of the demo; `clock_mhz` is made by the PLL in rtl/boards/ulx3s/ulx3s.v."""

    clock_mhz: int = CLOCK_MHZ

    def __post_init__(self) -> None:
        super().__post_init__()
        if not _SLOWEST <= self.clock_mhz <= _FASTEST or self.clock_mhz % _STEP:
            raise UserError(
                f"The PLL makes multiples of {_STEP} MHz from {_SLOWEST} to {_FASTEST}, not "
                f"{self.clock_mhz} MHz."
            )

    def parameters(self) -> dict[str, int]:
        """Parameters of ulx3s.v, the prefix of the memory files aside."""
        return {**super().parameters(), "CLOCK_MHZ": self.clock_mhz}


def ulx3s_of(
    sizes: Sequence[int | None] = (None, None, None),
    network: IntegerNetwork | None = None,
    images: int = IMAGES,
    first: int = FIRST,
    clock_mhz: int = CLOCK_MHZ,
) -> Ulx3s:
    """The demo with `images` test images from number `first` on, of the network's data set.

    `sizes`: PE, SIMD, LANES, None for those of SIZES; `network`: the committed one for 8x8 digits
    unless given. The memories of the core have as many words as blocks of RAM hold, for other
    networks that a host loads.
    """
    network = network or IntegerNetwork.load(find_network(NETWORK))
    bits, labels = ring_images(network, images, first)
    known = SIZES.get(network.name, SIZES["digits"])
    pe, simd, lanes = (b if a is None else a for a, b in zip(sizes, known, strict=True))
    core = Geometry.for_widths(network.widths, pe, simd, lanes)
    core = replace(
        core,
        taps=min(TAPS, core.pe, core.ring),
        weight_depth=max(core.weight_depth, _DEEP),
        bank_depth=_DEEP,
        threshold_depth=max(core.threshold_depth, _WIDE),
    )
    return Ulx3s(core, network, bits, labels, clock_mhz)
