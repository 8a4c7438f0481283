# SPDX-License-Identifier: Apache-2.0
"""Structured pruning: whole neurons are cut out of a trained network, which is then retrained.

The core computes PE neurons at a time and reads SIMD activations at a time, so only whole neurons
save cycles, and only where a layer comes down to fewer groups or words.

A neuron that is cut leaves its mean activation behind: the next layer's batch normalisation, or the
bias of the output layer, takes up the constant.  To first order that changes the loss of image i by
g_ij (mean_j - a_ij), with g the gradient of the loss by the activation (the criterion of Molchanov
et al., 2017 and 2019, around the mean rather than around zero: an activation of -1 is no more
absent than one of +1).  A neuron's usefulness is the mean over the images of the magnitude of that.
It is zero for a neuron that never switches, and for one that no later layer listens to.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import UserError
from .network import BinaryNetwork
from .trained import norm_tensors

_BATCH = 1000


def usefulness(model: BinaryNetwork, x: Tensor, labels: Tensor) -> list[Tensor]:
    """Of every neuron, float64 (m,) for each hidden layer, on inputs x (N, n), labels (N,)."""
    means = _means(model, x)
    totals = [torch.zeros(len(mean), dtype=torch.float64) for mean in means]
    for part, right in zip(x.split(_BATCH), labels.split(_BATCH), strict=True):
        activations, scores = model.trace(part)
        loss = functional.cross_entropy(model.logits(scores), right, reduction="sum")
        gradients = torch.autograd.grad(loss, activations)
        for total, mean, a, g in zip(totals, means, activations, gradients, strict=True):
            total += (g * (a.detach() - mean)).abs().sum(dim=0)
    return [total / len(x) for total in totals]


@torch.no_grad()
def _means(model: BinaryNetwork, x: Tensor) -> list[Tensor]:
    """Mean activation of every neuron, float32 (m,) for each hidden layer."""
    parts = [[a.sum(dim=0) for a in model.trace(part)[0]] for part in x.split(_BATCH)]
    return [torch.stack(layer).sum(dim=0) / len(x) for layer in zip(*parts, strict=True)]


def require_part(model: BinaryNetwork, widths: Sequence[int]) -> None:
    """Raise UserError unless `model` can be pruned to a network of `widths`."""
    old = model.widths
    if len(widths) != len(old) or widths[0] != old[0] or widths[-1] != old[-1]:
        raise UserError(
            f"A network of {'-'.join(map(str, old))} cannot be pruned to one of "
            f"{'-'.join(map(str, widths))}: depth, inputs and classes stay."
        )
    if any(new > had for new, had in zip(widths, old, strict=True)):
        raise UserError(f"Pruning keeps at most {', '.join(map(str, old[1:-1]))} neurons.")


def prune(model: BinaryNetwork, widths: Sequence[int], x: Tensor, labels: Tensor) -> BinaryNetwork:
    """The most useful neurons of each hidden layer of `model`, as many as `widths` says.

    `model` in eval mode stays as it is.  Inputs x (N, n) and labels (N,) are training images.  What
    is cut leaves its mean over x behind; the result is to be retrained all the same.  Raises
    UserError if `widths` is not that of a smaller network of the same depth.
    """
    require_part(model, widths)
    kept = [
        # In the order of the network; of equally useful neurons the first.
        torch.argsort(score, descending=True, stable=True)[:m].sort().values
        for score, m in zip(usefulness(model, x, labels), widths[1:-1], strict=True)
    ]
    inputs = [torch.arange(model.widths[0]), *kept]
    # What of each layer's activations is left behind: their mean where they are cut, else 0.
    left = [torch.zeros(model.widths[0])]
    left += [mean.index_fill(0, rows, 0) for mean, rows in zip(_means(model, x), kept, strict=True)]
    small = BinaryNetwork(widths, model.pixel_threshold, model.form)
    with torch.no_grad():
        for i, (new, layer) in enumerate(
            zip(small.hidden_layers(), model.hidden_layers(), strict=True)
        ):
            new.linear.weight.copy_(layer.linear.weight[kept[i]][:, inputs[i]])
            new.norm.eps = layer.norm.eps
            tensors = norm_tensors(layer.norm)
            for name, tensor in norm_tensors(new.norm).items():
                tensor.copy_(tensors[name][kept[i]])
            lost = layer.scaled(layer.linear(left[i][None]))[0]
            norm_tensors(new.norm)["mean"].sub_(lost[kept[i]])
        small.output.linear.weight.copy_(model.output.linear.weight[:, inputs[-1]])
        lost = model.output(left[-1][None])[0]  # the bias is in it, rounded
        small.output.bias.copy_(lost)
    return small.eval()
