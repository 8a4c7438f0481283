# SPDX-License-Identifier: Apache-2.0
"""QONNX imported: random Brevitas networks there and back, graphs of every node, bad files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from brevitas.export import export_qonnx
from torch import nn

from package.foreign import FORMS, exported, options_for, random_mlp, random_norm, to_qonnx
from package.graphs import graph, node, signs
from xnor_fcc.errors import run_main
from xnor_fcc.importing.chain import Imported, integers
from xnor_fcc.importing.command import import_network, main
from xnor_fcc.importing.comparison import compare, random_images
from xnor_fcc.importing.pixels import Inputs
from xnor_fcc.importing.qonnx import Qonnx, load_qonnx
from xnor_fcc.integer import IntegerNetwork, Layer
from xnor_fcc.training.form import Form
from xnor_fcc.training.network import BinaryNetwork

# Sizes of 22 networks: inputs, hidden layers, classes.
SHAPES = [
    (1, 1, 1), (1, 7, 2), (2, 3), (5, 4, 3), (8, 8, 8, 8), (9, 1, 4), (12, 7), (16, 33, 2),
    (17, 5, 29, 3), (25, 10, 1), (28, 28, 28, 28, 28, 10), (31, 64, 13), (33, 2, 2, 5),
    (37, 24, 15, 6), (49, 50, 51, 7), (63, 65, 10), (64, 32, 16, 8, 4), (100, 20, 100),
    (127, 30, 11), (128, 64, 64, 10), (200, 3, 40, 2), (784, 64, 10),
]  # fmt: skip


@pytest.mark.one_quick
@pytest.mark.parametrize("seed", range(len(SHAPES)))
def test_brevitas_networks_there_and_back(seed: int, tmp_path: Path) -> None:
    """No bit differs from qonnx's own execution of the file that Brevitas wrote."""
    widths, form = SHAPES[seed], FORMS[seed % len(FORMS)]
    source = exported(seed, widths, tmp_path / "net.onnx", **form)
    network, report = import_network(source, images=50, seed=seed, **options_for(form))
    assert network.widths == widths
    assert report["differing_bits"] == report["undecided_bits"] == report["wrong_bits"] == 0
    assert report["notes"] == []  # three values that are meant
    planes = sum(layer.inputs * layer.order for layer in network.layers[1:])
    assert report["hidden_bits"] == 50 * planes
    # A bias leaves fractions; then only near ties may differ.
    assert (report["differing_scores"] is None) == (bool(form.get("bias")) and widths[-1] > 1)
    assert not report["differing_scores"]
    assert report["differing_classes"] == report["near_ties"]
    # Equal scores, of which sums of 0.1 make unequal ones.
    assert report["near_ties"] == 0 or form.get("bias") or form.get("scale") == 0.1


def test_the_comparison_notices_one_threshold_and_one_weight(tmp_path: Path) -> None:
    source = exported(3, (37, 24, 15, 6), tmp_path / "net.onnx")
    inputs = Inputs.graded(source, (-1.0, 1.0))
    imported = integers(source, inputs)
    grey = random_images(inputs, 400, 1)
    assert compare(imported, source, grey)["wrong_bits"] == 0

    def changed(i: int, layer: Layer) -> Imported:
        hidden = list(imported.network.hidden)
        hidden[i] = layer
        return replace(imported, network=replace(imported.network, hidden=tuple(hidden)))

    for i, layer in enumerate(imported.network.hidden):
        assert isinstance(layer, Layer)
        inside = (layer.thresholds > layer.most * 0.4) & (layer.thresholds < layer.most * 0.6)
        neuron = int(inside.argmax())
        thresholds, weights = layer.thresholds.copy(), layer.weights.copy()
        thresholds[neuron] += 1
        weights[neuron, 2] ^= 1
        for other in (replace(layer, thresholds=thresholds), replace(layer, weights=weights)):
            counts = compare(changed(i, other), source, grey)
            assert counts["wrong_bits"] > 0 and counts["differing_bits"] > 0
            assert counts["first_wrong"]["layer"] == i
            assert counts["first_wrong"]["neuron"] == neuron


def test_the_projects_own_network_exported_and_imported(tmp_path: Path) -> None:
    """Activations of order 2, with the residual's branch, and alpha behind the product."""
    torch.manual_seed(2)
    model = BinaryNetwork((20, 14, 9, 4), 128, Form(order=2))
    for layer in model.hidden_layers():
        layer.norm = random_norm(layer.norm.num_features, 3)
    source = load_qonnx(to_qonnx(model.eval(), (20,), tmp_path / "net.onnx"))
    network, report = import_network(source, bits=(-3, 3))
    assert report["differing_bits"] == report["differing_scores"] == 0
    assert [layer.order for layer in network.layers] == [1, 2, 2]


