# SPDX-License-Identifier: Apache-2.0
"""The whole core between bus models of another author, `cocotbext-avalon`.

Where each side of the protocol comes from, so that no rule of Avalon is tested against our own
reading of it alone:

- The tests of the whole core (bench.py): cocotb-bus' `AvalonMaster`, its `AvalonSTPkts` as driver
  and monitor. Ours are the loading of memories (`streams.write_burst`), the weight stream
  (`Bench._feed_weights`), and malformed packets (`Bench.drive_beats`).
- With full_rate (MNIST, the flood, benchmarks) `streams.ImageDriver` and `streams.ResultMonitor`
  replace `AvalonSTPkts`.
- This file, by peer.py: `AvalonMMMasterBFM`, `AvalonSTSource` twice, `AvalonSTSink`. Nothing of
  ours touches a bus: every register, every chunk of both memories and every beat goes through the
  peer.

The peer is strict. It fails at X or Z in a beat, at a packet without start or with two, at `empty`
before its end; and its streams carry X in Icarus, random values in Verilator, while they are not
valid, which a core must not look at. Its limits: one register access at a time (in a row:
fcc_csr_tests, flood_tests), and no check that a waiting beat stays stable
(fcc_result_source_tests, the proofs).

Settings: geometry, seed, idle ("x" or "random": streams between beats).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cocotb
import numpy as np

from core.peer import Peer, weight_packets
from xnor_fcc.geometry import Geometry, ceil_div
from xnor_fcc.pack import pack
from xnor_fcc.random_network import random_network
from xnor_fcc.registers import errors_in
from xnor_fcc_sim.checks import Expected
from xnor_fcc_sim.packets import bit_packet, grey_packet
from xnor_fcc_sim.settings import settings
from xnor_fcc_sim.traffic import patience, random_widths


def pauses(rng: np.random.Generator, share: float) -> Iterator[bool]:
    """Endless: whether to pause in a cycle."""
    while True:
        yield bool(rng.random() < share)


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def between_foreign_models(dut: Any) -> None:
    """Packed and 8-bit pixels, at full rate and under gaps and backpressure: every score, class and
    id; a packet with the error flag in each run is dropped and counted."""
    want = settings()
    geometry = Geometry(**want["geometry"])
    rng = np.random.default_rng(int(want["seed"]))
    widths = random_widths(rng, geometry, 3)
    network = random_network(rng, widths)
    memory = pack(network, geometry)
    count = 6 * geometry.lanes + 2
    # Batches wait until they are full, so that there are as many weight packets as passes.
    batches, timeout = ceil_div(count - 1, geometry.lanes), 2000
    peer = await Peer.power_up(dut, geometry, str(want["idle"]))
    await peer.reset(cycles=5)
    await peer.load(memory)
    await peer.write("PARTIAL_TIMEOUT", timeout)
    for grey, share in ((False, 0.0), (True, 0.4), (False, 0.7)):
        for stream in peer.streams:
            stream.set_pause_generator(pauses(rng, share) if share else None)
            stream.pause = False
        bits = rng.integers(0, 2, (count, widths[0])).astype(np.uint8)
        packets = [
            grey_packet(row, network.pixel_threshold, rng) if grey else bit_packet(row)
            for row in bits
        ]
        bad = int(rng.integers(0, count))
        await peer.start(grey)
        peer.send(packets, bad, weight_packets(memory) * batches)
        await peer.answers(Expected(network, bits), bad, 4 * patience(geometry, widths, timeout))

        assert await peer.read("DROPPED") == 1
        assert errors_in(await peer.read("ERROR")) == ["PACKET_FLAGGED"]
        assert await peer.read("IMAGES") == count - 1
        assert await peer.read("BATCHES") == batches
        assert all(stream.idle() for stream in peer.streams)
        await peer.soft_reset()
