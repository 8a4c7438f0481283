// SPDX-License-Identifier: Apache-2.0
//
// The weights of all layers in the order in which the steps consume them, one word of PE*SIMD bits
// a step, read once and shared by all lanes.
//
// Built of banks of BANK_DEPTH words, because block RAM is widest when it is shallow: 744 words of
// 4,096 bits take 3 banks of 103 M10K as 256 x 40, but 410 blocks as one memory of 1024 x 10.
//
// Latency: 4 cycles from `read_address` to `word` (address, each slice's own, block RAM, bank
// selection). What is written is taken one cycle after `write` and `write_address`. Never stalls.

`default_nettype none

module fcc_weight_memory #(
    // Bits of a word (>= 1).
    parameter WIDTH = 1,
    // Words (>= 2).
    parameter DEPTH = 2,
    // Words of a bank (>= 1).
    parameter BANK_DEPTH = 1,
    // Memory files at power-up: bank b reads PRESET_bb_sss.hex, bb its two decimal digits, sss
    // those of a slice (see fcc_memory_bank). "" for none.
    parameter PRESET = "",
    // Bits of a slice of a word (>= 1).
    parameter SLICE = 1
) (
    input  wire                     clk,
    // By slice.
    input  wire [(WIDTH+SLICE-1)/SLICE-1:0] write,
    input  wire [$clog2(DEPTH)-1:0] write_address,
    input  wire [        WIDTH-1:0] write_data,
    input  wire [$clog2(DEPTH)-1:0] read_address,
    output reg  [        WIDTH-1:0] word
);

  localparam ADDRESS_BITS = $clog2(DEPTH);
  localparam SLICES = (WIDTH + SLICE - 1) / SLICE;
  localparam BANKS = (DEPTH + BANK_DEPTH - 1) / BANK_DEPTH;

  wire [BANKS*WIDTH-1:0] bank_words;
  reg  [ADDRESS_BITS-1:0] address_s1;

  always @(posedge clk) address_s1 <= read_address;

  genvar b;
  generate
    for (b = 0; b < BANKS; b = b + 1) begin : g_bank
      localparam WORDS = (b == BANKS - 1) ? DEPTH - b * BANK_DEPTH : BANK_DEPTH;
      localparam BANK_BITS = (WORDS > 1) ? $clog2(WORDS) : 1;
      localparam [7:0] TENS = 8'h30 + b / 10;
      localparam [7:0] UNITS = 8'h30 + b % 10;
      // Addresses below this bank's first one wrap to large values, so one comparison is enough.
      wire [31:0] offset = {{(32 - ADDRESS_BITS) {1'b0}}, write_address} - b * BANK_DEPTH;
      wire [31:0] read_offset = {{(32 - ADDRESS_BITS) {1'b0}}, address_s1} - b * BANK_DEPTH;
      wire unused = &{1'b0, read_offset};

      fcc_memory_bank #(
          .WIDTH (WIDTH),
          .DEPTH (WORDS),
          .PRESET((PRESET == "") ? "" : {PRESET, "_", TENS, UNITS}),
          .SLICE (SLICE)
      ) bank (
          .clk          (clk),
          .write        (write & {SLICES{offset < WORDS}}),
          .write_address(offset[BANK_BITS-1:0]),
          .write_data   (write_data),
          .read_address (read_offset[BANK_BITS-1:0]),
          .read_data    (bank_words[b*WIDTH+:WIDTH])
      );
    end

    if (BANKS == 1) begin : g_single
      always @(posedge clk) word <= bank_words;
    end else begin : g_select
      reg [ADDRESS_BITS-1:0] address_s2;
      reg [ADDRESS_BITS-1:0] address_s3;
      wire [31:0] address32 = {{(32 - ADDRESS_BITS) {1'b0}}, address_s3};
      integer i;
      always @(posedge clk) begin
        address_s2 <= address_s1;
        address_s3 <= address_s2;
        word <= bank_words[WIDTH-1:0];
        for (i = 1; i < BANKS; i = i + 1) begin
          if (address32 >= i * BANK_DEPTH) word <= bank_words[i*WIDTH+:WIDTH];
        end
      end
    end
  endgenerate

endmodule

`default_nettype wire
