# SPDX-License-Identifier: Apache-2.0
"""The command line on the board: what core is there, classify images, export for other hosts."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..container import write_atomically
from ..errors import CommandLine, UserError, run_main
from ..geometry import NAMED, Geometry
from ..images import flat, read_images, read_labels, selection
from ..integer import IntegerNetwork, find_network
from ..reference import evaluate
from ..register_script import register_script
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

    network = CommandLine(add_help=False)
    network.add_argument(
        "--network",
        default="mnist",
        help="a network of model/networks by name, or the path of a network file (default: mnist)",
    )
    network.add_argument("--labels", type=Path, help="an IDX or .npy file with the right classes")
    network.add_argument("--count", type=int, help="only so many images, the first ones")

    commands.add_parser("info", parents=[board], help="say what core is there")
    classify = commands.add_parser(
        "classify",
        parents=[board, network],
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
        "--check",
        action="store_true",
        help="classify them in software as well; exit code 1 if a score or a class differs",
    )
    export = commands.add_parser(
        "export",
        parents=[network],
        help="write a network as a text file of register writes",
        description="Write a packed network, and images with it, as a text file of register "
        "writes: what quartus/jtag/classify.tcl and quartus/host/classify.c read.",
    )
    export.add_argument("output", type=Path, metavar="OUTPUT", help="the file to write")
    export.add_argument("images", type=Path, nargs="?", metavar="IMAGES", help="as for classify")
    export.add_argument(
        "--geometry",
        choices=sorted(NAMED),
        default="default",
        help="that of the core, by name (default: %(default)s)",
    )
    export.add_argument(
        "--parameters",
        metavar="NAME=VALUE,...",
        help="the core's parameters instead, for example PE=16,SIMD=64,WEIGHT_DEPTH=3000; those "
        "which are left out have their defaults",
    )
    return result


def _load_images(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray | None]:
    images, labels = read_images(options.images)
    if options.labels is not None:
        labels = read_labels(options.labels, len(images))
    chosen = selection(len(images), 0, options.count)
    return images[chosen], None if labels is None else labels[chosen]


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
    images, labels = _load_images(options)
    network = IntegerNetwork.load(find_network(options.network))
    grey = bool(images.size and images.max() > 1)
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
    return 1 if differing else 0


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


def _export(options: argparse.Namespace) -> None:
    network = IntegerNetwork.load(find_network(options.network))
    if options.parameters is None:
        geometry = Geometry.for_widths(network.shape, *NAMED[options.geometry])
    else:
        geometry = Geometry(**_sizes(options.parameters))
    images = labels = None
    if options.images is not None:
        images, labels = _load_images(options)
        images = flat(images, network.inputs)
        grey = images.max(initial=0) > 1
        if network.pixel_residual is None:
            images = network.inputs_from(images) if grey else images
        elif not grey:
            raise UserError("The network has second-order inputs and takes grey images only.")
    text = register_script(network, geometry, images, labels)
    write_atomically(options.output, text.encode())
    print(f"wrote {options.output}: {network.name}, {0 if images is None else len(images)} images")


def _sizes(text: str) -> dict[str, int]:
    names = {name.lower() for name in Geometry().parameters()}
    sizes = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        if name.lower() not in names or not value.isdigit():
            raise UserError(f"{part} is not NAME=VALUE with a parameter of the core.")
        sizes[name.lower()] = int(value)
    return sizes


def main(argv: Sequence[str] | None = None, connect: Connect = MappedTransport) -> int:
    """Entry point; `connect` makes the transport from the two windows."""
    options = _parser().parse_args(argv)
    if options.command == "export":
        _export(options)
        return 0
    if options.timeout <= 0:
        raise UserError(f"--timeout {options.timeout:g} is not more than 0.")
    return {"info": _info, "classify": _classify}[options.command](options, connect)


if __name__ == "__main__":
    sys.exit(run_main(main))
