# SPDX-License-Identifier: Apache-2.0
"""Learning of the output layer: against one number after the other, at every end, and its file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xnor_fcc import container, learning
from xnor_fcc.errors import UserError
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.layers import NetworkFormatError, OutputLayer, ShiftLayer
from xnor_fcc.learning import NO_LABEL, Learner, Learnt, features, moves, started, updated
from xnor_fcc.network_file import KIND
from xnor_fcc.places import NETWORKS
from xnor_fcc.random_network import Convolution, random_map_network, random_network
from xnor_fcc.reference import evaluate

WIDTHS = (13, 9, 17, 4)


def network(seed: int = 5, widths: tuple[int, ...] = WIDTHS) -> IntegerNetwork:
    return random_network(np.random.default_rng(seed), widths)


def some(seed: int, of: IntegerNetwork, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Random inputs, and labels of every kind: classes mostly, none, and some that are neither."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, of.classes, images).astype(np.uint8)
    kind = rng.random(images)
    labels[kind < 0.1] = NO_LABEL
    labels[kind > 0.9] = rng.integers(of.classes, NO_LABEL)
    return rng.integers(0, 2, (images, of.inputs), np.uint8), labels


def slowly(
    of: IntegerNetwork, x: np.ndarray, labels: np.ndarray, margin: int, lanes: int, start: int
) -> tuple[list[list[int]], Learnt]:
    """Latents and what became of the images, by numbers of Python as `learning` tells it."""
    shown = [[1 if bit else -1 for bit in row] for row in features(of, x).tolist()]
    bias = of.output.bias.tolist()
    latents = [[start if w else -start for w in row] for row in of.output.weights.tolist()]
    answered, moved, walks = [], [], 0
    for first in range(0, len(shown), lanes):
        batch = range(first, min(first + lanes, len(shown)))
        sums = [[0] * len(row) for row in latents]
        walk = False
        for image in batch:
            scores = []
            for row, offset in zip(latents, bias, strict=True):
                products = [
                    x if latent >= 0 else -x for x, latent in zip(shown[image], row, strict=True)
                ]
                scores.append(sum(products) + offset)
            answered.append(scores)
            moved.append(False)
            if labels[image] >= len(bias):
                continue
            for c, score in enumerate(scores):
                step = 0
                if c == labels[image]:
                    step = 1 if score < margin else 0
                elif -score < margin:
                    step = -1
                if step:
                    moved[-1] = walk = True
                    sums[c] = [s + step * x for s, x in zip(sums[c], shown[image], strict=True)]
        walks += walk
        for row, add in zip(latents, sums, strict=True):
            row[:] = [max(-128, min(127, a + b)) for a, b in zip(row, add, strict=True)]
    classes = [scores.index(max(scores)) for scores in answered]
    learnt = sum(label < len(bias) for label in labels)
    refused = sum(len(bias) <= label < 255 for label in labels)
    shape = (len(answered), len(bias))
    return latents, Learnt(
        np.array(classes, np.int64), np.array(answered, np.int32).reshape(shape),
        np.array(moved, np.bool_), learnt, refused, walks,
    )  # fmt: skip


def assert_equal(mine: Learnt, theirs: Learnt) -> None:
    """The same in values and types."""
    for name in ("classes", "scores", "moved"):
        a, b = getattr(mine, name), getattr(theirs, name)
        assert a.dtype == b.dtype and np.array_equal(a, b), name
    assert (mine.learnt, mine.refused, mine.walks, mine.images_moved) == (
        theirs.learnt, theirs.refused, theirs.walks, int(theirs.moved.sum())
    )  # fmt: skip


# ---- the rule


@pytest.mark.parametrize("margin", [0, 1, 32, 255])
@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 64])
@pytest.mark.parametrize("start", [0, 1, 8, 127])
def test_it_is_the_rule(margin: int, lanes: int, start: int) -> None:
    """Of numbers one by one: latents, answers, who moved, counters."""
    rng = np.random.default_rng([margin, lanes, start])
    widths = tuple(int(n) for n in rng.integers(1, 40, rng.integers(2, 5)))
    of = network(int(rng.integers(1000)), widths)
    x, labels = some(int(rng.integers(1000)), of, 65)
    latents, wanted = slowly(of, x, labels, margin, lanes, start)
    learner = Learner(of, margin, lanes, start=start)
    assert_equal(learner.learn(x, labels), wanted)
    assert learner.latents.dtype == np.int8 and learner.latents.tolist() == latents


def test_random_cases_cover_what_can_happen() -> None:
    """Images that move and that do not, labels of three kinds, both ends of a latent."""
    of = network()
    x, labels = some(1, of, 400)
    learner = Learner(of, 255, 4, start=120)
    learnt = learner.learn(x, labels)
    assert learner.latents.min() == -128 and learner.latents.max() == 127
    assert 0 < learnt.images_moved <= learnt.learnt < len(x) and learnt.refused > 0
    assert (labels == NO_LABEL).any() and not learnt.moved[labels >= of.classes].any()
    assert slowly(of, x, labels, 255, 4, 120)[0] == learner.latents.tolist()
    calm = Learner(of, 0, 1).learn(x, labels)
    assert 0 < calm.walks == calm.images_moved < calm.learnt


@pytest.mark.parametrize("margin", [0, 1, 32, 255])
def test_a_score_at_the_margin_does_not_move(margin: int) -> None:
    """Nor beyond it; the one below does, of the label upwards, of another class downwards."""
    scores = np.array([[margin, -margin], [margin - 1, 1 - margin], [margin + 1, -margin - 1]])
    found = moves(scores.astype(np.int32), np.array([0, 0, 0], np.uint8), margin)
    assert found.dtype == np.int8 and found.tolist() == [[0, 0], [1, -1], [0, 0]]


def test_only_a_class_moves() -> None:
    """All are near enough to move, and the label decides the direction of each."""
    scores = np.zeros((4, 3), np.int32)
    found = moves(scores, np.array([2, NO_LABEL, 3, 0], np.uint8), 1)
    assert found.tolist() == [[-1, -1, 1], [0, 0, 0], [0, 0, 0], [1, -1, -1]]


def test_255_is_no_class() -> None:
    """Where there are so many classes that it could be one."""
    assert not moves(np.zeros((1, 300), np.int32), np.array([255]), 32).any()
    assert moves(np.zeros((1, 300), np.int32), np.array([254]), 32).any()


def test_the_ends_come_after_the_sum() -> None:
    """Two images that undo one another leave a latent where it is, at its end too."""
    latents = np.array([[127, -128, 126, -127, 0]], np.int8)
    x = np.array([[1, 0, 1, 0, 1], [0, 1, 1, 0, 1], [1, 0, 1, 0, 1]], np.uint8)
    one = np.ones((1, 1), np.int8)
    assert updated(latents, np.ones((2, 1), np.int8), x[:2]).tolist() == [[127, -128, 127, -128, 2]]
    assert updated(latents, one, x[:1]).tolist() == [[127, -128, 127, -128, 1]]
    assert updated(latents, -one, x[:1]).tolist() == [[126, -127, 125, -126, -1]]
    most = updated(latents, np.ones((64, 1), np.int8), np.ones((64, 5), np.uint8))
    assert most.dtype == np.int8 and most.tolist() == [[127, -64, 127, -63, 64]]


def test_a_batch_is_scored_before_it() -> None:
    """The same image again is answered as before in its batch, and otherwise in the next one."""
    of = network()
    x = np.repeat(some(2, of, 1)[0], 4, axis=0)
    labels = np.zeros(4, np.uint8)
    together = Learner(of, 255, 4, start=0).learn(x, labels).scores
    alone = Learner(of, 255, 1, start=0).learn(x, labels).scores
    assert (together == together[0]).all() and np.array_equal(together[0], alone[0])
    assert alone[0, 0] < alone[1, 0] and (alone[1:] == alone[1]).all()


def test_answers_are_those_of_the_reference() -> None:
    """With the network of that moment, which runs on any core."""
    of = network(3)
    x, labels = some(3, of, 60)
    learner = Learner(of, lanes=4)
    for first in range(0, 60, 4):
        batch = slice(first, first + 4)
        wanted = evaluate(learner.network, x[batch])
        found = learner.learn(x[batch], labels[batch])
        assert np.array_equal(found.scores, wanted.scores)
        assert np.array_equal(found.classes, wanted.classes)
    assert learner.network != of


def test_without_images() -> None:
    of = network()
    learner = Learner(of)
    learnt = learner.learn(np.zeros((0, 13), np.uint8), np.zeros(0, np.uint8))
    assert learnt.scores.shape == (0, 4) and learnt.classes.shape == learnt.moved.shape == (0,)
    assert (learnt.learnt, learnt.images_moved, learnt.walks) == (0, 0, 0)
    assert learner.network == of


def test_walks_are_of_batches() -> None:
    """However many of its images move something, the last batch being smaller."""
    scores = np.array([[40, -40], [0, -40], [0, 0], [40, -40], [40, -40], [40, -40], [0, 0]])
    labels = np.array([0, 0, 0, 0, 0, NO_LABEL, 0], np.uint8)
    for lanes, walks in ((1, 3), (2, 3), (3, 2), (4, 2), (64, 1)):
        learnt = Learnt.of(scores.astype(np.int32), labels, 32, lanes)
        assert (learnt.walks, learnt.images_moved, learnt.learnt) == (walks, 3, 6)


def test_blocks_end_with_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images are evaluated some at a time; that changes nothing, and progress is told."""
    of = network()
    x, labels = some(4, of, 50)
    whole = Learner(of, lanes=3)
    wanted = whole.learn(x, labels)
    told: list[int] = []
    parts = Learner(of, lanes=3)
    monkeypatch.setattr(learning, "_BLOCK", 10)
    assert_equal(parts.learn(x, labels, progress=told.append), wanted)
    assert np.array_equal(parts.latents, whole.latents)
    assert told == [9, 18, 27, 36, 45, 50]


