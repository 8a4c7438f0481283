# SPDX-License-Identifier: Apache-2.0
"""`python -m xnor_fcc` is the command `xnor-fcc`."""

from __future__ import annotations

import sys

from .cli import entry

sys.exit(entry())
