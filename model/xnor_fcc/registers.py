# SPDX-License-Identifier: Apache-2.0
"""The register map of ``avs_csr``, read from ``registers.json``.

``ADDRESS["CONTROL"]`` is a register's address (in registers of 32 bits),
``BIT["ERROR"]["BAD_TABLE"]`` the position of a bit, the lowest one where a field has several,
``RESET["PARTIAL_TIMEOUT"]`` what a register reads after a reset. ``make facts`` writes the same for
Verilog, C, Tcl and readers, see `facts`.
"""

import json
from pathlib import Path
from typing import Any

from .parameters import PARAMETERS


def _map() -> dict[str, Any]:
    result: dict[str, Any] = json.loads(Path(__file__).with_name("registers.json").read_bytes())
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
_WIDTH: dict[str, dict[str, int]] = {
    r["name"]: {f["name"]: f.get("bits", 1) for f in r.get("fields", [])} for r in MAP["registers"]
}
# The fields of a core for dense layers (False) and of one for convolutions: none of these overlap.
READINGS: dict[bool, dict[str, list[str]]] = {
    maps: {
        r["name"]: [f["name"] for f in r.get("fields", []) if f.get("maps", maps) == maps]
        for r in MAP["registers"]
    }
    for maps in (False, True)
}
# Registers that only a core for convolutions has; unlisted addresses in one for dense layers.
OF_MAPS = frozenset(r["name"] for r in MAP["registers"] if r.get("maps"))
# Registers that only a core that learns has: at addresses of those of maps, which it has not.
OF_LEARNING = frozenset(r["name"] for r in MAP["registers"] if r.get("learn"))
# Bits that a plain register keeps of what is written to it.
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
# The threshold of 8-bit pixels where nobody chooses another, of networks as of a core.
PIXEL_THRESHOLD = RESET["PIXEL_THRESHOLD"]


def mask(register: str, *fields: str) -> int:
    """The bits of these fields of a register, or of all that it has."""
    bit, width = BIT[register], _WIDTH[register]
    result = 0
    for name in fields or bit:
        result |= (1 << width[name]) - 1 << bit[name]
    return result


def word(register: str, **fields: int) -> int:
    """What a register holds with these values in its fields, the others 0."""
    result = 0
    for name, value in fields.items():
        assert 0 <= value < 1 << _WIDTH[register][name], f"{name} of {register}: {value}"
        result |= value << BIT[register][name]
    return result


def field(register: str, name: str, value: int) -> int:
    """The value of a field in what a register holds."""
    return (value & mask(register, name)) >> BIT[register][name]


def errors_in(value: int) -> list[str]:
    """Names of the bits set in a value of the ERROR register."""
    return [name for name, bit in BIT["ERROR"].items() if value >> bit & 1]
