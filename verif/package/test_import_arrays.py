# SPDX-License-Identifier: Apache-2.0
"""Arrays imported: thresholds and batch normalisation, and a sentence for each way to be wrong."""

from __future__ import annotations

import io
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from xnor_fcc.errors import UserError, run_main
from xnor_fcc.importing import command as importing
from xnor_fcc.importing.arrays import Arrays
from xnor_fcc.importing.chain import integers
from xnor_fcc.importing.command import import_network, main
from xnor_fcc.importing.comparison import compare, random_images
from xnor_fcc.importing.pixels import Inputs
from xnor_fcc.importing.scores import whole_biases
from xnor_fcc.integer import IntegerNetwork, Layer
from xnor_fcc.random_network import random_network

WIDTHS = (20, 13, 9, 4)


def random_arrays(seed: int, form: str = "norm") -> dict[str, np.ndarray]:
    """Arrays of a lively network: "norm", "thresholds" or "triples" of them."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, np.ndarray] = {}
    last = len(WIDTHS) - 2
    for i, (n, m) in enumerate(pairwise(WIDTHS)):
        arrays[f"weights{i}"] = rng.choice([-1, 1], (m, n)).astype(np.int8)
        if i == last:
            arrays[f"bias{i}"] = rng.integers(-5, 6, m)
        elif form == "norm":
            arrays[f"gamma{i}"] = rng.normal(size=m).astype(np.float32)
            arrays[f"beta{i}"] = rng.normal(size=m).astype(np.float32)
            arrays[f"mean{i}"] = rng.normal(size=m).astype(np.float32)
            arrays[f"var{i}"] = rng.uniform(1, n, m).astype(np.float32)
        else:
            three = (m, 3) if form == "triples" else (m,)
            arrays[f"thresholds{i}"] = np.sort(rng.normal(0, 4, three), axis=-1)
    return arrays


@pytest.mark.parametrize("form", ["norm", "thresholds", "triples"])
def test_the_source_computes_what_the_help_says(form: str) -> None:
    """Its formulas written down once more: the source is what all else is compared with. Gammas
    have either sign, thresholds are met exactly."""
    arrays = random_arrays(7, form)
    arrays["thresholds0"] = np.rint(arrays.get("thresholds0", np.zeros(0)))
    if form == "norm":
        del arrays["thresholds0"]
        arrays["eps"] = np.array(0.5)
    arrays["bias1"] = np.arange(9) - 4
    pixels = np.random.default_rng(0).integers(0, 256, (50, 20))
    values = np.where(pixels >= 128, 1.0, -1.0)
    seen = Arrays(arrays).run(pixels.astype(np.float32))
    for i, answers in enumerate(seen):
        d = values @ arrays[f"weights{i}"].T.astype(np.float64) + arrays.get(f"bias{i}", 0)
        if i == 2:
            values = d
        elif form == "norm":
            mean, var, gamma, beta = (
                arrays[f"{name}{i}"].astype(np.float64) for name in ("mean", "var", "gamma", "beta")
            )
            values = np.where((d - mean) / np.sqrt(var + 0.5) * gamma + beta >= 0, 1.0, -1.0)
        elif form == "thresholds":
            values = np.where(d >= arrays[f"thresholds{i}"], 1.0, -1.0)
        else:
            reached = [d >= limits for limits in arrays[f"thresholds{i}"].T]
            values = np.select(reached[::-1], [3.0, 1.0, -1.0], -3.0)
        np.testing.assert_array_equal(answers, values)


# Gamma, beta in units of gamma: (d - mean) * gamma + beta is 0 at d = mean - beta / gamma.
@pytest.mark.parametrize(("gamma", "shift"), [(1.0, 0), (-1.0, 0), (0.5, 2), (-2.0, 4), (0.0, 0)])
def test_a_normalisation_of_exactly_zero_is_plus_one(gamma: float, shift: int) -> None:
    """At every sum that there is, T of 0 and n + 1 included; with a slope of 0 it is always so."""
    n = 6
    sums = np.arange(-n - 2, n + 3, 2)  # one below the least and one above the greatest
    count = len(sums)
    arrays = {
        "weights0": np.ones((count, n), np.int8),
        "gamma0": np.full(count, gamma),
        "beta0": np.full(count, gamma * shift),
        "mean0": sums + float(shift),
        "var0": np.full(count, 4.0),
        "eps": np.array(0.0),
        "weights1": np.ones((2, count), np.int8),
    }
    arrays["beta0"] /= 2  # the square root of the variance
    layer = import_network(Arrays(arrays), images=50)[0].hidden[0]
    up = [(int(d) + n) // 2 for d in sums]  # of P: T, reached where d >= the sum
    if gamma > 0:
        assert layer.thresholds.tolist() == [0, *up[1:-1], n + 1]
        assert layer.weights.all()
    elif gamma < 0:
        # 1 for d <= the sum, P <= T, and with negated weights P' >= n - T.
        assert layer.thresholds.tolist() == [n + 1, *(n - t for t in up[1:-1]), 0]
    else:
        assert layer.thresholds.tolist() == [0] * count


@pytest.mark.parametrize("triples", [False, True])
def test_a_sum_that_meets_its_threshold_reaches_it(triples: bool) -> None:
    """Every sum there is, and a step of float64 above and below it; of three thresholds the others
    one sum away."""
    n = 6
    t = np.arange(n + 1)  # of P
    met = np.stack([2.0 * t - n + away for away in (-2, 0, 2)], axis=1)
    met = np.concatenate([met, np.nextafter(met, np.inf), np.nextafter(met, -np.inf)])
    arrays = {
        "weights0": np.ones((len(met), n), np.int8),
        "thresholds0": met if triples else met[:, 1],
        "weights1": np.ones((2, len(met)), np.int8),
    }
    layer = import_network(Arrays(arrays), images=50)[0].hidden[0]
    lower, middle, upper = (
        np.concatenate([t, t + 1, t]) + away for away in (-1, 0, 1)
    )
    assert layer.thresholds.tolist() == middle.tolist()
    if triples:
        assert isinstance(layer, Layer) and layer.lower is not None and layer.upper is not None
        assert layer.lower.tolist() == lower.clip(0).tolist()
        assert layer.upper.tolist() == upper.clip(max=n + 1).tolist()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("form", ["norm", "thresholds", "triples"])
@pytest.mark.parametrize("ternary", [False, True])
def test_random_arrays(seed: int, form: str, ternary: bool) -> None:
    arrays = random_arrays(seed, form)
    if ternary:
        rng = np.random.default_rng(seed)
        for i in range(3):
            weights = arrays[f"weights{i}"] * (rng.random(arrays[f"weights{i}"].shape) < 0.7)
            arrays[f"weights{i}"] = 0.5 * weights
        arrays["bias2"] = 0.25 * arrays["bias2"]
    if seed % 2:
        arrays["pixel_threshold"] = np.array([50, 100.5, 220] if form == "triples" else 200)
    network, report = import_network(Arrays(arrays), images=300, seed=seed)
    assert network.widths == WIDTHS
    assert report["differing_bits"] == report["differing_scores"] == 0
    assert report["differing_classes"] == 0
    assert ("ternary" in network.kinds) == ternary
    if seed % 2 and form == "triples":
        assert (network.pixel_threshold, network.pixel_residual) == (101, (50, 220))
    else:
        assert network.pixel_threshold == (200 if seed % 2 else 128)


def test_a_network_written_as_arrays_comes_back() -> None:
    """Thresholds in the dot product, T' = 2T - M, and weights as truth values."""
    network = random_network(np.random.default_rng(5), WIDTHS)
    arrays: dict[str, np.ndarray] = {"pixel_threshold": np.array(network.pixel_threshold)}
    for i, layer in enumerate(network.hidden):
        assert isinstance(layer, Layer)
        arrays[f"weights{i}"] = layer.weights.astype(np.bool_)
        arrays[f"thresholds{i}"] = 2 * layer.thresholds - layer.most
    arrays["weights2"] = network.output.weights.astype(np.bool_)
    arrays["bias2"] = network.output.bias
    assert import_network(Arrays(arrays))[0] == network


