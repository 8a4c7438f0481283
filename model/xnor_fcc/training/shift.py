# SPDX-License-Identifier: Apache-2.0
"""Training with shifts for multiplications (Courbariaux et al., 2016, arXiv 1602.02830).

`ap2` rounds to a power of two, `ShiftBatchNorm` is the paper's Algorithm 3, `ShiftAdaMax` its
Algorithm 4, `shifted_rate` its learning rate.  In the paper `a <<>> b` shifts a left or right by
the exponent of the power of two b: here a product or quotient with b, which is exact in float32
as a shift is, as long as nothing under- or overflows.

Where the sources differ or leave something open:

- Mini-batch and decay.  Batches of 200 and one right shift every 50 epochs, as the report that
  this project follows states for its networks, are the paper's figures for CIFAR-10.  For MNIST
  the paper has batches of 100, a shift every 10 epochs (the authors' script: 20) and three layers
  of 2,048.
- Algorithm 3 prints no beta in its last line although it lists it as learned; the authors' Torch
  code adds it after the scale, and so does this file.
- The paper gives no gradient of Algorithm 3.  The authors' code has one, see `_Normalise`.
- Inference.  The paper does not say what is averaged.  The authors' code keeps running means (with
  a weight of 2^-3 for the new batch) of the mean and of 1/sqrt(variance + eps), and rounds the
  latter when it is used.  Here the *variance* is averaged, so that a trained file holds what it
  holds for ordinary batch normalisation; it is rounded when it is used as well.
- Algorithm 4 keeps v as it is and rounds it for the shift.  The authors' code stores the rounded v:
  then a decay of 1 - 2^-10 is rounded away in every step and v never falls.  This file follows the
  paper.  It follows the paper too in 1 - beta1 = 2^-3 and alpha = 2^-10, where the code has 0.1
  and, for MNIST, 2^-6.
- The paper's Algorithm 1 multiplies the step of binary weights by their Glorot coefficient; both
  codes of the authors do.  Nobody rounds it.  `ShiftAdaMax` takes it as `scale`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

# A float32 is 1 sign bit, 8 of exponent, 23 of fraction.  The exponent grows by one just when the
# fraction is beyond that of sqrt(2), whose first 23 bits are 0x3504F3: adding this to the bits
# carries into the exponent then, and only then.  No logarithm, so no rounding of one.
_CARRY = (1 << 23) - (0x3504F3 + 1)
_SIGN_AND_EXPONENT = ~((1 << 23) - 1)
_SMALLEST_NORMAL = 2.0**-126

ALPHA = 2.0**-10
BETAS = (1 - 2.0**-3, 1 - 2.0**-10)
_FLOOR = 2.0**-27
_MOMENTUM = 2.0**-3


def ap2(x: Tensor) -> Tensor:
    """AP2(x) = sign(x) * 2^round(log2 |x|), float32 of any shape; AP2(0) = 0, no gradient.

    Exact for every float32: log2 |x| = k + 1/2 is irrational x = 2^k sqrt(2), so there is no tie to
    break.  Beyond sqrt(2) * 2^127 the power is infinite; NaN stays NaN.
    """
    if x.dtype != torch.float32:
        raise TypeError(f"ap2 rounds float32, not {x.dtype}")
    x = x.detach()
    rounded = _ap2_of_normal(x)
    odd = ~((x.abs() >= _SMALLEST_NORMAL) | (x == 0))  # sub-normal, or NaN
    if bool(odd.any()):
        # Scaled into the normal range, there and back without rounding; NaN + 0 is NaN.
        some = x[odd]
        rounded[odd] = torch.where(some.isnan(), some, _ap2_of_normal(some * 2.0**24) * 2.0**-24)
    return rounded


def _ap2_of_normal(x: Tensor) -> Tensor:
    """`ap2` of values that are zero, infinite or normal."""
    bits = x.contiguous().view(torch.int32)
    return bits.add(_CARRY).bitwise_and_(_SIGN_AND_EXPONENT).view(torch.float32)


class StraightAp2(torch.autograd.Function):
    """`ap2` with a straight-through gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return ap2(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


class _Normalise(torch.autograd.Function):
    """Algorithm 3 over a mini-batch: x (N, m) -> y (N, m), mean (m,), variance (m,).

    Forward, with 1/N sums over the batch and r = AP2(1 / sqrt(variance + eps)):

        mean     = 1/N sum x
        C        = x - mean
        variance = 1/N sum C <<>> AP2(C)
        x_hat    = C <<>> r
        y        = x_hat <<>> AP2(gamma) + beta

    Backward, as in the authors' code: that of ordinary batch normalisation, straight through every
    AP2, with each remaining product turned into a shift by the rounded factor:

        dgamma = sum AP2(x_hat) g
        dbeta  = sum g
        dx     = AP2(gamma) r (g - mean(g) - r^2 AP2(C) mean(AP2(C) g))

    Mean and variance carry no gradient of their own.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, gamma: Tensor, beta: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        mean = x.mean(dim=0)
        centred = x - mean
        rounded = ap2(centred)
        variance = (centred * rounded).mean(dim=0)
        inverse = ap2((variance + eps).rsqrt())
        normal = centred.mul_(inverse)
        slope = ap2(gamma)
        ctx.save_for_backward(rounded, ap2(normal), inverse, slope)
        ctx.mark_non_differentiable(mean, variance)
        return normal * slope + beta, mean, variance

    @staticmethod
    def backward(
        ctx: Any, gradient: Tensor, *_: Tensor
    ) -> tuple[Tensor | None, Tensor, Tensor, None]:
        rounded, normal, inverse, slope = ctx.saved_tensors
        to_beta = gradient.sum(dim=0)
        to_gamma = (normal * gradient).sum(dim=0)
        along = (rounded * gradient).mean(dim=0) * inverse.square()
        to_x = gradient - to_beta / len(gradient) - rounded * along
        return to_x.mul_(inverse * slope), to_gamma, to_beta, None


class ShiftBatchNorm(nn.BatchNorm1d):
    """Shift-based batch normalisation, Algorithm 3: x float32 (N, m) -> (N, m).

    Parameters, buffers and their names are those of `BatchNorm1d`.  `running_var` averages the
    algorithm's own variance (divided by N, not by N - 1).  In eval mode an affine map whose slope
    is a power of two: (x - running_mean) <<>> AP2(1/sqrt(running_var + eps)) <<>> AP2(gamma) + beta
    """

    def __init__(self, features: int) -> None:
        super().__init__(features, momentum=_MOMENTUM)

    def forward(self, x: Tensor) -> Tensor:
        mean, variance = self.running_mean, self.running_var
        assert mean is not None and variance is not None and self.momentum is not None
        if not self.training:
            inverse = ap2((variance + self.eps).rsqrt())
            return (x - mean) * inverse * ap2(self.weight) + self.bias
        y, batch_mean, batch_variance = _Normalise.apply(x, self.weight, self.bias, self.eps)
        with torch.no_grad():
            mean.lerp_(batch_mean, self.momentum)
            variance.lerp_(batch_variance, self.momentum)
        return y


class ShiftAdaMax(torch.optim.Optimizer):
    """Shift-based AdaMax, Algorithm 4.  In step t, from gradient g:

        m     = beta1 m + (1 - beta1) g
        v     = max(beta2 v, |g|)
        theta = theta - (alpha <<>> (1 - beta1^t)) m <<>> v^-1

    where the first shift gives the power of two AP2(alpha / (1 - beta1^t)) and the second is by
    AP2(v).  AP2(v) is at least 2^-27, the authors' guard against division by zero.  A parameter
    group may set `scale`, by which its steps are multiplied.
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = ALPHA,
        betas: tuple[float, float] = BETAS,
        scale: float = 1.0,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "scale": scale})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient; takes no closure."""
        assert closure is None
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for theta in group["params"]:
                if theta.grad is None:
                    continue
                state = self.state[theta]
                if not state:
                    state["step"] = 0
                    state["m"] = torch.zeros_like(theta)
                    state["v"] = torch.zeros_like(theta)
                state["step"] += 1
                m, v = state["m"], state["v"]
                m.mul_(beta1).add_(theta.grad, alpha=1 - beta1)
                torch.maximum(v.mul_(beta2), theta.grad.abs(), out=v)
                alpha = float(ap2(torch.tensor(group["lr"] / (1 - beta1 ** state["step"]))))
                # At least the floor, so no sub-normal values; where v is NaN, m is NaN too.
                divisor = _ap2_of_normal(v.clamp_min(_FLOOR))
                theta.addcdiv_(m, divisor, value=-alpha * group["scale"])


def glorot_coefficient(inputs: int, outputs: int) -> float:
    """What a binary layer's steps are multiplied by: 1 over Glorot's sqrt(1.5 / (n + m))."""
    return math.sqrt((inputs + outputs) / 1.5)


def shifted_rate(lr: float, epoch: int, every: int) -> float:
    """The learning rate in an epoch counted from 0: one right shift every `every` epochs."""
    return math.ldexp(lr, -(epoch // every))
