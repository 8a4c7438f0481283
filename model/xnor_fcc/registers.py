# SPDX-License-Identifier: Apache-2.0
"""The register map of ``avs_csr``, read from ``registers.json``.

``ADDRESS["CONTROL"]`` is a register's address (in registers of 32 bits),
``BIT["ERROR"]["BAD_TABLE"]`` the position of a bit, ``RESET["PARTIAL_TIMEOUT"]`` what a register
reads after a reset. ``make facts`` writes the same for Verilog, C, Tcl and readers, see `facts`.
"""

import json
from pathlib import Path
from typing import Any

from .parameters import PARAMETERS


def _map() -> dict[str, Any]:
    result: dict[str, Any] = json.loads(Path(__file__).with_name("registers.json").read_text())
    major, minor = map(int, result["version"].split("."))
    for register in result["registers"]:
        if register["name"] == "VERSION":
            register["reset"] = f"0x{major:04x}{minor:04x}"
        if "description" not in register:
            register["description"] = f"{PARAMETERS[register['name']].meaning}."
    return result


MAP = _map()
ADDRESS: dict[str, int] = {r["name"]: r["address"] for r in MAP["registers"]}
BIT: dict[str, dict[str, int]] = {
    r["name"]: {f["name"]: f["bit"] for f in r.get("fields", [])} for r in MAP["registers"]
}
# Bits that a register keeps of what is written to it, where they are no fields.
BITS: dict[str, int] = {r["name"]: r["bits"] for r in MAP["registers"] if "bits" in r}
# What a register reads after a hardware reset; those aside that read a parameter of the core.
RESET: dict[str, int] = {
    r["name"]: int(str(r["reset"]), 0) for r in MAP["registers"] if r["reset"] != "parameter"
}
# The word of PREFIX_config.hex (see pack.py) that is the reset value instead where there is one;
# that of LAYER_TABLE is the first of MAX_LAYERS.
PRESET: dict[str, int] = {r["name"]: r["preset"] for r in MAP["registers"] if "preset" in r}

ID_VALUE = RESET["ID"]
VERSION_VALUE = RESET["VERSION"]


def errors_in(value: int) -> list[str]:
    """Names of the bits set in a value of the ERROR register."""
    return [name for name, bit in BIT["ERROR"].items() if value >> bit & 1]