def test_a_bias_stands_before_the_normalisation() -> None:
    arrays = random_arrays(1)
    arrays["bias0"] = np.full(13, 2.0)
    moved = random_arrays(1)
    moved["mean0"] = moved["mean0"].astype(np.float64) - 2
    assert import_network(Arrays(arrays))[0] == import_network(Arrays(moved))[0]


def test_biases_that_are_not_whole_leave_near_ties_only() -> None:
    arrays = random_arrays(2)
    arrays["bias2"] = np.array([0.1, 0.5, -1.3, 2.9])
    _, report = import_network(Arrays(arrays), images=1000)
    assert report["differing_scores"] is None and 0 < report["bias_rounding"] <= 1
    assert report["differing_classes"] == report["near_ties"] < 200
    # A common part of the biases changes no class and is left out.
    arrays["bias2"] = np.array([3, -1, 2, 0]) + 0.37
    network, report = import_network(Arrays(arrays))
    assert report["differing_scores"] == 0 and np.ptp(network.output.bias) == 4


@pytest.mark.parametrize("seed", range(5))
def test_biases_are_rounded_to_keep_the_order_of_most_classes(seed: int) -> None:
    """Never worse than to the nearest, and right for every pair of classes where it can be."""
    rng = np.random.default_rng(seed)

    def disorder(biases: np.ndarray, whole: np.ndarray) -> int:
        """Pairs of classes that some pair of products puts into another order."""
        products = np.arange(-30, 31, 2)
        count = 0
        for c, later in zip(*np.triu_indices(len(biases), 1), strict=True):
            lead = products[:, None] - products[None]
            ours = lead + whole[c] - whole[later] >= 0
            count += bool((ours != ((lead + biases[c] - biases[later]).round(6) >= 0)).any())
        return count

    biases = rng.normal(0, 4, 8)
    assert disorder(biases, whole_biases(biases)) <= disorder(biases, np.rint(biases))
    # Two fractions have two places.
    biases = 2.0 * rng.integers(-5, 6, 8) + rng.choice([0.37, 1.21], 8)
    assert disorder(biases, whole_biases(biases)) == 0


