# SPDX-License-Identifier: Apache-2.0
"""Structured pruning: which neurons stay, and that they stay what they were."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from package.made import random_model, random_signs
from xnor_fcc.errors import UserError
from xnor_fcc.training.form import Form
from xnor_fcc.training.layers import BinaryLinear
from xnor_fcc.training.network import BinaryNetwork
from xnor_fcc.training.prune import prune, usefulness
from xnor_fcc.training.trained import from_compact, to_compact

WIDTHS = (37, 24, 15, 6)


def task(images: int = 400) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(5)
    return random_signs(rng, images, WIDTHS[0]), torch.from_numpy(rng.integers(0, 6, images))


def test_a_neuron_that_never_switches_is_of_no_use() -> None:
    model = random_model(0)
    norm = model.hidden_layers()[0].norm
    with torch.no_grad():
        norm.weight[7] = 0.0
        norm.weight[9] = 0.0
        norm.bias[9] = -1.0
    first, second = usefulness(model, *task())
    assert first[7] == first[9] == 0
    assert (first > 0).sum() == 22 and (second > 0).sum() > 10
    small = prune(model, (37, 22, 15, 6), *task())
    kept = [i for i in range(24) if i not in (7, 9)]
    norms = small.hidden_layers()[0].norm
    assert torch.equal(norms.bias, norm.bias[kept])


def test_the_first_order_change_of_the_loss() -> None:
    """On one image, against the definition: the gradient times the way to the mean."""
    model = random_model(1, (37, 24, 6))
    x, labels = task(50)
    activations = model.trace(x)[0][0].detach()
    mean = activations.mean(dim=0)
    expected = torch.zeros(24, dtype=torch.float64)
    weights = torch.from_numpy(model.output.linear.values()).float()
    for a, label in zip(activations, labels, strict=True):
        probabilities = model.logits(model.output(a[None])).softmax(dim=1)[0].detach()
        probabilities[label] -= 1
        gradient = model.log_temperature.exp().detach() * probabilities @ weights
        expected += (gradient * (a - mean)).abs()
    assert torch.allclose(usefulness(model, x, labels)[0], expected / 50, rtol=1e-4)


@pytest.mark.parametrize("form", [Form(), Form(order=2), Form("shift"), Form(weights="ternary")])
def test_what_stays_is_what_it_was(form: Form) -> None:
    model = random_model(2, WIDTHS, form)
    x, labels = task()
    small = prune(model, (37, 10, 9, 6), x, labels)
    assert small.widths == (37, 10, 9, 6) and small.form == form and not small.training
    scores = usefulness(model, x, labels)
    kept = [score.topk(m).indices.sort().values for score, m in zip(scores, (10, 9), strict=True)]
    before, after = model.hidden_layers(), small.hidden_layers()
    # The first layer loses no inputs, so its neurons answer as before.
    assert torch.equal(after[0](x), before[0](x)[:, kept[0]])
    one, other = before[1].linear, after[1].linear
    assert isinstance(one, BinaryLinear) and isinstance(other, BinaryLinear)
    assert np.array_equal(other.values(), one.values()[kept[1].numpy()][:, kept[0].numpy()])
    outputs = model.output.linear.values()
    assert np.array_equal(small.output.linear.values(), outputs[:, kept[1].numpy()])


def test_a_cut_neuron_leaves_its_mean_behind() -> None:
    """Neurons that never switch are cut, and nothing changes."""
    model = random_model(5)
    with torch.no_grad():
        for layer, still in zip(model.hidden_layers(), ([1, 7, 20], [2, 14]), strict=True):
            layer.norm.weight[still] = 0.0
            layer.norm.bias[still] = torch.tensor([1.0, -1.0, 1.0])[: len(still)]
    # As from a file: a neuron's latent weights are of one size, which is its alpha.
    model = from_compact(to_compact(model), BinaryNetwork(WIDTHS), model.eps())
    x, labels = task()
    small = prune(model, (37, 21, 13, 6), x, labels)
    assert torch.equal(small(x), model(x))
    assert small.output.integer_bias().tolist() != model.output.integer_bias().tolist()


def test_without_a_neuron_that_no_layer_listens_to_nothing_changes() -> None:
    model = random_model(3, WIDTHS, Form(weights="ternary"))
    with torch.no_grad():
        second, last = model.hidden_layers()[1].linear, model.output.linear
        assert isinstance(second, BinaryLinear)
        for layer, deaf in ((second, [0, 5, 23]), (last, [3])):
            # Not a weight into a neuron counts: alpha must not change with them.
            layer.weight[:, deaf] = 0.0
    x, labels = task()
    assert (usefulness(model, x, labels)[0][[0, 5, 23]] == 0).all()
    small = prune(model, (37, 21, 14, 6), x, labels)
    assert torch.equal(small(x), model(x))


@pytest.mark.parametrize(
    ("widths", "match"),
    [
        ((37, 24, 6), "depth"),
        ((36, 24, 15, 6), "inputs"),
        ((37, 24, 15, 5), "classes"),
        ((37, 25, 15, 6), "at most 24, 15"),
    ],
)
def test_what_is_not_a_part_of_the_network_is_refused(widths: tuple[int, ...], match: str) -> None:
    with pytest.raises(UserError, match=match):
        prune(random_model(4), widths, *task())
