# SPDX-License-Identifier: Apache-2.0
"""`make activity`: what is counted, and a small core whose toggles the model foretells."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from measure import activity
from measure.nets import LOGIC, REGISTER, WIRE, Net, nets_of
from xnor_fcc.errors import UserError
from xnor_fcc.geometry import slices
from xnor_fcc.pack import pack
from xnor_fcc.random_network import random_network
from xnor_fcc_sim import vcd

SOURCE = """
module leaf (input wire clk, input wire [3:0] a, output wire [3:0] y, output reg [3:0] q);
  assign y = a + 4'd1;
  always @(posedge clk) q <= a;
endmodule

module top (input wire clk, input wire [7:0] a, input wire [1:0] which, output wire [7:0] q);
  wire [7:0] y;
  wire [3:0] swapped = {y[1:0], y[3:2]};
  wire chosen = y[which];
  reg [3:0] next;
  reg [3:0] state_reg, kept;
  wire [3:0] state = state_reg;
  reg [1:0] table_reg[0:3];
  integer i;
  always @* begin
    next = state;
    for (i = 0; i < 4; i = i + 1) if (a[i]) next = 4'd0;
  end
  always @(posedge clk) begin
    {state_reg[1:0], state_reg[3:2]} <= next;
    table_reg[which] <= a[1:0];
    if (chosen) kept[which] <= a[0];
  end
  genvar g;
  generate
    for (g = 0; g < 2; g = g + 1) begin : g_leaf
      wire strange = ^swapped;
      if (g == 1) begin : g_more
        wire more = !strange;
      end
      leaf leaf (.clk(clk), .a(a[4*g+:4]), .y(y[4*g+:4]), .q(q[4*g+:4]));
    end
  endgenerate
endmodule
"""


def test_each_net_is_counted_where_it_is_driven(tmp_path: Path) -> None:
    (tmp_path / "top.v").write_text(SOURCE)
    nets = nets_of("top", sources=[tmp_path / "top.v"])
    top, leaves = ("top",), ("top", "leaf")
    expected = {
        # Inputs, connections and selections are names of something driven elsewhere.
        **{f"top.{name}": Net(WIRE, top) for name in ("clk", "a", "which", "q", "y", "swapped")},
        "top.state": Net(WIRE, top),
        "top.i": Net(WIRE, top),  # a loop counter
        "top.chosen": Net(LOGIC, top),  # a multiplexer
        "top.next": Net(LOGIC, top),
        "top.state_reg": Net(REGISTER, top),
        "top.kept": Net(REGISTER, top),
        "top.table_reg": Net(REGISTER, top),
        "top.g_leaf[1].g_more.more": Net(LOGIC, top),
    }
    for g in range(2):
        expected[f"top.g_leaf[{g}].strange"] = Net(LOGIC, top)
        for name, kind in (("clk", WIRE), ("a", WIRE), ("y", LOGIC), ("q", REGISTER)):
            expected[f"top.g_leaf[{g}].leaf.{name}"] = Net(kind, leaves)
    assert nets == expected


def test_a_source_that_does_not_elaborate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "top.v").write_text("module top; nothing nowhere (); endmodule\n")
    with pytest.raises(UserError, match="top cannot be elaborated"):
        nets_of("top", sources=[tmp_path / "top.v"])


def test_places() -> None:
    assert activity.place_of(("xnor_fcc",)) == activity.place_of(("xnor_fcc", "core")) == "core"
    assert activity.place_of(("xnor_fcc", "core", "engine", "lanes")) == "core"
    lane = ("xnor_fcc", "core", "engine", "lanes", "lane")
    path = (*lane, "pe_array", "popcount", "left", "right")
    assert activity.place_of(path) == "lane.pe_array.popcount"


def test_only_verilator_counts() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "measure.activity"],
        env={**os.environ, "SIM": "icarus"}, capture_output=True, text=True,
    )
    assert result.returncode == 2 and result.stderr.startswith("error: ")


@pytest.mark.slow
def test_toggles_of_a_small_core(tmp_path: Path) -> None:
    """The weight word switches as the packed memory says; the file holds what was counted."""
    network = random_network(np.random.default_rng(6), (784, 20, 10))
    network.save(tmp_path / "network.npz")
    case = activity.Case((4, 56, 2), batches=3, kept=3)
    geometry = case.geometry(network)
    report = activity.measure("small", case, tmp_path / "network.npz", tmp_path / "run")
    assert report["images"] == report["vcd_images"] == 6
    assert report["cycles"] == 3 * geometry.period_cycles(network.widths)
    places = report["by_module"]
    registers = sum(each["registers"] for each in places.values())
    assert registers == pytest.approx(report["register_toggles_per_image"], abs=0.1)
    logic = sum(each["logic"] for each in places.values())
    assert logic == pytest.approx(report["logic_toggles_per_image"], abs=0.1)
    assert {"weight_source.memory.bank", "lane.ring", "lane.pe_array.popcount", "csr"} <= {*places}

    # Once around the memory for every batch, of two images; each slice has its own address.
    words = pack(network, geometry).weights
    around = int((words != np.roll(words, -1, axis=0)).sum())
    addresses = [a ^ (a + 1) % len(words) for a in range(len(words))]
    moved = around + len(slices(words.shape[1])) * sum(map(int.bit_count, addresses))
    assert places["weight_source.memory.bank"]["registers"] == pytest.approx(moved / 2, abs=0.01)

    # The file is a window of its own: begins at 0, as long as the window, all below the top level.
    path = tmp_path / "run" / "activity.vcd"
    with path.open("rb") as stream:
        header = vcd.read_header(stream)
        marker = next(v.code for v in header.variables if v.name == activity.MARKER)
        assert all(v.name.startswith("xnor_fcc.") for v in header.variables)
        lines = stream.readlines()
    times = [int(line[1:]) for line in lines if line.startswith(b"#")]
    assert times[0] == 0 and times[-1] == 1000 * 20 * report["cycles"]
    assert times == sorted(set(times))
    # What it holds between its second and its last batch is what the trace had there.
    again = vcd.count_toggles(lines, header, header.codes(), marker, 0, 1)
    assert again.end - again.begin == 1000 * 20 * geometry.period_cycles(network.widths)
    word = next(v.code for v in header.variables if v.name.endswith("g_loaded.memory.word"))
    assert again.toggles[word] == around
