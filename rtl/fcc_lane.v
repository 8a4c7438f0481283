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
//   cycle 2: weight; the word, parity-coded, meets it
//   cycle 4: offset
//   cycle 6: done, accumulator; hidden bits are stored at the end of this cycle
// `load_hidden` takes all words but word 0, `load_late` word 0: each may be given 6 cycles after the
// last step that contributes to what it takes. Never stalls.

`default_nettype none

module fcc_lane #(
    // Neurons side by side (>= 1).
    parameter PE = 32,
    // Synapses per PE and cycle (>= 1).
    parameter SIMD = 128,
    // Words of the ring.
    parameter RING = 8,
    // Ring positions that PEs see: 1 to RING. PE p sees position p mod TAPS.
    parameter TAPS = 1,
    // Bits of a signed accumulator.
    parameter ACC_BITS = 12,
    // Groups of the widest layer, and bits of a group's number.
    parameter GROUPS = 32,
    parameter GROUP_BITS = 5
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
    input  wire                   first,
    input  wire                   last,
    // Travel with a group: its bits are scores, not activations; its number, neuron 0 is in group 0.
    input  wire                   output_layer,
    input  wire [ GROUP_BITS-1:0] group,
    input  wire [    SIMD*PE-1:0] weight,
    input  wire [PE*ACC_BITS-1:0] offset,
    // A group of the output layer is finished: its number, its scores without bit 0.
    output wire                   scores_done,
    output wire [ GROUP_BITS-1:0] scores_group,
    output wire [PE*ACC_BITS-1:0] scores
);

  localparam CAPACITY = RING * SIMD;
  // TAPS wires repeated often enough to reach all PEs.
  localparam COPIES = (PE + TAPS - 1) / TAPS;

  wire [     SIMD*TAPS-1:0] taps;
  // Parity-coded words as the PEs see them: plane k, tap i at bit k*TAPS + i.
  wire [     SIMD*TAPS-1:0] coded;
  reg  [     SIMD*TAPS-1:0] coded_s2;
  wire [       SIMD*PE-1:0] activation;
  reg                       load_image_s1;
  reg                       load_late_s1;
  reg                       step_s1;
  reg                       step_s2;
  reg                       first_s1;
  reg                       first_s2;
  reg                       last_s1;
  reg                       last_s2;
  // Output layer and group.
  reg  [      GROUP_BITS:0] tag_s1;
  reg  [      GROUP_BITS:0] tag_s2;
  wire                      done;
  wire                      done_output;
  wire [    GROUP_BITS-1:0] done_group;
  wire [            PE-1:0] bits;
  wire                      hidden_done = done & ~done_output;

  // Bits of the layer being computed, neuron j at bit j; beyond the layer's neurons they stay 0.
  reg  [      CAPACITY-1:0] hidden_reg;
  wire                      clear = load_image_s1 | load_late_s1;

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
      .hidden     (hidden_reg),
      .taps       (taps)
  );

  genvar i;
  genvar k;
  generate
    for (i = 0; i < TAPS; i = i + 1) begin : g_tap
      wire [SIMD-1:0] word;
      wire [SIMD-1:0] word_coded;
      fcc_parity_coder #(
          .WIDTH(SIMD)
      ) coder (
          .bits (word),
          .coded(word_coded)
      );
      for (k = 0; k < SIMD; k = k + 1) begin : g_bit
        assign word[k] = taps[k*TAPS+i];
        assign coded[k*TAPS+i] = word_coded[k];
      end
    end
    for (k = 0; k < SIMD; k = k + 1) begin : g_plane
      wire [COPIES*TAPS-1:0] copies = {COPIES{coded_s2[k*TAPS+:TAPS]}};
      assign activation[k*PE+:PE] = copies[PE-1:0];
      // The last copy may be longer than the PEs that are left.
      if (COPIES * TAPS > PE) begin : g_rest
        wire unused = &{1'b0, copies[COPIES*TAPS-1:PE]};
      end
    end
  endgenerate

  always @(posedge clk) begin
    coded_s2 <= coded;
    load_image_s1 <= load_image;
    load_late_s1 <= load_late;
    step_s1 <= step & ~reset;
    step_s2 <= step_s1 & ~reset;
    first_s1 <= first;
    first_s2 <= first_s1;
    last_s1 <= last;
    last_s2 <= last_s1;
    tag_s1 <= {output_layer, group};
    tag_s2 <= tag_s1;
  end

  fcc_pe_array #(
      .PE      (PE),
      .SIMD    (SIMD),
      .ACC_BITS(ACC_BITS),
      .TAG_BITS(1 + GROUP_BITS)
  ) pe_array (
      .clk        (clk),
      .reset      (reset),
      .activation (activation),
      .weight     (weight),
      .step       (step_s2),
      .first      (first_s2),
      .last       (last_s2),
      .tag        (tag_s2),
      .offset     (offset),
      .done       (done),
      .done_tag   ({done_output, done_group}),
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
          if (clear) begin
            hidden_reg[g*PE+:BITS] <= {BITS{1'b0}};
          end else if (hidden_done && done_group == g[GROUP_BITS-1:0]) begin
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

  assign scores_done = done & done_output;
  assign scores_group = done_group;

endmodule

`default_nettype wire
