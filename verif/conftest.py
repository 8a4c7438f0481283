# SPDX-License-Identifier: Apache-2.0
"""What a test may need beyond Python and Verilator, and what a run says of those it left out."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import numpy as np

# Where there is a worker for each core, threads of numpy and torch would wait for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

# Programs and modules that are not everywhere, and where they come from.
NEEDED = {
    "brevitas": "pip install -e '.[train]'",
    "chromium": "Debian: apt install chromium",
    "iverilog": "Debian: apt install iverilog",
    "tclsh": "Debian: apt install tcl",
    "cocotb_coverage": "for Python 3.11 and newer",
    "cocotbext.avalon": "for Python below 3.14",
    "importlinter": "pip install -e '.[lint]'",
    "matplotlib": "pip install -e '.[plots]'",
    "playwright": "not for every machine",
    "pylibfst": "not for every machine",
    "pywellen": "not for every machine",
    "sklearn": "pip install -e '.[train]'",
    "torchvision": "pip install -e '.[train]'",
}


def missing(name: str) -> bool:
    """Whether there is neither a program nor a module of that name."""
    try:
        return shutil.which(name) is None and importlib.util.find_spec(name) is None
    except ModuleNotFoundError:  # the package that it would be in
        return True


def pytest_addoption(parser: pytest.Parser) -> None:
    """What a run may be asked for beyond the suite."""
    parser.addoption(
        "--every-image", action="store_true",
        help="compare networks with convolutions to Brevitas on the whole test set (minutes)",
    )  # fmt: skip


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip a test marked `needs(name, ...)` where one of these is missing. Of a test marked
    `one_quick`, all but the first parameters are slow; one marked `verilator` is not for Icarus."""
    absent = {name for name in NEEDED if missing(name)}
    seen = set()
    for item in items:
        if item.get_closest_marker("verilator") and os.environ.get("SIM") == "icarus":
            reason = "too long for Icarus; make test runs it in Verilator"
            item.add_marker(pytest.mark.skip(reason=reason))
        if item.get_closest_marker("one_quick"):
            test = item.nodeid.partition("[")[0]
            if test in seen:
                item.add_marker(pytest.mark.slow)
            seen.add(test)
        for mark in item.iter_markers("needs"):
            for name in mark.args:
                if name not in NEEDED:
                    raise pytest.UsageError(f"{item.nodeid} needs {name}, which NEEDED lacks.")
                if name in absent:
                    reason = f"{name} is not installed ({NEEDED[name]})"
                    item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each reason why tests were left out, with their number."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        # (file, line, "Skipped: " and the reason), a list where a worker sent it.
        reasons[str(report.longrepr[2]).removeprefix("Skipped: ")] += 1
    for reason, count in reasons.most_common():
        tests = "tests" if count > 1 else "test"
        terminalreporter.write_line(f"left out: {count} {tests}: {reason}")


@pytest.fixture(scope="session")
def images_of() -> Callable[[str], tuple[np.ndarray, np.ndarray]]:
    """Gives the test set of a name, images and labels; a test of one that is not committed is left
    out where it is missing."""

    def found(name: str) -> tuple[np.ndarray, np.ndarray]:
        from xnor_fcc.data import DATASETS, load_test_images
        from xnor_fcc.errors import UserError

        try:
            return load_test_images(name)
        except UserError as cause:
            if DATASETS[name].committed:
                raise
            pytest.skip(str(cause))

    return found


@pytest.fixture(scope="session")
def quickest() -> str:
    """The simulator for a core that sees few images: Icarus, where there is one, builds at once."""
    return "verilator" if missing("iverilog") else "icarus"
