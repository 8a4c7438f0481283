// SPDX-License-Identifier: Apache-2.0
//
// Builds wide memory words out of narrow register writes: the chunks of a word arrive lowest first
// (fcc_chunk_shifter). A word may be written in slices, each as soon as its chunks are there, so
// that no register is as wide as the word.
//
// `restart` begins again at word 0 and forgets what was loaded. A chunk written after the last word
// of the memory is refused with `overflow`. `loaded` counts the complete words since the restart.
//
// Where PATCH is 1, words that are loaded already can be written again while nothing is loaded:
// `seek` chooses the first one, and the chunks given with `patch_valid` make it and those behind
// it. What was loaded of an incomplete word is forgotten, but slices of it may have been written.
//
// The chunk passes a register first, because the word it goes to is wide and far away.
//
// Latency: `write` and `write_address` are given one cycle after a slice's last chunk, `write_data`
// two cycles after it, where memories take it (fcc_memory_slice); `loaded` counts a word one cycle
// after its last chunk. Never stalls.

`default_nettype none

module fcc_word_loader #(
    // Bits of a chunk (>= 1).
    parameter CHUNK = 1,
    // Bits of a word (>= 1); a word takes ceil(WIDTH / CHUNK) chunks, the surplus bits are ignored.
    parameter WIDTH = 1,
    // Bits of a slice: WIDTH, or a multiple of CHUNK that is less.
    parameter SLICE = 1,
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
    // By slice.
    output reg  [(WIDTH+SLICE-1)/SLICE-1:0] write,
    output reg  [  $clog2(DEPTH)-1:0] write_address,
    // All slices show the bits of the one that is written.
    output wire [          WIDTH-1:0] write_data,
    output reg  [$clog2(DEPTH+1)-1:0] loaded,
    output reg                        overflow
);

  localparam SLICES = (WIDTH + SLICE - 1) / SLICE;
  // Chunks of a slice, and of the last one.
  localparam CHUNKS = (SLICE + CHUNK - 1) / CHUNK;
  localparam LAST_CHUNKS = (WIDTH - (SLICES - 1) * SLICE + CHUNK - 1) / CHUNK;
  localparam INDEX_BITS = (CHUNKS > 1) ? $clog2(CHUNKS) : 1;
  localparam [31:0] LAST = CHUNKS - 1;
  localparam [31:0] LAST_OF_WORD = LAST_CHUNKS - 1;
  localparam [SLICES:0] FIRST_SLICE = 1;
  localparam LOADED_BITS = $clog2(DEPTH + 1);

  reg  [       CHUNK-1:0] chunk_s1;
  reg                     chunk_valid_s1;
  reg  [  INDEX_BITS-1:0] index_reg;
  // One-hot.
  reg  [      SLICES-1:0] slice_reg;
  wire                    full = (loaded == DEPTH[LOADED_BITS-1:0]);

  wire [        SLICES:0] turned = {slice_reg, slice_reg[SLICES-1]};
  wire                    last_slice = turned[SLICES];
  wire                    slice_end =
      (index_reg == (last_slice ? LAST_OF_WORD[INDEX_BITS-1:0] : LAST[INDEX_BITS-1:0]));
  wire                    last_chunk = slice_end && last_slice;
  wire [       SLICE-1:0] slice;

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
      .WIDTH(SLICE)
  ) shifter (
      .clk  (clk),
      .shift(chunk_valid_s1),
      .chunk(chunk_s1),
      .word (slice)
  );

  genvar s;
  generate
    for (s = 0; s < SLICES; s = s + 1) begin : g_slice
      // Fewer chunks have not been shifted all the way down.
      localparam START = (s == SLICES - 1) ? (CHUNKS - LAST_CHUNKS) * CHUNK : 0;
      localparam BITS = (s == SLICES - 1) ? WIDTH - s * SLICE : SLICE;
      assign write_data[s*SLICE+:BITS] = slice[START+:BITS];
    end
  endgenerate

  always @(posedge clk) begin
    chunk_s1 <= part;
    chunk_valid_s1 <= valid;
    write <= {SLICES{1'b0}};
    write_address <= address;
    overflow <= 1'b0;
    if (reset) begin
      chunk_valid_s1 <= 1'b0;
      index_reg <= {INDEX_BITS{1'b0}};
      slice_reg <= FIRST_SLICE[SLICES-1:0];
      loaded <= PRESET_WORDS[LOADED_BITS-1:0];
    end else if (again) begin
      index_reg <= {INDEX_BITS{1'b0}};
      slice_reg <= FIRST_SLICE[SLICES-1:0];
      loaded <= loaded_again;
    end else if (chunk_valid && full) begin
      overflow <= 1'b1;
    end else if (valid) begin
      index_reg <= slice_end ? {INDEX_BITS{1'b0}} : index_reg + 1'b1;
      if (slice_end) begin
        write <= slice_reg;
        slice_reg <= turned[SLICES-1:0];
      end
      if (last_chunk) loaded <= loaded_next;
    end
  end

endmodule

`default_nettype wire
