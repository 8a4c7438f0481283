# SPDX-License-Identifier: Apache-2.0
"""The gates of `make lint` that read files: each names what it objects to by file and line."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from xnor_fcc.errors import run_main
from xnor_fcc_sim.sources import ROOT

pytest.importorskip("pyslang", reason="pyslang is not installed (the extra `lint`)")
import lint
import verilog_style

GOOD = """\
// SPDX-License-Identifier: Apache-2.0
//
// A module in which nothing is wrong.

`default_nettype none

module good #(
    // Bits (>= 1).
    parameter WIDTH = 1,
    // Words (>= 1).
    parameter DEPTH = 1
) (
    input  wire             clk,
    input  wire [WIDTH-1:0] in,
    output wire [WIDTH-1:0] out
);

  reg [WIDTH-1:0] memory[0:DEPTH-1];
  reg [WIDTH-1:0] in_reg;
  reg [WIDTH-1:0] in_s2;
  reg [WIDTH-1:0] turned;
  always @(posedge clk) {in_s2, in_reg} <= {in_reg, in};
  always @(posedge clk) memory[0] <= in_s2;
  always @* turned = ~in_s2;

  genvar i;
  generate
    for (i = 0; i < WIDTH; i = i + 1) begin : g_bit
      wire one = turned[i];
      if (i == 0) begin : g_first
        inner #(
            .WIDTH(1)
        ) one_bit (
            .bits(one),
            .sum (out[i])
        );
      end else begin : g_other
        assign out[i] = g_bit[i-1].one;
      end
    end
  endgenerate

endmodule

`default_nettype wire
"""
INNER = """\
// SPDX-License-Identifier: Apache-2.0
//
// A module inside.

