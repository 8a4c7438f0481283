# SPDX-License-Identifier: Apache-2.0
"""What a board without a host is built with: a core, its network, and a ring of test images.

All of it is in memories that the FPGA comes up with. `PresetDemo.write` makes their files:

    preset_config.hex, preset_thresholds_000.hex, preset_weights_00_000.hex, ...
                           the network (see pack.py)
    preset_images.hex      the beats of all images, one a line, the packet's first byte highest
    preset_labels.hex      the label of each image
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data import DEFAULT, binarise, load_test_images
from ..errors import UserError
from ..files import write_text
from ..geometry import Geometry
from ..integer import IntegerNetwork
from ..pack import pack
from ..reference import evaluate

# Prefix of the memory files, the default of PRESET in the top levels.
PRESET = "preset"
# Of the first 300 test images the default network takes one for another digit, number 18.
FIRST = 64
IMAGES = 64
MAX_IMAGES = 512


@dataclass(frozen=True)
class PresetDemo:
    """A core, its network and its ring of images.

    `bits`: uint8 (images, inputs) of 0/1, `labels`: uint8 (images,). `UserError` in one sentence
    where the parts do not go together.
    """

    geometry: Geometry
    network: IntegerNetwork
    bits: np.ndarray
    labels: np.ndarray

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
        if self.geometry.weight_stream:
            raise UserError("The demo has no host to stream weights: leave WEIGHT_STREAM at 0.")

    def parameters(self) -> dict[str, int]:
        """Parameters of the top level, the prefix of the memory files and the clock aside."""
        core = self.geometry.parameters()
        for name in ("WEIGHT_STREAM", "ORDER", "TERNARY", "LEARN"):
            del core[name]
        return {**core, "INPUTS": self.network.inputs, "IMAGES": len(self.bits)}

    def wrong(self) -> int:
        """Images that the network itself takes for another digit."""
        return int((evaluate(self.network, self.bits).classes != self.labels).sum())

    def write(self, directory: Path) -> None:
        """Write the memory files."""
        directory.mkdir(parents=True, exist_ok=True)
        pack(self.network, self.geometry).write_preset(directory / PRESET)
        beats = self.geometry.image_beats(self.network.inputs, False)
        packets = np.packbits(self.bits, axis=1, bitorder="little")
        size = beats * self.geometry.image_width // 8
        rows = np.pad(packets, ((0, 0), (0, size - packets.shape[1]))).reshape(-1, size // beats)
        write_lines(directory / f"{PRESET}_images.hex", [row.tobytes().hex() for row in rows])
        write_lines(directory / f"{PRESET}_labels.hex", [f"{label:x}" for label in self.labels])


def ring_images(
    network: IntegerNetwork, images: int = IMAGES, first: int = FIRST
) -> tuple[np.ndarray, np.ndarray]:
    """Bits and labels of `images` test images from number `first` on, of the network's data set;
    of MNIST where it names none."""
    grey, labels = load_test_images(network.dataset or DEFAULT)
    if first < 0 or images < 1 or first + images > len(grey):
        raise UserError(
            f"The test set has images 0 to {len(grey) - 1}, not {first} to {first + images - 1}."
        )
    chosen = slice(first, first + images)
    return binarise(grey[chosen], network.pixel_threshold), labels[chosen]


def write_lines(path: Path, lines: list[str]) -> None:
    """A text file of these lines."""
    write_text(path, "\n".join(lines) + "\n")
