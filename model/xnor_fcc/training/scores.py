# SPDX-License-Identifier: Apache-2.0
"""What a model answers, and how much of it is right."""

from __future__ import annotations

import torch
from torch import Tensor

_EVALUATION_BATCH = 250


@torch.no_grad()
def scores_of(model: torch.nn.Module, x: Tensor) -> Tensor:
    """The model's outputs (N, classes) in eval mode."""
    model.eval()
    return torch.cat([model(part) for part in x.split(_EVALUATION_BATCH)])


def accuracy(scores: Tensor, labels: Tensor) -> float:
    """Share of images whose highest score is the label's; argmax takes the lowest on a tie."""
    return float((scores.argmax(dim=1) == labels).double().mean())
