// SPDX-License-Identifier: Apache-2.0
//
// The rotating activation register of one lane: every PE meets every word of the layer over a fixed
// wire, so that no multiplexer stands between the activations and the PEs.
//
// After `load`, position i holds word i. Every `rotate` moves each word one position down; the
// word that leaves position 0 re-enters behind the last word of the layer, so that `words`
// rotations give the starting contents back: after r rotations position i holds word
// (i + r) mod words. Positions 0 to TAPS-1 are the ones that PEs see.
//
// A layer with words >= TAPS is ready to use straight after `load`. One with fewer words must be
// rotated TAPS - words times first ("winding up"), which fills positions words to TAPS-1 with the
// periodic continuation; the sequencer does this. A TAPS of half the ring avoids it for every layer
// that fills at least half of the ring, at the price of two PEs sharing a tap.
//
// Storage is by bit plane (bit k of all positions side by side), because the PE array consumes
// planes; `load_words` is in natural order (word 0 lowest).
//
// Latency: 1 cycle from `load` or `rotate` to `taps`. Never stalls.

`default_nettype none

module fcc_ring #(
    // Activation bits per word (>= 1).
    parameter SIMD = 128,
    // Positions, the largest number of words of a layer (>= 1).
    parameter RING = 8,
    // Positions visible to PEs (1 to RING).
    parameter TAPS = 4
) (
    input  wire                   clk,
    // One-hot number of words of the current layer: bit w-1 set for w words.
    input  wire [       RING-1:0] length,
    input  wire                   load,
    input  wire [  RING*SIMD-1:0] load_words,
    input  wire                   rotate,
    // Plane k, position i at bit k*TAPS + i.
    output wire [  SIMD*TAPS-1:0] taps
);

  // Plane k, position i at bit k*RING + i.
  reg     [SIMD*RING-1:0] ring_reg;
  wire    [SIMD*RING-1:0] rotated;

  // A layer of w < TAPS words repeats within the taps: what would stand at position TAPS stands at
  // TAPS mod w too, and that one is valid even while the ring is wound up.
  wire            short = |length[TAPS-1:0];
  wire [RING-1:0] continued = short ? {{(RING - 1) {1'b0}}, 1'b1} << (TAPS - 1) : {RING{1'b0}};
  reg  [TAPS-1:0] source;
  integer w;
  always @* begin
    source = {TAPS{1'b0}};
    for (w = 1; w <= TAPS; w = w + 1) source[TAPS%w] = source[TAPS%w] | length[w-1];
  end

  genvar k;
  generate
    for (k = 0; k < SIMD; k = k + 1) begin : g_plane
      wire [RING-1:0] now = ring_reg[k*RING+:RING];
      wire [RING-1:0] first = {RING{now[0]}};
      wire [RING-1:0] continuation = {RING{|(source & now[TAPS-1:0])}};
      // One position down; the last word of the layer is followed by the first one.
      wire [RING-1:0] shifted;
      if (RING > 1) begin : g_shift
        assign shifted = {now[0], now[RING-1:1]};
      end else begin : g_single
        assign shifted = now;
      end
      assign rotated[k*RING+:RING] = (length & first) | (continued & continuation)
          | (~length & ~continued & shifted);
      assign taps[k*TAPS+:TAPS] = now[TAPS-1:0];
    end
  endgenerate

  integer plane;
  integer position;
  always @(posedge clk) begin
    if (load) begin
      for (plane = 0; plane < SIMD; plane = plane + 1) begin
        for (position = 0; position < RING; position = position + 1) begin
          ring_reg[plane*RING+position] <= load_words[position*SIMD+plane];
        end
      end
    end else if (rotate) begin
      ring_reg <= rotated;
    end
  end

endmodule

`default_nettype wire
