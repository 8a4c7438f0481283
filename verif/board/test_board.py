# SPDX-License-Identifier: Apache-2.0
"""The DE1-SoC demo, simulated from its pins inward; the command that writes its memory files; and
its area."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from measure import board_area as board_report
from measure import synthesis
from xnor_fcc import area
from xnor_fcc.board import demo as board_module
from xnor_fcc.board.demo import Board, board_of
from xnor_fcc.board.preset_demo import PRESET
from xnor_fcc.data import load_test_bits, load_test_images
from xnor_fcc.errors import UserError, run_main
from xnor_fcc.geometry import NAMED, Geometry
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import evaluate
from xnor_fcc_sim import simulator
from xnor_fcc_sim.sources import board_sources

ALL = ["every_image", "images_a_second", "key_resets"]
# Small enough to build quickly, and still the network of the board.
SMALL = (16, 64, 2)


def tiny_board(images: int = 64, image_width: int = 64) -> Board:
    """A network of one layer that answers an image every few cycles; its answers are the labels."""
    rng = np.random.default_rng(2)
    network = random_network(rng, (24, 10))
    bits = rng.integers(0, 2, (images, 24)).astype(np.uint8)
    labels = evaluate(network, bits).classes.astype(np.uint8)
    return Board(Geometry.for_widths(network.widths, 5, 12, 1, image_width), network, bits, labels)


def run(
    board: Board,
    name: str,
    tests: list[str],
    second: int,
    labels: np.ndarray | None = None,
    **parameters: Any,
) -> None:
    """Simulate `board`; the testbench is told `labels`, those of the board unless given."""
    model = simulator.build(
        "de1_soc",
        {**board.parameters(), "SECOND": second, **parameters},
        sources=[*board_sources(), Path(__file__).with_name("altera_pll.v")],
        visible=["demo"],
    )
    directory = simulator.run_directory(name)
    board.write(directory)
    settings = {
        "geometry": asdict(board.geometry),
        "found": evaluate(board.network, board.bits).classes.tolist(),
        "labels": (board.labels if labels is None else labels).tolist(),
        "second": second,
        "period": board.geometry.period_cycles(board.network.widths),
    }
    for test in tests:
        model.run("board.board_tests", directory, testcase=test, settings=settings)


@pytest.mark.slow
def test_board_demo_with_a_tiny_network() -> None:
    run(tiny_board(), "board-tiny", ALL, second=10_000)


@pytest.mark.one_quick
@pytest.mark.needs("iverilog")
@pytest.mark.parametrize("image_width", [64, 8])
def test_board_demo_in_four_states(image_width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From power-up, with nothing known but what the FPGA and the reset set; images of one beat,
    and of several with the last one full."""
    monkeypatch.setenv("SIM", "icarus")
    board = tiny_board(8, image_width)
    run(board, f"board-icarus-{image_width}", ["every_image", "key_resets"], second=1000)


@pytest.mark.slow
def test_board_demo_with_a_pll() -> None:
    run(tiny_board(), "board-pll", ["every_image"], second=10_000, CLOCK_MHZ=75)


@pytest.mark.slow
def test_board_demo_shows_the_digit_of_every_image() -> None:
    board = board_of(SMALL)
    assert board.wrong() == 0
    assert len(board.bits) >= 64
    assert set(board.labels.tolist()) == set(range(10))
    run(board, "board-mnist", ALL, second=30_000)


@pytest.mark.slow
def test_board_demo_in_the_geometry_of_the_board() -> None:
    run(board_of(), "board-throughput", ["every_image"], second=30_000)


@pytest.mark.slow
def test_board_rate_counts_in_decimal() -> None:
    want = {"second": 130, "digits": 2}
    model = simulator.build(
        "demo_rate", {name.upper(): n for name, n in want.items()}, sources=board_sources()
    )
    model.run("board.demo_rate_tests", simulator.run_directory("demo-rate"), settings=want)


# The smallest ring, and one whose ids take more than a byte.
@pytest.mark.one_quick
@pytest.mark.parametrize("images", [8, 2, 512])
def test_board_checker_counts_every_image(images: int, tmp_path: Path) -> None:
    """Wrong answers at every place of the ring, and rounds of them."""
    labels = np.random.default_rng(images).integers(0, 10, images).tolist()
    (tmp_path / "labels.hex").write_text("".join(f"{label:x}\n" for label in labels))
    model = simulator.build(
        "demo_checker", {"IMAGES": images, "INIT_FILE": "labels.hex"}, sources=board_sources()
    )
    tests = ["one_wrong_answer"] if images < 100 else []
    tests += ["the_worst_round_stays", "classes_beyond_a_digit_are_wrong", "results_in_every_cycle"]
    model.run("board.demo_checker_tests", tmp_path, tests, {"labels": labels})


