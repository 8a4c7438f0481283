# SPDX-License-Identifier: Apache-2.0
"""`make learn`: core and model are compared in everything; what it reports, page and picture."""

from __future__ import annotations

import itertools
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import numpy as np
import pytest

from measure import learn, learning, learning_core
from measure.learning import BARS, Task, software
from measure.learning_core import SHOWN, Hardware, Periods, hardware, periods_of
from xnor_fcc import plot
from xnor_fcc.generated import markers
from xnor_fcc.geometry import Geometry
from xnor_fcc.geometry_options import learning as learning_geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.learning import Learner, features
from xnor_fcc.learning_cycles import learning_period
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import evaluate
from xnor_fcc_sim.core import SimulatedAnswers, SimulatedCore, SimulatedLearnt

NETWORK = random_network(np.random.default_rng(1), (12, 20, 3))
GEOMETRY = learning_geometry(Geometry.for_widths(NETWORK.shape, 4, 8, 2), NETWORK.shape)


def task(start: int = 8, images: int = 325) -> Task:
    """An odd number of images, of three classes, with something in them to learn."""
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 3, images + 60).astype(np.uint8)
    grey = rng.integers(0, 256, (images + 60, 12), np.uint8)
    for each, label in zip(grey, labels, strict=True):
        each[4 * label : 4 * label + 3] |= 0x80
    split = slice(0, images), slice(images, None)
    return Task("some", grey[split[0]], labels[split[0]], grey[split[1]], labels[split[1]], start)


class Twin:
    """The model as a core, in the cycles of the model; `fault` says what is wrong in its third go,
    or which of the two periods is a cycle longer."""

    def __init__(self, geometry: Geometry = GEOMETRY, fault: str = "") -> None:
        self.geometry, self.fault = geometry, fault
        self.network = NETWORK
        self.clock = 1000
        self.goes = 0

    def load(self, network: IntegerNetwork) -> None:
        """Begin again."""
        self.network = network

    def learn(
        self, images: np.ndarray, labels: np.ndarray, margin: int = 0,
        latents: np.ndarray | None = None, start: int | None = None, grey: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> SimulatedLearnt:  # fmt: skip
        """As the model does."""
        lanes = self.geometry.lanes
        assert grey and progress is not None and (start is None) == (self.goes > 0)
        learner = Learner(self.network, margin, lanes, latents, start)
        learnt = learner.learn(images, labels, grey=True, progress=progress)
        answered = []
        for first in range(0, len(images), lanes):
            self.clock += 1
            answered += [self.clock] * len(images[first : first + lanes])
            moved = bool(learnt.moved[first : first + lanes].any())
            self.clock += learning_period(self.geometry, self.network.shape, moved) - 1
            self.clock += (self.fault == "still" and not moved) + (self.fault == "moved" and moved)
        self.network = learner.network
        self.goes += 1
        taken = np.array(answered, np.int64) - 100_000
        found = SimulatedLearnt(**vars(learnt), taken=taken, answered=np.array(answered, np.int64))
        if self.goes == 3:
            output = self.network.output
            assert output.latents is not None
            if self.fault == "score":
                found.scores[-1, 0] += 1
            if self.fault in ("latent", "sign"):
                latent = int(output.latents[1, 7])
                step = 1 if latent >= 0 else -1
                output.latents[1, 7] = latent + step if self.fault == "latent" else ~latent
            if self.fault == "sign":
                output.weights[1, 7] ^= 1
        return found

    def classify(self, images: np.ndarray, grey: bool = False) -> SimulatedAnswers:
        """With what it has learnt, or, of the fault `weight`, with one weight that is not so."""
        network = self.network
        if self.fault == "weight" and self.goes == 3:
            weights = network.output.weights.copy()
            weights[2, 5] ^= 1
            network = replace(
                network, output=replace(network.output, weights=weights, latents=None)
            )
        scores = evaluate(network, network.inputs_from(images)).scores
        none = np.empty(0, np.int64)
        return SimulatedAnswers(scores.argmax(axis=1), scores, {}, none, none, none)


def differing(found: Hardware, geometry: Geometry = GEOMETRY) -> tuple[int, int, int, int]:
    return (
        found.differing_scores, found.differing_latents, found.differing_signs,
        found.periods.differing(geometry, NETWORK),
    )  # fmt: skip


# ---- the comparison


def test_a_core_that_is_the_model_does_not_differ() -> None:
    """Its figures are those of the software."""
    told: list[int] = []
    given = task()
    found = hardware(given, Twin(), NETWORK, 32, told.append)
    assert differing(found) == (0, 0, 0, 0)
    assert [*found.figures] == ["before", "after_100", "after_300", "after_all"]
    assert told == sorted(told) and told[-1] == 325
    model = Learner(NETWORK, 32, 2, start=8)
    test = features(NETWORK, NETWORK.inputs_from(given.test_images))
    for figure, part in learning.portions(325, 2).items():
        model.learn(given.images[part], given.labels[part], grey=True)
        right = model.scores(test).argmax(axis=1) == given.test_labels
        assert found.figures[figure] == right.mean()
    assert found.learnt.learnt == 325 and found.learnt.walks > 0


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("score", (1, 0, 0, 0)),
        ("latent", (0, 1, 0, 0)),
        ("sign", (60, 1, 1, 0)),
        ("weight", (60, 0, 0, 0)),
        ("still", (0, 0, 0, 1)),
        ("moved", (0, 0, 0, 1)),
    ],
)
def test_a_planted_fault_is_noticed(fault: str, seen: tuple[int, ...]) -> None:
    """A wrong number of any kind, in the last of three goes; a weight by all images that are
    classified then."""
    found = hardware(task(images=300), Twin(fault=fault), NETWORK, 3)
    assert differing(found) == seen


