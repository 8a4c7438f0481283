# SPDX-License-Identifier: Apache-2.0
"""What pytest, or a command, tells the tests inside the simulator."""

from __future__ import annotations

import json
import os
from typing import Any


def settings() -> dict[str, Any]:
    """What the pytest side passed to `Model.run`."""
    result: dict[str, Any] = json.loads(os.environ["XNOR_FCC_SETTINGS"])
    return result
