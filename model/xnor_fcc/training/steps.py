# SPDX-License-Identifier: Apache-2.0
"""What is shown while a phase of training runs."""

from __future__ import annotations

import sys

from tqdm import tqdm


class Progress:
    """One bar over all steps of a phase, and one line per epoch."""

    def __init__(self, phase: str, total: int, done: int, shown: bool) -> None:
        quiet = None if shown else True  # None: tqdm shows the bar only on a terminal
        self.shown = shown
        self.bar = tqdm(total=total, initial=done, desc=phase, unit="step", disable=quiet)

    def step(self) -> None:
        self.bar.update()

    def epoch(self, text: str) -> None:
        if self.shown:
            self.bar.write(text, file=sys.stderr)

    def close(self) -> None:
        self.bar.close()
