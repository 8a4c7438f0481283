// SPDX-License-Identifier: Apache-2.0
//
// Builds wide memory words out of narrow register writes: the chunks of a word arrive lowest first
// (fcc_chunk_shifter).
//
// `restart` begins again at word 0 and forgets what was loaded. A chunk written after the last word
// of the memory is refused with `overflow`. `loaded` counts the complete words since the restart.
//
// Where PATCH is 1, words that are loaded already can be written again while nothing is loaded:
// `seek` chooses the first one, and the chunks given with `patch_valid` make it and those behind
// it. What was loaded of an incomplete word is forgotten.
//
// The chunk passes a register first, because the word it goes to is wide and far away.
//
// Latency: `write` is given two cycles after a word's last chunk, `loaded` counts it one cycle
// after. Never stalls.

`default_nettype none

module fcc_word_loader #(
    // Bits of a chunk (>= 1).
    parameter CHUNK = 1,
    // Bits of a word (>= 1); a word takes ceil(WIDTH / CHUNK) chunks, the surplus bits are ignored.
    parameter WIDTH = 1,
    // Words of the memory (>= 2).
    parameter DEPTH = 2,
    // Words that count as loaded at power-up and after a reset, for a memory with an image file.
    parameter PRESET_WORDS = 0,
    // 1: words can be written again.
    parameter PATCH = 0
) (
    input  wire                       clk,
    input  wire                       reset,
    input  wire                       restart,
    input  wire                       chunk_valid,
    input  wire [          CHUNK-1:0] chunk,
    // Writing words again; never with `chunk_valid`.
    input  wire                       seek,
    input  wire [  $clog2(DEPTH)-1:0] seek_address,
    input  wire                       patch_valid,
    input  wire [          CHUNK-1:0] patch_chunk,
    output reg                        write,
    output reg  [  $clog2(DEPTH)-1:0] write_address,
    output wire [          WIDTH-1:0] write_data,
    output reg  [$clog2(DEPTH+1)-1:0] loaded,
    output reg                        overflow
);

  localparam CHUNKS = (WIDTH + CHUNK - 1) / CHUNK;
  localparam INDEX_BITS = (CHUNKS > 1) ? $clog2(CHUNKS) : 1;
  localparam [31:0] LAST = CHUNKS - 1;
  localparam LOADED_BITS = $clog2(DEPTH + 1);

  reg  [       CHUNK-1:0] chunk_s1;
  reg                     chunk_valid_s1;
  reg                     write_s1;
  reg  [$clog2(DEPTH)-1:0] address_s1;
  reg  [  INDEX_BITS-1:0] index_reg;
  wire                    full = (loaded == DEPTH[LOADED_BITS-1:0]);

  wire                    last_chunk = (index_reg == LAST[INDEX_BITS-1:0]);

  // A word begins anew; a chunk of one; the word's address, and how many are loaded then.
  wire                     again;
  wire                     valid;
  wire [        CHUNK-1:0] part;
  wire [$clog2(DEPTH)-1:0] address;
  wire [  LOADED_BITS-1:0] loaded_again;
  wire [  LOADED_BITS-1:0] loaded_next;

  generate
    if (PATCH != 0) begin : g_patch
      reg [$clog2(DEPTH)-1:0] address_reg;
      assign again = restart || seek;
      assign valid = chunk_valid || patch_valid;
      assign part = patch_valid ? patch_chunk : chunk;
      assign address = patch_valid ? address_reg : loaded[$clog2(DEPTH)-1:0];
      assign loaded_again = restart ? {LOADED_BITS{1'b0}} : loaded;
      assign loaded_next = patch_valid ? loaded : loaded + 1'b1;
      always @(posedge clk) begin
        if (seek) address_reg <= seek_address;
        else if (patch_valid && last_chunk) address_reg <= address_reg + 1'b1;
      end
    end else begin : g_load
      assign again = restart;
      assign valid = chunk_valid;
      assign part = chunk;
      assign address = loaded[$clog2(DEPTH)-1:0];
      assign loaded_again = {LOADED_BITS{1'b0}};
      assign loaded_next = loaded + 1'b1;
      wire unused = &{1'b0, seek, seek_address, patch_valid, patch_chunk};
    end
  endgenerate

  fcc_chunk_shifter #(
      .CHUNK(CHUNK),
      .WIDTH(WIDTH)
  ) shifter (
      .clk  (clk),
      .shift(chunk_valid_s1),
      .chunk(chunk_s1),
      .word (write_data)
  );

  always @(posedge clk) begin
    chunk_s1 <= part;
    chunk_valid_s1 <= valid;
    write_s1 <= 1'b0;
    write <= write_s1;
    write_address <= address_s1;
    overflow <= 1'b0;
    if (reset) begin
      write <= 1'b0;
      chunk_valid_s1 <= 1'b0;
      index_reg <= {INDEX_BITS{1'b0}};
      loaded <= PRESET_WORDS[LOADED_BITS-1:0];
    end else if (again) begin
      index_reg <= {INDEX_BITS{1'b0}};
      loaded <= loaded_again;
    end else if (chunk_valid && full) begin
      overflow <= 1'b1;
    end else if (valid) begin
      index_reg <= last_chunk ? {INDEX_BITS{1'b0}} : index_reg + 1'b1;
      if (last_chunk) begin
        write_s1 <= 1'b1;
        address_s1 <= address;
        loaded <= loaded_next;
      end
    end
  end

endmodule

`default_nettype wire
