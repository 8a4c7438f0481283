# SPDX-License-Identifier: Apache-2.0
"""`make methods`: what each method is worth, from the committed networks and training reports.

Compared are the dense networks that were trained on MNIST; of those with convolutions, which take
another core, `map_methods` tells. Every dense integer network of model/networks is evaluated by the
reference on all test images, and must answer as many of them right as the report of its training
says. Its cycles are those of `Geometry`, its area that of `area.estimate`, for the core that it
would run in: PE, SIMD and LANES of the geometry `throughput`, and otherwise the smallest one.
Reports of further runs, of other seeds or in float, are in model/results, with the networks that no
core computes.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from tqdm import tqdm

from measure import map_methods
from xnor_fcc import plot
from xnor_fcc.area import estimate
from xnor_fcc.data import load_test_images
from xnor_fcc.devices import devices
from xnor_fcc.errors import CommandLine, UserError, run_main
from xnor_fcc.files import write_json
from xnor_fcc.generated import fill
from xnor_fcc.geometry import NAMED, Geometry, Shape
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.places import NETWORKS
from xnor_fcc.reference import evaluate
from xnor_fcc.space import Space
from xnor_fcc.tables import markdown
from xnor_fcc_sim import simulator
from xnor_fcc_sim.provenance import source

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RESULTS = NETWORKS.parent / "results"
OUTPUT = simulator.BUILD / "methods"
PAGE = Path(__file__).with_name("METHODS.md")
PICTURE = Path(__file__).with_name("methods.svg")

SIZES = NAMED["throughput"]
DEVICE = "de1-soc"
DATASET = "mnist"
# Accuracies for which the quickest network is looked for.
GOALS = (0.984, 0.98, 0.97)

# Toggles of one image that `make activity` counts in the geometry `throughput` with the default
# network, 8.7 million: in the popcounts and accumulators for each XNOR, idle ones included, and in
# the two registers behind the weight memory for each bit read. The rest, a twentieth, is left out.
_TOGGLES_PER_XNOR = 2.25
_TOGGLES_PER_WEIGHT_BIT = 0.98

# Bits of a weight in the memory of a core: a ternary one is the sum of two planes.
_BITS = {"binary": 1, "ternary": 2, "float": 32}
# Sign and exponent.
_SHIFT_BITS = 4

# Recipes whose networks have no integer form.
_MODEL_ONLY = ("float", "ttq")

# What a recipe says only where it is not this (an old one says less than a new one); and what tells
# runs of one method from each other.
_PLAIN = {"dataset": "mnist", "name": "best", "order": 1, "weights": "binary",
          "first_layer": "binary", "pruned_from": ""}  # fmt: skip
_OF_A_RUN = ("seed", "data_seed", "pruned_sha256")


@dataclass(frozen=True)
class Run:
    """A training run: its report, and the network that came out of it if that is committed."""

    name: str
    report: Mapping[str, Any]
    network: IntegerNetwork | None = None

    @property
    def recipe(self) -> dict[str, Any]:
        """Everything that decided the result, as `xnor_fcc.training.recipes` has it."""
        return {**_PLAIN, **self.report["recipe"]}

    def agrees(self, other: Run, but: Sequence[str] = ()) -> bool:
        """Whether the recipes are the same in all that both tell, but for the keys of `but`."""
        keys = self.recipe.keys() & other.recipe.keys() - set(but)
        return all(self.recipe[key] == other.recipe[key] for key in keys)

    @property
    def accuracy(self) -> float:
        """On the test set, as the training measured it."""
        return float(self.report["test_accuracy"])

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, hidden layers, classes."""
        return tuple(self.recipe["widths"])

    @property
    def shape(self) -> Shape | None:
        """What decides its core and its cycles; None where no core computes such a network."""
        recipe = self.recipe
        if recipe["name"] in _MODEL_ONLY or recipe["first_layer"] != "binary":
            return None
        if self.network is not None:
            return self.network.shape
        layers = len(self.widths) - 1
        ternary = recipe["weights"] == "ternary"
        return Shape(self.widths, (recipe["order"],) * layers, (ternary,) * layers)


