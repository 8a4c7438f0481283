// SPDX-License-Identifier: Apache-2.0
//
// XNOR and population count of one word for PE neurons at once, bit-sliced across the PEs.
//
// First level: chains of full adders over up to CHAIN XNORs (fcc_adder_chain), registered. Second
// level: the chains' sum planes (weight 1) and carry planes (weight 2) are counted
// (fcc_plane_counter) and the two counts added, registered.
//
// Latency: 2 cycles, one word a cycle, never stalls. The pipeline carries no valid bit.

`default_nettype none

module xnor_popcount #(
    // Neurons side by side (>= 1).
    parameter PE   = 32,
    // Synapses per PE (>= 1).
    parameter SIMD = 128,
    // Longest chain of the first level. By Yosys (synth_intel_alm) chains of 11 cost 0.98 XNOR per
    // cycle per ALM at SIMD = 128, adder trees 0.59.
    parameter CHAIN = 11
) (
    input  wire                            clk,
    // Synapse k of all PEs at bit k*PE.
    input  wire [             SIMD*PE-1:0] activation,
    input  wire [             SIMD*PE-1:0] weight,
    // Bit b of every PE's count at bit b*PE.
    output reg  [$clog2(SIMD+1)*PE-1:0] count
);

  localparam COUNT_BITS = $clog2(SIMD + 1);
  localparam CHAINS = (SIMD + CHAIN - 1) / CHAIN;
  localparam LAST = SIMD - (CHAINS - 1) * CHAIN;
  // A chain of n planes leaves n/2 carries; a lone synapse leaves none, but a plane of zeros.
  localparam CARRIES_LAST = (LAST > 1) ? LAST / 2 : 1;
  localparam CARRIES = (CHAINS - 1) * (CHAIN / 2) + CARRIES_LAST;

  localparam ONES_BITS = $clog2(CHAINS + 1);
  localparam TWOS_BITS = $clog2(CARRIES + 1);

  wire [      SIMD*PE-1:0] same = activation ~^ weight;
  wire [    CHAINS*PE-1:0] sums;
  wire [   CARRIES*PE-1:0] carries;
  reg  [    CHAINS*PE-1:0] sums_s1;
  reg  [   CARRIES*PE-1:0] carries_s1;
  wire [ONES_BITS*PE-1:0] ones;
  wire [TWOS_BITS*PE-1:0] twos;
  wire [COUNT_BITS*PE-1:0] total;
  wire [COUNT_BITS*PE-1:0] carry;

  genvar n;
  generate
    for (n = 0; n < CHAINS; n = n + 1) begin : g_chain
      localparam INPUTS = (n == CHAINS - 1) ? LAST : CHAIN;
      localparam OUTPUTS = (INPUTS > 1) ? INPUTS / 2 : 1;
      fcc_adder_chain #(
          .WIDTH (PE),
          .INPUTS(INPUTS)
      ) chain (
          .planes (same[n*CHAIN*PE+:INPUTS*PE]),
          .sum    (sums[n*PE+:PE]),
          .carries(carries[n*(CHAIN/2)*PE+:OUTPUTS*PE])
      );
    end
  endgenerate

  fcc_plane_counter #(
      .WIDTH (PE),
      .INPUTS(CHAINS)
  ) count_ones (
      .planes(sums_s1),
      .count (ones)
  );

  fcc_plane_counter #(
      .WIDTH (PE),
      .INPUTS(CARRIES)
  ) count_twos (
      .planes(carries_s1),
      .count (twos)
  );

  // total = ones + 2 * twos, a ripple over the planes; it never exceeds SIMD, so that nothing is
  // carried out of the last plane.
  assign carry[PE-1:0] = {PE{1'b0}};
  genvar b;
  generate
    for (b = 0; b < COUNT_BITS; b = b + 1) begin : g_total
      wire [PE-1:0] x;
      wire [PE-1:0] y;
      wire [PE-1:0] c = carry[b*PE+:PE];
      if (b < ONES_BITS) begin : g_x
        assign x = ones[b*PE+:PE];
      end else begin : g_no_x
        assign x = {PE{1'b0}};
      end
      if (b >= 1 && b <= TWOS_BITS) begin : g_y
        assign y = twos[(b-1)*PE+:PE];
      end else begin : g_no_y
        assign y = {PE{1'b0}};
      end
      assign total[b*PE+:PE] = x ^ y ^ c;
      if (b + 1 < COUNT_BITS) begin : g_carry
        assign carry[(b+1)*PE+:PE] = (x & y) | (x & c) | (y & c);
      end
    end
    // A single synapse carries nothing.
    if (SIMD == 1) begin : g_rest
      wire unused = &{1'b0, twos};
    end
  endgenerate

  always @(posedge clk) begin
    sums_s1 <= sums;
    carries_s1 <= carries;
    count <= total;
  end

endmodule

`default_nettype wire
