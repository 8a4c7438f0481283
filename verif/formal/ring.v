// SPDX-License-Identifier: Apache-2.0
//
// fcc_ring: after r rotations tap p shows word (p + r) mod words of an image, and word (p + r + 1)
// mod words of a hidden layer, for every number of words, all contents, any number of rotations and
// pauses between them. A word of a short layer that is not wound up yet, and word 0 of a hidden
// layer before it is due, are not looked at.
//
// Assumed: `load_late` comes when it has to (which sequencer.v proves), `length` stays during a
// layer, and what is loaded is there one cycle after its strobe.

`default_nettype none

module ring_property #(
    parameter SIMD = 1,
    parameter RING = 4,
    parameter TAPS = 2
) (
    input wire                 clk,
    input wire [          7:0] layer_words,
    input wire                 load_image,
    input wire                 load_hidden,
    input wire                 rotate,
    input wire [RING*SIMD-1:0] image,
    input wire [RING*SIMD-1:0] hidden
);

  localparam W = 8;
  localparam [W-1:0] TAP_WORDS = TAPS;

  // The layer in the ring, and the words it should be of.
  reg loaded = 1'b0;
  reg is_hidden;
  reg [W-1:0] words;
  reg [RING*SIMD-1:0] contents;
  // Rotations, as far as a late word is waited for or the layer wound up, and modulo `words`.
  reg [W-1:0] turns;
  reg [W-1:0] phase;
  reg load_s1 = 1'b0;
  reg late_s1 = 1'b0;

  wire load = load_image || load_hidden;
  wire [W-1:0] ring_words = load ? layer_words : words;
  // At the end of step words - TAPS - 1, where the layer has more words than taps.
  wire load_late = load_hidden ? layer_words <= TAP_WORDS
      : !load && rotate && loaded && is_hidden && words > TAP_WORDS
        && turns + 1'b1 + TAP_WORDS == words;
  wire [RING-1:0] length = 1 << (ring_words - 1'b1);
  wire [SIMD*TAPS-1:0] taps;

  fcc_ring #(
      .SIMD(SIMD),
      .RING(RING),
      .TAPS(TAPS)
  ) dut (
      .clk        (clk),
      .length     (length),
      .load_image (load_image),
      .load_hidden(load_hidden),
      .load_late  (load_late),
      .rotate     (rotate),
      .image      (image),
      .hidden     (hidden),
      .taps       (taps)
  );

  always @* begin
    assume (layer_words >= 1 && layer_words <= RING);
    assume (!(load_image && load_hidden));
    if (!loaded && !load) assume (!rotate);
  end

  localparam [W-1:0] MANY = RING + TAPS;

  always @(posedge clk) begin
    load_s1 <= load;
    late_s1 <= load_late;
    if (load) begin
      loaded <= 1'b1;
      is_hidden <= load_hidden;
      words <= layer_words;
      turns <= 0;
      phase <= load_hidden ? ((layer_words == 1) ? 0 : 1) : 0;
    end else if (rotate) begin
      if (turns != MANY) turns <= turns + 1'b1;
      phase <= (phase + 1'b1 == words) ? 0 : phase + 1'b1;
    end
    if (load_s1) begin
      contents <= is_hidden ? hidden : image;
    end
    // Word 0 comes again.
    if (late_s1) contents[SIMD-1:0] <= hidden[SIMD-1:0];
  end

  // What the taps show is two cycles old.
  reg loaded_s1 = 1'b0;
  reg is_hidden_s1;
  reg [W-1:0] words_s1;
  reg [W-1:0] turns_s1;
  reg [W-1:0] phase_s1;
  always @(posedge clk) begin
    loaded_s1 <= loaded;
    is_hidden_s1 <= is_hidden;
    words_s1 <= words;
    turns_s1 <= turns;
    phase_s1 <= phase;
  end

  wire wound = (turns_s1 + words_s1 >= TAP_WORDS);
  wire early = is_hidden_s1 && turns_s1 + TAP_WORDS < words_s1;

  // For the induction: all positions of the layer, and those that are wound up.
  (* hierconn *) wire [RING*SIMD-1:0] \dut.words ;

  genvar i;
  generate
    for (i = 0; i < RING; i = i + 1) begin : g_position
      wire [W-1:0] number = (i + phase_s1) % words_s1;
      wire [SIMD-1:0] want = contents[number*SIMD+:SIMD];
      wire filled = (i < words_s1) || (i < TAPS && i + turns_s1 >= TAP_WORDS);
      wire due = loaded_s1 && !(early && number == 0);
      always @* if (due && filled) assert (\dut.words [i*SIMD+:SIMD] == want);
      if (i < TAPS) begin : g_tap
        always @* if (due && wound) assert (taps[i*SIMD+:SIMD] == want);
      end
    end
  endgenerate

  always @* begin
    if (loaded) begin
      assert (words >= 1 && words <= RING);
      assert (turns <= MANY);
      assert (phase < words);
      // As long as a word is waited for, rotations tell the phase.
      if (turns + (is_hidden ? 1 : 0) < words) assert (phase == turns + (is_hidden ? 1 : 0));
      if (is_hidden && turns + 1'b1 == words) assert (phase == 0);
    end
    if (loaded_s1) begin
      assert (loaded && words_s1 >= 1 && words_s1 <= RING && phase_s1 < words_s1);
      assert (turns_s1 <= MANY);
    end
    if (load_s1) assert (loaded && turns == 0);
  end

endmodule

module ring #(
    parameter SIZES = 6,
    // Positions, those that PEs see, bits of a word.
    parameter [8*SIZES-1:0] RINGS = {8'd1, 8'd4, 8'd4, 8'd5, 8'd5, 8'd6},
    parameter [8*SIZES-1:0] TAPS = {8'd1, 8'd1, 8'd4, 8'd2, 8'd3, 8'd5},
    parameter [8*SIZES-1:0] SIMDS = {8'd2, 8'd1, 8'd1, 8'd2, 8'd1, 8'd1}
) (
    input wire                clk,
    input wire [ 8*SIZES-1:0] layer_words,
    input wire [   SIZES-1:0] load_image,
    input wire [   SIZES-1:0] load_hidden,
    input wire [   SIZES-1:0] rotate,
    input wire [64*SIZES-1:0] image,
    input wire [64*SIZES-1:0] hidden
);

  genvar i;
  generate
    for (i = 0; i < SIZES; i = i + 1) begin : g_size
      ring_property #(
          .SIMD(SIMDS[8*i+:8]),
          .RING(RINGS[8*i+:8]),
          .TAPS(TAPS[8*i+:8])
      ) property_i (
          .clk        (clk),
          .layer_words(layer_words[8*i+:8]),
          .load_image (load_image[i]),
          .load_hidden(load_hidden[i]),
          .rotate     (rotate[i]),
          .image      (image[64*i+:RINGS[8*i+:8]*SIMDS[8*i+:8]]),
          .hidden     (hidden[64*i+:RINGS[8*i+:8]*SIMDS[8*i+:8]])
      );
    end
  endgenerate

endmodule

`default_nettype wire
