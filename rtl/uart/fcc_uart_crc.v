// SPDX-License-Identifier: Apache-2.0
//
// The checksum of a frame of the serial link: CRC-32 as in IEEE 802.3 (polynomial 04C11DB7,
// reflected, start and end inverted: what zlib calls crc32), a bit a cycle, since a byte takes ten
// bit times to come in. 32 bits and not 16: a byte that is lost or too much makes of a frame
// something like a random one, of which a CRC of 16 bits lets one in 65,536 pass.
//
// Latency: 9 cycles from `valid`, and `busy` from the second of them on.

`default_nettype none

module fcc_uart_crc (
    input  wire        clk,
    // Begin again; 0 is the checksum of nothing.
    input  wire        restart,
    // Not while busy.
    input  wire        valid,
    input  wire [ 7:0] data,
    output wire        busy,
    output wire [31:0] crc
);

  localparam [31:0] POLYNOMIAL = 32'hEDB88320;
  localparam [31:0] START = 32'hFFFFFFFF;

  reg [31:0] crc_reg;
  // Bits of the byte still to come.
  reg [ 3:0] left_reg;

  assign busy = (left_reg != 4'd0);
  assign crc  = ~crc_reg;

  always @(posedge clk) begin
    if (restart) begin
      crc_reg  <= START;
      left_reg <= 4'd0;
    end else if (valid) begin
      crc_reg  <= crc_reg ^ {24'd0, data};
      left_reg <= 4'd8;
    end else if (busy) begin
      crc_reg  <= {1'b0, crc_reg[31:1]} ^ (crc_reg[0] ? POLYNOMIAL : 32'd0);
      left_reg <= left_reg - 1'b1;
    end
  end

endmodule

`default_nettype wire
