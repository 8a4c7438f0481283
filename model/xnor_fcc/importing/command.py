# SPDX-License-Identifier: Apache-2.0
"""Somebody else's binary network -> `IntegerNetwork`, compared with its source bit by bit."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ..errors import CommandLine, UserError, check_readable
from ..images import MOST_RANDOM, as_grey, coloured, flat, read_images
from ..integer import IntegerNetwork
from ..registers import PIXEL_THRESHOLD
from . import arrays as import_arrays
from .chain import integers
from .comparison import compare, random_images
from .pixels import Entrance, Inputs
from .stage import Source, Stage
from .thermometer import Maps

_EPILOG = """\
SOURCE is, by the end of its name,
  .npz          arrays: weights and thresholds or batch normalisation of each layer, as told at
                the end
  NAME.py:MAKE  a Brevitas module, made by the function (or class) MAKE of that Python file, which
                is called without arguments; --state loads what torch.save(module.state_dict(), ...)
                wrote, or a checkpoint with that in it, wrapped by DataParallel or not. Whole
                modules cannot be saved: Brevitas' quantisers do not pickle
  other         QONNX, such as brevitas.export.export_qonnx writes, or FINN streamlines

What can be imported: layers of binary or ternary weights (any scale, a scale per neuron or filter
too), between them whatever treats each neuron alone and ends in one bit, or in up to four values in
even steps. Convolutions come first, of 3x3 or 1x1 pixels, stride 1, in one group, without zeros
around them but at the image; the first is of 3x3. A max-pool of 2x2 may follow, before or behind
the sign, then dense layers, flattened in any order; images stand in rows or in colours first. The
last layer may have any bias, and one scale for all classes; behind it may stand what keeps the
order of the classes, such as Softmax or ArgMax. Any batch and any type of numbers will do. Every
other node is named, with the reason, and nothing is written.

