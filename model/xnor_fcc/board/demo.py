# SPDX-License-Identifier: Apache-2.0
"""What the DE1-SoC demo is built from: memory files, and the parameters of quartus/de1_soc.v.

The demo classifies a ring of test images without a host, so everything is in memories that
the FPGA comes up with. `python -m xnor_fcc.board.demo` writes, into one directory:

    preset_config.hex, preset_thresholds_000.hex, preset_weights_00_000.hex, ...
                           the network (see pack.py)
    preset_images.hex      the beats of all images, one a line, the packet's first byte highest
    preset_labels.hex      the label of each image
    parameters.tcl         a Tcl list with the parameters of de1_soc
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import area
from ..data import DEFAULT, binarise, load_test_images
from ..devices import devices
from ..errors import CommandLine, UserError, run_main
from ..files import write_text
from ..geometry import NAMED, Geometry, GeometryError
from ..geometry_options import add_geometry, add_network, sizes_of
from ..integer import IntegerNetwork, find_network
from ..pack import pack
from ..reference import evaluate

DEVICE = "de1-soc"
# The core of the demo unless another is asked for.
GEOMETRY = "throughput"
DEFAULT_OUT = Path("build/quartus")
# Prefix of the memory files, the default of PRESET in de1_soc.v.
PRESET = "preset"
# Of the first 300 test images the default network takes one for another digit, number 18.
FIRST = 64
IMAGES = 64
MAX_IMAGES = 512
PIN_MHZ = devices()[DEVICE].clock_mhz
MAX_MHZ = 199
# ALMs of the demo around the core, by Yosys: displays, decimal counter, ring, checker, rounded up.
DEMO_ALM = 120


@dataclass(frozen=True)
class Board:
    """One build of the demo.

    `bits`: uint8 (images, inputs) of 0/1, `labels`: uint8 (images,). `UserError` in one sentence
    where the parts do not go together.
    """

    geometry: Geometry
    network: IntegerNetwork
    bits: np.ndarray
    labels: np.ndarray
    clock_mhz: int = PIN_MHZ

    def __post_init__(self) -> None:
        images, pixels = self.bits.shape
        if images not in [1 << n for n in range(1, MAX_IMAGES.bit_length())]:
            raise UserError(f"A ring has a power of two of 2 to {MAX_IMAGES} images, not {images}.")
        if self.network.inputs != pixels or self.network.classes > 10:
            raise UserError(
                f"The demo shows images of {pixels} pixels, but the network has "
                f"{self.network.inputs} inputs and {self.network.classes} classes."
            )
        if self.network.kinds:
            kinds = ", ".join(sorted(self.network.kinds))
            raise UserError(f"The demo runs networks of single bits only, and this one is {kinds}.")
        if not PIN_MHZ <= self.clock_mhz <= MAX_MHZ:
            raise UserError(
                f"A clock of {self.clock_mhz} MHz is outside {PIN_MHZ} to {MAX_MHZ} MHz."
            )
        if self.geometry.weight_stream:
            raise UserError("The demo has no host to stream weights: leave WEIGHT_STREAM at 0.")

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
        core = self.geometry.parameters()
        for name in ("WEIGHT_STREAM", "ORDER", "TERNARY", "LEARN"):
            del core[name]
        own = {"INPUTS": self.network.inputs, "IMAGES": len(self.bits), "CLOCK_MHZ": self.clock_mhz}
        return {**core, **own}

    def wrong(self) -> int:
        """Images that the network itself takes for another digit: what LEDR will show."""
        return int((evaluate(self.network, self.bits).classes != self.labels).sum())

    def write(self, directory: Path) -> None:
        """Write the memory files and parameters.tcl."""
        directory.mkdir(parents=True, exist_ok=True)
        pack(self.network, self.geometry).write_preset(directory / PRESET)
        beats = self.geometry.image_beats(self.network.inputs, False)
        packets = np.packbits(self.bits, axis=1, bitorder="little")
        size = beats * self.geometry.image_width // 8
        rows = np.pad(packets, ((0, 0), (0, size - packets.shape[1]))).reshape(-1, size // beats)
        _write_lines(directory / f"{PRESET}_images.hex", [row.tobytes().hex() for row in rows])
        _write_lines(directory / f"{PRESET}_labels.hex", [f"{label:x}" for label in self.labels])
        values = [f"  {name} {value}" for name, value in self.parameters().items()]
        _write_lines(directory / "parameters.tcl", ["set parameters {", *values, "}"])


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
    grey, labels = load_test_images(network.dataset or DEFAULT)
    if first < 0 or images < 1 or first + images > len(grey):
        raise UserError(
            f"The test set has images 0 to {len(grey) - 1}, not {first} to {first + images - 1}."
        )
    geometry = Geometry.for_widths(network.widths, *sizes)
    chosen = slice(first, first + images)
    bits = binarise(grey[chosen], network.pixel_threshold)
    return Board(geometry, network, bits, labels[chosen], clock_mhz)


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    write_text(path, "\n".join(lines) + "\n")


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
