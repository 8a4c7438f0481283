# SPDX-License-Identifier: Apache-2.0
"""The layers of the Brevitas network, and the quantisers of their weights and activations."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear
from brevitas.quant.binary import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst
from brevitas.quant.ternary import SignedTernaryWeightPerTensorConst
from torch import Tensor, nn
from torch.nn import functional

from ..errors import UserError
from .form import Form
from .precision import ROUGH, exact_product
from .shift import ShiftBatchNorm, ap2

# float32 holds every integer up to 2**24, so sums of that many +-1 are exact.
_EXACT_SUM = 1 << 24

# Power-of-two weights are +-2^0 to +-2^7; a latent weight of 1 is 2^7.
TOP_EXPONENT = 7


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
    """Activations times weights, for training.

    x (N, n) of -3..3, values int8 (m, n) of -1..1: the quantised form of the latent `weight`.
    The forward result is the same integer that Brevitas' float32 path gives, several times
    faster.  Gradients pass straight through the quantisation and are formed in `precision.ROUGH`.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, values: Tensor) -> Tensor:
        activations = x.to(torch.int8)
        ctx.save_for_backward(activations, values)
        return exact_product(activations, values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None]:
        activations, values = ctx.saved_tensors
        rough = gradient.to(ROUGH)
        to_x = None
        if ctx.needs_input_grad[0]:
            to_x = (rough @ values.to(ROUGH)).to(torch.float32)
        return to_x, (rough.t() @ activations.to(ROUGH)).to(torch.float32), None


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

    def put(self, values: Tensor) -> None:
        """Take latent weights (outputs, inputs)."""
        self.weight.copy_(values)

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


class _SignOfWeights(torch.autograd.Function):
    """Latent weights to +-1 of `precision.ROUGH`; straight-through gradient."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> Tensor:
        signs = (weight >= 0).to(ROUGH).mul_(2).sub_(1)
        return signs.contiguous(memory_format=torch.channels_last)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.float()


class BinaryConvolution(QuantConv2d):
    """A Brevitas convolution with weights of exactly +-1, stride 1, no padding.

    x float32 (N, channels, S, S) of +-1, or of -3, -1, 1, 3 -> the dot products, whole numbers.
    A neuron is a filter, and its inputs are those of a window in the order (row, column, channel).
    """

    def __init__(self, channels: int, filters: int, kernel: int) -> None:
        super().__init__(channels, filters, kernel, bias=False, weight_quant=UnitWeight)
        self.in_features = kernel * kernel * channels
        self.out_features = filters

    def forward(self, x: Tensor) -> Tensor:
        """The exact product, Brevitas' own path; rounded, should an algorithm take a detour."""
        product: Tensor = super().forward(x)
        return product.round()

    def rough(self, x: Tensor) -> Tensor:
        """The product for training, `precision.ROUGH` like x."""
        return functional.conv2d(x, _SignOfWeights.apply(self.weight))

    def bits(self) -> np.ndarray:
        """The weights as uint8 (filters, inputs): 1 is +1, 0 is -1."""
        with torch.no_grad():
            values = self.quant_weight().value.permute(0, 2, 3, 1).flatten(1)
            return (values > 0).to(torch.uint8).numpy()

    def alpha(self) -> Tensor:
        """XNOR-Net's scale, mean |W| of each filter, float32 (filters,), summed in float64."""
        with torch.no_grad():
            size = self.weight.abs().flatten(1)
            return size.mean(dim=1, dtype=torch.float64).to(torch.float32)

    def put(self, values: Tensor) -> None:
        """Take latent weights (filters, inputs)."""
        filters, channels, *window = self.weight.shape
        self.weight.copy_(values.reshape(filters, *window, channels).permute(0, 3, 1, 2))


class _Power(torch.autograd.Function):
    """Latent weights to +-2^0 .. +-2^7, the nearest in the logarithm; straight-through gradient."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> Tensor:
        power = ap2(weight.abs()).mul_(2.0**TOP_EXPONENT).clamp_(1, 2.0**TOP_EXPONENT)
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

    def put(self, values: Tensor) -> None:
        """Take latent weights (outputs, inputs)."""
        self.weight.copy_(values)

    def bits(self) -> np.ndarray:
        """The signs as uint8 (outputs, inputs): 1 is +."""
        return (self.weight.detach() >= 0).to(torch.uint8).numpy()

    def exponents(self) -> np.ndarray:
        """The exponents as uint8 (outputs, inputs) of 0..7."""
        # frexp's fraction is 1/2 to 1, so its exponent is one more.
        return (_Power.apply(self.weight.detach()).frexp().exponent - 1).to(torch.uint8).numpy()


Weighted = BinaryLinear | PowerLinear | BinaryConvolution


class HiddenLayer(nn.Module):
    """activation(batch_norm(alpha * product)): x (N, inputs) -> (N, outputs).

    An activation is +-1, or with order 2 one of -3, -1, 1, 3.  With shift-based normalisation and
    behind power-of-two weights, which carry their scale themselves, there is no alpha.  `order` is
    that of the inputs, where it is not that of the outputs.
    """

    def __init__(self, linear: Weighted, form: Form, order: int | None = None) -> None:
        super().__init__()
        self.linear = linear
        self.form = form
        self.order = order or form.order
        outputs = linear.out_features
        self.norm = ShiftBatchNorm(outputs) if form.norm == "shift" else nn.BatchNorm1d(outputs)
        self.sign = QuantIdentity(act_quant=UnitSign)
        if form.order == 2:
            self.residual = QuantIdentity(act_quant=UnitSign)

    @property
    def has_alpha(self) -> bool:
        """Whether the product is scaled by the mean magnitude of the latent weights."""
        return not isinstance(self.linear, PowerLinear) and self.form.norm == "batch"

    def forward(self, x: Tensor) -> Tensor:
        return self.activate(self.linear(x))

    def scaled(self, product: Tensor) -> Tensor:
        """The product times alpha, where there is one."""
        if not isinstance(self.linear, PowerLinear) and self.has_alpha:
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
