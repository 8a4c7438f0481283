# SPDX-License-Identifier: Apache-2.0
"""Names that have changed: the old ones still work for one release."""

from __future__ import annotations

_RENAMED = {"seed": "original"}


def current(name: str) -> str:
    """What a geometry, network or recipe is called now."""
    return _RENAMED.get(name, name)
