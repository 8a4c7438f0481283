# SPDX-License-Identifier: Apache-2.0
"""Errors that are meant for the person at the keyboard, and how a command line shows them.

What each exit code means stands here and nowhere else; `xnor-fcc --help` prints it.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from enum import IntEnum
from pathlib import Path
from types import FrameType
from typing import NoReturn

from .places import BUILD, BUILD_GIVEN, NOWHERE
from .terminal import StreamError, standard_streams

# With this variable a defect of ours shows its traceback.
TRACEBACK = "XNOR_FCC_TRACEBACK"


class Exit(IntEnum):
    """The exit codes. Those of signals are what a shell makes of them: 128 and the number."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Exit:
        """A code, and what `xnor-fcc --help` says of it."""
        result = int.__new__(cls, code)
        result._value_ = code
        result.meaning = meaning
        return result

    RIGHT = 0, "all is right"
    DIFFERS = 1, "hardware and reference differ; nothing else has this code"
    USER = 2, "you can mend it: options, input, a missing package, room, permission"
    TOOL = 3, "a simulator, a compiler or another tool failed or was killed"
    DEFECT = 70, f"a defect of this program; with {TRACEBACK}=1 it shows where"
    HANGUP = 129, "the terminal went away (SIGHUP)"
    INTERRUPT = 130, "Ctrl-C (SIGINT)"
    PIPE = 141, "nobody reads on, as in `... | head` (SIGPIPE)"
    TERMINATED = 143, "somebody ended it (SIGTERM)"


class UserError(Exception):
    """Something the user can put right; the text is one sentence that says what to do."""

    code = Exit.USER


class ToolError(UserError):
    """A simulator, compiler or other program failed: one sentence that says which, and how."""

    code = Exit.TOOL


class CommandLine(argparse.ArgumentParser):
    """An argument parser that reports a wrong argument as a `UserError`, in one sentence."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print below a page of usage."""
        raise UserError(f"{message[:1].upper()}{message[1:]}; {self.prog} --help explains it.")


class _Signalled(BaseException):
    """A signal that ends the program, so that everything on the way out is tidied up."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def check_readable(path: Path) -> None:
    """Raise a `UserError` that says why a file cannot be read, if it cannot."""
    try:
        if path.is_dir():
            raise UserError(f"{path} is a folder, not a file.")
        if path.exists() and not path.is_file():  # a pipe, which can be read but once
            raise UserError(f"{path} is no file.")
        with open(path, "rb"):
            pass
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.") from None
    except OSError as cause:
        raise UserError(f"{path} cannot be read ({cause.strerror}).") from cause


def first_line(cause: BaseException) -> str:
    """What another library's exception says, short enough for a sentence of ours."""
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return lines[0].rstrip(".: ")[:300]


def run_main(main: Callable[[], int | None]) -> int:
    """Call `main` and return the exit code of the command line, one of `Exit`.

    Whatever happens becomes one sentence on stderr, and never a traceback: a `UserError` its own,
    a file that cannot be opened or written its name and the reason, a signal its name. Where
    nobody reads on, as in `... | head`, it just ends.
    """
    with _signals() as heard, standard_streams() as streams, warnings.catch_warnings():
        # tqdm does not even load with a value that it does not understand.
        for name in [name for name in os.environ if name.startswith("TQDM_")]:
            if name != "TQDM_DISABLE":
                del os.environ[name]
        # PYTHONWARNINGS=error is meant for other programs: no warning of a library ends this one.
        warnings.filters = [each for each in warnings.filters if each[0] != "error"]
        code = _code(main, heard)
        failure = streams.failure()
        if failure is None or code != Exit.RIGHT:
            return code
        if failure.errno == errno.EPIPE:
            return Exit.PIPE
        _tell(f"standard output: {failure.strerror}.")
        return Exit.USER


