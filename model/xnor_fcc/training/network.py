# SPDX-License-Identifier: Apache-2.0
"""The Brevitas network: inputs, weights and activations of a bit or two, and its compact file.

A hidden layer computes, in this order:

    product = binary weights (+-1) . activations (+-1)      an exact integer, 2P - n
    v       = batch_norm(alpha * product)                   alpha = mean |W| of the neuron
    y       = sign(v)

alpha is XNOR-Net's scale (Rastegari et al., 2016, eq. 6).  It is applied *after* the product: sums
of +-1 are exact in float32 whatever the order of summation, so every hidden bit is a function of
P alone, which is what lets `export` turn it into one integer threshold.  Had alpha been multiplied
into the weights, the rounding of the sums would depend on the BLAS kernel and the thread count.

`Form` tells the other kinds of network apart:

- norm "shift" is Courbariaux et al. (2016): shift-based batch normalisation (`shift`) and no alpha,
  so that what follows the product is shifts and one addition.  The authors normalise the output
  layer as well; the core only adds an integer to each class, so here one power of two, common to
  all classes, brings the scores to the scale of the loss.
- order 2 is the high-order residual quantisation of Li et al. (2017) with a power-of-two ratio of
  the scales: b1 = sign(v), b2 = sign(v - b1), y = 2 b1 + b2, one of -3, -1, 1, 3.  That is v
  quantised at -1, 0, 1, close to the best four levels of a normally distributed value.  Inputs are
  quantised likewise, see `pixel_residual`.
- weights "ternary" are -1, 0, +1 (Zhu et al., 2017, with one scale for both signs); alpha is the
  mean |W| of those that are not 0.
- first_layer "shifts" has weights +-2^k on the 8-bit pixels, k in 0..7, and no alpha.

The output layer gives integer scores: product + bias, the bias rounded; with ternary weights
2 product + bias, so that the core's 2P - M comes out in every kind.

The trained file (kind `xnor-fcc-trained`, container as in `container`) keeps what evaluation needs
and nothing else.  For every hidden layer i:

    weights<i>   uint8 (outputs, ceil(inputs/8))  sign bits, packed little-endian; 1 is +1
    alpha<i>     float32 (outputs,)               mean |W|
    gamma<i>, beta<i>, mean<i>, var<i>            float32 (outputs,), batch normalisation

and for the output layer `weights_out` (packed likewise) and `bias_out` int32 (classes,).  The
manifest holds `widths`, `eps` (per hidden layer), `pixel_threshold` and `info`: how it was trained.
A network with shift-based normalisation has no `alpha<i>`, and `"norm": "shift"` in its manifest.
That is version 1.  Version 2 has any other field of `Form` that is not the plain one in its
manifest, and for ternary weights `mask<i>` and `mask_out` (packed likewise; 1 where the weight is
not 0), for a first layer of shifts `exponents0` uint8 (outputs, inputs) in place of `alpha0`.

Restored latent weights are +-alpha or 0; their mean magnitude, computed in float64, is alpha again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from brevitas.nn import QuantIdentity, QuantLinear
from brevitas.quant.binary import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst
from brevitas.quant.ternary import SignedTernaryWeightPerTensorConst
from torch import Tensor, nn
from torch.nn import functional

from .. import container
from ..errors import UserError
from .shift import ShiftBatchNorm, StraightAp2, ap2

DEFAULT_WIDTHS = (784, 1024, 1024, 1024, 10)

_KIND = "xnor-fcc-trained"
_NOUN = "trained network file"

# float32 holds every integer up to 2**24, so sums of that many +-1 are exact.
_EXACT_SUM = 1 << 24

# Power-of-two weights are +-2^0 to +-2^7; a latent weight of 1 is 2^7.
_TOP_EXPONENT = 7


@dataclass(frozen=True)
class Form:
    """Which of the project's kinds a network is; as it stands, the plain binary one."""

    norm: str = "batch"  # batch normalisation, or "shift": the shift-based one and no alpha
    order: int = 1  # bits of an activation and of an input
    weights: str = "binary"  # or "ternary"
    first_layer: str = "binary"  # or "shifts": weights +-2^k on the grey pixels

    def __post_init__(self) -> None:
        for name, known in _FORMS.items():
            if getattr(self, name) not in known:
                raise UserError(
                    f"A network's {name.replace('_', ' ')} is {' or '.join(map(str, known))}, not "
                    f"{getattr(self, name)!r}."
                )
        if self.first_layer == "shifts" and (self.order, self.weights) != (1, "binary"):
            raise UserError(
                "A first layer of shifts goes with first-order activations and binary weights only."
            )

    @property
    def plain(self) -> bool:
        """Whether each weight and each activation is one bit."""
        return (self.order, self.weights, self.first_layer) == (1, "binary", "binary")

    @property
    def ternary(self) -> bool:
        """Whether weights are -1, 0 or +1."""
        return self.weights == "ternary"

    @property
    def step(self) -> int:
        """What one step of P changes the dot product by: 2, or 1 with ternary weights."""
        return 1 if self.ternary else 2

    def manifest(self) -> dict[str, Any]:
        """The fields that are not those of the plain binary network."""
        default = Form()
        return {k: v for k, v in vars(self).items() if v != getattr(default, k)}


