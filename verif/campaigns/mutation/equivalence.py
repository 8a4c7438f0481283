# SPDX-License-Identifier: Apache-2.0
"""Proves with Yosys that a changed module does what the original does, for given parameters.

Registers and wires of the same name are taken to correspond; each pair is proven equal for all
inputs and for all states in which the pairs were equal in the cycles before (induction). A pair
that differs, but that nothing depends on, is taken out and the rest proven without it, so that what
counts in the end are the outputs. So a proof says: whatever comes in, from any state, the outputs
are the same for ever. No proof says nothing: the states in which the two differ may never occur.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from measure.synthesis import yosys_version

# Cycles of the induction.
DEPTH = 4
METHOD = f"Yosys equiv_simple, equiv_induct -seq {DEPTH}"

# Verdicts: no verdict is `OPEN`.
EQUAL, OPEN, REFUSED = "equal", "open", "refused"

_YOSYS = "from pyosys import libyosys as ys; ys.run_pass('script equivalence.ys', ys.Design())"
_ROUNDS = 4
_MARK = "elaborated:"


def compare(
    top: str,
    parameters: Mapping[str, int],
    original: Sequence[Path],
    changed: Sequence[Path],
    includes: Path,
    directory: Path,
    limit: float = 40,
) -> str:
    """EQUAL if `top` of the `changed` files is proven to do what it does in the `original` ones,
    REFUSED if Yosys does not elaborate it, else OPEN, also after `limit` seconds.

    `directory` holds the script and its log. `UserError` without Yosys.
    """
    yosys_version()
    directory.mkdir(parents=True, exist_ok=True)
    apart: set[str] = set()
    for _ in range(_ROUNDS):
        sides = (original, changed)
        unproven = _unproven(top, parameters, sides, includes, directory, limit, apart)
        if unproven is None or unproven & apart:
            break
        if not unproven:
            return EQUAL
        apart |= unproven
    log = directory / "equivalence.log"
    text = log.read_text() if log.exists() else ""
    # The original has been read by then, and the proof has not begun.
    gold_only = f"{_MARK} gold" in text and f"{_MARK} gate" not in text
    return REFUSED if gold_only and "ERROR: " in text else OPEN


def _unproven(
    top: str,
    parameters: Mapping[str, int],
    sides: tuple[Sequence[Path], Sequence[Path]],
    includes: Path,
    directory: Path,
    limit: float,
    apart: set[str],
) -> set[str] | None:
    """Pairs inside that could not be proven equal, those of `apart` not being taken to correspond;
    None if there is no answer, or if nothing but ports is left unproven."""
    script = []
    for name, files in zip(("gold", "gate"), sides, strict=True):
        settings = " ".join(f"-set {key} {value}" for key, value in parameters.items())
        script += [
            f"read_verilog -defer -I{includes} " + " ".join(str(path) for path in files),
            f"chparam {settings} {top}" if settings else "",
            f"hierarchy -check -top {top}",
            "proc",
            # Kept for synthesis; here a module that stays whole cannot be compared.
            "setattr -mod -unset keep_hierarchy *",
            "flatten",
            "memory_map",
            "opt_clean",
            f"rename -top {name}",
            f"log {_MARK} {name}",
            f"design -stash {name}",
        ]
    (directory / "apart.txt").write_text("".join(f"{name}\n" for name in sorted(apart)))
    script += [
        "design -copy-from gold -as gold gold",
        "design -copy-from gate -as gate gate",
        "equiv_make -blacklist apart.txt gold gate equiv",
        "hierarchy -top equiv",
        "opt_clean",
        "equiv_simple -undef",
        f"equiv_induct -undef -seq {DEPTH}",
        "equiv_status",
        "select -write ports.txt equiv/x:*",
    ]
    (directory / "equivalence.ys").write_text("\n".join(script) + "\n")
    try:
        done = subprocess.run(
            [sys.executable, "-c", _YOSYS],
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        (directory / "equivalence.log").unlink(missing_ok=True)
        return None
    (directory / "equivalence.log").write_text(done.stdout + done.stderr)
    if done.returncode or "Executing EQUIV_STATUS" not in done.stdout:
        return None
    report = done.stdout[done.stdout.rindex("Executing EQUIV_STATUS") :]
    names = {
        re.sub(r"(_gold|_gate)?( \[\d+\])?$", "", match).lstrip("\\")
        for match in re.findall(r"Unproven \$equiv \S+: (.*?)(?: (?=\\))", report)
    }
    if not names:
        return set() if "successfully proven" in report else None
    ports = {line.split("/")[-1] for line in (directory / "ports.txt").read_text().split()}
    # An output may differ only because of a pair inside that was wrongly taken to be equal.
    return (names - ports) or None
