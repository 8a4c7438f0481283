// SPDX-License-Identifier: Apache-2.0
//
// Running parities of a word: coded[k] = bits[0] ^ ... ^ bits[k], what xnor_popcount takes. Coded
// once for all PEs that see the word.
//
// The parities run through blocks of BLOCK bits; the parity in front of each block is computed
// beside them from the blocks' own parities, by recursion, so that the depth stays small.
//
// Latency: combinational.

`default_nettype none

module fcc_parity_coder #(
    // Bits of the word (>= 1).
    parameter WIDTH = 128,
    parameter BLOCK = 16
) (
    input  wire [WIDTH-1:0] bits,
    output wire [WIDTH-1:0] coded
);

  localparam BLOCKS = (WIDTH + BLOCK - 1) / BLOCK;

  // Parity of everything in front of block b.
  wire [BLOCKS-1:0] before_block;

  genvar b;
  genvar k;
  generate
    assign before_block[0] = 1'b0;
    if (BLOCKS > 1) begin : g_blocks
      wire [BLOCKS-2:0] parity;
      for (b = 0; b < BLOCKS - 1; b = b + 1) begin : g_block
        assign parity[b] = ^bits[b*BLOCK+:BLOCK];
      end
      fcc_parity_coder #(
          .WIDTH(BLOCKS - 1),
          .BLOCK(BLOCK)
      ) blocks (
          .bits (parity),
          .coded(before_block[BLOCKS-1:1])
      );
    end
    for (k = 0; k < WIDTH; k = k + 1) begin : g_bit
      if (k % BLOCK == 0) begin : g_first
        assign coded[k] = before_block[k/BLOCK] ^ bits[k];
      end else begin : g_next
        assign coded[k] = coded[k-1] ^ bits[k];
      end
    end
  endgenerate

endmodule

`default_nettype wire