_FORMS: dict[str, tuple[Any, ...]] = {
    "norm": ("batch", "shift"),
    "order": (1, 2),
    "weights": ("binary", "ternary"),
    "first_layer": ("binary", "shifts"),
}


class UnitWeight(SignedBinaryWeightPerTensorConst):
    """Brevitas' binary weight quantiser with the scale fixed at exactly 1."""

    scaling_const = 1.0


class UnitTernaryWeight(SignedTernaryWeightPerTensorConst):
    """Brevitas' ternary weight quantiser with scale 1: 0 where |w| <= 1/2, else the sign."""

    scaling_const = 1.0


class UnitSign(SignedBinaryActPerTensorConst):
    """Brevitas' binary activation: +1 for x >= 0, else -1; gradient passes where |x| <= 1."""

    min_val = -1.0
    max_val = 1.0


class _ExactProduct(torch.autograd.Function):
    """Activations times weights through int8, for training.

    x (N, n) of -3..3, values int8 (m, n) of -1..1: the quantised form of the latent `weight`.
    The forward result is the same integer that Brevitas' float32 path gives, several times
    faster.  Gradients pass straight through the quantisation and are formed in bfloat16.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, values: Tensor) -> Tensor:
        activations = x.to(torch.int8)
        ctx.save_for_backward(activations, values)
        if values.shape[1] == 1:
            # With one input the transpose's strides make _int_mm return garbage on CPUs
            # (pytorch issue 195066); the product is a plain outer one then.
            return activations.to(torch.float32) * values.t()
        return torch._int_mm(activations, values.t()).to(torch.float32)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None]:
        activations, values = ctx.saved_tensors
        narrow = gradient.to(torch.bfloat16)
        to_x = None
        if ctx.needs_input_grad[0]:
            to_x = (narrow @ values.to(torch.bfloat16)).to(torch.float32)
        return to_x, (narrow.t() @ activations.to(torch.bfloat16)).to(torch.float32), None


class BinaryLinear(QuantLinear):
    """A Brevitas linear layer with weights of exactly +-1, or of -1, 0, +1 if `ternary`.

    x (N, inputs) of +-1, or of -3, -1, 1, 3 -> the dot products, whole numbers.
    """

    def __init__(self, inputs: int, outputs: int, ternary: bool = False) -> None:
        if 3 * inputs > _EXACT_SUM:
            raise UserError(f"A layer of {inputs} inputs is too wide: sums stay exact up to 2^24.")
        quantiser = UnitTernaryWeight if ternary else UnitWeight
        super().__init__(inputs, outputs, bias=False, weight_quant=quantiser)
        self.ternary = ternary
        # Of `free_scales`: (positive - negative scale) / (their sum), by neuron.
        self.register_parameter("imbalance", None)
        if ternary:
            # The usual small start would be all zeros.
            nn.init.uniform_(self.weight, -1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """The exact product, float32 (N, outputs); Brevitas' own path outside training."""
        if self.training:
            latent = self.weight.detach()
            if self.ternary:
                values = latent.clamp(-1, 1).round_().to(torch.int8)
            else:
                values = (latent >= 0).to(torch.int8).mul_(2).sub_(1)
            product: Tensor = _ExactProduct.apply(x, self.weight, values)
        else:
            values = torch.from_numpy(self.values()) if self.imbalance is not None else None
            product = super().forward(x)
        if self.imbalance is not None:
            size = _ExactProduct.apply(x, self.weight.detach(), values.abs())
            product = product + self.imbalance * size
        return product

    def free_scales(self) -> None:
        """Give the positive and the negative weights of each neuron a learned scale of their own.

        The sum over both is then (1 + imbalance) * positive part - (1 - imbalance) * negative part.
        No core computes that; it tells what one scale for both costs.
        """
        self.imbalance = nn.Parameter(torch.zeros(self.out_features))

    def values(self) -> np.ndarray:
        """The weights as int8 (outputs, inputs) of -1, 0, +1, as Brevitas quantises them."""
        with torch.no_grad():
            return self.quant_weight().value.to(torch.int8).numpy()

    def bits(self) -> np.ndarray:
        """The weights as uint8 (outputs, inputs): 1 is +1, 0 is -1 (or a weight of zero)."""
        return (self.values() > 0).astype(np.uint8)

    def mask(self) -> np.ndarray:
        """uint8 (outputs, inputs): 1 where the weight is not zero."""
        return (self.values() != 0).astype(np.uint8)

    def alpha(self) -> Tensor:
        """XNOR-Net's scale, mean |W| of each neuron's weights but zeros, float32 (outputs,).

        The sum runs in float64: for n latent weights of +-a it gives back exactly a.
        """
        with torch.no_grad():
            size = self.weight.abs()
            if not self.ternary:
                return size.mean(dim=1, dtype=torch.float64).to(torch.float32)
            counted = size > 0.5
            total = (size.clamp(max=1) * counted).sum(dim=1, dtype=torch.float64)
            return (total / counted.sum(dim=1).clamp(min=1)).to(torch.float32)


