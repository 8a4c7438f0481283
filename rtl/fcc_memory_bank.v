// SPDX-License-Identifier: Apache-2.0
//
// A memory of words of any width, built of slices beside each other, each of which can be written
// alone (fcc_slice.vh says why).
//
// Latency: 2 cycles from `read_address` to `read_data`. What is written is taken one cycle after
// `write` and `write_address`.

`default_nettype none

module fcc_memory_bank #(
    // Bits of a word (>= 1).
    parameter WIDTH = 1,
    // Words (>= 1).
    parameter DEPTH = 1,
    // Memory files at power-up: slice s, from bit s*SLICE on, reads PRESET_sss.hex, sss its three
    // decimal digits (at most 1,000 slices). "" leaves the contents undefined.
    parameter PRESET = "",
    // Bits of a slice (>= 1).
    parameter SLICE = 1
) (
    input  wire                                        clk,
    // By slice.
    input  wire [             (WIDTH+SLICE-1)/SLICE-1:0] write,
    input  wire [((DEPTH > 1) ? $clog2(DEPTH) : 1)-1:0] write_address,
    input  wire [                           WIDTH-1:0] write_data,
    input  wire [((DEPTH > 1) ? $clog2(DEPTH) : 1)-1:0] read_address,
    output wire [                           WIDTH-1:0] read_data
);

  localparam SLICES = (WIDTH + SLICE - 1) / SLICE;

  genvar s;
  generate
    for (s = 0; s < SLICES; s = s + 1) begin : g_slice
      localparam BITS = (s == SLICES - 1) ? WIDTH - s * SLICE : SLICE;
      localparam [7:0] HUNDREDS = 8'h30 + s / 100;
      localparam [7:0] TENS = 8'h30 + s / 10 % 10;
      localparam [7:0] UNITS = 8'h30 + s % 10;
      fcc_memory_slice #(
          .WIDTH    (BITS),
          .DEPTH    (DEPTH),
          .INIT_FILE((PRESET == "") ? "" : {PRESET, "_", HUNDREDS, TENS, UNITS, ".hex"})
      ) slice (
          .clk          (clk),
          .write        (write[s]),
          .write_address(write_address),
          .write_data   (write_data[s*SLICE+:BITS]),
          .read_address (read_address),
          .read_data    (read_data[s*SLICE+:BITS])
      );
    end
  endgenerate

endmodule

`default_nettype wire
