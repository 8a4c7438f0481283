# SPDX-License-Identifier: Apache-2.0
"""The host driver: against the simulated core, and each of its parts alone."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xnor_fcc.board import host
from xnor_fcc.board.address_map import BUFFER_BYTES, OFFSET, REGISTER_BYTES
from xnor_fcc.board.driver import Answers, Driver
from xnor_fcc.board.driver_errors import (
    CorruptedLoadError,
    DeviceTimeoutError,
    ImageError,
    NetworkTooLargeError,
    NotLoadedError,
    TruncatedTransferError,
    UnsupportedCoreError,
    UnsupportedNetworkError,
    VersionError,
    WrongCoreError,
)
from xnor_fcc.board.msgdma import DmaMover, Msgdma
from xnor_fcc.board.transport import MappedTransport, TransportError
from xnor_fcc.errors import UserError
from xnor_fcc.geometry import NAMED, Geometry
from xnor_fcc.images import read_images
from xnor_fcc.integer import IntegerNetwork, ShiftLayer, find_network
from xnor_fcc.learning import NO_LABEL, Learner
from xnor_fcc.loading import load_checks
from xnor_fcc.pack import pack
from xnor_fcc.places import DATA
from xnor_fcc.random_network import Convolution, random_map_network, random_network
from xnor_fcc.reference import evaluate
from xnor_fcc.registers import ADDRESS, ID_VALUE, VERSION_VALUE, word
from xnor_fcc_sim import simulator

SMALL = Geometry(pe=4, simd=7, lanes=2, max_width=30, weight_depth=120, bank_depth=32,
                 threshold_depth=16, max_classes=6, image_width=16)  # fmt: skip
# Where words and groups of a layer differ, so that nothing can take one for the other.
WIDTHS = (30, 23, 9, 5)
# A core that does everything, of one pair of lanes.
ABLE = replace(SMALL, order=2, ternary=1)


@pytest.mark.slow
def test_mnist_through_the_simulated_core() -> None:
    """Digits bit-exactly, and the cycles of the model."""
    path = find_network("mnist")
    geometry = Geometry.for_widths(IntegerNetwork.load(path).widths, *NAMED["default"])
    model = simulator.build("xnor_fcc", geometry.parameters())
    model.run(
        "board.driver_tests",
        simulator.run_directory("driver-mnist"),
        testcase="mnist",
        settings={"geometry": asdict(geometry), "network": str(path), "images": 30},
    )


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """The file of a small network."""
    path = tmp_path / "network.npz"
    random_network(np.random.default_rng(5), WIDTHS).save(path)
    return path


def networks_of_every_kind() -> dict[str, IntegerNetwork]:
    """By what the sentence calls that no plain core has."""
    rng = np.random.default_rng(5)
    ones = np.ones((9, 30), np.uint8)
    shift = ShiftLayer(ones, ones, np.zeros(9, np.int32))
    return {
        "second-order activations": random_network(rng, WIDTHS, (2, 2, 2)),
        "ternary weights": random_network(rng, WIDTHS, ternary=(False, True, True)),
        "power-of-two weights": IntegerNetwork((shift,), random_network(rng, (9, 5)).output),
    }


def run_small(
    testcase: str, name: str, geometry: Geometry = SMALL, preset: str = "", **settings: object
) -> None:
    model = simulator.build("xnor_fcc", {**geometry.parameters(), "PRESET": preset})
    model.run(
        "board.driver_tests",
        simulator.run_directory(f"driver-{name}"),
        testcase=testcase,
        settings={"geometry": asdict(geometry), **settings},
    )


@pytest.mark.slow
def test_errors_through_the_simulated_core(network: Path) -> None:
    run_small("errors", "errors", network=str(network))


@pytest.fixture
def map_networks(tmp_path: Path) -> tuple[list[str], Geometry]:
    """Files of two networks with convolutions, and a core that runs both, with room to spare."""
    rng = np.random.default_rng(8)
    networks = [
        random_map_network(
            rng, 6, [Convolution(9), Convolution(5, 1, True)], [7, 4], 2, 1, 1, (1, 2, 1, 2), True
        ),
        random_map_network(rng, 5, [Convolution(8)], [3], 1, 2),
    ]
    files = [str(tmp_path / f"maps{i}.npz") for i in range(len(networks))]
    for network, file in zip(networks, files, strict=True):
        network.save(file)
    g = Geometry.for_widths(networks[0].shape, 4, 36, 8, image_width=32)
    other = Geometry.for_widths(networks[1].shape, 4, 36, 8)
    most = {
        name: max(getattr(g, name), getattr(other, name))
        for name in ("max_width", "weight_depth", "threshold_depth", "map_input", "map_even",
                     "map_odd", "pixel_levels")
    }  # fmt: skip
    return files, replace(g, **most)


@pytest.mark.slow
def test_maps_through_the_simulated_core(map_networks: tuple[list[str], Geometry]) -> None:
    """A core of order 2 and ternary weights, and a network of single bits behind another."""
    files, geometry = map_networks
    run_small("maps", "maps", geometry, networks=files)


@pytest.mark.slow
def test_preset_maps_through_the_simulated_core(
    map_networks: tuple[list[str], Geometry], tmp_path: Path
) -> None:
    files, geometry = map_networks
    memory = pack(IntegerNetwork.load(files[0]), geometry)
    memory.write_preset(tmp_path / "preset", enable=False)
    run_small("preset_maps", "preset-maps", geometry, str(tmp_path / "preset"), network=files[0])


@pytest.mark.slow
@pytest.mark.parametrize("lanes", [2, 4])
def test_kinds_through_the_simulated_core(lanes: int) -> None:
    """Networks of every kind one after the other, on one pair of lanes and on two."""
    run_small("kinds", f"kinds-{lanes}", replace(ABLE, lanes=lanes), widths=WIDTHS)


@pytest.mark.slow
def test_a_preset_of_second_order_in_the_simulated_core(tmp_path: Path) -> None:
    """The margins and the residual's pixel thresholds come from the memory files, too."""
    network = random_network(np.random.default_rng(9), WIDTHS, (2, 2, 2), (False, True, False))
    network.save(tmp_path / "network.npz")
    pack(network, ABLE).write_preset(tmp_path / "preset")
    path = str(tmp_path / "network.npz")
    run_small("preset", "preset", ABLE, str(tmp_path / "preset"), network=path)


