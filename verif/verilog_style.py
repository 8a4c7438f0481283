# SPDX-License-Identifier: Apache-2.0
"""What every Verilog file of the project keeps to, checked on slang's syntax tree.

All files: the SPDX line first, then the header; `default_nettype none` in front of the module and
`wire` behind it; at most 100 columns, no tabs; one port a line; generate blocks with names, inside
generate ... endgenerate, their genvar declared outside the loop; connections by name, and all of
them; the output of an instance drives a wire.

Hardware (rtl/ and quartus/) besides: one module a file, of the file's name, and none that contains
itself. A register that a clock writes is called NAME_reg, or NAME_sN where it is stage N of a
pipeline, and no other variable is; a port keeps its own name, and a memory may have any. A comment
stands above every parameter. An instance sets every parameter of its module. No name reaches into
another module. A function stands in no generate block and does not call itself; of the system's
functions and tasks only those of SYSTEM are called.

What the language itself asks for, declarations before use among it, slang's compiler checks, see
lint.py.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from pyslang.parsing import Token, Trivia, TriviaKind
from pyslang.syntax import SyntaxKind, SyntaxNode, SyntaxTree

COLUMNS = 100
SPDX = "// SPDX-License-Identifier: Apache-2.0"
STATE = re.compile(r".*_(reg|s\d+)")
# What Quartus synthesises of what begins with a $ (quartus/DIALECT.md), as far as it is needed.
SYSTEM = ("$clog2", "$readmemh", "$signed")
K = SyntaxKind
# A node of the syntax tree: which attributes it has depends on its kind.
Node: TypeAlias = Any


@dataclass
class Module:
    """A module and what has been found in it."""

    name: str
    path: Path
    node: Node
    tree: SyntaxTree
    hardware: bool
    ports: dict[str, str] = field(default_factory=dict)
    """Direction of each port."""
    parameters: list[str] = field(default_factory=list)
    instances: list[Node] = field(default_factory=list)

    def line(self, at: Node | Token) -> int:
        """Line of a node's first token."""
        token = at if isinstance(at, Token) else at.getFirstToken()
        return self.tree.sourceManager.getLineNumber(token.location)

    def complaint(self, at: Node | Token, text: str) -> str:
        """A sentence with its place."""
        return f"{os.path.relpath(self.path)}:{self.line(at)}: {text}"


def nodes(items: Sequence[object] | None) -> Iterator[Node]:
    """The nodes of a list of slang's, which has the commas between them too."""
    return (item for item in items or () if isinstance(item, SyntaxNode))


def all_of(node: Node, *kinds: SyntaxKind) -> list[Node]:
    """Every node of these kinds, in the order of the text."""
    found: list[Node] = []
    node.visit(lookup_table=dict.fromkeys(kinds, found.append))
    return found


def lines_of(file: Path) -> Iterator[str]:
    """What can be seen line by line, without a parser."""
    path = os.path.relpath(file)
    lines = file.read_text().split("\n")
    if lines[0] != SPDX:
        yield f"{path}:1: the first line is not '{SPDX}'."
    if lines[1:2] != ["//"] or not lines[2:3] or not lines[2].startswith("// "):
        yield f"{path}:2: no header follows the SPDX line: what the module is and why it exists."
    for number, line in enumerate(lines, start=1):
        if len(line) > COLUMNS:
            yield f"{path}:{number}: {len(line)} columns are more than {COLUMNS}."
        if "\t" in line or line != line.rstrip():
            yield f"{path}:{number}: a tab, or a blank at the end of the line."
    directives = [line for line in lines if line.startswith("`default_nettype")]
    if file.suffix == ".v" and directives != ["`default_nettype none", "`default_nettype wire"]:
        yield f"{path}:1: `default_nettype is not none in front of the module and wire behind it."


def ports_of(module: Module) -> Iterator[str]:
    """Ports: fills in the module's, and looks for two on a line."""
    before = 0
    ports = module.node.header.ports
    for port in nodes(ports.ports if ports else None):
        if port.kind != K.ImplicitAnsiPort or not port.header.direction:
            yield module.complaint(port, "a port without a direction of its own in the list.")
            continue
        module.ports[port.declarator.name.valueText] = port.header.direction.valueText
        if module.line(port) == before:
            yield module.complaint(port, "a second port on the line.")
        before = module.line(port.declarator)


