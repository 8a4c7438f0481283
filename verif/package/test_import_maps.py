# SPDX-License-Identifier: Apache-2.0
"""Networks with convolutions imported: random ones of Brevitas there and back, graphs of every
layout, pools on both sides of a sign, what the first layer may take, and what no core has.

Every graph that is imported is also run as it is, see `graphs`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from brevitas.nn import QuantConv2d
from brevitas.quant.binary import SignedBinaryWeightPerTensorConst
from brevitas_examples.bnn_pynq.models.CNV import CNV
from torch import nn

from package.foreign import Filters, random_cnn, random_map_norm, random_mlp, sign, to_qonnx
from package.graphs import graph, imported_as_it_is, node, signs
from package.made import random_parameters
from xnor_fcc.errors import UserError, run_main
from xnor_fcc.importing.brevitas import Brevitas
from xnor_fcc.importing.chain import Imported, integers
from xnor_fcc.importing.command import import_network, main
from xnor_fcc.importing.comparison import compare
from xnor_fcc.importing.qonnx import Qonnx, load_qonnx
from xnor_fcc.importing.thermometer import Maps
from xnor_fcc.integer import IntegerNetwork, Layer
from xnor_fcc.layers import ConvLayer
from xnor_fcc.reference import evaluate
from xnor_fcc.shape import PIXEL_BITS
from xnor_fcc.training.convolution import ConvolutionalNetwork
from xnor_fcc.training.export import export
from xnor_fcc.training.plan import Plan

F = Filters
# Side, colours, convolutions and dense layers of 20 networks.
SHAPES: list[tuple[int, int, list[Filters], list[int]]] = [
    (3, 1, [F(1)], [1]),
    (3, 3, [F(5)], [4, 3]),
    (4, 1, [F(6, 3, "behind")], [5]),
    (4, 2, [F(6, 3, "before")], [5]),
    (5, 1, [F(7), F(4)], [3]),
    (5, 4, [F(3), F(9, 1), F(2, 1)], [6, 2]),
    (6, 3, [F(8, 3, "before"), F(5, 1, "before")], [3]),
    (6, 1, [F(8, 3, "behind"), F(5, 1)], [3]),
    (7, 3, [F(10), F(11), F(2)], [5]),
    (8, 2, [F(4), F(13, 3, "behind")], [10, 4]),
    (8, 3, [F(16, 3, "before"), F(8)], [10]),
    (9, 1, [F(5), F(1), F(5)], [2]),
    (10, 3, [F(9, 3, "behind"), F(8, 3, "before")], [4]),
    (10, 1, [F(17, 3, "before"), F(6, 3, "before")], [4]),
    (11, 2, [F(3), F(3), F(4), F(6)], [9, 2]),
    (12, 3, [F(6), F(6, 3, "behind"), F(33, 3, "before")], [7]),
    (12, 1, [F(64, 3, "behind")], [10]),
    (14, 3, [F(8, 3, "before"), F(12, 3, "before"), F(7, 1)], [5]),
    (16, 1, [F(3, 3, "behind"), F(4), F(5)], [2]),
    (18, 4, [F(4, 3, "before"), F(5, 3, "before"), F(6, 1), F(7)], [8, 8]),
]
FORMS: list[dict[str, Any]] = [
    {},
    {"weights": "scaled"},
    {"weights": "ternary"},
    {"weights": "ternary", "ternary_activations": True},
]


def same(report: dict[str, Any]) -> None:
    """Nothing differs at all."""
    assert report["differing_bits"] == report["undecided_bits"] == report["wrong_bits"] == 0
    assert report["differing_scores"] == report["differing_classes"] == 0


@pytest.mark.one_quick
@pytest.mark.parametrize("seed", range(0, len(SHAPES), 5))
def test_random_networks_there_and_back(seed: int, tmp_path: Path) -> None:
    """No bit differs from qonnx's own execution of the files that Brevitas wrote."""
    for i in range(seed, seed + 5):
        side, colours, filters, dense = SHAPES[i]
        form = FORMS[i % len(FORMS)]
        module = random_cnn(i, side, colours, filters, dense, **form)
        source = load_qonnx(to_qonnx(module, (colours, side, side), tmp_path / f"{i}.onnx"))
        network, report = import_network(source, images=40, seed=i, grey=(-1, 1))
        same(report)
        assert network.widths == (side**2 * colours, *(f.count for f in filters), *dense)
        assert [(c.kernel, c.pool) for c in network.convolutions] == [
            (f.kernel, bool(f.pool)) for f in filters
        ]
        assert report["hidden_bits"] == 40 * network.shape.hidden_bits


