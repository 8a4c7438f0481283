# SPDX-License-Identifier: Apache-2.0
"""`IntegerNetwork` + `Geometry` -> the memories in ring order, and the layer table.

"Rearranged by diagonal": the PEs from floor(t * PE / TAPS) on see ring position t, the ring turns
by a word a step, the first layer begins with word 0 and later ones with word 1 (see fcc_ring.v),
and a layer shorter than the taps starts after wind = max(0, TAPS - words) rotations. So at step s a
PE at position t meets word

    (t + wind + s + (0 in the first layer, else 1)) mod words

and the weights are stored in that order: one memory word a step, its bits those of `bit_order`. The
groups of a layer are computed and stored from the last one to group 0.

A ternary weight is the mean of two binary ones: +1 of 1 and 1, -1 of 0 and 0, 0 of 1 and 0. So a
layer of them has two planes of weights; each group goes through its words twice, and is stored so,
first with the one plane and then with the other.

Weights are stored parity-coded: bit k is the parity of the inverted weights 0 to k of the word (see
xnor_popcount.v). Padding, shared with the hardware: activations beyond the inputs are 0 and weights
beyond them 1, so that XNOR gives 0; neurons beyond the last one get an offset that makes their bit
0.

Every neuron has one number beside its weights, its offset: score = 2P + offset. A hidden neuron
with threshold T has offset 1 - 2T, and its bit is (score >= 0) = (P >= T); an output neuron whose
greatest P is M has offset bias - M. A core of ORDER 2 has two more, the margins: up = upper - T and
down = T - lower say where the residual bit of a second-order output switches (see fcc_pair.v). They
are 0 where the layer's outputs are of order 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from .files import write_whole
from .geometry import SLICE, Geometry, GeometryError, Shape, slices
from .integer import IntegerNetwork, Layer, OutputLayer, ShiftLayer
from .registers import PRESET, RESET, word

# Slices of a memory word at most: the names of their memory files have three digits.
_MAX_SLICES = 1000


@dataclass(frozen=True)
class Memory:
    """What a core must be loaded with to run one network of `shape`.

    `weights`: uint8 (steps, SIMD * PE) of 0/1, coded. `offsets`: int64 (groups of all layers, PE),
    in the order in which the groups are computed; `margins`: int64 (groups, 2, PE) beside them, up
    and down.
    """

    geometry: Geometry
    shape: Shape
    pixel_threshold: int
    pixel_residual: tuple[int, int]
    weights: np.ndarray
    offsets: np.ndarray
    margins: np.ndarray

    @property
    def inputs(self) -> int:
        """What the register INPUTS takes."""
        return self.shape.widths[0]

    @property
    def classes(self) -> int:
        """What the register CLASSES takes."""
        return self.shape.widths[-1]

    @property
    def pixel_residual_value(self) -> int:
        """What the register PIXEL_RESIDUAL takes."""
        below, above = self.pixel_residual
        return word("PIXEL_RESIDUAL", BELOW=below, ABOVE=above)

    @property
    def table(self) -> tuple[tuple[int, int], ...]:
        """(words, groups) of each layer."""
        g = self.geometry
        return tuple((g.words(n), g.groups(m)) for n, m in pairwise(self.shape.widths))

    @property
    def entries(self) -> tuple[int, ...]:
        """What the registers LAYER_TABLE take: the table, and of what kind each layer is."""
        kinds = zip(self.table, self.shape.orders, self.shape.ternary, strict=True)
        return tuple(
            word("LAYER_TABLE", WORDS=words, GROUPS=groups, ORDER_2=order == 2, TERNARY=ternary)
            for (words, groups), order, ternary in kinds
        )

    def weight_chunks(self) -> np.ndarray:
        """What LOAD_DATA takes for the weights: uint32 (steps, ceil(PE * SIMD / 32))."""
        return self._chunk_bytes(32).view("<u4")

    def weight_beats(self) -> list[int]:
        """One packet of asi_weight: the beats of all words of a pass."""
        size = self.geometry.weight_stream // 8
        raw = self._chunk_bytes(8 * size).tobytes()
        return [int.from_bytes(raw[i : i + size], "little") for i in range(0, len(raw), size)]

    def _chunk_bytes(self, chunk: int) -> np.ndarray:
        """uint8 (steps, bytes): each word padded to a multiple of `chunk` bits."""
        steps, bits = self.weights.shape
        padded = np.zeros((steps, -(-bits // chunk) * chunk), np.uint8)
        padded[:, :bits] = self.weights
        return np.packbits(padded, axis=1, bitorder="little")

    def offset_chunks(self) -> np.ndarray:
        """What LOAD_DATA takes for the thresholds: uint32, SCORE_BITS bits each.

        (groups, PE) of offsets; (groups, 3 * PE) with the margins where ORDER is 2.
        """
        rows = self.offsets
        if self.geometry.order == 2:
            rows = np.hstack([rows, self.margins.reshape(len(rows), -1)])
        return (rows & ((1 << self.geometry.score_bits) - 1)).astype(np.uint32)

    def write_preset(
        self, prefix: Path, enable: bool = True, pixel_8bit: bool = False
    ) -> list[Path]:
        """Write the $readmemh files of a core with the parameter PRESET = `prefix`; their paths.

        PREFIX_config.hex, then one file for each slice of the words: PREFIX_weights_bb_sss.hex, bb
        the bank, PREFIX_thresholds_sss.hex, and PREFIX_margins_sss.hex where ORDER is 2. Unused
        words are zero. `enable`: the core starts by itself after reset. `pixel_8bit`: images are
        grey; for inputs of order 2 they always are.

        Raises `GeometryError` for words of more than 1,000 slices; writes all of them or none.
        """
        files = self.preset_files(prefix, enable, pixel_8bit)
        write_whole(files)
        return list(files)

    def preset_files(self, prefix: Path, enable: bool, pixel_8bit: bool) -> dict[Path, bytes]:
        """What `write_preset` writes."""
        g = self.geometry
        grey = pixel_8bit or self.shape.orders[0] == 2
        widest = g.pe * max(g.simd, g.score_bits, 2 * (g.score_bits - 1) if g.order == 2 else 0)
        if widest > _MAX_SLICES * SLICE:
            raise GeometryError(
                f"A memory word of {widest:,} bits is too wide for memory files: at most "
                f"{_MAX_SLICES * SLICE:,}."
            )
        values = {
            "CONTROL": word("CONTROL", ENABLE=enable, PIXEL_8BIT=grey),
            "INPUTS": self.inputs,
            "CLASSES": self.classes,
            "LAYERS": len(self.entries),
            "PIXEL_THRESHOLD": self.pixel_threshold,
            "PARTIAL_TIMEOUT": RESET["PARTIAL_TIMEOUT"],
            "PIXEL_RESIDUAL": self.pixel_residual_value,
        }
        table = PRESET["LAYER_TABLE"]
        config = [RESET["LAYER_TABLE"]] * (table + g.max_layers)
        for name, value in values.items():
            config[PRESET[name]] = value
        config[table : table + len(self.entries)] = self.entries
        files = {beside(prefix, "_config.hex"): hex_text(f"{word:08x}" for word in config)}

        weights = np.zeros((g.weight_depth, g.pe * g.simd), np.uint8)
        weights[: len(self.weights)] = self.weights
        for bank, start in enumerate(range(0, g.weight_depth, g.bank_depth)):
            rows = weights[start : start + g.bank_depth]
            files.update(_memory(prefix, f"_weights_{bank:02d}", rows))
        offsets = _fields(self.offsets, g.score_bits, g.threshold_depth)
        files.update(_memory(prefix, "_thresholds", offsets))
        if g.order == 2:
            margins = self.margins.reshape(len(self.margins), -1)
            words = _fields(margins, g.score_bits - 1, g.threshold_depth)
            files.update(_memory(prefix, "_margins", words))
        return files


def ring_order(geometry: Geometry, words: int, layer: int) -> np.ndarray:
    """Word that PE p meets at step s in layer number `layer`: int (words, PE)."""
    tap = ((np.arange(geometry.pe) + 1) * geometry.taps - 1) // geometry.pe
    start = max(0, geometry.taps - words) + (1 if layer else 0)
    return (tap[None, :] + start + np.arange(words)[:, None]) % words


def bit_order(geometry: Geometry) -> np.ndarray:
    """Bit of a weight word that synapse k of PE p has: int (SIMD, PE).

    The PEs of a tap stand together, so that a block of RAM, which holds neighbouring bits, feeds
    neighbouring PEs.
    """
    bits = np.arange(geometry.pe * geometry.simd).reshape(geometry.pe, geometry.simd)
    firsts = np.arange(1, geometry.taps) * geometry.pe // geometry.taps
    blocks = np.split(bits, firsts)
    return np.hstack([block.reshape(geometry.simd, len(block)) for block in blocks])


def parity_coded(words: np.ndarray) -> np.ndarray:
    """Running parities along the last axis of the inverted bits: what xnor_popcount takes."""
    return (np.cumsum(words ^ 1, axis=-1, dtype=np.int64) & 1).astype(np.uint8)


def pack(network: IntegerNetwork, geometry: Geometry) -> Memory:
    """The memory of `network` for a core of `geometry`; `GeometryError` where it does not fit.

    A `pack_maps.MapMemory` if it begins with a convolution.
    """
    if network.pixels is not None:
        from .pack_maps import pack_maps  # which stands on this module

        return pack_maps(network, geometry)
    geometry.require_fit(network.shape)
    layers = [layer for layer in network.layers if not isinstance(layer, ShiftLayer)]
    return Memory(
        geometry=geometry,
        shape=network.shape,
        pixel_threshold=network.pixel_threshold,
        pixel_residual=network.pixel_residual or (0, 0),
        weights=np.concatenate(
            [_pack_weights(geometry, x, number) for number, x in enumerate(layers)]
        ),
        offsets=np.concatenate([_pack_offsets(geometry, x) for x in layers]),
        margins=np.concatenate([_pack_margins(geometry, x) for x in layers]),
    )


def weight_planes(layer: Layer | OutputLayer) -> np.ndarray:
    """The binary weights that a layer's are stored as: uint8 (rounds, outputs, inputs)."""
    if layer.mask is None:
        return layer.weights[None]
    return np.stack([layer.weights | 1 - layer.mask, layer.weights])


