# SPDX-License-Identifier: Apache-2.0
"""How other programs are started: in an environment that is chosen, under names that they can read,
and in a group of their own that ends when this program does."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO

from xnor_fcc.errors import UserError

# What a child gets of our environment: where things are, the language, our own variables. All else
# stays here, for it could say otherwise than the command line (WAVES, COCOTB_*, GPI_*), lead to
# another Python (PYTHONHOME), or build something else than the key of a build says (MAKEFLAGS,
# CXXFLAGS, CPATH, VERILATOR_ROOT); PYTHONOPTIMIZE would drop the checks of a testbench.
_PASSED = re.compile(
    r"PATH|HOME|USER|LOGNAME|TZ|LANG|LC_[A-Z]+|XDG_[A-Z_]+|(DY)?LD_LIBRARY_PATH|XNOR_FCC_[A-Z_]+"
    r"|(OMP|OPENBLAS|MKL)_NUM_THREADS|PYTHONDONTWRITEBYTECODE|PYTHONPYCACHEPREFIX"
)
# What make, a shell, a compiler's options and Verilog take as it is; what may stand in a list.
_PLAIN, LISTED = re.compile(r"[A-Za-z0-9_./+-]+"), re.compile(r"[^:;,]*", re.DOTALL)
# A shell that ends a group of processes when this program has ended, however it did: then its input
# does. The group is told on the first line.
_WATCH = 'read -r group && { read -r _; kill -s KILL -- "-$group"; }'
# A program begins when it is told to: before, nobody would end it with us.
_BEGIN = 'read -r _ && exec "$0" "$@" </dev/null'


def environment(**more: str) -> dict[str, str]:
    """The environment of a child: what is passed of ours, and `more`."""
    passed = {name: value for name, value in os.environ.items() if _PASSED.fullmatch(name)}
    path = passed.get("PATH", os.defpath).split(os.pathsep)
    # A child may work in another directory.
    passed["PATH"] = os.pathsep.join(os.path.abspath(place) for place in path)
    return {**passed, "TMPDIR": str(_temporary()), **more}


def _temporary() -> Path:
    """The first directory for temporary files whose path every program can read."""
    for place in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        if _PLAIN.fullmatch(place) and os.access(place, os.W_OK | os.X_OK):
            return Path(place)
    raise UserError(
        "Compilers need a directory for temporary files whose path has neither spaces nor signs: "
        "name one with TMPDIR."
    )


class Names:
    """Names of paths for programs that stop at a space or a sign: where a path has some, the name
    is that of a link to it, which goes with the context."""

    def __init__(self) -> None:
        self._links: dict[str, str] = {}
        self._place: Path | None = None

    def __enter__(self) -> Names:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._place is not None:
            shutil.rmtree(self._place, ignore_errors=True)

    def __call__(self, path: str | Path, plain: re.Pattern[str] = _PLAIN) -> str:
        """The name of a path; `plain` matches one that needs no other."""
        text = os.path.abspath(path)
        if plain.fullmatch(text):
            return text
        parent, name = os.path.split(text)
        if plain.fullmatch(name):
            return os.path.join(self(parent, plain), name)
        if text not in self._links:
            link = self.place() / str(len(self._links))
            link.symlink_to(text)
            self._links[text] = str(link)
        return self._links[text]

    def place(self) -> Path:
        """A directory with a plain name, which goes with the context."""
        if self._place is None:
            self._place = Path(tempfile.mkdtemp(prefix="xnor-fcc-", dir=_temporary()))
        return self._place


def call(
    command: Sequence[str], directory: Path, variables: Mapping[str, str], log: BinaryIO
) -> int:
    """Run a program as `running` does, to its end; its exit code, or less than 0 for the signal
    that ended it; 126 or 127 where it does not start."""
    with running(command, directory, variables, log) as child:
        return child.wait()


@contextlib.contextmanager
def running(
    command: Sequence[str],
    directory: Path,
    variables: Mapping[str, str],
    log: BinaryIO,
    descriptors: Sequence[int] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs in `directory`, what it prints into `log`; it has the open files
    `descriptors` of ours too.

    The end of the context, Ctrl-C, any other exception and the end of this program end all that it
    has started.
    """
    with _watch() as told:
        child = subprocess.Popen(
            ["/bin/sh", "-c", _BEGIN, *command], bufsize=0, cwd=directory, env=variables,
            stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            pass_fds=descriptors,
        )  # fmt: skip
        try:
            assert child.stdin is not None
            told.write(b"%d\n" % child.pid)
            child.stdin.write(b"\n")
            child.stdin.close()
            yield child
        finally:
            if child.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()


@contextlib.contextmanager
def _watch() -> Iterator[IO[bytes]]:
    watcher = subprocess.Popen(
        ["/bin/sh", "-c", _WATCH], bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    assert watcher.stdin is not None
    try:
        yield watcher.stdin
    finally:
        watcher.kill()
        watcher.stdin.close()
        watcher.wait()


def said(command: Sequence[str], variables: Mapping[str, str] | None = None) -> str:
    """The first line that a program prints; empty where it cannot be started."""
    chosen = environment() if variables is None else variables
    try:
        run = subprocess.run(command, env=chosen, stdin=subprocess.DEVNULL, capture_output=True)
    except OSError:
        return ""
    return os.fsdecode(run.stdout.strip() or run.stderr.strip()).partition("\n")[0].strip()


def python_variables(names: Names) -> dict[str, str]:
    """With which a Python in a child is this one: its packages, and how it reads names of files."""
    path = os.pathsep.join(names(place, LISTED) for place in sys.path)
    return {"PYTHONPATH": path, "PYTHONUTF8": str(sys.flags.utf8_mode)}


def end_of(code: int) -> str:
    """What an exit code of `call` says, to follow the name of a program."""
    number = -code if code < 0 else code - 128
    if number not in {int(each) for each in signal.Signals}:
        return f"ended with exit code {code}"
    name = signal.Signals(number).name
    why = " (as Linux does where memory is short)" if number == signal.SIGKILL else ""
    return f"was killed by {name}{why}"