def load_runs(networks: Path = NETWORKS, results: Path = RESULTS) -> list[Run]:
    """Every run of a dense network on `DATASET` that left a network or a report, by name."""
    runs = []
    files = {path for directory in (networks, results) for path in directory.glob("*.npz")}
    for path in sorted(files, key=lambda path: path.stem):
        if path.stem.endswith("_trained"):
            continue  # before it was made integer
        network = IntegerNetwork.load(path)
        if "recipe" not in network.info:
            raise UserError(f"The network {path} does not say how it was trained.")
        runs.append(Run(path.stem, network.info, network))
    for path in sorted(results.glob("*.json")):
        try:
            run = Run(path.stem, json.loads(path.read_text()))
            accuracy, _ = run.accuracy, run.widths
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is not the report of a training run.") from error
        twin = next((known for known in runs if known.agrees(run)), None)
        if twin is None:
            runs.append(run)
        elif twin.accuracy != accuracy:
            raise UserError(
                f"{path} tells of the same training as {twin.name}, but not of the same accuracy: "
                f"{accuracy}, not {twin.accuracy}."
            )
    return [
        run for run in runs if run.recipe["dataset"] == DATASET and "maps" not in run.recipe
    ]


# ---- figures


class Fitting(TypedDict):
    """A geometry that fits the chip, and what it makes of the network."""

    pe: int
    simd: int
    lanes: int
    cycles_per_image: float
    latency_cycles: int
    alm: int
    m10k: int


class Hardware(TypedDict, total=False):
    """The core that a network runs in; nothing where no core computes it."""

    geometry: dict[str, Any]
    cycles_per_image: float
    batch_cycles: int
    images_per_batch: int
    latency_cycles: int
    alm: int
    m10k: int
    exceeds: list[str]
    """What the chip has too little of."""
    fitting: Fitting | None
    """The quickest geometry that fits, where this one does not."""
    xnors_per_image: float
    weight_bits_read_per_image: float
    toggles_per_image: float


class Row(Hardware):
    """The figures of a method."""

    name: str
    method: str
    recipe: str
    widths: list[int]
    order: int
    weights: str
    first_layer: str
    pruned: bool
    network: bool
    """Whether its network is committed."""
    accuracy: float
    """Of the network; where there is none, of the runs."""
    runs: int
    epochs: int
    accuracy_mean: float
    accuracy_min: float
    accuracy_max: float
    weight_bits: int


class Pruned(TypedDict):
    """A network whose neurons were cut."""

    name: str
    accuracy: float
    cycles_per_image: float


class Goal(TypedDict):
    """The quickest network of at least an accuracy, if there is one."""

    accuracy: float
    name: str | None


class Cost(TypedDict):
    """What binary weights and activations cost with a recipe."""

    recipe: str
    epochs: int
    accuracy: float
    below_float: float | None


class Report(TypedDict):
    """The figures of all methods."""

    images: int
    sizes: list[int]
    rows: list[Row]
    front: list[str]
    order2_accuracy: float | None
    pruned: list[Pruned]
    goals: list[Goal]
    binarisation: list[Cost]
    convolutions: list[map_methods.MapRow]


def measured_accuracy(run: Run, images: np.ndarray, labels: np.ndarray) -> float:
    """Share of the grey `images` (N, pixels) that the reference reads right.

    `UserError` where that is not what the training says.
    """
    assert run.network is not None
    answers = evaluate(run.network, run.network.inputs_from(images)).classes
    accuracy = float((answers == labels).mean())
    if accuracy != run.accuracy:
        raise UserError(
            f"The network {run.name} reads {accuracy:.4f} of the test images right, but the report "
            f"of its training says {run.accuracy:.4f}."
        )
    return accuracy


def weight_bits(run: Run) -> int:
    """Bits of all weights as a memory would hold them."""
    pairs = list(zip(run.widths, run.widths[1:], strict=False))
    each = [_BITS["float" if run.recipe["name"] == "float" else run.recipe["weights"]]] * len(pairs)
    if run.recipe["first_layer"] == "shifts":
        each[0] = _SHIFT_BITS
    return sum(n * m * bits for (n, m), bits in zip(pairs, each, strict=True))