def _pack_weights(geometry: Geometry, layer: Layer | OutputLayer, number: int) -> np.ndarray:
    """uint8 (steps, SIMD * PE) as stored."""
    planes = weight_planes(layer)
    pe, simd = geometry.pe, geometry.simd
    groups, words = geometry.groups(layer.outputs), geometry.words(layer.inputs)
    padded = np.ones((len(planes), groups * pe, words * simd), np.uint8)
    padded[:, : layer.outputs, : layer.inputs] = planes
    by_word = parity_coded(padded.reshape(len(planes), groups, pe, words, simd))[:, ::-1]
    met = by_word[:, :, np.arange(pe)[None, :], ring_order(geometry, words, number), :]
    # (planes, groups, step, PE, SIMD) -> words, a group's planes together.
    stored = np.empty((groups * len(planes) * words, simd * pe), np.uint8)
    stored[:, bit_order(geometry)] = met.transpose(1, 0, 2, 4, 3).reshape(-1, simd, pe)
    return stored


def _pack_offsets(geometry: Geometry, layer: Layer | OutputLayer) -> np.ndarray:
    """int64 (groups, PE) of offsets, the last group first; its unused PEs get ever-zero neurons."""
    groups = geometry.groups(layer.outputs)
    offsets = np.full(groups * geometry.pe, -2 * layer.most - 1, np.int64)
    if isinstance(layer, Layer):
        offsets[: layer.outputs] = 1 - 2 * layer.thresholds.astype(np.int64)
    else:
        offsets[: layer.outputs] = output_offsets(geometry, layer)
    return offsets.reshape(groups, geometry.pe)[::-1]


