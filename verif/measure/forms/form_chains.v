// SPDX-License-Identifier: Apache-2.0
//
// Form of xnor_popcount for comparison, bit-sliced across the PEs: chains of full adders over up to
// CHAIN XNORs each, registered, then the chains' sums and carries counted by full adders. A full
// adder over a sum and two XNORs is two functions of five inputs, which share an ALM: half an ALM a
// synapse. The best form known here before the parity coding.
//
// Takes plain bits. Latency: 3 cycles, ports as xnor_popcount; the last register only keeps step
// with the other forms.

`default_nettype none

module form_chains #(
    parameter PE    = 4,
    parameter SIMD  = 128,
    // 11 was the best of 7 to 15.
    parameter CHAIN = 11
) (
    input  wire                         clk,
    input  wire [          SIMD*PE-1:0] activation,
    input  wire [          SIMD*PE-1:0] weight,
    output reg  [$clog2(SIMD+1)*PE-1:0] count
);

  localparam COUNT_BITS = $clog2(SIMD + 1);
  localparam CHAINS = (SIMD + CHAIN - 1) / CHAIN;
  localparam LAST = SIMD - (CHAINS - 1) * CHAIN;
  // A chain of n synapses leaves n/2 carries; a plane of zeros where there are none at all.
  localparam CARRIES = (SIMD > 1) ? (CHAINS - 1) * (CHAIN / 2) + LAST / 2 : 1;
  localparam ONES_BITS = $clog2(CHAINS + 1);
  localparam TWOS_BITS = $clog2(CARRIES + 1);

  wire [       SIMD*PE-1:0] same = activation ~^ weight;
  // The sum up to each synapse of its chain.
  wire [       SIMD*PE-1:0] running;
  wire [     CHAINS*PE-1:0] sums;
  wire [    CARRIES*PE-1:0] carries;
  reg  [     CHAINS*PE-1:0] sums_s1;
  reg  [    CARRIES*PE-1:0] carries_s1;
  wire [  ONES_BITS*PE-1:0] ones;
  wire [  TWOS_BITS*PE-1:0] twos;
  reg  [ COUNT_BITS*PE-1:0] count_s2;

  genvar n;
  genvar j;
  generate
    if (SIMD == 1) begin : g_no_carry
      assign carries = {PE{1'b0}};
    end
    for (n = 0; n < CHAINS; n = n + 1) begin : g_chain
      localparam FIRST = n * CHAIN;
      localparam INPUTS = (n == CHAINS - 1) ? LAST : CHAIN;
      assign running[FIRST*PE+:PE] = same[FIRST*PE+:PE];
      assign sums[n*PE+:PE] = running[(FIRST+INPUTS-1)*PE+:PE];
      for (j = 0; j < INPUTS / 2; j = j + 1) begin : g_adder
        localparam K = FIRST + 2 * j + 1;
        localparam CARRY = n * (CHAIN / 2) + j;
        wire [PE-1:0] s = running[(K-1)*PE+:PE];
        wire [PE-1:0] a = same[K*PE+:PE];
        assign running[K*PE+:PE] = s ^ a;
        if (2 * j + 2 < INPUTS) begin : g_full
          wire [PE-1:0] b = same[(K+1)*PE+:PE];
          assign running[(K+1)*PE+:PE] = s ^ a ^ b;
          assign carries[CARRY*PE+:PE] = (s & a) | (s & b) | (a & b);
        end else begin : g_half
          assign carries[CARRY*PE+:PE] = s & a;
        end
      end
    end
  endgenerate

  form_full_adders #(
      .WIDTH (PE),
      .INPUTS(CHAINS)
  ) count_ones (
      .planes(sums_s1),
      .count (ones)
  );

  form_full_adders #(
      .WIDTH (PE),
      .INPUTS(CARRIES)
  ) count_twos (
      .planes(carries_s1),
      .count (twos)
  );

  always @(posedge clk) begin
    sums_s1 <= sums;
    carries_s1 <= carries;
    count <= count_s2;
  end

  // total = ones + 2 * twos, a ripple over the planes.
  wire [(COUNT_BITS+1)*PE-1:0] carry;
  assign carry[PE-1:0] = {PE{1'b0}};
  generate
    for (n = 0; n < COUNT_BITS; n = n + 1) begin : g_total
      wire [PE-1:0] x;
      wire [PE-1:0] y;
      wire [PE-1:0] c = carry[n*PE+:PE];
      if (n < ONES_BITS) begin : g_x
        assign x = ones[n*PE+:PE];
      end else begin : g_no_x
        assign x = {PE{1'b0}};
      end
      if (n >= 1 && n <= TWOS_BITS) begin : g_y
        assign y = twos[(n-1)*PE+:PE];
      end else begin : g_no_y
        assign y = {PE{1'b0}};
      end
      always @(posedge clk) count_s2[n*PE+:PE] <= x ^ y ^ c;
      assign carry[(n+1)*PE+:PE] = (x & y) | (x & c) | (y & c);
    end
  endgenerate
  wire unused = &{1'b0, twos, carry};

endmodule

`default_nettype wire
