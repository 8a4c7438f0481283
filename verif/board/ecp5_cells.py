# SPDX-License-Identifier: Apache-2.0
"""Cells of an ECP5 with a port for each bit, as netlists have them, around the models of
ecp5_cells.v."""

from __future__ import annotations

# Ports by name and bits; behind a "-" what the model does without.
_SIDE = {"AD": 14, "DI": 18, "CS": 3, "CLK": 1, "CE": 1, "WE": 1, "RST": 1, "DO": 18, "-OCE": 1}
_RAM = {name + side: bits for side in "AB" for name, bits in _SIDE.items()}
_MULTIPLIER = {
    **{"A": 18, "B": 18, "P": 36, "SIGNEDA": 1, "SIGNEDB": 1},
    **{"-C": 18, "-SOURCEA": 1, "-SOURCEB": 1},
}
_OUTPUTS = ("DOA", "DOB", "P")

# Parameters of the RAM that its model has, those that no mode in use depends on, and its contents
# at power-up, the last word first.
_MODES = [f"{name}_{side}" for side in "AB" for name in ("DATA_WIDTH", "REGMODE", "WRITEMODE")]
_MODES += ["CLKAMUX", "CLKBMUX"]
_REST = ["RESETMODE", "ASYNC_RESET_RELEASE", "CSDECODE_A", "CSDECODE_B", "GSR"]
_CONTENTS = [f"INITVAL_{block:02X}" for block in reversed(range(64))]


def cells() -> str:
    """The Verilog of DP16KD and MULT18X18D."""
    parameters = [f"parameter {name} = 0" for name in (*_MODES, *_REST)]
    parameters += [f"parameter [319:0] {name} = 0" for name in _CONTENTS]
    values = [f".{name}({name})" for name in _MODES]
    values.append(f".INITIAL({{{', '.join(_CONTENTS)}}})")
    return (
        f"module DP16KD #({', '.join(parameters)}) {_ports(_RAM)};\n"
        f"  ecp5_ram #({', '.join(values)}) {_connections(_RAM)};\nendmodule\n"
        f"module MULT18X18D {_ports(_MULTIPLIER)};\n"
        f"  ecp5_multiplier {_connections(_MULTIPLIER)};\nendmodule\n"
    )


def _bits(port: str, bits: int) -> list[str]:
    """The names of a port's bits, the highest first."""
    return [port] if bits == 1 else [f"{port}{bit}" for bit in reversed(range(bits))]


def _ports(ports: dict[str, int]) -> str:
    return "(" + ", ".join(
        f"{'output' if name in _OUTPUTS else 'input'} wire {bit}"
        for name, bits in ports.items()
        for bit in _bits(name.strip("-"), bits)
    ) + ")"  # fmt: skip


def _connections(ports: dict[str, int]) -> str:
    used = {name: bits for name, bits in ports.items() if not name.startswith("-")}
    joined = [f".{name}({{{', '.join(_bits(name, bits))}}})" for name, bits in used.items()]
    return f"model ({', '.join(joined)})"
