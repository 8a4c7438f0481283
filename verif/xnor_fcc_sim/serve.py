# SPDX-License-Identifier: Apache-2.0
"""A simulated core for hosts in any language, over TCP: the system of the DE1-SoC, word by word."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import socket
import socketserver
import sys
import threading
from collections import deque
from collections.abc import Sequence

import numpy as np

from xnor_fcc.board.address_map import BASE, BUFFER_BYTES, REGISTER_BYTES
from xnor_fcc.errors import CommandLine, UserError, first_line, run_main
from xnor_fcc.geometry import Geometry
from xnor_fcc.geometry_options import add_geometry, add_network
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc_sim.listening import add_listening, listen
from xnor_fcc_sim.msgdma_model import MsgdmaModel, part_of
from xnor_fcc_sim.simulate import find_geometry
from xnor_fcc_sim.simulation import SimulationTransport

_MASTER = BASE["hps"]
_REGISTERS, _BUFFER = _MASTER["registers"], _MASTER["buffer"]
# Clock cycles that go by while a host reads a register of an engine.
_POLL = 64
# A number in a line, and bytes of a line at most.
_WORD = re.compile(r"0*[0-9a-fA-F]{1,8}")
_LINE = 1 << 20
# Seconds in which a client must take an answer.
_PATIENCE = 30.0
# Seconds without a byte in which a client hangs up that has been told to.
_GOODBYE = 1.0

_EPILOG = f"""\
the protocol: lines of ASCII, numbers in hexadecimal
  w ADDRESS VALUE ...   writes words at addresses that follow each other; no answer
  r ADDRESS COUNT       reads COUNT words: one line, with a space between them
  error SENTENCE        what the server says of a line that it cannot read, before it hangs up

