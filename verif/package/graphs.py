# SPDX-License-Identifier: Apache-2.0
"""ONNX graphs written node by node, for the tests of the import, and what runs them as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from xnor_fcc.importing.command import import_network
from xnor_fcc.importing.nodes import CUSTOM, CUSTOM_DOMAIN
from xnor_fcc.importing.qonnx import Qonnx
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.reference import evaluate

# Widths of `network`: 16 pixels, 12 neurons, 4 classes.
PIXELS, NEURONS, CLASSES = 16, 12, 4


def signs(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.choice([-1.0, 1.0], shape)


def node(kind: str, inputs: str, output: str, **attributes: Any) -> Any:
    """A node of names apart by spaces, called by its kind and first output."""
    domain = {"domain": CUSTOM_DOMAIN} if kind in CUSTOM else {}
    outputs = output.split()
    return helper.make_node(kind, inputs.split(), outputs, name=f"my_{kind}_{outputs[0]}",
                            **domain, **attributes)  # fmt: skip


def graph(
    nodes: Sequence[Any],
    constants: Mapping[str, Any],
    shape: Sequence[int | str | None],
    outputs: int,
    takes: Any = np.float32,
    opset: int = 13,
    gives: Sequence[str] = ("y",),
) -> ModelWrapper:
    """A model from the input `x` of this shape and type to outputs, `y` unless told.

    Constants are of float32 unless they are arrays of whole numbers, truth values or float16, or
    are called `shape...`.
    """
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(takes))
    made = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info("x", kind, shape)],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, (shape[0], outputs))
            if gives == ("y",) and takes is np.float32
            else onnx.ValueInfoProto(name=name)
            for name in gives
        ],
        [numpy_helper.from_array(_constant(name, v), name) for name, v in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(CUSTOM_DOMAIN, 1)]
    return ModelWrapper(helper.make_model(made, opset_imports=opsets, ir_version=8))


def _constant(name: str, value: Any) -> np.ndarray:
    if isinstance(value, np.ndarray) and value.dtype != np.float64:
        return value
    if isinstance(value, np.ndarray) and name.startswith("double"):
        return value
    return np.asarray(value, np.int64 if name.startswith("shape") else np.float32)


def as_it_is(model: onnx.ModelProto, given: np.ndarray) -> list[np.ndarray]:
    """The last output of an unchanged model for each (K, its own number of images, ...): by
    onnxruntime, or by qonnx if it holds nodes of that."""
    name, answer = model.graph.input[0].name, model.graph.output[-1].name
    if any(each.domain for each in model.graph.node):
        shaped = ModelWrapper(model).transform(InferShapes())
        return [execute_onnx(shaped, {name: x})[answer] for x in given]
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return [session.run([answer], {name: x})[0] for x in given]


def imported_as_it_is(
    model: onnx.ModelProto, images: int = 30, batch: int = 1, **options: Any
) -> tuple[IntegerNetwork, dict[str, Any]]:
    """Import a model, and hold its classes against those of the model itself, unchanged, for
    `batch` images at a time. Returns network and report."""
    source = Qonnx(model)
    network, report = import_network(source, images=images, **options)
    assert report["differing_bits"] == report["undecided_bits"] == report["wrong_bits"] == 0
    assert not report["differing_scores"]
    pixels = network.pixels
    image = (source.inputs,) if pixels is None else (pixels.side, pixels.side, pixels.colours)
    grey = np.random.default_rng(1).integers(0, 256, (images // batch * batch, *image))
    if "bits" in options:
        values = np.where(grey < 128, *options["bits"])
    else:
        low, high = options.get("grey", source.grey)
        values = grey * (high - low) / 255 + low
    shape = [each.dim_value for each in model.graph.input[0].type.tensor_type.shape.dim][1:]
    if pixels is not None and tuple(shape) != image:
        values = values.transpose(0, 3, 1, 2)
    given = values.astype(source.dtype).reshape(-1, batch, *shape)
    theirs = as_it_is(model, given)
    mine = evaluate(network, network.inputs_from(grey.astype(np.uint8))).classes
    for i, answer in enumerate(theirs):
        flat = np.asarray(answer).reshape(batch, -1)
        classes = flat.argmax(axis=1) if flat.dtype.kind == "f" else flat[:, 0]
        np.testing.assert_array_equal(classes, mine[i * batch : (i + 1) * batch])
    assert len(set(mine.tolist())) > 1
    return network, report
