// SPDX-License-Identifier: Apache-2.0
//
// The checksum of what a host has loaded: CRC-32 as in IEEE 802.3 (polynomial 04C11DB7, reflected,
// start and end inverted: what zlib calls crc32) of the chunks in the order of their writing, the
// low-order byte of each first. One checksum for each of the two memories.
//
// A CRC of 32 bits sees every error of up to 32 bits in a row, one of two errors anywhere in a load
// of less than 2^32 bits, and all but one in 2^32 of the others.
//
// Latency: one cycle. Never stalls.

`default_nettype none

module fcc_load_crc (
    input  wire        clk,
    input  wire        reset,
    // Begin again; 0 is the checksum of nothing.
    input  wire        weight_restart,
    input  wire        threshold_restart,
    // A chunk is taken; whether it is one of the thresholds is known before, and the long way
    // begins there.
    input  wire        chunk_valid,
    input  wire        chunk_threshold,
    input  wire [31:0] chunk,
    output wire [31:0] weights_crc,
    output wire [31:0] thresholds_crc
);

  localparam [31:0] POLYNOMIAL = 32'hEDB88320;
  localparam [31:0] START = 32'hFFFFFFFF;

  reg  [31:0] weights_reg;
  reg  [31:0] thresholds_reg;

  assign weights_crc = ~weights_reg;
  assign thresholds_crc = ~thresholds_reg;

  // One chunk further: bit by bit as the division is defined; synthesis makes one XOR of each bit.
  reg     [31:0] next;
  integer        i;
  always @* begin
    next = (chunk_threshold ? thresholds_reg : weights_reg) ^ chunk;
    for (i = 0; i < 32; i = i + 1) next = (next >> 1) ^ (next[0] ? POLYNOMIAL : 32'd0);
  end

  always @(posedge clk) begin
    if (reset || weight_restart) weights_reg <= START;
    else if (chunk_valid && !chunk_threshold) weights_reg <= next;
    if (reset || threshold_restart) thresholds_reg <= START;
    else if (chunk_valid && chunk_threshold) thresholds_reg <= next;
  end

endmodule

`default_nettype wire
