# SPDX-License-Identifier: Apache-2.0
"""`make softerrors`: what flipped bits in the memories of a loaded core cost in accuracy.

Bits of the stored words are flipped, drawn from all those that the network uses, padding included,
and the test images are classified from what the memory then holds. The model of that memory is
exact: a part of the run repeats it in the simulated core, every hidden bit, score and class
compared. Three curves:

    weights      flips in the weight memory as it is, parity-coded: a flip turns two synapses
    uncoded      the same flips, did the memory hold the weights themselves: a flip turns one
    thresholds   flips in the threshold memory
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from tqdm import tqdm

from xnor_fcc import plot
from xnor_fcc.data import load_test_bits
from xnor_fcc.errors import CommandLine, ToolError, UserError, run_main
from xnor_fcc.files import write_json
from xnor_fcc.generated import fill
from xnor_fcc.geometry import NAMED, Geometry
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.pack import Memory, bit_order, pack, ring_order
from xnor_fcc.renamed import current
from xnor_fcc.tables import markdown
from xnor_fcc_sim import simulator
from xnor_fcc_sim.provenance import source
from xnor_fcc_sim.reports import Source

OUTPUT = simulator.BUILD / "softerrors"
PAGE = Path(__file__).with_name("SOFT_ERRORS.md")
PICTURE = simulator.RTL / "doc" / "soft_errors.svg"
SEED = 1
DRAWS = 5
# Numbers of flips that are tried, as far as the memory goes; the last one is half of its bits,
# which leaves nothing of what it held.
WEIGHT_FLIPS = (1, 10, 100, 1_000, 10_000, 30_000, 60_000, 100_000, 150_000, 200_000, 300_000,
                400_000, 600_000, 1_000_000)  # fmt: skip
THRESHOLD_FLIPS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000)
# Flips in weights and thresholds together that the simulated core gets, and images for each.
HARDWARE_FLIPS = (10_000, 600_000)
HARDWARE_IMAGES = 100
# Images evaluated at once: their activations stay in the cache.
_BLOCK = 1000

Synapses = list[np.ndarray]


# ---- the memory


def in_natural_order(memory: Memory, words: np.ndarray) -> Synapses:
    """Stored words, uint8 (steps, SIMD * PE), by neuron and synapse: the packer's order undone.

    One uint8 (neurons, words, SIMD) for each layer: unused neurons and padded synapses are there,
    and bits are coded as they were.
    """
    g = memory.geometry
    layers = []
    start = 0
    for number, (count, groups) in enumerate(memory.table):
        stored = words[start : start + groups * count, bit_order(g)]
        met = stored.reshape(groups, count, g.simd, g.pe)
        start += groups * count
        natural = np.empty((groups, g.pe, count, g.simd), np.uint8)
        order = ring_order(g, count, number)
        natural[:, np.arange(g.pe)[None, :], order, :] = met.transpose(0, 1, 3, 2)
        layers.append(natural[::-1].reshape(groups * g.pe, count, g.simd))
    return layers


def weights_in(memory: Memory) -> Synapses:
    """The weights that the PEs see, uint8 (neurons, words, SIMD) of each layer.

    XNOR k of a word is the change from its parity k - 1 to its parity k (xnor_popcount.v), whatever
    the memory holds; so every content of the memory is some set of weights.
    """
    result = []
    for coded in in_natural_order(memory, memory.weights):
        inverted = coded.copy()
        inverted[..., 1:] ^= coded[..., :-1]
        result.append(inverted ^ 1)
    return result


def layer_sums(memory: Memory, weights: Synapses, bits: np.ndarray) -> Iterator[np.ndarray]:
    """What the accumulators of each layer hold in the end, above bit 0 of the offset.

    One int32 (N, neurons) for each layer, unused neurons included. `bits` (N, inputs) of 0/1,
    `weights` as `weights_in` has them. A hidden neuron's bit is (sum >= 0), an output neuron's sum
    is its score.
    """
    g = memory.geometry
    half = 1 << (g.score_bits - 2)
    active = bits
    start = 0
    for layer in weights:
        neurons, words, simd = layer.shape
        synapses = layer.reshape(neurons, words * simd)
        # Padded activations are 0; neurons beyond the next layer's words go nowhere.
        x = np.zeros((len(bits), words * simd), np.float32)
        known = min(active.shape[1], words * simd)
        x[:, :known] = active[:, :known]
        offsets = memory.offsets[start : start + neurons // g.pe][::-1].reshape(neurons)
        start += neurons // g.pe
        # XNORs that are 1: the synapses of weight 0, and for each 1 among the activations one more
        # or one less. Whole numbers far below 2^24, so float32 is exact.
        signs = synapses.astype(np.float32) * 2 - 1
        upper = (offsets >> 1) + (synapses == 0).sum(axis=1)
        accumulator = (x @ signs.T).astype(np.int32) + upper.astype(np.int32)
        # As many bits as the accumulator has.
        accumulator += half
        accumulator &= 2 * half - 1
        accumulator -= half
        active = accumulator >= 0
        yield 2 * accumulator + (offsets & 1).astype(np.int32)


def classes_of(memory: Memory, weights: Synapses, bits: np.ndarray) -> np.ndarray:
    """The core's classes, int64 (N,), for images `bits` (N, inputs)."""
    result = []
    for start in range(0, len(bits), _BLOCK):
        *_, scores = layer_sums(memory, weights, bits[start : start + _BLOCK])
        result.append(scores[:, : memory.classes].argmax(axis=1))
    return np.concatenate(result)


