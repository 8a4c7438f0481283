# SPDX-License-Identifier: Apache-2.0
"""Chunks into words of many widths, every cycle against a plain list."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from golden.word_loader import Loader
from modules.unit import drive, edge, fields, known, settings, start

_INPUTS = ("restart", "chunk_valid", "chunk", "seek", "seek_address", "patch_valid", "patch_chunk")


class Bench:
    """All loaders at once."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        self.rng = np.random.default_rng(seed)
        self.loaders: list[Loader] = []
        self.writes = self.overflows = 0

    async def reset(self) -> None:
        """After a reset."""
        await start(self.dut, **dict.fromkeys(_INPUTS, 0))
        sizes = fields(int(self.dut.sizes.value), 8, 40)
        self.loaders = [Loader(*sizes[5 * n : 5 * n + 5]) for n in range(8)]
        rests = {(x.width < x.chunk, x.width % x.chunk == 0, x.chunks > 1) for x in self.loaders}
        assert rests >= {
            (True, False, False),  # below a chunk
            (False, True, False),  # equal
            (False, True, True),  # a multiple
            (False, False, True),  # not a multiple
        }

    async def cycle(
        self, restart: bool = False, valid: bool = False, seek: int | None = None,
        patch: bool = False,
    ) -> None:  # fmt: skip
        """One cycle for all loaders, compared with the models."""
        dut = self.dut
        chunk, again, noise = self.rng.integers(1 << 32, size=3).tolist()
        drive(dut, restart=restart, chunk_valid=valid, chunk=chunk, seek=seek is not None,
              seek_address=noise & 0xFF if seek is None else seek, patch_valid=patch,
              patch_chunk=again)  # fmt: skip
        await edge(dut)
        write, overflow = int(dut.write.value), int(dut.overflow.value)
        loaded = fields(int(dut.loaded.value), 8, 8)
        addresses = known(dut.write_address) if write else 0
        words = known(dut.write_data) if any(x.data for x in self.loaders) else 0
        for n, loader in enumerate(self.loaders):
            want = 1 << loader.due[0] if loader.due is not None else 0
            assert write >> 4 * n & 0xF == want, f"loader {n}"
            assert overflow >> n & 1 == loader.overflow, f"loader {n}"
            assert loaded[n] == loader.loaded, f"loader {n}"
            # What is written again behind the memory's end is nobody's business.
            if loader.due is not None and loader.due[1] < loader.depth:
                assert addresses >> 8 * n & 0xFF == loader.due[1], f"loader {n}"
            if loader.data is not None:
                number, _, data = loader.data
                got = words >> 128 * n + number * loader.size
                assert got & (1 << loader.slice_width(number)) - 1 == data, f"loader {n}"
                self.writes += number == (loader.width - 1) // loader.size
            self.overflows += loader.overflow
            mask = (1 << loader.chunk) - 1
            loader.cycle(restart, chunk & mask if valid else None, seek,
                         again & mask if patch else None)  # fmt: skip


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


@cocotb.test(timeout_time=500, timeout_unit="us")
async def words_again(dut: Any) -> None:
    """Words of memories that are empty, half loaded, in mid-word or full are written again, with
    gaps, without, and from another address in mid-word; then loading goes on with a new word."""
    bench = Bench(dut, seed=5)
    await bench.reset()
    for turn, loaded in enumerate([0, 1, 5, 23, 48, 250]):
        await bench.cycle(restart=True)
        for _ in range(loaded):
            await bench.cycle(valid=True)
        counts = [loader.loaded for loader in bench.loaders]
        await bench.cycle()
        bench.writes = bench.overflows = 0
        for first in (0, 1, 0):  # words that each memory has
            await bench.cycle(seek=first)
            for _ in range(13 + turn):
                if turn % 2:
                    await bench.cycle()
                await bench.cycle(patch=True)
        await bench.cycle(seek=1)
        for _ in range(3):
            await bench.cycle()
        assert [loader.loaded for loader in bench.loaders] == counts
        assert bench.writes > 50 and not bench.overflows
        for _ in range(20):
            await bench.cycle(valid=True)
    # A restart in a word that is written again.
    for cycles in range(1, 9):
        await bench.cycle(seek=0)
        for _ in range(cycles):
            await bench.cycle(patch=True)
        await bench.cycle(restart=True)
        for _ in range(20):
            await bench.cycle(valid=True)


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
            loader.reset()
        for _ in range(20):
            await bench.cycle(valid=True)


@cocotb.test(timeout_time=500, timeout_unit="us")
async def one_loader(dut: Any) -> None:
    """A loader of one size to its end and beyond, in every cycle, from its preset words on."""
    names = ("CHUNK", "WIDTH", "DEPTH", "PRESET_WORDS", "SLICE")
    sizes = (settings()["parameters"][name] for name in names)
    loader = Loader(*sizes)
    rng = np.random.default_rng(4)
    await start(dut, **dict.fromkeys(_INPUTS, 0))
    words = 0
    for _ in range((loader.depth - loader.loaded) * loader.chunks + 8):
        chunk = int(rng.integers(1 << loader.chunk))
        # It has no words that can be written again.
        noise = rng.integers(1 << min(loader.chunk, 8), size=4).tolist()
        drive(dut, chunk_valid=1, chunk=chunk, seek=noise[0] & 1, patch_valid=noise[1] & 1,
              seek_address=noise[2] & 1, patch_chunk=noise[3])  # fmt: skip
        await edge(dut)
        assert int(dut.write.value) == (1 << loader.due[0] if loader.due is not None else 0)
        assert bool(dut.overflow.value) == loader.overflow
        assert int(dut.loaded.value) == loader.loaded
        if loader.due is not None:
            assert int(dut.write_address.value) == loader.due[1]
        if loader.data is not None:
            number, _, data = loader.data
            got = int(dut.write_data.value) >> number * loader.size
            assert got & (1 << loader.slice_width(number)) - 1 == data
            words += number == (loader.width - 1) // loader.size
        loader.cycle(False, chunk)
    assert loader.overflow and words == loader.depth - loader.preset
