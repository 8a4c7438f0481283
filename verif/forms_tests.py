# SPDX-License-Identifier: Apache-2.0
"""The forms that `make area` compares, against counting equal bits one by one."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from unit import drive, edge, fields, planes, start

_PE = 3
_LATENCY = 3
_FORMS = ("form_tree", "form_plus", "form_chains", "form_parity")


@cocotb.test(timeout_time=100, timeout_unit="us")
async def equal_bits(dut: Any) -> None:
    """One word a cycle, every form's count of equal bits of every PE exactly 3 cycles later."""
    await start(dut, reset=0, activation=0, weight=0)
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