def hardware(shape: Shape) -> Hardware:
    """Cycles, area and the proxy of the energy, in the core that a network of `shape` runs in."""
    g = Geometry.for_widths(shape, *SIZES)
    area = estimate(g)
    space = Space(devices()[DEVICE], shape, timeout=0)
    exceeds = space.excess(g, area)
    images = g.images_per_batch(shape)
    # Bits of weights read in a pass, each of which meets every lane, in use or not.
    read = g.steps(shape) * g.pe * g.simd
    xnors, bits = read * g.lanes / images, read / images
    return {
        "geometry": asdict(g),
        "cycles_per_image": g.period_cycles(shape) / images,
        "batch_cycles": g.pass_cycles(shape),
        "images_per_batch": images,
        "latency_cycles": g.latency_cycles(shape, 0),
        "alm": round(area.alm),
        "m10k": area.blocks,
        "exceeds": exceeds,
        "fitting": quickest_fitting(space) if exceeds else None,
        "xnors_per_image": xnors,
        "weight_bits_read_per_image": bits,
        "toggles_per_image": _TOGGLES_PER_XNOR * xnors + _TOGGLES_PER_WEIGHT_BIT * bits,
    }


def quickest_fitting(space: Space) -> Fitting | None:
    """The geometry with the fewest cycles an image that fits the chip; None where none does."""
    found = space.explore()
    if not found:
        return None
    best = min(found, key=lambda candidate: candidate.costs)
    return {
        "pe": best.sizes.pe,
        "simd": best.sizes.simd,
        "lanes": best.sizes.lanes,
        "cycles_per_image": best.cycles,
        "latency_cycles": best.latency,
        "alm": round(best.area.alm),
        "m10k": best.area.blocks,
    }


def label(recipe: Mapping[str, Any]) -> str:
    """What the tables call a method."""
    if recipe["name"] == "float":
        return "float"
    if recipe["name"] == "ttq":
        return "ternary weights, a scale for each sign"
    words = [
        "order 2" if recipe["order"] == 2 else "",
        "ternary weights" if recipe["weights"] == "ternary" else "",
        "first layer +-2^k" if recipe["first_layer"] == "shifts" else "",
    ]
    kind = ", ".join(word for word in words if word) or "binary"
    trained = ", recipe original" if recipe["name"] == "original" else ""
    return kind + trained + (", pruned" if recipe["pruned_from"] else "")


def row_of(runs: Sequence[Run], images: np.ndarray, labels: np.ndarray) -> Row:
    """The figures of a method, the first of `runs` being the one whose network counts, if any."""
    first = runs[0]
    found = [run.accuracy for run in runs]
    row: Row = {
        "name": first.name,
        "method": label(first.recipe),
        "recipe": first.recipe["name"],
        "widths": list(first.widths),
        "order": first.recipe["order"],
        "weights": "float" if first.recipe["name"] == "float" else first.recipe["weights"],
        "first_layer": first.recipe["first_layer"],
        "pruned": bool(first.recipe["pruned_from"]),
        "network": first.network is not None,
        "accuracy": mean(found),
        "runs": len(runs),
        "epochs": first.recipe["epochs"],
        "accuracy_mean": mean(found),
        "accuracy_min": min(found),
        "accuracy_max": max(found),
        "weight_bits": weight_bits(first),
    }
    if first.network is not None:
        row["accuracy"] = measured_accuracy(first, images, labels)
    if first.shape:
        row.update(hardware(first.shape))
    return row