# ---- networks


def of_every_version() -> dict[int, IntegerNetwork]:
    """Networks that can learn, by the version of their files once they have learnt."""
    rng = np.random.default_rng(6)
    plain = random_network(rng, WIDTHS)
    shift = ShiftLayer(
        rng.integers(0, 2, (9, 13), np.uint8),
        rng.integers(0, 8, (9, 13), np.uint8),
        rng.integers(-1000, 1000, 9, np.int32),
    )
    maps = [Convolution(5, pool=True), Convolution(3)]
    return {
        5: plain,
        6: replace(plain, hidden=(shift, *plain.hidden[1:])),
        7: random_map_network(rng, 10, maps, [4]),
        8: random_map_network(rng, 10, maps, [6, 4], orders=[8, 1, 1, 1]),
    }


@pytest.mark.parametrize("version", [5, 6, 7, 8])
def test_every_kind_learns_from_grey_images(version: int, tmp_path: Path) -> None:
    """As from its inputs, and its file has latents and weights that answer alike."""
    of = of_every_version()[version]
    rng = np.random.default_rng(version)
    grey = rng.integers(0, 256, (30, of.inputs), np.uint8)
    labels = rng.integers(0, of.classes, 30, np.uint8)
    learner, other = Learner(of), Learner(of)
    wanted = learner.learn(of.inputs_from(grey), labels)
    assert_equal(other.learn(grey, labels, grey=True), wanted)
    assert wanted.walks and np.array_equal(learner.latents, other.latents)
    answer = evaluate(learner.network, of.inputs_from(grey)).scores
    assert np.array_equal(answer, learner.scores(features(of, of.inputs_from(grey))))
    learner.network.save(tmp_path / "n.npz")
    assert container.read(tmp_path / "n.npz", KIND, version, "file")[1]["version"] == version
    loaded = IntegerNetwork.load(tmp_path / "n.npz")
    assert loaded == learner.network
    assert np.array_equal(Learner(loaded).latents, learner.latents)