Pixels. With an input quantiser in the network the pixel threshold is taken from it: give --grey
with the values that black and white pixels have for the source (0 and 1 unless given; -1 and 1 for
images normalised by mean and deviation 1/2; -0.4242 2.8215 for MNIST's usual ones). A network
without one, trained on black and white images, takes them as two values: --bits -1 1, or 0 1.
In front of a convolution a pixel may have up to 65 values in even steps, each step a level of the
core's thermometer, or up to 256, and then it is a number to the core's first layer. A network that
is given the thermometer's bits, a channel for each level of the first colour, then of the next,
takes --bits -1 1 --levels 32 64 96 128 160 192 224.

The comparison runs the source itself (torch, qonnx, or plain numpy for arrays) on the images of
--inputs (grey, or of 0 and 1 only, which are black and white), or on random ones, and counts
differing bits of the hidden layers, scores and classes.
  undecided bits   differ where rounding errors of the source's own sums decide
  near ties        classes whose scores are equal but for rounding: of the source's sums, or of
                   biases, which are whole numbers in the core
Any other difference is an error.

examples
  xnor-fcc import lfc.onnx --grey -1 1 --out lfc.npz
  xnor-fcc import net.py:Net --state net.pt --inputs t10k-images-idx3-ubyte --out net.npz --json
  xnor-fcc info lfc.npz

Arrays
"""


def load_source(name: str, state: Path | None = None) -> Source:
    """The source of this name, see the help; UserError in one sentence."""
    file, colon, make = name.rpartition(":")
    python = colon and file.endswith(".py")
    path = Path(file if python else name)
    check_readable(path)
    # Imported where it is used: each kind but arrays needs packages of its own.
    if python:
        from .brevitas import load_module

        return load_module(path, make, state)
    if state is not None:
        raise UserError("--state goes with a Brevitas module, NAME.py:MAKE.")
    if path.suffix == ".npz":
        return import_arrays.load_arrays(path)
    if path.suffix in (".py", ".pt", ".pth"):
        raise UserError(f"{path} alone makes no module: give NAME.py:MAKE --state NAME.pt.")
    from .qonnx import load_qonnx

    return load_qonnx(path)


def import_network(
    source: Source,
    name: str = "imported",
    images: np.ndarray | int = 200,
    grey: tuple[float, float] | None = None,
    bits: tuple[float, float] | None = None,
    pixel_threshold: int = PIXEL_THRESHOLD,
    seed: int = 0,
    show: bool = False,
    levels: Sequence[int] = (),
) -> tuple[IntegerNetwork, dict[str, Any]]:
    """The integer network of a source, and the report of the comparison with it.

    `images`: grey uint8 (N, ...) to compare on, or how many random ones.  `grey`: the source's
    values of black and white pixels; `bits`: that it takes two values, these, and from
    `pixel_threshold` on a pixel is the second; of a network that begins with a convolution, from
    each of `levels` on, and there is a channel for each level of each colour.  `show`: a progress
    bar.  Raises UserError for what cannot be mapped, and where the integer network answers
    otherwise than the source.
    """
    inputs = _entrance(source, grey or source.grey, bits, levels or (pixel_threshold,))

    def progress(stages: Sequence[Stage]) -> Iterable[Stage]:
        quiet = None if show else True  # None: unless this is a terminal
        return tqdm(stages, "folding", unit="layer", delay=2, disable=quiet, leave=False)

    imported = integers(source, inputs, name, progress)
    network = imported.network
    if isinstance(images, int):
        if images > MOST_RANDOM:
            raise UserError(f"--images {images} is outside 1 to {MOST_RANDOM} random ones.")
        images = random_images(inputs, images, seed)
    if len(images) < 1:
        raise UserError("There must be at least one image to compare on.")
    images = as_grey(images)
    if isinstance(inputs, Maps):
        images = coloured(images, inputs.form.side, inputs.form.colours)
    else:
        images = flat(images, source.inputs)
    counts = compare(imported, source, images)
    report = {
        "source": source.kind,
        "widths": list(network.widths),
        "kinds": sorted(network.kinds),
        "pixel_threshold": network.pixel_threshold,
        "pixel_residual": network.pixel_residual,
        "levels": None if network.pixels is None else network.pixels.levels.tolist(),
        "notes": list(imported.notes),
        **counts,
    }
    wrong = {
        "hidden bits": report["wrong_bits"],
        "scores": report["wrong_scores"],
        "classes": report["wrong_classes"],
    }
    if any(wrong.values()):
        where = report["first_wrong"]
        place = (
            f" (first: image {where['image']}, layer {where['layer']}, neuron {where['neuron']})"
            if where
            else ""
        )
        raise UserError(
            f"On {len(images)} images the integer network answers otherwise than its source in "
            + ", ".join(f"{count} {noun}" for noun, count in wrong.items() if count)
            + f"{place}: the source is no chain of layers in which each neuron stands alone."
        )
    del report["first_wrong"]
    return replace(network, info={**network.info, "comparison": counts_only(counts)}), report


def _entrance(
    source: Source,
    grey: tuple[float, float],
    bits: tuple[float, float] | None,
    levels: Sequence[int],
) -> Entrance:
    """How pixels become the inputs of network and source."""
    if source.stages and source.stages[0].window is not None:
        return Maps.of(source, grey, bits, levels)
    if len(levels) > 1:
        raise UserError("--levels is for a network that begins with a convolution.")
    if bits is None:
        return Inputs.graded(source, grey)
    return Inputs.black_and_white(source, bits, levels[0])


def counts_only(counts: dict[str, Any]) -> dict[str, Any]:
    """What of a comparison a network file keeps."""
    return {name: counts[name] for name in ("images", "hidden_bits", "differing_bits")}


def text(report: dict[str, Any]) -> str:
    """The report for people."""
    kinds = ", ".join(report["kinds"]) or "single bits"
    levels = report["levels"]
    pixels = (
        f"pixel threshold {report['pixel_threshold']}"
        if levels is None
        else f"{len(levels[0]) or 'no'} levels of {len(levels)} colours"
    )
    lines = [
        f"{report['source']}: {'-'.join(map(str, report['widths']))}, {kinds}, {pixels}",
        f"differing bits {report['differing_bits']} of {report['hidden_bits']} on "
        f"{report['images']} images",
    ]
    if report["undecided_bits"]:
        lines.append(
            f"  {report['undecided_bits']} of them where rounding in the source's sums decides, "
            "the rest because of these"
        )
    lines.append(
        f"differing scores {report['differing_scores']}"
        if report["differing_scores"] is not None
        else f"scores not compared: biases rounded by up to {report['bias_rounding']:.3f}"
    )
    lines.append(
        f"differing classes {report['differing_classes']}"
        + (f", near ties {report['near_ties']}" if report["differing_classes"] else "")
    )
    return "\n".join([*lines, *(f"note: {note}" for note in report["notes"])])


def parser() -> CommandLine:
    """The command line."""
    result = CommandLine(
        prog="xnor-fcc import",
        description=__doc__,
        epilog=_EPILOG + (import_arrays.__doc__ or ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    pair: dict[str, Any] = {"type": float, "nargs": 2, "metavar": ("LOW", "HIGH")}
    result.add_argument("source", metavar="SOURCE", help="what to import, see below")
    result.add_argument("--out", type=Path, metavar="NAME.npz", required=True,
                        help="integer network to write")  # fmt: skip
    result.add_argument("--grey", **pair, help="the source's values of black and white pixels")
    result.add_argument("--bits", **pair, help="the two values of inputs without a quantiser")
    result.add_argument("--pixel-threshold", type=int, metavar="N",
                        help="with --bits: the grey value, 1 to 255, from which a pixel is the "
                        "second of them (default: 128)")  # fmt: skip
    result.add_argument("--levels", type=int, nargs="+", metavar="N",
                        help="with --bits: several such values, rising; the network takes a "
                        "channel for each of them and each colour")  # fmt: skip
    result.add_argument("--state", type=Path, metavar="FILE",
                        help="with NAME.py:MAKE: the state_dict of the trained module")  # fmt: skip
    result.add_argument("--inputs", type=Path, nargs="+", metavar="FILE",
                        help="images to compare on: IDX, .npy, .npz, or pictures such as "
                        "PNG")  # fmt: skip
    result.add_argument("--images", type=int, metavar="N",
                        help="how many images to compare on (default: 200 random ones, or all of "
                        "--inputs)")  # fmt: skip
    result.add_argument("--seed", type=int, default=0, help="of the random images (default: 0)")
    result.add_argument("--json", action="store_true", help="print the report as JSON")
    return result


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    options = parser().parse_args(argv)
    if options.grey and options.bits:
        raise UserError("--grey is for a network with an input quantiser, --bits for one without.")
    if options.pixel_threshold is not None and not options.bits:
        raise UserError("--pixel-threshold goes with --bits: else the input quantiser tells it.")
    if options.grey and not options.grey[0] != options.grey[1]:
        raise UserError("--grey needs two values that differ.")
    if options.pixel_threshold is not None and not 1 <= options.pixel_threshold <= 255:
        raise UserError(f"--pixel-threshold {options.pixel_threshold} is outside 1 to 255.")
    if options.levels:
        if not options.bits or options.pixel_threshold is not None:
            raise UserError("--levels goes with --bits, in place of --pixel-threshold.")
        if sorted({*options.levels} & {*range(1, 256)}) != options.levels:
            raise UserError("--levels must rise from 1 at least to 255 at most.")
    if options.images is not None and options.images < 1:
        raise UserError(f"--images {options.images} is not at least 1.")
    if options.seed < 0:
        raise UserError(f"--seed {options.seed} is negative.")
    if options.out.suffix != ".npz":
        raise UserError(f"--out {options.out} does not end in .npz.")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Import, compare, write."""
    options = _arguments(argv)
    images: np.ndarray | int = options.images or 200
    if options.inputs is not None:
        images = read_images(options.inputs)[0][: options.images]
    source = load_source(options.source, options.state)
    network, report = import_network(
        source,
        options.out.stem,
        images,
        tuple(options.grey) if options.grey else None,
        tuple(options.bits) if options.bits else None,
        options.pixel_threshold or PIXEL_THRESHOLD,
        options.seed,
        show=not options.json,
        levels=options.levels or (),
    )
    network.save(options.out)
    report["file"] = str(options.out)
    print(json.dumps(report, indent=1) if options.json else text(report))
    if not options.json:
        print(f"wrote {options.out}")
    return 0
