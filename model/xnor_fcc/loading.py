# SPDX-License-Identifier: Apache-2.0
"""The register writes that load a network into a stopped core, for whoever makes them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .pack import MemoryImage
from .registers import ADDRESS


def load_writes(image: MemoryImage) -> Iterator[tuple[int, np.ndarray]]:
    """(address, values) in order: the values, uint32 (N,), go to that one register of the core.

    For a core with a weight memory. The address counts registers.
    """

    def one(register: str, value: int, index: int = 0) -> tuple[int, np.ndarray]:
        return ADDRESS[register] + index, np.array([value], np.uint32)

    yield one("INPUTS", image.inputs)
    yield one("CLASSES", image.classes)
    yield one("LAYERS", len(image.table))
    yield one("PIXEL_THRESHOLD", image.pixel_threshold)
    for layer, (words, groups) in enumerate(image.table):
        yield one("LAYER_TABLE", groups << 16 | words, layer)
    for memory, chunks in enumerate((image.weight_chunks(), image.offset_chunks())):
        yield one("LOAD_SELECT", memory)
        yield ADDRESS["LOAD_DATA"], chunks.ravel()
