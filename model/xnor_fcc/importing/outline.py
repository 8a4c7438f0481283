# SPDX-License-Identifier: Apache-2.0
"""The outline of an ONNX graph: the nodes that count, its input, and where the scores are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import UserError
from .nodes import CUSTOM, CUSTOM_DOMAIN, PRODUCTS, onnx

# The types of inputs that numpy has too.
_TYPES = {
    *("FLOAT", "DOUBLE", "FLOAT16", "BOOL", "INT8", "INT16", "INT32", "INT64"),
    *("UINT8", "UINT16", "UINT32", "UINT64"),
}


def needed(graph: onnx.GraphProto) -> list[Any]:
    """Copies of the nodes that an output depends on, each with a name and a domain of today."""
    wanted = {each.name for each in graph.output}
    names = Counter(each.name for each in graph.node)
    kept = []
    for i, original in reversed(list(enumerate(graph.node))):
        if wanted.isdisjoint(original.output):
            continue
        node = onnx.NodeProto()
        node.CopyFrom(original)
        if node.domain == "ai.onnx":
            node.domain = ""
        if not node.name or names[node.name] > 1:
            node.name = f"{node.name or node.op_type}_{i}"
        if node.op_type in CUSTOM:
            node.domain = CUSTOM_DOMAIN
        kept.append(node)
        wanted |= taken_by(node)
    return kept[::-1]


def taken_by(node: Any) -> set[str]:
    """What a node takes, graphs inside of it too."""
    names = set(node.input)
    for each in node.attribute:
        for inner in ([each.g] if each.HasField("g") else []) + list(each.graphs):
            for inside in inner.node:
                names |= taken_by(inside)
            names |= {output.name for output in inner.output}
    return names - {""}


def data_of(node: Any) -> set[str]:
    """What the values of a node's output depend on, beyond shapes and types."""
    if node.op_type in ("Shape", "Size"):
        return set()
    return {node.input[0]} if node.op_type == "CastLike" else taken_by(node)


def entrance_of(
    graph: onnx.GraphProto, constants: Mapping[str, np.ndarray], nodes: Iterable[Any]
) -> tuple[str, int, tuple[int, ...], np.dtype[Any]]:
    """The graph's only input: its name, number of images, shape of one image and type."""
    inputs = [each for each in graph.input if each.name not in constants]
    if len(inputs) > 1:
        used: set[str] = set().union(*(taken_by(node) for node in nodes))
        inputs = [each for each in inputs if each.name in used] or inputs
    if len(inputs) != 1:
        raise UserError(f"The graph has {len(inputs)} inputs, but a network has one.")
    name, kind = inputs[0].name, inputs[0].type.tensor_type
    sizes = [each.dim_value for each in kind.shape.dim]
    if len(sizes) == 1:
        raise UserError(
            f"The graph's input {name} of shape {sizes} is one image without an axis for several: "
            "save the network for a batch of 1."
        )
    if len(sizes) < 2 or min(sizes[1:]) < 1:
        shape = ", ".join(each.dim_param or f"{each.dim_value}" for each in kind.shape.dim)
        raise UserError(
            f"The graph's input {name} has shape ({shape}), but it must be known but for the batch."
        )
    called = onnx.TensorProto.DataType.Name(kind.elem_type)
    if called not in _TYPES:
        raise UserError(
            f"The graph's input {name} is of type {called.lower()}, which cannot be imported: "
            "save the network in float32."
        )
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
    return name, sizes[0] or _written(nodes, constants, sizes), tuple(sizes[1:]), dtype


def _written(nodes: Iterable[Any], constants: Mapping[str, np.ndarray], sizes: list[int]) -> int:
    """The number of images that an exporter left in a view where the input has it open; else 1."""
    for node in nodes:
        shape = constants.get(node.input[1]) if node.op_type == "Reshape" else None
        if shape is None or shape.size < 2 or shape[0] < 2:
            continue
        if np.prod(shape[1:]) < 0 or np.prod(shape[1:]) == np.prod(sizes[1:]):
            return int(shape[0])
    return 1


def last_product(nodes: list[Any], entrance: str) -> str:
    """The name of the last node that multiplies what depends on the images."""
    changing, last = {entrance}, ""
    for node in nodes:
        if changing.isdisjoint(data_of(node)):
            continue
        changing.update(node.output)
        if node.op_type in PRODUCTS | {"XnorPopcountMatMul"}:
            last = node.name
    return last
