// SPDX-License-Identifier: Apache-2.0
//
// fcc_argmax: after every score `best` is the index of the first one among the highest since
// `first`. Any score may come at any time, with pauses.
//
// Assumed: the scores of a sequence are numbered from 0 upwards, the first one with `first`.

`default_nettype none

module argmax #(
    parameter SCORE_BITS = 4,
    parameter INDEX_BITS = 3
) (
    input wire                  clk,
    input wire                  valid,
    input wire                  first,
    input wire [SCORE_BITS-1:0] score,
    input wire [INDEX_BITS-1:0] index
);

  localparam SCORES = 1 << INDEX_BITS;

  wire [INDEX_BITS-1:0] best;

  fcc_argmax #(
      .SCORE_BITS(SCORE_BITS),
      .INDEX_BITS(INDEX_BITS)
  ) dut (
      .clk  (clk),
      .valid(valid),
      .first(first),
      .score(score),
      .index(index),
      .best (best)
  );

  // All scores of the sequence and their number so far.
  reg [SCORES*SCORE_BITS-1:0] scores;
  reg [         INDEX_BITS:0] count = 0;

  always @* begin
    if (valid) begin
      assume (first || (count != 0 && count != SCORES));
      assume (index == (first ? 0 : count));
    end
  end

  always @(posedge clk) begin
    if (valid) begin
      scores[index*SCORE_BITS+:SCORE_BITS] <= score;
      count <= index + 1'b1;
    end
  end

  // For the induction: the score that the module keeps.
  (* hierconn *) wire [SCORE_BITS-1:0] \dut.best_score_reg ;
  wire signed [SCORE_BITS-1:0] highest = scores[best*SCORE_BITS+:SCORE_BITS];

  genvar i;
  generate
    for (i = 0; i < SCORES; i = i + 1) begin : g_score
      wire signed [SCORE_BITS-1:0] other = scores[i*SCORE_BITS+:SCORE_BITS];
      always @* begin
        if (i < count) assert ((i < best) ? other < highest : other <= highest);
      end
    end
  endgenerate

  always @* begin
    assert (count <= SCORES);
    if (count != 0) begin
      assert (best < count);
      assert (\dut.best_score_reg == highest);
    end
  end

endmodule

`default_nettype wire
