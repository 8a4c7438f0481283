// SPDX-License-Identifier: Apache-2.0
//
// Walks of many sizes side by side, so that one build tests them all.

`default_nettype none

module walk_sizes (
    input  wire          clk,
    input  wire          reset,
    // Walk n at bit n, n*16.
    input  wire [  13:0] start,
    input  wire [14*16-1:0] words,
    input  wire [14*16-1:0] groups,
    input  wire [  13:0] is_image,
    output wire [  13:0] done,
    output wire [  13:0] rotate,
    output wire [  13:0] take,
    output wire [14*16-1:0] row,
    output wire [14*16-1:0] position,
    output wire [  13:0] first,
    output wire [14*16-1:0] group,
    output wire [  13:0] moving,
    output wire [14*16-1:0] place,
    output wire [  13:0] give,
    // PE, SIMD, RING, most groups of walk n in 16 bits each from bit n*64 on, PE lowest.
    output wire [14*64-1:0] sizes
);

  localparam COUNT = 14;
  localparam [64*COUNT-1:0] SIZES = {
    {16'd2, 16'd300, 16'd1, 16'd5},
    {16'd3, 16'd4, 16'd1, 16'd69},
    {16'd2, 16'd2, 16'd205, 16'd1},
    {16'd1, 16'd1, 16'd205, 16'd32},
    {16'd2, 16'd2, 16'd3, 16'd64},
    {16'd1, 16'd2, 16'd205, 16'd69},
    {16'd2, 16'd3, 16'd7, 16'd33},
    {16'd1, 16'd2, 16'd7, 16'd32},
    {16'd3, 16'd2, 16'd7, 16'd31},
    {16'd4, 16'd5, 16'd7, 16'd5},
    {16'd2, 16'd2, 16'd64, 16'd3},
    {16'd32, 16'd3, 16'd7, 16'd1},
    {16'd1, 16'd7, 16'd4, 16'd16},
    {16'd1, 16'd1, 16'd1, 16'd1}
  };

  assign sizes = SIZES;

  genvar n;
  generate
    for (n = 0; n < COUNT; n = n + 1) begin : g_walk
      localparam integer PE = SIZES[n*64+:16];
      localparam integer SIMD = SIZES[n*64+16+:16];
      localparam integer RING = SIZES[n*64+32+:16];
      localparam integer GROUPS = SIZES[n*64+48+:16];
      localparam ROW_BITS = (RING * SIMD > 1) ? $clog2(RING * SIMD) : 1;
      localparam BIT_BITS = (SIMD > 1) ? $clog2(SIMD) : 1;
      localparam GROUP_BITS = (GROUPS > 1) ? $clog2(GROUPS) : 1;
      wire [ROW_BITS-1:0] my_row;
      wire [BIT_BITS-1:0] my_position;
      wire [GROUP_BITS-1:0] my_group;
      wire [4:0] my_place;
      fcc_learn_walk #(
          .PE        (PE),
          .SIMD      (SIMD),
          .RING      (RING),
          .ROW_BITS  (ROW_BITS),
          .BIT_BITS  (BIT_BITS),
          .GROUP_BITS(GROUP_BITS)
      ) walk (
          .clk     (clk),
          .reset   (reset),
          .start   (start[n]),
          .words   (words[n*16+:16]),
          .groups  (groups[n*16+:16]),
          .is_image(is_image[n]),
          .done    (done[n]),
          .rotate  (rotate[n]),
          .take    (take[n]),
          .row     (my_row),
          .position(my_position),
          .first   (first[n]),
          .group   (my_group),
          .moving  (moving[n]),
          .place   (my_place),
          .give    (give[n])
      );
      assign row[n*16+:16] = my_row;
      assign position[n*16+:16] = my_position;
      assign group[n*16+:16] = my_group;
      assign place[n*16+:16] = my_place;
    end
  endgenerate

endmodule

`default_nettype wire