@pytest.mark.one_quick
@pytest.mark.parametrize("seed", range(len(FORMS)))
def test_modules_with_convolutions(seed: int, tmp_path: Path) -> None:
    """A module and its file are the same network."""
    side, colours, filters, dense = SHAPES[8 + seed]
    module = random_cnn(seed, side, colours, filters, dense, **FORMS[seed])
    network, report = import_network(Brevitas(module), images=40, grey=(-1, 1))
    same(report)
    file = load_qonnx(to_qonnx(module, (colours, side, side), tmp_path / "net.onnx"))
    assert import_network(file, images=1, grey=(-1, 1))[0] == network


def test_scales_that_change_whenever_the_module_is_run() -> None:
    """As a mean of weights does that Brevitas clips: the module is what it was at first."""
    side, colours, filters, dense = SHAPES[9]
    network, report = import_network(
        Brevitas(random_cnn(1, side, colours, filters, dense, "mean")), images=40, grey=(-1, 1)
    )
    same(report)
    assert network.convolutions[1].pool


@pytest.mark.slow
def test_the_projects_own_network(tmp_path: Path) -> None:
    """It takes the thermometer's bits; what `export` knows of its layers, the import finds out.
    In its file each position is a row of its own."""
    plan = Plan(8, 2, 0, ((40, 130, 131),) * 2, "6p,7,9x1", (5,), 3)
    model = ConvolutionalNetwork(plan)
    random_parameters(model)
    network, report = import_network(Brevitas(model), bits=(-1, 1), levels=(40, 130, 131))
    same(report)
    assert network == export(model)
    file = load_qonnx(to_qonnx(model, (6, 8, 8), tmp_path / "net.onnx"))
    again, report = import_network(file, bits=(-1, 1), levels=(40, 130, 131))
    same(report)
    assert again == network


@pytest.mark.slow
@pytest.mark.parametrize("how", ["rows", "flat"])
def test_modules_that_take_images_otherwise(how: str) -> None:
    """In rows, columns, colours, or one after the other."""
    side, colours, filters, dense = SHAPES[3]
    plain = random_cnn(3, side, colours, filters, dense)
    expected, _ = import_network(Brevitas(plain), images=5, grey=(-1, 1))

    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = plain

        def forward(self, x: torch.Tensor) -> Any:
            if how == "rows":
                return self.inside(x.permute(0, 3, 1, 2))
            return self.inside(x.unflatten(1, (colours, side, side)))

    network, report = import_network(Brevitas(Turned()), images=5, grey=(-1, 1))
    same(report)
    assert network == expected


@pytest.mark.slow
def test_the_comparison_notices_one_threshold_and_one_weight() -> None:
    side, colours, filters, dense = SHAPES[8]
    source = Brevitas(random_cnn(8, side, colours, filters, dense))
    inputs = Maps.of(source, (-1, 1), None, ())
    imported = integers(source, inputs)
    grey = np.random.default_rng(1).integers(0, 256, (60, *inputs.shape)).astype(np.uint8)
    assert compare(imported, source, grey)["wrong_bits"] == 0

    def changed(i: int, layer: Layer) -> Imported:
        hidden = list(imported.network.hidden)
        hidden[i] = layer
        return replace(imported, network=replace(imported.network, hidden=tuple(hidden)))

    for i, layer in enumerate(imported.network.hidden):
        assert isinstance(layer, ConvLayer)
        neuron = int(np.abs(layer.thresholds - layer.most / 2).argmin())
        thresholds, weights = layer.thresholds.copy(), layer.weights.copy()
        thresholds[neuron] += 1
        weights[neuron, 2] ^= 1
        other = (replace(layer, thresholds=thresholds), replace(layer, weights=weights),
                 replace(layer, weights=layer.weights[::-1].copy()))  # fmt: skip
        for each in other:
            counts = compare(changed(i, each), source, grey)
            assert counts["wrong_bits"] > 0 and counts["first_wrong"]["layer"] == i


# Graphs written node by node: 8x8 pixels, 6 filters of 3x3, then 5, then 4 classes.

RNG = np.random.default_rng(8)
COLOURS, FIRST, SECOND, CLASSES = 3, 6, 5, 4
MAPS: dict[str, Any] = {
    "half": 0.5,
    "w0": signs(RNG, FIRST, COLOURS, 3, 3),
    "k0": RNG.uniform(0.5, 2, (FIRST, 1, 1)) * signs(RNG, FIRST, 1, 1),
    "m0": RNG.integers(-3, 4, (FIRST, 1, 1)) + 0.5,
    "w1": 0.25 * signs(RNG, SECOND, FIRST, 1, 1),
    "m1": RNG.integers(-2, 3, SECOND) / 2 + 0.125,
    "w2": signs(RNG, 9 * SECOND, CLASSES),
}
PIXELS = (1, COLOURS, 8, 8)


