# SPDX-License-Identifier: Apache-2.0
"""Nodes of an ONNX graph: what each may do in a chain of layers, and how one is run.

A node is run alone, on arrays: by qonnx if it is one of qonnx's own, else by onnxruntime, as
`qonnx.core.onnx_exec` does.  Shapes and types are those of the arrays, so none has to be inferred.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import UserError, first_line

try:
    import onnx
    import onnx.inliner
    import onnxruntime
    from qonnx.core.execute_custom_node import execute_custom_node
except ModuleNotFoundError as missing:
    raise UserError(
        f"QONNX files need the Python package {missing.name}: pip install 'xnor-fcc[import]'."
    ) from missing

CUSTOM_DOMAIN = "qonnx.custom_op.general"
# qonnx's own nodes, whatever domain an older file puts them into.
CUSTOM = frozenset({"BipolarQuant", "Quant", "IntQuant", "MultiThreshold", "XnorPopcountMatMul"})

PRODUCTS = frozenset({"MatMul", "Gemm", "Conv"})
# Constants of any shape go with each value.
BROADCASTING = frozenset(
    {
        *("Add", "Sub", "Mul", "Div", "Pow", "Mod", "Sum", "Mean", "Max", "Min", "PRelu"),
        *("Where", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Equal"),
        *("And", "Or", "Xor"),
    }
)
# Nodes whose every output value depends on the input value in its place, and on constants.
ELEMENTWISE = BROADCASTING | frozenset(
    {
        *("BipolarQuant", "Quant", "IntQuant", "MultiThreshold", "BatchNormalization"),
        *("QuantizeLinear", "DequantizeLinear", "Sign", "Neg", "Abs", "Clip", "Not"),
        *("Cast", "CastLike", "Identity", "Dropout"),
        *("Sqrt", "Reciprocal", "Floor", "Ceil", "Round", "Exp", "Log"),
        *("Relu", "LeakyRelu", "Elu", "Selu", "Celu", "ThresholdedRelu", "HardSigmoid"),
        *("Tanh", "HardTanh", "Sigmoid", "Softplus", "Softsign", "Erf"),
    }
)
# Nodes that may leave every value where it is; whether they do is found by running them.
MOVING = frozenset(
    {
        *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Expand", "Tile", "Pad"),
        *("Slice", "Split", "Concat", "Gather", "Resize", "Upsample"),
        *("DepthToSpace", "SpaceToDepth", "MaxPool", "AveragePool", "GlobalMaxPool"),
        *("GlobalAveragePool", "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"),
    }
)
# Behind the scores they keep the order of the classes; the first of them ends the scores.
ENDS = frozenset(
    {
        *("Softmax", "LogSoftmax", "Hardmax", "ArgMax", "TopK", "Sigmoid", "Tanh", "Exp"),
        *("Softplus", "Softsign", "LeakyRelu", "Elu", "Selu", "Celu"),
        # Parts of a softmax that is written out.
        *("ReduceMax", "ReduceSum", "ReduceMean", "ReduceLogSumExp"),
    }
)
# What may follow the first of them; with the constants the same for every class.
BEHIND = ENDS | frozenset(
    {
        *("Identity", "Cast", "Dropout", "Log", "Sqrt", "Add", "Sub", "Mul", "Div"),
        *("Clip", "Max", "Min"),
        *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Gather", "Slice"),
    }
)
KNOWN = PRODUCTS | ELEMENTWISE | MOVING | ENDS | {"XnorPopcountMatMul", "Shape", "Size", "If"}

RANDOM = frozenset(
    {
        *("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike"),
        *("Bernoulli", "Multinomial"),
    }
)

_POOLS = "a core pools the map of a convolution, 2x2 of it by the greatest value"
_MIXES = "it mixes the values of a layer, which must each stand alone"
_MOVES = "it moves values to other places, and only constants and the axes of maps may be moved"
_FOR_HARDWARE = "it is a hardware layer of FINN: save the network before FINN converts to those"
_REASONS = {
    **dict.fromkeys(("MaxPool", "AveragePool"), _POOLS),
    **dict.fromkeys(("GlobalMaxPool", "GlobalAveragePool"), _POOLS),
    "ConvTranspose": "a core's windows get smaller maps out of maps, not larger ones",
    **dict.fromkeys(("LayerNormalization", "InstanceNormalization", "Softmax"), _MIXES),
    **dict.fromkeys(("LogSoftmax", "Hardmax", "ArgMax", "ArgMin", "TopK"), _MIXES),
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"), _MIXES),
    **dict.fromkeys(("ReduceLogSumExp", "Concat"), _MIXES),
    **dict.fromkeys(("Transpose", "Gather", "Slice", "Split", "Pad", "Tile", "Expand"), _MOVES),
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth", "Resize", "Upsample"), _MOVES),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), "its output has no row of "
                    "values for each image"),
    **dict.fromkeys(RANDOM, "it draws random numbers"),
    **dict.fromkeys(("MVAU", "MatrixVectorActivation", "StreamingFCLayer_Batch"), _FOR_HARDWARE),
    **dict.fromkeys(("Thresholding", "Thresholding_Batch"), _FOR_HARDWARE),
    "Trunc": "it is not one of a binary network",
    "FloatQuant": "activations are of one bit or two, not small floats",
}  # fmt: skip


def refusal(node: Any, reason: str | None = None) -> UserError:
    """The sentence that names a node; the reason is the one of its kind unless given."""
    if reason is None:
        reason = _REASONS.get(node.op_type, "it is not known here")
    return UserError(f"The node {node.name} ({node.op_type}) cannot be mapped: {reason}.")


def attribute(node: Any, name: str, default: Any) -> Any:
    """An attribute's value."""
    for each in node.attribute:
        if each.name == name:
            return onnx.helper.get_attribute_value(each)
    return default


