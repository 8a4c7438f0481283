# SPDX-License-Identifier: Apache-2.0
"""`IntegerNetwork`: bits, thresholds and biases - the one thing both worlds agree on.

Mathematics.  An activation of order 1 is one bit b1 and stands for +1 or -1.  One of order 2 has a
residual bit b2 besides: its level 2 * b1 + b2 stands for 2 * level - 3, one of -3, -1, +1, +3.  A
weight is binary, +1 or -1 (bit 1 or 0), or ternary: it counts as that, or, where its mask is 0, as
0.  P generalises the popcount: the sum over the bit planes of the n inputs, factor 2 for b1 where
there is a b2, else 1, of

    binary weights    1 where activation bit and weight bit are equal, else 0
    ternary weights   2 where they are equal, 0 where they are not, 1 where the weight is 0

It is at most M = n * (3 if order 2 else 1) * (2 if ternary else 1); with the dot product d of
activations and weights P = (s * d + M) / 2, s = 2 if ternary else 1.  For single bits everywhere P
is popcount(XNOR(x, w)), M is n, and d is 2P - n.

A hidden neuron answers b1 = (P >= T) with 0 <= T <= M + 1, so T = 0 is always 1 and T = M + 1
always 0.  Where the layer's outputs are of order 2, b2 = (P >= (upper if b1 else lower)) with
0 <= lower <= T <= upper <= M + 1.  The score of class c is 2P - M + bias[c]; the answer is the
class with the highest score, the lowest index on a tie.

Grey pixels become inputs by comparison too: b1 = (pixel >= pixel_threshold), and for order 2
b2 = (pixel >= (upper if b1 else lower)) of `pixel_residual`.  A first layer of power-of-two
weights (`ShiftLayer`) takes the pixels themselves.

File format (kind `xnor-fcc-network`; see `container` for the .npz around it).  For every hidden
layer i, counted from 0:

    weights<i>      uint8 (outputs, ceil(inputs / 8))  bit k of neuron j is
                    (weights<i>[j, k // 8] >> (k % 8)) & 1; unused bits of the last byte are 0
    thresholds<i>   int32 (outputs,)

and for the output layer `weights_out` (packed likewise) and `bias_out` int32 (classes,).  The
manifest holds `widths` (inputs, hidden..., classes), `pixel_threshold`, `name`, `info` (any JSON
object: where the network comes from; its `dataset` names the data set) and the SHA-256 of it all.

That is version 1, of networks of single bits.  Any other network is of version 2, which may have

    mask<i>, mask_out     packed like weights; 1 where the ternary weight counts
    lower<i>, upper<i>    int32 (outputs,)     where the layer's outputs are of order 2
    exponents0            uint8 (outputs, inputs) of 0 to 7, where layer 0 has power-of-two weights

and in the manifest `orders`, a list of 1 or 2 for the inputs of every layer, and `pixel_residual`,
[lower, upper] or null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from . import container
from .errors import UserError
from .layers import WIDTH_LIMIT, Layer, NetworkFormatError, OutputLayer, ShiftLayer
from .places import NETWORKS
from .registers import PIXEL_THRESHOLD
from .renamed import current
from .shape import KindError, Shape

_KIND = "xnor-fcc-network"
_PLAIN_VERSION, _VERSION = 1, 2
_NOUN = "network file"


def network_names() -> list[str]:
    """Names of the project's own networks."""
    return sorted(path.stem for path in NETWORKS.glob("*.npz") if "_trained" not in path.stem)