# ---- flips


def weight_bits(memory: Memory) -> int:
    """Bits of the weight memory in the words that the network uses."""
    return memory.weights.size


def threshold_bits(memory: Memory) -> int:
    """Bits of the threshold memory in the words that the network uses."""
    return memory.offsets.size * memory.geometry.score_bits


def flip_weights(memory: Memory, places: np.ndarray) -> Memory:
    """A copy with the stored bits at `places` (of `weight_bits`) flipped."""
    weights = memory.weights.copy()
    weights.reshape(-1)[places] ^= 1
    return replace(memory, weights=weights)


def flip_thresholds(memory: Memory, places: np.ndarray) -> Memory:
    """A copy with the stored bits at `places` (of `threshold_bits`) flipped."""
    size = memory.geometry.score_bits
    flat = memory.offsets.copy().reshape(-1)
    neurons, bits = np.divmod(places, size)
    np.bitwise_xor.at(flat, neurons, np.left_shift(1, bits))
    # Numbers of SCORE_BITS bits with a sign.
    half = 1 << (size - 1)
    flat = (flat + half & 2 * half - 1) - half
    return replace(memory, offsets=flat.reshape(memory.offsets.shape))


def draw(bits: int, flips: int, seed: int, number: int) -> np.ndarray:
    """The places of `flips` different bits out of `bits`, for draw `number`."""
    return np.random.default_rng((seed, flips, number)).choice(bits, flips, replace=False)


def corrupted(memory: Memory, flips: int, seed: int) -> Memory:
    """`flips` bits flipped somewhere in both memories together."""
    split = weight_bits(memory)
    places = draw(split + threshold_bits(memory), flips, seed, 0)
    flipped = flip_weights(memory, places[places < split])
    return flip_thresholds(flipped, places[places >= split] - split)


# ---- measuring


class Points(TypedDict):
    """Accuracies of the draws, by the number of flipped bits."""

    memory_bits: int
    flips: list[int]
    accuracy_median: list[float]
    accuracy_mean: list[float]
    accuracy_min: list[float]
    accuracy_max: list[float]


class CurvePoints(Points):
    """Those of a kind of flip."""

    flips_for_one_percent: int | None


class Measured(TypedDict):
    """What the model of the memories says."""

    accuracy: float
    """Without a flip."""
    curves: dict[str, CurvePoints]


class Simulated(TypedDict):
    """What the simulated core says of some of it."""

    flips: int
    flips_by_load: list[int]
    images: int
    hidden_bits: int
    wrong_bits: int
    first_difference: str | None


class Report(Points, Measured):
    """What report.json holds; the points are those of the core as it is."""

    geometry: dict[str, Any]
    network: str
    classes: int
    draws: int
    images: int
    seed: int
    hardware: Simulated
    seconds: float
    source: Source


def with_coded_flips(memory: Memory, places: np.ndarray) -> tuple[Memory, Synapses]:
    """What the core computes with after flips in its weight memory."""
    flipped = flip_weights(memory, places)
    return flipped, weights_in(flipped)


def with_uncoded_flips(memory: Memory, places: np.ndarray) -> tuple[Memory, Synapses]:
    """The same, did the memory hold weight k of a word where it holds parity k."""
    flips = np.zeros_like(memory.weights)
    flips.reshape(-1)[places] = 1
    pairs = zip(weights_in(memory), in_natural_order(memory, flips), strict=True)
    return memory, [weights ^ flipped for weights, flipped in pairs]


