// SPDX-License-Identifier: Apache-2.0
//
// Feature maps: the eight banks of block RAM in which the eight pixels of a 2x2 block of windows
// stand apart, so that all of them are read at once. Bank (row mod 2)*4 + (column mod 4) has the
// pixels of such rows and columns. It exists beside fcc_memory because only banks make that
// possible, and their addresses differ only where a block reaches into the next pair of rows or the
// next four columns.
//
// Latency: 1 cycle from `read_*` to `pixels`. A word that is written is read from the cycle after
// its write on.

`default_nettype none

module fcc_map_memory #(
    // Bits of a word: a slot, of all planes (>= 1).
    parameter WIDTH = 1,
    // Words of a bank (>= 2).
    parameter DEPTH = 2
) (
    input  wire                     clk,
    // By bank.
    input  wire [              7:0] write,
    input  wire [$clog2(DEPTH)-1:0] write_address,
    // For even and odd columns of even rows, then of odd rows.
    input  wire [      4*WIDTH-1:0] write_data,
    // For columns 0 and 1 (near) and columns 2 and 3 (far) mod 4, of even and of odd rows.
    input  wire [$clog2(DEPTH)-1:0] read_even_near,
    input  wire [$clog2(DEPTH)-1:0] read_even_far,
    input  wire [$clog2(DEPTH)-1:0] read_odd_near,
    input  wire [$clog2(DEPTH)-1:0] read_odd_far,
    // Bank b at bit b*WIDTH.
    output wire [      8*WIDTH-1:0] pixels
);

  genvar b;
  generate
    for (b = 0; b < 8; b = b + 1) begin : g_bank
      localparam ROW = b / 4;
      localparam COLUMN = b % 4;
      fcc_memory #(
          .WIDTH    (WIDTH),
          .DEPTH    (DEPTH),
          .INIT_FILE("")
      ) bank (
          .clk          (clk),
          .write        (write[b]),
          .write_address(write_address),
          .write_data   (write_data[(2*ROW+COLUMN%2)*WIDTH+:WIDTH]),
          .read_address ((ROW == 0) ? ((COLUMN < 2) ? read_even_near : read_even_far)
                                    : ((COLUMN < 2) ? read_odd_near : read_odd_far)),
          .read_data    (pixels[b*WIDTH+:WIDTH])
      );
    end
  endgenerate

endmodule

`default_nettype wire
