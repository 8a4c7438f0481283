# SPDX-License-Identifier: Apache-2.0
"""The float network whose soft answers the binary network learns from (Hinton et al., 2015)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Teacher(nn.Module):
    """A small convolutional network on the same square images that the student sees.

    x (N, side * side), inputs as the student takes them -> logits (N, classes).  Nothing of it is
    kept after training.
    """

    def __init__(self, side: int, classes: int) -> None:
        super().__init__()
        self.side = side

        def block(inputs: int, outputs: int, kernel: int, stride: int) -> list[nn.Module]:
            return [
                nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]

        quarter = (side + 3) // 4  # two strides of 2, each rounding up
        self.layers = nn.Sequential(
            *block(1, 24, 5, 2),
            *block(24, 32, 3, 1),
            *block(32, 64, 3, 2),
            *block(64, 64, 3, 1),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(64 * quarter * quarter, 128),
            nn.ReLU(inplace=True),
            nn.Dropout(0.3),
            nn.Linear(128, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        images = x.reshape(-1, 1, self.side, self.side)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits: Tensor = self.layers(images)
        return logits.float()
