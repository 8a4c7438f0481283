# SPDX-License-Identifier: Apache-2.0
"""What the networks learn from: the split of the training set, and its distorted copies by epoch.

A recipe that names a `data_seed` shares split, teacher and distorted images with every other recipe
of that `data_seed`, whatever its own seed and network: then only the start and the order of the
images follow from `seed`.  For small networks distortion and teacher are most of the work, so
such runs can keep both in a common directory.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .. import files
from ..data import Images
from ..errors import UserError
from .augment import Distortion, distort
from .network import signs
from .recipes import Recipe

# What decides the teacher, and with the distortion of the epoch the examples.
_SETTINGS = (
    *("dataset", "seed", "validation", "batch", "teacher_epochs", "teacher_lr", "distortion"),
    *("pixel_threshold", "order", "first_layer"),
    *("border", "levels"),
)


@dataclass(frozen=True)
class Split:
    """The training set, cut in two: uint8 images (N, side, side, ...), int64 labels (N,)."""

    images: Tensor
    labels: Tensor
    validation_images: Tensor
    validation_labels: Tensor


def split(whole: Images, recipe: Recipe) -> Split:
    """Cut the validation images off at random; the cut depends on the seed alone."""
    total = len(whole.train_images)
    if not 0 < recipe.validation < total:
        raise UserError(f"The validation split must be from 1 to {total - 1} images.")
    if total - recipe.validation < recipe.batch:
        raise UserError(f"A batch of {recipe.batch} is larger than the training split.")
    order = torch.randperm(total, generator=generator(recipe.stream, "split", 0))
    images = torch.from_numpy(whole.train_images.copy())
    labels = torch.from_numpy(whole.train_labels.astype(np.int64))
    held, kept = order[: recipe.validation], order[recipe.validation :]
    return Split(images[kept], labels[kept], images[held], labels[held])


def inputs_of(grey: Tensor, recipe: Recipe) -> Tensor:
    """Images (N, side, side, ...), 0..255, as the recipe's network takes them."""
    return recipe.inputs(grey)


def generator(seed: int, phase: str, epoch: int) -> torch.Generator:
    """Random numbers for one phase and epoch; torch's own are set as well."""
    text = f"{seed}/{phase}/{epoch}".encode()
    number = int.from_bytes(hashlib.sha256(text).digest()[:7], "big")
    torch.manual_seed(number)  # for dropout and initial weights, which take no generator
    return torch.Generator().manual_seed(number)


def fingerprint(recipe: Recipe) -> str:
    """What decides the teacher and the examples, whatever the network that learns from them."""
    settings = {name: value for name, value in asdict(recipe).items() if name in _SETTINGS}
    return json.dumps(
        {**settings, "seed": recipe.stream, "classes": recipe.widths[-1]}, sort_keys=True
    )


def batches(
    data: Split,
    recipe: Recipe,
    amount: Distortion,
    random: torch.Generator,
    images: int | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled, distorted inputs: x (batch, ...) as the network takes them, labels (batch,)."""
    at_once = 5 * recipe.batch  # distorting many images at a time costs less per image
    order = torch.randperm(len(data.images), generator=random)
    steps = max(1, recipe.steps(min(images or len(order), len(order))))
    order = order[: steps * recipe.batch]
    for chunk in order.split(at_once):
        grey = data.images[chunk]
        if amount.moves:
            grey = distort(grey, amount, random)
        x, labels = inputs_of(grey, recipe), data.labels[chunk]
        yield from zip(x.split(recipe.batch), labels.split(recipe.batch), strict=True)


class Examples:
    """The distorted images of every epoch and the teacher's answers to them.

    With `store`, a directory, and a recipe with a `data_seed`, they are kept there for other runs.
    """

    def __init__(
        self, data: Split, recipe: Recipe, teacher: nn.Module | None, store: Path | None = None
    ) -> None:
        self.data = data
        self.recipe = recipe
        self.teacher = teacher
        self.store = store

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        """An epoch's batches: x (batch, pixels), labels (batch,), logits (batch, classes)."""
        if self.recipe.data_seed is None:
            yield from self._fresh("student", epoch)
            return
        inputs, labels, soft = self._whole("student", epoch)
        order = torch.randperm(
            len(labels), generator=generator(self.recipe.seed, "order", epoch)
        ).numpy()
        for start in range(0, len(order), self.recipe.batch):
            part = order[start : start + self.recipe.batch]
            logits = torch.from_numpy(soft[part]) if len(soft) else None
            x = _restored(inputs[part], self.data.images[0].numel())
            yield x, torch.from_numpy(labels[part]), logits

    def norms(self, epoch: int) -> Iterator[Tensor]:
        """Inputs like those of an epoch, `norm_images` of them, to measure activations with."""
        if self.recipe.data_seed is None:
            for x, _, _ in self._fresh("norm", epoch):
                yield x
            return
        inputs = self._whole("norm", epoch)[0]
        for start in range(0, len(inputs), self.recipe.batch):
            part = inputs[start : start + self.recipe.batch]
            yield _restored(part, self.data.images[0].numel())

    def _fresh(self, phase: str, epoch: int) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        images = self.recipe.norm_images if phase == "norm" else None
        amount = self.recipe.distortion_at(epoch)
        random = generator(self.recipe.stream, phase, self._drawn(epoch))
        for x, labels in batches(self.data, self.recipe, amount, random, images):
            soft = None
            if phase == "student" and self.teacher is not None:
                with torch.no_grad():
                    soft = self.teacher(x)
            yield x, labels, soft

    def _drawn(self, epoch: int) -> int:
        """The epoch whose random distortions this one has."""
        distinct = self.recipe.distinct
        return epoch % distinct if distinct else epoch

    def _whole(self, phase: str, epoch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Packed inputs, labels int64 (N,) and logits float32 (N, classes), or (0,) if none."""
        amount = json.dumps(asdict(self.recipe.distortion_at(epoch)))
        images = self.recipe.norm_images if phase == "norm" else 0
        key = f"{fingerprint(self.recipe)} {amount} {images} {self.teacher is not None}"
        digest = hashlib.sha256(key.encode()).hexdigest()[:16]
        name = f"{phase}-{self._drawn(epoch):05d}-{digest}.npz"
        if self.store is not None and (self.store / name).exists():
            with np.load(self.store / name) as arrays:
                return arrays["inputs"], arrays["labels"], arrays["soft"]
        parts = list(self._fresh(phase, epoch))
        inputs = np.concatenate([_packed(x, self.recipe) for x, _, _ in parts])
        labels = torch.cat([labels for _, labels, _ in parts]).numpy()
        answers = [soft for _, _, soft in parts if soft is not None]
        soft = (torch.cat(answers) if answers else torch.empty(0)).numpy()
        if self.store is not None:
            file = io.BytesIO()
            np.savez(file, inputs=inputs, labels=labels, soft=soft)
            files.write_atomically(self.store / name, file.getvalue())
        return inputs, labels, soft


def _packed(x: Tensor, recipe: Recipe) -> np.ndarray:
    """Inputs of +-1 as bits, others as int8 or, grey ones, as uint8; (N, bytes)."""
    if recipe.first_layer == "shifts":
        return x.numpy().astype(np.uint8)
    return np.packbits(x.numpy() > 0, axis=1) if recipe.order == 1 else x.numpy().astype(np.int8)


def _restored(packed: np.ndarray, pixels: int) -> Tensor:
    """The inputs float32 (N, pixels) that `_packed` packed."""
    if packed.shape[1] == pixels:
        return torch.from_numpy(packed.astype(np.float32))
    return signs(np.unpackbits(packed, axis=1, count=pixels))
