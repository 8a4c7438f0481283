# SPDX-License-Identifier: Apache-2.0
"""A page in the browser: draw a digit, and the simulated core reads it, bit by bit."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Iterator, Sequence

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from xnor_fcc.errors import CommandLine, run_main
from xnor_fcc.geometry import Geometry
from xnor_fcc.geometry_options import add_geometry, add_network
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc_sim.demo.app import LIMIT, application
from xnor_fcc_sim.demo.subjects import geometry_of
from xnor_fcc_sim.demo.worker import Worker
from xnor_fcc_sim.listening import add_listening, is_own, listen
from xnor_fcc_sim.simulate import find_geometry

PORT = 8484
# The name of a core whose sizes the command line has.
_OWN = "own sizes"
# Seconds that pages may take to notice the end.
_GOODBYE = 2

_EPILOG = """\
What the page shows comes out of the simulated RTL: the bits it saw, every layer's activations, sums
and scores, its clock cycles. Beside it stands the software reference, and whether both agree.

The first simulation of a geometry is built, which takes a minute or two. The server is this
computer's alone, unless --host says otherwise; Ctrl-C ends it.

examples
  xnor-fcc demo
  xnor-fcc demo --network ternary --geometry throughput
  xnor-fcc demo --network digits --pe 8 --simd 16 --port 0 --no-browser
"""


def parser() -> CommandLine:
    """The command line."""
    result = CommandLine(
        prog="xnor-fcc demo",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_network(result)
    add_geometry(result, streamed=False)
    add_listening(result, PORT)
    result.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    result.add_argument(
        "--json", action="store_true", help="print the address as a JSON object, {\"url\": ...}"
    )
    return result


def _hosts(listener: socket.socket, asked: str) -> list[str] | None:
    """By which names a browser of this computer may call a server; None for any, where others are
    let in.

    Without that a page of some other site could come in, under a name that leads here.
    """
    if not is_own(listener):
        return None
    return ["localhost", "127.0.0.1", "[::1]", listener.getsockname()[0], asked]


@contextlib.contextmanager
def serving(worker: Worker, listener: socket.socket, asked: str) -> Iterator[str]:
    """A server in a thread of its own until the context ends; gives the address of its page."""
    at, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        application(worker, _hosts(listener, asked)), lifespan="off", log_config=None,
        log_level="error", access_log=False, ws=WebSocketsSansIOProtocol, ws_max_size=LIMIT,
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        name = f"[{at}]" if ":" in at else at
        yield f"http://{name}:{port}/"
    finally:
        server.should_exit = True
        thread.join(_GOODBYE)
        listener.close()


def _open(address: str) -> None:
    """Open a browser, where there is a screen for it: one in the terminal would take that over."""
    screen = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    if screen or sys.platform != "linux":
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until somebody ends it. The simulation runs in this thread, the one that signals reach,
    so that they end a build, too."""
    options = parser().parse_args(argv)
    own = any(size is not None for size in (options.pe, options.simd, options.lanes))

    def find(network: IntegerNetwork, name: str) -> Geometry:
        return find_geometry(options, network) if name == _OWN else geometry_of(network, name)

    worker = Worker(options.network, _OWN if own else options.geometry or "default", find)
    with (
        listen(options.host, options.port) as listener,
        serving(worker, listener, options.host) as address,
    ):
        said = json.dumps({"url": address}) if options.json else f"{address} (Ctrl-C ends it)"
        print(said, flush=True)
        if not options.no_browser:
            _open(address)
        worker.run()
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