def test_order_2_inside_may_learn() -> None:
    of = random_network(np.random.default_rng(1), WIDTHS, (2, 2, 1))
    x = np.random.default_rng(2).integers(0, 4, (8, 13), np.uint8)
    assert Learner(of).learn(x, np.zeros(8, np.uint8)).walks


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: random_network(np.random.default_rng(0), WIDTHS, (1, 1, 2)), "of order 2"),
        (lambda: random_network(np.random.default_rng(0), WIDTHS, ternary=True), "ternary"),
        (lambda: network(0, (3, 256)), "256 classes"),
    ],
)
def test_networks_that_cannot_learn(make: Callable[[], IntegerNetwork], says: str) -> None:
    with pytest.raises(UserError, match=says) as refused:
        Learner(make())
    assert str(refused.value).count(".") == 1
    Learner(network(0, (3, 255)))


@pytest.mark.parametrize(
    "options",
    [
        {"margin": -1}, {"margin": 256}, {"lanes": 0}, {"lanes": 65}, {"start": -1}, {"start": 128},
        {"latents": np.zeros((4, 16), np.int8)}, {"latents": np.zeros((4, 17), np.int16)},
        {"latents": np.zeros((4, 17), np.int8), "start": 8},
    ],
    ids=str,
)  # fmt: skip
def test_options_outside_of_what_there_is(options: dict[str, int]) -> None:
    with pytest.raises(UserError):
        Learner(network(), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("images", "grey", "says"),
    [
        (np.zeros((2, 4), np.uint8), True, r"takes 3 pixels, and has images \(2, 4\)"),
        (np.zeros((2, 3), np.bool_), True, "Grey images are uint8, not bool"),
        (np.full((2, 3), 0.5), True, "Grey images are uint8, not float64"),
        (np.full((2, 3), 0.5), False, "bits, uint8 or bool, not float64"),
    ],
)  # fmt: skip
def test_images_that_are_none(images: np.ndarray, grey: bool, says: str) -> None:
    learner = Learner(network(0, (3, 2)))
    with pytest.raises(UserError, match=says):
        learner.learn(images, np.zeros(2, np.uint8), grey)


