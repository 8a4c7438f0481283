# SPDX-License-Identifier: Apache-2.0
"""Shift-based training against definitions in plain numpy that share no code with it."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from package.made import (
    INTEGER,
    TINY_FLOAT,
    TINY_ORIGINAL,
    TRAINED,
    assert_equal,
    assert_same,
    fake_mnist,
    reported,
    results,
    train_alone,
)
from xnor_fcc import container
from xnor_fcc.errors import UserError
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.training import checkpoint, train
from xnor_fcc.training.augment import Distortion
from xnor_fcc.training.examples import Examples, batches, split
from xnor_fcc.training.export import export, response_table
from xnor_fcc.training.form import Form
from xnor_fcc.training.layers import BinaryLinear, HiddenLayer
from xnor_fcc.training.network import BinaryNetwork, to_inputs
from xnor_fcc.training.plain import PlainNetwork
from xnor_fcc.training.recipes import FloatRecipe, OriginalRecipe, Recipe, squared_hinge
from xnor_fcc.training.run import REPORT_NAME, run
from xnor_fcc.training.scores import scores_of
from xnor_fcc.training.shift import (
    ShiftAdaMax,
    ShiftBatchNorm,
    StraightAp2,
    ap2,
    glorot_coefficient,
    shifted_rate,
)
from xnor_fcc.training.student import Student
from xnor_fcc.training.trained import load_trained, save_trained, to_compact


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Equal results whatever the machine: one thread adds in one order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# The definitions.


def plain_ap2(x: float) -> float:
    """sign(x) * 2^round(log2 |x|), exactly: log2 |x| < k + 1/2 means x^2 < 2^(2k + 1)."""
    if x == 0 or math.isnan(x):
        return x
    square = Fraction(x) ** 2
    k = math.frexp(x)[1] - 1  # 2^k <= |x| < 2^(k + 1)
    if square > Fraction(2) ** (2 * k + 1):
        k += 1
    return math.copysign(math.inf if k > 127 else math.ldexp(1.0, k), x)


plain_ap2_of = np.vectorize(plain_ap2, otypes=[np.float64])


def plain_forward(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Algorithm 3 line by line in float64: y, mean, variance."""
    mean = x.sum(axis=0) / len(x)
    centred = x - mean
    variance = (centred * plain_ap2_of(centred)).sum(axis=0) / len(x)
    normal = centred * plain_ap2_of(1 / np.sqrt(variance + eps))
    return plain_ap2_of(gamma) * normal + beta, mean, variance


