// SPDX-License-Identifier: Apache-2.0
//
// A chain of full adders over bit planes: counts INPUTS bits of equal weight for WIDTH neurons at
// once, leaving one sum plane (weight 1) and INPUTS/2 carry planes (weight 2).
//
// FA(sum, a, b) with a and b each an XNOR of two wires is two functions of five inputs, which fit
// one ALM together: half an ALM a synapse. Chains of 11 were the best size measured (see
// xnor_popcount.v). An even number of inputs ends in a half adder.
//
// Latency: combinational.

`default_nettype none

module fcc_adder_chain #(
    // Bits in a plane: neurons counted side by side (>= 1).
    parameter WIDTH  = 32,
    // Planes to count (>= 1).
    parameter INPUTS = 11
) (
    // Plane k at bit k*WIDTH.
    input  wire [                             INPUTS*WIDTH-1:0] planes,
    output wire [                                    WIDTH-1:0] sum,
    // Carry plane j at bit j*WIDTH; one unused zero plane where INPUTS is 1.
    output wire [((INPUTS > 1) ? INPUTS / 2 : 1) * WIDTH - 1:0] carries
);

  localparam STAGES = INPUTS / 2;

  // The sum after j stages, at bit j*WIDTH.
  wire [(STAGES+1)*WIDTH-1:0] running;
  assign running[WIDTH-1:0] = planes[WIDTH-1:0];
  assign sum = running[STAGES*WIDTH+:WIDTH];

  genvar j;
  generate
    if (STAGES == 0) begin : g_no_carry
      assign carries = {WIDTH{1'b0}};
    end
    for (j = 0; j < STAGES; j = j + 1) begin : g_stage
      wire [WIDTH-1:0] s = running[j*WIDTH+:WIDTH];
      wire [WIDTH-1:0] a = planes[(2*j+1)*WIDTH+:WIDTH];
      if (2 * j + 2 < INPUTS) begin : g_full
        wire [WIDTH-1:0] b = planes[(2*j+2)*WIDTH+:WIDTH];
        assign running[(j+1)*WIDTH+:WIDTH] = s ^ a ^ b;
        assign carries[j*WIDTH+:WIDTH] = (s & a) | (s & b) | (a & b);
      end else begin : g_half
        assign running[(j+1)*WIDTH+:WIDTH] = s ^ a;
        assign carries[j*WIDTH+:WIDTH] = s & a;
      end
    end
  endgenerate

endmodule

`default_nettype wire
