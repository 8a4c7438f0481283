# SPDX-License-Identifier: Apache-2.0
"""Parity of the committed network: Brevitas in eval mode against the integer reference.

All 10,000 test images, every hidden bit, every score, every class: 0 differences.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from xnor_fcc.data import DEFAULT_PIXEL_THRESHOLD, load_test_bits
from xnor_fcc.export import export
from xnor_fcc.integer import IntegerNetwork, Layer
from xnor_fcc.network import BinaryNetwork, load_trained, signs
from xnor_fcc.reference import Evaluation, evaluate

NETWORKS = Path(__file__).resolve().parents[1] / "model" / "networks"
NEEDED_ACCURACY = 0.986


@pytest.fixture(scope="module")
def network() -> IntegerNetwork:
    return IntegerNetwork.load(NETWORKS / "mnist.npz")


@pytest.fixture(scope="module")
def trained() -> tuple[BinaryNetwork, dict]:
    return load_trained(NETWORKS / "mnist_trained.npz")


@pytest.fixture(scope="module")
def test_set() -> tuple[np.ndarray, np.ndarray]:
    return load_test_bits()


@pytest.fixture(scope="module")
def brevitas_answers(
    trained: tuple[BinaryNetwork, dict], test_set: tuple[np.ndarray, np.ndarray]
) -> Evaluation:
    """What the Brevitas model answers, in the reference's own terms."""
    with torch.no_grad():
        activations, scores = trained[0].trace(signs(test_set[0]))
    hidden = tuple((each.numpy() > 0).astype(np.uint8) for each in activations)
    assert torch.equal(scores, scores.round())
    return Evaluation(scores.numpy().argmax(axis=1), scores.numpy().astype(np.int32), hidden)


def differences(mine: Evaluation, theirs: Evaluation) -> dict[str, int]:
    """How many bits, scores and classes differ; the layer counts and shapes must agree."""
    pairs = {
        f"hidden {i}": pair for i, pair in enumerate(zip(mine.hidden, theirs.hidden, strict=True))
    }
    pairs["scores"] = (mine.scores, theirs.scores)
    pairs["classes"] = (mine.classes, theirs.classes)
    assert all(a.shape == b.shape and a.size for a, b in pairs.values())
    return {name: int((a != b).sum()) for name, (a, b) in pairs.items()}


def test_the_committed_network_is_the_default_one(network: IntegerNetwork) -> None:
    assert network.widths == (784, 1024, 1024, 1024, 10)


def test_no_difference_on_ten_thousand_images(
    network: IntegerNetwork,
    brevitas_answers: Evaluation,
    test_set: tuple[np.ndarray, np.ndarray],
) -> None:
    result = evaluate(network, test_set[0])
    assert result.scores.shape == (10_000, 10)
    assert set(differences(result, brevitas_answers).values()) == {0}


@pytest.mark.parametrize("images", [1, 7, 999])
def test_no_difference_in_other_batch_sizes(
    images: int,
    trained: tuple[BinaryNetwork, dict],
    brevitas_answers: Evaluation,
    test_set: tuple[np.ndarray, np.ndarray],
) -> None:
    """The model's bits do not depend on how its sums are blocked or how many threads add them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            activations, scores = trained[0].trace(signs(test_set[0][:images]))
    finally:
        torch.set_num_threads(threads)
    for mine, theirs in zip(activations, brevitas_answers.hidden, strict=True):
        assert np.array_equal(mine.numpy() > 0, theirs[:images] == 1)
    assert np.array_equal(scores.numpy(), brevitas_answers.scores[:images])


def test_the_comparison_notices_one_threshold_off_by_one(
    network: IntegerNetwork,
    brevitas_answers: Evaluation,
    test_set: tuple[np.ndarray, np.ndarray],
) -> None:
    first = network.hidden[0]
    thresholds = first.thresholds.copy()
    inside = int(np.abs(thresholds - first.inputs // 2).argmin())
    thresholds[inside] += 1
    changed = IntegerNetwork(
        (Layer(first.weights, thresholds), *network.hidden[1:]), network.output
    )
    found = differences(evaluate(changed, test_set[0]), brevitas_answers)
    assert found["hidden 0"] > 0


def test_the_committed_files_belong_together(
    network: IntegerNetwork, trained: tuple[BinaryNetwork, dict], tmp_path: Path
) -> None:
    model, info = trained
    exported = export(model, name="mnist", info=info)
    assert exported == network
    exported.save(tmp_path / "mnist.npz")
    assert (tmp_path / "mnist.npz").read_bytes() == (NETWORKS / "mnist.npz").read_bytes()


def test_accuracy_is_the_committed_figure(
    network: IntegerNetwork,
    trained: tuple[BinaryNetwork, dict],
    test_set: tuple[np.ndarray, np.ndarray],
) -> None:
    bits, labels = test_set
    right = float((evaluate(network, bits).classes == labels).mean())
    assert right >= NEEDED_ACCURACY
    assert right == pytest.approx(trained[1]["test_accuracy"], abs=1e-9)
    assert right == pytest.approx(network.info["test_accuracy"], abs=1e-9)


def test_the_test_set_is_binarised_as_the_network_expects(network: IntegerNetwork) -> None:
    assert network.pixel_threshold == DEFAULT_PIXEL_THRESHOLD
