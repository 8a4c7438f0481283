# SPDX-License-Identifier: Apache-2.0
"""`make reference`: how many images a second the software reference classifies, and that rightly.

Timed is what a host calls to check a core: grey pixels in, `IntegerNetwork.inputs_from`,
`evaluate`, classes, scores and hidden bits out, with the packing of the network and the start of
the threads in every call. The committed MNIST network takes the 10,000 test images again and again.
Every score and class is compared with those of the float path, which is timed as well, and as many
answers must be right as the network's file says.

Then the same of a network that begins with convolutions, of CNV's size with random weights, and
random images of 32x32 pixels in three colours.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import TypedDict

import numpy as np

from xnor_fcc.data import load_test_images
from xnor_fcc.errors import CommandLine, UserError, run_main
from xnor_fcc.files import write_json
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.places import BUILD
from xnor_fcc.random_network import cnv_network
from xnor_fcc.reference import evaluate, preactivations, processors
from xnor_fcc_sim.provenance import source

OUTPUT = BUILD / "reference"
# Images of CNV, whose hidden bits are ten times as many.
_CNV_IMAGES = 512
# Repetitions of the slower float path.
_FLOAT_TIMES = 3

# Scores int32 (N, classes) and classes int64 (N,) of grey images.
Answer = tuple[np.ndarray, np.ndarray]


def repeat(answer: Callable[[], Answer], times: int) -> tuple[list[Answer], float, float, float]:
    """What `answer` gave each time; median and least seconds, median processor-seconds."""
    given, clock, work = [], [], []
    for _ in range(times):
        started, worked = time.perf_counter(), time.process_time()
        given.append(answer())
        clock.append(time.perf_counter() - started)
        work.append(time.process_time() - worked)
    return given, median(clock), min(clock), median(work)


class Speed(TypedDict):
    """How fast the reference is."""

    network: str
    images: int
    repetitions: int
    threads: int
    processors: int
    images_per_second: int
    best: int
    cpu_seconds: float
    float_images_per_second: int
    float_cpu_seconds: float
    accuracy: float | None
    """None of random images."""
    wrong_images: int
    """Those that the two paths do not agree on in every repetition."""
    numpy: str


def measure(
    network: IntegerNetwork, grey: np.ndarray, labels: np.ndarray | None, threads: int, times: int
) -> Speed:
    """The report of a network but for its source."""

    def packed() -> Answer:
        result = evaluate(network, network.inputs_from(grey), threads)
        return result.scores, result.classes

    def multiplied() -> Answer:
        scores = preactivations(network, network.inputs_from(grey))[-1]
        return scores, scores.argmax(axis=1)

    answers, seconds, least, work = repeat(packed, times)
    wanted, float_seconds, _, float_work = repeat(multiplied, min(times, _FLOAT_TIMES))
    wrong = np.zeros(len(grey), np.bool_)
    for scores, classes in answers:
        wrong |= (scores != wanted[0][0]).any(axis=1) | (classes != wanted[0][1])
    return {
        "network": network.name,
        "images": len(grey),
        "repetitions": times,
        "threads": threads,
        "processors": processors(),
        "images_per_second": round(len(grey) / seconds),
        "best": round(len(grey) / least),
        "cpu_seconds": round(work, 4),
        "float_images_per_second": round(len(grey) / float_seconds),
        "float_cpu_seconds": round(float_work, 4),
        "accuracy": None if labels is None else float((answers[-1][1] == labels).mean()),
        "wrong_images": int(wrong.sum()),
        "numpy": np.__version__,
    }


def parser() -> CommandLine:
    """Options of `make reference ARGS=...`."""
    result = CommandLine(prog="make reference", description=__doc__)
    result.add_argument(
        "--threads", type=int, default=processors(),
        help="at most so many (default: one for every processor, here %(default)s)",
    )  # fmt: skip
    result.add_argument(
        "--times", type=int, default=15,
        help="how often all images are classified (default: %(default)s)",
    )  # fmt: skip
    return result


def show(report: Speed) -> None:
    """Print the figures."""
    images = report["images"]
    print(f"{report['network']}: {report['images_per_second']:,} images a second, the median of "
          f"{report['repetitions']} times {images:,} images with {report['threads']} threads; "
          f"{report['best']:,} at best")
    print(f"{1e6 * report['cpu_seconds'] / images:.1f} microseconds of a processor for an image")
    print(f"{report['float_images_per_second']:,} images a second by float32 matrix products, "
          f"{1e6 * report['float_cpu_seconds'] / images:.1f} microseconds")
    right = "" if report["accuracy"] is None else f"{100 * report['accuracy']:.2f} % right; "
    print(f"{right}{report['wrong_images']} images differ from the matrix products")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, report; 1 if an answer is wrong."""
    options = parser().parse_args(argv)
    for name, value in (("threads", options.threads), ("times", options.times)):
        if not 1 <= value <= 1000:
            raise UserError(f"--{name} {value} is outside 1 to 1000.")
    target = OUTPUT / "report.json"
    target.unlink(missing_ok=True)
    network = IntegerNetwork.load(find_network("mnist"))
    measured_on = source()
    grey, labels = load_test_images()
    report = measure(network, grey, labels, options.threads, options.times)
    rng = np.random.default_rng(1)
    colours = rng.integers(0, 256, (_CNV_IMAGES, 32, 32, 3), dtype=np.uint8)
    times = min(options.times, _FLOAT_TIMES)
    cnv = measure(cnv_network(rng), colours, None, options.threads, times)
    write_json(target, {**report, "cnv": cnv, "source": measured_on})
    show(report)
    show(cnv)
    print(f"written to {target}")
    committed = network.info["test_accuracy"]
    if report["accuracy"] != committed:
        print(f"the network's file says {100 * committed:.2f} %: WRONG")
    wrong = report["wrong_images"] + cnv["wrong_images"]
    return int(wrong > 0 or report["accuracy"] != committed)


if __name__ == "__main__":
    sys.exit(run_main(main))
