// SPDX-License-Identifier: Apache-2.0
//
// Word loaders of many sizes side by side, so that one build tests them all. Every loader gets the
// low bits of the same chunk.

`default_nettype none

module loader_sizes (
    input  wire         clk,
    input  wire         reset,
    input  wire         restart,
    input  wire         chunk_valid,
    input  wire [ 31:0] chunk,
    input  wire         seek,
    input  wire [  7:0] seek_address,
    input  wire         patch_valid,
    input  wire [ 31:0] patch_chunk,
    // Loader n at bit n*4, n*8, n*128.
    output wire [ 31:0] write,
    output wire [ 63:0] write_address,
    output wire [1023:0] write_data,
    output wire [ 63:0] loaded,
    output wire [  7:0] overflow,
    // CHUNK, WIDTH, DEPTH, PRESET_WORDS, SLICE of loader n in the bytes from bit n*40 on, CHUNK
    // lowest.
    output wire [319:0] sizes
);

  localparam COUNT = 8;
  // Words of one slice; of several, the last one with as many chunks as the others or fewer.
  localparam [40*COUNT-1:0] SIZES = {
    {8'd1, 8'd0, 8'd2, 8'd1, 8'd1},
    {8'd8, 8'd0, 8'd7, 8'd29, 8'd1},
    {8'd33, 8'd11, 8'd11, 8'd121, 8'd11},
    {8'd26, 8'd5, 8'd8, 8'd39, 8'd13},
    {8'd64, 8'd0, 8'd3, 8'd97, 8'd32},
    {8'd32, 8'd3, 8'd5, 8'd96, 8'd32},
    {8'd32, 8'd0, 8'd13, 8'd32, 8'd32},
    {8'd5, 8'd0, 8'd16, 8'd5, 8'd32}
  };

  assign sizes = SIZES;

  genvar n;
  generate
    for (n = 0; n < COUNT; n = n + 1) begin : g_loader
      localparam CHUNK = SIZES[n*40+:8];
      localparam WIDTH = SIZES[n*40+8+:8];
      localparam DEPTH = SIZES[n*40+16+:8];
      localparam PRESET_WORDS = SIZES[n*40+24+:8];
      localparam SLICE = SIZES[n*40+32+:8];
      wire [(WIDTH+SLICE-1)/SLICE-1:0] mine;
      wire [$clog2(DEPTH)-1:0] address;
      wire [WIDTH-1:0] data;
      wire [$clog2(DEPTH+1)-1:0] words;
      fcc_word_loader #(
          .CHUNK       (CHUNK),
          .WIDTH       (WIDTH),
          .SLICE       (SLICE),
          .DEPTH       (DEPTH),
          .PRESET_WORDS(PRESET_WORDS),
          .PATCH       (1)
      ) loader (
          .clk          (clk),
          .reset        (reset),
          .restart      (restart),
          .chunk_valid  (chunk_valid),
          .chunk        (chunk[CHUNK-1:0]),
          .seek         (seek),
          .seek_address (seek_address[$clog2(DEPTH)-1:0]),
          .patch_valid  (patch_valid),
          .patch_chunk  (patch_chunk[CHUNK-1:0]),
          .write        (mine),
          .write_address(address),
          .write_data   (data),
          .loaded       (words),
          .overflow     (overflow[n])
      );
      assign write[n*4+:4] = mine;
      assign write_address[n*8+:8] = address;
      assign write_data[n*128+:128] = data;
      assign loaded[n*8+:8] = words;
    end
  endgenerate

endmodule

`default_nettype wire
