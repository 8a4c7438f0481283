# SPDX-License-Identifier: Apache-2.0
"""`make reference`: what it measures is looked at, not only timed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from measure import reference_speed
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.random_network import Convolution, random_map_network, random_network
from xnor_fcc.reference import Evaluation, evaluate


@pytest.mark.parametrize("wrong", ["", "score", "class", "network", "convolutions"])
def test_the_measurement_notices_wrong_answers(
    wrong: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One score, one class, another network than the one whose accuracy was committed, or a score
    of the network with convolutions."""
    rng = np.random.default_rng(10)
    network = random_network(rng, (60, 20, 5))
    grey = rng.integers(0, 256, (200, 60), np.uint8)
    labels = evaluate(network, network.inputs_from(grey)).classes
    labels[:20] = (labels[:20] + 1) % 5
    accuracy = 0.5 if wrong == "network" else 0.9
    path = tmp_path / "small.npz"
    replace(network, info={"test_accuracy": accuracy}).save(path)

    def doctored(network: IntegerNetwork, x: np.ndarray, threads: int) -> Evaluation:
        result = evaluate(network, x, threads)
        if wrong == "convolutions" and network.convolutions:
            result.scores[1, 4] -= 1
        if wrong == "score" and not network.convolutions:
            result.scores[150, 4] -= 1
        if wrong == "class" and not network.convolutions:
            result.classes[3] = (result.classes[3] + 2) % 5
        return result

    monkeypatch.setattr(reference_speed, "find_network", lambda name: path)
    monkeypatch.setattr(reference_speed, "load_test_images", lambda: (grey, labels))
    monkeypatch.setattr(reference_speed, "evaluate", doctored)
    monkeypatch.setattr(reference_speed, "OUTPUT", tmp_path)
    small = random_map_network(rng, 32, [Convolution(4)], [5], colours=3)
    monkeypatch.setattr(reference_speed, "cnv_network", lambda rng: small)
    monkeypatch.setattr(reference_speed, "_CNV_IMAGES", 2)
    assert reference_speed.main(["--times", "3", "--threads", "2"]) == (wrong != "")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["wrong_images"] == (wrong in ("score", "class"))
    cnv = report["cnv"]
    assert cnv["wrong_images"] == (wrong == "convolutions") and cnv["accuracy"] is None
    assert cnv["images"] == 2 and cnv["images_per_second"] > 0
    assert report["accuracy"] == 0.9 and report["images"] == 200 and report["threads"] == 2
    assert 0 < report["images_per_second"] <= report["best"]
    assert ("50.00 %: WRONG" in capsys.readouterr().out) == (wrong == "network")