@pytest.mark.parametrize("start", [8, 0])
def test_the_simulated_core_does_not_differ(start: int) -> None:
    given = task(start)
    with SimulatedCore(NETWORK, GEOMETRY) as core:
        found = hardware(given, core, NETWORK, 3)
    assert differing(found) == (0, 0, 0, 0)
    twin = hardware(given, Twin(), NETWORK, 3)
    assert found.figures == twin.figures and found.periods == twin.periods
    assert found.periods.still and found.periods.moved


def test_periods_are_those_of_batches_that_wait() -> None:
    learnt = Twin().learn(
        *(task().images[:8], task().labels[:8]), 3, start=8, grey=True, progress=lambda _: None
    )
    answered = np.repeat([10, 30, 70, 75], 2)
    moved = np.array([0, 0, 0, 1, 0, 0, 1, 1], bool)
    taken = np.array([1, 2, 3, 4, 5, 30, 5, 6])
    some = replace(learnt, answered=answered, moved=moved, taken=taken)
    periods = periods_of(some, 2)
    assert periods == Periods(frozenset((20, 5)), frozenset())
    assert periods_of(replace(some, taken=taken * 0), 2).moved == {40}
    # An image more is of no whole batch.
    assert periods | Periods(moved=frozenset((7,))) == Periods(periods.still, frozenset((7,)))


# ---- the report


@pytest.fixture
def report() -> learn.Report:
    """Of five tasks that all bars are cleared in."""
    figures: learn.TaskFigures = {
        "before": 0.5, "after_100": 0.6, "after_300": 0.7, "after_1000": 0.99, "after_3000": 0.98,
        "after_all": 0.99, "offline": 0.995, "mnist": 0.97, "images": 5000, "test_images": 5000,
        "moved": 600, "batches": 1250, "walks": 500, "images_per_second": 1234567.0,
    }  # fmt: skip
    writers = figures.copy()
    writers.update({"images": 1415, "test_images": 382, "batches": 354, "walks": 177})
    writers.pop("after_3000")
    found = Hardware({}, cast(Any, None), Periods(frozenset((799,)), frozenset((1841,))), 0, 0, 0)
    first = learning.network()
    given = {"from_zero": replace(task(), test_images=np.zeros((2, 784), np.uint8),
                                  test_labels=np.zeros(2, np.uint8))}  # fmt: skip
    tasks = {name: writers if name == "other_writers" else figures for name in learn.TITLES}
    whole = learn.report_of(given, tasks, {"turned": found}, learn.core_of(first), first)
    return cast(learn.Report, json.loads(json.dumps(whole)))