class _Power(torch.autograd.Function):
    """Latent weights to +-2^0 .. +-2^7, the nearest in the logarithm; straight-through gradient."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> Tensor:
        power = ap2(weight.abs()).mul_(2.0**_TOP_EXPONENT).clamp_(1, 2.0**_TOP_EXPONENT)
        return torch.where(weight >= 0, power, -power)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


class PowerLinear(nn.Linear):
    """Weights +-2^0 .. +-2^7 on grey pixels: x (N, inputs) of 0..255 -> sums of shifted pixels.

    Brevitas has no such quantiser; the rounding is `shift.ap2`.  Outside training the sums are
    formed in float64, where they are exact, and then rounded to float32.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)
        nn.init.uniform_(self.weight, -1, 1)

    def forward(self, x: Tensor) -> Tensor:
        weight = _Power.apply(self.weight)
        if self.training:
            return functional.linear(x, weight)
        return functional.linear(x.double(), weight.double()).float()

    def bits(self) -> np.ndarray:
        """The signs as uint8 (outputs, inputs): 1 is +."""
        return (self.weight.detach() >= 0).to(torch.uint8).numpy()

    def exponents(self) -> np.ndarray:
        """The exponents as uint8 (outputs, inputs) of 0..7."""
        # frexp's fraction is 1/2 to 1, so its exponent is one more.
        return (_Power.apply(self.weight.detach()).frexp().exponent - 1).to(torch.uint8).numpy()


class HiddenLayer(nn.Module):
    """activation(batch_norm(alpha * product)): x (N, inputs) -> (N, outputs).

    An activation is +-1, or with order 2 one of -3, -1, 1, 3.  With shift-based normalisation and
    behind power-of-two weights, which carry their scale themselves, there is no alpha.
    """

    def __init__(self, inputs: int, outputs: int, form: Form, shifts: bool = False) -> None:
        super().__init__()
        self.linear: BinaryLinear | PowerLinear = (
            PowerLinear(inputs, outputs) if shifts else BinaryLinear(inputs, outputs, form.ternary)
        )
        self.form = form
        self.norm = ShiftBatchNorm(outputs) if form.norm == "shift" else nn.BatchNorm1d(outputs)
        self.sign = QuantIdentity(act_quant=UnitSign)
        if form.order == 2:
            self.residual = QuantIdentity(act_quant=UnitSign)

    @property
    def has_alpha(self) -> bool:
        """Whether the product is scaled by the mean magnitude of the latent weights."""
        return isinstance(self.linear, BinaryLinear) and self.form.norm == "batch"

    def forward(self, x: Tensor) -> Tensor:
        return self.activate(self.linear(x))

    def scaled(self, product: Tensor) -> Tensor:
        """The product times alpha, where there is one."""
        if isinstance(self.linear, BinaryLinear) and self.has_alpha:
            return product * self.linear.alpha()
        return product

    def activate(self, product: Tensor) -> Tensor:
        """What follows the exact product, (N, outputs) -> (N, outputs); `export` tabulates it.

        The loss cannot tell alpha from batch normalisation's own scale, so alpha carries no
        gradient to the latent weights.
        """
        y = self.norm(self.scaled(product))
        first: Tensor = self.sign(y)
        if self.form.order == 1:
            return first
        second: Tensor = self.residual(y - first)
        return 2 * first + second


