# SPDX-License-Identifier: Apache-2.0
"""Learning of the output layer, in integers: what a core that learns must hold, bit for bit.

The hidden layers stay as they are; their answers, the n bits x of the last of them, are the
features.  Each synapse of the output layer has a latent, a whole number of -128 to 127, whose sign
is the weight: +1 where it is at least 0, else -1.  The bias stays.

An image comes with its label.  For each class by itself, with the score that the core answers:

    the class is the label        it moves by +1 where  score < margin
    it is another class           it moves by -1 where -score < margin

A batch is up to `lanes` images, all scored with the weights before it.  Then each latent becomes

    latent[c, k] = clip(latent[c, k] + sum over the images l of move[l, c] * x[l, k], -128, 127)

with x of +1 or -1: the sum first, then once the ends.  Later batches see it.  An image whose label
is `NO_LABEL` is only answered, and so is one whose label is no class: the core reports that.

Latents start at +-START by the network's weights, at 0 to forget all that these knew, or where an
earlier run left them, in the network's file.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .errors import UserError
from .integer import IntegerNetwork
from .reference import evaluate

NO_LABEL = 255
MARGIN, START, LANES = 32, 8, 4
MOST_MARGIN, MOST_START, MOST_LANES = 255, 127, 64
# Images whose features are held at once.
_BLOCK = 2048


@dataclass(frozen=True)
class Learnt:
    """What became of N images.

    Each as the core answered it before it moved anything: classes int64 (N,), scores int32 (N,
    classes).  `moved` bool (N,): whether it moved the latents of at least one class.  `learnt`: how
    many had a class as their label, `refused`: how many a label that is neither that nor
    `NO_LABEL`, `walks`: how many batches moved anything.
    """

    classes: np.ndarray
    scores: np.ndarray
    moved: np.ndarray
    learnt: int
    refused: int
    walks: int

    @property
    def images_moved(self) -> int:
        """How many images moved anything."""
        return int(self.moved.sum())

    @classmethod
    def of(cls, scores: np.ndarray, labels: np.ndarray, margin: int, lanes: int) -> Learnt:
        """From scores int32 (N, classes) and labels uint8 (N,), in batches of `lanes`."""
        moved = np.count_nonzero(moves(scores, labels, margin), axis=1) > 0
        known = labels < min(scores.shape[1], NO_LABEL)
        return cls(
            classes=scores.argmax(axis=1),  # the lowest index on a tie
            scores=scores,
            moved=moved,
            learnt=int(known.sum()),
            refused=int((~known & (labels != NO_LABEL)).sum()),
            walks=len(np.unique(np.flatnonzero(moved) // lanes)),
        )

    @classmethod
    def joined(cls, parts: Sequence[Learnt]) -> Learnt:
        """What became of the images of at least one part, one after the other."""
        return cls(
            np.concatenate([part.classes for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.moved for part in parts]),
            sum(part.learnt for part in parts),
            sum(part.refused for part in parts),
            sum(part.walks for part in parts),
        )


def moves(scores: np.ndarray, labels: np.ndarray, margin: int = MARGIN) -> np.ndarray:
    """Which classes the images of a batch move, int8 (L, classes) of -1, 0, +1.

    `scores` int32 (L, classes) of before the batch, `labels` (L,) of 0 to 255.
    """
    labels = labels[:, None]
    right = labels == np.arange(scores.shape[1])
    near = np.where(right, scores, -scores) < margin
    known = labels < min(scores.shape[1], NO_LABEL)
    return np.where(near & known, np.where(right, 1, -1), 0).astype(np.int8)


def updated(latents: np.ndarray, moved: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The latents after a batch, int8 (classes, n).

    `latents` int8 (classes, n) before it, `moved` int8 (L, classes) of `moves`, `x` uint8 (L, n):
    the features, bits of 0/1.
    """
    # Whole numbers far below 2^24, so float32 is exact, and numpy has fast products of it.
    sums: np.ndarray = moved.T.astype(np.float32) @ _signs(x) + latents
    return sums.clip(-128, 127).astype(np.int8)


def started(network: IntegerNetwork, start: int = START) -> np.ndarray:
    """Latents int8 (classes, n) of a network: +-start by its weights; of start 0 all are 0."""
    start = _whole(start, "Where latents start")
    if not 0 <= start <= MOST_START:
        raise UserError(f"Latents start at 0 to {MOST_START}, not at {start}.")
    return np.where(network.output.weights, start, -start).astype(np.int8)


def features(network: IntegerNetwork, x: np.ndarray) -> np.ndarray:
    """The inputs of the output layer, bits uint8 (N, n) of 0/1, for `x` as of
    `reference.evaluate`; without hidden layers that is `x` itself."""
    result = evaluate(network, x)
    last = result.hidden[-1] if result.hidden else x
    return last.reshape(len(x), network.output.inputs).astype(np.uint8)


def check(network: IntegerNetwork) -> None:
    """UserError, in one sentence, if the output layer of a network cannot learn."""
    output = network.output
    if output.ternary:
        raise UserError("The output layer has ternary weights, and only binary ones can learn.")
    if output.order != 1:
        raise UserError(
            f"The output layer has inputs of order {output.order}, and it learns from single bits "
            "only."
        )
    if network.classes > NO_LABEL:
        raise UserError(
            f"The network has {network.classes} classes, and labels are there for {NO_LABEL}."
        )


