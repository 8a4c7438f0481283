// SPDX-License-Identifier: Apache-2.0
//
// fcc_table_check: a table is accepted exactly if it is legal and loaded, refused with the right
// one of the two reasons, and the verdict comes after at most 3 * layers + 3 cycles, once.
//
// The check begins in an arbitrary state of the module, so that the cycles it takes are all there
// is to look at: what holds for them holds for every start. Assumed: the registers stand still
// during the check, and neither reset nor another start comes in between.

`default_nettype none

module table_check #(
    parameter PE = 3,
    parameter SIMD = 2,
    parameter MAX_WIDTH = 6,
    parameter MAX_LAYERS = 3,
    parameter MAX_CLASSES = 4,
    parameter WEIGHT_DEPTH = 8,
    parameter THRESHOLD_DEPTH = 4,
    parameter ORDER = 1,
    parameter TERNARY = 0
) (
    input wire clk
);

  localparam RING = (MAX_WIDTH + SIMD - 1) / SIMD;
  localparam GROUPS = (MAX_WIDTH + PE - 1) / PE;

  (* anyconst *) wire [32*MAX_LAYERS-1:0] table_entries;
  (* anyconst *) wire [15:0] layers;
  (* anyconst *) wire [15:0] inputs;
  (* anyconst *) wire [15:0] classes;
  (* anyconst *) wire pixel_mode;
  (* anyconst *) wire [31:0] weights_loaded;
  (* anyconst *) wire [31:0] thresholds_loaded;

  wire busy, done, ok, bad_table, not_loaded, pairs;
  reg [7:0] cycle = 8'd0;
  reg seen = 1'b0;

  fcc_table_check #(
      .PE             (PE),
      .SIMD           (SIMD),
      .RING           (RING),
      .GROUPS         (GROUPS),
      .MAX_WIDTH      (MAX_WIDTH),
      .MAX_LAYERS     (MAX_LAYERS),
      .MAX_CLASSES    (MAX_CLASSES),
      .WEIGHT_DEPTH   (WEIGHT_DEPTH),
      .THRESHOLD_DEPTH(THRESHOLD_DEPTH),
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
      .not_loaded       (not_loaded),
      .pairs            (pairs)
  );

  // ---- what is legal

  reg legal;
  reg order_2;
  reg ternary;
  reg any_order_2;
  reg [7:0] steps;
  reg [7:0] groups_sum;
  reg [15:0] words;
  reg [15:0] groups;
  reg [15:0] words_there;
  reg [15:0] neurons;
  integer l;
  always @* begin
    legal = (layers >= 1 && layers <= MAX_LAYERS && inputs >= 1 && inputs <= MAX_WIDTH);
    steps = 0;
    groups_sum = 0;
    // What stands in front of a layer: words that hold something.
    words_there = (inputs + SIMD - 1) / SIMD;
    neurons = 0;
    any_order_2 = 1'b0;
    order_2 = 1'b0;
    ternary = 1'b0;
    words = 0;
    groups = 0;
    for (l = 0; l < MAX_LAYERS; l = l + 1) begin
      if (l < layers) begin
        words = table_entries[32*l+:15];
        groups = table_entries[32*l+16+:15];
        order_2 = table_entries[32*l+15];
        ternary = table_entries[32*l+31];
        any_order_2 = any_order_2 || order_2;
        if ((order_2 && ORDER == 1) || (ternary && TERNARY == 0)) legal = 1'b0;
        if (order_2 && l == 0 && !pixel_mode) legal = 1'b0;
        if (words < 1 || words > RING || groups < 1 || groups > GROUPS) legal = 1'b0;
        if (l == 0 ? words != words_there : words > words_there) legal = 1'b0;
        // In range a few bits are enough.
        steps = steps + words[3:0] * groups[3:0] * (ternary ? 2 : 1);
        groups_sum = groups_sum + groups[3:0];
        neurons = groups[3:0] * PE;
        words_there = (neurons + SIMD - 1) / SIMD;
      end
    end
    if (steps > WEIGHT_DEPTH || groups_sum > THRESHOLD_DEPTH) legal = 1'b0;
    if (classes < 1 || classes > MAX_CLASSES || classes > neurons) legal = 1'b0;
  end
  wire loaded = (weights_loaded >= steps && thresholds_loaded >= groups_sum);

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
        if (ok) assert (pairs == any_order_2);
        if (legal) assert (cycle == 3 * layers + 3);
      end
      assert (busy == !(done || seen));
      if (cycle > 3 * MAX_LAYERS + 3) assert (seen || done);
    end
  end

endmodule

`default_nettype wire
