# SPDX-License-Identifier: Apache-2.0
"""The page of `xnor-fcc demo` in a real browser, Debian's Chromium without a window."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from commands.demo_server import DIGITS, Message, running, served
from xnor_fcc.reference import evaluate
from xnor_fcc_sim.core import SimulatedCore
from xnor_fcc_sim.demo.drawing import STYLES, drawn
from xnor_fcc_sim.demo.worker import Worker
from xnor_fcc_sim.trace import Trace

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, WebSocket

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium", "playwright")]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with running("digits") as started:
        yield started


@pytest.fixture(scope="module")
def server(worker: Worker) -> Iterator[str]:
    with served(worker) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # A container has no user namespaces for its sandbox, and may have little shared memory.
        opened = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-dev-shm-usage"],
        )
        yield opened
        opened.close()


class Seen:
    """A page, and all that it said, sent, got and asked for."""

    def __init__(self, browser: Browser, server: str, width: int = 1280) -> None:
        """Opened, with the core ready."""
        self.page: Page = browser.new_page(viewport={"width": width, "height": 900})
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.sent: list[Message] = []
        self.got: list[Message] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page.on("websocket", self._listen)
        self.page.goto(server)
        self.page.wait_for_selector("#row button")
        self.page.wait_for_selector("#state", state="hidden")

    def _listen(self, socket: WebSocket) -> None:
        self.hosts.add(urlsplit(socket.url).netloc)
        socket.on("framesent", lambda text: self.sent.append(json.loads(text)))
        socket.on("framereceived", lambda text: self.got.append(json.loads(text)))

    def draw(self, digit: int) -> None:
        """By mouse."""
        box = self.page.locator("#sheet").bounding_box()
        assert box is not None
        mouse = self.page.mouse
        for stroke in DIGITS[digit]:
            points = [(box["x"] + x * box["width"], box["y"] + y * box["height"])
                      for x, y in stroke]
            mouse.move(*points[0])
            mouse.down()
            for point in points[1:]:
                mouse.move(*point)
            mouse.up()

    def verdict(self) -> tuple[str, Message]:
        """What the page says in the end, and the last that it was told."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            self.page.wait_for_timeout(20)
            last = next(sent for sent in reversed(self.sent) if sent["do"] == "show")
            told = [got for got in self.got if got["kind"] == "traced" and got["id"] == last["id"]]
            about = self.page.get_attribute("#agree", "data-image")
            if told and not last.get("moving") and about == str(last["id"]):
                return self.page.inner_text("#digit"), told[0]
        raise AssertionError("the page does not come to a verdict")

    def wide(self) -> tuple[int, int]:
        """Width of what there is, and of what is seen."""
        script = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        return tuple(self.page.evaluate(script))


@pytest.fixture
def seen(browser: Browser, server: str) -> Iterator[Seen]:
    opened = Seen(browser, server)
    yield opened
    opened.page.close()
    assert opened.complaints == []
    assert opened.hosts == {urlsplit(server).netloc}


@pytest.mark.parametrize("digit", [3, 7])
def test_a_drawn_digit_is_read(seen: Seen, worker: Worker, digit: int) -> None:
    seen.draw(digit)
    shown, told = seen.verdict()
    assert shown == str(digit) == str(told["answer"])
    # The bits of the core are those of what was drawn.
    strokes = [sent for sent in seen.sent if sent["do"] == "show"][-1]["strokes"]
    grey = drawn(strokes, 8, STYLES["digits"]).reshape(1, -1)
    network = worker.subject.network
    wanted = evaluate(network, network.inputs_from(grey))
    assert told["scores"] == wanted.scores[0].tolist()
    rows = seen.page.locator("#scores tbody tr").all_inner_texts()
    numbers = [[int(word) for word in row.split()] for row in rows]
    assert numbers == [[c, score, score] for c, score in enumerate(told["scores"])]
    assert seen.page.inner_text("#cycles").startswith(f"{told['cycles']} clock cycles")
    assert seen.page.locator("#agree.pass").count() == 1
    assert "224 hidden bits, 234 sums and 10 scores" in seen.page.inner_text("#agree")
    picture = seen.page.evaluate(
        """() => {
          const canvas = document.querySelector("[data-layer='0'] canvas");
          const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
          return [...data].filter((_, i) => i % 4 === 0).map((red) => red > 128 ? 1 : 0);
        }"""
    )
    assert picture[:128] == wanted.hidden[0][0].tolist()


