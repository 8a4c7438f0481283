# SPDX-License-Identifier: Apache-2.0
"""The Brevitas network: exactness of its products, and its compact file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from brevitas.nn import QuantLinear

from package.made import FORMS, WIDTHS, form_name, random_grey, random_model, random_signs
from xnor_fcc import container
from xnor_fcc.errors import UserError
from xnor_fcc.training import layers, precision
from xnor_fcc.training.form import Form
from xnor_fcc.training.layers import BinaryLinear, HiddenLayer, PowerLinear
from xnor_fcc.training.network import BinaryNetwork, pixel_residual, to_inputs
from xnor_fcc.training.trained import from_compact, load_trained, save_trained, to_compact


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("inputs", [1, 7, 784, 1025])
def test_product_is_the_integer_one_in_training_and_in_evaluation(
    inputs: int, narrow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever type of number this processor is quick with."""
    monkeypatch.setattr(precision, "NARROW", narrow)
    rng = np.random.default_rng(inputs)
    x = random_signs(rng, 33, inputs)
    layer = BinaryLinear(inputs, 19)
    weights = 2 * layer.bits().astype(np.int64) - 1
    x[0] = torch.from_numpy(weights[0])  # the largest product, which narrow numbers would round
    expected = x.numpy().astype(np.int64) @ weights.T
    assert np.array_equal(layer.train()(x).detach().numpy(), expected)
    assert np.array_equal(layer.eval()(x).detach().numpy(), expected)
    assert isinstance(layer, QuantLinear)


@pytest.mark.parametrize("rough", [torch.float32, torch.bfloat16])
def test_gradients_of_the_fast_product_are_the_straight_through_ones(
    rough: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "ROUGH", rough)
    rng = np.random.default_rng(0)
    x = random_signs(rng, 16, 30).requires_grad_()
    layer = BinaryLinear(30, 8).train()
    # Whole numbers up to 256 are exact in bfloat16, so nothing hides behind a tolerance.
    upstream = torch.from_numpy(rng.integers(-3, 4, (16, 8)).astype(np.float32))
    layer(x).backward(upstream)
    binary = torch.where(layer.weight >= 0, 1.0, -1.0)
    assert layer.weight.grad is not None and x.grad is not None
    assert torch.equal(layer.weight.grad, upstream.t() @ x.detach())
    assert torch.equal(x.grad, upstream @ binary)


def test_zero_counts_as_plus_one() -> None:
    model = random_model(0)
    with torch.no_grad():
        model.output.linear.weight.zero_()
    assert model.output.linear.bits().all()
    layer = model.hidden_layers()[0]
    assert layer.sign(torch.tensor([-1e-30, 0.0, 1e-30])).tolist() == [-1, 1, 1]


def test_alpha_is_the_mean_magnitude_and_comes_after_the_product() -> None:
    model = random_model(1)
    layer = model.hidden_layers()[0]
    assert isinstance(layer.linear, BinaryLinear)
    magnitude = layer.linear.weight.detach().double().abs().mean(dim=1)
    assert torch.equal(layer.linear.alpha(), magnitude.float())
    x = random_signs(np.random.default_rng(1), 9, WIDTHS[0])
    product = layer.linear(x)
    scaled = product.double() * layer.linear.alpha().double()
    norm = layer.norm
    assert norm.running_mean is not None and norm.running_var is not None
    slope = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    expected = (scaled - norm.running_mean.double()) * slope + norm.bias.double()
    clear = expected.abs() > 1e-4  # nearer to 0 than that, float32 may round either way
    assert clear.float().mean() > 0.9
    assert torch.equal((layer(x) > 0)[clear], (expected > 0)[clear])


@pytest.mark.parametrize("value", [1.0, 0.1, 0.0371, 1e-7, 0.0])
@pytest.mark.parametrize("inputs", [1, 3, 784, 1024])
def test_alpha_of_restored_weights_is_exact(value: float, inputs: int) -> None:
    layer = BinaryLinear(inputs, 2)
    with torch.no_grad():
        layer.weight.copy_(random_signs(np.random.default_rng(0), 2, inputs) * value)
    assert (layer.alpha() == torch.tensor(value)).all()


@pytest.mark.parametrize("widths", [(784, 1024, 1024, 1024, 10), (5, 3), (9, 1, 4), WIDTHS])
def test_widths_and_depth_are_free(widths: tuple[int, ...]) -> None:
    model = random_model(2, widths)
    x = random_signs(np.random.default_rng(2), 5, widths[0])
    activations, scores = model.trace(x)
    assert [tuple(a.shape) for a in activations] == [(5, m) for m in widths[1:-1]]
    assert all(set(a.unique().tolist()) <= {-1.0, 1.0} for a in activations)
    assert scores.shape == (5, widths[-1])
    assert torch.equal(scores, scores.round()) and torch.equal(scores, model(x))


