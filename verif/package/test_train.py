# SPDX-License-Identifier: Apache-2.0
"""Training: it learns, it can be killed at any moment, and it goes on as if nothing happened."""

from __future__ import annotations

import hashlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from package.made import (
    INTEGER,
    TINY,
    TRAINED,
    assert_equal,
    fake_mnist,
    results,
    train_alone,
)
from xnor_fcc.data import DATASETS
from xnor_fcc.errors import UserError, run_main
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.places import NETWORKS
from xnor_fcc.reference import evaluate
from xnor_fcc.training import checkpoint, train
from xnor_fcc.training.augment import Distortion, distort
from xnor_fcc.training.examples import Examples, split
from xnor_fcc.training.options import options_of
from xnor_fcc.training.recipes import (
    RECIPES,
    ConvolutionalRecipe,
    Recipe,
    cosine,
    datasets_for,
    recipe_for,
)
from xnor_fcc.training.run import REPORT_NAME, run
from xnor_fcc.training.student import Student, student_loss
from xnor_fcc.training.trained import load_trained

# A committed network to prune.
BEST = NETWORKS / "mnist_trained.npz"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Equal results whatever the machine: one thread adds in one order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of an uninterrupted tiny run."""
    out = tmp_path_factory.mktemp("whole")
    torch.set_num_threads(1)
    run(TINY, fake_mnist(), out, shown=False)
    return out


def test_a_run_learns_and_writes_its_results(whole_run: Path) -> None:
    report = json.loads((whole_run / REPORT_NAME).read_text())
    assert report["finished"] and report["test_images"] == 100
    assert report["validation_accuracy"] > 0.5 and report["test_accuracy"] > 0.5
    assert report["recipe"]["widths"] == list(TINY.widths)
    assert 1 <= report["chosen_epoch"] <= TINY.epochs
    assert report["validation_curve"][-1]["epoch"] == TINY.epochs
    _, info = load_trained(whole_run / TRAINED)
    assert info["test_accuracy"] == report["test_accuracy"]
    network = IntegerNetwork.load(whole_run / INTEGER)
    mnist = fake_mnist()
    bits = (mnist.test_images.reshape(100, 784) >= network.pixel_threshold).astype(np.uint8)
    right = (evaluate(network, bits).classes == mnist.test_labels).mean()
    assert right == pytest.approx(report["test_accuracy"])


@pytest.mark.slow
def test_the_test_set_decides_nothing(whole_run: Path, tmp_path: Path) -> None:
    mnist = fake_mnist()
    scrambled = replace(mnist, test_labels=(mnist.test_labels + 1) % 10)
    report = run(TINY, scrambled, tmp_path, shown=False)
    expected = json.loads((whole_run / REPORT_NAME).read_text())
    assert report["chosen_epoch"] == expected["chosen_epoch"]
    mine = IntegerNetwork.load(tmp_path / INTEGER)
    assert mine == IntegerNetwork.load(whole_run / INTEGER)


def test_a_finished_run_is_not_evaluated_again(
    whole_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*arguments: object) -> None:
        raise AssertionError("nothing may be computed again")

    for module in ("run", "student"):
        monkeypatch.setattr(f"xnor_fcc.training.{module}.scores_of", forbidden)
    before = results(whole_run)
    assert run(TINY, fake_mnist(), whole_run, shown=False)["finished"]
    assert results(whole_run) == before


CHILD = """
import sys, torch
from pathlib import Path
sys.path.insert(0, {verif!r})
from package.made import TINY, fake_mnist
from xnor_fcc.training.run import run
torch.set_num_threads(1)
print("ready", flush=True)
run(TINY, fake_mnist(), Path({out!r}), shown=False)
"""


def child(out: Path) -> subprocess.Popen[str]:
    """The tiny run in a process of its own, past its imports."""
    code = CHILD.format(verif=str(Path(__file__).parents[1]), out=str(out))
    model = Path(train.__file__).resolve().parents[2]
    paths = [str(model), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


@pytest.mark.slow
def test_killed_and_started_again_gives_the_same_result(whole_run: Path, tmp_path: Path) -> None:
    checkpoints = tmp_path / "checkpoints"
    for stem in ("teacher-00001", "student-00002"):
        process = child(tmp_path)
        deadline = time.monotonic() + 60
        while not (checkpoints / f"{stem}.ckpt").exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not (tmp_path / REPORT_NAME).exists()
    run(TINY, fake_mnist(), tmp_path, shown=False)
    assert results(tmp_path) == results(whole_run)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_a_damaged_newest_checkpoint_falls_back(
    whole_run: Path, tmp_path: Path, damage: str
) -> None:
    run(TINY, fake_mnist(), tmp_path, shown=False)
    for name in results(tmp_path):
        (tmp_path / name).unlink()
    newest = tmp_path / "checkpoints" / f"student-{TINY.epochs:05d}.ckpt"
    contents = bytearray(newest.read_bytes())
    if damage == "flipped":
        contents[len(contents) // 2] ^= 1
    newest.write_bytes(contents[: {"truncated": 1000, "empty": 0}.get(damage, len(contents))])
    found = checkpoint.load_newest(tmp_path / "checkpoints", "student")
    assert found is not None and found[0] == TINY.epochs - 1
    run(TINY, fake_mnist(), tmp_path, shown=False)
    assert results(tmp_path) == results(whole_run)


def test_a_restored_student_is_the_one_that_was_saved(tmp_path: Path) -> None:
    data = split(fake_mnist(), TINY)
    student = train_alone(data, TINY, tmp_path)
    student.best_key = (2.0, 0.0)  # better than anything to come, so the best must stay as it is
    checkpoint.save(tmp_path, "student", 9, student.state())
    found = checkpoint.load_newest(tmp_path, "student")
    assert found is not None
    other = Student(Examples(data, TINY, None))
    other.restore(found[1])
    assert_equal(other.state(), student.state())
    other.evaluate(TINY.epochs, 0.0)
    assert_equal(other.best, student.best)


def test_checkpoints_keep_the_newest_two(tmp_path: Path) -> None:
    assert checkpoint.load_newest(tmp_path, "a") is None
    for number in range(1, 12):
        checkpoint.save(tmp_path, "a", number, {"n": torch.tensor(number)})
    checkpoint.save(tmp_path, "ab", 3, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a-00010.ckpt",
        "a-00011.ckpt",
        "ab-00003.ckpt",
    ]
    found = checkpoint.load_newest(tmp_path, "a")
    assert found is not None and found[0] == 11 and found[1]["n"] == 11
    (tmp_path / ".a-00012.ckpt.1.part").write_bytes(b"interrupted")
    checkpoint.clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_other_settings_do_not_mix_with_old_checkpoints(whole_run: Path) -> None:
    with pytest.raises(UserError, match="--restart"):
        run(replace(TINY, lr=0.5), fake_mnist(), whole_run, shown=False)


def test_the_split_depends_on_the_seed_alone() -> None:
    mnist = fake_mnist()
    one, same = split(mnist, TINY), split(mnist, replace(TINY, lr=1.0))
    other = split(mnist, replace(TINY, seed=2))
    assert len(one.images) == 240 and len(one.validation_images) == 60
    assert torch.equal(one.images, same.images)
    assert not torch.equal(one.images, other.images)
    both = torch.cat([one.images, one.validation_images]).flatten(1).numpy()
    rows = {row.tobytes() for row in both}
    assert rows == {row.tobytes() for row in mnist.train_images.reshape(300, 784)}


def test_impossible_splits_are_refused() -> None:
    with pytest.raises(UserError, match="validation split"):
        split(fake_mnist(), replace(TINY, validation=300))
    with pytest.raises(UserError, match="batch"):
        split(fake_mnist(), replace(TINY, batch=1000))


def test_cosine_rises_then_falls_to_zero() -> None:
    rates = [cosine(step, 100, 10) for step in range(101)]
    assert rates[0] == 0.1 and max(rates) == rates[10] == 1.0
    assert rates[100] == pytest.approx(0)
    assert all(a > b for a, b in pairwise(rates[10:]))


def test_a_run_that_ends_sooner_cools_down_from_the_rates_of_the_longer_one() -> None:
    """So that it may be decided upon while the longer one runs: its epochs so far are the same."""
    long, short = Recipe(epochs=20), Recipe(epochs=12, horizon=20, cooldown=4)
    before, after = ([r.rate(step, 10) for step in range(120)] for r in (long, short))
    assert after[:81] == before[:81]
    assert [a / b for a, b in zip(after[80:], before[80:], strict=True)] == pytest.approx(
        [1 - step / 40 for step in range(40)]
    )
    whole = Recipe(epochs=20, horizon=20, cooldown=20)
    assert whole.rate(0, 10) == long.rate(0, 10)
    with pytest.raises(UserError, match="--epochs"):
        Recipe(epochs=12, horizon=11)
    with pytest.raises(UserError, match="--epochs"):
        Recipe(epochs=12, cooldown=13)


def test_the_loss_is_the_labels_without_a_teacher_and_zero_divergence_with_an_equal_one() -> None:
    logits = torch.randn(6, 10)
    labels = torch.arange(6)
    hard = torch.nn.functional.cross_entropy(logits, labels)
    assert torch.equal(student_loss(logits, labels, None, TINY), hard)
    mixed = student_loss(logits, labels, logits.clone(), TINY)
    assert mixed.item() == pytest.approx((1 - TINY.distillation) * hard.item(), rel=1e-5)


def test_distortion_of_nothing_is_nothing() -> None:
    images = torch.from_numpy(fake_mnist().train_images[:8].copy())
    still = Distortion().scaled(0)
    result = distort(images, still, torch.Generator().manual_seed(0))
    assert torch.allclose(result, images.float(), atol=0.05)
    moved = distort(images, Distortion(), torch.Generator().manual_seed(0))
    assert moved.shape == images.shape and (moved - images.float()).abs().mean() > 5


def test_images_are_shifted_by_whole_pixels_and_mirrored() -> None:
    """All the colours of an image alike; what comes in from beyond its edge is zero."""
    images = torch.arange(1, 4 * 6 * 6 * 3 + 1).reshape(4, 6, 6, 3).remainder(251).to(torch.uint8)
    images = images.repeat(150, 1, 1, 1)
    amount = Distortion(0.0, 0.0, 0.0, 2.0, 0.0, mirrored=True)
    result = distort(images, amount, torch.Generator().manual_seed(0))
    seen = set()
    for before, after in zip(images.float(), result, strict=True):
        padded = torch.nn.functional.pad(before, (0, 0, 2, 2, 2, 2))
        ways = {
            (y, x, turned): padded[y : y + 6, x : x + 6].flip(1 if turned else ())
            for y in range(5) for x in range(5) for turned in (False, True)
        }  # fmt: skip
        seen |= {way for way, expected in ways.items() if torch.equal(after, expected)}
    assert len(seen) == 50
    assert not amount.scaled(0).moves and amount.scaled(0.5).mirrored


def test_colours_are_warped_alike() -> None:
    grey = torch.from_numpy(fake_mnist().train_images[:8].copy())
    one = distort(grey, Distortion(), torch.Generator().manual_seed(0))
    three = distort(grey[..., None].expand(8, 28, 28, 3), Distortion(),
                    torch.Generator().manual_seed(0))  # fmt: skip
    assert torch.equal(three, one[..., None].expand(8, 28, 28, 3))


def test_distortion_shrinks_at_the_end() -> None:
    recipe = Recipe(epochs=20)
    degrees = [recipe.distortion_at(epoch).degrees for epoch in range(20)]
    assert degrees[:15] == [10.0] * 15
    assert degrees[-1] == 5.0 and all(a > b for a, b in pairwise(degrees[14:]))
    assert replace(recipe, settling=0.0).distortion_at(19) == recipe.distortion


@pytest.mark.parametrize(
    "arguments",
    [
        ["--epochs", "0"],
        ["--batch", "1"],
        ["--threshold", "256"],
        ["--distillation", "1.5"],
        ["--average", "1"],
        ["--settling", "2"],
        ["--hidden", "16,0"],
        ["--hidden", "16,x"],
        ["--epochs", "many"],
        ["--unheard-of"],
        ["--data-dir", "nowhere"],
        ["--recipe", "none"],
        ["--dataset", "cifar"],
        ["--dataset", "digits", "--data-dir", "nowhere"],
        ["--dataset", "cifar10"],
        ["--recipe", "conv", "--weights", "ternary"],
        ["--recipe", "conv", "--first-layer", "shifts"],
        ["--recipe", "conv", "--data-seed", "3"],
        ["--recipe", "conv", "--maps", "64q"],
        ["--recipe", "conv", "--maps", "64,64p,64p,64p"],
        ["--recipe", "conv", "--levels", "0"],
        ["--recipe", "conv", "--border", "-1"],
        ["--recipe", "original", "--halving", "0"],
        ["--recipe", "original", "--average", "0.9"],
        ["--recipe", "original", "--cooldown", "5"],
        ["--epochs", "20", "--horizon", "19"],
        ["--epochs", "20", "--cooldown", "21"],
        ["--halving", "10"],
        ["--distortion", "-1"],
        ["--order", "3"],
        ["--weights", "octal"],
        ["--first-layer", "shifts", "--order", "2"],
        ["--first-layer", "shifts", "--hidden", ""],
        ["--recipe", "float", "--order", "2"],
        ["--distinct", "3"],
        ["--shared", "there"],
        ["--data-seed", "1", "--distinct", "-1"],
        ["--prune-from", "nowhere.npz"],
        ["--prune-from", str(BEST), "--hidden", "1024,1024"],
        ["--prune-from", str(BEST), "--hidden", "1024,1025,10"],
        ["--prune-from", str(BEST), "--hidden", "9,9,9", "--weights", "ternary"],
        ["--prune-from", str(BEST), "--hidden", "9,9,9", "--recipe", "original"],
    ],
)
def test_the_command_refuses_in_one_sentence(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if "--prune-from" in arguments:
        monkeypatch.setattr(train, "load_images", lambda name, directory: fake_mnist())
    out = tmp_path / "out"
    code = run_main(lambda: train.main([*arguments, "--output", str(out)]))
    error = capsys.readouterr().err
    assert code == 2 and error.startswith("error: ") and error.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_recipe_holds_its_options_to_their_ranges(name: str) -> None:
    recipe = RECIPES[name]()
    if isinstance(recipe, ConvolutionalRecipe):
        recipe = replace(recipe, maps="8")  # which fit with any border
    options = options_of(type(recipe))
    assert {"epochs", "batch", "average"} <= options.keys() and "validation" not in options
    assert ("halving" in options) == (name == "original")
    for field, option in options.items():
        for edge, outside in ((option.low, -1), (option.high, 1)):
            if math.isinf(edge):
                continue
            beyond: dict[str, Any] = {field: edge + outside / 8}
            at: dict[str, Any] = {field: edge}
            flag = option.flag or "--" + field.replace("_", "-")
            with pytest.raises(UserError, match=f"^{flag} must be "):
                replace(recipe, **beyond)
            if option.below and outside == 1:
                with pytest.raises(UserError, match=f"below {edge}"):
                    replace(recipe, **at)
            else:
                replace(recipe, **at)


def test_the_command_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train, "load_images", lambda name, directory: fake_mnist())
    monkeypatch.setattr("xnor_fcc.training.run.split", lambda mnist, recipe: split(mnist, TINY))
    arguments = ["--output", str(tmp_path), "--epochs", "1", "--teacher-epochs", "0"]
    arguments += ["--hidden", "", "--batch", "20", "--threads", "1"]
    assert train.main(arguments) == 0
    assert "test " in capsys.readouterr().out
    assert IntegerNetwork.load(tmp_path / INTEGER).widths == (784, 10)
    first = results(tmp_path)
    assert train.main([*arguments, "--restart"]) == 0
    assert results(tmp_path) == first


def test_the_command_trains_on_another_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of smaller images, with a teacher; --json prints the report and nothing else."""
    whole = fake_mnist()
    corners = replace(
        whole, train_images=whole.train_images[:, :8, :8], test_images=whole.test_images[:, :8, :8]
    )
    monkeypatch.setattr(train, "load_images", lambda name, directory: {"digits": corners}[name])
    monkeypatch.setattr("xnor_fcc.training.run.split", lambda images, recipe: split(images, TINY))
    arguments = ["--dataset", "digits", "--output", str(tmp_path), "--epochs", "1", "--json"]
    arguments += ["--teacher-epochs", "1", "--hidden", "16", "--batch", "20", "--threads", "1"]
    assert train.main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads((tmp_path / REPORT_NAME).read_text())
    assert report["dataset"] == report["recipe"]["dataset"] == "digits"
    network = IntegerNetwork.load(tmp_path / "digits.npz")
    assert (network.name, network.dataset, network.widths) == ("digits", "digits", (64, 16, 10))
    model, info = load_trained(tmp_path / "digits_trained.npz")
    assert model.widths == network.widths and info["dataset"] == "digits"


