# SPDX-License-Identifier: Apache-2.0
"""What a core for convolutions takes of an FPGA; `area` has the unit, and how good it is.

What it shares with other cores, popcounts, accumulators, coders, weights and offsets, is counted as
there. It has no ring: words come out of the banks of maps through a choice of four pixels
(fcc_window_feeder.v) and go back through one of four positions (fcc_map_writer.v).
"""

from __future__ import annotations

from .geometry import Geometry

# Calibrated constants, in ALMs.
_FEEDER_PER_BIT = 1.5  # the choice of four pixels, and of images or maps
_WRITER_PER_BIT = 3.5  # the choices of a group's bits of four positions ...
_WRITER_PER_SLOT_BIT = 0.5  # ... and each of their slots, where it has several groups
_LEVEL = 6.5  # a comparator of 8 bits and a register (fcc_pixel_sink, fcc_map_registers)
_PLANE = 1.5  # the choice of a bit of a number (fcc_pixel_planes)
_SINK = 150.0  # packet control, places and addresses (fcc_pixel_sink)
_PAIR_CONTROL = 20.0
# fcc_csr, fcc_map_table_check (without its multiplier), fcc_map_sequencer, addresses of the writer
# and of the feeder, fcc_word_loader, fcc_load_crc.
_FIXED = 1100.0


def own_memories(geometry: Geometry) -> list[tuple[int, int]]:
    """(bits, words) of every memory of pixels: eight banks of images, eight of maps, two lines."""
    g = geometry
    pixel = g.pixel_bits
    images = (3 * pixel, 2 * g.map_input)
    maps = (g.slot * g.order, g.map_even + g.map_odd)
    return [*[images] * 8, *[maps] * 8, (2 * pixel, 128)]


def parts(geometry: Geometry) -> dict[str, float]:
    """ALMs of what only such a core has, by part."""
    g = geometry
    slots = 4 * g.order * g.slot * _WRITER_PER_SLOT_BIT if g.slot > g.pe else 0.0
    pairs = 4 * g.pe * g.score_bits + _PAIR_CONTROL if g.order == 2 else 0.0
    return {
        "window feeder": 8 * g.slot * g.order * _FEEDER_PER_BIT,
        "map writer": g.pe * g.order * _WRITER_PER_BIT + slots,
        "pixel sink": _SINK + _LEVEL * g.pixel_channels * g.pixel_levels,
        "pixel planes": 8 * 3 * g.pixel_channels * _PLANE if g.numbers else 0.0,
        "pairs of lanes": pairs,
        "registers and control": _FIXED,
    }