Addresses are those of the processor of the DE1-SoC (quartus/HOST.md): registers of the core and
of two DMA engines from {_REGISTERS:#x} on, a buffer of {BUFFER_BYTES:,} bytes from {_BUFFER:#x} on.
quartus/host/bus_tcp.c is a client in C, with which the example host there runs unchanged.
Every client gets the core as after a reset; there is one at a time.

Simulated time stands still between accesses: a host that waits reads a register meanwhile.

examples
  xnor-fcc serve --geometry throughput
  xnor-fcc serve --network digits --port 0 --json
"""


def parser() -> CommandLine:
    """The command line."""
    result = CommandLine(
        prog="xnor-fcc serve",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_network(result)
    add_geometry(result, streamed=False)
    add_listening(result, 5000)
    result.add_argument(
        "--json", action="store_true", help="print where it listens, and the core, as JSON"
    )
    return result


class ProtocolError(UserError):
    """A line that cannot be obeyed; the text says why."""


class System:
    """The Platform Designer system around a simulated core, as its processor sees it."""

    def __init__(self, transport: SimulationTransport) -> None:
        self.transport = transport
        self.buffer = np.zeros(BUFFER_BYTES, np.uint8)
        self.results: deque[tuple[int, int]] = deque()  # (address, bytes) still to be filled
        self.found = bytearray()  # of the result stream, not yet in memory
        self.image_dma = MsgdmaModel(self._send, self._forget)
        self.result_dma = MsgdmaModel(self._receive, self._forget)
        self.transport.ask("start")

    def read(self, address: int, count: int) -> list[int]:
        """Words at addresses that follow each other. `ProtocolError` outside of the system."""
        window, offset = self._window(address, count)
        if window == "buffer":
            return self.buffer[offset : offset + 4 * count].view("<u4").tolist()
        return [self._read_register(offset + 4 * index) for index in range(count)]

    def write(self, address: int, values: Sequence[int]) -> None:
        """Write there."""
        window, offset = self._window(address, len(values))
        if window == "buffer":
            words = np.array(values, "<u4").view(np.uint8)
            self.buffer[offset : offset + len(words)] = words
            return
        for index, value in enumerate(values):
            self._write_register(offset + 4 * index, value)

    def _window(self, address: int, count: int) -> tuple[str, int]:
        if address % 4:
            raise ProtocolError(f"Address {address:#x} is no multiple of 4.")
        for window, size in (("registers", REGISTER_BYTES), ("buffer", BUFFER_BYTES)):
            offset = address - _MASTER[window]
            if 0 <= offset <= size - 4 * count:
                return window, offset
        raise ProtocolError(f"There are no {count} words from address {address:#x} on.")

    def _read_register(self, offset: int) -> int:
        place, part = part_of(offset)
        if place == "core":
            return self.transport.read(part)
        engine = self._engine(place)
        if engine is None:
            return 0
        self._move()
        return engine.read_csr(part) if place.endswith("csr") else 0

    def _write_register(self, offset: int, value: int) -> None:
        place, part = part_of(offset)
        engine = self._engine(place)
        if place == "core":
            self.transport.write(part, value)
        elif engine is not None and place.endswith("csr"):
            engine.write_csr(part, value)
        elif engine is not None:
            engine.write_descriptor(part, value)

    def _engine(self, place: str) -> MsgdmaModel | None:
        return {"image": self.image_dma, "result": self.result_dma}.get(place.partition("_")[0])

    # ---- what moves

    def _send(self, descriptor: tuple[int, int, int, int]) -> None:
        read, _, length, _ = descriptor
        start = self._place(read, length)
        self.transport.ask("send", [self.buffer[start : start + length].tobytes()])

    def _receive(self, descriptor: tuple[int, int, int, int]) -> None:
        _, write, length, _ = descriptor
        self.results.append((self._place(write, length), length))

    def _place(self, address: int, length: int) -> int:
        start = address - BASE["dma"]["buffer"]
        if not 0 < length <= BUFFER_BYTES - start or start < 0:
            raise ProtocolError(
                f"A descriptor of {length} bytes at {address:#x} does not lie in the buffer."
            )
        return start

    def _forget(self) -> None:
        self.transport.reset()
        self.results.clear()
        self.found.clear()
        self.image_dma.pending = self.result_dma.pending = 0

    def _move(self) -> None:
        """A little time goes by, in which images go in, and results come out into memory."""
        packets, taken = self.transport.ask("collect", _POLL)
        self.found += b"".join(packets)
        self.image_dma.pending -= taken
        while self.results and len(self.found) >= self.results[0][1]:
            start, length = self.results.popleft()
            self.buffer[start : start + length] = np.frombuffer(self.found[:length], np.uint8)
            del self.found[:length]
            self.result_dma.finished()


def obey(system: System, line: str) -> str | None:
    """What a line is answered, if it is; `ProtocolError`."""
    kind, *words = line.split()
    if kind not in ("r", "w") or len(words) < 2 or not all(map(_WORD.fullmatch, words)):
        raise ProtocolError(
            f"{line[:40]!a} is neither 'r ADDRESS COUNT' nor 'w ADDRESS VALUE ...' of hexadecimal "
            "numbers of 32 bits."
        )
    address, *values = (int(word, 16) for word in words)
    if kind == "w":
        system.write(address, values)
        return None
    if len(values) != 1 or not values[0]:
        raise ProtocolError("A read has one count, of one word or more.")
    return " ".join(f"{value:x}" for value in system.read(address, values[0]))


class _Client(socketserver.StreamRequestHandler):
    """A host."""

    server: Server
    timeout = None
    disable_nagle_algorithm = True

    def handle(self) -> None:
        if not self.server.free.acquire(timeout=self.server.turn):
            self._refuse("Another host is connected: there is one at a time.")
            return
        wrong = ""
        try:
            system = self._system()
            with contextlib.suppress(OSError):  # it has gone away
                self._serve(system)
        except UserError as error:
            wrong = str(error)
        finally:
            self.server.free.release()
        if wrong:
            self._refuse(wrong)

    def _system(self) -> System:
        try:
            return System(self.server.simulation())
        except (UserError, OSError) as cause:
            wrong = str(cause) if isinstance(cause, UserError) else f"{first_line(cause)}."
            print(f"error: {wrong}", file=sys.stderr, flush=True)
            raise UserError(wrong) from cause

    def _serve(self, system: System) -> None:
        while raw := self.rfile.readline(_LINE + 1):
            if len(raw) > _LINE:
                raise ProtocolError(f"A line is longer than {_LINE:,} bytes.")
            if not raw.endswith(b"\n"):
                return  # cut off: nothing of it is obeyed
            line = raw.decode("ascii", "backslashreplace").strip()
            if line and (answer := obey(system, line)) is not None:
                self._say(answer)

    def _say(self, line: str) -> None:
        self.connection.settimeout(_PATIENCE)
        try:
            self.wfile.write(f"{line}\n".encode("ascii", "backslashreplace"))
        finally:
            self.connection.settimeout(None)

    def _refuse(self, sentence: str) -> None:
        """Say it, and listen until the client has heard: a connection that is closed with something
        unread in it takes back what was said."""
        with contextlib.suppress(OSError):
            self._say(f"error {sentence}")
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_GOODBYE)
            while self.connection.recv(65536):
                pass


class Server(socketserver.ThreadingTCPServer):
    """Listens, and lets one host at a time use a core of `geometry`; the next one waits `turn`
    seconds for the one before to go."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, listener: socket.socket, geometry: Geometry, turn: float = 2.0) -> None:
        """`listener` is the server's from now on."""
        self.geometry = geometry
        self.turn = turn
        self.free = threading.Lock()
        self._transport: SimulationTransport | None = None
        super().__init__(listener.getsockname(), _Client, bind_and_activate=False)
        self.socket.close()
        self.socket = listener

    def simulation(self) -> SimulationTransport:
        """The simulation, built and started if need be: `ToolError`."""
        if self._transport is None or self._transport.ended:
            self._transport = SimulationTransport(self.geometry)
        return self._transport

    def server_close(self) -> None:
        """Listen no more, and end the simulation."""
        super().server_close()
        if self._transport is not None:
            self._transport.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Build, listen, until somebody ends it."""
    options = parser().parse_args(argv)
    network = IntegerNetwork.load(find_network(options.network))
    geometry = find_geometry(options, network)
    notes = sys.stderr if options.json else sys.stdout
    with Server(listen(options.host, options.port), geometry) as server:
        note = "building takes a minute or two, once for each geometry"
        print(f"{geometry.label}: {note}", file=notes, flush=True)
        server.simulation()
        port = server.server_address[1]
        where = {"host": options.host, "port": port, "geometry": geometry.parameters()}
        text = json.dumps(where) if options.json else f"serving at {options.host}:{port}"
        print(text, flush=True)
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
