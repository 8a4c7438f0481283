# SPDX-License-Identifier: Apache-2.0
"""`make learn`: the demonstrations of learning, in the simulated core and in the model.

The default core, built to learn ten classes, learns each task's images once, and so does the model:
`learning_core`. Accuracy is that of the weights read out of the core. The figures, a table and a
picture go into build/learn, and with --write into model/LEARNING.md.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast

from tqdm import tqdm

from measure.learning import AFTER, Task, accuracy, failures, network, tasks
from measure.learning_core import SHOWN, Core, Hardware, Periods, hardware
from xnor_fcc import plot
from xnor_fcc.errors import CommandLine, Exit, run_main
from xnor_fcc.files import write_json
from xnor_fcc.generated import fill
from xnor_fcc.geometry import NAMED, Geometry
from xnor_fcc.geometry_options import learning
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.learning import MARGIN, Learner, Learnt, features
from xnor_fcc.learning_cycles import learning_period
from xnor_fcc.places import ROOT
from xnor_fcc.shape import ceil_div
from xnor_fcc.tables import markdown
from xnor_fcc_sim import simulator
from xnor_fcc_sim.core import SimulatedCore
from xnor_fcc_sim.provenance import source
from xnor_fcc_sim.reports import Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OUTPUT = simulator.BUILD / "learn"
PAGE = ROOT / "model" / "LEARNING.md"
PICTURE = PAGE.with_name("learning.svg")
CLOCK_HZ = 50e6

# What the tasks are called, in the order of the page.
TITLES = {
    "from_zero": "MNIST, from nothing",
    "other_writers": "digits of other writers",
    "turned": "MNIST turned by 30 degrees",
    "fashion": "Fashion-MNIST",
    "inverted": "MNIST in black on white",
}
FIGURES = ("before", *(f"after_{number}" for number in AFTER), "after_all")


class TaskFigures(TypedDict, total=False):
    """How a task went: accuracy on its `test_images`, before and after so many images."""

    before: float
    after_100: float
    after_300: float
    after_1000: float
    after_3000: float
    """Missing where there are fewer."""
    after_all: float
    offline: float
    """Of real weights that have seen all images at once: `learning.offline`."""
    mnist: float
    """On MNIST as it is, after all images: what is left of what the network knew."""
    images: int
    test_images: int
    moved: int
    """Images that moved a latent."""
    batches: int
    walks: int
    """Batches of which one did."""
    images_per_second: float
    """Learning at 50 MHz, by the cycles of these batches."""


class CyclesFigures(TypedDict):
    """From the results of a batch to those of the next one."""

    seen: list[int]
    """All that the simulated core took."""
    model: int
    images_per_second: float
    """At 50 MHz, where all batches are such."""


class Report(TypedDict):
    """What report.json holds."""

    network: str
    geometry: dict[str, Any]
    margin: int
    mnist: float
    """Accuracy of the network before anything was learnt, on the images to measure `from_zero`."""
    images: int
    """Learnt from by the core, in all tasks."""
    classified: int
    """Classified by it between them."""
    differing_scores: int
    """From those of the model, in all tasks."""
    differing_latents: int
    differing_signs: int
    differing_periods: int
    from_zero: TaskFigures
    other_writers: TaskFigures
    turned: TaskFigures
    fashion: TaskFigures
    inverted: TaskFigures
    still: CyclesFigures
    """Where no image of the batch has moved anything."""
    moved: CyclesFigures
    seconds: float
    source: Source


def core_of(first: IntegerNetwork) -> Geometry:
    """The default core, built to learn a network."""
    return learning(Geometry.for_widths(first.shape, *NAMED["default"]), first.shape)


def figures_of(
    task: Task, accuracies: Mapping[str, float], learnt: Learnt, geometry: Geometry,
    first: IntegerNetwork,
) -> TaskFigures:  # fmt: skip
    """A task's figures, from its accuracies and from what became of its images."""
    batches = ceil_div(len(task.images), geometry.lanes)
    still, moved = (learning_period(geometry, first.shape, each) for each in (False, True))
    cycles = learnt.walks * moved + (batches - learnt.walks) * still
    found = {
        **accuracies,
        "images": len(task.images),
        "test_images": len(task.test_images),
        "moved": learnt.images_moved,
        "batches": batches,
        "walks": learnt.walks,
        "images_per_second": CLOCK_HZ * len(task.images) / cycles,
    }
    return cast(TaskFigures, found)


