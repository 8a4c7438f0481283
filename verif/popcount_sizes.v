// SPDX-License-Identifier: Apache-2.0
//
// Population counts of many sizes side by side, so that one build tests them all: whole xnor_popcounts
// and the two counters they are made of. Every instance gets the low bits of the same inputs.

`default_nettype none

module popcount_sizes (
    input  wire                clk,
    input  wire [       511:0] activation,
    input  wire [       511:0] weight,
    // Popcount n at bit n*128.
    output wire [    10*128-1:0] counts,
    // PE and SIMD of popcount n in the bytes from bit n*16 on, PE lowest.
    output wire [     10*16-1:0] sizes,
    // Counters of 1 to 17 planes of 3 bits, the one of n + 1 planes at bit n*32.
    output wire [     17*32-1:0] plane_counts,
    // Chains of 1 to 13 planes of 3 bits: the sum at bit n*32, the carries above it.
    output wire [     13*32-1:0] chains
);

  localparam COUNT = 10;
  localparam [16*COUNT-1:0] SIZES = {
    {8'd128, 8'd1},
    {8'd127, 8'd1},
    {8'd23, 8'd1},
    {8'd22, 8'd1},
    {8'd13, 8'd32},
    {8'd12, 8'd3},
    {8'd11, 8'd3},
    {8'd3, 8'd32},
    {8'd2, 8'd3},
    {8'd1, 8'd1}
  };

  assign sizes = SIZES;

  genvar n;
  generate
    for (n = 0; n < COUNT; n = n + 1) begin : g_popcount
      localparam PE = SIZES[n*16+:8];
      localparam SIMD = SIZES[n*16+8+:8];
      wire [$clog2(SIMD+1)*PE-1:0] count;
      xnor_popcount #(
          .PE  (PE),
          .SIMD(SIMD)
      ) popcount (
          .clk       (clk),
          .activation(activation[SIMD*PE-1:0]),
          .weight    (weight[SIMD*PE-1:0]),
          .count     (count)
      );
      assign counts[n*128+:128] = count;
    end
    for (n = 0; n < 17; n = n + 1) begin : g_planes
      wire [3*$clog2(n+2)-1:0] count;
      fcc_plane_counter #(
          .WIDTH (3),
          .INPUTS(n + 1)
      ) counter (
          .planes(activation[3*(n+1)-1:0]),
          .count (count)
      );
      assign plane_counts[n*32+:32] = count;
    end
    for (n = 0; n < 13; n = n + 1) begin : g_chain
      localparam CARRIES = (n > 0) ? (n + 1) / 2 : 1;
      wire [          2:0] sum;
      wire [3*CARRIES-1:0] carries;
      fcc_adder_chain #(
          .WIDTH (3),
          .INPUTS(n + 1)
      ) chain (
          .planes (activation[3*(n+1)-1:0]),
          .sum    (sum),
          .carries(carries)
      );
      assign chains[n*32+:32] = {carries, sum};
    end
  endgenerate

endmodule

`default_nettype wire
