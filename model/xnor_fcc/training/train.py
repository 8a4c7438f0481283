# SPDX-License-Identifier: Apache-2.0
"""Training of the networks, from a data set to the files that the hardware loads.

The recipe `best`: a small float convolutional teacher is trained first, on binarised distorted
images; the binary network then learns from the teacher's soft answers and from the labels, with
Adam on latent weights clipped to +-1 and a learning rate that falls along a cosine.  What is
evaluated after each epoch is the running average of the latent weights, its batch normalisation
re-estimated.  `recipes` holds this recipe and the others.  With all of them the epoch that does
best on a validation split cut from the training set is kept; the test set is looked at once, after
that choice.

Everything random in an epoch follows from (seed, phase, epoch), so a run that was killed and
started again goes on exactly as if it had not been interrupted.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from .. import container
from ..data import DATASETS, DEFAULT, GreyImages, load_images
from ..errors import CommandLine, UserError, run_main
from ..places import BUILD
from . import checkpoint
from .examples import Examples, Split, batches, fingerprint, generator, inputs_of, split
from .export import export
from .network import BinaryNetwork, load_trained, save_trained
from .plain import PlainNetwork
from .prune import prune, require_part
from .recipes import DISTORTIONS, RECIPES, Recipe, SeedRecipe, cosine, recipe_for
from .teacher import Teacher

REPORT_NAME = "report.json"

_EVALUATION_BATCH = 1000
# Training images by which the neurons to prune are chosen.
_PRUNING_IMAGES = 20_000


def student_loss(logits: Tensor, labels: Tensor, soft: Tensor | None, recipe: Recipe) -> Tensor:
    """The recipe's loss on the labels, mixed with the divergence from the teacher's answers."""
    hard = recipe.hard_loss(logits, labels)
    if soft is None:
        return hard
    t = recipe.temperature
    divergence = functional.kl_div(
        functional.log_softmax(logits / t, dim=1),
        functional.log_softmax(soft / t, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return (1 - recipe.distillation) * hard + recipe.distillation * t * t * divergence


@torch.no_grad()
def scores_of(model: torch.nn.Module, x: Tensor) -> Tensor:
    """The model's outputs (N, classes) in eval mode."""
    model.eval()
    return torch.cat([model(part) for part in x.split(_EVALUATION_BATCH)])


def accuracy(scores: Tensor, labels: Tensor) -> float:
    """Share of images whose highest score is the label's; argmax takes the lowest on a tie."""
    return float((scores.argmax(dim=1) == labels).double().mean())


class _Progress:
    """One bar over all steps of a phase, and one line per epoch."""

    def __init__(self, phase: str, total: int, done: int, shown: bool) -> None:
        quiet = None if shown else True  # None: tqdm shows the bar only on a terminal
        self.shown = shown
        self.bar = tqdm(total=total, initial=done, desc=phase, unit="step", disable=quiet)

    def step(self) -> None:
        self.bar.update()

    def epoch(self, text: str) -> None:
        if self.shown:
            self.bar.write(text, file=sys.stderr)

    def close(self) -> None:
        self.bar.close()


def _resume(directory: Path, stem: str, settings: str) -> tuple[int, dict[str, Any] | None]:
    found = checkpoint.load_newest(directory, stem)
    if found is None:
        return 0, None
    number, state = found
    if state["recipe"] != settings:
        raise UserError(
            f"The checkpoints in {directory} belong to a run with other settings; repeat those, "
            "or add --restart to throw that run away, or choose another --output."
        )
    return number, state


def network_files(recipe: Recipe) -> tuple[str, ...]:
    """Names of a run's network files, the trained one and the integer one, if it writes them."""
    return (f"{recipe.dataset}_trained.npz", f"{recipe.dataset}.npz") if recipe.exports else ()


def _fingerprint(recipe: Recipe) -> str:
    return json.dumps(asdict(recipe), sort_keys=True)


