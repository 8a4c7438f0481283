# SPDX-License-Identifier: Apache-2.0
"""The register writes that load a network into a stopped core, and what it reads afterwards, for
whoever makes them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np

from .pack import MemoryImage
from .registers import ADDRESS


def load_writes(image: MemoryImage) -> Iterator[tuple[int, np.ndarray]]:
    """(address, values) in order: the values, uint32 (N,), go to that one register of the core.

    The address counts registers. A core whose weights are streamed is sent the offsets only.
    """

    def one(register: str, value: int, index: int = 0) -> tuple[int, np.ndarray]:
        return ADDRESS[register] + index, np.array([value], np.uint32)

    yield one("INPUTS", image.inputs)
    yield one("CLASSES", image.classes)
    yield one("LAYERS", len(image.entries))
    yield one("PIXEL_THRESHOLD", image.pixel_threshold)
    if image.geometry.order == 2:
        yield one("PIXEL_RESIDUAL", image.pixel_residual_value)
    for layer, entry in enumerate(image.entries):
        yield one("LAYER_TABLE", entry, layer)
    if not image.geometry.weight_stream:
        yield one("LOAD_SELECT", 0)
        yield ADDRESS["LOAD_DATA"], image.weight_chunks().ravel()
    yield one("LOAD_SELECT", 1)
    yield ADDRESS["LOAD_DATA"], image.offset_chunks().ravel()


def load_checks(image: MemoryImage) -> dict[str, int]:
    """What registers read, by name, once `load_writes` have all arrived as they were sent."""
    checks = {}
    if not image.geometry.weight_stream:
        checks["WEIGHTS_LOADED"] = len(image.weights)
        checks["WEIGHTS_CRC"] = load_crc(image.weight_chunks())
    checks["THRESHOLDS_LOADED"] = len(image.offsets)
    checks["THRESHOLDS_CRC"] = load_crc(image.offset_chunks())
    return checks


def load_crc(chunks: np.ndarray) -> int:
    """The core's checksum of `chunks`, unsigned, any shape, written to LOAD_DATA in order."""
    return zlib.crc32(np.ascontiguousarray(chunks, "<u4").tobytes())
