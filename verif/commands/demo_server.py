# SPDX-License-Identifier: Apache-2.0
"""What the tests of the demo share: a core that is built at once, digits as a hand draws them."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import math
import queue
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image
from websockets.sync.client import connect

from xnor_fcc.geometry import Geometry, MapShape
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc_sim.demo import command
from xnor_fcc_sim.demo.messages import Message
from xnor_fcc_sim.demo.subjects import geometry_of
from xnor_fcc_sim.demo.worker import Worker
from xnor_fcc_sim.listening import listen

Point = tuple[float, float]


def _arc(x: float, y: float, wide: float, high: float, begin: int, end: int) -> list[Point]:
    angles = [math.radians(begin + (end - begin) * i / 24) for i in range(25)]
    return [(x + wide * math.cos(angle), y + high * math.sin(angle)) for angle in angles]


DIGITS: dict[int, list[list[Point]]] = {
    0: [_arc(0.5, 0.5, 0.2, 0.3, -90, 270)],
    1: [[(0.5, 0.2), (0.48, 0.8)]],
    2: [[*_arc(0.5, 0.35, 0.18, 0.15, -170, 40), (0.32, 0.78), (0.7, 0.78)]],
    3: [_arc(0.47, 0.35, 0.17, 0.15, -150, 90) + _arc(0.47, 0.65, 0.2, 0.16, -90, 150)],
    4: [[(0.38, 0.2), (0.3, 0.52), (0.68, 0.52)], [(0.62, 0.2), (0.6, 0.82)]],
    5: [[(0.68, 0.2), (0.4, 0.2), (0.37, 0.45), *_arc(0.48, 0.6, 0.18, 0.17, -120, 140)]],
    6: [[(0.6, 0.18), (0.42, 0.4), *_arc(0.5, 0.64, 0.16, 0.17, 200, -170)]],
    7: [[(0.3, 0.22), (0.7, 0.22), (0.45, 0.82)]],
    8: [_arc(0.5, 0.35, 0.14, 0.14, 90, -270) + _arc(0.5, 0.65, 0.17, 0.16, -90, 270)],
    9: [[*_arc(0.5, 0.37, 0.16, 0.16, 0, -360), (0.66, 0.37), (0.62, 0.82)]],
}


def small(network: IntegerNetwork, name: str) -> Geometry:
    """A core that is built in seconds, for those without convolutions that it is large enough
    for."""
    geometry = geometry_of(network, name)
    if isinstance(network.shape, MapShape) or name != "default":
        return geometry
    return Geometry.for_widths(network.shape, 8, 16, 2)


def show(number: int, /, **about: object) -> Message:
    """The message that asks for an image."""
    return {"do": "show", "id": number, **about}


def png(pixels: np.ndarray) -> bytes:
    """A picture's file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@contextlib.contextmanager
def running(network: str) -> Iterator[Worker]:
    """A worker in a thread of its own."""
    worker = Worker(network, "default", small)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(60)
        assert not thread.is_alive()


class Listener:
    """A page without a browser or a server."""

    def __init__(self) -> None:
        """It has heard nothing yet."""
        self._heard: queue.Queue[Message] = queue.Queue()

    def send(self, message: Message) -> None:
        """As the worker calls it."""
        self._heard.put(message)

    def until(self, kind: str, **about: Any) -> Message:
        """The next message with these values."""
        while True:
            message = self._heard.get(timeout=60)
            if message["kind"] == kind and all(message.get(key) == about[key] for key in about):
                return message


@contextlib.contextmanager
def served(worker: Worker) -> Iterator[str]:
    """The server of the command; gives its address."""
    with (
        listen("127.0.0.1", 0) as listener,
        command.serving(worker, listener, "127.0.0.1") as address,
    ):
        yield address


def get(address: str, **headers: str) -> tuple[int, str, Mapping[str, str]]:
    """Status, text and headers, names in small letters, of a file."""
    parts = urlsplit(address)
    with contextlib.closing(http.client.HTTPConnection(parts.netloc, timeout=20)) as connection:
        connection.request("GET", parts.path, headers=headers)
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, answer.read().decode(), found


class Page:
    """A page without a browser."""

    def __init__(self, server: str, **headers: str) -> None:
        """Opened; `InvalidStatus` where the server does not want it."""
        host = headers.pop("Host", None)
        parts = urlsplit(server)
        address = f"ws://{host or parts.netloc}/talk"
        self._socket = connect(
            address, additional_headers=headers, address=(parts.hostname, parts.port),
            max_size=None, proxy=None, open_timeout=20,
        )  # fmt: skip

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def cut(self) -> None:
        """Go without a word."""
        self._socket.socket.close()

    def text(self, text: str | bytes) -> None:
        """Send something that may be no message."""
        self._socket.send(text)

    def send(self, message: Message) -> None:
        """Send a message."""
        self._socket.send(json.dumps(message))

    def next(self) -> Message:
        """What it gets next."""
        message: Message = json.loads(self._socket.recv(60))
        return message

    def until(self, kind: str, **about: Any) -> Message:
        """The next message of a kind, with these values in it."""
        while True:
            message = self.next()
            if message["kind"] == kind and all(message.get(key) == about[key] for key in about):
                return message
            # A sentence that nobody expects would be waited for in vain.
            assert message["kind"] not in ("problem", "empty"), message

    def problem(self) -> str:
        """The next sentence on what is wrong."""
        while (message := self.next())["kind"] != "problem":
            pass
        return str(message["text"])
