# SPDX-License-Identifier: Apache-2.0
"""Weight memories of several sizes against a list of words."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, fields, settings, start

_LATENCY = 4
_MEMORIES = 8
_PRESET = 7  # the memory with contents at power-up


async def sizes(dut: Any) -> list[tuple[int, int, int]]:
    """(WIDTH, DEPTH, BANK_DEPTH) of each memory, with the clock running."""
    await start(dut, reset=0, write=0, write_address=0, write_data=0, read_address=0, number=0)
    values = fields(int(dut.sizes.value), 16, 3 * _MEMORIES)
    every = [(values[3 * n], values[3 * n + 1], values[3 * n + 2]) for n in range(_MEMORIES)]
    assert any(depth > bank and depth % bank for _, depth, bank in every)
    return every


async def write(dut: Any, strobe: int, address: int, word: int) -> None:
    """A word, which is taken one cycle after its address: with the next one's, or `end_writing`."""
    drive(dut, write=strobe, write_address=address)
    await edge(dut)
    drive(dut, write_data=word)


async def end_writing(dut: Any) -> None:
    """The last word is taken."""
    drive(dut, write=0)
    await edge(dut)
    drive(dut, write_data=0)


async def read_all(dut: Any, number: int, depth: int, addresses: list[int]) -> list[int]:
    """Words at `addresses`, one address a cycle, each taken exactly `_LATENCY` cycles later."""
    words = []
    drive(dut, number=number)
    for cycle in range(len(addresses) + _LATENCY):
        drive(dut, read_address=addresses[cycle] if cycle < len(addresses) else 0)
        await edge(dut)
        if cycle >= _LATENCY:
            words.append(int(dut.word.value))
    assert all(0 <= address < depth for address in addresses)
    return words


@cocotb.test(timeout_time=100, timeout_unit="us")
async def preset_contents(dut: Any) -> None:
    """What the files hold is there before anything is written; runs first."""
    width, depth, bank = (await sizes(dut))[_PRESET]
    assert [width, depth, bank] == settings()["preset_size"]
    words = await read_all(dut, _PRESET, depth, list(range(depth)))
    assert words == settings()["preset"]


@cocotb.test(timeout_time=500, timeout_unit="us")
async def every_word(dut: Any) -> None:
    """Every word keeps what was written last, across the banks, in any order of reading."""
    rng = np.random.default_rng(1)
    for number, (width, depth, _) in enumerate(await sizes(dut)):
        contents: dict[int, int] = {}
        for address in [*rng.permutation(depth).tolist(), *rng.integers(0, depth, 5).tolist()]:
            contents[address] = int.from_bytes(rng.bytes(64), "little") % (1 << width)
            await write(dut, 1 << number, address, contents[address])
        # Without the strobe nothing is written.
        await end_writing(dut)
        for address in range(depth):
            drive(dut, write_address=address)
            await edge(dut)
        up = list(range(depth))
        addresses = up + up[::-1] + rng.integers(0, depth, 50).tolist()
        words = await read_all(dut, number, depth, addresses)
        assert words == [contents[address] for address in addresses], f"memory {number}"


@cocotb.test(timeout_time=500, timeout_unit="us")
async def one_write_one_word(dut: Any) -> None:
    """Writing one word changes no other."""
    for number, (width, depth, _) in enumerate(await sizes(dut)):
        for address in range(depth):
            await write(dut, 1 << number, address, 0)
        for address in range(depth):
            ones = (1 << width) - 1
            await write(dut, 1 << number, address, ones)
            await end_writing(dut)
            words = await read_all(dut, number, depth, list(range(depth)))
            assert words == [ones] * (address + 1) + [0] * (depth - address - 1)


@cocotb.test(timeout_time=200, timeout_unit="us")
async def many_banks(dut: Any) -> None:
    """One memory of many banks: the word of each file, then other ones written in any order."""
    width, depth = (settings()["parameters"][name] for name in ("WIDTH", "DEPTH"))
    names = ("write", "write_address", "write_data", "read_address")
    await start(dut, reset=0, **dict.fromkeys(names, 0))
    rng = np.random.default_rng(2)
    contents: list[int] = settings()["preset"]
    for written in (False, True):
        if written:
            contents = rng.integers(0, 1 << width, depth).tolist()
            for address in rng.permutation(depth).tolist():
                await write(dut, 1, address, contents[address])
            await end_writing(dut)
        words = []
        for cycle in range(depth + _LATENCY):
            drive(dut, read_address=min(cycle, depth - 1))
            await edge(dut)
            words.append(int(dut.word.value) if cycle >= _LATENCY else 0)
        assert words[_LATENCY:] == contents