def test_the_old_name_of_a_recipe_still_works() -> None:
    options = train._arguments(["--recipe", "seed"])
    assert options.recipe == "original" and options.halving == 50
    assert options.output.name == "train-original"


@pytest.mark.parametrize(
    ("name", "dataset"), [(name, each) for name in RECIPES for each in datasets_for(name)]
)
def test_recipes_suit_the_data_set(name: str, dataset: str) -> None:
    plain, recipe = RECIPES[name](), recipe_for(name, dataset)
    known = DATASETS[dataset]
    assert recipe.dataset == dataset
    assert (recipe.widths[0], recipe.widths[-1]) == (known.pixels, len(known.classes))
    # Distortion and teacher are for those recipes that have them; two do without the teacher.
    assert recipe.distortion.moves == plain.distortion.moves
    alone = {("conv", "fashion"), ("conv", "cifar10")}
    taught = bool(plain.teacher_epochs) and (name, dataset) not in alone
    assert bool(recipe.teacher_epochs) == taught
    # It is what the command trains without further options, in a directory of its own.
    options = train.parser(name, dataset).parse_args(["--recipe", name, "--dataset", dataset])
    assert train._recipe(options) == recipe
    assert (options.output.name == "train") == ((name, dataset) == ("best", "mnist"))
    assert (dataset == "mnist") == (dataset not in options.output.name)


