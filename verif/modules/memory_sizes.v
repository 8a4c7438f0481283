// SPDX-License-Identifier: Apache-2.0
//
// Weight memories of several sizes, with and without contents at power-up, side by side, so that
// one build tests them all. Every memory gets the low bits of the same inputs and its own write
// strobe.

`default_nettype none

module memory_sizes (
    input  wire          clk,
    input  wire [   7:0] write,
    input  wire [   7:0] write_address,
    input  wire [ 511:0] write_data,
    input  wire [   7:0] read_address,
    // The word of memory `number`.
    input  wire [   2:0] number,
    output wire [ 511:0] word,
    // WIDTH, DEPTH, BANK_DEPTH of memory n in the 16 bits from bit n*48 on, WIDTH lowest.
    output wire [ 383:0] sizes
);

  localparam COUNT = 8;
  // Three banks with a partial last one; one bank that is not full; banks of one word; words of a
  // slice less a bit, of a slice, of a bit more and of two slices; a preset of three slices whose
  // last bank has one word.
  localparam [48*COUNT-1:0] SIZES = {
    {16'd8, 16'd17, 16'd342},
    {16'd2, 16'd5, 16'd320},
    {16'd2, 16'd3, 16'd161},
    {16'd2, 16'd3, 16'd160},
    {16'd2, 16'd3, 16'd159},
    {16'd1, 16'd5, 16'd3},
    {16'd16, 16'd11, 16'd1},
    {16'd4, 16'd11, 16'd7}
  };

  wire [512*COUNT-1:0] words;

  assign sizes = SIZES;
  assign word = words[number*512+:512];

  genvar n;
  generate
    for (n = 0; n < COUNT; n = n + 1) begin : g_memory
      localparam WIDTH = SIZES[n*48+:16];
      localparam DEPTH = SIZES[n*48+16+:16];
      localparam BANK_DEPTH = SIZES[n*48+32+:16];
      wire [WIDTH-1:0] mine;
      localparam SLICES = (WIDTH + 159) / 160;
      fcc_weight_memory #(
          .WIDTH     (WIDTH),
          .DEPTH     (DEPTH),
          .BANK_DEPTH(BANK_DEPTH),
          .PRESET    ((n == COUNT - 1) ? "preset_weights" : ""),
          .SLICE     (160)
      ) memory (
          .clk          (clk),
          .write        ({SLICES{write[n]}}),
          .write_address(write_address[$clog2(DEPTH)-1:0]),
          .write_data   (write_data[WIDTH-1:0]),
          .read_address (read_address[$clog2(DEPTH)-1:0]),
          .word         (mine)
      );
      assign words[n*512+:512] = mine;
    end
  endgenerate

endmodule

`default_nettype wire