def with_threshold_flips(memory: Memory, places: np.ndarray) -> tuple[Memory, Synapses]:
    """What the core computes with after flips in its threshold memory."""
    flipped = flip_thresholds(memory, places)
    return flipped, weights_in(flipped)


@dataclass(frozen=True)
class Curve:
    """How many bits there are to flip, what the core computes with after it, and what is tried."""

    size: Callable[[Memory], int]
    store: Callable[[Memory, np.ndarray], tuple[Memory, Synapses]]
    flips: tuple[int, ...]

    def points(self, memory: Memory) -> list[int]:
        """The numbers of flips that are tried, up to half of the bits."""
        half = self.size(memory) // 2
        return [*(flips for flips in self.flips if flips < half), half]


CURVES = {
    "weights": Curve(weight_bits, with_coded_flips, WEIGHT_FLIPS),
    "uncoded": Curve(weight_bits, with_uncoded_flips, WEIGHT_FLIPS),
    "thresholds": Curve(threshold_bits, with_threshold_flips, THRESHOLD_FLIPS),
}


def measure(
    memory: Memory, bits: np.ndarray, labels: np.ndarray, draws: int, seed: int
) -> Measured:
    """Accuracy on the images against flips, by curve, and what a percentage point of it takes."""

    def accuracy(model: Memory, weights: Synapses) -> float:
        return float((classes_of(model, weights, bits) == labels).mean())

    base = accuracy(memory, weights_in(memory))
    found: dict[str, dict[int, list[float]]] = {name: {} for name in CURVES}
    plan = [(name, flips) for name, each in CURVES.items() for flips in each.points(memory)]
    for name, flips in tqdm(plan, desc="flipping", unit="point", mininterval=1.0):
        size, store = CURVES[name].size(memory), CURVES[name].store
        found[name][flips] = [
            accuracy(*store(memory, draw(size, flips, seed, number))) for number in range(draws)
        ]
    curves = {name: curve_of(CURVES[name].size(memory), found[name], base) for name in CURVES}
    return {"accuracy": base, "curves": curves}


def curve_of(memory_bits: int, draws: Mapping[int, Sequence[float]], base: float) -> CurvePoints:
    """What is told of the accuracies of the draws, by flips; `base` is the accuracy without one.

    What is drawn is the median: one unlucky bit, the upper one of an output neuron's offset, costs
    a tenth of all answers, and would lift itself into the mean of five.
    """

    def told(function: Callable[[Sequence[float]], Any]) -> list[float]:
        return [round(float(function(accuracies)), 6) for accuracies in draws.values()]

    flips, medians = list(draws), told(np.median)
    return {
        "memory_bits": memory_bits,
        "flips": flips,
        "accuracy_median": medians,
        "accuracy_mean": told(np.mean),
        "accuracy_min": told(np.min),
        "accuracy_max": told(np.max),
        "flips_for_one_percent": flips_for(flips, medians, base, 0.01),
    }


def flips_for(
    flips: Sequence[int], medians: Sequence[float], accuracy: float, loss: float
) -> int | None:
    """Flips at which the median has fallen by `loss`, between points on a logarithmic scale; None
    where it never falls so far."""
    goal = accuracy - loss
    if medians[0] <= goal:
        return flips[0]
    for (few, high), (many, low) in pairwise(zip(flips, medians, strict=True)):
        if low <= goal < high:
            share = (high - goal) / (high - low)
            return round(math.exp(math.log(few) + share * math.log(many / few)))
    return None


def simulate(
    geometry: Geometry,
    network: IntegerNetwork,
    bits: np.ndarray,
    flips: Sequence[int],
    seed: int,
    output: Path,
    unknown: int = 0,
) -> Simulated:
    """The simulated core, corrupted, against the model: flips, images, hidden_bits, wrong_bits.

    One load for each of `flips`, in both memories together, and the images `bits` (N, inputs).
    `unknown`: flips in the weights that the model is not told, to see that they are found.
    """
    output.mkdir(parents=True, exist_ok=True)
    measured = output / "hardware.json"
    measured.unlink(missing_ok=True)
    network.save(output / "network.npz")
    np.save(output / "bits.npy", bits)
    failure = ""
    try:
        simulator.build("xnor_fcc", geometry.parameters()).run(
            "measure.soft_errors_tests",
            output,
            testcase="answers_of_corrupted_memories",
            settings={
                "geometry": asdict(geometry), "network": str(output / "network.npz"),
                "bits": str(output / "bits.npy"), "flips": list(flips), "seed": seed,
                "unknown": unknown, "report": str(measured),
            },
        )  # fmt: skip
    except AssertionError as error:
        failure = str(error)
    if not measured.exists():
        why = simulator.reason(failure)
        raise ToolError(f"The simulation ended early ({why}); see {output / 'simulation.log'}.")
    result: Simulated = json.loads(measured.read_text())
    # Whatever else went wrong.
    if failure and not result["wrong_bits"]:
        raise ToolError(f"The simulation failed: {failure.strip().splitlines()[-1]}")
    return result


