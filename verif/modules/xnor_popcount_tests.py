# SPDX-License-Identifier: Apache-2.0
"""Population counts of many sizes against counting equal bits one by one, and what they are made of
against its own arithmetic."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, fields, number, parities, planes, settings, settle, start

_PE = 3
_LATENCY = 3
_COUNTER_LATENCY = 2
_CODER_LATENCY = 2
# In a build with shorter words the rest is cut to its longest.
_WORD = settings().get("longest", 262)
_SIMDS = np.minimum([*range(1, 41), 100, 114, 127, 128, 131, 205, 256, 262], _WORD).tolist()
_WIDTHS = np.minimum([*range(1, 41), 127, 128, 205, 256, 2, 37, 200, 255], _WORD).tolist()
_CARRIES = np.minimum([*range(33), 63, 64, 102, 127, 128, 131, 255, 261], _WORD - 1).tolist()
_WORDS = settings().get("words", 150)


def stimuli(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Bits: random ones of every density in the first axis, none, all, one missing, one alone."""
    density = rng.random((shape[0], *[1] * (len(shape) - 1)))
    bits = (rng.random(shape) < density).astype(np.uint8)
    bits[0], bits[1], bits[2], bits[3] = 0, 1, 1, 0
    bits[2, ..., rng.integers(20)] = 0
    bits[3, ..., rng.integers(20)] = 1
    return bits


def counted(packed: int, columns: int, pe: int = _PE) -> list[int]:
    """Counts of all PEs out of bit planes."""
    assert packed < 1 << columns * pe
    bits = fields(packed, pe, columns)
    return [sum((plane >> p & 1) << b for b, plane in enumerate(bits)) for p in range(pe)]


async def count_words(dut: Any, equal: np.ndarray, activation: np.ndarray) -> None:
    """Words (N, PE, SIMD) with the given equal bits, one a cycle; all counts, exactly in time."""
    await start(dut, reset=0, activation=0, weight=0)
    assert fields(int(dut.simds.value), 16, len(_SIMDS)) == _SIMDS
    coded = parities(activation)
    # The weights are activation ^ 1 ^ equal; their coding is that of the inverted bits.
    coded_weight = parities(activation ^ equal)
    want = equal.cumsum(axis=2, dtype=np.int64)[:, :, np.array(_SIMDS) - 1]
    for cycle in range(len(equal) + _LATENCY):
        if cycle < len(equal):
            drive(dut, activation=planes(coded[cycle]), weight=planes(coded_weight[cycle]))
        await edge(dut)
        if cycle < _LATENCY:
            continue
        now = want[cycle - _LATENCY].T.tolist()
        counts = fields(int(dut.counts.value), 32, len(_SIMDS))
        for simd, packed, right in zip(_SIMDS, counts, now, strict=True):
            assert counted(packed, simd.bit_length()) == right, f"SIMD {simd}, cycle {cycle}"
        thirteen = now[_SIMDS.index(13)]
        assert counted(int(dut.count_alone.value), 4, 1) == thirteen[:1]
        assert counted(int(dut.count_many.value), 4, 32) == (thirteen * 11)[:32]


@cocotb.test(timeout_time=100, timeout_unit="us")
async def equal_bits(dut: Any) -> None:
    """One word a cycle, the count of equal bits of every PE exactly 3 cycles later."""
    rng = np.random.default_rng(1)
    equal = rng.permutation(stimuli(rng, (_WORDS, _PE, _WORD)))
    await count_words(dut, equal, rng.integers(0, 2, equal.shape, dtype=np.uint8))


@cocotb.test(timeout_time=200, timeout_unit="us")
async def every_coded_bit_counts(dut: Any) -> None:
    """A word with one coded bit inverted is another word, and its count another count: for every
    bit of every word length some of the words here tell the two apart."""
    rng = np.random.default_rng(2)
    right = rng.integers(0, 2, (5 * _WORD, _PE, _WORD), dtype=np.uint8)
    # Without equal neighbours, then with: only those show what happens to a pair.
    right[_WORD : 2 * _WORD] = 1
    right[2 * _WORD : 3 * _WORD] = 0
    wrong = right.copy()
    for n in range(len(right)):
        # Inverting a running parity inverts two neighbours, at the end of the word one bit.
        wrong[n, :, n % _WORD : n % _WORD + 2] ^= 1
    sums = [bits.cumsum(axis=2, dtype=np.int64) for bits in (right, wrong)]
    for simd in _SIMDS:
        for k in range(simd):
            told = sums[0][k::_WORD, :, simd - 1] != sums[1][k::_WORD, :, simd - 1]
            assert told.any(axis=0).all(), f"bit {k} of {simd} could be wrong unnoticed"
    await count_words(dut, wrong, rng.integers(0, 2, right.shape, dtype=np.uint8))


@cocotb.test(timeout_time=100, timeout_unit="us")
async def plane_counters(dut: Any) -> None:
    """`fcc_plane_counter` of many sizes: the weighted sum, exactly 2 cycles later, the one of all
    planes among them."""
    await start(dut, reset=0, activation=0, weight=0)
    assert fields(int(dut.carries.value), 16, len(_CARRIES)) == _CARRIES
    rng = np.random.default_rng(3)
    words = rng.permutation(stimuli(rng, (_WORDS, _PE, 262)))
    sums = words.cumsum(axis=2, dtype=np.int64)
    for cycle in range(len(words) + _COUNTER_LATENCY):
        if cycle < len(words):
            drive(dut, activation=planes(words[cycle]))
        await edge(dut)
        if cycle < _COUNTER_LATENCY:
            continue
        now = cycle - _COUNTER_LATENCY
        want = 2 * sums[now] - words[now, :, :1]
        counts = fields(int(dut.plane_counts.value), 32, len(_CARRIES))
        for carries, packed in zip(_CARRIES, counts, strict=True):
            columns = (2 * carries + 1).bit_length()
            assert counted(packed, columns) == want[:, carries].tolist(), f"{carries}, {now}"


