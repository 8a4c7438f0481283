# SPDX-License-Identifier: Apache-2.0
"""A core that stays up: what `core.SimulatedCore` runs inside the simulator.

It takes requests from a socket, (name of a method of `Resident`, arguments ...), and answers each
with (True, result) or (False, exception). Between requests the clock stands still: simulated time
goes by in accesses, and in images on their way, alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import cocotb
import numpy as np

from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc_sim.bench import Bench
from xnor_fcc_sim.clock import CLOCK_NS, clock_cycle, let_pass
from xnor_fcc_sim.settings import settings
from xnor_fcc_sim.streams import ImageDriver, ResultMonitor, read_register, write_burst
from xnor_fcc_sim.trace import Trace
from xnor_fcc_sim.watch import Tracer

# Clock cycles after which the answers are looked at once more.
_GLANCE = 32


class _Stamp:
    """Set by the driver of images with the last beat of one: the cycle in which it was taken."""

    cycle = 0

    def set(self) -> None:
        self.cycle = clock_cycle()


class Resident:
    """The core between requests. Addresses are those of registers, as words."""

    def __init__(self, dut: Any, geometry: Geometry) -> None:
        self.dut = dut
        self.bench = Bench(dut, geometry, deep_batches=1, full_rate=True)
        # What they watch for has a price, which only `trace` pays.
        self.bench.passes.stop()
        self.stamps: list[_Stamp] = []  # of the images on their way, and before
        self.results: list[tuple[bytes, int]] = []

    async def start(self) -> None:
        """Out of reset."""
        await self.bench.reset()
        await self.forget()

    async def read(self, address: int) -> int:
        """A register."""
        return await read_register(self.dut, address)

    async def write(self, address: int, values: Sequence[int]) -> None:
        """Write values to one register, one a cycle."""
        await write_burst(self.dut, address, values)

    async def seconds(self) -> float:
        """Simulated seconds since the simulation began."""
        return clock_cycle() * CLOCK_NS * 1e-9

    async def wait(self, cycles: int) -> None:
        """Let clock cycles go by."""
        await let_pass(self.dut.clk, cycles)

    async def forget(self) -> None:
        """Nothing is on the way any more: the core is being reset."""
        bench = self.bench
        assert isinstance(bench.driver, ImageDriver)
        bench.driver.kill()
        bench.driver = ImageDriver(self.dut, bench.geometry.image_width)
        bench.results.head = len(bench.results.pending)
        self._clear()
        bench.watch_results()
        assert isinstance(bench.monitor, ResultMonitor)
        bench.monitor.callback = self._receive

    def _receive(self, packet: bytes) -> None:
        self.results.append((packet, clock_cycle()))

    async def send(self, packets: Sequence[bytes]) -> None:
        """Queue packets of images behind those that are on their way."""
        for packet in packets:
            stamp = _Stamp()
            self.stamps.append(stamp)
            self.bench.driver.append(packet, event=stamp)

    async def collect(self, cycles: int) -> tuple[list[bytes], int]:
        """Let clock cycles go by. Answers: the results that have come out since the last call, and
        how many images went in since then."""
        await let_pass(self.dut.clk, cycles)
        found = [packet for packet, _ in self.results]
        taken = sum(stamp.cycle > 0 for stamp in self.stamps)
        self.results.clear()
        del self.stamps[:taken]  # they go in one after the other
        return found, taken

    async def exchange(
        self, packets: Sequence[bytes], patience: int
    ) -> tuple[list[bytes], np.ndarray, np.ndarray]:
        """Send packets of images, back to back, when nothing else is on the way. Answers: the
        results, and int64 (n,) the clock cycles in which the last beat of each image went in and
        that of its result came out. `TimeoutError` after `patience` cycles without a result."""
        self._clear()
        await self.send(packets)
        await self._answered(len(packets), patience)
        return self._found()

    def _clear(self) -> None:
        self.stamps.clear()
        self.results.clear()

    async def _answered(self, images: int, patience: int) -> None:
        waited, seen = 0, 0
        while len(self.results) < images:
            if len(self.results) > seen:
                waited, seen = 0, len(self.results)
            if waited > patience:
                raise TimeoutError
            await let_pass(self.dut.clk, _GLANCE)
            waited += _GLANCE

    def _found(self) -> tuple[list[bytes], np.ndarray, np.ndarray]:
        return (
            [packet for packet, _ in self.results],
            np.array([stamp.cycle for stamp in self.stamps], np.int64),
            np.array([cycle for _, cycle in self.results], np.int64),
        )

    async def trace(
        self,
        network: IntegerNetwork,
        grey: np.ndarray,
        packet: bytes,
        patience: int,
        about: dict[str, Any],
    ) -> tuple[Trace, list[bytes], np.ndarray, np.ndarray]:
        """The same of one image, and what the core was seen to make of it; `grey` uint8 (inputs,)
        are its pixels."""
        bench = self.bench
        self._clear()
        bench.expect(network, network.inputs_from(grey[None]))
        try:
            tracer = Tracer(bench, 0)
            bench.accept(0)
            await self.send([packet])
            await self._answered(1, patience)
            answer = self.results[0][0]
            bench.results.receive(answer)
            # The tracer goes on until it has seen that.
            await let_pass(self.dut.clk, _GLANCE)
            return tracer.trace(answer, grey, about), *self._found()
        finally:
            bench.passes.stop()
            bench.failures.all.clear()
            bench.results.head = len(bench.results.pending)


@cocotb.test()
async def serve(dut: Any) -> None:
    """Answer requests until nobody is there to make them."""
    want = settings()
    connection: Connection[Any, Any] = Connection(want["descriptor"])
    resident = Resident(dut, Geometry(**want["geometry"]))
    await resident.start()
    connection.send((True, None))
    while True:
        try:
            name, *arguments = connection.recv()
        except (EOFError, ConnectionError):
            return
        try:
            answer = True, await getattr(resident, name)(*arguments)
        except Exception as error:
            answer = False, error
        connection.send(answer)
