# SPDX-License-Identifier: Apache-2.0
"""What a figure was measured on: the commit, and a hash of the RTL that says whether it has changed
since."""

from __future__ import annotations

import hashlib
import subprocess

from xnor_fcc.places import CHECKOUT
from xnor_fcc_sim.children import environment
from xnor_fcc_sim.reports import Source
from xnor_fcc_sim.sources import ROOT, RTL, rtl_sources


def rtl_hash() -> str:
    """SHA-256 (16 hex digits) over the names and contents of the core's Verilog files."""
    digest = hashlib.sha256()
    for path in [*rtl_sources(), *sorted(RTL.glob("*.vh"))]:
        contents = hashlib.sha256(path.read_bytes()).digest()
        digest.update(path.name.encode() + contents)
    return digest.hexdigest()[:16]


def _git(*arguments: str) -> str | None:
    """What git prints; None where there is no git, or no repository of ours."""
    if not CHECKOUT:  # the package may lie within somebody else's repository
        return None
    try:
        # Not of the repository that GIT_DIR names, as in a hook.
        result = subprocess.run(
            ["git", *arguments], cwd=ROOT, env=environment(), capture_output=True, text=True
        )
    except OSError:
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def source() -> Source:
    """`commit` (short, None outside a repository), `dirty` (whether files of the repository differ
    from it) and `rtl` (`rtl_hash`)."""
    return {
        "commit": _git("rev-parse", "--short", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "rtl": rtl_hash(),
    }
