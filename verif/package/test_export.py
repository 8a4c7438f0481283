# SPDX-License-Identifier: Apache-2.0
"""Export: every hidden bit of the integer network is the Brevitas model's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from package.made import (
    FORMS,
    assert_same,
    compare,
    form_name,
    random_grey,
    random_model,
)
from xnor_fcc.errors import UserError, run_main
from xnor_fcc.integer import IntegerNetwork, Layer, ShiftLayer
from xnor_fcc.training.export import export, fold, main, response_table
from xnor_fcc.training.form import Form
from xnor_fcc.training.layers import BinaryLinear
from xnor_fcc.training.network import BinaryNetwork, signs
from xnor_fcc.training.trained import save_trained


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "widths", [(784, 64, 10), (37, 24, 15, 6), (12, 7), (9, 1, 4), (50, 200, 200, 200, 3)]
)
def test_random_models(seed: int, widths: tuple[int, ...]) -> None:
    model = random_model(seed, widths)
    network = export(model, name="x", info={"a": 1})
    assert network.widths == widths
    assert (network.name, network.info, network.pixel_threshold) == ("x", {"a": 1}, 99)
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (300, widths[0]), dtype=np.uint8)
    assert_same(model, network, bits)


def one_layer(
    inputs: int, slopes: list[float], means: list[float], shifts: list[float]
) -> BinaryNetwork:
    """A model with one hidden layer of all-ones weights and the given batch normalisation."""
    model = BinaryNetwork((inputs, len(slopes), 2))
    layer = model.hidden_layers()[0]
    with torch.no_grad():
        assert layer.norm.running_mean is not None
        layer.linear.weight.fill_(1.0)
        layer.norm.weight.copy_(torch.tensor(slopes))
        layer.norm.bias.copy_(torch.tensor(shifts))
        layer.norm.running_mean.copy_(torch.tensor(means))
    return model.eval()


def staircase(inputs: int) -> np.ndarray:
    """Images with 0, 1, ..., inputs ones: with all-ones weights, row P has popcount P."""
    return np.tri(inputs + 1, inputs, -1, dtype=np.uint8)


@pytest.mark.parametrize("slope", [1.0, -1.0])
def test_every_threshold_with_either_slope(slope: float) -> None:
    # alpha is 1 and product = 2P - n, so a mean of 2t - 1 - n switches between P = t-1 and t.
    n = 13
    means = [2.0 * t - 1 - n for t in range(n + 2)]
    model = one_layer(n, [slope] * (n + 2), means, [0.0] * (n + 2))
    layer = export(model).hidden[0]
    if slope > 0:
        assert layer.thresholds.tolist() == list(range(n + 2))
        assert layer.weights.all()
    else:
        # 1 for P <= t-1; with negated weights for P' = n-P >= n-t+1.
        assert layer.thresholds.tolist() == [n + 1 - t for t in range(n + 2)]
        # The two constant ones (never, always) keep their weights.
        assert layer.weights[0].all() and layer.weights[-1].all()
        assert not layer.weights[1:-1].any()
    assert_same(model, export(model), staircase(n))


def test_a_sum_of_exactly_zero_is_a_one_on_either_slope() -> None:
    n = 8
    model = one_layer(n, [2.0, -2.0], [2.0, 2.0], [0.0, 0.0])  # zero at 2P - n = 2: P = 5
    layer = export(model).hidden[0]
    assert layer.thresholds.tolist() == [5, n - 5]
    assert_same(model, export(model), staircase(n))


def test_zero_slope_follows_the_shift() -> None:
    n = 6
    model = one_layer(n, [0.0] * 3, [1.0] * 3, [0.5, -0.5, 0.0])
    assert export(model).hidden[0].thresholds.tolist() == [0, n + 1, 0]
    assert_same(model, export(model), staircase(n))


def test_zero_alpha_is_a_zero_slope() -> None:
    n = 6
    model = one_layer(n, [1.0, 1.0], [1.0, -1.0], [0.0, 0.0])
    with torch.no_grad():
        model.hidden_layers()[0].linear.weight.zero_()
    assert export(model).hidden[0].thresholds.tolist() == [n + 1, 0]
    assert_same(model, export(model), staircase(n))


def test_switches_at_the_very_limit_of_float32() -> None:
    # Means a few float32 steps around a reachable sum: a formula in float64 would place some
    # of these switches differently than the model itself does.
    n = 101
    reachable = np.float32(2 * 60 - n)
    means = [float(reachable)]
    up = down = reachable
    for _ in range(8):
        up, down = np.nextafter(up, np.float32(99)), np.nextafter(down, np.float32(-99))
        means += [float(up), float(down)]
    slopes = [0.3, -0.7] * len(means)
    model = one_layer(n, slopes, [m for m in means for _ in (0, 1)], [1e-7, -1e-7] * len(means))
    with torch.no_grad():
        layer = model.hidden_layers()[0]
        assert layer.norm.running_mean is not None
        layer.linear.weight.fill_(0.1)
        layer.norm.running_mean.mul_(0.1)
    assert_same(model, export(model), staircase(n))


def test_latent_weights_beyond_one_are_clipped_first() -> None:
    model = random_model(8)
    with torch.no_grad():
        model.hidden_layers()[0].linear.weight.mul_(5)
    network = export(model)
    bits = np.random.default_rng(8).integers(0, 2, (200, 37), dtype=np.uint8)
    assert_same(model, network, bits)


def test_response_table_is_what_the_layer_answers() -> None:
    model = one_layer(5, [1.0, -1.0], [0.0, 0.0], [0.0, 0.0])
    layer = model.hidden_layers()[0]
    with torch.no_grad():
        answers = layer(signs(staircase(5))) > 0
    assert np.array_equal(response_table(layer), answers.numpy())


def test_a_neuron_that_switches_twice_is_refused() -> None:
    responses = np.array([[0, 0], [0, 1], [1, 1], [0, 1]], np.uint8)
    with pytest.raises(UserError, match="Neuron 0 both rises and falls"):
        fold(np.ones((2, 3), np.uint8), responses)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    model = random_model(9)
    with torch.no_grad():
        model.hidden_layers()[1].norm.bias[3] = value
    with pytest.raises(UserError, match="not finite"):
        export(model)


def test_a_model_in_training_is_refused() -> None:
    with pytest.raises(ValueError, match="eval mode"):
        export(random_model(0).train())


def test_the_comparison_notices_a_threshold_off_by_one() -> None:
    """`assert_same` can fail: every threshold of the first layer moved by one is noticed."""
    n = 13
    model = one_layer(n, [1.0], [0.0], [0.0])
    layer = export(model)
    layer.hidden[0].thresholds[0] += 1
    with pytest.raises(AssertionError):
        assert_same(model, layer, staircase(n))


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = random_model(10)
    save_trained(tmp_path / "t.npz", model, {"how": "random"})
    out = tmp_path / "n.npz"
    assert main([str(tmp_path / "t.npz"), str(out)]) == 0
    assert IntegerNetwork.load(out) == export(model)
    assert IntegerNetwork.load(out).info == {"how": "random"}
    assert IntegerNetwork.load(out).name == "n"
    code = run_main(lambda: main([str(tmp_path / "none.npz"), str(tmp_path / "m.npz")]))
    error = capsys.readouterr().err
    assert code == 2 and "does not exist" in error and error.count("\n") == 1
    assert not (tmp_path / "m.npz").exists()


# Kinds beyond single bits.


@pytest.mark.one_quick
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("form", FORMS, ids=form_name)
@pytest.mark.parametrize("widths", [(784, 64, 40, 10), (37, 24, 15, 6), (9, 1, 4)])
def test_random_models_of_every_kind(seed: int, form: Form, widths: tuple[int, ...]) -> None:
    model = random_model(seed, widths, form)
    network = export(model)
    grey = random_grey(seed, 300, widths[0])
    inputs = network.inputs_from(grey.numpy())
    result = compare(model, network, model.inputs_from(grey), inputs)
    kinds = {
        "order-2": form.order == 2,
        "ternary": form.ternary,
        "power-of-two": form.first_layer == "shifts",
    }
    assert network.kinds == {kind for kind, there in kinds.items() if there}
    if widths[1] > 1:
        assert len(np.unique(result.hidden[-1])) == 2**form.order


def test_a_network_of_every_kind_is_restored_from_its_file(tmp_path: Path) -> None:
    for form in FORMS:
        network = export(random_model(1, form=form), name="x")
        network.save(tmp_path / "n.npz")
        assert IntegerNetwork.load(tmp_path / "n.npz") == network


@pytest.mark.parametrize("slope", [1.0, -1.0])
@pytest.mark.parametrize("ternary", [False, True])
def test_every_triple_of_thresholds(slope: float, ternary: bool) -> None:
    """v runs over -3.5 .. 3.5 in steps that put each of the three switches on every P."""
    n = 5
    form = Form(order=2, weights="ternary" if ternary else "binary")
    scales = [0.26, 0.5, 1.0, 2.1]
    shifts = [float(d) for d in range(-17, 18)]
    outputs = [(a, b) for a in scales for b in shifts]
    model = BinaryNetwork((n, len(outputs), 2), 128, form)
    layer = model.hidden_layers()[0]
    with torch.no_grad():
        layer.linear.weight.fill_(1.0)
        layer.norm.weight.copy_(torch.tensor([slope * a for a, _ in outputs]))
        layer.norm.bias.copy_(torch.tensor([a * b for a, b in outputs]))
    network = export(model.eval())
    first = network.hidden[0]
    assert isinstance(first, Layer) and first.lower is not None and first.upper is not None
    inside = [(t > 0) & (t <= first.most) for t in (first.lower, first.thresholds, first.upper)]
    assert all(each.sum() > 20 for each in inside)
    # Every sum that five inputs of -3, -1, 1, 3 have.
    grid = np.stack(np.meshgrid(*[np.arange(4, dtype=np.uint8)] * n), axis=-1).reshape(-1, n)
    compare(model, network, torch.from_numpy(grid).float() * 2 - 3, grid)


def test_zeros_stay_zeros_when_a_neuron_is_negated() -> None:
    model = random_model(2, (37, 24, 6), Form(weights="ternary"))
    layer = model.hidden_layers()[0]
    assert isinstance(layer.linear, BinaryLinear)
    falling = (layer.norm.weight < 0).numpy()
    first = export(model).hidden[0]
    assert isinstance(first, Layer) and first.mask is not None
    values = layer.linear.values()
    switching = (first.thresholds > 0) & (first.thresholds <= first.most)
    assert (falling & switching).any() and (~falling & switching).any()
    sign = np.where(falling & switching, -1, 1)[:, None]
    expected = sign * values
    assert np.array_equal(first.mask, expected != 0)
    assert np.array_equal(first.weights, expected > 0)


@pytest.mark.parametrize("slope", [1.0, -1.0, 0.0])
def test_thresholds_of_shifts_where_float32_still_tells_sums_apart(slope: float) -> None:
    """Means at and around reachable sums, up to the very largest, where float32 rounds."""
    model = BinaryNetwork((784, 40, 2), 128, Form(first_layer="shifts"))
    layer = model.hidden_layers()[0]
    assert layer.norm.running_mean is not None
    reach = 784 * 255 * 128
    means = [
        float(m) for m in (0, 1, -1, 7, 100_000, 1 << 24, reach, -reach, reach + 2, -reach - 2)
    ]
    with torch.no_grad():
        layer.linear.weight.fill_(1.0)
        layer.norm.weight.fill_(slope)
        layer.norm.bias.copy_(torch.linspace(-1, 1, 40))
        layer.norm.running_mean.copy_(torch.tensor(means * 4))
    network = export(model.eval())
    first = network.hidden[0]
    assert isinstance(first, ShiftLayer)
    # Images whose sums are those means and their neighbours: pixels times 128.
    grey = np.zeros((600, 784), np.uint8)
    rng = np.random.default_rng(3)
    for i in range(600):
        grey[i, : rng.integers(0, 785)] = rng.choice([1, 200, 255])
    grey[0], grey[1] = 0, 255
    compare(model, network, torch.from_numpy(grey).float(), grey)
    if slope == 0:
        assert set(first.thresholds.tolist()) == {-reach, reach + 1}


def test_the_comparison_notices_every_kind_of_threshold_off_by_one() -> None:
    n = 5
    form = Form(order=2)
    grid = np.stack(np.meshgrid(*[np.arange(4, dtype=np.uint8)] * n), axis=-1).reshape(-1, n)
    x = torch.from_numpy(grid).float() * 2 - 3
    model = BinaryNetwork((n, 1, 2), 128, form)
    layer = model.hidden_layers()[0]
    with torch.no_grad():
        layer.linear.weight.fill_(1.0)
        layer.norm.weight.fill_(0.3)
    model.eval()
    for name, step in (("lower", 1), ("lower", -1), ("upper", 1), ("upper", -1), ("thresholds", 1)):
        network = export(model)
        compare(model, network, x, grid)
        getattr(network.hidden[0], name)[0] += step
        with pytest.raises(AssertionError):
            compare(model, network, x, grid)
