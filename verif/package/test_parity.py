# SPDX-License-Identifier: Apache-2.0
"""Parity of the committed networks: Brevitas in eval mode against the integer reference.

All test images of the data set that a network was trained on, every hidden bit, every score, every
class: 0 differences.  Networks of every kind that are not trained are compared on those of MNIST.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from package.made import FORMS, form_name, random_model
from xnor_fcc.data import DATA_VARIABLE, DATASETS, load_test_images
from xnor_fcc.errors import UserError
from xnor_fcc.integer import IntegerNetwork, Layer
from xnor_fcc.places import NETWORKS
from xnor_fcc.reference import Evaluation, evaluate
from xnor_fcc.training.export import export, levels
from xnor_fcc.training.form import Form
from xnor_fcc.training.network import BinaryNetwork
from xnor_fcc.training.trained import load_trained

MODEL = NETWORKS.parent
# NAME.npz beside each; results holds those that no core runs.
TRAINED = sorted(MODEL.glob("networks/*_trained.npz")) + sorted(MODEL.glob("results/*_trained.npz"))
NEEDED_ACCURACY = {
    "mnist": 0.986, "order2": 0.990, "pruned984": 0.984, "pruned980": 0.980, "fashion": 0.88,
    "fashion_order2": 0.89, "mnist_conv": 0.994, "fashion_conv": 0.91, "digits_conv": 0.93,
    "cifar10": 0.802, "cifar10_order2": 0.84, "cifar10_small": 0.77,
}  # fmt: skip
ImagesOf = Callable[[str], tuple[np.ndarray, np.ndarray]]
# Images of a network with convolutions whose every bit is compared, unless --every-image is given.
MAPS_COMPARED = 500


@dataclass(frozen=True)
class Pair:
    """A trained network and its integer form."""

    model: BinaryNetwork
    info: dict
    network: IntegerNetwork
    path: Path

    @property
    def name(self) -> str:
        return self.path.stem


@cache
def load(trained: Path) -> Pair:
    model, info = load_trained(trained)
    path = trained.with_name(trained.name.removesuffix("_trained.npz") + ".npz")
    return Pair(model, info, IntegerNetwork.load(path), path)


@pytest.fixture(scope="module", params=TRAINED, ids=lambda path: path.stem)
def pair(request: pytest.FixtureRequest) -> Pair:
    return load(request.param)


@pytest.fixture(scope="module")
def mnist() -> Pair:
    return load(MODEL / "networks" / "mnist_trained.npz")


@pytest.fixture(scope="module")
def test_set() -> tuple[np.ndarray, np.ndarray]:
    return load_test_images()


def brevitas(model: BinaryNetwork, grey: np.ndarray) -> Evaluation:
    """What the Brevitas model answers, in the reference's own terms."""
    parts = []
    with torch.no_grad():
        # Maps of many images at once would not fit into memory.
        for some in torch.from_numpy(grey).split(1000):
            activations, scores = model.trace(model.inputs_from(some))
            hidden = (levels(each, model.form.order) for each in activations)
            parts.append((*hidden, scores.numpy()))
    *bits, answers = (np.concatenate(each) for each in zip(*parts, strict=True))
    assert np.array_equal(answers, answers.round())
    return Evaluation(answers.argmax(axis=1), answers.astype(np.int32), tuple(bits))


def differences(mine: Evaluation, theirs: Evaluation) -> dict[str, int]:
    """How many activations, scores and classes differ; layer counts and shapes must agree."""
    pairs = {
        f"hidden {i}": pair for i, pair in enumerate(zip(mine.hidden, theirs.hidden, strict=True))
    }
    pairs["scores"] = (mine.scores, theirs.scores)
    pairs["classes"] = (mine.classes, theirs.classes)
    assert all(a.shape == b.shape and a.size for a, b in pairs.values())
    return {name: int((a != b).sum()) for name, (a, b) in pairs.items()}


def test_the_default_network_is_committed(mnist: Pair) -> None:
    assert mnist.network.widths == (784, 1024, 1024, 1024, 10) and not mnist.network.kinds


