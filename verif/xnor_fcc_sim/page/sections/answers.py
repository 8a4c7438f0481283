# SPDX-License-Identifier: Apache-2.0
"""Sections on what the simulated core answered: how right, what for what, in which cycles."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
from markupsafe import Markup

from xnor_fcc.data import binarise, class_names
from xnor_fcc.errors import UserError
from xnor_fcc.images import read_images
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc_sim.answers import Answers
from xnor_fcc_sim.page.blocks import (
    DASH,
    FAIL,
    NOTE,
    PASS,
    Block,
    Cell,
    Digit,
    Digits,
    Facts,
    Matrix,
    Picture,
    Table,
    Text,
    View,
    number,
    or_dash,
    percent,
    share,
    verdict,
    word,
)
from xnor_fcc_sim.page.drawings import digit, shades, timeline
from xnor_fcc_sim.page.reports import Simulation
from xnor_fcc_sim.page.sections.topic import Topic, sizes

# Misread images shown at most.
_SHOWN = 300


def accuracy(d: Simulation, _: Path) -> View:
    """What `make sim` found."""
    right = d.wrong_bits == 0 and d.accuracy == d.model_accuracy
    if (d.accuracy is None) != (d.model_accuracy is None):
        raise ValueError("one accuracy without the other")
    pairs = (
        ("cycles of a batch", d.batch_cycles, d.model_batch_cycles),
        ("cycles an image", d.cycles_per_image, d.model_cycles_per_image),
        ("latency, last beat in to class out", d.latency_cycles, d.model_latency_cycles),
    )
    rows = []
    exact = True
    for name, seen, model in pairs:
        exact &= seen is None or seen == model  # None: too few batches to tell
        rows.append(
            [word(name), or_dash(seen, ",g"), number(model, ",g"),
             Cell("not seen") if seen is None else verdict(seen == model, "equal", "differs")]
        )
    accurate = [word("accuracy"), share(d.accuracy, digits=2), share(d.model_accuracy, digits=2),
                verdict(d.accuracy == d.model_accuracy, "equal", "differs")]
    for cell in accurate[1:3]:
        cell.bar = None
    blocks: list[Block] = [
        Facts(
            [
                ("core", sizes(d.geometry)),
                ("simulator", d.simulator),
                ("network", d.network),
                ("images", f"{d.images:,}"),
                ("wrong bits", f"{d.wrong_bits:,}"),
                ("hidden bits checked", f"{d.hidden_bits_checked:,}"),
                ("accumulators checked", f"{d.accumulators_checked:,}"),
                ("cycles in which all PEs stepped", percent(d.busy)),
                ("simulated images a second", f"{d.images_per_second:,.0f}"),
            ]
        ),
        Table("Hardware and model", ("", "hardware", "model", ""), [accurate, *rows]),
        Table(
            "What the core itself counted",
            ("counter", "value"),
            [[word(name, code=True), number(value)] for name, value in d.counters.items()],
            folded=True,
        ),
    ]
    if d.flip:
        planted = f"A fault was planted in what was loaded: FLIP={d.flip}."
        blocks.insert(0, Text(planted, NOTE))
    if d.first_difference:
        blocks.insert(0, Text(f"First difference: {d.first_difference}", FAIL))
    state = PASS if right and exact and not d.flip else FAIL
    return View(
        state,
        DASH if d.accuracy is None else percent(d.accuracy, 2),
        f"of {d.images:,} images; {d.wrong_bits:,} wrong bits, "
        f"{d.hidden_bits_checked:,} hidden bits checked",
        blocks,
    )


def _answers(d: Simulation, path: Path) -> Answers:
    """The answers beside a report of `make sim`, which must be of the same run."""
    answers = Answers.read(path)
    right = float((answers.classes == answers.labels).mean()) if len(answers.labels) else 0.0
    if len(answers.labels) != d.images or right != d.accuracy:
        raise UserError(f"{path} is not of the run that report.json beside it tells of; run make "
                        "sim again.")
    return answers


def _drawings(path: Path, which: list[int]) -> tuple[list[Markup], int]:
    """Some of the images beside a file of answers, as the core sees them, and their side: black
    where bits are 1, the shades that convolutions tell from each other. None of images that are not
    square."""
    images, _ = read_images(path.with_name("images.npz"))
    images = images[which]
    network = IntegerNetwork.load(path.with_name("network.npz"))
    pixels = network.pixels
    if pixels is None:
        bits = binarise(images, network.pixel_threshold)
        side = math.isqrt(bits.shape[1])
        square = bits if side * side == bits.shape[1] else bits[:0]
        return [Markup('<path d="{}"/>').format(digit(each, side)) for each in square], side
    seen = pixels.inputs(images)
    if pixels.order == 1:
        levels = pixels.levels.shape[1]
        size = (len(which), pixels.map_side, pixels.map_side, pixels.colours, levels)
        fired = seen.reshape(size).sum(axis=-1)
        seen = (255 * fired // levels).astype(np.uint8)
    return [Markup(shades(each)) for each in seen], pixels.map_side


def confusion(d: Simulation, path: Path) -> View:
    """Which classes the hardware takes for which, and pictures of the images."""
    answers = _answers(d, path)
    highest = int(max(answers.labels.max(), answers.classes.max()))
    size = max(answers.scores.shape[1], highest + 1)
    names = class_names(d.dataset, answers.scores.shape[1])
    counts = np.zeros((size, size), int)
    np.add.at(counts, (answers.labels, answers.classes), 1)
    wrong = np.flatnonzero(answers.labels != answers.classes).tolist()
    wrong.sort(key=lambda i: (answers.labels[i], answers.classes[i], i))
    digits = []
    linked: set[tuple[int, int]] = set()
    drawings, side = _drawings(path, wrong[:_SHOWN])
    for index, drawing in zip(wrong, drawings, strict=False):
        label, answer = int(answers.labels[index]), int(answers.classes[index])
        scores = answers.scores[index]
        known = max(label, answer) < len(scores)
        margin = f"{scores[answer] - scores[label]:+,}" if known else DASH
        anchor = "" if (label, answer) in linked else f"read-{label}-{answer}"
        linked.add((label, answer))
        true, read = (names[c] if c < len(names) else str(c) for c in (label, answer))
        digits.append(Digit(index, true, read, margin, drawing, anchor))
    rows = []
    for label in range(size):
        name = names[label] if label < len(names) else str(label)
        of_label, answered = counts[label].sum(), counts[:, label].sum()
        right = counts[label, label]
        rows.append(
            [
                number(label, "d", f" {name}" if name != str(label) else ""),
                number(int(of_label)),
                share(right / of_label if of_label else None, digits=2),
                share(right / answered if answered else None, digits=2),
            ]
        )
        for cell in rows[-1][2:]:
            cell.bar = None
    shown = f"All {len(digits)}" if len(digits) == len(wrong) else f"{len(digits)} of {len(wrong)}"
    blocks: list[Block] = [
        Matrix(
            f"The {len(answers.labels):,} answers of the simulated hardware: what an image is, and "
            "what it was read as",
            counts.tolist(),
        ),
        Table(
            "Class by class",
            ("class", "images", "recall", "precision"),
            rows,
        ),
    ]
    if digits:
        blocks.append(
            Digits(
                f"{shown} misread images as the core sees them: what it is → what it was read as; "
                "index in the test set; by how much the score of the answer beats that of the "
                "right class",
                digits,
                side,
            )
        )
    elif not wrong:
        blocks.append(Text("No image was misread."))
    return View(NOTE, f"{len(wrong):,}", f"of {len(answers.labels):,} images misread", blocks)


def cycles(d: Simulation, path: Path) -> View:
    """The first batches, clock cycle by clock cycle."""
    answers = _answers(d, path)
    geometry, widths = d.geometry, d.widths
    if not len(answers.done):
        text = "A batch of this geometry is too long to be watched cycle by cycle."
        return View(NOTE, "", "", [Text(text)])
    periods = np.diff(answers.load).tolist()
    model = geometry.period_cycles(widths)
    groups = sum(geometry.groups(m) for m in widths[1:])
    first = answers.load[0]
    done = [c for c in answers.done.tolist() if c > first][:groups]
    # How long each layer's groups took to come out, one after the other.
    rows = []
    place = 0
    for layer, (n, m) in enumerate(pairwise(widths)):
        count = geometry.groups(m)
        mine = done[place : place + count]
        place += count
        if not mine:
            break
        rows.append(
            [
                word(f"{layer}: {n}→{m}"),
                number(count),
                number(geometry.words(n)),
                number(count * geometry.words(n)),
                number(mine[0] - first),
                number(mine[-1] - first),
            ]
        )
    caption = (
        f"Watched in the running core, {sizes(d.geometry)}: an image a bar above, a group of "
        "neurons a bar in the middle, from when the one before it was done; a result a bar below, "
        "batches in turn dark and light. A red line: a batch is loaded"
    )
    columns = ("layer", "groups", "words", "steps", "first group done", "last group done")
    return View(
        NOTE,
        ", ".join(f"{p:,}" for p in sorted(set(periods))) or DASH,
        f"cycles from batch to batch, {model:,} by the model",
        [
            Picture(timeline(answers, geometry, widths), caption),
            Table("The first batch, in clock cycles from its load", columns, rows),
        ],
    )


_GROUP = "Answers"

TOPICS = (
    Topic("accuracy", "Accuracy", _GROUP, "sim", "sim/report.json", Simulation, accuracy,
          demanding=True),
    Topic("confusion", "Confusion matrix", _GROUP, "sim", "sim/answers.npz", Simulation, confusion),
    Topic("timeline", "Cycle timeline", _GROUP, "sim", "sim/answers.npz", Simulation, cycles),
)
