# SPDX-License-Identifier: Apache-2.0
"""Population counts of many sizes against counting equal bits one by one."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from unit import drive, edge, fields, settle, start

_BITS = 512


def stimuli(rng: np.random.Generator, count: int) -> np.ndarray:
    """Bits (count, 512): random ones of every density, none, all, one missing, one alone."""
    density = rng.random((count, 1))
    bits = (rng.random((count, _BITS)) < density).astype(np.uint8)
    bits[0], bits[1], bits[2], bits[3] = 0, 1, 1, 0
    bits[2, rng.integers(32)] = 0
    bits[3, rng.integers(32)] = 1
    return bits


def number(bits: np.ndarray) -> int:
    """Bits, the first lowest, as an integer."""
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


@cocotb.test(timeout_time=100, timeout_unit="us")
async def equal_bits(dut: Any) -> None:
    """One word a cycle, the count of equal bits of every PE exactly 2 cycles later."""
    await start(dut, reset=0, activation=0, weight=0)
    sizes = fields(int(dut.sizes.value), 8, 20)
    pairs = list(zip(sizes[::2], sizes[1::2], strict=True))
    assert {simd for _, simd in pairs} == {1, 2, 3, 11, 12, 13, 22, 23, 127, 128}
    assert {pe for pe, _ in pairs} == {1, 3, 32}
    rng = np.random.default_rng(1)
    words = 120
    equal = rng.permutation(stimuli(rng, words))
    activation = rng.integers(0, 2, (words, _BITS), dtype=np.uint8)
    weight = activation ^ 1 ^ equal
    for cycle in range(words + 2):
        if cycle < words:
            drive(dut, activation=number(activation[cycle]), weight=number(weight[cycle]))
        await edge(dut)
        if cycle < 2:
            continue
        packed = int(dut.counts.value)
        for n, (pe, simd) in enumerate(pairs):
            # Synapse k of PE p at bit k * PE + p.
            want = equal[cycle - 2, : pe * simd].reshape(simd, pe).sum(axis=0).tolist()
            bits = fields(packed >> 128 * n, pe, simd.bit_length())
            got = [sum((plane >> p & 1) << b for b, plane in enumerate(bits)) for p in range(pe)]
            assert got == want, f"PE {pe}, SIMD {simd}"
            assert packed >> 128 * n & ((1 << 128) - 1) < 1 << pe * simd.bit_length()


@cocotb.test(timeout_time=100, timeout_unit="us")
async def plane_counters(dut: Any) -> None:
    """`fcc_plane_counter` of 1 to 17 planes counts the ones of each of 3 neurons."""
    for bits in stimuli(np.random.default_rng(2), 100):
        drive(dut, activation=number(bits))
        await settle()
        packed = int(dut.plane_counts.value)
        for n in range(17):
            want = bits[: 3 * (n + 1)].reshape(n + 1, 3).sum(axis=0).tolist()
            count = fields(packed >> 32 * n, 3, (n + 1).bit_length())
            got = [sum((plane >> p & 1) << b for b, plane in enumerate(count)) for p in range(3)]
            assert got == want, f"{n + 1} planes"


@cocotb.test(timeout_time=100, timeout_unit="us")
async def adder_chains(dut: Any) -> None:
    """`fcc_adder_chain` of 1 to 13 planes: sum + 2 * carries is the number of ones."""
    for bits in stimuli(np.random.default_rng(3), 100):
        drive(dut, activation=number(bits))
        await settle()
        packed = int(dut.chains.value)
        for n in range(13):
            want = bits[: 3 * (n + 1)].reshape(n + 1, 3).sum(axis=0).tolist()
            parts = fields(packed >> 32 * n, 3, 1 + max(1, (n + 1) // 2))
            got = [
                (parts[0] >> p & 1) + 2 * sum(plane >> p & 1 for plane in parts[1:])
                for p in range(3)
            ]
            assert got == want, f"chain of {n + 1}"
