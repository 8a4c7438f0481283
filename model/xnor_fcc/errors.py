# SPDX-License-Identifier: Apache-2.0
"""Errors that are meant for the person at the keyboard, and how a command line shows them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import NoReturn


class UserError(Exception):
    """Something the user can put right; the text is one sentence that says what to do."""


class CommandLine(argparse.ArgumentParser):
    """An argument parser that reports a wrong argument as a `UserError`, in one sentence."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print below a page of usage."""
        raise UserError(f"{message[:1].upper()}{message[1:]}; {self.prog} --help explains it.")


def first_line(cause: Exception) -> str:
    """What another library's exception says, short enough for a sentence of ours."""
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return lines[0].rstrip(".: ")[:300]


def run_main(main: Callable[[], int | None]) -> int:
    """Call `main` and return the exit code of the command line.

    A `UserError` becomes one sentence on stderr and exit code 2, and so does a file that cannot be
    opened or written; Ctrl-C a sentence and 130 (the code a shell expects after SIGINT).  Where
    nobody reads on, as in `... | head`, it just ends.  Any other exception is a defect of ours and
    keeps its traceback.
    """
    try:
        code = main() or 0
        sys.stdout.flush()
        return code
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("error: interrupted from the keyboard.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return 141
    except OSError as error:
        if error.filename is None:
            raise
        # Of a file that was to be renamed, the name that it did not get.
        print(f"error: {error.filename2 or error.filename}: {error.strerror}.", file=sys.stderr)
        return 2
