// SPDX-License-Identifier: Apache-2.0
//
// Neighbouring positions of the ring, with controls of their own: a net that reached every bit of a
// ring would be the slowest one of the core. Synthesis would merge the copies, hence the
// attributes: keep_hierarchy for Yosys, dont_merge for Quartus.
//
// A position takes the word above it, the word that leaves position 0, a word of the image or one
// of the hidden bits; a position that PEs see also takes word 0 of the hidden bits late.
//
// Latency: 2 cycles from the controls to `words`; what is loaded is sampled one cycle after them.

`default_nettype none

(* keep_hierarchy = "yes" *)
module fcc_ring_block #(
    // Activation bits per word (>= 1).
    parameter SIMD = 1,
    // Positions of the ring (>= 1).
    parameter RING = 1,
    // How many of them, from position 0 on, PEs see (1 to RING).
    parameter TAPS = 1,
    // The first one of the positions here (0 to RING - 1).
    parameter FIRST = 0,
    // The number of positions here (1 to RING - FIRST).
    parameter POSITIONS = 1
) (
    input  wire                      clk,
    input  wire                      load_image,
    input  wire                      load_hidden,
    input  wire                      rotate,
    // By position: word 0 of the hidden bits goes there. Only to positions that PEs see.
    input  wire [     POSITIONS-1:0] load_late,
    // By position: the word that leaves position 0 re-enters there.
    input  wire [     POSITIONS-1:0] reenter,
    // What the positions take, position i of these at bit i*SIMD.
    input  wire [POSITIONS*SIMD-1:0] image,
    input  wire [POSITIONS*SIMD-1:0] hidden,
    input  wire [POSITIONS*SIMD-1:0] above,
    // Word at position 0; word 0 of the hidden bits.
    input  wire [          SIMD-1:0] leaving,
    input  wire [          SIMD-1:0] late,
    output wire [POSITIONS*SIMD-1:0] words
);

  (* dont_merge *) reg load_s1;
  (* dont_merge *) reg load_image_s1;
  (* dont_merge *) reg move_s1;
  reg [POSITIONS-1:0] load_late_s1;
  reg [POSITIONS-1:0] reenter_s1;

  always @(posedge clk) begin
    load_s1 <= load_image | load_hidden;
    load_image_s1 <= load_image;
    move_s1 <= load_image | load_hidden | rotate;
    load_late_s1 <= load_late;
    reenter_s1 <= reenter;
  end

  genvar i;
  generate
    for (i = 0; i < POSITIONS; i = i + 1) begin : g_position
      reg  [SIMD-1:0] word_reg;
      // Position 0 keeps its word then. What re-enters at the last tap comes from above, too (see
      // fcc_ring), and above the ring's last position there is nothing else.
      localparam CONTINUED = (TAPS > 1 && FIRST + i == TAPS - 1);
      localparam TOP = (FIRST + i == RING - 1);
      wire [SIMD-1:0] reentering = (FIRST + i == 0) ? word_reg : leaving;
      wire [SIMD-1:0] turned =
          (!CONTINUED && (TOP || reenter_s1[i])) ? reentering : above[i*SIMD+:SIMD];
      wire [SIMD-1:0] next =
          load_s1 ? (load_image_s1 ? image[i*SIMD+:SIMD] : hidden[i*SIMD+:SIMD]) : turned;
      always @(posedge clk) begin
        if (FIRST + i < TAPS && load_late_s1[i]) word_reg <= late;
        else if (move_s1) word_reg <= next;
      end
      assign words[i*SIMD+:SIMD] = word_reg;
    end
  endgenerate

  // What some positions need and others do not.
  wire unused = &{1'b0, load_late_s1, reenter_s1, above, leaving, late};

endmodule

`default_nettype wire
