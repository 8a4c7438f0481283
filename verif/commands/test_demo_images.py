# SPDX-License-Identifier: Apache-2.0
"""What `xnor-fcc demo` makes of a drawing or a picture before the core sees it."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from commands.demo_server import DIGITS, png
from xnor_fcc.data import load_test_images
from xnor_fcc.errors import UserError
from xnor_fcc.reference import evaluate
from xnor_fcc_sim.demo.drawing import STYLES, drawn, dropped
from xnor_fcc_sim.demo.messages import packed
from xnor_fcc_sim.demo.subjects import MOST_BYTES, MOST_POINTS, Subject, checked, unpacked


@pytest.mark.parametrize("name, wrong", [("mnist", []), ("digits", [4])])
def test_drawn_digits_are_read(name: str, wrong: list[int]) -> None:
    subject = Subject(name)
    grey = [drawn(strokes, subject.side, STYLES[name]) for strokes in DIGITS.values()]
    inputs = subject.network.inputs_from(np.reshape(grey, (10, -1)))
    read = evaluate(subject.network, inputs).scores.argmax(axis=1)
    # The loop of this 4 is closed where an image has but eight rows.
    assert [digit for digit in range(10) if read[digit] != digit] == wrong


@pytest.mark.parametrize("scale, x, y", [(1.0, 0.0, 0.0), (0.5, 0.4, 0.1), (0.8, 0.0, 0.2)])
def test_a_drawing_is_fitted_as_mnist_is(scale: float, x: float, y: float) -> None:
    strokes = [[(scale * a + x, scale * b + y) for a, b in stroke] for stroke in DIGITS[7]]
    image = drawn(strokes, 28, STYLES["mnist"]).astype(float)
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    assert 20 <= np.ptp(rows) + 1 <= 21 and np.ptp(columns) + 1 <= 20
    for axis in (0, 1):
        ink = image.sum(axis=axis)
        assert abs((np.arange(28) + 0.5) @ ink / ink.sum() - 14) < 0.1
    assert ((image > 0) & (image < 255)).any()
    same = drawn(DIGITS[7], 28, STYLES["mnist"]).astype(float)
    assert abs(same - image).mean() < 3


def test_a_dot_stays_a_dot_and_no_ink_is_lost_at_the_edge() -> None:
    dot = drawn([[(0.1, 0.9)]], 28, STYLES["mnist"])
    assert 0 < np.count_nonzero(dot) <= 16 and dot[13:15, 13:15].all()
    # Its centre of mass is far from the middle of its outline.
    pan = [[(0.1, 0.1 + i / 50), (0.4, 0.1 + i / 50)] for i in range(10)] + [[(0.1, 0.1), (1, 0.1)]]
    image = drawn(pan, 28, STYLES["mnist"])
    assert np.ptp(np.flatnonzero(image.any(axis=0))) + 1 >= 20


def test_a_picture_of_the_networks_size_stays_as_it_is() -> None:
    image = load_test_images()[0][0].reshape(28, 28)
    for given in (image, 255 - image):
        assert (dropped(png(given), "a.png", 28, 1, STYLES["mnist"])[0] == image).all()


def test_ink_on_paper_is_cut_out() -> None:
    image = load_test_images()[0][0].reshape(28, 28)
    large = np.asarray(Image.fromarray(image).resize((280, 280)))
    paper = np.full((500, 700), 230, np.uint8)
    paper[90:370, 30:310] -= (large * 0.7).astype(np.uint8)
    found, note = dropped(png(paper), "a.png", 28, 1, STYLES["mnist"])
    assert "turned round" in note and "scaled" in note
    # Scaled again, so it may be a pixel further.
    near = [np.roll(found, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    assert min(abs(moved.astype(int) - image).mean() for moved in near) < 8
    blank, _ = dropped(png(np.full((50, 70), 230, np.uint8)), "a.png", 28, 1, STYLES["mnist"])
    assert not blank.any()


def test_pictures_that_are_none_are_refused() -> None:
    with pytest.raises(UserError, match=r"^x\.png is no image file"):
        dropped(b"nothing", "x.png", 28, 1, STYLES["mnist"])
    whole = png(np.zeros((40, 40), np.uint8))
    with pytest.raises(UserError, match=r"^x\.png cannot be read"):
        dropped(whole[:50], "x.png", 28, 1, STYLES["mnist"])
    huge = io.BytesIO()
    Image.new("1", (8000, 8000)).save(huge, "PNG")
    with pytest.raises(UserError, match=r"^x\.png has more than 50 million pixels\.$"):
        dropped(huge.getvalue(), "x.png", 28, 1, STYLES["mnist"])


def test_a_network_in_colours_takes_pictures_and_no_drawings() -> None:
    subject = Subject("cifar10")
    red = np.zeros((64, 64, 3), np.uint8)
    red[:, :, 0] = 200
    data = base64.b64encode(png(red)).decode()
    given = subject.given({"kind": "picture", "name": "red.png", "data": data})
    assert (given.grey.reshape(32, 32, 3) == (200, 0, 0)).all()
    with pytest.raises(UserError, match="sees colours"):
        subject.given({"kind": "strokes", "strokes": [[[0.5, 0.5]]]})


@pytest.mark.parametrize("most, bits", [(1, 1), (3, 2), (7, 8)])
def test_values_are_packed(most: int, bits: int) -> None:
    values = np.random.default_rng(most).integers(0, most + 1, 37)
    message = packed(values, most)
    data = np.frombuffer(base64.b64decode(message["data"]), np.uint8)
    found = np.unpackbits(data).reshape(-1, bits) @ (1 << np.arange(bits)[::-1])
    assert message["bits"] == bits and (found[:37] == values).all()


def test_too_much_is_refused() -> None:
    with pytest.raises(UserError, match="20,000 points"):
        checked([[[0.5, 0.5]] * (MOST_POINTS + 1)])
    with pytest.raises(UserError, match="4 MB"):
        unpacked("A" * (MOST_BYTES * 2))
