# SPDX-License-Identifier: Apache-2.0
"""A packed network and images as a text file of register writes, for programs without numpy.

quartus/jtag/classify.tcl and quartus/host/classify.c read it. One command a line, words separated
by blanks, numbers in hexadecimal without a prefix, `#` begins a line for people:

    expect ADDRESS VALUE NAME    the register must read this, or the file is for another core
    write ADDRESS VALUE ...      write the values to the register, one after the other
    check ADDRESS VALUE NAME     the register must read this by now, or not all arrived
    control VALUE                what CONTROL takes to start, instead of ENABLE alone
    classes COUNT                a result has COUNT scores and then class and id
    image BYTES LABEL WORD ...   an image packet of so many bytes, its first byte lowest in the
                                 first word; LABEL is ffffffff where it is not known

Addresses count bytes from the first register of the core.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .geometry import Geometry
from .integer import IntegerNetwork
from .loading import load_checks, load_writes, take_over
from .pack import pack
from .registers import ADDRESS, BIT, ID_VALUE, VERSION_VALUE, word

# Values on a line, so that no reader needs long ones.
_VALUES = 64
NO_LABEL = 0xFFFFFFFF


def register_script(
    network: IntegerNetwork,
    geometry: Geometry,
    images: np.ndarray | None = None,
    labels: np.ndarray | None = None,
) -> str:
    """The file for `network` on a core of `geometry`, with images (N, inputs): uint8 of 0/1, or
    grey where the network's inputs are of second order; for a network with convolutions as
    `maps.Pixels.bordered` takes them.

    Raises `GeometryError` where the network does not fit, and UserError where images do not.
    """
    memory = pack(network, geometry)
    name = " ".join(network.name.split())  # which is that of a file
    lines = [f"# {name}: {'-'.join(map(str, network.widths))}"]
    lines += _expectations(geometry)
    lines += [f"write {4 * ADDRESS[n]:x} {value:x}" for n, value in take_over(geometry).items()]
    for address, values in load_writes(memory):
        for first in range(0, len(values), _VALUES):
            words = " ".join(f"{value:x}" for value in values[first : first + _VALUES])
            lines.append(f"write {4 * address:x} {words}")
    for name, value in load_checks(memory).items():
        lines.append(f"check {4 * ADDRESS[name]:x} {value:x} {name}")
    maps = network.pixels
    grey = network.pixel_residual is not None or maps is not None
    if grey:
        control = BIT["CONTROL"]
        lines.append(f"control {1 << control['ENABLE'] | 1 << control['PIXEL_8BIT']:x}")
    lines.append(f"classes {network.classes:x}")
    if images is not None:
        packed = images if grey else np.packbits(images, axis=1, bitorder="little")
        if maps is not None:
            packed = maps.packets(images, geometry.image_width // 8)
        size = packed.shape[1]
        padded = np.zeros((len(packed), -(-size // 4) * 4), np.uint8)
        padded[:, :size] = packed
        for number, words in enumerate(padded.view("<u4")):
            label = NO_LABEL if labels is None else int(labels[number])
            lines.append(f"image {size:x} {label:x} " + " ".join(f"{word:x}" for word in words))
    return "\n".join(lines) + "\n"


def _expectations(geometry: Geometry) -> Iterator[str]:
    """All that the packed words depend on; whether they are too many the core says itself."""
    maps = word("PIXEL", CHANNELS=geometry.pixel_channels, LEVELS=geometry.pixel_levels)
    for name, value in (
        ("ID", ID_VALUE),
        ("VERSION", VERSION_VALUE),
        ("WEIGHT_STREAM", 0),
        ("PE", geometry.pe),
        ("SIMD", geometry.simd),
        ("TAPS", geometry.taps),
        ("ORDER", geometry.order),
        ("TERNARY", geometry.ternary),
        ("SCORE_BITS", geometry.score_bits),
        # What a packet of pixels depends on.
        *([("PIXEL", maps), ("IMAGE_WIDTH", geometry.image_width)] if geometry.map_input else []),
    ):
        yield f"expect {4 * ADDRESS[name]:x} {value:x} {name}"
