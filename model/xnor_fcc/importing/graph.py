# SPDX-License-Identifier: Apache-2.0
"""An ONNX graph made ready for a chain: constants folded, the number of images left open.

The graph is run once, node by node, on as many images as its file says (`Probe.own`).  What depends
on no image is a constant from then on, whatever nodes it comes out of; so is a shape.  Every other
node is brought into a form for any number of images and run again on another number of them
(`Probe.other`):

- a node that moves values must leave each where it is, and becomes a Reshape of each image; those
  of maps may turn their axes, or pool them (`map_nodes`), and what stands in front of the first
  layer, if that is a convolution, may do what it likes;
- the zeros that a first convolution puts around its map are put there by a node of their own;
- one that treats each value alone must answer as many values as it takes, and a constant of it
  that holds a row for every image must hold the same one for all;
- XnorPopcountMatMul, of bits 0 and 1, becomes a MatMul of +-1 with its scaling around it.

`Graph.ends` are the nodes behind the scores, as the file has them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import UserError, first_line
from .map_nodes import Place, convolution, may_move, pads_of
from .nodes import (
    BEHIND,
    BROADCASTING,
    ELEMENTWISE,
    ENDS,
    KNOWN,
    MOVING,
    PRODUCTS,
    RANDOM,
    attribute,
    onnx,
    refusal,
    run_node,
)
from .outline import data_of, entrance_of, last_product, needed


@dataclass(frozen=True)
class Probe:
    """A tensor on as many images as the file says, and on another number of them."""

    own: np.ndarray
    other: np.ndarray


@dataclass
class Graph:
    """Nodes for any number of images, in order, with their constants.

    `probes` has every tensor that depends on the images; `batch` is the file's number of them.
    """

    entrance: str
    batch: int
    opset: int
    outputs: list[str]
    constants: dict[str, np.ndarray]
    nodes: list[Any] = field(default_factory=list)
    ends: list[Any] = field(default_factory=list)
    probes: dict[str, Probe] = field(default_factory=dict)

    @property
    def scores(self) -> str:
        """The last tensor that is not behind the scores."""
        return str(self.nodes[-1].output[0]) if self.nodes else self.entrance

    def run(self, nodes: Iterable[Any], given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Every tensor of these nodes by name, from those given by name."""
        tensors = dict(given)
        for node in nodes:
            tensors.update(run_node(node, _Both(tensors, self.constants), self.opset))
        return tensors


class _Both(dict[str, np.ndarray]):
    """The tensors, and where there is none of a name, the constants."""

    def __init__(self, tensors: Mapping[str, np.ndarray], constants: Mapping[str, np.ndarray]):
        super().__init__(tensors)
        self._constants = constants

    def __missing__(self, name: str) -> np.ndarray:
        return self._constants[name]


def prepare(model: onnx.ModelProto) -> Graph:
    """The graph of a model; UserError names the node that no chain of layers has, and why."""
    if model.functions:
        try:
            model = onnx.inliner.inline_local_functions(model)
        except Exception as cause:
            raise UserError(
                f"The functions of the file cannot be put in: {first_line(cause)}."
            ) from cause
    constants = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    nodes = needed(model.graph)
    entrance, batch, image, kind = entrance_of(model.graph, constants, nodes)
    opsets = {each.domain or "ai.onnx": each.version for each in model.opset_import}
    outputs = [each.name for each in model.graph.output]
    graph = Graph(entrance, batch, opsets.get("ai.onnx", 13), outputs, constants)
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2, (batch + 1, *image)).astype(kind)
    graph.probes[entrance] = Probe(values[:batch], values)
    _Preparation(graph, nodes).run()
    return graph


