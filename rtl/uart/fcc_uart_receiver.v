// SPDX-License-Identifier: Apache-2.0
//
// Receives bytes from a serial line: 8 data bits, the lowest first, no parity, one stop bit. A bit
// is sampled once, in its middle, counted from the fall of the start bit. A start bit that is over
// in its middle is none. After a byte without a stop bit the line must rise before the next one
// can start, so that a line held low gives one byte with an error and no more.
//
// Latency: `valid` rises for a cycle in the middle of the stop bit, two cycles of the synchroniser
// later. Bit rates of sender and receiver may differ by 2 % where DIVIDER is 8, and by more where
// it is larger.

`default_nettype none

module fcc_uart_receiver #(
    // Clock cycles of a bit (8 or more).
    parameter DIVIDER = 8
) (
    input  wire       clk,
    input  wire       reset,
    // The line, of no clock of ours.
    input  wire       rxd,
    output reg        valid,
    output reg  [7:0] data,
    // With `valid`: the byte has no stop bit.
    output reg        error
);

  localparam WAIT_BITS = $clog2(DIVIDER);
  localparam [31:0] WHOLE = DIVIDER - 1;
  // From the cycle behind the fall to the middle of the start bit.
  localparam [31:0] HALF = DIVIDER / 2 - 1;

  // Two stages for a metastable first one to come to rest, the third to see a fall.
  reg  [          2:0] line_reg;
  reg                  active_reg;
  reg  [WAIT_BITS-1:0] wait_reg;
  // 0 the start bit, 1 to 8 the data, 9 the stop bit.
  reg  [          3:0] bit_reg;

  wire                 line = line_reg[1];
  wire                 fall = line_reg[2] && !line;

  always @(posedge clk) begin
    line_reg <= {line_reg[1:0], rxd};
    valid <= 1'b0;
    if (!active_reg) begin
      active_reg <= fall;
      wait_reg <= HALF[WAIT_BITS-1:0];
      bit_reg <= 4'd0;
    end else if (wait_reg != 0) begin
      wait_reg <= wait_reg - 1'b1;
    end else begin
      wait_reg <= WHOLE[WAIT_BITS-1:0];
      bit_reg  <= bit_reg + 1'b1;
      if (bit_reg == 4'd0) begin
        active_reg <= !line;
      end else if (bit_reg == 4'd9) begin
        active_reg <= 1'b0;
        valid <= 1'b1;
        error <= !line;
      end else begin
        data <= {line, data[7:1]};
      end
    end
    if (reset) begin
      active_reg <= 1'b0;
      valid <= 1'b0;
    end
  end

endmodule

`default_nettype wire
