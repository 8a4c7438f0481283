# SPDX-License-Identifier: Apache-2.0
"""`IntegerNetwork`: bits, thresholds and biases - the one thing both worlds agree on.

Mathematics.  Bit 1 codes +1 and bit 0 codes -1.  With n inputs and P = popcount(XNOR(x, w)), the
dot product of +-1 vectors is 2P - n.  A hidden neuron answers (P >= T) with 0 <= T <= n + 1, so
T = 0 is always 1 and T = n + 1 always 0.  The score of class c is 2P - n + bias[c]; the answer is
the class with the highest score, the lowest index on a tie.

File format (kind `xnor-fcc-network`, version 1; see `container` for the .npz around it).  For
every hidden layer i, counted from 0:

    weights<i>      uint8 (outputs, ceil(inputs / 8))  bit k of neuron j is
                    (weights<i>[j, k // 8] >> (k % 8)) & 1; unused bits of the last byte are 0
    thresholds<i>   int32 (outputs,)

and for the output layer `weights_out` (packed likewise) and `bias_out` int32 (classes,).  The
manifest holds `widths` (inputs, hidden..., classes), `pixel_threshold`, `name`, `info` (any JSON
object: where the network comes from) and the SHA-256 of it all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from . import container
from .errors import UserError

# Networks that are part of the project, NAME.npz.
NETWORKS = Path(__file__).resolve().parents[1] / "networks"

_KIND = "xnor-fcc-network"
_VERSION = 1
_NOUN = "network file"

# Scores are int32 in hardware and here; a bias within this bound cannot overflow one.
_BIAS_LIMIT = 1 << 30
_WIDTH_LIMIT = 1 << 24


def find_network(name: str) -> Path:
    """Path of a network file, given by path or as a name in `NETWORKS`."""
    path = Path(name)
    if not path.suffix and not path.exists():
        path = NETWORKS / f"{name}.npz"
    return path


class NetworkFormatError(UserError):
    """A network, or the file of one, breaks the format; the sentence says where."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A hidden layer: weights uint8 (outputs, inputs) of 0/1, thresholds int32 (outputs,)."""

    weights: np.ndarray
    thresholds: np.ndarray

    def __post_init__(self) -> None:
        _check_weights(self.weights)
        _check_vector(self.thresholds, "thresholds", self.outputs)
        if self.thresholds.min() < 0 or self.thresholds.max() > self.inputs + 1:
            raise NetworkFormatError(
                f"A threshold is outside 0 to {self.inputs + 1}, the range of {self.inputs} inputs."
            )

    @property
    def inputs(self) -> int:
        """Number of input bits n."""
        return int(self.weights.shape[1])

    @property
    def outputs(self) -> int:
        """Number of neurons m."""
        return int(self.weights.shape[0])


