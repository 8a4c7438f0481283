# SPDX-License-Identifier: Apache-2.0
"""The web server of the demo: three files, and a WebSocket for each page.

Messages are JSON objects. A page sends {"do": ...}: "show" an image with a number `id` (see
`Subject.given`), "clear", "choose" a network and a geometry, "row" of test images. It gets {"kind":
...}: "state", "row", "image", "quick", "traced" (see messages.py), and "problem", "empty" and
"note" with a sentence.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from xnor_fcc.errors import UserError
from xnor_fcc_sim.demo.messages import Message
from xnor_fcc_sim.demo.worker import Choice, Worker

# Characters of a message that is read, and of one with no picture in it; a longer one than LIMIT
# is cut off by the server.
LONGEST, _USUAL, LIMIT = 6_000_000, 600_000, 16_000_000
# Messages that may wait for a page that reads slowly: of more the oldest are dropped.
_WAITING = 32

_FILES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/pen.js": ("pen.js", "text/javascript"),
    "/views.js": ("views.js", "text/javascript"),
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Tab:
    """A page, as the worker knows it: messages to it wait here."""

    def __init__(self) -> None:
        """Of the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Message] = deque(maxlen=_WAITING)
        self._some = asyncio.Event()

    def send(self, message: Message) -> None:
        """From any thread."""
        self._waiting.append(message)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._some.set)

    async def deliver(self, socket: WebSocket) -> None:
        """Send what waits, for ever."""
        while True:
            await self._some.wait()
            self._some.clear()
            while self._waiting:
                await socket.send_text(json.dumps(self._waiting.popleft(), separators=(",", ":")))


def application(worker: Worker, hosts: list[str] | None = None) -> Starlette:
    """The server; it listens to browsers that know it by one of `hosts`, or by any name."""

    def file(request: Request) -> Response:
        name, kind = _FILES[request.url.path]
        content = (Path(__file__).parent / name).read_bytes()
        return Response(content, media_type=kind, headers=_HEADERS)

    async def talk(socket: WebSocket) -> None:
        # A page of another site may open a WebSocket to this one: browsers only tell.
        if not _own(socket.headers.get("origin"), socket.headers.get("host")):
            await socket.close(1008)
            return
        await socket.accept()
        tab = Tab()
        worker.join(tab)
        sender = asyncio.create_task(tab.deliver(socket))
        try:
            while True:
                hear(worker, tab, await _text(socket))
        except (WebSocketDisconnect, RuntimeError):  # it has gone
            pass
        finally:
            worker.leave(tab)
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await sender

    trusted = Middleware(TrustedHostMiddleware, allowed_hosts=hosts or ["*"], www_redirect=False)
    routes = [*(Route(path, file) for path in _FILES), WebSocketRoute("/talk", talk)]
    return Starlette(routes=routes, middleware=[trusted])


def _own(origin: str | None, host: str | None) -> bool:
    """Whether a page of `origin` is one of this server's."""
    try:
        return origin is None or urlsplit(origin).netloc == host
    except ValueError:
        return False


async def _text(socket: WebSocket) -> str:
    """The next message; an empty one where it is not of text."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1006))
    return message.get("text") or ""


def hear(worker: Worker, tab: Tab, text: str) -> None:
    """Do what a message says, or answer what is wrong with it."""
    number: object = None
    try:
        message = _parsed(text)
        number = message["id"] if isinstance(message.get("id"), int) else None
        _obey(worker, tab, message)
    except UserError as error:
        tab.send({"kind": "problem", "text": str(error), "id": number})


def _parsed(text: str) -> dict[str, Any]:
    if len(text) > LONGEST:
        raise UserError(f"A message may have {LONGEST // 1_000_000} MB at most.")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise UserError("A message must be JSON.") from cause
    if not isinstance(message, dict):
        raise UserError("A message must be a JSON object.")
    if len(text) > _USUAL and message.get("kind") != "picture":
        raise UserError("A message without a picture may have 600 kB at most.")
    return message


def _obey(worker: Worker, tab: Tab, message: dict[str, Any]) -> None:
    match message.get("do"):
        case "show":
            if not isinstance(message.get("id"), int):
                raise UserError("An image must have a whole number as its id.")
            worker.wish(tab, message)
        case "clear":
            worker.wish(tab, None)
        case "row":
            tab.send({"kind": "row", **worker.subject.row(message.get("first"))})
        case "choose":
            network, geometry = message.get("network"), message.get("geometry")
            if not isinstance(network, str) or not isinstance(geometry, str | None):
                raise UserError("A choice must name a network, and perhaps a geometry.")
            worker.choose(Choice(tab, network, geometry))
        case _:
            raise UserError("A message must say what to do: show, clear, choose or row.")
