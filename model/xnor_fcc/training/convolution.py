# SPDX-License-Identifier: Apache-2.0
"""The convolutional Brevitas network: binary convolutions, pools on bits, dense layers behind.

A colour's pixel becomes the bits of a thermometer, one for each level that it reaches; with these
as channels every layer is binary. A convolutional layer computes what a dense one does (`network`),
at every position of the map, and a 2x2 max-pool follows the sign.

Outside training every bit is a function of the exact P alone, by the same arithmetic as in a dense
layer. In training products are formed in `precision.ROUGH`, and the pool comes first, as the
greatest product: the bits are the same as long as gamma is not negative
(`ConvolutionalNetwork.rising`), which costs nothing, as the weights have signs. So the gradient
goes to the position that decided a bit, batch normalisation balances the bits that go on, and there
is a quarter of them to measure. It measures products without alpha, which it would divide out;
alpha is in the statistics it keeps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import UserError
from ..registers import PIXEL_THRESHOLD
from .form import Form
from .layers import BinaryConvolution, HiddenLayer
from .network import BinaryNetwork
from .plan import Convolution, Plan
from .precision import ROUGH


class _Sign(torch.autograd.Function):
    """+1 for x >= 0, else -1; the gradient passes where |x| <= 1, as in `layers.UnitSign`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (x >= 0).to(x.dtype).mul_(2).sub_(1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * (x.abs() <= 1)


class ConvolutionLayer(HiddenLayer):
    """pool(activation(batch_norm(alpha * product))).

    x (N, channels, S, S) -> (N, filters, T, T), T of `plan.Plan.sides`.
    """

    def __init__(self, channels: int, each: Convolution, form: Form, order: int) -> None:
        linear = BinaryConvolution(channels, each.channels, each.kernel)
        super().__init__(linear, form, order)
        self.pool = each.pool

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return self._rough(x)
        product: Tensor = self.linear(x).permute(0, 2, 3, 1)
        y = self.activate(product.reshape(-1, product.shape[3])).reshape(product.shape)
        y = y.permute(0, 3, 1, 2)
        return functional.max_pool2d(y, 2) if self.pool else y

    def _rough(self, x: Tensor) -> Tensor:
        """As in training; `precision.ROUGH`, channels last."""
        assert isinstance(self.linear, BinaryConvolution)
        norm = self.norm
        product = self.linear.rough(x)
        if self.pool:
            product = functional.max_pool2d(product, 2)
        v, mean, scale = torch.native_batch_norm(
            product, norm.weight, norm.bias, None, None, True, 0.0, norm.eps
        )
        with torch.no_grad():
            self._track(mean, scale, product.numel() // len(mean))
        first: Tensor = _Sign.apply(v)
        if self.form.order == 1:
            return first
        second: Tensor = _Sign.apply(v - first)
        return 2 * first + second

    def _track(self, mean: Tensor, scale: Tensor, count: int) -> None:
        """Keep statistics of alpha * product as batch normalisation does."""
        norm = self.norm
        assert isinstance(self.linear, BinaryConvolution)
        assert norm.running_mean is not None and norm.running_var is not None
        assert norm.num_batches_tracked is not None
        norm.num_batches_tracked.add_(1)
        share = norm.momentum
        if share is None:
            share = 1 / float(norm.num_batches_tracked)
        alpha = self.linear.alpha()
        variance = (scale.pow(-2) - norm.eps).clamp_min_(0) * (count / (count - 1))
        norm.running_mean.lerp_(alpha * mean, share)
        norm.running_var.lerp_(alpha.square() * variance, share)


class ConvolutionalNetwork(BinaryNetwork):
    """The whole network: x from `thermometer` -> integer scores, float32 (N, classes)."""

    def __init__(self, plan: Plan, form: Form | None = None) -> None:
        super().__init__(plan.widths, PIXEL_THRESHOLD, form)
        check_form(self.form)
        self.plan = plan
        channels = plan.channels
        convolutions = [
            ConvolutionLayer(channels[i], each, self.form, self.form.order if i else 1)
            for i, each in enumerate(plan.convolutions)
        ]
        self.hidden = nn.ModuleList([*convolutions, *self.hidden])

    def trace(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Every map's activations (N, T, T, channels), every dense layer's (N, m), the scores."""
        x = x.to(ROUGH if self.training else torch.float32)
        activations = []
        maps = len(self.plan.convolutions)
        for i, layer in enumerate(self.hidden):
            x = layer(x)
            activations.append(x.permute(0, 2, 3, 1) if i < maps else x)
            if i == maps - 1:
                x = activations[-1].flatten(1)
        return activations, self.output(x)

    def rising(self) -> list[Tensor]:
        layers = self.hidden_layers()
        return [
            each.norm.weight for each in layers if isinstance(each, ConvolutionLayer) and each.pool
        ]

    def inputs_from(self, grey: Tensor) -> Tensor:
        return thermometer(grey, self.plan)


def check_form(form: Form) -> None:
    """Raise `UserError` where there is no such network with convolutions."""
    if form.manifest().keys() - {"order"}:
        raise UserError("A network with convolutions has binary weights and batch normalisation.")


def thermometer(pixels: Tensor, plan: Plan) -> Tensor:
    """Images (N, side, side) or (N, side, side, colours), 0..255, as a network's inputs.

    int8 (N, colours * levels, S, S) of +-1, S with the border, channels last in memory.
    """
    shape = (len(pixels), plan.side, plan.side, plan.colours)
    border = [0, 0, *[plan.border] * 4]
    padded = functional.pad(pixels.reshape(shape), border)
    reached = padded[..., None] >= torch.tensor(plan.levels)
    return reached.flatten(3).to(torch.int8).mul_(2).sub_(1).permute(0, 3, 1, 2)