class _Preparation:
    """The one run over the nodes of a file that fills a `Graph`."""

    def __init__(self, graph: Graph, nodes: list[Any]) -> None:
        self._graph = graph
        self._nodes = deque(nodes)
        self._last = last_product(nodes, graph.entrance)
        self._maps = any(node.op_type == "Conv" for node in nodes)
        self._count = 0

    @property
    def _place(self) -> Place:
        """Where the next node stands."""
        kinds = [each.op_type for each in self._graph.nodes if each.op_type in PRODUCTS]
        if not kinds and self._maps:
            return Place.IMAGE
        return Place.MAP if kinds and kinds[-1] == "Conv" else Place.ROW

    def run(self) -> None:
        """Fill the graph's nodes, ends, constants and probes."""
        graph = self._graph
        while self._nodes:
            node = self._nodes.popleft()
            if node.op_type in RANDOM:
                raise refusal(node)
            changing = [name for name in node.input if name in graph.probes]
            for name in node.input:
                if name and name not in graph.constants and name not in graph.probes:
                    raise refusal(node, f"it takes {name}, which nothing before it gives")
            if node.op_type == "If" and not changing:
                self._branch(node)
            elif not data_of(node) & graph.probes.keys():
                graph.constants.update(self._own(node))
            elif node.op_type not in KNOWN or node.op_type == "If":
                raise refusal(node)
            elif self._last == "" and (graph.ends or node.op_type in ENDS):
                self._end(node)
            else:
                self._layer(node, changing)
            if node.name == self._last:
                self._last = ""

    def _own(self, node: Any) -> dict[str, np.ndarray]:
        """A node's outputs on the file's own number of images."""
        graph = self._graph
        own = {name: probe.own for name, probe in graph.probes.items() if name in node.input}
        return run_node(node, _Both(own, graph.constants), graph.opset)

    def _branch(self, node: Any) -> None:
        """Put the nodes of the branch that is taken in place of an If on a constant."""
        taken = bool(self._graph.constants[node.input[0]].all())
        branch = attribute(node, "then_branch" if taken else "else_branch", None)
        self._graph.constants.update(
            {each.name: onnx.numpy_helper.to_array(each) for each in branch.initializer}
        )
        named = [
            onnx.helper.make_node("Identity", [inside.name], [outside], f"{node.name}_{outside}")
            for inside, outside in zip(branch.output, node.output, strict=True)
        ]
        self._nodes.extendleft(reversed([*branch.node, *named]))

    def _end(self, node: Any) -> None:
        """A node behind the scores: it must keep the order of the classes."""
        graph = self._graph
        constants = [graph.constants[name] for name in node.input if name in graph.constants]
        uneven = any(len(np.unique(array)) > 1 for array in constants if array.dtype.kind == "f")
        if node.op_type not in BEHIND or uneven or not attribute(node, "largest", 1):
            raise refusal(
                node, "it stands behind the scores and does not keep the order of the classes"
            )
        behind = {name for each in graph.ends for name in each.output} | {graph.scores}
        for name in node.input:
            if name in graph.probes and name not in behind:
                raise refusal(node, f"it takes {name}, which is not the scores")
        graph.ends.append(node)
        own = self._own(node)
        graph.probes.update({name: Probe(array, array) for name, array in own.items()})

    def _layer(self, node: Any, changing: list[str]) -> None:
        for each in self._opened(node, changing):
            self._graph.nodes.append(each)
            data = {name: self._graph.probes[name] for name in each.input
                    if name in self._graph.probes}  # fmt: skip
            made = [
                self._graph.run([each], {name: getattr(probe, which) for name, probe in
                                         data.items()})
                for which in ("own", "other")
            ]  # fmt: skip
            name = each.output[0]
            probe = Probe(made[0][name], made[1][name])
            own, other = (len(array) if array.ndim else 0 for array in (probe.own, probe.other))
            batch = self._graph.batch
            # Each position of a map may be a row of its own.
            several = self._place == Place.MAP and each.op_type not in PRODUCTS
            if not own or own * (batch + 1) != other * batch or not (several or own == batch):
                raise refusal(node, "its output has no row of values for each image")
            free = self._place == Place.IMAGE or each.op_type in PRODUCTS | {"MaxPool"}
            if not free and any(
                probe.own.size != taken.own.size for taken in data.values()
            ):
                raise refusal(
                    node, f"it makes {probe.own.size // len(probe.own)} values an image of another "
                    "number of them"
                )  # fmt: skip
            self._graph.probes[name] = probe

    def _opened(self, node: Any, changing: list[str]) -> list[Any]:
        """The nodes for any number of images that do what this one does."""
        if node.op_type == "XnorPopcountMatMul":
            return self._of_signs(node)
        if node.op_type in MOVING:
            try:
                return [self._view(node, changing)]
            except UserError:
                taken = self._graph.probes[changing[0]].own.shape
                if not may_move(node, self._place, taken):
                    raise
            return [node]
        if node.op_type == "BatchNormalization":
            # Before version 14 more than one output tells the mode.
            several = self._graph.opset < 14 and len([n for n in node.output if n]) > 1
            if several or attribute(node, "training_mode", 0):
                raise _in_training(node)
        if node.op_type == "Dropout":
            ratio, training = ([*node.input[1:], "", ""][i] for i in (0, 1))
            trained = bool(training) and bool(self._graph.constants.get(training, True))
            if trained and self._graph.constants.get(ratio, np.array(0.5)).any():
                raise _in_training(node)
            return [onnx.helper.make_node("Identity", node.input[:1], node.output[:1], node.name)]
        if node.op_type == "CastLike":
            kind = onnx.helper.np_dtype_to_tensor_dtype(self._own(node)[node.output[0]].dtype)
            return [
                onnx.helper.make_node("Cast", node.input[:1], node.output[:1], node.name, to=kind)
            ]
        if node.op_type in BROADCASTING | PRODUCTS:
            self._rows(node, changing)
        if node.op_type == "Conv":
            return self._convolution(node, changing)
        if node.op_type in PRODUCTS:
            self._check_product(node, changing)
        elif node.op_type not in ELEMENTWISE:
            raise refusal(node)
        return [node]

    def _convolution(self, node: Any, changing: list[str]) -> list[Any]:
        """A Conv, and in front of the first one what puts zeros around its map."""
        if list(node.input)[:1] != changing:
            raise refusal(node, _NO_CONSTANT)
        weights, given = self._graph.constants[node.input[1]], self._graph.probes[changing[0]].own
        of = convolution(node, weights, given.shape)
        reason = of.refusal(first=self._place == Place.IMAGE)
        if reason is not None:
            raise refusal(node, reason)
        pads = pads_of(node, weights)
        if not any(pads):
            return [node]
        around = np.array([0, 0, *pads[:2], 0, 0, *pads[2:]], np.int64)
        padded = f"{node.output[0]}/padded"
        inside = onnx.NodeProto()
        inside.CopyFrom(node)
        del inside.attribute[:]
        inside.input[0] = padded
        return [self._made(node, "Pad", changing[0], around, padded), inside]

    def _check_product(self, node: Any, changing: list[str]) -> None:
        if list(node.input)[:1] != changing:
            raise refusal(node, _NO_CONSTANT)
        if attribute(node, "transA", 0):
            raise refusal(node, "it transposes the layer before")
        weights = self._graph.constants[node.input[1]]
        given = self._graph.probes[changing[0]].own.shape[-1]
        taken = weights.shape[-1 if attribute(node, "transB", 0) or weights.ndim < 2 else -2]
        if given != taken:
            what = "neurons" if any(each.op_type in PRODUCTS for each in self._graph.nodes) else (
                "values of an image")  # fmt: skip
            raise UserError(
                f"The node {node.name} ({node.op_type}) has {taken} inputs, but {given} {what} are "
                "before it."
            )

    def _view(self, node: Any, changing: list[str]) -> Any:
        """A Reshape in place of a node that leaves every value of an image where it is."""
        own = self._graph.probes[changing[0]].own
        values = np.arange(own.size, dtype=np.float32).reshape(own.shape)
        if (values.astype(own.dtype) == values).all():
            values = values.astype(own.dtype)
        if len(changing) > 1:
            raise refusal(node)
        try:
            given = _Both({changing[0]: values}, self._graph.constants)
            moved = run_node(node, given, self._graph.opset)[node.output[0]]
        except UserError as cause:
            raise refusal(node) from cause
        rows = moved.ndim and len(moved) == len(values)
        several = self._place == Place.MAP and moved.ndim and len(moved) % self._graph.batch == 0
        if not (rows or several) or not np.array_equal(moved.ravel(), values.ravel()):
            raise refusal(node)
        shape = np.array([0 if rows else -1, *moved.shape[1:]], np.int64)
        return self._made(node, "Reshape", changing[0], shape, node.output[0])

    def _rows(self, node: Any, changing: list[str]) -> None:
        """Constants without the dimensions of 1 that they have before those of the layer, and one
        row in place of those that hold one for every image, all the same."""
        batch = self._graph.batch
        rank = max(self._graph.probes[name].own.ndim for name in changing)
        for i, name in enumerate(node.input):
            array = given = self._graph.constants.get(name)
            if array is None or given is None:
                continue
            while array.ndim > rank and len(array) == 1:
                array = array[0]
            weights = node.op_type in PRODUCTS and i == 1
            if batch > 1 and not weights and array.ndim == rank and len(array) == batch:
                if (array != array[:1]).any():
                    raise refusal(
                        node, f"its {name} differs from image to image of a batch of {batch}"
                    )
                array = array[:1]
            if array.shape != given.shape:
                node.input[i] = self._constant(name, array)

    def _of_signs(self, node: Any) -> list[Any]:
        """P of bits as products of signs: with x and w of +-1, P = (x . w + inputs) / 2."""
        bits, weights = node.input[0], self._graph.constants.get(node.input[1])
        if weights is None:
            raise refusal(node, _NO_CONSTANT)
        if not np.isin(weights, (0, 1)).all():
            raise refusal(node, "its weights are not all 0 or 1")
        kind = self._graph.probes[bits].own.dtype
        names = [f"{node.output[0]}/{step}" for step in ("twice", "signs", "dot", "sum")]

        def number(value: float) -> np.ndarray:
            return np.array(value, kind)

        return [
            self._made(node, "Mul", bits, number(2), names[0]),
            self._made(node, "Sub", names[0], number(1), names[1]),
            self._made(node, "MatMul", names[1], (2 * weights - 1).astype(kind), names[2]),
            self._made(node, "Add", names[2], number(len(weights)), names[3]),
            self._made(node, "Mul", names[3], number(0.5), node.output[0]),
        ]

    def _made(self, node: Any, kind: str, given: str, constant: np.ndarray, output: str) -> Any:
        """A node in place of another, or of a part of it, of that one's name."""
        name = self._constant(output, constant)
        return onnx.helper.make_node(kind, [given, name], [output], node.name)

    def _constant(self, name: str, array: np.ndarray) -> str:
        """A constant of a name that is not taken."""
        self._count += 1
        own = f"{name}/{self._count}"
        self._graph.constants[own] = array
        return own


_NO_CONSTANT = "it must multiply the layer before with constant weights"


def _in_training(node: Any) -> UserError:
    return refusal(
        node, "it was saved in training mode, in which it depends on the other images: save the "
        "network after module.eval()"
    )  # fmt: skip
