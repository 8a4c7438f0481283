// SPDX-License-Identifier: Apache-2.0
//
// One lane: the hardware that carries one image. Its ring presents the activations of the current
// layer to its PEs; the bits of the finished groups are collected beside it and become the ring's
// contents when the next layer starts, so that computing a layer and storing its result never
// compete for the ring.
//
// Schedule, counted from the cycle in which `step` is given (the weight word in the same cycle):
//   cycle 0: load_*, rotate, step, first, last, tag, weight
//   cycle 2: offset
//   cycle 3: done, accumulator; hidden bits are stored at the end of this cycle
// `load_hidden` may therefore follow the last step of a layer after 4 cycles. Never stalls.

`default_nettype none

module fcc_lane #(
    // Neurons side by side (>= 1).
    parameter PE = 32,
    // Synapses per PE and cycle (>= 1).
    parameter SIMD = 128,
    // Words of the ring.
    parameter RING = 8,
    // Ring positions that PEs see: 1 to RING. PE p sees position p mod TAPS.
    parameter TAPS = 4,
    // Bits of a signed accumulator.
    parameter ACC_BITS = 12,
    // Groups of the widest layer.
    parameter GROUPS = 32
) (
    input  wire                   clk,
    input  wire                   reset,
    // One-hot number of words of the current layer.
    input  wire [       RING-1:0] length,
    // Ring takes the image, or the bits collected from the layer before.
    input  wire                   load_image,
    input  wire                   load_hidden,
    input  wire [  RING*SIMD-1:0] image,
    input  wire                   rotate,
    input  wire                   step,
    input  wire                   first,
    input  wire                   last,
    // Travels with a group: its bits are scores, not activations; it is the last one of its layer.
    input  wire                   output_layer,
    input  wire                   last_group,
    input  wire [    SIMD*PE-1:0] weight,
    input  wire [PE*ACC_BITS-1:0] offset,
    // A group of the output layer is finished: its scores without bit 0.
    output wire                   scores_done,
    output wire                   scores_last,
    output wire [PE*ACC_BITS-1:0] scores
);

  localparam CAPACITY = RING * SIMD;
  localparam GROUP_BITS = (GROUPS > 1) ? $clog2(GROUPS) : 1;
  // TAPS wires repeated often enough to reach all PEs.
  localparam COPIES = (PE + TAPS - 1) / TAPS;

  wire [     SIMD*TAPS-1:0] taps;
  wire [       SIMD*PE-1:0] activation;
  wire                      done;
  wire                      done_output;
  wire                      done_last;
  wire [            PE-1:0] bits;
  wire                      hidden_done = done & ~done_output;

  // Bits of the layer being computed, neuron j at bit j; beyond the layer's neurons they stay 0.
  reg  [      CAPACITY-1:0] hidden_reg;
  reg  [    GROUP_BITS-1:0] group_reg;

  fcc_ring #(
      .SIMD(SIMD),
      .RING(RING),
      .TAPS(TAPS)
  ) ring (
      .clk       (clk),
      .length    (length),
      .load      (load_image | load_hidden),
      .load_words(load_image ? image : hidden_reg),
      .rotate    (rotate),
      .taps      (taps)
  );

  genvar k;
  generate
    for (k = 0; k < SIMD; k = k + 1) begin : g_plane
      wire [COPIES*TAPS-1:0] copies = {COPIES{taps[k*TAPS+:TAPS]}};
      assign activation[k*PE+:PE] = copies[PE-1:0];
      // The last copy may be longer than the PEs that are left.
      if (COPIES * TAPS > PE) begin : g_rest
        wire unused = &{1'b0, copies[COPIES*TAPS-1:PE]};
      end
    end
  endgenerate

  fcc_pe_array #(
      .PE      (PE),
      .SIMD    (SIMD),
      .ACC_BITS(ACC_BITS),
      .TAG_BITS(2)
  ) pe_array (
      .clk        (clk),
      .reset      (reset),
      .activation (activation),
      .weight     (weight),
      .step       (step),
      .first      (first),
      .last       (last),
      .tag        ({last_group, output_layer}),
      .offset     (offset),
      .done       (done),
      .done_tag   ({done_last, done_output}),
      .bits       (bits),
      .accumulator(scores)
  );

  // Group g owns bits g*PE and up: an enable for each group, and no multiplexer.
  genvar g;
  generate
    for (g = 0; g < GROUPS; g = g + 1) begin : g_group
      if (g * PE < CAPACITY) begin : g_used
        localparam BITS = (CAPACITY - g * PE < PE) ? CAPACITY - g * PE : PE;
        always @(posedge clk) begin
          if (load_image | load_hidden) begin
            hidden_reg[g*PE+:BITS] <= {BITS{1'b0}};
          end else if (hidden_done && group_reg == g[GROUP_BITS-1:0]) begin
            hidden_reg[g*PE+:BITS] <= bits[BITS-1:0];
          end
        end
      end
    end
    if (GROUPS * PE < CAPACITY) begin : g_unreached
      always @(posedge clk) begin
        hidden_reg[CAPACITY-1:GROUPS*PE] <= {(CAPACITY - GROUPS * PE) {1'b0}};
      end
    end
  endgenerate

  always @(posedge clk) begin
    if (reset || load_image || load_hidden) begin
      group_reg <= {GROUP_BITS{1'b0}};
    end else if (hidden_done) begin
      group_reg <= group_reg + 1'b1;
    end
  end

  assign scores_done = done & done_output;
  assign scores_last = done_last;

endmodule

`default_nettype wire
