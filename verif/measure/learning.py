# SPDX-License-Identifier: Apache-2.0
"""What learning of the last layer is worth: demonstrations, and how the model fares in them.
`learning_core` has how the simulated core does, `learn` the command.

Each begins with the committed MNIST network, whose hidden layers stay as they are, and has images
to learn from, in order, and others to measure accuracy on. All data are here without a network:

| task | images | begins |
|---|---|---|
| `from_zero` | MNIST's test set, half of it to learn from | with nothing, all latents 0 |
| `other_writers` | scikit-learn's 8x8 digits enlarged; no writer is in both parts | committed |
| `turned` | MNIST's test set turned by 30 degrees, halved | committed |
| `fashion` | Fashion-MNIST's test set, halved: no digits at all | committed |
| `inverted` | MNIST's test set in black on white, halved | committed |

The last two are honest failures: what hidden layers made for white digits answer to garments, or to
black digits, is too little for a last layer of single bits to tell them apart by.

How well a network starts with other writers hangs on how their digits are enlarged: drawn 20 wide
in the frame of 28, as MNIST's are, 89.5 % are right before anything is learnt; at 22 wide, as here,
84.6 %; at 24 81.9 %; over the whole frame 71.2 %. Learning brings all of them to 92 % or more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from xnor_fcc.data import load_images, load_test_images
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.learning import LANES, MARGIN, START, Learner, Learnt, features

NETWORK = "mnist"
SIDE = 28
# Images learnt from after which accuracy is measured, and after all.
AFTER = (100, 300, 1000, 3000)
_SEED = 0  # of the halves of a test set
_DEGREES = 30
# Pixels across of an enlarged digit, and how it is enlarged and turned.
_ENLARGED, _FILTER = 22, Image.Resampling.BILINEAR
# Of the regression that has all images at once.
_PENALTY = 0.01

# What figures must come to: (task, figure, whether at least or at most, bound).
BARS = (
    ("other_writers", "before", "at most", 0.87),
    ("other_writers", "after_1000", "at least", 0.93),
    ("turned", "after_1000", "at least", 0.93),
    ("from_zero", "after_1000", "at least", 0.98),
)


@dataclass(frozen=True)
class Task:
    """Grey images uint8 (N, 784) to learn from in order, those to measure on, labels uint8 (N,).

    `start`: of the latents, as of `learning.started`.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    start: int = START

    def features(self, first: IntegerNetwork) -> tuple[np.ndarray, np.ndarray]:
        """Those of both, uint8 (N, n), as of `learning.features`."""
        x, test = (
            features(first, first.inputs_from(grey)) for grey in (self.images, self.test_images)
        )
        return x, test


@dataclass(frozen=True)
class Software:
    """How the model fared in a task.

    `figures`: accuracy `before`, `after_100`, ... (rounded up to whole batches), `after_all`, and
    `offline`, where it was asked for.  `learnt`: what became of each image to learn from.
    `network` and `latents` int8 (classes, n) are those of the end.
    """

    figures: dict[str, float]
    learnt: Learnt
    network: IntegerNetwork
    latents: np.ndarray


def network() -> IntegerNetwork:
    """What all tasks begin with."""
    return IntegerNetwork.load(find_network(NETWORK))


def tasks() -> dict[str, Task]:
    """The tasks by name.  UserError where scikit-learn, which has the digits, is missing."""
    digits, fashion = load_test_images("mnist"), load_test_images("fashion")
    turned = _each(digits[0], lambda image: image.rotate(_DEGREES, _FILTER))
    found = (
        _halved("from_zero", *digits, start=0),
        _other_writers(),
        _halved("turned", turned, digits[1]),
        _halved("fashion", *fashion),
        _halved("inverted", 255 - digits[0], digits[1]),
    )
    return {task.name: task for task in found}


def _each(images: np.ndarray, change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    """What `change` makes of each image (N, 784)."""
    squares = images.reshape(-1, SIDE, SIDE)
    changed = [np.asarray(change(Image.fromarray(image))) for image in squares]
    return np.stack(changed).reshape(len(images), -1)


def _halved(name: str, images: np.ndarray, labels: np.ndarray, start: int = START) -> Task:
    order = np.random.default_rng(_SEED).permutation(len(images))
    learnt, tested = order[: len(images) // 2], order[len(images) // 2 :]
    return Task(name, images[learnt], labels[learnt], images[tested], labels[tested], start)


def enlarged(images: np.ndarray) -> np.ndarray:
    """Digits of 8x8 pixels, uint8 (N, 8, 8), in the middle of a black frame: uint8 (N, 784)."""
    size, edge = (_ENLARGED, _ENLARGED), (SIDE - _ENLARGED) // 2
    larger = [np.asarray(Image.fromarray(image).resize(size, _FILTER)) for image in images]
    return np.pad(np.stack(larger), ((0, 0), (edge, edge), (edge, edge))).reshape(len(images), -1)


def _other_writers() -> Task:
    digits = load_images("digits")
    return Task(
        "other_writers",
        enlarged(digits.train_images),
        digits.train_labels,
        enlarged(digits.test_images),
        digits.test_labels,
    )


def software(
    task: Task, margin: int = MARGIN, lanes: int = LANES, compared: bool = True
) -> Software:
    """Learn from a task's images once, in batches of `lanes`, as a core would that is fed them.

    `compared`: with the figure `offline`, which needs scikit-learn and some seconds.
    """
    first = network()
    learner = Learner(first, margin, lanes, start=task.start)
    x, test = task.features(first)
    figures: dict[str, float] = {}
    parts = []
    for figure, portion in portions(len(x), lanes).items():
        parts.append(learner.learn_features(x[portion], task.labels[portion]))
        figures[figure] = accuracy(learner, test, task.test_labels)
    if compared:
        figures["offline"] = offline(x, task.labels, test, task.test_labels)
    return Software(figures, Learnt.joined(parts), learner.network, learner.latents)


def accuracy(learner: Learner, x: np.ndarray, labels: np.ndarray) -> float:
    """Of the last layer as it is now, on features uint8 (N, n)."""
    return float((learner.scores(x).argmax(axis=1) == labels).mean())


def portions(images: int, lanes: int) -> dict[str, slice]:
    """Which images are learnt from for a figure, behind those of the figures before it: whole
    batches, but for the last one."""
    found, done = {"before": slice(0, 0)}, 0
    for number in (*(number for number in AFTER if number < images), images):
        after = -(-number // lanes) * lanes
        found["after_all" if number == images else f"after_{number}"] = slice(done, after)
        done = after
    return found


def offline(x: np.ndarray, labels: np.ndarray, test: np.ndarray, wanted: np.ndarray) -> float:
    """Accuracy of scikit-learn's logistic regression, of real weights, on the same features.

    Its penalty, C, is the one of 1e-4, 1e-3, ... 1 that does best by the images to measure on, or
    nearly so in each task: what a last layer could come to, and not what it would.
    """
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=_PENALTY, max_iter=1000).fit(x * np.float32(2) - 1, labels)
    return float(model.score(test * np.float32(2) - 1, wanted))


def failures(figures: dict[str, dict[str, float]]) -> list[str]:
    """A sentence for each of the bars that the figures of tasks, by name, do not clear."""
    return [
        f"{task}.{figure} is {figures[task][figure]:.4f}, {side} {bound} is wanted."
        for task, figure, side, bound in BARS
        if (figures[task][figure] < bound if side == "at least" else figures[task][figure] > bound)
    ]