def measure(
    given: Mapping[str, Task], first: IntegerNetwork, core: Core
) -> tuple[dict[str, TaskFigures], dict[str, Hardware]]:
    """All tasks in the core, and beside them what the model and real weights come to."""
    old = given["from_zero"]
    mnist = features(first, first.inputs_from(old.test_images))
    figures, found = {}, {}
    total = sum(len(task.images) for task in given.values())
    with tqdm(total=total, desc="learning", unit="image", mininterval=1.0) as bar:
        for name, task in given.items():
            bar.set_description(name)

            def progress(number: int, before: int = bar.n) -> None:
                bar.update(before + number - bar.n)

            found[name] = hardware(task, core, first, MARGIN, progress, compared=True)
            accuracies = {
                **found[name].figures,
                "mnist": accuracy(Learner(core.network), mnist, old.test_labels),
            }
            figures[name] = figures_of(task, accuracies, found[name].learnt, core.geometry, first)
    return figures, found


def report_of(
    given: Mapping[str, Task],
    figures: Mapping[str, TaskFigures],
    found: Mapping[str, Hardware],
    geometry: Geometry,
    first: IntegerNetwork,
) -> dict[str, Any]:
    """The report but for `seconds` and `source`; `found` may be of fewer tasks than `figures`."""
    old = given["from_zero"]
    mnist = features(first, first.inputs_from(old.test_images))
    periods = Periods()
    for each in found.values():
        periods |= each.periods
    cycles = {}
    for name, seen, moved in (("still", periods.still, False), ("moved", periods.moved, True)):
        model = learning_period(geometry, first.shape, moved)
        cycles[name] = {
            "seen": sorted(seen),
            "model": model,
            "images_per_second": CLOCK_HZ * geometry.lanes / model,
        }
    shown = sum(
        min(SHOWN, task["test_images"]) * sum(figure in task for figure in FIGURES)
        for task in figures.values()
    )
    return {
        "network": first.name,
        "geometry": asdict(geometry),
        "margin": MARGIN,
        "mnist": accuracy(Learner(first), mnist, old.test_labels),
        "images": sum(task["images"] for task in figures.values()),
        "classified": shown,
        "differing_scores": sum(each.differing_scores for each in found.values()),
        "differing_latents": sum(each.differing_latents for each in found.values()),
        "differing_signs": sum(each.differing_signs for each in found.values()),
        "differing_periods": periods.differing(geometry, first),
        **{name: figures[name] for name in TITLES if name in figures},
        **cycles,
    }


def complaints(report: Report) -> list[str]:
    """A sentence for all that is not as it must be: differences, cycles, bars."""
    found = [
        f"{number} {what} of the simulated core are not the model's."
        for number, what in (
            (report["differing_scores"], "scores"),
            (report["differing_latents"], "latents"),
            (report["differing_signs"], "signs"),
            (report["differing_periods"], "periods"),
        )
        if number
    ]
    for cycles, what in ((report["still"], "moved nothing"), (report["moved"], "moved something")):
        if not cycles["seen"]:
            found.append(f"No batch that {what} has been timed.")
    return [*found, *failures(cast("dict[str, dict[str, float]]", report))]


# ---- page


def page(report: Report) -> str:
    """The part of LEARNING.md that is generated."""
    geometry = Geometry(**report["geometry"])
    still, moved = report["still"], report["moved"]
    rows = []
    for name, title in TITLES.items():
        task = _task(report, name)
        shares = cast("dict[str, float]", task)
        rows.append(
            [
                title,
                f"{task['images']:,} + {task['test_images']:,}",
                *(f"{shares[each]:.2%}" if each in shares else "" for each in FIGURES),
                f"{task['offline']:.2%}",
                f"{task['mnist']:.2%}",
                f"{task['walks'] / task['batches']:.0%}",
                f"{task['images_per_second']:,.0f}",
            ]
        )
    after = [f"{number:,}" for number in AFTER]
    table = markdown(
        ("task", "learnt from + measured on", "before", *after, "all", "offline", "MNIST then",
         "batches that move", "images a second"),
        rows,
    )  # fmt: skip
    return (
        f"Network `{report['network']}`, {geometry.label}, margin {report['margin']}, each image "
        f"once; images a second at {CLOCK_HZ / 1e6:.0f} MHz. Of MNIST itself {report['mnist']:.2%} "
        f"were right before.\n\n{table}\n\n"
        f"The simulated core has learnt from all {report['images']:,} images and classified "
        f"{report['classified']:,} between them. {report['differing_scores']} of its scores differ "
        f"from those of the model, {report['differing_latents']} of the latents read out of it, "
        f"and {report['differing_signs']} of their signs. A batch of {geometry.lanes} images took "
        f"{still['model']:,} cycles where nothing moved, {still['images_per_second']:,.0f} images "
        f"a second, and {moved['model']:,} where something did, {moved['images_per_second']:,.0f}: "
        f"those of the model (`learning_cycles.py`), {report['differing_periods']} others."
    )


