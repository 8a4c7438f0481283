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

# Where nothing can be made: instead of a home directory for somebody who has none. Only a command
# that writes there fails, and says what to do.
NOWHERE = Path(os.devnull, "XNOR_FCC_BUILD")


def _build() -> Path:
    if BUILD_GIVEN:
        given = os.environ["XNOR_FCC_BUILD"]
        try:
            return Path(os.path.realpath(given))
        except OSError:  # relative to a directory that is gone
            return Path(given)
    if CHECKOUT:
        return ROOT / "build"
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(cache):  # the standard says to ignore any other
        return Path(cache) / "xnor-fcc"
    try:
        return Path.home() / ".cache" / "xnor-fcc"
    except (RuntimeError, KeyError):  # neither HOME nor an entry for the user
        return NOWHERE


# Whether the user has said where what is made is to lie.
BUILD_GIVEN = bool(os.environ.get("XNOR_FCC_BUILD"))

# What is made: simulators built for a geometry, reports, downloads.
BUILD = _build()
