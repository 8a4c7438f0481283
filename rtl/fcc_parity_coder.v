// SPDX-License-Identifier: Apache-2.0
//
// Running parities of a word: coded[k] = bits[0] ^ ... ^ bits[k], what xnor_popcount takes. Coded
// once for all PEs that see the word.
//
// Recursive: both halves are coded, and the parity of the lower one is added to all of the upper one
// (Sklansky's prefix network). That is ceil(log2(WIDTH)) levels. A chain from block to block would
// be smaller, but synthesis finds its parities in the words' own and strings all of it together.
//
// Latency: combinational.

`default_nettype none

module fcc_parity_coder #(
    // Bits of the word (>= 1).
    parameter WIDTH = 128
) (
    input  wire [WIDTH-1:0] bits,
    output wire [WIDTH-1:0] coded
);

  localparam LOW = (WIDTH + 1) / 2;

  generate
    if (WIDTH == 1) begin : g_bit
      assign coded = bits;
    end else begin : g_halves
      wire [WIDTH-LOW-1:0] high;
      fcc_parity_coder #(
          .WIDTH(LOW)
      ) lower (
          .bits (bits[LOW-1:0]),
          .coded(coded[LOW-1:0])
      );
      fcc_parity_coder #(
          .WIDTH(WIDTH - LOW)
      ) upper (
          .bits (bits[WIDTH-1:LOW]),
          .coded(high)
      );
      assign coded[WIDTH-1:LOW] = high ^ {(WIDTH - LOW) {coded[LOW-1]}};
    end
  endgenerate

endmodule

`default_nettype wire
