# SPDX-License-Identifier: Apache-2.0
"""The command `xnor-fcc`: one table of what there is, each in a module of its own.

A module has `parser()` and `main(argv)`. It is imported when its command is called, or when all
options are needed, for completion: a command asks for no more packages than it uses. Nothing but
the standard library is imported before `run_main` watches over it.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from . import __version__
from .errors import CommandLine, Exit, UserError, run_main
from .places import CHECKOUT

PROGRAM = "xnor-fcc"


@dataclass(frozen=True)
class Command:
    """Where a command is, and what it does in a line."""

    module: str
    summary: str

    def load(self) -> ModuleType:
        """Its module."""
        if not CHECKOUT:  # the simulator's Python compiles modules again, with rewritten assertions
            os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
        return importlib.import_module(self.module)


COMMANDS = {
    "import": Command(
        "xnor_fcc.importing.command",
        "take over a QONNX file, a Brevitas module, or arrays, bit by bit",
    ),
    "info": Command("xnor_fcc.info", "layers of a network, its cycles, and the FPGAs it fits"),
    "explore": Command("xnor_fcc.explore", "which sizes of the core fit an FPGA, the best ones"),
    "simulate": Command(
        "xnor_fcc_sim.simulate", "images through the simulated core, every bit and cycle checked"
    ),
    "serve": Command("xnor_fcc_sim.serve", "a simulated core for hosts in any language, over TCP"),
    "classify": Command("xnor_fcc.classify", "classify image files; shows digit, class, scores"),
    "learn": Command(
        "xnor_fcc_sim.learn", "let the last layer learn from labelled images, as the core does"
    ),
    "demo": Command(
        "xnor_fcc_sim.demo.command", "a page in the browser: the simulated core reads what you draw"
    ),
    "pack": Command("xnor_fcc.packing", "memory files or register writes that load a network"),
    "train": Command("xnor_fcc.training.train", "train a network (torch and Brevitas)"),
    "report": Command("xnor_fcc_sim.page.report", "one HTML page of all that has been measured"),
    "rtl": Command("xnor_fcc.rtl", "the Verilog files, for other tools and projects"),
}

# Which extra brings a package that not every installation has.
_EXTRAS = {
    **dict.fromkeys(("torch", "torchvision", "brevitas", "sklearn"), "train"),
    **dict.fromkeys(("onnx", "qonnx"), "import"),
    **dict.fromkeys(("starlette", "uvicorn", "websockets"), "demo"),
}

_EPILOG = """\
exit codes
{codes}

`{program} COMMAND --help` explains each, with examples. All print one JSON object with --json.

examples
  {program} classify digit.png
      which digit a picture shows, and how sure the network is
  {program} import lfc.onnx --grey -1 1 --out lfc.npz && {program} info lfc.npz
      somebody's QONNX network: taken over, compared bit by bit; whether it fits, how fast it is
  {program} simulate --network lfc.npz --inputs random --images 100
      the same in the simulated core, every hidden bit and every cycle checked
  {program} --print-completion bash > ~/.local/share/bash-completion/completions/{program}
      commands, options, networks and files by the tab key, in every new shell
"""


def parser() -> CommandLine:
    """The command line up to the name of a command."""
    import shtab

    commands = "\n".join(f"  {name:<10}{each.summary}" for name, each in COMMANDS.items())
    codes = "\n".join(f"  {code:<10}{code.meaning}" for code in Exit)
    result = CommandLine(
        prog=PROGRAM,
        usage=f"{PROGRAM} [-h] [--version] [--print-completion SHELL] COMMAND ...",
        description="A binary neural network core for FPGAs: bring a network, see what fits and "
        "how fast it is,\nand simulate the hardware bit by bit.\n\ncommands\n" + commands,
        epilog=_EPILOG.format(program=PROGRAM, codes=codes),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    result.add_argument(
        "--print-completion",
        choices=shtab.SUPPORTED_SHELLS,
        metavar="SHELL",
        help=f"print the completion for SHELL ({', '.join(shtab.SUPPORTED_SHELLS)}), and exit",
    )
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Call the command that `argv` names, or help to find it."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and not arguments[0].startswith("-"):
        return _call(arguments[0], arguments[1:])
    top = parser()
    shell = top.parse_args(arguments).print_completion
    if shell is not None:
        print(completion(shell))
    else:
        top.print_help()
    return 0


def _call(name: str, arguments: list[str]) -> int:
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"{PROGRAM} --help lists them."
        raise UserError(f"There is no command {name}: {hint}")
    try:
        code: int = COMMANDS[name].load().main(arguments)
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package not in _EXTRAS:
            raise
        raise UserError(
            f"{PROGRAM} {name} needs the Python package {package}: pip install "
            f"'{PROGRAM}[{_EXTRAS[package]}]'."
        ) from missing
    return code


# ---- completion


def completion(shell: str) -> str:
    """A script for `shell` that completes commands, options, choices, networks and files."""
    import shtab

    whole = parser()
    commands = whole.add_subparsers(metavar="COMMAND")
    for name, command in COMMANDS.items():
        try:
            options = [command.load().parser()]
        except (ModuleNotFoundError, UserError):
            options = []  # some package is missing: its name alone
        for option in options:
            _complete_files(option)
        commands.add_parser(name, help=command.summary, parents=options, add_help=not options)
    script: str = shtab.complete(whole, shell)
    return script


def _complete_files(options: argparse.ArgumentParser) -> None:
    """Say of each option which files it takes, from its name and type."""
    import shtab

    from .integer import network_names

    names = " ".join(network_names())
    networks = {
        "bash": "_xnor_fcc_network_or_file",
        "zsh": "_files",
        "tcsh": "f",
        "preamble": {
            "bash": "_xnor_fcc_network_or_file() {\n"
            f'  compgen -W "{names}" -- "$1"\n  compgen -f -- "$1"\n}}'
        },
    }
    for action in options._actions:  # as shtab itself does; argparse has no other way
        if action.dest in ("network", "named"):
            action.complete = networks  # type: ignore[attr-defined]
        elif action.dest in ("output", "build", "copy", "data_dir"):
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif action.type is Path or action.dest in ("source", "inputs"):
            action.complete = shtab.FILE  # type: ignore[attr-defined]


def entry() -> int:
    """What the installed command calls."""
    code = run_main(main)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # nobody is there any more to tell Ctrl-C
    return code
