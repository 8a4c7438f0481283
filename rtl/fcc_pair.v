// SPDX-License-Identifier: Apache-2.0
//
// What two lanes that may carry one image decide together, for some PEs of theirs, with controls of
// their own: a net that reached all PEs of a lane would be the slowest one of the core. Synthesis
// would merge the copies, hence the attributes: keep_hierarchy for Yosys, dont_merge for Quartus.
//
// An activation of order 2 is worth 2 * (+-1) for its first bit and +-1 for its residual bit (Li et
// al., 2017, with scales in the ratio 2). The higher lane has counted the first bits, P1, the lower
// one the residual bits, P2, from the offset on. With `combine` they make one sum,
//   K = 2 * P1 + P2 + floor(offset / 2) = P - T
// with P the popcount of the layer and T the neuron's threshold; without, the lower lane's sum is K
// as it is. The neuron's first bit is (K >= 0). Its residual bit, with `split`, is (K >= up) where
// the first bit is 1 and (K >= -down) where it is 0: a quantiser of four levels. It goes to the
// lower lane then, the first bit to the higher one; without `split` the first bit goes to the lower
// lane. Where the lanes do not work in pairs, each has its own sum and its own bit.
//
// Schedule, counted from the cycle of the sums:
//   cycle -1: combine
//   cycle  0: low, high, split
//   cycle  1: up, down, and the scores
//   cycle  2: the bits
// One group a cycle, never stalls.

`default_nettype none

(* keep_hierarchy = "yes" *)
module fcc_pair #(
    // PEs (>= 1).
    parameter PE = 1,
    // Bits of a signed sum, which must hold K, -M - 1 to M with M the greatest P; also of a margin,
    // 0 to M + 1 (>= 2).
    parameter ACC_BITS = 2
) (
    input  wire                   clk,
    // The two lanes carry one image; stable while there are images.
    input  wire                   pairs,
    input  wire                   combine,
    input  wire                   split,
    // Of PE p at bit p*ACC_BITS.
    input  wire [PE*ACC_BITS-1:0] low,
    input  wire [PE*ACC_BITS-1:0] high,
    input  wire [PE*ACC_BITS-1:0] up,
    input  wire [PE*ACC_BITS-1:0] down,
    output wire [PE*ACC_BITS-1:0] low_score,
    output wire [PE*ACC_BITS-1:0] high_score,
    output wire [         PE-1:0] low_bits,
    output wire [         PE-1:0] high_bits
);

  (* dont_merge *) reg combine_reg;
  (* dont_merge *) reg split_reg;
  (* dont_merge *) reg pairs_reg;

  always @(posedge clk) begin
    combine_reg <= combine;
    split_reg <= split;
    pairs_reg <= pairs;
  end

  genvar p;
  generate
    for (p = 0; p < PE; p = p + 1) begin : g_pe
      reg  [ACC_BITS-1:0] low_reg;
      reg  [ACC_BITS-1:0] high_reg;
      reg                 low_bit_reg;
      reg                 high_bit_reg;
      wire [ACC_BITS-1:0] twice = {high[p*ACC_BITS+:ACC_BITS-1], 1'b0};
      wire                first = !low_reg[ACC_BITS-1];
      // K - up or K + down: only its sign counts.
      wire [ACC_BITS-1:0] rest = low_reg
          + (first ? ~up[p*ACC_BITS+:ACC_BITS] : down[p*ACC_BITS+:ACC_BITS])
          + {{(ACC_BITS - 1) {1'b0}}, first};
      always @(posedge clk) begin
        low_reg <= low[p*ACC_BITS+:ACC_BITS] + (combine_reg ? twice : {ACC_BITS{1'b0}});
        high_reg <= high[p*ACC_BITS+:ACC_BITS];
        low_bit_reg <= split_reg ? !rest[ACC_BITS-1] : first;
        high_bit_reg <= pairs_reg ? first : !high_reg[ACC_BITS-1];
      end
      assign low_score[p*ACC_BITS+:ACC_BITS] = low_reg;
      assign high_score[p*ACC_BITS+:ACC_BITS] = high_reg;
      assign low_bits[p] = low_bit_reg;
      assign high_bits[p] = high_bit_reg;
      // The sign of a doubled sum is that of the sum, and there is room for it.
      wire unused = &{1'b0, high[p*ACC_BITS+ACC_BITS-1], rest};
    end
  endgenerate

endmodule

`default_nettype wire
