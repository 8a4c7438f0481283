# SPDX-License-Identifier: Apache-2.0
"""The Verilog of this installation, for a project of your own: its files in the order of
rtl/sources.f, the parameters of the top level, and all of it as EDAM, the description of a design
that Edalize takes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import CommandLine, UserError
from .files import write_whole
from .parameters import PARAMETERS
from .places import ROOT, RTL

TOP = "xnor_fcc"
_FILE_TYPE = "verilogSource-2005"
# What a copy holds, in the folders of the repository: the core, and the testbench of its core file.
_COPIED = ("LICENSE", "rtl/*.v", "rtl/*.vh", "rtl/*.core", "rtl/sources.f", "rtl/uart/*",
           "verif/fusesoc/**/*")  # fmt: skip

_EPILOG = """\
Without an option it prints a command file: the directory of the include files, then the sources,
all with absolute paths.

examples
  xnor-fcc rtl > core.f && verilator --lint-only -f core.f --top-module xnor_fcc
      the same for Icarus: iverilog -c core.f
  xnor-fcc rtl --copy third_party/xnor_fcc
      and FuseSoC finds it: fusesoc library add xnor_fcc third_party/xnor_fcc
"""


def named(path: Path) -> list[Path]:
    """The files that a list like rtl/sources.f names, one a line, seen from the repository."""
    lines = (line.strip() for line in path.read_text("utf-8").splitlines())
    return [Path(line) for line in lines if line and not line.startswith("//")]


def sources() -> list[Path]:
    """Every Verilog file of the core."""
    return [ROOT / path for path in named(RTL / "sources.f")]


def headers() -> list[Path]:
    """What these files include."""
    return sorted(RTL.glob("*.vh"))


def edam() -> dict[str, Any]:
    """The core as EDAM: files with absolute paths, and parameters, which are for it as the top
    level; a design with a top level of its own takes the files only."""
    files: list[dict[str, Any]] = [
        {"name": str(path), "file_type": _FILE_TYPE, "is_include_file": True} for path in headers()
    ]
    files += [{"name": str(path), "file_type": _FILE_TYPE} for path in sources()]
    return {
        "name": TOP,
        "toplevel": TOP,
        "files": files,
        "parameters": {
            parameter.name: {
                "datatype": "int" if parameter.number else "str",
                "default": parameter.default,
                "paramtype": "vlogparam",
                "description": parameter.description,
            }
            for parameter in PARAMETERS.values()
        },
    }


def copy(directory: Path) -> list[Path]:
    """Copy the core into `directory`, which may hold nothing but an earlier copy, and return the
    files written, all or none. UserError where there is more, OSError where there is no room."""
    files = [path for pattern in _COPIED for path in sorted(ROOT.glob(pattern)) if path.is_file()]
    files = [path.relative_to(ROOT) for path in files if "__pycache__" not in path.parts]
    present = {path.relative_to(directory) for path in directory.rglob("*") if not path.is_dir()}
    if present - set(files):
        raise UserError(f"{directory} holds something else: name a directory of its own.")
    write_whole({directory / path: (ROOT / path).read_bytes() for path in files})
    return files


def parser() -> CommandLine:
    """The command line of `xnor-fcc rtl`."""
    result = CommandLine(
        prog="xnor-fcc rtl",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    form = result.add_mutually_exclusive_group()
    form.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object instead: files and parameters as EDAM, for Edalize",
    )
    form.add_argument(
        "--copy",
        type=Path,
        metavar="DIR",
        help="copy the core there instead, with its file list and its core file and testbench for "
        "FuseSoC; DIR may hold nothing but an earlier copy",
    )
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Say where the core's files are, or copy them."""
    options = parser().parse_args(argv)
    if options.copy is not None:
        print(f"wrote {len(copy(options.copy))} files to {options.copy}")
    elif options.json:
        print(json.dumps(edam(), indent=2))
    else:
        lines = [f"+incdir+{RTL}", *map(str, sources())]
        print("\n".join(lines))
    return 0