def find_network(name: str) -> Path:
    """Path of a network file, given by path or by the name of one of the project's; UserError if
    it is no name of one."""
    path = Path(name)
    if path.suffix or path.exists():
        return path
    name = current(name)
    if name not in network_names():
        raise UserError(f"There is no network {name}; there are {', '.join(network_names())}.")
    return NETWORKS / f"{name}.npz"


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """A binarised fully connected network in integers only; checked when it is made.

    `pixel_threshold` (1..255) and, for inputs of order 2, `pixel_residual` (lower, upper) say how
    grey pixels become its inputs.  Raises NetworkFormatError if the parts do not fit each other.
    """

    hidden: tuple[Layer | ShiftLayer, ...]
    output: OutputLayer
    pixel_threshold: int = PIXEL_THRESHOLD
    name: str = "unnamed"
    info: Mapping[str, Any] = field(default_factory=dict)
    pixel_residual: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for i, (before, after) in enumerate(pairwise(self.layers)):
            if before.outputs != after.inputs:
                raise NetworkFormatError(
                    f"Layer {i} has {before.outputs} outputs, but layer {i + 1} has "
                    f"{after.inputs} inputs."
                )
            if isinstance(after, ShiftLayer):
                raise NetworkFormatError(
                    f"Layer {i + 1} has power-of-two weights, which only layer 0 may have."
                )
            if self.hidden[i].output_order != after.order:
                raise NetworkFormatError(
                    f"Layer {i} has outputs of order {self.hidden[i].output_order}, but layer "
                    f"{i + 1} has inputs of order {after.order}."
                )
        if not 1 <= self.pixel_threshold <= 255:
            raise NetworkFormatError(
                f"The pixel threshold must be from 1 to 255, not {self.pixel_threshold}."
            )
        if (self.pixel_residual is not None) != (self.layers[0].order == 2):
            raise NetworkFormatError(
                "Inputs of order 2 need the residual's two pixel thresholds, and no others do."
            )
        if self.pixel_residual is not None:
            lower, upper = self.pixel_residual
            if not 0 <= lower <= self.pixel_threshold <= upper <= 255:
                raise NetworkFormatError(
                    f"The residual's pixel thresholds {lower} and {upper} must be from 0 to "
                    f"{self.pixel_threshold}, and from there to 255."
                )

    @property
    def layers(self) -> tuple[Layer | ShiftLayer | OutputLayer, ...]:
        """Every layer, the output layer last."""
        return (*self.hidden, self.output)

    @property
    def weights(self) -> tuple[np.ndarray, ...]:
        """Every layer's weights uint8 (outputs, inputs) of 0/1, the output layer last."""
        return tuple(layer.weights for layer in self.layers)

    @property
    def inputs(self) -> int:
        """Number of inputs: pixels."""
        return self.layers[0].inputs

    @property
    def classes(self) -> int:
        """Number of scores."""
        return self.output.outputs

    @property
    def widths(self) -> tuple[int, ...]:
        """(inputs, hidden layers..., classes), for example (784, 1024, 1024, 1024, 10)."""
        return (self.inputs, *(layer.outputs for layer in self.layers))

    @property
    def dataset(self) -> str | None:
        """The name of the data set that it was trained on, as in `data`; None if it tells none."""
        name = self.info.get("dataset")
        return name if isinstance(name, str) else None

    @property
    def kinds(self) -> frozenset[str]:
        """What it needs beyond single bits: "order-2", "ternary", "power-of-two"."""
        return frozenset(
            kind
            for kind, found in (
                ("order-2", any(layer.order == 2 for layer in self.layers)),
                ("ternary", any(layer.ternary for layer in self.layers)),
                ("power-of-two", any(isinstance(layer, ShiftLayer) for layer in self.layers)),
            )
            if found
        )

    @property
    def shape(self) -> Shape:
        """What a core must be for it; `KindError` if there is no such core."""
        if "power-of-two" in self.kinds:
            raise KindError("The network has power-of-two weights, which no core computes.")
        return Shape(
            self.widths,
            tuple(layer.order for layer in self.layers),
            tuple(layer.ternary for layer in self.layers),
        )

    def inputs_from(self, grey: np.ndarray) -> np.ndarray:
        """What `reference.evaluate` takes, uint8 (N, inputs), for grey uint8 images (N, ...).

        Bits of 0/1, levels of 0 to 3 for inputs of order 2, the pixels for power-of-two weights.
        """
        pixels = grey.reshape(len(grey), self.inputs)
        if isinstance(self.layers[0], ShiftLayer):
            return pixels
        bits = (pixels >= self.pixel_threshold).astype(np.uint8)
        if self.pixel_residual is None:
            return bits
        lower, upper = self.pixel_residual
        return 2 * bits + (pixels >= np.where(bits, upper, lower)).astype(np.uint8)

    def __eq__(self, other: object) -> bool:
        """Equal in everything that decides an answer; `name` and `info` do not count.

        The orders follow from what is compared: `pixel_residual`, and which layers have `lower`.
        """
        if not isinstance(other, IntegerNetwork):
            return NotImplemented
        mine, theirs = self._arrays(), other._arrays()
        return (
            self.widths == other.widths
            and self.pixel_threshold == other.pixel_threshold
            and self.pixel_residual == other.pixel_residual
            and mine.keys() == theirs.keys()
            and all(np.array_equal(array, theirs[name]) for name, array in mine.items())
        )

    __hash__ = None  # type: ignore[assignment]

    def save(self, path: Path | str) -> None:
        """Write the file; atomic, and equal networks give equal bytes."""
        manifest: dict[str, Any] = {
            "widths": list(self.widths),
            "pixel_threshold": int(self.pixel_threshold),
            "name": self.name,
            "info": dict(self.info),
        }
        version = _PLAIN_VERSION
        if self.kinds:
            version = _VERSION
            manifest["orders"] = self._orders()
            residual = self.pixel_residual
            manifest["pixel_residual"] = None if residual is None else [int(v) for v in residual]
        container.write(Path(path), _KIND, version, self._arrays(), manifest)

    @classmethod
    def load(cls, path: Path | str) -> IntegerNetwork:
        """Read and check a file; raises NetworkFormatError with one sentence on what is wrong."""
        path = Path(path)
        arrays, manifest = container.read(
            path, _KIND, (_PLAIN_VERSION, _VERSION), _NOUN, NetworkFormatError
        )
        widths = manifest.get("widths")
        if (
            not isinstance(widths, list)
            or len(widths) < 2
            or not all(isinstance(n, int) and 1 <= n <= WIDTH_LIMIT for n in widths)
        ):
            raise NetworkFormatError(f"The {_NOUN} {path} has no valid list of widths.")
        threshold, name, info = (manifest.get(key) for key in ("pixel_threshold", "name", "info"))
        if (
            not isinstance(threshold, int)
            or not isinstance(name, str)
            or not isinstance(info, dict)
        ):
            raise NetworkFormatError(f"The {_NOUN} {path} has an incomplete manifest.")
        orders: Any = [1] * (len(widths) - 1)
        residual = None
        if manifest["version"] == _VERSION:
            orders, residual = manifest.get("orders"), manifest.get("pixel_residual")
            if not _are_ints(orders, len(widths) - 1):
                raise NetworkFormatError(f"The {_NOUN} {path} has no valid list of orders.")
            if residual is not None and not _are_ints(residual, 2):
                raise NetworkFormatError(
                    f"The {_NOUN} {path} has no valid pair of the residual's pixel thresholds."
                )
        try:
            sizes = list(zip(pairwise(widths), orders, strict=True))
            hidden = tuple(
                _take_hidden(arrays, i, n, m, order) for i, ((n, m), order) in enumerate(sizes[:-1])
            )
            (n, m), order = sizes[-1]
            output = OutputLayer(
                _take_bits(arrays, "weights_out", n, m),
                _take(arrays, "bias_out", np.dtype(np.int32), (m,)),
                _take_mask(arrays, "mask_out", n, m),
                order,
            )
            network = cls(
                hidden, output, threshold, name, info, None if residual is None else tuple(residual)
            )
            for extra in sorted(arrays.keys() - network._arrays().keys()):
                raise NetworkFormatError(f"The array {extra} does not belong to such a network.")
            if (manifest["version"] == _VERSION) != bool(network.kinds):
                raise NetworkFormatError(
                    f"Format version {manifest['version']} is not that of a network of "
                    f"{', '.join(sorted(network.kinds)) or 'single bits'}."
                )
            return network
        except NetworkFormatError as cause:
            raise NetworkFormatError(f"In the {_NOUN} {path}: {cause}") from cause

    def _orders(self) -> list[int]:
        return [layer.order for layer in self.layers]

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays = {"weights_out": _pack(self.output.weights), "bias_out": self.output.bias}
        if self.output.mask is not None:
            arrays["mask_out"] = _pack(self.output.mask)
        for i, layer in enumerate(self.hidden):
            arrays[f"weights{i}"] = _pack(layer.weights)
            arrays[f"thresholds{i}"] = layer.thresholds
            if isinstance(layer, ShiftLayer):
                arrays[f"exponents{i}"] = layer.exponents
                continue
            if layer.mask is not None:
                arrays[f"mask{i}"] = _pack(layer.mask)
            if layer.lower is not None and layer.upper is not None:
                arrays[f"lower{i}"], arrays[f"upper{i}"] = layer.lower, layer.upper
        return arrays


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
    arrays: Mapping[str, np.ndarray], i: int, inputs: int, outputs: int, order: int
) -> Layer | ShiftLayer:
    """Hidden layer `i`; which of the optional arrays there are says of what kind."""
    vector = (np.dtype(np.int32), (outputs,))
    weights = _take_bits(arrays, f"weights{i}", inputs, outputs)
    thresholds = _take(arrays, f"thresholds{i}", *vector)
    if i == 0 and "exponents0" in arrays:
        exponents = _take(arrays, "exponents0", np.dtype(np.uint8), (outputs, inputs))
        return ShiftLayer(weights, exponents, thresholds)
    lower, upper = (
        _take(arrays, name, *vector) if name in arrays else None
        for name in (f"lower{i}", f"upper{i}")
    )
    mask = _take_mask(arrays, f"mask{i}", inputs, outputs)
    return Layer(weights, thresholds, mask, lower, upper, order)


def _are_ints(value: Any, length: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == length
        and all(isinstance(item, int) and not isinstance(item, bool) for item in value)
    )