def test_the_verdict_is_that_of_the_rtl(
    browser: Browser, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = SimulatedCore.trace

    def faulty(*arguments: Any, **options: Any) -> Trace:
        found = trace(*arguments, **options)
        found.about["answer"] = 9
        found.hidden[0].seen[5] ^= 1
        return found

    monkeypatch.setattr(SimulatedCore, "trace", faulty)
    seen = Seen(browser, server)
    seen.draw(3)
    shown, told = seen.verdict()
    said = seen.page.inner_text("#agree")
    red = seen.page.evaluate(
        """() => [...document.querySelector("[data-layer='0'] canvas").getContext("2d")
          .getImageData(5, 0, 1, 1).data]"""
    )
    seen.page.close()
    assert shown == "9" and told["wanted_answer"] == 3
    assert "does not agree: it answers 3; 1 values and 0 sums differ" in said
    assert red == [255, 77, 69, 255]


def test_keys_are_enough(seen: Seen) -> None:
    page = seen.page
    page.focus("#sheet")
    for key in ["Space", *["ArrowDown"] * 14, "Space"]:
        page.keyboard.press(key)
    shown, told = seen.verdict()
    assert shown == str(told["answer"]) == "1"
    page.keyboard.press("Delete")
    assert page.locator("#digit.none").count() == 1 and page.is_visible("#hint")
    page.keyboard.press("Space")  # a dot is something
    page.keyboard.press("Space")
    seen.verdict()
    page.focus("#row button")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector("#label .right")
    shown, told = seen.verdict()
    assert shown == str(told["answer"]) == "1"  # test image 1 is a 1
    assert page.inner_text("#label") == "Rightly: the test set says 1."


def test_the_last_of_many_images_is_read(seen: Seen) -> None:
    """However quickly they are chosen one after the other, and drawing goes on afterwards."""
    page = seen.page
    page.evaluate("for (const button of [...document.querySelectorAll('#row button')].slice(0, 9))"
                  " button.click()")  # fmt: skip
    shown, told = seen.verdict()
    assert shown == str(told["answer"])
    assert [sent for sent in seen.sent if sent["do"] == "show"][-1]["number"] == 8
    page.evaluate("for (let i = 0; i < 9; i++) document.getElementById('random').click()")
    seen.verdict()
    seen.draw(7)
    assert seen.verdict()[0] == "7"


def test_a_problem_leaves_no_verdict_of_another_image(seen: Seen, worker: Worker) -> None:
    page = seen.page
    seen.draw(7)
    seen.verdict()
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": b"none"})
    page.wait_for_selector("#message.fail")
    assert page.inner_text("#digit") == "\u2013" and page.inner_text("#agree") == ""
    page.locator("#row button").first.click()
    seen.verdict()
    assert worker.core is not None
    worker.core._transport.process.kill()
    page.locator("#row button").nth(1).click()
    page.wait_for_selector("#message.fail")
    assert page.inner_text("#digit") == "\u2013" and page.inner_text("#agree") == ""
    page.locator("#row button").nth(2).click()  # starts a new simulation
    shown, told = seen.verdict()
    assert shown == str(told["answer"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone_has_room_for_it(browser: Browser, server: str, scheme: Any) -> None:
    seen = Seen(browser, server, 400)
    seen.page.emulate_media(color_scheme=scheme)
    assert seen.wide() == (400, 400)
    seen.draw(5)
    seen.verdict()
    assert seen.wide() == (400, 400)
    paper = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    seen.page.close()
    assert (np.mean([int(part) for part in paper[4:-1].split(",")]) > 128) == (scheme == "light")


def test_another_network_is_simulated(seen: Seen) -> None:
    page = seen.page
    seen.draw(3)
    seen.verdict()
    try:
        page.select_option("#network", "digits_conv")
        page.wait_for_selector("#state.busy", timeout=5000)
        page.wait_for_selector("#state", state="hidden", timeout=300_000)
        assert page.is_disabled("#geometry option[value=throughput]")
        # What was drawn before goes into the new core.
        shown, told = seen.verdict()
        assert shown == str(told["answer"]) == "3"
        assert page.locator("#layers.maps figure").count() == 2 + 3
    finally:
        page.select_option("#network", "digits")
        page.wait_for_selector("#core:has-text('64-128-96-10 in PE=8')", timeout=60_000)
