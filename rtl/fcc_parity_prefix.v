// SPDX-License-Identifier: Apache-2.0
//
// Running parities: prefix[k] = bits[0] ^ ... ^ bits[k].
//
// Recursive: the prefixes of both halves, and the parity of the lower one added to all of the upper one
// (Sklansky's prefix network): ceil(log2(WIDTH)) levels.
//
// Latency: combinational.

`default_nettype none

module fcc_parity_prefix #(
    // Bits of the word (>= 1).
    parameter WIDTH = 16
) (
    input  wire [WIDTH-1:0] bits,
    output wire [WIDTH-1:0] prefix
);

  localparam LOW = (WIDTH + 1) / 2;

  generate
    if (WIDTH == 1) begin : g_bit
      assign prefix = bits;
    end else begin : g_halves
      wire [WIDTH-LOW-1:0] high;
      fcc_parity_prefix #(
          .WIDTH(LOW)
      ) lower (
          .bits  (bits[LOW-1:0]),
          .prefix(prefix[LOW-1:0])
      );
      fcc_parity_prefix #(
          .WIDTH(WIDTH - LOW)
      ) upper (
          .bits  (bits[WIDTH-1:LOW]),
          .prefix(high)
      );
      assign prefix[WIDTH-1:LOW] = high ^ {(WIDTH - LOW) {prefix[LOW-1]}};
    end
  endgenerate

endmodule

`default_nettype wire
