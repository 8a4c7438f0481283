# SPDX-License-Identifier: Apache-2.0
"""Classifies image files with a network, by the reference that the simulated core is held to, or by
a core behind a serial port."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from tqdm import tqdm

from .board.driver import Driver
from .board.uart import BAUD, open_uart
from .data import class_names
from .errors import CommandLine, UserError
from .geometry_options import add_network
from .images import (
    as_grey,
    coloured,
    flat,
    read_file,
    read_labels,
    selection,
    side_of,
)
from .integer import IntegerNetwork, find_network
from .reference import evaluate
from .shape import top_level

# Images evaluated at once: their sums take some 100 MB.
_BATCH = 2048
_BAR = 30

_EPILOG = """\
One image is drawn as the core sees it, with its scores; several get a line each. Images of files
are numbered from 0 through all of them; --first and --count choose.

Pictures (PNG, and what else Pillow opens) become grey as Pillow's mode "L" does it. Of more bits
than 8 the upper 8 count, or the lowest if no value is above 255; floats are from 0 to 1 or from 0
to 255. What is transparent is black paper; dark ink on it counts as white. Pictures must have the
size of the network's input, 28x28 for MNIST: --resize scales them with Pillow (bicubic), keeping
the ratio, centred. MNIST's digits are white on black and fill the middle 20x20: use --invert for
dark ink on white paper. Files may be compressed by gzip, whatever their names say. A network of
three colours takes red, green and blue; arrays are rows, columns, colours then.

The answers are the reference's (software), or with --device those of a board whose core is behind a
serial port (rtl/INTEGRATION.md): the network is loaded into it first. `xnor-fcc simulate --inputs
FILE` asks the simulated core, and compares bit by bit.

examples
  xnor-fcc classify digit.png
  xnor-fcc classify scan.jpg --resize --invert --network order2
  xnor-fcc classify t10k-images-idx3-ubyte.gz --labels t10k-labels-idx1-ubyte.gz --count 100 --json
  xnor-fcc classify digit.png --device /dev/ttyUSB0
