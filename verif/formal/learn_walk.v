// SPDX-License-Identifier: Apache-2.0
//
// fcc_learn_walk: every synapse of every word of every group is taken exactly once, in order, with
// its row, its bit, its group; latents may move in the first group's turn only. A chunk is given
// only when it is full or the word is at its end, a synapse taken only where there is room for it,
// and of every word exactly its chunks are given before the next one begins. The ring turns with
// the last synapse of each word. `done` comes after exactly the documented number of cycles, and
// nothing happens before a start or behind it.
//
// Complete: a walk begins from arbitrary registers, and is over within the cycles of the proof.
//
// Assumed: sizes that fit and stand still, no start while a walk is under way (fcc_learner).

`default_nettype none

module learn_walk #(
    parameter PE = 12,
    parameter SIMD = 5,
    parameter RING = 3,
    parameter GROUPS = 2
) (
    input wire clk,
    input wire reset,
    input wire start
);

  localparam ROW_BITS = $clog2(RING * SIMD);
  localparam BIT_BITS = (SIMD > 1) ? $clog2(SIMD) : 1;
  localparam GROUP_BITS = (GROUPS > 1) ? $clog2(GROUPS) : 1;
  localparam CHUNKS = (PE * SIMD + 31) / 32;
  // As the header has it.
  localparam WORD_CYCLES = (PE >= 32) ? CHUNKS + 1 : SIMD + CHUNKS - PE * (SIMD - 1) / 32;
  localparam SETTLE = 10;

  (* anyconst *) wire [15:0] words;
  (* anyconst *) wire [15:0] groups;
  (* anyconst *) wire is_image;

  wire done, rotate, take, first, moving, give;
  wire [ROW_BITS-1:0] row;
  wire [BIT_BITS-1:0] position;
  wire [GROUP_BITS-1:0] group;
  wire [4:0] place;

  fcc_learn_walk #(
      .PE        (PE),
      .SIMD      (SIMD),
      .RING      (RING),
      .ROW_BITS  (ROW_BITS),
      .BIT_BITS  (BIT_BITS),
      .GROUP_BITS(GROUP_BITS)
  ) dut (
      .clk     (clk),
      .reset   (reset),
      .start   (start),
      .words   (words),
      .groups  (groups),
      .is_image(is_image),
      .done    (done),
      .rotate  (rotate),
      .take    (take),
      .row     (row),
      .position(position),
      .first   (first),
      .group   (group),
      .moving  (moving),
      .place   (place),
      .give    (give)
  );

  reg started = 1'b0;
  reg walking;
  // Cycles since the start.
  reg [15:0] cycles;
  // The synapse that is due: groups and words that are over, bit of the word.
  reg [7:0] groups_over;
  reg [7:0] words_over;
  reg [7:0] bits_over;
  reg [7:0] chunks_over;

  wire [15:0] length = groups * (words * WORD_CYCLES + SETTLE);
  wire [15:0] begin_word = (is_image || words == 1) ? 16'd0 : 16'd1;
  wire [15:0] word = (begin_word + words_over >= words) ? begin_word + words_over - words
                                                        : begin_word + words_over;
  wire [15:0] its_row = word * SIMD + bits_over;
  wire [15:0] its_group = groups - 16'd1 - groups_over;
  // Bits that wait for their chunks, before and behind this cycle's.
  wire [15:0] waiting = bits_over * PE - chunks_over * 32;
  wire at_end = (bits_over == SIMD);
  wire [15:0] rest = !give ? waiting : (waiting > 32) ? waiting - 16'd32 : 16'd0;
  wire word_over = at_end && chunks_over + give == CHUNKS;
  wire all_words = (words_over == words);

  always @* begin
    if (!started) assume (reset);
    assume (words >= 1 && words <= RING && groups >= 1 && groups <= GROUPS);
    if (started && walking) assume (!start);
  end

  always @(posedge clk) begin
    started <= 1'b1;
    cycles <= cycles + 16'd1;
    if (take) bits_over <= bits_over + 8'd1;
    if (give) chunks_over <= chunks_over + 8'd1;
    if (word_over && !all_words) begin
      words_over <= words_over + 8'd1;
      bits_over <= 8'd0;
      chunks_over <= 8'd0;
    end
    if (all_words && groups_over + 1 < groups && cycles == (groups_over + 1) * (words * WORD_CYCLES
        + SETTLE)) begin
      groups_over <= groups_over + 8'd1;
      words_over <= 8'd0;
    end
    if (cycles == length) walking <= 1'b0;
    if (start) begin
      walking <= 1'b1;
      cycles <= 16'd1;
      groups_over <= 8'd0;
      words_over <= 8'd0;
      bits_over <= 8'd0;
      chunks_over <= 8'd0;
    end
    if (reset) walking <= 1'b0;
  end

  always @* begin
    if (started && !walking) assert (!take && !give && !rotate && !done);
    if (started && walking) begin
      assert (done == (cycles == length));
      if (done) assert (groups_over + 1 == groups && all_words);
      if (all_words) assert (!take && !give && !rotate);
      if (!all_words) begin
        assert (give == (waiting >= 32 || (at_end && waiting != 0)));
        assert (take == (!at_end && rest < 32));
        assert (rotate == (take && bits_over + 1 == SIMD));
        // A word's cycles, to the last of them.
        if (word_over) begin
          assert (cycles == groups_over * (words * WORD_CYCLES + SETTLE)
              + (words_over + 1) * WORD_CYCLES);
        end
      end
      if (take) begin
        assert (row == its_row && position == bits_over && first == (bits_over == 0));
        assert (group == its_group && moving == (groups_over == 0) && place == rest);
      end
    end
  end

endmodule

`default_nettype wire