class _Round(torch.autograd.Function):
    """Rounding with a straight-through gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


class OutputLayer(nn.Module):
    """Integer scores 2P - M + bias: x (N, inputs) -> float32 (N, classes), whole numbers.

    2P - M is the dot product, or twice that with ternary weights.
    """

    def __init__(self, inputs: int, classes: int, form: Form) -> None:
        super().__init__()
        self.linear = BinaryLinear(inputs, classes, form.ternary)
        self.bias = nn.Parameter(torch.zeros(classes))
        self.form = form

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) * (2 / self.form.step) + _Round.apply(self.bias)

    def integer_bias(self) -> np.ndarray:
        """The bias that the scores carry, int32 (classes,)."""
        return self.bias.detach().round().to(torch.int32).numpy()


class BinaryNetwork(nn.Module):
    """The whole network: x from `to_inputs` -> integer scores, float32 (N, widths[-1])."""

    def __init__(
        self,
        widths: Sequence[int] = DEFAULT_WIDTHS,
        pixel_threshold: int = 128,
        form: Form | None = None,
    ) -> None:
        super().__init__()
        self.widths = tuple(int(width) for width in widths)
        if len(self.widths) < 2 or min(self.widths) < 1:
            raise UserError("The widths must be at least two whole numbers from 1 up.")
        self.pixel_threshold = pixel_threshold
        self.form = form = form or Form()
        shifts = form.first_layer == "shifts"
        if shifts and len(self.widths) < 3:
            raise UserError("A first layer of shifts must be a hidden layer.")
        self.hidden = nn.ModuleList(
            HiddenLayer(n, m, form, shifts and i == 0)
            for i, (n, m) in enumerate(pairwise(self.widths[:-1]))
        )
        self.output = OutputLayer(self.widths[-2], self.widths[-1], form)
        # For the loss only: scores * exp(log_temperature) are its logits.  It starts at one over
        # the spread of random scores: the mean square of -3, -1, 1, 3 is 5, that of ternary
        # weights, of which half start as zeros, 1/2, and their scores count double.
        spread = self.widths[-2] * (5 if form.order == 2 else 1) * (2 if form.ternary else 1)
        self.log_temperature = nn.Parameter(torch.tensor(-0.5 * np.log(spread)).float())

    def forward(self, x: Tensor) -> Tensor:
        return self.trace(x)[1]

    def trace(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Every hidden layer's activations, (N, m) each, and the scores (N, classes)."""
        activations = []
        for layer in self.hidden:
            x = layer(x)
            activations.append(x)
        return activations, self.output(x)

    def logits(self, scores: Tensor) -> Tensor:
        """The scores on the scale of the loss; the order of the classes is the same."""
        scale = self.log_temperature.exp()
        return scores * (StraightAp2.apply(scale) if self.form.norm == "shift" else scale)

    def inputs_from(self, grey: Tensor) -> Tensor:
        """What the network takes, from grey images (N, side, side) or (N, pixels)."""
        return to_inputs(grey, self.pixel_threshold, self.form)

    def hidden_layers(self) -> list[HiddenLayer]:
        """The hidden layers, first to last."""
        return [layer for layer in self.hidden if isinstance(layer, HiddenLayer)]

    def latent_layers(self) -> list[nn.Linear]:
        """Every layer with latent weights, first to last."""
        return [*(layer.linear for layer in self.hidden_layers()), self.output.linear]

    def eps(self) -> list[float]:
        """What each hidden layer's batch normalisation adds to the variance."""
        return [layer.norm.eps for layer in self.hidden_layers()]


def to_inputs(grey: Tensor, threshold: int, form: Form | None = None) -> Tensor:
    """Grey images (N, ...), 0..255, as what a network of this form takes: float32 (N, pixels).

    +-1 by the pixel threshold; with order 2 one of -3, -1, 1, 3, see `pixel_residual`; in front of
    a first layer of shifts the pixels themselves, in whole numbers.
    """
    grey = grey.flatten(1)
    form = form or Form()
    if form.first_layer == "shifts":
        return grey.to(torch.float32).round()
    level = (grey >= threshold).to(torch.float32)
    if form.order == 1:
        return level.mul_(2).sub_(1)
    # The thresholds rise, so the level is the number of them that the pixel reaches.
    for limit in pixel_residual(threshold):
        level += grey >= limit
    return level.mul_(2).sub_(3)