"""


@dataclass(frozen=True)
class Images:
    """Images to classify: their names, grey uint8 (N, inputs) or of several colours (N, side, side,
    colours), labels (N,) where they are known."""

    names: list[str]
    grey: np.ndarray
    labels: np.ndarray | None


def parser() -> CommandLine:
    """The command line."""
    result = CommandLine(
        prog="xnor-fcc classify",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add("images", type=Path, nargs="+", metavar="IMAGE",
        help="pictures (PNG, ...), or files of images: IDX as MNIST comes, .npy, .npz with "
        "`images`")  # fmt: skip
    add_network(result)
    add("--first", type=int, default=0, metavar="N", help="number of the first image (default: 0)")
    add("--count", type=int, metavar="N", help="how many images (default: all)")
    add("--labels", type=Path, metavar="FILE", help="IDX or .npy file with the right classes")
    add("--resize", action="store_true", help="scale pictures to the network's input")
    add("--invert", action="store_true", help="turn black into white and white into black")
    add("--device", metavar="PORT", help="ask the core behind this serial port, as /dev/ttyUSB0")
    add("--baud", type=int, metavar="N", help=f"the board's bits a second (default: {BAUD})")
    add("--json", action="store_true", help="print one JSON object instead of text")
    return result


def find_images(options: argparse.Namespace, network: IntegerNetwork) -> Images:
    """The images that the options ask for, for a network.

    UserError, in one sentence, if there are none of its size.
    """
    inputs, pixels = network.inputs, network.pixels
    side = side_of(inputs) if pixels is None else pixels.side
    colours = network.colours
    if options.resize and side is None:
        raise UserError(f"The network takes {inputs} pixels, which make no square to --resize to.")
    fit = (side, side) if options.resize and side else None
    paper = 255 if options.invert else 0
    names: list[str] = []
    grey, labels, bright = [], [], []
    for path in options.images:
        file = read_file(path, fit, paper, colours)
        images, picture = file.images, file.picture is not None
        if side is not None and colours > 1:
            shades = coloured(as_grey(images), side, colours, path)
        else:
            shades = flat(as_grey(images), inputs, path, square=picture)
        grey.append(255 - shades if options.invert else shades)
        names += [str(path)] if picture else [f"{path}:{i}" for i in range(len(images))]
        if file.labels is not None:
            labels.append(file.labels)
        if file.picture is not None and not options.invert:
            bright += [path.name] * _bright(file.picture)
    if bright:
        _note(f"bright at all corners, {_some(bright)}: --invert is for dark ink on white.")
    known = np.concatenate(labels) if len(labels) == len(grey) else None
    if options.labels is not None:
        known = read_labels(options.labels, len(names))
    chosen = selection(len(names), options.first, options.count)
    return Images(
        names[chosen], np.concatenate(grey)[chosen], None if known is None else known[chosen]
    )


def _note(sentence: str) -> None:
    print(f"note: {sentence}", file=sys.stderr)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + ", ..." * (len(names) > 3)


def _note_blank(network: IntegerNetwork, images: Images) -> None:
    """Say which images are of one shade to the network, where an answer means nothing."""
    starts = range(0, len(images.grey), _BATCH)
    same = [_of_one_shade(network, images.grey[start : start + _BATCH]) for start in starts]
    blank = np.flatnonzero(np.concatenate(same))
    if len(blank) and network.inputs > 1:
        which = _some([images.names[i] for i in blank])
        _note(f"of one shade to the network, {which}: it sees no ink there.")


def _of_one_shade(network: IntegerNetwork, grey: np.ndarray) -> np.ndarray:
    """Which of the images the network sees as one shade, bool (N,)."""
    seen = network.inputs_from(grey)
    if network.pixels is not None:
        inside = slice(network.pixels.border, network.pixels.border + network.pixels.side)
        seen = seen[:, inside, inside].reshape(len(grey), -1, network.pixels.channels)
    same: np.ndarray = (seen == seen[:, :1]).reshape(len(grey), -1).all(axis=1)
    return same


def _bright(picture: np.ndarray) -> bool:
    return int(picture[[0, 0, -1, -1], [0, -1, 0, -1]].min()) > 127


class Answer(TypedDict("_Class", {"class": int})):
    """An image and what the network answers."""

    image: str
    name: str
    label: int | None
    scores: list[int]


class Report(TypedDict):
    """The JSON object that the command prints."""

    network: str
    dataset: str | None
    class_names: list[str]
    images: list[Answer]
    wrong: int | None
    accuracy: float | None


def by_reference(network: IntegerNetwork, grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores (N, classes) and classes (N,) of images, as the reference has them."""
    scores = []
    starts = range(0, len(grey), _BATCH)
    for start in tqdm(starts, "classifying", unit="batch", delay=2, disable=None, leave=False):
        some = grey[start : start + _BATCH]
        scores.append(evaluate(network, network.inputs_from(some)).scores)
    rows = np.concatenate(scores)
    return rows, rows.argmax(axis=1)


def by_device(
    network: IntegerNetwork, grey: np.ndarray, device: str, baud: int
) -> tuple[np.ndarray, np.ndarray]:
    """The same as the core behind a serial port has them; `UserError` where it does not answer."""
    with contextlib.closing(open_uart(device, baud)) as link, Driver(link) as core:
        core.load(network)
        with tqdm(
            total=len(grey), desc="classifying", unit="image", delay=2, disable=None, leave=False
        ) as bar:
            answers = core.classify(grey, True, lambda done: bar.update(done - bar.n) and None)
    return answers.scores, answers.classes


def classify(
    network: IntegerNetwork, images: Images, rows: np.ndarray, classes: np.ndarray
) -> Report:
    """The report: class, scores, label of each image; accuracy where labels are known."""
    labels = images.labels
    names = class_names(network.dataset, network.classes)
    wrong = None if labels is None else int((classes != labels).sum())
    return {
        "network": network.name,
        "dataset": network.dataset,
        "class_names": names,
        "images": [
            {
                "image": name,
                "class": int(found),
                "name": names[found],
                "label": None if labels is None else int(labels[i]),
                "scores": rows[i].tolist(),
            }
            for i, (name, found) in enumerate(zip(images.names, classes, strict=True))
        ],
        "wrong": wrong,
        "accuracy": None if wrong is None else (len(classes) - wrong) / len(classes),
    }


# ---- text


