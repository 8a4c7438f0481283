# SPDX-License-Identifier: Apache-2.0
"""What the hardware answered in a `make sim`, kept in build/sim/answers.npz for `make report`."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

from xnor_fcc import container
from xnor_fcc.errors import UserError

_KIND, _VERSION = "xnor-fcc-answers", 1


def _none() -> np.ndarray:
    return np.zeros(0, np.int32)


@dataclass
class Answers:
    """Answers to the first N test images, and what was seen in the first clock cycles.

    `scores` int32 (N, classes), `classes` int32 (N,) and `labels` uint8 (N,), where a label is what
    the digit is. `image`, `load`, `done`, `result`: int32, ascending, the clock cycles with a beat
    of an image taken, a batch loaded, a group of neurons done (first lane), a beat of a result
    taken; counted from the first beat of the first image, and empty where a batch is too long to be
    watched cycle by cycle.
    """

    scores: np.ndarray
    classes: np.ndarray
    labels: np.ndarray
    image: np.ndarray = field(default_factory=_none)
    load: np.ndarray = field(default_factory=_none)
    done: np.ndarray = field(default_factory=_none)
    result: np.ndarray = field(default_factory=_none)

    def write(self, path: Path) -> None:
        """Write the file, atomically."""
        container.write(path, _KIND, _VERSION, vars(self), {})

    @classmethod
    def read(cls, path: Path) -> Answers:
        """Read what `write` wrote; `UserError` if it is damaged."""
        arrays, _ = container.read(path, _KIND, _VERSION, "file of answers")
        if arrays.keys() != {f.name for f in fields(cls)}:
            raise UserError(f"The file of answers {path} is not complete; run make sim again.")
        return cls(**arrays)
