// SPDX-License-Identifier: Apache-2.0
//
// Counts events in decimal, and shows how many there were in the last full second. Counting in
// decimal spares a division for the display. Stays at 99...9 where there are more.
//
// Latency: `rate` changes after every SECOND cycles, the first one being the cycle after `reset`;
// it counts the events of exactly those cycles, and is 0 until the first second is over.

`default_nettype none

module demo_rate #(
    // Cycles of a second (2 to 2^31 - 1).
    parameter SECOND = 2,
    // Decimal digits (>= 1).
    parameter DIGITS = 1
) (
    input  wire                clk,
    input  wire                reset,
    input  wire                occurs,
    // The lowest digit in bits 3:0.
    output reg  [4*DIGITS-1:0] rate
);

  localparam CYCLE_BITS = $clog2(SECOND);
  localparam [31:0] LAST = SECOND - 1;

  reg  [CYCLE_BITS-1:0] cycle_reg;
  reg  [  4*DIGITS-1:0] count_reg;
  wire [  4*DIGITS-1:0] count;
  wire [    DIGITS-1:0] nines;
  wire                  last_cycle = (cycle_reg == LAST[CYCLE_BITS-1:0]);
  wire                  more = occurs && !(&nines);

  genvar d;
  generate
    for (d = 0; d < DIGITS; d = d + 1) begin : g_digit
      wire [3:0] digit = count_reg[4*d+:4];
      wire       carry;
      if (d == 0) begin : g_lowest
        assign carry = more;
      end else begin : g_higher
        assign carry = more && (&nines[d-1:0]);
      end
      assign nines[d] = (digit == 4'd9);
      assign count[4*d+:4] = !carry ? digit : nines[d] ? 4'd0 : digit + 4'd1;
    end
  endgenerate

  always @(posedge clk) begin
    cycle_reg <= cycle_reg + 1'b1;
    count_reg <= count;
    if (last_cycle) begin
      cycle_reg <= {CYCLE_BITS{1'b0}};
      count_reg <= {4 * DIGITS{1'b0}};
      rate <= count;
    end
    if (reset) begin
      cycle_reg <= {CYCLE_BITS{1'b0}};
      count_reg <= {4 * DIGITS{1'b0}};
      rate <= {4 * DIGITS{1'b0}};
    end
  end

endmodule

`default_nettype wire