# Graphs written node by node.


def test_thresholds_of_multithreshold_and_bits_of_0_and_1() -> None:
    """As FINN streamlines a network: 1 bit unsigned, then 2 bits unsigned, then a scale."""
    rng = np.random.default_rng(1)
    constants = {
        "t0": [[0.5]],
        "w0": signs(rng, 12, 9),
        "t1": np.sort(rng.normal(0, 3, (9, 3)), axis=1),
        "w1": 0.5 * signs(rng, 9, 5),
        "k": 0.25,
    }
    model = graph(
        [
            node("MultiThreshold", "x t0", "a", out_dtype="BINARY"),
            node("MatMul", "a w0", "b"),
            node("MultiThreshold", "b t1", "c", out_dtype="UINT2"),
            node("MatMul", "c w1", "d"),
            node("Mul", "d k", "y"),
        ],
        constants, (1, 12), 5,
    )  # fmt: skip
    network, report = import_network(Qonnx(model.model))
    assert network.kinds == {"order-2"} and network.pixel_threshold == 128
    assert report["differing_bits"] == report["differing_scores"] == 0


@pytest.mark.parametrize("dark", [False, True])
def test_sign_and_arithmetic_around_it(dark: bool) -> None:
    """Images of rows and columns, Sign, Add, Sub, Div, Clip and Gemm without a transposed B."""
    rng = np.random.default_rng(2)
    constants = {
        "half": 0.45,
        "minus": [-1.0],
        "shape": [1, -1],
        "w0": 0.5 * signs(rng, 36, 11),
        "b0": rng.normal(0, 2, 11),
        "m0": rng.normal(0, 3, (1, 11)),
        "v0": rng.uniform(0.5, 2, 11) * signs(rng, 11),
        "w1": signs(rng, 11, 4),
        "b1": [3, -2, 0, 1],
    }
    model = graph(
        [
            node("Sub", "x half", "a"),
            *([node("Mul", "a minus", "a2")] if dark else [node("Identity", "a", "a2")]),
            node("Sign", "a2", "b"),
            node("Reshape", "b shape", "c"),
            node("Gemm", "c w0 b0", "d", alpha=1.5, beta=0.5),
            node("Add", "d m0", "e"),
            node("Div", "e v0", "f"),
            node("Clip", "f", "g"),
            node("Sign", "g", "h"),
            node("Gemm", "h w1 b1", "i"),
            node("Softmax", "i", "y"),
        ],
        constants, (1, 1, 6, 6), 4,
    )  # fmt: skip
    network, report = import_network(Qonnx(model.model))
    assert network.widths == (36, 11, 4)
    assert network.pixel_threshold == 115  # 0.45 * 255 = 114.75
    assert report["differing_bits"] == report["differing_scores"] == 0


def test_rounding_in_the_sources_sums_is_told_apart() -> None:
    """Weights of +-0.1 and a sign without a shift: where half the inputs agree, the float sum is
    either side of zero by the order of its terms, which no threshold can follow."""
    rng = np.random.default_rng(3)
    tenth = np.float32(0.1)
    constants = {"zero": 0.5, "w0": tenth * signs(rng, 40, 30), "w1": signs(rng, 30, 3),
                 "one": 1.0, "q": [[0.0]]}  # fmt: skip
    model = graph(
        [
            node("Sub", "x zero", "a"),
            node("MultiThreshold", "a q", "b", out_dtype="BIPOLAR", out_scale=2.0, out_bias=-1.0),
            node("MatMul", "b w0", "c"),
            node("MultiThreshold", "c q", "d", out_dtype="BIPOLAR", out_scale=2.0, out_bias=-1.0),
            node("MatMul", "d w1", "y"),
        ],
        constants, (1, 40), 3,
    )  # fmt: skip
    _, report = import_network(Qonnx(model.model), images=500)
    assert report["differing_bits"] == report["undecided_bits"] > 0
    assert report["wrong_bits"] == report["wrong_classes"] == 0


# Bad input: one sentence, exit code 2, nothing written.


def refused(
    path: Path, capsys: pytest.CaptureFixture[str], *arguments: str, says: str
) -> None:
    """The command line refuses a file with a sentence that has `says` in it."""
    out = path.with_name("out.npz")
    assert run_main(lambda: main([str(path), "--out", str(out), *arguments])) == 2
    printed = capsys.readouterr()
    error = printed.err.strip().splitlines()[-1]
    assert error.startswith("error: ") and says in error, error
    assert "Traceback" not in printed.err and not out.exists()
    assert not list(path.parent.glob(".*.part"))


