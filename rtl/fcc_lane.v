// SPDX-License-Identifier: Apache-2.0
//
// One lane: the hardware that carries one image. Its ring presents the activations of the current
// layer to its PEs; the bits of the finished groups are collected beside it and become the ring's
// contents when the next layer starts, so that computing a layer and storing its result never
// compete for the ring.
//
// Schedule, counted from the cycle in which `step` is given:
//   cycle 0: load_*, rotate, step, first, last, tags
//   cycle 1: the word is on the taps; image
//   cycle 3: weight; the word, parity-coded, meets it
//   cycle 5: offset
//   cycle 7: scores_done, sums; hidden bits are stored at the end of this cycle
// `load_hidden` takes all words but word 0, `load_late` word 0: each may be given 7 cycles after
// the last step that contributes to what it takes. Never stalls. Where ORDER is 2 the lane's
// neighbour has a say in its bits and scores (fcc_pair): the sums come in cycle 7, scores_done in
// cycle 8, the decided bits in cycle 9, and loads may be given 9 cycles after.

`default_nettype none

module fcc_lane #(
    // Neurons side by side (>= 1).
    parameter PE = 1,
    // Synapses per PE and cycle (>= 1).
    parameter SIMD = 1,
    // Words of the ring (>= 1).
    parameter RING = 1,
    // Ring positions that PEs see: 1 to the smaller of PE and RING.
    parameter TAPS = 1,
    // Bits of a signed accumulator (see fcc_accumulators).
    parameter ACC_BITS = 2,
    // Groups of the widest layer (>= 1).
    parameter GROUPS = 1,
    // Bits of a group's number (>= 1).
    parameter GROUP_BITS = 1,
    // 1: the lane decides by itself. 2: its bits are `decided` outside.
    parameter ORDER = 1
) (
    input  wire                   clk,
    input  wire                   reset,
    // One-hot number of words of the current layer.
    input  wire [       RING-1:0] length,
    // Ring takes the image, or the bits collected from the layer before (see fcc_ring).
    input  wire                   load_image,
    input  wire                   load_hidden,
    input  wire                   load_late,
    input  wire [  RING*SIMD-1:0] image,
    input  wire                   rotate,
    input  wire                   step,
    // With a step: the accumulators begin with the offsets; the group ends.
    input  wire                   first,
    input  wire                   last,
    // Travel with a group: its bits are scores, not activations; its number (neuron 0: group 0).
    input  wire                   output_layer,
    input  wire [ GROUP_BITS-1:0] group,
    input  wire [    SIMD*PE-1:0] weight,
    input  wire [PE*ACC_BITS-1:0] offset,
    // A group of the output layer is finished: its number. The sums are its scores without bit 0.
    output reg                    scores_done,
    output reg  [ GROUP_BITS-1:0] scores_group,
    output wire [PE*ACC_BITS-1:0] sums,
    // What the ring shows at its first tap.
    output wire [       SIMD-1:0] shown,
    // Bits of the group whose sums came two cycles before; unused where ORDER is 1.
    input  wire [         PE-1:0] decided
);

  localparam CAPACITY = RING * SIMD;
  // Groups that a hidden layer can have, and how many share a copy of the controls: about 64 bits.
  localparam STORED = (GROUPS * PE < CAPACITY) ? GROUPS : (CAPACITY + PE - 1) / PE;
  localparam BLOCK = (PE < 64) ? (63 + PE) / PE : 1;

  // The word at each tap, and parity-coded.
  wire [     SIMD*TAPS-1:0] taps;
  wire [     SIMD*TAPS-1:0] activation;
  // Step, first, last, output layer and group, beside the ring and the coders.
  reg  [               2:0] step_reg;
  reg  [               2:0] first_reg;
  reg  [               2:0] last_reg;
  reg  [3*GROUP_BITS+3-1:0] tag_reg;
  wire                      done;
  wire                      done_output;
  wire [    GROUP_BITS-1:0] done_group;
  wire [            PE-1:0] own_bits;
  // The same in the cycle before its bits, and its bits; before its scores.
  wire                      bits_done;
  wire                      bits_output;
  wire [    GROUP_BITS-1:0] bits_group;
  wire [            PE-1:0] bits;
  wire                      score_done;
  wire [    GROUP_BITS-1:0] score_group;

  // Bits of the layer being computed, neuron j at bit j; beyond the layer's neurons they stay 0.
  wire [      CAPACITY-1:0] hidden;

  fcc_ring #(
      .SIMD(SIMD),
      .RING(RING),
      .TAPS(TAPS)
  ) ring (
      .clk        (clk),
      .length     (length),
      .load_image (load_image),
      .load_hidden(load_hidden),
      .load_late  (load_late),
      .rotate     (rotate),
      .image      (image),
      .hidden     (hidden),
      .taps       (taps)
  );

  genvar i;
  generate
    for (i = 0; i < TAPS; i = i + 1) begin : g_tap
      fcc_parity_coder #(
          .WIDTH(SIMD)
      ) coder (
          .clk  (clk),
          .bits (taps[i*SIMD+:SIMD]),
          .coded(activation[i*SIMD+:SIMD])
      );
    end
  endgenerate

  assign shown = taps[SIMD-1:0];

  always @(posedge clk) begin
    step_reg <= {step_reg[1:0], step};
    first_reg <= {first_reg[1:0], first};
    last_reg <= {last_reg[1:0], last};
    tag_reg <= {tag_reg[2*GROUP_BITS+2-1:0], output_layer, group};
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
      .TAPS    (TAPS),
      .ACC_BITS(ACC_BITS),
      .TAG_BITS(1 + GROUP_BITS),
      .HALVE   (0)
  ) pe_array (
      .clk        (clk),
      .reset      (reset),
      .activation (activation),
      .weight     (weight),
      .step       (step_reg[2]),
      .first      (first_reg[2]),
      .last       (last_reg[2]),
      .halve      (1'b0),
      .tag        (tag_reg[3*GROUP_BITS+3-1-:GROUP_BITS+1]),
      .offset     (offset),
      .done       (done),
      .done_tag   ({done_output, done_group}),
      .bits       (own_bits),
      .accumulator(sums)
  );

  generate
    if (ORDER == 2) begin : g_decided
      reg [              1:0] done_reg;
      reg [2*GROUP_BITS+2-1:0] done_tag_reg;
      always @(posedge clk) begin
        done_reg <= {done_reg[0], done};
        done_tag_reg <= {done_tag_reg[GROUP_BITS:0], done_output, done_group};
        if (reset) done_reg <= 2'd0;
      end
      assign bits_done = done_reg[1];
      assign {bits_output, bits_group} = done_tag_reg[2*GROUP_BITS+1:GROUP_BITS+1];
      assign bits = decided;
      assign score_done = done_reg[0] & done_tag_reg[GROUP_BITS];
      assign score_group = done_tag_reg[GROUP_BITS-1:0];
      wire unused = &{1'b0, own_bits};
    end else begin : g_own
      assign bits_done = done;
      assign {bits_output, bits_group} = {done_output, done_group};
      assign bits = own_bits;
      assign score_done = done & done_output;
      assign score_group = done_group;
      wire unused = &{1'b0, decided};
    end
  endgenerate

  // Group g owns bits g*PE and up: an enable for each group, and no multiplexer.
  genvar g;
  generate
    for (g = 0; g < STORED; g = g + BLOCK) begin : g_block
      localparam BLOCK_GROUPS = (STORED - g < BLOCK) ? STORED - g : BLOCK;
      localparam LEFT = CAPACITY - g * PE;
      localparam WIDTH = (LEFT < BLOCK_GROUPS * PE) ? LEFT : BLOCK_GROUPS * PE;
      wire [BLOCK_GROUPS-1:0] store;
      for (i = 0; i < BLOCK_GROUPS; i = i + 1) begin : g_group
        localparam [31:0] GROUP = g + i;
        assign store[i] = bits_done && !bits_output && bits_group == GROUP[GROUP_BITS-1:0];
      end
      fcc_hidden_block #(
          .PE    (PE),
          .GROUPS(BLOCK_GROUPS),
          .WIDTH (WIDTH)
      ) block (
          .clk   (clk),
          .clear (load_image | load_late),
          .store (store),
          .bits  (bits),
          .hidden(hidden[g*PE+:WIDTH])
      );
    end
    if (STORED * PE < CAPACITY) begin : g_unreached
      assign hidden[CAPACITY-1:STORED*PE] = {(CAPACITY - STORED * PE) {1'b0}};
    end
  endgenerate

endmodule

`default_nettype wire