def has_comment(trivia: Sequence[Trivia]) -> bool:
    """Whether the line above a token is a comment and nothing else."""
    kinds = [t.kind for t in trivia if t.kind != TriviaKind.Whitespace]
    return kinds[-3:] == [TriviaKind.EndOfLine, TriviaKind.LineComment, TriviaKind.EndOfLine]


def parameters_of(module: Module) -> Iterator[str]:
    """Parameters: fills in the module's, and looks for a comment above each."""
    header = module.node.header.parameters
    for parameter in nodes(header.declarations if header else None):
        module.parameters += [d.name.valueText for d in nodes(parameter.declarators)]
        if module.hardware and not has_comment(parameter.getFirstToken().trivia):
            name = module.parameters[-1]
            yield module.complaint(parameter, f"no comment above the parameter {name}.")


def blocks_of(module: Module) -> Iterator[str]:
    """Generate blocks: names, regions, genvars."""
    loops = all_of(module.node, K.LoopGenerate, K.IfGenerate, K.CaseGenerate)
    for node in loops:
        if node.kind == K.LoopGenerate and node.genvar:
            yield module.complaint(node, "a genvar declared in the loop.")
        parent: Node | None = node
        while parent is not None and parent.kind != K.GenerateRegion:
            parent = parent.parent
        if parent is None:
            yield module.complaint(node, "a generate block outside generate ... endgenerate.")
        if node.kind == K.LoopGenerate:
            blocks = [node.block]
        elif node.kind == K.IfGenerate:
            blocks = [node.block, *([node.elseClause.clause] if node.elseClause else [])]
        else:
            blocks = [item.clause for item in nodes(node.items)]
        for block in blocks:
            chained = node.kind == K.IfGenerate and block.kind == K.IfGenerate
            if not chained and (block.kind != K.GenerateBlock or not block.beginName):
                yield module.complaint(block, "a generate block without a name.")


def targets(node: Node) -> Iterator[str]:
    """Names that an expression on the left of an assignment, or an instance's output, drives."""
    if node.kind in (K.IdentifierName, K.IdentifierSelectName):
        yield node.identifier.valueText
    elif node.kind == K.ConcatenationExpression:
        for item in nodes(node.expressions):
            yield from targets(item)
    elif node.kind in (K.SimplePropertyExpr, K.SimpleSequenceExpr):
        yield from targets(node.expr)


def variables_of(module: Module) -> dict[str, Node]:
    """Declarators of the variables of a module, those of functions and tasks apart."""
    found: dict[str, Node] = {}
    for declaration in all_of(module.node, K.DataDeclaration):
        parent: Node | None = declaration
        while parent and parent.kind not in (K.FunctionDeclaration, K.TaskDeclaration):
            parent = parent.parent
        if parent is None and declaration.type.kind == K.RegType:
            found |= {d.name.valueText: d for d in nodes(declaration.declarators)}
    return found


def state_of(module: Module, variables: Mapping[str, Node]) -> Iterator[str]:
    """Names of registers, and of what is none."""
    clocked = {
        name
        for assignment in all_of(module.node, K.NonblockingAssignmentExpression)
        for name in targets(assignment.left)
    }
    for name, declarator in variables.items():
        if len(declarator.dimensions):
            continue
        if name in clocked and not STATE.fullmatch(name):
            yield module.complaint(declarator, f"the register {name} is not called {name}_reg.")
        if name not in clocked and STATE.fullmatch(name):
            yield module.complaint(declarator, f"{name} is called a register and is none.")


def names_of(module: Module) -> Iterator[str]:
    """Names with a dot: through generate blocks of the module's own, not into an instance."""
    named = [b.beginName for b in all_of(module.node, K.GenerateBlock)]
    blocks = {clause.name.valueText for clause in named if clause}
    instances = {i.decl.name.valueText for i in all_of(module.node, K.HierarchicalInstance)}
    for node in all_of(module.node, K.ScopedName):
        if node.parent.kind == K.ScopedName:
            continue
        path = all_of(node, K.IdentifierName, K.IdentifierSelectName)
        parts = [part.identifier.valueText for part in path]
        if parts[0] not in blocks or instances & set(parts):
            yield module.complaint(node, "a name that reaches into another module.")