def maps(
    before: str = "x", pool: str = "behind", pooled: Any = None, **attributes: Any
) -> list[Any]:
    """Signs, a convolution, a scale by filter, sign; windows of 1x1 with a bias; the names of what
    is used. The pool is before the scale or behind the sign, and `attributes` are those of it."""
    made = {"kernel_shape": [2, 2], "strides": [2, 2], **attributes}
    nodes = [
        node("Sub", f"{before} half", "x0"),
        node("Sign", "x0", "x1"),
        node("Conv", "x1 w0", "a0"),
        node("MaxPool", "a0", "a1", **made) if pool == "before" else node("Identity", "a0", "a1"),
        node("Mul", "a1 k0", "a2"),
        node("Add", "a2 m0", "a3"),
        node("Sign", "a3", "a4"),
        node("MaxPool", "a4", "a5", **made) if pool == "behind" else node("Identity", "a4", "a5"),
        node("Conv", "a5 w1 m1", "b0"),
        node("Sign", "b0", "b1"),
    ]
    return nodes if pooled is None else [*nodes[:7], *pooled, *nodes[8:]]


def flat(given: str = "b1", weights: str = "w2") -> list[Any]:
    return [node("Flatten", given, "c"), node("MatMul", f"c {weights}", "y")]


def model_of(nodes: list[Any], size: Any = PIXELS, **constants: Any) -> Any:
    return graph(nodes, {**MAPS, **constants}, size, CLASSES).model


@pytest.mark.parametrize("pool", ["before", "behind"])
def test_a_pool_on_either_side_of_the_sign(pool: str) -> None:
    """In front of a falling sign the least bit goes on: the core has the opposite one."""
    network, _ = imported_as_it_is(model_of([*maps(pool=pool), *flat()]))
    first, second = network.convolutions
    assert first.pool and not second.pool
    # The weights behind it are negated where the scale is negative, and nowhere else.
    bits = second.weights != (MAPS["w1"][..., 0, 0] > 0)
    falling = MAPS["k0"].ravel() < 0
    assert (bits == (falling & (pool == "before"))).all() and falling.any() and not falling.all()


def test_the_least_of_a_pool() -> None:
    """The greatest of the negated signs, negated."""
    least = [node("Neg", "a4", "n0"), node("MaxPool", "n0", "n1", kernel_shape=[2, 2],
             strides=[2, 2]), node("Neg", "n1", "a5")]  # fmt: skip
    network, _ = imported_as_it_is(model_of([*maps(pooled=least), *flat()]))
    assert (network.convolutions[1].weights != (MAPS["w1"][..., 0, 0] > 0)).all()


def test_both_layouts() -> None:
    """Images, constants, and what is flattened, in rows, columns, colours."""
    plain, _ = imported_as_it_is(model_of([*maps(), *flat()]))
    order = np.arange(9 * SECOND).reshape(SECOND, 3, 3)
    weights = MAPS["w2"][order.transpose(1, 2, 0).ravel()]
    nodes = [
        node("Transpose", "x", "x3", perm=[0, 3, 1, 2]),
        *maps("x3"),
        node("Transpose", "b1", "b2", perm=[0, 2, 3, 1]),
        *flat("b2", "rows"),
    ]
    turned, _ = imported_as_it_is(model_of(nodes, (1, 8, 8, COLOURS), rows=weights))
    assert turned == plain
    nodes = maps()
    nodes[5:6] = [
        node("Transpose", "a2", "r2", perm=[0, 2, 3, 1]),
        node("Add", "r2 rows", "r3"),
        node("Transpose", "r3", "a3", perm=[0, 3, 1, 2]),
    ]
    model = model_of([*nodes, *flat()], rows=MAPS["m0"].ravel())
    assert imported_as_it_is(model)[0] == plain
    # Columns first, as a transposed map is flattened.
    columns = MAPS["w2"][order.transpose(0, 2, 1).ravel()]
    nodes = [*maps(), node("Transpose", "b1", "b2", perm=[0, 1, 3, 2]), *flat("b2", "columns")]
    assert imported_as_it_is(model_of(nodes, columns=columns))[0] == plain


