# SPDX-License-Identifier: Apache-2.0
"""What the DE1-SoC demo is built from: memory files, and the parameters of quartus/de1_soc.v.

The demo classifies a ring of test images without a host. `python -m xnor_fcc.board.demo` writes,
into one directory, the memory files of preset_demo.py and parameters.tcl, a Tcl list with the
parameters of de1_soc.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import area
from ..devices import devices
from ..errors import CommandLine, UserError, run_main
from ..geometry import NAMED, Geometry, GeometryError
from ..geometry_options import add_geometry, add_network, sizes_of
from ..integer import IntegerNetwork, find_network
from .preset_demo import FIRST, IMAGES, PresetDemo, ring_images, write_lines

DEVICE = "de1-soc"
# The core of the demo unless another is asked for.
GEOMETRY = "throughput"
DEFAULT_OUT = Path("build/quartus")
PIN_MHZ = devices()[DEVICE].clock_mhz
MAX_MHZ = 199
# ALMs of the demo around the core, by Yosys: displays, decimal counter, ring, checker, rounded up.
DEMO_ALM = 120


@dataclass(frozen=True)
class Board(PresetDemo):
    """One build of the demo of the DE1-SoC."""

    clock_mhz: int = PIN_MHZ

    def __post_init__(self) -> None:
        super().__post_init__()
        if not PIN_MHZ <= self.clock_mhz <= MAX_MHZ:
            raise UserError(
                f"A clock of {self.clock_mhz} MHz is outside {PIN_MHZ} to {MAX_MHZ} MHz."
            )

    def require_fit(self) -> None:
        """Raise `GeometryError` unless core and demo fit the DE1-SoC, by the model of area.py."""
        device = devices()[DEVICE]
        images, beats = len(self.bits), self.geometry.image_beats(self.network.inputs, False)
        core = area.estimate(self.geometry, device.shapes)
        blocks, logic = area.memory(self.geometry.image_width, images * beats, device.shapes)
        alm, blocks = core.alm + logic + DEMO_ALM, core.blocks + blocks
        limit = device.block_limit(alm)
        if alm > device.alm_limit or blocks > limit:
            raise GeometryError(
                f"{self.geometry.label} takes about {alm:,.0f} ALMs and {blocks} {device.block} "
                f"with the demo, and of the {device.board} one can fill "
                f"{device.alm_limit:,.0f} and {limit}: make explore lists what fits."
            )

    def parameters(self) -> dict[str, int]:
        """Parameters of de1_soc.v, the prefix of the memory files aside."""
        return {**super().parameters(), "CLOCK_MHZ": self.clock_mhz}

    def write(self, directory: Path) -> None:
        """Write the memory files and parameters.tcl."""
        super().write(directory)
        values = [f"  {name} {value}" for name, value in self.parameters().items()]
        write_lines(directory / "parameters.tcl", ["set parameters {", *values, "}"])


def board_of(
    sizes: Sequence[int] = NAMED[GEOMETRY],
    network: IntegerNetwork | None = None,
    images: int = IMAGES,
    first: int = FIRST,
    clock_mhz: int = PIN_MHZ,
) -> Board:
    """The demo with `images` test images from number `first` on, of the network's data set.

    `sizes`: PE, SIMD, LANES; `network`: the committed one unless given. MNIST's test images where
    the network names no data set.
    """
    network = network or IntegerNetwork.load(find_network("mnist"))
    bits, labels = ring_images(network, images, first)
    return Board(Geometry.for_widths(network.widths, *sizes), network, bits, labels, clock_mhz)


def parser() -> CommandLine:
    """The command line."""
    result = CommandLine(
        prog="python -m xnor_fcc.board.demo",
        description="Write the memory files and parameters of the DE1-SoC demo. quartus/build.tcl "
        "calls this with its own options.",
    )
    add_geometry(result, streamed=False, named=GEOMETRY)
    add_network(result)
    result.add_argument(
        "--clock",
        type=int,
        default=PIN_MHZ,
        metavar="MHZ",
        help="50 straight from the pin, 51 to 199 out of a PLL (default: %(default)s)",
    )
    result.add_argument(
        "--images",
        type=int,
        default=IMAGES,
        help="images in the ring, a power of two up to 512 (default: %(default)s)",
    )
    result.add_argument(
        "--first",
        type=int,
        default=FIRST,
        help="number of the first one in the test set (default: %(default)s)",
    )
    result.add_argument(
        "--output",
        type=Path,
        default=DEFAULT_OUT,
        help="directory to write into (default: %(default)s)",
    )
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Check everything, then write everything."""
    options = parser().parse_args(arguments)
    sizes = sizes_of(options, NAMED[GEOMETRY])
    network = IntegerNetwork.load(find_network(options.network))
    board = board_of(sizes, network, options.images, options.first, options.clock)
    board.require_fit()
    board.write(options.output)
    pe, simd, lanes = sizes
    cycles = board.geometry.period_cycles(network.widths) / lanes
    print(
        f"{options.output}: PE={pe} SIMD={simd} LANES={lanes}, {options.clock} MHz, {cycles:g} "
        f"cycles an image; of {options.images} images the network itself gets {board.wrong()} wrong"
    )
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
