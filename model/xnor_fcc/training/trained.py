# SPDX-License-Identifier: Apache-2.0
"""The compact file of a trained network: what evaluation needs and nothing else.

Of kind `xnor-fcc-trained`, container as in `container`.  For every hidden layer i:

    weights<i>   uint8 (outputs, ceil(inputs/8))  sign bits, packed little-endian; 1 is +1
    alpha<i>     float32 (outputs,)               mean |W|
    gamma<i>, beta<i>, mean<i>, var<i>            float32 (outputs,), batch normalisation

and for the output layer `weights_out` (packed likewise) and `bias_out` int32 (classes,).  The
manifest holds `widths`, `eps` (per hidden layer), `pixel_threshold` and `info`: how it was trained.
A network with shift-based normalisation has no `alpha<i>`, and `"norm": "shift"` in its manifest.
That is version 1.  Version 2 has any other field of `Form` that is not the plain one in its
manifest, and for ternary weights `mask<i>` and `mask_out` (packed likewise; 1 where the weight is
not 0), for a first layer of shifts `exponents0` uint8 (outputs, inputs) in place of `alpha0`.

Version 3 is that of a network with convolutions, which stand before the dense layers as layers of
one neuron a filter, their inputs in the order (row, column, channel) of a window. Its manifest
holds `plan`, the fields of `plan.Plan`, in place of `widths` and `pixel_threshold`.

Restored latent weights are +-alpha or 0; their mean magnitude, computed in float64, is alpha again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .. import container
from ..errors import UserError
from .convolution import ConvolutionalNetwork
from .form import FORMS, Form
from .layers import TOP_EXPONENT, PowerLinear
from .network import BinaryNetwork, signs
from .plan import Plan

_KIND = "xnor-fcc-trained"
_NOUN = "trained network file"


def to_compact(model: BinaryNetwork) -> dict[str, np.ndarray]:
    """The arrays of the trained file, see the module's description."""
    arrays: dict[str, np.ndarray] = {}
    for i, layer in enumerate(model.hidden_layers()):
        arrays[f"weights{i}"] = _pack(layer.linear.bits())
        if isinstance(layer.linear, PowerLinear):
            arrays[f"exponents{i}"] = layer.linear.exponents()
        elif model.form.ternary:
            arrays[f"mask{i}"] = _pack(layer.linear.mask())
        if not isinstance(layer.linear, PowerLinear) and layer.has_alpha:
            arrays[f"alpha{i}"] = layer.linear.alpha().numpy().copy()
        for name, tensor in norm_tensors(layer.norm).items():
            arrays[f"{name}{i}"] = tensor.detach().numpy().copy()
    arrays["weights_out"] = _pack(model.output.linear.bits())
    if model.form.ternary:
        arrays["mask_out"] = _pack(model.output.linear.mask())
    arrays["bias_out"] = model.output.integer_bias()
    return arrays


