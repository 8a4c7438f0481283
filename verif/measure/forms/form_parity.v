// SPDX-License-Identifier: Apache-2.0
//
// Form of xnor_popcount for comparison: parity-coded words as there, but no parity is a node of its
// own and the carries are counted by full adders only.
//
// Takes running parities of the activations and of the inverted weights. Latency: 3 cycles, ports
// as xnor_popcount; the last register only keeps step with the other forms.

`default_nettype none

module form_parity #(
    parameter PE   = 4,
    parameter SIMD = 128
) (
    input  wire                         clk,
    input  wire [          SIMD*PE-1:0] activation,
    input  wire [          SIMD*PE-1:0] weight,
    output reg  [$clog2(SIMD+1)*PE-1:0] count
);

  localparam COUNT_BITS = $clog2(SIMD + 1);
  // A plane of zeros where there is none.
  localparam CARRIES = (SIMD > 1) ? SIMD / 2 : 1;
  localparam TWOS_BITS = $clog2(CARRIES + 1);

  wire [      SIMD*PE-1:0] parity = activation ^ weight;
  wire [   CARRIES*PE-1:0] carries;
  reg  [   CARRIES*PE-1:0] carries_s1;
  reg  [           PE-1:0] odd_s1;
  wire [ TWOS_BITS*PE-1:0] twos;
  wire [(TWOS_BITS+1)*PE-1:0] total = {twos, odd_s1};
  reg  [COUNT_BITS*PE-1:0] count_s2;

  genvar k;
  generate
    if (SIMD == 1) begin : g_no_carry
      assign carries = {PE{1'b0}};
    end
    for (k = 1; k < SIMD; k = k + 2) begin : g_carry
      wire [PE-1:0] s = parity[(k-1)*PE+:PE];
      wire [PE-1:0] y = s ^ parity[k*PE+:PE];
      if (k + 1 < SIMD) begin : g_full
        wire [PE-1:0] z = parity[k*PE+:PE] ^ parity[(k+1)*PE+:PE];
        assign carries[(k-1)/2*PE+:PE] = (s & y) | (s & z) | (y & z);
      end else begin : g_half
        assign carries[(k-1)/2*PE+:PE] = s & y;
      end
    end
  endgenerate

  form_full_adders #(
      .WIDTH (PE),
      .INPUTS(CARRIES)
  ) counter (
      .planes(carries_s1),
      .count (twos)
  );

  always @(posedge clk) begin
    carries_s1 <= carries;
    odd_s1 <= parity[(SIMD-1)*PE+:PE];
    count_s2 <= total[COUNT_BITS*PE-1:0];
    count <= count_s2;
  end
  wire unused = &{1'b0, total};

endmodule

`default_nettype wire
