// SPDX-License-Identifier: Apache-2.0
//
// fcc_parity_coder: two cycles after a word its running parities are on `coded`, for words of many
// lengths. Nothing is assumed.

`default_nettype none

module parity_coder_property #(
    // Bits of the word.
    parameter WIDTH = 8
) (
    input wire             clk,
    input wire [WIDTH-1:0] bits
);

  wire [WIDTH-1:0] coded;
  reg  [WIDTH-1:0] bits_s1;
  reg  [WIDTH-1:0] bits_s2;
  reg  [      1:0] age = 2'd0;
  reg  [WIDTH-1:0] want;
  integer          k;

  fcc_parity_coder #(
      .WIDTH(WIDTH)
  ) dut (
      .clk  (clk),
      .bits (bits),
      .coded(coded)
  );

  // The parity of bits 0 to k alone: nothing is handed on from bit to bit.
  always @* for (k = 0; k < WIDTH; k = k + 1) want[k] = ^(bits_s2 << (WIDTH - 1 - k));

  always @(posedge clk) begin
    bits_s1 <= bits;
    bits_s2 <= bits_s1;
    if (age != 2'd2) age <= age + 2'd1;
    if (age == 2'd2) assert (coded == want);
  end

endmodule

module parity_coder #(
    parameter SIZES = 9,
    // Lengths of the words.
    parameter [8*SIZES-1:0] WIDTHS = {8'd1, 8'd2, 8'd3, 8'd7, 8'd8, 8'd9, 8'd16, 8'd17, 8'd33}
) (
    input wire                clk,
    input wire [64*SIZES-1:0] bits
);

  genvar i;
  generate
    for (i = 0; i < SIZES; i = i + 1) begin : g_size
      parity_coder_property #(
          .WIDTH(WIDTHS[8*i+:8])
      ) property_i (
          .clk (clk),
          .bits(bits[64*i+:WIDTHS[8*i+:8]])
      );
    end
  endgenerate

endmodule

`default_nettype wire
