# SPDX-License-Identifier: Apache-2.0
"""A network given as plain arrays: one .npz, as `numpy.savez` writes it.

For every layer i, counted from 0, the output layer last:

    weights<i>      (outputs, inputs)  numbers: in each row one magnitude, either sign, and zeros;
                    or bool, True for +1 and False for -1

A hidden layer answers the dot product d = weights . inputs with +1 or -1, by either of

    thresholds<i>   (outputs,)         +1 where d >= threshold, else -1
    gamma<i>, beta<i>, mean<i>, var<i>   (outputs,), batch normalisation:
                    +1 where (d - mean) / sqrt(var + eps) * gamma + beta >= 0, else -1

Thresholds may be (outputs, 3), rising: then the layer answers -3, -1, 1 or 3 by how many of its
neuron's thresholds d reaches.  Optional:

    bias<i>         (outputs,)         added to d first; in the output layer it gives the scores
    eps             one number         of every batch normalisation, 1e-5 unless given
    pixel_threshold one number, 128 unless given: a pixel, 0 to 255, is +1 where it is at least
                    that, else -1; or three, rising, for inputs of -3, -1, 1, 3

The scores are d + bias; the greatest one tells the class.  All of it is computed in float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from ..container import read_foreign
from ..errors import UserError
from .stage import FLOAT32, Stage

_NORM = ("gamma", "beta", "mean", "var")


class Arrays:
    """The `Source` that arrays describe; UserError names the array that is missing or wrong."""

    kind = "arrays"
    dtype = FLOAT32
    grey = (0.0, 255.0)

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._arrays = dict(arrays)
        count = sum(name.startswith("weights") for name in arrays)
        if not count or any(f"weights{i}" not in arrays for i in range(count)):
            raise UserError("The arrays must hold weights0, weights1, ... of every layer in turn.")
        self._unused = set(arrays) - {"eps", "pixel_threshold"}
        self._eps = float(self._take("eps", ()) if "eps" in arrays else 1e-5)
        self._pixels = self._pixel_thresholds()
        self.stages = [self._stage(i, i + 1 == count) for i in range(count)]
        self.inputs = int(self.stages[0].weights.shape[1])
        self.shape: tuple[int, ...] = (self.inputs,)
        if self._unused:
            raise UserError(
                f"The array {min(self._unused)} has no meaning here; xnor-fcc import "
                "--help tells the layout."
            )

    def enter(self, x: np.ndarray) -> np.ndarray:
        """+-1, or -3 to 3, of pixels (N, inputs)."""
        return _reached(x, self._pixels)

    def run(self, x: np.ndarray) -> list[np.ndarray]:
        """A plain evaluation in float64, one array after the other."""
        values, outputs = self.enter(x), []
        for stage in self.stages:
            values = stage.respond(values @ stage.weights.T)
            outputs.append(values)
        return outputs

    def _stage(self, i: int, last: bool) -> Stage:
        weights = self._arrays[f"weights{i}"]
        self._unused.discard(f"weights{i}")
        if weights.ndim != 2 or min(weights.shape) < 1:
            raise UserError(
                f"The array weights{i} must have shape (outputs, inputs), not {weights.shape}."
            )
        if weights.dtype == np.bool_:
            weights = 2.0 * weights - 1
        elif weights.dtype.kind not in "iuf":
            raise UserError(f"The array weights{i} holds {weights.dtype}, not numbers.")
        vector = (len(weights),)
        bias = self._take(f"bias{i}", vector) if f"bias{i}" in self._arrays else np.zeros(vector)
        how = {} if last else self._activation(i, vector)
        respond = partial(_respond, bias=bias, **how)
        return Stage(f"layer {i} (weights{i})", weights.astype(np.float64), respond)

    def _activation(self, i: int, vector: tuple[int]) -> dict[str, np.ndarray]:
        if f"thresholds{i}" in self._arrays:
            wide = self._arrays[f"thresholds{i}"].ndim == 2
            thresholds = self._take(f"thresholds{i}", (*vector, 3) if wide else vector)
            if wide and (np.diff(thresholds) < 0).any():
                raise UserError(f"The array thresholds{i} does not rise along its rows.")
            return {"thresholds": thresholds.reshape(len(thresholds), -1)}
        norm = {name: self._take(f"{name}{i}", vector) for name in _NORM}
        norm["var"] = norm["var"] + self._eps
        if (norm["var"] <= 0).any():
            raise UserError(f"The array var{i} holds variances that are not positive.")
        return norm

    def _pixel_thresholds(self) -> np.ndarray:
        if "pixel_threshold" not in self._arrays:
            return np.array([[128.0]])
        wide = self._arrays["pixel_threshold"].ndim == 1
        limits = self._take("pixel_threshold", (3,) if wide else ())
        if wide and (np.diff(limits) < 0).any():
            raise UserError("The three values of pixel_threshold do not rise.")
        return limits.reshape(1, -1)

    def _take(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        array = self._arrays.get(name)
        if array is None:
            raise UserError(f"The array {name} is missing.")
        self._unused.discard(name)
        if array.dtype.kind not in "iuf":
            raise UserError(f"The array {name} holds {array.dtype}, not numbers.")
        if array.shape != shape:
            raise UserError(f"The array {name} has shape {array.shape}, not {shape}.")
        if not np.isfinite(array).all():
            raise UserError(f"The array {name} holds values that are not finite.")
        return array.astype(np.float64)


def load_arrays(path: Path) -> Arrays:
    """The source of a .npz file."""
    arrays = read_foreign(path)
    if arrays is None:
        raise UserError(f"{path} is a file of this project already and needs no import.")
    return Arrays(arrays)


def _respond(d: np.ndarray, bias: np.ndarray, **how: np.ndarray) -> np.ndarray:
    """The activations, or the scores if nothing says how, for dot products (N, m)."""
    d = d + bias
    if not how:
        return d
    if "thresholds" in how:
        return _reached(d, how["thresholds"])
    v = (d - how["mean"]) / np.sqrt(how["var"]) * how["gamma"] + how["beta"]
    return _reached(v, np.zeros((1, 1)))


def _reached(values: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """How many of its column's limits (m or 1, k) each value (N, m) reaches: -k, 2 - k, ..., k."""
    count: np.ndarray = (values[..., None] >= limits).sum(axis=-1)
    return 2.0 * count - limits.shape[1]
