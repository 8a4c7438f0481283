# SPDX-License-Identifier: Apache-2.0
"""The register writes that load a network into a stopped core, and what it reads afterwards, for
whoever makes them; latents as they go through a register."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np

from .geometry import Geometry
from .pack import Memory
from .pack_maps import MapMemory
from .registers import ADDRESS, BIT, RESET
from .shape import ceil_div


def take_over(geometry: Geometry) -> dict[str, int]:
    """What registers of a stopped core are written, by name, lest it goes on with what a host has
    left there that was cut off while the core learnt. A core that does not learn ignores it."""
    settings = {} if geometry.map_input else {"LEARNING": 0}
    return {**settings, "PARTIAL_TIMEOUT": RESET["PARTIAL_TIMEOUT"]}


def load_writes(memory: Memory) -> Iterator[tuple[int, np.ndarray]]:
    """(address, values) in order: the values, uint32 (N,), go to that one register of the core.

    The address counts registers. A core whose weights are streamed is sent the offsets only.
    """

    def one(register: str, value: int, index: int = 0) -> tuple[int, np.ndarray]:
        return ADDRESS[register] + index, np.array([value], np.uint32)

    yield one("INPUTS", memory.inputs)
    yield one("CLASSES", memory.classes)
    yield one("LAYERS", len(memory.entries))
    yield one("PIXEL_THRESHOLD", memory.pixel_threshold)
    if memory.geometry.order == 2:
        yield one("PIXEL_RESIDUAL", memory.pixel_residual_value)
    for layer, entry in enumerate(memory.entries):
        yield one("LAYER_TABLE", entry, layer)
    if isinstance(memory, MapMemory):
        index = np.arange(len(memory.levels), dtype=np.uint32)
        yield ADDRESS["LEVEL"], index << np.uint32(BIT["LEVEL"]["INDEX"]) | memory.levels
    if not memory.geometry.weight_stream:
        yield one("LOAD_SELECT", 0)
        yield ADDRESS["LOAD_DATA"], memory.weight_chunks().ravel()
    yield one("LOAD_SELECT", 1)
    yield ADDRESS["LOAD_DATA"], memory.offset_chunks().ravel()


def load_checks(memory: Memory) -> dict[str, int]:
    """What registers read, by name, once `load_writes` have all arrived as they were sent."""
    checks = {}
    if not memory.geometry.weight_stream:
        checks["WEIGHTS_LOADED"] = len(memory.weights)
        checks["WEIGHTS_CRC"] = load_crc(memory.weight_chunks())
    checks["THRESHOLDS_LOADED"] = len(memory.offsets)
    checks["THRESHOLDS_CRC"] = load_crc(memory.offset_chunks())
    return checks


def latent_words(latents: np.ndarray, learn: int) -> np.ndarray:
    """What is written to LATENTS, uint32 (N,), for latents int8 (classes, n) in a core that was
    built to learn so many classes; those that the network has not are 0."""
    rows = np.zeros((latents.shape[1], 4 * ceil_div(learn, 4)), np.int8)
    rows[:, : len(latents)] = latents.T
    return rows.view("<u4").ravel()


def latents_in(words: np.ndarray, learn: int, classes: int) -> np.ndarray:
    """The latents int8 (classes, n) in what was read from LATENTS, uint32 (N,)."""
    rows = words.astype("<u4").view(np.int8).reshape(-1, 4 * ceil_div(learn, 4))
    return np.ascontiguousarray(rows[:, :classes].T)


def load_crc(chunks: np.ndarray) -> int:
    """The core's checksum of `chunks`, unsigned, any shape, written to LOAD_DATA in order."""
    return zlib.crc32(np.ascontiguousarray(chunks, "<u4").tobytes())
