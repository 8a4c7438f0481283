// SPDX-License-Identifier: Apache-2.0
//
// Running parities of a word: coded[k] = bits[0] ^ ... ^ bits[k], what xnor_popcount takes. Coded
// once for all PEs that see the word.
//
// In two stages, each with a register behind it: the running parities inside blocks of 8 bits, then
// those of all blocks before are added to every bit. The register between them halves the levels of
// logic; without it synthesis would also find the blocks' parities in the words' own and string all
// of it together. Larger blocks cost more, smaller ones leave more levels to the second stage.
//
// Latency: 2 cycles, one word a cycle, never stalls.

`default_nettype none

module fcc_parity_coder #(
    // Bits of the word (>= 1).
    parameter WIDTH = 1
) (
    input  wire             clk,
    input  wire [WIDTH-1:0] bits,
    output reg  [WIDTH-1:0] coded
);

  localparam BLOCK = 8;
  localparam BLOCKS = (WIDTH + BLOCK - 1) / BLOCK;

  // Inside the blocks.
  wire [ WIDTH-1:0] part;
  reg  [ WIDTH-1:0] part_reg;
  // Of all blocks up to this one.
  wire [BLOCKS-1:0] parity;
  wire [BLOCKS-1:0] ahead;

  genvar b;
  generate
    for (b = 0; b < BLOCKS; b = b + 1) begin : g_block
      localparam BITS = (WIDTH - b * BLOCK < BLOCK) ? WIDTH - b * BLOCK : BLOCK;
      fcc_parity_prefix #(
          .WIDTH(BITS)
      ) block (
          .bits  (bits[b*BLOCK+:BITS]),
          .prefix(part[b*BLOCK+:BITS])
      );
      assign parity[b] = part_reg[b*BLOCK+BITS-1];
      if (b == 0) begin : g_first
        always @(posedge clk) coded[BITS-1:0] <= part_reg[BITS-1:0];
      end else begin : g_later
        always @(posedge clk) begin
          coded[b*BLOCK+:BITS] <= part_reg[b*BLOCK+:BITS] ^ {BITS{ahead[b-1]}};
        end
      end
    end
  endgenerate

  fcc_parity_prefix #(
      .WIDTH(BLOCKS)
  ) blocks (
      .bits  (parity),
      .prefix(ahead)
  );

  always @(posedge clk) part_reg <= part;

  // Nobody comes after the last block.
  wire unused = &{1'b0, ahead[BLOCKS-1]};

endmodule

`default_nettype wire