@pytest.mark.one_quick
def test_no_difference_on_the_test_set(
    pair: Pair, pytestconfig: pytest.Config, images_of: ImagesOf
) -> None:
    # Every committed network names its data set.
    name = pair.network.dataset
    assert name is not None and pair.info["dataset"] == name
    grey, labels = images_of(name)
    known = DATASETS[name]
    every = not pair.network.pixels or pytestconfig.getoption("every_image")
    # Brevitas takes a minute for the maps of all; those of coloured images take the reference one.
    compared = grey if every else grey[:MAPS_COMPARED]
    evaluated = grey if every or known.colours == 1 else compared
    result = evaluate(pair.network, pair.network.inputs_from(evaluated))
    assert result.scores.shape == (len(evaluated), len(known.classes))
    few = slice(len(compared))
    hidden = tuple(each[few] for each in result.hidden)
    theirs = brevitas(pair.model, compared)
    found = differences(Evaluation(result.classes[few], result.scores[few], hidden), theirs)
    assert set(found.values()) == {0}
    # The figures that go with it are those of all its images.
    stated = pair.info["test_accuracy"]
    assert stated == pair.network.info["test_accuracy"] >= NEEDED_ACCURACY.get(pair.name, 0.9)
    assert len(grey) == known.test_images
    if len(evaluated) == len(grey):
        right = float((result.classes == labels).mean())
        assert right == pytest.approx(stated, abs=1e-9)


def test_only_images_that_are_not_committed_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images_of: ImagesOf
) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match="CIFAR-10 are not part of this project"):
        images_of("cifar10")
    monkeypatch.setitem(DATASETS, "digits", replace(DATASETS["digits"], name="none"))
    with pytest.raises(UserError, match=r"none_test\.npz"):
        images_of("digits")


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS, ids=form_name)
def test_no_difference_in_networks_of_every_kind(
    form: Form, test_set: tuple[np.ndarray, np.ndarray]
) -> None:
    model = random_model(3, (784, 80, 50, 10), form)
    network = export(model)
    result = evaluate(network, network.inputs_from(test_set[0]))
    assert set(differences(result, brevitas(model, test_set[0])).values()) == {0}
    assert all(len(np.unique(hidden)) == 2**form.order for hidden in result.hidden)


@pytest.mark.parametrize("images", [1, 7, 999])
def test_no_difference_in_other_batch_sizes(
    images: int, mnist: Pair, test_set: tuple[np.ndarray, np.ndarray]
) -> None:
    """The model's bits do not depend on how its sums are blocked or how many threads add them."""
    grey = test_set[0]
    expected = evaluate(mnist.network, mnist.network.inputs_from(grey[:images]))
    threads = torch.get_num_threads()
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            found = brevitas(mnist.model, grey[:images])
            assert set(differences(expected, found).values()) == {0}
    finally:
        torch.set_num_threads(threads)


@pytest.mark.slow
def test_the_comparison_notices_one_threshold_off_by_one(
    mnist: Pair, test_set: tuple[np.ndarray, np.ndarray]
) -> None:
    network = mnist.network
    first = network.hidden[0]
    thresholds = first.thresholds.copy()
    inside = int(np.abs(thresholds - first.inputs // 2).argmin())
    thresholds[inside] += 1
    changed = replace(network, hidden=(Layer(first.weights, thresholds), *network.hidden[1:]))
    grey = test_set[0]
    found = differences(evaluate(changed, changed.inputs_from(grey)), brevitas(mnist.model, grey))
    assert found["hidden 0"] > 0


@pytest.mark.one_quick
def test_the_committed_files_belong_together(pair: Pair, tmp_path: Path) -> None:
    exported = export(pair.model, name=pair.name, info=pair.info)
    assert exported == pair.network
    exported.save(tmp_path / "n.npz")
    assert (tmp_path / "n.npz").read_bytes() == pair.path.read_bytes()


def test_the_reports_are_those_of_the_networks(pair: Pair) -> None:
    name = {"mnist": "best"}.get(pair.name, pair.name)
    path = MODEL / "results" / f"{name}.json"
    if not path.exists():  # of several seeds, the one whose network is committed
        path = path.with_name(f"{name}-seed{pair.info['recipe']['seed']}.json")
    report = json.loads(path.read_text())
    assert report["dataset"] == pair.info["dataset"]
    assert report["test_accuracy"] == pair.info["test_accuracy"]
    assert report["chosen_epoch"] == pair.info["chosen_epoch"]
    # The recipe may have gained fields since.
    recipe = pair.info["recipe"]
    assert recipe.items() <= report["recipe"].items()
    if recipe.get("pruned_from"):
        origin = (NETWORKS / recipe["pruned_from"]).read_bytes()
        assert recipe["pruned_sha256"] == hashlib.sha256(origin).hexdigest()
