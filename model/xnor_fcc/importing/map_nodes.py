# SPDX-License-Identifier: Apache-2.0
"""Nodes of an ONNX graph on maps: which convolutions, pools and moves a core has."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np

from .nodes import attribute, refusal
from .windows import Convolution

# What may make the first map of an image; whether that is one is found by running it.
_OF_IMAGES = frozenset({"Transpose", "Pad", "Concat", "Gather", "Slice", "Expand", "Tile"})


class Place(Enum):
    """Where in a network a node stands."""

    IMAGE = "in front of the first layer, a convolution"
    MAP = "behind a convolution"
    ROW = "in front of a dense layer, or behind one"


def may_move(node: Any, place: Place, shape: tuple[int, ...]) -> bool:
    """Whether a node may move, or pool, the values (N, ...) that it takes; UserError if it is a
    pool that no core has."""
    if place == Place.IMAGE:
        return node.op_type in _OF_IMAGES
    if place == Place.ROW or len(shape) != 4:
        return False
    if node.op_type == "MaxPool":
        _check_pool(node, shape)
        return True
    return node.op_type == "Transpose" and list(attribute(node, "perm", [3]))[:1] == [0]


def _check_pool(node: Any, shape: tuple[int, ...]) -> None:
    kernel, strides = list(attribute(node, "kernel_shape", [])), attribute(node, "strides", [1, 1])
    pads, dilations = attribute(node, "pads", [0]), attribute(node, "dilations", [1])
    sizes = "x".join(map(str, kernel)), "x".join(map(str, strides))
    side = shape[2]
    if kernel != [2, 2] or list(strides) != [2, 2] or max(dilations) > 1:
        raise refusal(
            node, f"it pools {sizes[0]} by steps of {sizes[1]}, a core 2x2 by steps of 2x2"
        )
    padded = any(pads) or attribute(node, "auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID")
    if padded or side % 2 or shape[3] % 2:
        raise refusal(node, f"it pools a map of {side}x{shape[3]}, and a core one of even sides")


def convolution(node: Any, weights: np.ndarray, given: tuple[int, ...]) -> Convolution:
    """The sizes of a Conv on (N, channels, ...), with the zeros that it puts around."""
    kernel, pads = weights.shape[2:], pads_of(node, weights)
    around = tuple(
        size + pads[i] + pads[i + len(kernel)] for i, size in enumerate(given[2:])
    ) if len(kernel) == len(given) - 2 else given[2:]  # fmt: skip
    return Convolution(
        kernel,
        tuple(attribute(node, "strides", [1] * len(kernel))),
        tuple(attribute(node, "dilations", [1] * len(kernel))),
        attribute(node, "group", 1),
        (given[1], *around),
        any(pads),
    )


def pads_of(node: Any, weights: np.ndarray) -> list[int]:
    """Zeros before each axis of a map, then behind each."""
    kernel = weights.shape[2:]
    how = attribute(node, "auto_pad", b"NOTSET")
    if how == b"SAME_UPPER":
        return [(k - 1) // 2 for k in kernel] + [k // 2 for k in kernel]
    if how == b"SAME_LOWER":
        return [k // 2 for k in kernel] + [(k - 1) // 2 for k in kernel]
    if how == b"VALID":
        return [0] * (2 * len(kernel))
    return list(attribute(node, "pads", [0] * (2 * len(kernel))))