# Beats of a byte, the widest ones, the last one full or of a byte; the fewest images.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("width", "inputs", "images"), [(64, 72, 3), (8, 13, 4), (16, 32, 2), (512, 512, 5), (32, 1, 8)]
)
def test_board_ring_sends_every_image(
    width: int, inputs: int, images: int, tmp_path: Path
) -> None:
    """In order, whole, again and again."""
    rng = np.random.default_rng(width)
    sizes = -(-inputs // 8), width // 8
    count = -(-sizes[0] // sizes[1])
    beats = [[int.from_bytes(rng.bytes(sizes[1]), "big") for _ in range(count)]
             for _ in range(images)]  # fmt: skip
    lines = "".join(f"{beat:x}\n" for image in beats for beat in image)
    (tmp_path / "images.hex").write_text(lines)
    parameters = {"WIDTH": width, "INPUTS": inputs, "IMAGES": images, "INIT_FILE": "images.hex"}
    model = simulator.build("demo_ring", parameters, sources=board_sources())
    settings = {"beats": beats, "empty": count * sizes[1] - sizes[0]}
    model.run("board.demo_ring_tests", tmp_path, settings=settings)


def planted(board: Board) -> Board:
    """One image with a wrong label."""
    labels = board.labels.copy()
    labels[5] = (labels[5] + 1) % 10
    return replace(board, labels=labels)


@pytest.mark.slow
def test_board_demo_counts_wrong_labels() -> None:
    board = planted(board_of(SMALL))
    assert board.wrong() == 1
    run(board, "board-label", ["every_image"], second=30_000)


@pytest.mark.slow
def test_board_demo_counts_what_a_bad_network_gets_wrong() -> None:
    """A bias that makes too many digits a 3."""
    board = board_of(SMALL)
    bias = board.network.output.bias.copy()
    bias[3] += 480
    network = replace(board.network, output=replace(board.network.output, bias=bias))
    board = replace(board, network=network)
    assert 1 < board.wrong() < 40
    run(board, "board-bias", ["every_image"], second=30_000)


@pytest.mark.slow
def test_board_testbench_notices_a_wrong_label() -> None:
    """What fails if the display or the lamps are wrong: the testbench expects other labels."""
    board = tiny_board()
    with pytest.raises(AssertionError, match=r"image 5: HEX2\.\.0 show"):
        run(planted(board), "board-fails", ["every_image"], second=40_000, labels=board.labels)


def test_board_images_are_the_test_images(tmp_path: Path) -> None:
    """The hex files, read back: pixels, labels, padding."""
    board = board_of(SMALL)
    board.write(tmp_path)
    lines = (tmp_path / "preset_images.hex").read_text().split()
    assert len(lines) == 64 * 13
    packets = [bytes.fromhex("".join(lines[13 * n : 13 * n + 13])) for n in range(64)]
    bits, labels = load_test_bits()
    for packet, expected in zip(packets, bits[64:128], strict=True):
        assert packet[98:] == bytes(6)
        pixels = np.unpackbits(np.frombuffer(packet[:98], np.uint8), bitorder="little")
        assert (pixels == expected).all()
    shown = [int(line, 16) for line in (tmp_path / "preset_labels.hex").read_text().split()]
    assert shown == labels[64:128].tolist()


def test_board_defaults_are_those_of_the_verilog() -> None:
    """Somebody who compiles de1_soc.v by hand gets the same board."""
    text = (simulator.ROOT / "quartus" / "de1_soc.v").read_text()
    for name, value in board_of().parameters().items():
        assert f"parameter {name} = {value},\n" in text, name
    assert f'parameter PRESET = "{PRESET}",\n' in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--geometry", "huge"], "invalid choice: 'huge'"),
        (["--pe", "138"], "takes about .* ALMs and .* M10K with the demo, and of the .* one can"),
        (["--geometry", "latency"], r"takes about .* 400 M10K .* and 397: make explore lists"),
        (["--clock", "49"], "A clock of 49 MHz is outside 50 to 199 MHz"),
        (["--clock", "200"], "A clock of 200 MHz is outside"),
        (["--images", "48"], "a power of two of 2 to 512 images, not 48"),
        (["--images", "1024"], "not 1024"),
        (["--first", "9990"], "images 0 to 9999, not 9990 to 10053"),
        (["--network", "nothing.npz"], "network file nothing.npz does not exist"),
        (["--fast"], "Unrecognized arguments: --fast"),
        (["--pe", "0"], "PE=0 is outside 1 to 4096"),
    ],
)
def test_board_refuses_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    output = tmp_path / "made"
    code = run_main(lambda: board_module.main([*arguments, "--output", str(output)]))
    error = capsys.readouterr().err
    assert code == 2
    assert error.startswith("error: ") and error.count("\n") == 1
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(error)
    assert not output.exists()


