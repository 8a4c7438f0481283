// SPDX-License-Identifier: Apache-2.0
//
// Adds bit planes of different weights for WIDTH neurons at once and gives the sums as bit planes
// (bit-sliced): column w holds HEIGHTS[w] planes of weight 2^w.
//
// One level of counters here, the rest by recursion. In every column as many fives as there are go
// through 5:3 counters (fcc_counter_5to3); what is left over waits for what the columns below will
// carry, because a smaller counter removes fewer bits for its cost. Only when nothing can arrive any
// more the last 2, 3 or 4 planes of a column are added as they are.
//
// Latency: registers behind levels CUT_A and CUT_B, whatever the sizes: 2 cycles.

`default_nettype none

module fcc_plane_counter #(
    // Bits in a plane: neurons counted side by side (>= 1).
    parameter WIDTH = 32,
    // Bits of the sum (>= 1), which must hold the greatest one.
    parameter COLUMNS = 8,
    // Planes of column w in bits 32*w + 31 to 32*w.
    parameter [32*COLUMNS-1:0] HEIGHTS = {192'd0, 32'd64, 32'd1},
    // Sum of all heights.
    parameter TOTAL = 65,
    // Level of the recursion; from outside always 1.
    parameter LEVEL = 1,
    // Levels with a register behind them (1 <= CUT_A < CUT_B).
    parameter CUT_A = 1,
    parameter CUT_B = 5
) (
    input  wire                     clk,
    // Columns beside each other, the lowest first; plane j of a column at bit j*WIDTH of it.
    input  wire [  TOTAL*WIDTH-1:0] planes,
    // Bit w of every neuron's sum at bit w*WIDTH.
    output wire [COLUMNS*WIDTH-1:0] count
);

  // Planes of a column; none beyond the last.
  function integer height(input [32*COLUMNS-1:0] heights, input integer column);
    begin
      height = 0;
      if (column >= 0 && column < COLUMNS) height = heights[32*column+:32];
    end
  endfunction

  // Planes of all columns below.
  function integer below(input [32*COLUMNS-1:0] heights, input integer column);
    integer i;
    begin
      below = 0;
      for (i = 0; i < column; i = i + 1) below = below + height(heights, i);
    end
  endfunction

  // Nothing can be carried into the column any more.
  function integer settled(input [32*COLUMNS-1:0] heights, input integer column);
    integer i;
    begin
      settled = 1;
      for (i = 0; i < column; i = i + 1) if (height(heights, i) > 1) settled = 0;
    end
  endfunction

  function integer fives(input [32*COLUMNS-1:0] heights, input integer column);
    fives = (column == COLUMNS - 1) ? 0 : height(heights, column) / 5;
  endfunction

  // Planes added by the last counter of a column: 2 to 4, or 0. The top column carries nothing.
  function integer finish(input [32*COLUMNS-1:0] heights, input integer column);
    begin
      finish = 0;
      if (settled(heights, column) != 0 && height(heights, column) > 1
          && (height(heights, column) < 5 || column == COLUMNS - 1)) begin
        finish = height(heights, column);
      end
    end
  endfunction

  // Planes carried into the next column and into the one after it.
  function integer twos(input [32*COLUMNS-1:0] heights, input integer column);
    begin
      twos = 0;
      if (column >= 0 && column < COLUMNS - 1) begin
        twos = fives(heights, column) + ((finish(heights, column) != 0) ? 1 : 0);
      end
    end
  endfunction

  function integer fours(input [32*COLUMNS-1:0] heights, input integer column);
    begin
      fours = 0;
      if (column >= 0 && column < COLUMNS - 2) begin
        fours = fives(heights, column) + ((finish(heights, column) == 4) ? 1 : 0);
      end
    end
  endfunction

  // Planes of a column that this level leaves in it.
  function integer stay(input [32*COLUMNS-1:0] heights, input integer column);
    stay = height(heights, column) - 4 * fives(heights, column)
        - ((finish(heights, column) != 0) ? finish(heights, column) - 1 : 0);
  endfunction

  function [32*COLUMNS-1:0] after(input [32*COLUMNS-1:0] heights);
    integer i;
    begin
      after = {32 * COLUMNS{1'b0}};
      for (i = 0; i < COLUMNS; i = i + 1) begin
        after[32*i+:32] = stay(heights, i) + twos(heights, i - 1) + fours(heights, i - 2);
      end
    end
  endfunction

  localparam [32*COLUMNS-1:0] NEXT = after(HEIGHTS);
  localparam NEXT_TOTAL = below(NEXT, COLUMNS);
  localparam DONE = (settled(HEIGHTS, COLUMNS) != 0) && (LEVEL > CUT_B);

  genvar w;
  genvar i;
  generate
    if (DONE) begin : g_done
      for (w = 0; w < COLUMNS; w = w + 1) begin : g_column
        if (height(HEIGHTS, w) == 1) begin : g_plane
          assign count[w*WIDTH+:WIDTH] = planes[below(HEIGHTS, w)*WIDTH+:WIDTH];
        end else begin : g_zero
          assign count[w*WIDTH+:WIDTH] = {WIDTH{1'b0}};
        end
      end
      wire unused = &{1'b0, clk};
    end else begin : g_level
      wire [NEXT_TOTAL*WIDTH-1:0] result;
      wire [NEXT_TOTAL*WIDTH-1:0] next;

      for (w = 0; w < COLUMNS; w = w + 1) begin : g_column
        localparam FIRST = below(HEIGHTS, w);
        localparam FIVES = fives(HEIGHTS, w);
        localparam LAST = finish(HEIGHTS, w);
        localparam REST = height(HEIGHTS, w) - 5 * FIVES;
        // Where the results go: this column, then what is carried into the next two.
        localparam SUMS = below(NEXT, w);
        localparam TWOS = below(NEXT, w + 1) + stay(HEIGHTS, w + 1);
        localparam FOURS = below(NEXT, w + 2) + stay(HEIGHTS, w + 2) + twos(HEIGHTS, w + 1);

        for (i = 0; i < FIVES; i = i + 1) begin : g_five
          wire [WIDTH-1:0] carry_two;
          wire [WIDTH-1:0] carry_four;
          fcc_counter_5to3 #(
              .WIDTH(WIDTH)
          ) counter (
              .a    (planes[(FIRST+5*i+0)*WIDTH+:WIDTH]),
              .b    (planes[(FIRST+5*i+1)*WIDTH+:WIDTH]),
              .c    (planes[(FIRST+5*i+2)*WIDTH+:WIDTH]),
              .d    (planes[(FIRST+5*i+3)*WIDTH+:WIDTH]),
              .e    (planes[(FIRST+5*i+4)*WIDTH+:WIDTH]),
              .sum  (result[(SUMS+REST+i)*WIDTH+:WIDTH]),
              .twos (carry_two),
              .fours(carry_four)
          );
          assign result[(TWOS+i)*WIDTH+:WIDTH] = carry_two;
          if (w + 2 < COLUMNS) begin : g_four
            assign result[(FOURS+i)*WIDTH+:WIDTH] = carry_four;
          end else begin : g_no_four
            wire unused = &{1'b0, carry_four};
          end
        end

        // What is left of the column: added up for good, or waiting in front of the sums.
        if (LAST != 0) begin : g_last
          wire [WIDTH-1:0] a = planes[FIRST*WIDTH+:WIDTH];
          wire [WIDTH-1:0] b = planes[(FIRST+1)*WIDTH+:WIDTH];
          wire [WIDTH-1:0] c;
          wire [WIDTH-1:0] d;
          if (LAST > 2) begin : g_c
            assign c = planes[(FIRST+2)*WIDTH+:WIDTH];
          end else begin : g_no_c
            assign c = {WIDTH{1'b0}};
          end
          if (LAST > 3) begin : g_d
            assign d = planes[(FIRST+3)*WIDTH+:WIDTH];
          end else begin : g_no_d
            assign d = {WIDTH{1'b0}};
          end
          wire [WIDTH-1:0] abc = a ^ b ^ c;
          wire [WIDTH-1:0] first = (a & b) | (a & c) | (b & c);
          wire [WIDTH-1:0] second = abc & d;
          if (LAST > 4) begin : g_many
            // Only in the top column, where no two planes are 1 together.
            reg [WIDTH-1:0] any;
            integer j;
            always @* begin
              any = abc ^ d;
              for (j = 4; j < LAST; j = j + 1) any = any | planes[(FIRST+j)*WIDTH+:WIDTH];
            end
            assign result[SUMS*WIDTH+:WIDTH] = any;
          end else begin : g_few
            assign result[SUMS*WIDTH+:WIDTH] = abc ^ d;
          end
          if (w + 1 < COLUMNS) begin : g_two
            assign result[TWOS*WIDTH+:WIDTH] = first ^ second;
          end
          if (w + 2 < COLUMNS && LAST == 4) begin : g_four
            assign result[FOURS*WIDTH+:WIDTH] = first & second;
          end
          wire unused = &{1'b0, first, second};
        end else if (REST != 0) begin : g_rest
          assign result[SUMS*WIDTH+:REST*WIDTH] = planes[(FIRST+5*FIVES)*WIDTH+:REST*WIDTH];
        end
      end

      if (LEVEL == CUT_A || LEVEL == CUT_B) begin : g_register
        reg [NEXT_TOTAL*WIDTH-1:0] result_reg;
        always @(posedge clk) result_reg <= result;
        assign next = result_reg;
      end else begin : g_wires
        assign next = result;
      end

      fcc_plane_counter #(
          .WIDTH  (WIDTH),
          .COLUMNS(COLUMNS),
          .HEIGHTS(NEXT),
          .TOTAL  (NEXT_TOTAL),
          .LEVEL  (LEVEL + 1),
          .CUT_A  (CUT_A),
          .CUT_B  (CUT_B)
      ) rest (
          .clk   (clk),
          .planes(next),
          .count (count)
      );
    end
  endgenerate

endmodule

`default_nettype wire
