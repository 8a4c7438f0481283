# SPDX-License-Identifier: Apache-2.0
"""Layers of weights in a module of torch, and the images that it may be given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import UserError
from ..map_plan import MOST_SIDE
from .windows import Convolution

Layer: TypeAlias = nn.Linear | nn.Conv2d


def layers_of(module: nn.Module) -> dict[str, Layer]:
    """By name; UserError names a layer that no core has."""
    found = {n: part for n, part in module.named_modules() if isinstance(part, Layer)}
    for name, part in module.named_modules():
        weight = getattr(part, "weight", None)
        if name not in found and isinstance(weight, Tensor) and weight.ndim > 2:
            raise UserError(
                f"{called(name, part)} cannot be mapped: a core computes dense layers and "
                "convolutions of two dimensions only."
            )
    if not found:
        raise UserError("The module has no linear layer.")
    for name, layer in found.items():
        quantiser = getattr(layer, "bias_quant", None)
        if layer.bias is not None and quantiser is not None and quantiser.is_quant_enabled:
            raise UserError(f"{called(name, layer)} cannot be mapped: its bias is quantised.")
    return found


def settle(layer: Layer) -> None:
    """Give a layer for good the weights that it multiplies with at first.

    Brevitas clips latent weights in place when it quantises them: a scale that is their mean
    shrinks each time.
    """
    quantised: Any = getattr(layer, "quant_weight", None)
    quantiser: Any = getattr(layer, "weight_quant", None)
    if quantised is None or quantiser is None:
        return
    with torch.no_grad():
        first, again = (getattr(each, "value", each) for each in (quantised(), quantised()))
        if not torch.equal(first, again):
            layer.weight.copy_(first)
            quantiser.disable_quant = True


def called(name: str, layer: nn.Module) -> str:
    """A layer in a sentence."""
    return f"The layer {name} ({type(layer).__name__})"


def images_for(layers: Iterable[Layer]) -> Iterator[tuple[int, ...]]:
    """Shapes of one image that a module with these layers may take, likely ones first.

    Of a convolutional one the smallest that it can be run on is meant: a pool drops nothing of it.
    """
    layers = list(layers)
    channels = [layer.in_channels for layer in layers if isinstance(layer, nn.Conv2d)]
    if not channels:
        sizes = [layer.in_features for layer in layers if isinstance(layer, nn.Linear)]
        yield from ((size,) for size in dict.fromkeys(sizes))
        return
    sides, several = range(1, MOST_SIDE + 3), list(dict.fromkeys([*channels, 3, 1]))
    yield from ((colours, side, side) for side in sides for colours in several)
    yield from ((side, side, colours) for side in sides for colours in several)
    yield from ((colours * side * side,) for side in sides for colours in several)


def convolution(layer: nn.Conv2d, given: Any, made: Any) -> Convolution:
    """The sizes of a convolution that was given, and made, tensors of these shapes (N, ...)."""
    kernel, strides = tuple(layer.kernel_size), tuple(layer.stride)
    around = tuple(side + k - 1 for side, k in zip(made[2:], kernel, strict=True))
    if strides != (1, 1) or layer.dilation != (1, 1):
        around = tuple(given[2:])
    return Convolution(
        kernel, strides, tuple(layer.dilation), layer.groups, (given[1], *around),
        around != tuple(given[2:]),
    )  # fmt: skip


def padded(layer: nn.Conv2d, values: Tensor, of: Convolution) -> Tensor:
    """What a convolution takes, with what it puts around that."""
    rows, columns = (side - have for side, have in zip(of.given[1:], values.shape[2:], strict=True))
    around = [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2]
    how = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    return functional.pad(values, around, how) if any(around) else values