@dataclass(frozen=True, eq=False)
class OutputLayer:
    """The last layer: weights uint8 (classes, inputs) of 0/1, bias int32 (classes,)."""

    weights: np.ndarray
    bias: np.ndarray

    def __post_init__(self) -> None:
        _check_weights(self.weights)
        _check_vector(self.bias, "bias", self.outputs)
        if int(np.abs(self.bias.astype(np.int64)).max()) > _BIAS_LIMIT:
            raise NetworkFormatError(f"A bias is outside -{_BIAS_LIMIT} to {_BIAS_LIMIT}.")

    @property
    def inputs(self) -> int:
        """Number of input bits n."""
        return int(self.weights.shape[1])

    @property
    def outputs(self) -> int:
        """Number of classes."""
        return int(self.weights.shape[0])


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """A binarised fully connected network in integers only; checked when it is made.

    `pixel_threshold` (1..255) says how grey pixels became its input bits: bit = pixel >= it.
    Raises NetworkFormatError if the parts do not fit each other.
    """

    hidden: tuple[Layer, ...]
    output: OutputLayer
    pixel_threshold: int = 128
    name: str = "unnamed"
    info: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for i, (before, after) in enumerate(pairwise(self.layers)):
            if before.outputs != after.inputs:
                raise NetworkFormatError(
                    f"Layer {i} has {before.outputs} outputs, but layer {i + 1} has "
                    f"{after.inputs} inputs."
                )
        if not 1 <= self.pixel_threshold <= 255:
            raise NetworkFormatError(
                f"The pixel threshold must be from 1 to 255, not {self.pixel_threshold}."
            )

    @property
    def layers(self) -> tuple[Layer | OutputLayer, ...]:
        """Every layer, the output layer last."""
        return (*self.hidden, self.output)

    @property
    def weights(self) -> tuple[np.ndarray, ...]:
        """Every layer's weights uint8 (outputs, inputs) of 0/1, the output layer last."""
        return tuple(layer.weights for layer in self.layers)

    @property
    def inputs(self) -> int:
        """Number of input bits."""
        return self.layers[0].inputs

    @property
    def classes(self) -> int:
        """Number of scores."""
        return self.output.outputs

    @property
    def widths(self) -> tuple[int, ...]:
        """(inputs, hidden layers..., classes), for example (784, 1024, 1024, 1024, 10)."""
        return (self.inputs, *(layer.outputs for layer in self.layers))

    def __eq__(self, other: object) -> bool:
        """Equal in everything that decides an answer; `name` and `info` do not count."""
        if not isinstance(other, IntegerNetwork):
            return NotImplemented
        mine, theirs = self._arrays(), other._arrays()
        return (
            self.widths == other.widths
            and self.pixel_threshold == other.pixel_threshold
            and all(np.array_equal(array, theirs[name]) for name, array in mine.items())
        )

    __hash__ = None  # type: ignore[assignment]

    def save(self, path: Path | str) -> None:
        """Write the file; atomic, and equal networks give equal bytes."""
        manifest = {
            "widths": list(self.widths),
            "pixel_threshold": int(self.pixel_threshold),
            "name": self.name,
            "info": dict(self.info),
        }
        container.write(Path(path), _KIND, _VERSION, self._arrays(), manifest)

    @classmethod
    def load(cls, path: Path | str) -> IntegerNetwork:
        """Read and check a file; raises NetworkFormatError with one sentence on what is wrong."""
        path = Path(path)
        arrays, manifest = container.read(path, _KIND, _VERSION, _NOUN, NetworkFormatError)
        widths = manifest.get("widths")
        if (
            not isinstance(widths, list)
            or len(widths) < 2
            or not all(isinstance(n, int) and 1 <= n <= _WIDTH_LIMIT for n in widths)
        ):
            raise NetworkFormatError(f"The {_NOUN} {path} has no valid list of widths.")
        threshold, name, info = (manifest.get(key) for key in ("pixel_threshold", "name", "info"))
        if (
            not isinstance(threshold, int)
            or not isinstance(name, str)
            or not isinstance(info, dict)
        ):
            raise NetworkFormatError(f"The {_NOUN} {path} has an incomplete manifest.")
        try:
            sizes = list(pairwise(widths))
            hidden = tuple(
                Layer(
                    _take_weights(arrays, f"weights{i}", n, m),
                    _take(arrays, f"thresholds{i}", np.dtype(np.int32), (m,)),
                )
                for i, (n, m) in enumerate(sizes[:-1])
            )
            n, m = sizes[-1]
            output = OutputLayer(
                _take_weights(arrays, "weights_out", n, m),
                _take(arrays, "bias_out", np.dtype(np.int32), (m,)),
            )
            return cls(hidden, output, threshold, name, info)
        except NetworkFormatError as cause:
            raise NetworkFormatError(f"In the {_NOUN} {path}: {cause}") from cause

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays = {"weights_out": _pack(self.output.weights), "bias_out": self.output.bias}
        for i, layer in enumerate(self.hidden):
            arrays[f"weights{i}"] = _pack(layer.weights)
            arrays[f"thresholds{i}"] = layer.thresholds
        return arrays


def random_network(rng: np.random.Generator, widths: Sequence[int]) -> IntegerNetwork:
    """A lively network for tests, of the given (inputs, hidden..., classes).

    Thresholds lie within about one standard deviation (sqrt(n) / 2) of n / 2, so that neurons
    switch on random inputs; about one in sixteen is 0 or n + 1.  Biases have both signs.
    """
    layers = []
    for n, m in pairwise(widths[:-1]):
        near = np.rint(n / 2 + rng.normal(0, np.sqrt(n) / 2, m))
        thresholds = np.clip(near, 0, n + 1).astype(np.int32)
        extreme = rng.random(m) < 1 / 16
        thresholds[extreme] = rng.choice([0, n + 1], int(extreme.sum()))
        layers.append(Layer(_random_bits(rng, m, n), thresholds))
    n, m = widths[-2:]
    reach = max(2, int(np.sqrt(n)))
    bias = rng.integers(-reach, reach + 1, m).astype(np.int32)
    name = "random-" + "-".join(str(width) for width in widths)
    return IntegerNetwork(
        tuple(layers),
        OutputLayer(_random_bits(rng, m, n), bias),
        pixel_threshold=int(rng.integers(1, 256)),
        name=name,
    )


def _random_bits(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    return rng.integers(0, 2, (rows, columns), dtype=np.uint8)


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


def _take_weights(
    arrays: Mapping[str, np.ndarray], name: str, inputs: int, outputs: int
) -> np.ndarray:
    packed = _take(arrays, name, np.dtype(np.uint8), (outputs, -(-inputs // 8)))
    return np.unpackbits(packed, axis=1, count=inputs, bitorder="little")


def _check_weights(weights: np.ndarray) -> None:
    if not isinstance(weights, np.ndarray) or weights.ndim != 2 or min(weights.shape) < 1:
        raise NetworkFormatError("Weights must be an array of shape (outputs, inputs), both >= 1.")
    if weights.dtype != np.uint8:
        raise NetworkFormatError(f"Weights must be uint8, not {weights.dtype}.")
    if weights.max() > 1:
        raise NetworkFormatError("Weights must be 0 or 1.")
    if max(weights.shape) > _WIDTH_LIMIT:
        raise NetworkFormatError(f"A layer may not be wider than {_WIDTH_LIMIT}.")


def _check_vector(vector: np.ndarray, name: str, length: int) -> None:
    if not isinstance(vector, np.ndarray) or vector.dtype != np.int32:
        raise NetworkFormatError(f"The {name} must be an int32 array.")
    if vector.shape != (length,):
        raise NetworkFormatError(f"The {name} must have shape ({length},), not {vector.shape}.")
