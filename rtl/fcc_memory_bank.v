// SPDX-License-Identifier: Apache-2.0
//
// A memory of words of any width, built of slices of SLICE bits beside each other, because no tool
// promises to infer a memory of ten thousand bits a word.
//
// 960 bits are below every limit that is known: AMD's Block Memory Generator took 1,152 at first
// (DS512), Altera's wizard has made an altsyncram of 1,280 bits and 256 words, and Vivado refuses a
// variable of more than 1,000,000 bits (Synth 8-4556), which are 1,041 words. They are 24 M10K as
// 256 x 40, so that slices take as many blocks as the whole word would, and 15 machine words, which
// keeps simulation fast.
//
// Latency: 1 cycle from `read_address` to `read_data`.

`default_nettype none

module fcc_memory_bank #(
    // Bits of a word (>= 1).
    parameter WIDTH = 1,
    // Words (>= 1).
    parameter DEPTH = 1,
    // Memory files at power-up: slice s, from bit s*SLICE on, reads PRESET_sss.hex, sss its three
    // decimal digits (at most 1,000 slices). "" leaves the contents undefined.
    parameter PRESET = ""
) (
    input  wire                                        clk,
    input  wire                                        write,
    input  wire [((DEPTH > 1) ? $clog2(DEPTH) : 1)-1:0] write_address,
    input  wire [                           WIDTH-1:0] write_data,
    input  wire [((DEPTH > 1) ? $clog2(DEPTH) : 1)-1:0] read_address,
    output wire [                           WIDTH-1:0] read_data
);

  localparam SLICE = 960;
  localparam SLICES = (WIDTH + SLICE - 1) / SLICE;

  genvar s;
  generate
    for (s = 0; s < SLICES; s = s + 1) begin : g_slice
      localparam BITS = (s == SLICES - 1) ? WIDTH - s * SLICE : SLICE;
      localparam [7:0] HUNDREDS = 8'h30 + s / 100;
      localparam [7:0] TENS = 8'h30 + s / 10 % 10;
      localparam [7:0] UNITS = 8'h30 + s % 10;
      fcc_memory #(
          .WIDTH    (BITS),
          .DEPTH    (DEPTH),
          .INIT_FILE((PRESET == "") ? "" : {PRESET, "_", HUNDREDS, TENS, UNITS, ".hex"})
      ) slice (
          .clk          (clk),
          .write        (write),
          .write_address(write_address),
          .write_data   (write_data[s*SLICE+:BITS]),
          .read_address (read_address),
          .read_data    (read_data[s*SLICE+:BITS])
      );
    end
  endgenerate

endmodule

`default_nettype wire
