// SPDX-License-Identifier: Apache-2.0
//
// Chooses one plane of bits of pixels that are numbers: bit `plane` of each colour of what the
// banks of images give.
//
// Latency: 2 cycles from `plane` to `bits`, as from the address in fcc_window_feeder to what was
// read with it (`numbers`), in which cycle `bits` are there too.

`default_nettype none

module fcc_pixel_planes #(
    // Numbers of a place: 3 lines of all colours (>= 3).
    parameter NUMBERS = 3,
    // Bits of a slot (>= NUMBERS).
    parameter SLOT = 3
) (
    input  wire                   clk,
    input  wire [            2:0] plane,
    // Number n of bank b at bit (b*NUMBERS + n)*8.
    input  wire [8*8*NUMBERS-1:0] numbers,
    // That of number n of bank b at bit b*SLOT + n; the others are 0.
    output wire [     8*SLOT-1:0] bits
);

  reg [2:0] plane_s1;
  reg [2:0] plane_s2;

  always @(posedge clk) begin
    plane_s1 <= plane;
    plane_s2 <= plane_s1;
  end

  genvar b;
  genvar n;
  generate
    for (b = 0; b < 8; b = b + 1) begin : g_bank
      for (n = 0; n < NUMBERS; n = n + 1) begin : g_number
        wire [7:0] number = numbers[(b*NUMBERS+n)*8+:8];
        assign bits[b*SLOT+n] = number[plane_s2];
      end
      if (NUMBERS < SLOT) begin : g_rest
        assign bits[b*SLOT+NUMBERS+:SLOT-NUMBERS] = {(SLOT - NUMBERS) {1'b0}};
      end
    end
  endgenerate

endmodule

`default_nettype wire
