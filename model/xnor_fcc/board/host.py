# SPDX-License-Identifier: Apache-2.0
"""The command line on the board: what core is there, classify images."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CommandLine, Exit, UserError, run_main
from ..images import as_grey, read_labelled
from ..integer import IntegerNetwork, find_network
from ..reference import evaluate
from .address_map import BASE
from .driver import Answers, Driver
from .transport import MappedTransport, Transport

Connect = Callable[[str, str], Transport]

# Images that are checked at a time, for whose hidden bits there must be memory.
_CHECKED = 4096


def _parser() -> argparse.ArgumentParser:
    result = CommandLine(
        prog="python -m xnor_fcc.board.host",
        description=__doc__,
        epilog="Each command has a --help of its own. On the board run them as root, with the FPGA "
        "configured and its bridges enabled; quartus/HOST.md tells how.",
    )
    commands = result.add_subparsers(dest="command", required=True, metavar="COMMAND")

    board = CommandLine(add_help=False)
    for window, what in (("registers", "the registers"), ("buffer", "the DMA buffer")):
        board.add_argument(
            f"--{window}",
            metavar="PATH@ADDRESS",
            default=f"/dev/mem@{BASE['hps'][window]:#x}",
            help=f"file and address of {what}, for example /dev/uio0 (default: %(default)s)",
        )
    board.add_argument(
        "--timeout",
        type=float,
        default=5.0,
        metavar="SECONDS",
        help="give up after so long without an answer (default: %(default)s)",
    )
    board.add_argument("--json", action="store_true", help="print one JSON object instead of text")

    commands.add_parser("info", parents=[board], help="say what core is there")
    classify = commands.add_parser(
        "classify",
        parents=[board],
        help="classify images",
        description="Load a network into the core, stream images through it, print the classes. "
        "Images with values above 1 are grey; the core compares them with what the network says.",
    )
    classify.add_argument(
        "images",
        type=Path,
        metavar="IMAGES",
        help="IDX file (plain or .gz, as MNIST comes), .npy, .npz with `images`, or a picture",
    )
    classify.add_argument(
        "--network",
        default="mnist",
        help="a network of model/networks by name, or the path of a network file (default: mnist)",
    )
    classify.add_argument("--labels", type=Path, help="an IDX or .npy file with the right classes")
    classify.add_argument("--count", type=int, help="only so many images, the first ones")
    classify.add_argument(
        "--check",
        action="store_true",
        help="classify them in software as well; exit code 1 if a score or a class differs",
    )
    return result


def _open(options: argparse.Namespace, connect: Connect) -> Driver:
    transport = connect(options.registers, options.buffer)
    try:
        return Driver(transport, options.timeout)
    except BaseException:
        transport.close()
        raise


def _info(options: argparse.Namespace, connect: Connect) -> int:
    with _open(options, connect) as core:
        parameters = core.geometry.parameters()
    del parameters["BANK_DEPTH"]  # which a core does not tell
    if options.json:
        print(json.dumps(parameters))
    else:
        for name, value in parameters.items():
            print(f"{name:>15}: {value}")
    return 0


class _Progress:
    """A line on a terminal that says how far it is."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.shown = sys.stderr.isatty()

    def __call__(self, done: int) -> None:
        if self.shown:
            end = "\n" if done == self.total else ""
            print(f"\r{done} of {self.total} images", end=end, file=sys.stderr, flush=True)


def _differing(network: IntegerNetwork, x: np.ndarray, answers: Answers) -> list[int]:
    """Numbers of the images, x as `evaluate` takes them, that the reference answers otherwise."""
    differing: list[int] = []
    for first in range(0, len(x), _CHECKED):
        part = slice(first, first + _CHECKED)
        wanted = evaluate(network, x[part])
        wrong = (answers.scores[part] != wanted.scores).any(axis=1)
        wrong |= answers.classes[part] != wanted.classes
        differing += (first + np.flatnonzero(wrong)).tolist()
    return differing


def _classify(options: argparse.Namespace, connect: Connect) -> int:
    network = IntegerNetwork.load(find_network(options.network))
    images, labels = read_labelled(
        options.images, options.labels, options.count, network.colours
    )
    if network.pixels is not None:
        images = as_grey(images)
    grey = network.pixels is not None or bool(images.size and images.max() > 1)
    with _open(options, connect) as core:
        started = time.monotonic()
        core.load(network)
        loaded = time.monotonic()
        answers = core.classify(images, grey, _Progress(len(images)))
        seconds = time.monotonic() - loaded
    differing, check_seconds = None, None
    if options.check:
        begun = time.monotonic()
        x = network.inputs_from(images) if grey else images.reshape(len(images), -1)
        differing = _differing(network, x, answers)
        check_seconds = time.monotonic() - begun
    wrong = None if labels is None else int((answers.classes != labels).sum())
    if options.json:
        report: dict[str, Any] = {
            "classes": answers.classes.tolist(),
            "scores": answers.scores.tolist(),
            "counters": answers.counters,
            "wrong": wrong,
            "load_seconds": loaded - started,
            "seconds": seconds,
            "differing": differing,
            "check_seconds": check_seconds,
        }
        print(json.dumps(report))
    else:
        _print(answers, labels, wrong, seconds, differing)
    return Exit.DIFFERS if differing else Exit.RIGHT


def _print(
    answers: Answers,
    labels: np.ndarray | None,
    wrong: int | None,
    seconds: float,
    differing: list[int] | None,
) -> None:
    for number, found in enumerate(answers.classes):
        label = "" if labels is None or labels[number] == found else f", not {labels[number]}"
        print(f"image {number}: {found}{label}")
    count = len(answers.classes)
    print(f"{count} images in {seconds:.3f} s, of them {answers.counters['BUSY_CYCLES']} cycles of "
          f"the core in {answers.counters['BATCHES']} batches")
    if wrong is not None:
        print(f"{wrong} of {count} wrong")
    if differing is not None:
        first = f", the first is image {differing[0]}" if differing else ""
        print(f"{len(differing)} of {count} differ from the reference{first}")


def main(argv: Sequence[str] | None = None, connect: Connect = MappedTransport) -> int:
    """Entry point; `connect` makes the transport from the two windows."""
    options = _parser().parse_args(argv)
    if options.timeout <= 0:
        raise UserError(f"--timeout {options.timeout:g} is not more than 0.")
    return {"info": _info, "classify": _classify}[options.command](options, connect)


if __name__ == "__main__":
    sys.exit(run_main(main))
