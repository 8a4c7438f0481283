# SPDX-License-Identifier: Apache-2.0
"""Lets the last layer of a network learn from labelled images, as the core does it."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from xnor_fcc.board.uart import BAUD
from xnor_fcc.data import DATASETS
from xnor_fcc.errors import CommandLine, UserError, run_main
from xnor_fcc.files import require_writable
from xnor_fcc.geometry import Geometry
from xnor_fcc.geometry_options import add_geometry, add_network, learning
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.learn import (
    Point,
    Pupil,
    Report,
    at_port,
    by_core,
    course,
    find_images,
    line,
    reference,
    right,
    shown,
    text,
)
from xnor_fcc.learning import LANES, MARGIN, NO_LABEL, START, Learner
from xnor_fcc.shape import ceil_div
from xnor_fcc_sim.core import SimulatedCore
from xnor_fcc_sim.simulate import find_geometry

_EPILOG = f"""\
The hidden layers stay as they are. Each weight of the last layer is the sign of a latent, a whole
number of -128 to 127. An image moves the latents of its class towards it where the score of that
class is below --margin, and those of another class away from it where minus its score is. All are
integers, so a core that learns has the same latents, bit by bit, from the same images. A batch of
--lanes images is scored before any of them moves anything.

A network which has learnt goes on where it was: its file holds the latents, and runs on any core.
Another network begins at +-{START}: a weight turns after some images that want it to. With
--from-zero it forgets what its last layer knew, which suits new classes; hidden layers that have
never seen the like may not tell these apart, and then nothing here helps. What is learnt may cost
accuracy on what was known before: keep the old file.

Labels are the numbers of classes, or {NO_LABEL} of an image that has none: it is answered only.
Accuracy is measured on images that are not learnt from: --test, the last of --held-out, or the test
images of --dataset. Whatever the options, each image is answered before it is learnt from, and how
many of these answers were right is told too.

It is the reference (software) that learns, or, with --simulated, a simulated core of --geometry or
--pe, --simd, --lanes, or, with --device, the core of a board behind a serial port
(rtl/INTEGRATION.md), over which each image is a batch. Such a core has the parameter LEARN, and
takes networks of single bits without convolutions. The network is loaded into it first, and what it
has learnt is read out of it. It answers the images that accuracy is measured on, too, each time,
and then its latents are read: with `mnist` the simulated core shows some 100 images a second, and
takes a second or two for each --every; a port of {BAUD:,} baud takes about as long. --held-out and
--test of few images are quick.

examples
  xnor-fcc learn --inputs mine.npz --held-out 200 --out adapted.npz
  xnor-fcc learn --network adapted.npz --inputs more.npz --test test.npz --every 100 --out more.npz
  xnor-fcc learn --network digits --dataset digits --from-zero --passes 3 --out digits_again.npz
  xnor-fcc learn --inputs mine.npz --held-out 50 --simulated --geometry default --out adapted.npz
  xnor-fcc learn --inputs mine.npz --device /dev/ttyUSB0 --out adapted.npz
  xnor-fcc learn --inputs photos-idx3-ubyte.gz --labels photos-idx1-ubyte.gz --out adapted.npz
  xnor-fcc simulate --network adapted.npz --images 100
