# SPDX-License-Identifier: Apache-2.0
"""The float network whose soft answers the binary network learns from (Hinton et al., 2015)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import checkpoint
from .examples import Split, batches, fingerprint, generator, inputs_of
from .precision import NARROW
from .recipes import Recipe, cosine
from .scores import accuracy, scores_of
from .steps import Progress


class Teacher(nn.Module):
    """A small convolutional network on the same square images that the student sees.

    x (N, ...), inputs of `channels` maps as the student takes them -> logits (N, classes).
    Nothing of it is kept after training.
    """

    def __init__(self, side: int, classes: int, channels: int = 1) -> None:
        super().__init__()
        self.maps = (channels, side, side)

        def block(inputs: int, outputs: int, kernel: int, stride: int) -> list[nn.Module]:
            return [
                nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]

        quarter = (side + 3) // 4  # two strides of 2, each rounding up
        self.layers = nn.Sequential(
            *block(channels, 24, 5, 2),
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
        images = x.float().reshape(-1, *self.maps)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=NARROW):
            logits: Tensor = self.layers(images)
        return logits.float()


def train_teacher(data: Split, recipe: Recipe, directory: Path, shown: bool) -> Teacher | None:
    """The trained teacher in eval mode, from its checkpoint as far as there is one."""
    if recipe.teacher_epochs == 0 or recipe.distillation == 0:
        return None
    generator(recipe.stream, "teacher-start", 0)
    model = Teacher(**recipe.teaching(data.images.shape[1]))
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.teacher_lr)
    settings = fingerprint(recipe)
    first, state = checkpoint.resume(directory, "teacher", settings)
    if state is not None:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    steps = recipe.steps(len(data.images))
    total = steps * recipe.teacher_epochs
    held = inputs_of(data.validation_images, recipe)
    progress = Progress("teacher", total, first * steps, shown)
    for epoch in range(first, recipe.teacher_epochs):
        model.train()
        random = generator(recipe.stream, "teacher", epoch)
        for i, (x, labels) in enumerate(batches(data, recipe, recipe.distortion, random)):
            for group in optimizer.param_groups:
                group["lr"] = recipe.teacher_lr * cosine(epoch * steps + i, total, 0)
            optimizer.zero_grad()
            functional.cross_entropy(model(x), labels, label_smoothing=0.02).backward()
            optimizer.step()
            progress.step()
        checkpoint.save(
            directory,
            "teacher",
            epoch + 1,
            {
                "recipe": settings,
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
            },
        )
        right = accuracy(scores_of(model, held), data.validation_labels)
        progress.epoch(f"teacher epoch {epoch + 1}/{recipe.teacher_epochs}: validation {right:.4f}")
    progress.close()
    return model.eval()
