# SPDX-License-Identifier: Apache-2.0
"""A QONNX file as a chain of layers, run node by node with the package `qonnx` and onnxruntime.

`reading` has the file, `graph` folds its constants and leaves the number of images open.  Then it
must be a chain: Conv, then MatMul or Gemm, with constant weights, and between them nodes that
treat each value alone.  What stands between two products is cut out and run on every product there
is: `chain` makes thresholds of the answers.  So it does not matter by which nodes a network is
quantised - BipolarQuant, Quant, MultiThreshold, Sign, with scales and shifts around them - as long
as up to four values in even steps come out.

Behind the last product stand the scores, and behind these whatever keeps the order of the classes,
such as a Softmax: that is tried on random scores, and then left out.

The comparison runs the whole graph.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from .ends import keeps_order, trials
from .graph import prepare
from .map_nodes import convolution
from .nodes import PRODUCTS, attribute, onnx, refusal
from .reading import read_model
from .stage import Stage
from .windows import in_order

# What may be infinite: the greatest and least of what values are compared with.
_LIMITS = frozenset({"MultiThreshold", "Clip", "Max", "Min", "Less", "Greater"})


@dataclass
class _Segment:
    """Nodes between two products: from the tensor `first` to `last`."""

    first: str
    last: str
    nodes: list[Any] = field(default_factory=list)
    tensors: set[str] = field(default_factory=set)


class Qonnx:
    """The `Source` in a graph; UserError names the node that cannot be mapped, and why."""

    kind = "QONNX file"

    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = prepare(model)
        entrance = self._graph.probes[self._graph.entrance].own
        self.shape = entrance.shape[1:]
        self.dtype = entrance.dtype
        self.inputs = int(np.prod(self.shape))
        self._check_finite()
        self._products: list[Any] = []
        self._segments = self._cut()
        self._check_ends()
        self.stages: list[Stage] = []
        for node, segment in zip(self._products, self._segments[1:], strict=True):
            self.stages.append(self._stage(node, segment))

    @property
    def grey(self) -> tuple[float, float]:
        """0 and 1, or of whole numbers those that a pixel has, as far as the type holds them."""
        if self.dtype.kind in "fb":
            return 0.0, 1.0
        return (-128.0, 127.0) if self.dtype == np.int8 else (0.0, 255.0)

    def enter(self, x: np.ndarray) -> np.ndarray:
        """What the first product takes."""
        values = self._run_segment(self._segments[0], x.reshape(len(x), *self.shape))
        return values.reshape(len(x), -1)

    def run(self, x: np.ndarray) -> list[np.ndarray]:
        """The whole graph, up to the scores."""
        given = {self._graph.entrance: x.reshape(len(x), *self.shape).astype(self.dtype)}
        tensors = self._graph.run(self._graph.nodes, given)
        return [tensors[segment.last].reshape(len(x), -1) for segment in self._segments[1:]]

    def _check_finite(self) -> None:
        graph = self._graph
        for node in graph.nodes:
            for name in node.input:
                array = graph.constants.get(name)
                if array is not None and array.dtype.kind == "f" and not np.isfinite(array).all():
                    if node.op_type in _LIMITS and not np.isnan(array).any():
                        continue  # a threshold that is never, or always, reached
                    raise refusal(node, f"its {name} holds values that are not finite")
            if node.op_type == "BatchNormalization":
                variance = graph.constants.get(node.input[4])
                epsilon = attribute(node, "epsilon", 1e-5)
                if variance is not None and (variance + epsilon <= 0).any():
                    raise refusal(node, f"its {node.input[4]} holds variances that are negative")

    def _cut(self) -> list[_Segment]:
        """What stands before, between and behind the products; fills `_products`."""
        graph = self._graph
        segments = [_Segment(graph.entrance, graph.entrance, tensors={graph.entrance})]
        for node in graph.nodes:
            segment = segments[-1]
            changing = [name for name in node.input if name in graph.probes]
            for name in changing:
                if name not in segment.tensors:
                    raise refusal(
                        node, f"it takes {name}, which is not the layer before: no chain of layers"
                    )
            if node.op_type in PRODUCTS:
                if node.input[0] != segment.last:
                    raise refusal(node, "it must multiply the layer before with constant weights")
                self._products.append(node)
                first = node.output[0]
                segments.append(_Segment(first, first, tensors={first}))
            else:
                segment.nodes.append(node)
                segment.tensors.add(node.output[0])
                segment.last = node.output[0]
        return segments

    def _check_ends(self) -> None:
        """Whether every output of the file tells the class of the greatest score."""
        if not self._products:
            return  # which `chain` tells
        graph, scores = self._graph, self._segments[-1].last
        behind = {name for node in graph.ends for name in node.output}
        for name in graph.outputs:
            if name != scores and name not in behind:
                raise UserError(
                    f"The graph's output {name} is not that of its last layer: save the network "
                    "with its scores as the only output."
                )
        probe = graph.probes[scores].own
        values = [name for node in graph.ends for name in node.output[:1] if node.op_type == "TopK"]
        told = behind.intersection(graph.outputs).difference(values)
        tries = trials(probe.size // len(probe))
        for first in range(0, len(tries), len(probe)):
            tried = np.resize(tries[first:], (len(probe), tries.shape[1])).astype(probe.dtype)
            tensors = graph.run(graph.ends, {scores: tried.reshape(probe.shape)})
            for name in told:
                if not keeps_order(tried, tensors[name]):
                    raise UserError(
                        f"What stands behind the scores {scores} does not keep the order of the "
                        f"classes in the graph's output {name}."
                    )

    def _stage(self, node: Any, segment: _Segment) -> Stage:
        constants, probes = self._graph.constants, self._graph.probes
        shape, kind = probes[segment.first].own.shape[1:], probes[segment.first].own.dtype
        weights = constants[node.input[1]]
        alpha, bias, window = 1.0, None, None
        if node.op_type == "Conv":
            of = convolution(node, weights, probes[node.input[0]].own.shape)
            before = self.stages[-1:]
            dense = of.dense(
                first=not before,
                last=node is self._products[-1],
                after_dense=bool(before) and before[0].window is None,
            )
            weights, window = in_order(weights, dense), None if dense else of.window
            if len(node.input) > 2 and node.input[2]:
                bias = constants[node.input[2]].reshape(-1, 1, 1)
        else:
            weights = self._matrix(node)
        if node.op_type == "Gemm":
            alpha = attribute(node, "alpha", 1.0)
            if len(node.input) > 2 and node.input[2]:
                bias = kind.type(attribute(node, "beta", 1.0)) * constants[node.input[2]]

        def respond(products: np.ndarray) -> np.ndarray:
            values = (kind.type(alpha) * products).reshape(len(products), *shape)
            values = (values if bias is None else values + bias).astype(kind)
            return self._run_segment(segment, values).reshape(len(products), -1)

        name = f"The node {node.name} ({node.op_type})"
        return Stage(name, weights, respond, kind, window=window)

    def _matrix(self, node: Any) -> np.ndarray:
        """The weights (m, n) of a MatMul or Gemm."""
        weights = self._graph.constants[node.input[1]]
        if weights.ndim == 1:
            weights = weights[:, None]
        if weights.ndim > 2 and weights.size == np.prod(weights.shape[-2:]):
            weights = weights.reshape(weights.shape[-2:])
        if weights.ndim != 2:
            raise refusal(node, f"its weights have {weights.ndim} dimensions, not 2")
        taken = self._graph.probes[node.input[0]].own.shape
        if taken[-1] != np.prod(taken[1:]):
            raise refusal(node, f"it multiplies values of shape {taken[1:]}, not a row an image")
        return weights if attribute(node, "transB", 0) else weights.T

    def _run_segment(self, segment: _Segment, values: np.ndarray) -> np.ndarray:
        return self._graph.run(segment.nodes, {segment.first: values})[segment.last]


def load_qonnx(path: Path) -> Qonnx:
    """The source of an .onnx file."""
    return Qonnx(read_model(path))