def output_offsets(geometry: Geometry, layer: OutputLayer) -> np.ndarray:
    """int64 (classes,): what their scores have beyond 2P; `GeometryError` for biases too large."""
    offsets: np.ndarray = layer.bias.astype(np.int64) - layer.most
    limit = 1 << (geometry.score_bits - 1)
    if offsets.min() < -limit or offsets.max() + 2 * layer.most >= limit:
        raise GeometryError(
            f"A bias is too large for the {geometry.score_bits}-bit scores of this core."
        )
    return offsets


def _pack_margins(geometry: Geometry, layer: Layer | OutputLayer) -> np.ndarray:
    """int64 (groups, 2, PE): up and down of each neuron, the last group first."""
    groups = geometry.groups(layer.outputs)
    margins = np.zeros((2, groups * geometry.pe), np.int64)
    if isinstance(layer, Layer) and layer.lower is not None and layer.upper is not None:
        margins[0, : layer.outputs] = layer.upper - layer.thresholds
        margins[1, : layer.outputs] = layer.thresholds - layer.lower
    return margins.reshape(2, groups, geometry.pe).transpose(1, 0, 2)[::-1]


def _hex(bits: np.ndarray) -> str:
    """Bits, lowest first, as one hexadecimal number."""
    return np.packbits(bits, bitorder="little")[::-1].tobytes().hex()


def _fields(rows: np.ndarray, bits: int, depth: int) -> np.ndarray:
    """Numbers (words, values) as uint8 (depth, values * bits) of 0/1; further words are zero."""
    words = np.zeros((depth, rows.shape[1]), np.int64)
    words[: len(rows)] = rows
    fields = words[:, :, None] >> np.arange(bits) & 1
    return fields.astype(np.uint8).reshape(depth, -1)


def _memory(prefix: Path, suffix: str, words: np.ndarray) -> dict[Path, bytes]:
    """A file for each slice of the memory words, uint8 (words, bits) of 0/1."""
    files = {}
    first = 0
    for number, bits in enumerate(slices(words.shape[1])):
        lines = (_hex(row) for row in words[:, first : first + bits])
        files[beside(prefix, f"{suffix}_{number:03d}.hex")] = hex_text(lines)
        first += bits
    return files


def beside(prefix: Path, suffix: str) -> Path:
    """The path of a memory file."""
    return prefix.with_name(prefix.name + suffix)


def hex_text(lines: Iterable[str]) -> bytes:
    """What a memory file holds, a word a line."""
    return "".join(f"{line}\n" for line in lines).encode()
