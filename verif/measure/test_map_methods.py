# SPDX-License-Identifier: Apache-2.0
"""The table of networks with convolutions: what it finds, and that its figures are theirs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from measure import map_methods
from xnor_fcc import plot
from xnor_fcc.random_network import Convolution, random_map_network, random_network

LAYERS = [Convolution(4, 3, True), Convolution(6, 1)]


def commit(
    path: Path, dataset: str, accuracy: float, orders: Sequence[int] = (1, 1, 1, 1),
    ternary: bool = False, colours: int = 1,
) -> None:  # fmt: skip
    """A random network that says it was trained."""
    rng = np.random.default_rng(1)
    network = random_map_network(rng, 8, LAYERS, [5, 3], colours, 2, 0, orders, ternary)
    replace(network, info={"dataset": dataset, "test_accuracy": accuracy}).save(path)


def test_rows_by_data_set_and_accuracy(tmp_path: Path) -> None:
    commit(tmp_path / "a.npz", "cifar10", 0.8, (1, 1, 2, 1), colours=3)
    commit(tmp_path / "b.npz", "cifar10", 0.9, ternary=True, colours=3)
    commit(tmp_path / "c.npz", "mnist", 0.5)
    commit(tmp_path / "c_trained.npz", "mnist", 0.5)
    random_network(np.random.default_rng(1), (9, 4)).save(tmp_path / "dense.npz")
    rows = map_methods.measure(tmp_path)
    assert [row["name"] for row in rows] == ["c", "b", "a"]
    assert [row["order"] for row in rows] == [1, 1, 2]
    assert {row["layers"] for row in rows} == {"4-P-6-5-3"}
    # Windows of 3x3 over two levels of each colour, of 1x1, then 3x3 places of 6 channels.
    behind = 4 * 6 + 54 * 5 + 5 * 3
    assert [row["weight_bits"] for row in rows] == [
        9 * 2 * 4 + behind, 2 * (9 * 6 * 4 + behind), 9 * 6 * 4 + behind
    ]  # fmt: skip
    page = map_methods.page(rows)
    assert "1 bit " in page and "2 bits" in page and "90.00%" in page


def test_cycles_are_those_of_the_core_that_make_sim_takes(tmp_path: Path) -> None:
    """An image is a pass, as tests of the whole core count its cycles."""
    commit(tmp_path / "a.npz", "mnist", 0.5)
    (row,) = map_methods.measure(tmp_path)
    # Blocks, four repeats of the layer in front of the dense ones, groups and words of each layer,
    # and 11 cycles before each but the first.
    assert (row["pe"], row["simd"], row["lanes"]) == (4, 24, 4)
    assert row["cycles_per_image"] == 9 + 4 * 4 * 2 + 2 * 3 + 1 + 3 * 11
    assert row["latency_cycles"] > row["cycles_per_image"] and row["alm"] > 0 and row["m10k"] >= 0


def test_what_the_picture_shows(tmp_path: Path) -> None:
    commit(tmp_path / "a.npz", "cifar10", 0.8, (1, 1, 2, 1), colours=3)
    commit(tmp_path / "b.npz", "mnist", 0.5)
    rows = map_methods.measure(tmp_path)
    points = map_methods.drawn(rows).points
    assert [(point.name, point.dataset, point.order) for point in points] == [
        ("b", "MNIST", 1), ("a", "CIFAR-10", 2)
    ]  # fmt: skip
    for row, point in zip(rows, points, strict=True):
        assert (point.cycles, point.error) == (row["cycles_per_image"], 1 - row["accuracy"])


def test_the_picture_is_of_the_committed_networks() -> None:
    shown = map_methods.drawn(map_methods.measure())
    assert plot.shows(map_methods.PICTURE.read_text(), shown), "run `make methods ARGS=--write`"


@pytest.mark.needs("matplotlib")
def test_names_do_not_cover_each_other() -> None:
    shown = map_methods.drawn(map_methods.measure())
    axes = map_methods.draw(shown)
    axes.figure.canvas.figure.draw_without_rendering()
    boxes = {text.get_text(): text.get_window_extent() for text in axes.texts}
    assert boxes.keys() == {point.name for point in shown.points}
    for (one, here), (other, there) in itertools.combinations(boxes.items(), 2):
        assert not here.overlaps(there), f"{one} and {other}"
    plotted = axes.get_window_extent()
    assert all(plotted.x1 > box.x1 for box in boxes.values())
