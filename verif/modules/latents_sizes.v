// SPDX-License-Identifier: Apache-2.0
//
// Latents of many sizes side by side, so that one build tests them all. All get the low bits of
// the same inputs; which of them have the row is told to each.

`default_nettype none

module latents_sizes (
    input  wire           clk,
    input  wire           reset,
    input  wire           take,
    input  wire [    5:0] row,
    // Latents n at bit n.
    input  wire [    6:0] exists,
    input  wire           moving,
    input  wire [   63:0] x,
    // Latents n at bit n*2048.
    input  wire [7*2048-1:0] moves,
    input  wire [7*2048-1:0] ups,
    // Latents n at bit n*32, n, n*256.
    output wire [  223:0] negative,
    input  wire [    6:0] load,
    input  wire [    5:0] load_row,
    input  wire [  255:0] load_word,
    input  wire [    5:0] read_row,
    output wire [7*256-1:0] word,
    // LANES, CLASSES, DEPTH of latents n in the bytes from bit n*24 on, LANES lowest.
    output wire [  167:0] sizes
);

  localparam COUNT = 7;
  localparam [24*COUNT-1:0] SIZES = {
    {8'd64, 8'd32, 8'd2},
    {8'd33, 8'd1, 8'd64},
    {8'd9, 8'd5, 8'd64},
    {8'd40, 8'd32, 8'd1},
    {8'd20, 8'd10, 8'd4},
    {8'd5, 8'd4, 8'd3},
    {8'd1, 8'd1, 8'd1}
  };

  assign sizes = SIZES;

  genvar n;
  generate
    for (n = 0; n < COUNT; n = n + 1) begin : g_latents
      localparam integer LANES = SIZES[n*24+:8];
      localparam integer CLASSES = SIZES[n*24+8+:8];
      localparam integer DEPTH = SIZES[n*24+16+:8];
      localparam ADDRESS_BITS = (DEPTH > 1) ? $clog2(DEPTH) : 1;
      wire [CLASSES-1:0] my_negative;
      wire [CLASSES*8-1:0] my_word;
      fcc_latents #(
          .LANES   (LANES),
          .CLASSES (CLASSES),
          .DEPTH   (DEPTH),
          .ROW_BITS(6)
      ) latents (
          .clk      (clk),
          .reset    (reset),
          .take     (take),
          .row      (row),
          .exists   (exists[n]),
          .moving   (moving),
          .x        (x[LANES-1:0]),
          .moves    (moves[n*2048+:CLASSES*LANES]),
          .ups      (ups[n*2048+:CLASSES*LANES]),
          .negative (my_negative),
          .load     (load[n]),
          .load_row (load_row[ADDRESS_BITS-1:0]),
          .load_word(load_word[CLASSES*8-1:0]),
          .read_row (read_row[ADDRESS_BITS-1:0]),
          .word     (my_word)
      );
      assign negative[n*32+:32] = my_negative;
      assign word[n*256+:256] = my_word;
    end
  endgenerate

endmodule

`default_nettype wire
