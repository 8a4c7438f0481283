# SPDX-License-Identifier: Apache-2.0
"""What the tests of commands lend one another."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from xnor_fcc.integer import IntegerNetwork
from xnor_fcc_sim.trace import Trace

# Variables that a caller may have set for somebody else: of cocotb, its makefiles, Verilator; then
# those that shape a build, or lead to another Python.
FOREIGN = (
    "WAVES", "GUI", "SIM_CMD_PREFIX", "SIM_CMD_SUFFIX", "SIM_ARGS", "PLUSARGS", "EXTRA_ARGS",
    "COMPILE_ARGS", "MODULE", "TOPLEVEL", "TOPLEVEL_LANG", "TESTCASE", "RANDOM_SEED", "COVERAGE",
    "COCOTB_TEST_FILTER", "COCOTB_TESTCASE", "COCOTB_LIST_TESTS", "COCOTB_RANDOM_SEED",
    "COCOTB_RESOLVE_X", "COCOTB_LOG_LEVEL", "COCOTB_PDB_ON_EXCEPTION", "COCOTB_RESULTS_FILE",
    "COCOTB_TRUST_INERTIAL_WRITES", "GPI_USERS", "GPI_EXTRA", "GPI_LOG_LEVEL", "PYGPI_USERS",
    "PYGPI_PYTHON_BIN", "LIBPYTHON_LOC", "VERILATOR_ROOT", "VERILATOR_BIN", "VERILATOR_GDB",
    "VERILATOR_TEST_FLAGS", "MAKEFLAGS", "MFLAGS", "MAKEFILES", "CXX", "CC", "CXXFLAGS",
    "CPPFLAGS", "CFLAGS", "LDFLAGS", "LDLIBS", "CPATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH",
    "OBJCACHE", "OPT_FAST", "USER_CPPFLAGS", "PYTHONHOME", "PYTHONPATH", "PYTHONOPTIMIZE",
    "PYTHONSTARTUP", "PYTHONWARNINGS", "PYTHONINSPECT", "PYTHONBREAKPOINT", "LD_PRELOAD",
    "IVERILOG_DUMPER", "GIT_DIR",
)
# The name of a directory.
ODD = "a b#c:d;e'f\"g$h\\i,j\nk é%20*"


def run(output: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`xnor-fcc simulate` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "xnor_fcc_sim.simulate", "--output", str(output), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def traced(
    directory: Path,
    simulator: str,
    network: IntegerNetwork,
    arrays: Mapping[str, Any],
    *arguments: str,
) -> tuple[Trace, str, int]:
    """The trace of a run on images of one's own (`arrays`: those of the file), its page, and the
    exit code."""
    network.save(directory / "net.npz")
    np.savez(directory / "images.npz", **arrays)
    result = run(
        *(directory / "out", "--network", str(directory / "net.npz")),
        *("--inputs", str(directory / "images.npz"), *arguments),
        SIM=simulator,
    )
    assert result.returncode in (0, 1), result.stdout + result.stderr
    page = directory / "out" / "trace.html"
    assert json.loads((directory / "out" / "report.json").read_text())["trace"] == str(page)
    return Trace.read(directory / "out" / "trace.npz"), page.read_text(), result.returncode


def texts(markup: str) -> str:
    """The text of markup, spaces made even."""
    return " ".join(re.sub(r"<[^>]*>", " ", markup).split())


class Checker(HTMLParser):
    """Elements that do not nest, names given twice, references."""

    VOID = frozenset(("meta", "link", "br", "img", "input", "hr"))

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.tags: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag}: {names}"
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.references += [v or "" for n, v in attrs if n in ("src", "href", "xlink:href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()


# Attributes that make a browser fetch or follow something.
REFERENCES = frozenset(
    (
        *("src", "srcset", "href", "xlink:href", "action", "formaction"),
        *("data", "poster", "background", "cite", "ping"),
    )
)


class References(HTMLParser):
    """Collects what a page refers to outside itself."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.style = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.style = tag == "style"
        for name, value in attrs:
            if name in REFERENCES and not (value or "").strip().startswith(("#", "data:")):
                self.found.append(f"{tag} {name}={value}")
            elif name == "style":
                self._css(value or "")

    def handle_data(self, data: str) -> None:
        if self.style:
            self._css(data)

    def handle_endtag(self, tag: str) -> None:
        self.style = False

    def _css(self, text: str) -> None:
        self.found += re.findall(r"@import[^;]*", text)
        self.found += re.findall(r"url\(\s*['\"]?(?!\s*['\"]?(?:#|data:))[^)]*\)", text)


def external_references(page: str) -> list[str]:
    """Everything in an HTML page that a browser would fetch or follow outside of it."""
    return References(page).found
