# SPDX-License-Identifier: Apache-2.0
"""`xnor-fcc info`: constant neurons against all inputs there are, cycles, what fits."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xnor_fcc import info
from xnor_fcc.devices import devices
from xnor_fcc.errors import UserError, run_main
from xnor_fcc.explore import MAX_WIDTH
from xnor_fcc.geometry import NAMED, Geometry, Shape
from xnor_fcc.integer import IntegerNetwork, Layer, OutputLayer, ShiftLayer
from xnor_fcc.learning import Learner
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import evaluate
from xnor_fcc.space import Space, pick


def call(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    """What it prints on stdout, or on stderr where it refuses."""
    assert run_main(lambda: info.main([str(each) for each in arguments])) == code
    captured = capsys.readouterr()
    assert (captured.out if code else captured.err) == ""
    return captured.err if code else captured.out


@pytest.mark.parametrize("ternary", [False, True])
@pytest.mark.parametrize(("order", "output_order"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_constant_neurons_answer_the_same_to_every_input(
    order: int, output_order: int, ternary: bool
) -> None:
    """300 neurons with thresholds anywhere, on all inputs that there are."""
    rng = np.random.default_rng(order + 2 * output_order + 4 * ternary)
    network = random_network(rng, (4, 300, 3), [order, output_order], ternary)
    layer = network.hidden[0]
    assert isinstance(layer, Layer)
    limits = np.sort(rng.integers(0, layer.most + 2, (3, 300), dtype=np.int32), axis=0)
    pair = {"lower": limits[0], "upper": limits[2]} if output_order == 2 else {}
    layer = replace(layer, thresholds=limits[1], **pair)
    network = replace(network, hidden=(layer,))
    inputs = np.array(list(np.ndindex(*[2**order] * 4)), np.uint8)
    answers = evaluate(network, inputs).hidden[0]
    same = (answers == answers[0]).all(axis=0)
    assert 0 < same.sum() < 300
    assert info.constant(layer) == Counter(answers[0][same].tolist())


def test_constant_neurons_of_power_of_two_weights() -> None:
    """Reached are the ends of the dot product, with black and white pixels, and not more."""
    rng = np.random.default_rng(0)
    shape = (5, 3)
    layer = ShiftLayer(
        rng.integers(0, 2, shape).astype(np.uint8),
        rng.integers(0, 8, shape).astype(np.uint8),
        np.zeros(5, np.int32),
    )
    signed = np.ldexp(2.0 * layer.weights - 1, layer.exponents)
    dots = 255 * np.array(list(np.ndindex(2, 2, 2))) @ signed.T
    low, high = info.reach(layer)
    np.testing.assert_array_equal(low, dots.min(axis=0))
    np.testing.assert_array_equal(high, dots.max(axis=0))
    limits = np.array([low[0], low[1] + 1, high[2], high[3] + 1, high[4]], np.int32)
    assert info.constant(replace(layer, thresholds=limits)) == {0: 1, 1: 1}


def test_the_report_is_that_of_the_models(capsys: pytest.CaptureFixture[str]) -> None:
    report = json.loads(call(capsys, "ternary", "--geometry", "throughput", "--device", "de0-cv",
                             "--json"))  # fmt: skip
    assert report["widths"] == [784, 690, 690, 690, 10] and report["kinds"] == ["ternary"]
    assert report["dataset"] == "mnist" and report["info"]["test_accuracy"] > 0.9
    sizes = (784 * 690, 690 * 690, 690 * 690, 690 * 10)
    assert [layer["weight_bits"] for layer in report["layers"]] == [2 * size for size in sizes]
    assert report["weight_bits"] == 2 * sum(sizes)
    shape = IntegerNetwork.load(info.find_network("ternary")).shape
    g = Geometry.for_widths(shape, *NAMED["throughput"])
    assert report["core"] == {
        "pe": 69, "simd": 205, "lanes": 2, "weight_stream": 0, "words": g.weight_depth,
        "word_bits": 69 * 205, "threshold_words": g.threshold_depth,
        "period": g.period_cycles(shape), "cycles_per_image": g.period_cycles(shape) / 2,
        "latency": g.latency_cycles(shape, 0),
    }  # fmt: skip
    device = devices()["de0-cv"]
    best = pick(Space(device, shape).explore())["throughput"]
    fit = report["devices"]["de0-cv"]
    assert (fit["pe"], fit["simd"], fit["lanes"]) == best.sizes and fit["fits"]
    assert fit["cycles_per_image"] == pytest.approx(best.cycles, abs=1e-3)
    assert fit["latency"] == best.geometry.latency_cycles(shape, 0)
    assert list(report["devices"]) == ["de0-cv"]


def test_every_device_gets_what_a_search_of_its_own_finds() -> None:
    """Though cores are tried once for all; a smaller FPGA has room for less."""
    shape, large = Shape.of((30, 40, 5)), devices()["de0-cv"]
    chosen = [large, replace(large, name="little logic", alms=1500), replace(large, blocks=2)]
    found = list(info.on_devices(chosen, shape))
    sizes = set()
    for device, fit in zip(chosen, found, strict=True):
        best = pick(Space(device, shape).explore())["throughput"]
        assert (fit["pe"], fit["simd"], fit["lanes"]) == best.sizes, device.name
        sizes.add(best.sizes)
    assert len(sizes) > 1


def test_the_text_tells_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = random_network(np.random.default_rng(0), (60, 40, 40, 10), [2, 1, 2])
    layer = network.hidden[0]
    assert isinstance(layer, Layer)
    thresholds = layer.thresholds.copy()
    thresholds[:3], thresholds[3:] = layer.most + 1, layer.most // 2
    first = replace(layer, thresholds=thresholds)
    replace(network, hidden=(first, network.hidden[1])).save(tmp_path / "net.npz")
    text = call(capsys, tmp_path / "net.npz", "--pe", "8", "--simd", "16", "--lanes", "2")
    assert "60-40-40-10, order-2" in text and "data set     not known" in text
    assert "60 2-bit inputs, 40 neurons, binary weights, 2,400 bits; constant: 3 always 0" in text
    assert "PE=8 SIMD=16 LANES=2, " in text and "words of 128 bits" in text
    for name in devices():
        assert f"\n  {name} " in text
    report = json.loads(call(capsys, tmp_path / "net.npz", "--device", "none", "--json"))
    counts = [sum(layer["constant"].values()) for layer in report["layers"]]
    assert counts[0] == 3 and report["constant_neurons"] == sum(counts)
    arguments = ["--network", tmp_path / "net.npz", "--device", "none", "--weight-stream", "64"]
    streamed = call(capsys, *arguments)
    assert "streamed over 64 bits" in streamed and "de1-soc" not in streamed


def test_what_has_learnt_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = replace(random_network(np.random.default_rng(0), (9, 7, 3)), name="first")
    Learner(network).network.save(tmp_path / "learnt.npz")
    text = call(capsys, tmp_path / "learnt.npz", "--device", "none")
    line = "  latents      21, from which its last layer goes on learning; learnt from first"
    assert line in text.splitlines()
    report = json.loads(call(capsys, tmp_path / "learnt.npz", "--device", "none", "--json"))
    assert report["latents"] == 21 and report["info"]["learnt_from"] == "first"
    network.save(tmp_path / "plain.npz")
    assert "latents" not in call(capsys, tmp_path / "plain.npz", "--device", "none")
    report = json.loads(call(capsys, tmp_path / "plain.npz", "--device", "none", "--json"))
    assert report["latents"] == 0


def test_what_does_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    random_network(rng, (3000, 2000, 10)).save(tmp_path / "large.npz")
    text = call(capsys, tmp_path / "large.npz", "--device", "de0-cv")
    room = 308 * 10240
    assert f"does not fit (6,020,000 weight bits, and 308 M10K hold {room:,})" in text
    ones, tail = np.ones((40, 60), np.uint8), random_network(rng, (40, 10))
    shifts = ShiftLayer(ones, ones, np.zeros(40, np.int32))
    IntegerNetwork((shifts,), tail.output).save(tmp_path / "shifts.npz")
    text = call(capsys, tmp_path / "shifts.npz")
    assert "no core runs it: The network has power-of-two weights" in text and "8-bit" in text
    wide = MAX_WIDTH + 1
    output = OutputLayer(np.ones((2, wide), np.uint8), np.zeros(2, np.int32))
    IntegerNetwork((), output).save(tmp_path / "wide.npz")
    report = json.loads(call(capsys, tmp_path / "wide.npz", "--json"))
    assert report["core"] is None and "MAX_WIDTH=32768" in report["reason"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing"], "There is no network nothing; there are cifar10, cifar10_order2, "),
        (["--pe", "0"], "PE=0 is outside 1 to 4096"),
        (["order2", "--lanes", "3"], "LANES=3 must be even"),
        (["--weight-stream", "12"], "neither 0 nor a multiple of 8"),
        (["--device", "de2"], "invalid choice"),
        (["order2", "--network", "mnist"], "not allowed with"),
    ],
)
def test_one_sentence(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error = call(capsys, *arguments, code=2)
    assert error.startswith("error: ") and error.count("\n") == 1 and says in error


def test_old_names_still_work(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a network and of a geometry, for one release."""
    shown = []
    for name in ("original", "seed"):
        assert info.main([name, "--geometry", name, "--device", "none"]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] and "original: 784-1024-1024-1024-10" in shown[0]
    assert "PE=1024 SIMD=1 LANES=2" in shown[0]
    with pytest.raises(UserError, match="no network seeds"):
        info.main(["seeds"])
