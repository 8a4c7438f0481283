# SPDX-License-Identifier: Apache-2.0
"""`IntegerNetwork` + `Geometry` -> memory images in ring order, and the layer table.

"Rearranged by diagonal": PE p sees ring position p mod TAPS, the ring turns by a word a step, the
first layer begins with word 0 and later ones with word 1 (see fcc_ring.v), and a layer shorter than
the taps starts after wind = max(0, TAPS - words) rotations. So at step s PE p meets word

    (p mod TAPS + wind + s + (0 in the first layer, else 1)) mod words

and the weights are stored in that order: one memory word a step, bit k * PE + p for synapse k of
PE p. The groups of a layer are computed and stored from the last one to group 0.

Weights are stored parity-coded: bit k is the parity of the inverted weights 0 to k of the word (see
xnor_popcount.v). Padding, shared with the hardware: activations beyond the inputs are 0 and weights
beyond them 1, so that XNOR gives 0; neurons beyond the last one get an offset that makes their bit
0.

Every neuron has one number beside its weights, its offset: score = 2P + offset. A hidden neuron
with threshold T has offset 1 - 2T, and its bit is (score >= 0) = (P >= T); an output neuron with n
inputs has offset bias - n.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .geometry import Geometry, GeometryError
from .integer import IntegerNetwork, Layer, OutputLayer


@dataclass(frozen=True)
class MemoryImage:
    """What a core must be loaded with to run one network.

    `table`: (words, groups) of each layer. `weights`: uint8 (steps, SIMD * PE) of 0/1, coded.
    `offsets`: int64 (groups of all layers, PE), in the order in which the groups are computed.
    """

    geometry: Geometry
    inputs: int
    classes: int
    pixel_threshold: int
    table: tuple[tuple[int, int], ...]
    weights: np.ndarray
    offsets: np.ndarray

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
        """What LOAD_DATA takes for the thresholds: uint32 (groups, PE), SCORE_BITS bits each."""
        return (self.offsets & ((1 << self.geometry.score_bits) - 1)).astype(np.uint32)

    def write_preset(self, prefix: Path, enable: bool = True, pixel_8bit: bool = False) -> None:
        """Write the $readmemh files of a core with the parameter PRESET = `prefix`.

        PREFIX_config.hex, PREFIX_thresholds.hex, PREFIX_weights_00.hex, one for each bank. Unused
        words are zero. `enable`: the core starts by itself after reset.
        """
        g = self.geometry
        entries = [groups << 16 | words for words, groups in self.table]
        entries += [0] * (g.max_layers - len(entries))
        config = [
            int(enable) | int(pixel_8bit) << 1,
            self.inputs,
            self.classes,
            len(self.table),
            self.pixel_threshold,
            256,
            *entries,
        ]
        _write_hex(prefix, "_config.hex", (f"{word:08x}" for word in config))

        weights = np.zeros((g.weight_depth, g.pe * g.simd), np.uint8)
        weights[: len(self.weights)] = self.weights
        for bank, start in enumerate(range(0, g.weight_depth, g.bank_depth)):
            rows = weights[start : start + g.bank_depth]
            _write_hex(prefix, f"_weights_{bank:02d}.hex", (_hex(row) for row in rows))

        offsets = np.zeros((g.threshold_depth, g.pe), np.int64)
        offsets[: len(self.offsets)] = self.offsets
        shifts = np.arange(g.score_bits)
        bits = (offsets[:, :, None] >> shifts & 1).astype(np.uint8).reshape(len(offsets), -1)
        _write_hex(prefix, "_thresholds.hex", (_hex(row) for row in bits))


def ring_order(geometry: Geometry, words: int, layer: int) -> np.ndarray:
    """Word that PE p meets at step s in layer number `layer`: int (words, PE)."""
    tap = np.arange(geometry.pe) % geometry.taps
    start = max(0, geometry.taps - words) + (1 if layer else 0)
    return (tap[None, :] + start + np.arange(words)[:, None]) % words


def parity_coded(words: np.ndarray) -> np.ndarray:
    """Running parities along the last axis of the inverted bits: what xnor_popcount takes."""
    return (np.cumsum(words ^ 1, axis=-1, dtype=np.int64) & 1).astype(np.uint8)


def pack(network: IntegerNetwork, geometry: Geometry) -> MemoryImage:
    """Memory image of `network` for a core of `geometry`; `GeometryError` where it does not fit."""
    geometry.require_fit(network.widths)
    layers = network.layers
    return MemoryImage(
        geometry=geometry,
        inputs=network.inputs,
        classes=network.classes,
        pixel_threshold=network.pixel_threshold,
        table=tuple((geometry.words(x.inputs), geometry.groups(x.outputs)) for x in layers),
        weights=np.concatenate(
            [_pack_weights(geometry, x.weights, number) for number, x in enumerate(layers)]
        ),
        offsets=np.concatenate([_pack_offsets(geometry, x) for x in layers]),
    )


def _pack_weights(geometry: Geometry, weights: np.ndarray, layer: int) -> np.ndarray:
    """uint8 (outputs, inputs) -> uint8 (steps, SIMD * PE) as stored."""
    outputs, inputs = weights.shape
    pe, simd = geometry.pe, geometry.simd
    groups, words = geometry.groups(outputs), geometry.words(inputs)
    padded = np.ones((groups * pe, words * simd), np.uint8)
    padded[:outputs, :inputs] = weights
    by_word = parity_coded(padded.reshape(groups, pe, words, simd))[::-1]
    met = by_word[:, np.arange(pe)[None, :], ring_order(geometry, words, layer), :]
    # (groups, step, PE, SIMD) -> synapse-major words.
    return met.transpose(0, 1, 3, 2).reshape(groups * words, simd * pe)


def _pack_offsets(geometry: Geometry, layer: Layer | OutputLayer) -> np.ndarray:
    """int64 (groups, PE) of offsets, the last group first; its unused PEs get ever-zero neurons."""
    groups = geometry.groups(layer.outputs)
    offsets = np.full(groups * geometry.pe, -2 * layer.inputs - 1, np.int64)
    if isinstance(layer, Layer):
        offsets[: layer.outputs] = 1 - 2 * layer.thresholds.astype(np.int64)
    else:
        used = layer.bias.astype(np.int64) - layer.inputs
        limit = 1 << (geometry.score_bits - 1)
        if used.min() < -limit or used.max() + 2 * layer.inputs >= limit:
            raise GeometryError(
                f"A bias is too large for the {geometry.score_bits}-bit scores of this core."
            )
        offsets[: layer.outputs] = used
    return offsets.reshape(groups, geometry.pe)[::-1]


def _hex(bits: np.ndarray) -> str:
    """Bits, lowest first, as one hexadecimal number."""
    return np.packbits(bits, bitorder="little")[::-1].tobytes().hex()


def _write_hex(prefix: Path, suffix: str, lines: Iterable[str]) -> None:
    path = prefix.with_name(prefix.name + suffix)
    path.write_text("\n".join(lines) + "\n")