def _task(report: Report, name: str) -> TaskFigures:
    return cast(TaskFigures, cast("dict[str, Any]", report)[name])


# ---- picture

_COLOURS = ("#1f77b4", "#3a9a4b", "#9467bd", "#d62728", "#7f7f7f")
# Where `before` is drawn on the logarithmic axis, and `offline`.
_FIRST, _LAST = 40, 9000
_TICKS = (1, 2, 3, 5)


@dataclass(frozen=True)
class Line:
    """A task: images learnt from, and the errors then, shares of the test images."""

    title: str
    images: list[int]
    errors: list[float]
    offline: float


@dataclass(frozen=True)
class Drawn:
    """What the picture shows."""

    lines: list[Line]


def drawn(report: Report) -> Drawn:
    """What to draw of a report. Errors are those of the page's table, to the digit."""
    lines = []
    for name, title in TITLES.items():
        task = _task(report, name)
        shares = cast("dict[str, float]", task)
        seen = dict(zip(FIGURES, (0, *AFTER, task["images"]), strict=True))
        there = [figure for figure in FIGURES if figure in shares]
        lines.append(
            Line(
                title,
                [seen[figure] for figure in there],
                [round(1 - shares[figure], 4) for figure in there],
                round(1 - task["offline"], 4),
            )
        )
    return Drawn(lines)


def draw(shown: Drawn) -> Axes:
    """The plot: error over images learnt from, both logarithmic; `UserError` without matplotlib."""
    axes = plot.axes(8.1, 5.0)
    for line, colour in zip(shown.lines, _COLOURS, strict=True):
        images = [max(number, _FIRST) for number in line.images]
        axes.plot(images, line.errors, "o-", color=colour, markersize=5, label=line.title)
        axes.plot([_LAST], [line.offline], "D", color=colour, markersize=6)
    axes.plot([], [], "D", color="black", label="offline: real weights")
    axes.set(xscale="log", yscale="log")
    plot.logarithmic(axes.yaxis, _TICKS, ".3g", " %", scale=100)
    plot.logarithmic(axes.xaxis, (1, 3), ",g")
    ticks = {_FIRST: "before", **{n: f"{n:,}" for n in AFTER}, _LAST: "offline"}
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.set_xlabel("images learnt from")
    axes.set_ylabel("error on images not learnt from")
    axes.figure.legend(loc="outside lower left", ncols=3, frameon=False, alignment="left")
    return axes


def picture(shown: Drawn) -> str:
    """The course of all tasks as SVG."""
    return plot.svg(draw(shown), "Error and images learnt from", shown)


# ---- command line


def parser() -> CommandLine:
    """The command line."""
    result = CommandLine(
        prog="make learn",
        description="The last layer of the committed MNIST network learns other tasks in the "
        "simulated core, beside the model, which has to agree in every score and every latent. "
        "Ten minutes, and two more where the core is not built.",
        epilog="With make, write options in ARGS: make learn ARGS=--write. Writes report.json "
        "and learning.svg; the exit code is 0 only if core and model agree, in their "
        "cycles too, and accuracy is what it must be.",
    )
    add = result.add_argument
    add("--write", action="store_true", help="put table and picture into model/LEARNING.md")
    add("--output", type=Path, default=OUTPUT, help="directory of the results (build/learn)")
    return result


def main() -> int:
    """Measure, print, write."""
    options = parser().parse_args()
    plot.require()
    started = time.monotonic()
    measured_on = source()
    first, given = network(), tasks()
    geometry = core_of(first)
    output = options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    (output / "report.json").unlink(missing_ok=True)

    note = "building takes a minute or two, once for each geometry"
    print(f"{geometry.label}: {note}", flush=True)
    with SimulatedCore(first, geometry) as core:
        figures, found = measure(given, first, core)
    report = cast(
        Report,
        {
            **report_of(given, figures, found, geometry, first),
            "seconds": round(time.monotonic() - started, 1),
            "source": measured_on,
        },
    )
    write_json(output / "report.json", report)
    drawing, text = picture(drawn(report)), page(report)
    (output / PICTURE.name).write_text(drawing, encoding="utf-8")
    print(text)
    missed = complaints(report)
    for sentence in missed:
        print(f"error: {sentence}", file=sys.stderr)
    if missed:
        return Exit.DIFFERS
    if options.write:
        fill(PAGE, text, "learn")
        PICTURE.write_text(drawing, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