def _save(module: nn.Module, tmp_path: Path, inputs: Sequence[int] = (16,)) -> Path:
    return to_qonnx(module, inputs, tmp_path / "bad.onnx")


def test_a_float_network_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    refused(_save(plain, tmp_path), capsys, "--bits", "-1", "1",
            says="(Gemm) is no layer of binary or ternary weights: neuron 0")  # fmt: skip


def test_float_activations_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = random_mlp(0, (16, 8, 3))
    module[4] = nn.ReLU()
    refused(_save(module, tmp_path), capsys, "--grey", "-1", "1",
            says="activation is of one bit")  # fmt: skip


def test_inputs_that_are_not_quantised_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = random_mlp(0, (16, 8, 3), quantised_inputs=False)
    refused(_save(module, tmp_path), capsys, says="256 values for pixels from 0 (black) to 1")


class Cumulated(nn.Module):
    """Of every value the sum up to it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.cumsum(1)


@pytest.mark.parametrize(
    ("layer", "shape", "says"),
    [
        (nn.ConvTranspose2d(1, 1, 3), (1, 2, 2), "(ConvTranspose) cannot be mapped: a core's"),
        (Cumulated(), (16,), "(CumSum) cannot be mapped: it is not known here"),
    ],
)
def test_an_unsupported_node_is_named(
    layer: nn.Module, shape: tuple[int, ...], says: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    module = nn.Sequential(layer, *random_mlp(0, (16, 8, 3))).eval()
    refused(_save(module, tmp_path, shape), capsys, says=says)


def test_a_skip_connection_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    model = graph(
        [
            node("Sign", "x", "a"),
            node("MatMul", "a w", "b"),
            node("Sign", "b", "c"),
            node("MatMul", "c w", "d"),
            node("Add", "d a", "e"),
            node("Sign", "e", "f"),
            node("MatMul", "f w", "y"),
        ],
        {"w": signs(rng, 5, 5)}, (1, 5), 5,
    )  # fmt: skip
    model.save(str(tmp_path / "bad.onnx"))
    refused(tmp_path / "bad.onnx", capsys, "--grey", "-1", "1",
            says="The node my_Add_e (Add) cannot be mapped: it takes")  # fmt: skip


@pytest.mark.parametrize(
    ("product", "says"),
    [
        (("MatMul", "w a", {}), "must multiply the layer before with constant weights"),
        (("Gemm", "a a", {"transB": 1}), "must multiply the layer before with constant weights"),
        (("Gemm", "a w", {"transA": 1}), "it transposes the layer before"),
    ],
)
def test_another_product_is_refused(
    product: tuple[str, str, dict[str, int]], says: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Whose shapes fit for one image."""
    kind, inputs, attributes = product
    rows, columns = (5, 1) if inputs == "w a" else (1, 5)
    given = {"w": signs(np.random.default_rng(0), rows, columns)} if "w" in inputs else {}
    model = graph(
        [node("Sign", "x", "a"), node(kind, inputs, "y", **attributes)], given, (1, 5), 5
    )
    model.save(str(tmp_path / "bad.onnx"))
    refused(tmp_path / "bad.onnx", capsys, "--grey", "-1", "1", says=says)


def test_a_mismatched_shape_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    model = graph(
        [node("Sign", "x", "a"), node("MatMul", "a w0", "b"), node("Sign", "b", "c"),
         node("MatMul", "c w1", "y")],
        {"w0": signs(rng, 6, 5), "w1": signs(rng, 4, 3)}, (1, 6), 3,
    )  # fmt: skip
    model.save(str(tmp_path / "bad.onnx"))
    refused(tmp_path / "bad.onnx", capsys, "--grey", "-1", "1",
            says="my_MatMul_y (MatMul) has 4 inputs, but 5 neurons are before it")  # fmt: skip


def _spoilt(value: float, which: str) -> Callable[[nn.Sequential], None]:
    def spoil(module: nn.Sequential) -> None:
        with torch.no_grad():
            getattr(module[3], which)[2] = value

    return spoil


@pytest.mark.parametrize("spoil", [_spoilt(float("nan"), "running_mean"),
                                   _spoilt(float("inf"), "bias")])  # fmt: skip