def test_the_report_has_what_is_looked_for(report: learn.Report) -> None:
    text = json.dumps(report)
    assert json.loads(text) == report
    for name in learn.TITLES:
        assert {"before", "after_100", "after_1000", "after_all"} <= cast(Any, report)[name].keys()
    assert (report["differing_latents"], report["differing_signs"], report["differing_scores"]) == (
        0, 0, 0
    )  # fmt: skip
    assert report["images"] == 4 * 5000 + 1415 and report["classified"] == 29 * SHOWN
    assert report["geometry"]["learn"] == 10
    assert report["still"] == {"seen": [799], "model": 799, "images_per_second": 50e6 * 4 / 799}
    assert report["moved"] == {"seen": [1841], "model": 1841, "images_per_second": 50e6 * 4 / 1841}


def test_all_that_is_not_as_it_must_be_is_a_sentence(report: learn.Report) -> None:
    assert learn.complaints(report) == []
    for key in ("differing_scores", "differing_latents", "differing_signs", "differing_periods"):
        wrong = cast(learn.Report, {**report, key: 3})
        (sentence,) = learn.complaints(wrong)
        assert sentence == f"3 {key.partition('_')[2]} of the simulated core are not the model's."
    for key, what in (("still", "moved nothing"), ("moved", "moved something")):
        wrong = cast(learn.Report, {**report, key: {**cast(Any, report)[key], "seen": []}})
        assert learn.complaints(wrong) == [f"No batch that {what} has been timed."]
    for name, figure, side, bound in BARS:
        wrong = deepcopy(report)
        cast(Any, wrong)[name][figure] = bound + (0.001 if side == "at most" else -0.001)
        (sentence,) = learn.complaints(wrong)
        assert sentence.startswith(f"{name}.{figure} is ")


def test_the_seconds_of_a_task_are_those_of_its_batches() -> None:
    given = task()
    found = hardware(given, Twin(), NETWORK, 3)
    figures = learn.figures_of(given, found.figures, found.learnt, GEOMETRY, NETWORK)
    still, moved = (learning_period(GEOMETRY, NETWORK.shape, each) for each in (False, True))
    walks = found.learnt.walks
    assert figures["batches"] == 163 and 0 < walks < 163
    cycles = walks * moved + (163 - walks) * still
    assert figures["images_per_second"] == pytest.approx(325 * 50e6 / cycles)


class Entered(Twin):
    """In place of a simulated core of the command."""

    def __init__(self, network: IntegerNetwork, geometry: Geometry) -> None:
        super().__init__(geometry)
        self.network = network

    def __enter__(self) -> Entered:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def load(self, network: IntegerNetwork) -> None:
        """Another task begins."""
        self.network, self.goes = network, 0


