# SPDX-License-Identifier: Apache-2.0
"""The core with one fault in it, to show that a test or a proof fails where it must.

The campaign of verif/campaigns/mutation plants faults by the thousand; these are the few that a
test or a proof names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xnor_fcc.errors import UserError
from xnor_fcc_sim.sources import rtl_sources


def plant(file: str, text: str, good: str, bad: str) -> str:
    """The source `text` of rtl/`file` with `bad` in the place of `good`; `UserError` unless that
    stands there exactly once."""
    found = text.count(good)
    if found != 1:
        raise UserError(
            f"The fault planted in {file} fits {found} times instead of once; change the text "
            f"{good!r}."
        )
    return text.replace(good, bad)


@dataclass(frozen=True)
class Fault:
    """A text in a file of rtl/, what stands there instead, and what a test must then complain of
    (a regular expression)."""

    file: str
    good: str
    bad: str
    complaint: str

    def sources(self, directory: Path, sources: list[Path] | None = None) -> list[Path]:
        """The core's sources, or `sources`, with the faulty file, written into `directory`, in its
        place."""
        faulty = directory / self.file
        sources = sources or rtl_sources()
        text = next(path for path in sources if path.name == self.file).read_text()
        faulty.write_text(plant(self.file, text, self.good, self.bad))
        return [faulty if path.name == self.file else path for path in sources]