def drawing(levels: np.ndarray, most: int, blocks: bool = True) -> str:
    """Inputs (side, side) of 0 to `most` for a terminal.

    Bits as half blocks, two rows in a line; more levels as shades. Without `blocks`, in ASCII.
    """
    if blocks and most == 1:
        rows = np.pad(levels, ((0, len(levels) % 2), (0, 0)))
        lines = ["".join(" ▀▄█"[up + 2 * low] for up, low in zip(*pair, strict=True))
                 for pair in zip(rows[::2], rows[1::2], strict=True)]  # fmt: skip
        return "\n".join(lines)
    shades = (" ░▒▓█" if blocks else " .:+#")[:: 4 if most == 1 else 1]
    steps = levels.astype(int) * (len(shades) - 1) // most
    return "\n".join("".join(2 * shades[step] for step in row) for row in steps)


def seen(network: IntegerNetwork, images: Images) -> tuple[np.ndarray, int] | None:
    """What the core sees of the first image, (side, side), of 0 to the second number; None if it is
    no square. Of colours it is how many of their levels are reached, or their sum."""
    inputs = network.inputs_from(images.grey[:1])
    if network.pixels is not None:
        most = network.pixels.channels * top_level(network.pixels.order)
        return inputs[0].sum(axis=2, dtype=np.uint16), most
    side = side_of(network.inputs)
    if side is None:
        return None
    most = 255 if "power-of-two" in network.kinds else 2 ** network.layers[0].order - 1
    return inputs.reshape(side, side), most


def _label(report: Report, number: int) -> str:
    """A class as people know it: its number, and its name if that says more."""
    names = report["class_names"]
    name = names[number] if 0 <= number < len(names) else ""
    return f"{number} {name}" if name not in ("", str(number)) else str(number)


def line(report: Report, row: Answer) -> str:
    """An image in a line."""
    label = row["label"]
    remark = "" if label in (None, row["class"]) else f", not {_label(report, label)}"
    return f"{row['image']}: {_label(report, row['class'])}{remark}"


def bars(report: Report, row: Answer, blocks: bool = True) -> str:
    """The scores of an image; the longest bar is its class."""
    scores = row["scores"]
    low, high = min(scores), max(scores)
    names = [_label(report, number) for number in range(len(scores))]
    wide, digits = max(map(len, names)), max(len(str(score)) for score in scores)
    lines = []
    for number, score in enumerate(scores):
        bar = ("█" if blocks else "#") * max(1, round(_BAR * (score - low) / max(1, high - low)))
        lines.append(f"{names[number]:>{wide}}  {score:>{digits}}  {bar}")
    return "\n".join(lines)


def text(network: IntegerNetwork, images: Images, report: Report) -> str:
    """The report for people: everything of one image, a line each of several."""
    lines = [line(report, row) for row in report["images"]]
    if len(lines) == 1:
        row, blocks = report["images"][0], _has_blocks()
        shades = seen(network, images)
        if shades is not None:
            picture = drawing(*shades, blocks)
            if len(picture.partition("\n")[0]) <= max(80, shutil.get_terminal_size().columns):
                lines.append(picture)
        lines.append(bars(report, row, blocks))
    elif report["wrong"] is not None:
        lines.append(f"{report['wrong']} of {len(lines)} wrong: accuracy {report['accuracy']:.4f}")
    return "\n".join(lines)


def _has_blocks() -> bool:
    """Whether the terminal's encoding has the characters of a drawing."""
    try:
        "▀▄█░▒▓".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def main(argv: Sequence[str] | None = None) -> int:
    """Read, classify, print."""
    options = parser().parse_args(argv)
    baud = BAUD if options.baud is None else options.baud
    if options.device is None and options.baud is not None:
        raise UserError("--baud is the rate of a --device; name one.")
    if baud < 1:
        raise UserError(f"--baud {baud} is not a rate; the board's own is needed.")
    network = IntegerNetwork.load(find_network(options.network))
    images = find_images(options, network)
    _note_blank(network, images)
    if options.device is None:
        answers = by_reference(network, images.grey)
    else:
        answers = by_device(network, images.grey, options.device, baud)
    report = classify(network, images, *answers)
    print(json.dumps(report) if options.json else text(network, images, report))
    return 0