def test_command_and_a_file_of_arrays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "in.npz", **random_arrays(3))  # type: ignore[arg-type]
    out = tmp_path / "out.npz"
    assert main([str(tmp_path / "in.npz"), "--out", str(out), "--json", "--images", "40"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["hidden_bits"] == 40 * 22 and report["differing_bits"] == 0
    network = IntegerNetwork.load(out)
    assert network.widths == WIDTHS
    assert network.info["comparison"]["images"] == 40
    # A file of the project's own needs no import.
    other = tmp_path / "again.npz"
    assert run_main(lambda: main([str(out), "--out", str(other)])) == 2
    assert "needs no import" in capsys.readouterr().err and not other.exists()


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0
    for words in ("QONNX", "--state", "--grey LOW HIGH", "near ties", "examples"):
        assert words in text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"weights0": None}, "must hold weights0, weights1, ..."),
        ({"weights1": np.ones((9, 12))}, "layer 1 (weights1) has 12 inputs, but 13 neurons"),
        ({"weights1": np.ones(9)}, "weights1 must have shape (outputs, inputs), not (9,)"),
        ({"weights1": np.full((9, 13), "a")}, "weights1 holds <U1, not numbers"),
        ({"weights1": np.full((9, 13), np.nan)}, "has weights that are not finite"),
        ({"weights1": np.arange(117.0).reshape(9, 13)}, "neuron 0 has weights of 13 magnitudes"),
        ({"gamma1": None}, "The array gamma1 is missing."),
        ({"gamma1": np.ones(8)}, "The array gamma1 has shape (8,), not (9,)."),
        ({"gamma1": np.ones(9, bool)}, "The array gamma1 holds bool, not numbers."),
        ({"mean0": np.full(13, np.nan)}, "The array mean0 holds values that are not finite."),
        ({"var0": np.full(13, -1.0)}, "The array var0 holds variances that are not positive."),
        ({"eps": np.array([1e-5])}, "The array eps has shape (1,), not ()."),
        ({"thresholds0": np.ones((13, 2))}, "thresholds0 has shape (13, 2), not (13, 3)."),
        ({"thresholds0": np.ones((13, 3)) * [2, 1, 3]}, "thresholds0 does not rise"),
        ({"thresholds0": np.ones(13)}, "The array beta0 has no meaning here"),
        ({"gama1": np.ones(9)}, "The array gama1 has no meaning here"),
        ({"gamma2": np.ones(4)}, "The array gamma2 has no meaning here"),
        ({"pixel_threshold": np.array(300)}, "never switches"),
        ({"pixel_threshold": np.array([3, 2, 1])}, "pixel_threshold do not rise"),
        ({"bias2": np.full(4, 2.0**40)}, ""),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_wrong_arrays(
    change: dict[str, Any], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arrays = {**random_arrays(0), **change}
    if "bias2" in change:
        arrays["bias2"][1] = 0
        says = "biases so large"
    arrays = {name: array for name, array in arrays.items() if array is not None}
    np.savez(tmp_path / "in.npz", **arrays)  # type: ignore[arg-type]
    out = tmp_path / "out.npz"
    assert run_main(lambda: main([str(tmp_path / "in.npz"), "--out", str(out)])) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert says in error and error.startswith("error: ") and not out.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--grey", "0", "1", "--bits", "0", "1"], "--grey is for a network with"),
        (["--pixel-threshold", "9"], "--pixel-threshold goes with --bits"),
        (["--bits", "0", "1", "--pixel-threshold", "0"], "is outside 1 to 255"),
        (["--bits", "1", "1"], "do not become two values"),
        (["--grey", "1", "1"], "two values that differ"),
        (["--images", "0"], "--images 0 is not at least 1"),
        (["--images", "99999999999999999"], "is outside 1 to 100000"),
        (["--seed", "-1"], "--seed -1 is negative"),
        (["--inputs", "nowhere.npy"], "There is no file nowhere.npy"),
        (["--out", "net.txt"], "does not end in .npz"),
        (["--frobnicate"], "--help explains it"),
    ],
)
def test_wrong_command_lines(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "in.npz", **random_arrays(0))  # type: ignore[arg-type]
    out = tmp_path / "out.npz"
    assert run_main(lambda: main([str(tmp_path / "in.npz"), "--out", str(out), *arguments])) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1 and not out.exists()