@pytest.mark.parametrize("how", ["batch", "view", "grey"])
def test_shapes_on_the_way(how: str) -> None:
    nodes = [*maps(), *flat()]
    shape: tuple[int, ...] = PIXELS
    constants: dict[str, Any] = {}
    if how == "batch":
        shape = (5, *PIXELS[1:])
        nodes[10] = node("Reshape", "b1 shape", "c")
        constants = {"shape": [5, -1]}
    elif how == "view":
        nodes[10:11] = [node("Reshape", "b1 shape", "b2"), node("Reshape", "b2 shape1", "c")]
        constants = {"shape": [1, SECOND, 9], "shape1": [1, -1]}
    elif how == "grey":  # an image is a row
        nodes = [node("Reshape", "x shape", "x3"), *maps("x3"), *flat()]
        constants = {"shape": [-1, 1, 8, 8], "w0": MAPS["w0"][:, :1]}
        shape = (1, 64)
    model = model_of(nodes, shape, **constants)
    imported = imported_as_it_is(model, batch=shape[0]) if how != "grey" else (
        import_network(Qonnx(model)))  # fmt: skip
    assert imported[0].convolutions[0].channels == (1 if how == "grey" else COLOURS)


def test_bits_of_0_and_1_and_thresholds_by_filter() -> None:
    """As FINN streamlines a network, with a second plane of activations."""
    means = MAPS["w0"].sum((1, 2, 3)) / 2, 1.5 * MAPS["w1"].sum((1, 2, 3))
    thresholds = np.sort(means[0][:, None] + RNG.normal(0, 3, (FIRST, 3)), axis=1)
    nodes = [
        node("MultiThreshold", "x t0", "x1", out_dtype="BINARY"),
        node("Conv", "x1 w0", "a0"),
        node("MultiThreshold", "a0 t1", "a1", out_dtype="UINT2"),
        node("MaxPool", "a1", "a2", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", "a2 w1", "b0"),
        node("MultiThreshold", "b0 t2", "b1", out_dtype="BIPOLAR", out_scale=2.0, out_bias=-1.0),
        *flat(),
    ]
    network, _ = imported_as_it_is(
        model_of(nodes, t0=[[0.2], [0.5], [0.9]], t1=thresholds, t2=means[1][:, None] - 0.125)
    )
    assert network.pixels is not None and network.kinds == {"convolutions", "order-2"}
    assert network.pixels.levels.tolist() == [[51], [128], [230]]


# What the first convolution may take.


def entered(nodes: list[Any], **constants: Any) -> IntegerNetwork:
    """The network with these nodes in front, which make x1 of x."""
    made = [*nodes, *maps()[2:], *flat()]
    return imported_as_it_is(model_of(made, **constants))[0]


def levels_of(network: IntegerNetwork) -> list[list[int]]:
    assert network.pixels is not None
    return network.pixels.levels.tolist()  # type: ignore[no-any-return]


def test_a_threshold_for_each_colour_and_dark_pixels() -> None:
    by = {"low": np.array([0.1, 0.41, 0.7]).reshape(3, 1, 1)}
    nodes = [node("Sub", "x low", "x0"), node("Sign", "x0", "x1")]
    light = entered(nodes, **by)
    assert levels_of(light) == [[26], [105], [179]]
    dark = entered([*nodes[:1], node("Neg", "x0", "n"), node("Sign", "n", "x1")], **by)
    assert levels_of(dark) == levels_of(light)
    assert (dark.weights[0] == 1 - light.weights[0]).any()
    mixed = entered([*nodes[:1], node("Mul", "x0 turn", "n"), node("Sign", "n", "x1")], **by,
                    turn=np.array([1.0, -1, 1]).reshape(3, 1, 1))  # fmt: skip
    assert levels_of(mixed) == levels_of(light)


@pytest.mark.one_quick
@pytest.mark.parametrize(("bits", "levels"), [(2, 3), (3, 7), (6, 63)])
def test_a_quantiser_of_a_few_bits(bits: int, levels: int) -> None:
    """Every step is a level of the thermometer, with the weights of its colour."""
    network = entered([node("Quant", "x k zero width", "x1", signed=0, narrow=0,
                            rounding_mode="ROUND")],
                      k=1 / levels, zero=0.0, width=bits)  # fmt: skip
    steps = [int(np.ceil(255 * (i + 0.5) / levels)) for i in range(levels)]
    assert np.abs(np.array(levels_of(network)) - steps).max() <= 1
    weights = network.weights[0].reshape(FIRST, 9, COLOURS, levels)
    assert (weights == weights[..., :1]).all()


def test_a_thermometer_of_its_own() -> None:
    """Channels that the graph makes of a colour, in another order than the core has them."""
    levels = np.array([0.75, 0.25]).reshape(1, 1, 2, 1, 1)
    nodes = [
        node("Unsqueeze", "x shape", "x2"),
        node("Sub", "x2 levels", "x3"),
        node("Sign", "x3", "x4"),
        node("Reshape", "x4 shape1", "x1"),
    ]
    network = entered(nodes, levels=levels, shape=[2], shape1=[1, 2 * COLOURS, 8, 8],
                      w0=signs(RNG, FIRST, 2 * COLOURS, 3, 3))  # fmt: skip
    assert levels_of(network) == [[64, 192]] * COLOURS


WHOLE = [node("Mul", "x top", "x2"), node("Round", "x2", "x3")]


def test_pixels_as_numbers() -> None:
    """All 256 values, of either direction by colour, and fewer that stand apart."""
    plain = entered([*WHOLE, node("Identity", "x3", "x1")], top=255.0)
    assert plain.pixels is not None and plain.pixels.values is not None
    assert (plain.pixels.values == np.arange(256)).all() and plain.layers[0].order == PIXEL_BITS
    by = {"turn": np.array([2.0, -2, 2]).reshape(3, 1, 1),
          "off": np.array([1.0, 511, 1]).reshape(3, 1, 1)}  # fmt: skip
    moved = [*WHOLE, node("Mul", "x3 turn", "x4"), node("Add", "x4 off", "x1")]
    turned = entered(moved, top=255.0, **by).pixels
    assert turned is not None and turned.values is not None
    assert (turned.values[1] == 255 - np.arange(256)).all()
    assert (turned.values[::2] == np.arange(256)).all()


@pytest.mark.slow
def test_pixels_of_another_scale_and_order() -> None:
    """A hundred values from -40 on; colours that the graph puts in another order."""
    few = entered([*WHOLE, node("Sub", "x3 low", "x1")], top=99.0, low=40.0).pixels
    assert few is not None and few.values is not None
    assert [few.values.min(), few.values.max()] == [0, 99]
    assert (few.values == np.rint(np.arange(256) * 99 / 255)).all()
    moved = [*WHOLE, node("Gather", "x3 shape", "x1", axis=1)]
    other = entered(moved, top=255.0, shape=[2, 0, 1])
    same = entered([*WHOLE, node("Identity", "x3", "x1")], top=255.0)
    weights = same.weights[0].reshape(FIRST, 9, COLOURS)
    assert (other.weights[0].reshape(weights.shape) == weights[:, :, [1, 2, 0]]).all()


def test_pixels_as_numbers_that_no_core_takes() -> None:
    twice = [*WHOLE, node("Concat", "x3 x3", "x1", axis=1)]
    model = model_of([*twice, *maps()[2:], *flat()], top=255.0,
                     w0=signs(RNG, FIRST, 2 * COLOURS, 3, 3))  # fmt: skip
    refused(lambda: Qonnx(model), "256 values of 6 channels from 3 colours, but pixels are numbers")
    three = [*WHOLE, node("Identity", "x3", "x1"), *maps()[2:6], node("Quant", "a3 half m9 two",
             "a4", signed=1, narrow=0, rounding_mode="ROUND"), *maps()[7:], *flat()]  # fmt: skip
    model = model_of(three, top=255.0, m9=0.0, two=2.0)
    refused(lambda: Qonnx(model), "takes pixels as numbers, and its outputs must be of order 1")


@pytest.mark.slow
def test_the_cnv_of_brevitas(tmp_path: Path) -> None:
    """CNV_1W1A as Brevitas has it, 8-bit pixels and all, with random weights: every bit."""
    torch.manual_seed(1)
    module = CNV(10, weight_bit_width=1, act_bit_width=1, in_bit_width=8, in_ch=3).eval()
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
            assert norm.running_mean is not None and norm.running_var is not None
            norm.running_mean.normal_(std=3)
            norm.running_var.uniform_(20, 200)
    to_qonnx(module, (3, 32, 32), tmp_path / "cnv.onnx")
    network, report = import_network(load_qonnx(tmp_path / "cnv.onnx"), images=3)
    assert report["hidden_bits"] == 3 * network.shape.hidden_bits
    assert report["differing_bits"] == report["differing_scores"] == 0
    assert network.widths == (3072, 64, 64, 128, 128, 256, 256, 512, 512, 10)
    # -1 to 127/128 in steps of 1/128: one of the 256 values is that of no pixel.
    assert network.pixels is not None and network.pixels.values is not None
    assert len(np.unique(network.pixels.values)) == 255
    again, _ = import_network(Brevitas(module), images=1)
    assert again == network


@pytest.mark.one_quick
@pytest.mark.parametrize("how", ["Conv", "SAME", "Pad"])
def test_zeros_around_the_image_that_are_black(how: str) -> None:
    """In bits of 0 and 1 they are; a core puts black pixels there."""
    pad = [node("Pad" if how == "Pad" else "Identity", "x shape" if how == "Pad" else "x", "xp")]
    bits = node("MultiThreshold", "xp t0", "x1", out_dtype="BINARY")
    around: dict[str, dict[str, Any]] = {
        "Conv": {"pads": [1] * 4}, "SAME": {"auto_pad": "SAME_UPPER"}, "Pad": {}
    }  # fmt: skip
    attributes = around[how]
    nodes = [*pad, bits, node("Conv", "x1 w0", "a0", **attributes), *maps()[3:], *flat()]
    pads = [0, 0, 1, 1, 0, 0, 1, 1]
    network, _ = imported_as_it_is(
        model_of(nodes, t0=[[0.5]], shape=pads, w2=signs(RNG, 16 * SECOND, CLASSES))
    )
    assert network.pixels is not None and network.pixels.border == 1


def test_windows_as_large_as_their_map_are_dense_layers() -> None:
    """With 1x1 windows behind, up to the classes."""
    nodes = [*maps(), node("Conv", "b1 v0", "d0"), node("Sign", "d0", "d1"),
             node("Conv", "d1 v1", "d2"), node("Flatten", "d2", "y")]  # fmt: skip
    network, _ = imported_as_it_is(
        model_of(nodes, v0=signs(RNG, 7, SECOND, 3, 3), v1=signs(RNG, CLASSES, 7, 1, 1))
    )
    assert [type(layer) for layer in network.hidden] == [ConvLayer] * 3
    wide = [node("Conv", "x1 w0", "a0"), node("Add", "a0 m0", "a1"), node("Sign", "a1", "a2"),
            node("Conv", "a2 v0", "d0"), node("Add", "d0 half", "d3"), node("Sign", "d3", "d1"),
            node("Conv", "d1 v1", "d2"), node("Flatten", "d2", "y")]  # fmt: skip
    network, _ = imported_as_it_is(
        model_of([*maps()[:2], *wide], v0=signs(RNG, 7, FIRST, 6, 6),
                 v1=signs(RNG, CLASSES, 7, 1, 1))
    )  # fmt: skip
    assert [type(layer) for layer in network.hidden] == [ConvLayer, Layer]


# What no core has: one sentence.


def refused(source: Any, says: str, **options: Any) -> None:
    with pytest.raises(UserError) as error:
        import_network(source() if callable(source) else source, **options)
    assert says in str(error.value) and "\n" not in str(error.value)


CONV = "The node my_Conv_a0 (Conv) cannot be mapped: "
POOL = "The node my_MaxPool_a5 (MaxPool) cannot be mapped: "


@pytest.mark.parametrize(
    ("attributes", "weights", "says"),
    [
        ({"strides": [2, 2]}, (FIRST, COLOURS, 3, 3), "its windows move by 2x2 pixels, those"),
        ({"dilations": [2, 2]}, (FIRST, COLOURS, 3, 3), "its windows are dilated by 2x2"),
        ({"group": 3}, (FIRST, 1, 3, 3), "it has 3 groups"),
        ({}, (FIRST, COLOURS, 5, 5), "its windows are of 5x5, but a core's first layer has"),
        ({}, (FIRST, COLOURS, 1, 1), "its windows are of 1x1, but a core's first layer has"),
        ({}, (FIRST, COLOURS, 3, 1), "its windows are of 3x1, but"),
        ({"pads": [0, 0, 1, 1]}, (FIRST, COLOURS, 3, 3), None),
        ({"pads": [1, 1, 1, 1]}, (FIRST, COLOURS, 3, 3), None),
    ],
)
def test_convolutions_that_no_core_has(
    attributes: dict[str, Any], weights: tuple[int, ...], says: str | None
) -> None:
    nodes = maps()
    nodes[2] = node("Conv", "x1 w0", "a0", **attributes)
    model = model_of([*nodes, *flat()], w0=np.ones(weights))
    refused(lambda: Qonnx(model), CONV + says if says else "The ")


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"pads": [1, 1, 1, 1]}, "it pads a map with zeros, which are no bits"),
        ({"strides": [2, 1]}, "its windows move by 2x1 pixels"),
    ],
)
def test_hidden_convolutions_that_no_core_has(attributes: dict[str, Any], says: str) -> None:
    nodes = maps()
    nodes[8] = node("Conv", "a5 w1 m1", "b0", **attributes)
    refused(lambda: Qonnx(model_of([*nodes, *flat()])),
            f"The node my_Conv_b0 (Conv) cannot be mapped: {says}")  # fmt: skip


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"kernel_shape": [3, 3], "strides": [3, 3]}, "it pools 3x3 by steps of 3x3, a core"),
        ({"strides": [1, 1]}, "it pools 2x2 by steps of 1x1"),
        ({"pads": [1, 1, 1, 1]}, "it pools a map of 6x6, and a core one of even sides"),
    ],
)
def test_pools_that_no_core_has(attributes: dict[str, Any], says: str) -> None:
    refused(lambda: Qonnx(model_of([*maps(**attributes), *flat()])), POOL + says)


