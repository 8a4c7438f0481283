# SPDX-License-Identifier: Apache-2.0
"""What the names of an elaborated design stand for: a register, logic, or just another name.

A waveform file names the same net many times: in the module that drives it, at every port it passes
through, in the wires that bundle several of them. Whoever counts toggles must count it once. So
every declared name is of one of three kinds, taken from Verilator's syntax tree after elaboration:

| kind | what |
|---|---|
| register | assigned in a clocked block (`<=`): flip-flops, and the output registers of block RAM |
| logic | driven in this module by an expression with at least one operator |
| wire | an input, or only selected, concatenated or connected from others: drives nothing new |
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xnor_fcc.errors import UserError
from xnor_fcc_sim import simulator, toolchain

REGISTER, LOGIC, WIRE = "register", "logic", "wire"

# Nodes of an expression that only wires names together.
_WIRING = {"VARREF", "CONST", "CONCAT", "EXTEND", "REPLICATE", "SEL"}
# Declarations that are constants.
_CONSTANTS = {"GPARAM", "LPARAM", "GENVAR"}

Node = dict[str, Any]


@dataclass(frozen=True)
class Net:
    """A declared name: its kind, and its instance path without generate blocks, top level first."""

    kind: str
    path: tuple[str, ...]


def nets_of(
    toplevel: str,
    parameters: Mapping[str, object] | None = None,
    sources: Sequence[Path] | None = None,
) -> dict[str, Net]:
    """Every net of `toplevel` by its full dotted name as waveform files have it.

    `sources`: the core's unless given. `UserError` where Verilator cannot elaborate them.
    """
    with tempfile.TemporaryDirectory() as scratch:
        values = [f"-G{k}={simulator.literal(v)}" for k, v in (parameters or {}).items()]
        command = [
            *("--json-only", "-Wno-fatal", "-Wno-lint", f"-I{simulator.RTL}"),
            *("--Mdir", scratch, "--prefix", "tree", "--top-module", toplevel, *values),
            *map(str, sources or simulator.rtl_sources()),
        ]
        result = toolchain.verilator().run(command)
        tree = Path(scratch) / "tree.tree.json"
        if result.returncode or not tree.exists():
            raise UserError(f"{toplevel} cannot be elaborated: {result.stderr.strip()[:300]}")
        modules = {node["addr"]: node for node in json.loads(tree.read_text())["modulesp"]}
    kinds: dict[str, str] = {}
    for module in modules.values():
        kinds.update(_kinds(module))
    top = next(node for node in modules.values() if node["origName"] == toplevel)
    return dict(_named(top["stmtsp"], (toplevel,), (toplevel,), modules, kinds))


def _children(node: Node) -> Iterator[Node]:
    for value in node.values():
        if isinstance(value, list):
            yield from (item for item in value if isinstance(item, dict))


def _all(node: Node) -> Iterator[Node]:
    """A node and everything below it."""
    yield node
    for child in _children(node):
        yield from _all(child)


def _written(nodes: list[Node]) -> Iterator[str]:
    """Addresses of the variables written in an expression, not of those that index it."""
    for node in nodes:
        for below in _all(node):
            if below["type"] == "VARREF" and below["access"] != "RD":
                yield below["varp"]


def _only_wiring(expression: Node) -> bool:
    """Whether an expression has no operator; a selection by a signal is one: a multiplexer."""
    for node in _all(expression):
        if node["type"] not in _WIRING:
            return False
        if node["type"] == "SEL" and node["lsbp"][0]["type"] != "CONST":
            return False
    return True


def _kinds(module: Node) -> dict[str, str]:
    """Kind of each variable of a module by its address."""
    registers: set[str] = set()
    logic: set[str] = set()
    for node in _all(module):
        if node["type"] == "ASSIGNDLY":
            registers.update(_written(node["lhsp"]))
        elif node["type"] == "ASSIGNW" and all(map(_only_wiring, node["rhsp"])):
            continue
        elif node["type"] in ("ASSIGN", "ASSIGNW"):
            logic.update(_written(node["lhsp"]))
    kinds = {}
    for node in _all(module):
        if node["type"] == "VAR" and node["varType"] not in _CONSTANTS:
            address = node["addr"]
            # A loop counter is an integer, which no synthesis makes a net of.
            driven = LOGIC if address in logic and node["dtypeName"] != "integer" else WIRE
            kinds[address] = REGISTER if address in registers else driven
    return kinds


def _named(
    nodes: list[Node],
    scope: tuple[str, ...],
    path: tuple[str, ...],
    modules: Mapping[str, Node],
    kinds: Mapping[str, str],
) -> Iterator[tuple[str, Net]]:
    """Names and nets of one scope and of everything below it."""
    for node in nodes:
        name = node.get("name", "")
        if node["type"] == "VAR" and node["addr"] in kinds:
            yield ".".join((*scope, node["origName"])), Net(kinds[node["addr"]], path)
        elif node["type"] == "GENBLOCK":
            # A loop is a block `g` around blocks `g[0]`, `g[1]`, ...; unnamed blocks have no scope.
            outer = scope[:-1] if name.startswith(f"{scope[-1]}[") else scope
            inner = (*outer, name) if name else scope
            yield from _named(node["itemsp"], inner, path, modules, kinds)
        elif node["type"] == "CELL":
            below = modules[node["modp"]]["stmtsp"]
            yield from _named(below, (*scope, name), (*path, name), modules, kinds)
