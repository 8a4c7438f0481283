# SPDX-License-Identifier: Apache-2.0
"""`Scenario`: one random system test as plain facts: a geometry and what happens to a core of it.

A scenario is a list of episodes, each of them one start of the core: what is done to it before, the
network it is loaded with, the packets it is sent, how its results are taken, what its registers are
written meanwhile, and how it ends. Networks and images are given by seeds and shapes. As JSON a
scenario has only what differs from the defaults, so that one can be read and changed by hand.

strategies.py draws scenarios, scenario_tests.py plays them, soak.py does both for hours.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from cattrs.errors import ForbiddenExtraKeysError
from cattrs.preconf.json import make_converter

from xnor_fcc.errors import UserError
from xnor_fcc.geometry import Geometry, Shape
from xnor_fcc.integer import IntegerNetwork, Layer
from xnor_fcc.random_network import Convolution, random_map_network, random_network
from xnor_fcc.registers import PIXEL_THRESHOLD

# Scenarios that once failed, and some that teach; every one is played by the test suite.
SAVED = Path(__file__).resolve().parent / "saved"

THRESHOLDS = ("lively", "always", "never", "extreme")
BIASES = ("lively", "tied", "extreme")
PRELUDES = (
    "noise", "no table", "half the weights", "half the thresholds", "weights overflow",
    "thresholds overflow", "soft reset", "soft resets", "hard reset",
)  # fmt: skip
ENDINGS = ("drained", "stopped", "soft reset", "hard reset")
# Malformed kinds are those of fcc_image_sink_tests.Format; where one does not exist in a format (a
# short packet of one beat) a flagged one takes its place.
GOOD = ("good", "zeros", "ones")
BAD = (
    "flag", "flag_first", "no_start", "no_end", "cut", "short_beat", "short_empty", "long_beat",
    "long_empty", "endless", "flag_then_short", "flag_then_long", "noise",
)  # fmt: skip
# Weight packets that are out of step, by traffic.out_of_step.
BAD_WEIGHTS = (
    "headless", "endless", "a word too many", "the first word twice", "without its first word",
    "without its last word", "cut off in mid word",
)  # fmt: skip


# What is at its default is left out, what nobody knows is refused.
_JSON = make_converter(omit_if_default=True, forbid_extra_keys=True, detailed_validation=False)
for _kind in (int, bool, str):  # as they are: `Scenario` looks at them itself
    _JSON.register_structure_hook(_kind, lambda value, _: value)

# The largest values of numbers that have one.
_MOST = {
    "address": 63, "value": 0xFFFF_FFFF, "timeout": 0xFFFF_FFFF, "pixel_threshold": 255,
    "pixel_residual": 0xFFFF, "cut": 100, "margin": 255, "start": 127,
}  # fmt: skip


@dataclass(frozen=True)
class Network:
    """A random network by seed and shape: widths are (inputs, hidden..., classes), then the order
    of each layer's inputs and which layers are ternary, unless it is a plain binary network. One
    that begins with convolutions has the side of its images, and no inputs among its widths."""

    widths: tuple[int, ...]
    seed: int = 0
    thresholds: str = "lively"
    biases: str = "lively"
    orders: tuple[int, ...] = ()
    ternary: tuple[bool, ...] = ()
    side: int = 0
    """Pixels of a line, and lines, of its images without their border; 0: no convolutions."""
    convolutions: tuple[tuple[int, int, bool], ...] = ()
    """(channels, kernel, pool) of each."""
    colours: int = 1
    levels: int = 1
    border: int = 0

    @property
    def shape(self) -> Shape:
        """What decides the core it needs."""
        if self.side:
            return self._maps(np.random.default_rng(0)).shape
        plain = Shape.of(self.widths)
        return Shape(self.widths, self.orders or plain.orders, self.ternary or plain.ternary)

    def make(self, geometry: Geometry) -> IntegerNetwork:
        """The network; `geometry` bounds the scores, which `biases` = extreme goes to."""
        rng = np.random.default_rng(self.seed)
        shape = self.shape
        if self.side:
            network = self._maps(rng)
        else:
            network = random_network(rng, shape.widths, shape.orders, shape.ternary)
        hidden = tuple(
            self._moved(rng, layer) for layer in network.hidden if isinstance(layer, Layer)
        )
        output, bias = network.output, network.output.bias
        if self.biases == "tied":  # every class has the same score
            first = [0] * len(bias)
            mask = None if output.mask is None else output.mask[first]
            output = replace(output, weights=output.weights[first], bias=bias[first], mask=mask)
        elif self.biases == "extreme":
            reach = (1 << (geometry.score_bits - 1)) - output.most
            bias = rng.choice([-reach, reach - 1], len(bias)).astype(np.int32)
            output = replace(output, bias=bias)
        return replace(network, hidden=hidden, output=output)

    def _maps(self, rng: np.random.Generator) -> IntegerNetwork:
        """A network of this shape that begins with convolutions."""
        return random_map_network(
            rng, self.side, [Convolution(*each) for each in self.convolutions], self.widths,
            self.colours, self.levels, self.border, self.orders or None, self.ternary or False,
        )  # fmt: skip

    def _moved(self, rng: np.random.Generator, layer: Layer) -> Layer:
        """The layer with its thresholds where `thresholds` says."""
        most = layer.most
        corners = {"always": [0], "never": [most + 1], "extreme": [0, 1, most, most + 1]}
        if self.thresholds == "lively":
            return layer
        moved = rng.choice(corners[self.thresholds], layer.outputs).astype(np.int32)
        if layer.lower is None or layer.upper is None:
            return replace(layer, thresholds=moved)
        lower, upper = np.minimum(layer.lower, moved), np.maximum(layer.upper, moved)
        return replace(layer, thresholds=moved, lower=lower, upper=upper)


@dataclass(frozen=True)
class Packet:
    """A packet, or several in a row: kind, seed of its content, idle cycles before it and between
    its beats."""

    kind: str = "good"
    seed: int = 0
    gap: int = 0
    pause: int = 0
    repeat: int = 1


@dataclass(frozen=True)
class Access:
    """A register access so many cycles after the one before: a write of `value`, or a read."""

    address: int
    value: int | None = None
    wait: int = 0


@dataclass(frozen=True)
class Episode:
    """One start of the core and what comes before and after it."""

    network: Network | None = None
    """What is loaded; None keeps what is there (or loads it again where it was lost)."""
    prelude: tuple[str, ...] = ()
    """What is done to the stopped core before, of PRELUDES."""
    eager: int = 0
    """Configuration writes in the cycles behind the one that starts the core."""
    grey: bool = False
    """8-bit pixels; inputs of order 2 always are."""
    pixel_threshold: int = PIXEL_THRESHOLD
    pixel_residual: int = 0xC040
    timeout: int = 0
    margin: int = 32
    start: int = 8
    """Of a core that learns: margin, and where the latents of a network that is loaded begin."""
    lone: bool = False
    """One image alone first, its latency compared with the cycle model."""
    steady: bool = False
    """Good packets at full rate until the period from batch to batch is that of the model."""
    packets: tuple[Packet, ...] = ()
    backpressure: tuple[tuple[int, int], ...] = ()
    """(ready, not ready) cycles of the results, repeated."""
    accesses: tuple[Access, ...] = ()
    noise: bool = False
    """Random accesses to all registers instead, as long as packets are sent."""
    weight_gaps: tuple[tuple[int, int], ...] = ()
    """(valid, idle) cycles of streamed weights, repeated."""
    bad_weights: str = ""
    """A packet of streamed weights that is out of step, of BAD_WEIGHTS, and which one."""
    ahead: int = 0
    ending: str = "drained"
    cut: int = 100
    """Percent of the beats after which the episode ends, and cycles after those."""
    wait: int = 0


@dataclass(frozen=True)
class Scenario:
    """A geometry, as `Geometry`'s fields, and what happens to a core of it.

    `seed` decides what is random in noise. Raises `UserError` where the parts do not fit.
    """

    geometry: Mapping[str, int]
    episodes: tuple[Episode, ...]
    seed: int = 0
    core: Geometry = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "core", Geometry(**self.geometry))
        if not self.episodes or self.episodes[0].network is None:
            raise UserError("The first episode of a scenario needs a network.")
        for episode in self.episodes:
            if episode.network is not None:
                _require_numbers(episode.network)
                if not episode.network.widths:
                    raise UserError("A network has the width of its classes at least.")
                shape = episode.network.shape
                if len(shape.widths) < 2 or min(shape.widths) < 1:
                    raise UserError("The widths of a network are its inputs, layers and classes.")
                if not len(shape.widths) - 1 == len(shape.orders) == len(shape.ternary):
                    raise UserError("A network has an order and a kind of weights for each layer.")
                self.core.require_fit(shape)
            for part in (episode, *episode.packets, *episode.accesses):
                _require_numbers(part)
            if any(on < 1 or off < 0 for on, off in episode.backpressure + episode.weight_gaps):
                raise UserError("Backpressure and gaps are pairs of cycles, the first above 0.")
            named = (
                (episode.ending, ENDINGS),
                (episode.bad_weights, ("", *BAD_WEIGHTS)),
                *((e.thresholds, THRESHOLDS) for e in (episode.network,) if e),
                *((e.biases, BIASES) for e in (episode.network,) if e),
                *((name, PRELUDES) for name in episode.prelude),
                *((packet.kind, (*GOOD, *BAD)) for packet in episode.packets),
            )
            for name, known in named:
                if name not in known:
                    raise UserError(f"A scenario knows no {name!r}, only {', '.join(known)}.")

    def facts(self) -> dict[str, Any]:
        """What JSON holds of it."""
        facts: dict[str, Any] = _JSON.unstructure(self)
        return facts

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Scenario:
        """A scenario from what JSON holds; `UserError` where that is not one."""
        try:
            return _JSON.structure(facts, cls)
        except (KeyError, TypeError, AttributeError, ValueError, ForbiddenExtraKeysError) as error:
            raise UserError(f"This is not a scenario: {error}.") from error

    def smaller(self) -> Iterator[Scenario]:
        """The scenarios that lack one episode, or one item of an episode."""

        def lacking(items: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
            for index in range(len(items)):
                yield items[:index] + items[index + 1 :]

        for episodes in lacking(self.episodes):
            if episodes and episodes[0].network is not None:
                yield replace(self, episodes=episodes)
        for index, episode in enumerate(self.episodes):
            for fact in fields(episode):
                items = getattr(episode, fact.name)
                for rest in lacking(items if isinstance(items, tuple) else ()):
                    part: dict[str, Any] = {fact.name: rest}
                    changed = replace(episode, **part)
                    before, after = self.episodes[:index], self.episodes[index + 1 :]
                    yield replace(self, episodes=(*before, changed, *after))

    @property
    def digest(self) -> str:
        """A short name: equal scenarios have equal ones."""
        text = json.dumps(self.facts(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Saved:
    """A scenario in a file, with the simulator that played it and why it is there."""

    scenario: Scenario
    simulator: str
    why: str

    @property
    def size(self) -> int:
        """Characters that tell the scenario: the fewer, the simpler."""
        return len(json.dumps(self.scenario.facts()))

    @classmethod
    def load(cls, path: Path) -> Saved:
        """Read a file; `UserError` where it is no scenario."""
        try:
            facts = json.loads(path.read_text())
            return cls(Scenario.of(facts["scenario"]), facts["simulator"], facts["why"])
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is not a saved scenario.") from error

    def save(self, directory: Path) -> Path:
        """Write the file, named by the scenario's digest, and return its path."""
        facts = {
            "why": self.why, "simulator": self.simulator, "scenario": self.scenario.facts(),
        }  # fmt: skip
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{self.scenario.digest}.json"
        path.write_text(json.dumps(facts, indent=1) + "\n")
        return path


def steps_needed(geometry: Mapping[str, int], shape: Shape) -> tuple[int, int]:
    """(weight words, threshold words) of a network, before there is a `Geometry`."""
    pe, simd = geometry["pe"], geometry["simd"]
    groups = [-(-m // pe) for _, m, _ in shape.layers]
    rounds = [-(-n // simd) * rounds for n, _, rounds in shape.layers]
    return sum(g * w for g, w in zip(groups, rounds, strict=True)), sum(groups)


def _require_numbers(part: Any) -> None:
    """Raise `UserError` unless every number of a dataclass is one, and in its range."""
    for fact in fields(part):
        value = getattr(part, fact.name)
        if not str(fact.type).startswith("int") or (value is None and "None" in str(fact.type)):
            continue
        if type(value) is not int or not 0 <= value <= _MOST.get(fact.name, value):
            raise UserError(f"In a scenario {fact.name} cannot be {value!r}.")