def test_board_refuses_a_network_for_something_else() -> None:
    network = random_network(np.random.default_rng(1), (40, 10))
    with pytest.raises(UserError, match="images of 784 pixels, but the network has 40 inputs"):
        board_of(SMALL, network)


def test_board_shows_images_of_the_data_set_of_its_network() -> None:
    network = IntegerNetwork.load(find_network("fashion"))
    board = board_of(SMALL, network, images=512, first=0)
    grey, labels = load_test_images("fashion")
    assert (board.bits == network.inputs_from(grey[:512])).all()
    assert (board.labels == labels[:512]).all()
    assert board.wrong() == (evaluate(network, board.bits).classes != labels[:512]).sum() < 100


def test_board_shows_the_last_images() -> None:
    """Of the test set, and not one beyond."""
    labels = load_test_bits()[1]
    assert (board_of(SMALL, images=64, first=9936).labels == labels[-64:]).all()
    assert (board_of(SMALL, images=512, first=0).labels == labels[:512]).all()
    for first, images in ((9937, 64), (-1, 64), (0, 0), (10_000, 1)):
        with pytest.raises(UserError, match="The test set has images 0 to 9999"):
            board_of(SMALL, images=images, first=first)


@pytest.mark.parametrize("wrong", [0, 31, 63])
def test_board_knows_what_its_network_gets_wrong(wrong: int) -> None:
    board = tiny_board()
    assert board.wrong() == 0
    labels = board.labels.copy()
    labels[wrong] = (labels[wrong] + 1) % 10
    assert replace(board, labels=labels).wrong() == 1


def test_board_refuses_a_network_of_another_kind() -> None:
    for orders, ternary, kind in (((2, 2), False, "order-2"), (None, True, "ternary")):
        network = random_network(np.random.default_rng(1), (784, 40, 10), orders, ternary)
        with pytest.raises(UserError, match=f"single bits only, and this one is {kind}[.]$"):
            board_of(SMALL, network)


def test_board_of_the_committed_network_fits() -> None:
    board = board_of()
    board.require_fit()
    assert board.geometry == Geometry.for_widths(
        IntegerNetwork.load(find_network("mnist")).widths, *NAMED["throughput"]
    )


@pytest.mark.parametrize(
    ("alm", "m10k", "message"),
    [
        (32071.0, 300, "By Yosys the board takes 32,071 ALMs and 300 M10K, but the Terasic"),
        (20000.0, 398, "20,000 ALMs and 398 M10K, but the Terasic DE1-SoC has 32,070 and 397"),
        (20000.0, 0, "no block RAM in the board: the memories are not inferred"),
    ],
)
def test_board_that_does_not_fit_is_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alm: float, m10k: int, message: str
) -> None:
    cost = synthesis.IntelCost(alm, m10k, 0, 0, {}, "0")
    monkeypatch.setattr(synthesis, "intel", lambda *_: cost)
    monkeypatch.setattr(board_report, "BUILD", tmp_path)
    with pytest.raises(UserError, match=message):
        board_report.measure(tiny_board())


@pytest.mark.slow
def test_board_synthesises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole top level with its memory files through Yosys: block RAM for the weights and the
    images, as many as the model says. `make board` does it at the geometry of the board."""
    monkeypatch.setattr(synthesis, "BUILD", tmp_path / "synthesis")
    monkeypatch.setattr(board_report, "BUILD", tmp_path / "board")
    network = random_network(np.random.default_rng(1), (784, 40, 10))
    bits, labels = load_test_bits()
    geometry = Geometry.for_widths(network.widths, 8, 40, 1)
    report = board_report.measure(Board(geometry, network, bits[:64], labels[:64]))
    images = area.memory(geometry.image_width, 64 * geometry.image_beats(784, False))
    assert report["m10k"] == area.block_count(geometry) + images[0] == 15
    assert 500 < report["alm"] < 4000
    assert report["available"] == {"alm": 32070, "m10k": 397}
