# SPDX-License-Identifier: Apache-2.0
"""What the tests of training lend one another: random models, a tiny data set, tiny runs, and how
they are compared. Of no use without the extra `train`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from xnor_fcc.data import Images
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.reference import Evaluation, evaluate
from xnor_fcc.training.examples import Examples, Split
from xnor_fcc.training.export import levels
from xnor_fcc.training.form import Form
from xnor_fcc.training.network import BinaryNetwork, signs
from xnor_fcc.training.recipes import FloatRecipe, OriginalRecipe, Recipe
from xnor_fcc.training.run import REPORT_NAME, network_files
from xnor_fcc.training.student import Student, train_student

# ---- models

WIDTHS = (37, 24, 15, 6)

FORMS = (
    Form(),
    Form("shift"),
    Form(order=2),
    Form("shift", order=2),
    Form(weights="ternary"),
    Form("shift", weights="ternary"),
    Form(order=2, weights="ternary"),
    Form(first_layer="shifts"),
    Form("shift", first_layer="shifts"),
)


def random_signs(rng: np.random.Generator, *shape: int) -> torch.Tensor:
    return signs(rng.integers(0, 2, shape, dtype=np.uint8))


def random_model(
    seed: int, widths: tuple[int, ...] = WIDTHS, form: Form | None = None
) -> BinaryNetwork:
    """A model as training might leave it: every parameter away from its initial value."""
    torch.manual_seed(seed)
    model = BinaryNetwork(widths, 99, form)
    random_parameters(model)
    return model


def random_parameters(model: BinaryNetwork) -> None:
    """Give every parameter a random value, by torch's own random numbers; then eval mode."""
    with torch.no_grad():
        for layer in model.hidden_layers():
            layer.linear.weight.uniform_(-1, 1)
            outputs = layer.norm.num_features
            assert layer.norm.running_mean is not None and layer.norm.running_var is not None
            layer.norm.weight.copy_(torch.randn(outputs))
            layer.norm.bias.copy_(torch.randn(outputs) / 2)
            layer.norm.running_mean.copy_(torch.randn(outputs))
            layer.norm.running_var.copy_(torch.rand(outputs) * 4 + 0.1)
        model.output.bias.copy_(torch.randn(model.widths[-1]) * 5)
    model.eval()


def form_name(form: Form) -> str:
    """The id of a test's parameter."""
    return "-".join(map(str, form.manifest().values())) or "plain"


def random_grey(seed: int, images: int, pixels: int) -> torch.Tensor:
    """Random pixels, the thresholds' neighbours among them."""
    rng = np.random.default_rng(seed)
    grey = rng.integers(0, 256, (images, pixels)).astype(np.uint8)
    edges = rng.choice([0, 49, 50, 98, 99, 177, 178, 255], (images, pixels)).astype(np.uint8)
    return torch.from_numpy(np.where(rng.random((images, pixels)) < 0.3, edges, grey))


def assert_same(model: BinaryNetwork, network: IntegerNetwork, bits: np.ndarray) -> None:
    """Model and integer network agree in every hidden bit, every score, every class."""
    compare(model, network, signs(bits), bits)


def compare(
    model: BinaryNetwork, network: IntegerNetwork, x: torch.Tensor, inputs: np.ndarray
) -> Evaluation:
    """`assert_same` of any kind: x is what the model takes, `inputs` what the network takes."""
    with torch.no_grad():
        activations, scores = model.trace(x)
    result = evaluate(network, inputs)
    assert len(activations) == len(result.hidden)
    for theirs, mine in zip(activations, result.hidden, strict=True):
        assert np.array_equal(levels(theirs, model.form.order), mine)
    assert np.array_equal(scores.numpy(), result.scores)
    assert np.array_equal(scores.numpy().argmax(axis=1), result.classes)
    return result


# ---- training

TINY = Recipe(
    widths=(784, 24, 16, 10),
    validation=60,
    batch=20,
    epochs=4,
    teacher_epochs=2,
    norm_images=60,
)

TRAINED, INTEGER = network_files(TINY)

TINY_ORIGINAL = OriginalRecipe(
    widths=(784, 24, 16, 10), validation=60, batch=20, epochs=4, halving=2
)
TINY_FLOAT = FloatRecipe(
    widths=(784, 24, 16, 10), validation=60, batch=20, epochs=4, teacher_epochs=1, norm_images=60
)


def fake_mnist(seed: int = 0) -> Images:
    """Ten clearly different pictures, shifted and made noisy: 300 to train on, 100 to test."""
    rng = np.random.default_rng(seed)
    pictures = np.kron(np.random.default_rng(99).integers(0, 2, (10, 7, 7)), np.ones((4, 4)))

    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = rng.integers(0, 10, count).astype(np.uint8)
        images = pictures[labels] * 180 + rng.integers(0, 75, (count, 28, 28))
        return images.astype(np.uint8), labels

    return Images(*draw(300), *draw(100))


def reported(out: Path) -> bytes:
    """The report of a run, without the seconds it took."""
    report = json.loads((out / REPORT_NAME).read_bytes())
    assert report.pop("seconds") >= 0
    return json.dumps(report).encode()


def results(out: Path, names: tuple[str, ...] = (TRAINED, INTEGER)) -> dict[str, bytes]:
    """What a run wrote, file by file."""
    return {REPORT_NAME: reported(out)} | {name: (out / name).read_bytes() for name in names}


def train_alone(data: Split, recipe: Recipe, directory: Path) -> Student:
    """A student of `recipe` trained without a teacher."""
    student = Student(Examples(data, recipe, None))
    train_student(student, directory, shown=False)
    return student


def assert_equal(mine: object, theirs: object) -> None:
    """Nested dictionaries and lists with tensors in them are equal, but for "seconds"."""
    assert type(mine) is type(theirs)
    if isinstance(mine, torch.Tensor) and isinstance(theirs, torch.Tensor):
        assert torch.equal(mine, theirs)
    elif isinstance(mine, dict) and isinstance(theirs, dict):
        assert mine.keys() == theirs.keys()
        for key in mine.keys() - {"seconds"}:
            assert_equal(mine[key], theirs[key])
    elif isinstance(mine, list) and isinstance(theirs, list):
        assert len(mine) == len(theirs)
        for a, b in zip(mine, theirs, strict=True):
            assert_equal(a, b)
    else:
        assert mine == theirs
