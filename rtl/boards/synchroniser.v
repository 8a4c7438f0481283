// SPDX-License-Identifier: Apache-2.0
//
// Brings slow, unrelated levels (switches) into the clock's domain. The bits are not sampled
// together: who needs them consistent has to wait until they are.
//
// Latency: 2 cycles.

`default_nettype none

module synchroniser #(
    // Bits (>= 1).
    parameter WIDTH = 1
) (
    input  wire             clk,
    input  wire [WIDTH-1:0] level,
    output reg  [WIDTH-1:0] stable
);

  reg [WIDTH-1:0] level_s1;

  always @(posedge clk) begin
    level_s1 <= level;
    stable   <= level_s1;
  end

endmodule

`default_nettype wire