@pytest.mark.parametrize("widths", [(5,), (), (5, 0, 3)])
def test_impossible_widths_are_refused(widths: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="widths"):
        BinaryNetwork(widths)


@pytest.mark.parametrize("widths", [WIDTHS, (12, 7)])
def test_saved_and_restored_model_is_the_same_function(
    tmp_path: Path, widths: tuple[int, ...]
) -> None:
    model = random_model(3, widths)
    path = tmp_path / "t.npz"
    save_trained(path, model, {"note": [1, 2]})
    restored, info = load_trained(path)
    assert info == {"note": [1, 2]}
    assert restored.widths == widths and restored.pixel_threshold == 99
    assert not restored.training
    x = random_signs(np.random.default_rng(3), 500, widths[0])
    for mine, theirs in zip(model.trace(x)[0], restored.trace(x)[0], strict=True):
        assert torch.equal(mine, theirs)
    assert torch.equal(model(x), restored(x))
    before, after = to_compact(model), to_compact(restored)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    save_trained(tmp_path / "again.npz", restored, info)
    assert path.read_bytes() == (tmp_path / "again.npz").read_bytes()


@pytest.mark.parametrize(
    ("name", "array", "match"),
    [
        ("alpha0", None, "lacks the array alpha0"),
        ("alpha0", np.full(24, 1.5, np.float32), "outside 0 to 1"),
        ("alpha0", np.full(24, np.nan, np.float32), "outside 0 to 1"),
        ("gamma1", np.zeros(15), "float64"),
        ("var1", np.zeros(14, np.float32), "shape"),
        ("weights0", np.zeros((24, 4), np.uint8), "shape"),
        ("bias_out", np.zeros(6, np.int64), "int64"),
    ],
)
def test_unsound_arrays_are_refused(name: str, array: np.ndarray | None, match: str) -> None:
    model = random_model(4)
    arrays = to_compact(model)
    arrays.pop(name)
    if array is not None:
        arrays[name] = array
    with pytest.raises(UserError, match=match):
        from_compact(arrays, BinaryNetwork(WIDTHS), model.eps())