def measure(runs: Sequence[Run], images: np.ndarray, labels: np.ndarray) -> Report:
    """The report of all methods."""
    groups: list[list[Run]] = []
    for run in runs:
        group = next((group for group in groups if group[0].agrees(run, _OF_A_RUN)), None)
        if group is None:
            groups.append(group := [])
        group.append(run)
    ordered = []
    for group in groups:
        # A row for each network, or one for a method that has none.
        heads = [run for run in group if run.network is not None] or group[:1]
        ordered += [[head, *(run for run in group if run is not head)] for head in heads]
    rows = [
        row_of(group, images, labels)
        for group in tqdm(ordered, desc="evaluating", unit="network", leave=False, disable=None)
    ]
    # From the most to the fewest cycles; what no core computes comes first.
    rows.sort(key=lambda row: (-row.get("cycles_per_image", math.inf), row["name"]))
    best = [row["accuracy"] for row in rows if row["order"] == 2 and row["network"]]
    pruned = [row for row in rows if row["pruned"] and row["network"]]
    return {
        "images": len(images),
        "sizes": list(SIZES),
        "rows": rows,
        "front": [row["name"] for row in front(rows)],
        "order2_accuracy": max(best, default=None),
        "pruned": [
            {
                "name": row["name"],
                "accuracy": row["accuracy"],
                "cycles_per_image": row["cycles_per_image"],
            }
            for row in pruned
        ],
        "goals": [{"accuracy": goal, "name": quickest(pruned, goal)} for goal in GOALS],
        "binarisation": binarisation(rows),
        "convolutions": map_methods.measure(),
    }


def front(rows: Iterable[Row]) -> list[Row]:
    """The networks that no other one beats in accuracy and cycles an image, quickest first."""
    kept: list[Row] = []
    computed = (row for row in rows if row["network"] and "cycles_per_image" in row)
    for row in sorted(computed, key=lambda row: (row["cycles_per_image"], -row["accuracy"])):
        if not kept or row["accuracy"] > kept[-1]["accuracy"]:
            kept.append(row)
    return kept


def quickest(rows: Iterable[Row], goal: float) -> str | None:
    """The name of the network with the fewest cycles among those of at least `goal`."""
    enough = [row for row in rows if row["accuracy"] >= goal]
    if not enough:
        return None
    return str(min(enough, key=lambda row: (row["cycles_per_image"], -row["accuracy"]))["name"])


def binarisation(rows: Iterable[Row]) -> list[Cost]:
    """The network `mnist`, as float and as binary with either recipe."""
    rows = list(rows)
    whole = [row["widths"] for row in rows if row["name"] == "mnist"]
    plain = [
        row for row in rows
        if row["widths"] in whole and not row["pruned"] and row["order"] == 1
        and row["weights"] != "ternary" and row["first_layer"] == "binary"
    ]  # fmt: skip
    exact = next((row["accuracy"] for row in plain if row["weights"] == "float"), None)
    return [
        {
            "recipe": row["recipe"],
            "epochs": row["epochs"],
            "accuracy": row["accuracy"],
            "below_float": None if exact is None else exact - row["accuracy"],
        }
        for row in sorted(plain, key=lambda row: -row["accuracy"])
    ]


# ---- table


def _hidden(widths: Sequence[int]) -> str:
    """Hidden layers, equal ones counted."""
    inner = widths[1:-1]
    if len(inner) > 1 and len(set(inner)) == 1:
        return f"{len(inner)} x {inner[0]}"
    return ", ".join(map(str, inner))


def _bits(number: float) -> str:
    return f"{number / 1e6:.2f} M"


def table(report: Report) -> str:
    """The rows as a table of Markdown."""
    head = ("method", "network", "hidden", "accuracy", "runs: mean (lowest to highest)",
            "weight bits", "cycles an image", "latency", "ALM", "M10K", "toggles")  # fmt: skip
    rows = []
    for row in report["rows"]:
        seeds = f"{row['runs']} of {row['epochs']} epochs"
        if row["runs"] > 1:
            seeds += (f": {row['accuracy_mean']:.2%} ({row['accuracy_min']:.2%} to "
                      f"{row['accuracy_max']:.2%})")  # fmt: skip
        core = ["-"] * 5
        if "cycles_per_image" in row:
            beyond = " *" if row["exceeds"] else ""
            core = [f"{row['cycles_per_image']:g}", f"{row['latency_cycles']}",
                    f"{row['alm']:,}{beyond}", f"{row['m10k']:,}{beyond}",
                    _bits(row["toggles_per_image"])]  # fmt: skip
        name = f"`{row['name']}`" if row["network"] else ""
        rows.append([row["method"], name, _hidden(row["widths"]), f"{row['accuracy']:.2%}", seeds,
                     _bits(row["weight_bits"]), *core])  # fmt: skip
    return markdown(head, rows)


