# SPDX-License-Identifier: Apache-2.0
"""Where the parts of the Platform Designer systems are, read from ``address_map.json``.

``BASE["hps"]["buffer"]`` is the byte address at which a master sees a window, ``OFFSET["core"]``
the byte offset of a part in the window of registers. ``make facts`` writes the same numbers for
Tcl and for C.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MAP: dict[str, Any] = json.loads(Path(__file__).with_name("address_map.json").read_bytes())
WINDOWS = ("registers", "buffer")
BASE: dict[str, dict[str, int]] = {
    master: {window: int(entry[window], 0) for window in WINDOWS if window in entry}
    for master, entry in MAP["masters"].items()
}
OFFSET: dict[str, int] = {part["name"]: int(part["offset"], 0) for part in MAP["registers"]}
SPAN: dict[str, int] = {part["name"]: part["bytes"] for part in MAP["registers"]}

REGISTER_BYTES: int = MAP["register_bytes"]
"""Bytes of the window of registers, a page of the processor's memory."""
BUFFER_BYTES: int = MAP["buffer_bytes"]
"""Bytes of the on-chip memory between the processor and the DMA engines."""
DESCRIPTORS: int = MAP["descriptors"]
"""Descriptors that a DMA engine can hold."""
