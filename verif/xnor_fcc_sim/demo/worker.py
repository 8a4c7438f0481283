# SPDX-License-Identifier: Apache-2.0
"""The one simulation behind all pages, and who has its turn.

A page has one wish at a time: a newer one takes the place of an older one that waits, so whoever
draws is answered for what is drawn now. Pages take turns. All that a simulation or a build takes
happens in the thread that called `run`.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from xnor_fcc.errors import UserError, first_line
from xnor_fcc.geometry import Geometry
from xnor_fcc.pack import pack
from xnor_fcc_sim import simulator
from xnor_fcc_sim.core import SimulatedCore
from xnor_fcc_sim.demo import messages
from xnor_fcc_sim.demo.messages import Message
from xnor_fcc_sim.demo.subjects import (
    GEOMETRIES,
    EmptyDrawing,
    Find,
    Given,
    Subject,
    geometry_of,
    offered,
)
from xnor_fcc_sim.simulation import SimulationError

# Seconds that an image is looked into at once; one that takes longer is first classified alone.
_AT_ONCE = 0.15
# While the pen moves: for how long a newer drawing is awaited before one is looked into, and after
# what time that happens in any case.
_PAUSE, _AT_LEAST = 0.12, 1.5


class Page(Protocol):
    """Whoever asks."""

    def send(self, message: Message) -> None:
        """Tell it; of any thread, at once, and never an error."""


@dataclass
class Choice:
    """What a page wants to be simulated. Without a geometry the one there is, where it will do."""

    page: Page | None
    network: str
    geometry: str | None


class Worker:
    """Network, core and pages. `find` knows the core of each name, `geometry` and GEOMETRIES."""

    def __init__(
        self,
        network: str,
        geometry: str,
        find: Find = geometry_of,
    ) -> None:
        """Nothing is built yet; `UserError` where the network does not fit."""
        self._find = find
        # The names that pages may choose from.
        self._geometries = list(dict.fromkeys((geometry, *GEOMETRIES)))
        self._own = network
        self.subject = Subject(network)
        self.geometry = geometry
        self._suited(self.subject, geometry)
        self.core: SimulatedCore | None = None
        self._pages: list[Page] = []
        self._wishes: dict[int, tuple[Page, Mapping[str, Any]]] = {}
        self._choice: Choice | None = None
        self._start = True
        self._stopped = False
        self._news = threading.Condition()
        self._phase, self._text, self._since = "starting", "", time.monotonic()
        # Seconds of the last trace, and when each page got one.
        self._takes = 1.0
        self._last: dict[int, float] = {}

    # ---- what pages do, from any thread

    def join(self, page: Page) -> None:
        """A page has opened."""
        with self._news:
            self._pages.append(page)
            page.send(self._state())

    def leave(self, page: Page) -> None:
        """It has gone, and wishes nothing any more."""
        with self._news:
            self._pages.remove(page)
            self._wishes.pop(id(page), None)
            self._last.pop(id(page), None)

    def wish(self, page: Page, wish: Mapping[str, Any] | None) -> None:
        """What a page wants to be classified, in place of what it wanted before; None: nothing."""
        with self._news:
            if wish is None:
                self._wishes.pop(id(page), None)
            else:
                self._wishes[id(page)] = (page, wish)
            self._news.notify_all()

    def choose(self, choice: Choice) -> None:
        """Simulate something else, for all pages."""
        with self._news:
            self._choice = choice
            self._news.notify_all()

    def stop(self) -> None:
        """Let `run` return."""
        with self._news:
            self._stopped = True
            self._news.notify_all()

    # ---- the thread of the simulation

    def run(self) -> None:
        """Serve until `stop` or an exception; then the simulation has ended."""
        try:
            while self._step():
                pass
        finally:
            self._drop()

    def _step(self) -> bool:
        with self._news:
            while not (self._stopped or self._start or self._choice or self._wishes):
                self._news.wait()
            if self._stopped:
                return False
            choice, self._choice = self._choice, None
            begin, self._start = self._start, False
            page, wish = None, None
            if choice is None and not begin:
                page, wish = self._wishes.pop(next(iter(self._wishes)))
        if choice is not None:
            self._change(choice)
        elif page is not None and wish is not None:
            self._serve(page, wish)
        else:
            self._guarded(None, self._ready)
        return True

    def _guarded(self, page: Page | None, action: Callable[[], None], **about: Any) -> bool:
        """Do something; what goes wrong is told in a sentence: to a page, or to all."""
        kind, text = "problem", ""
        try:
            action()
            return True
        except EmptyDrawing as error:
            kind, text = "empty", str(error)
        except SimulationError as error:
            self._drop()
            self._tell("down", "There is no simulation; the next image starts one.")
            text = f"{error} The next image starts a new one."
        except UserError as error:
            text = str(error)
        except OSError as error:
            text = f"{error.filename or 'A file'}: {error.strerror or first_line(error)}."
        except Exception as error:  # the pages stay up, whatever it is
            self._drop()
            text = f"A defect of this program: {type(error).__name__}: {first_line(error)}."
        if kind == "problem" and self.core is None:
            self._tell("down", text)
            print(f"error: {text}", file=sys.stderr, flush=True)
        for each in self._everybody() if page is None else [page]:
            each.send({"kind": kind, "text": text, **about})
        return False

    def _serve(self, page: Page, wish: Mapping[str, Any]) -> None:
        number = wish.get("id")
        self._guarded(page, lambda: self._answer(page, wish, number), id=number)

    def _answer(self, page: Page, wish: Mapping[str, Any], number: object) -> None:
        given = self.subject.given(wish)
        page.send({**messages.given(given), "id": number})
        core = self._up()
        moving = wish.get("moving") is True
        if self._takes > _AT_ONCE:
            answers = core.classify(given.grey[None], grey=True)
            page.send({**messages.quick(answers), "id": number})
            if moving and self._moves_on(page):
                return
        page.send({**self._look(core, given), "id": number})
        with self._news:
            self._last[id(page)] = time.monotonic()

    def _look(self, core: SimulatedCore, given: Given) -> Message:
        started = time.monotonic()
        trace = core.trace(given.grey, grey=True, label=given.label)
        self._takes = time.monotonic() - started
        return messages.traced(trace, self.subject)

    def _moves_on(self, page: Page) -> bool:
        """Whether a page has a newer wish soon, and has not waited long for all of an image."""
        with self._news:
            news = self._news.wait_for(
                lambda: self._stopped or self._choice is not None or id(page) in self._wishes,
                _PAUSE,
            )
            return news and time.monotonic() - self._last.get(id(page), 0.0) < _AT_LEAST

    def _change(self, choice: Choice) -> None:
        def change() -> None:
            if choice.network not in offered(self._own):
                raise UserError(f"There is no network {choice.network[:40]} here.")
            subject = self.subject
            if choice.network != subject.name:
                subject = Subject(choice.network)
            name, note = choice.geometry or self.geometry, ""
            if name not in self._geometries:
                known = ", ".join(self._geometries)
                raise UserError(f"There is no geometry {name[:40]} here, only {known}.")
            try:
                self._suited(subject, name)
            except UserError as error:
                if choice.geometry is not None:
                    raise
                name, note = "default", f"So this is the default core: {error}"
                self._suited(subject, name)
            self._raise(subject, name)
            if note and choice.page is not None:
                choice.page.send({"kind": "note", "text": note})

        if not self._guarded(choice.page, change):
            # What there was is still there, unless that has failed too.
            self._tell(*(("ready", "") if self.core is not None else ("down", self._text)))

    def _ready(self) -> None:
        self._up()

    def _up(self) -> SimulatedCore:
        """The core, started if need be."""
        if self.core is None:
            self._raise(self.subject, self.geometry)
        assert self.core is not None
        return self.core

    def _suited(self, subject: Subject, name: str) -> Geometry:
        geometry = self._find(subject.network, name)
        pack(subject.network, geometry)
        return geometry

    def _raise(self, subject: Subject, name: str) -> None:
        """Simulate a network in a core of that name; until that works the former one stays."""
        geometry = self._find(subject.network, name)
        what = f"{subject.name} in {geometry.label}"
        if self.core is not None and self.core.geometry == geometry:
            self._tell("loading", f"Loading {subject.name}.")
            self.core.load(subject.network)
        else:
            self._tell("building", f"Building the simulation of {geometry.label}: for a new "
                       "geometry that takes a minute or two, once.")  # fmt: skip
            simulator.build("xnor_fcc", geometry.parameters())
            self._tell("loading", f"Loading {what}.")
            core = SimulatedCore(subject.network, geometry)
            self._drop()
            self.core = core
        self.subject, self.geometry = subject, name
        self._takes = 1.0
        self._tell("ready", "")

    def _fits(self, name: str) -> Message:
        """A geometry, and why the network does not run on it, if so."""
        try:
            self._find(self.subject.network, name)
        except UserError as error:
            return {"name": name, "why": str(error)}
        return {"name": name, "why": None}

    def _drop(self) -> None:
        core, self.core = self.core, None
        if core is not None:
            core.close()

    # ---- what pages are told

    def _everybody(self) -> list[Page]:
        with self._news:
            return list(self._pages)

    def _tell(self, phase: str, text: str) -> None:
        """Tell all pages how it stands."""
        with self._news:
            self._phase, self._text, self._since = phase, text, time.monotonic()
            state = self._state()
            for page in self._pages:
                page.send(state)

    def _state(self) -> Message:
        core = self.core
        return {
            "kind": "state",
            "phase": self._phase,
            "text": self._text,
            "seconds": round(time.monotonic() - self._since, 1),
            "networks": offered(self._own),
            "geometry": self.geometry,
            "label": core.geometry.label if core is not None else "",
            "geometries": [self._fits(name) for name in self._geometries],
            **self.subject.about(),
        }