def run_node(node: Any, given: Mapping[str, np.ndarray], opset: int) -> dict[str, np.ndarray]:
    """A node's outputs by name, for arrays by name; UserError names the node and their types."""
    arrays = {name: given[name] for name in node.input if name}
    try:
        with quietly():
            if node.domain == CUSTOM_DOMAIN:
                return _run_custom(node, arrays, opset)
            return _run_onnx(node, arrays, opset)
    except Exception as cause:  # qonnx asserts, onnxruntime has errors of its own
        kinds = ", ".join(dict.fromkeys(str(array.dtype) for array in arrays.values()))
        raise refusal(
            node, f"it cannot be run on {kinds or 'nothing'} ({first_line(cause)})"
        ) from cause


@contextmanager
def quietly() -> Iterator[None]:
    """Without the warnings and log lines of qonnx and onnxruntime: what fails raises an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _run_custom(
    node: Any, arrays: dict[str, np.ndarray], opset: int
) -> dict[str, np.ndarray]:
    context = dict(arrays)
    execute_custom_node(node, context, None, opset)
    result = np.asarray(context[node.output[0]])
    taken = arrays[node.input[0]].dtype
    # qonnx computes in whatever type numpy makes of it; the node's type is that of its input.
    return {node.output[0]: result.astype(taken) if taken.kind == "f" else result}


def _run_onnx(node: Any, arrays: dict[str, np.ndarray], opset: int) -> dict[str, np.ndarray]:
    # What numpy has no type for, such as bfloat16, cannot be handed over but as a constant.
    inside = {name: array for name, array in arrays.items() if array.dtype.num >= 24}
    handed = {name: array for name, array in arrays.items() if name not in inside}
    outputs = [name for name in node.output if name]
    graph = onnx.helper.make_graph(
        [node],
        "node",
        [
            onnx.helper.make_tensor_value_info(
                name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), [None] * array.ndim
            )
            for name, array in handed.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [onnx.numpy_helper.from_array(array, name) for name, array in inside.items()],
    )
    opsets = [onnx.helper.make_opsetid("", opset)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1  # threads take longer to start than a node runs
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return dict(zip(outputs, session.run(None, handed), strict=True))
