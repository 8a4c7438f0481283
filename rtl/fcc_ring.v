// SPDX-License-Identifier: Apache-2.0
//
// The rotating activation register of one lane: every PE meets every word of the layer over a fixed
// wire, so that no multiplexer stands between the activations and the PEs.
//
// Every `rotate` moves each word one position down; the word that leaves position 0 re-enters behind
// the last word of the layer, so that `words` rotations give the starting contents back. Positions 0
// to TAPS-1 are the ones that PEs see.
//
// `load_image` puts word i at position i. `load_hidden` puts word i + 1 at position i, because word 0
// holds the neurons that were computed last and is not complete yet: `load_late` brings it where it
// is due, at the end of step words - TAPS - 1, to the last tap. So after r rotations position i holds
// word (i + r) mod words of an image and word (i + r + 1) mod words of a hidden layer.
//
// A layer with words <= TAPS takes `load_late` together with `load_hidden`, and must be rotated
// TAPS - words times before its first step ("winding up"), which fills positions words to TAPS-1 with
// the periodic continuation.
//
// Storage is by bit plane (bit k of all positions side by side), because the PE array consumes
// planes; images and hidden bits are in natural order (word 0 lowest).
//
// The controls pass a register first, already decoded, because each of them goes to a whole word or to
// all of them.
//
// Latency: 2 cycles from a load or `rotate` to `taps`; image and hidden bits are sampled one cycle after
// the load. Never stalls.

`default_nettype none

module fcc_ring #(
    // Activation bits per word (>= 1).
    parameter SIMD = 128,
    // Positions, the largest number of words of a layer (>= 1).
    parameter RING = 8,
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
    // Plane k, position i at bit k*TAPS + i.
    output wire [  SIMD*TAPS-1:0] taps
);

  // Where the late word goes: behind the words of a short layer, otherwise to the last tap.
  wire [TAPS-1:0] late_short = length[TAPS-1:0];
  wire            short = |late_short;
  wire [TAPS-1:0] late_tap = {{(TAPS - 1) {1'b0}}, 1'b1} << (TAPS - 1);
  // The controls of the next cycle: which of its four sources a word takes, and whether it moves.
  reg             load;
  reg             from_image;
  reg             move;
  reg  [TAPS-1:0] late;
  reg  [RING-1:0] reenter;
  always @(posedge clk) begin
    load <= load_image | load_hidden;
    from_image <= load_image;
    move <= load_image | load_hidden | rotate;
    late <= {TAPS{load_late}} & (short ? late_short : late_tap);
    reenter <= length;
  end

  // Plane k of position i at bit k of word i.
  wire [RING*SIMD-1:0] words;

  genvar i;
  genvar k;
  generate
    for (i = 0; i < RING; i = i + 1) begin : g_position
      reg [SIMD-1:0] word_reg;
      // Word i + 1 of the hidden layer; the last position's is never used before it is overwritten.
      wire [SIMD-1:0] hidden_word = hidden[((i+1)%RING)*SIMD+:SIMD];
      wire [SIMD-1:0] above = words[((i+1)%RING)*SIMD+:SIMD];
      // Every bit is a choice of four, which is one function of six inputs.
      wire [SIMD-1:0] turned = reenter[i] ? words[SIMD-1:0] : above;
      wire [SIMD-1:0] next = load ? (from_image ? image[i*SIMD+:SIMD] : hidden_word) : turned;
      wire [SIMD-1:0] continued;

      if (TAPS > 1 && i == TAPS - 1) begin : g_continued
        // While a short layer is wound up, what would stand at position TAPS stands at TAPS mod words
        // too, and that one is valid.
        reg  [TAPS-1:0] source;
        reg  [TAPS-1:0] source_s1;
        reg             continues;
        reg  [SIMD-1:0] continuation;
        integer         w;
        integer         t;
        always @(posedge clk) begin
          continues <= short & ~(load_image | load_hidden);
          source_s1 <= source;
        end
        always @* begin
          source = {TAPS{1'b0}};
          for (w = 1; w <= TAPS; w = w + 1) source[TAPS%w] = source[TAPS%w] | length[w-1];
          continuation = {SIMD{1'b0}};
          for (t = 0; t < TAPS; t = t + 1) begin
            continuation = continuation | ({SIMD{source_s1[t]}} & words[t*SIMD+:SIMD]);
          end
        end
        assign continued = continues ? continuation : next;
      end else begin : g_plain
        assign continued = next;
      end

      if (i < TAPS) begin : g_tap
        always @(posedge clk) begin
          if (late[i]) word_reg <= hidden[SIMD-1:0];
          else if (move) word_reg <= continued;
        end
        for (k = 0; k < SIMD; k = k + 1) begin : g_plane
          assign taps[k*TAPS+i] = word_reg[k];
        end
      end else begin : g_beyond
        always @(posedge clk) if (move) word_reg <= continued;
      end
      assign words[i*SIMD+:SIMD] = word_reg;
    end
  endgenerate

endmodule

`default_nettype wire
