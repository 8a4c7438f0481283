# SPDX-License-Identifier: Apache-2.0
"""The file of an `IntegerNetwork` (kind `xnor-fcc-network`; `container` has the .npz around it).

For every hidden layer i, counted from 0:

    weights<i>      uint8 (outputs, ceil(inputs / 8))  bit k of neuron j is
                    (weights<i>[j, k // 8] >> (k % 8)) & 1; unused bits of the last byte are 0
    thresholds<i>   int32 (outputs,)

and for the output layer `weights_out` (packed likewise) and `bias_out` int32 (classes,).  The
manifest holds `widths` (inputs, hidden..., classes), `pixel_threshold`, `name`, `info` (any JSON
object: where the network comes from; its `dataset` names the data set) and the SHA-256 of it all.

That is version 1, of networks of single bits.  Version 2 may have

    mask<i>, mask_out     packed like weights; 1 where the ternary weight counts
    lower<i>, upper<i>    int32 (outputs,)     where the layer's outputs are of order 2
    exponents0            uint8 (outputs, inputs) of 0 to 7, where layer 0 has power-of-two weights

and in the manifest `orders`, a list of 1 or 2 for the inputs of every layer, and `pixel_residual`,
[lower, upper] or null.

Version 3 is of networks that begin with convolutions.  It has what version 2 has but for
exponents0, `pixel_threshold` and `pixel_residual`, and

    levels                uint8 (colours, levels)   how pixels become bits, see `maps.Pixels`

and in the manifest `side` and `border` of an image, and `convolutions`, a list of [kernel, pool]
for the first layers: 1 or 3, true or false.  The inputs of `widths` are side * side * colours; the
outputs of a convolution are its channels, and its inputs kernel * kernel * channels of its map, in
order (row, column, channel).  The inputs of the first dense layer are the map before it in order
(row, column, channel).

Version 4 is of those whose first layer takes pixels as numbers.  It is as version 3, but that its
first order is 8, and that in place of `levels` it has

    values                uint8 (colours, 256)      what pixels become, see `maps.Pixels`

Versions 5 to 8 are versions 1 to 4 of networks whose output layer has learnt, and can go on:

    latents_out           int8 (classes, inputs)    at least 0 exactly where the weight is +1
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from . import container
from .layers import WIDTH_LIMIT, ConvLayer, Layer, NetworkFormatError, OutputLayer, ShiftLayer
from .maps import Pixels

KIND = "xnor-fcc-network"
PLAIN_VERSION, KINDS_VERSION, MAPS_VERSION, NUMBERS_VERSION = 1, 2, 3, 4
_WITH_MAPS = (MAPS_VERSION, NUMBERS_VERSION)
_VERSIONS = (PLAIN_VERSION, KINDS_VERSION, *_WITH_MAPS)
# What latents add to the version.
LATENTS = len(_VERSIONS)
NOUN = "network file"

Hidden = Layer | ShiftLayer


def arrays_of(
    hidden: tuple[Hidden, ...], output: OutputLayer, pixels: Pixels | None
) -> dict[str, np.ndarray]:
    """The arrays of a file, by name."""
    arrays = {"weights_out": _pack(output.weights), "bias_out": output.bias}
    if output.mask is not None:
        arrays["mask_out"] = _pack(output.mask)
    if output.latents is not None:
        arrays["latents_out"] = output.latents
    for i, layer in enumerate(hidden):
        arrays[f"weights{i}"] = _pack(layer.weights)
        arrays[f"thresholds{i}"] = layer.thresholds
        if isinstance(layer, ShiftLayer):
            arrays[f"exponents{i}"] = layer.exponents
            continue
        if layer.mask is not None:
            arrays[f"mask{i}"] = _pack(layer.mask)
        if layer.lower is not None and layer.upper is not None:
            arrays[f"lower{i}"], arrays[f"upper{i}"] = layer.lower, layer.upper
    if pixels is not None and pixels.values is not None:
        arrays["values"] = pixels.values
    elif pixels is not None:
        arrays["levels"] = pixels.levels
    return arrays


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the manifest of a file; the manifest is checked, and has what its version has.

    Raises NetworkFormatError with one sentence on what is wrong.
    """
    versions = (*_VERSIONS, *(version + LATENTS for version in _VERSIONS))
    arrays, manifest = container.read(path, KIND, versions, NOUN, NetworkFormatError)
    version = _without_latents(manifest["version"])
    widths = manifest.get("widths")
    if (
        not isinstance(widths, list)
        or len(widths) < 2
        or not all(isinstance(n, int) and 1 <= n <= WIDTH_LIMIT for n in widths)
    ):
        raise NetworkFormatError(f"The {NOUN} {path} has no valid list of widths.")
    if (
        not isinstance(manifest.get("name"), str)
        or not isinstance(manifest.get("info"), dict)
        or not (version in _WITH_MAPS or isinstance(manifest.get("pixel_threshold"), int))
    ):
        raise NetworkFormatError(f"The {NOUN} {path} has an incomplete manifest.")
    if version != PLAIN_VERSION and not _are_ints(manifest.get("orders"), len(widths) - 1):
        raise NetworkFormatError(f"The {NOUN} {path} has no valid list of orders.")
    if version == KINDS_VERSION:
        residual = manifest.get("pixel_residual")
        if residual is not None and not _are_ints(residual, 2):
            raise NetworkFormatError(
                f"The {NOUN} {path} has no valid pair of the residual's pixel thresholds."
            )
    if version in _WITH_MAPS:
        if not _are_ints([manifest.get("side"), manifest.get("border")], 2):
            raise NetworkFormatError(f"The {NOUN} {path} does not tell how large its images are.")
        if not _are_convolutions(manifest.get("convolutions"), len(widths) - 2):
            raise NetworkFormatError(f"The {NOUN} {path} has no valid list of convolutions.")
    return arrays, manifest


