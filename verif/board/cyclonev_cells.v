// SPDX-License-Identifier: Apache-2.0
//
// What Yosys has no model of that a simulator takes among the cells of a Cyclone V in its netlists:
// a block of RAM, written by port A and read by port B. Its write enable is low-active but in the
// mode of 40 bits (bram_m10k_map.v of Yosys). A cell that is read while it is written reads as x.

`default_nettype none

module MISTRAL_M10K #(
    parameter CFG_ABITS = 10,
    parameter CFG_DBITS = 10,
    parameter [2**CFG_ABITS*CFG_DBITS-1:0] INIT = 0
) (
    input  wire                 CLK1,
    input  wire [CFG_ABITS-1:0] A1ADDR,
    input  wire [CFG_DBITS-1:0] A1DATA,
    input  wire                 A1EN,
    input  wire [CFG_ABITS-1:0] B1ADDR,
    input  wire                 B1EN,
    output reg  [CFG_DBITS-1:0] B1DATA
);

  reg [CFG_DBITS-1:0] memory[0:2**CFG_ABITS-1];

  wire write = (CFG_DBITS == 40) ? A1EN : !A1EN;

  integer i;
  initial for (i = 0; i < 2 ** CFG_ABITS; i = i + 1) memory[i] = INIT[i*CFG_DBITS+:CFG_DBITS];

  always @(posedge CLK1) begin
    if (write) memory[A1ADDR] <= A1DATA;
    if (B1EN) B1DATA <= (write && A1ADDR == B1ADDR) ? {CFG_DBITS{1'bx}} : memory[B1ADDR];
  end

endmodule

`default_nettype wire
