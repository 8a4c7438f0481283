# SPDX-License-Identifier: Apache-2.0
"""`--trace`: what the page shows of an image is what the core had, and what the reference says."""

from __future__ import annotations

import base64
import importlib.util
import io
import re
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from markupsafe import escape
from PIL import Image

from commands import made
from commands.made import Checker, external_references, run, texts
from xnor_fcc import plot
from xnor_fcc.errors import UserError
from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import evaluate, preactivations
from xnor_fcc_sim.page import trace_drawings as draw
from xnor_fcc_sim.page import trace_page
from xnor_fcc_sim.trace import EVENTS, Layer, Trace

IMAGES, IMAGE = 11, 7
WIDTHS = (36, 20, 13, 5)


@dataclass
class Traced:
    """A run with a trace: the network of the reference, its images, what came out."""

    network: IntegerNetwork
    grey: np.ndarray
    labels: np.ndarray
    trace: Trace
    page: str
    code: int

    @property
    def x(self) -> np.ndarray:
        return self.network.inputs_from(self.grey)


def traced(
    simulator: str, directory: Path, orders: tuple[int, ...], *arguments: str, image: int = IMAGE
) -> Traced:
    """Simulate a small network. The traced image is misread: its label is one beside its answer,
    which is the label of all others."""
    rng = np.random.default_rng(8)
    network = random_network(rng, WIDTHS, orders=orders)
    grey = rng.integers(0, 256, (IMAGES, WIDTHS[0]), dtype=np.uint8)
    labels = np.full(IMAGES, evaluate(network, network.inputs_from(grey)).classes[image])
    labels[image] = (labels[image] + 1) % WIDTHS[-1]
    given = {"images": grey, "labels": labels}
    more = ("--trace", str(image), "--pe", "8", "--simd", "8", *arguments)
    return Traced(network, grey, labels, *made.traced(directory, simulator, network, given, *more))


@pytest.fixture(scope="module")
def plain(quickest: str, tmp_path_factory: pytest.TempPathFactory) -> Traced:
    return traced(quickest, tmp_path_factory.mktemp("plain"), (1, 1, 1), "--lanes", "3")


@pytest.fixture(scope="module")
def pairs(quickest: str, tmp_path_factory: pytest.TempPathFactory) -> Traced:
    """Activations of order 2, two images at a time in two lanes each."""
    return traced(quickest, tmp_path_factory.mktemp("pairs"), (2, 2, 1), "--lanes", "4")


@pytest.fixture(scope="module")
def faulty(quickest: str, tmp_path_factory: pytest.TempPathFactory) -> Traced:
    """A threshold that this image is exactly at is moved by one."""
    rng = np.random.default_rng(8)
    network = random_network(rng, WIDTHS)
    grey = rng.integers(0, 256, (IMAGES, WIDTHS[0]), dtype=np.uint8)
    sums = preactivations(network, network.inputs_from(grey))[0][IMAGE]
    neuron = int(np.flatnonzero(sums == 1)[0])
    where = f"threshold:0:{neuron}"
    return traced(quickest, tmp_path_factory.mktemp("faulty"), (1, 1, 1), "--flip", where)


