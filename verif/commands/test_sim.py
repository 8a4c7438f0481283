# SPDX-License-Identifier: Apache-2.0
"""`xnor-fcc simulate` from outside: figures of a run, planted faults caught, bad input refused."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands.made import run
from faults import Fault
from xnor_fcc.data import load_test_bits
from xnor_fcc.errors import ToolError, UserError
from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import NETWORKS, IntegerNetwork, Layer, ShiftLayer, network_names
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import evaluate, preactivations
from xnor_fcc_sim import simulate as sim
from xnor_fcc_sim import simulator, waves
from xnor_fcc_sim.flip import plant_fault

NETWORK = NETWORKS / "mnist.npz"


@pytest.mark.slow
def test_digits_through_the_full_size_core(tmp_path: Path) -> None:
    """1,000 test images, every hidden bit, score, class and cycle; `make sim` takes all."""
    result = run(tmp_path, "--images", "1000")
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    network = IntegerNetwork.load(NETWORK)
    bits, labels = load_test_bits()
    right = evaluate(network, bits).classes == labels
    assert right.mean() >= 0.986
    assert report["images"] == 1000 and report["wrong_bits"] == 0
    assert report["accuracy"] == report["model_accuracy"] == right[:1000].mean()
    assert report["hidden_bits_checked"] == 1001 * sum(network.widths[1:-1])
    assert report["batch_cycles"] == report["model_batch_cycles"] == 744
    assert report["batch_period_cycles"] == [744]
    assert report["cycles_per_image"] == report["model_cycles_per_image"] == 744 / 4
    assert report["latency_cycles"] == report["model_latency_cycles"] == 744 + 10 + 12


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flip", "layer", "neuron"),
    [
        ("weight:0:0:0", "layer 0", 0),  # a pixel that is never lit
        ("weight:0:1023:783", "layer 0", 1023),
        ("weight:2:500:77", "layer 2", 500),
        ("weight:3:9:1023", "layer 3|output layer", 9),
        ("threshold:1:321", "layer 1", 321),
        ("threshold:3:4", "layer 3|output layer", 4),
    ],
)
def test_one_planted_fault_is_caught_and_named(
    tmp_path: Path, flip: str, layer: str, neuron: int
) -> None:
    result = run(tmp_path, "--flip", flip, "--images", "12")
    assert result.returncode == 1
    message = result.stderr.strip().splitlines()[-1]
    assert message.startswith("error: hardware and reference differ: image 0, ")
    assert any(f"{name}, neuron {neuron}:" in message for name in layer.split("|")), message
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["wrong_bits"] > 0 and report["flip"] == flip


# A network of each kind, small: (orders of the layers, whether each is ternary).
KINDS = {
    "order-2": ((2, 2, 2), (False, False, False)),
    "ternary": ((1, 1, 1), (True, True, True)),
    "mixed": ((2, 1, 2), (True, False, True)),
}


def network_of(path: Path, kind: str) -> IntegerNetwork:
    orders, ternary = KINDS[kind]
    rng = np.random.default_rng(4)
    network = random_network(rng, (784, 100, 64, 10), orders=orders, ternary=ternary)
    network = replace(network, info={"dataset": "mnist"})
    network.save(path)
    return network


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_networks_of_every_kind(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Digits as the network takes them, every bit plane, score and cycle; then planted faults."""
    network = network_of(tmp_path / "net.npz", kind)
    small = ["--network", str(tmp_path / "net.npz"), "--pe", "12", "--simd", "32", "--lanes", "4"]
    small += ["--output", str(tmp_path)]
    assert sim.main([*small, "--images", "101"]) == 0, capsys.readouterr()
    report = json.loads((tmp_path / "report.json").read_text())
    g, shape = Geometry(**report["geometry"]), network.shape
    assert g == Geometry.for_widths(shape, 12, 32, 4)
    assert (g.order, g.ternary) == (1 + ("order-2" in network.kinds), "ternary" in network.kinds)
    assert report["kinds"] == sorted(network.kinds)
    planes = 100 * shape.orders[1] + 64 * shape.orders[2]
    assert report["images"] == 101 and report["wrong_bits"] == 0
    assert report["hidden_bits_checked"] == 102 * planes
    assert report["batch_period_cycles"] == [g.period_cycles(shape)]
    assert report["cycles_per_image"] == g.period_cycles(shape) / (2 if shape.pairs else 4)
    assert report["latency_cycles"] == report["model_latency_cycles"]

    for flip, place in (("weight:0:3:100", "layer 0, neuron 3"),
                        ("threshold:1:5", "layer 1, neuron 5")):  # fmt: skip
        assert sim.main([*small, "--images", "8", "--flip", flip]) == 1
        assert place in capsys.readouterr().err.strip().splitlines()[-1]


