// SPDX-License-Identifier: Apache-2.0
//
// fcc_pair: for all sums, margins and controls, scores and bits are those of the formulas in its
// header, in the cycles that it says, calculated here with room to spare: K = 2 * P1 + P2 + floor
// of half the offset, the first bit K >= 0, the residual bit K >= up or K >= -down.
//
// Assumed: K fits, and a margin is at most as large as a sum can be.

`default_nettype none

module pair #(
    parameter PE = 2,
    parameter ACC_BITS = 5
) (
    input wire                   clk,
    input wire                   combine,
    input wire                   split,
    input wire [PE*ACC_BITS-1:0] low,
    input wire [PE*ACC_BITS-1:0] high,
    input wire [PE*ACC_BITS-1:0] up,
    input wire [PE*ACC_BITS-1:0] down
);

  // Everything is calculated in so many bits.
  localparam W = ACC_BITS + 3;
  localparam signed [W-1:0] LIMIT = 1 << (ACC_BITS - 1);

  (* anyconst *) wire pairs;
  wire [PE*ACC_BITS-1:0] low_score, high_score;
  wire [PE-1:0] low_bits, high_bits;

  fcc_pair #(
      .PE      (PE),
      .ACC_BITS(ACC_BITS)
  ) dut (
      .clk       (clk),
      .pairs     (pairs),
      .combine   (combine),
      .split     (split),
      .low       (low),
      .high      (high),
      .up        (up),
      .down      (down),
      .low_score (low_score),
      .high_score(high_score),
      .low_bits  (low_bits),
      .high_bits (high_bits)
  );

  // Cycles since the first one, as far as 3; the controls of the cycles before.
  reg [1:0] age = 2'd0;
  reg combine_s1;
  reg split_s1, split_s2;
  always @(posedge clk) begin
    if (age != 2'd3) age <= age + 2'd1;
    combine_s1 <= combine;
    {split_s1, split_s2} <= {split, split_s1};
  end

  genvar p;
  generate
    for (p = 0; p < PE; p = p + 1) begin : g_pe
      wire signed [W-1:0] p1 = $signed(high[p*ACC_BITS+:ACC_BITS]);
      wire signed [W-1:0] p2 = $signed(low[p*ACC_BITS+:ACC_BITS]);
      wire signed [W-1:0] k = combine_s1 ? 2 * p1 + p2 : p2;
      reg signed [W-1:0] k_s1, k_s2, p1_s1, p1_s2;
      // Margins come a cycle after the sums.
      reg signed [W-1:0] up_s1, down_s1;
      always @(posedge clk) begin
        k_s1 <= k;
        k_s2 <= k_s1;
        p1_s1 <= p1;
        p1_s2 <= p1_s1;
        up_s1 <= up[p*ACC_BITS+:ACC_BITS];
        down_s1 <= down[p*ACC_BITS+:ACC_BITS];
      end
      wire first = (k_s2 >= 0);
      wire residual = (k_s2 >= (first ? up_s1 : -down_s1));
      always @* begin
        assume (k >= -LIMIT && k < LIMIT);
        assume (up[p*ACC_BITS+:ACC_BITS] <= LIMIT && down[p*ACC_BITS+:ACC_BITS] <= LIMIT);
        if (age >= 2) begin
          assert (low_score[p*ACC_BITS+:ACC_BITS] == k_s1[ACC_BITS-1:0]);
          assert (high_score[p*ACC_BITS+:ACC_BITS] == p1_s1[ACC_BITS-1:0]);
        end
        if (age == 3) begin
          assert (low_bits[p] == (split_s2 ? residual : first));
          assert (high_bits[p] == (pairs ? first : p1_s2 >= 0));
        end
      end
    end
  endgenerate

endmodule

`default_nettype wire
