// SPDX-License-Identifier: Apache-2.0
//
// Puts the form that the macro FORM names where rtl/fcc_pe_array.v expects xnor_popcount, so that
// all forms are measured with the same accumulator, threshold and control.

`default_nettype none

module xnor_popcount #(
    parameter PE   = 4,
    parameter SIMD = 128
) (
    input  wire                         clk,
    input  wire [          SIMD*PE-1:0] activation,
    input  wire [          SIMD*PE-1:0] weight,
    output wire [$clog2(SIMD+1)*PE-1:0] count
);

  `FORM #(
      .PE  (PE),
      .SIMD(SIMD)
  ) form (
      .clk       (clk),
      .activation(activation),
      .weight    (weight),
      .count     (count)
  );

endmodule

`default_nettype wire
