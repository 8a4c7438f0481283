# SPDX-License-Identifier: Apache-2.0
"""Random networks of the kinds that people have, for the tests of the import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import torch
from brevitas.export import export_qonnx
from brevitas.inject.enum import ScalingImplType, StatsOp
from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear
from brevitas.quant.binary import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst
from brevitas.quant.ternary import SignedTernaryActPerTensorConst, SignedTernaryWeightPerTensorConst
from torch import nn

from xnor_fcc.importing.qonnx import Qonnx, load_qonnx

Norm = TypeVar("Norm", nn.BatchNorm1d, nn.BatchNorm2d)

# Kinds of `random_mlp`, by what they are beside the plain one.
FORMS: list[dict[str, Any]] = [
    {},
    {"weights": "ternary"},
    {"scale": 0.1, "temperature": 0.37},
    {"bias": True},
    {"quantised_inputs": False},
    {"ternary_activations": True, "weights": "ternary", "scale": 0.25},
    {"bias": True, "scale": 0.3, "weights": "ternary"},
]


def options_for(form: dict[str, Any]) -> dict[str, Any]:
    """What the user has to say of the inputs of a `random_mlp` of that form."""
    quantised = form.get("quantised_inputs", True)
    return {"grey": (-1.0, 1.0)} if quantised else {"bits": (-1.0, 1.0)}


def sign(ternary: bool = False) -> QuantIdentity:
    """An activation of +-1, or of -1, 0, 1."""
    return QuantIdentity(
        act_quant=SignedTernaryActPerTensorConst if ternary else SignedBinaryActPerTensorConst
    )


def random_mlp(
    seed: int,
    widths: Sequence[int],
    weights: str = "binary",
    bias: bool = False,
    scale: float = 1.0,
    quantised_inputs: bool = True,
    ternary_activations: bool = False,
    temperature: float | None = None,
) -> nn.Sequential:
    """A Brevitas MLP as training might leave it, in eval mode.

    Its inputs are bits of +-1 unless they are quantised at 0; `temperature` is the slope of a batch
    normalisation behind the scores.
    """
    torch.manual_seed(seed)
    quantiser = {
        "binary": SignedBinaryWeightPerTensorConst,
        "ternary": SignedTernaryWeightPerTensorConst,
    }[weights].let(scaling_const=scale)
    layers: list[nn.Module] = [nn.Flatten()]
    if quantised_inputs:
        layers.append(sign())
    last = len(widths) - 2
    for i, (n, m) in enumerate(pairwise(widths)):
        linear = QuantLinear(n, m, bias=bias, weight_quant=quantiser)
        nn.init.uniform_(linear.weight, -scale, scale)
        if bias:
            nn.init.normal_(linear.bias, std=scale)
        layers.append(linear)
        if i < last:
            layers += [random_norm(m, scale * n**0.5), sign(ternary_activations)]
    if temperature is not None:
        norm = nn.BatchNorm1d(widths[-1], affine=False)
        assert norm.running_var is not None
        nn.init.constant_(norm.running_var, temperature**-2)
        layers.append(norm)
    return nn.Sequential(*layers).eval()


# Mean |w| of each filter, as it is, and as it was when training began.
MEAN = SignedBinaryWeightPerTensorConst.let(
    scaling_impl_type=ScalingImplType.STATS,
    scaling_stats_op=StatsOp.AVE,
    scaling_per_output_channel=True,
)
LEARNT = MEAN.let(scaling_impl_type=ScalingImplType.PARAMETER_FROM_STATS)


@dataclass(frozen=True)
class Filters:
    """A convolution: how many filters, rows of a window, a pool before or behind the sign."""

    count: int
    kernel: int = 3
    pool: str = ""


def random_cnn(
    seed: int,
    side: int,
    colours: int,
    filters: Sequence[Filters],
    dense: Sequence[int],
    weights: str = "binary",
    ternary_activations: bool = False,
) -> nn.Sequential:
    """The same with convolutions in front, for images (colours, side, side); `weights` may be
    "scaled" or "mean", by filter. `dense`: (hidden..., classes)."""
    torch.manual_seed(seed)
    quantiser = {
        "binary": SignedBinaryWeightPerTensorConst,
        "ternary": SignedTernaryWeightPerTensorConst,
        "scaled": LEARNT,
        "mean": MEAN,
    }[weights]
    layers: list[nn.Module] = [sign()]
    channels = colours
    for each in filters:
        layer = QuantConv2d(channels, each.count, each.kernel, bias=False, weight_quant=quantiser)
        nn.init.uniform_(layer.weight, -1, 1)
        if weights == "scaled":
            layer.quant_weight()
        pool = [nn.MaxPool2d(2)]
        norm = random_map_norm(each.count, each.kernel * channels**0.5)
        layers += [layer, *(pool if each.pool == "before" else []), norm,
                   sign(ternary_activations), *(pool if each.pool == "behind" else [])]  # fmt: skip
        side, channels = (side - each.kernel + 1) // (2 if each.pool else 1), each.count
    inner = random_mlp(seed, (side * side * channels, *dense), quantised_inputs=False)
    return nn.Sequential(*layers, *inner).eval()


def random_norm(features: int, spread: float) -> nn.BatchNorm1d:
    """Batch normalisation of sums of about that spread, every parameter away from its start."""
    return _randomised(nn.BatchNorm1d(features), spread)


def random_map_norm(filters: int, spread: float) -> nn.BatchNorm2d:
    """The same of maps."""
    return _randomised(nn.BatchNorm2d(filters), spread)


def _randomised(norm: Norm, spread: float) -> Norm:
    assert norm.running_mean is not None and norm.running_var is not None
    nn.init.normal_(norm.running_mean, std=spread / 2)
    nn.init.uniform_(norm.running_var, spread**2 / 4, spread**2)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias, std=0.3)
    return norm


def to_qonnx(module: nn.Module, inputs: Sequence[int], path: Path) -> Path:
    """The file that Brevitas writes of a module for images of this shape."""
    export_qonnx(module, torch.zeros(1, *inputs), export_path=str(path), dynamo=False)
    return path


def exported(seed: int, widths: Sequence[int], path: Path, **form: Any) -> Qonnx:
    """A `random_mlp` of that form, read back from its QONNX file."""
    return load_qonnx(to_qonnx(random_mlp(seed, widths, **form), widths[:1], path))
