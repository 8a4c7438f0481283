// SPDX-License-Identifier: Apache-2.0
//
// The rotating activation register of one lane: every PE meets every word of the layer over a fixed
// wire, so that no multiplexer stands between the activations and the PEs.
//
// Every `rotate` moves each word one position down; the word that leaves position 0 re-enters
// behind the last word of the layer, so that `words` rotations give the starting contents back.
// Positions 0 to TAPS-1 are the ones that PEs see.
//
// `load_image` puts word i at position i. `load_hidden` puts word i + 1 at position i, because word
// 0 holds the neurons that were computed last and is not complete yet: `load_late` brings it where
// it is due, at the end of step words - TAPS - 1, to the last tap. So after r rotations position i
// holds word (i + r) mod words of an image and word (i + r + 1) mod words of a hidden layer.
//
// A layer with words <= TAPS takes `load_late` together with `load_hidden`, and must be rotated
// TAPS - words times before its first step ("winding up"), which fills positions words to TAPS-1
// with the periodic continuation.
//
// Latency: 2 cycles from a load or `rotate` to `taps`; image and hidden bits are sampled one cycle
// after the load. Never stalls.

`default_nettype none

module fcc_ring #(
    // Activation bits per word (>= 1).
    parameter SIMD = 1,
    // Positions, the largest number of words of a layer (>= 1).
    parameter RING = 1,
    // Positions visible to PEs (1 to RING).
    parameter TAPS = 1
) (
    input  wire                   clk,
    // One-hot number of words of the layer in the ring or being loaded: bit w-1 set for w words.
    input  wire [       RING-1:0] length,
    input  wire                   load_image,
    input  wire                   load_hidden,
    // With `load_hidden` or with `rotate`.
    input  wire                   load_late,
    input  wire                   rotate,
    input  wire [  RING*SIMD-1:0] image,
    input  wire [  RING*SIMD-1:0] hidden,
    // Position i at bit i*SIMD, like everything here.
    output wire [  SIMD*TAPS-1:0] taps
);

  // Where the late word goes: behind the words of a short layer, otherwise to the last tap.
  wire [TAPS-1:0] late_short = length[TAPS-1:0];
  wire            short = |late_short;
  wire [TAPS-1:0] late_tap = {{(TAPS - 1) {1'b0}}, 1'b1} << (TAPS - 1);
  wire [RING-1:0] late;
  assign late[TAPS-1:0] = {TAPS{load_late}} & (short ? late_short : late_tap);

  // Positions that share a copy of the controls: about 64 bits.
  localparam BLOCK = (SIMD < 64) ? (63 + SIMD) / SIMD : 1;
  localparam BLOCKS = (RING + BLOCK - 1) / BLOCK;

  wire [RING*SIMD-1:0] words;
  // What moves down to each position, and the hidden word that it loads: the one behind its own.
  // The last position's is never used before it is overwritten.
  wire [RING*SIMD-1:0] above;
  wire [RING*SIMD-1:0] next_hidden;

  assign taps = words[SIMD*TAPS-1:0];

  genvar i;
  generate
    if (TAPS < RING) begin : g_untapped
      assign late[RING-1:TAPS] = {(RING - TAPS) {1'b0}};
    end
    for (i = 0; i < RING; i = i + 1) begin : g_position
      wire [SIMD-1:0] neighbour = words[((i+1)%RING)*SIMD+:SIMD];
      assign next_hidden[i*SIMD+:SIMD] = hidden[((i+1)%RING)*SIMD+:SIMD];

      if (TAPS > 1 && i == TAPS - 1) begin : g_continued
        // In a short layer nothing valid stands above, but what would stand there stands at
        // position TAPS mod words, too. One of the sources is chosen; source TAPS is the neighbour.
        reg  [  TAPS:0] source;
        reg  [  TAPS:0] source_s1;
        reg  [SIMD-1:0] chosen;
        integer         w;
        integer         t;
        always @(posedge clk) source_s1 <= source;
        always @* begin
          source = {~short, {TAPS{1'b0}}};
          for (w = 1; w <= TAPS; w = w + 1) source[TAPS%w] = source[TAPS%w] | length[w-1];
          chosen = {SIMD{source_s1[TAPS]}} & neighbour;
          for (t = 0; t < TAPS; t = t + 1) begin
            chosen = chosen | ({SIMD{source_s1[t]}} & words[t*SIMD+:SIMD]);
          end
        end
        assign above[i*SIMD+:SIMD] = chosen;
      end else begin : g_neighbour
        assign above[i*SIMD+:SIMD] = neighbour;
      end
    end

    for (i = 0; i < BLOCKS; i = i + 1) begin : g_block
      localparam FIRST = i * BLOCK;
      localparam POSITIONS = (RING - FIRST < BLOCK) ? RING - FIRST : BLOCK;
      fcc_ring_block #(
          .SIMD     (SIMD),
          .RING     (RING),
          .TAPS     (TAPS),
          .FIRST    (FIRST),
          .POSITIONS(POSITIONS)
      ) block (
          .clk        (clk),
          .load_image (load_image),
          .load_hidden(load_hidden),
          .rotate     (rotate),
          .load_late  (late[FIRST+:POSITIONS]),
          .reenter    (length[FIRST+:POSITIONS]),
          .image      (image[FIRST*SIMD+:POSITIONS*SIMD]),
          .hidden     (next_hidden[FIRST*SIMD+:POSITIONS*SIMD]),
          .above      (above[FIRST*SIMD+:POSITIONS*SIMD]),
          .leaving    (words[SIMD-1:0]),
          .late       (hidden[SIMD-1:0]),
          .words      (words[FIRST*SIMD+:POSITIONS*SIMD])
      );
    end
  endgenerate

endmodule

`default_nettype wire
