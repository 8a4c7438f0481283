# SPDX-License-Identifier: Apache-2.0
"""`--trace` of networks that begin with convolutions: maps as pictures, and where a fault is."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands import made
from commands.made import Checker, external_references, texts
from xnor_fcc.geometry import MapShape
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.map_plan import plan
from xnor_fcc.random_network import Convolution, random_map_network
from xnor_fcc.reference import evaluate, preactivations
from xnor_fcc_sim.map_schedule import SlotWrite, pass_of
from xnor_fcc_sim.page import map_drawings as draw
from xnor_fcc_sim.page import trace_page
from xnor_fcc_sim.trace import Layer, Trace

IMAGES = 3


@dataclass
class Traced:
    """A run with a trace: the network of the reference, its images, what came out."""

    network: IntegerNetwork
    grey: np.ndarray
    image: int
    trace: Trace
    page: str
    code: int

    @property
    def x(self) -> np.ndarray:
        """What the network makes of the traced image alone."""
        return self.network.inputs_from(self.grey[self.image : self.image + 1])


def one_colour() -> IntegerNetwork:
    """Grey, single bits, a map of one pixel."""
    rng = np.random.default_rng(5)
    return random_map_network(rng, 5, [Convolution(5), Convolution(7)], (6, 4), levels=2)


def two_colours() -> IntegerNetwork:
    """Two colours, a border, a pool, a 1x1 window, activations of two bits."""
    layers = [Convolution(5, pool=True), Convolution(7, kernel=1)]
    return random_map_network(np.random.default_rng(5), 6, layers, (6, 4), colours=2, levels=1,
                              border=1, orders=[1, 2, 1, 2])  # fmt: skip


def images_of(network: IntegerNetwork) -> np.ndarray:
    return np.random.default_rng(6).integers(0, 256, (IMAGES, network.inputs), dtype=np.uint8)


def traced(
    simulator: str, directory: Path, network: IntegerNetwork, image: int, *arguments: str
) -> Traced:
    grey = images_of(network)
    more = ("--trace", str(image), "--pe", "2", "--simd", "18", *arguments)
    found = made.traced(directory, simulator, network, {"images": grey}, *more)
    return Traced(network, grey, image, *found)


@pytest.fixture(scope="module")
def colours(quickest: str, tmp_path_factory: pytest.TempPathFactory) -> Traced:
    return traced(quickest, tmp_path_factory.mktemp("colours"), two_colours(), 1)


CHANNEL = 4


@pytest.fixture(scope="module")
def faulty(quickest: str, tmp_path_factory: pytest.TempPathFactory) -> Traced:
    """A threshold that the first image is exactly at in some places is moved by one."""
    where = f"threshold:0:{CHANNEL}"
    return traced(quickest, tmp_path_factory.mktemp("faulty"), one_colour(), 0, "--flip", where)


def pngs(page: str) -> list[np.ndarray]:
    found = re.findall(r'href="data:image/png;base64,([^"]*)"', page)
    return [np.array(Image.open(io.BytesIO(base64.b64decode(data)))) for data in found]


def drawn(picture: np.ndarray, side: int, channels: int, most: int) -> tuple[np.ndarray, ...]:
    """(values, wrong) of a map, (side, side, channels) each, that a picture shows."""
    across, apart = draw.columns(channels), draw.gap(side)
    colours = draw.palette(most)
    assert len(np.unique(colours.reshape(-1, 4), axis=0)) == 2 * (most + 1)
    values, wrong = (np.zeros((side, side, channels), int) for _ in range(2))
    for c in range(channels):
        y, x = (place * (side + apart) for place in divmod(c, across))
        part = picture[y : y + side, x : x + side, None, None]
        state = (part == colours).all(axis=-1)
        assert (state.sum(axis=(2, 3)) == 1).all(), "a colour of no value"
        values[:, :, c] = state.any(axis=2) @ np.arange(most + 1)
        wrong[:, :, c] = state[:, :, 1].any(axis=2)
    return values, wrong


def test_the_trace_is_what_the_reference_says(colours: Traced) -> None:
    one, trace = colours, colours.trace
    assert one.code == 0 and trace.wrong_values == trace.wrong_sums == 0
    assert trace.shape == one.network.shape and trace.maps == 2
    assert np.array_equal(trace.inputs.seen, one.x[0])
    sums = [each[0] >> 1 for each in preactivations(one.network, one.x)]
    for layer, wanted in zip(trace.hidden, evaluate(one.network, one.x).hidden, strict=True):
        assert np.array_equal(layer.seen, wanted[0])
    assert trace.hidden[0].seen.max() == 3
    for layer, wanted in zip(trace.sums, sums[:-1], strict=True):
        assert np.array_equal(layer.seen, wanted[::2, ::2] if wanted.ndim == 3 else wanted)
    assert np.array_equal(trace.scores.seen, evaluate(one.network, one.x).scores[0])


def test_the_page_shows_every_pixel_of_every_channel(colours: Traced) -> None:
    one = colours
    assert "PASS" in one.page and "FAIL" not in one.page and "map differs" not in one.page
    red, green, first, *maps = pngs(one.page)
    given = one.grey[one.image].reshape(6, 6, 2)
    assert np.array_equal(red, given[:, :, 0]) and np.array_equal(green, given[:, :, 1])
    assert np.array_equal(drawn(first, 8, 2, 1)[0], one.x[0])
    hidden = evaluate(one.network, one.x).hidden
    for picture, wanted, most in zip(maps, hidden[:2], (3, 1), strict=True):
        values, wrong = drawn(picture, 3, wanted.shape[-1], most)
        assert np.array_equal(values, wanted[0]) and not wrong.any()
    text = texts(one.page)
    assert "3x3 windows of 8x8x2, 2x2 max-pool, 3x3x5" in text
    assert "1x1 windows of 3x3x5, 3x3x7" in text
    assert f": {(hidden[0] > 1).sum()} of 45 first bits are 1." in text
    assert f": {hidden[1].sum()} of 63 bits are 1." in text
    assert "each colour, with a border of 1 around it." in text


@pytest.mark.slow
def test_what_differs_is_where_it_is(faulty: Traced) -> None:
    one, trace = faulty, faulty.trace
    sums = preactivations(one.network, one.x)[0][0]
    wrong = (sums >> 1 == 0) & (np.arange(5) == CHANNEL)
    assert 0 < wrong.sum() < 9, "the fault shows in some pixels, not in all"
    assert one.code == 1 and "FAIL" in one.page and "PASS" not in one.page
    assert np.array_equal(trace.hidden[0].wrong, wrong)
    assert np.array_equal(trace.sums[0].wrong, np.ones((2, 2, 1), bool) & (np.arange(5) == CHANNEL))
    grey, first, *maps = pngs(one.page)
    assert np.array_equal(grey.ravel(), one.grey[one.image])
    assert not drawn(first, 5, 1, 2)[1].any()
    for picture, layer, side in zip(maps, trace.hidden, (3, 1), strict=False):
        values, marked = drawn(picture, side, layer.seen.shape[-1], 1)
        assert np.array_equal(values, layer.seen) and np.array_equal(marked, layer.wrong)
    section = one.page.split("<h2 ")[3]
    tips = re.findall(r'class="map differs".*?<title>(.*?)</title>', section)
    assert tips == [f"channel {CHANNEL}; {wrong.sum()} of 9 pixels differ"]
    assert f"; {wrong.sum()} of them not those of the reference" in section
    bits, accumulators = (texts(section.split(caption)[1].split("</table>")[0]) for caption in
                          ("The first that differ.</p>", "before any pool.</p>"))
    y, x, _ = np.argwhere(wrong)[0].tolist()
    assert f"row column channel bit reference {y} {x} {CHANNEL} 0 1" in bits
    # The one at the first position of the last block, two rows and columns on.
    assert f" 2 2 {CHANNEL} {(sums[2, 2, CHANNEL] >> 1) - 1:+} {sums[2, 2, CHANNEL] >> 1:+}" in (
        accumulators
    )


@pytest.mark.one_quick
@pytest.mark.parametrize("kind", ["colours", "faulty"])
def test_the_cycles_are_those_of_the_schedule(kind: str, request: pytest.FixtureRequest) -> None:
    one: Traced = request.getfixturevalue(kind)
    trace, shape = one.trace, one.network.shape
    g, mine = trace.geometry, trace.mine
    assert isinstance(shape, MapShape) and trace.about["lane"] == 0
    assert trace.about["batch"] == 1 + one.image  # one has the lone image
    stages = plan(shape, g.pe, g.simd)
    load = int(mine["load"][0])
    assert mine["image"][0] == 0 and len(mine["image"]) == shape.side**2
    assert load > mine["image"][-1] and mine["step"][0] == load + 1
    assert mine["step"][-1] - load == g.pass_cycles(shape)
    assert [len(steps) for steps in trace.steps()] == [stage.steps for stage in stages]
    writes: list[list[int]] = [[] for _ in stages[:-1]]
    for event in pass_of(g, stages):
        if isinstance(event, SlotWrite):
            writes[event.layer].append(load + event.cycle)
    *hidden, output = trace.done()
    assert [done.tolist() for done in hidden] == writes
    assert len(output) == g.groups(4) and output[-1] < mine["result"][0]
    assert len(mine["result"]) == 4 + 1
    table = texts(one.page.split("In numbers")[-1].split("</table>")[0])
    assert f"its pass begun {load} {load} 1" in table
    assert f"slots written {writes[1][0]} {writes[1][-1]} {len(writes[1])}" in table
    assert f"its pass begins: {load}<" in one.page
    drawing = one.page.split("Clock cycles around the image</title>")[1].split("</svg>")[0]
    bars = re.findall(r"layer 0, [^<]*: slots written, cycles (\d+) to (\d+)<", drawing)
    covered = {cycle for a, b in bars for cycle in range(int(a), int(b))}
    assert set(writes[0]) <= covered


def test_a_wrong_thermometer_bit_is_no_pass(colours: Traced) -> None:
    seen = colours.trace.inputs.seen.copy()
    seen[4, 5, 1] ^= 1
    trace = replace(colours.trace, inputs=Layer(seen, colours.trace.inputs.wanted))
    page = trace_page.render(trace)
    assert trace.wrong_values == 1 and "FAIL" in page and "PASS" not in page
    _, wrong = drawn(pngs(page)[2], 8, 2, 1)
    assert np.argwhere(wrong).tolist() == [[4, 5, 1]]
    assert "colour 1; 1 of 64 pixels differ" in page


def test_as_many_bits_that_are_others_differ() -> None:
    """Of three levels of a colour, the first two instead of the last two."""
    seen, wanted = np.zeros((2, 1, 1, 6), np.uint8)
    seen[0, 0, 3:], wanted[0, 0, 3:] = (1, 1, 0), (0, 1, 1)
    counts, wrong = draw.reached(Layer(seen, wanted), 2)
    assert counts.tolist() == [[[0, 2]]] and wrong.tolist() == [[[False, True]]]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_images_of_every_number_of_colours(count: int) -> None:
    pixels = np.random.default_rng(count).integers(0, 256, (4, 4, count), dtype=np.uint8)
    found = [png for picture in draw.image(pixels, "x") for png in pngs(picture)]
    if count == 3:
        assert len(found) == 1 and np.array_equal(found[0], pixels)
    else:
        assert np.array_equal(np.stack(found, axis=2), pixels)


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 16, 64, 100, 256])
def test_maps_fill_a_page_across(channels: int) -> None:
    """Every channel has a place of its own, in a picture that is wider than high."""
    across = draw.columns(channels)
    values = np.arange(channels, dtype=np.uint8) % 2 * np.ones((3, 3, 1), np.uint8)
    page = draw.maps(values, values == 2, 1, "x")
    (picture,) = pngs(page)
    assert np.array_equal(drawn(picture, 3, channels, 1)[0], values)
    assert across >= -(-channels // across) and page.count("<rect") == channels
    assert (picture[:, :, 3] == 255).sum() == 9 * channels


@pytest.mark.slow
def test_the_pages_stand_alone_and_the_file_has_all_of_them(
    colours: Traced, faulty: Traced, tmp_path: Path
) -> None:
    for one in (colours, faulty):
        checker = Checker(one.page)
        assert not external_references(one.page) and "script" not in checker.tags
        assert len(checker.ids) == len(set(checker.ids))
        one.trace.write(tmp_path / "trace.npz")
        assert trace_page.render(Trace.read(tmp_path / "trace.npz")) == one.page