def from_compact(
    arrays: Mapping[str, np.ndarray],
    model: BinaryNetwork,
    eps: Sequence[float],
    source: str = "trained network",
) -> BinaryNetwork:
    """`model` in eval mode with the arrays of `to_compact`; UserError names what is wrong."""

    def take(name: str, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
        array = arrays.get(name)
        if array is None:
            raise UserError(f"The {source} lacks the array {name}.")
        if array.dtype != dtype:
            raise UserError(f"In the {source} {name} is {array.dtype}, not {np.dtype(dtype)}.")
        if array.shape != shape:
            raise UserError(f"In the {source} {name} has shape {array.shape}, not {shape}.")
        return array

    def take_bits(name: str, inputs: int, outputs: int) -> np.ndarray:
        packed = take(name, np.uint8, (outputs, -(-inputs // 8)))
        return np.unpackbits(packed, axis=1, count=inputs, bitorder="little")

    def take_values(suffix: str, inputs: int, outputs: int) -> Tensor:
        """The weights as -1, 0, +1, float32 (outputs, inputs)."""
        values = signs(take_bits(f"weights{suffix}", inputs, outputs))
        if model.form.ternary:
            values *= torch.from_numpy(take_bits(f"mask{suffix}", inputs, outputs))
        return values

    if len(eps) != len(model.hidden):
        raise UserError(f"The {source} must state one eps for each of its hidden layers.")
    with torch.no_grad():
        for i, layer in enumerate(model.hidden_layers()):
            n, m = layer.linear.in_features, layer.linear.out_features
            if isinstance(layer.linear, PowerLinear):
                exponents = take(f"exponents{i}", np.uint8, (m, n))
                if exponents.max() > TOP_EXPONENT:
                    raise UserError(f"In the {source} exponents{i} has values outside 0 to 7.")
                size = np.ldexp(np.float32(1), exponents.astype(np.int32) - TOP_EXPONENT)
                sign = signs(take_bits(f"weights{i}", n, m))
                layer.linear.put(sign * torch.from_numpy(size))
            else:
                alpha = torch.ones(m)
                if layer.has_alpha:
                    alpha = torch.from_numpy(take(f"alpha{i}", np.float32, (m,)).copy())
                values = take_values(str(i), n, m)
                # Brevitas clips latent weights to +-1, and ternary ones of 1/2 or less are zeros:
                # an alpha outside would not survive.
                sound = (alpha >= 0) & (alpha <= 1)
                if model.form.ternary:
                    sound &= (alpha > 0.5) | (values == 0).all(dim=1)
                if not bool(sound.all()):
                    bounds = "1/2 to 1" if model.form.ternary else "0 to 1"
                    raise UserError(f"In the {source} alpha{i} has values outside {bounds}.")
                layer.linear.put(values * alpha[:, None])
            for name, tensor in norm_tensors(layer.norm).items():
                tensor.copy_(torch.from_numpy(take(f"{name}{i}", np.float32, (m,)).copy()))
            layer.norm.eps = float(eps[i])
        n, m = model.widths[-2:]
        model.output.linear.put(take_values("_out", n, m))
        bias = take("bias_out", np.int32, (m,))
        model.output.bias.copy_(torch.from_numpy(bias.astype(np.float32)))
    return model.eval()


def save_trained(path: Path, model: BinaryNetwork, info: Mapping[str, Any]) -> None:
    """Write the trained file, atomically; `info` is any JSON: how the network was trained."""
    manifest = {"eps": model.eps(), "info": dict(info), **model.form.manifest()}
    if isinstance(model, ConvolutionalNetwork):
        manifest["plan"] = asdict(model.plan)
        version = 3
    else:
        manifest |= {"widths": list(model.widths), "pixel_threshold": model.pixel_threshold}
        version = 1 if model.form.plain else 2
    container.write(Path(path), _KIND, version, to_compact(model), manifest)


def load_trained(path: Path) -> tuple[BinaryNetwork, dict[str, Any]]:
    """The model in eval mode and its `info`; raises UserError if the file is not sound."""
    arrays, manifest = container.read(Path(path), _KIND, (1, 2, 3), _NOUN)
    try:
        eps = [float(value) for value in manifest["eps"]]
        info = dict(manifest["info"])
        form = Form(**{name: manifest[name] for name in FORMS if name in manifest})
        if manifest["version"] == 3:
            model: BinaryNetwork = ConvolutionalNetwork(_plan(manifest["plan"]), form)
        else:
            widths = [int(width) for width in manifest["widths"]]
            model = BinaryNetwork(widths, int(manifest["pixel_threshold"]), form)
    except UserError as cause:
        raise UserError(f"In the {_NOUN} {path}: {cause}") from cause
    except (KeyError, TypeError, ValueError) as cause:
        raise UserError(f"The {_NOUN} {path} has an incomplete manifest.") from cause
    return from_compact(arrays, model, eps, f"{_NOUN} {path}"), info


def _plan(fields: Mapping[str, Any]) -> Plan:
    levels = tuple(tuple(int(level) for level in each) for each in fields["levels"])
    hidden = tuple(int(width) for width in fields["hidden"])
    sizes = {name: int(fields[name]) for name in ("side", "colours", "border", "classes")}
    return Plan(levels=levels, hidden=hidden, maps=str(fields["maps"]), **sizes)


def norm_tensors(norm: nn.BatchNorm1d) -> dict[str, Tensor]:
    """What decides batch normalisation in eval mode, by the names of the trained file."""
    assert norm.running_mean is not None and norm.running_var is not None
    return {
        "gamma": norm.weight,
        "beta": norm.bias,
        "mean": norm.running_mean,
        "var": norm.running_var,
    }


def _pack(bits: np.ndarray) -> np.ndarray:
    return np.packbits(bits, axis=1, bitorder="little")