def functions_of(module: Module) -> Iterator[str]:
    """Functions, and calls of the system's."""
    for function in all_of(module.node, K.FunctionDeclaration):
        name = function.prototype.name.identifier.valueText
        calls = all_of(function, K.InvocationExpression)
        if any(list(targets(call.left)) == [name] for call in calls):
            yield module.complaint(function, f"the function {name} calls itself.")
        parent = function.parent
        while parent is not None and parent.kind != K.GenerateBlock:
            parent = parent.parent
        if parent is not None:
            yield module.complaint(function, f"the function {name} stands in a generate block.")
    for call in all_of(module.node, K.SystemName):
        name = call.systemIdentifier.valueText
        if name not in SYSTEM:
            yield module.complaint(call, f"{name} is not for hardware.")


def instances_of(
    module: Module, modules: Mapping[str, Module], variables: Mapping[str, Node]
) -> Iterator[str]:
    """Connections of instances."""
    for node in module.instances:
        other = modules.get(node.type.valueText)
        given = list(nodes(node.parameters.parameters)) if node.parameters else []
        if any(p.kind != K.NamedParamAssignment for p in given):
            yield module.complaint(node, "a parameter that is not set by its name.")
        elif other and module.hardware:
            names = {p.name.valueText for p in given}
            if missing := [p for p in other.parameters if p not in names]:
                text = f"{other.name} is not given its parameter {missing[0]}."
                yield module.complaint(node, text)
        for instance in nodes(node.instances):
            connections = list(nodes(instance.connections))
            if any(c.kind != K.NamedPortConnection or not c.openParen for c in connections):
                yield module.complaint(instance, "a port that is not connected by its name.")
                continue
            if not other:
                continue
            names = {c.name.valueText for c in connections}
            if missing := [p for p in other.ports if p not in names]:
                text = f"the port {missing[0]} of {other.name} is not connected."
                yield module.complaint(instance, text)
            for connection in connections:
                if not connection.expr or other.ports.get(connection.name.valueText) == "input":
                    continue
                for name in targets(connection.expr):
                    if name in variables:
                        text = f"the output {connection.name.valueText} drives the reg {name}."
                        yield module.complaint(connection, text)


def loops_of(modules: Mapping[str, Module]) -> Iterator[str]:
    """Modules that contain themselves."""
    inside = {
        name: {i.type.valueText for i in module.instances if i.type.valueText in modules}
        for name, module in modules.items()
    }
    for name, module in modules.items():
        reached: set[str] = set()
        ahead = set(inside[name])
        while ahead:
            reached |= ahead
            ahead = {below for other in ahead for below in inside[other]} - reached
        if module.hardware and name in reached:
            yield module.complaint(module.node, f"the module {name} contains itself.")


def complaints(paths: Sequence[Path], hardware: Sequence[Path]) -> list[str]:
    """What is wrong in Verilog files (`hardware`: those among them that become gates), each as
    FILE:LINE: SENTENCE. Files in which a module has one name are looked at together."""
    found: list[str] = []
    modules: dict[str, Module] = {}
    for path in paths:
        found += lines_of(path)
        if path.suffix != ".v":
            continue
        tree = SyntaxTree.fromFile(str(path))
        declared = all_of(tree.root, K.ModuleDeclaration)
        names = [m.header.name.valueText for m in declared]
        if path in hardware and names != [path.stem]:
            place = os.path.relpath(path)
            found.append(f"{place}:1: the file does not hold one module of its own name.")
        for node in declared:
            name = node.header.name.valueText
            module = Module(name, path, node, tree, path in hardware)
            module.instances = all_of(node, K.HierarchyInstantiation)
            modules[name] = module
    for module in modules.values():
        found += [*ports_of(module), *parameters_of(module), *blocks_of(module)]
    for module in modules.values():
        variables = variables_of(module)
        if module.hardware:
            found += state_of(module, variables)
            found += [*names_of(module), *functions_of(module)]
        found += instances_of(module, modules, variables)
    return found + list(loops_of(modules))
