// SPDX-License-Identifier: Apache-2.0
//
// Puts a wide word together out of narrow chunks, the lowest first: every chunk shifts the earlier
// ones down, so that no write enable has to be decoded across the word.
//
// Latency: `word` is complete in the cycle after its last chunk. One chunk a cycle.

`default_nettype none

module fcc_chunk_shifter #(
    // Bits of a chunk (>= 1).
    parameter CHUNK = 1,
    // Bits of a word (>= 1); it takes ceil(WIDTH / CHUNK) chunks, the surplus bits are ignored.
    parameter WIDTH = 1
) (
    input  wire             clk,
    input  wire             shift,
    input  wire [CHUNK-1:0] chunk,
    output wire [WIDTH-1:0] word
);

  localparam CHUNKS = (WIDTH + CHUNK - 1) / CHUNK;

  reg [CHUNKS*CHUNK-1:0] word_reg;

  assign word = word_reg[WIDTH-1:0];

  generate
    if (CHUNKS == 1) begin : g_one
      always @(posedge clk) if (shift) word_reg <= chunk;
    end else begin : g_shift
      always @(posedge clk) if (shift) word_reg <= {chunk, word_reg[CHUNKS*CHUNK-1:CHUNK]};
    end
    if (CHUNKS * CHUNK > WIDTH) begin : g_surplus
      wire unused = &{1'b0, word_reg[CHUNKS*CHUNK-1:WIDTH]};
    end
  endgenerate

endmodule

`default_nettype wire
