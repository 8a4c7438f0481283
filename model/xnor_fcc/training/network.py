# SPDX-License-Identifier: Apache-2.0
"""The Brevitas network: inputs, weights and activations of a bit or two.

A hidden layer computes, in this order:

    product = binary weights (+-1) . activations (+-1)      an exact integer, 2P - n
    v       = batch_norm(alpha * product)                   alpha = mean |W| of the neuron
    y       = sign(v)

alpha is XNOR-Net's scale (Rastegari et al., 2016, eq. 6).  It is applied *after* the product: sums
of +-1 are exact in float32 whatever the order of summation, so every hidden bit is a function of
P alone, which is what lets `export` turn it into one integer threshold.  Had alpha been multiplied
into the weights, the rounding of the sums would depend on the BLAS kernel and the thread count.

`Form` tells the other kinds of network apart.  The output layer gives integer scores: product +
bias, the bias rounded; with ternary weights 2 product + bias, so that the core's 2P - M comes out
in every kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import UserError
from ..registers import PIXEL_THRESHOLD
from .form import Form
from .layers import BinaryLinear, HiddenLayer, OutputLayer, PowerLinear, Weighted
from .shift import StraightAp2

DEFAULT_WIDTHS = (784, 1024, 1024, 1024, 10)


class BinaryNetwork(nn.Module):
    """The whole network: x from `to_inputs` -> integer scores, float32 (N, widths[-1])."""

    def __init__(
        self,
        widths: Sequence[int] = DEFAULT_WIDTHS,
        pixel_threshold: int = PIXEL_THRESHOLD,
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
            HiddenLayer(
                PowerLinear(n, m) if shifts and i == 0 else BinaryLinear(n, m, form.ternary), form
            )
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

    def latent_layers(self) -> list[Weighted]:
        """Every layer with latent weights, first to last."""
        return [*(layer.linear for layer in self.hidden_layers()), self.output.linear]

    def rising(self) -> list[Tensor]:
        """Parameters that training holds at 0 or above."""
        return []

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
