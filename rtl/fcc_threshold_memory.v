// SPDX-License-Identifier: Apache-2.0
//
// The offsets of all neurons, one word of PE offsets a group, in the order in which the groups are
// computed. A hidden neuron's offset is 1 - 2 * threshold, an output neuron's is bias - n (see
// fcc_pe_array).
//
// Latency: 3 cycles from `read_address` to `offset`; `parity`, bit 0 of each offset, follows two
// cycles later where `first_s3` marks that the PEs take the offset, and stays until the next group:
// it completes the scores. What is written is taken one cycle after `write` and `write_address`.
// Never stalls.

`default_nettype none

module fcc_threshold_memory #(
    // Offsets in a word (>= 1).
    parameter PE = 1,
    // Bits of a signed offset (>= 2).
    parameter SCORE_BITS = 2,
    // Words: groups of all layers together (>= 2).
    parameter DEPTH = 2,
    // Memory files at power-up: slice s reads PRESET_sss.hex (see fcc_memory_bank). "" for none.
    parameter PRESET = ""
) (
    input  wire                         clk,
    input  wire                         write,
    input  wire [    $clog2(DEPTH)-1:0] write_address,
    // Offset of PE p at bit p*SCORE_BITS.
    input  wire [    PE*SCORE_BITS-1:0] write_data,
    input  wire [    $clog2(DEPTH)-1:0] read_address,
    input  wire                         first_s3,
    // Offset of PE p without its bit 0, at bit p*(SCORE_BITS-1).
    output wire [PE*(SCORE_BITS-1)-1:0] offset,
    output reg  [               PE-1:0] parity
);

  `include "fcc_slice.vh"
  localparam WIDTH = PE * SCORE_BITS;
  localparam SLICES = (WIDTH + SLICE - 1) / SLICE;

  wire [WIDTH-1:0] bank_word;
  reg  [WIDTH-1:0] word_s3;
  reg  [   PE-1:0] parity_s4;

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

  always @(posedge clk) begin
    word_s3 <= bank_word;
  end

  genvar p;
  generate
    for (p = 0; p < PE; p = p + 1) begin : g_pe
      assign offset[p*(SCORE_BITS-1)+:SCORE_BITS-1] = word_s3[p*SCORE_BITS+1+:SCORE_BITS-1];
      always @(posedge clk) begin
        if (first_s3) parity_s4[p] <= word_s3[p*SCORE_BITS];
        parity[p] <= parity_s4[p];
      end
    end
  endgenerate

endmodule

`default_nettype wire