`default_nettype none

module inner #(
    // Bits.
    parameter WIDTH = 1
) (
    input  wire [WIDTH-1:0] bits,
    output wire             sum
);

  assign sum = ^bits;

endmodule

`default_nettype wire
"""


def style(directory: Path, good: str, inner: str = INNER) -> list[str]:
    """What the style gate says of two files of hardware."""
    paths = [directory / "good.v", directory / "inner.v"]
    for path, text in zip(paths, (good, inner), strict=True):
        path.write_text(text)
    return verilog_style.complaints(paths, paths)


def test_style_has_nothing_to_say(tmp_path: Path) -> None:
    assert style(tmp_path, GOOD) == []


# What is planted: the text that goes, what comes, the line and a part of the complaint.
PLANTED = {
    "spdx": ("// SPDX-License-Identifier: Apache-2.0", "// Apache-2.0", 1, "first line"),
    "header": ("//\n// A module in which nothing is wrong.\n", "", 2, "no header"),
    "nettype-none": ("`default_nettype none\n", "", 1, "default_nettype"),
    "nettype-wire": ("`default_nettype wire\n", "", 1, "default_nettype"),
    "columns": ("  genvar i;", f"  genvar i;  // {'x' * 86}", 26, "102 columns"),
    "tab": ("  genvar i;", "\tgenvar i;", 26, "a tab"),
    "blank": ("  genvar i;", "  genvar i; ", 26, "a blank at the end"),
    "module-name": ("module good", "module better", 1, "one module of its own name"),
    "two-modules": ("endmodule\n", "endmodule\nmodule other;\nendmodule\n", 1, "one module"),
    "two-ports": ("clk,\n    input", "clk, input", 13, "second port"),
    "port-direction": ("    input  wire [WIDTH-1:0] in,", "    in,", 14, "without a direction"),
    "parameter": ("    // Words (>= 1).\n", "", 10, "above the parameter DEPTH"),
    "parameter-side": (
        "WIDTH = 1,\n    // Words (>= 1).\n", "WIDTH = 1,  // Bits.\n", 10, "parameter DEPTH"
    ),
    "register": ("in_reg", "in_last", 19, "register in_last is not called in_last_reg"),
    "stage": ("in_s2", "in_2", 20, "register in_2 is not called"),
    "no-register": ("turned", "turned_reg", 21, "turned_reg is called a register"),
    "loop-name": (" : g_bit", "", 28, "without a name"),
    "if-name": (" : g_first", "", 30, "without a name"),
    "else-name": (" : g_other", "", 37, "without a name"),
    "no-block": (
        "begin : g_other\n        assign out[i] = g_bit[i-1].one;\n      end",
        "assign out[i] = g_bit[i-1].one;", 37, "without a name",
    ),
    "case-name": (
        "endgenerate", "case (WIDTH) 1: wire one = in; endcase\n  endgenerate", 41, "without a name"
    ),
    "region": ("  generate\n", "", 27, "outside generate"),
    "genvar": ("i;\n  generate\n    for (", "j;\n  generate\n    for (genvar ", 28, "a genvar"),
    "parameter-order": (".WIDTH(1)", "1", 31, "parameter that is not set by its name"),
    "parameter-left": (" #(\n            .WIDTH(1)\n        )", "", 31, "its parameter WIDTH"),
    "port-order": (".bits(one)", "one", 33, "not connected by its name"),
    "port-implicit": (".bits(one)", ".bits", 33, "not connected by its name"),
    "port-wildcard": (".bits(one)", ".*", 33, "not connected by its name"),
    "port-left": (".bits(one),\n            ", "", 33, "the port bits of inner"),
    "output-reg": (".sum (out[i])", ".sum (turned[i])", 35, "output sum drives the reg turned"),
    "output-regs": (".sum (out[i])", ".sum ({out[i], turned})", 35, "drives the reg turned"),
    "outside": ("g_bit[i-1].one", "good.in_reg", 38, "reaches into another module"),
    "function": (
        "endgenerate",
        "if (WIDTH == 9) begin : g_nine\n"
        "      function one(input a);\n        one = a;\n      endfunction\n    end\n  endgenerate",
        42, "the function one stands in a generate block",
    ),
    "recursion": (
        "  genvar i;",
        "  function one(input a);\n    one = a ? 1'b1 : one(1'b1);\n  endfunction\n  genvar i;",
        26, "the function one calls itself",
    ),
    "system": ("~in_s2", "$random", 24, "$random is not for hardware"),
    "instance": ("g_bit[i-1].one", "g_bit[0].g_first.one_bit.bits", 38, "reaches into another"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_style_objects_to(tmp_path: Path, name: str) -> None:
    old, new, line, text = PLANTED[name]
    assert old in GOOD
    complaints = style(tmp_path, GOOD.replace(old, new))
    place = re.compile(rf".*good\.v:{line}: .*{re.escape(text)}.*\.")
    assert [c for c in complaints if place.fullmatch(c)], complaints


def test_style_objects_to_a_module_that_contains_itself(tmp_path: Path) -> None:
    instance = "  good #(.WIDTH(1), .DEPTH(1)) again (.clk(1'b0), .in(bits), .out(sum));\n"
    complaints = style(tmp_path, GOOD, INNER.replace("  assign sum = ^bits;\n", instance))
    assert [c.rsplit("/")[-1] for c in complaints] == [
        "good.v:7: the module good contains itself.",
        "inner.v:7: the module inner contains itself.",
    ]


def copied(directory: Path) -> Path:
    """The Verilog of the project, to plant something in."""
    for folder in ("rtl", "quartus", "verif"):
        for path in (ROOT / folder).glob("**/*.v*"):
            if path.suffix in (".v", ".vh"):
                target = directory / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    return directory


# Declarations that once stood behind their first use, which ModelSim and Quartus refuse.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    "file, name",
    [("fcc_core", "step"), ("fcc_core", "weight_stall"), ("fcc_sequencer", "hidden_entry")],
)
def test_lint_objects_to_a_use_before_the_declaration(
    file: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    root = copied(tmp_path)
    path = root / "rtl" / f"{file}.v"
    lines = path.read_text().split("\n")
    declares = re.compile(rf" *wire\b.* {name}( = .*)?;.*")
    (moved,) = [line for line in lines if declares.fullmatch(line)]
    lines.remove(moved)
    lines.insert(lines.index("endmodule"), moved)
    path.write_text("\n".join(lines))
    # Its first use: not in a comment, not as the name of a port.
    uses = re.compile(rf"(?! *//).*[^.\w]{name}\b.*")
    used = next(number for number, line in enumerate(lines, 1) if uses.fullmatch(line))

    monkeypatch.setattr(lint, "ROOT", root)
    monkeypatch.setattr(lint, "designs", list)
    assert run_main(lint.main) == 2
    complaint = f"{file}.v:{used}: identifier '{name}' used before its declaration.\n"
    error = capsys.readouterr().err
    assert complaint in error
    assert error.endswith("see above.\n") and error.count("error: ") == 1


def test_lint_objects_to_warnings_and_to_newer_words(tmp_path: Path) -> None:
    root = copied(tmp_path)
    path = root / "verif" / "formal" / "argmax.v"
    text = path.read_text()
    lines = ["  wire [1:0] narrow = {clk, clk, clk};", "  logic word;", "  wire one = undeclared;"]
    path.write_text(text.replace("\nendmodule\n", "\n" + "\n".join(lines) + "\nendmodule\n"))
    last = text.split("\n").index("endmodule") + 1
    complaints = lint.files_objected(root)
    for line, part in enumerate(["(-Wwidth-trunc)", "'logic'", "'undeclared'"], start=last):
        assert re.search(rf"formal/argmax\.v:{line}: .*{re.escape(part)}", complaints), complaints


def test_slang_objects_to_a_generate_loop_of_5000_steps(tmp_path: Path) -> None:
    path = tmp_path / "long.v"
    path.write_text(
        "module long #(parameter N = 1) (output wire [N-1:0] out);\n"
        "  genvar i;\n  generate\n"
        "    for (i = 0; i < N; i = i + 1) begin : g_bit\n      assign out[i] = 1'b0;\n    end\n"
        "  endgenerate\nendmodule\n"
    )
    assert lint.slang(lint.Design("long", "long", {"N": 4999}, [path], 1)) == ""
    assert "long.v:4: " in lint.slang(lint.Design("long", "long", {"N": 5000}, [path], 1))


def test_every_verilog_file_is_read() -> None:
    read = {file for reading in lint.readings(ROOT) for file in reading.files}
    folders = (ROOT / "rtl", ROOT / "quartus", ROOT / "verif")
    found = {path for folder in folders for path in folder.rglob("*.v")}
    assert read == found and len(found) > 60