def test_pools_of_maps_of_odd_sides() -> None:
    """Of which a row and a column would be dropped."""
    model = model_of([*maps(), *flat()], (1, COLOURS, 9, 9))
    refused(lambda: Qonnx(model), POOL + "it pools a map of 7x7, and a core one of even sides")


@pytest.mark.parametrize(
    ("pool", "says"),
    [
        ([node("AveragePool", "a4", "a5", kernel_shape=[2, 2], strides=[2, 2])],
         "my_AveragePool_a5 (AveragePool) cannot be mapped: a core pools"),
        ([node("Transpose", "a4", "a6", perm=[0, 1, 3, 2]),
          node("MaxPool", "a6", "a5", kernel_shape=[2, 2], strides=[2, 2])],
         "my_Conv_a0 (Conv) cannot be mapped: What follows The node my_Conv_a0 (Conv) mixes"),
        ([node("MaxPool", "a4", "a6", kernel_shape=[2, 2], strides=[2, 2]),
          node("Add", "a6 places", "a7"), node("Sign", "a7", "a5")], "treats these differently."),
        ([node("Slice", "a4 shape shape1 shape2", "a5")], "(Slice) cannot be mapped: it moves"),
    ],
)  # fmt: skip
def test_what_no_map_of_a_core_does(pool: list[Any], says: str) -> None:
    places = np.zeros((1, 3, 3))
    places[0, 1, 2] = 2
    model = model_of([*maps(pooled=pool), *flat()], places=places, shape=[0], shape1=[3],
                     shape2=[2])  # fmt: skip
    refused(lambda: Qonnx(model), says)