def drawn(svg: str, width: int, count: int) -> np.ndarray:
    """The levels (count,) that a picture of bits shows."""
    levels = np.zeros((-(-count // width), width), np.uint8)
    for level, path in re.findall(r'data-level="(\d)"[^>]* d="([^"]*)"', svg):
        for x, y, length in re.findall(r"M(\d+) (\d+)h(\d+)v", path):
            levels[int(y), int(x) : int(x) + int(length)] = int(level)
    return levels.ravel()[:count]


def bit_pictures(page: str) -> list[str]:
    """The pictures of bits: the image's, then the layers'."""
    pictures = re.findall(r'<svg [^>]*class="bits".*?</svg>', page)
    return [picture for picture in pictures if "data-level" in picture]


@pytest.mark.one_quick
@pytest.mark.parametrize("kind", ["plain", "pairs"])
def test_the_page_shows_what_the_reference_says(
    kind: str, request: pytest.FixtureRequest
) -> None:
    one: Traced = request.getfixturevalue(kind)
    assert one.code == 0
    answers = evaluate(one.network, one.x[IMAGE : IMAGE + 1])
    sums = [each[0] for each in preactivations(one.network, one.x[IMAGE : IMAGE + 1])]

    (png,) = re.findall(r'href="data:image/png;base64,([^"]*)"', one.page)
    shades = np.array(Image.open(io.BytesIO(base64.b64decode(png))))
    assert np.array_equal(shades.ravel(), one.grey[IMAGE])
    pictures = bit_pictures(one.page)
    assert len(pictures) == 3 and "wrong" not in "".join(pictures)
    assert np.array_equal(drawn(pictures[0], 6, 36), one.x[IMAGE])
    for picture, hidden in zip(pictures[1:], answers.hidden, strict=True):
        width = int(np.ceil(np.sqrt(hidden.shape[1])))
        assert np.array_equal(drawn(picture, width, hidden.shape[1]), hidden[0])
        ones = (hidden > hidden.max() // 2).sum()
        assert f": {ones} of {hidden.shape[1]} " in one.page

    for layer, each in zip(one.trace.sums, sums, strict=True):
        margins = draw.margins(layer.seen)
        for (low, high), count in zip(pairwise(margins.edges), margins.counts, strict=True):
            # 2P + 1 - 2T is what the reference tells.
            assert ((each >> 1 >= low) & (each >> 1 < high)).sum() == count
            assert (low < 0) == (high <= 0), "a bin over both sides of the threshold"
        assert sum(margins.counts) == len(each)
    closest = texts(one.page.split("Closest to switching")[2].split("</table>")[0]).split()
    for row, neuron in enumerate(np.argsort(np.abs(sums[0]), kind="stable")[:8].tolist()):
        shown = closest[closest.index("reference") + 1 + 5 * row :][:3]
        bit = answers.hidden[0][0, neuron]
        assert shown == [str(neuron), f"{sums[0][neuron] >> 1:+}", str(bit)]

    answer, label = int(answers.classes[0]), int(one.labels[IMAGE])
    table = one.page.split("Scores of the classes")[-1].split("</table>")[0]
    rows = [re.findall(r"<td.*?</td>", line, re.S) for line in table.split("<tr>")[2:]]
    scores = answers.scores[0].tolist()
    assert [texts(cells[0]) for cells in rows] == list(map(str, range(WIDTHS[-1])))
    assert [texts(cells[1]).replace(",", "") for cells in rows] == list(map(str, scores))
    said = {answer: "answer", label: "label"}
    assert [texts(cells[2]) for cells in rows] == [said.get(c, "") for c in range(WIDTHS[-1])]
    assert {texts(cells[3]) for cells in rows} == {"the same"}
    assert [c for c, cells in enumerate(rows) if "fail" in cells[2]] == [answer]
    # A bar begins or ends where the scores are 0, and is as long as its score.
    low, high = min(0, *scores), max(0, *scores)
    for cells, score in zip(rows, scores, strict=True):
        ((start, end),) = re.findall(r"--from:([\d.]+)%;--to:([\d.]+)%", cells[1])
        for edge, value in ((start, min(0, score)), (end, max(0, score))):
            assert abs(float(edge) - 100 * (value - low) / (high - low)) < 0.06
    assert f"<h1>Image {IMAGE}: read as {answer}, is {label}</h1>" in one.page
    assert "PASS" in one.page and "FAIL" not in one.page


@pytest.mark.one_quick
@pytest.mark.parametrize("kind", ["plain", "pairs"])
def test_the_cycles_are_those_of_the_model(kind: str, request: pytest.FixtureRequest) -> None:
    one: Traced = request.getfixturevalue(kind)
    trace, shape = one.trace, one.network.shape
    g = trace.geometry
    assert trace.shape == shape and isinstance(g, Geometry)
    mine = trace.mine
    images = g.images_per_batch(shape)
    assert trace.about["batch"] == 1 + IMAGE // images  # one has the lone image
    assert trace.about["lane"] == IMAGE % images * (g.lanes // images)
    assert mine["image"][0] == 0
    assert len(mine["image"]) == g.image_beats(36, one.network.pixel_residual is not None)
    assert len(mine["result"]) == WIDTHS[-1] + 1
    load = int(mine["load"][0])
    assert mine["image"][-1] < load < mine["step"][0] == load + 1 + g.wind(36)
    assert len(mine["step"]) == g.steps(shape)
    assert mine["step"][-1] - load == g.pass_cycles(shape)
    for steps, done, (n, m, _) in zip(trace.steps(), trace.done(), shape.layers, strict=True):
        assert len(steps) == g.groups(m) * g.words(n) and len(done) == g.groups(m)
        assert (done == steps[g.words(n) - 1 :: g.words(n)] + 5).all()
    assert mine["result"][0] > mine["done"][-1]
    for event in EVENTS:
        assert np.isin(mine[event], trace.cycles[event]).all()
    # What is drawn begins with the images of the batch before.
    assert (trace.cycles["image"] < 0).sum() == images * len(mine["image"])
    table = texts(one.page.split("In numbers")[-1].split("</table>")[0])
    assert f"its batch loaded {load} {load} 1" in table
    assert f"beats of the result taken {mine['result'][0]} {mine['result'][-1]} 6" in table
    assert f"its batch is loaded: {load}<" in one.page
    assert f"{mine['result'][-1] - mine['image'][-1]} cycles" in texts(one.page)


def test_the_timeline_has_every_bar_where_its_cycles_are(plain: Traced) -> None:
    drawing = plain.page.split("Clock cycles around the image</title>")[1].split("</svg>")[0]
    trace = plain.trace
    # Numbers below the drawing are the cycles there.
    ticks = re.findall(r'<text x="([\d.]+)" y="\d+" text-anchor="middle">(-?\d+)</text>', drawing)
    (x0, c0), (x1, c1) = ((float(x), int(cycle)) for x, cycle in (ticks[0], ticks[-1]))
    scale = (x1 - x0) / (c1 - c0)
    bars = re.findall(
        r'<rect x="([\d.]+)"[^>]*><title>([^<]*), cycles (-?\d+) to (-?\d+)</title>', drawing
    )
    found: dict[str, list[int]] = {}
    for x, tip, start, end in bars:
        assert abs(float(x) - (x0 + (int(start) - c0) * scale)) < 0.1
        found.setdefault(tip, []).extend(range(int(start), int(end)))
    assert set(trace.mine["image"].tolist()) <= set(found["this image"])
    assert set(trace.mine["result"].tolist()) <= set(found["result of this image"])
    for layer, (name, steps) in enumerate(zip(("36→20", "20→13", "13→5"), trace.steps(),
                                              strict=True)):  # fmt: skip
        assert set(steps.tolist()) <= set(found[f"layer {layer}, {name}"])
        done = trace.done()[layer].tolist()
        for group, cycle in enumerate(reversed(done)):
            assert found[f"layer {layer}, {name}: group {group} done"] == [cycle]
    ((load, at),) = re.findall(
        r'<line x1="([\d.]+)"[^>]*stroke="var\(--fail\)"/>.*?its batch is loaded: (\d+)<', drawing
    )
    assert abs(float(load) - (x0 + (int(at) - c0) * scale)) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("image", [0, IMAGES - 1])
def test_the_first_image_and_the_last_one(quickest: str, tmp_path: Path, image: int) -> None:
    """Of the batches that the testbench looks into anyway; of a batch that is not full."""
    one = traced(quickest, tmp_path, (1, 1, 1), "--lanes", "4", image=image)
    trace = one.trace
    assert one.code == 0 and trace.wrong_values == trace.wrong_sums == 0
    assert np.array_equal(trace.inputs.seen, one.x[image])
    wanted = preactivations(one.network, one.x[image : image + 1])
    for seen, sums in zip(trace.sums, wanted, strict=True):
        assert np.array_equal(seen.seen, sums[0] >> 1)
    assert (trace.about["batch"], trace.about["lane"]) == (1 + image // 4, image % 4)
    assert len(trace.mine["result"]) == WIDTHS[-1] + 1


@pytest.mark.slow
def test_what_differs_is_marked(faulty: Traced) -> None:
    one = faulty
    neuron = int(one.trace.about["flip"].split(":")[-1])
    assert one.code == 1 and "FAIL" in one.page and "PASS" not in one.page
    assert one.trace.hidden[0].wrong.sum() == 1 and one.trace.hidden[0].wrong[neuron]
    assert one.trace.sums[0].wrong.sum() == 1
    differing = [int(layer.wrong.sum()) for layer in one.trace.hidden]
    pictures = bit_pictures(one.page)
    assert [picture.count('class="wrong"') for picture in pictures] == [0, *differing]
    seen, wanted = one.trace.hidden[0].seen[neuron], one.trace.hidden[0].wanted[neuron]
    assert f"number {neuron}: {seen}, by the reference {wanted}" in pictures[1]
    assert f"FLIP={one.trace.about['flip']}" in one.page


def test_a_score_that_differs_is_told(plain: Traced) -> None:
    scores = replace(plain.trace.scores, wanted=plain.trace.scores.wanted + 1_000)
    page = trace_page.render(replace(plain.trace, scores=scores))
    table = page.split("Scores of the classes")[-1].split("</table>")[0]
    assert f"{WIDTHS[-1]} of them not those of the reference" in table
    for score in scores.wanted.tolist():
        assert f'<span class="word fail">{score:,}</span>' in table


@pytest.mark.needs("matplotlib")
def test_the_histogram_is_of_the_margins(plain: Traced) -> None:
    data = re.findall(r'<img alt="Margins of layer \d" src="data:image/svg\+xml;base64,(.*?)"',
                      plain.page)  # fmt: skip
    assert len(data) == len(plain.trace.hidden)
    for picture, layer in zip(data, plain.trace.sums, strict=False):
        text = base64.b64decode(picture).decode()
        assert plot.shows(text, draw.margins(layer.seen)) and ">bit 1</text>" in text


def test_without_matplotlib_the_page_says_how_to_get_the_histogram(
    plain: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    page = trace_page.render(plain.trace)
    Checker(page)
    assert "Margins of layer" not in page
    wanted = f"There is no histogram of the margins. {plot.MISSING}"
    assert page.count(str(escape(wanted))) == len(plain.trace.hidden)


def test_an_accumulator_alone_is_no_pass(plain: Traced) -> None:
    """One that is wrong, on the right side of its threshold."""
    first, *others = plain.trace.sums
    seen = first.seen.copy()
    seen[3] += 1 if seen[3] >= 0 else -1
    trace = replace(plain.trace, sums=[Layer(seen, first.wanted), *others])
    page = trace_page.render(trace)
    assert trace.wrong_values == 0 and trace.wrong_sums == 1
    assert "FAIL" in page and "PASS" not in page


@pytest.mark.parametrize("where", ["inputs", "scores"])
def test_a_wrong_value_at_either_end_is_no_pass(where: str, plain: Traced) -> None:
    layer = getattr(plain.trace, where)
    seen = layer.seen.copy()
    seen[2] ^= 1
    trace = Trace(**{**vars(plain.trace), where: Layer(seen, layer.wanted)})
    page = trace_page.render(trace)
    assert trace.wrong_values == 1 and trace.wrong_sums == 0
    assert "FAIL" in page and "PASS" not in page and "1 of them not those" in page


@pytest.mark.slow
def test_pages_stand_alone(plain: Traced, pairs: Traced, faulty: Traced) -> None:
    for one in (plain, pairs, faulty):
        checker = Checker(one.page)
        assert not external_references(one.page) and "script" not in checker.tags
        assert len(checker.ids) == len(set(checker.ids))


def test_images_that_are_not_square_and_answers_without_a_label(plain: Traced) -> None:
    about = {**plain.trace.about, "label": None, "widths": [7, *WIDTHS[1:]], "inputs": "random",
             "dataset": "fashion"}  # fmt: skip
    bits = np.array([1, 0, 1, 1, 0, 0, 1], np.uint8)
    trace = Trace(**{**vars(plain.trace), "about": about, "grey": 255 * bits,
                     "inputs": Layer(bits, 1 - bits)})  # fmt: skip
    page = trace_page.render(trace)
    assert np.array_equal(drawn(bit_pictures(page)[0], 7, 7), bits)
    assert bit_pictures(page)[0].count('class="wrong"') == 7
    assert f"<h1>Image {IMAGE}: read as {trace.answer}</h1>" in page and "← label" not in page
    assert trace_page.classes_of(trace) == list("01234")  # fashion has ten


def test_a_damaged_file_ends_in_one_sentence(tmp_path: Path, plain: Traced) -> None:
    plain.trace.write(tmp_path / "trace.npz")
    assert trace_page.render(Trace.read(tmp_path / "trace.npz")) == plain.page
    contents = bytearray((tmp_path / "trace.npz").read_bytes())
    contents[len(contents) // 2] ^= 1
    (tmp_path / "trace.npz").write_bytes(contents)
    with pytest.raises(UserError, match=r"damaged|SHA"):
        trace_page.write_page(tmp_path / "trace.npz", tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


@pytest.mark.one_quick
@pytest.mark.parametrize("image", ["-1", "20", "x"])
def test_an_image_outside_the_run_ends_in_one_sentence(tmp_path: Path, image: str) -> None:
    result = run(tmp_path / "out", "--images", "20", f"--trace={image}")
    assert result.returncode == 2
    assert result.stderr.startswith("error: ") and len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()
