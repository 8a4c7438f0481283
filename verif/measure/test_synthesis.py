# SPDX-License-Identifier: Apache-2.0
"""Synthesis of small modules, and what is read out of the tools' reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from measure import area, route, synthesis
from xnor_fcc.errors import UserError

ADDER = """
module leaf (input wire a, input wire b, output wire y);
  assign y = a & b;
endmodule
module adder #(parameter WIDTH = 4) (
    input wire clk, input wire [WIDTH-1:0] a, input wire [WIDTH-1:0] b, output reg [WIDTH-1:0] sum,
    output wire [1:0] y);
  always @(posedge clk) sum <= a + b;
  (* keep_hierarchy = "yes" *) leaf one (.a(a[0]), .b(b[0]), .y(y[0]));
  (* keep_hierarchy = "yes" *) leaf two (.a(a[1]), .b(b[1]), .y(y[1]));
endmodule
"""


@pytest.fixture
def adder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source file, and an empty cache."""
    monkeypatch.setattr(synthesis, "BUILD", tmp_path / "cache")
    path = tmp_path / "adder.v"
    path.write_text(ADDER)
    return path


def test_intel_counts_the_whole_design(adder: Path) -> None:
    """Parameters arrive, and the two modules that keep their hierarchy count twice."""
    cost = synthesis.intel("adder", {"WIDTH": 6}, [adder])
    assert cost.cells["MISTRAL_ALUT_ARITH"] == 6
    assert cost.flip_flops == 6
    assert cost.cells["MISTRAL_ALUT2"] == 2
    assert cost.alm == 4.0
    assert cost.m10k == cost.dsp == 0


def test_results_are_kept(adder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An equal run costs nothing; another source is another run."""
    first = synthesis.intel("adder", None, [adder])
    monkeypatch.setattr(synthesis, "_run_yosys", lambda *_: pytest.fail("synthesised again"))
    assert synthesis.intel("adder", None, [adder]) == first
    adder.write_text(ADDER.replace("a + b", "a - b"))
    with pytest.raises(pytest.fail.Exception, match="synthesised again"):
        synthesis.intel("adder", None, [adder])


def test_a_failing_yosys_is_one_sentence(adder: Path) -> None:
    adder.write_text("module adder (; endmodule\n")
    with pytest.raises(UserError, match=r"^Yosys could not synthesise adder \(.*syntax error.*log"):
        synthesis.intel("adder", None, [adder])


def test_a_missing_tool_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(synthesis.shutil, "which", lambda _: None)
    with pytest.raises(UserError, match="Yosys is missing"):
        synthesis.intel("fcc_argmax")
    with pytest.raises(UserError, match="nextpnr-ecp5 is missing"):
        synthesis.ecp5("fcc_argmax")


@pytest.mark.parametrize(
    ("cells", "alm"),
    [
        ({}, 0),
        ({"MISTRAL_ALUT6": 3, "MISTRAL_ALUT5": 1, "MISTRAL_ALUT2": 2}, 4.5),
        ({"MISTRAL_ALUT_ARITH": 4, "MISTRAL_MLAB": 20, "MISTRAL_FF": 9, "MISTRAL_NOT": 1}, 12),
    ],
)
def test_alm_estimate(cells: dict[str, int], alm: float) -> None:
    assert synthesis.alm_estimate(cells) == alm


def test_ecp5_routes(adder: Path) -> None:
    """An adder between registers reaches a clock, and its critical path adds up to the period."""
    adder.write_text("""
module adder (input wire clk, input wire [7:0] a, output reg [7:0] sum);
  reg [7:0] a_reg;
  always @(posedge clk) begin
    a_reg <= a;
    sum <= sum + a_reg;
  end
endmodule
""")
    found = synthesis.ecp5("adder", None, [adder], freq=100)
    assert found.ff == 16
    assert found.ebr == 0
    assert 8 <= found.lut4 <= 20 < found.available["lut4"]
    period = sum(step.delay_ns for step in found.critical_path)
    assert found.critical_path[0].kind == "clk-to-q"
    assert 1000 / found.fmax_mhz == pytest.approx(period, abs=0.01)
    rows = route.merge_cells(found.critical_path)
    assert sum(logic + routing for _, logic, routing in rows) == pytest.approx(period, abs=0.05)


def _report() -> area.Forms:
    row = {"32": {"alm": 100.0, "xnor_per_cycle_per_alm": 1.28}}
    forms = {"tree": row, "rtl": row}
    return {
        "forms": forms, "labels": {}, "coder_alm": {"32": 18.5}, "pe": 1, "acc_bits": 12,
        "yosys": "1.2",
    }  # fmt: skip


def test_the_table_replaces_the_one_before(tmp_path: Path) -> None:
    page = tmp_path / "AREA.md"
    page.write_text("above\n<!-- area: begin -->\nold\n<!-- area: end -->\nbelow\n")
    for _ in range(2):
        area.update_page(page, area.table(_report()), "1.2")
    text = page.read_text()
    assert "old" not in text
    assert text.startswith("above\n") and text.endswith("below\n")
    text = " ".join(text.split())
    assert text.count("| recursive adder tree | 1.28 |") == 1
    assert "| **1.28** |" in text and "18.5" in text
    page.write_text("no markers\n")
    with pytest.raises(UserError, match="lacks the lines"):
        area.update_page(page, "", "1.2")


@pytest.mark.slow
def test_what_rtl_has_is_the_best_form() -> None:
    """At SIMD = 32, where it is quick to see, the coded form beats the adder tree by far."""
    report = area.measure(["tree", "rtl"], [32])
    figures = {
        name: row["32"]["xnor_per_cycle_per_alm"] for name, row in report["forms"].items()
    }
    assert figures["rtl"] > 1.5 * figures["tree"]
