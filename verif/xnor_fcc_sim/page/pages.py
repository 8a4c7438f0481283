# SPDX-License-Identifier: Apache-2.0
"""Where the templates of the HTML pages are, and the rules by which they are filled in."""

from __future__ import annotations

from pathlib import Path

import jinja2

ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)
