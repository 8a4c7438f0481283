// SPDX-License-Identifier: Apache-2.0
//
// fcc_map_table_check: a table is accepted exactly if it is legal and loaded, refused with the
// right one of the two reasons, and the verdict comes after at most 8 * layers + 3 cycles, once.
// What is legal stands in map_table.vh.
//
// The check begins in an arbitrary state of the module, so that the cycles it takes are all there
// is to look at: what holds for them holds for every start. Assumed: the registers stand still
// during the check, and neither reset nor another start comes in between.

`default_nettype none

module map_table_check #(
    parameter PE = 1,
    parameter SLOT = 2,
    parameter RING = 6,
    parameter GROUPS = 3,
    parameter MAX_LAYERS = 3,
    parameter MAX_CLASSES = 2,
    parameter WEIGHT_DEPTH = 40,
    parameter THRESHOLD_DEPTH = 6,
    parameter MAP_INPUT = 6,
    parameter MAP_EVEN = 4,
    parameter MAP_ODD = 2,
    parameter ORDER = 2,
    parameter TERNARY = 1
) (
    input wire clk
);

  localparam W = 12;

  (* anyconst *) wire [32*MAX_LAYERS-1:0] table_entries;
  (* anyconst *) wire [15:0] layers;
  (* anyconst *) wire [15:0] inputs;
  (* anyconst *) wire [15:0] classes;
  (* anyconst *) wire pixel_mode;
  (* anyconst *) wire [31:0] weights_loaded;
  (* anyconst *) wire [31:0] thresholds_loaded;

  `include "map_table.vh"

  wire busy, done, ok, bad_table, not_loaded;
  reg [7:0] cycle = 8'd0;
  reg seen = 1'b0;

  fcc_map_table_check #(
      .PE             (PE),
      .SLOT           (SLOT),
      .RING           (RING),
      .GROUPS         (GROUPS),
      .MAX_LAYERS     (MAX_LAYERS),
      .MAX_CLASSES    (MAX_CLASSES),
      .WEIGHT_DEPTH   (WEIGHT_DEPTH),
      .THRESHOLD_DEPTH(THRESHOLD_DEPTH),
      .MAP_INPUT      (MAP_INPUT),
      .MAP_EVEN       (MAP_EVEN),
      .MAP_ODD        (MAP_ODD),
      .ORDER          (ORDER),
      .TERNARY        (TERNARY)
  ) dut (
      .clk              (clk),
      .reset            (1'b0),
      .start            (cycle == 8'd0),
      .table_entries    (table_entries),
      .layers           (layers),
      .inputs           (inputs),
      .classes          (classes),
      .pixel_mode       (pixel_mode),
      .weights_loaded   (weights_loaded),
      .thresholds_loaded(thresholds_loaded),
      .busy             (busy),
      .done             (done),
      .ok               (ok),
      .bad_table        (bad_table),
      .not_loaded       (not_loaded)
  );

  wire loaded = (weights_loaded >= steps_sum && thresholds_loaded >= groups_sum);

  always @(posedge clk) begin
    if (cycle != 8'd255) cycle <= cycle + 8'd1;
    if (done && cycle != 0) seen <= 1'b1;
    // At the start a verdict of the check before may be there.
    if (cycle != 0) begin
      if (done) begin
        assert (!seen);
        assert (bad_table == !legal);
        assert (not_loaded == (legal && !loaded));
        assert (ok == (legal && loaded));
        if (legal) assert (cycle == 8 * layers + 3);
      end
      assert (busy == !(done || seen));
      if (cycle > 8 * MAX_LAYERS + 3) assert (seen || done);
    end
  end

endmodule

`default_nettype wire
