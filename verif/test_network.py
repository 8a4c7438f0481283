# SPDX-License-Identifier: Apache-2.0
"""The Brevitas network: exactness of its products, and its compact file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from brevitas.nn import QuantLinear

from xnor_fcc import container
from xnor_fcc.errors import UserError
from xnor_fcc.network import (
    BinaryLinear,
    BinaryNetwork,
    from_compact,
    load_trained,
    save_trained,
    signs,
    to_compact,
)

WIDTHS = (37, 24, 15, 6)


def random_signs(rng: np.random.Generator, *shape: int) -> torch.Tensor:
    return signs(rng.integers(0, 2, shape, dtype=np.uint8))


def random_model(seed: int, widths: tuple[int, ...] = WIDTHS) -> BinaryNetwork:
    """A model as training might leave it: every parameter away from its initial value."""
    torch.manual_seed(seed)
    model = BinaryNetwork(widths, pixel_threshold=99)
    with torch.no_grad():
        for layer in model.hidden_layers():
            layer.linear.weight.uniform_(-1, 1)
            outputs = layer.norm.num_features
            assert layer.norm.running_mean is not None and layer.norm.running_var is not None
            layer.norm.weight.copy_(torch.randn(outputs))
            layer.norm.bias.copy_(torch.randn(outputs) / 2)
            layer.norm.running_mean.copy_(torch.randn(outputs))
            layer.norm.running_var.copy_(torch.rand(outputs) * 4 + 0.1)
        model.output.bias.copy_(torch.randn(widths[-1]) * 5)
    return model.eval()


@pytest.mark.parametrize("inputs", [1, 7, 784, 1025])
def test_product_is_the_integer_one_in_training_and_in_evaluation(inputs: int) -> None:
    rng = np.random.default_rng(inputs)
    x = random_signs(rng, 33, inputs)
    layer = BinaryLinear(inputs, 19)
    weights = 2 * layer.bits().astype(np.int64) - 1
    expected = x.numpy().astype(np.int64) @ weights.T
    assert np.array_equal(layer.train()(x).detach().numpy(), expected)
    assert np.array_equal(layer.eval()(x).detach().numpy(), expected)
    assert isinstance(layer, QuantLinear)


def test_gradients_of_the_fast_product_are_the_straight_through_ones() -> None:
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
        from_compact(arrays, WIDTHS, model.eps(), 128)


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
