# SPDX-License-Identifier: Apache-2.0
"""What runs of one data seed share: split, teacher and distorted images, not their order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from package.made import TINY, TRAINED, fake_mnist
from xnor_fcc.training.examples import Examples, fingerprint, split
from xnor_fcc.training.recipes import Recipe
from xnor_fcc.training.run import run

SHARING = replace(TINY, data_seed=7)


class FixedTeacher(torch.nn.Module):
    """Answers that tell an image from every other."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :780].reshape(len(x), 10, 78).sum(dim=2)


def examples(recipe: Recipe, store: Path | None = None) -> Examples:
    return Examples(split(fake_mnist(), recipe), recipe, FixedTeacher(), store)


def rows(epoch: list) -> set[bytes]:
    """An epoch's images, each with its label and its teacher's answer."""
    return {
        x.numpy().tobytes() + label.numpy().tobytes() + soft.numpy().tobytes()
        for xs, labels, softs in epoch
        for x, label, soft in zip(xs, labels, softs, strict=True)
    }


def test_without_a_data_seed_everything_follows_from_the_seed() -> None:
    one, other = examples(TINY), examples(replace(TINY, seed=2))
    assert rows(list(one.epoch(0))) == rows(list(examples(TINY).epoch(0)))
    assert not rows(list(one.epoch(0))) & rows(list(other.epoch(0)))
    assert not rows(list(one.epoch(0))) & rows(list(one.epoch(1)))


def test_other_seeds_see_the_same_images_in_another_order() -> None:
    one, other = examples(SHARING), examples(replace(SHARING, seed=2))
    assert torch.equal(one.data.validation_images, other.data.validation_images)
    mine, theirs = list(one.epoch(3)), list(other.epoch(3))
    assert rows(mine) == rows(theirs) and len(rows(mine)) == 240
    assert not torch.equal(mine[0][0], theirs[0][0])
    for a, b in zip(one.norms(3), other.norms(3), strict=True):
        assert torch.equal(a, b)
    again = torch.cat([x for x, _, _ in one.epoch(3)])
    assert torch.equal(again, torch.cat([x for x, _, _ in mine]))
    assert not rows(mine) & rows(list(examples(replace(SHARING, data_seed=8)).epoch(3)))


@pytest.mark.one_quick
@pytest.mark.parametrize(
    "kind", [{}, {"order": 2}, {"first_layer": "shifts"}], ids=["bits", "order-2", "grey"]
)
def test_a_store_changes_nothing_but_the_work(
    kind: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(SHARING, **kind)
    fresh = [*examples(recipe).epoch(2)]
    norms = [*examples(recipe).norms(2)]
    stored = examples(recipe, tmp_path)
    for _ in range(2):
        found = list(stored.epoch(2))
        assert rows(found) == rows(fresh)
        for (x, _, _), (same, _, _) in zip(found, fresh, strict=True):
            assert torch.equal(x, same)
        assert all(torch.equal(a, b) for a, b in zip(stored.norms(2), norms, strict=True))
        # From here on it has to come from the files.
        monkeypatch.setattr(Examples, "_fresh", None)
    assert len(list(tmp_path.iterdir())) == 2


def test_what_decides_the_images_decides_the_file(tmp_path: Path) -> None:
    def files_of(*variants: Recipe) -> int:
        for recipe in variants:
            list(examples(recipe, tmp_path).epoch(0))
        return len(list(tmp_path.iterdir()))

    same = [replace(SHARING, widths=(784, 5, 10)), replace(SHARING, lr=1.0, seed=5)]
    assert files_of(SHARING, *same) == 1
    others = [
        replace(SHARING, order=2),
        replace(SHARING, pixel_threshold=90),
        replace(SHARING, data_seed=8),
        replace(SHARING, distortion=replace(TINY.distortion, shift=1.0)),
        replace(SHARING, teacher_lr=1.0),
        replace(SHARING, batch=24),
    ]
    assert files_of(*others) == 7


@pytest.mark.slow
def test_distorted_images_come_again() -> None:
    recipe = replace(SHARING, distinct=3, epochs=12, settling=0.25)
    made = examples(recipe)
    epochs = [rows(list(made.epoch(epoch))) for epoch in range(12)]
    assert epochs[0] == epochs[3] == epochs[6] and not epochs[0] & epochs[1]
    # The last quarter is distorted less and less.
    assert not epochs[0] & epochs[9]
    # A run of another length shares them all.
    short = examples(replace(recipe, epochs=6, settling=0.5))
    assert [rows(list(short.epoch(epoch))) for epoch in range(6)] == epochs[6:]
    first, again = (next(made.epoch(epoch))[0] for epoch in (0, 3))
    assert not torch.equal(first, again)


@pytest.mark.slow
def test_a_shared_teacher_is_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = tmp_path / "shared"
    one = run(SHARING, fake_mnist(), tmp_path / "one", shown=False, shared=shared)
    assert not list((tmp_path / "one" / "checkpoints").glob("teacher*"))
    written = {path.name: path.read_bytes() for path in shared.iterdir()}
    assert sum(name.startswith("teacher") for name in written) == 2
    other = replace(SHARING, seed=2, widths=(784, 20, 10))
    report = run(other, fake_mnist(), tmp_path / "two", shown=False, shared=shared)
    assert {path.name: path.read_bytes() for path in shared.iterdir()} == written
    assert report["recipe"]["seed"] == 2 and one["recipe"]["seed"] == 1
    # Without the directory the same comes out.
    alone = run(SHARING, fake_mnist(), tmp_path / "alone", shown=False)
    networks = [tmp_path / name / TRAINED for name in ("one", "alone")]
    assert networks[0].read_bytes() == networks[1].read_bytes()
    assert min(alone["seconds"], one["seconds"]) >= 0
    assert {**alone, "seconds": 0} == {**one, "seconds": 0}


def test_the_fingerprint_leaves_the_network_out() -> None:
    same = replace(SHARING, widths=(784, 3, 10), weights="ternary", lr=0.1, seed=9, epochs=1)
    assert fingerprint(same) == fingerprint(SHARING)
    assert fingerprint(replace(SHARING, data_seed=9)) != fingerprint(SHARING)
    assert fingerprint(replace(TINY, seed=7)) == fingerprint(SHARING)
