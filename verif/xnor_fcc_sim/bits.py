# SPDX-License-Identifier: Apache-2.0
"""Bits in integers and in arrays, as the core has them on its wires."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


def join(values: Iterable[int], width: int) -> int:
    """One integer of fields of `width` bits, first lowest; negatives in 2's complement."""
    packed = 0
    for index, value in enumerate(values):
        packed |= (int(value) & ((1 << width) - 1)) << index * width
    return packed


def fields(packed: int, width: int, count: int) -> list[int]:
    """The `count` fields of `width` bits of an integer, the lowest first."""
    return [packed >> index * width & ((1 << width) - 1) for index in range(count)]


def number(bits: np.ndarray) -> int:
    """Bits, the first lowest, as an integer."""
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


def parities(bits: np.ndarray) -> np.ndarray:
    """Running parities along the last axis: the coding in which words meet in the PEs."""
    coded = np.array(bits, np.uint8)
    for k in range(1, coded.shape[-1]):
        coded[..., k] ^= coded[..., k - 1]
    return coded


def planes(words: Sequence[Sequence[int]] | np.ndarray) -> int:
    """Bits (neuron, synapse) as bit planes: synapse k of neuron p at bit k * neurons + p."""
    return number(np.ascontiguousarray(np.asarray(words, np.uint8).T).ravel())
