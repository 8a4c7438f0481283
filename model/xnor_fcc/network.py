# SPDX-License-Identifier: Apache-2.0
"""The Brevitas network: 1-bit inputs, weights and activations, and its compact file.

A hidden layer computes, in this order:

    product = binary weights (+-1) . activations (+-1)      an exact integer, 2P - n
    y       = sign(batch_norm(alpha * product))             alpha = mean |W| of the neuron

alpha is XNOR-Net's scale (Rastegari et al., 2016, eq. 6).  It is applied *after* the product: sums
of +-1 are exact in float32 whatever the order of summation, so every hidden bit is a function of
P alone, which is what lets `export` turn it into one integer threshold.  Had alpha been multiplied
into the weights, the rounding of the sums would depend on the BLAS kernel and the thread count.

A network made with `shift=True` is the one of Courbariaux et al. (2016): shift-based batch
normalisation (`shift`) and no alpha, so that what follows the product is shifts and one addition.
The authors normalise the output layer as well; the core only adds an integer to each class, so
here one power of two, common to all classes, brings the scores to the scale of the loss.

The output layer gives integer scores: product + bias, the bias rounded.

The trained file (kind `xnor-fcc-trained`, version 1, container as in `container`) keeps what
evaluation needs and nothing else.  For every hidden layer i:

    weights<i>   uint8 (outputs, ceil(inputs/8))  sign bits, packed little-endian; 1 is +1
    alpha<i>     float32 (outputs,)               mean |W|
    gamma<i>, beta<i>, mean<i>, var<i>            float32 (outputs,), batch normalisation

and for the output layer `weights_out` (packed likewise) and `bias_out` int32 (classes,).  The
manifest holds `widths`, `eps` (per hidden layer), `pixel_threshold` and `info`: how it was trained.
A network with shift-based normalisation has no `alpha<i>`, and `"norm": "shift"` in its manifest.
Restored latent weights are +-alpha; their mean magnitude, computed in float64, is alpha again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from brevitas.nn import QuantIdentity, QuantLinear
from brevitas.quant.binary import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst
from torch import Tensor, nn

from . import container
from .errors import UserError
from .shift import ShiftBatchNorm, StraightAp2

DEFAULT_WIDTHS = (784, 1024, 1024, 1024, 10)

_KIND = "xnor-fcc-trained"
_VERSION = 1
_NOUN = "trained network file"

# float32 holds every integer up to 2**24, so sums of that many +-1 are exact.
_EXACT_INPUTS = 1 << 24


class UnitWeight(SignedBinaryWeightPerTensorConst):
    """Brevitas' binary weight quantiser with the scale fixed at exactly 1."""

    scaling_const = 1.0


class UnitSign(SignedBinaryActPerTensorConst):
    """Brevitas' binary activation: +1 for x >= 0, else -1; gradient passes where |x| <= 1."""

    min_val = -1.0
    max_val = 1.0


class _ExactProduct(torch.autograd.Function):
    """Binary weights times +-1 activations through int8, for training.

    The forward result is the same integer that Brevitas' float32 path gives, several times
    faster.  Gradients pass straight through the sign of the weights and are formed in bfloat16.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        signs = (weight >= 0).to(torch.int8).mul_(2).sub_(1)
        activations = x.to(torch.int8)
        ctx.save_for_backward(activations, signs)
        if signs.shape[1] == 1:
            # With one input the transpose's strides make _int_mm return garbage on CPUs
            # (pytorch issue 195066); the product is a plain outer one then.
            return activations.to(torch.float32) * signs.t()
        return torch._int_mm(activations, signs.t()).to(torch.float32)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor]:
        activations, signs = ctx.saved_tensors
        narrow = gradient.to(torch.bfloat16)
        to_x = None
        if ctx.needs_input_grad[0]:
            to_x = (narrow @ signs.to(torch.bfloat16)).to(torch.float32)
        return to_x, (narrow.t() @ activations.to(torch.bfloat16)).to(torch.float32)


class BinaryLinear(QuantLinear):
    """A Brevitas linear layer with weights of exactly +-1; x (N, inputs) of +-1 -> 2P - n."""

    def __init__(self, inputs: int, outputs: int) -> None:
        if inputs > _EXACT_INPUTS:
            raise UserError(f"A layer of {inputs} inputs is too wide: sums stay exact up to 2^24.")
        super().__init__(inputs, outputs, bias=False, weight_quant=UnitWeight)

    def forward(self, x: Tensor) -> Tensor:
        """The exact product, float32 (N, outputs); Brevitas' own path outside training."""
        fast = self.training
        product: Tensor = _ExactProduct.apply(x, self.weight) if fast else super().forward(x)
        return product

    def bits(self) -> np.ndarray:
        """The binary weights as uint8 (outputs, inputs) of 0/1, as Brevitas quantises them."""
        with torch.no_grad():
            return (self.quant_weight().value > 0).to(torch.uint8).numpy()

    def alpha(self) -> Tensor:
        """XNOR-Net's scale, mean |W| of each neuron, float32 (outputs,).

        The sum runs in float64: for n latent weights of +-a it gives back exactly a.
        """
        with torch.no_grad():
            return self.weight.abs().mean(dim=1, dtype=torch.float64).to(torch.float32)


