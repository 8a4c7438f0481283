// SPDX-License-Identifier: Apache-2.0
//
// Sends bytes over a serial line: a start bit, 8 data bits, the lowest first, one stop bit.
//
// Timing: a byte takes 10 * DIVIDER cycles from the one after `valid` and `ready`; `ready` rises in
// the last of them, so that bytes follow each other without a gap.

`default_nettype none

module fcc_uart_transmitter #(
    // Clock cycles of a bit (8 or more).
    parameter DIVIDER = 8
) (
    input  wire       clk,
    input  wire       reset,
    input  wire       valid,
    output wire       ready,
    input  wire [7:0] data,
    // The line, high at rest.
    output wire       txd
);

  localparam WAIT_BITS = $clog2(DIVIDER);
  localparam [31:0] WHOLE = DIVIDER - 1;

  // What is on the line in bit 0, and what follows.
  reg  [          8:0] shift_reg;
  reg  [WAIT_BITS-1:0] wait_reg;
  // Bits still to send, that on the line among them.
  reg  [          3:0] left_reg;

  wire                 over = (wait_reg == 0);

  assign ready = (left_reg == 4'd0) || (left_reg == 4'd1 && over);
  assign txd   = shift_reg[0];

  always @(posedge clk) begin
    wait_reg <= over ? WHOLE[WAIT_BITS-1:0] : wait_reg - 1'b1;
    if (valid && ready) begin
      shift_reg <= {data, 1'b0};
      wait_reg  <= WHOLE[WAIT_BITS-1:0];
      left_reg  <= 4'd10;
    end else if (left_reg != 4'd0 && over) begin
      shift_reg <= {1'b1, shift_reg[8:1]};
      left_reg  <= left_reg - 1'b1;
    end
    if (reset) begin
      shift_reg <= 9'h1FF;
      left_reg  <= 4'd0;
    end
  end

endmodule

`default_nettype wire
