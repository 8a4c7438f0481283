# SPDX-License-Identifier: Apache-2.0
"""A QONNX file as a chain of layers, through the package `qonnx`.

The graph is cleaned with qonnx's own transformations: shapes inferred, constants folded (with them
the quantisers of the weights), names made unique.  Then it must be a chain: MatMul or Gemm with
constant weights, and between them nodes that treat each value alone (`ELEMENTWISE`).  What stands
between two products is cut out as a graph of its own and run by qonnx, on every product there is:
`chain` makes thresholds of the answers.  So it does not matter by which nodes a network is
quantised - BipolarQuant, Quant, MultiThreshold, Sign, with scales and shifts around them - as long
as up to four values in even steps come out.

The comparison runs the whole cleaned graph by qonnx.core.onnx_exec.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError, first_line
from .chain import Stage

try:
    import onnx
    import qonnx.core.onnx_exec as onnx_exec
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation.change_batchsize import ChangeBatchSize
    from qonnx.transformation.fold_constants import FoldConstants
    from qonnx.transformation.general import (
        GiveUniqueNodeNames,
        GiveUniqueParameterTensors,
        RemoveStaticGraphInputs,
        RemoveUnusedTensors,
    )
    from qonnx.transformation.infer_shapes import InferShapes
    from qonnx.transformation.quant_constant_folding import FoldTransposeIntoQuantInit
except ModuleNotFoundError as missing:
    raise UserError(
        f"QONNX files need the Python package {missing.name}: pip install 'xnor-fcc[import]'."
    ) from missing

PRODUCTS = frozenset({"MatMul", "Gemm"})
# Nodes whose every output value depends on the input value in its place, and on constants.
ELEMENTWISE = frozenset(
    {
        *("BipolarQuant", "Quant", "IntQuant", "MultiThreshold", "Sign", "BatchNormalization"),
        *("Add", "Sub", "Mul", "Div", "Neg", "Abs", "Clip", "Relu", "Tanh", "HardTanh", "Sqrt"),
        *("Floor", "Ceil", "Round", "Cast", "Identity", "Dropout", "Where", "Greater", "Less"),
        *("GreaterOrEqual", "LessOrEqual", "Not", "Reshape", "Flatten", "Squeeze", "Unsqueeze"),
    }
)
# What a file has where the number of images is left open; folded away with it.
_FOLDED = frozenset({"Shape", "Gather", "Slice", "Concat"})
# Behind the scores; they change no class.
_ENDS = frozenset({"Softmax", "LogSoftmax", "ArgMax", "TopK"})

_NOT_CONNECTED = "a core computes fully connected layers only"
_MIXES = "it mixes the values of a layer, which must each stand alone"
_REASONS = {
    "Conv": _NOT_CONNECTED,
    "ConvTranspose": _NOT_CONNECTED,
    "MaxPool": _NOT_CONNECTED,
    "AveragePool": _NOT_CONNECTED,
    "GlobalAveragePool": _NOT_CONNECTED,
    "LayerNormalization": _MIXES,
    "InstanceNormalization": _MIXES,
    "ReduceMean": _MIXES,
    "ReduceSum": _MIXES,
    "Transpose": "it moves values to other places, and only constants may be transposed",
    "Trunc": "it is not one of a quantised fully connected network",
    "FloatQuant": "activations are of one bit or two, not small floats",
}


class Qonnx:
    """The `Source` in a graph; UserError names the node that cannot be mapped, and why."""

    kind = "QONNX file"
    grey = (0.0, 1.0)

    def __init__(self, model: ModelWrapper) -> None:
        _check_operators(model)
        self._model = _clean(model)
        graph = self._model.graph
        if len(graph.input) != 1 or len(graph.output) != 1:
            raise UserError(
                f"The graph has {len(graph.input)} inputs and {len(graph.output)} outputs, but a "
                "network has one of each."
            )
        self._entrance = graph.input[0].name
        shape = self._model.get_tensor_shape(self._entrance)
        if not shape or len(shape) < 2 or min(shape[1:]) < 1:
            raise UserError(
                f"The graph's input {self._entrance} has shape {shape}, but it must be known but "
                "for the batch."
            )
        self._shape = tuple(shape[1:])
        self.inputs = int(np.prod(self._shape))
        self._check_finite()
        self._segments = self._cut()
        self.stages = [
            self._stage(node, segment)
            for node, segment in zip(self._products, self._segments[1:], strict=True)
        ]

    def enter(self, x: np.ndarray) -> np.ndarray:
        """What the first product takes, run by qonnx."""
        return self._run_segment(self._segments[0], x.reshape(len(x), *self._shape))

    def run(self, x: np.ndarray) -> list[np.ndarray]:
        """The whole graph run by qonnx."""
        model = _batch_of(self._model, len(x))
        given = {self._entrance: x.reshape(len(x), *self._shape).astype(np.float32)}
        context = _execute(model, given, full=True)
        return [context[segment.last] for segment in self._segments[1:]]

    def _check_finite(self) -> None:
        for node in self._model.graph.node:
            for name in node.input:
                array = self._model.get_initializer(name) if name else None
                if array is not None and array.dtype.kind == "f" and not np.isfinite(array).all():
                    if node.op_type == "MultiThreshold" and not np.isnan(array).any():
                        continue  # a threshold that is never, or always, reached
                    raise _refuse(node, f"its {name} holds values that are not finite")
            if node.op_type == "BatchNormalization":
                epsilon = [each.f for each in node.attribute if each.name == "epsilon"] or [1e-5]
                variance = self._model.get_initializer(node.input[4])
                if variance is not None and (variance + epsilon[0] <= 0).any():
                    raise _refuse(node, f"its {node.input[4]} holds variances that are negative")

    def _cut(self) -> list[_Segment]:
        """What stands before, between and behind the products; fills `_products`."""
        self._products: list[Any] = []
        segments = [_Segment(self._entrance)]
        nodes = list(self._model.graph.node)
        while nodes and nodes[-1].op_type in _ENDS:
            nodes.pop()
        for node in nodes:
            segment = segments[-1]
            changing = [
                name for name in node.input if name and self._model.get_initializer(name) is None
            ]
            for name in changing:
                if name not in segment.tensors:
                    raise _refuse(
                        node, f"it takes {name}, which is not the layer before: no chain of layers"
                    )
            if node.op_type in PRODUCTS:
                if list(node.input)[:1] != changing or node.input[0] != segment.last:
                    raise _refuse(node, "it must multiply the layer before with constant weights")
                self._products.append(node)
                segments.append(_Segment(node.output[0]))
            elif node.op_type in ELEMENTWISE:
                segment.nodes.append(node)
                segment.tensors.update(node.output)
                segment.last = node.output[0]
            else:
                raise _refuse(node, _REASONS.get(node.op_type, "it is not known here"))
        return segments

    def _stage(self, node: Any, segment: _Segment) -> Stage:
        attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        weights = self._model.get_initializer(node.input[1])
        if weights.ndim != 2:
            raise _refuse(node, f"its weights have {weights.ndim} dimensions, not 2")
        taken = self._model.get_tensor_shape(node.input[0])
        if taken is not None and len(taken) != 2:
            raise _refuse(node, f"it multiplies values of shape {tuple(taken)}, not a row an image")
        alpha, bias = np.float32(1), None
        if node.op_type == "Gemm":
            if attributes.get("transA"):
                raise _refuse(node, "it transposes the layer before")
            alpha = np.float32(attributes.get("alpha", 1.0))
            if len(node.input) > 2 and node.input[2]:
                bias = np.float32(attributes.get("beta", 1.0)) * self._model.get_initializer(
                    node.input[2]
                )
        if not attributes.get("transB"):
            weights = weights.T

        def respond(products: np.ndarray) -> np.ndarray:
            values = alpha * products.astype(np.float32)
            return self._run_segment(segment, values if bias is None else values + bias)

        return Stage(f"The node {node.name} ({node.op_type})", weights, respond)

    def _run_segment(self, segment: _Segment, values: np.ndarray) -> np.ndarray:
        if not segment.nodes:
            return values
        value = onnx.helper.make_tensor_value_info
        kind = onnx.TensorProto.FLOAT
        given = [len(values), *(self._model.get_tensor_shape(segment.last) or [0])[1:]]
        graph = onnx.helper.make_graph(
            segment.nodes,
            "segment",
            [value(segment.first, kind, values.shape)],
            [value(segment.last, kind, given)],
            [
                each
                for each in self._model.graph.initializer
                if any(each.name in node.input for node in segment.nodes)
            ],
        )
        model = onnx.helper.make_model(graph, opset_imports=self._model.model.opset_import)
        model.ir_version = self._model.model.ir_version
        batch = _batch_of(ModelWrapper(model), len(values))
        return _execute(batch, {segment.first: values.astype(np.float32)})[segment.last]


class _Segment:
    """Nodes between two products: from the tensor `first` to `last`."""

    def __init__(self, first: str) -> None:
        self.first = self.last = first
        self.nodes: list[Any] = []
        self.tensors = {first}


def load_qonnx(path: Path) -> Qonnx:
    """The source of an .onnx file."""
    try:
        model = ModelWrapper(onnx.load(str(path)))
    except Exception as cause:  # protobuf's own errors are not public
        raise UserError(f"{path} is not an ONNX file.") from cause
    if not model.graph.node or not model.graph.input:
        raise UserError(f"{path} is not an ONNX file: it holds no graph.")
    return Qonnx(model)


def _refuse(node: Any, reason: str) -> UserError:
    return UserError(f"The node {node.name} ({node.op_type}) cannot be mapped: {reason}.")


def _check_operators(model: ModelWrapper) -> None:
    """Before qonnx stumbles over an operator that it does not know; on constants it may be any."""
    changing = {each.name for each in model.graph.input}
    changing -= {each.name for each in model.graph.initializer}
    for i, node in enumerate(model.graph.node):
        if not node.name:
            node.name = f"{node.op_type}_{i}"
        if changing.isdisjoint(node.input):
            continue
        changing.update(node.output)
        if node.op_type not in PRODUCTS | ELEMENTWISE | _FOLDED | _ENDS:
            raise _refuse(node, _REASONS.get(node.op_type, "it is not known here"))


def _clean(model: ModelWrapper) -> ModelWrapper:
    """qonnx's clean-up, with the node names of the file, and weights folded through quantisers."""
    names = [node.name for node in model.graph.node]
    for node in model.graph.node:
        if node.op_type in ("Quant", "IntQuant", "BipolarQuant", "MultiThreshold"):
            node.domain = "qonnx.custom_op.general"
    steps = [
        InferShapes(),
        GiveUniqueParameterTensors(),
        FoldConstants(exclude_op_types=[]),
        FoldTransposeIntoQuantInit(),
        RemoveUnusedTensors(),
        RemoveStaticGraphInputs(),
        *([GiveUniqueNodeNames()] if len(set(names)) < len(names) else []),
    ]
    model = _batch_of(model, 1)
    try:
        with _quietly():
            for step in steps:
                model = model.transform(step)
    except Exception as cause:  # qonnx asserts, onnxruntime has errors of its own
        raise UserError(f"qonnx cannot clean up the graph: {first_line(cause)}.") from cause
    return model


def _batch_of(model: ModelWrapper, rows: int) -> ModelWrapper:
    """The same graph for so many images at once, shapes inferred."""
    try:
        with _quietly():
            changed = model.transform(ChangeBatchSize(rows))  # of a copy
            # ChangeBatchSize drops the shapes of constants too.
            return ModelWrapper(changed.model).transform(InferShapes())
    except Exception as cause:
        raise UserError(f"The shapes of the graph do not fit: {first_line(cause)}.") from cause


def _execute(model: ModelWrapper, given: dict[str, np.ndarray], full: bool = False) -> Any:
    try:
        with _quietly():
            return onnx_exec.execute_onnx(model, given, return_full_exec_context=full)
    except Exception as cause:
        raise UserError(f"qonnx cannot run the graph: {first_line(cause)}.") from cause


@contextmanager
def _quietly() -> Iterator[None]:
    """Without qonnx's warnings about versions of operators, which it handles."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
