# SPDX-License-Identifier: Apache-2.0
"""Runs a Tcl script of a vendor tool under tclsh, with stand-ins that note down every call.

Quartus, Platform Designer and System Console are Tcl interpreters with commands of their own, and
older than today's tclsh: what came after Tcl 8.5 is taken away. A
`Script` provides those commands: each is written to a file with its arguments, one call a line as a
Tcl list, and answers nothing; commands that must answer something are written in Tcl by the test.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

# Commands that came with Tcl 8.6; Quartus has 8.5.
_NEWER = "coroutine lmap tailcall throw try yield yieldto zlib"

_PRELUDE = f"""\
foreach name {{{_NEWER}}} {{rename $name {{}}}}
"""
_PRELUDE += """\
proc note {args} {
  set stream [open %(calls)s a]
  puts $stream $args
  close $stream
}
foreach package %(packages)s {package provide $package 1.0}
foreach name %(recorded)s {
  proc $name {args} "note $name {*}\\$args"
}
%(stand_ins)s
set argv0 %(script)s
set argv %(arguments)s
set argc [llength $argv]
source $argv0
"""


def quoted(word: object) -> str:
    """One word of a Tcl command, whatever characters are in it."""
    return "".join(c if c.isalnum() or c in "_./:-" else f"\\{c}" for c in str(word)) or "{}"


def tcl_list(words: Iterable[object]) -> str:
    """A Tcl list as one word of a command."""
    return quoted(" ".join(quoted(word) for word in words))


class Script:
    """A script with its stand-ins.

    `packages`: what `package require` finds. `recorded`: commands that are noted and answer
    nothing. `stand_ins`: Tcl that defines the others; `note NAME ARGUMENT ...` notes a call there.
    `directory` is where the script runs and where calls.txt is kept.
    """

    def __init__(
        self,
        script: Path,
        directory: Path,
        packages: Iterable[str] = (),
        recorded: Iterable[str] = (),
        stand_ins: str = "",
    ) -> None:
        self.script = script
        self.directory = directory
        self.packages = tuple(packages)
        self.recorded = tuple(recorded)
        self.stand_ins = stand_ins
        self.calls_path = directory / "calls.txt"

    def run(self, *arguments: object, more: str = "") -> subprocess.CompletedProcess[str]:
        """Run it with `arguments` in argv; `more` is Tcl behind the stand-ins, for this run."""
        self.calls_path.unlink(missing_ok=True)
        prelude = self.directory / "prelude.tcl"
        values = {
            "calls": quoted(self.calls_path),
            "packages": tcl_list(self.packages),
            "recorded": tcl_list(self.recorded),
            "stand_ins": f"{self.stand_ins}\n{more}",
            "script": quoted(self.script),
            "arguments": tcl_list(arguments),
        }
        prelude.write_text(_PRELUDE % values)
        return subprocess.run(
            ["tclsh", str(prelude)], cwd=self.directory, capture_output=True, text=True
        )

    @property
    def calls(self) -> list[str]:
        """The calls of the last run, in order, each a Tcl list."""
        return self.calls_path.read_text().splitlines() if self.calls_path.exists() else []
