# SPDX-License-Identifier: Apache-2.0
"""`xnor-fcc demo`: its server, without a browser; test_demo_page.py opens one."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed, InvalidStatus

from commands.demo_server import (
    DIGITS,
    Listener,
    Page,
    get,
    png,
    running,
    served,
    show,
    small,
)
from xnor_fcc.data import load_test_images
from xnor_fcc.errors import ToolError, UserError
from xnor_fcc.geometry import GeometryError
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.reference import evaluate
from xnor_fcc_sim import simulator
from xnor_fcc_sim.core import SimulatedCore
from xnor_fcc_sim.demo import command
from xnor_fcc_sim.demo.app import LIMIT, LONGEST
from xnor_fcc_sim.demo.drawing import STYLES, drawn
from xnor_fcc_sim.demo.worker import Worker
from xnor_fcc_sim.listening import listen
from xnor_fcc_sim.trace import Trace


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with running("digits") as started:
        yield started


@pytest.fixture(scope="module")
def server(worker: Worker) -> Iterator[str]:
    with served(worker) as address:
        yield address


@pytest.fixture
def page(server: str) -> Iterator[Page]:
    """A page whose core is ready."""
    with Page(server) as opened:
        opened.until("state", phase="ready")
        yield opened


# ---- what the core answers


def test_test_images_are_answered_by_the_rtl(page: Page) -> None:
    network = IntegerNetwork.load(find_network("digits"))
    images, labels = load_test_images("digits")
    wanted = evaluate(network, network.inputs_from(images[:4]))
    for number in range(4):
        page.send(show(number, kind="test", number=number))
        assert page.until("image")["label"] == labels[number]
        message = page.until("traced", id=number)
        assert message["scores"] == message["wanted"] == wanted.scores[number].tolist()
        assert message["answer"] == wanted.scores[number].argmax()
        for index, layer in enumerate(message["layers"]):
            data = np.frombuffer(base64.b64decode(layer["data"]), np.uint8)
            bits = np.unpackbits(data)[: layer["count"]]
            assert (bits == wanted.hidden[index][number]).all()
            assert sum(layer["counts"]) == layer["count"] and layer["wrong"] == 0
        assert message["agree"] is True
        assert message["hidden"] == 128 + 96 and message["sums"] == 128 + 96 + 10
        assert sum(cycles for _, cycles in message["phases"]) == message["cycles"]


def flipped_bit(trace: Trace) -> None:
    trace.hidden[1].seen[17] ^= 1


def moved_sum(trace: Trace) -> None:
    trace.sums[0].seen[5] += 1


def other_score(trace: Trace) -> None:
    trace.scores.seen[3] += 2


def other_class(trace: Trace) -> None:
    trace.about["answer"] = (trace.answer + 1) % 10


@pytest.mark.parametrize("fault", [flipped_bit, moved_sum, other_score, other_class])
def test_what_differs_is_told(
    page: Page, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Trace], None]
) -> None:
    trace = SimulatedCore.trace

    def faulty(*arguments: Any, **options: Any) -> Trace:
        seen = trace(*arguments, **options)
        fault(seen)
        return seen

    monkeypatch.setattr(SimulatedCore, "trace", faulty)
    page.send(show(1, kind="test", number=0))
    message = page.until("traced")
    assert message["agree"] is False
    places = [layer["marked"] for layer in message["layers"]]
    assert places == ([[], [17]] if fault is flipped_bit else [[], []])
    assert message["wrong_sums"] == (fault is moved_sum)
    # What is shown as the answer is what was seen.
    assert (message["answer"] != message["wanted_answer"]) == (fault is other_class)


def test_a_drawing_is_answered(page: Page) -> None:
    page.send(show(5, kind="strokes", strokes=DIGITS[3], moving=True))
    assert page.until("traced", id=5)["answer"] == 3
    grey = drawn(DIGITS[8], 8, STYLES["digits"])
    data = base64.b64encode(grey.tobytes()).decode()
    page.send(show(6, kind="pixels", data=data))
    assert page.until("traced", id=6)["answer"] == 8


def test_a_picture_is_answered(page: Page) -> None:
    large = np.asarray(Image.fromarray(drawn(DIGITS[3], 8, STYLES["digits"])).resize((80, 80)))
    data = base64.b64encode(png(255 - large)).decode()
    page.send(show(1, kind="picture", name="../b.png", data=data))
    assert "turned round" in page.until("image")["note"]
    assert page.until("traced")["answer"] == 3


# ---- turns


def test_the_newest_wish_of_a_page_counts() -> None:
    worker = Worker("digits", "default", small)
    one, two = Listener(), Listener()
    for page in (one, two):
        worker.join(page)
    worker.wish(one, show(1, kind="test", number=0))
    worker.wish(two, show(7, kind="test", number=1))
    worker.wish(one, show(2, kind="test", number=2))
    order: list[object] = []
    worker._serve = lambda page, wish: order.append((page, wish["id"]))  # type: ignore[method-assign]
    worker._start = False
    for _ in range(2):
        worker._step()
    assert order == [(one, 2), (two, 7)]
    worker.wish(one, show(3, kind="test", number=0))
    worker.leave(one)
    assert not worker._wishes


def test_a_moving_pen_is_not_looked_into(worker: Worker, page: Page) -> None:
    """A slow core is asked for the class first, and for the rest when the pen rests."""
    page.send(show(1, kind="test", number=0))
    page.until("traced", id=1)
    waits = worker._moves_on
    try:
        worker._takes = 1.0
        worker._moves_on = lambda page: True  # type: ignore[method-assign]
        page.send(show(2, kind="strokes", strokes=DIGITS[3], moving=True))
        quick = page.until("quick", id=2)
        page.send(show(3, kind="strokes", strokes=DIGITS[3], moving=False))
        message = page.next()
        assert (message["kind"], message["id"]) == ("image", 3)  # none of the rest of 2
        whole = page.until("traced", id=3)
    finally:
        worker._moves_on = waits  # type: ignore[method-assign]
    for key in ("answer", "scores", "cycles"):
        assert quick[key] == whole[key]


# ---- what is wrong is told


WRONG = [
    ("nothing", "must be JSON"),
    ("[" * 100_000, "must be JSON"),
    ("[1]", "must be a JSON object"),
    ('{"do": "dance"}', "must say what to do"),
    ('{"do": "show", "kind": "test"}', "whole number as its id"),
    ('{"do": "show", "id": 1, "kind": "song"}', "of no kind"),
    ('{"do": "show", "id": 1, "kind": "test", "number": 382}', "from 0 to 381"),
    ('{"do": "show", "id": 1, "kind": "test", "number": true}', "from 0 to 381"),
    ('{"do": "show", "id": 1, "kind": "strokes", "strokes": [[[0.5]]]}', "two numbers"),
    ('{"do": "show", "id": 1, "kind": "strokes", "strokes": [[[0.5, 1e400]]]}', "two numbers"),
    ('{"do": "show", "id": 1, "kind": "strokes", "strokes": 5}', "two numbers"),
    ('{"do": "show", "id": 1, "kind": "pixels", "data": "AAAA"}', "has 3 pixels, but .* takes 64"),
    ('{"do": "show", "id": 1, "kind": "picture", "data": "bm9uZQ=="}', "is no image file"),
    ('{"do": "show", "id": 1, "kind": "picture", "data": "\u00e4"}', "not base64"),
    ('{"do": "show", "id": 1, "kind": "picture"}', "picture is empty"),
    ('{"do": "row", "first": "x"}', "from 0 to 381"),
    ('{"do": "choose", "network": 5}', "must name a network"),
    ('{"do": "choose", "network": "/etc/passwd"}', "no network /etc/passwd here"),
    ('{"do": "choose", "network": "digits", "geometry": "huge"}', "no geometry huge"),
    ('{"do": "clear", "x": "' + 600_000 * "x" + '"}', "600 kB"),
    (LONGEST * "x" + "x", "6 MB"),
]


@pytest.mark.parametrize("text, sentence", WRONG, ids=range(len(WRONG)))
def test_wrong_messages(page: Page, text: str, sentence: str) -> None:
    page.text(text)
    message = page.next()
    while message["kind"] in ("image", "state"):
        message = page.next()
    assert message["kind"] == "problem"
    assert re.search(sentence, message["text"]), message["text"]
    assert message["text"].endswith(".") and "\n" not in message["text"]
    page.send(show(2, kind="test", number=0))
    page.until("traced", id=2)


def test_what_is_longer_than_any_message_is_cut_off(server: str) -> None:
    with Page(server) as opened:
        opened.until("state")
        with pytest.raises(ConnectionClosed) as closed:
            opened.text(" " * (LIMIT + 1))
            while True:
                opened.next()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009


def test_bytes_are_no_message(page: Page) -> None:
    page.text(b"\xff\x00")
    assert page.next()["text"] == "A message must be JSON."


@pytest.mark.parametrize("strokes", [[], [[]]])
def test_an_empty_drawing_is_no_digit(page: Page, strokes: list[object]) -> None:
    page.send(show(1, kind="strokes", strokes=strokes))
    message = page.next()
    assert (message["kind"], message["text"], message["id"]) == ("empty", "Draw something.", 1)


def test_a_page_that_vanishes_leaves_others_alone(server: str, worker: Worker) -> None:
    for _ in range(3):
        with Page(server) as gone:
            gone.send(show(1, kind="test", number=0))
            gone.cut()
    with Page(server) as stays:
        stays.until("state", phase="ready")
        stays.send(show(2, kind="test", number=0))
        stays.until("traced", id=2)
    deadline = time.monotonic() + 5
    while worker._pages and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not worker._pages


def test_a_killed_simulation_starts_again(worker: Worker, page: Page) -> None:
    assert worker.core is not None
    dead = worker.core._transport.process
    os.kill(dead.pid, signal.SIGKILL)
    page.send(show(1, kind="test", number=0))
    page.until("state", phase="down")
    message = page.problem()
    assert "was killed by SIGKILL" in message
    assert message.endswith("The next image starts a new one.")
    page.send(show(2, kind="test", number=0))
    page.until("state", phase="ready")
    assert page.until("traced", id=2)["agree"] is True
    assert worker.core is not None and worker.core._transport.process.pid != dead.pid


def test_a_core_that_does_not_build_leaves_the_one_there_is(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ToolError("There is no make: install it.")

    monkeypatch.setattr(simulator, "build", fails)
    page.send({"do": "choose", "network": "digits_conv"})
    assert page.until("state")["phase"] == "building"
    assert page.problem() == "There is no make: install it."
    assert page.until("state", phase="ready")["network"] == "digits"
    page.send(show(2, kind="test", number=0))
    assert page.until("traced", id=2)["agree"] is True


def test_without_tools_the_server_stays_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ToolError("There is no make: install it.")

    monkeypatch.setattr(simulator, "build", fails)
    with running("digits") as worker:
        page = Listener()
        worker.join(page)
        page.until("state", phase="down", text="There is no make: install it.")
        worker.wish(page, show(1, kind="test", number=0))
        page.until("problem", id=1, text="There is no make: install it.")
    assert capsys.readouterr().err.startswith("error: There is no make: install it.\n")


def test_a_geometry_that_does_not_fit_is_told(page: Page) -> None:
    page.send({"do": "choose", "network": "order2", "geometry": "latency"})
    assert page.problem() == "LANES=1 must be even where ORDER is 2."
    assert page.until("state")["network"] == "digits"


# ---- strangers


def test_other_sites_are_kept_out(server: str) -> None:
    assert get(server)[0] == 200
    assert get(server, host="evil.example")[0] == 400
    evil = "http://evil.example"
    for stranger in ({"Origin": evil}, {"Origin": "http://["}, {"Host": "evil.example"}):
        with pytest.raises(InvalidStatus) as refused, Page(server, **stranger):
            pass
        assert refused.value.response.status_code in (400, 403)
    with Page(server, Origin=server.rstrip("/")) as own:
        own.until("state")


def test_files_name_no_other_host(server: str) -> None:
    for name in ("", "page.js", "pen.js", "views.js", "page.css"):
        status, text, headers = get(server + name)
        assert status == 200 and len(text) > 1000
        assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text)
        assert "default-src 'none'" in headers["content-security-policy"]
    assert get(server + "worker.py")[0] == 404


# ---- the command


def test_what_cannot_be_listened_at(capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.closing(listen("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"^Port {port} is taken: name another with --port"):
            command.main(["--port", str(port), "--no-browser"])
    for options, sentence in (
        (["--port", "70000"], "--port 70000 is outside 0 to 65535"),
        (["--host", "192.0.2.1"], "--host 192.0.2.1 is no address of this computer"),
        (["--network", "none"], "There is no network none"),
        (["--geometry", "huge"], "invalid choice"),
    ):
        with pytest.raises(UserError, match=sentence):
            command.main([*options, "--no-browser"])
    with pytest.raises(GeometryError, match="no core for convolutions"):
        command.main(["--network", "mnist_conv", "--geometry", "throughput"])


def left_of(mark: str) -> list[str]:
    """Processes that have the mark in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().decode(errors="replace"))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_everything_while_it_builds(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    mark = f"XNOR_FCC_MARK={tmp_path.name}-{os.getpid()}"
    name, _, value = mark.partition("=")
    arguments = ["demo", "--network", "digits", "--no-browser", "--port", "0", "--host", "0.0.0.0"]
    server = subprocess.Popen(
        [sys.executable, "-m", "xnor_fcc", *arguments], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
        env={**os.environ, "XNOR_FCC_BUILD": str(tmp_path / "build"), name: value},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    try:
        assert server.stdout is not None
        assert "http://0.0.0.0:" in server.stdout.readline()
        deadline = time.monotonic() + 60
        while len(left_of(mark)) < 3 and time.monotonic() < deadline:  # a compiler
            time.sleep(0.05)
        assert len(left_of(mark)) >= 3
        server.send_signal(number)
        _, errors = server.communicate(timeout=20)
    finally:
        server.kill()
    assert server.returncode == code
    said = errors.splitlines()
    assert said[0] == "warning: --host 0.0.0.0 lets everybody in who can reach this computer."
    assert said[1].startswith("error: ") and len(said) == 2
    deadline = time.monotonic() + 5
    while left_of(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left_of(mark) == []


def test_a_message_is_small(page: Page) -> None:
    page.send(show(1, kind="test", number=0))
    assert len(json.dumps(page.until("traced"))) < 4000