def test_damaged_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    array = io.BytesIO()
    np.save(array, np.zeros((2, 3)))
    for contents in (b"", b"PK\x03\x04 no archive", b"text", array.getvalue()):
        (tmp_path / "in.npz").write_bytes(contents)
        assert run_main(lambda: main([str(tmp_path / "in.npz"), "--out", "never.npz"])) == 2
        assert "cannot be read as an .npz of arrays" in capsys.readouterr().err
    assert not Path("never.npz").exists()


def test_a_source_whose_run_differs_from_its_layers_is_refused() -> None:
    """The comparison can fail: one answer of the source turned round, or one score raised."""

    def counts(source: Arrays) -> dict[str, Any]:
        imported = integers(source, Inputs.graded(source, source.grey))
        return compare(imported, source, random_images(imported.inputs, 10, 0))

    class Liar(Arrays):
        def run(self, x: np.ndarray) -> list[np.ndarray]:
            outputs = super().run(x)
            outputs[1][3, 5] *= -1
            return outputs

    with pytest.raises(UserError, match=r"1 hidden bits.*image 3, layer 1, neuron 5"):
        import_network(Liar(random_arrays(0)))
    told = counts(Liar(random_arrays(0)))
    assert told["differing_bits"] == told["wrong_bits"] == 1 and told["undecided_bits"] == 0

    class Stranger(Arrays):
        def run(self, x: np.ndarray) -> list[np.ndarray]:
            outputs = super().run(x)
            outputs[0][7, 2] *= 1.5
            return outputs

    with pytest.raises(UserError, match=r"1 hidden bits.*image 7, layer 0, neuron 2"):
        import_network(Stranger(random_arrays(0)))

    class Boaster(Arrays):
        def run(self, x: np.ndarray) -> list[np.ndarray]:
            outputs = super().run(x)
            outputs[-1][4, outputs[-1][4].argmax()] += 2  # which changes no class
            return outputs

    with pytest.raises(UserError, match=r"answers otherwise than its source in 1 scores: "):
        import_network(Boaster(random_arrays(0)))
    told = counts(Boaster(random_arrays(0)))
    assert told["differing_scores"] == told["wrong_scores"] == 1 and not told["differing_classes"]


@pytest.mark.parametrize(("distance", "decides"), [(1e-9, True), (1e-4, False)])
def test_only_what_rounding_reaches_is_undecided(distance: float, decides: bool) -> None:
    """Weights of 0.1 make sums that depend on the order; what counts as that must stay small, for
    differences there are no errors."""
    arrays = random_arrays(0, "thresholds")
    arrays["weights0"] = 0.1 * arrays["weights0"]
    arrays["thresholds0"] = np.full(13, 0.4 + distance)
    source = Arrays(arrays)
    (first, _) = integers(source, Inputs.graded(source, source.grey)).hidden
    assert bool(first.loose.any()) == decides


def test_compared_on_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Several files of one size make one batch."""
    arrays = random_arrays(0)
    rng = np.random.default_rng(0)
    arrays["weights0"] = rng.choice([-1, 1], (13, 25)).astype(np.int8)
    np.savez(tmp_path / "in.npz", **arrays)  # type: ignore[arg-type]
    names = [str(tmp_path / f"{i}.png") for i in range(3)]
    for name in names:
        Image.fromarray(rng.integers(0, 256, (5, 5), dtype=np.uint8)).save(name)
    arguments = [str(tmp_path / "in.npz"), "--out", str(tmp_path / "out.npz"), "--json"]
    assert main([*arguments, "--inputs", *names]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["images"] == 3 and report["differing_bits"] == 0
    assert main([*arguments, "--inputs", *names, "--images", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 2


def test_random_images_follow_the_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def spy(*arguments: Any) -> np.ndarray:
        seen.append(random_images(*arguments))
        return seen[-1]

    monkeypatch.setattr(importing, "random_images", spy)
    np.savez(tmp_path / "in.npz", **random_arrays(3))  # type: ignore[arg-type]
    for seed in ("4", "4", "5"):
        command = [str(tmp_path / "in.npz"), "--out", str(tmp_path / "out.npz"), "--images", "9"]
        assert main([*command, "--seed", seed]) == 0
    assert np.array_equal(seen[0], seen[1]) and not np.array_equal(seen[0], seen[2])
