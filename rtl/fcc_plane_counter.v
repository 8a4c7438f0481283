// SPDX-License-Identifier: Apache-2.0
//
// Adds a plane of weight 1 and CARRIES planes of weight 2, each a bit of WIDTH neurons, and gives
// the sums as bit planes (bit-sliced), because one counter of planes then serves all neurons.
//
// Column w holds the planes of weight 2^w, and its height is their number. In every column of a
// level as many fives as there are go through 5:3 counters (fcc_counter_5to3); what is left over
// waits for what the columns below will carry, because a smaller counter removes fewer bits for its
// cost. Only when nothing can arrive any more the last 2, 3 or 4 planes of a column are added as
// they are: in one column of a level, the lowest of more than one plane. The last level leaves none
// of those.
//
// The levels are flat generate loops, and all that they do follows from the heights. A module that
// contains itself once a level is deeper than some tools allow.
//
// Latency: registers behind levels CUT_A and CUT_B, whatever the sizes: 2 cycles.

`default_nettype none

module fcc_plane_counter #(
    // Bits in a plane: neurons counted side by side (>= 1).
    parameter WIDTH = 1,
    // Planes of weight 2 (>= 0).
    parameter CARRIES = 0
) (
    input  wire                                 clk,
    // The plane of weight 1 at bit 0, plane j of weight 2 at bit (j+1)*WIDTH.
    input  wire [        (CARRIES+1)*WIDTH-1:0] planes,
    // Bit w of every neuron's sum at bit w*WIDTH.
    output wire [$clog2(2*CARRIES+2)*WIDTH-1:0] count
);

  localparam COLUMNS = $clog2(2 * CARRIES + 2);
  // Levels with a register behind them (1 <= CUT_A < CUT_B).
  localparam CUT_A = 1;
  localparam CUT_B = 5;

  // A row is a number for every column, that of column w in the FIELD bits from w*FIELD on. None is
  // above CARRIES + 1; two bits more take the constants it is compared with.
  localparam FIELD = COLUMNS + 2;
  localparam ROW = COLUMNS * FIELD;
  // The rows of a level: 5:3 counters; planes added as they are, 2 to 4 (in the top column more) or
  // 0; planes that stay in their column; these and the twos from the column below; these and the
  // fours from the second column below, which are the heights behind the level.
  localparam FIVES = 0;
  localparam LAST = 1;
  localparam STAY = 2;
  localparam STAY_TWOS = 3;
  localparam AFTER = 4;

  // Row `what` of the level that has `heights` in front of it. The top column carries nothing.
  function [ROW-1:0] level(input [ROW-1:0] heights, input integer what);
    integer k;
    reg [FIELD-1:0] height;
    reg [FIELD-1:0] fives;
    reg [FIELD-1:0] last;
    reg [FIELD-1:0] stay;
    // Carried into this column.
    reg [FIELD-1:0] twos;
    reg [FIELD-1:0] fours;
    // Carried into the next column from the one below this.
    reg [FIELD-1:0] next_fours;
    // No column below has more than one plane.
    reg settled;
    begin
      level = {ROW{1'b0}};
      twos = 0;
      fours = 0;
      next_fours = 0;
      settled = 1'b1;
      for (k = 0; k < COLUMNS; k = k + 1) begin
        height = heights[k*FIELD+:FIELD];
        fives = (k == COLUMNS - 1) ? 0 : height / 5;
        last = (settled && height > 1 && (height < 5 || k == COLUMNS - 1)) ? height : 0;
        stay = height - 4 * fives - ((last > 0) ? last - 1 : 0);
        level[k*FIELD+:FIELD] = (what == FIVES) ? fives : (what == LAST) ? last
            : (what == STAY) ? stay : (what == STAY_TWOS) ? stay + twos : stay + twos + fours;
        twos = fives + ((last > 0) ? 1 : 0);
        fours = next_fours;
        next_fours = fives + ((last == 4) ? 1 : 0);
        if (height > 1) settled = 1'b0;
      end
    end
  endfunction

  // Heights in front of level 1.
  function [ROW-1:0] start(input [FIELD-1:0] carries);
    integer k;
    begin
      start = {ROW{1'b0}};
      for (k = 0; k < COLUMNS; k = k + 1) begin
        start[k*FIELD+:FIELD] = (k == 0) ? 1 : (k == 1) ? carries : 0;
      end
    end
  endfunction

  // Heights in front of a later one.
  function [ROW-1:0] reached(input integer number);
    integer k;
    begin
      reached = start(CARRIES[FIELD-1:0]);
      for (k = 1; k < number; k = k + 1) reached = level(reached, AFTER);
    end
  endfunction

  // Levels, at least so many, until a further one would change nothing.
  function integer levels(input integer least);
    reg [ROW-1:0] heights;
    reg [ROW-1:0] further;
    integer k;
    begin
      heights = start(CARRIES[FIELD-1:0]);
      further = level(heights, AFTER);
      for (k = 0; k < least || further != heights; k = k + 1) begin
        heights = further;
        further = level(heights, AFTER);
      end
      levels = k;
    end
  endfunction

  // Of one column; 0 beyond the last.
  function integer at(input [ROW-1:0] row, input integer column);
    begin
      at = 0;
      if (column < COLUMNS) at = {{(32 - FIELD) {1'b0}}, row[column*FIELD+:FIELD]};
    end
  endfunction

  // Of all columns below.
  function integer below(input [ROW-1:0] row, input integer column);
    integer k;
    begin
      below = 0;
      for (k = 0; k < column && k < COLUMNS; k = k + 1) begin
        below = below + {{(32 - FIELD) {1'b0}}, row[k*FIELD+:FIELD]};
      end
    end
  endfunction

  localparam LEVELS = levels(CUT_B);
  localparam [ROW-1:0] DONE = reached(LEVELS + 1);

  genvar l;
  genvar w;
  genvar i;
  generate
    for (l = 1; l <= LEVELS; l = l + 1) begin : g_level
      localparam [ROW-1:0] HEIGHTS = reached(l);
      localparam [ROW-1:0] ALL_FIVES = level(HEIGHTS, FIVES);
      localparam [ROW-1:0] ALL_LAST = level(HEIGHTS, LAST);
      localparam [ROW-1:0] ALL_STAY = level(HEIGHTS, STAY);
      localparam [ROW-1:0] ALL_STAY_TWOS = level(HEIGHTS, STAY_TWOS);
      localparam [ROW-1:0] NEXT = level(HEIGHTS, AFTER);
      localparam TOTAL = below(HEIGHTS, COLUMNS);
      localparam NEXT_TOTAL = below(NEXT, COLUMNS);

      // Columns beside each other, the lowest first.
      wire [     TOTAL*WIDTH-1:0] given;
      wire [NEXT_TOTAL*WIDTH-1:0] result;
      wire [NEXT_TOTAL*WIDTH-1:0] next;

      if (l == 1) begin : g_first
        assign given = planes;
      end else begin : g_later
        assign given = g_level[l-1].next;
      end

      for (w = 0; w < COLUMNS; w = w + 1) begin : g_column
        localparam FIRST = below(HEIGHTS, w);
        localparam COUNTERS = at(ALL_FIVES, w);
        localparam REST = at(HEIGHTS, w) - 5 * COUNTERS;
        localparam ADDED = at(ALL_LAST, w);
        // Where the results go: this column, then what is carried into the next two.
        localparam SUMS = below(NEXT, w);
        localparam TWOS = below(NEXT, w + 1) + at(ALL_STAY, w + 1);
        localparam FOURS = below(NEXT, w + 2) + at(ALL_STAY_TWOS, w + 2);

        for (i = 0; i < COUNTERS; i = i + 1) begin : g_five
          wire [WIDTH-1:0] carry_two;
          wire [WIDTH-1:0] carry_four;
          fcc_counter_5to3 #(
              .WIDTH(WIDTH)
          ) counter (
              .a    (given[(FIRST+5*i+0)*WIDTH+:WIDTH]),
              .b    (given[(FIRST+5*i+1)*WIDTH+:WIDTH]),
              .c    (given[(FIRST+5*i+2)*WIDTH+:WIDTH]),
              .d    (given[(FIRST+5*i+3)*WIDTH+:WIDTH]),
              .e    (given[(FIRST+5*i+4)*WIDTH+:WIDTH]),
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
        if (ADDED != 0) begin : g_last
          wire [WIDTH-1:0] a = given[FIRST*WIDTH+:WIDTH];
          wire [WIDTH-1:0] b = given[(FIRST+1)*WIDTH+:WIDTH];
          wire [WIDTH-1:0] c;
          wire [WIDTH-1:0] d;
          if (ADDED > 2) begin : g_c
            assign c = given[(FIRST+2)*WIDTH+:WIDTH];
          end else begin : g_no_c
            assign c = {WIDTH{1'b0}};
          end
          if (ADDED > 3) begin : g_d
            assign d = given[(FIRST+3)*WIDTH+:WIDTH];
          end else begin : g_no_d
            assign d = {WIDTH{1'b0}};
          end
          wire [WIDTH-1:0] abc = a ^ b ^ c;
          wire [WIDTH-1:0] first = (a & b) | (a & c) | (b & c);
          wire [WIDTH-1:0] second = abc & d;
          if (ADDED > 4) begin : g_many
            // Only in the top column, where no two planes are 1 together.
            reg [WIDTH-1:0] any;
            integer j;
            always @* begin
              any = abc ^ d;
              for (j = 4; j < ADDED; j = j + 1) any = any | given[(FIRST+j)*WIDTH+:WIDTH];
            end
            assign result[SUMS*WIDTH+:WIDTH] = any;
          end else begin : g_few
            assign result[SUMS*WIDTH+:WIDTH] = abc ^ d;
          end
          if (w + 1 < COLUMNS) begin : g_two
            assign result[TWOS*WIDTH+:WIDTH] = first ^ second;
          end
          if (w + 2 < COLUMNS && ADDED == 4) begin : g_four
            assign result[FOURS*WIDTH+:WIDTH] = first & second;
          end
          wire unused = &{1'b0, first, second};
        end else if (REST != 0) begin : g_rest
          assign result[SUMS*WIDTH+:REST*WIDTH] = given[(FIRST+5*COUNTERS)*WIDTH+:REST*WIDTH];
        end
      end

      if (l == CUT_A || l == CUT_B) begin : g_register
        reg [NEXT_TOTAL*WIDTH-1:0] result_reg;
        always @(posedge clk) result_reg <= result;
        assign next = result_reg;
      end else begin : g_wires
        assign next = result;
      end
    end

    for (w = 0; w < COLUMNS; w = w + 1) begin : g_count
      localparam FIRST = below(DONE, w);
      if (at(DONE, w) == 1) begin : g_plane
        assign count[w*WIDTH+:WIDTH] = g_level[LEVELS].next[FIRST*WIDTH+:WIDTH];
      end else begin : g_zero
        assign count[w*WIDTH+:WIDTH] = {WIDTH{1'b0}};
      end
    end
  endgenerate

endmodule

`default_nettype wire
