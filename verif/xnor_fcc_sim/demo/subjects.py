# SPDX-License-Identifier: Apache-2.0
"""The networks that a page offers, the images that each takes, and where these come from."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from xnor_fcc.data import DATASETS, class_names, load_test_images
from xnor_fcc.errors import UserError
from xnor_fcc.geometry import Geometry
from xnor_fcc.images import side_of
from xnor_fcc.integer import IntegerNetwork, find_network, network_names
from xnor_fcc_sim.core import suited
from xnor_fcc_sim.demo.drawing import Stroke, drawn, dropped, style_of

# Cores by name. The first is what suits the network, one for convolutions where it has some.
GEOMETRIES = ("default", "throughput", "latency")

# Finds the core of a name for a network.
Find = Callable[[IntegerNetwork, str], Geometry]

# What a page may send of a drawing, and of a picture.
MOST_POINTS, MOST_BYTES = 20_000, 4_000_000
# Images of the test set that a page gets at a time.
ROW = 21
_SQUARE = "The network takes images that are no squares, which this page cannot make."


class EmptyDrawing(UserError):
    """Nothing has been drawn."""


def geometry_of(network: IntegerNetwork, name: str) -> Geometry:
    """The core of that name for a network; `GeometryError` where it does not run on it."""
    return suited(network.shape, None if name == "default" else name)


@dataclass(frozen=True)
class Given:
    """An image for the core: `grey` uint8 (inputs,), its class where that is known, and a remark on
    how it was made."""

    grey: np.ndarray
    label: int | None = None
    note: str = ""


class Subject:
    """A network and its images. `UserError` where a page cannot make any."""

    def __init__(self, name: str) -> None:
        """`name`: as --network has it."""
        self.name = name
        self.network = network = IntegerNetwork.load(find_network(name))
        self.colours: int = network.colours
        side = side_of(network.inputs // self.colours)
        if side is None or self.colours not in (1, 3):
            raise UserError(_SQUARE)
        self.side = side
        self.names = class_names(network.dataset, network.classes)
        known = DATASETS.get(network.dataset or "")
        self.known = known if known is not None and known.pixels == network.inputs else None
        self.style = style_of(network.dataset) if self.colours == 1 else None

    @cached_property
    def tests(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The test images uint8 (N, inputs) and labels; None where there are none at hand."""
        if self.known is None:
            return None
        try:
            return load_test_images(self.known.name)
        except UserError:
            if self.known.committed:
                raise
            return None

    def about(self) -> dict[str, Any]:
        """What a page has to know."""
        return {
            "network": self.name,
            "widths": "-".join(map(str, self.network.shape.widths)),
            "kinds": sorted(self.network.kinds),
            "side": self.side,
            "colours": self.colours,
            "names": self.names,
            "drawable": self.style is not None,
            "filled": self.style is not None and self.style.filled,
            "title": self.known.title if self.known else None,
            "tests": 0 if self.tests is None else len(self.tests[0]),
        }

    def row(self, first: object) -> dict[str, Any]:
        """Some test images from number `first` on, with their labels, for a page to choose from."""
        if self.tests is None:
            return {"first": 0, "labels": [], "pixels": ""}
        images, labels = self.tests
        start = _number(first, len(images))
        part = slice(start, start + ROW)
        return {
            "first": start,
            "labels": labels[part].tolist(),
            "pixels": base64.b64encode(images[part].tobytes()).decode(),
        }

    def given(self, wish: Mapping[str, Any]) -> Given:
        """The image that a page's message asks for: strokes, a test image or a picture; `UserError`
        where it is none."""
        kind = wish.get("kind")
        if kind == "strokes":
            if self.style is None:
                raise UserError(
                    "This network sees colours: drop a picture, or choose a test image."
                )
            strokes = checked(wish.get("strokes"))
            return Given(drawn(strokes, self.side, self.style).reshape(-1))
        if kind == "test":
            if self.tests is None:
                raise UserError(
                    "There are no test images of this network here; draw, or drop a picture."
                )
            images, labels = self.tests
            number = _number(wish.get("number"), len(images))
            return Given(images[number], int(labels[number]))
        if kind == "picture":
            name = Path(str(wish.get("name", "picture"))[-60:]).name or "picture"
            image, note = dropped(
                unpacked(wish.get("data")), name, self.side, self.colours, self.style
            )
            if not image.any() and self.colours == 1:
                raise EmptyDrawing(f"{name} has no ink that could be seen.")
            return Given(image.reshape(-1), None, note)
        if kind == "pixels":
            return Given(self._pixels(unpacked(wish.get("data"))))
        raise UserError("A message asks for an image of no kind that this page has.")

    def _pixels(self, data: bytes) -> np.ndarray:
        """Grey values as they are, one byte each."""
        if len(data) != self.network.inputs:
            raise UserError(
                f"The image has {len(data)} pixels, but the network takes {self.network.inputs}."
            )
        return np.frombuffer(data, np.uint8)


def _number(value: object, count: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < count:
        raise UserError(f"Test images have numbers from 0 to {count - 1}.")
    return value


def checked(strokes: object) -> list[Stroke]:
    """The strokes of a message; `EmptyDrawing` where there are none, `UserError` where they are no
    strokes."""
    wrong = UserError("A drawing must be lists of points, each two numbers from 0 to 1.")
    if not isinstance(strokes, list) or not all(isinstance(stroke, list) for stroke in strokes):
        raise wrong
    points = [point for stroke in strokes for point in stroke]
    if not points:
        raise EmptyDrawing("Draw something.")
    if len(points) > MOST_POINTS:
        raise UserError(f"A drawing may have {MOST_POINTS:,} points; clear it and draw again.")
    for point in points:
        if not isinstance(point, list) or len(point) != 2:
            raise wrong
        for value in point:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not math.isfinite(value) or not 0 <= value <= 1:
                raise wrong
    return [stroke for stroke in strokes if stroke]


def unpacked(data: object) -> bytes:
    """The bytes of a message; `UserError` where there are none or too many."""
    if not isinstance(data, str) or not data:
        raise UserError("The picture is empty.")
    if len(data) > MOST_BYTES * 4 // 3 + 4:
        raise UserError(f"A picture may have {MOST_BYTES // 1_000_000} MB at most.")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as cause:
        raise UserError("The picture was damaged on its way (it is not base64).") from cause


def offered(own: str) -> list[str]:
    """Names of the networks to choose from: the project's, and the one that was asked for."""
    names = network_names()
    return names if own in names else [own, *names]