def test_unsound_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    with pytest.raises(UserError, match="does not exist"):
        load_trained(path)
    model = random_model(5)
    container.write(path, "xnor-fcc-trained", 1, to_compact(model), {"widths": list(WIDTHS)})
    with pytest.raises(UserError, match="incomplete manifest"):
        load_trained(path)
    save_trained(path, model, {})
    contents = path.read_bytes()
    path.write_bytes(contents[: len(contents) // 2])
    with pytest.raises(UserError, match="truncated"):
        load_trained(path)


# Kinds beyond single bits.


@pytest.mark.parametrize("inputs", [1, 7, 784, 1025])
@pytest.mark.parametrize("ternary", [False, True])
def test_product_with_levels_and_ternary_weights(inputs: int, ternary: bool) -> None:
    rng = np.random.default_rng(inputs)
    x = torch.from_numpy(rng.choice([-3.0, -1.0, 1.0, 3.0], (33, inputs)).astype(np.float32))
    layer = BinaryLinear(inputs, 19, ternary)
    with torch.no_grad():
        # Among the latent weights are those that Brevitas rounds and clips.
        edges = torch.tensor([-2.0, -1.0, -0.5, -0.0, 0.0, 0.5, 0.50001, 1.0, 1.5])
        layer.weight.view(-1)[: len(edges)] = edges[: layer.weight.numel()]
    expected = x.numpy().astype(np.int64) @ layer.values().T.astype(np.int64)
    assert np.array_equal(layer.train()(x).detach().numpy(), expected)
    assert np.array_equal(layer.eval()(x).detach().numpy(), expected)
    assert set(np.unique(layer.values())) <= ({-1, 0, 1} if ternary else {-1, 1})


def test_an_extreme_product_does_not_saturate() -> None:
    layer = BinaryLinear(4096, 8)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    for value in (-3.0, 3.0):
        x = torch.full((32, 4096), value)
        assert (layer.train()(x) == 4096 * value).all() and (layer.eval()(x) == 4096 * value).all()


def test_gradients_of_ternary_weights_pass_through_the_zeros() -> None:
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.choice([-3.0, -1.0, 1.0, 3.0], (16, 30)).astype(np.float32))
    x.requires_grad_()
    layer = BinaryLinear(30, 8, ternary=True).train()
    upstream = torch.from_numpy(rng.integers(-3, 4, (16, 8)).astype(np.float32))
    layer(x).backward(upstream)
    assert layer.weight.grad is not None and x.grad is not None
    assert torch.equal(layer.weight.grad, upstream.t() @ x.detach())
    assert (layer.weight.grad[torch.from_numpy(layer.mask()) == 0] != 0).any()
    assert torch.equal(x.grad, upstream @ torch.from_numpy(layer.values()).float())


def test_an_activation_of_order_2_is_the_sign_and_the_sign_of_the_residual() -> None:
    layer = HiddenLayer(BinaryLinear(5, 1), Form(order=2)).eval()
    assert layer.norm.running_var is not None
    with torch.no_grad():
        layer.linear.weight.fill_(1.0)  # alpha 1: v is the product itself
        layer.norm.running_var.fill_(1.0 - layer.norm.eps)
    v = torch.tensor([-9.0, -1.0001, -1.0, -0.5, -0.0, 0.0, 0.5, 0.9999, 1.0, 9.0])
    expected = [-3.0, -3.0, -1.0, -1.0, 1.0, 1.0, 1.0, 1.0, 3.0, 3.0]
    assert layer.activate(v[:, None])[:, 0].tolist() == expected
    # Four levels of equal spacing around a normally distributed value: the mean square error is
    # that of the best quantiser (0.1175, Max 1960) but for a hundredth, and a third of the sign's.
    x = torch.randn(200_000, generator=torch.Generator().manual_seed(0))
    levels = layer.activate(x[:, None])[:, 0]
    best = (x * levels).mean() / levels.square().mean()
    assert 0.117 < (x - best * levels).square().mean().item() < 0.120


@pytest.mark.parametrize("threshold", [1, 2, 99, 128, 255])
def test_pixels_of_order_2(threshold: int) -> None:
    lower, upper = pixel_residual(threshold)
    assert 0 <= lower <= threshold <= upper <= 255
    assert pixel_residual(128) == (64, 192)
    grey = torch.arange(256).reshape(1, 16, 16)
    values = to_inputs(grey, threshold, Form(order=2))[0]
    for pixel, value in enumerate(values.tolist()):
        bit = pixel >= threshold
        residual = pixel >= (upper if bit else lower)
        assert value == (2 if bit else -2) + (1 if residual else -1)


def test_grey_inputs_are_whole_numbers() -> None:
    grey = torch.tensor([[[0.4, 0.6], [254.7, 3.0]]])
    assert to_inputs(grey, 128, Form(first_layer="shifts")).tolist() == [[0, 1, 255, 3]]


def test_power_of_two_weights() -> None:
    layer = PowerLinear(8, 1)
    latent = torch.tensor([[1.0, -1.0, 0.7, 0.72, -0.004, 0.0, -0.25, 3.0]])
    with torch.no_grad():
        layer.weight.copy_(latent)
    # 0.7 is below sqrt(1/2), where rounding in the logarithm changes.
    assert layer.exponents().tolist() == [[7, 7, 6, 7, 0, 0, 5, 7]]
    assert layer.bits().tolist() == [[1, 0, 1, 1, 0, 1, 0, 1]]
    value = torch.tensor([[128.0, -128, 64, 128, -1, 1, -32, 128]])
    x = torch.randint(0, 256, (50, 8)).float()
    assert torch.equal(layer.train()(x), x @ value.t())
    assert torch.equal(layer.eval()(x), x @ value.t())
    layer(x).sum().backward()
    assert layer.weight.grad is not None and torch.equal(layer.weight.grad[0], x.sum(dim=0))


@pytest.mark.parametrize("form", FORMS, ids=form_name)
@pytest.mark.parametrize("widths", [WIDTHS, (12, 4, 7)])
def test_every_kind_is_restored_from_its_file(
    tmp_path: Path, form: Form, widths: tuple[int, ...]
) -> None:
    model = random_model(6, widths, form)
    x = model.inputs_from(random_grey(6, 300, widths[0]))
    path = tmp_path / "t.npz"
    save_trained(path, model, {"note": 1})
    restored, _ = load_trained(path)
    assert restored.form == form
    for mine, theirs in zip(model.trace(x)[0], restored.trace(x)[0], strict=True):
        assert torch.equal(mine, theirs)
    assert torch.equal(model(x), restored(x)) and torch.equal(model(x), model(x).round())
    save_trained(tmp_path / "again.npz", restored, {"note": 1})
    assert path.read_bytes() == (tmp_path / "again.npz").read_bytes()
    version = container.read(path, "xnor-fcc-trained", (1, 2), "file")[1]["version"]
    assert version == (1 if form in (Form(), Form("shift")) else 2)


def test_a_ternary_neuron_without_weights_is_restored(tmp_path: Path) -> None:
    model = random_model(7, WIDTHS, Form(weights="ternary"))
    linear = model.hidden_layers()[0].linear
    assert isinstance(linear, BinaryLinear)
    with torch.no_grad():
        linear.weight[3] = 0.5
    assert linear.alpha()[3] == 0
    save_trained(tmp_path / "t.npz", model, {})
    x = random_signs(np.random.default_rng(7), 50, WIDTHS[0])
    assert torch.equal(load_trained(tmp_path / "t.npz")[0](x), model(x))


@pytest.mark.parametrize(
    ("form", "name", "array", "match"),
    [
        (Form(weights="ternary"), "mask1", None, "lacks the array mask1"),
        (Form(weights="ternary"), "mask_out", None, "lacks the array mask_out"),
        (Form(weights="ternary"), "alpha0", np.full(24, 0.4, np.float32), "outside 1/2 to 1"),
        (Form(first_layer="shifts"), "exponents0", None, "lacks the array exponents0"),
        (Form(first_layer="shifts"), "exponents0", np.full((24, 37), 8, np.uint8), "0 to 7"),
        (Form(first_layer="shifts"), "exponents0", np.zeros((24, 5), np.uint8), "shape"),
    ],
)
def test_unsound_arrays_of_other_kinds_are_refused(
    form: Form, name: str, array: np.ndarray | None, match: str
) -> None:
    model = random_model(4, WIDTHS, form)
    arrays = to_compact(model)
    arrays.pop(name)
    if array is not None:
        arrays[name] = array
    with pytest.raises(UserError, match=match):
        from_compact(arrays, BinaryNetwork(WIDTHS, form=form), model.eps())


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"order": 3}, "order is 1 or 2, not 3"),
        ({"weights": "octal"}, "weights is binary or ternary"),
        ({"first_layer": "shifts", "order": 2}, "first-order"),
        ({"first_layer": "shifts", "weights": "ternary"}, "binary weights"),
    ],
)
def test_unheard_of_kinds_are_refused(tmp_path: Path, fields: dict, match: str) -> None:
    with pytest.raises(UserError, match=match):
        Form(**fields)
    model = random_model(8)
    kept = {"widths": list(WIDTHS), "eps": model.eps(), "pixel_threshold": 9, "info": {}}
    path = tmp_path / "t.npz"
    container.write(path, "xnor-fcc-trained", 2, to_compact(model), {**kept, **fields})
    with pytest.raises(UserError, match=match):
        load_trained(path)


