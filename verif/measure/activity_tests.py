# SPDX-License-Identifier: Apache-2.0
"""A core fed without a pause, for the trace that `make activity` counts toggles in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cocotb
import numpy as np

from xnor_fcc.data import load_test_bits
from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc_sim.bench import Bench
from xnor_fcc_sim.clock import CLOCK_NS, let_pass
from xnor_fcc_sim.packets import bit_packet
from xnor_fcc_sim.settings import settings


@cocotb.test(timeout_time=100, timeout_unit="sec")
async def steady_stream(dut: Any) -> None:
    """Stream test digits back to back through a core with preset memories and note when the
    window of whole batches begins and ends; settings: geometry, network, fill, batches, report.

    Every hidden bit and score is checked, and that the batches of the window follow each other in
    the period of the cycle model: what is counted is the core at work, at full rate.
    """
    want = settings()
    geometry = Geometry(**want["geometry"])
    network = IntegerNetwork.load(want["network"])
    fill, batches = int(want["fill"]), int(want["batches"])
    # Two batches behind the window, so that the input never runs dry in it.
    images = (fill + batches + 2) * geometry.lanes
    bits = load_test_bits()[0][:images]
    bench = Bench(dut, geometry)
    bench.expect(network, bits)
    await bench.reset(read_back=False)
    for image in range(images):
        bench.append(image, bit_packet(bits[image]))
    period = geometry.period_cycles(network.widths)
    answered = (fill + batches) * geometry.lanes
    for _ in range(images):
        if bench.results.head >= answered:
            break
        await let_pass(dut.clk, period)
    assert bench.results.head >= answered, f"{bench.results.head} of {answered} images answered"
    assert not bench.failures.all, bench.failures.all[0].where
    starts = bench.passes.starts[fill : fill + batches + 1]
    assert set(np.diff(starts).tolist()) == {period}, f"batches begin in cycles {starts}"
    Path(want["report"]).write_text(
        json.dumps(
            {
                "start_ns": starts[0] * CLOCK_NS,
                "end_ns": starts[-1] * CLOCK_NS,
                "cycles": starts[-1] - starts[0],
                "images": batches * geometry.lanes,
            }
        )
    )