class Learner:
    """A network that learns, as a core does.

    `latents` int8 (classes, n) and `network` are as they are now.
    """

    def __init__(
        self,
        network: IntegerNetwork,
        margin: int = MARGIN,
        lanes: int = LANES,
        latents: np.ndarray | None = None,
        start: int | None = None,
    ) -> None:
        """`margin` 0 to 255; `lanes` 1 to 64, images of a batch.

        `latents` int8 (classes, n): those to begin with; without them `started(network, start)`;
        with neither those that the network has, or of a network without any +-START.  UserError
        where the network cannot learn, or a number is outside of what there is.
        """
        check(network)
        margin, lanes = _whole(margin, "The margin"), _whole(lanes, "A batch")
        if not 0 <= margin <= MOST_MARGIN:
            raise UserError(f"The margin must be from 0 to {MOST_MARGIN}, not {margin}.")
        if not 1 <= lanes <= MOST_LANES:
            raise UserError(f"A batch has 1 to {MOST_LANES} images, not {lanes}.")
        if latents is not None and start is not None:
            raise UserError("Latents are given, or where they start, not both.")
        if latents is None and start is None:
            latents = network.output.latents
        if latents is None:
            latents = started(network, START if start is None else start)
        if np.shape(latents) != network.output.weights.shape:
            raise UserError(
                f"The network has latents of shape {network.output.weights.shape}, classes and "
                f"inputs, not {np.shape(latents)}."
            )
        self.margin, self.lanes = margin, lanes
        self._first = network
        self._take(latents)
        # Which checks the latents.
        assert self.network.output.latents is not None

    def _take(self, latents: np.ndarray) -> None:
        self._latents = latents
        self._weights = _signs(latents >= 0).T

    @property
    def latents(self) -> np.ndarray:
        """The latents, int8 (classes, n): a copy."""
        return self._latents.copy()

    @property
    def network(self) -> IntegerNetwork:
        """The network with the present weights and latents.

        Of what the file told of the first one, the data set is left, and its name: its accuracy is
        another now.
        """
        first = self._first
        output = replace(
            first.output,
            weights=(self._latents >= 0).astype(np.uint8),
            latents=self.latents,
        )
        info = {"learnt_from": first.info.get("learnt_from", first.name)}
        if first.dataset is not None:
            info["dataset"] = first.dataset
        return replace(first, output=output, info=info)

    def learn(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        grey: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> Learnt:
        """Answer `images` in order, and learn from those with a label; N may be 0.

        `images`: as `IntegerNetwork.inputs_from` makes them, or with `grey` its own images; the
        first begins a batch.  `labels` (N,): a class, or `NO_LABEL`.  `progress` is called with how
        many are done.  UserError if they do not fit the network, or each other.
        """
        images = self._checked(images, grey)
        labels = checked_labels(labels, len(images))
        size = _BLOCK // self.lanes * self.lanes  # whole batches
        parts = []
        for first in range(0, max(1, len(images)), size):
            block = slice(first, first + size)
            some = images[block]
            x = features(self._first, self._first.inputs_from(some) if grey else some)
            parts.append(self.learn_features(x, labels[block]))
            if progress is not None:
                progress(first + len(x))
        return Learnt.joined(parts)

    def _checked(self, images: np.ndarray, grey: bool) -> np.ndarray:
        images = np.asarray(images)
        if images.dtype != np.uint8 and (grey or images.dtype != np.bool_):
            kinds = "Grey images are uint8" if grey else "Images are bits, uint8 or bool"
            raise UserError(f"{kinds}, not {images.dtype}.")
        inputs = self._first.inputs
        if self._first.pixels is None and images.size != len(images) * inputs:
            raise UserError(f"The network takes {inputs} pixels, and has images {images.shape}.")
        return images

    def learn_features(self, x: np.ndarray, labels: np.ndarray) -> Learnt:
        """The same from `features`, uint8 (N, n)."""
        labels = checked_labels(labels, len(x))
        scores = np.empty((len(x), self._first.classes), np.int32)
        for first in range(0, len(x), self.lanes):
            batch = slice(first, first + self.lanes)
            scores[batch] = self.scores(x[batch])
            step = moves(scores[batch], labels[batch], self.margin)
            if step.any():
                self._take(updated(self._latents, step, x[batch]))
        return Learnt.of(scores, labels, self.margin, self.lanes)

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Scores int32 (N, classes) of `features` uint8 (N, n), with the present weights."""
        product = (_signs(x) @ self._weights).astype(np.int32)
        scores: np.ndarray = product + self._first.output.bias
        return scores


def _whole(number: int, what: str) -> int:
    try:
        return operator.index(number)
    except TypeError:
        raise UserError(f"{what} is a whole number, not {number!r}.") from None


def _signs(bits: np.ndarray) -> np.ndarray:
    """Bits of 0/1 as float32 of -1 and +1."""
    signs: np.ndarray = bits * np.float32(2) - np.float32(1)
    return signs


def checked_labels(labels: np.ndarray, images: int) -> np.ndarray:
    """The labels of `images` images as uint8 (N,); UserError if they are none."""
    labels = np.asarray(labels)
    if labels.shape != (images,):
        raise UserError(f"There are {images} images, but labels of shape {labels.shape}.")
    if labels.dtype.kind not in "iu":
        raise UserError(f"Labels are whole numbers of 0 to {NO_LABEL}, not {labels.dtype}.")
    if labels.size and not 0 <= labels.min() <= labels.max() <= NO_LABEL:
        raise UserError(f"Labels are from 0 to {NO_LABEL}: a class, or {NO_LABEL} for none.")
    return labels.astype(np.uint8)
