// SPDX-License-Identifier: Apache-2.0
//
// All lanes, in step, and the pairs that they form where two carry one image (fcc_pair). It exists
// so that the sequencer knows neither how many lanes there are nor how long a word's way through
// them is.
//
// Schedule, counted from the cycle of the control word (length to split):
//   cycle 2: images, with load_image_s2; cycle 3: load_output_s3
//   cycle 4: weight; cycle 6: offset
//   cycle 8: scores_done, scores_group, scores where ORDER is 1
//   cycle 9: these where ORDER is 2, with up and down
// `load_hidden` and `load_late` take the bits of a step given DRAIN cycles before or earlier (see
// fcc_lane). `settling` is high from 1 to DRAIN + 3 cycles after `sequencer_busy`. Never stalls.

`default_nettype none

module fcc_lanes #(
    // Lanes (>= 1; even where ORDER is 2).
    parameter LANES = 1,
    // Neurons computed at once in a lane (>= 1).
    parameter PE = 1,
    // Synapses per PE and cycle (>= 1).
    parameter SIMD = 1,
    // Words of a ring (>= 1).
    parameter RING = 1,
    // Ring positions that PEs see (1 to the smaller of PE and RING).
    parameter TAPS = 1,
    // Bits of a signed sum (>= 2): must hold offset/2 + P (see fcc_pe_array).
    parameter ACC_BITS = 2,
    // Groups of the widest layer (>= 1).
    parameter GROUPS = 1,
    // Bits of a group's number (>= 1).
    parameter GROUP_BITS = 1,
    // Cycles from a step until its bits can be loaded: 7, or 9 where ORDER is 2.
    parameter DRAIN = 7,
    // 1: each lane decides by itself. 2: lanes 2p and 2p + 1 decide together.
    parameter ORDER = 1
) (
    input  wire                         clk,
    input  wire                         reset,
    // Two lanes carry an image; stable while there are images.
    input  wire                         pairs,
    // The control word (see fcc_sequencer).
    input  wire [             RING-1:0] length,
    input  wire                         load_image,
    input  wire                         load_hidden,
    input  wire                         load_late,
    input  wire                         load_output,
    input  wire                         rotate,
    input  wire                         step,
    input  wire                         first,
    input  wire                         last,
    input  wire [       GROUP_BITS-1:0] group,
    input  wire                         output_layer,
    input  wire                         combine,
    input  wire                         split,
    // It may give more control words.
    input  wire                         sequencer_busy,
    // The rings take the images at the end of this cycle. Lane l at bit l*RING*SIMD.
    output reg                          load_image_s2,
    input  wire [ LANES*RING*SIMD-1:0] images,
    // The output layer has begun, of a batch whose images were loaded before.
    output reg                          load_output_s3,
    // As fcc_pe_array takes it.
    input  wire [         SIMD*PE-1:0] weight,
    // Of PE p at bit p*ACC_BITS.
    input  wire [     PE*ACC_BITS-1:0] offset,
    input  wire [     PE*ACC_BITS-1:0] up,
    input  wire [     PE*ACC_BITS-1:0] down,
    // A group of the output layer is finished: its number.
    output wire                         scores_done,
    output wire [       GROUP_BITS-1:0] scores_group,
    // Without bit 0: of lane l, PE p at bit (l*PE + p)*ACC_BITS.
    output wire [LANES*PE*ACC_BITS-1:0] scores,
    // What each ring shows at its first tap, lane l at bit l*SIMD: 3 cycles from `rotate`.
    output wire [       LANES*SIMD-1:0] shown,
    // A group may still be on its way to its scores.
    output wire                         settling
);

  localparam CAPACITY = RING * SIMD;
  localparam SETTLING = DRAIN + 3;
  // PEs of a pair that share a copy of its controls.
  localparam BLOCK = 16;

  reg                          load_image_s1;
  reg                          load_hidden_s1;
  reg                          load_late_s1;
  reg                          load_output_s1;
  reg                          load_output_s2;
  reg                          rotate_s1;
  reg                          step_s1;
  reg                          first_s1;
  reg                          last_s1;
  reg  [       GROUP_BITS-1:0] group_s1;
  reg                          output_layer_s1;
  reg                          combine_s1;
  reg  [             RING-1:0] length_s1;
  reg  [         SETTLING-1:0] settling_reg;
  wire [            LANES-1:0] lane_done;
  wire [ LANES*GROUP_BITS-1:0] lane_group;
  wire [LANES*PE*ACC_BITS-1:0] sums;
  wire [         LANES*PE-1:0] decided;

  always @(posedge clk) begin
    load_image_s1 <= load_image;
    load_image_s2 <= load_image_s1;
    load_hidden_s1 <= load_hidden;
    load_late_s1 <= load_late;
    load_output_s1 <= load_output;
    load_output_s2 <= load_output_s1;
    load_output_s3 <= load_output_s2;
    rotate_s1 <= rotate;
    step_s1 <= step;
    first_s1 <= first;
    last_s1 <= last;
    group_s1 <= group;
    output_layer_s1 <= output_layer;
    combine_s1 <= combine;
    length_s1 <= length;
    settling_reg <= {settling_reg[SETTLING-2:0], sequencer_busy};
    // What makes the lanes do something; the rest merely accompanies it.
    if (reset) begin
      load_image_s1 <= 1'b0;
      load_image_s2 <= 1'b0;
      load_hidden_s1 <= 1'b0;
      load_late_s1 <= 1'b0;
      load_output_s1 <= 1'b0;
      load_output_s2 <= 1'b0;
      load_output_s3 <= 1'b0;
      rotate_s1 <= 1'b0;
      step_s1 <= 1'b0;
      settling_reg <= {SETTLING{1'b0}};
    end
  end

  genvar l;
  generate
    for (l = 0; l < LANES; l = l + 1) begin : g_lane
      fcc_lane #(
          .PE        (PE),
          .SIMD      (SIMD),
          .RING      (RING),
          .TAPS      (TAPS),
          .ACC_BITS  (ACC_BITS),
          .GROUPS    (GROUPS),
          .GROUP_BITS(GROUP_BITS),
          .ORDER     (ORDER)
      ) lane (
          .clk         (clk),
          .reset       (reset),
          .length      (length_s1),
          .load_image  (load_image_s1),
          .load_hidden (load_hidden_s1),
          .load_late   (load_late_s1),
          .image       (images[l*CAPACITY+:CAPACITY]),
          .rotate      (rotate_s1),
          .step        (step_s1),
          // The offset goes to the lower lane of a pair.
          .first       (first_s1 && !(ORDER == 2 && l % 2 == 1 && combine_s1)),
          .last        (last_s1),
          .output_layer(output_layer_s1),
          .group       (group_s1),
          .weight      (weight),
          .offset      (offset),
          .scores_done (lane_done[l]),
          .scores_group(lane_group[l*GROUP_BITS+:GROUP_BITS]),
          .sums        (sums[l*PE*ACC_BITS+:PE*ACC_BITS]),
          .shown       (shown[l*SIMD+:SIMD]),
          .decided     (decided[l*PE+:PE])
      );
    end
  endgenerate

  genvar b;
  generate
    if (ORDER == 2) begin : g_pairs
      // From the lanes' cycle 0, and from the control word, to the sums.
      reg [5:0] combine_reg;
      reg [7:0] split_reg;

      always @(posedge clk) begin
        combine_reg <= {combine_reg[4:0], combine_s1};
        split_reg   <= {split_reg[6:0], split};
      end

      for (l = 0; l < LANES; l = l + 2) begin : g_pair
        for (b = 0; b < PE; b = b + BLOCK) begin : g_block
          localparam PES = (PE - b < BLOCK) ? PE - b : BLOCK;
          fcc_pair #(
              .PE      (PES),
              .ACC_BITS(ACC_BITS)
          ) pair (
              .clk       (clk),
              .pairs     (pairs),
              .combine   (combine_reg[5]),
              .split     (split_reg[7]),
              .low       (sums[(l*PE+b)*ACC_BITS+:PES*ACC_BITS]),
              .high      (sums[((l+1)*PE+b)*ACC_BITS+:PES*ACC_BITS]),
              .up        (up[b*ACC_BITS+:PES*ACC_BITS]),
              .down      (down[b*ACC_BITS+:PES*ACC_BITS]),
              .low_score (scores[(l*PE+b)*ACC_BITS+:PES*ACC_BITS]),
              .high_score(scores[((l+1)*PE+b)*ACC_BITS+:PES*ACC_BITS]),
              .low_bits  (decided[l*PE+b+:PES]),
              .high_bits (decided[(l+1)*PE+b+:PES])
          );
        end
      end
    end else begin : g_no_pairs
      assign scores = sums;
      assign decided = {LANES * PE{1'b0}};
      wire unused_pairs = &{1'b0, combine_s1, pairs, split, up, down};
    end
  endgenerate

  // The lanes work in step: the first one speaks for all.
  assign scores_done = lane_done[0];
  assign scores_group = lane_group[GROUP_BITS-1:0];
  assign settling = |settling_reg;

  wire unused = &{1'b0, lane_done, lane_group};

endmodule

`default_nettype wire
