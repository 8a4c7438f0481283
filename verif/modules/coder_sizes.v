// SPDX-License-Identifier: Apache-2.0
//
// Coders of signs of many sizes side by side, so that one build tests them all.

`default_nettype none

module coder_sizes (
    input  wire          clk,
    // Coder n at bit n, n*8, n*32.
    input  wire [  15:0] clear,
    input  wire [  15:0] take,
    input  wire [  15:0] first,
    input  wire [ 127:0] group,
    input  wire [ 127:0] place,
    input  wire [ 511:0] negative,
    input  wire [  15:0] give,
    output wire [  15:0] chunk_valid,
    output wire [ 511:0] chunk,
    // PE and CLASSES of coder n in the bytes from bit n*16 on, PE lowest.
    output wire [ 255:0] sizes
);

  localparam COUNT = 16;
  localparam [16*COUNT-1:0] SIZES = {
    {8'd4, 8'd4},
    {8'd4, 8'd128},
    {8'd1, 8'd69},
    {8'd10, 8'd69},
    {8'd10, 8'd64},
    {8'd32, 8'd33},
    {8'd5, 8'd33},
    {8'd32, 8'd32},
    {8'd10, 8'd32},
    {8'd32, 8'd31},
    {8'd32, 8'd5},
    {8'd10, 8'd5},
    {8'd10, 8'd3},
    {8'd32, 8'd1},
    {8'd5, 8'd1},
    {8'd1, 8'd1}
  };

  assign sizes = SIZES;

  genvar n;
  generate
    for (n = 0; n < COUNT; n = n + 1) begin : g_coder
      localparam integer PE = SIZES[n*16+:8];
      localparam integer CLASSES = SIZES[n*16+8+:8];
      localparam GROUPS = (CLASSES + PE - 1) / PE;
      localparam GROUP_BITS = (GROUPS > 1) ? $clog2(GROUPS) : 1;
      fcc_sign_coder #(
          .PE        (PE),
          .CLASSES   (CLASSES),
          .GROUP_BITS(GROUP_BITS)
      ) coder (
          .clk        (clk),
          .clear      (clear[n]),
          .take       (take[n]),
          .first      (first[n]),
          .group      (group[n*8+:GROUP_BITS]),
          .place      (place[n*8+:5]),
          .negative   (negative[n*32+:CLASSES]),
          .give       (give[n]),
          .chunk_valid(chunk_valid[n]),
          .chunk      (chunk[n*32+:32])
      );
    end
  endgenerate

endmodule

`default_nettype wire
