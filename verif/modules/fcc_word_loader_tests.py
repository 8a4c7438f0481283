# SPDX-License-Identifier: Apache-2.0
"""Chunks into words of many widths, every cycle against a plain list."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from golden.word_loader import Loader
from modules.unit import drive, edge, fields, part, settings, start


class Bench:
    """All loaders at once."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        self.rng = np.random.default_rng(seed)
        self.loaders: list[Loader] = []
        self.writes = self.overflows = 0

    async def reset(self) -> None:
        """After a reset."""
        await start(self.dut, restart=0, chunk_valid=0, chunk=0)
        sizes = fields(int(self.dut.sizes.value), 8, 32)
        self.loaders = [Loader(*sizes[4 * n : 4 * n + 4]) for n in range(8)]
        rests = {(x.width < x.chunk, x.width % x.chunk == 0, x.chunks > 1) for x in self.loaders}
        assert rests >= {
            (True, False, False),  # below a chunk
            (False, True, False),  # equal
            (False, True, True),  # a multiple
            (False, False, True),  # not a multiple
        }

    async def cycle(self, restart: bool = False, valid: bool = False) -> None:
        """One cycle for all loaders, compared with the models."""
        dut = self.dut
        chunk = int(self.rng.integers(1 << 32))
        drive(dut, restart=restart, chunk_valid=valid, chunk=chunk)
        await edge(dut)
        write, overflow = int(dut.write.value), int(dut.overflow.value)
        loaded = fields(int(dut.loaded.value), 8, 8)
        for n, loader in enumerate(self.loaders):
            assert write >> n & 1 == (loader.due is not None), f"loader {n}"
            assert overflow >> n & 1 == loader.overflow, f"loader {n}"
            assert loaded[n] == loader.loaded, f"loader {n}"
            if loader.due is not None:
                address = part(dut.write_address, n, 8)
                data = part(dut.write_data, n, 128)
                assert (address, data) == loader.due, f"loader {n}"
            self.writes += loader.due is not None
            self.overflows += loader.overflow
            loader.cycle(restart, chunk & ((1 << loader.chunk) - 1) if valid else None)


@cocotb.test(timeout_time=200, timeout_unit="us")
async def whole_memory(dut: Any) -> None:
    """From preset words on, then from a restart: chunks in a row to the end and beyond."""
    bench = Bench(dut, seed=1)
    await bench.reset()
    for _ in range(230):
        await bench.cycle(valid=True)
    assert all(loader.overflow for loader in bench.loaders), "not every memory was filled"
    await bench.cycle(restart=True)
    bench.writes = bench.overflows = 0
    for _ in range(230):
        await bench.cycle(valid=True)
    assert bench.writes == sum(loader.depth for loader in bench.loaders)
    # Refused chunks leave nothing behind either.
    await bench.cycle(restart=True)
    for _ in range(40):
        await bench.cycle(valid=True)


@cocotb.test(timeout_time=500, timeout_unit="us")
async def gaps_and_restarts(dut: Any) -> None:
    """Chunks with gaps, restarts in mid-word; a restart wins over a chunk."""
    bench = Bench(dut, seed=2)
    await bench.reset()
    await bench.cycle(restart=True)
    for _ in range(1500):
        await bench.cycle(
            restart=bool(bench.rng.random() < 0.02), valid=bool(bench.rng.random() < 0.7)
        )
    assert bench.writes > 500 and bench.overflows > 50


@cocotb.test(timeout_time=100, timeout_unit="us")
async def reset_in_a_word(dut: Any) -> None:
    """A reset forgets half a word and counts the preset words again."""
    bench = Bench(dut, seed=3)
    for cycles in range(1, 10):
        await bench.reset()
        await bench.cycle(restart=cycles % 2 == 0)
        for _ in range(cycles):
            await bench.cycle(valid=True)
        drive(dut, reset=1)
        drive(dut, chunk_valid=cycles % 2)
        await edge(dut)
        drive(dut, reset=0)
        for loader in bench.loaders:
            loader.due = loader.coming = None
            loader.overflow, loader.partial = False, []
            loader.loaded = loader.preset
        for _ in range(20):
            await bench.cycle(valid=True)


@cocotb.test(timeout_time=500, timeout_unit="us")
async def one_loader(dut: Any) -> None:
    """A loader of one size to its end and beyond, in every cycle, from its preset words on."""
    names = ("CHUNK", "WIDTH", "DEPTH", "PRESET_WORDS")
    sizes = (settings()["parameters"][name] for name in names)
    loader = Loader(*sizes)
    rng = np.random.default_rng(4)
    await start(dut, restart=0, chunk_valid=0, chunk=0)
    words = 0
    for _ in range((loader.depth - loader.loaded) * loader.chunks + 8):
        chunk = int(rng.integers(1 << loader.chunk))
        drive(dut, chunk_valid=1, chunk=chunk)
        await edge(dut)
        assert bool(dut.write.value) == (loader.due is not None)
        assert bool(dut.overflow.value) == loader.overflow
        assert int(dut.loaded.value) == loader.loaded
        if loader.due is not None:
            words += 1
            assert (int(dut.write_address.value), int(dut.write_data.value)) == loader.due
        loader.cycle(False, chunk)
    assert loader.overflow and words == loader.depth - loader.preset
