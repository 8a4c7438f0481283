// SPDX-License-Identifier: Apache-2.0
//
// Scores in, class out: keeps the index of the highest score of a sequence, the lowest index on a
// tie. One score a cycle.
//
// Latency: `best` is valid in the cycle after the last `valid`.

`default_nettype none

module fcc_argmax #(
    // Bits of a signed score (>= 1).
    parameter SCORE_BITS = 1,
    // Bits of an index (>= 1).
    parameter INDEX_BITS = 1
) (
    input  wire                  clk,
    input  wire                  valid,
    // First score of a sequence.
    input  wire                  first,
    input  wire [SCORE_BITS-1:0] score,
    input  wire [INDEX_BITS-1:0] index,
    output reg  [INDEX_BITS-1:0] best
);

  reg [SCORE_BITS-1:0] best_score_reg;

  always @(posedge clk) begin
    if (valid && (first || $signed(score) > $signed(best_score_reg))) begin
      best_score_reg <= score;
      best <= index;
    end
  end

endmodule

`default_nettype wire
