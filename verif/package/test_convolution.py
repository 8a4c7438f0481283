# SPDX-License-Identifier: Apache-2.0
"""Binary convolutions: the Brevitas network against the integer one, in every bit of every map, and
the training path against the one that counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from package.made import compare, random_parameters
from xnor_fcc import container
from xnor_fcc.errors import UserError
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.training import layers
from xnor_fcc.training.convolution import ConvolutionalNetwork, thermometer
from xnor_fcc.training.export import export
from xnor_fcc.training.form import Form
from xnor_fcc.training.plan import Plan
from xnor_fcc.training.trained import load_trained, save_trained

PLANS = {
    "grey": Plan(10, 1, 1, ((40, 128, 200),), "5p,7,4x1", (9,), 6),
    "colours": Plan(8, 3, 0, ((1, 90), (128, 255), (7, 8)), "6,9p", (), 10),
    "flat": Plan(6, 2, 2, ((128,), (60,)), "8", (12, 5), 3),
}


def random_network(plan: Plan, seed: int, order: int = 1) -> ConvolutionalNetwork:
    torch.manual_seed(seed)
    model = ConvolutionalNetwork(plan, Form(order=order))
    random_parameters(model)
    return model


def images(plan: Plan, count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, plan.side, plan.side, plan.colours)).astype(np.uint8)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_no_bit_of_any_map_differs(plan: Plan, order: int) -> None:
    model = random_network(plan, 3, order)
    network = export(model)
    assert network.map_sides == plan.sides[1:]
    grey = images(plan, 200)
    x = model.inputs_from(torch.from_numpy(grey))
    inputs = network.inputs_from(grey)
    assert np.array_equal(x.permute(0, 2, 3, 1).numpy() > 0, inputs)
    result = compare(model, network, x, inputs)
    assert all(len(np.unique(hidden)) == 2**order for hidden in result.hidden)


def test_one_weight_of_one_filter_is_noticed() -> None:
    plan = PLANS["grey"]
    model = random_network(plan, 3)
    network = export(model)
    with torch.no_grad():
        model.hidden_layers()[1].linear.weight[2, 1, 0, 2] *= -1
    grey = images(plan, 200)
    with pytest.raises(AssertionError):
        compare(
            model, network, model.inputs_from(torch.from_numpy(grey)), network.inputs_from(grey)
        )


@pytest.mark.parametrize("order", [1, 2])
def test_files_keep_every_answer(order: int, tmp_path: Path) -> None:
    model = random_network(PLANS["colours"], 5, order)
    save_trained(tmp_path / "x_trained.npz", model, {"a": 1})
    again, info = load_trained(tmp_path / "x_trained.npz")
    assert isinstance(again, ConvolutionalNetwork) and info == {"a": 1}
    assert (again.plan, again.form) == (model.plan, model.form)
    network = export(model, "x", info)
    assert export(again, "x", info) == network
    network.save(tmp_path / "x.npz")
    assert IntegerNetwork.load(tmp_path / "x.npz") == network


def test_a_trained_file_of_another_plan_is_refused(tmp_path: Path) -> None:
    model = random_network(PLANS["colours"], 5)
    model.plan = replace(model.plan, maps="6,8p")
    save_trained(tmp_path / "x.npz", model, {})
    with pytest.raises(UserError, match=r"alpha1 has shape \(9,\), not \(8,\)"):
        load_trained(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"plan": None}, "has an incomplete manifest"),
        ({"plan": {"side": 8}}, "has an incomplete manifest"),
        ({"levels": [[1, 90]]}, "Every colour needs as many levels"),
        ({"maps": "6,9q"}, "are not a list like 64p,64,128p"),
        ({"weights": "ternary"}, "has binary weights and batch normalisation"),
    ],
)
def test_an_unsound_manifest_is_told_in_a_sentence(
    change: dict, match: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.npz"
    save_trained(path, random_network(PLANS["colours"], 5), {})
    arrays, manifest = container.read(path, "xnor-fcc-trained", 3, "file")
    plan = {**manifest["plan"], **{k: v for k, v in change.items() if k in manifest["plan"]}}
    changed = {**manifest, "plan": plan, **{k: v for k, v in change.items() if k not in plan}}
    for key in ("kind", "version", "sha256"):
        changed.pop(key, None)
    container.write(path, "xnor-fcc-trained", 3, arrays, changed)
    with pytest.raises(UserError, match=match):
        load_trained(path)


def test_thermometer_of_grey_images_and_of_their_border() -> None:
    plan = Plan(2, 1, 1, ((1, 128, 255),), "4", (), 2)
    found = thermometer(torch.tensor([[[0, 1], [128, 255]]], dtype=torch.uint8), plan)
    assert found.shape == (1, 3, 4, 4) and found.dtype == torch.int8
    reached = (found > 0).sum(dim=1)[0]
    assert reached[1:3, 1:3].tolist() == [[0, 1], [2, 3]]
    assert int(reached.sum()) == 6


@pytest.mark.parametrize("rough_type", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("order", [1, 2])
def test_training_computes_what_counts_but_for_rounding(
    order: int, rough_type: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the statistics of the batch itself, nearly every bit of a layer; the pool comes first."""
    monkeypatch.setattr(layers, "ROUGH", rough_type)
    # So many inputs that not much hangs on a single value of P.
    plan = replace(PLANS["grey"], maps="30p,40,20x1")
    model = random_network(plan, 7, order)
    x = model.inputs_from(torch.from_numpy(images(plan, 400))).float()
    with torch.no_grad():
        for layer in model.hidden_layers()[:3]:
            layer.norm.momentum = None
            layer.norm.weight.abs_()
            layer.norm.reset_running_stats()
            rough = layer.train()(x.to(rough_type))
            x = layer.eval()(x)
            assert rough.shape == x.shape
            assert (rough == x).float().mean() > 0.98


def test_gradients_reach_every_parameter() -> None:
    plan = PLANS["grey"]
    model = random_network(plan, 7).train()
    x = model.inputs_from(torch.from_numpy(images(plan, 50)))
    model.logits(model(x)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and bool(parameter.grad.abs().sum() > 0), name
