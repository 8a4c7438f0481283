# SPDX-License-Identifier: Apache-2.0
"""Imported networks on the core, one after the other; settings: geometry, and for each network its
file with a file of grey images and of the classes that the source itself gives them."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.pack import pack
from xnor_fcc.registers import BIT
from xnor_fcc_sim.bench import Bench
from xnor_fcc_sim.settings import settings
from xnor_fcc_sim.traffic import patience


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def answers_of_the_sources(dut: Any) -> None:
    """Every hidden bit and score as of the integer network, every class as of the source."""
    want = settings()
    geometry = Geometry(**want["geometry"])
    bench = Bench(dut, geometry, deep_batches=2)
    await bench.reset()
    answered = 0
    for name in want["networks"]:
        network = IntegerNetwork.load(f"{name}.npz")
        with np.load(f"{name}-source.npz") as source:
            grey, classes = source["grey"], source["classes"]
        bench.expect(network, network.inputs_from(grey))
        assert bench.expected is not None and bench.expected.classes == classes.tolist()
        await bench.load(pack(network, geometry))
        await bench.write("PARTIAL_TIMEOUT", 100)
        await bench.start(pixel_8bit=True)
        for image in range(len(grey)):
            bench.append(image, grey[image].tobytes())
        await bench.drain(patience(geometry, network.shape, 100))
        answered += len(grey)
        bench.check(answered)
        await bench.stop()
        await bench.check_cycles(network.shape)
        await bench.write("CONTROL", 1 << BIT["CONTROL"]["SOFT_RESET"])
