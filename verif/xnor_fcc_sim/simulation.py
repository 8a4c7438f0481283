# SPDX-License-Identifier: Apache-2.0
"""A simulation of a core as what a driver drives: `Transport` and `Mover` to a process of its own,
which stays up until it is closed (`resident` is what runs inside)."""

from __future__ import annotations

import contextlib
import operator
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np

from xnor_fcc.board.transport import Mover
from xnor_fcc.errors import ToolError, UserError
from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc_sim import children, simulator
from xnor_fcc_sim.clock import CLOCK_NS
from xnor_fcc_sim.trace import Trace

# Images that are sent at a time, full batches of any number of lanes that is a power of two.
_CHUNK = 256
# Seconds that a simulation may take to end when nobody makes requests any more.
_GOODBYE = 5.0


class SimulationError(ToolError):
    """The simulation is gone; the text says how it went, and where its log is."""


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
                model.resident("xnor_fcc_sim.resident", self.directory, settings, other.fileno())
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

    single = False

    def reset(self) -> bool:
        """Forget what is on the way."""
        self.ask("forget")
        return True

    def chunk(self, size: int, words: int, beat: int) -> int:
        """Images of a part, after each of which progress is told."""
        return _CHUNK

    def exchange(self, packets: np.ndarray, words: int, beat: int, timeout: float) -> np.ndarray:
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