def test_a_first_layer_of_shifts_must_be_hidden() -> None:
    with pytest.raises(UserError, match="hidden"):
        BinaryNetwork((12, 7), 128, Form(first_layer="shifts"))


def test_free_scales_weigh_positive_and_negative_weights_apart() -> None:
    rng = np.random.default_rng(2)
    x = torch.from_numpy(rng.choice([-3.0, -1.0, 1.0, 3.0], (20, 31)).astype(np.float32))
    x.requires_grad_()
    layer = BinaryLinear(31, 6, ternary=True)
    plain = layer(x).detach()
    layer.free_scales()
    assert torch.equal(layer(x), plain)
    assert layer.imbalance is not None
    with torch.no_grad():
        layer.imbalance.copy_(torch.tensor([-1.0, -0.5, 0.0, 0.25, 0.5, 1.0]))
    values = torch.from_numpy(layer.values()).float()
    weights = values.clamp(min=0) * (1 + layer.imbalance.detach()[:, None])
    weights += values.clamp(max=0) * (1 - layer.imbalance.detach()[:, None])
    assert torch.equal(layer.train()(x), x @ weights.t())
    assert torch.equal(layer.eval()(x), x @ weights.t())
    upstream = torch.from_numpy(rng.integers(-2, 3, (20, 6)).astype(np.float32))
    layer.train()(x).backward(upstream)
    assert x.grad is not None and layer.imbalance.grad is not None
    assert torch.equal(x.grad, upstream @ weights)
    assert torch.equal(layer.imbalance.grad, (upstream * (x @ values.abs().t())).sum(dim=0))