def core_of_all(of_one_bit: bool) -> Geometry:
    """A core for all committed networks of one bit, or for all others that a core computes: of
    each size what the largest of them needs."""
    networks = [IntegerNetwork.load(NETWORKS / f"{name}.npz") for name in network_names()]
    cores = [
        sim.find_geometry(sim.parser().parse_args([]), network)
        for network in networks
        if not network.kinds & {"power-of-two", "convolutions"}
        and of_one_bit == (not network.kinds)
    ]
    assert len({(core.pe, core.simd, core.lanes) for core in cores}) == 1 < len(cores)
    sizes = [asdict(core) for core in cores]
    return Geometry(**{name: max(core[name] for core in sizes) for name in sizes[0]})


@pytest.mark.slow
@pytest.mark.parametrize("name", network_names())
def test_every_committed_network(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    images_of: Callable[[str], tuple[np.ndarray, np.ndarray]],
) -> None:  # fmt: skip
    """100 of its data set's images (16 of those in colour, each of which takes long) and the page
    of one; or a sentence where no core computes it.
    Networks without convolutions share cores; the core that each would get for itself takes its
    words too."""
    network = IntegerNetwork.load(NETWORKS / f"{name}.npz")
    assert network.dataset is not None
    images_of(network.dataset)
    count = 16 if network.dataset == "cifar10" else 100
    arguments = ["--network", name, "--images", str(count), "--output", str(tmp_path / "out")]
    arguments += ["--trace", "5"]
    if "power-of-two" in network.kinds:
        result = run(tmp_path / "out", *arguments)
        assert result.returncode == 2
        assert result.stderr == (
            "error: The network has power-of-two weights, which no core computes.\n"
        )
        return
    own = sim.prepare(sim.parser().parse_args(arguments))[0]
    if "convolutions" not in network.kinds:
        core = core_of_all(not network.kinds)
        assert (own.pe, own.simd, own.lanes) == (core.pe, core.simd, core.lanes)
        monkeypatch.setattr(sim, "find_geometry", lambda *_: core)
    assert sim.main(arguments) == 0, capsys.readouterr()
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["images"] == count and report["wrong_bits"] == 0
    assert report["dataset"] == network.dataset and report["inputs"] == "test set"
    least = 0.7 if network.dataset == "cifar10" else 0.85
    assert report["accuracy"] == report["model_accuracy"] > least
    assert report["cycles_per_image"] == report["model_cycles_per_image"]
    page = Path(report["trace"]).read_text()
    assert "PASS" in page and "FAIL" not in page and len(page) < 1_000_000


# Networks at the edges of what there can be.
ODD = {
    "one input": (1, 5, 3),
    "one neuron": (9, 1, 4),
    "one of everything": (1, 1, 1),
    "no hidden layer": (20, 16),
    "wider inside": (6, 50, 3),
}


@pytest.mark.one_quick
@pytest.mark.parametrize("widths", ODD.values(), ids=ODD)
def test_networks_of_any_size(quickest: str, tmp_path: Path, widths: tuple[int, ...]) -> None:
    """Random images, which nobody has labels for; the report alone on stdout."""
    random_network(np.random.default_rng(2), widths).save(tmp_path / "net.npz")
    arguments = ("--network", str(tmp_path / "net.npz"), "--inputs", "random", "--images", "9")
    result = run(tmp_path / "out", *arguments, "--json", SIM=quickest)
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads(result.stdout)
    assert report == json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["widths"] == list(widths) and report["images"] == 9
    assert report["wrong_bits"] == 0
    assert report["hidden_bits_checked"] == 10 * sum(widths[1:-1])
    assert report["accuracy"] is report["model_accuracy"] is report["dataset"] is None
    assert report["inputs"] == "random"
    assert report["geometry"]["pe"] <= max(widths[1:])