class HiddenLayer(nn.Module):
    """sign(batch_norm(alpha * product)): x (N, inputs) of +-1 -> (N, outputs) of +-1.

    With `shift` batch normalisation is the shift-based one and there is no alpha.
    """

    def __init__(self, inputs: int, outputs: int, shift: bool = False) -> None:
        super().__init__()
        self.linear = BinaryLinear(inputs, outputs)
        self.shift = shift
        self.norm = ShiftBatchNorm(outputs) if shift else nn.BatchNorm1d(outputs)
        self.sign = QuantIdentity(act_quant=UnitSign)

    def forward(self, x: Tensor) -> Tensor:
        return self.activate(self.linear(x))

    def activate(self, product: Tensor) -> Tensor:
        """What follows the exact product, (N, outputs) -> (N, outputs); `export` tabulates it.

        The loss cannot tell alpha from batch normalisation's own scale, so alpha carries no
        gradient to the latent weights.
        """
        return self.sign(self.norm(product if self.shift else product * self.linear.alpha()))


class _Round(torch.autograd.Function):
    """Rounding with a straight-through gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


class OutputLayer(nn.Module):
    """Integer scores 2P - n + bias: x (N, inputs) of +-1 -> float32 (N, classes), whole numbers."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.linear = BinaryLinear(inputs, classes)
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + _Round.apply(self.bias)

    def integer_bias(self) -> np.ndarray:
        """The bias that the scores carry, int32 (classes,)."""
        return self.bias.detach().round().to(torch.int32).numpy()