def binarisation_table(report: Report) -> str:
    """What binary weights and activations cost."""
    names = {"float": "float", "best": "binary, recipe best", "original": "binary, recipe original"}
    rows = []
    for row in report["binarisation"]:
        below = row["below_float"]
        text = "" if below is None or row["recipe"] == "float" else f"{100 * below:.2f} points"
        rows.append((names[row["recipe"]], row["epochs"], f"{row['accuracy']:.2%}", text))
    return markdown(("training", "epochs", "accuracy", "below float"), rows)


def goals_table(report: Report) -> str:
    """The quickest pruned network for each accuracy."""
    networks = {row["name"]: row for row in report["rows"]}
    rows = []
    for goal in report["goals"]:
        row = networks.get(goal["name"] or "")
        cells = ["none yet", "", "", ""] if row is None else [
            f"`{row['name']}`", _hidden(row["widths"]), f"{row['accuracy']:.2%}",
            f"{row['cycles_per_image']:g}",
        ]  # fmt: skip
        rows.append([f"{goal['accuracy']:.1%}", *cells])
    return markdown(("at least", "network", "hidden", "accuracy", "cycles an image"), rows)


def beyond_text(report: Report) -> str:
    """What the stars of the table mean: what the chip has too little of, and what fits it."""
    board = devices()[DEVICE].board
    lines = []
    for row in report["rows"]:
        if not row.get("exceeds"):
            continue
        fitting = row["fitting"]
        instead = "no geometry with a weight memory does" if fitting is None else (
            f"the quickest geometry that does is PE={fitting['pe']} SIMD={fitting['simd']} "
            f"LANES={fitting['lanes']}, {fitting['cycles_per_image']:g} cycles an image, latency "
            f"{fitting['latency_cycles']}, {fitting['alm']:,} ALMs, {fitting['m10k']} M10K"
        )
        lines.append(f"\n\n\\* `{row['name']}` does not fit the {board} in this geometry "
                     f"({', '.join(row['exceeds'])}); {instead}.")  # fmt: skip
    return "".join(lines)


def page(report: Report) -> str:
    """The part of METHODS.md that is generated."""
    pe, simd, lanes = report["sizes"]
    return (
        f"The {report['images']:,} test images, PE={pe} SIMD={simd} LANES={lanes}.\n\n"
        f"{table(report)}{beyond_text(report)}\n\n"
        f"**What binarisation costs**, the same layers throughout:\n\n{binarisation_table(report)}"
        f"\n\n**The quickest pruned networks:**\n\n{goals_table(report)}"
        f"\n\n**Networks with convolutions**, each in the core that `make sim` takes for it:\n\n"
        f"{map_methods.page(report['convolutions'])}"
    )


# ---- picture

_COLOURS = {
    "binary": "#1f77b4",
    "order 2": "#d62728",
    "ternary weights": "#3a9a4b",
    "recipe original": "#9467bd",
    "other": "#7f7f7f",
}
# Of a network whose neurons were cut, and of one that is whole.
_MARKS = {True: "D", False: "o"}
_TICKS = (1, 1.5, 2, 3, 5, 7)
_SMALL = 8.5


@dataclass(frozen=True)
class Point:
    """A method that some core computes."""

    name: str
    """Of its network, if that is committed."""
    kind: str
    pruned: bool
    cycles: float
    error: float
    best: float
    """Error of its best run, as of its worst one."""
    worst: float


@dataclass(frozen=True)
class Drawn:
    """What the picture shows; errors are shares of the test images."""

    points: list[Point]
    lines: dict[str, float]
    """Errors of the methods that no core computes."""
    front: list[tuple[float, float]]
    """Cycles an image and errors of what nothing beats, quickest first."""
    images: int
    sizes: tuple[int, ...]


def _kind(row: Row) -> str:
    if row["recipe"] == "original":
        return "recipe original"
    kind = row["method"].removesuffix(", pruned")
    return kind if kind in _COLOURS else "other"


