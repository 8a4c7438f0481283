# SPDX-License-Identifier: Apache-2.0
"""Where things lie: in a checkout of the repository, or in an installed package.

The package carries what its commands need in `share`, in the folders of the repository (the list is
in pyproject.toml), so a path below `ROOT` means the same file in both.
"""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_SHARE = _PACKAGE / "share"

# Whether this is a checkout; in an installed package nothing below ROOT is ever written.
CHECKOUT = not _SHARE.is_dir()
ROOT = _PACKAGE.parents[1] if CHECKOUT else _SHARE
RTL = ROOT / "rtl"
NETWORKS = ROOT / "model" / "networks"
DATA = ROOT / "model" / "data"


def _build() -> Path:
    given = os.environ.get("XNOR_FCC_BUILD")
    if given:
        return Path(given).resolve()
    if CHECKOUT:
        return ROOT / "build"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xnor-fcc"


# What is made: simulators built for a geometry, reports, downloads.
BUILD = _build()
