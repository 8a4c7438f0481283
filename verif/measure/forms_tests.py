# SPDX-License-Identifier: Apache-2.0
"""The forms that `make area` compares, against counting equal bits one by one and against products
of pixels and powers of two."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, fields, join, planes, start

_PE = 3
_LATENCY = 3
_ACC_BITS = 27
_FORMS = ("form_tree", "form_plus", "form_chains", "form_parity")


@cocotb.test(timeout_time=100, timeout_unit="us")
async def equal_bits(dut: Any) -> None:
    """One word a cycle, every form's count of equal bits of every PE exactly 3 cycles later."""
    await start(dut, activation=0, weight=0)
    sizes = fields(int(dut.sizes.value), 8, 6)
    assert sizes == [1, 2, 5, 12, 37, 128]
    rng = np.random.default_rng(1)
    words = 100
    density = rng.random((words, 1, 1))
    equal = (rng.random((words, _PE, 128)) < density).astype(np.uint8)
    equal[0], equal[1] = 0, 1
    activation = rng.integers(0, 2, equal.shape, dtype=np.uint8)
    weight = activation ^ 1 ^ equal
    for cycle in range(words + _LATENCY):
        if cycle < words:
            drive(dut, activation=planes(activation[cycle]), weight=planes(weight[cycle]))
        await edge(dut)
        if cycle < _LATENCY:
            continue
        counts = fields(int(dut.counts.value), 32, len(_FORMS) * len(sizes))
        for n, simd in enumerate(sizes):
            want = equal[cycle - _LATENCY, :, :simd].sum(axis=1).tolist()
            for form, name in enumerate(_FORMS):
                bits = fields(counts[form * len(sizes) + n], _PE, simd.bit_length())
                got = [sum((plane >> p & 1) << b for b, plane in enumerate(bits))
                       for p in range(_PE)]
                assert got == want, f"{name}, SIMD {simd}"


@cocotb.test(timeout_time=100, timeout_unit="us")
async def products(dut: Any) -> None:
    """Offset plus the sum of pixel * +-2^k over groups of one to three words, with gaps in between,
    each 255 * 2^k of a negative weight that the form leaves to the offset taken into account."""
    simds = (1, 6, 37)
    levels = [(simd - 1).bit_length() for simd in simds]
    rng = np.random.default_rng(2)
    await start(dut, step=0, first=0, last=0, pixel=0, sign=0, exponent=0, offset=0)

    cycles = 400
    pixel = rng.integers(0, 256, (cycles, 37))
    pixel[rng.random(pixel.shape) < 0.2] = 255
    sign = rng.integers(0, 2, (cycles, 37, _PE))
    exponent = rng.integers(0, 8, (cycles, 37, _PE))
    offset = rng.integers(-(1 << 25), 1 << 25, (cycles, len(simds), _PE))
    # Groups back to back and apart; 1, 2 or 3 words of one may have gaps between them, too.
    step, first, last = (np.zeros(cycles, int) for _ in range(3))
    groups: list[list[int]] = []
    cycle = 0
    while cycle < cycles - 40:
        words = []
        for _ in range(rng.integers(1, 4)):
            words.append(cycle)
            cycle += int(rng.choice([1, 1, 1, 2, 5]))
        step[words] = first[words[0]] = last[words[-1]] = 1
        groups.append(words)

    due = {(group[-1] + levels[n] + 3, n): group for group in groups for n in range(len(simds))}
    checked = 0
    for cycle in range(cycles):
        # Each size takes its offset in a cycle of its own.
        offsets = [offset[cycle, n] for n in range(len(simds))]
        drive(
            dut, step=step[cycle], first=first[cycle], last=last[cycle],
            pixel=join(pixel[cycle], 8), sign=join(sign[cycle].ravel(), 1),
            exponent=join(exponent[cycle].ravel(), 3),
            offset=join(np.concatenate(offsets), _ACC_BITS),
        )  # fmt: skip
        await edge(dut)
        got = fields(int(dut.accumulators.value), _ACC_BITS, 4 * len(simds) * _PE)
        for n, simd in enumerate(simds):
            group = due.get((cycle, n))
            if group is None:
                continue
            checked += 1
            began = offset[group[0] + levels[n] + 1, n]
            for e in range(4):
                power = 1 << (exponent[group, :simd] & (1 << e) - 1)
                negative = sign[group, :simd]
                products = pixel[group, :simd, None] * np.where(negative, -power, power)
                total = began + (products + 255 * power * negative).sum(axis=(0, 1))
                place = (e * len(simds) + n) * _PE
                want = [int(value) & (1 << _ACC_BITS) - 1 for value in total]
                assert got[place : place + _PE] == want, f"{1 << e} exponents, SIMD {simd}"
    assert checked == len(simds) * len(groups)
