// SPDX-License-Identifier: Apache-2.0
//
// Rings of many sizes side by side, so that one build tests them all. Every ring gets the low bits
// of the same inputs; what is late depends on the number of taps.

`default_nettype none

module ring_sizes (
    input  wire         clk,
    input  wire [ 15:0] length,
    input  wire         load_image,
    input  wire         load_hidden,
    // Bit t for the rings with t taps.
    input  wire [ 15:0] load_late,
    input  wire         rotate,
    input  wire [255:0] image,
    input  wire [255:0] hidden,
    // Ring n at bit n*128.
    output wire [11*128-1:0] taps,
    // RING, TAPS, SIMD of ring n in the bytes from bit n*24 on, RING lowest.
    output wire [263:0] sizes
);

  localparam COUNT = 11;
  localparam [24*COUNT-1:0] SIZES = {
    // Positions in several blocks (see fcc_ring).
    {8'd33, 8'd3, 8'd7},
    {8'd64, 8'd2, 8'd2},
    {8'd2, 8'd1, 8'd16},
    {8'd2, 8'd1, 8'd1},
    {8'd2, 8'd13, 8'd13},
    {8'd1, 8'd6, 8'd11},
    {8'd3, 8'd5, 8'd8},
    {8'd3, 8'd2, 8'd7},
    {8'd5, 8'd5, 8'd5},
    {8'd3, 8'd1, 8'd5},
    {8'd2, 8'd7, 8'd9}
  };

  assign sizes = SIZES;

  genvar n;
  generate
    for (n = 0; n < COUNT; n = n + 1) begin : g_ring
      localparam RING = SIZES[n*24+:8];
      localparam TAPS = SIZES[n*24+8+:8];
      localparam SIMD = SIZES[n*24+16+:8];
      wire [SIMD*TAPS-1:0] mine;
      fcc_ring #(
          .SIMD(SIMD),
          .RING(RING),
          .TAPS(TAPS)
      ) ring (
          .clk        (clk),
          .length     (length[RING-1:0]),
          .load_image (load_image),
          .load_hidden(load_hidden),
          .load_late  (load_late[TAPS]),
          .rotate     (rotate),
          .image      (image[RING*SIMD-1:0]),
          .hidden     (hidden[RING*SIMD-1:0]),
          .taps       (mine)
      );
      assign taps[n*128+:128] = mine;
    end
  endgenerate

endmodule

`default_nettype wire
