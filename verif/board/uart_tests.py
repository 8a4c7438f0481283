# SPDX-License-Identifier: Apache-2.0
"""The driver over the simulated serial link, with a core behind it; settings: `geometry`, and
`widths` of the networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import bridge
from cocotb.triggers import ClockCycles

from board.host_system import refused
from board.uart_port import BAUD, BIT_NS, TIMEOUT, SimulatedPort
from xnor_fcc.board.driver import Driver
from xnor_fcc.board.driver_errors import (
    DeviceTimeoutError,
    DriverError,
    RefusedError,
    TruncatedTransferError,
)
from xnor_fcc.board.uart import LinkError, UartTransport
from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.learning import Learner
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import evaluate
from xnor_fcc_sim.clock import CLOCK_NS
from xnor_fcc_sim.settings import settings

# Simulated seconds.
_TIMEOUT = 1e-3


def _networks(count: int) -> list[IntegerNetwork]:
    rng = np.random.default_rng(1)
    return [random_network(rng, settings()["widths"]) for _ in range(count)]


def _grey(network: IntegerNetwork, count: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (count, network.inputs), np.uint8)


def _check(core: Driver, network: IntegerNetwork, count: int) -> None:
    """Images of both kinds, each score and class."""
    grey = _grey(network, count)
    expected = evaluate(network, network.inputs_from(grey))
    for images in (grey, network.inputs_from(grey)):
        answers = core.classify(images, grey=images is grey)
        np.testing.assert_array_equal(answers.scores, expected.scores)
        np.testing.assert_array_equal(answers.classes, expected.classes)
        assert answers.counters["IMAGES"] == count and answers.counters["DROPPED"] == 0


async def _port(dut: Any, bit_ns: int = BIT_NS) -> SimulatedPort:
    """The port of a link after power-up."""
    dut.rxd.value = dut.reset.value = 1
    Clock(dut.clk, CLOCK_NS, unit="ns").start()
    await ClockCycles(dut.clk, 5)
    dut.reset.value = 0
    await ClockCycles(dut.clk, 2)
    return SimulatedPort(dut.rxd, dut.txd, bit_ns)


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def bit_exact(dut: Any) -> None:
    """Networks over the link from senders that are too slow or too fast, and again where another
    has been; settings: `bits`, nanoseconds of a bit and the number of networks for each sender."""
    geometry = Geometry(**settings()["geometry"])
    for bit_ns, count in settings()["bits"]:
        port = await _port(dut, bit_ns)
        loaded = _networks(count)

        def run(port: SimulatedPort = port, loaded: list[IntegerNetwork] = loaded) -> None:
            with Driver(port.transport(), _TIMEOUT) as core:
                assert replace(core.geometry, bank_depth=geometry.bank_depth) == geometry
                for network in loaded:
                    core.load(network)
                    _check(core, network, int(settings()["images"]))
            assert port.closed

        await bridge(run)()


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def learning(dut: Any) -> None:
    """A core learns over the link what the model learns from one image at a time, and goes on."""
    port = await _port(dut)
    (network,) = _networks(1)
    grey = _grey(network, 13)
    labels = np.random.default_rng(4).integers(0, network.classes, 13, np.uint8)

    def run() -> None:
        model = Learner(network, 5, 1, start=1)
        with Driver(port.transport(), _TIMEOUT) as core:
            assert core.batch == 1 < core.geometry.lanes
            core.load(network)
            for some, start in ((slice(0, 7), 1), (slice(7, 13), None)):
                wanted = model.learn(grey[some], labels[some], grey=True)
                found = core.learn(grey[some], labels[some], 5, start=start, grey=True)
                np.testing.assert_array_equal(found.scores, wanted.scores)
                assert wanted.walks and core.network == model.network != network
                np.testing.assert_array_equal(core.network.output.latents, model.latents)
            _check(core, model.network, 3)

    await bridge(run)()


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def rate(dut: Any) -> None:
    """Images and weights take the bytes of their frames: the line does not rest."""
    port = await _port(dut)
    (network,) = _networks(1)

    def run() -> None:
        with Driver(port.transport(), _TIMEOUT) as core:
            core.load(network)
            bits = network.inputs_from(_grey(network, 20))
            core.classify(bits[:1])
            core._enable(False)
            packets = core._packets(bits, network, False)
            start = core.transport.now()
            core.mover.exchange(packets, network.classes + 1, 1, _TIMEOUT)
            seconds = core.transport.now() - start
            frame = max(packets.shape[1] + 10, 4 * network.classes + 4 + 8)
            assert seconds * BAUD < 1.02 * 10 * (frame * len(bits)) + 2000

            words = np.arange(2520, dtype=np.uint32)
            start = core.transport.now()
            core.transport.write_many(4 * 63, words)
            core.read("STATUS")
            seconds = core.transport.now() - start
            assert seconds * BAUD < 1.03 * 10 * 4 * len(words)

    await bridge(run)()


@cocotb.test(timeout_time=5, timeout_unit="sec")
async def damage(dut: Any) -> None:
    """A byte damaged, lost or twice, on either way, anywhere from the first access to the last
    answer: an error or nothing, never a wrong answer, and the next load works."""
    port = await _port(dut)
    (network,) = _networks(1)
    bits = network.inputs_from(_grey(network, 3))
    expected = evaluate(network, bits)
    rng = np.random.default_rng(3)

    def session() -> None:
        with Driver(port.transport(), _TIMEOUT) as core:
            core.load(network)
            answers = core.classify(bits)
            np.testing.assert_array_equal(answers.scores, expected.scores)
            np.testing.assert_array_equal(answers.classes, expected.classes)

    def run() -> None:
        port.count_from_here()
        session()
        totals = {"sending": port.sent, "receiving": port.received}
        told = 0
        for _ in range(int(settings()["damages"])):
            way = str(rng.choice(["sending", "receiving"]))
            place, kind = int(rng.integers(totals[way])), int(rng.integers(3))
            turned = int(rng.integers(1, 256))

            def mangle(
                number: int, byte: int, place: int = place, kind: int = kind, turned: int = turned
            ) -> bytes:
                if number != place:
                    return bytes([byte])
                return (bytes([byte ^ turned]), b"", bytes([byte, byte]))[kind]

            setattr(port, way, mangle)
            port.count_from_here()
            try:
                session()
            except (LinkError, DriverError) as error:
                assert isinstance(error, LinkError), error
                told += 1
            setattr(port, way, None)
            session()
        assert told >= 0.9 * int(settings()["damages"])

    await bridge(run)()


@cocotb.test(timeout_time=5, timeout_unit="sec")
async def cuts(dut: Any) -> None:
    """A cable pulled in the middle of a load and plugged in again: the load fails, the same driver
    stops the core, and the next load works."""
    port = await _port(dut)
    (network,) = _networks(1)

    def run() -> None:
        core = Driver(port.transport(), _TIMEOUT)
        port.count_from_here()
        core.load(network)
        whole = port.sent
        for end in (1, whole // 3, whole // 2, whole - 1):
            port.count_from_here()
            port.sending = lambda number, byte, end=end: bytes([byte] if number < end else [])
            sentence = refused(LinkError, lambda: core.load(network))
            assert "any more" in sentence or "did not arrive whole" in sentence, sentence
            port.sending = None
            core.load(network)
            _check(core, network, 2)
        # Nothing comes back.
        port.receiving = lambda number, byte: b""
        assert "does not answer any more" in refused(LinkError, lambda: core.load(network))
        silent = port.transport()
        assert "Nothing answers" in refused(LinkError, lambda: Driver(silent, _TIMEOUT))
        port.receiving = lambda number, byte: bytes([byte ^ 0x5A])
        assert "no answer of" in refused(LinkError, lambda: Driver(silent, _TIMEOUT))
        port.receiving = None
        core.load(network)
        _check(core, network, 2)

    await bridge(run)()


@cocotb.test(timeout_time=5, timeout_unit="sec")
async def errors(dut: Any) -> None:
    """What the core refuses is told as over any other transport, and the core works afterwards."""
    port = await _port(dut)
    (network,) = _networks(1)

    class Cutting(UartTransport):
        """One that leaves out the last bytes of images."""

        cut = 0

        def exchange(self, packets: np.ndarray, *others: Any) -> np.ndarray:
            """As it is, of shorter packets."""
            return super().exchange(packets[:, : packets.shape[1] - self.cut], *others)

    def run() -> None:
        plain = port.transport()
        link = Cutting(plain.port, BAUD, plain.name, TIMEOUT, plain.clock)
        core = Driver(link, _TIMEOUT)
        core.load(network)
        bits = network.inputs_from(_grey(network, 3))
        link.cut = 1
        short = refused(TruncatedTransferError, lambda: core.classify(bits))
        assert "PACKET_SHORT" in short
        link.cut = 0
        _check(core, network, 2)

        # A core that has not been started.
        core._enable = lambda grey: None  # type: ignore[method-assign]
        refused(DeviceTimeoutError, lambda: core.classify(bits))
        del core._enable
        _check(core, network, 2)

        core.write("LAYERS", 0)
        assert "BAD_TABLE" in refused(RefusedError, lambda: core.classify(bits))
        core.load(network)

        # A network with another number of classes than the one that is loaded.
        core.network = random_network(
            np.random.default_rng(4), (*settings()["widths"][:-1], network.classes + 1)
        )
        assert "another length" in refused(LinkError, lambda: core.classify(bits))
        core.load(network)
        _check(core, network, 2)

        # Whatever ends the program leaves nothing running.
        def interrupt(done: int) -> None:
            raise KeyboardInterrupt

        try:
            with core:
                core.classify(bits, progress=interrupt)
        except KeyboardInterrupt:
            pass
        assert port.closed
        again = Driver(port.transport(), _TIMEOUT)
        assert again.read("STATUS") == 0 == again.read("IMAGES")

    await bridge(run)()