def train_teacher(data: Split, recipe: Recipe, directory: Path, shown: bool) -> Teacher | None:
    """The trained teacher in eval mode, from its checkpoint as far as there is one."""
    if recipe.teacher_epochs == 0 or recipe.distillation == 0:
        return None
    generator(recipe.stream, "teacher-start", 0)
    model = Teacher(data.images.shape[1], recipe.widths[-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.teacher_lr)
    settings = fingerprint(recipe)
    first, state = _resume(directory, "teacher", settings)
    if state is not None:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    steps = recipe.steps(len(data.images))
    total = steps * recipe.teacher_epochs
    held = inputs_of(data.validation_images, recipe)
    progress = _Progress("teacher", total, first * steps, shown)
    for epoch in range(first, recipe.teacher_epochs):
        model.train()
        random = generator(recipe.stream, "teacher", epoch)
        for i, (x, labels) in enumerate(batches(data, recipe, recipe.distortion, random)):
            for group in optimizer.param_groups:
                group["lr"] = recipe.teacher_lr * cosine(epoch * steps + i, total, 0)
            optimizer.zero_grad()
            functional.cross_entropy(model(x), labels, label_smoothing=0.02).backward()
            optimizer.step()
            progress.step()
        checkpoint.save(
            directory,
            "teacher",
            epoch + 1,
            {
                "recipe": settings,
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
            },
        )
        right = accuracy(scores_of(model, held), data.validation_labels)
        progress.epoch(f"teacher epoch {epoch + 1}/{recipe.teacher_epochs}: validation {right:.4f}")
    progress.close()
    return model.eval()


class _Student:
    """The network in training: model, optimiser, running average, best epoch so far."""

    def __init__(self, examples: Examples, start: BinaryNetwork | None = None) -> None:
        self.examples = examples
        self.data = data = examples.data
        self.recipe = recipe = examples.recipe
        generator(recipe.seed, "student-start", 0)
        self.model = recipe.model()
        if start is not None:
            images, labels = data.images[:_PRUNING_IMAGES], data.labels[:_PRUNING_IMAGES]
            small = prune(start, recipe.widths, inputs_of(images, recipe), labels)
            self.model.load_state_dict(small.state_dict())
        # What is evaluated: the model itself if the recipe averages nothing.
        self.average = copy.deepcopy(self.model) if recipe.averages else self.model
        self.optimizer = recipe.optimizer(self.model)
        self.latent = [layer.weight for layer in self.model.latent_layers()]
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0
        self.best: dict[str, Tensor] = {}
        self.best_key = (-1.0, -math.inf)
        self.held = inputs_of(data.validation_images, recipe)

    def state(self) -> dict[str, Any]:
        return {
            "recipe": _fingerprint(self.recipe),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
            "seconds": self.seconds,
            "best": self.best,
            "best_key": list(self.best_key),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.history = state["history"]
        self.seconds = state["seconds"]
        self.best = state["best"]
        self.best_key = tuple(state["best_key"])

    def learn(
        self, x: Tensor, labels: Tensor, soft: Tensor | None, rate: float, step: int
    ) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        loss = student_loss(self.model.logits(self.model(x)), labels, soft, self.recipe)
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            # A latent weight far beyond the reach of the gradient could never turn again.
            if self.latent:
                torch._foreach_clamp_min_(self.latent, -1.0)
                torch._foreach_clamp_max_(self.latent, 1.0)
        if self.recipe.averages:
            self._average(step)
        return loss.item()

    @torch.no_grad()
    def _average(self, step: int) -> None:
        # Early on the average must not be held back by the initial weights.
        decay = min(self.recipe.average, (1 + step) / (10 + step))
        torch._foreach_lerp_(
            list(self.average.parameters()), list(self.model.parameters()), 1 - decay
        )

    def evaluate(self, epoch: int, loss: float) -> dict[str, float]:
        """Score the network as it is to be used, keep it if it is the best."""
        if self.recipe.averages:
            self._settle_norms(epoch)
        scores = scores_of(self.average, self.held)
        with torch.no_grad():
            held_loss = self.recipe.hard_loss(
                self.average.logits(scores), self.data.validation_labels
            )
        entry = {
            "epoch": epoch + 1,
            "loss": round(loss, 6),
            "validation_loss": round(held_loss.item(), 6),
            "validation_accuracy": accuracy(scores, self.data.validation_labels),
        }
        self.history.append(entry)
        key = (entry["validation_accuracy"], -entry["validation_loss"])
        if key > self.best_key:
            self.best_key = key
            self.best = self.recipe.kept(self.average)
        return entry

    @torch.no_grad()
    def _settle_norms(self, epoch: int) -> None:
        """Batch normalisation statistics as the plain mean over freshly distorted images."""
        norms = [m for m in self.average.modules() if isinstance(m, torch.nn.BatchNorm1d)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # cumulative mean
        self.average.train()
        for x in self.examples.norms(epoch):
            self.average(x)
        self.average.eval()

    def chosen(self) -> BinaryNetwork | PlainNetwork:
        """The best epoch's network in eval mode."""
        return self.recipe.restored(self.best)


def train_student(student: _Student, directory: Path, shown: bool) -> None:
    """Train to the last epoch, from the newest checkpoint as far as there is one."""
    recipe = student.recipe
    first, state = _resume(directory, "student", _fingerprint(recipe))
    if state is not None:
        student.restore(state)
    steps = recipe.steps(len(student.data.images))
    progress = _Progress("network", steps * recipe.epochs, first * steps, shown)
    for epoch in range(first, recipe.epochs):
        student.model.train()
        begun, losses = time.monotonic(), 0.0
        for i, (x, labels, soft) in enumerate(student.examples.epoch(epoch)):
            step = epoch * steps + i
            losses += student.learn(x, labels, soft, recipe.rate(step, steps), step)
            progress.step()
        entry = student.evaluate(epoch, losses / steps)
        student.seconds += time.monotonic() - begun
        checkpoint.save(directory, "student", epoch + 1, student.state())
        progress.epoch(
            f"epoch {epoch + 1}/{recipe.epochs}: loss {entry['loss']:.4f}, "
            f"validation {entry['validation_accuracy']:.4f}, best {student.best_key[0]:.4f}"
        )
    progress.close()


def run(
    recipe: Recipe,
    images: GreyImages,
    out: Path,
    shown: bool = True,
    start: BinaryNetwork | None = None,
    shared: Path | None = None,
) -> dict[str, Any]:
    """Train (or go on training) in `out`, write the results there, return the report.

    With `start` the network is pruned from that one.  Teacher and examples are kept in `shared`.

    If `out` already holds the finished report of this very recipe it is returned as it is: the
    test set is evaluated once per run.
    """
    if start is not None:
        require_part(start, recipe.widths)
        if (start.form, start.pixel_threshold) != (recipe.form, recipe.pixel_threshold):
            raise UserError(
                "The network to prune is not of the kind, or not for the pixel threshold, that "
                "the recipe has."
            )
    report_path = out / REPORT_NAME
    finished = _finished(report_path, recipe)
    if finished is not None:
        return finished
    data = split(images, recipe)
    directory = out / "checkpoints"
    directory.mkdir(parents=True, exist_ok=True)
    teacher = train_teacher(data, recipe, shared or directory, shown)
    student = _Student(Examples(data, recipe, teacher, shared), start)
    train_student(student, directory, shown)
    model = student.chosen()

    test = inputs_of(torch.from_numpy(images.test_images.copy()), recipe)
    test_labels = torch.from_numpy(images.test_labels.astype(np.int64))
    best_epoch = max(
        student.history, key=lambda e: (e["validation_accuracy"], -e["validation_loss"])
    )
    info = {
        "dataset": recipe.dataset,
        "recipe": asdict(recipe),
        "data_sha256": {
            name: hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
            for name, array in vars(images).items()
        },
        "chosen_epoch": best_epoch["epoch"],
        "validation_accuracy": best_epoch["validation_accuracy"],
        "validation_curve": _thinned(student.history),
        "test_accuracy": accuracy(scores_of(model, test), test_labels),
        "test_images": len(test),
        "torch": torch.__version__,
    }
    if recipe.exports:
        assert isinstance(model, BinaryNetwork)
        trained, integer = (out / name for name in network_files(recipe))
        save_trained(trained, model, info)
        export(model, name=integer.stem, info=info).save(integer)
    # By the clock on the wall, however many programs shared the processor.
    report = {"finished": True, **info, "seconds": round(student.seconds)}
    container.write_atomically(report_path, json.dumps(report, indent=1).encode() + b"\n")
    return report


def _finished(path: Path, recipe: Recipe) -> dict[str, Any] | None:
    try:
        report = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    same = json.loads(_fingerprint(recipe)) == report.get("recipe")
    complete = all((path.parent / name).exists() for name in network_files(recipe))
    return report if same and complete and report.get("finished") else None


def _thinned(history: list[dict[str, float]], points: int = 20) -> list[dict[str, float]]:
    """At most about `points` epochs, evenly spread, the last one included."""
    stride = -(-len(history) // points)
    return [entry for entry in history if (entry["epoch"] - len(history)) % stride == 0]


def _add_what(parser: argparse.ArgumentParser) -> None:
    """The options that decide the defaults of the others."""
    add = parser.add_argument
    add("--dataset", choices=list(DATASETS), default=DEFAULT, help="what to train on")
    add("--recipe", choices=list(RECIPES), default="best", help="network and training, see above")


def default_output(recipe: str, dataset: str) -> Path:
    """The directory of a run that is given none."""
    parts = [part for part in (dataset, recipe) if part not in (DEFAULT, "best")]
    return BUILD / "-".join(["train", *parts])


def parser(name: str = "best", dataset: str = DEFAULT) -> CommandLine:
    """The command line, with the options of that recipe and its defaults for the data set."""
    base = recipe_for(name, dataset)
    result = CommandLine(
        prog="xnor-fcc train",
        description="Train a network on a data set: MNIST, Fashion-MNIST, or the 8x8 digits of "
        "scikit-learn.  --recipe best: the binary network, as well as it "
        "gets.  --recipe seed: the binary network with shift-based AdaMax and batch normalisation, "
        "a squared hinge loss, no teacher and no distortion.  --recipe float: the layers of best "
        "in float.  --recipe ttq: ternary weights with two scales.  Killed at any moment, the same "
        "command goes on from the last finished epoch.  Results go to --output, never over the "
        "committed networks: report.json (accuracies) and, unless the recipe is float or ttq, "
        "NAME_trained.npz (the Brevitas network, compact) and NAME.npz (the integer network that "
        "the core loads), NAME being that of the data set.  The defaults below are those of "
        f"--recipe {name} --dataset {dataset}.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    _add_what(result)
    add = result.add_argument
    add(
        "--output",
        type=Path,
        default=default_output(name, dataset),
        help="directory for results and checkpoints",
    )
    add("--json", action="store_true", help="print the report as JSON, and nothing else")
    add(
        "--data-dir",
        type=Path,
        help="directory with the four raw files of the data set; without it they "
        "are fetched into build/NAME",
    )
    add(
        "--restart",
        action="store_true",
        help="throw away the checkpoints in --output and start anew",
    )
    add(
        "--epochs",
        type=int,
        default=base.epochs,
        help="epochs of the network; that of best still grows slowly better after 100",
    )
    add(
        "--teacher-epochs",
        type=int,
        default=base.teacher_epochs,
        help="epochs of the float teacher; 0 trains on the labels alone",
    )
    add(
        "--hidden",
        type=_widths,
        default=base.widths[1:-1],
        metavar="M,M,...",
        help='neurons of each hidden layer, separated by commas; "" for none',
    )
    add(
        "--threshold",
        type=int,
        default=base.pixel_threshold,
        help="pixel threshold, 1 to 255",
    )
    if base.exports:
        add(
            "--order",
            type=int,
            choices=(1, 2),
            default=base.order,
            help="bits of an activation and of an input",
        )
        add("--weights", choices=("binary", "ternary"), default=base.weights, help="kind of weight")
        add(
            "--first-layer",
            choices=("binary", "shifts"),
            default=base.first_layer,
            help="shifts: power-of-two weights on the grey pixels",
        )
        add(
            "--prune-from",
            type=Path,
            metavar="TRAINED.npz",
            help="start from the most useful neurons of this network, as many as --hidden says",
        )
    add("--seed", type=int, default=base.seed, help="decides the split and everything random")
    add("--batch", type=int, default=base.batch, help="images per step")
    add("--lr", type=float, default=base.lr, help="highest learning rate of the network")
    add(
        "--distillation",
        type=float,
        default=base.distillation,
        help="share of the teacher's soft answers in the loss, 0 to 1",
    )
    add("--temperature", type=float, default=base.temperature, help="softening of the answers")
    if base.averages:
        add(
            "--average",
            type=float,
            default=base.average,
            help="decay per step of the running average "
            "of the latent weights; 0 evaluates the weights as they are",
        )
    add(
        "--distortion",
        type=float,
        default=float(base.distortion.moves),
        help="factor on every distortion of the images, 0 for none",
    )
    add(
        "--elastic",
        type=float,
        default=DISTORTIONS[dataset].elastic,
        help="elastic distortion, pixels",
    )
    add(
        "--settling",
        type=float,
        default=base.settling,
        help="last share of the epochs, 0 to 1, over which the distortion shrinks to half",
    )
    if isinstance(base, SeedRecipe):
        add(
            "--halving",
            type=int,
            default=base.halving,
            help="epochs from one right shift of the learning rate to the next",
        )
    add(
        "--data-seed",
        type=int,
        default=base.data_seed,
        help="decides split, teacher and distortions; without it --seed does",
    )
    add(
        "--distinct",
        type=int,
        default=base.distinct,
        help="with --data-seed: epochs after which the same distorted images come again, 0: never",
    )
    add(
        "--shared",
        type=Path,
        help="directory in which runs of one --data-seed share teacher and distorted images",
    )
    add("--threads", type=int, default=0, help="processor threads; 0 leaves the choice to torch")
    return result


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    first = CommandLine(prog="xnor-fcc train", add_help=False, allow_abbrev=False)
    _add_what(first)
    what = first.parse_known_args(argv)[0]
    return parser(what.recipe, what.dataset).parse_args(argv)


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",")) if text.strip() else ()
    except ValueError as cause:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list like 1024,1024") from cause


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as cause:
        raise UserError(f"The {path} to prune cannot be read ({cause.strerror}).") from cause


def _recipe(options: argparse.Namespace) -> Recipe:
    if options.data_seed is None and (options.distinct or options.shared is not None):
        raise UserError("--distinct and --shared need a --data-seed.")
    if options.distinct < 0:
        raise UserError("--distinct must be at least 0.")
    if options.epochs < 1 or options.teacher_epochs < 0:
        raise UserError("--epochs must be at least 1 and --teacher-epochs at least 0.")
    if options.batch < 2:
        raise UserError("--batch must be at least 2, because batch normalisation needs a spread.")
    if not 1 <= options.threshold <= 255:
        raise UserError("--threshold must be from 1 to 255.")
    base = recipe_for(options.recipe, options.dataset)
    average = options.average if base.averages else base.average
    if not 0 <= options.distillation <= 1 or not 0 <= average < 1:
        raise UserError("--distillation must be from 0 to 1 and --average from 0 to below 1.")
    if not 0 <= options.settling <= 1:
        raise UserError("--settling must be from 0 to 1.")
    if min(options.hidden, default=1) < 1:
        raise UserError("--hidden must be whole numbers from 1 up, separated by commas.")
    if options.distortion < 0:
        raise UserError("--distortion must not be negative.")
    if isinstance(base, SeedRecipe):
        if options.halving < 1:
            raise UserError("--halving must be at least 1 epoch.")
        base = replace(base, halving=options.halving)
    if base.exports:
        base = replace(
            base, order=options.order, weights=options.weights, first_layer=options.first_layer
        )
        if options.prune_from is not None:
            base = replace(
                base,
                pruned_from=options.prune_from.name,
                pruned_sha256=_sha256(options.prune_from),
            )
        if options.first_layer == "shifts" and not options.hidden:
            raise UserError("--first-layer shifts needs a hidden layer.")
    _ = base.form  # raises UserError where its parts do not go together
    return replace(
        base,
        widths=(base.widths[0], *options.hidden, base.widths[-1]),
        pixel_threshold=options.threshold,
        seed=options.seed,
        data_seed=options.data_seed,
        distinct=options.distinct,
        batch=options.batch,
        epochs=options.epochs,
        lr=options.lr,
        teacher_epochs=options.teacher_epochs,
        distillation=options.distillation,
        temperature=options.temperature,
        average=average,
        distortion=replace(DISTORTIONS[options.dataset], elastic=options.elastic).scaled(
            options.distortion
        ),
        settling=options.settling,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `xnor-fcc train`."""
    options = _arguments(argv)
    recipe = _recipe(options)
    if options.threads > 0:
        torch.set_num_threads(options.threads)
    if options.restart:
        checkpoint.clear(options.output / "checkpoints")
        (options.output / REPORT_NAME).unlink(missing_ok=True)
    start = None
    if recipe.pruned_from:
        start, _ = load_trained(options.prune_from)
    images = load_images(options.dataset, options.data_dir)
    report = run(recipe, images, options.output, start=start, shared=options.shared)
    if options.json:
        print(json.dumps(report, indent=1))
        return 0
    print(
        f"epoch {report['chosen_epoch']} chosen: validation {report['validation_accuracy']:.4f}, "
        f"test {report['test_accuracy']:.4f}; results in {options.output}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