@pytest.mark.needs("matplotlib")
@pytest.mark.parametrize("missed", [False, True])
def test_the_command_writes_and_judges(
    missed: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A page that is to be written stays as it was where something is not as it must be."""
    begin, end = markers("learn")
    for path in (tmp_path / "PAGE.md", tmp_path / "learning.svg"):
        path.write_text(f"before\n{begin}\n{end}\nbehind\n")
    monkeypatch.setattr(learn, "PAGE", tmp_path / "PAGE.md")
    monkeypatch.setattr(learn, "PICTURE", tmp_path / "learning.svg")
    monkeypatch.setattr(learn, "SimulatedCore", Entered)
    monkeypatch.setattr(learn, "network", lambda: NETWORK)
    monkeypatch.setattr(learn, "MARGIN", 3)
    monkeypatch.setattr(learning_core, "offline", lambda *_: 0.9)
    given = {
        name: task(0 if name == "from_zero" else 8, 325 if name == "other_writers" else 1010)
        for name in learn.TITLES
    }
    monkeypatch.setattr(learn, "tasks", lambda: given)
    bars = [("turned", "after_1000", "at least" if missed else "at most", 1.01)]
    monkeypatch.setattr(learning, "BARS", bars)
    monkeypatch.setattr("sys.argv", ["learn.py", "--write", "--output", str(tmp_path / "out")])
    assert learn.main() == missed
    out, err = capsys.readouterr()
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["source"].keys() == {"commit", "dirty", "rtl"} and report["differing_scores"] == 0
    assert report["other_writers"].keys() >= {"before", "after_100", "after_all", "offline"}
    assert learn.page(report) in out
    sentence = f"error: turned.after_1000 is {report['turned']['after_1000']:.4f}, at least 1.01"
    assert (sentence in err) == missed
    written = (tmp_path / "PAGE.md").read_text()
    assert (learn.page(report) in written) != missed and written.endswith("behind\n")
    shown = learn.drawn(report)
    assert plot.shows((tmp_path / "learning.svg").read_text(), shown) != missed
    assert plot.shows((tmp_path / "out" / "learning.svg").read_text(), shown)


# ---- page and picture


def test_what_the_picture_shows(report: learn.Report) -> None:
    shown = learn.drawn(report)
    lines = {line.title: line for line in shown.lines}
    assert [*lines] == [*learn.TITLES.values()]
    turned, writers = lines["MNIST turned by 30 degrees"], lines["digits of other writers"]
    assert turned.images == [0, 100, 300, 1000, 3000, 5000]
    assert turned.errors == [0.5, 0.4, 0.3, 0.01, 0.02, 0.01] and turned.offline == 0.005
    assert writers.images == [0, 100, 300, 1000, 1415] and len(writers.errors) == 5


@pytest.mark.needs("matplotlib")
def test_the_picture_is_the_same_for_the_same_data(report: learn.Report) -> None:
    shown = learn.drawn(report)
    picture = learn.picture(shown)
    assert picture == learn.picture(shown) and plot.shows(picture, shown)
    report["turned"]["after_300"] += 0.001
    assert not plot.shows(picture, learn.drawn(report))
    texts = [e.text for e in ElementTree.fromstring(picture).iter() if e.tag.endswith("}text")]
    assert {"before", "1,000", "offline", *learn.TITLES.values()} <= set(texts)


@pytest.fixture(scope="module")
def committed() -> learn.Report:
    """The report of the page, with all that the model tells made again; of real weights, and of
    what the core did, the page itself is believed."""
    first = learning.network()
    given = learning.tasks()
    geometry = learn.core_of(first)
    text = learn.PAGE.read_text()
    bounds = {}
    for name, title in learn.TITLES.items():
        (row,) = re.findall(rf"^\| {title} +\|(.*)\|$", text, re.M)
        bounds[name] = round(float(row.split("|")[7].strip(" %")) / 100, 4)
    old = given["from_zero"]
    mnist = features(first, first.inputs_from(old.test_images))
    figures = {}
    for name, each in given.items():
        done = software(each, lanes=geometry.lanes, compared=False)
        known = learning.accuracy(Learner(done.network), mnist, old.test_labels)
        accuracies = {**done.figures, "offline": bounds[name], "mnist": known}
        figures[name] = learn.figures_of(each, accuracies, done.learnt, geometry, first)
    return cast(learn.Report, learn.report_of(given, figures, {}, geometry, first))


@pytest.mark.slow
@pytest.mark.needs("sklearn")
def test_the_page_and_the_picture_are_what_the_command_writes(committed: learn.Report) -> None:
    begin, end = markers("learn")
    kept = learn.PAGE.read_text().split(begin, 1)[1].split(end, 1)[0]
    assert kept.strip() == learn.page(committed), "run `make learn ARGS=--write`"
    assert plot.shows(learn.PICTURE.read_text(), learn.drawn(committed))


@pytest.mark.slow
@pytest.mark.needs("sklearn")
@pytest.mark.parametrize("name", ["other_writers", "turned"])
def test_real_weights_come_to_what_the_page_says(committed: learn.Report, name: str) -> None:
    """Whatever version of scikit-learn finds them."""
    first, given = learning.network(), learning.tasks()[name]
    x, test = given.features(first)
    found = learning.offline(x, given.labels, test, given.test_labels)
    assert found == pytest.approx(cast(Any, committed)[name]["offline"], abs=0.005)


@pytest.mark.slow
@pytest.mark.needs("matplotlib", "sklearn")
def test_labels_of_the_axis_do_not_cover_each_other(committed: learn.Report) -> None:
    axes = learn.draw(learn.drawn(committed))
    axes.figure.canvas.figure.draw_without_rendering()
    ticks = [label for label in axes.get_xticklabels() if label.get_text()]
    assert len(ticks) == 6
    for one, other in itertools.pairwise(tick.get_window_extent() for tick in ticks):
        assert one.x1 < other.x0
