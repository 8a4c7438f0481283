// SPDX-License-Identifier: Apache-2.0
//
// One lane of a core for feature maps: the hardware that carries one position. Its words come from
// outside, three slots each, and so its PEs see them over one parity coder.
//
// Schedule, counted from the cycle in which `step` is given:
//   cycle 0: step, first, last, halve, tags
//   cycle 1: word, mask
//   cycle 3: weight; the word, parity-coded, meets it
//   cycle 5: offset
//   cycle 6: bits_done: in the next cycle the bits are there
//   cycle 7: bits, sums, scores_done
// Never stalls. Where ORDER is 2 the lane's neighbour has a say in bits and scores (fcc_pair): sums
// come in cycle 7 all the same, scores_done in cycle 8, bits_done in cycle 8, the decided bits in
// cycle 9.

`default_nettype none

module fcc_map_lane #(
    // Neurons side by side (>= 1).
    parameter PE = 1,
    // Bits of a slot; a word has three (>= 1).
    parameter SLOT = 1,
    // Bits of a signed accumulator (see fcc_accumulators).
    parameter ACC_BITS = 2,
    // Bits of a group's number (>= 1).
    parameter GROUP_BITS = 1,
    // 1: the lane decides by itself. 2: its bits are decided outside.
    parameter ORDER = 1,
    // 1: `halve` is looked at. 0: it is not.
    parameter HALVE = 0
) (
    input  wire                   clk,
    input  wire                   reset,
    // With a step: the accumulators begin with the offsets; the group ends.
    input  wire                   step,
    input  wire                   first,
    input  wire                   last,
    // With a step: a further plane of numbers begins (see fcc_accumulators).
    input  wire                   halve,
    // Travel with a group: its bits are scores, not activations; its number (neuron 0: group 0).
    input  wire                   output_layer,
    input  wire [ GROUP_BITS-1:0] group,
    input  wire [     3*SLOT-1:0] word,
    // Slots 1 and 2 that belong to the word; the others count as 0.
    input  wire [            1:0] mask,
    input  wire [  3*SLOT*PE-1:0] weight,
    input  wire [PE*ACC_BITS-1:0] offset,
    // A group of a hidden layer is finished. Unused bits where ORDER is 2.
    output wire                   bits_done,
    output wire [         PE-1:0] bits,
    // A group of the output layer is finished: its number. The sums are its scores without bit 0.
    output reg                    scores_done,
    output reg  [ GROUP_BITS-1:0] scores_group,
    output wire [PE*ACC_BITS-1:0] sums
);

  localparam SIMD = 3 * SLOT;

  wire [      SIMD-1:0] masked =
      word & {{SLOT{mask[1]}}, {SLOT{mask[0]}}, {SLOT{1'b1}}};
  wire [      SIMD-1:0] coded;
  // Step, first, last, halve, output layer and group, beside the coder.
  reg  [           2:0] step_reg;
  reg  [           2:0] first_reg;
  reg  [           2:0] last_reg;
  reg  [           2:0] halve_reg;
  reg  [3*GROUP_BITS+2:0] tag_reg;
  wire                  done;
  wire                  done_output;
  wire [GROUP_BITS-1:0] done_group;
  wire                  score_done;
  wire [GROUP_BITS-1:0] score_group;

  fcc_parity_coder #(
      .WIDTH(SIMD)
  ) coder (
      .clk  (clk),
      .bits (masked),
      .coded(coded)
  );

  always @(posedge clk) begin
    step_reg <= {step_reg[1:0], step};
    first_reg <= {first_reg[1:0], first};
    last_reg <= {last_reg[1:0], last};
    halve_reg <= {halve_reg[1:0], halve};
    tag_reg <= {tag_reg[2*GROUP_BITS+1:0], output_layer, group};
    scores_done <= score_done;
    scores_group <= score_group;
    if (reset) begin
      step_reg <= 3'd0;
      scores_done <= 1'b0;
    end
  end

  fcc_pe_array #(
      .PE      (PE),
      .SIMD    (SIMD),
      .TAPS    (1),
      .ACC_BITS(ACC_BITS),
      .TAG_BITS(1 + GROUP_BITS),
      .HALVE   (HALVE)
  ) pe_array (
      .clk        (clk),
      .reset      (reset),
      .activation (coded),
      .weight     (weight),
      .step       (step_reg[2]),
      .first      (first_reg[2]),
      .last       (last_reg[2]),
      .halve      (halve_reg[2]),
      .tag        (tag_reg[3*GROUP_BITS+2-:GROUP_BITS+1]),
      .offset     (offset),
      .done       (done),
      .done_tag   ({done_output, done_group}),
      .bits       (bits),
      .accumulator(sums)
  );

  generate
    if (ORDER == 2) begin : g_decided
      reg [           1:0] done_reg;
      reg [  GROUP_BITS:0] done_tag_reg;
      reg                  hidden_reg;
      always @(posedge clk) begin
        done_reg <= {done_reg[0], done};
        done_tag_reg <= {done_output, done_group};
        hidden_reg <= !done_tag_reg[GROUP_BITS];
        if (reset) done_reg <= 2'd0;
      end
      assign bits_done = done_reg[1] && hidden_reg;
      assign score_done = done_reg[0] && done_tag_reg[GROUP_BITS];
      assign score_group = done_tag_reg[GROUP_BITS-1:0];
    end else begin : g_own
      assign bits_done = done && !done_output;
      assign score_done = done && done_output;
      assign score_group = done_group;
    end
  endgenerate

endmodule

`default_nettype wire
