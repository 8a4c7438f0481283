# SPDX-License-Identifier: Apache-2.0
"""The demonstrations of learning: what they are made of, what they come to, bars that can fail."""

from __future__ import annotations

import numpy as np
import pytest

from measure import learning
from measure.learning import BARS, Software, Task, enlarged, failures, software, tasks
from xnor_fcc.data import load_test_images
from xnor_fcc.learning import Learner

pytestmark = pytest.mark.needs("sklearn")


@pytest.fixture(scope="module")
def all_tasks() -> dict[str, Task]:
    return tasks()


@pytest.fixture(scope="module")
def found(all_tasks: dict[str, Task]) -> dict[str, Software]:
    return {name: software(task, compared=False) for name, task in all_tasks.items()}


def test_what_there_is_to_learn_from(all_tasks: dict[str, Task]) -> None:
    """No image is in both parts, and all of a test set are in one."""
    sizes = {"other_writers": (1415, 382)}
    assert [*all_tasks] == ["from_zero", "other_writers", "turned", "fashion", "inverted"]
    for name, task in all_tasks.items():
        assert (len(task.images), len(task.test_images)) == sizes.get(name, (5000, 5000))
        for images, labels in ((task.images, task.labels), (task.test_images, task.test_labels)):
            assert images.dtype == labels.dtype == np.uint8
            assert images.shape == (len(labels), 784) and set(labels) == set(range(10))
    digits, labels = load_test_images("mnist")
    zero, inverted = all_tasks["from_zero"], all_tasks["inverted"]
    halves = np.concatenate([zero.images, zero.test_images])
    assert sorted(map(bytes, halves)) == sorted(map(bytes, digits))
    assert np.array_equal(inverted.images, 255 - zero.images)
    for task in (zero, inverted, all_tasks["turned"]):
        assert np.array_equal(np.bincount(np.concatenate([task.labels, task.test_labels])),
                              np.bincount(labels))  # fmt: skip
    assert [name for name, task in all_tasks.items() if task.start == 0] == ["from_zero"]


def test_an_enlarged_digit_is_in_the_middle() -> None:
    white = enlarged(np.full((1, 8, 8), 255, np.uint8)).reshape(28, 28)
    assert (white[3:25, 3:25] == 255).all() and white.sum() == 255 * 22 * 22
    corner = np.zeros((1, 8, 8), np.uint8)
    corner[0, 0, 7] = 255
    rows, columns = np.nonzero(enlarged(corner).reshape(28, 28))
    assert rows.min() == 3 and columns.max() == 24


def test_figures_clear_the_bars(found: dict[str, Software]) -> None:
    """And the failures are what they are called."""
    figures = {name: each.figures for name, each in found.items()}
    assert failures(figures) == []
    assert figures["other_writers"].keys() == {
        "before", "after_100", "after_300", "after_1000", "after_all"
    }  # fmt: skip
    assert "after_3000" in figures["turned"] and "offline" not in figures["turned"]
    assert figures["fashion"]["after_all"] < 0.75 and figures["inverted"]["after_all"] < 0.5


@pytest.mark.parametrize("bar", BARS, ids=lambda bar: f"{bar[0]}.{bar[1]}")
def test_a_bar_that_is_not_cleared_is_told(bar: tuple[str, str, str, float]) -> None:
    figures: dict[str, dict[str, float]] = {task: {} for task, *_ in BARS}
    for task, figure, _, bound in BARS:
        figures[task][figure] = bound
    assert failures(figures) == []
    task, figure, side, bound = bar
    figures[task][figure] += -0.0001 if side == "at least" else 0.0001
    (sentence,) = failures(figures)
    assert sentence.startswith(f"{task}.{figure} is ")


def test_a_stream_of_all_images_learns_the_same(
    all_tasks: dict[str, Task], found: dict[str, Software]
) -> None:
    """Measuring on the way changes nothing, whatever the size of a batch."""
    task = all_tasks["other_writers"]
    others = software(task, lanes=3, compared=False)
    for lanes, wanted in ((4, found["other_writers"]), (3, others)):
        stream = Learner(learning.network(), lanes=lanes, start=task.start)
        learnt = stream.learn(task.images, task.labels, grey=True)
        assert np.array_equal(stream.latents, wanted.latents)
        assert np.array_equal(learnt.scores, wanted.learnt.scores)
        assert learnt.walks == wanted.learnt.walks and wanted.network == stream.network


def test_the_comparison_is_with_real_weights(all_tasks: dict[str, Task]) -> None:
    """Better than the learner where features are good."""
    task = all_tasks["other_writers"]
    figures = software(task).figures
    assert figures["after_all"] < figures["offline"] < 0.99
