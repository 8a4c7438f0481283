// SPDX-License-Identifier: Apache-2.0
//
// The four positions of a block, in step, one in each lane, or one in each pair of lanes where
// activations are of order 2 (fcc_pair). It exists so that the sequencer knows nothing of how long
// a word's way through the lanes is.
//
// Schedule, counted from the cycle of the control word (step to split):
//   cycle 2: pixels, mask
//   cycle 4: weight; cycle 6: offset
//   cycle 7: bits_done; cycle 8: bits, scores_done, scores_group, scores, where ORDER is 1
//   cycle 9: bits_done, scores_done, scores_group, scores, up, down; cycle 10: bits, where it is 2
// `settling` is high from 1 to 15 cycles after `sequencer_busy`. Never stalls.

`default_nettype none

module fcc_map_lanes #(
    // Neurons computed at once in a lane (>= 1).
    parameter PE = 1,
    // Bits of a slot; a word has three (>= 1).
    parameter SLOT = 1,
    // Bits of a signed sum (>= 2): must hold offset/2 + P (see fcc_pe_array).
    parameter ACC_BITS = 2,
    // Bits of a group's number (>= 1).
    parameter GROUP_BITS = 1,
    // 1: each lane decides by itself. 2: lanes 2p and 2p + 1 decide together.
    parameter ORDER = 1,
    // 1: `halve` is looked at. 0: it is not.
    parameter HALVE = 0
) (
    input  wire                         clk,
    input  wire                         reset,
    // The control word (see fcc_map_sequencer).
    input  wire                         step,
    input  wire                         first,
    input  wire                         last,
    input  wire                         halve,
    input  wire [       GROUP_BITS-1:0] group,
    input  wire                         output_layer,
    input  wire                         combine,
    input  wire                         split,
    // It may give more control words.
    input  wire                         sequencer_busy,
    // Of plane p, row y and column x of the block at bit ((p*2 + y)*4 + x)*SLOT.
    input  wire [     8*SLOT*ORDER-1:0] pixels,
    // Slots 1 and 2 that belong to the word.
    input  wire [                  1:0] mask,
    // Synapse k of PE p at bit k*PE + p.
    input  wire [        3*SLOT*PE-1:0] weight,
    // Of PE p at bit p*ACC_BITS.
    input  wire [      PE*ACC_BITS-1:0] offset,
    input  wire [      PE*ACC_BITS-1:0] up,
    input  wire [      PE*ACC_BITS-1:0] down,
    // A group of a hidden layer is finished, and in the next cycle its bits: of plane p of position
    // q at bit (q*ORDER + p)*PE.
    output wire                         bits_done,
    output wire [       4*ORDER*PE-1:0] bits,
    // A group of the output layer is finished: its number, and its scores at the first position,
    // without bit 0.
    output wire                         scores_done,
    output wire [       GROUP_BITS-1:0] scores_group,
    output wire [      PE*ACC_BITS-1:0] scores,
    // A group may still be on its way.
    output wire                         settling
);

  localparam LANES = 4 * ORDER;
  localparam SETTLING = 15;
  // PEs of a pair that share a copy of its controls.
  localparam BLOCK = 16;

  reg                          step_s1;
  reg                          first_s1;
  reg                          last_s1;
  reg                          halve_s1;
  reg  [       GROUP_BITS-1:0] group_s1;
  reg                          output_layer_s1;
  reg                          combine_s1;
  reg  [         SETTLING-1:0] settling_reg;
  wire [            LANES-1:0] lane_bits_done;
  wire [            LANES-1:0] lane_scores_done;
  wire [ LANES*GROUP_BITS-1:0] lane_group;
  wire [         LANES*PE-1:0] own_bits;
  wire [LANES*PE*ACC_BITS-1:0] sums;

  always @(posedge clk) begin
    step_s1 <= step;
    first_s1 <= first;
    last_s1 <= last;
    halve_s1 <= halve;
    group_s1 <= group;
    output_layer_s1 <= output_layer;
    combine_s1 <= combine;
    settling_reg <= {settling_reg[SETTLING-2:0], sequencer_busy};
    if (reset) begin
      step_s1 <= 1'b0;
      settling_reg <= {SETTLING{1'b0}};
    end
  end

  genvar q;
  genvar p;
  genvar b;
  generate
    for (q = 0; q < 4; q = q + 1) begin : g_position
      for (p = 0; p < ORDER; p = p + 1) begin : g_plane
        localparam LANE = q * ORDER + p;
        fcc_map_lane #(
            .PE        (PE),
            .SLOT      (SLOT),
            .ACC_BITS  (ACC_BITS),
            .GROUP_BITS(GROUP_BITS),
            .ORDER     (ORDER),
            .HALVE     (HALVE)
        ) lane (
            .clk         (clk),
            .reset       (reset),
            .step        (step_s1),
            // The offset goes to the lower lane of a pair.
            .first       (first_s1 && !(p == 1 && combine_s1)),
            .last        (last_s1),
            .halve       (halve_s1),
            .output_layer(output_layer_s1),
            .group       (group_s1),
            // Three columns from the position's own on.
            .word        (pixels[((p*2+q/2)*4+q%2)*SLOT+:3*SLOT]),
            .mask        (mask),
            .weight      (weight),
            .offset      (offset),
            .bits_done   (lane_bits_done[LANE]),
            .bits        (own_bits[LANE*PE+:PE]),
            .scores_done (lane_scores_done[LANE]),
            .scores_group(lane_group[LANE*GROUP_BITS+:GROUP_BITS]),
            .sums        (sums[LANE*PE*ACC_BITS+:PE*ACC_BITS])
        );
      end
    end
    if (ORDER == 2) begin : g_pairs
      // From the lanes' cycle 0, and from the control word, to the sums.
      reg  [                  5:0] combine_reg;
      reg  [                  7:0] split_reg;
      wire [      4*PE*ACC_BITS-1:0] low_scores;
      wire [      4*PE*ACC_BITS-1:0] high_scores;

      always @(posedge clk) begin
        combine_reg <= {combine_reg[4:0], combine_s1};
        split_reg   <= {split_reg[6:0], split};
      end

      for (q = 0; q < 4; q = q + 1) begin : g_pair
        for (b = 0; b < PE; b = b + BLOCK) begin : g_block
          localparam PES = (PE - b < BLOCK) ? PE - b : BLOCK;
          localparam LOW = (2 * q * PE + b) * ACC_BITS;
          localparam HIGH = ((2 * q + 1) * PE + b) * ACC_BITS;
          fcc_pair #(
              .PE      (PES),
              .ACC_BITS(ACC_BITS)
          ) pair (
              .clk       (clk),
              .pairs     (1'b1),
              .combine   (combine_reg[5]),
              .split     (split_reg[7]),
              .low       (sums[LOW+:PES*ACC_BITS]),
              .high      (sums[HIGH+:PES*ACC_BITS]),
              .up        (up[b*ACC_BITS+:PES*ACC_BITS]),
              .down      (down[b*ACC_BITS+:PES*ACC_BITS]),
              .low_score (low_scores[(q*PE+b)*ACC_BITS+:PES*ACC_BITS]),
              .high_score(high_scores[(q*PE+b)*ACC_BITS+:PES*ACC_BITS]),
              .low_bits  (bits[2*q*PE+b+:PES]),
              .high_bits (bits[(2*q+1)*PE+b+:PES])
          );
        end
      end
      assign scores = low_scores[PE*ACC_BITS-1:0];
      wire unused_pairs = &{1'b0, low_scores, high_scores, own_bits};
    end else begin : g_no_pairs
      assign bits = own_bits;
      assign scores = sums[PE*ACC_BITS-1:0];
      wire unused_pairs = &{1'b0, combine_s1, split, up, down, sums};
    end
  endgenerate

  // The lanes work in step: the first one speaks for all.
  assign bits_done = lane_bits_done[0];
  assign scores_done = lane_scores_done[0];
  assign scores_group = lane_group[GROUP_BITS-1:0];
  assign settling = |settling_reg;

  wire unused = &{1'b0, lane_bits_done, lane_scores_done, lane_group};

endmodule

`default_nettype wire