def test_a_threshold_that_differs_from_place_to_place() -> None:
    """Which the greatest and the least product do not show."""
    shifts = np.broadcast_to(MAPS["m0"], (FIRST, 6, 6)).copy()
    shifts[2, 4, 1] += 2
    model = model_of([*maps(), *flat()], m0=shifts)
    refused(lambda: Qonnx(model), "What follows The node my_Conv_a0 (Conv) differs from place")


@pytest.mark.parametrize(
    ("first", "says"),
    [
        ([node("Mul", "x x", "x1")], "takes 256 values, but a core's pixels are bits of a"),
        ([node("Greater", "x half", "p"), node("Where", "p x two", "x1")], "takes 129 values"),
        ([node("Transpose", "x", "t", perm=[0, 1, 3, 2]), node("Sub", "t half", "x0"),
          node("Sign", "x0", "x1")], "must tell of one colour of one pixel"),
        ([node("ReduceMean", "x", "t", axes=[1]), node("Sub", "x t", "x0"),
          node("Sign", "x0", "x1")], "cannot be mapped"),
        ([node("Sub", "x half", "x0"), node("Abs", "x0", "x3"), node("Sub", "x3 q", "x4"),
          node("Sign", "x4", "x1")], "both rises and falls"),
        ([node("Sub", "x two", "x0"), node("Sign", "x0", "x1")], "never switches"),
    ],
)  # fmt: skip
def test_first_maps_that_no_core_has(first: list[Any], says: str) -> None:
    model = model_of([*first, *maps()[2:], *flat()], q=0.2, two=2.0)
    refused(lambda: Qonnx(model), says)