# ---- picture and page

_STYLES = {
    "weights": ("#1f77b4", "weight memory, parity-coded as built"),
    "uncoded": ("#e6862e", "the same flips, were weights stored uncoded"),
    "thresholds": ("#3a9a4b", "threshold memory"),
}


@dataclass(frozen=True)
class Drawn:
    """What the picture shows."""

    curves: dict[str, tuple[list[int], list[float], list[float], list[float]]]
    """Flips, and the accuracies of the worst, the median and the best draw, by kind of flip."""
    labels: dict[str, str]
    """What the legend says of them."""
    chance: float
    images: int
    legend: str


def drawn(report: Report) -> Drawn:
    """What to draw of a report."""
    g, curves = report["geometry"], report["curves"]
    labels = {}
    for name, (_, text) in _STYLES.items():
        lost = curves[name]["flips_for_one_percent"]
        labels[name] = text + (f": {_about(lost)} flips cost 1 %" if lost else "")
    return Drawn(
        curves={
            name: (c["flips"], c["accuracy_min"], c["accuracy_median"], c["accuracy_max"])
            for name, c in curves.items()
        },
        labels=labels,
        chance=1 / report["classes"],
        images=report["images"],
        legend=f"In use, PE={g['pe']} SIMD={g['simd']}: "
        f"{curves['weights']['memory_bits']:,} weight bits and "
        f"{curves['thresholds']['memory_bits']:,} threshold bits. Median and range of "
        f"{report['draws']} draws:",
    )


