// SPDX-License-Identifier: Apache-2.0
//
// Running parities: prefix[k] = bits[0] ^ ... ^ bits[k].
//
// Sklansky's prefix network: the word is halved again and again down to single bits, and on the way
// back the parity of every lower half is added to all bits of the upper one: ceil(log2(WIDTH))
// levels. Written as levels side by side and not as a module that contains itself, which some tools
// limit and others name by its whole descent.
//
// Latency: combinational.

`default_nettype none

module fcc_parity_prefix #(
    // Bits of the word (>= 1).
    parameter WIDTH = 1
) (
    input  wire [WIDTH-1:0] bits,
    output wire [WIDTH-1:0] prefix
);

  localparam LEVELS = $clog2(WIDTH);

  // The word is halved, and its parts, `cuts` times, the lower part being the longer one. Where bit
  // `index` falls into an upper part of the last cut: where that part begins. Else 0.
  function integer upper(input integer index, input integer cuts);
    integer low;
    integer high;
    integer middle;
    integer i;
    begin
      low = 0;
      high = WIDTH;
      upper = 0;
      for (i = 0; i < cuts; i = i + 1) begin
        middle = low + (high - low + 1) / 2;
        upper = (index >= middle) ? middle : 0;
        if (index >= middle) low = middle;
        else high = middle;
      end
    end
  endfunction

  // Level l at bit l*WIDTH: the bits, then the running parities inside ever longer parts.
  wire [(LEVELS+1)*WIDTH-1:0] levels;
  assign levels[WIDTH-1:0] = bits;
  assign prefix = levels[LEVELS*WIDTH+:WIDTH];

  genvar l;
  genvar k;
  generate
    for (l = 0; l < LEVELS; l = l + 1) begin : g_level
      for (k = 0; k < WIDTH; k = k + 1) begin : g_bit
        localparam UPPER = upper(k, LEVELS - l);
        if (UPPER > 0) begin : g_upper
          assign levels[(l+1)*WIDTH+k] = levels[l*WIDTH+k] ^ levels[l*WIDTH+UPPER-1];
        end else begin : g_lower
          assign levels[(l+1)*WIDTH+k] = levels[l*WIDTH+k];
        end
      end
    end
  endgenerate

endmodule

`default_nettype wire
