# SPDX-License-Identifier: Apache-2.0
"""The core as a Python object: numpy in, simulated RTL out.

    with SimulatedCore("mnist", geometry="throughput") as core:
        answers = core.classify(images)

The simulation is a process of its own that stays up until the object is closed. Registers, loading
and images go through the driver of a board, `xnor_fcc.board.driver.Driver`: what is written against
`core.driver` runs on hardware unchanged.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from xnor_fcc.board.driver import Answers, Driver
from xnor_fcc.board.driver_errors import ImageError, NotLoadedError
from xnor_fcc.errors import UserError
from xnor_fcc.geometry import NAMED, Geometry, MapShape, Shape
from xnor_fcc.geometry_options import learning, no_wider
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.learning import MARGIN, Learnt
from xnor_fcc.learning_cycles import walk_cycles
from xnor_fcc.map_geometry import default_sizes
from xnor_fcc.renamed import current
from xnor_fcc_sim import simulator
from xnor_fcc_sim.clock import CLOCK_NS
from xnor_fcc_sim.simulation import SimulationTransport
from xnor_fcc_sim.trace import Trace

# Clock cycles without an answer after which a core counts as dead, besides those of its passes:
# longer than PARTIAL_TIMEOUT lets a lone image wait.
_PATIENCE = 100_000


@dataclass(frozen=True)
class SimulatedAnswers(Answers):
    """Answers, and what only a simulation tells of each of the N images.

    `ids` int64 (N,): the core's numbers, from 0. `taken` and `answered` int64 (N,): the clock cycle
    in which its last beat went in, and that in which its class came out. `hidden`: the bits or
    levels of every hidden layer, uint8 (N, m) or (N, H, W, m), where they were asked for.
    """

    ids: np.ndarray
    taken: np.ndarray
    answered: np.ndarray
    hidden: tuple[np.ndarray, ...] | None = None

    @property
    def cycles(self) -> np.ndarray:
        """Clock cycles from the last beat in to the class out, int64 (N,)."""
        return self.answered - self.taken


@dataclass(frozen=True)
class SimulatedLearnt(Learnt):
    """What became of N images, and when.

    `taken` and `answered` int64 (N,): as those of `SimulatedAnswers`.
    """

    taken: np.ndarray
    answered: np.ndarray


def suited(shape: Shape, geometry: str | Sequence[int] | None = None) -> Geometry:
    """The smallest core of the sizes of `geometry` ("throughput", ...), or of PE, SIMD and LANES,
    that runs a network of `shape`; without them the default core, no wider than the network.
    `UserError` where there is none."""
    if isinstance(geometry, str):
        if (name := current(geometry)) not in NAMED:
            raise UserError(f"There is no core {geometry}: known are {', '.join(sorted(NAMED))}.")
        geometry = NAMED[name]
    if geometry is not None:
        if len(geometry) != 3 or not all(isinstance(size, int) for size in geometry):
            raise UserError(f"A core has three sizes, PE, SIMD and LANES, not {geometry}.")
        pe, simd, lanes = geometry
        return Geometry.for_widths(shape, pe, simd, lanes)
    if isinstance(shape, MapShape):
        return Geometry.for_widths(shape, *default_sizes(shape))
    return Geometry.for_widths(shape, *no_wider(NAMED["default"], shape))


class SimulatedCore:
    """A simulated core with a network in it. It serves one call at a time, of the process that
    made it; what interrupts a call ends the simulation.

    `geometry`, `network` and `driver` are what it is, what it has loaded, and who drives it.
    """

    def __init__(
        self,
        network: str | Path | IntegerNetwork = "mnist",
        geometry: str | Sequence[int] | Geometry | None = None,
        learn: bool = False,
    ) -> None:
        """`network`: a name, a file, or the network itself. `geometry`: a name, or PE, SIMD and
        LANES, or all of it; without one a core that suits the network. `learn`: one that learns
        the network's classes.

        Where this core has not been built before, that takes a minute or two. `UserError` where the
        network does not fit, or no such core learns it, `ToolError` where the simulator does not
        build or start."""
        if not isinstance(network, IntegerNetwork):
            network = IntegerNetwork.load(find_network(str(network)))
        if not isinstance(geometry, Geometry):
            geometry = suited(network.shape, geometry)
        if learn:
            geometry = learning(geometry, network.shape)
        self.geometry = geometry
        self._turn = threading.Lock()
        self._transport = transport = SimulationTransport(geometry)
        try:
            self.driver = Driver(transport)
            self.load(network)
        except BaseException:
            transport.close()
            raise

    def __enter__(self) -> SimulatedCore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the simulation."""
        self._transport.close()

    @property
    def network(self) -> IntegerNetwork:
        """What is loaded."""
        if self.driver.network is None:
            raise NotLoadedError("No network has been loaded; load one.")
        return self.driver.network

    def load(self, network: str | Path | IntegerNetwork) -> None:
        """Load another network into the same core. Errors as those of `Driver.load`."""
        if not isinstance(network, IntegerNetwork):
            network = IntegerNetwork.load(find_network(str(network)))
        with self._alone():
            self.driver.load(network)
        cycles = 4 * self.geometry.period_cycles(network.shape) + _PATIENCE
        if self.geometry.learn:
            cycles += walk_cycles(self.geometry, network.shape)
        self.driver.timeout = cycles * CLOCK_NS * 1e-9

    def read(self, register: str) -> int:
        """Value of a register (rtl/REGISTERS.md). After `classify` the counters are 0 again: its
        answers have them."""
        return self.driver.read(register)

    def write(self, register: str, value: int) -> None:
        """Write a register: a whole number of 32 bits."""
        self.driver.write(register, value)

    def classify(
        self,
        images: np.ndarray,
        grey: bool = False,
        hidden: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> SimulatedAnswers:
        """Classify `images` as `Driver.classify` does. With `hidden` each goes through the core
        alone, as the first after a reset, while all that its hidden layers answer is written down;
        the counters are those of the last one."""
        with self._alone():
            return self._classify(np.asarray(images), grey, hidden, progress)

    def _classify(
        self,
        images: np.ndarray,
        grey: bool,
        hidden: bool,
        progress: Callable[[int], None] | None,
    ) -> SimulatedAnswers:
        transport = self._transport
        if not hidden:
            transport.seen.clear()
            answers = self.driver.classify(images, grey, progress)
            return SimulatedAnswers(**vars(answers), **transport.all_seen())
        if not images.ndim or not len(images):
            raise ImageError("There is no image whose hidden bits could be looked at.")
        parts, layers, times = [], [], []
        for number in range(len(images)):
            trace, answers = self._traced(images[number : number + 1], grey, self.network, None)
            parts.append(answers)
            times += transport.seen
            layers.append([layer.seen for layer in trace.hidden])
            if progress is not None:
                progress(number + 1)
        return SimulatedAnswers(
            classes=np.concatenate([each.classes for each in parts]),
            scores=np.concatenate([each.scores for each in parts]),
            counters=parts[-1].counters,
            ids=np.concatenate([ids for ids, _, _ in times]),
            taken=np.concatenate([taken for _, taken, _ in times]),
            answered=np.concatenate([answered for _, _, answered in times]),
            hidden=tuple(np.stack(layer) for layer in zip(*layers, strict=True)),
        )

    def learn(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        margin: int = MARGIN,
        latents: np.ndarray | None = None,
        start: int | None = None,
        grey: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> SimulatedLearnt:
        """Answer `images`, and learn from those with a label, as `Driver.learn` does. `network` has
        the weights and latents that the core has then, and goes on from these the next time."""
        images, transport = np.asarray(images), self._transport
        with self._alone():
            transport.seen.clear()
            learnt = self.driver.learn(images, labels, margin, latents, start, grey, progress)
            # Behind them there may be images that fill the last batch.
            seen = {name: found[: len(images)] for name, found in transport.all_seen().items()}
        return SimulatedLearnt(**vars(learnt), taken=seen["taken"], answered=seen["answered"])

    def trace(
        self,
        image: np.ndarray,
        grey: bool = False,
        label: int | None = None,
        against: IntegerNetwork | None = None,
    ) -> Trace:
        """One image (...,) on its way through the core: bits, sums, scores, and in which cycle what
        was done, beside what the reference says of `against`, a network of the same shape as the
        loaded one, which it is unless given. `label` is its right class, if that is known."""
        network = self.network if against is None else against
        with self._alone():
            return self._traced(np.asarray(image)[None], grey, network, label)[0]

    @property
    def batch(self) -> int:
        """Images of a batch that learns."""
        return self.driver.batch

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else's call between what belongs together."""
        if not self._turn.acquire(blocking=False):
            raise UserError("This core is at another call: it serves one at a time.")
        try:
            yield
        finally:
            self._turn.release()

    def _traced(
        self, image: np.ndarray, grey: bool, against: IntegerNetwork, label: int | None
    ) -> tuple[Trace, Answers]:
        network, transport = self.network, self._transport
        if image.size != network.inputs:
            raise ImageError(f"An image of {network.inputs} pixels is needed, not of {image.size}.")
        if against.shape != network.shape:
            raise UserError("A core can be compared with a network of the loaded one's shape only.")
        about = {
            "label": label, "simulator": simulator.chosen(), "network": network.name,
            "dataset": network.dataset, "inputs": "given", "flip": None,
        }  # fmt: skip
        # Bits as the pixels that become them, whatever the threshold.
        pixels = image.reshape(-1).astype(np.uint8) * np.uint8(1 if grey else 255)
        transport.seen.clear()
        transport.tracing = (against, pixels, about)
        try:
            answers = self.driver.classify(image, grey)
        finally:
            transport.tracing = None
        assert transport.trace is not None
        return transport.trace, answers