def test_every_data_set_has_a_recipe() -> None:
    assert set(DATASETS) == {each for name in RECIPES for each in datasets_for(name)}


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["digits", "cifar10"])
def test_the_command_trains_convolutions(
    dataset: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Grey and in colours, with a teacher; what is reported is what the integer network answers."""
    known = DATASETS[dataset]
    whole = fake_mnist()
    side, shape = known.side, (known.side, known.side, *[known.colours] * (known.colours > 1))

    def of(images: np.ndarray) -> np.ndarray:
        if known.colours > 1:
            colours = [np.roll(images, k, axis=1) for k in range(known.colours)]
            images = np.pad(np.stack(colours, axis=-1), ((0, 0), (2, 2), (2, 2), (0, 0)))
        return images[:, :side, :side].reshape(-1, *shape)

    images = replace(
        whole, train_images=of(whole.train_images), test_images=of(whole.test_images)
    )
    monkeypatch.setattr(train, "load_images", lambda name, directory: {dataset: images}[name])
    monkeypatch.setattr("xnor_fcc.training.run.split", lambda images, recipe: split(images, TINY))
    arguments = ["--recipe", "conv", "--dataset", dataset, "--output", str(tmp_path), "--json"]
    arguments += ["--epochs", "2", "--teacher-epochs", "1", "--batch", "20", "--threads", "1"]
    arguments += ["--maps", "5p,8,4x1", "--hidden", "9", "--levels", "2", "--order", "2"]
    assert train.main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    names = ("digits_conv_trained.npz", "digits_conv.npz")
    if dataset == "cifar10":
        names = ("cifar10_trained.npz", "cifar10.npz")
    network = IntegerNetwork.load(tmp_path / names[1])
    assert network.kinds == {"convolutions", "order-2"} and network.dataset == dataset
    assert network.widths == (known.pixels, 5, 8, 4, 9, 10)
    answers = evaluate(network, network.inputs_from(images.test_images)).classes
    assert report["test_accuracy"] == pytest.approx((answers == images.test_labels).mean())
    first = results(tmp_path, names)
    assert train.main([*arguments, "--restart"]) == 0
    assert results(tmp_path, names) == first


@pytest.mark.slow
def test_the_command_trains_with_free_scales(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "load_images", lambda name, directory: fake_mnist())
    monkeypatch.setattr("xnor_fcc.training.run.split", lambda mnist, recipe: split(mnist, TINY))
    arguments = ["--recipe", "ttq", "--output", str(tmp_path), "--epochs", "6", "--threads", "1"]
    arguments += ["--teacher-epochs", "0", "--hidden", "40,20", "--batch", "20"]
    assert train.main([*arguments, "--distortion", "0"]) == 0
    report = json.loads((tmp_path / REPORT_NAME).read_text())
    assert report["recipe"]["weights"] == "ternary" and report["test_accuracy"] > 0.5
    # No core computes it, so there is no network to load.
    assert not (tmp_path / INTEGER).exists()
    found = checkpoint.load_newest(tmp_path / "checkpoints", "student")
    assert found is not None
    assert all((found[1]["best"][f"hidden.{i}.linear.imbalance"] != 0).any() for i in (0, 1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        (["--order", "2", "--weights", "ternary"], {"order-2", "ternary"}),
        (["--first-layer", "shifts"], {"power-of-two"}),
        (["--prune-from", str(BEST)], set()),
        (["--recipe", "original", "--weights", "ternary"], {"ternary"}),
    ],
)
def test_the_command_trains_networks_of_every_kind(
    options: list[str], kinds: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mnist = fake_mnist()
    monkeypatch.setattr(train, "load_images", lambda name, directory: mnist)
    monkeypatch.setattr("xnor_fcc.training.run.split", lambda mnist, recipe: split(mnist, TINY))
    arguments = ["--output", str(tmp_path), "--epochs", "6", "--teacher-epochs", "0"]
    arguments += ["--hidden", "40,30,20", "--batch", "20", "--threads", "1", "--distortion", "0"]
    assert train.main([*arguments, *options]) == 0
    network = IntegerNetwork.load(tmp_path / INTEGER)
    assert network.kinds == kinds and network.widths == (784, 40, 30, 20, 10)
    report = json.loads((tmp_path / REPORT_NAME).read_text())
    answers = evaluate(network, network.inputs_from(mnist.test_images)).classes
    assert report["test_accuracy"] == pytest.approx((answers == mnist.test_labels).mean())
    recipe = report["recipe"]
    if "--prune-from" in options:
        # Too few steps for weights that know other digits.
        assert recipe["pruned_from"] == BEST.name
        assert recipe["pruned_sha256"] == hashlib.sha256(BEST.read_bytes()).hexdigest()
    else:
        assert recipe["pruned_from"] == recipe["pruned_sha256"] == ""
        assert report["test_accuracy"] > 0.5