class BinaryNetwork(nn.Module):
    """The whole network: x (N, widths[0]) of +-1 -> integer scores, float32 (N, widths[-1])."""

    def __init__(
        self,
        widths: Sequence[int] = DEFAULT_WIDTHS,
        pixel_threshold: int = 128,
        shift: bool = False,
    ) -> None:
        super().__init__()
        self.widths = tuple(int(width) for width in widths)
        if len(self.widths) < 2 or min(self.widths) < 1:
            raise UserError("The widths must be at least two whole numbers from 1 up.")
        self.pixel_threshold = pixel_threshold
        self.shift = shift
        self.hidden = nn.ModuleList(HiddenLayer(n, m, shift) for n, m in pairwise(self.widths[:-1]))
        self.output = OutputLayer(self.widths[-2], self.widths[-1])
        # For the loss only: scores * exp(log_temperature) are its logits.
        self.log_temperature = nn.Parameter(torch.tensor(-0.5 * np.log(self.widths[-2])).float())

    def forward(self, x: Tensor) -> Tensor:
        return self.trace(x)[1]

    def trace(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Every hidden layer's activations, (N, m) of +-1 each, and the scores (N, classes)."""
        activations = []
        for layer in self.hidden:
            x = layer(x)
            activations.append(x)
        return activations, self.output(x)

    def logits(self, scores: Tensor) -> Tensor:
        """The scores on the scale of the loss; the order of the classes is the same."""
        scale = self.log_temperature.exp()
        return scores * (StraightAp2.apply(scale) if self.shift else scale)

    def hidden_layers(self) -> list[HiddenLayer]:
        """The hidden layers, first to last."""
        return [layer for layer in self.hidden if isinstance(layer, HiddenLayer)]

    def binary_layers(self) -> list[BinaryLinear]:
        """Every layer with binary weights, first to last."""
        return [*(layer.linear for layer in self.hidden_layers()), self.output.linear]

    def eps(self) -> list[float]:
        """What each hidden layer's batch normalisation adds to the variance."""
        return [layer.norm.eps for layer in self.hidden_layers()]


def signs(bits: np.ndarray) -> Tensor:
    """Bits 0/1 (N, n) as float32 -1/+1."""
    return torch.from_numpy(np.ascontiguousarray(bits)).to(torch.float32).mul_(2).sub_(1)


def to_compact(model: BinaryNetwork) -> dict[str, np.ndarray]:
    """The arrays of the trained file, see the module's description."""
    arrays: dict[str, np.ndarray] = {}
    for i, layer in enumerate(model.hidden_layers()):
        arrays[f"weights{i}"] = _pack(layer.linear.bits())
        if not layer.shift:
            arrays[f"alpha{i}"] = layer.linear.alpha().numpy().copy()
        for name, tensor in _norm_tensors(layer.norm).items():
            arrays[f"{name}{i}"] = tensor.detach().numpy().copy()
    arrays["weights_out"] = _pack(model.output.linear.bits())
    arrays["bias_out"] = model.output.integer_bias()
    return arrays


def from_compact(
    arrays: Mapping[str, np.ndarray],
    widths: Sequence[int],
    eps: Sequence[float],
    pixel_threshold: int,
    source: str = "trained network",
    shift: bool = False,
) -> BinaryNetwork:
    """The model in eval mode from the arrays of `to_compact`; UserError names what is wrong."""
    model = BinaryNetwork(widths, pixel_threshold, shift)

    def take(name: str, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
        array = arrays.get(name)
        if array is None:
            raise UserError(f"The {source} lacks the array {name}.")
        if array.dtype != dtype:
            raise UserError(f"In the {source} {name} is {array.dtype}, not {np.dtype(dtype)}.")
        if array.shape != shape:
            raise UserError(f"In the {source} {name} has shape {array.shape}, not {shape}.")
        return array

    def take_signs(name: str, inputs: int, outputs: int) -> Tensor:
        packed = take(name, np.uint8, (outputs, -(-inputs // 8)))
        return signs(np.unpackbits(packed, axis=1, count=inputs, bitorder="little"))

    if len(eps) != len(model.hidden):
        raise UserError(f"The {source} must state one eps for each of its hidden layers.")
    with torch.no_grad():
        for i, layer in enumerate(model.hidden_layers()):
            n, m = model.widths[i], model.widths[i + 1]
            alpha = torch.ones(m)
            if not shift:
                alpha = torch.from_numpy(take(f"alpha{i}", np.float32, (m,)).copy())
            if not bool(((alpha >= 0) & (alpha <= 1)).all()):
                # Brevitas clips latent weights to +-1, so a larger alpha would not survive.
                raise UserError(f"In the {source} alpha{i} has values outside 0 to 1.")
            layer.linear.weight.copy_(take_signs(f"weights{i}", n, m) * alpha[:, None])
            for name, tensor in _norm_tensors(layer.norm).items():
                tensor.copy_(torch.from_numpy(take(f"{name}{i}", np.float32, (m,)).copy()))
            layer.norm.eps = float(eps[i])
        n, m = model.widths[-2:]
        model.output.linear.weight.copy_(take_signs("weights_out", n, m))
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
    }
    if model.shift:
        manifest["norm"] = "shift"
    container.write(Path(path), _KIND, _VERSION, to_compact(model), manifest)


def load_trained(path: Path) -> tuple[BinaryNetwork, dict[str, Any]]:
    """The model in eval mode and its `info`; raises UserError if the file is not sound."""
    arrays, manifest = container.read(Path(path), _KIND, _VERSION, _NOUN)
    try:
        widths = [int(width) for width in manifest["widths"]]
        eps = [float(value) for value in manifest["eps"]]
        pixel_threshold = int(manifest["pixel_threshold"])
        info = dict(manifest["info"])
        shift = {"batch": False, "shift": True}[manifest.get("norm", "batch")]
    except (KeyError, TypeError, ValueError) as cause:
        raise UserError(f"The {_NOUN} {path} has an incomplete manifest.") from cause
    source = f"{_NOUN} {path}"
    return from_compact(arrays, widths, eps, pixel_threshold, source, shift), info


def _norm_tensors(norm: nn.BatchNorm1d) -> dict[str, Tensor]:
    assert norm.running_mean is not None and norm.running_var is not None
    return {
        "gamma": norm.weight,
        "beta": norm.bias,
        "mean": norm.running_mean,
        "var": norm.running_var,
    }


def _pack(bits: np.ndarray) -> np.ndarray:
    return np.packbits(bits, axis=1, bitorder="little")
