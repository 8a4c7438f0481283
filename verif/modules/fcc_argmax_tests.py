# SPDX-License-Identifier: Apache-2.0
"""Sequences of scores against the first index of their maximum."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, settings, start


async def classify(dut: Any, scores: list[int], rng: np.random.Generator, gaps: float) -> None:
    """One sequence, with gaps; `best` must be there in the cycle after its last score."""
    bits = settings()["parameters"]["SCORE_BITS"]
    most = (1 << len(dut.index)) - 1
    for index, score in enumerate(scores):
        while rng.random() < gaps:
            drive(dut, valid=0, first=int(rng.integers(2)), score=(1 << (bits - 1)) - 1, index=most)
            await edge(dut)
        drive(dut, valid=1, first=index == 0, score=score & ((1 << bits) - 1), index=index)
        await edge(dut)
    drive(dut, valid=0, first=1)
    await edge(dut)
    assert int(dut.best.value) == scores.index(max(scores)), scores


@cocotb.test(timeout_time=200, timeout_unit="us")
async def random_scores(dut: Any) -> None:
    """1 to 16 scores, or to 600, ties often, gaps between them."""
    bits = settings()["parameters"]["SCORE_BITS"]
    rng = np.random.default_rng(1)
    await start(dut, reset=0, valid=0, first=0, score=0, index=0)
    for number in range(200):
        reach = (1, 2, 1 << (bits - 1))[number % 3]
        count = int(rng.integers(1, min(600, 1 << len(dut.index)) + 1 if number < 20 else 17))
        scores = rng.integers(-reach, reach, count).tolist()
        await classify(dut, scores, rng, 0.3 if number % 2 else 0)


@cocotb.test(timeout_time=100, timeout_unit="us")
async def chosen_scores(dut: Any) -> None:
    """Ties, negatives, extremes, one class; each without a trace of the one before."""
    bits = settings()["parameters"]["SCORE_BITS"]
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    rng = np.random.default_rng(2)
    await start(dut, reset=0, valid=0, first=0, score=0, index=0)
    for scores in (
        *([high] * 16, [low] * 16, [0], [low], [-3, -1, -1, -2], [-1, 0], [0, -1]),
        *([low, high], [high, low], [-5, -4], [1, 2, 3, 3], [low, low + 1], [-1] * 3 + [0]),
    ):
        await classify(dut, scores, rng, 0)
