// SPDX-License-Identifier: Apache-2.0
//
// Part of forms: counts INPUTS bits for WIDTH neurons at once with full adders only, bit-sliced.
// Two halves are counted and added by a ripple of full adders whose carry input takes one more
// plane, so that 2^b - 1 inputs cost the fewest full adders there can be: 2^b - 1 - b.
//
// Latency: combinational.

`default_nettype none

module form_full_adders #(
    parameter WIDTH  = 4,
    parameter INPUTS = 63
) (
    // Plane k at bit k*WIDTH.
    input  wire [          INPUTS*WIDTH-1:0] planes,
    // Bit b of every neuron's count at bit b*WIDTH.
    output wire [$clog2(INPUTS+1)*WIDTH-1:0] count
);

  localparam COUNT_BITS = $clog2(INPUTS + 1);
  // Left half, right half and one plane for the carry input: INPUTS = LEFT + RIGHT + 1.
  localparam LEFT = (INPUTS > 2) ? (INPUTS - 1) / 2 : 1;
  localparam RIGHT = (INPUTS > 2) ? INPUTS - 1 - LEFT : 1;
  localparam LEFT_BITS = $clog2(LEFT + 1);
  localparam RIGHT_BITS = $clog2(RIGHT + 1);

  genvar b;
  generate
    if (INPUTS == 1) begin : g_one
      assign count = planes;
    end else if (INPUTS == 2) begin : g_two
      wire [WIDTH-1:0] x = planes[WIDTH-1:0];
      wire [WIDTH-1:0] y = planes[WIDTH+:WIDTH];
      assign count = {x & y, x ^ y};
    end else begin : g_many
      wire [ LEFT_BITS*WIDTH-1:0] left_count;
      wire [RIGHT_BITS*WIDTH-1:0] right_count;
      // The left half never needs more bits than the right one; missing planes are zero.
      wire [RIGHT_BITS*WIDTH-1:0] left_padded;
      wire [(RIGHT_BITS+1)*WIDTH-1:0] carry;

      form_full_adders #(
          .WIDTH (WIDTH),
          .INPUTS(LEFT)
      ) left (
          .planes(planes[LEFT*WIDTH-1:0]),
          .count (left_count)
      );
      form_full_adders #(
          .WIDTH (WIDTH),
          .INPUTS(RIGHT)
      ) right (
          .planes(planes[LEFT*WIDTH+:RIGHT*WIDTH]),
          .count (right_count)
      );

      assign carry[WIDTH-1:0] = planes[(INPUTS-1)*WIDTH+:WIDTH];
      for (b = 0; b < RIGHT_BITS; b = b + 1) begin : g_bit
        if (b < LEFT_BITS) begin : g_left
          assign left_padded[b*WIDTH+:WIDTH] = left_count[b*WIDTH+:WIDTH];
        end else begin : g_zero
          assign left_padded[b*WIDTH+:WIDTH] = {WIDTH{1'b0}};
        end
        wire [WIDTH-1:0] x = left_padded[b*WIDTH+:WIDTH];
        wire [WIDTH-1:0] y = right_count[b*WIDTH+:WIDTH];
        wire [WIDTH-1:0] c = carry[b*WIDTH+:WIDTH];
        assign count[b*WIDTH+:WIDTH] = x ^ y ^ c;
        assign carry[(b+1)*WIDTH+:WIDTH] = (x & y) | (x & c) | (y & c);
      end
      if (COUNT_BITS > RIGHT_BITS) begin : g_carry_out
        assign count[RIGHT_BITS*WIDTH+:WIDTH] = carry[RIGHT_BITS*WIDTH+:WIDTH];
      end
    end
  endgenerate

endmodule

`default_nettype wire
