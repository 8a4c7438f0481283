# SPDX-License-Identifier: Apache-2.0
"""The demonstrations of learning in the core, held against the model image by image.

A core learns from a task in portions, from the same images in the same batches as the model beside
it. After each its latents are read back, and it classifies some images as any core does. Compared
are all scores, latents, and signs of the latents. The weights that the core computes with cannot be
read, but a single wrong one would change a score of every image that it classifies then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from measure.learning import Task, accuracy, offline, portions
from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.learning import MARGIN, Learner, Learnt
from xnor_fcc.learning_cycles import learning_period
from xnor_fcc_sim.core import SimulatedAnswers, SimulatedLearnt

# Images of the test part that are classified after each portion.
SHOWN = 100


class Core(Protocol):
    """What is asked of a `SimulatedCore`."""

    geometry: Geometry

    @property
    def network(self) -> IntegerNetwork:
        """What it has by now."""

    def load(self, network: IntegerNetwork, /) -> None:
        """Load another network."""

    def learn(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        margin: int = ...,
        latents: np.ndarray | None = ...,
        start: int | None = ...,
        grey: bool = ...,
        progress: Callable[[int], None] | None = ...,
    ) -> SimulatedLearnt:
        """Answer images, and learn from those with a label."""

    def classify(self, images: np.ndarray, grey: bool = ...) -> SimulatedAnswers:
        """Answer images."""


@dataclass(frozen=True)
class Periods:
    """Cycles from the results of a batch to those of the next one, which waits for it.

    `still`: those that were seen where the first one moved nothing; `moved`: where it did.
    """

    still: frozenset[int] = frozenset()
    moved: frozenset[int] = frozenset()

    def __or__(self, other: Periods) -> Periods:
        return Periods(self.still | other.still, self.moved | other.moved)

    def differing(self, geometry: Geometry, network: IntegerNetwork) -> int:
        """How many of them are not those of `learning_cycles`."""
        return sum(
            len(seen - {learning_period(geometry, network.shape, moved)})
            for seen, moved in ((self.still, False), (self.moved, True))
        )


@dataclass(frozen=True)
class Hardware:
    """How a core fared in a task, and in how much that is not as the model.

    `figures`: accuracy as in `learning.Software`, of the weights that were read out of the core.
    `learnt`: what became of each image to learn from.
    """

    figures: dict[str, float]
    learnt: Learnt
    periods: Periods
    differing_scores: int
    differing_latents: int
    differing_signs: int


def hardware(
    task: Task,
    core: Core,
    network: IntegerNetwork,
    margin: int = MARGIN,
    progress: Callable[[int], None] = lambda _: None,
    compared: bool = False,
) -> Hardware:
    """Let `core` learn from a task's images once, beginning with `network`.

    `progress` is called with how many images it has learnt from by now. `compared`: with the figure
    `offline`, as of `learning.software`.
    """
    model = Learner(network, margin, core.geometry.lanes, start=task.start)
    x, test = task.features(network)
    core.load(network)
    figures: dict[str, float] = {}
    parts: list[SimulatedLearnt] = []
    scores = latents = signs = 0
    for figure, portion in portions(len(x), core.geometry.lanes).items():
        some, labels = task.images[portion], task.labels[portion]

        def tell(done: int, before: int = portion.start) -> None:
            progress(min(before + done, len(x)))

        # From then on it goes on from where it is.
        start = None if parts else task.start
        found = core.learn(some, labels, margin, start=start, grey=True, progress=tell)
        parts.append(found)
        wanted = model.learn_features(x[portion], labels)
        read = core.network
        assert read.output.latents is not None
        latents += int((read.output.latents != model.latents).sum())
        signs += int((read.output.weights != model.network.output.weights).sum())
        shown = core.classify(task.test_images[:SHOWN], grey=True).scores
        scores += int((found.scores != wanted.scores).sum())
        scores += int((shown != model.scores(test[:SHOWN])).sum())
        figures[figure] = accuracy(Learner(read), test, task.test_labels)
    if compared:
        figures["offline"] = offline(x, task.labels, test, task.test_labels)
    periods = Periods()
    for part in parts:
        periods |= periods_of(part, core.geometry.lanes)
    return Hardware(figures, Learnt.joined(parts), periods, scores, latents, signs)


def periods_of(learnt: SimulatedLearnt, lanes: int) -> Periods:
    """What was seen of images that were learnt from in one go, in whole batches."""
    whole = len(learnt.taken) // lanes * lanes
    moved, taken, answered = (
        each[:whole].reshape(-1, lanes) for each in (learnt.moved, learnt.taken, learnt.answered)
    )
    waited = taken[1:, -1] < answered[:-1, -1]
    did = np.count_nonzero(moved, axis=1)[:-1] > 0
    period = np.diff(answered[:, -1])
    return Periods(
        frozenset(period[waited & ~did].tolist()), frozenset(period[waited & did].tolist())
    )
