# SPDX-License-Identifier: Apache-2.0
"""The host driver against the simulated core, through registers and streams as on the board."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cocotb
import numpy as np
from cocotb.task import bridge

from board.host_system import SimulatedTransport, refused, serve
from xnor_fcc.board import host
from xnor_fcc.board.address_map import BASE, OFFSET
from xnor_fcc.board.driver import Driver
from xnor_fcc.board.driver_errors import (
    CorruptedLoadError,
    DeviceTimeoutError,
    ImageError,
    NetworkTooLargeError,
    RefusedError,
    TruncatedTransferError,
    UnsupportedNetworkError,
    VersionError,
    WrongCoreError,
)
from xnor_fcc.data import load_test_bits
from xnor_fcc.geometry import Geometry
from xnor_fcc.images import read_images
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import evaluate
from xnor_fcc.registers import ADDRESS, VERSION_VALUE
from xnor_fcc_sim.packets import grey_packet
from xnor_fcc_sim.settings import settings

# Simulated seconds in which a core of MNIST's size, and a small one, have long answered.
_TIMEOUT, _SHORT_TIMEOUT = 2e-3, 2e-4


async def _system(dut) -> tuple[Geometry, SimulatedTransport]:  # type: ignore[no-untyped-def]
    geometry = Geometry(**settings()["geometry"])
    transport = SimulatedTransport(dut, geometry.image_width)
    await transport.start()
    return geometry, transport


def _check_counters(geometry: Geometry, network: IntegerNetwork, counters: dict[str, int]) -> None:
    """The cycles of the core are those of the cycle model."""
    busy = counters["BUSY_CYCLES"] - counters["STALL_CYCLES"]
    assert busy == counters["BATCHES"] * geometry.pass_cycles(network.shape)
    assert counters["STEP_CYCLES"] == counters["BATCHES"] * geometry.steps(network.shape)
    assert counters["CYCLES"] > counters["BUSY_CYCLES"]


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def mnist(dut) -> None:  # type: ignore[no-untyped-def]
    """Digits, then a lone one, then grey ones: every score and the cycles."""
    geometry, transport = await _system(dut)
    network = IntegerNetwork.load(settings()["network"])
    bits = load_test_bits()[0][: settings()["images"]]
    expected = evaluate(network, bits)

    def run() -> None:
        seen: list[int] = []
        with Driver(transport, _TIMEOUT) as core:
            for name, value in geometry.parameters().items():
                assert name == "BANK_DEPTH" or core.geometry.parameters()[name] == value
            core.load(network)
            answers = core.classify(bits, progress=seen.append)
            np.testing.assert_array_equal(answers.scores, expected.scores)
            np.testing.assert_array_equal(answers.classes, expected.classes)
            counters = answers.counters
            assert counters["IMAGES"] == len(bits) == seen[-1] and counters["DROPPED"] == 0
            # Images always wait at the door: only the last batch may be a partial one.
            assert counters["BATCHES"] == -(-len(bits) // geometry.lanes)
            _check_counters(geometry, network, counters)

            alone = core.classify(bits[:1])
            assert alone.scores.tolist() == expected.scores[:1].tolist()
            assert alone.counters["LATENCY"] == geometry.latency_cycles(network.widths, 256)
            _check_counters(geometry, network, alone.counters)

            rng = np.random.default_rng(1)
            packets = [grey_packet(row, network.pixel_threshold, rng) for row in bits[:24]]
            grey = np.frombuffer(b"".join(packets), np.uint8).reshape(24, 28, 28)
            seen.clear()
            answers = core.classify(grey, grey=True, progress=seen.append)
            assert len(seen) > 1, "these were to be more than one chunk"
            np.testing.assert_array_equal(answers.scores, expected.scores[:24])
        assert transport.closed and not transport.image_dma.pending

    await bridge(run)()


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def errors(dut) -> None:  # type: ignore[no-untyped-def]
    """Everything that goes wrong on the way says so, and the core works again afterwards."""
    _, transport = await _system(dut)
    transport.pauses = 0.3
    rng = np.random.default_rng(2)
    network = IntegerNetwork.load(settings()["network"])
    bits = rng.integers(0, 2, (40, network.inputs), np.uint8)
    expected = evaluate(network, bits)

    def at_rest(core: Driver) -> None:
        assert core.read("STATUS") == 0 and core.read("CONTROL") & 1 == 0
        assert core.read("IMAGES") == core.read("ERROR") == 0
        assert not transport.image_dma.pending and not transport.result_dma.pending

    def works(core: Driver) -> None:
        at_rest(core)
        np.testing.assert_array_equal(core.classify(bits).scores, expected.scores)
        at_rest(core)

    def run() -> None:
        # Not the core's first register; and nothing may be written to what is there.
        transport.shift = 4 * ADDRESS["VERSION"]
        refusal = refused(WrongCoreError, lambda: Driver(transport, _SHORT_TIMEOUT))
        assert f"{VERSION_VALUE:#010x}" in refusal
        transport.shift = 0
        version = OFFSET["core"] + 4 * ADDRESS["VERSION"]
        transport.override = {version: VERSION_VALUE + 0x10000}
        assert "newer" in refused(VersionError, lambda: Driver(transport, _SHORT_TIMEOUT))
        transport.override = {}
        assert transport.writes == 0

        core = Driver(transport, _SHORT_TIMEOUT)
        at_rest(core)
        large = random_network(rng, (core.geometry.max_width + 1, 3))
        refused(NetworkTooLargeError, lambda: core.load(large))
        at_rest(core)

        transport.lose_writes = 1
        refused(CorruptedLoadError, lambda: core.load(network))
        transport.lose_writes = 0
        at_rest(core)
        transport.flip = 1 << 3
        assert "WEIGHTS_CRC" in refused(CorruptedLoadError, lambda: core.load(network))
        transport.flip = 0
        at_rest(core)
        core.load(network)
        works(core)

        transport.cut_packets = 1
        assert "PACKET_SHORT" in refused(TruncatedTransferError, lambda: core.classify(bits))
        transport.cut_packets = 0
        works(core)

        transport.dead_results = True
        refused(DeviceTimeoutError, lambda: core.classify(bits))
        transport.dead_results = False
        works(core)

        # An engine that never sends.
        accept = transport.image_dma.accept
        transport.image_dma.accept = lambda descriptor: None
        refused(DeviceTimeoutError, lambda: core.classify(bits))
        transport.image_dma.accept = accept
        works(core)

        core.write("LAYERS", 0)
        assert "BAD_TABLE" in refused(RefusedError, lambda: core.classify(bits))
        at_rest(core)
        core.load(network)
        works(core)

        # Whatever ends the program leaves nothing running.
        def interrupt(done: int) -> None:
            raise KeyboardInterrupt

        try:
            with core:
                core.classify(bits, progress=interrupt)
        except KeyboardInterrupt:
            pass
        else:
            raise AssertionError("not interrupted")
        at_rest(core)
        assert transport.closed

    await bridge(run)()


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def kinds(dut) -> None:  # type: ignore[no-untyped-def]
    """Networks of every kind on one core: every score, and the cycles."""
    geometry, transport = await _system(dut)
    rng = np.random.default_rng(3)
    widths = settings()["widths"]
    layers = len(widths) - 1
    # In turn, so that each finds what the one before has left behind.
    chosen: list[tuple[tuple[int, ...] | None, bool | tuple[bool, ...]]] = [
        ((2,) * layers, False), (None, True), ((2,) * layers, True), (None, False),
        ((1,) * (layers - 1) + (2,), (True,) + (False,) * (layers - 1)),
    ]  # fmt: skip

    def run() -> None:
        with Driver(transport, _SHORT_TIMEOUT) as core:
            for orders, ternary in chosen:
                network = random_network(rng, widths, orders, ternary)
                core.load(network)
                grey = rng.integers(0, 256, (21, network.inputs), np.uint8)
                expected = evaluate(network, network.inputs_from(grey))
                answers = core.classify(grey, grey=True)
                np.testing.assert_array_equal(answers.scores, expected.scores)
                np.testing.assert_array_equal(answers.classes, expected.classes)
                at_once = geometry.images_per_batch(network.shape)
                assert answers.counters["BATCHES"] == -(-len(grey) // at_once)
                _check_counters(geometry, network, answers.counters)
                alone = core.classify(grey[:1], grey=True)
                assert alone.scores.tolist() == expected.scores[:1].tolist()
                assert alone.counters["LATENCY"] == geometry.latency_cycles(network.shape, 256)
                if network.pixel_residual is None:
                    bits = network.inputs_from(grey)
                    np.testing.assert_array_equal(core.classify(bits).scores, expected.scores)

    await bridge(run)()


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def maps(dut) -> None:  # type: ignore[no-untyped-def]
    """A core for convolutions: one network after the other, every score, and the cycles."""
    geometry, transport = await _system(dut)
    rng = np.random.default_rng(6)
    networks = [IntegerNetwork.load(path) for path in settings()["networks"]]

    def run() -> None:
        with Driver(transport, _SHORT_TIMEOUT) as core:
            assert replace(core.geometry, bank_depth=geometry.bank_depth) == geometry
            for network in [*networks, networks[0]]:
                pixels = network.pixels
                assert pixels is not None
                images = rng.integers(
                    0, 256, (7, pixels.side, pixels.side, pixels.colours), np.uint8
                )
                core.load(network)
                expected = evaluate(network, network.inputs_from(images))
                answers = core.classify(images, grey=True)
                np.testing.assert_array_equal(answers.scores, expected.scores)
                np.testing.assert_array_equal(answers.classes, expected.classes)
                assert answers.counters["BATCHES"] == len(images)
                _check_counters(geometry, network, answers.counters)
                alone = core.classify(images[:1], grey=True)
                assert alone.counters["LATENCY"] == geometry.latency_cycles(network.shape, 256)
                for wrong in (images[:, 1:], images.astype(np.int16), images[0]):
                    with contextlib.suppress(ImageError):
                        core.classify(wrong, grey=True)
                        raise AssertionError("an image of the wrong shape was taken")
            for other in (random_network(rng, (9, 4)),):
                with contextlib.suppress(UnsupportedNetworkError):
                    core.load(other)
                    raise AssertionError("a network without convolutions was taken")

    await bridge(run)()


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def preset_maps(dut) -> None:  # type: ignore[no-untyped-def]
    """A core for convolutions that has its network, levels and all, from memory files."""
    _, transport = await _system(dut)
    network = IntegerNetwork.load(settings()["network"])
    pixels = network.pixels
    assert pixels is not None
    shape = (5, pixels.side, pixels.side, pixels.colours)
    images = np.random.default_rng(4).integers(0, 256, shape, np.uint8)
    expected = evaluate(network, network.inputs_from(images))

    def run() -> None:
        with Driver(transport, _SHORT_TIMEOUT) as core:
            core.network = network  # without loading it
            np.testing.assert_array_equal(core.classify(images, grey=True).scores, expected.scores)

    await bridge(run)()


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def preset(dut) -> None:  # type: ignore[no-untyped-def]
    """A core that has its network, with grey images, from memory files."""
    _, transport = await _system(dut)
    network = IntegerNetwork.load(settings()["network"])
    grey = np.random.default_rng(4).integers(0, 256, (21, network.inputs), np.uint8)
    expected = evaluate(network, network.inputs_from(grey))

    def run() -> None:
        with Driver(transport, _SHORT_TIMEOUT) as core:
            core.network = network  # without loading it
            np.testing.assert_array_equal(core.classify(grey, grey=True).scores, expected.scores)

    await bridge(run)()


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def command_line(dut) -> None:  # type: ignore[no-untyped-def]
    """`host` as a user calls it, and the words of the DMA descriptors it leads to."""
    geometry, transport = await _system(dut)
    want = settings()
    network = IntegerNetwork.load(want["network"])
    images = read_images(Path(want["images"]))[0]
    reference = IntegerNetwork.load(want.get("reference", want["network"]))
    expected = evaluate(reference, images.reshape(len(images), -1))

    def call(*arguments: str, code: int = 0) -> str:
        connect = lambda registers, buffer: transport  # noqa: E731
        with contextlib.redirect_stdout(io.StringIO()) as output:
            assert host.main([*arguments, "--timeout", "0.001"], connect) == code
        return output.getvalue()

    read = transport.read_buffer

    def corrupted(place: int, bit: int) -> Callable[[int, int], np.ndarray]:
        """Reading the buffer with one wrong bit in one word of the results."""

        def read_buffer(offset: int, words: int) -> np.ndarray:
            result = read(offset, words)
            result[place] ^= bit
            return result

        return read_buffer

    def run() -> None:
        told = json.loads(call("info", "--json"))
        assert told == {k: v for k, v in geometry.parameters().items() if k != "BANK_DEPTH"}
        assert f"PE: {geometry.pe}\n" in call("info")

        files = (want["images"], "--network", want["network"])
        told = json.loads(call("classify", *files, "--json"))
        assert told["scores"] == expected.scores.tolist()
        assert told["classes"] == expected.classes.tolist() and told["wrong"] == 1
        assert told["counters"]["IMAGES"] == len(images)
        bytes_each, words = -(-network.inputs // 8), network.classes + 1
        slot = 4 * -(-bytes_each // 4)
        base, go = BASE["dma"]["buffer"], 1 << 31
        assert transport.image_dma.posted == [
            (base + i * slot, 0, bytes_each, go | 1 << 8 | 1 << 9) for i in range(len(images))
        ]
        assert transport.result_dma.posted == [
            (0, base + len(images) * slot, 4 * words * len(images), go)
        ]

        text = call("classify", *files, "--count", "3").splitlines()
        assert text[1:3] == [f"image {i}: {expected.classes[i]}" for i in (1, 2)]
        assert text[0].startswith(f"image 0: {expected.classes[0]}, not ")
        assert text[-1] == "1 of 3 wrong" and text[-2].startswith("3 images in ")

        assert told["differing"] is None
        told = json.loads(call("classify", *files, "--check", "--json"))
        assert told["differing"] == [] and told["check_seconds"] > 0
        grey = Path(want["images"]).with_name("grey.npy")
        np.save(grey, np.random.default_rng(7).integers(0, 256, images.shape, np.uint8))
        for file in (want["images"], str(grey)):
            text = call("classify", file, *files[1:], "--check").splitlines()
            assert text[-1] == "0 of 9 differ from the reference"
        # The lowest bit of a score of image 2, then of the class of image 5; the first byte of a
        # word has the high-order bits.
        for image, word, bit in ((2, 1, 1 << 24), (5, words - 1, 1 << 8)):
            transport.read_buffer = corrupted(image * words + word, bit)  # type: ignore[assignment]
            told = json.loads(call("classify", *files, "--check", "--json", code=1))
            assert told["differing"] == [image]
        last = call("classify", *files, "--check", code=1).splitlines()[-1]
        assert last == "1 of 9 differ from the reference, the first is image 5"
        assert "reference" not in call("classify", *files), "nobody asked"
        assert transport.closed

    await bridge(run)()


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def program(dut) -> None:  # type: ignore[no-untyped-def]
    """Another program makes the accesses; what it says and how it ends goes to the test."""
    _, transport = await _system(dut)
    want = settings()
    directory = Path(want["directory"])

    def run() -> None:
        done = serve(want["command"], want["master"], transport, directory)
        (directory / "status").write_text(str(done.status))
        status = transport.read(OFFSET["core"] + 4 * ADDRESS["STATUS"])
        (directory / "core_status").write_text(str(status))

    await bridge(run)()
