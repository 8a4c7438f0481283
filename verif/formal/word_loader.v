// SPDX-License-Identifier: Apache-2.0
//
// fcc_word_loader: the words written, slice by slice, are the chunks taken, lowest first, at
// addresses from 0 upwards; `loaded` counts words and never passes DEPTH; a chunk beyond is refused
// with `overflow`, once for each. Chunks, restarts and resets come at any time. Where words can be
// written again (PATCH), these are the chunks given for them, at addresses from the one chosen
// upwards, and neither `loaded` nor `overflow` knows of them.
//
// Assumed: a first reset; words are chosen, written again or loaded in different cycles, restarts
// among them; a first one is chosen before any is written again, and none is loaded behind a part
// of one that is (fcc_learner: a core that learns is locked).

`default_nettype none

module word_loader_property #(
    parameter CHUNK = 2,
    parameter WIDTH = 5,
    parameter SLICE = 5,
    parameter DEPTH = 3,
    parameter PRESET_WORDS = 0,
    parameter PATCH = 0
) (
    input wire                     clk,
    input wire                     reset,
    input wire                     restart,
    input wire                     chunk_valid,
    input wire [        CHUNK-1:0] chunk,
    input wire                     seek,
    input wire [$clog2(DEPTH)-1:0] seek_address,
    input wire                     patch_valid,
    input wire [        CHUNK-1:0] patch_chunk
);

  localparam CHUNKS = (WIDTH + CHUNK - 1) / CHUNK;
  localparam BITS = CHUNKS * CHUNK;
  localparam SLICES = (WIDTH + SLICE - 1) / SLICE;
  // Chunks of a slice, and their bits.
  localparam PARTS = (SLICE + CHUNK - 1) / CHUNK;
  localparam PART_BITS = PARTS * CHUNK;

  wire [SLICES-1:0] write;
  wire [$clog2(DEPTH)-1:0] write_address;
  wire [WIDTH-1:0] write_data;
  wire [$clog2(DEPTH+1)-1:0] loaded;
  wire overflow;

  fcc_word_loader #(
      .CHUNK       (CHUNK),
      .WIDTH       (WIDTH),
      .SLICE       (SLICE),
      .DEPTH       (DEPTH),
      .PRESET_WORDS(PRESET_WORDS),
      .PATCH       (PATCH)
  ) dut (
      .clk          (clk),
      .reset        (reset),
      .restart      (restart),
      .chunk_valid  (chunk_valid),
      .chunk        (chunk),
      .seek         (seek),
      .seek_address (seek_address),
      .patch_valid  (patch_valid),
      .patch_chunk  (patch_chunk),
      .write        (write),
      .write_address(write_address),
      .write_data   (write_data),
      .loaded       (loaded),
      .overflow     (overflow)
  );

  reg started = 1'b0;
  // Complete words, chunks of the next one, and these chunks.
  reg [7:0] words;
  reg [7:0] chunks;
  reg [BITS-1:0] taken;
  reg refused;
  // A slice was completed one and two cycles ago; which, the word so far and its address.
  reg complete_s1 = 1'b0;
  reg complete_s2 = 1'b0;
  reg [7:0] slice_s1;
  reg [7:0] slice_s2;
  reg [BITS-1:0] word_s1;
  reg [BITS-1:0] word_s2;
  reg [7:0] address_s1;
  // A part of a word has been written again.
  reg in_patch;
  // A first word has been chosen.
  reg chosen = 1'b0;
  // The word that is written again next.
  reg [$clog2(DEPTH)-1:0] next;

  wire begin_again = (PATCH != 0) && seek;
  wire patch = (PATCH != 0) && patch_valid;
  wire load = chunk_valid && !restart && words != DEPTH;
  wire take = load || patch;
  wire complete = take && chunks + 1'b1 == CHUNKS;
  wire [7:0] slice = chunks / PARTS;
  wire [7:0] part = chunks % PARTS;
  reg [BITS-1:0] with_chunk;
  always @* begin
    if (!started) assume (reset);
    if (PATCH != 0) assume ((chunk_valid || restart) + seek + patch_valid <= 1);
    if (PATCH != 0 && in_patch) assume (!chunk_valid);
    if (PATCH != 0 && patch_valid) assume (chosen);
    with_chunk = taken;
    with_chunk[chunks*CHUNK+:CHUNK] = patch ? patch_chunk : chunk;
  end

  always @(posedge clk) begin
    started <= 1'b1;
    refused <= chunk_valid && !restart && words == DEPTH;
    complete_s1 <= complete || (take && part + 1'b1 == PARTS);
    slice_s1 <= slice;
    slice_s2 <= slice_s1;
    complete_s2 <= complete_s1;
    word_s1 <= with_chunk;
    word_s2 <= word_s1;
    address_s1 <= patch ? next : words;
    if (take) begin
      taken <= with_chunk;
      chunks <= complete ? 0 : chunks + 1'b1;
      if (complete && load) words <= words + 1'b1;
      if (complete && patch) next <= next + 1'b1;
    end
    if (take) in_patch <= patch && !complete;
    if (reset || restart || begin_again) in_patch <= 1'b0;
    if (seek) begin
      next <= seek_address;
      chosen <= 1'b1;
    end
    if (begin_again) chunks <= 0;
    if (restart) begin
      words <= 0;
      chunks <= 0;
    end
    if (reset) begin
      words <= PRESET_WORDS;
      chunks <= 0;
      refused <= 1'b0;
      complete_s1 <= 1'b0;
    end
  end

  genvar s;
  generate
    for (s = 0; s < SLICES; s = s + 1) begin : g_slice
      localparam SIZE = (s == SLICES - 1) ? WIDTH - s * SLICE : SLICE;
      always @* begin
        if (started && complete_s2 && slice_s2 == s) begin
          assert (write_data[s*SLICE+:SIZE] == word_s2[s*SLICE+:SIZE]);
        end
      end
    end
  endgenerate

  // For the induction: where the chunks of an incomplete word stand.
  (* hierconn *) wire [PART_BITS-1:0] \dut.shifter.word_reg ;
  (* hierconn *) wire [CHUNK-1:0] \dut.chunk_s1 ;
  (* hierconn *) wire \dut.chunk_valid_s1 ;
  (* hierconn *) wire [((PARTS > 1) ? $clog2(PARTS) : 1)-1:0] \dut.index_reg ;
  (* hierconn *) wire [SLICES-1:0] \dut.slice_reg ;
  (* hierconn *) wire [$clog2(DEPTH)-1:0] \dut.g_patch.address_reg ;
  wire [PART_BITS+CHUNK-1:0] extended = {\dut.chunk_s1 , \dut.shifter.word_reg };
  wire [PART_BITS-1:0] shifted =
      \dut.chunk_valid_s1 ? extended[CHUNK+:PART_BITS] : \dut.shifter.word_reg ;
  wire [PART_BITS-1:0] first_chunks = ~({PART_BITS{1'b1}} << part * CHUNK);
  wire [BITS-1:0] rest_taken = taken >> slice * PART_BITS;
  wire [BITS-1:0] rest_done = word_s1 >> slice_s1 * PART_BITS;
  wire [PART_BITS-1:0] slice_taken = rest_taken[PART_BITS-1:0];
  wire [PART_BITS-1:0] slice_done = rest_done[PART_BITS-1:0];
  wire [7:0] done_parts = (slice_s1 == SLICES - 1) ? CHUNKS - (SLICES - 1) * PARTS : PARTS;

  always @* begin
    if (started) begin
      assert (words <= DEPTH && loaded == words);
      assert (overflow == refused);
      assert (write == (complete_s1 ? 1'b1 << slice_s1 : 0));
      if (complete_s1) begin
        assert (write_address == address_s1 && (PATCH != 0 || address_s1 < DEPTH));
      end

      assert (chunks < CHUNKS && \dut.index_reg == part && \dut.slice_reg == 1 << slice);
      if (words == DEPTH && PATCH == 0) assert (chunks == 0);
      assert (shifted >> (PARTS - part) * CHUNK == (slice_taken & first_chunks));
      if (complete_s1) begin
        assert (slice_s1 < SLICES);
        assert (shifted >> (PARTS - done_parts) * CHUNK == slice_done);
      end
      if (PATCH != 0) begin
        if (in_patch) assert (chosen && chunks != 0);
        if (chosen) assert (\dut.g_patch.address_reg == next);
        if (words == DEPTH && chunks != 0) assert (in_patch);
      end
    end
  end

endmodule

module word_loader #(
    parameter PATCH = 0
) (
    input wire       clk,
    input wire       reset,
    input wire       restart,
    input wire       chunk_valid,
    input wire [3:0] chunk,
    input wire       seek,
    input wire [1:0] seek_address,
    input wire       patch_valid,
    input wire [3:0] patch_chunk
);

  // Surplus bits; whole words, all there from the start; one chunk a word; slices of two chunks,
  // the last one of one with surplus bits, and slices of a chunk.
  word_loader_property #(
      .CHUNK(2),
      .WIDTH(5),
      .SLICE(5),
      .DEPTH(3),
      .PATCH(PATCH)
  ) surplus (
      .clk         (clk),
      .reset       (reset),
      .restart     (restart),
      .chunk_valid (chunk_valid),
      .chunk       (chunk[1:0]),
      .seek        (seek),
      .seek_address(seek_address),
      .patch_valid (patch_valid),
      .patch_chunk (patch_chunk[1:0])
  );
  word_loader_property #(
      .CHUNK       (3),
      .WIDTH       (6),
      .SLICE       (6),
      .DEPTH       (4),
      .PRESET_WORDS(4),
      .PATCH       (PATCH)
  ) whole (
      .clk         (clk),
      .reset       (reset),
      .restart     (restart),
      .chunk_valid (chunk_valid),
      .chunk       (chunk[2:0]),
      .seek        (seek),
      .seek_address(seek_address),
      .patch_valid (patch_valid),
      .patch_chunk (patch_chunk[2:0])
  );
  word_loader_property #(
      .CHUNK(4),
      .WIDTH(3),
      .SLICE(3),
      .DEPTH(2),
      .PATCH(PATCH)
  ) single (
      .clk         (clk),
      .reset       (reset),
      .restart     (restart),
      .chunk_valid (chunk_valid),
      .chunk       (chunk),
      .seek        (seek),
      .seek_address(seek_address[0]),
      .patch_valid (patch_valid),
      .patch_chunk (patch_chunk)
  );
  word_loader_property #(
      .CHUNK(2),
      .WIDTH(5),
      .SLICE(4),
      .DEPTH(3),
      .PATCH(PATCH)
  ) slices (
      .clk         (clk),
      .reset       (reset),
      .restart     (restart),
      .chunk_valid (chunk_valid),
      .chunk       (chunk[1:0]),
      .seek        (seek),
      .seek_address(seek_address),
      .patch_valid (patch_valid),
      .patch_chunk (patch_chunk[1:0])
  );
  word_loader_property #(
      .CHUNK(2),
      .WIDTH(6),
      .SLICE(2),
      .DEPTH(3),
      .PATCH(PATCH)
  ) thin (
      .clk         (clk),
      .reset       (reset),
      .restart     (restart),
      .chunk_valid (chunk_valid),
      .chunk       (chunk[1:0]),
      .seek        (seek),
      .seek_address(seek_address),
      .patch_valid (patch_valid),
      .patch_chunk (patch_chunk[1:0])
  );

endmodule

`default_nettype wire