def test_command_line_through_the_simulated_core(network: Path, tmp_path: Path) -> None:
    loaded = IntegerNetwork.load(network)
    images = np.random.default_rng(6).integers(0, 2, (9, 5, 6), np.uint8)
    labels = evaluate(loaded, images.reshape(9, -1)).classes
    labels[0] = (labels[0] + 1) % loaded.classes
    np.savez(tmp_path / "images.npz", images=images, labels=labels)
    path = str(tmp_path / "images.npz")
    run_small("command_line", "command-line", network=str(network), images=path)


def test_a_wrong_weight_is_noticed(network: Path, tmp_path: Path) -> None:
    """The check of the scores is one that can fail."""
    loaded = IntegerNetwork.load(network)
    weights = loaded.output.weights.copy()
    weights[0, 0] ^= 1
    other = replace(loaded, output=replace(loaded.output, weights=weights))
    other.save(tmp_path / "other.npz")
    np.save(tmp_path / "images.npy", np.zeros((2, 30), np.uint8))
    with pytest.raises(AssertionError, match="scores"):
        run_small(
            "command_line",
            "wrong-weight",
            network=str(network),
            reference=str(tmp_path / "other.npz"),
            images=str(tmp_path / "images.npy"),
        )


@pytest.mark.parametrize("what", ["scores", "classes"])
def test_every_image_is_checked(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """At the ends of the parts in which they are, and of all of them."""
    monkeypatch.setattr(host, "_CHECKED", 4)
    network = random_network(np.random.default_rng(5), WIDTHS)
    x = np.random.default_rng(6).integers(0, 2, (10, 30), np.uint8)
    right = evaluate(network, x)
    for image in range(10):
        answers = Answers(right.classes.copy(), right.scores.copy(), {})
        getattr(answers, what)[image] += 1
        assert host._differing(network, x, answers) == [image]
    assert host._differing(network, x, Answers(right.classes, right.scores, {})) == []


# ---- more images than the core has numbers for


class Echo:
    """`Transport` to a core that answers every image at once: class `number % 5`, its number modulo
    2^16, scores below 0. Image `lost` gets no answer. CYCLES goes on by `hurry` with each read."""

    def __init__(self, lost: int = -1, hurry: int = (1 << 32) + 1) -> None:
        self.lost, self.hurry = lost, hurry
        self.words = {n: value for n, value in SMALL.parameters().items() if n in ADDRESS}
        self.words |= {"ID": ID_VALUE, "VERSION": VERSION_VALUE, "SCORE_BITS": SMALL.score_bits}
        self.words |= {"STATUS": 0, "BUSY_CYCLES": 0xFFFF_FFFE, "LATENCY": 0x8000_0001}
        self.names = {OFFSET["core"] + 4 * address: name for name, address in ADDRESS.items()}
        self.cycles = (7 << 32) - 1
        self.sent = 0
        self.answers: list[int] = []

    def read(self, offset: int) -> int:
        """A register."""
        name = self.names.get(offset, "")
        if name == "CYCLES":
            self.cycles += self.hurry
            self.words["CYCLES_HIGH"] = self.cycles >> 32
            return self.cycles & 0xFFFF_FFFF
        return self.sent if name == "IMAGES" else self.words.get(name, 0)

    def write(self, offset: int, value: int) -> None:
        """Write a register."""
        if self.names.get(offset) == "CONTROL":
            self.words["STATUS"] = value & 1
        if self.names.get(offset) == "CONTROL" and value & 4:
            self.sent, self.answers = 0, []
        if offset == OFFSET["image_descriptor"] + 12 and value >> 31:
            self.answers += [] if self.sent == self.lost else [self.sent]
            self.sent += 1

    def read_buffer(self, offset: int, words: int) -> np.ndarray:
        """The answers since the last time, padded with nothing."""
        n = np.array(self.answers, np.int64)
        rows = np.stack([*(-n % 100 - score for score in range(1, 6)), n % 5 << 16 | n & 0xFFFF], 1)
        self.answers = []
        raw = np.zeros(words, np.uint32)
        raw[: rows.size] = rows.ravel().astype(np.uint32).byteswap()
        return raw

    def write_buffer(self, offset: int, words: np.ndarray) -> None:
        """Write to the buffer."""

    def mover(self) -> DmaMover:
        """Engines."""
        return DmaMover(self)  # type: ignore[arg-type]

    def now(self) -> float:
        """Seconds."""
        return 0.0

    def pause(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def test_more_images_than_numbers() -> None:
    """Every answer in its place beyond 2^16; counters of 32 and of 64 bits as they are."""
    count = 0x10000 + 300
    core = Driver(Echo())  # type: ignore[arg-type]
    core.network = random_network(np.random.default_rng(5), WIDTHS)
    answers = core.classify(np.zeros((count, 30), np.uint8))
    assert (answers.classes == np.arange(count) % 5).all()
    assert (answers.scores[:, 0] == -np.arange(count) % 100 - 1).all()
    assert answers.scores.dtype == np.int32 and answers.scores.min() < 0
    counters = answers.counters
    assert counters["IMAGES"] == count
    assert (counters["BUSY_CYCLES"], counters["LATENCY"]) == (0xFFFF_FFFE, 0x8000_0001)
    # Both halves of one moment, whichever the low one is.
    assert counters["CYCLES"] == (7 << 32) - 1 + (1 << 32) + 1


@pytest.mark.parametrize("lost", [0, 0xFF, 0xFFFE, 0xFFFF, 0x10000, 0x10001, 0x100FF])
def test_a_lost_image_is_named_beyond_the_numbers(lost: int) -> None:
    core = Driver(Echo(lost))  # type: ignore[arg-type]
    core.network = random_network(np.random.default_rng(5), WIDTHS)
    with pytest.raises(TruncatedTransferError, match=f"^Image {lost} was not answered"):
        core.classify(np.zeros((0x10100, 30), np.uint8))


# ---- the transport of the board, on plain files


class Board:
    """Files in place of /dev/mem, with registers that do nothing but keep what is in them."""

    def __init__(self, directory: Path) -> None:
        self.registers = directory / "registers"
        self.buffer = directory / "buffer"
        self.registers.write_bytes(bytes(2 * REGISTER_BYTES))
        self.buffer.write_bytes(bytes(BUFFER_BYTES))
        # Not at the beginning of a page.
        self.base = 0x40

    def set(self, register: str, value: int) -> None:
        words = np.memmap(self.registers, "<u4", "r+")
        words[(self.base + OFFSET["core"]) // 4 + ADDRESS[register]] = value

    def word(self, part: str, offset: int) -> int:
        words = np.memmap(self.registers, "<u4", "r")
        return int(words[(self.base + OFFSET[part] + offset) // 4])

    def open(self) -> MappedTransport:
        return MappedTransport(f"{self.registers}@{self.base:#x}", str(self.buffer))


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


@pytest.fixture
def core(board: Board) -> Board:
    """A board that reads like a core at rest."""
    board.set("ID", ID_VALUE)
    board.set("VERSION", VERSION_VALUE)
    become(board, SMALL)
    return board


def become(board: Board, geometry: Geometry) -> None:
    board.set("SCORE_BITS", geometry.score_bits)
    for name, value in geometry.parameters().items():
        if name in ADDRESS:
            board.set(name, value)


def test_mapped_words_are_where_they_belong(board: Board) -> None:
    transport = board.open()
    transport.write(0x14, 0xFFFFFFFE)
    transport.write_many(0x18, [1, 2, 3])
    transport.write_buffer(8, np.array([5, 6], np.uint32))
    assert transport.read(0x14) == 0xFFFFFFFE and transport.read(0x18) == 3
    assert transport.read_buffer(4, 4).tolist() == [0, 5, 6, 0]
    transport.close()
    contents = board.registers.read_bytes()
    assert contents[0x54:0x5C] == bytes.fromhex("feffffff 03000000")
    assert sum(contents) == sum(contents[0x54:0x5C])
    assert board.buffer.read_bytes()[8:16] == bytes.fromhex("05000000 06000000")


def test_descriptors_word_by_word(board: Board) -> None:
    transport = board.open()
    engine = Msgdma(transport, OFFSET["image_csr"], OFFSET["image_descriptor"])
    engine.send(0x120, 98)
    words = [board.word("image_descriptor", offset) for offset in (0, 4, 8, 12)]
    assert words == [0x120, 0, 98, 0x80000300]
    engine = Msgdma(transport, OFFSET["result_csr"], OFFSET["result_descriptor"])
    engine.receive(0x200, 44)
    words = [board.word("result_descriptor", offset) for offset in (0, 4, 8, 12)]
    assert words == [0, 0x200, 44, 0x80000000]
    assert engine.reset() and board.word("result_csr", 4) == 2
    transport.write(OFFSET["result_csr"], 0x41)
    assert engine.busy and not engine.reset()
    transport.close()


def test_no_core_there(board: Board) -> None:
    before = board.registers.read_bytes()
    with pytest.raises(WrongCoreError, match="reads 0x00000000, not 0x58464343"):
        Driver(board.open())
    assert board.registers.read_bytes() == before, "written to who knows what"


@pytest.mark.parametrize(
    "version, age", [(VERSION_VALUE + 0x10000, "newer"), (VERSION_VALUE & 0xFFFF, "older")]
)
def test_a_version_of_another_time(core: Board, version: int, age: str) -> None:
    core.set("VERSION", version)
    with pytest.raises(VersionError, match=age):
        Driver(core.open())
    core.set("VERSION", VERSION_VALUE + 1)
    assert Driver(core.open()).geometry.pe == SMALL.pe, "a minor version adds, and harms nobody"


@pytest.mark.parametrize(
    "register, value, message",
    [
        ("WEIGHT_STREAM", 64, "from a stream"),
        ("PE", 0, "impossible geometry"),
        ("SCORE_BITS", 31, "31 bits"),
        ("ORDER", 3, "impossible geometry: ORDER=3 "),
        ("TERNARY", 2, "impossible geometry: TERNARY=2 "),
        ("ORDER", 2, "where its geometry needs 9"),
    ],
)
def test_cores_for_other_drivers(core: Board, register: str, value: int, message: str) -> None:
    core.set(register, value)
    with pytest.raises(UnsupportedCoreError, match=message):
        Driver(core.open())


def test_what_a_core_can_compute(core: Board) -> None:
    assert Driver(core.open()).geometry == replace(SMALL, bank_depth=SMALL.weight_depth)
    become(core, ABLE)
    assert Driver(core.open()).geometry == replace(ABLE, bank_depth=ABLE.weight_depth)


@pytest.mark.parametrize("kind", networks_of_every_kind())
def test_a_network_of_a_kind_that_the_core_lacks(core: Board, kind: str) -> None:
    """Refused in one sentence, before anything is written; and so is one that is too large."""
    driver = Driver(core.open())
    before = core.registers.read_bytes()
    network = networks_of_every_kind()[kind]
    with pytest.raises(UnsupportedNetworkError, match=f"^The network has {kind}, which .*[.]$"):
        driver.load(network)
    with pytest.raises(NetworkTooLargeError, match="room for 30"):
        driver.load(random_network(np.random.default_rng(1), (31, 5)))
    assert core.registers.read_bytes() == before
    become(core, ABLE)
    able = Driver(core.open())
    if kind == "power-of-two weights":
        with pytest.raises(UnsupportedNetworkError, match="which no core computes"):
            able.load(network)
        return
    for register, value in load_checks(pack(network, ABLE)).items():
        core.set(register, value)
    able.load(network)
    residual = network.pixel_residual or (0, 0)
    assert core.word("core", 4 * ADDRESS["PIXEL_RESIDUAL"]) == residual[1] << 8 | residual[0]
    assert core.word("core", 4 * ADDRESS["LAYER_TABLE"] + 4) == pack(network, ABLE).entries[1]


def test_second_order_inputs_are_grey(core: Board) -> None:
    become(core, ABLE)
    driver = Driver(core.open())
    driver.network = networks_of_every_kind()["second-order activations"]
    with pytest.raises(ImageError, match="takes grey images only"):
        driver.classify(np.zeros((2, 30), np.uint8))


def test_a_core_that_never_answers(core: Board, network: Path) -> None:
    driver = Driver(core.open(), timeout=0.05)
    loaded = IntegerNetwork.load(network)
    with pytest.raises(CorruptedLoadError, match="WEIGHTS_LOADED is 0x0, not 0x"):
        driver.load(loaded)
    with pytest.raises(NotLoadedError):
        driver.classify(np.zeros((1, 30), np.uint8))
    memory = pack(loaded, SMALL)
    for register, value in load_checks(memory).items():
        core.set(register, value)
    driver.load(loaded)
    core.set("THRESHOLDS_CRC", load_checks(memory)["THRESHOLDS_CRC"] ^ 1)
    with pytest.raises(CorruptedLoadError, match="THRESHOLDS_CRC is 0x"):
        driver.load(loaded)
    with pytest.raises(NotLoadedError):
        driver.classify(np.zeros((1, 30), np.uint8))
    core.set("THRESHOLDS_CRC", load_checks(memory)["THRESHOLDS_CRC"])
    driver.load(loaded)
    with pytest.raises(DeviceTimeoutError, match=r"does not start within 0.05 s\."):
        driver.classify(np.zeros((1, 30), np.uint8))
    assert core.word("core", 4 * ADDRESS["CONTROL"]) == 4, "not stopped"
    core.set("STATUS", 2)
    with pytest.raises(DeviceTimeoutError, match="come to rest"):
        Driver(core.open())


@pytest.mark.parametrize(
    "images, grey, message",
    [
        (np.zeros((2, 31), np.uint8), False, r"shape \(N, 30\)"),
        (np.zeros(30, np.uint8), False, r"shape \(N, 30\)"),
        (np.zeros((2, 30), np.float32), True, "Grey images must be uint8, not float32"),
        # As grey ones they would all be black.
        (np.ones((2, 30), np.bool_), True, "Grey images must be uint8, not bool"),
        ([[0.5] * 30], False, "must be uint8 or bool, not float64"),
        (iter(()), False, "must be uint8 or bool, not object"),
        (np.full((2, 30), 2, np.uint8), False, "0 and 1"),
    ],
)
def test_images_of_the_wrong_kind(
    core: Board, network: Path, images: np.ndarray, grey: bool, message: str
) -> None:
    driver = Driver(core.open())
    driver.network = IntegerNetwork.load(network)
    with pytest.raises(ImageError, match=message):
        driver.classify(images, grey)


def learner_of(core: Board, classes: int) -> Driver:
    """The driver of a core that learns so many classes, with a network in it."""
    core.set("LEARNING", word("LEARNING", CLASSES=classes))
    driver = Driver(core.open())
    driver.network = random_network(np.random.default_rng(5), WIDTHS)
    return driver


LABELS = np.array([0, 4, NO_LABEL], np.uint8)


@pytest.mark.parametrize(
    "classes, change, error, message",
    [
        (0, {}, UnsupportedCoreError, r"^This core \(LEARN=0\) was built without learning\.$"),
        (4, {}, UnsupportedNetworkError, r"has 5 classes, and this core \(LEARN=4\) was built to "),
        (5, {"kind": "none"}, NotLoadedError, r"^Load a network before learning\.$"),
        (5, {"kind": "second-order activations"}, UserError, "inputs of order 2"),
        (5, {"kind": "ternary weights"}, UserError, "ternary weights"),
        (5, {"labels": LABELS[:2]}, UserError, r"3 images, but labels of shape \(2,\)"),
        (5, {"labels": LABELS / 1}, UserError, "whole numbers of 0 to 255, not float64"),
        (5, {"labels": LABELS.astype(int) + 1}, UserError, "from 0 to 255"),
        (5, {"labels": -LABELS.astype(int)}, UserError, "from 0 to 255"),
        (5, {"margin": 256}, UserError, "from 0 to 255, not 256"),
        (5, {"margin": 32.0}, UserError, "The margin is a whole number, not 32.0"),
        (5, {"start": 128}, UserError, "at 0 to 127, not at 128"),
        (5, {"start": 1.5}, UserError, "start is a whole number, not 1.5"),
        (5, {"latents": np.zeros((9, 5), np.int8)}, UserError, r"of shape \(5, 9\), classes and "),
        (5, {"images": np.zeros((3, 31), np.uint8)}, ImageError, r"shape \(N, 30\)"),
        (5, {"images": np.full((3, 30), 2, np.uint8)}, ImageError, "0 and 1"),
    ],
)
def test_what_cannot_be_learnt_is_refused(
    core: Board, classes: int, change: dict[str, Any], error: type[UserError], message: str
) -> None:
    """In one sentence, before anything is written."""
    driver = learner_of(core, classes)
    assert driver.geometry.learn == classes
    given = {"images": np.zeros((3, 30), np.uint8), "labels": LABELS, **change}
    if "kind" in given:
        driver.network = networks_of_every_kind().get(given.pop("kind"))
    before, network = core.registers.read_bytes(), driver.network
    with pytest.raises(error, match=message):
        driver.learn(**given)
    assert core.registers.read_bytes() == before and driver.network is network


def test_weights_that_latents_do_not_have_are_loaded_first(core: Board) -> None:
    """Which writing to LATENTS would not do; then the core, which is none, does not start."""
    driver = learner_of(core, 5)
    network = driver.network
    assert network is not None
    zeros = Learner(network, start=0).network
    assert zeros != network
    images = np.zeros((3, 30), np.uint8)
    driver.timeout = 0.05
    with pytest.raises(DeviceTimeoutError, match="does not start"):
        driver.learn(images, LABELS)
    driver.network = network
    with pytest.raises(CorruptedLoadError):
        driver.learn(images, LABELS, start=0)
    for register, value in load_checks(pack(zeros, SMALL)).items():
        core.set(register, value)
    driver.network = network
    with pytest.raises(DeviceTimeoutError, match="does not start"):
        driver.learn(images, LABELS, start=0)


@pytest.mark.parametrize(
    "window, message",
    [
        ("{}/missing", r"cannot be mapped \(No such file"),
        ("{}/registers@0x2000", "cannot be mapped"),
        ("{}/registers@ten", "PATH@ADDRESS"),
        ("{}/registers@0x3", "PATH@ADDRESS"),
        ("@0x40", "PATH@ADDRESS"),
    ],
)
def test_windows_that_cannot_be_mapped(
    board: Board, tmp_path: Path, window: str, message: str
) -> None:
    with pytest.raises(TransportError, match=message):
        MappedTransport(window.format(tmp_path), str(board.buffer))
    with pytest.raises(TransportError, match=message):
        MappedTransport(str(board.registers), window.format(tmp_path))


def test_not_being_root(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(TransportError, match="run this as root"):
        board.open()


# ---- files of images


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim])
    return header + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def npy(array: np.ndarray) -> bytes:
    contents = io.BytesIO()
    np.save(contents, array)
    return contents.getvalue()


def test_images_from_files(tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, 4, 5), np.uint8)
    labels = np.array([1, 2, 3], np.uint8)
    (tmp_path / "images-idx3-ubyte").write_bytes(idx(images))
    (tmp_path / "images.gz").write_bytes(gzip.compress(idx(images)))
    np.save(tmp_path / "images.npy", images)
    np.savez(tmp_path / "images.npz", images=images, labels=labels)
    for name in ("images-idx3-ubyte", "images.gz", "images.npy", "images.npz"):
        read, found = read_images(tmp_path / name)
        np.testing.assert_array_equal(read, images)
        assert (found is None) == (name != "images.npz")
    images, digits = read_images(DATA / "mnist_test.npz")
    assert images.shape == (10_000, 784) and digits is not None and len(digits) == 10_000
    assert images.max() == 255


@pytest.mark.parametrize(
    "name, contents, message",
    [
        ("missing.npy", None, "There is no file"),
        ("text.npy", b"hello", "no image file"),
        ("cut.npy", npy(np.zeros((2, 9), np.uint8))[:-1], "cannot be read"),
        ("cut.npz", b"PK\3\4hello", "cannot be read"),
        ("array.npz", npy(np.zeros((2, 9))), "holds float64"),
        ("text.gz", b"\x1f\x8bhello", "damaged gzip"),
        ("text", b"hello", "no image file"),
        ("short", idx(np.zeros((2, 9), np.uint8))[:-1], "as many bytes"),
        ("flat", idx(np.zeros(9, np.uint8)), "shape"),
    ],
)
def test_files_without_images(
    tmp_path: Path, name: str, contents: bytes | None, message: str
) -> None:
    if contents is not None:
        (tmp_path / name).write_bytes(contents)
    with pytest.raises(UserError, match=message):
        read_images(tmp_path / name)


# ---- the command line


def call(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xnor_fcc.board.host", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(simulator.ROOT / "model")}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def call_pack(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xnor_fcc", "pack", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.slow
def test_packed_images_of_every_kind(tmp_path: Path) -> None:
    """Packed for a core that can, with grey images where the inputs are of second order."""
    grey = np.random.default_rng(2).integers(0, 256, (3, 30), np.uint8)
    np.save(tmp_path / "grey.npy", grey)
    np.save(tmp_path / "bits.npy", grey >> 7)
    for kind, network in networks_of_every_kind().items():
        network.save(tmp_path / "network.npz")
        options = ("--network", tmp_path / "network.npz")
        result = call_pack("--out", tmp_path / "out", "--images", tmp_path / "grey.npy", *options)
        text = (tmp_path / "out").read_text() if result.returncode == 0 else ""
        second = network.pixel_residual is not None
        if kind == "power-of-two weights":
            assert (result.returncode, text) == (2, "") and kind in result.stderr
            continue
        assert result.returncode == 0, result.stderr
        assert f"expect 38 {1 + second:x} ORDER" in text
        assert f"expect 3c {1 - second:x} TERNARY" in text
        assert ("\ncontrol 3\n" in text) == ("\nwrite a8 " in text) == second
        size, first = (30, grey[0]) if second else (4, np.packbits(
            grey[0] >= network.pixel_threshold, bitorder="little"
        ))
        word = int.from_bytes(first[:4].tobytes(), "little")
        assert f" image {size:x} ffffffff {word:x} " in text.replace("\n", " ")
        result = call_pack("--out", tmp_path / "out", "--images", tmp_path / "bits.npy", *options)
        assert result.returncode == (2 if second else 0)
        assert ("takes grey images only" in result.stderr) == second


def test_help() -> None:
    for arguments in (["--help"], ["classify", "--help"], ["info", "--help"]):
        result = call(*arguments)
        assert result.returncode == 0
        assert result.stdout.startswith("usage: python -m xnor_fcc.board.host")


@pytest.mark.slow
def test_errors_are_one_sentence(core: Board, network: Path, tmp_path: Path) -> None:
    images = tmp_path / "images.npy"
    np.save(images, np.zeros((2, 30), np.uint8))
    second = tmp_path / "second.npz"
    networks_of_every_kind()["second-order activations"].save(second)
    windows = ("--registers", f"{core.registers}@{core.base}", "--buffer", core.buffer)
    for arguments, message in (
        ([], "required: COMMAND"),
        (["classify", tmp_path / "none.npy"], "There is no file"),
        (["classify", images, "--count", 3], "outside 1 to 2"),
        (["classify", images, "--labels", images], "labels of shape (2, 30)"),
        (["classify", images, "--network", tmp_path / "none.npz"], "does not exist"),
        (["classify", images, *windows, "--network", "mnist"], "room for 30"),
        (["classify", images, *windows, "--network", second], "second-order activations"),
        (["classify", images, *windows, "--network", network], "WEIGHTS_LOADED is 0x0"),
        (["info", "--registers", tmp_path / "none"], "cannot be mapped"),
        (["info", *windows, "--timeout", 0], "not more than 0"),
    ):
        result = call(*arguments)
        assert result.returncode == 2, arguments
        assert result.stderr.startswith("error: ") and message in result.stderr, result.stderr
        assert result.stderr.count("\n") == 1


@pytest.mark.slow
def test_pack_refuses_in_one_sentence(tmp_path: Path) -> None:
    images = tmp_path / "images.npy"
    np.save(images, np.zeros((2, 30), np.uint8))
    second = tmp_path / "second.npz"
    networks_of_every_kind()["second-order activations"].save(second)
    text = ("--out", tmp_path / "out")
    for arguments, message in (
        ([*text, "--images", images], "takes 28x28"),
        ([*text, "--images", images, "--count", 3], "outside 1 to 2"),
        ([*text, "--count", 3], "go with --images"),
        (["--output", tmp_path, "--images", images], "goes with --out"),
        ([*text, "--parameters", "PE=x"], "PE=x"),
        ([*text, "--parameters", "PE=1,SIMD=1"], "room for"),
        ([*text, "--parameters", "PE=1", "--simd", 2], "no other size"),
        ([*text, "--network", second, "--parameters", "PE=4"], "ORDER=1"),
        ([*text, "--parameters", "LANES=3,ORDER=2"], "must be even"),
    ):
        result = call_pack(*arguments)
        assert result.returncode == 2, arguments
        assert result.stderr.startswith("error: ") and message in result.stderr, result.stderr
        assert result.stderr.count("\n") == 1 and not (tmp_path / "out").exists()


def test_the_driver_needs_numpy_only() -> None:
    script = (
        "import sys, xnor_fcc.board.host;"
        "print({name.partition('.')[0] for name in sys.modules} & {'torch', 'cocotb', 'tqdm'})"
    )
    environment = {**os.environ, "PYTHONPATH": str(simulator.ROOT / "model")}
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment
    )
    assert result.stdout == "set()\n", result.stderr
