# SPDX-License-Identifier: Apache-2.0
"""The page of one image on its way through the core, out of the file of trace.py alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xnor_fcc import plot
from xnor_fcc.data import DATASETS, class_names
from xnor_fcc.files import write_text
from xnor_fcc.geometry import MapShape
from xnor_fcc_sim.page import map_drawings, pages
from xnor_fcc_sim.page import trace_drawings as draw
from xnor_fcc_sim.page.blocks import (
    FAIL,
    NOTE,
    PASS,
    Block,
    Cell,
    Facts,
    Figures,
    Picture,
    Table,
    Text,
    number,
    word,
)
from xnor_fcc_sim.trace import Layer, Trace

TEMPLATE = "trace_page.html.j2"
# Neurons of a layer in a list, such as that of the closest to their thresholds.
_LISTED = 8

Sections = list[tuple[str, list[Block]]]


def classes_of(trace: Trace) -> list[str]:
    """The classes by number, and by name where that says more."""
    names = class_names(trace.about["dataset"], len(trace.scores.seen))
    return [name if name == str(c) else f"{c} {name}" for c, name in enumerate(names)]


def latency(trace: Trace) -> int:
    """Cycles from the last beat in to the beat with the class."""
    return int(trace.mine["result"][-1] - trace.mine["image"][-1])


def _differing(layer: Layer) -> str:
    wrong = int(layer.wrong.sum())
    return f"; {wrong:,} of them not those of the reference" if wrong else ""


def _image(trace: Trace) -> list[Block]:
    shape = trace.shape
    if isinstance(shape, MapShape):
        return _coloured(trace, shape)
    width = draw.across(len(trace.grey))
    two = shape.orders[0] == 2
    kind = "Levels 0 to 3" if two else "Bits"
    return [
        Figures(
            [
                Picture(draw.grey(trace.grey, width, "The grey image"), "Grey, as it was given"),
                Picture(
                    draw.bits(trace.inputs, width, two, "The image in the core"),
                    f"{kind}, as lane {trace.about['lane']} took them{_differing(trace.inputs)}",
                ),
            ]
        )
    ]


def _coloured(trace: Trace, shape: MapShape) -> list[Block]:
    """The image, and how its pixels became the first map."""
    side = draw.across(len(trace.grey) // shape.colours)
    pixels = trace.grey.reshape(-1, side, shape.colours)
    counts, wrong = map_drawings.reached(trace.inputs, shape.colours)
    around = shape.side - side
    border = f", with a border of {around // 2} around it" if around else ""
    of = "the grey" if shape.colours == 1 else "each colour"
    caption = (
        f"How many of its {shape.levels} levels each pixel reaches, as the core stored them: the "
        f"thermometer bits of {of}{border}"
        if shape.levels
        else f"The numbers of 8 bits that the core stored of {of}{border}"
    )
    given = {1: "Grey", 3: "In colours"}.get(shape.colours)
    return [
        Figures(
            [
                *(
                    Picture(picture, f"{given or f'Colour {c}'}, as it was given")
                    for c, picture in enumerate(map_drawings.image(pixels, "The image"))
                ),
                Picture(
                    map_drawings.maps(counts, wrong, shape.levels or 255, "The image in the core",
                                      "colour"),
                    f"{caption}{_differing(trace.inputs)}",
                ),
            ]
        )
    ]  # fmt: skip


def _map(trace: Trace, index: int) -> list[Block]:
    """A layer that is a convolution."""
    layer, sums = trace.hidden[index], trace.sums[index]
    two = trace.shape.orders[index + 1] == 2
    what = f"Map of layer {index}"
    ones = int((layer.seen > 1).sum() if two else layer.seen.sum())
    caption = (
        f"{what}, channel by channel: {ones:,} of {layer.seen.size:,} "
        f"{'first bits' if two else 'bits'} are 1{_differing(layer)}"
    )
    places = ("row", "column", "channel")
    tables: list[Table] = []
    if layer.wrong.any():
        tables.append(_first(layer, (*places, "level" if two else "bit"), "The first that differ"))
    if sums.wrong.any():
        before = "The first accumulators that differ, by position before any pool"
        tables.append(_first(sums, (*places, "P - T"), before, 2))
    which = " (those of one position in four, the first of each block of 2x2)"
    margins = _margins(sums, index, which)
    return [
        Picture(map_drawings.maps(layer.seen, layer.wrong, 3 if two else 1, what), caption),
        Figures([margins, *tables]),
    ]


def _first(layer: Layer, columns: tuple[str, ...], caption: str, apart: int = 1) -> Table:
    """The first values of a map that differ; `apart` pixels of it are from value to value."""
    rows = []
    for y, x, c in np.argwhere(layer.wrong)[:_LISTED].tolist():
        rows.append(
            [
                *(number(place, "d") for place in (apart * y, apart * x, c)),
                number(int(layer.seen[y, x, c]), "+,d" if apart > 1 else "d"),
                word(f"{layer.wanted[y, x, c]:{'+,d' if apart > 1 else 'd'}}", FAIL),
            ]
        )
    return Table(caption, (*columns, "reference"), rows)


def _hidden(trace: Trace, index: int) -> list[Block]:
    if index < trace.maps:
        return _map(trace, index)
    layer, sums = trace.hidden[index], trace.sums[index]
    m = len(layer.seen)
    two = trace.shape.orders[index + 1] == 2
    ones = int((layer.seen > 1).sum() if two else layer.seen.sum())
    caption = f"{ones:,} of {m:,} {'first bits' if two else 'bits'} are 1{_differing(layer)}"
    what = f"Activations of layer {index}"
    closest = np.lexsort((np.arange(m), np.abs(2 * sums.seen + 1)))[:_LISTED].tolist()
    wrong = np.flatnonzero(layer.wrong | sums.wrong)[:_LISTED].tolist()
    columns = ("neuron", "P - T", "level" if two else "bit", "reference")

    def table(caption: str, neurons: list[int]) -> Table:
        return Table(caption, columns, [_neuron(layer, sums, j) for j in neurons])

    return [
        Figures(
            [
                Picture(draw.bits(layer, draw.grid(m), two, what), f"{what}: {caption}"),
                _margins(sums, index),
                table("Closest to switching", closest),
                *([table("The first that differ", wrong)] if wrong else []),
            ]
        )
    ]


def _margins(sums: Layer, index: int, which: str = "") -> Picture | Text:
    """The histogram of a layer, or how to get it."""
    if not plot.available():
        return Text(f"There is no histogram of the margins. {plot.MISSING}")
    return Picture(
        draw.histogram(draw.margins(sums.seen), f"Margins of layer {index}"),
        "Margins: by how much the accumulator P was beyond the threshold T, or short of it"
        f"{which}{_differing(sums)}",
    )


def _neuron(layer: Layer, sums: Layer, j: int) -> list[Cell]:
    """A row of a table of neurons."""
    wrong = layer.wrong[j] or sums.wrong[j]
    reference = f"{sums.wanted[j]:+,}, {layer.wanted[j]}" if wrong else "the same"
    return [
        number(j, "d"),
        number(int(sums.seen[j]), "+,"),
        number(int(layer.seen[j]), "d"),
        word(reference, FAIL if wrong else ""),
    ]


def _scores(trace: Trace, names: Sequence[str]) -> Table:
    """A row for each class, with a bar from 0 on."""
    seen, label = trace.scores.seen.tolist(), trace.about["label"]
    low, high = min(0, *seen), max(0, *seen)
    reach = max(1, high - low)
    rows = []
    for c, (score, wanted) in enumerate(zip(seen, trace.scores.wanted.tolist(), strict=True)):
        ends = sorted((0, score))
        state = ""
        if c == trace.answer:
            state = NOTE if label is None else PASS if c == label else FAIL
        said = ["answer"] * (c == trace.answer) + ["label"] * (c == label)
        rows.append(
            [
                word(names[c], state),
                Cell(f"{score:,}", sort=score, start=(ends[0] - low) / reach,
                     bar=(ends[1] - low) / reach),
                word(", ".join(said), state),
                word("the same" if score == wanted else f"{wanted:,}",
                     "" if score == wanted else FAIL),
            ]
        )  # fmt: skip
    columns = ("class", "score", "", "reference")
    return Table(f"Scores of the classes{_differing(trace.scores)}", columns, rows, wide=True)


def _cycles(trace: Trace) -> list[Block]:
    rows = []

    def add(what: str, cycles: np.ndarray) -> None:
        if len(cycles):
            first, last = int(cycles[0]), int(cycles[-1])
            rows.append([word(what), number(first), number(last), number(len(cycles))])

    add("beats of the image taken", trace.mine["image"])
    add("its pass begun" if trace.maps else "its batch loaded", trace.mine["load"])
    names = draw.layer_names(trace)
    found = zip(names, trace.steps(), trace.done(), strict=True)
    for layer, (name, steps, done) in enumerate(found):
        add(f"{name}: steps", steps)
        add(f"{name}: {'slots written' if trace.writes_slots(layer) else 'groups done'}", done)
    add("beats of the result taken", trace.mine["result"])
    g = trace.geometry
    shared = "one lane" if g.lanes == 1 else f"{g.lanes} lanes"
    batch = f"to the image or to its batch ({shared} in step)"
    if trace.maps:
        batch = "to the image, which has a pass of its own"
    return [
        Picture(
            draw.timeline(trace, "Clock cycles around the image"),
            "Clock cycles, counted from the image's first beat, as the running core took them: in "
            f"colours what belongs {batch}, in grey other images; pale is the pipeline draining "
            "behind a layer's last step",
        ),
        Table("In numbers", ("what", "first cycle", "last cycle", "cycles"), rows),
    ]


def sections(trace: Trace, names: Sequence[str]) -> Sections:
    """The body of the page."""
    result: Sections = [("The image", _image(trace))]
    layers = draw.layer_names(trace)
    for index in range(len(trace.hidden)):
        name = draw.map_name(trace, index) if index < trace.maps else layers[index]
        result.append((f"Layer {index}: {name}", _hidden(trace, index)))
    result.append((f"Output layer: {layers[-1]}", [_scores(trace, names)]))
    result.append(("Cycle by cycle", _cycles(trace)))
    return result


def render(trace: Trace) -> str:
    """The page."""
    about = trace.about
    names = classes_of(trace)
    answer, label = trace.answer, about["label"]
    read = names[answer] if answer < len(names) else str(answer)
    title = f"Image {about['image']}: read as {read}"
    if label is not None:
        known = names[label] if label < len(names) else str(label)
        title += ", rightly" if answer == label else f", is {known}"
    wrong = trace.wrong_values + trace.wrong_sums
    known_set = DATASETS.get(about["dataset"])
    tested = known_set.title if known_set else about["dataset"]
    source = {"test set": f"the test images of {tested}", "random": "random images"}
    summed = "accumulator that was looked at" if trace.maps else "accumulator"
    body = sections(trace, names)
    if about["flip"]:
        body.insert(0, ("A fault was planted", [Text(f"FLIP={about['flip']}", FAIL)]))
    return pages.ENVIRONMENT.get_template(TEMPLATE).render(
        title=title,
        subtitle=f"From {source.get(about['inputs'], about['inputs'])}, in the simulated core "
        f"({about['simulator'].capitalize()}).",
        state=FAIL if wrong else PASS,
        verdict=f"Not those of the reference are {trace.wrong_values:,} of the activations and "
        f"scores, {trace.wrong_sums:,} of the accumulators."
        if wrong
        else f"Every activation, every {summed} and every score is that of the reference.",
        facts=Facts(
            [
                ("network", f"{about['network']} ({'-'.join(map(str, about['widths']))})"),
                ("core", trace.geometry.label),
                ("place", f"pass {about['batch']}" if trace.maps
                 else f"batch {about['batch']}, lane {about['lane']}"),
                ("last beat in to class out", f"{latency(trace):,} cycles"),
            ]
        ),
        sections=body,
    )


def write_page(trace: Path, page: Path) -> None:
    """Draw the page of a trace's file; `UserError` if that is damaged."""
    write_text(page, render(Trace.read(trace)))
