// SPDX-License-Identifier: Apache-2.0
//
// Leads through the synapses of the output layer after a batch that moved something: which row of
// latents is due, which bit of the ring's word, when the ring turns, and where in the 32-bit chunks
// of the weight words the new signs belong.
//
// The words come in the order of the layer's steps, group after group as they are stored: the
// latents move in the turn of the first group, the other groups only take their signs. A cycle
// takes a synapse, of all classes at once, or gives a chunk, or both: PE bits a synapse, of 32 a
// chunk. So a word takes, with C = ceil(PE * SIMD / 32) chunks,
//   C + 1                                     cycles where PE >= 32
//   SIMD + C - floor(PE * (SIMD - 1) / 32)    cycles where PE < 32
// and a walk groups * (words * that + SETTLE) cycles, from the cycle behind `start` to `done`.
//
// Latency: the first synapse is taken in the cycle behind `start`. Never stalls.

`default_nettype none

module fcc_learn_walk #(
    // Neurons of a group (>= 1).
    parameter PE = 1,
    // Synapses of a word (>= 1).
    parameter SIMD = 1,
    // Words of the ring (>= 1).
    parameter RING = 1,
    // Bits of a row's number (>= 1): of RING * SIMD synapses.
    parameter ROW_BITS = 1,
    // Bits of a position in a word (>= 1).
    parameter BIT_BITS = 1,
    // Bits of a group's number (>= 1).
    parameter GROUP_BITS = 1
) (
    input  wire                  clk,
    input  wire                  reset,
    input  wire                  start,
    // Of the output layer: words and groups, stable while it is computed and walked through; its
    // inputs are the image's pixels, so that the ring stands at word 0 and not at word 1.
    input  wire [          15:0] words,
    input  wire [          15:0] groups,
    input  wire                  is_image,
    output wire                  done,
    output wire                  rotate,
    // A synapse is taken: its row, its bit of the word, whether the word begins; the group.
    output wire                  take,
    output wire [  ROW_BITS-1:0] row,
    output wire [  BIT_BITS-1:0] position,
    output wire                  first,
    output wire [GROUP_BITS-1:0] group,
    // Latents may move: it is the first group.
    output wire                  moving,
    // Where in the chunk that is being made the synapse's bits begin, once `give` has been obeyed.
    output wire [           4:0] place,
    // A chunk is complete.
    output wire                  give
);

  // Cycles from the last chunk until it stands in memory and its latents do.
  localparam SETTLE = 10;
  localparam [31:0] SIMD_VALUE = SIMD;
  localparam [31:0] PE_VALUE = PE;
  localparam [31:0] LAST_BIT = SIMD - 1;
  // Bits of a chunk and of a synapse, as many as can wait.
  localparam FILL_BITS = $clog2(PE + 64);
  localparam WORD_BITS = $clog2(RING + 1);

  localparam [1:0] WAIT = 2'd0;
  localparam [1:0] TAKE = 2'd1;
  localparam [1:0] FLUSH = 2'd2;
  localparam [1:0] REST = 2'd3;

  reg  [           1:0] state_reg;
  reg  [  ROW_BITS-1:0] row_reg;
  reg  [  BIT_BITS-1:0] position_reg;
  // The word's number: behind the last one of a group it is the first one's again.
  reg  [ WORD_BITS-1:0] word_reg;
  reg  [GROUP_BITS-1:0] group_reg;
  reg                   moving_reg;
  reg  [ FILL_BITS-1:0] fill_reg;
  reg  [           3:0] settle_reg;

  wire [ WORD_BITS-1:0] all_words = words[WORD_BITS-1:0];
  wire [  ROW_BITS-1:0] first_row = (is_image || words == 16'd1) ? {ROW_BITS{1'b0}}
                                                                : SIMD_VALUE[ROW_BITS-1:0];
  wire [ WORD_BITS-1:0] first_word = {{(WORD_BITS - 1) {1'b0}}, !(is_image || words == 16'd1)};
  wire [31:0] last_group = {16'd0, groups} - 32'd1;
  wire                  full = |fill_reg[FILL_BITS-1:5];
  wire [ FILL_BITS-1:0] rest = full ? fill_reg - 32 : {FILL_BITS{1'b0}};
  wire [ FILL_BITS-1:0] after = give ? rest : fill_reg;
  wire                  last_bit = (position_reg == LAST_BIT[BIT_BITS-1:0]);
  wire                  flushed = (state_reg == FLUSH) && after == 0;
  wire                  settled = (state_reg == REST) && settle_reg == 0;
  wire                  begin_group = start || (settled && group_reg != 0);

  assign done = settled && group_reg == 0;
  assign give = full || (state_reg == FLUSH && fill_reg != 0);
  assign take = (state_reg == TAKE) && !(|after[FILL_BITS-1:5]);
  assign row = row_reg;
  assign position = position_reg;
  assign first = (position_reg == 0);
  assign group = group_reg;
  assign moving = moving_reg;
  assign place = after[4:0];
  assign rotate = take && last_bit;

  always @(posedge clk) begin
    fill_reg <= after + (take ? PE_VALUE[FILL_BITS-1:0] : {FILL_BITS{1'b0}});
    if (take) begin
      position_reg <= last_bit ? {BIT_BITS{1'b0}} : position_reg + 1'b1;
      row_reg <= row_reg + 1'b1;
      if (last_bit) begin
        state_reg <= FLUSH;
        word_reg  <= word_reg + 1'b1;
        if (word_reg + 1'b1 == all_words) begin
          word_reg <= {WORD_BITS{1'b0}};
          row_reg  <= {ROW_BITS{1'b0}};
        end
      end
    end
    settle_reg <= settle_reg - 1'b1;
    if (flushed) begin
      state_reg  <= (word_reg == first_word) ? REST : TAKE;
      settle_reg <= SETTLE - 1;
    end
    if (settled) begin
      group_reg  <= group_reg - 1'b1;
      moving_reg <= 1'b0;
      state_reg  <= WAIT;
    end
    if (begin_group) begin
      state_reg <= TAKE;
      row_reg <= first_row;
      word_reg <= first_word;
    end
    if (start) begin
      group_reg <= last_group[GROUP_BITS-1:0];
      moving_reg <= 1'b1;
      position_reg <= {BIT_BITS{1'b0}};
      fill_reg <= {FILL_BITS{1'b0}};
    end
    if (reset) begin
      state_reg <= WAIT;
      fill_reg  <= {FILL_BITS{1'b0}};
    end
  end

  // The table has been checked to fit the geometry, so that the upper bits are zero.
  wire unused = &{1'b0, words, last_group};

endmodule

`default_nettype wire
