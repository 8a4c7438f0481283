// SPDX-License-Identifier: Apache-2.0
//
// How far from its threshold each neuron's residual bit switches, one word of PE pairs of margins a
// group, beside the offsets (fcc_threshold_memory): `up` above the threshold where the neuron's
// first bit is 1, `down` below it where it is 0 (see fcc_pair).
//
// Latency: 3 cycles from `read_address` to the margins. What is written is taken one cycle after
// `write` and `write_address`. Never stalls.

`default_nettype none

module fcc_margin_memory #(
    // Neurons in a word (>= 1).
    parameter PE = 1,
    // Bits of an unsigned margin (>= 1).
    parameter MARGIN_BITS = 1,
    // Words: groups of all layers together (>= 2).
    parameter DEPTH = 2,
    // Memory files at power-up: slice s reads PRESET_sss.hex (see fcc_memory_bank). "" for none.
    parameter PRESET = ""
) (
    input  wire                        clk,
    input  wire                        write,
    input  wire [   $clog2(DEPTH)-1:0] write_address,
    // All of `up`, then all of `down`, as below.
    input  wire [2*PE*MARGIN_BITS-1:0] write_data,
    input  wire [   $clog2(DEPTH)-1:0] read_address,
    // Of PE p at bit p*MARGIN_BITS.
    output wire [  PE*MARGIN_BITS-1:0] up,
    output wire [  PE*MARGIN_BITS-1:0] down
);

  `include "fcc_slice.vh"
  localparam WIDTH = 2 * PE * MARGIN_BITS;
  localparam SLICES = (WIDTH + SLICE - 1) / SLICE;

  wire [WIDTH-1:0] bank_word;
  reg  [WIDTH-1:0] word_reg;

  fcc_memory_bank #(
      .WIDTH (WIDTH),
      .DEPTH (DEPTH),
      .PRESET(PRESET),
      .SLICE (SLICE)
  ) bank (
      .clk          (clk),
      .write        ({SLICES{write}}),
      .write_address(write_address),
      .write_data   (write_data),
      .read_address (read_address),
      .read_data    (bank_word)
  );

  always @(posedge clk) word_reg <= bank_word;

  assign {down, up} = word_reg;

endmodule

`default_nettype wire
