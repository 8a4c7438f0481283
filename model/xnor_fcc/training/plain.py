# SPDX-License-Identifier: Apache-2.0
"""The float counterpart of the binary network, to measure what binarisation costs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn


class PlainNetwork(nn.Module):
    """Layers of the given widths in float32: x (N, widths[0]) -> logits (N, widths[-1]).

    A hidden layer is weights, batch normalisation and ReLU; the output layer weights and biases.
    ReLU rather than the hard tanh whose gradient the sign borrows, because a float network would be
    built with it: the comparison is with what one would use if one did not binarise.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for n, m in pairwise(widths[:-1]):
            layers += [nn.Linear(n, m, bias=False), nn.BatchNorm1d(m), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits

    def logits(self, scores: Tensor) -> Tensor:
        """The outputs are on the scale of the loss already."""
        return scores

    def rising(self) -> list[Tensor]:
        """None."""
        return []

    def latent_layers(self) -> list[nn.Linear]:
        """None."""
        return []
