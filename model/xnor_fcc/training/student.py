# SPDX-License-Identifier: Apache-2.0
"""The network in training: its loss, its epochs, and which of them is kept."""

from __future__ import annotations

import copy
import json
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor
from torch.nn import functional

from . import checkpoint
from .examples import Examples, generator, inputs_of
from .network import BinaryNetwork
from .plain import PlainNetwork
from .prune import prune
from .recipes import Recipe
from .scores import accuracy, scores_of
from .steps import Progress

# Training images by which the neurons to prune are chosen.
_PRUNING_IMAGES = 20_000


class Epoch(TypedDict):
    """What is known of a network after an epoch."""

    epoch: int
    loss: float
    validation_loss: float
    validation_accuracy: float


def student_loss(logits: Tensor, labels: Tensor, soft: Tensor | None, recipe: Recipe) -> Tensor:
    """The recipe's loss on the labels, mixed with the divergence from the teacher's answers."""
    hard = recipe.hard_loss(logits, labels)
    if soft is None:
        return hard
    t = recipe.temperature
    divergence = functional.kl_div(
        functional.log_softmax(logits / t, dim=1),
        functional.log_softmax(soft / t, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return (1 - recipe.distillation) * hard + recipe.distillation * t * t * divergence


def settings_of(recipe: Recipe) -> str:
    """All of a recipe, as a checkpoint remembers it."""
    return json.dumps(asdict(recipe), sort_keys=True)


class Student:
    """The network in training: model, optimiser, running average, best epoch so far."""

    def __init__(self, examples: Examples, start: BinaryNetwork | None = None) -> None:
        self.examples = examples
        self.data = data = examples.data
        self.recipe = recipe = examples.recipe
        generator(recipe.seed, "student-start", 0)
        self.model = recipe.model()
        if start is not None:
            images, labels = data.images[:_PRUNING_IMAGES], data.labels[:_PRUNING_IMAGES]
            small = prune(start, recipe.widths, inputs_of(images, recipe), labels)
            self.model.load_state_dict(small.state_dict())
        # What is evaluated: the model itself if the recipe averages nothing.
        self.average = copy.deepcopy(self.model) if recipe.averages else self.model
        self.optimizer = recipe.optimizer(self.model)
        self.rising = self.model.rising()
        self.latent = [layer.weight for layer in self.model.latent_layers()]
        self.history: list[Epoch] = []
        self.seconds = 0.0
        self.best: dict[str, Tensor] = {}
        self.best_key = (-1.0, -math.inf)
        self.held = inputs_of(data.validation_images, recipe)

    def state(self) -> dict[str, Any]:
        return {
            "recipe": settings_of(self.recipe),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
            "seconds": self.seconds,
            "best": self.best,
            "best_key": list(self.best_key),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.history = state["history"]
        self.seconds = state["seconds"]
        self.best = state["best"]
        self.best_key = tuple(state["best_key"])

    def learn(
        self, x: Tensor, labels: Tensor, soft: Tensor | None, rate: float, step: int
    ) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        loss = student_loss(self.model.logits(self.model(x)), labels, soft, self.recipe)
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            # A latent weight far beyond the reach of the gradient could never turn again.
            if self.latent:
                torch._foreach_clamp_min_(self.latent, -1.0)
                torch._foreach_clamp_max_(self.latent, 1.0)
            if self.rising:
                torch._foreach_clamp_min_(self.rising, 0.0)
        if self.recipe.averages:
            self._average(step)
        return loss.item()

    @torch.no_grad()
    def _average(self, step: int) -> None:
        # Early on the average must not be held back by the initial weights.
        decay = min(self.recipe.average, (1 + step) / (10 + step))
        torch._foreach_lerp_(
            list(self.average.parameters()), list(self.model.parameters()), 1 - decay
        )

    def evaluate(self, epoch: int, loss: float) -> Epoch:
        """Score the network as it is to be used, keep it if it is the best."""
        if self.recipe.averages:
            self._settle_norms(epoch)
        scores = scores_of(self.average, self.held)
        with torch.no_grad():
            held_loss = self.recipe.hard_loss(
                self.average.logits(scores), self.data.validation_labels
            )
        entry: Epoch = {
            "epoch": epoch + 1,
            "loss": round(loss, 6),
            "validation_loss": round(held_loss.item(), 6),
            "validation_accuracy": accuracy(scores, self.data.validation_labels),
        }
        self.history.append(entry)
        key = (entry["validation_accuracy"], -entry["validation_loss"])
        if key > self.best_key:
            self.best_key = key
            self.best = self.recipe.kept(self.average)
        return entry

    @torch.no_grad()
    def _settle_norms(self, epoch: int) -> None:
        """Batch normalisation statistics as the plain mean over freshly distorted images."""
        norms = [m for m in self.average.modules() if isinstance(m, torch.nn.BatchNorm1d)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # cumulative mean
        self.average.train()
        for x in self.examples.norms(epoch):
            self.average(x)
        self.average.eval()

    def chosen(self) -> BinaryNetwork | PlainNetwork:
        """The best epoch's network in eval mode."""
        return self.recipe.restored(self.best)


def train_student(student: Student, directory: Path, shown: bool) -> None:
    """Train to the last epoch, from the newest checkpoint as far as there is one."""
    recipe = student.recipe
    first, state = checkpoint.resume(directory, "student", settings_of(recipe))
    if state is not None:
        student.restore(state)
    steps = recipe.steps(len(student.data.images))
    progress = Progress("network", steps * recipe.epochs, first * steps, shown)
    for epoch in range(first, recipe.epochs):
        student.model.train()
        begun, losses = time.monotonic(), 0.0
        for i, (x, labels, soft) in enumerate(student.examples.epoch(epoch)):
            step = epoch * steps + i
            losses += student.learn(x, labels, soft, recipe.rate(step, steps), step)
            progress.step()
        entry = student.evaluate(epoch, losses / steps)
        student.seconds += time.monotonic() - begun
        checkpoint.save(directory, "student", epoch + 1, student.state())
        progress.epoch(
            f"epoch {epoch + 1}/{recipe.epochs}: loss {entry['loss']:.4f}, "
            f"validation {entry['validation_accuracy']:.4f}, best {student.best_key[0]:.4f}"
        )
    progress.close()
