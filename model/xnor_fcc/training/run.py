# SPDX-License-Identifier: Apache-2.0
"""A whole run of training: teacher, network, the one look at the test set, the files written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch

from ..data import Images
from ..errors import UserError
from ..files import write_json
from .examples import Examples, inputs_of, split
from .export import export
from .network import BinaryNetwork
from .prune import require_part
from .recipes import Recipe
from .scores import accuracy, scores_of
from .student import Epoch, Student, settings_of, train_student
from .teacher import train_teacher
from .trained import save_trained

REPORT_NAME = "report.json"


class Info(TypedDict):
    """How a network was trained, as its files tell it, too."""

    dataset: str
    recipe: dict[str, Any]
    """The fields of `Recipe`."""
    data_sha256: dict[str, str]
    chosen_epoch: int
    validation_accuracy: float
    validation_curve: list[Epoch]
    test_accuracy: float
    test_images: int
    torch: str


class Report(Info):
    """What report.json holds."""

    finished: bool
    seconds: int


def network_files(recipe: Recipe) -> tuple[str, ...]:
    """Names of a run's network files, the trained one and the integer one, if it writes them."""
    return (f"{recipe.files}_trained.npz", f"{recipe.files}.npz") if recipe.exports else ()


def run(
    recipe: Recipe,
    images: Images,
    out: Path,
    shown: bool = True,
    start: BinaryNetwork | None = None,
    shared: Path | None = None,
) -> Report:
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
    student = Student(Examples(data, recipe, teacher, shared), start)
    train_student(student, directory, shown)
    model = student.chosen()

    test = inputs_of(torch.from_numpy(images.test_images.copy()), recipe)
    test_labels = torch.from_numpy(images.test_labels.astype(np.int64))
    best_epoch = max(
        student.history, key=lambda e: (e["validation_accuracy"], -e["validation_loss"])
    )
    info: Info = {
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
    report: Report = {"finished": True, **info, "seconds": round(student.seconds)}
    write_json(report_path, report)
    return report


def _finished(path: Path, recipe: Recipe) -> Report | None:
    try:
        report = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    same = json.loads(settings_of(recipe)) == report.get("recipe")
    complete = all((path.parent / name).exists() for name in network_files(recipe))
    return report if same and complete and report.get("finished") else None


def _thinned(history: list[Epoch], points: int = 20) -> list[Epoch]:
    """At most about `points` epochs, evenly spread, the last one included."""
    stride = -(-len(history) // points)
    return [entry for entry in history if (entry["epoch"] - len(history)) % stride == 0]
