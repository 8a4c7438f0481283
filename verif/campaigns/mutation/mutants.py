# SPDX-License-Identifier: Apache-2.0
"""Plants faults in Verilog source: one small change of one module, by the rules below.

What changes is text, found by a tokeniser that knows just enough of Verilog-2005. Left alone are
comments, attributes, strings, the header of a module, the ranges of declarations and of part
selects, replication counts, the step of a loop, and what is declared unused: a change there is
refused by every tool or changes nothing. Whether a mutant elaborates shows when it is built.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

_TOKEN = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|/\*.*?\*/|\(\*.*?\*\)|`\w+)
    |(?P<string>"[^"\n]*")
    |(?P<number>\d*\s*'s?[bodhBODH][0-9a-fA-F_xXzZ?]+|\d[\d_]*)
    |(?P<name>[A-Za-z_$][\w$]*)
    |(?P<operator><<<|>>>|===|!==|<<|>>|<=|>=|==|!=|&&|\|\||~\^|\^~|\+:|-:|\*\*|.)""",
    re.VERBOSE | re.DOTALL,
)
_OPENING = {"(": ")", "[": "]", "{": "}"}

# Binary operators and what stands in their place.
_FLIPS = {
    "&&": ("||",),
    "||": ("&&",),
    "&": ("|",),
    "|": ("&",),
    "^": ("|", "&"),
    "==": ("!=",),
    "!=": ("==",),
    "<": ("<=", ">="),
    ">": (">=", "<="),
    "<=": ("<", ">"),
    ">=": (">", "<"),
    "+": ("-",),
    "-": ("+",),
    "*": ("+",),
    "%": ("/",),
    "<<": (">>",),
    ">>": ("<<",),
}
# What ends an operand of the operators whose terms are dropped: everything that binds less.
_LOOSE = {"?", ":", ",", ";", "=", "<="}
_ENDS = {
    "||": _LOOSE | {"||"},
    "&&": _LOOSE | {"||", "&&"},
    "|": _LOOSE - {"<="} | {"||", "&&", "|"},
    "&": _LOOSE - {"<="} | {"||", "&&", "|", "^", "~^", "&"},
}
_STATEMENTS = {";", "begin", "end", "else", ")", ":", "endcase"}
_RANGED = {"wire", "reg", "input", "output", "localparam", "parameter", "function", "signed"}


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    module: str
    """Module, which is also the name of its file."""
    number: int
    """Its place in the module's order, from 0; the same seed and file give the same order."""
    kind: str
    """What was done, in a word or two."""
    start: int
    old: str
    new: str
    """`old` stands at character `start` of the file, and `new` takes its place."""
    line: int
    context: str
    """The line on which it begins, without the white space around it."""
    place: tuple[int, int]
    """Where on that line it begins, and how many equal lines stand above it."""

    @property
    def name(self) -> str:
        """How it is called on the command line."""
        return f"{self.module}-{self.number}"

    @property
    def digest(self) -> str:
        """What identifies the change, wherever the line has moved in its file."""
        text = repr((self.module, self.kind, self.context, self.place, self.old, self.new))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def apply(self, source: str) -> str:
        """The file's text with the change."""
        end = self.start + len(self.old)
        assert source[self.start : end] == self.old, f"{self.name} is of another file"
        return source[: self.start] + self.new + source[end:]

    def __str__(self) -> str:
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{self.module}.v:{self.line}: {self.kind}: `{old}` -> `{new or '(nothing)'}`"


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def mutants(path: Path, seed: int = 1) -> list[Mutant]:
    """All mutants of a file, in an order that depends on the seed and on the file alone."""
    source = path.read_text()
    changes = sorted(set(_Planter(source).changes()))
    # Places in random order, and the changes of a place far apart from each other: a place where
    # more can be done does not count more.
    rng = random.Random(f"{seed}:{path.stem}")
    places: dict[int, list[tuple[int, str, str, str]]] = {}
    for change in changes:
        places.setdefault(change[0], []).append(change)
    ranked: list[tuple[float, tuple[int, str, str, str]]] = []
    for _, here in sorted(places.items()):
        rng.shuffle(here)
        ranked += [(turn + rng.random(), change) for turn, change in enumerate(here)]
    result: list[Mutant] = []
    seen: set[str] = set()
    lines = [line.strip() for line in source.splitlines()]
    for _, (start, old, new, kind) in sorted(ranked):
        changed = source[:start] + new + source[start + len(old) :]
        if "".join(changed.split()) in seen or changed == source:
            continue
        seen.add("".join(changed.split()))
        line = source.count("\n", 0, start)
        place = (start - source.rfind("\n", 0, start), lines[:line].count(lines[line]))
        number = len(result)
        result.append(
            Mutant(path.stem, number, kind, start, old, new, line + 1, lines[line], place)
        )
    return result


