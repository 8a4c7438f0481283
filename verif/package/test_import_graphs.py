# SPDX-License-Identifier: Apache-2.0
"""QONNX files as exporters leave them: constants behind nodes, batches, ends, types, FINN's own.

Every graph that is imported is also run as it is, by onnxruntime or qonnx, see `graphs`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.bipolar_to_xnor import ConvertBipolarMatMulToXnorPopcount
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes

from package.graphs import CLASSES, NEURONS, PIXELS, graph, imported_as_it_is, node, signs
from xnor_fcc.errors import UserError
from xnor_fcc.importing.command import import_network, text
from xnor_fcc.importing.ends import keeps_order
from xnor_fcc.importing.qonnx import Qonnx, load_qonnx

FLOAT = np.dtype(np.float32)  # as `takes` it leaves the type of y open
BIPOLAR = {"out_dtype": "BIPOLAR", "out_scale": 2.0, "out_bias": -1.0}
RNG = np.random.default_rng(5)
FIRST, LAST = signs(RNG, PIXELS, NEURONS), signs(RNG, NEURONS, CLASSES)
MIDDLE = RNG.integers(-4, 5, NEURONS) + 0.5
PLAIN: dict[str, Any] = {"w0": FIRST, "w1": LAST, "m": MIDDLE, "half": 0.5, "q": [[0.0]]}


def chain(
    before: str = "x", weights: str = "w0", add: str = "m", last: str = "w1", scores: str = "y"
) -> list[Any]:
    """Sign of pixels above 1/2, product, sum, sign, product; the names of what is used."""
    return [
        node("Sub", f"{before} half", "x0"),
        node("Sign", "x0", "a"),
        node("MatMul", f"a {weights}", "b"),
        node("Add", f"b {add}", "b1"),
        node("Sign", "b1", "c"),
        node("MatMul", f"c {last}", scores),
    ]


def refused(model: ModelWrapper, says: str, **options: Any) -> None:
    with pytest.raises(UserError) as error:
        import_network(Qonnx(model.model), **options)
    assert says in str(error.value) and "\n" not in str(error.value)


# Constants that come out of nodes: nodes and constants that give w, of the first layer's weights.
WEIGHTS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "Reshape": ([node("Reshape", "v shape", "w")],
                {"v": FIRST.reshape(4, 4, NEURONS), "shape": [PIXELS, -1]}),
    "Transpose": ([node("Transpose", "v", "w", perm=[1, 0])], {"v": FIRST.T.copy()}),
    "Transpose of a Reshape of a Cast": (
        [node("Cast", "v", "v1", to=1), node("Reshape", "v1 shape", "v2"),
         node("Transpose", "v2", "w")],
        {"v": FIRST.T.astype(np.int8).reshape(-1), "shape": [NEURONS, PIXELS]}),
    "Squeeze": ([node("Squeeze", "v shape", "w")], {"v": FIRST[None, :, None], "shape": [0, 2]}),
    "Unsqueeze": ([node("Unsqueeze", "v shape", "v1"), node("Flatten", "v1", "w", axis=2)],
                  {"v": FIRST, "shape": [0]}),
    "Identity": ([node("Identity", "v", "w")], {"v": FIRST}),
    "Mul of constants": ([node("Mul", "v k", "w")], {"v": FIRST * 0.25, "k": 4.0}),
    "Sub of ConstantOfShape": (
        [node("ConstantOfShape", "shape", "k",
              value=numpy_helper.from_array(np.array([1], np.float32))),
         node("Mul", "v two", "v1"), node("Sub", "v1 k", "w")],
        {"v": (FIRST + 1) / 2, "two": 2.0, "shape": [PIXELS, NEURONS]}),
    "Where": ([node("Greater", "v zero", "p"), node("Where", "p one minus", "w")],
              {"v": FIRST * RNG.uniform(0.1, 1, FIRST.shape), "zero": 0.0, "one": 1.0,
               "minus": -1.0}),
    "Sign of BipolarQuant": ([node("BipolarQuant", "v one", "w")],
                             {"v": FIRST * RNG.uniform(0.1, 1, FIRST.shape), "one": 1.0}),
    "DequantizeLinear": ([node("DequantizeLinear", "v k", "w")],
                         {"v": FIRST.astype(np.int8), "k": 1.0}),
    "Concat and Split": ([node("Split", "v", "v1 v2", axis=0),
                          node("Concat", "v2 v1", "w", axis=0)],
                         {"v": np.roll(FIRST, 8, axis=0)}),
    "Gather": ([node("Gather", "v shape", "w", axis=1)],
               {"v": FIRST[:, ::-1].copy(), "shape": list(range(NEURONS))[::-1]}),
    "Constant": ([helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(
        FIRST.astype(np.float32)))], {}),
    "half": ([node("Cast", "v", "w", to=1)], {"v": FIRST.astype(np.float16)}),
    "If": ([helper.make_node("If", ["p"], ["w"], then_branch=helper.make_graph(
        [node("Neg", "v", "u")], "then", [], [onnx.ValueInfoProto(name="u")]),
        else_branch=helper.make_graph([node("Identity", "v", "u2")], "else", [],
                                      [onnx.ValueInfoProto(name="u2")]))],
           {"v": -FIRST, "p": np.array(True)}),
}  # fmt: skip


@pytest.mark.one_quick
@pytest.mark.parametrize("how", WEIGHTS)
def test_weights_that_nodes_make(how: str) -> None:
    nodes, constants = WEIGHTS[how]
    model = graph([*nodes, *chain(weights="w")], {**PLAIN, **constants}, (1, PIXELS), CLASSES)
    network, _ = imported_as_it_is(model.model)
    plain, _ = import_network(Qonnx(graph(chain(), PLAIN, (1, PIXELS), CLASSES).model))
    assert network == plain


def test_weights_of_bfloat16() -> None:
    """Which numpy has no type for."""
    raw = helper.make_tensor("v", TensorProto.BFLOAT16, FIRST.shape, FIRST.ravel())
    model = graph([node("Cast", "v", "w", to=1), *chain(weights="w")], PLAIN, (1, PIXELS), CLASSES)
    model.graph.initializer.append(raw)
    imported_as_it_is(model.model)


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ([node("Reshape", "m0 shape", "m1")], {"m0": MIDDLE[None], "shape": [NEURONS]}),
        ([node("Shape", "b", "s"), node("Expand", "m s", "m1")], {}),
        ([node("Shape", "b", "s"), node("ConstantOfShape", "s", "z"), node("Add", "z m", "m1")],
         {}),
        ([node("CastLike", "m0 b", "m1")], {"m0": MIDDLE.astype(np.float16)}),
    ],
)  # fmt: skip
def test_sums_that_nodes_make(nodes: list[Any], constants: dict[str, Any]) -> None:
    """Of a shape too that depends on the images."""
    first, second = chain(add="m1")[:3], chain(add="m1")[3:]
    made = [*first, *nodes, *second]
    model = graph(made, {**PLAIN, **constants}, (1, PIXELS), CLASSES, opset=15)
    imported_as_it_is(model.model)


# The number of images of a file.


@pytest.mark.parametrize("batch", [2, 3, 64, "images", None, 0])
def test_another_number_of_images(batch: int | str | None) -> None:
    """It stands in the shape of a view, of a constant, and in constants with a row an image."""
    count = batch if isinstance(batch, int) and batch else 1
    constants = {
        **PLAIN,
        "shape0": [count, PIXELS],
        "shape1": [count, NEURONS],
        "ones": np.ones((count, NEURONS)),
        "rows": np.repeat(MIDDLE[None], count, axis=0),
    }
    minus = numpy_helper.from_array(np.array([-1], np.float32))
    nodes = [
        node("Reshape", "x shape0", "x1"),
        node("Sub", "x1 half", "x2"),
        node("Sign", "x2", "a"),
        node("Gemm", "a w0 rows", "b"),
        node("ConstantOfShape", "shape1", "minus", value=minus),
        node("Greater", "b half", "p"),
        node("Where", "p ones minus", "c"),
        node("MatMul", "c w1", "y"),
    ]
    model = graph(nodes, constants, (batch, 1, 4, 4), CLASSES)
    source = Qonnx(model.model)
    if batch == 0:  # which onnxruntime takes at its word
        model.graph.input[0].type.tensor_type.shape.dim[0].Clear()
        model.graph.output[0].type.tensor_type.shape.dim[0].Clear()
    imported_as_it_is(model.model, images=64, batch=count)
    assert import_network(source, images=7)[1]["images"] == 7


@pytest.mark.parametrize("shape", [[64, PIXELS], [64, -1]])
def test_a_number_of_images_left_in_a_view(shape: list[int]) -> None:
    """The input has it open, the view does not."""
    nodes = [node("Reshape", "x shape", "x1"), *chain("x1")]
    model = graph(nodes, {**PLAIN, "shape": shape}, ("images", 4, 4), CLASSES)
    imported_as_it_is(model.model, images=64, batch=64)


def test_constants_of_more_dimensions() -> None:
    constants = {**PLAIN, "w": FIRST[None, None], "m": MIDDLE[None, None]}
    for batch in (1, 2):
        nodes = [*chain(weights="w", scores="s"), node("Flatten", "s", "y", axis=-1)]
        model = graph(nodes, constants, (batch, PIXELS), CLASSES, takes=FLOAT)
        imported_as_it_is(model.model, batch=batch)


def test_a_row_of_values_in_more_dimensions() -> None:
    nodes = [node("Reshape", "x shape", "x1"), *chain("x1", weights="w")]
    constants = {**PLAIN, "shape": [-1, 1, PIXELS], "w": FIRST[None]}
    imported_as_it_is(graph(nodes, constants, (1, 4, 4), CLASSES, takes=FLOAT).model)


def test_a_function_of_the_file(tmp_path: Path) -> None:
    """Whose constants are inputs as well, as in old files."""
    body = [helper.make_node("Sub", ["u", "v"], ["t"]), helper.make_node("Sign", ["t"], ["w"])]
    opsets = [helper.make_opsetid("", 13)]
    function = helper.make_function("own", "Step", ["u", "v"], ["w"], body, opsets)
    model = graph([helper.make_node("Step", ["x", "half"], ["a"], domain="own"), *chain()[2:]],
                  PLAIN, (1, PIXELS), CLASSES).model  # fmt: skip
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("own", 1))
    for name, value in PLAIN.items():
        model.graph.input.append(helper.make_tensor_value_info(name, 1, np.shape(value)))
    onnx.save(model, str(tmp_path / "net.onnx"))
    network, report = import_network(load_qonnx(tmp_path / "net.onnx"))
    assert report["differing_bits"] == 0
    assert network == import_network(Qonnx(graph(chain(), PLAIN, (1, PIXELS), CLASSES).model))[0]


def test_a_row_for_each_image_of_a_batch_is_refused() -> None:
    rows = np.repeat(MIDDLE[None], 2, axis=0)
    rows[1, 3] += 1
    model = graph(chain(add="rows"), {**PLAIN, "rows": rows}, (2, PIXELS), CLASSES)
    refused(model, "its rows differs from image to image of a batch of 2")


@pytest.mark.parametrize("shape", [[-1], [PIXELS, 1], [4, 4]])
def test_a_view_across_images_is_refused(shape: list[int]) -> None:
    nodes = [node("Reshape", "x shape", "x1"), *chain("x1")]
    model = graph(nodes, {**PLAIN, "shape": shape}, (1, PIXELS), CLASSES)
    refused(model, "my_Reshape_x1 (Reshape) cannot be mapped: its output has no row of values")


# What stands behind the scores: nodes and constants that make y of s.
ENDS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "Softmax, Identity": ([node("Softmax", "s", "p"), node("Identity", "p", "y")], {}),
    "Softmax, Reshape": ([node("Softmax", "s", "p", axis=1), node("Reshape", "p shape", "y")],
                         {"shape": [1, CLASSES]}),
    "LogSoftmax, Unsqueeze": ([node("LogSoftmax", "s", "p"), node("Unsqueeze", "p shape", "y")],
                              {"shape": [2]}),
    "Cast, Softmax, Cast": ([node("Cast", "s", "d", to=11), node("Softmax", "d", "p"),
                             node("Cast", "p", "y", to=1)], {}),
    "Softmax, Log": ([node("Softmax", "s", "p"), node("Log", "p", "y")], {}),
    "Softmax, Mul": ([node("Softmax", "s", "p"), node("Mul", "p k", "y")], {"k": 100.0}),
    "Softmax, Add": ([node("Softmax", "s", "p"), node("Add", "p k", "y")], {"k": [2.0] * CLASSES}),
    "Softmax, Flatten, Squeeze": (
        [node("Unsqueeze", "s shape", "s1"), node("Softmax", "s1", "p", axis=1),
         node("Flatten", "p", "y")], {"shape": [2, 3]}),
    "scale, Sigmoid": ([node("Mul", "s k", "s1"), node("Sigmoid", "s1", "y")], {"k": 0.125}),
    "Softmax, Clip": ([node("Softmax", "s", "p"), node("Clip", "p low", "p1"),
                       node("Log", "p1", "y")], {"low": 1e-7}),
    "Softmax written out": (
        [node("ReduceMax", "s", "k", axes=[1]), node("Sub", "s k", "s1"), node("Exp", "s1", "e"),
         node("ReduceSum", "e shape", "t"), node("Div", "e t", "y")], {"shape": [1]}),
    "ArgMax": ([node("ArgMax", "s", "y", axis=1)], {}),
    "ArgMax, Squeeze": ([node("ArgMax", "s", "i", axis=-1), node("Squeeze", "i shape", "y")],
                        {"shape": [1]}),
    "Softmax, ArgMax, Cast": ([node("Softmax", "s", "p"),
                               node("ArgMax", "p", "i", axis=1, keepdims=0),
                               node("Cast", "i", "y", to=6)], {}),
    "TopK": ([node("TopK", "s shape", "v y", axis=1)], {"shape": [3]}),
    "Hardmax": ([node("Hardmax", "s", "y")], {}),
    "Dropout, Identity": ([node("Dropout", "s", "d"), node("Identity", "d", "y")], {}),
    "Identity, Reshape, Cast": ([node("Identity", "s", "s1"), node("Reshape", "s1 shape", "s2"),
                                 node("Cast", "s2", "y", to=11)], {"shape": [-1, 2, 2]}),
}  # fmt: skip


@pytest.mark.one_quick
@pytest.mark.parametrize("how", ENDS)
def test_what_stands_behind_the_scores(how: str) -> None:
    nodes, constants = ENDS[how]
    made = [*chain(scores="s"), *nodes]
    model = graph(made, {**PLAIN, **constants}, (1, PIXELS), CLASSES, gives=("y",), takes=FLOAT)
    network, report = imported_as_it_is(model.model)
    assert report["differing_scores"] == 0
    plain, _ = import_network(Qonnx(graph(chain(), PLAIN, (1, PIXELS), CLASSES).model))
    assert network == plain


def test_scores_and_classes_as_two_outputs() -> None:
    made = [*chain(scores="s"), node("Softmax", "s", "p"), node("TopK", "p shape", "v i", axis=1)]
    constants = {**PLAIN, "shape": [1]}
    model = graph(made, constants, (1, PIXELS), CLASSES, gives=("s", "v", "i"))
    network, _ = imported_as_it_is(model.model)
    assert network.classes == CLASSES


@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("nodes", "constants", "says"),
    [
        ([node("Softmax", "s", "p"), node("Neg", "p", "y")], {},
         "my_Neg_y (Neg) cannot be mapped: it stands behind the scores and does not keep"),
        ([node("Softmax", "s", "p"), node("Mul", "p k", "y")], {"k": -1.0},
         "What stands behind the scores s does not keep the order"),
        ([node("Softmax", "s", "p"), node("Sub", "k p", "y")], {"k": 1.0},
         "What stands behind the scores s does not keep the order"),
        ([node("Softmax", "s", "p"), node("Add", "p k", "y")], {"k": [0.0, 0.0, 0.0, 1e-3]},
         "my_Add_y (Add) cannot be mapped: it stands behind the scores and does not keep"),
        ([node("Softmax", "s", "y", axis=0)], {}, "does not keep the order"),
        ([node("Softmax", "s", "p"), node("Cast", "p", "y", to=7)], {}, "does not keep the order"),
        ([node("ReduceMax", "s", "k", axes=[1]), node("Div", "s k", "y")], {},
         "does not keep the order"),
        ([node("Softmax", "s", "p"), node("ReduceMax", "p", "y", axes=[1])], {},
         "does not keep the order"),
        ([node("ArgMin", "s", "y", axis=1)], {}, "my_ArgMin_y (ArgMin) cannot be mapped"),
        ([node("TopK", "s shape", "v y", axis=1, largest=0)], {"shape": [1]}, "(TopK) cannot be"),
        ([node("Relu", "s", "y")], {}, "does not only scale the products"),
        ([node("Mul", "s s", "y")], {}, "does not only scale the products"),
        ([node("Softmax", "b1", "p"), node("Add", "p q", "y"), node("Identity", "s", "z")], {},
         "cannot be mapped"),
    ],
)  # fmt: skip
def test_an_end_that_turns_the_order_is_refused(
    nodes: list[Any], constants: dict[str, Any], says: str
) -> None:
    made = [*chain(scores="s"), *nodes]
    gives = ("y", "z") if len(nodes) == 3 else ("y",)
    model = graph(made, {**PLAIN, **constants}, (1, PIXELS), CLASSES, gives=gives, takes=FLOAT)
    refused(model, says)


def test_the_order_of_all_classes_is_kept() -> None:
    scores = np.array([[0.0, 1, 2], [2, 0, 1]])
    assert keeps_order(scores, scores * 2) and keeps_order(scores, np.array([[2], [0]]))
    assert keeps_order(scores, np.array([[0.0, 0, 2], [2, 0, 0]]))
    assert not keeps_order(scores, np.array([[1.0, 0, 2], [2, 0, 1]]))
    assert not keeps_order(scores, np.array([[0.0, 2, 2], [2, 0, 1]]))
    assert not keeps_order(scores, np.array([[2], [1]]))
    assert not keeps_order(scores, scores[:1]) and not keeps_order(scores, scores[:, :2])


def test_a_second_output_inside_the_chain_is_refused() -> None:
    model = graph(chain(), PLAIN, (1, PIXELS), CLASSES, gives=("y", "c"))
    refused(model, "The graph's output c is not that of its last layer")


# Types of numbers.


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("fraction", [1.0, 0.1])
def test_half_and_double(kind: Any, fraction: float) -> None:
    """Weights of +-0.1 make sums that no type holds; in double there are more of them apart."""
    constants = {name: np.asarray(value).astype(kind) for name, value in
                 {**PLAIN, "w0": FIRST * fraction, "m": MIDDLE * fraction}.items()}  # fmt: skip
    nodes = chain()
    if kind is np.float64:
        constants = {f"double_{name}": value for name, value in constants.items()}
        for each in nodes:
            each.input[:] = [f"double_{n}" if n in PLAIN else n for n in each.input]
    model = graph(nodes, constants, (1, PIXELS), CLASSES, takes=kind)
    network, report = imported_as_it_is(model.model)
    assert report["differing_classes"] == 0 and network.kinds == frozenset()


def test_scores_that_half_cannot_hold() -> None:
    """Beyond 2048 it has every second number alone; sums here are odd, and up to 2999."""
    weights = np.stack([np.ones(2999), -np.ones(2999)], axis=1)
    constants = {"w": weights.astype(np.float16), "h": np.array(0.5, np.float16)}
    nodes = [node("Sub", "x h", "a"), node("Sign", "a", "b"), node("MatMul", "b w", "y")]
    model = graph(nodes, constants, (1, 2999), 2, takes=np.float16)
    images = np.where(np.arange(2999) < np.arange(0, 2999, 31)[:, None], 255, 0).astype(np.uint8)
    _, report = import_network(Qonnx(model.model), images=images)
    assert report["differing_scores"] > 0
    assert report["wrong_scores"] == report["differing_classes"] == 0


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_nodes_of_qonnx_in_half_and_double(kind: Any) -> None:
    """Which qonnx answers in float32."""
    constants = {name: np.asarray(value).astype(kind) for name, value in PLAIN.items()}
    constants = {f"double_{name}": value for name, value in constants.items()}
    nodes = [node("Sub", "x double_half", "x0"), node("BipolarQuant", "x0 double_one", "a"),
             node("MatMul", "a double_w0", "b"), node("Add", "b double_m", "b1"),
             node("MultiThreshold", "b1 double_q", "c0", **BIPOLAR),
             node("Quant", "c0 double_one double_zero double_two", "c", signed=1, narrow=1,
                  rounding_mode="ROUND"),
             node("MatMul", "c double_w1", "y")]  # fmt: skip
    for name, value in (("zero", 0), ("one", 1), ("two", 2)):
        constants[f"double_{name}"] = np.full(1, value, kind)
    model = graph(nodes, constants, (1, PIXELS), CLASSES, takes=kind)
    plain = graph(chain(), PLAIN, (1, PIXELS), CLASSES)
    assert import_network(Qonnx(model.model))[0] == import_network(Qonnx(plain.model))[0]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (np.uint8, {}), (np.int64, {}), (np.int8, {}), (np.int16, {"grey": (255, 0)}),
        (np.int32, {"bits": (0, 255)}), (np.uint8, {"bits": (0, 255)}),
    ],
)  # fmt: skip
def test_inputs_of_whole_numbers(kind: Any, options: dict[str, Any]) -> None:
    shift = 0.0 if kind is np.int8 else 127.5
    nodes = [
        node("Cast", "x", "x1", to=1),
        node("Sub", "x1 shift", "x2"),
        *[node("Neg", "x2", "x3") if "grey" in options else node("Identity", "x2", "x3")],
        node("Sign", "x3", "a"),
        *chain()[2:],
    ]
    model = graph(nodes, {**PLAIN, "shift": shift}, (1, PIXELS), CLASSES, takes=kind)
    network, _ = imported_as_it_is(model.model, **options)
    assert network.pixel_threshold == 128


def test_inputs_of_truth_values() -> None:
    nodes = [node("Where", "x one minus", "a"), *chain()[2:]]
    constants = {**PLAIN, "one": 1.0, "minus": -1.0}
    model = graph(nodes, constants, (1, PIXELS), CLASSES, takes=np.bool_)
    imported_as_it_is(model.model, bits=(0, 1))
    refused(model, "takes inputs of type bool: say with --grey LOW HIGH")


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        (np.uint8, {"grey": (0, 1)}, "takes inputs of type uint8: say with --grey LOW HIGH"),
        (np.uint8, {"bits": (-1, 1)}, "takes inputs of type uint8: say with --bits LOW HIGH"),
        (np.int8, {"grey": (0, 255)}, "takes inputs of type int8: say with --grey LOW HIGH"),
    ],
)
def test_pixels_that_are_no_whole_numbers(kind: Any, options: dict[str, Any], says: str) -> None:
    nodes = [node("Cast", "x", "x1", to=1), *chain("x1")]
    refused(graph(nodes, PLAIN, (1, PIXELS), CLASSES, takes=kind), says, **options)


def test_other_types_are_named() -> None:
    model = graph(chain(), PLAIN, (1, PIXELS), CLASSES)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.BFLOAT16
    refused(model, "input x is of type bfloat16, which cannot be imported: save the network in")
    # A type that a node does not take is told with the node.
    mixed = graph(chain(), {**PLAIN, "w0": FIRST.astype(np.float16)}, (1, PIXELS), CLASSES)
    refused(mixed, "my_MatMul_b (MatMul) cannot be mapped: it cannot be run on float32, float16")


# Nodes that do nothing: nodes and constants that make x1 of x, of shape (1, 4, 4, 1).
IDLE: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "Transpose": ([node("Transpose", "x", "x0", perm=[0, 3, 1, 2])], {}),
    "two of them": ([node("Transpose", "x", "z", perm=[0, 3, 1, 2]),
                     node("Transpose", "z", "x0", perm=[0, 2, 3, 1])], {}),
    "Expand": ([node("Expand", "x shape", "x0")], {"shape": [1, 4, 4, 1]}),
    "Slice": ([node("Slice", "x shape0 shape1", "x0")],
              {"shape0": [0, 0, 0, 0], "shape1": [1, 4, 9999, 1]}),
    "Pad": ([node("Pad", "x shape", "x0")], {"shape": [0] * 8}),
    "Tile": ([node("Tile", "x shape", "x0")], {"shape": [1] * 4}),
    "Gather": ([node("Gather", "x shape", "x0", axis=2)], {"shape": [0, 1, 2, 3]}),
    "Gather of a place": ([node("Gather", "x shape", "x0", axis=3)], {"shape": 0}),
    "Concat": ([node("Concat", "x", "x0", axis=1)], {}),
    "Split": ([node("Split", "x", "x0", axis=1)], {}),
    "Squeeze": ([node("Squeeze", "x shape", "x0")], {"shape": [3]}),
    "AveragePool": ([node("AveragePool", "x", "x0", kernel_shape=[1, 1])], {}),
    "MaxPool": ([node("MaxPool", "x", "x0", kernel_shape=[1, 1])], {}),
    "ReduceMean": ([node("ReduceMean", "x", "x0", axes=[3])], {}),
    "Sum": ([node("Sum", "x", "x0")], {}),
    "Dropout": ([node("Dropout", "x k p", "x0")], {"k": 0.5, "p": np.array(False)}),
    "Dropout of nothing": ([node("Dropout", "x k p", "x0")], {"k": 0.0, "p": np.array(True)}),
    "Resize": ([node("Resize", "x  k", "x0")], {"k": [1.0] * 4}),
}  # fmt: skip


@pytest.mark.one_quick
@pytest.mark.parametrize("how", IDLE)
def test_nodes_that_do_nothing(how: str) -> None:
    nodes, constants = IDLE[how]
    if how == "Resize":
        nodes[0].input[:] = ["x", "", "k"]
    made = [*nodes, node("Flatten", "x0", "x1"), *[
        each if each.output[0] != "x0" else node("Sub", "x1 half", "x2") for each in chain("x1")
    ]]  # fmt: skip
    made[-5].input[0] = "x2"
    model = graph(made, {**PLAIN, **constants}, (1, 4, 4, 1), CLASSES)
    imported_as_it_is(model.model)


@pytest.mark.parametrize(
    ("moving", "constants"),
    [
        (node("Transpose", "x", "x1", perm=[0, 2, 1, 3]), {}),
        (node("Slice", "x shape0 shape1 shape2 shape1", "x1"),
         {"shape0": [-1], "shape1": [-99], "shape2": [1]}),
        (node("Gather", "x shape", "x1", axis=1), {"shape": [0, 2, 1, 3]}),
        (node("MaxPool", "x", "x1", kernel_shape=[2, 1]), {}),
        (node("Concat", "x x", "x1", axis=3), {}),
        (node("ReduceSum", "x shape", "x1"), {"shape": [1]}),
    ],
)  # fmt: skip
def test_nodes_that_move_values_are_refused(moving: Any, constants: dict[str, Any]) -> None:
    made = [moving, node("Flatten", "x1", "x2"), node("Sign", "x2", "a"), *chain()[2:]]
    model = graph(made, {**PLAIN, **constants}, (1, 4, 4, 1), CLASSES)
    refused(model, f"The node my_{moving.op_type}_x1 ({moving.op_type}) cannot be mapped: ")


# Training mode.


@pytest.mark.parametrize(
    ("opset", "training"),
    [
        (15, node("BatchNormalization", "b g z z g", "b1 r v", training_mode=1)),
        (9, node("BatchNormalization", "b g z z g", "b1 r v r2 v2")),
        (13, node("Dropout", "b ratio yes", "b1")),
        (13, node("Dropout", "b  yes", "b1")),
    ],
)
def test_training_mode_is_named(opset: int, training: Any) -> None:
    if training.op_type == "Dropout" and len(training.input) == 2:
        training.input[:] = ["b", "", "yes"]
    constants = {**PLAIN, "g": np.ones(NEURONS), "z": np.zeros(NEURONS), "ratio": 0.5,
                 "yes": np.array(True)}  # fmt: skip
    made = [*chain()[:3], training, *chain()[4:]]
    model = graph(made, constants, (1, PIXELS), CLASSES, opset=opset)
    refused(model, f"({training.op_type}) cannot be mapped: it was saved in training mode")


def test_random_numbers_are_named() -> None:
    made = [node("RandomNormal", "", "m1", shape=[NEURONS]), *chain(add="m1")]
    made[0].input[:] = []
    refused(graph(made, PLAIN, (1, PIXELS), CLASSES), "it draws random numbers")


# FINN's own product.


@pytest.mark.parametrize("domain", ["qonnx.custom_op.general", "finn.custom_op.general", "finn"])
def test_a_network_that_finn_streamlined(domain: str) -> None:
    """As qonnx converts one of +-1, and in the domains of older files."""
    made = [
        node("Sub", "x half", "x0"),
        node("MultiThreshold", "x0 q", "a", **BIPOLAR),
        node("MatMul", "a w0", "b"),
        node("MultiThreshold", "b t", "c", **BIPOLAR),
        node("MatMul", "c w1", "s"),
        node("Mul", "s half", "y"),
    ]
    constants = {**PLAIN, "t": MIDDLE[:, None]}
    model = graph(made, constants, (1, PIXELS), CLASSES)
    plain, _ = import_network(Qonnx(model.model))
    model = model.transform(InferShapes())
    for name in ("w0", "w1"):
        model.set_tensor_datatype(name, DataType["BIPOLAR"])
    model = model.transform(InferDataTypes()).transform(ConvertBipolarMatMulToXnorPopcount())
    kinds = [each.op_type for each in model.graph.node]
    assert kinds.count("XnorPopcountMatMul") == 2 and "MatMul" not in kinds
    network, _ = imported_as_it_is(model.model)
    assert network == plain
    for each in model.graph.node:
        each.domain = domain if each.domain else ""
    assert import_network(Qonnx(model.model))[0] == plain


def test_thresholds_of_counts() -> None:
    """What FINN leaves in the end: thresholds of P itself, and scores of P."""
    rng = np.random.default_rng(8)
    made = [
        node("MultiThreshold", "x t0", "a", out_dtype="BINARY"),
        node("XnorPopcountMatMul", "a w0", "b"),
        node("MultiThreshold", "b t1", "c", out_dtype="BINARY"),
        node("XnorPopcountMatMul", "c w1", "y"),
    ]
    limits = rng.integers(4, 13, NEURONS)
    constants = {"t0": [[0.5]], "w0": (FIRST + 1) / 2, "t1": limits[:, None], "w1": (LAST + 1) / 2}
    model = graph(made, constants, (1, PIXELS), CLASSES)
    network, report = imported_as_it_is(model.model)
    np.testing.assert_array_equal(network.hidden[0].thresholds, limits)
    np.testing.assert_array_equal(network.hidden[0].weights, (FIRST.T + 1) / 2)
    assert report["differing_scores"] == 0


def test_another_xnor_is_refused() -> None:
    made = [node("Sign", "x", "a"), node("XnorPopcountMatMul", "a w0", "y")]
    refused(graph(made, PLAIN, (1, PIXELS), NEURONS), "its weights are not all 0 or 1")
    made = [node("Sign", "x", "a"), node("XnorPopcountMatMul", "w0 a", "y")]
    refused(graph(made, PLAIN, (1, PIXELS), NEURONS), "with constant weights")


def test_hardware_layers_of_finn_are_named() -> None:
    made = [node("Sign", "x", "a"), node("MVAU", "a w0 m", "y")]
    refused(graph(made, PLAIN, (1, PIXELS), NEURONS), "it is a hardware layer of FINN")


# Zero of a sign.


def test_a_sign_of_three_values_is_told() -> None:
    """Of an even number of +-1; not where the sum is odd, or the three values are meant."""
    made = [*chain()[:3], node("Sign", "b", "c"), node("MatMul", "c w1", "y")]
    model = graph(made, PLAIN, (1, PIXELS), CLASSES)
    network, report = imported_as_it_is(model.model)
    assert network.kinds == {"order-2"}
    note = (
        "The node my_MatMul_b (MatMul): the sign behind it answers 0 to 0, which makes three "
        "values and a layer of order 2; half a step added before that sign makes it one bit."
    )
    assert report["notes"] == [note]
    assert text(report).splitlines()[-1] == f"note: {note}"
    _, report = imported_as_it_is(graph(chain(), PLAIN, (1, PIXELS), CLASSES).model)
    assert report["notes"] == [] and "note" not in text(report)


def test_a_shade_of_zero_is_told() -> None:
    nodes = [node("Cast", "x", "x0", to=1), node("Sub", "x0 shade", "x1"), node("Sign", "x1", "a"),
             *chain()[2:]]  # fmt: skip
    for shade, count in ((128.0, 1), (127.5, 0)):
        model = graph(nodes, {**PLAIN, "shade": shade}, (1, PIXELS), CLASSES, takes=np.uint8)
        network, report = imported_as_it_is(model.model)
        assert len(report["notes"]) == count and network.layers[0].order == 1 + count
        if count:
            assert report["notes"][0].startswith(
                "The input quantiser is a sign that answers 0 to the shade 128 alone, which makes "
                "three values and inputs of order 2;"
            )


def test_a_graph_of_more_than_a_chain_is_refused() -> None:
    two = graph(chain(), PLAIN, (1, PIXELS), CLASSES)
    two.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, (1, 2)))
    assert import_network(Qonnx(two.model))[1]["differing_bits"] == 0  # nothing takes it
    made = [node("Add", "x z", "x9"), *chain("x9")]
    both = graph(made, PLAIN, (1, PIXELS), CLASSES)
    both.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, (1, PIXELS)))
    refused(both, "The graph has 2 inputs, but a network has one")
    refused(graph(chain(add="none"), PLAIN, (1, PIXELS), CLASSES), "takes none, which nothing")
    refused(graph(chain(), PLAIN, (PIXELS,), CLASSES), "is one image without an axis for several")
    refused(graph(chain(), PLAIN, ("N", "M"), CLASSES), "input x has shape (N, M), but it must be")
    idle = graph([node("Sign", "x", "y")], {}, (1, PIXELS), PIXELS)
    refused(idle, "The QONNX file has no layer of weights.")
    two_of_them = graph(chain(weights="w"), {**PLAIN, "w": np.stack([FIRST, FIRST])}, (2, PIXELS),
                        CLASSES, takes=FLOAT)  # fmt: skip
    refused(two_of_them, "my_MatMul_b (MatMul) cannot be mapped: its output has no row of values")
    made = [*chain()[:3], node("Unsqueeze", "b shape", "b0"), node("Add", "b0 m", "b1")]
    grown = graph([*made, node("Flatten", "b1", "y")], {**PLAIN, "shape": [2]}, (1, PIXELS), 144)
    refused(grown, "my_Add_b1 (Add) cannot be mapped: it makes 144 values an image of another")
    wide = graph(chain(add="wide"), {**PLAIN, "wide": MIDDLE[:, None]}, (1, PIXELS), CLASSES)
    refused(wide, "my_Add_b1 (Add) cannot be mapped: ")