def test_networks_that_are_no_chain_of_maps_and_rows() -> None:
    refused(lambda: Qonnx(model_of([*maps()[:8], node("Conv", "a5 w1 m1", "y")])),
            "(Conv) cannot be mapped: it is the last layer")  # fmt: skip
    nodes = [node("Flatten", "x", "x2"), node("MatMul", "x2 v", "x3"), node("Sign", "x3", "x4"),
             node("Reshape", "x4 shape", "x5"), *maps("x5"), *flat()]  # fmt: skip
    model = model_of(nodes, v=signs(RNG, 192, 192), shape=[1, 3, 8, 8])
    refused(lambda: Qonnx(model), "my_Conv_a0 (Conv) cannot be mapped: it is a convolution behind",
            bits=(-1, 1))  # fmt: skip
    refused(lambda: Qonnx(model_of([*maps(), *flat()])), "not square ones of 1 to 4 colours with "
            "2 levels each", bits=(-1, 1), levels=(3, 4))  # fmt: skip


@pytest.mark.slow
def test_modules_that_no_core_has() -> None:
    plain = {"bias": False, "weight_quant": SignedBinaryWeightPerTensorConst}

    def built(pool: nn.Module | None = None, hidden: int = 16, **how: Any) -> nn.Sequential:
        torch.manual_seed(0)
        inside = [pool] if pool is not None else []
        return nn.Sequential(
            sign(), QuantConv2d(1, 4, 3, **plain), random_map_norm(4, 3), sign(),
            *inside, QuantConv2d(4, 4, 3, **{**plain, **how}), sign(), nn.Flatten(),
            random_mlp(0, (hidden, 3))[-1],
        ).eval()  # fmt: skip

    grey: dict[str, Any] = {"grey": (-1, 1)}
    assert import_network(Brevitas(built()), **grey)[0].map_sides == (4, 2)
    named = "The layer 4 (QuantConv2d) cannot be mapped: "
    for how, says in (
        ({"stride": 2}, "its windows move by 2x2 pixels"),
        ({"padding": 1}, "it pads a map with zeros"),
        ({"dilation": 2}, "its windows are dilated by 2x2"),
        ({"groups": 2}, "it has 2 groups"),
    ):
        refused(lambda how=how: Brevitas(built(**how)), named + says, **grey)
    says = "What follows The layer 1 (QuantConv2d) "
    refused(lambda: Brevitas(built(nn.AvgPool2d(2))), says + "mixes", **grey)
    refused(lambda: Brevitas(built(nn.MaxPool2d(3))), says + "makes", **grey)
    refused(lambda: Brevitas(built(nn.MaxPool2d(3, 2, 1))), says + "makes", **grey)
    refused(lambda: Brevitas(nn.Sequential(nn.Conv1d(1, 2, 3))),
            "The layer 0 (Conv1d) cannot be mapped: a core computes dense layers and")  # fmt: skip


