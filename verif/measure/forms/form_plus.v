// SPDX-License-Identifier: Apache-2.0
//
// Form of xnor_popcount for comparison: the XNORs of a neuron added up in a loop, which is what
// $countones means, and everything else left to the tool.
//
// Takes plain bits. Latency: 3 cycles, ports as xnor_popcount; the first two registers hold the
// XNORs and the count, the third only keeps step with the other forms.

`default_nettype none

module form_plus #(
    parameter PE   = 4,
    parameter SIMD = 128
) (
    input  wire                         clk,
    input  wire [          SIMD*PE-1:0] activation,
    input  wire [          SIMD*PE-1:0] weight,
    output reg  [$clog2(SIMD+1)*PE-1:0] count
);

  localparam COUNT_BITS = $clog2(SIMD + 1);

  reg [SIMD*PE-1:0] same_s1;
  always @(posedge clk) same_s1 <= activation ~^ weight;

  genvar p;
  genvar b;
  generate
    for (p = 0; p < PE; p = p + 1) begin : g_pe
      reg     [COUNT_BITS-1:0] sum;
      reg     [COUNT_BITS-1:0] sum_s2;
      integer                  k;
      always @* begin
        sum = {COUNT_BITS{1'b0}};
        for (k = 0; k < SIMD; k = k + 1) begin
          sum = sum + {{(COUNT_BITS - 1) {1'b0}}, same_s1[k*PE+p]};
        end
      end
      always @(posedge clk) sum_s2 <= sum;
      for (b = 0; b < COUNT_BITS; b = b + 1) begin : g_count
        always @(posedge clk) count[b*PE+p] <= sum_s2[b];
      end
    end
  endgenerate

endmodule

`default_nettype wire
