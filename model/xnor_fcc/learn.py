# SPDX-License-Identifier: Apache-2.0
"""What `xnor-fcc learn` does, whoever learns: its images, who learns from them, how that goes.

The command itself is `xnor_fcc_sim.learn`, for a simulated core may be asked to learn, too.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypedDict

import numpy as np

from .board.driver import Driver
from .board.uart import open_uart
from .data import load_images
from .errors import UserError
from .geometry import Geometry
from .images import as_grey, flat, read_images, read_labels
from .integer import IntegerNetwork
from .learning import NO_LABEL, Learner, Learnt
from .shape import ceil_div

# What (images, labels, progress) come to, grey images and labels uint8 (N,).
Learn = Callable[[np.ndarray, np.ndarray, Callable[[int], None]], Learnt]


@dataclass(frozen=True)
class Labelled:
    """Grey images uint8 (N, inputs), and labels uint8 (N,): classes, or `NO_LABEL`."""

    grey: np.ndarray
    labels: np.ndarray

    def __getitem__(self, chosen: slice) -> Labelled:
        return Labelled(self.grey[chosen], self.labels[chosen])

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def known(self) -> Labelled:
        """Those with a label."""
        there = self.labels != NO_LABEL
        return Labelled(self.grey[there], self.labels[there])


# ---- images


def read_labelled(
    network: IntegerNetwork, paths: Sequence[Path], labels: Path | None = None
) -> Labelled:
    """The images of files, with labels from them or from `labels`.

    UserError if there are none, or they are not for this network.
    """
    images, known = read_images(paths)
    if labels is not None:
        known = read_labels(labels, len(images))
    if known is None:
        raise UserError(
            f"{paths[0]} has no labels: they come in the array `labels` of an .npz file, or, of "
            "images to learn from, in a file of --labels."
        )
    return _fitting(network, images, known)


def _fitting(network: IntegerNetwork, images: np.ndarray, labels: np.ndarray) -> Labelled:
    grey = flat(as_grey(images), network.inputs)
    wrong = np.flatnonzero(((labels < 0) | (labels >= network.classes)) & (labels != NO_LABEL))
    if len(wrong):
        raise UserError(
            f"Image {wrong[0]} has the label {labels[wrong[0]]}, but the classes are 0 to "
            f"{network.classes - 1}, and {NO_LABEL} stands for none."
        )
    return Labelled(grey, labels.astype(np.uint8))


def find_images(
    options: argparse.Namespace, network: IntegerNetwork
) -> tuple[Labelled, Labelled | None]:
    """The images to learn from, and those to measure on, if there are any.

    UserError, in one sentence, for options that no images meet.
    """
    test = None
    if options.dataset is not None:
        whole = load_images(options.dataset, options.data_dir)
        images = _fitting(network, whole.train_images, whole.train_labels)
        if options.test is None and options.held_out is None:
            test = _fitting(network, whole.test_images, whole.test_labels)
    else:
        images = read_labelled(network, options.inputs, options.labels)
    if options.images is not None:
        if options.images > len(images):
            raise UserError(f"--images {options.images} is outside 1 to {len(images)}.")
        images = images[: options.images]
    if options.held_out is not None:
        left = len(images) - options.held_out
        if left < 1:
            raise UserError(f"--held-out {options.held_out} is outside 1 to {len(images) - 1}.")
        images, test = images[:left], images[left:]
    elif options.test is not None:
        test = read_labelled(network, options.test)
    if test is not None:
        test = test.known
        if not len(test):
            raise UserError("None of the images to measure on has a label.")
    return images, test


# ---- who learns


@dataclass(frozen=True)
class Pupil:
    """Who learns, in batches of `lanes` images: the reference, or a `core`, of that description.

    `learn` goes on from where it was; `network` answers what there is by now.
    """

    learn: Learn
    network: Callable[[], IntegerNetwork]
    lanes: int
    core: str | None = None


def reference(learner: Learner) -> Pupil:
    """The reference."""

    def learn(grey: np.ndarray, labels: np.ndarray, progress: Callable[[int], None]) -> Learnt:
        return learner.learn(grey, labels, grey=True, progress=progress)

    return Pupil(learn, lambda: learner.network, learner.lanes)


class Core(Protocol):
    """A core with a network in it: `board.driver.Driver`, or a simulated one."""

    @property
    def geometry(self) -> Geometry:
        """What it is."""

    @property
    def network(self) -> IntegerNetwork | None:
        """What it has by now."""

    @property
    def batch(self) -> int:
        """Images of a batch that learns."""

    def learn(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        margin: int = ...,
        latents: np.ndarray | None = ...,
        start: int | None = ...,
        grey: bool = ...,
        progress: Callable[[int], None] | None = ...,
    ) -> Learnt:
        """Answer images, and learn from those with a label."""


def by_core(core: Core, margin: int) -> Pupil:
    """A core, with the network loaded that it begins with, latents included."""

    def learn(grey: np.ndarray, labels: np.ndarray, progress: Callable[[int], None]) -> Learnt:
        return core.learn(grey, labels, margin, grey=True, progress=progress)

    def network() -> IntegerNetwork:
        assert core.network is not None
        return core.network

    return Pupil(learn, network, core.batch, core.geometry.label)


@contextlib.contextmanager
def at_port(device: str, baud: int, network: IntegerNetwork, margin: int) -> Iterator[Pupil]:
    """The core behind a serial port, with `network` loaded; `UserError` where none answers."""
    with contextlib.closing(open_uart(device, baud)) as link, Driver(link) as core:
        core.load(network)
        yield by_core(core, margin)


# ---- learning


class Point(TypedDict):
    """How things stand after some images."""

    images: int
    accuracy: float | None
    """Of the images to measure on; None without any."""
    right: float | None
    """Of the images since the point before, as they were answered when they came; None of none."""


def course(
    learn: Learn,
    images: Labelled,
    test: Labelled | None,
    every: int,
    passes: int = 1,
    tell: Callable[[Point], None] = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[Learnt, list[Point]]:
    """Learn from all images so many times: what became of them, and how accuracy went.

    A point is told before the first image, after every `every` images, a whole number of batches,
    and at the end of a pass. Those to measure on are shown each time, without their labels;
    `progress` is called with how many have been shown by then, `shown` in the end.
    """
    points: list[Point] = []
    before = 0

    def show(some: np.ndarray, labels: np.ndarray) -> Learnt:
        nonlocal before
        found = learn(some, labels, lambda number: progress(before + min(number, len(labels))))
        before += len(labels)
        return found

    def point(done: int, right: float | None) -> None:
        share = None
        if test is not None:
            found = show(test.grey, np.full(len(test), NO_LABEL, np.uint8))
            share = float((found.classes == test.labels).mean())
        points.append({"images": done, "accuracy": share, "right": right})
        tell(points[-1])

    point(0, None)
    parts = []
    done = 0
    for _ in range(passes):
        for first in range(0, len(images), every):
            some = images[first : first + every]
            parts.append(show(some.grey, some.labels))
            done += len(some)
            point(done, right(parts[-1], some.labels))
    return Learnt.joined(parts), points


def shown(images: Labelled, test: Labelled | None, every: int, passes: int) -> int:
    """How many images a course shows in all."""
    points = 1 + passes * ceil_div(len(images), every)
    return passes * len(images) + (0 if test is None else points * len(test))


def right(learnt: Learnt, labels: np.ndarray) -> float | None:
    """The share of right answers among images with a label; None if there are none."""
    known = labels != NO_LABEL
    return float((learnt.classes == labels)[known].mean()) if known.any() else None


class Report(TypedDict):
    """The JSON object that the command prints."""

    network: str
    margin: int
    lanes: int
    images: int
    """In a pass."""
    passes: int
    learnt: int
    """Images with a label, in all passes."""
    moved: int
    """Images that moved a latent."""
    walks: int
    """Batches that did."""
    right: float | None
    """The share of images that were answered rightly when they came."""
    test_images: int
    before: float | None
    after: float | None
    course: list[Point]
    file: str
    core: str | None
    """Which one has learnt; None where it was the reference."""


def line(point: Point) -> str:
    """A point for people."""
    told = []
    if point["accuracy"] is not None:
        told.append(f"accuracy {point['accuracy']:.4f}")
    if point["right"] is not None:
        told.append(f"{point['right']:.4f} right as they came")
    return f"{point['images']:>8,} images: {', '.join(told)}"


def text(report: Report) -> str:
    """The report for people."""
    lines = [] if report["core"] is None else [f"learnt by a core of {report['core']}"]
    lines.append(
        f"{report['learnt']:,} images with a label, in batches of {report['lanes']}: "
        f"{report['moved']:,} moved latents, in {report['walks']:,} batches"
    )
    if report["right"] is not None:
        lines.append(f"{report['right']:.4f} of them were answered rightly when they came")
    if report["before"] is not None and report["after"] is not None:
        lines.append(
            f"accuracy {report['before']:.4f} before, {report['after']:.4f} after, of "
            f"{report['test_images']:,} images that were not learnt from"
        )
    return "\n".join([*lines, f"wrote {report['file']}"])