@cocotb.test(timeout_time=100, timeout_unit="us")
async def five_bits(dut: Any) -> None:
    """`fcc_counter_5to3` with every combination of five bits, in every place."""
    rng = np.random.default_rng(4)
    for _ in range(5):
        case = rng.permutation(32)
        bits = case[None, :] >> np.arange(5)[:, None] & 1
        drive(dut, activation=number(bits.astype(np.uint8)))
        await settle()
        sums, twos, fours = (fields(x, 1, 32) for x in fields(int(dut.five.value), 32, 3))
        got = [s + 2 * t + 4 * f for s, t, f in zip(sums, twos, fours, strict=True)]
        assert got == bits.sum(axis=0).tolist()


@cocotb.test(timeout_time=100, timeout_unit="us")
async def parity_coders(dut: Any) -> None:
    """`fcc_parity_coder` of every width, one a cycle: every bit alone, none, all, random ones."""
    await start(dut, reset=0, activation=0, weight=0)
    assert fields(int(dut.widths.value), 16, len(_WIDTHS)) == _WIDTHS
    rng = np.random.default_rng(5)
    words = np.concatenate([np.eye(256, dtype=np.uint8)[:_WORD], stimuli(rng, (_WORDS, 256))])
    coded = parities(words)
    for cycle in range(len(words) + _CODER_LATENCY):
        drive(dut, activation=number(words[min(cycle, len(words) - 1)]))
        await edge(dut)
        if cycle < _CODER_LATENCY:
            continue
        packed, want = int(dut.coded.value), coded[cycle - _CODER_LATENCY]
        for n, width in enumerate(_WIDTHS):
            assert packed >> 256 * n & (1 << 256) - 1 == number(want[:width]), f"width {width}"


@cocotb.test(timeout_time=100, timeout_unit="us")
async def one_popcount(dut: Any) -> None:
    """`xnor_popcount` of one size: words of which every stretch is equal, so that each plane of the
    top column has its turn; random ones, none, all."""
    pe, simd = (settings()["parameters"][name] for name in ("PE", "SIMD"))
    await start(dut, reset=0, activation=0, weight=0)
    rng = np.random.default_rng(6)
    equal = stimuli(rng, (_WORDS, pe, simd))
    for word in equal[4::2]:
        for row in word:
            first = int(rng.integers(simd // 2 + 1))
            row[:] = 0
            row[first : first + simd // 2 + int(rng.integers(simd // 2 + 1))] = 1
            if rng.random() < 0.3:
                row[:] = 1 - row
    equal = rng.permutation(equal)
    activation = rng.integers(0, 2, equal.shape, dtype=np.uint8)
    coded, coded_weight = parities(activation), parities(activation ^ equal)
    want = equal.sum(axis=2, dtype=np.int64).tolist()
    for cycle in range(len(equal) + _LATENCY):
        if cycle < len(equal):
            drive(dut, activation=planes(coded[cycle]), weight=planes(coded_weight[cycle]))
        await edge(dut)
        if cycle >= _LATENCY:
            now = counted(int(dut.count.value), simd.bit_length(), pe)
            assert now == want[cycle - _LATENCY], f"word {cycle - _LATENCY}"


@cocotb.test(timeout_time=100, timeout_unit="us")
async def one_counter(dut: Any) -> None:
    """`fcc_plane_counter` of one size: random planes, and every stretch of them."""
    pe, carries = (settings()["parameters"][name] for name in ("WIDTH", "CARRIES"))
    await start(dut, reset=0, planes=0)
    rng = np.random.default_rng(7)
    bits = stimuli(rng, (_WORDS, pe, carries + 1))
    stretch = np.zeros((_WORDS, pe, carries + 1), np.uint8)
    for word in stretch:
        for row in word:
            first = int(rng.integers(carries // 2 + 1))
            row[first : first + carries // 2 + int(rng.integers(carries // 2 + 2))] = 1
    bits = np.concatenate([bits, stretch])
    want = (2 * bits.sum(axis=2, dtype=np.int64) - bits[:, :, 0]).tolist()
    for cycle in range(len(bits) + _COUNTER_LATENCY):
        if cycle < len(bits):
            drive(dut, planes=planes(bits[cycle]))
        await edge(dut)
        if cycle >= _COUNTER_LATENCY:
            now = counted(int(dut.count.value), (2 * carries + 1).bit_length(), pe)
            assert now == want[cycle - _COUNTER_LATENCY], f"word {cycle - _COUNTER_LATENCY}"


@cocotb.test(timeout_time=100, timeout_unit="us")
async def one_coder(dut: Any) -> None:
    """`fcc_parity_coder` of one width: one bit alone in many places and at the ends, none, all,
    random ones."""
    width = settings()["parameters"]["WIDTH"]
    await start(dut, reset=0, bits=0)
    rng = np.random.default_rng(8)
    words = stimuli(rng, (_WORDS, width))
    count = settings()["alone"]
    alone = np.zeros((count, width), np.uint8)
    alone[np.arange(count), rng.choice(width, count, replace=False)] = 1
    alone[:4] = 0
    alone[range(4), [0, width - 1, width // 2 - 1, width // 2]] = 1
    words = np.concatenate([words, alone])
    coded = parities(words)
    for cycle in range(len(words) + _CODER_LATENCY):
        drive(dut, bits=number(words[min(cycle, len(words) - 1)]))
        await edge(dut)
        if cycle >= _CODER_LATENCY:
            assert int(dut.coded.value) == number(coded[cycle - _CODER_LATENCY])
