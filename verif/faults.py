# SPDX-License-Identifier: Apache-2.0
"""The core with one fault in it, to show that a test fails where it must.

The campaign of verif/mutate.py plants faults by the thousand; these are the few that a test names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sources import rtl_sources


@dataclass(frozen=True)
class Fault:
    """A text in a file of rtl/, what stands there instead, and what a test must then complain of
    (a regular expression)."""

    file: str
    good: str
    bad: str
    complaint: str

    def sources(self, directory: Path) -> list[Path]:
        """The core's sources with the faulty file, written into `directory`, in its place.

        `AssertionError` unless the text is found exactly once.
        """
        faulty = directory / self.file
        sources = rtl_sources()
        text = next(path for path in sources if path.name == self.file).read_text()
        assert text.count(self.good) == 1, f"{self.file} has not once: {self.good}"
        faulty.write_text(text.replace(self.good, self.bad))
        return [faulty if path.name == self.file else path for path in sources]