@pytest.mark.parametrize(
    "labels", [[0, 1], [0, 1, 256], [0, -1, 2], [0.0, 1.0, 2.0], [[0, 1, 2]]], ids=str
)
def test_labels_that_are_none(labels: list[int]) -> None:
    learner = Learner(network())
    x = some(0, network(), 3)[0]
    with pytest.raises(UserError):
        learner.learn(x, np.array(labels))
    assert np.array_equal(learner.latents, started(network()))


# ---- going on, and the file


def test_a_start_is_asked_for_or_what_the_file_holds() -> None:
    of = network()
    assert np.array_equal(Learner(of).latents, np.where(of.output.weights, 8, -8))
    assert np.array_equal(Learner(of, start=127).latents, np.where(of.output.weights, 127, -127))
    zero = Learner(of, start=0)
    assert not zero.latents.any() and zero.network.output.weights.all()
    given = np.random.default_rng(0).integers(-128, 128, (4, 17)).astype(np.int8)
    learnt = Learner(of, latents=given).network
    assert np.array_equal(learnt.output.weights, given >= 0)
    assert np.array_equal(Learner(learnt).latents, given)
    assert np.array_equal(Learner(learnt, start=8).latents, started(learnt))


def test_going_on_is_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    """Byte by byte of the file."""
    of = network()
    x, labels = some(8, of, 80)
    whole = Learner(of, lanes=4)
    wanted = whole.learn(x, labels)
    first = Learner(of, lanes=4)
    before = first.learn(x[:40], labels[:40])
    first.network.save(tmp_path / "half.npz")
    second = Learner(IntegerNetwork.load(tmp_path / "half.npz"), lanes=4)
    assert_equal(Learnt.joined([before, second.learn(x[40:], labels[40:])]), wanted)
    whole.network.save(tmp_path / "whole.npz")
    second.network.save(tmp_path / "second.npz")
    assert (tmp_path / "second.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_nothing_of_the_learner_is_lent() -> None:
    """Neither the network that it began with nor one that it gave changes later."""
    of = network()
    before = of.output.weights.copy()
    learner = Learner(of)
    given, latents = learner.network, learner.latents
    latents[:] = 0
    learner.learn(*some(9, of, 40))
    assert np.array_equal(of.output.weights, before) and given == of
    assert given.output.latents is not None
    assert np.array_equal(given.output.latents, started(of))


def test_what_a_file_tells_that_is_not_so_any_more_goes() -> None:
    of = replace(network(), name="x", info={"dataset": "digits", "test_accuracy": 0.9})
    learnt = replace(Learner(of).network, name="y")
    assert learnt.info == {"dataset": "digits", "learnt_from": "x"}
    assert Learner(learnt).network.info == learnt.info
    assert Learner(network()).network.info == {"learnt_from": network().name}


@pytest.mark.parametrize("name", ["mnist", "order2", "digits_conv"])
def test_files_without_latents_stay_as_they_are(name: str, tmp_path: Path) -> None:
    IntegerNetwork.load(find_network(name)).save(tmp_path / "n.npz")
    assert (tmp_path / "n.npz").read_bytes() == (NETWORKS / f"{name}.npz").read_bytes()


def test_other_weights_need_other_latents() -> None:
    output = Learner(network()).network.output
    weights = output.weights.copy()
    weights[3, 16] ^= 1
    with pytest.raises(NetworkFormatError, match="sign of a latent"):
        replace(output, weights=weights)
    replace(output, weights=weights, latents=None)
    for zero in (0, -1):  # which counts as +1
        latents = np.full((1, 1), zero, np.int8)
        OutputLayer(np.full((1, 1), zero + 1, np.uint8), np.zeros(1, np.int32), latents=latents)
    full = np.ones((4, 17), np.uint8)
    for changed in ({"mask": full}, {"order": 2}):
        with pytest.raises(NetworkFormatError, match="for binary weights on inputs of order 1"):
            replace(output, **changed)


def test_equality_is_of_answers() -> None:
    """Networks that answer alike are equal, whatever their latents."""
    of = network()
    assert Learner(of, start=8).network == Learner(of, start=9).network == of


def test_each_fault_of_latents_has_its_own_sentence(tmp_path: Path) -> None:
    path = tmp_path / "n.npz"
    learnt = Learner(network()).network
    learnt.save(path)
    arrays, manifest = container.read(path, KIND, 5, "file")
    latents = arrays["latents_out"]
    other = latents.copy()
    other[0, 0] ^= -1

    def failure(changed: np.ndarray | None, version: int = 5) -> str:
        kept = {**arrays, "latents_out": changed}
        body = {name: array for name, array in kept.items() if array is not None}
        rest = {name: each for name, each in manifest.items() if name not in ("kind", "version")}
        container.write(path, KIND, version, body, rest)
        with pytest.raises(NetworkFormatError) as refused:
            IntegerNetwork.load(path)
        assert "\n" not in str(refused.value) and str(path) in str(refused.value)
        return str(refused.value)

    found = {
        "sign": failure(other),
        "type": failure(latents.astype(np.int16)),
        "shape": failure(latents[:3]),
        "none": failure(None),
        "in an old version": failure(latents, 1),
        "of another version": failure(latents, 9),
    }
    assert len(set(found.values())) == len(found)
    assert "sign" in found["sign"] and "without latents" in found["none"]
    assert "with latents" in found["in an old version"]