@pytest.mark.slow
def test_images_from_a_file(quickest: str, tmp_path: Path) -> None:
    """What a run was given it keeps, in a file that another one takes; with labels and without."""
    rng = np.random.default_rng(3)
    network = random_network(rng, (12, 7, 5))
    network.save(tmp_path / "net.npz")
    images = rng.integers(0, 256, (6, 3, 4), dtype=np.uint8)
    classes = evaluate(network, network.inputs_from(images)).classes
    labels = np.where(np.arange(6) < 2, (classes + 1) % 5, classes)
    np.savez(tmp_path / "given.npz", images=images, labels=labels)
    first = ("--network", str(tmp_path / "net.npz"), "--inputs")
    result = run(tmp_path / "out", *first, str(tmp_path / "given.npz"), SIM=quickest)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0.6667, the model's 0.6667" in result.stdout
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["images"] == 6 and report["accuracy"] == report["model_accuracy"] == 4 / 6
    assert report["inputs"] == str(tmp_path / "given.npz")

    kept = str(tmp_path / "out" / "images.npz")
    result = run(tmp_path / "again", *first, kept, "--images", "3", "--json", SIM=quickest)
    assert result.returncode == 0 and json.loads(result.stdout)["accuracy"] == 1 / 3

    np.save(tmp_path / "bare.npy", images)
    bare = str(tmp_path / "bare.npy")
    result = run(tmp_path / "bare", *first, bare, "--flip", "threshold:0:1", SIM=quickest)
    assert result.returncode == 1 and "the images have no labels" in result.stdout
    assert json.loads((tmp_path / "bare" / "report.json").read_text())["wrong_bits"] > 0
    assert "error: hardware and reference differ: image 0, layer 0, neuron 1: " in result.stderr