def plain_backward(
    x: np.ndarray, gamma: np.ndarray, eps: float, g: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients to x, gamma and beta, image by image, straight through every rounding.

    Written as the chain rule, not as the closed form: from y to x_hat, from there to the rounded
    1/sqrt(variance + eps) and to C, from the variance to C, from C to x and to the mean.  In the
    derivative of (variance + eps)^(-1/2), which is -1/2 of its third power, and of C C', which is
    2 C, each factor stands rounded.
    """
    n = len(x)
    centred = x - x.mean(axis=0)
    rounded = plain_ap2_of(centred)
    inverse = plain_ap2_of(1 / np.sqrt((centred * rounded).mean(axis=0) + eps))
    to_normal = g * plain_ap2_of(gamma)
    to_inverse = sum(to_normal[i] * rounded[i] for i in range(n))
    to_variance = to_inverse * -0.5 * inverse**3
    to_centred = np.stack(
        [to_normal[i] * inverse + to_variance * 2 * rounded[i] / n for i in range(n)]
    )
    # The rounded C do not quite sum to zero; what they would send through the mean is dropped.
    to_mean = -sum(to_normal[i] * inverse for i in range(n))
    to_gamma = sum(g[i] * plain_ap2_of(centred[i] * inverse) for i in range(n))
    return to_centred + to_mean / n, np.asarray(to_gamma), g.sum(axis=0)


def plain_adamax(
    theta: np.ndarray, gradients: list[np.ndarray], alpha: float, scale: float
) -> np.ndarray:
    """Algorithm 4 with its recommended 1 - beta1 = 2^-3 and 1 - beta2 = 2^-10, in float64."""
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        m = (1 - 1 / 8) * m + g / 8
        v = np.maximum((1 - 1 / 1024) * v, abs(g))
        step = plain_ap2(float(np.float32(alpha / (1 - (1 - 1 / 8) ** t))))
        theta = theta - step * scale * m / np.maximum(plain_ap2_of(np.float32(v)), 2.0**-27)
    return theta


# AP2.


def float32s(values: list[Any]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)


def test_ap2_of_what_one_can_do_in_the_head() -> None:
    x = [1.0, -1.0, 0.0, 3.0, -3.0, 2.8, 2.9, 0.1, -0.08, 1e-3, 1000.0]
    expected = [1.0, -1.0, 0.0, 4.0, -4.0, 2.0, 4.0, 0.125, -0.0625, 2.0**-10, 1024.0]
    assert ap2(float32s(x)).tolist() == expected


def test_powers_of_two_stay_as_they_are() -> None:
    powers = float32s([math.ldexp(1.0, k) for k in range(-149, 128)])
    assert torch.equal(ap2(powers), powers)
    assert torch.equal(ap2(-powers), -powers)


def test_ap2_switches_at_the_square_root_of_two_of_every_octave() -> None:
    below = np.float32(1.4142135)  # the float32 next below sqrt(2)
    above = np.nextafter(below, np.float32(2))
    assert float(below) ** 2 < 2 < float(above) ** 2
    for k in range(-126, 127):
        pair = float32s([math.ldexp(float(below), k), math.ldexp(float(above), k)])
        assert ap2(pair).tolist() == [math.ldexp(1.0, k), math.ldexp(1.0, k + 1)]
        assert ap2(-pair).tolist() == [-math.ldexp(1.0, k), -math.ldexp(1.0, k + 1)]


def test_ap2_of_subnormal_values() -> None:
    smallest = 2.0**-149
    x = [1, 2, 3, 5, 6, 11, 12, 2**22 + 1, 2**23 - 1]
    expected = [1, 2, 4, 4, 8, 8, 16, 2**22, 2**23]
    assert ap2(float32s([n * smallest for n in x])).tolist() == [n * smallest for n in expected]
    assert ap2(float32s([-3 * smallest])).item() == -4 * smallest


def test_ap2_at_the_ends() -> None:
    largest = float(np.finfo(np.float32).max)
    ends = ap2(float32s([0.0, -0.0, math.inf, -math.inf, largest, -largest, math.nan]))
    assert ends[:6].tolist() == [0.0, 0.0, math.inf, -math.inf, math.inf, -math.inf]
    assert ends.signbit()[:2].tolist() == [False, True] and bool(ends[6].isnan())
    with pytest.raises(TypeError, match="float32"):
        ap2(torch.zeros(2, dtype=torch.float64))


def test_ap2_of_random_bit_patterns_is_the_definition() -> None:
    bits = np.random.default_rng(0).integers(0, 2**32, 20_000, dtype=np.uint32)
    x = bits.view(np.float32)
    x = x[np.isfinite(x)]
    before = x.copy()
    rounded = ap2(torch.from_numpy(x)).numpy()
    assert np.array_equal(rounded.astype(np.float64), plain_ap2_of(x))
    assert np.array_equal(x, before) and (np.abs(x) < 2.0**-126).any()


def test_ap2_of_a_view_that_is_not_contiguous() -> None:
    x = torch.arange(1.0, 13.0).reshape(3, 4).t()
    assert torch.equal(ap2(x), ap2(x.contiguous())) and ap2(x).shape == (4, 3)


def test_straight_ap2_rounds_forward_only() -> None:
    x = float32s([3.0, -0.3]).requires_grad_()
    StraightAp2.apply(x).backward(float32s([5.0, 7.0]))
    assert x.grad is not None and x.grad.tolist() == [5.0, 7.0]


# Batch normalisation.


def norm_case(
    seed: int, images: int = 40, features: int = 17
) -> tuple[ShiftBatchNorm, np.ndarray, np.ndarray]:
    """A layer with every parameter away from its start, integer inputs, and a gradient."""
    rng = np.random.default_rng(seed)
    norm = ShiftBatchNorm(features)
    with torch.no_grad():
        norm.weight.copy_(torch.from_numpy(rng.normal(size=features)))
        norm.bias.copy_(torch.from_numpy(rng.normal(size=features)))
    x = rng.integers(-30, 31, (images, features)) * rng.integers(1, 9, features)
    return norm, x.astype(np.float32), rng.normal(size=x.shape).astype(np.float32)


def doubles(*tensors: torch.Tensor | None) -> list[np.ndarray]:
    return [tensor.detach().double().numpy() for tensor in tensors if tensor is not None]


@pytest.mark.parametrize("seed", range(5))
def test_batch_normalisation_is_algorithm_3(seed: int) -> None:
    norm, x, g = norm_case(seed)
    # 64 images: the mean of integers is exact, so AP2 sees the same numbers on both sides.
    x, g = np.tile(x, (2, 1))[:64], np.tile(g, (2, 1))[:64]
    inputs = torch.from_numpy(x).requires_grad_()
    y = norm.train()(inputs)
    gamma, beta = doubles(norm.weight, norm.bias)
    expected, mean, variance = plain_forward(x.astype(np.float64), gamma, beta, norm.eps)
    assert np.allclose(y.detach().numpy(), expected, rtol=1e-5, atol=1e-5)
    # Running values start at 0 and 1 and take 1/8 of the new.
    assert norm.running_mean is not None and norm.running_var is not None
    assert np.allclose(norm.running_mean.numpy(), mean / 8, rtol=1e-5, atol=1e-5)
    assert np.allclose(norm.running_var.numpy(), 7 / 8 + variance / 8, rtol=1e-5)
    y.backward(torch.from_numpy(g))
    mine = doubles(inputs.grad, norm.weight.grad, norm.bias.grad)
    theirs = plain_backward(x.astype(np.float64), gamma, norm.eps, g.astype(np.float64))
    assert len(mine) == 3
    for a, b in zip(mine, theirs, strict=True):
        assert np.allclose(a, b, rtol=1e-4, atol=1e-4)
    # It is not ordinary batch normalisation under another name.
    ordinary = torch.nn.functional.batch_norm(
        torch.from_numpy(x), None, None, norm.weight, norm.bias, True
    )
    assert not np.allclose(y.detach().numpy(), ordinary.detach().numpy(), atol=0.1)


def test_where_rounding_changes_nothing_it_is_ordinary_batch_normalisation() -> None:
    # Every C is +-2^k, so the variance is 4^k; with next to no eps every AP2 is exact.
    k = torch.tensor([-3, 0, 1, 5])
    x = torch.tensor([1.0, -1.0, -1.0, 1.0])[:, None] * torch.pow(2.0, k) + 8
    norm, ordinary = ShiftBatchNorm(4), torch.nn.BatchNorm1d(4)
    g = torch.randn(4, 4, generator=torch.Generator().manual_seed(1))
    found = []
    for layer in (norm, ordinary):
        layer.eps = 1e-30
        with torch.no_grad():
            layer.weight.copy_(torch.tensor([1.0, -0.5, 2.0, 4.0]))
            layer.bias.copy_(torch.tensor([0.0, 1.0, -2.0, 0.3]))
        inputs = x.clone().requires_grad_()
        y = layer.train()(inputs)
        y.backward(g)
        found.append(doubles(y, inputs.grad, layer.weight.grad, layer.bias.grad))
    for a, b in zip(*found, strict=True):
        assert np.allclose(a, b, rtol=1e-5, atol=1e-5)


def test_in_evaluation_it_is_an_affine_map_with_a_power_of_two_as_slope() -> None:
    norm, x, _ = norm_case(3)
    norm.train()(torch.from_numpy(x))
    norm.eval()
    gamma, beta, mean, variance = doubles(
        norm.weight, norm.bias, norm.running_mean, norm.running_var
    )
    slope = plain_ap2_of(np.float32(1 / np.sqrt(variance + norm.eps))) * plain_ap2_of(gamma)
    assert (np.abs(np.frexp(slope)[0]) == 0.5).all()
    assert norm.running_mean is not None
    before = norm.running_mean.clone()
    y = norm(torch.from_numpy(x)).detach().numpy()
    assert np.allclose(y, (x - mean) * slope + beta, rtol=1e-5, atol=1e-5)
    assert torch.equal(before, norm.running_mean)


def test_a_constant_input_gives_beta() -> None:
    norm, _, _ = norm_case(4)
    x = torch.full((6, 17), 5.0, requires_grad=True)
    y = norm.train()(x)
    assert torch.equal(y, norm.bias.detach().expand(6, 17))
    y.sum().backward()
    assert x.grad is not None and bool(x.grad.isfinite().all())


# AdaMax.


def test_one_step_by_hand() -> None:
    theta = torch.nn.Parameter(float32s([1.0, 1.0, 1.0, 1.0]))
    theta.grad = float32s([0.25, -0.375, 0.0, 3.0])
    ShiftAdaMax([theta]).step()
    # Step 1: m = g/8, v = |g|, alpha / (1 - 7/8) = 2^-7.
    # AP2(v): 2^-2; 0.375 = 1.5 * 2^-2 rounds up to 2^-1; the floor; 3 rounds up to 4.
    moved = [
        2.0**-7 * 2.0**-5 / 2.0**-2,
        -(2.0**-7) * 0.375 / 8 / 2.0**-1,
        0.0,
        2.0**-7 * 3 / 8 / 4,
    ]
    assert theta.tolist() == [1 - m for m in moved]


@pytest.mark.parametrize(("alpha", "scale"), [(2.0**-10, 1.0), (2.0**-6, 37.0), (0.003, 1.0)])
def test_many_steps_are_algorithm_4(alpha: float, scale: float) -> None:
    rng = np.random.default_rng(5)
    start = rng.normal(size=50).astype(np.float32)
    size = 10.0 ** rng.integers(-6, 3, 50)
    gradients = [(rng.normal(size=50) * size).astype(np.float32) for _ in range(60)]
    theta = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = ShiftAdaMax([{"params": [theta], "scale": scale}], lr=alpha)
    for g in gradients:
        theta.grad = torch.from_numpy(g.copy())
        optimizer.step()
    expected = plain_adamax(
        start.astype(np.float64), [g.astype(np.float64) for g in gradients], alpha, scale
    )
    assert np.allclose(theta.detach().numpy(), expected, rtol=1e-4, atol=1e-5 * scale)
    assert np.abs(expected - start).min() > 1e-4


def test_every_step_is_a_shift_of_m() -> None:
    theta = torch.nn.Parameter(torch.zeros(200))
    optimizer = ShiftAdaMax([theta], lr=0.003)
    generator = torch.Generator().manual_seed(2)
    for _ in range(5):
        theta.grad = torch.randn(200, generator=generator)
        with torch.no_grad():
            theta.zero_()  # so that the new value is the step itself, unrounded
        optimizer.step()
        ratio = theta.detach() / optimizer.state[theta]["m"]
        assert bool((ratio.frexp().mantissa == -0.5).all())


def test_v_falls_when_gradients_do() -> None:
    theta = torch.nn.Parameter(torch.zeros(1))
    optimizer = ShiftAdaMax([theta])
    theta.grad = float32s([1.0])
    optimizer.step()
    theta.grad = float32s([0.0])
    for _ in range(1000):
        optimizer.step()
    v = optimizer.state[theta]["v"].item()
    assert v == pytest.approx((1 - 2.0**-10) ** 1000, rel=1e-3) and v < 0.5


def test_parameters_without_a_gradient_stay() -> None:
    theta = torch.nn.Parameter(torch.ones(3))
    ShiftAdaMax([theta]).step()
    assert theta.tolist() == [1.0] * 3


def test_the_rate_is_halved_every_50_epochs() -> None:
    recipe = OriginalRecipe()
    steps = 275
    rates = [recipe.rate(epoch * steps + i, steps) for epoch in range(500) for i in (0, steps - 1)]
    assert rates[0] == 2.0**-10 and rates[99] == 2.0**-10
    assert rates[100] == 2.0**-11 and rates[199] == 2.0**-11
    assert sorted(set(rates)) == [2.0**-k for k in range(19, 9, -1)]
    assert rates == sorted(rates, reverse=True)
    assert shifted_rate(0.003, 7, 3) == 0.003 / 4


# The network.


def random_shift_model(seed: int, widths: tuple[int, ...]) -> BinaryNetwork:
    """A shift-based model as training might leave it."""
    torch.manual_seed(seed)
    model = BinaryNetwork(widths, 99, Form(norm="shift"))
    with torch.no_grad():
        for layer in model.hidden_layers():
            n, outputs = layer.linear.in_features, layer.norm.num_features
            assert layer.norm.running_mean is not None and layer.norm.running_var is not None
            layer.linear.weight.uniform_(-1, 1)
            layer.norm.weight.copy_(torch.randn(outputs))
            layer.norm.bias.copy_(torch.randn(outputs) / 2)
            layer.norm.running_mean.copy_(torch.randn(outputs) * n**0.5 / 2)
            layer.norm.running_var.copy_((torch.rand(outputs) + 0.1) * n)
        model.output.bias.copy_(torch.randn(widths[-1]) * 5)
    return model.eval()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("widths", [(784, 64, 10), (37, 24, 15, 6), (12, 7), (9, 1, 4)])
def test_the_exported_network_answers_as_the_model(seed: int, widths: tuple[int, ...]) -> None:
    model = random_shift_model(seed, widths)
    bits = np.random.default_rng(seed).integers(0, 2, (500, widths[0]), dtype=np.uint8)
    assert_same(model, export(model), bits)


@pytest.mark.slow
def test_parity_at_full_size_on_ten_thousand_random_images() -> None:
    model = random_shift_model(9, (784, 1024, 1024, 1024, 10))
    bits = np.random.default_rng(9).integers(0, 2, (10_000, 784), dtype=np.uint8)
    network = export(model)
    assert_same(model, network, bits)
    ones = [layer.weights.shape[1] + 1 - layer.thresholds for layer in network.hidden]
    assert all(((count > 0) & (count < 785)).mean() > 0.9 for count in ones)  # they do switch
    network.hidden[1].thresholds[:] += 1
    with pytest.raises(AssertionError):
        assert_same(model, network, bits[:200])


@pytest.mark.parametrize("gamma", [1.0, -1.0, 0.0])
def test_thresholds_are_those_of_the_affine_map(gamma: float) -> None:
    # mean 1, variance 16: 1/sqrt = 1/4; y = (2P - n - 1)/4 gamma + 1/2 >= 0.
    layer = HiddenLayer(BinaryLinear(11, 1), Form(norm="shift")).eval()
    with torch.no_grad():
        assert layer.norm.running_mean is not None and layer.norm.running_var is not None
        layer.norm.running_mean.fill_(1.0)
        layer.norm.running_var.fill_(16.0)
        layer.norm.weight.fill_(gamma)
        layer.norm.bias.fill_(0.5)
    expected = [gamma * (2 * p - 11 - 1) / 4 + 0.5 >= 0 for p in range(12)]
    assert response_table(layer)[:, 0].tolist() == expected


def test_there_is_no_alpha() -> None:
    """Latent weights of any size give the same activations: nothing multiplies the product."""
    model = random_shift_model(1, (37, 24, 6))
    x = torch.ones(3, 37)
    before = model.trace(x)[0][0]
    with torch.no_grad():
        model.hidden_layers()[0].linear.weight.mul_(0.01)
    assert torch.equal(model.trace(x)[0][0], before)
    assert not any(name.startswith("alpha") for name in to_compact(model))


def test_saved_and_restored_model_is_the_same_function(tmp_path: Path) -> None:
    model = random_shift_model(2, (37, 24, 15, 6))
    path = tmp_path / "t.npz"
    save_trained(path, model, {"note": 1})
    restored, info = load_trained(path)
    assert info == {"note": 1} and restored.form == Form(norm="shift")
    assert export(restored) == export(model)
    save_trained(tmp_path / "again.npz", restored, info)
    assert path.read_bytes() == (tmp_path / "again.npz").read_bytes()
    # The kind is in the manifest, and only there where it is not the ordinary one.
    kind, version, noun = "xnor-fcc-trained", 1, "file"
    arrays, manifest = container.read(path, kind, version, noun)
    assert manifest["norm"] == "shift"
    save_trained(path, BinaryNetwork((5, 4, 3)).eval(), {})
    assert "norm" not in container.read(path, kind, version, noun)[1]
    # Read as the ordinary kind it is refused, and so is a kind that nobody knows.
    for norm, match in (("batch", "lacks the array alpha0"), ("layer", "norm is batch or shift")):
        kept = {key: manifest[key] for key in ("widths", "eps", "pixel_threshold", "info")}
        container.write(path, kind, version, arrays, {**kept, "norm": norm})
        with pytest.raises(UserError, match=match):
            load_trained(path)


# The recipes.


def test_the_original_recipe_is_what_was_reported() -> None:
    recipe = OriginalRecipe()
    assert (recipe.batch, recipe.halving, recipe.lr) == (200, 50, 2.0**-10)
    assert recipe.widths == (784, 1024, 1024, 1024, 10)
    assert recipe.teacher_epochs == 0 and not recipe.distortion_at(0).moves
    torch.manual_seed(0)
    model = recipe.model()
    optimizer = recipe.optimizer(model)
    assert isinstance(optimizer, ShiftAdaMax)
    assert all(isinstance(layer.norm, ShiftBatchNorm) for layer in model.hidden_layers())
    groups = optimizer.param_groups
    shapes = [(784, 1024), (1024, 1024), (1024, 1024), (1024, 10)]
    scales = [*(math.sqrt((n + m) / 1.5) for n, m in shapes), 1.0]
    assert [group["scale"] for group in groups] == pytest.approx(scales)
    assert all(group["betas"] == (0.875, 1 - 2.0**-10) for group in groups)
    handled = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(handled) == sorted(map(id, model.parameters()))
    for layer in model.latent_layers():
        assert layer.weight.abs().max() <= 1
        assert layer.weight.std().item() == pytest.approx(3**-0.5, rel=0.1)
    assert glorot_coefficient(3, 3) == 2.0


def test_the_logits_are_shifted_scores() -> None:
    model = random_shift_model(0, (16, 12, 4))
    logits = model.logits(float32s([[8.0, -24.0]]))  # 1/sqrt(12) = 0.289 rounds to 1/4
    assert logits.tolist() == [[2.0, -6.0]]
    logits.sum().backward()
    assert model.log_temperature.grad is not None
    assert model.log_temperature.grad.item() == pytest.approx(-16 * 12**-0.5)


def test_squared_hinge_by_hand() -> None:
    logits = float32s([[2.0, -0.5, 0.0], [-1.0, -1.0, 0.5]])
    # Label 0: 0, (1 - 0.5)^2, 1; label 2: 0, 0, (1 - 0.5)^2.
    loss = squared_hinge(logits, torch.tensor([0, 2]))
    assert loss.item() == pytest.approx((0.25 + 1 + 0.25) / 6)


def test_the_best_recipe_is_what_it_was() -> None:
    """The committed network came of it."""
    assert train._recipe(train._arguments([])) == Recipe()
    assert "name" not in asdict(Recipe())
    fields = asdict(Recipe()).keys()
    _, info = load_trained(Path(train.__file__).parents[2] / "networks" / "mnist_trained.npz")
    assert info["recipe"].keys() <= fields


def test_a_digit_that_is_not_distorted_is_left_alone() -> None:
    data = split(fake_mnist(), TINY_ORIGINAL)
    random = torch.Generator().manual_seed(0)
    parts = list(batches(data, TINY_ORIGINAL, Distortion().scaled(0), random))
    seen = {row.tobytes() for x, _ in parts for row in x.numpy()}
    assert seen == {row.tobytes() for row in to_inputs(data.images, 128).numpy()}


def loss_of(student: Student) -> float:
    data = student.data
    scores = scores_of(student.model, to_inputs(data.images, 128))
    with torch.no_grad():
        return student.recipe.hard_loss(student.model.logits(scores), data.labels).item()


@pytest.mark.parametrize("recipe", [TINY_ORIGINAL, TINY_FLOAT], ids=["original", "float"])
def test_one_epoch_reduces_the_loss(recipe: Recipe, tmp_path: Path) -> None:
    data = split(fake_mnist(), replace(recipe, widths=(784, 64, 64, 10)))
    recipe = replace(recipe, widths=(784, 64, 64, 10), epochs=1)
    before = loss_of(Student(Examples(data, recipe, None)))
    student = train_alone(data, recipe, tmp_path)
    assert loss_of(student) < 0.7 * before


@pytest.fixture(scope="module", params=[TINY_ORIGINAL, TINY_FLOAT], ids=["original", "float"])
def whole_run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Recipe, Path]:
    """The recipe, and the directory of an uninterrupted tiny run of it."""
    out = tmp_path_factory.mktemp("whole")
    torch.set_num_threads(1)
    run(request.param, fake_mnist(), out, shown=False)
    return request.param, out


@pytest.mark.one_quick
def test_a_run_learns_and_writes_its_results(whole_run: tuple[Recipe, Path]) -> None:
    recipe, out = whole_run
    report = json.loads((out / REPORT_NAME).read_text())
    assert report["finished"] and report["test_accuracy"] > 0.5
    assert report["recipe"]["name"] in ("original", "float")
    assert (out / TRAINED).exists() == recipe.exports
    assert (out / INTEGER).exists() == recipe.exports
    if not recipe.exports:
        return
    model, info = load_trained(out / TRAINED)
    assert model.form.norm == "shift" and info["test_accuracy"] == report["test_accuracy"]
    network = IntegerNetwork.load(out / INTEGER)
    images = fake_mnist().test_images.reshape(100, 784)
    bits = (images >= network.pixel_threshold).astype(np.uint8)
    assert_same(model, network, bits)


def test_a_finished_run_is_not_evaluated_again(
    whole_run: tuple[Recipe, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, out = whole_run
    for module in ("run", "student"):
        monkeypatch.setattr(f"xnor_fcc.training.{module}.scores_of", None)
    assert run(recipe, fake_mnist(), out, shown=False)["finished"]


CHILD = """
import sys, torch
from pathlib import Path
sys.path[:0] = {paths!r}
from package import made
from xnor_fcc.training.run import run
torch.set_num_threads(1)
recipe = getattr(made, {recipe!r})
run(recipe, made.fake_mnist(), Path({out!r}), shown=False)
"""


@pytest.mark.slow
def test_killed_and_started_again_gives_the_same_result(
    whole_run: tuple[Recipe, Path], tmp_path: Path
) -> None:
    recipe, out = whole_run
    name = "TINY_ORIGINAL" if recipe is TINY_ORIGINAL else "TINY_FLOAT"
    model = Path(train.__file__).resolve().parents[2]
    paths = [str(Path(__file__).parents[1]), str(model)]
    code = CHILD.format(paths=paths, recipe=name, out=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 120
    while not (tmp_path / "checkpoints" / "student-00002.ckpt").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / REPORT_NAME).exists()
    run(recipe, fake_mnist(), tmp_path, shown=False)
    assert reported(tmp_path) == reported(out)
    if recipe.exports:
        assert results(tmp_path) == results(out)
    ends = [checkpoint.load_newest(where / "checkpoints", "student") for where in (out, tmp_path)]
    assert ends[0] is not None and ends[1] is not None
    assert_equal(ends[0][1], ends[1][1])


def test_a_resumed_run_needs_its_optimiser_state(
    whole_run: tuple[Recipe, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison above can fail: without the optimiser's moments the result differs."""
    recipe, out = whole_run
    (tmp_path / "checkpoints").mkdir()
    path = out / "checkpoints" / "student-00003.ckpt"
    (tmp_path / "checkpoints" / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(torch.optim.Optimizer, "load_state_dict", lambda self, state: None)
    data = split(fake_mnist(), recipe)
    train_alone(data, recipe, tmp_path / "checkpoints")
    ends = [checkpoint.load_newest(where / "checkpoints", "student") for where in (out, tmp_path)]
    assert ends[0] is not None and ends[1] is not None
    with pytest.raises(AssertionError):
        assert_equal(ends[0][1]["model"], ends[1][1]["model"])


@pytest.mark.parametrize("name", ["original", "float"])
def test_the_command_trains_by_recipe(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "load_images", lambda name, directory: fake_mnist())
    monkeypatch.setattr(
        "xnor_fcc.training.run.split",
        lambda mnist, recipe: split(mnist, replace(recipe, validation=60)),
    )
    arguments = ["--recipe", name, "--output", str(tmp_path), "--epochs", "1", "--threads", "1"]
    arguments += ["--teacher-epochs", "0", "--hidden", "16", "--batch", "20"]
    assert train.main(arguments) == 0
    report = json.loads((tmp_path / REPORT_NAME).read_text())
    assert report["recipe"]["name"] == name and report["recipe"]["widths"] == [784, 16, 10]
    assert report["recipe"]["distortion"]["degrees"] == (0.0 if name == "original" else 10.0)


def test_recipes_have_directories_of_their_own() -> None:
    outs = [train.parser(name).parse_args([]).output.name for name in ("best", "original", "float")]
    assert outs == ["train", "train-original", "train-float"]


def test_the_float_network_has_the_same_layers() -> None:
    model = FloatRecipe().model()
    assert isinstance(model, PlainNetwork) and model.latent_layers() == []
    linear = [layer for layer in model.layers if isinstance(layer, torch.nn.Linear)]
    binary = BinaryNetwork().latent_layers()
    assert [layer.weight.shape for layer in linear] == [layer.weight.shape for layer in binary]
    x = torch.randn(7, 784)
    assert model(x).shape == (7, 10) and torch.equal(model.logits(x), x)
