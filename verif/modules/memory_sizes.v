// SPDX-License-Identifier: Apache-2.0
//
// Weight memories of several sizes, with and without contents at power-up, side by side, so that
// one build tests them all. Every memory gets the low bits of the same inputs and its own write
// strobe.

`default_nettype none

module memory_sizes (
    input  wire         clk,
    input  wire [  3:0] write,
    input  wire [  7:0] write_address,
    input  wire [ 31:0] write_data,
    input  wire [  7:0] read_address,
    // Memory n at bit n*32.
    output wire [127:0] word,
    // WIDTH, DEPTH, BANK_DEPTH of memory n in the bytes from bit n*24 on, WIDTH lowest.
    output wire [ 95:0] sizes
);

  localparam COUNT = 4;
  // Three banks with a partial last one, one bank that is not full, banks of one word, a preset
  // whose last bank has one word.
  localparam [24*COUNT-1:0] SIZES = {
    {8'd8, 8'd17, 8'd21}, {8'd1, 8'd5, 8'd3}, {8'd16, 8'd11, 8'd1}, {8'd4, 8'd11, 8'd7}
  };

  assign sizes = SIZES;

  genvar n;
  generate
    for (n = 0; n < COUNT; n = n + 1) begin : g_memory
      localparam WIDTH = SIZES[n*24+:8];
      localparam DEPTH = SIZES[n*24+8+:8];
      localparam BANK_DEPTH = SIZES[n*24+16+:8];
      wire [WIDTH-1:0] mine;
      fcc_weight_memory #(
          .WIDTH     (WIDTH),
          .DEPTH     (DEPTH),
          .BANK_DEPTH(BANK_DEPTH),
          .PRESET    ((n == 3) ? "preset_weights" : "")
      ) memory (
          .clk          (clk),
          .write        (write[n]),
          .write_address(write_address[$clog2(DEPTH)-1:0]),
          .write_data   (write_data[WIDTH-1:0]),
          .read_address (read_address[$clog2(DEPTH)-1:0]),
          .word         (mine)
      );
      assign word[n*32+:32] = mine;
    end
  endgenerate

endmodule

`default_nettype wire