@pytest.mark.slow
def test_the_figures_of_a_faulty_core_are_its_own(
    quickest: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The accuracy is the core's, `model_accuracy` the reference's; every wrong bit of every image
    is counted, of the last hidden layer too, and of batches whose accumulators nobody looks at."""
    rng = np.random.default_rng(5)
    network = random_network(rng, (12, 9, 7, 5))
    network.save(tmp_path / "net.npz")
    images = rng.integers(0, 256, (9, 12), dtype=np.uint8)
    x = network.inputs_from(images)
    right = evaluate(network, x)
    np.savez(tmp_path / "images.npz", images=images, labels=right.classes)

    def damage(flip: str) -> int:
        """Images, of those behind the first batches, that a fault changes in the last layers."""
        answers = evaluate(plant_fault(network, flip), x)
        return int(((answers.hidden[1] != right.hidden[1]).any(axis=1)
                    & (answers.classes != right.classes))[2:].sum())  # fmt: skip

    flip = max((f"threshold:1:{neuron}" for neuron in range(7)), key=damage)
    assert damage(flip)
    files = ("--network", str(tmp_path / "net.npz"), "--inputs", str(tmp_path / "images.npz"))
    sizes = ("--pe", "4", "--simd", "5", "--lanes", "2")
    result = run(tmp_path / "out", *files, *sizes, "--flip", flip, "--json", SIM=quickest)
    assert result.returncode == 1, result.stderr
    report = json.loads(result.stdout)

    faulty = plant_fault(network, flip)
    wrong = evaluate(faulty, x)
    assert report["accuracy"] == (wrong.classes == right.classes).mean() < 1
    assert report["model_accuracy"] == 1

    def differing(a: np.ndarray, b: np.ndarray) -> int:
        pairs = zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)
        return sum((one ^ other).bit_count() for one, other in pairs)

    sent = [0, *range(9)]  # one alone for the latency, then all
    count = differing(right.scores[sent], wrong.scores[sent])
    count += int((right.classes != wrong.classes)[sent].sum())
    for a, b in zip(right.hidden, wrong.hidden, strict=True):
        count += differing(a[sent], b[sent])
    # The accumulators of the first two batches: the one alone, and the first two.
    bits = (1 << Geometry(**report["geometry"]).score_bits - 1) - 1
    for a, b in zip(preactivations(network, x), preactivations(faulty, x), strict=True):
        count += differing(a[[0, 0, 1]] >> 1 & bits, b[[0, 0, 1]] >> 1 & bits)
    assert report["wrong_bits"] == count

    report |= {"latency_cycles": 123, "model_latency_cycles": 99}
    sim.show(report)
    shown = capsys.readouterr().out
    assert f"accuracy: {report['accuracy']:.4f}, the model's 1.0000\n" in shown
    assert f"wrong bits: {count} (" in shown and "latency: 123 cycles, the model's 99\n" in shown


# What a core says of itself, wrong in a core whose answers are right.
BESIDE = {
    "an error": Fault("fcc_csr.v", "| error_event[ERRORS-1:0];", "| 9'd4;", r'"ERROR"\) == 0'),
    "a packet dropped": Fault(
        "fcc_csr.v", "REG_DROPPED: value = ", "REG_DROPPED: value = 32'd1 + ", r'"DROPPED"\) == 0'
    ),
    "a cycle more": Fault(
        "fcc_csr.v", "value = busy_cycles_reg;", "value = busy_cycles_reg + 32'd1;", "busy cycles"
    ),
    "another latency": Fault(
        "fcc_csr.v", "value = latency;", "value = latency + 32'd1;", r'"latency_cycles"\] =='
    ),
}


@pytest.mark.one_quick
@pytest.mark.parametrize("fault", BESIDE.values(), ids=BESIDE)
def test_right_answers_alone_are_no_pass(
    quickest: str, fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("SIM", quickest)
    monkeypatch.setattr(simulator, "rtl_sources", lambda: fault.sources(tmp_path))
    random_network(np.random.default_rng(2), (9, 6, 4)).save(tmp_path / "net.npz")
    arguments = ["--network", str(tmp_path / "net.npz"), "--inputs", "random", "--images", "5"]
    assert sim.main([*arguments, "--output", str(tmp_path / "out")]) == 1
    assert json.loads((tmp_path / "out" / "report.json").read_text())["wrong_bits"] == 0
    error = capsys.readouterr().err
    assert "error: hardware and reference differ: " in error and re.search(fault.complaint, error)


def test_a_run_that_fails_leaves_nothing_of_an_earlier_one(
    quickest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which could be taken for its own: figures, answers, pages, waveforms."""
    monkeypatch.setenv("SIM", quickest)
    stale = {"report.json", "measured.json", "answers.npz", "trace.npz", "trace.html", "dump.vcd",
             "dump.fst", waves.GTKWAVE, waves.SURFER}  # fmt: skip
    for name in stale:
        (tmp_path / name).write_text("of an earlier run")

    def refuse(*_: object, **__: object) -> None:
        raise UserError("It does not build.")

    monkeypatch.setattr(simulator, "build", refuse)
    with pytest.raises(UserError, match="does not build"):
        sim.main(["--network", "digits", "--images", "1", "--output", str(tmp_path)])
    assert not stale & {path.name for path in tmp_path.iterdir()}


def test_images_of_truth_values_are_black_and_white(tmp_path: Path) -> None:
    """As in `classify`: 1 is white, not a grey of 1 below every threshold."""
    random_network(np.random.default_rng(2), (6, 4, 3)).save(tmp_path / "net.npz")
    bits = np.random.default_rng(3).integers(0, 2, (5, 6)).astype(bool)
    np.save(tmp_path / "bits.npy", bits)
    files = ["--network", str(tmp_path / "net.npz"), "--inputs", str(tmp_path / "bits.npy")]
    inputs = sim.prepare(sim.parser().parse_args(files))[-1]
    np.testing.assert_array_equal(inputs.images, 255 * bits)


def results_of(tests: int, failures: int) -> str:
    """What cocotb's file of results says, as far as it is read."""
    return f'<testsuites><testsuite tests="{tests}" failures="{failures}"/></testsuites>'


@pytest.mark.parametrize(
    ("results", "says"),
    [
        (None, "ended with exit code 0, without results"),
        (results_of(0, 0), "0 of 0 cocotb tests failed"),
        (results_of(2, 1), "1 of 2 cocotb tests failed"),
        (results_of(2, 0), None),
        (results_of(3, 0), "was killed by SIGSEGV after its results"),
    ],
    ids=["none", "of no test", "failed", "passed", "passed and died"],
)
def test_a_simulation_passes_only_by_its_own_results(
    results: str | None, says: str | None, tmp_path: Path
) -> None:
    """Those of an earlier run lie there when the simulator dies."""
    (tmp_path / "results.xml").write_text(results_of(1, 0))
    program = tmp_path / "top"  # no simulator
    writes = f"echo '{results}' > $COCOTB_RESULTS_FILE\n" if results else ""
    dies = "kill -SEGV $$\n" if says and "SIGSEGV" in says else ""
    program.write_text(f"#!/bin/sh\n{writes}{dies}")
    program.chmod(0o755)
    model = simulator.Model("verilator", "top", tmp_path)
    if says is None:
        model.run("no_tests", tmp_path)
        return
    with pytest.raises(AssertionError if "cocotb" in says else ToolError, match=says):
        model.run("no_tests", tmp_path)


def test_two_simulations_do_not_share_a_directory(tmp_path: Path) -> None:
    with simulator.lock(tmp_path):
        result = run(tmp_path, "--network", "digits", "--images", "1")
    assert result.returncode == 2 and "name another --output" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


@pytest.mark.needs("iverilog")
def test_two_builds_at_once_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second to come waits for the first, and takes what it built."""
    monkeypatch.setattr(simulator, "BUILD", tmp_path)
    monkeypatch.setenv("SIM", "icarus")
    built = []

    def slow(design: simulator.Design, directory: Path) -> None:
        built.append(directory)
        (directory / design.program).touch()
        time.sleep(0.5)
        assert (directory / design.program).exists()

    monkeypatch.setattr(simulator.Design, "build", slow)
    with ThreadPoolExecutor() as pool:
        first, second = (pool.submit(simulator.build, "xnor_fcc") for _ in range(2))
        assert first.result().directory == second.result().directory == built[0]
    assert len(built) == 1


@pytest.mark.needs("iverilog")
def test_what_has_changed_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source, what it includes, a parameter, waveforms; else the core of yesterday would pass."""
    monkeypatch.setattr(simulator, "BUILD", tmp_path / "build")
    monkeypatch.setattr(simulator, "RTL", tmp_path)
    monkeypatch.setattr(simulator.Design, "build", lambda *_: None)
    monkeypatch.setenv("SIM", "icarus")
    source, header = tmp_path / "top.v", tmp_path / "top.vh"
    source.write_text("module top; endmodule\n")
    header.write_text("// nothing\n")

    def built(**options: Any) -> Path:
        return simulator.build("top", sources=[source], **options).directory

    found = [built(), built(parameters={"PE": 2}), built(waves=True)]
    assert built() == found[0]
    source.write_text("module top; wire changed; endmodule\n")
    found.append(built())
    header.write_text("// something\n")
    found.append(built())
    assert len(set(found)) == 5


@pytest.mark.slow
def test_a_build_keeps_its_program_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds are kept, and ten times as much is left behind by the compiler."""
    monkeypatch.setenv("SIM", "verilator")
    # Most of the library is there already: one of its objects, and the headers, are still to come.
    simulator.build("fcc_argmax")
    library = simulator._shared("runtime")
    monkeypatch.setattr(simulator, "BUILD", tmp_path)
    shutil.copytree(
        library, simulator._shared("runtime"), ignore=shutil.ignore_patterns("verilated_dpi.o")
    )
    directory = simulator.build("fcc_argmax").directory
    assert {path.name for path in directory.iterdir()} == {
        "fcc_argmax", "build.log", "probes.vlt", ".lock", "finished"
    }  # fmt: skip
    assert simulator.build("fcc_argmax").directory == directory
    # Beside it, once for all designs: a library's objects, and headers.
    (runtime,) = tmp_path.glob("models/runtime-*")
    objects = {path.name for path in runtime.iterdir()}
    assert {"verilated.o", "verilated_dpi.o", "verilated_vpi.o"} < objects
    (compiled,) = tmp_path.glob("models/headers-*/headers.h.gch")
    other = simulator.build("fcc_counter_5to3").directory
    log = (other / "build.log").read_text()
    assert f"-include {compiled.parent / 'headers.h'}" in log
    # What was kept is not compiled again.
    assert " -c -o Vtop__ALL.o " in log and " -c -o verilated" not in log


def test_random_images_follow_the_seed(tmp_path: Path) -> None:
    random_network(np.random.default_rng(2), (6, 4, 3)).save(tmp_path / "net.npz")
    found = []
    for seed in (5, 5, 6):
        arguments = ["--network", str(tmp_path / "net.npz"), "--inputs", "random", "--images", "20"]
        options = sim.parser().parse_args([*arguments, "--seed", str(seed)])
        found.append(sim.prepare(options)[-1].images)
    assert found[0].shape == (20, 6)
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])


def corrupt(path: Path) -> Path:
    contents = bytearray(NETWORK.read_bytes())
    contents[len(contents) // 2] ^= 1
    path.write_bytes(bytes(contents))
    return path


def truncated(path: Path) -> Path:
    path.write_bytes(NETWORK.read_bytes()[:5000])
    return path


def of_other_size(path: Path) -> Path:
    network = random_network(np.random.default_rng(0), (100, 10))
    replace(network, info={"dataset": "mnist"}).save(path)
    return path


def of_no_data_set(path: Path) -> Path:
    random_network(np.random.default_rng(0), (784, 10)).save(path)
    return path


def of_a_data_set_nobody_knows(path: Path) -> Path:
    network = random_network(np.random.default_rng(0), (784, 10))
    replace(network, info={"dataset": "seashells"}).save(path)
    return path


@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--pe", "0"], {}),
        (["--simd", "-7"], {}),
        (["--simd", "0"], {}),
        (["--lanes", "1000"], {}),
        (["--lanes", "0"], {}),
        (["--pe", "100000"], {}),
        (["--pe", "many"], {}),
        (["--images", "0"], {}),
        (["--images", "10001"], {}),
        (["--network", "nowhere"], {}),
        (["--network", "/nowhere/else.npz"], {}),
        (["--flip", "weight:0:0"], {}),
        (["--flip", "weight:4:0:0"], {}),
        (["--flip", "weight:0:1024:0"], {}),
        (["--flip", "weight:0:0:784"], {}),
        (["--flip", "threshold:x:0"], {}),
        (["--flip", "rain"], {}),
        (["--unheard-of"], {}),
        (["--inputs", "random", "--images", "0"], {}),
        (["--inputs", "random", "--images", "99999999999999999"], {}),
        (["--inputs", "random", "--seed", "-1"], {}),
        (["--inputs", "/nowhere/images.npy"], {}),
        (["--inputs", __file__], {}),
        ([], {"SIM": "modelsim"}),
        ([], {"PATH": "/nowhere"}),
    ],
)
def test_bad_input_ends_in_one_sentence(
    tmp_path: Path, arguments: list[str], environment: dict[str, str]
) -> None:
    result = run(tmp_path / "out", *arguments, **environment)
    assert result.returncode != 0
    assert "Traceback" not in result.stderr + result.stdout
    lines = [line for line in result.stderr.splitlines() if "error: " in line]
    assert len(lines) == 1 and lines[0] == result.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists(), "left something behind"


def of_powers_of_two(path: Path) -> Path:
    rng = np.random.default_rng(0)
    plain = random_network(rng, (784, 20, 10))
    weights, exponents = rng.integers(0, 2, (20, 784)), rng.integers(0, 8, (20, 784))
    first = ShiftLayer(
        weights.astype(np.uint8), exponents.astype(np.uint8), np.zeros(20, np.int32)
    )
    replace(plain, hidden=(first,)).save(path)
    return path


@pytest.mark.one_quick
@pytest.mark.parametrize(
    "make",
    [
        *(corrupt, truncated, of_other_size, of_no_data_set, of_a_data_set_nobody_knows),
        of_powers_of_two,
    ],
)
def test_a_bad_network_file_ends_in_one_sentence(tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
    path = make(tmp_path / "network.npz")
    result = run(tmp_path / "out", "--network", str(path))
    assert result.returncode == 2
    assert result.stderr.startswith("error: ") and len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("shape", "labels", "said"),
    [
        ((3, 27, 28), 3, "takes 784 pixels, but the images have 756"),
        ((0, 28, 28), 0, "no image"),
        ((3, 28, 28), 2, "3 images, but labels of shape (2,)"),
    ],
)
def test_bad_images_end_in_one_sentence(
    tmp_path: Path, shape: tuple[int, ...], labels: int, said: str
) -> None:
    images = np.zeros(shape, np.uint8)
    np.savez(tmp_path / "images.npz", images=images, labels=np.zeros(labels, np.uint8))
    result = run(tmp_path / "out", "--inputs", str(tmp_path / "images.npz"))
    assert result.returncode == 2 and said in result.stderr, result.stderr
    assert result.stderr.startswith("error: ") and len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_pairs_need_an_even_number_of_lanes(tmp_path: Path) -> None:
    network_of(tmp_path / "net.npz", "order-2")
    result = run(tmp_path / "out", "--network", str(tmp_path / "net.npz"), "--lanes", "3")
    assert result.returncode == 2
    assert result.stderr == "error: LANES=3 must be even where ORDER is 2.\n"
    assert not (tmp_path / "out").exists()


def test_a_planted_fault_in_other_kinds() -> None:
    """A weight of 0 becomes -1, any other turns; thresholds stay in order, whatever they are."""
    rng = np.random.default_rng(1)
    network = random_network(rng, (90, 70, 50), orders=(2, 2), ternary=True)
    layer = network.hidden[0]
    assert isinstance(layer, Layer) and layer.mask is not None
    for neuron, synapse in ((0, 0), (1, 3), *np.argwhere(layer.mask == 0)[:3]):
        changed = plant_fault(network, f"weight:0:{neuron}:{synapse}").hidden[0]
        assert isinstance(changed, Layer) and changed.mask is not None
        before, after = (2 * one.weights.astype(int) - one.mask for one in (layer, changed))
        assert np.argwhere(before != after).tolist() == [[neuron, synapse]]
        assert after[neuron, synapse] == (-before[neuron, synapse] or -1)
    most = layer.most
    for lower, middle, upper in ((1, 5, 9), (1, 5, 5), (5, 5, 9), (5, 5, 5), (0, 0, 0),
                                 (most + 1,) * 3, (0, most + 1, most + 1)):  # fmt: skip
        bounds = (np.full(70, n, np.int32) for n in (middle, lower, upper))
        thresholds, lowers, uppers = bounds
        one = replace(layer, thresholds=thresholds, lower=lowers, upper=uppers)
        planted = plant_fault(replace(network, hidden=(one,)), "threshold:0:7").hidden[0]
        assert isinstance(planted, Layer)
        difference = planted.thresholds - thresholds
        assert np.flatnonzero(difference).tolist() == [7] and abs(difference[7]) == 1


def test_a_planted_fault_changes_one_number() -> None:
    network = random_network(np.random.default_rng(1), (9, 7, 5))
    for where in ("weight:0:6:8", "weight:1:4:6"):
        changed = plant_fault(network, where)
        _, layer, neuron, index = where.split(":")
        for number, (a, b) in enumerate(zip(network.weights, changed.weights, strict=True)):
            places = np.argwhere(a != b).tolist()
            assert places == ([[int(neuron), int(index)]] if number == int(layer) else [])
    changed = plant_fault(network, "threshold:0:3")
    difference = changed.hidden[0].thresholds - network.hidden[0].thresholds
    assert np.flatnonzero(difference).tolist() == [3] and abs(difference[3]) == 1
    changed = plant_fault(network, "threshold:1:2")
    assert (changed.output.bias - network.output.bias).tolist() == [0, 0, 1, 0, 0]


def make(*arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
    if path is not None:
        environment["PATH"] = path
    return subprocess.run(
        ["/usr/bin/env", "make", "-C", str(simulator.ROOT), *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("missing", ["g++", "perl"])
def test_make_names_a_missing_program_first(tmp_path: Path, missing: str) -> None:
    """With a PATH that lacks one program, before a virtual environment is made."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "make", "touch", "g++", "perl"):
        found = shutil.which(name)
        if name != missing and found is not None:
            (tools / name).symlink_to(found)
    (tools / "python3").symlink_to(sys._base_executable)  # type: ignore[attr-defined]
    venv = tmp_path / "venv"
    result = make("sim", f"VENV={venv}", path=str(tools))
    assert result.returncode != 0
    assert f"error: {missing} is needed" in result.stderr
    assert f"apt install {missing}" in result.stderr
    assert not venv.exists()


def test_make_help_teaches() -> None:
    result = make("help")
    assert result.returncode == 0
    for word in ("sim", "test", "lint", "train", "IMAGES=", "NETWORK=", "FLIP=", "SIM="):
        assert word in result.stdout