def drawn(report: Report) -> Drawn:
    """What to draw of a report."""
    points = {
        row["name"]: Point(
            name=row["name"] if row["network"] else "",
            kind=_kind(row),
            pruned=row["pruned"],
            cycles=row["cycles_per_image"],
            error=1 - row["accuracy"],
            best=1 - row["accuracy_max"],
            worst=1 - row["accuracy_min"],
        )
        for row in report["rows"]
        if "cycles_per_image" in row
    }
    return Drawn(
        points=list(points.values()),
        lines={
            f"{row['method']}, {_hidden(row['widths'])}: {row['accuracy']:.2%}": 1 - row["accuracy"]
            for row in report["rows"]
            if "cycles_per_image" not in row
        },
        front=[(points[name].cycles, points[name].error) for name in report["front"]],
        images=report["images"],
        sizes=tuple(report["sizes"]),
    )


def draw(shown: Drawn) -> Axes:
    """The plot: error over cycles an image, both logarithmic; `UserError` without matplotlib."""
    axes = plot.axes(8.1, 5.4)
    for text, error in shown.lines.items():
        axes.axhline(error, color=plot.GREY, linestyle="dashed", linewidth=1)
        axes.annotate(text, (1, error), (-5, 3), xycoords=("axes fraction", "data"),
                      textcoords="offset points", ha="right", fontsize=_SMALL)  # fmt: skip
    if shown.front:
        axes.step(*zip(*shown.front, strict=True), where="post", color=plot.GREY, linewidth=1)
    for point in shown.points:
        colour = _COLOURS[point.kind]
        axes.plot([point.cycles] * 2, [point.best, point.worst], color=colour, linewidth=2)
        axes.plot(point.cycles, point.error, _MARKS[point.pruned], color=colour, markersize=7)
        axes.annotate(point.name, (point.cycles, point.error), (7, 4), fontsize=_SMALL,
                      textcoords="offset points")  # fmt: skip
    for kind, colour in _COLOURS.items():
        if any(point.kind == kind for point in shown.points):
            axes.plot([], [], _MARKS[False], color=colour, label=kind)
    axes.plot([], [], _MARKS[True], color="black", label="pruned")
    axes.set(xscale="log", yscale="log")
    axes.margins(x=0.12, y=0.1)
    plot.logarithmic(axes.xaxis, _TICKS, ",g")
    plot.logarithmic(axes.yaxis, _TICKS, ".3g", " %", scale=100)
    pe, simd, lanes = shown.sizes
    axes.set_xlabel(f"cycles an image, PE={pe} SIMD={simd} LANES={lanes}")
    axes.set_ylabel(f"error, {shown.images:,} test images")
    axes.figure.legend(
        loc="outside lower left", ncols=len(_COLOURS) + 1, frameon=False, alignment="left",
        title="A bar spans the runs of several seeds, the line joins what nothing beats:",
    )  # fmt: skip
    return axes


def picture(shown: Drawn) -> str:
    """The methods as SVG."""
    return plot.svg(draw(shown), "Error and cycles an image of every method", shown)


# ---- command line


def parser() -> CommandLine:
    """The command line."""
    result = CommandLine(
        prog="make methods",
        description="Tables and pictures of what each method is worth: accuracy, weight bits, "
        "cycles, area, and a proxy of the energy, for every committed dense network on MNIST; the "
        "same but the last for those with convolutions.",
        epilog="With make, write options in ARGS: make methods ARGS=--write. Writes report.json "
        "and two pictures. verif/measure/METHODS.md says what is measured and how.",
    )
    add = result.add_argument
    add("--write", action="store_true", help="put the tables and the pictures into METHODS.md")
    add("--output", type=Path, default=OUTPUT, help="directory of the results (build/methods)")
    return result


def main() -> int:
    """Measure, print, write."""
    options = parser().parse_args()
    plot.require()
    output = options.output.resolve()
    (output / "report.json").unlink(missing_ok=True)
    measured_on = source()
    report = measure(load_runs(), *load_test_images(DATASET))
    write_json(output / "report.json", {**report, "source": measured_on})
    maps = map_methods.picture(map_methods.drawn(report["convolutions"]))
    drawings = {PICTURE: picture(drawn(report)), map_methods.PICTURE: maps}
    for path, drawing in drawings.items():
        (output / path.name).write_text(drawing)
    print(page(report))
    if options.write:
        fill(PAGE, page(report), "methods")
        for path, drawing in drawings.items():
            path.write_text(drawing)
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
