# SPDX-License-Identifier: Apache-2.0
"""Where a server listens: the options that all of them have, and a socket."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys

from xnor_fcc.errors import CommandLine, UserError


def add_listening(parser: CommandLine, port: int) -> None:
    """--port and --host."""
    parser.add_argument(
        "--port", type=int, default=port, metavar="N",
        help="0 for any that is free (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS",
        help="address to listen at; any but this computer's own lets others in "
        "(default: %(default)s)",
    )  # fmt: skip


def listen(host: str, port: int) -> socket.socket:
    """A socket at that address, with a warning where it lets others in; `UserError` where it cannot
    be had."""
    if not 0 <= port <= 65535:
        raise UserError(f"--port {port} is outside 0 to 65535.")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as cause:
        raise UserError(f"--host {host} is no address of this computer.") from cause
    try:
        listener = socket.create_server(address[:2], family=family)
    except OSError as cause:
        if cause.errno == errno.EADDRINUSE:
            raise UserError(
                f"Port {port} is taken: name another with --port, or 0 for any that is free."
            ) from cause
        if cause.errno == errno.EADDRNOTAVAIL:
            raise UserError(f"--host {host} is no address of this computer.") from cause
        raise UserError(
            f"Nothing can listen at port {port} of {host} ({os.strerror(cause.errno or 0)})."
        ) from cause
    if not is_own(listener):
        print(
            f"warning: --host {host} lets everybody in who can reach this computer.",
            file=sys.stderr,
        )
    return listener


def is_own(listener: socket.socket) -> bool:
    """Whether programs of this computer alone can reach it."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback
