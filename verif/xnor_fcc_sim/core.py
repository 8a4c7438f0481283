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
import operator
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing import Pipe
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from xnor_fcc.board.driver import Answers, Driver, ImageError, NotLoadedError
from xnor_fcc.board.transport import Mover
from xnor_fcc.errors import ToolError, UserError
from xnor_fcc.geometry import NAMED, Geometry, MapShape, Shape
from xnor_fcc.geometry_options import no_wider
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.map_geometry import default_sizes
from xnor_fcc.renamed import current
from xnor_fcc_sim import children, simulator
from xnor_fcc_sim.clock import CLOCK_NS
from xnor_fcc_sim.trace import Trace

# Images that are sent at a time, full batches of any number of lanes that is a power of two.
_CHUNK = 256
# Clock cycles without an answer after which a core counts as dead, besides those of its passes:
# longer than PARTIAL_TIMEOUT lets a lone image wait.
_PATIENCE = 100_000
# Seconds that a simulation may take to end when nobody makes requests any more.
_GOODBYE = 5.0


class SimulationError(ToolError):
    """The simulation is gone; the text says how it went, and where its log is."""


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
    ) -> None:
        """`network`: a name, a file, or the network itself. `geometry`: a name, or PE, SIMD and
        LANES, or all of it; without one a core that suits the network.

        Where this core has not been built before, that takes a minute or two. `UserError` where the
        network does not fit, `ToolError` where the simulator does not build or start."""
        if not isinstance(network, IntegerNetwork):
            network = IntegerNetwork.load(find_network(str(network)))
        if not isinstance(geometry, Geometry):
            geometry = suited(network.shape, geometry)
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


class SimulationTransport:
    """`Transport` and `Mover` to a simulation of its own, of a core of `geometry`.

    `tracing`: network, pixels and more about the next image, of which `trace` is to be made. `seen`
    has, of each part of the last images, their ids, and when they went in and were answered.
    """

    def __init__(self, geometry: Geometry) -> None:
        """Build if need be, and start. `ToolError` where that fails."""
        self.tracing: tuple[IntegerNetwork, np.ndarray, dict[str, Any]] | None = None
        self.trace: Trace | None = None
        self.seen: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._died = False
        self._running = contextlib.ExitStack()
        model = simulator.build("xnor_fcc", geometry.parameters())
        runs = simulator.run_directory("core")
        runs.mkdir(parents=True, exist_ok=True)
        self.directory = Path(tempfile.mkdtemp(prefix="", dir=runs))
        self._connection, other = Pipe()
        try:
            settings = {"geometry": asdict(geometry)}
            self.process: subprocess.Popen[bytes] = self._running.enter_context(
                model.resident(
                    "xnor_fcc_sim.resident", self.directory, settings, other.fileno()
                )
            )
            other.close()
            self._answer()
        except BaseException:
            other.close()
            self._end()
            raise

    # ---- Transport

    def read(self, offset: int) -> int:
        """A register."""
        return int(self.ask("read", offset // 4))

    def write(self, offset: int, value: int) -> None:
        """Write a register. `UserError` for what is no whole number of 32 bits."""
        try:
            word = operator.index(value)
        except TypeError:
            word = -1
        if not 0 <= word < 1 << 32:
            raise UserError(f"A register takes a whole number of 32 bits, not {value!r}.")
        self.ask("write", offset // 4, [word])

    def write_many(self, offset: int, values: Sequence[int] | np.ndarray) -> None:
        """Write values to one register, one after the other."""
        self.ask("write", offset // 4, np.asarray(values, np.uint32).tolist())

    def mover(self) -> Mover:
        """The simulation moves images and results itself."""
        return self

    def now(self) -> float:
        """Simulated seconds."""
        return float(self.ask("seconds"))

    def pause(self) -> None:
        """Some clock cycles."""
        self.ask("wait", 16)

    @property
    def ended(self) -> bool:
        """Whether there is no simulation any more."""
        return self._connection.closed or self.process.poll() is not None

    def close(self) -> None:
        """End the simulation. Nothing is left behind but the log of one that has died."""
        if os.getpid() != self._owner:  # a child has but copies
            self._connection.close()
            return
        if self._lock.acquire(timeout=_GOODBYE):
            try:
                self._connection.close()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(_GOODBYE)
            finally:
                self._lock.release()
        # Else a thread waits for an answer, which it gets now.
        self._running.close()
        if not self._died:
            shutil.rmtree(self.directory, ignore_errors=True)

    # ---- Mover

    def reset(self) -> bool:
        """Forget what is on the way."""
        self.ask("forget")
        return True

    def chunk(self, size: int, words: int, beat: int) -> int:
        """Images of a part, after each of which progress is told."""
        return _CHUNK

    def exchange(
        self, packets: np.ndarray, words: int, beat: int, timeout: float
    ) -> np.ndarray:
        """Send the packets, uint8 (n, bytes), and return the results, uint32 (n, words)."""
        patience = round(timeout / (CLOCK_NS * 1e-9))
        if self.tracing is None:
            sent = [packet.tobytes() for packet in packets]
            found, taken, answered = self.ask("exchange", sent, patience)
        else:
            network, grey, about = self.tracing
            sent = packets[0].tobytes()
            self.trace, found, taken, answered = self.ask(
                "trace", network, grey, sent, patience, about
            )
        if any(len(packet) != 4 * words for packet in found):
            raise SimulationError("A result is not of the length of the network's.")
        results = np.frombuffer(b"".join(found), ">u4").astype(np.uint32).reshape(-1, words)
        self.seen.append((results[:, -1].astype(np.int64) & 0xFFFF, taken, answered))
        return results

    def all_seen(self) -> dict[str, Any]:
        """`ids`, `taken` and `answered` of the last images."""
        none = np.empty(0, np.int64)
        columns = zip(*self.seen, strict=True) if self.seen else ((), (), ())
        return {
            name: np.concatenate([none, *parts])
            for name, parts in zip(("ids", "taken", "answered"), columns, strict=True)
        }

    # ---- requests

    def ask(self, name: str, *arguments: object) -> Any:
        """The answer to a request, see `resident.Resident`."""
        with self._lock:
            if os.getpid() != self._owner:
                raise SimulationError("A simulation serves the process that has started it alone.")
            if self._connection.closed:
                raise SimulationError("The simulation has ended: nothing can be asked any more.")
            try:
                self._connection.send((name, *arguments))
                return self._answer()
            except (SimulationError, TimeoutError):
                raise
            except (EOFError, OSError) as cause:
                raise self._gone() from cause
            except BaseException:
                # Whatever it was, the answer to this request would be taken for that to the next.
                self._end()
                raise

    def _answer(self) -> Any:
        try:
            good, answer = self._connection.recv()
        except (EOFError, OSError) as cause:
            raise self._gone() from cause
        if good:
            return answer
        if isinstance(answer, TimeoutError):
            raise answer
        self._died = True  # which its log is kept for
        raise SimulationError(
            f"The simulation failed ({answer or type(answer).__name__}); its log is {self._log}."
        )

    @property
    def _log(self) -> Path:
        return self.directory / "simulation.log"

    def _gone(self) -> SimulationError:
        self._died = True
        try:
            end = children.end_of(self.process.wait(_GOODBYE))
        except subprocess.TimeoutExpired:
            end = "does not answer"
        self._end()
        return SimulationError(f"The simulator {end}; its log is {self._log}.")

    def _end(self) -> None:
        self._connection.close()
        self._running.close()