# The command line.


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--levels", "3", "9"], "--levels goes with --bits, in place of --pixel-threshold."),
        (["--levels", "3", "--bits", "0", "1", "--pixel-threshold", "4"], "--levels goes with"),
        (["--levels", "9", "3", "--bits", "0", "1"], "--levels must rise from 1 at least to 255"),
        (["--levels", "9", "256", "--bits", "0", "1"], "--levels must rise"),
        (["--levels", "9", "12", "--bits", "0", "1"], "--levels is for a network that begins with"),
    ],
)
def test_options_that_are_refused(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "net.npz"
    np.savez(source, weights0=np.ones((2, 4)))
    command = [str(source), "--out", str(tmp_path / "out.npz"), *arguments]
    assert run_main(lambda: main(command)) == 2
    assert says in capsys.readouterr().err


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    side, colours, filters, dense = SHAPES[3]
    module = random_cnn(3, side, colours, filters, dense)
    to_qonnx(module, (colours, side, side), tmp_path / "net.onnx")
    images = np.random.default_rng(0).integers(0, 256, (9, side, side, colours)).astype(np.uint8)
    np.save(tmp_path / "images.npy", images)
    out = tmp_path / "net.npz"
    assert main([str(tmp_path / "net.onnx"), "--out", str(out), "--grey", "-1", "1",
                 "--inputs", str(tmp_path / "images.npy")]) == 0  # fmt: skip
    printed = capsys.readouterr().out
    assert "32-6-5, convolutions, 1 levels of 2 colours" in printed
    assert "differing bits 0 of 54 on 9 images" in printed
    network = IntegerNetwork.load(out)
    given = torch.from_numpy(images.transpose(0, 3, 1, 2) * np.float32(2 / 255) - 1)
    with torch.no_grad():
        theirs = module(given).numpy()
    np.testing.assert_array_equal(evaluate(network, network.inputs_from(images)).scores, theirs)
