# SPDX-License-Identifier: Apache-2.0
"""What the pictures of curves and points share: matplotlib, which the extra `plots` brings, and a
file that is the same for the same data.

A picture is made in two steps: a function of its module picks the `data`, which tests look at, and
another one draws them. The file keeps the digest of the data, so a committed picture can be held
against its source whatever version of matplotlib drew it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from .errors import UserError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.ticker import Locator

MISSING = "Pictures need the Python package matplotlib: pip install 'xnor-fcc[plots]'."

# Of limits, grid and what is told beside the curves.
GREY, RED = "#808080", "#d62728"


def available() -> bool:
    """Whether there is a matplotlib."""
    return importlib.util.find_spec("matplotlib") is not None


def require() -> None:
    """`UserError` where there is none: for commands that draw after a long measurement."""
    if not available():
        raise UserError(MISSING)


def axes(width: float, height: float) -> Axes:
    """An empty plot with a grid, in a picture of width x height inches; `UserError` without
    matplotlib."""
    require()
    # Without a home it keeps its fonts elsewhere, and need not say so; the backend that somebody
    # wants on a screen may be one that it refuses.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    os.environ.pop("MPLBACKEND", None)
    # Not pyplot, which would look for a screen.
    from matplotlib.figure import Figure

    result = Figure((width, height), layout="constrained").add_subplot()
    result.grid(color="#eee")
    result.set_axisbelow(True)
    result.spines[:].set_color(GREY)
    result.tick_params(color=GREY)
    return result


def logarithmic(axis: Axis, digits: Sequence[float], form: str, unit: str = "",
                scale: float = 1) -> None:  # fmt: skip
    """Ticks at `digits` of each decade of a logarithmic `axis`, as numbers of `form` and a unit of
    which `scale` make one."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    def text(value: float, _: int | None) -> str:
        return f"{scale * value:{form}}{unit}"

    axis.set_major_locator(LogLocator(subs=digits, numticks=100))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(text))


def multiples(step: float) -> Locator:
    """Ticks at every multiple of `step`."""
    from matplotlib.ticker import MultipleLocator

    return MultipleLocator(step)


def digest(data: DataclassInstance) -> str:
    """A hash (16 hex digits) of what a picture shows."""
    return hashlib.sha256(json.dumps(asdict(data)).encode()).hexdigest()[:16]


def svg(drawn: Axes, title: str, data: DataclassInstance) -> str:
    """The picture as an SVG file, on white, so that it reads on a dark page too."""
    from matplotlib import rc_context

    file = io.StringIO()
    told = {"Title": title, "Description": f"data {digest(data)}", "Date": None, "Creator": None}
    # Text stays text; names inside the file do not depend on the run.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "xnor-fcc"}):
        drawn.figure.canvas.print_figure(file, format="svg", metadata=told)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def shows(picture: str, data: DataclassInstance) -> bool:
    """Whether an SVG file is the picture of such data."""
    return f"data {digest(data)}" in picture