def _code(main: Callable[[], int | None], heard: list[BaseException]) -> int:
    """What `main` comes to, as an exit code; anything but a result is told."""
    try:
        try:
            return main() or Exit.RIGHT
        except Exception:
            # Where a library is being loaded, it may make something else of a signal's exception.
            if heard:
                raise heard[0] from None
            raise
    except SystemExit as stop:  # argparse, after --help
        if stop.code is None or isinstance(stop.code, int):
            return stop.code or Exit.RIGHT
        _tell(str(stop.code))
        return Exit.TOOL
    except UserError as error:
        _tell(str(error))
        return error.code
    except KeyboardInterrupt:
        _tell("interrupted from the keyboard.")
        return Exit.INTERRUPT
    except _Signalled as ended:
        _tell(f"ended by {signal.Signals(ended.number).name}.")
        return 128 + ended.number
    except StreamError:
        return Exit.RIGHT  # which `run_main` tells from the stream itself
    except OSError as error:
        if error.errno is None:
            return _defect(error)
        _tell(_about_file(error))
        return Exit.USER
    except MemoryError:
        _tell("there is not enough memory; ask for fewer images, or a smaller network.")
        return Exit.USER
    except ImportError as error:
        if (error.name or "").startswith("xnor_fcc"):
            return _defect(error)
        cause: BaseException = error
        while cause.__cause__ is not None:  # numpy puts a page of advice in front of it
            cause = cause.__cause__
        _tell(f"a Python package does not load ({first_line(cause)}); install it again.")
        return Exit.TOOL
    except Exception as error:
        return _defect(error)


def _tell(sentence: str) -> None:
    print(f"error: {sentence}", file=sys.stderr)


def _about_file(error: OSError) -> str:
    """A sentence on a file that cannot be opened, read or written."""
    # Of a file that was to be renamed, the name that it did not get.
    name = error.filename2 or error.filename
    reason = error.strerror or os.strerror(error.errno or 0)
    if name is None or isinstance(name, int):
        try:
            os.getcwd()
        except OSError:
            return "the current directory does not exist any more; change to another one."
        return f"{reason}."
    place = os.fsdecode(name)
    if place.startswith(f"{NOWHERE}"):
        return "there is no home directory to keep files in: name a directory in XNOR_FCC_BUILD."
    ours = place == str(BUILD) or place.startswith(f"{BUILD}{os.sep}")
    if ours and not BUILD_GIVEN and error.errno in _CANNOT_KEEP:
        reason += "; XNOR_FCC_BUILD can name another directory for what is made"
    return f"{place}: {reason}."


_CANNOT_KEEP = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR)


def _defect(error: Exception) -> int:
    """Tell a defect of ours in a sentence, or with its traceback to who asks for that."""
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    else:
        frames = traceback.extract_tb(error.__traceback__)
        where = f" at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
        what = f"{type(error).__name__}: {first_line(error)}"
        _tell(f"a defect of this program: {what}{where}; with {TRACEBACK}=1 it shows all.")
    return Exit.DEFECT


@contextlib.contextmanager
def _signals() -> Iterator[list[BaseException]]:
    """Let SIGTERM and SIGHUP end the program by an exception, as Ctrl-C does; the same signal again
    ends it at once. What is yielded fills with the exceptions."""
    heard: list[BaseException] = []

    def end(number: int, _: FrameType | None) -> None:
        if number == signal.SIGINT:
            heard.append(KeyboardInterrupt())
        else:
            signal.signal(number, signal.SIG_DFL)
            heard.append(_Signalled(number))
        raise heard[-1]

    kept = {}
    if threading.current_thread() is threading.main_thread():
        usual = {signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL,
                 signal.SIGINT: signal.default_int_handler}  # fmt: skip
        for number, handler in usual.items():
            if signal.getsignal(number) == handler:  # nohup has SIGHUP ignored
                kept[number] = signal.signal(number, end)
    try:
        yield heard
    finally:
        for number, before in kept.items():
            signal.signal(number, before)