def test_a_nan_batch_normalisation_is_refused(
    spoil: Callable[[nn.Sequential], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = random_mlp(0, (16, 8, 3))
    spoil(module)
    refused(_save(module, tmp_path), capsys, "--grey", "-1", "1",
            says="(BatchNormalization) cannot be mapped: its")  # fmt: skip


def test_a_negative_variance_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = random_mlp(0, (16, 8, 3))
    _spoilt(-1.0, "running_var")(module)
    refused(_save(module, tmp_path), capsys, "--grey", "-1", "1",
            says="variances that are negative")  # fmt: skip


@pytest.mark.parametrize("contents", [b"", b"not a graph", b"\x00" * 100, bytes(range(256))])
def test_a_file_that_is_no_qonnx_is_refused(
    contents: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.onnx").write_bytes(contents)
    refused(tmp_path / "bad.onnx", capsys, says="is not an ONNX file")
    refused(tmp_path / "none.onnx", capsys, says="There is no file")


def test_a_truncated_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _save(random_mlp(0, (16, 8, 3)), tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    refused(path, capsys, says="is not an ONNX file")


def test_classes_of_different_scales_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = nn.Sequential(*random_mlp(0, (16, 8, 3)), random_norm(3, 3.0)).eval()
    refused(_save(module, tmp_path), capsys, "--grey", "-1", "1", says="scales its classes")


def test_images_of_the_wrong_size_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _save(random_mlp(0, (16, 8, 3)), tmp_path)
    np.save(tmp_path / "images.npy", np.zeros((2, 5, 5), np.uint8))
    refused(path, capsys, "--grey", "-1", "1", "--inputs", str(tmp_path / "images.npy"),
            says="The images have 5x5 pixels, but the network takes 4x4.")  # fmt: skip


def test_a_missing_package_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _save(random_mlp(0, (16, 8, 3)), tmp_path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    for name in ("qonnx", "graph", "nodes", "reading"):
        monkeypatch.delitem(sys.modules, f"xnor_fcc.importing.{name}")
    refused(path, capsys, says="QONNX files need the Python package onnx: pip install")


def test_no_torch_is_needed() -> None:
    modules = ", ".join(f"xnor_fcc.importing.{name}" for name in ("command", "arrays", "qonnx"))
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"


class Viewing(nn.Module):
    """Scales and flattens pixels in its forward."""

    def __init__(self) -> None:
        super().__init__()
        self.chain = random_mlp(6, (16, 8, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.chain(x.view(x.shape[0], -1) * 2 - 1)
        return scores


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    [
        {"dynamo": True, "verbose": False},
        {"dynamo": False, "input_names": ["x"], "dynamic_axes": {"x": {0: "images"}}},
    ],
    ids=["dynamo", "any number of images"],
)
def test_other_ways_to_export(how: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    export_qonnx(Viewing().eval(), torch.zeros(2, 4, 4), export_path=str(path), **how)
    network, report = import_network(load_qonnx(path))
    assert network.pixel_threshold == 128
    assert report["differing_bits"] == report["differing_scores"] == 0


def test_a_command_on_black_and_white_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Truth values as images; the number of images is left open in the file."""
    module = random_mlp(6, (16, 8, 3), quantised_inputs=False)
    path = tmp_path / "open.onnx"
    export_qonnx(module, torch.zeros(2, 4, 4), export_path=str(path), dynamo=False,
                 input_names=["x"], dynamic_axes={"x": {0: "images"}})  # fmt: skip
    np.save(tmp_path / "images.npy", np.random.default_rng(0).random((30, 4, 4)) < 0.5)
    arguments = ["--out", str(tmp_path / "out.npz"), "--bits", "-1", "1", "--inputs",
                 str(tmp_path / "images.npy"), "--json", "--pixel-threshold", "7"]  # fmt: skip
    assert main([str(path), *arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["images"] == 30 and report["differing_bits"] == 0
    assert report["pixel_threshold"] == 7


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _save(random_mlp(5, (16, 8, 3)), tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (7, 4, 4), np.uint8)
    np.save(tmp_path / "images.npy", images)
    out = tmp_path / "net.npz"
    assert main([str(path), "--out", str(out), "--grey", "-1", "1", "--json",
                 "--inputs", str(tmp_path / "images.npy")]) == 0  # fmt: skip
    report = json.loads(capsys.readouterr().out)
    assert report["images"] == 7 and report["differing_bits"] == 0
    assert report["hidden_bits"] == 7 * 8 and report["file"] == str(out)
    network = IntegerNetwork.load(out)
    assert network.widths == (16, 8, 3) and network.name == "net"
    assert main([str(path), "--out", str(out), "--grey", "-1", "1"]) == 0
    printed = capsys.readouterr().out
    assert "differing bits 0 of 1600 on 200 images" in printed and f"wrote {out}" in printed
