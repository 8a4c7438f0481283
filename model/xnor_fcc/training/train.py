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
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ..data import DATASETS, DEFAULT, load_images
from ..errors import CommandLine, UserError, run_main
from ..places import BUILD
from ..renamed import current
from . import checkpoint
from .options import add_options, chosen
from .recipes import DISTORTIONS, RECIPES, Recipe, recipe_for
from .run import REPORT_NAME, run
from .trained import load_trained


def _add_what(parser: argparse.ArgumentParser) -> None:
    """The options that decide the defaults of the others."""
    add = parser.add_argument
    add(
        "--dataset",
        choices=list(DATASETS),
        default=DEFAULT,
        help="what to train on; cifar10 goes with the recipe conv only",
    )
    add(
        "--recipe",
        type=current,
        choices=list(RECIPES),
        default="best",
        help="network and training, see above",
    )


def default_output(recipe: str, dataset: str) -> Path:
    """The directory of a run that is given none."""
    parts = [part for part in (dataset, recipe) if part not in (DEFAULT, "best")]
    return BUILD / "-".join(["train", *parts])


def parser(name: str = "best", dataset: str = DEFAULT) -> CommandLine:
    """The command line, with the options of that recipe and its defaults for the data set."""
    base = recipe_for(name, dataset)
    result = CommandLine(
        prog="xnor-fcc train",
        description="Train a network on a data set: MNIST, Fashion-MNIST, the 8x8 digits of "
        "scikit-learn, or CIFAR-10.  --recipe best: the binary network, as well as it gets.  "
        "--recipe original (seed is its old name): the binary network with shift-based AdaMax and "
        "batch normalisation, a squared hinge loss, no teacher and no distortion.  --recipe float: "
        "the layers of best in float.  --recipe ttq: ternary weights with two scales.  "
        "--recipe conv: binary convolutions, --maps, before the --hidden layers.  Killed at any "
        "moment, the same command goes on from the last finished epoch.  Results go to --output, "
        "never over the committed networks: report.json (accuracies) and, unless the recipe is "
        "float or ttq, NAME_trained.npz (the Brevitas network, compact) and NAME.npz (the integer "
        "network that the core loads), NAME being that of the data set.  The defaults below are "
        "those of "
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
        help="directory with the raw files of the data set; without it they "
        "are fetched into build/NAME",
    )
    add(
        "--restart",
        action="store_true",
        help="throw away the checkpoints in --output and start again",
    )
    add(
        "--hidden",
        type=_widths,
        default=base.widths[1:-1],
        metavar="M,M,...",
        help='neurons of each hidden layer, separated by commas; "" for none',
    )
    if base.exports:
        add(
            "--prune-from",
            type=Path,
            metavar="TRAINED.npz",
            help="start from the most useful neurons of this network, as many as --hidden says",
        )
    add_options(result, base)
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
        widths = tuple(int(part) for part in text.split(",")) if text.strip() else ()
    except ValueError as cause:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list like 1024,1024") from cause
    if min(widths, default=1) < 1:
        raise UserError("--hidden must be whole numbers from 1 up, separated by commas.")
    return widths


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as cause:
        raise UserError(f"The {path} to prune cannot be read ({cause.strerror}).") from cause


def _recipe(options: argparse.Namespace) -> Recipe:
    if options.data_seed is None and (options.distinct or options.shared is not None):
        raise UserError("--distinct and --shared need a --data-seed.")
    if options.distortion < 0:
        raise UserError("--distortion must not be negative.")
    base = recipe_for(options.recipe, options.dataset)
    pruned = {}
    if base.exports and options.prune_from is not None:
        pruned = {
            "pruned_from": options.prune_from.name,
            "pruned_sha256": _sha256(options.prune_from),
        }
    return replace(
        base,
        **chosen(options, base),
        **pruned,
        widths=(base.widths[0], *options.hidden, base.widths[-1]),
        distortion=replace(DISTORTIONS[options.dataset], elastic=options.elastic).scaled(
            options.distortion
        ),
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
