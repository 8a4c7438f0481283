// SPDX-License-Identifier: Apache-2.0
//
// fcc_word_loader: the words written are the chunks taken, lowest first, at addresses from 0
// upwards; `loaded` counts them and never passes DEPTH; a chunk beyond is refused with `overflow`,
// once for each. Chunks, restarts and resets come at any time. Nothing is assumed but a first
// reset.

`default_nettype none

module word_loader_property #(
    parameter CHUNK = 2,
    parameter WIDTH = 5,
    parameter DEPTH = 3,
    parameter PRESET_WORDS = 0
) (
    input wire             clk,
    input wire             reset,
    input wire             restart,
    input wire             chunk_valid,
    input wire [CHUNK-1:0] chunk
);

  localparam CHUNKS = (WIDTH + CHUNK - 1) / CHUNK;
  localparam BITS = CHUNKS * CHUNK;

  wire write;
  wire [$clog2(DEPTH)-1:0] write_address;
  wire [WIDTH-1:0] write_data;
  wire [$clog2(DEPTH+1)-1:0] loaded;
  wire overflow;

  fcc_word_loader #(
      .CHUNK       (CHUNK),
      .WIDTH       (WIDTH),
      .DEPTH       (DEPTH),
      .PRESET_WORDS(PRESET_WORDS)
  ) dut (
      .clk          (clk),
      .reset        (reset),
      .restart      (restart),
      .chunk_valid  (chunk_valid),
      .chunk        (chunk),
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
  // A word was completed one and two cycles ago; the word and its address.
  reg complete_s1;
  reg complete_s2;
  reg [BITS-1:0] word_s1;
  reg [BITS-1:0] word_s2;
  reg [7:0] address_s1;
  reg [7:0] address_s2;

  wire take = chunk_valid && !restart && words != DEPTH;
  wire complete = take && chunks + 1'b1 == CHUNKS;
  reg [BITS-1:0] with_chunk;
  always @* begin
    if (!started) assume (reset);
    with_chunk = taken;
    with_chunk[chunks*CHUNK+:CHUNK] = chunk;
  end

  always @(posedge clk) begin
    started <= 1'b1;
    refused <= chunk_valid && !restart && words == DEPTH;
    complete_s1 <= complete;
    complete_s2 <= complete_s1;
    word_s1 <= with_chunk;
    word_s2 <= word_s1;
    address_s1 <= words;
    address_s2 <= address_s1;
    if (take) begin
      taken <= with_chunk;
      chunks <= complete ? 0 : chunks + 1'b1;
      if (complete) words <= words + 1'b1;
    end
    if (restart) begin
      words <= 0;
      chunks <= 0;
    end
    if (reset) begin
      words <= PRESET_WORDS;
      chunks <= 0;
      refused <= 1'b0;
      complete_s1 <= 1'b0;
      complete_s2 <= 1'b0;
    end
  end

  // For the induction: where the chunks of an incomplete word stand.
  (* hierconn *) wire [BITS-1:0] \dut.shifter.word_reg ;
  (* hierconn *) wire [CHUNK-1:0] \dut.chunk_s1 ;
  (* hierconn *) wire \dut.chunk_valid_s1 ;
  (* hierconn *) wire [((CHUNKS > 1) ? $clog2(CHUNKS) : 1)-1:0] \dut.index_reg ;
  wire [BITS+CHUNK-1:0] extended = {\dut.chunk_s1 , \dut.shifter.word_reg };
  wire [BITS-1:0] shifted = \dut.chunk_valid_s1 ? extended[CHUNK+:BITS] : \dut.shifter.word_reg ;
  wire [BITS-1:0] first_chunks = ~({BITS{1'b1}} << chunks * CHUNK);

  always @* begin
    if (started) begin
      assert (words <= DEPTH && loaded == words);
      assert (overflow == refused);
      assert (write == complete_s2);
      if (write) begin
        assert (write_address == address_s2 && address_s2 < DEPTH);
        assert (write_data == word_s2[WIDTH-1:0]);
      end

      assert (chunks < CHUNKS && \dut.index_reg == chunks);
      if (words == DEPTH) assert (chunks == 0);
      assert (shifted >> (CHUNKS - chunks) * CHUNK == (taken & first_chunks));
      if (complete_s1) assert (shifted == word_s1);
    end
  end

endmodule

module word_loader (
    input wire       clk,
    input wire       reset,
    input wire       restart,
    input wire       chunk_valid,
    input wire [3:0] chunk
);

  // Surplus bits; whole words, all there from the start; one chunk a word.
  word_loader_property #(
      .CHUNK(2),
      .WIDTH(5),
      .DEPTH(3)
  ) surplus (
      .clk        (clk),
      .reset      (reset),
      .restart    (restart),
      .chunk_valid(chunk_valid),
      .chunk      (chunk[1:0])
  );
  word_loader_property #(
      .CHUNK       (3),
      .WIDTH       (6),
      .DEPTH       (4),
      .PRESET_WORDS(4)
  ) whole (
      .clk        (clk),
      .reset      (reset),
      .restart    (restart),
      .chunk_valid(chunk_valid),
      .chunk      (chunk[2:0])
  );
  word_loader_property #(
      .CHUNK(4),
      .WIDTH(3),
      .DEPTH(2)
  ) single (
      .clk        (clk),
      .reset      (reset),
      .restart    (restart),
      .chunk_valid(chunk_valid),
      .chunk      (chunk)
  );

endmodule

`default_nettype wire