def picture(shown: Drawn) -> str:
    """The curves as SVG: accuracy over flips, median with the range of the draws."""
    axes = plot.axes(8.0, 5.6)
    axes.axhline(shown.chance, color=plot.GREY, linestyle="dashed", linewidth=1)
    axes.annotate("chance", (0, shown.chance), (6, 3), color=plot.GREY,
                  xycoords=("axes fraction", "data"), textcoords="offset points")  # fmt: skip
    for name, (flips, low, middle, high) in shown.curves.items():
        colour, _ = _STYLES[name]
        axes.fill_between(flips, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(flips, middle, "o-", markersize=4, color=colour, label=shown.labels[name])
    axes.set_xscale("log")
    plot.logarithmic(axes.xaxis, (1,), ",.0f")
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_locator(plot.multiples(0.1))
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("flipped bits")
    axes.set_ylabel(f"accuracy, {shown.images:,} test images")
    axes.figure.legend(loc="outside lower left", title=shown.legend, alignment="left",
                       frameon=False)  # fmt: skip
    return plot.svg(axes, "Accuracy after bit flips in the memories", shown)


def _about(flips: int) -> str:
    """Two digits: more is not known from some draws."""
    digits = len(str(flips)) - 2
    return f"{round(flips, -digits):,}" if digits > 0 else str(flips)


def table(report: Report) -> str:
    """The figures as a table that a terminal and SOFT_ERRORS.md both show."""
    curves = report["curves"]
    rows: dict[int, dict[str, str]] = {}
    for name, curve in curves.items():
        shares = (curve["accuracy_median"], curve["accuracy_min"], curve["accuracy_max"])
        for flips, middle, low, high in zip(curve["flips"], *shares, strict=True):
            rows.setdefault(flips, {})[name] = f"{middle:.2%} ({low:.2%} to {high:.2%})"
    lost = [curves[name]["flips_for_one_percent"] for name in curves]
    return markdown(
        ("flips", "weight memory", "uncoded", "threshold memory"),
        [
            ["0", *[f"{report['accuracy']:.2%}"] * len(curves)],
            *([f"{flips:,}", *(rows[flips].get(name, "") for name in curves)]
              for flips in sorted(rows)),
            ["**cost 1 %**", *(_about(n) if n else "never" for n in lost)],
        ],
    )


def page(report: Report) -> str:
    """The part of SOFT_ERRORS.md that is generated."""
    g, hardware, curves = report["geometry"], report["hardware"], report["curves"]
    loads = ", ".join(f"{flips:,}" for flips in hardware["flips_by_load"])
    return (
        f"Network `{report['network']}`, PE={g['pe']} SIMD={g['simd']}: "
        f"{curves['weights']['memory_bits']:,} bits of weight memory and "
        f"{curves['thresholds']['memory_bits']:,} bits of threshold memory are in use. Median (and "
        f"range) of {report['draws']} draws, {report['images']:,} test images each, seed "
        f"{report['seed']}.\n\n{table(report)}\n\n"
        f"Repeated in the simulated core with {loads} flips in both memories together: "
        f"{hardware['images']:,} images, {hardware['hidden_bits']:,} hidden bits and every score, "
        f"{hardware['wrong_bits']} bits differ from the model."
    )


def write_page(report: Report, path: Path = PAGE) -> None:
    """Put the result into SOFT_ERRORS.md."""
    fill(path, page(report))


# ---- command line


def parser() -> CommandLine:
    """The command line."""
    result = CommandLine(
        prog="make softerrors",
        description="Flips random bits in the memories of a loaded core and measures the accuracy "
        "against the number of flips: in the weight memory, in the threshold memory, and in a "
        "weight memory that were not parity-coded. Some of it is repeated in the simulated core, "
        "which has to agree in every bit. Three minutes, and one more where the core is not built.",
        epilog="With make, write options in ARGS: make softerrors ARGS='--draws 2'. Writes "
        "report.json and soft_errors.svg; the exit code is 0 only if hardware and model agree.",
    )
    add = result.add_argument
    add("--geometry", type=current, choices=sorted(NAMED), default="default",
        help="a core by name (default: %(default)s)")
    add("--draws", type=int, default=DRAWS, help="random draws of each point (%(default)s)")
    add("--images", type=int, help="test images of each draw (default: all 10,000)")
    add("--seed", type=int, default=SEED, help="of all draws (%(default)s)")
    add("--write", action="store_true", help="put the result into SOFT_ERRORS.md and its picture")
    add("--output", type=Path, default=OUTPUT, help="directory of the results (build/softerrors)")
    return result


def main() -> int:
    """Measure, simulate, report."""
    options = parser().parse_args()
    bits, labels = load_test_bits()
    images = len(bits) if options.images is None else options.images
    for name, value, most in (("images", images, len(bits)), ("draws", options.draws, 1000),
                              ("seed", options.seed, 2**31 - 1)):
        if not 1 <= value <= most:
            raise UserError(f"--{name} {value} is outside 1 to {most}.")
    plot.require()
    simulator.chosen()
    started = time.monotonic()
    measured_on = source()
    network = IntegerNetwork.load(find_network("mnist"))
    geometry = Geometry.for_widths(network.widths, *NAMED[options.geometry])
    output = options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    (output / "report.json").unlink(missing_ok=True)

    print("simulating: building the core takes a minute or two, once", flush=True)
    some = bits[: min(images, HARDWARE_IMAGES)]
    hardware = simulate(geometry, network, some, HARDWARE_FLIPS, options.seed, output)
    measured = measure(
        pack(network, geometry), bits[:images], labels[:images], options.draws, options.seed
    )
    weights = measured["curves"]["weights"]
    report: Report = {
        "geometry": asdict(geometry),
        "network": network.name,
        "classes": network.classes,
        "draws": options.draws,
        "images": images,
        "seed": options.seed,
        "hardware": hardware,
        "memory_bits": weights["memory_bits"],
        "flips": weights["flips"],
        "accuracy_median": weights["accuracy_median"],
        "accuracy_mean": weights["accuracy_mean"],
        "accuracy_min": weights["accuracy_min"],
        "accuracy_max": weights["accuracy_max"],
        "accuracy": measured["accuracy"],
        "curves": measured["curves"],
        "seconds": round(time.monotonic() - started, 1),
        "source": measured_on,
    }
    write_json(output / "report.json", report)
    drawing = picture(drawn(report))
    (output / PICTURE.name).write_text(drawing)
    print(page(report))
    if options.write:
        write_page(report)
        PICTURE.write_text(drawing)
    if hardware["wrong_bits"]:
        print(f"error: {hardware['wrong_bits']} bits of the simulated core are not the model's: "
              f"{hardware['first_difference']}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
