// SPDX-License-Identifier: Apache-2.0
//
// A decimal digit, or a dash where there is none, on a seven-segment display of the DE1-SoC.
//
// Combinational. `segments`: a to g in bits 0 to 6, active low. Digits above 9 are blank.

`default_nettype none

module seven_segment (
    // 0: a dash instead of the digit.
    input  wire       known,
    input  wire [3:0] digit,
    output wire [6:0] segments
);

  reg [6:0] lit;

  always @* begin
    case (digit)
      4'd0: lit = 7'h3F;
      4'd1: lit = 7'h06;
      4'd2: lit = 7'h5B;
      4'd3: lit = 7'h4F;
      4'd4: lit = 7'h66;
      4'd5: lit = 7'h6D;
      4'd6: lit = 7'h7D;
      4'd7: lit = 7'h07;
      4'd8: lit = 7'h7F;
      4'd9: lit = 7'h6F;
      default: lit = 7'h00;
    endcase
    if (!known) lit = 7'h40;
  end

  assign segments = ~lit;

endmodule

`default_nettype wire