class _Planter:
    """Finds the changes of one file as (start, old, new, kind)."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens: list[_Token] = []
        for match in _TOKEN.finditer(source):
            if match.lastgroup != "skip":
                kind = match.lastgroup or ""
                self.tokens.append(_Token(kind, match.group(), match.start()))
        self.partner = self._partners()
        self.frozen = [False] * len(self.tokens)
        self._freeze()

    def changes(self) -> Iterator[tuple[int, str, str, str]]:
        """Every change of the file."""
        for i in range(len(self.tokens)):
            if self.frozen[i]:
                continue
            yield from self._operator(i)
            yield from self._constant(i)
            yield from self._condition(i)
            yield from self._term(i)
            yield from self._swap(i)
            yield from self._assignment(i)
        yield from self._narrowed()
        yield from self._crossed_wires()

    # ---- structure

    def _partners(self) -> dict[int, int]:
        """From each bracket to the one that closes or opens it."""
        result: dict[int, int] = {}
        stack: list[int] = []
        for i, token in enumerate(self.tokens):
            if token.kind != "operator":
                continue
            if token.text in _OPENING:
                stack.append(i)
            elif token.text in _OPENING.values():
                opening = stack.pop()
                assert _OPENING[self.tokens[opening].text] == token.text, "brackets do not match"
                result[opening], result[i] = i, opening
        return result

    def _text(self, i: int) -> str:
        return self.tokens[i].text if 0 <= i < len(self.tokens) else ""

    def _find(self, text: str, i: int) -> int:
        """The next token `text` outside brackets from i on."""
        while self._text(i) not in (text, ""):
            i = self.partner[i] + 1 if self._text(i) in _OPENING else i + 1
        return i

    def _freeze_range(self, first: int, last: int) -> None:
        for i in range(first, last + 1):
            self.frozen[i] = True

    def _freeze(self) -> None:
        for i, token in enumerate(self.tokens):
            text = token.text
            if text == "module":
                self._freeze_range(i, self._find(";", i))
            elif text in ("genvar", "integer", "initial"):
                self._freeze_range(i, self._find(";", i) if text != "integer" else i)
            elif text.startswith("unused"):
                self._freeze_range(i, self._find(";", i))
            elif text in _RANGED and self._text(i + 1) == "[":
                self._freeze_range(i, self.partner[i + 1])
            elif text == "function":
                name = i + 1
                while self._text(name) != "(":
                    name = self.partner[name] + 1 if self._text(name) == "[" else name + 1
                self._freeze_range(i, self.partner[name])
            elif text == "for":
                second = self._find(";", self._find(";", i + 2) + 1)
                self._freeze_range(second, self.partner[i + 1])
            elif text == "@":
                self._freeze_range(i, self.partner.get(i + 1, i + 1))
            elif text == "[":
                # A part select from here to there; [base +: width] stays.
                inside = range(i + 1, self.partner[i])
                if self._find(":", i + 1) in inside and self._find("?", i + 1) not in inside:
                    self._freeze_range(i, self.partner[i])
                for mark in ("+:", "-:"):
                    at = self._find(mark, i + 1)
                    if at in inside:
                        self._freeze_range(at, self.partner[i])
            elif text == "{" and self._text(i - 1) not in ("{", ",") and self._is_operand(i - 1):
                # The count of a replication.
                outer = i
                while self._text(outer - 1) != "{":
                    outer = self.partner[outer - 1] if self._text(outer - 1) in ")]" else outer - 1
                self._freeze_range(outer, i - 1)

    def _is_operand(self, i: int) -> bool:
        """A token that ends an operand, so that an operator behind it is binary."""
        token = self.tokens[i]
        if token.kind == "name":
            return token.text not in ("begin", "end", "else", "assign", "return", "generate")
        return token.kind in ("number", "string") or token.text in (")", "]", "}")

    def _operand(self, i: int, ends: set[str], step: int) -> int:
        """The last token of the operand that begins beside operator i."""
        j = i + step
        while True:
            text = self._text(j)
            if step > 0:
                if text in (")", "]", "}", "") or text in ends:
                    return j - 1
                j = self.partner[j] + 1 if text in _OPENING else j + 1
            else:
                if text in _OPENING or text == "" or text in ends:
                    return j + 1
                j = self.partner[j] - 1 if text in _OPENING.values() else j - 1

    def _span(self, first: int, last: int) -> str:
        return self.source[self.tokens[first].start : self.tokens[last].end]

    # ---- changes

    def _operator(self, i: int) -> Iterator[tuple[int, str, str, str]]:
        token = self.tokens[i]
        if token.kind != "operator":
            return
        if self._is_operand(i - 1):
            if token.text in _FLIPS and not self._is_assignment(i):
                for other in _FLIPS[token.text]:
                    yield token.start, token.text, other, "operator"
        elif token.text in ("!", "~"):
            yield token.start, token.text, "", "inversion dropped"
        elif token.text in ("|", "&") and self._text(i + 1) in ("(",):
            other = "&" if token.text == "|" else "|"
            yield token.start, token.text, other, "reduction"

    def _constant(self, i: int) -> Iterator[tuple[int, str, str, str]]:
        token = self.tokens[i]
        if token.kind != "number":
            return
        match = re.fullmatch(r"(\d*)'([bodh])([0-9a-fA-F_]+)", token.text)
        if match:
            base = {"b": 2, "o": 8, "d": 10, "h": 16}[match[2]]
            width = int(match[1] or 32)
            value = int(match[3].replace("_", ""), base)
            for step in (1, -1):
                other = (value + step) % (1 << width)
                yield token.start, token.text, f"{match[1]}'d{other}", "constant"
        elif token.text.replace("_", "").isdigit():
            value = int(token.text.replace("_", ""))
            yield token.start, token.text, str(value + 1), "constant"
            if value:
                yield token.start, token.text, str(value - 1), "constant"

    def _condition(self, i: int) -> Iterator[tuple[int, str, str, str]]:
        if self._text(i) == "if":
            inside = self._span(i + 2, self.partner[i + 1] - 1)
            yield self.tokens[i + 2].start, inside, f"!({inside})", "condition negated"
        elif self._text(i) == "?":
            colon, depth = i + 1, 0
            while self._text(colon) != ":" or depth:
                text = self._text(colon)
                depth += {"?": 1, ":": -1}.get(text, 0)
                colon = self.partner[colon] + 1 if text in _OPENING else colon + 1
            last = self._operand(colon, {",", ";"}, 1)
            one, other = self._span(i + 1, colon - 1), self._span(colon + 1, last)
            between = self.source[self.tokens[colon - 1].end : self.tokens[colon + 1].start]
            old = self._span(i + 1, last)
            yield self.tokens[i + 1].start, old, other + between + one, "choices swapped"

    def _term(self, i: int) -> Iterator[tuple[int, str, str, str]]:
        text = self._text(i)
        if text not in _ENDS or not self._is_operand(i - 1) or self.tokens[i].kind != "operator":
            return
        first = self._operand(i, _ENDS[text], -1)
        last = self._operand(i, _ENDS[text], 1)
        old = self._span(first, last)
        for kept in (self._span(first, i - 1), self._span(i + 1, last)):
            yield self.tokens[first].start, old, kept, "term dropped"

    def _swap(self, i: int) -> Iterator[tuple[int, str, str, str]]:
        """The first two parts of a concatenation."""
        if self._text(i) != "{" or self._find(",", i + 1) > self.partner[i]:
            return
        comma = self._find(",", i + 1)
        last = self._operand(comma, {","}, 1)
        one, other = self._span(i + 1, comma - 1), self._span(comma + 1, last)
        yield self.tokens[i + 1].start, self._span(i + 1, last), f"{other}, {one}", "bits swapped"

    def _is_assignment(self, i: int) -> bool:
        """`=` or `<=` that assigns, in a procedure."""
        if self._text(i) not in ("=", "<="):
            return False
        return self._text(self._left_side(i) - 1) in _STATEMENTS

    def _left_side(self, i: int) -> int:
        """First token of what the assignment at i assigns to."""
        first = i - 1
        while self._text(first) in ("]", "}"):
            first = self.partner[first] - (self._text(first) == "]")
        return first

    def _assignment(self, i: int) -> Iterator[tuple[int, str, str, str]]:
        text = self._text(i)
        if self._is_assignment(i):
            first, last = self._left_side(i), self._find(";", i)
            # Part of a for loop's head.
            if self._text(last) == ";" and self._enclosed_by_for(first):
                return
            kind = "reset dropped" if self._in_reset(first) else "assignment dropped"
            yield self.tokens[first].start, self._span(first, last), ";", kind
        elif text == "=":
            last = self._find(";", i) - 1
            first = self._left_side(i)
            while self._text(first - 1) in ("wire", "assign", "]"):
                first = self.partner[first - 1] if self._text(first - 1) == "]" else first - 1
            if self._text(first) not in ("wire", "assign"):
                return
            old = self._span(i + 1, last)
            for value in ("0", "1"):
                yield self.tokens[i + 1].start, old, f"1'b{value}", f"stuck at {value}"

    def _enclosed_by_for(self, i: int) -> bool:
        return self._text(i - 1) == "(" and self._text(i - 2) == "for"

    def _in_reset(self, i: int) -> bool:
        """Whether a statement is the branch of an `if` that names a reset."""
        depth = 0
        for j in range(i - 1, 0, -1):
            text = self._text(j)
            depth += {"end": 1, "endcase": 1, "begin": -1, "case": -1}.get(text, 0)
            if text == "if" and depth < 0:
                condition = self._span(j + 1, self.partner[j + 1])
                closing = self.partner[j + 1]
                if self._text(closing + 1) == "begin":
                    return re.search(r"\b(core_)?reset\b", condition) is not None
            if text == "always":
                return False
        return False

    def _narrowed(self) -> Iterator[tuple[int, str, str, str]]:
        """Registers of half their bits, but for ports: a counter that wraps too soon."""
        body = self._find(";", 0)
        for i in range(body, len(self.tokens) - 1):
            if (self._text(i), self._text(i + 1)) != ("reg", "["):
                continue
            last = self.partner[i + 1]
            colon = self._find(":", i + 2)
            if colon < last and self._span(colon + 1, last - 1) == "0":
                top = self._span(i + 2, colon - 1)
                half = str(int(top) // 2) if top.isdigit() else f"({top})/2"
                yield self.tokens[i + 2].start, top, half, "register narrowed"

    def _crossed_wires(self) -> Iterator[tuple[int, str, str, str]]:
        """Neighbouring connections of an instance, of wires declared with the same range."""
        ranges: dict[str, str] = {}
        for match in re.finditer(
            r"\b(?:wire|reg)\b[ \t]*(\[[^\]]*\])?[ \t]*(\w+)[ \t]*(?=[;,=\n)])", self.source
        ):
            ranges[match[2]] = "".join((match[1] or "").split())
        connection = re.compile(r"\.(\w+)\s*\(\s*(\w+)\s*\)(,?)")
        found = list(connection.finditer(self.source))
        for one, other in pairwise(found):
            a, b = one[2], other[2]
            gap = self.source[one.end() : other.start()]
            if gap.strip() or not one[3] or a == b or ranges.get(a, 0) != ranges.get(b, 1):
                continue
            if "clk" in (a, b):
                continue
            old = self.source[one.start() : other.end()]
            cut = one.end() - one.start()
            new = re.sub(rf"\b{a}\b(?=\s*\),$)", b, old[:cut])
            new += gap
            new += re.sub(rf"\(\s*{b}\s*\)", f"({a})", self.source[other.start() : other.end()])
            yield one.start(), old, new, "wires crossed"