def parts(arrays: Mapping[str, np.ndarray], manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What an `IntegerNetwork` is made of, by name, from what `read` returns.

    Raises NetworkFormatError with one sentence on what is wrong.
    """
    version, widths = _without_latents(manifest["version"]), manifest["widths"]
    sizes, orders = list(pairwise(widths)), manifest.get("orders", [1] * (len(widths) - 1))
    known: dict[str, Any] = {"name": manifest["name"], "info": manifest["info"]}
    convolutions: list[list[Any]] = []
    if version in _WITH_MAPS:
        numbers = version == NUMBERS_VERSION
        name, make = ("values", Pixels.of_numbers) if numbers else ("levels", Pixels)
        array = arrays.get(name)
        if array is None:
            raise NetworkFormatError(f"The array {name} is missing.")
        pixels = known["pixels"] = make(manifest["side"], array, manifest["border"])
        convolutions = manifest["convolutions"]
        sizes = _sizes(widths, convolutions, pixels)
    else:
        known["pixel_threshold"] = manifest["pixel_threshold"]
    if version == KINDS_VERSION:
        residual = manifest.get("pixel_residual")
        known["pixel_residual"] = None if residual is None else tuple(residual)
    known["hidden"] = tuple(
        _take_hidden(arrays, i, *size, orders[i], convolutions[i : i + 1])
        for i, size in enumerate(sizes[:-1])
    )
    n, m = sizes[-1]
    known["output"] = OutputLayer(
        _take_bits(arrays, "weights_out", n, m),
        _take(arrays, "bias_out", np.dtype(np.int32), (m,)),
        _take_mask(arrays, "mask_out", n, m),
        orders[-1],
        arrays.get("latents_out"),
    )
    return known


def _without_latents(version: int) -> int:
    """The version of the same network if it had no latents."""
    return version - LATENTS if version > LATENTS else version


def _sizes(
    widths: list[int], convolutions: list[list[Any]], pixels: Pixels
) -> list[tuple[int, int]]:
    """(inputs, outputs) of each layer of a network with convolutions."""
    side, channels = pixels.map_side, pixels.channels
    sizes = []
    for (kernel, pool), m in zip(convolutions, widths[1:], strict=False):
        sizes.append((kernel * kernel * channels, m))
        # A map that ends here is refused when the network is made, in a sentence of its own.
        side = max(1, (side - kernel + 1) >> pool)
        channels = m
    rest = widths[len(convolutions) + 1 :]
    return [*sizes, *pairwise([side * side * channels, *rest])]


def _pack(bits: np.ndarray) -> np.ndarray:
    return np.packbits(bits, axis=1, bitorder="little")


def _take(
    arrays: Mapping[str, np.ndarray], name: str, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> np.ndarray:
    array = arrays.get(name)
    if array is None:
        raise NetworkFormatError(f"The array {name} is missing.")
    if array.dtype != dtype:
        raise NetworkFormatError(f"The array {name} has dtype {array.dtype}, not {dtype}.")
    if array.shape != shape:
        raise NetworkFormatError(f"The array {name} has shape {array.shape}, not {shape}.")
    return array


def _take_bits(
    arrays: Mapping[str, np.ndarray], name: str, inputs: int, outputs: int
) -> np.ndarray:
    packed = _take(arrays, name, np.dtype(np.uint8), (outputs, -(-inputs // 8)))
    return np.unpackbits(packed, axis=1, count=inputs, bitorder="little")


def _take_mask(
    arrays: Mapping[str, np.ndarray], name: str, inputs: int, outputs: int
) -> np.ndarray | None:
    return _take_bits(arrays, name, inputs, outputs) if name in arrays else None


def _take_hidden(
    arrays: Mapping[str, np.ndarray],
    i: int,
    inputs: int,
    outputs: int,
    order: int,
    convolution: list[list[Any]],
) -> Hidden:
    """Hidden layer `i`; which of the optional arrays there are says of what kind, and
    `convolution`, empty or [[kernel, pool]]."""
    vector = (np.dtype(np.int32), (outputs,))
    weights = _take_bits(arrays, f"weights{i}", inputs, outputs)
    thresholds = _take(arrays, f"thresholds{i}", *vector)
    if i == 0 and "exponents0" in arrays and not convolution:
        exponents = _take(arrays, "exponents0", np.dtype(np.uint8), (outputs, inputs))
        return ShiftLayer(weights, exponents, thresholds)
    lower, upper = (
        _take(arrays, name, *vector) if name in arrays else None
        for name in (f"lower{i}", f"upper{i}")
    )
    mask = _take_mask(arrays, f"mask{i}", inputs, outputs)
    if not convolution:
        return Layer(weights, thresholds, mask, lower, upper, order)
    return ConvLayer(weights, thresholds, mask, lower, upper, order, *convolution[0])


def _are_ints(value: Any, length: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == length
        and all(isinstance(item, int) and not isinstance(item, bool) for item in value)
    )


def _are_convolutions(value: Any, most: int) -> bool:
    """Whether this is a list of 1 to `most` pairs [kernel, pool]."""
    return (
        isinstance(value, list)
        and 1 <= len(value) <= most
        and all(isinstance(each, list) and list(map(type, each)) == [int, bool] for each in value)
    )