"""


def parser() -> CommandLine:
    """The command line."""
    result = CommandLine(
        prog="xnor-fcc learn",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add_network(result)
    what = result.add_mutually_exclusive_group(required=True)
    what.add_argument("--inputs", type=Path, nargs="+", metavar="FILE",
        help="images to learn from: .npz with `images` and `labels`, IDX, .npy")  # fmt: skip
    what.add_argument("--dataset", choices=list(DATASETS),
        help="learn from the training images of this data set")  # fmt: skip
    add("--labels", type=Path, metavar="FILE",
        help="with --inputs: an IDX or .npy file with the labels")  # fmt: skip
    add("--data-dir", type=Path, metavar="DIR",
        help="with --dataset: directory of its raw files; without it they are fetched")  # fmt: skip
    add("--images", type=int, metavar="N", help="only the first N images (default: all)")
    add("--out", type=Path, metavar="NAME.npz", required=True, help="network to write")
    add("--margin", type=int, default=MARGIN, metavar="N",
        help="score, 0 to 255, below which a class moves (default: %(default)s)")  # fmt: skip
    start = result.add_mutually_exclusive_group()
    start.add_argument("--from-zero", action="store_true", help="begin with all latents at 0")
    start.add_argument("--start", type=int, metavar="N",
        help=f"begin with latents of +-N, 0 to 127, by the weights (default: go on with those of "
        f"the network's file, or +-{START})")  # fmt: skip
    add("--passes", type=int, default=1, metavar="N",
        help="learn from all images so often (default: %(default)s)")  # fmt: skip
    test = result.add_mutually_exclusive_group()
    test.add_argument("--test", type=Path, nargs="+", metavar="FILE",
        help="images that accuracy is measured on, with their labels")  # fmt: skip
    test.add_argument("--held-out", type=int, metavar="N",
        help="measure on the last N images instead of learning from them")  # fmt: skip
    add("--every", type=int, metavar="N",
        help="tell accuracy after every N images, rounded up to batches (default: after each "
        "pass)")  # fmt: skip
    who = result.add_mutually_exclusive_group()
    who.add_argument("--simulated", action="store_true", help="let a simulated core learn")
    who.add_argument("--device", metavar="PORT",
        help="let the core behind this serial port learn, as /dev/ttyUSB0")  # fmt: skip
    add("--baud", type=int, metavar="N", help=f"the board's bits a second (default: {BAUD})")
    add_geometry(result, streamed=False)
    add("--json", action="store_true", help="print one JSON object instead of text")
    return result


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    options = parser().parse_args(argv)
    for name in ("images", "passes", "held_out", "every"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UserError(f"--{name.replace('_', '-')} {value} is not at least 1.")
    if options.dataset is None and options.data_dir is not None:
        raise UserError("--data-dir goes with --dataset.")
    if options.dataset is not None and options.labels is not None:
        raise UserError("--labels goes with --inputs: a data set has its own.")
    for name in ("geometry", "pe", "simd"):
        if getattr(options, name) is not None and not options.simulated:
            raise UserError(f"--{name} is the size of a core that is --simulated.")
    if options.device is None and options.baud is not None:
        raise UserError("--baud is the rate of a --device; name one.")
    if options.baud is not None and options.baud < 1:
        raise UserError(f"--baud {options.baud} is not a rate; the board's own is needed.")
    if options.device is not None and options.lanes is not None:
        raise UserError("--lanes is that of the core at --device: leave it out.")
    if options.out.suffix != ".npz":
        raise UserError(f"--out {options.out} does not end in .npz.")
    for path in (*(options.inputs or ()), *(options.test or ()), options.labels):
        there = path is not None and path.exists() and options.out.exists()
        if there and options.out.samefile(path):
            raise UserError(f"--out {options.out} would take the place of images or labels.")
    require_writable(options.out)
    return options


@contextlib.contextmanager
def _pupil(
    options: argparse.Namespace, learner: Learner, geometry: Geometry | None
) -> Iterator[Pupil]:
    """Who is asked to learn; it begins where `learner` is."""
    margin = learner.margin
    if options.device is not None:
        with at_port(options.device, options.baud or BAUD, learner.network, margin) as pupil:
            yield pupil
    elif geometry is not None:
        notes = sys.stderr if options.json else sys.stdout
        note = "building takes a minute or two, once for each geometry"
        print(f"{geometry.label}: {note}", file=notes, flush=True)
        with SimulatedCore(learner.network, geometry) as core:
            yield by_core(core, margin)
    else:
        yield reference(learner)


def main(argv: Sequence[str] | None = None) -> int:
    """Read, learn, write, print."""
    options = _arguments(argv)
    network = IntegerNetwork.load(find_network(options.network))
    geometry = None
    if options.simulated:
        geometry = learning(find_geometry(options, network), network.shape)
    lanes = geometry.lanes if geometry else LANES if options.lanes is None else options.lanes
    learner = Learner(
        network, options.margin, lanes, start=0 if options.from_zero else options.start
    )
    images, test = find_images(options, network)
    with _pupil(options, learner, geometry) as pupil:
        every = ceil_div(options.every or len(images), pupil.lanes) * pupil.lanes
        with tqdm(
            total=shown(images, test, every, options.passes),
            desc="learning", unit="image", delay=2, disable=None, leave=False,
        ) as bar:  # fmt: skip

            def tell(point: Point) -> None:
                # Without images to measure on, nor labels yet, there is nothing to tell.
                known = point["right"] is not None or point["accuracy"] is not None
                if not options.json and known:
                    bar.clear()
                    print(line(point), flush=True)

            def progress(done: int) -> None:
                bar.update(done - bar.n)

            learnt, points = course(
                pupil.learn, images, test, every, options.passes, tell, progress
            )
        replace(pupil.network(), name=options.out.stem).save(options.out)
    report: Report = {
        "network": network.name,
        "margin": options.margin,
        "lanes": pupil.lanes,
        "images": len(images),
        "passes": options.passes,
        "learnt": learnt.learnt,
        "moved": learnt.images_moved,
        "walks": learnt.walks,
        "right": right(learnt, np.tile(images.labels, options.passes)),
        "test_images": 0 if test is None else len(test),
        "before": points[0]["accuracy"],
        "after": points[-1]["accuracy"],
        "course": points,
        "file": str(options.out),
        "core": pupil.core,
    }
    print(json.dumps(report, indent=1) if options.json else text(report))
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