def pixel_residual(threshold: int) -> tuple[int, int]:
    """The second bit's thresholds for pixels below and from the first's: (64, 192) for 128.

    That makes it the sign of the residual: each half of the grey scale is halved again.
    """
    return threshold // 2, (threshold + 256) // 2


def signs(bits: np.ndarray) -> Tensor:
    """Bits 0/1 (N, n) as float32 -1/+1."""
    return torch.from_numpy(np.ascontiguousarray(bits)).to(torch.float32).mul_(2).sub_(1)


def to_compact(model: BinaryNetwork) -> dict[str, np.ndarray]:
    """The arrays of the trained file, see the module's description."""
    arrays: dict[str, np.ndarray] = {}
    for i, layer in enumerate(model.hidden_layers()):
        arrays[f"weights{i}"] = _pack(layer.linear.bits())
        if isinstance(layer.linear, PowerLinear):
            arrays[f"exponents{i}"] = layer.linear.exponents()
        elif model.form.ternary:
            arrays[f"mask{i}"] = _pack(layer.linear.mask())
        if isinstance(layer.linear, BinaryLinear) and layer.has_alpha:
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
    widths: Sequence[int],
    eps: Sequence[float],
    pixel_threshold: int,
    form: Form | None = None,
    source: str = "trained network",
) -> BinaryNetwork:
    """The model in eval mode from the arrays of `to_compact`; UserError names what is wrong."""
    model = BinaryNetwork(widths, pixel_threshold, form)

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
            n, m = model.widths[i], model.widths[i + 1]
            if isinstance(layer.linear, PowerLinear):
                exponents = take(f"exponents{i}", np.uint8, (m, n))
                if exponents.max() > _TOP_EXPONENT:
                    raise UserError(f"In the {source} exponents{i} has values outside 0 to 7.")
                size = np.ldexp(np.float32(1), exponents.astype(np.int32) - _TOP_EXPONENT)
                sign = signs(take_bits(f"weights{i}", n, m))
                layer.linear.weight.copy_(sign * torch.from_numpy(size))
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
                layer.linear.weight.copy_(values * alpha[:, None])
            for name, tensor in norm_tensors(layer.norm).items():
                tensor.copy_(torch.from_numpy(take(f"{name}{i}", np.float32, (m,)).copy()))
            layer.norm.eps = float(eps[i])
        n, m = model.widths[-2:]
        model.output.linear.weight.copy_(take_values("_out", n, m))
        bias = take("bias_out", np.int32, (m,))
        model.output.bias.copy_(torch.from_numpy(bias.astype(np.float32)))
    return model.eval()


def save_trained(path: Path, model: BinaryNetwork, info: Mapping[str, Any]) -> None:
    """Write the trained file, atomically; `info` is any JSON: how the network was trained."""
    manifest = {
        "widths": list(model.widths),
        "eps": model.eps(),
        "pixel_threshold": model.pixel_threshold,
        "info": dict(info),
        **model.form.manifest(),
    }
    version = 1 if model.form.plain else 2
    container.write(Path(path), _KIND, version, to_compact(model), manifest)


def load_trained(path: Path) -> tuple[BinaryNetwork, dict[str, Any]]:
    """The model in eval mode and its `info`; raises UserError if the file is not sound."""
    arrays, manifest = container.read(Path(path), _KIND, (1, 2), _NOUN)
    try:
        widths = [int(width) for width in manifest["widths"]]
        eps = [float(value) for value in manifest["eps"]]
        pixel_threshold = int(manifest["pixel_threshold"])
        info = dict(manifest["info"])
        form = Form(**{name: manifest[name] for name in _FORMS if name in manifest})
    except UserError as cause:
        raise UserError(f"In the {_NOUN} {path}: {cause}") from cause
    except (KeyError, TypeError, ValueError) as cause:
        raise UserError(f"The {_NOUN} {path} has an incomplete manifest.") from cause
    return from_compact(arrays, widths, eps, pixel_threshold, form, f"{_NOUN} {path}"), info


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
