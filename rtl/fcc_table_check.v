// SPDX-License-Identifier: Apache-2.0
//
// Checks a layer table against the geometry and against what has been loaded before anything is
// computed with it, so that the sequencer may trust the table blindly. A layer takes three cycles:
// its entry is fetched, multiplied, judged; nothing here is in a hurry, and the clock is not to
// wait for it.
//
// Only where the core was built for them layers may have inputs of order 2 or ternary weights,
// whose two planes make every word count twice; and images come in two planes only as 8-bit pixels.
//
// A table is accepted when 1 <= layers <= MAX_LAYERS; every layer has 1 <= words <= RING and
// 1 <= groups <= GROUPS; the first layer's words are ceil(inputs / SIMD) with
// 1 <= inputs <= MAX_WIDTH; no later layer reads words that the layer before cannot fill; the last
// layer has room for 1 <= classes <= MAX_CLASSES; and the steps and groups of all layers fit the
// memories. It is loaded when that many weight words and threshold words have been written.
//
// Latency: `done` comes 3 * layers + 3 cycles after `start`, or earlier where a layer is refused,
// with `ok` or one of the two reasons.

`default_nettype none

module fcc_table_check #(
    // Neurons side by side (>= 1).
    parameter PE = 1,
    // Synapses per PE and cycle (>= 1).
    parameter SIMD = 1,
    // Words of the ring (>= 1).
    parameter RING = 1,
    // Groups of the widest layer (>= 1).
    parameter GROUPS = 1,
    // Most inputs or neurons of a layer (>= 1).
    parameter MAX_WIDTH = 1,
    // Entries of the layer table (>= 1).
    parameter MAX_LAYERS = 1,
    // Most classes (>= 1).
    parameter MAX_CLASSES = 1,
    // Words of the weight memory (>= 2).
    parameter WEIGHT_DEPTH = 2,
    // Words of the threshold memory (>= 2).
    parameter THRESHOLD_DEPTH = 2,
    // 2: layers may have inputs of order 2. 1: none has.
    parameter ORDER = 1,
    // 1: layers may have ternary weights. 0: none has.
    parameter TERNARY = 0
) (
    input  wire                     clk,
    input  wire                     reset,
    input  wire                     start,
    // Entry l at bit l*32, see fcc_sequencer.
    input  wire [32*MAX_LAYERS-1:0] table_entries,
    input  wire [             15:0] layers,
    input  wire [             15:0] inputs,
    input  wire [             15:0] classes,
    input  wire                     pixel_mode,
    // Complete words in the memories.
    input  wire [             31:0] weights_loaded,
    input  wire [             31:0] thresholds_loaded,
    output reg                      busy,
    output reg                      done,
    output reg                      ok,
    output reg                      bad_table,
    output reg                      not_loaded,
    // Some layer's inputs are of order 2: two lanes carry an image.
    output reg                      pairs
);

  localparam LAYER_BITS = $clog2(MAX_LAYERS + 1);

  localparam [1:0] FETCH = 2'd0;
  localparam [1:0] MULTIPLY = 2'd1;
  localparam [1:0] JUDGE = 2'd2;

  reg  [           1:0] phase_reg;
  reg  [LAYER_BITS-1:0] layer_reg;
  reg                   fault_reg;
  // The layer: its entry, its steps, the activation bits it reads and fills.
  reg  [          15:0] words_reg;
  reg  [          15:0] layer_groups_reg;
  reg                   order_reg;
  reg                   ternary_reg;
  reg                   in_range_reg;
  reg  [          31:0] product_reg;
  reg  [          31:0] reads_reg;
  reg  [          31:0] fills_reg;
  // Sums over the layers so far; activation bits that the layer before can fill. Bit 31 of the
  // steps stays: no memory has so many words, and 16 layers of up to 2^31 steps would wrap. By
  // Yosys that costs the default core nothing and one with streamed weights 3.5 ALM; 36 bits of
  // steps would cost 7.5 and 30.
  reg  [          31:0] steps_reg;
  reg  [          31:0] groups_reg;
  reg  [          31:0] filled_reg;
  // The verdict, but for `bad_table` before `not_loaded`.
  reg                   bad_reg;
  reg                   lacking_reg;

  wire [          31:0] more_steps =
      steps_reg + (ternary_reg ? {product_reg[30:0], 1'b0} : product_reg);
  wire                  layers_ok = (layers >= 1) && ({16'd0, layers} <= MAX_LAYERS);
  wire                  at_end = fault_reg || (layer_reg == layers[LAYER_BITS-1:0]);
  reg  [          31:0] entry;
  wire [          31:0] words = {16'd0, words_reg};
  wire [          31:0] groups = {16'd0, layer_groups_reg};
  wire [          31:0] inputs32 = {16'd0, inputs};
  wire [          31:0] classes32 = {16'd0, classes};
  wire kind_ok = (ORDER == 2 || !order_reg) && (TERNARY != 0 || !ternary_reg)
      && (!order_reg || pixel_mode || layer_reg != 0);
  // A layer needs at least one bit more than all its words but the last one hold.
  wire first_ok = (inputs32 >= 1) && (inputs32 <= MAX_WIDTH) && (inputs32 + SIMD > reads_reg)
      && (inputs32 <= reads_reg);
  wire later_ok = (filled_reg + SIMD > reads_reg);

  integer i;
  always @* begin
    entry = 32'd0;
    for (i = 0; i < MAX_LAYERS; i = i + 1) begin
      if (layer_reg == i[LAYER_BITS-1:0]) entry = table_entries[i*32+:32];
    end
  end

  always @(posedge clk) begin
    done <= 1'b0;

    words_reg <= {1'b0, entry[14:0]};
    layer_groups_reg <= {1'b0, entry[30:16]};
    order_reg <= entry[15];
    ternary_reg <= entry[31];
    in_range_reg <= (words >= 1) && (words <= RING) && (groups >= 1) && (groups <= GROUPS)
        && kind_ok;
    product_reg <= words * groups;
    reads_reg <= words * SIMD;
    fills_reg <= groups * PE;
    bad_reg <= fault_reg || (steps_reg > WEIGHT_DEPTH) || (groups_reg > THRESHOLD_DEPTH)
        || (classes32 < 1) || (classes32 > MAX_CLASSES) || (classes32 > filled_reg);
    lacking_reg <= (steps_reg > weights_loaded) || (groups_reg > thresholds_loaded);

    if (start) begin
      busy <= 1'b1;
      phase_reg <= FETCH;
      layer_reg <= {LAYER_BITS{1'b0}};
      fault_reg <= !layers_ok;
      steps_reg <= 32'd0;
      groups_reg <= 32'd0;
      filled_reg <= 32'd0;
      pairs <= 1'b0;
    end else if (busy) begin
      case (phase_reg)
        FETCH: phase_reg <= MULTIPLY;
        MULTIPLY: begin
          phase_reg <= JUDGE;
          // Behind the last layer the verdict has been waiting since the cycle before.
          if (at_end) begin
            busy <= 1'b0;
            done <= 1'b1;
            bad_table <= bad_reg;
            not_loaded <= !bad_reg && lacking_reg;
          end
        end
        default: begin
          phase_reg <= FETCH;
          layer_reg <= layer_reg + 1'b1;
          fault_reg <= !in_range_reg || !((layer_reg == 0) ? first_ok : later_ok);
          // The product is of 15 bits each.
          steps_reg <= {more_steps[31] | steps_reg[31], more_steps[30:0]};
          groups_reg <= groups_reg + groups;
          filled_reg <= fills_reg;
          if (order_reg) pairs <= 1'b1;
        end
      endcase
    end
    if (reset) begin
      busy <= 1'b0;
      done <= 1'b0;
    end
  end

  always @* ok = !bad_table && !not_loaded;

endmodule

`default_nettype wire
