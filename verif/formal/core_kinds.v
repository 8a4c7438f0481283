// SPDX-License-Identifier: Apache-2.0
//
// The whole core with activations of order 2 and ternary weights, from its registers to its
// results, against the mathematics of ARCHITECTURE.md: for all ternary weights, all thresholds with
// their lower and upper ones, all biases and all images of 8-bit pixels, every score and class is
// the one specified. A small network, 3 inputs, so that one is padding, 2 hidden neurons and 2
// classes, on a core with two PEs, two synapses and two lanes, which carry one image; that is all
// there is.
//
// Everything else as in core.v. A weight is (a + b) / 2 for its two planes; 0 may be coded either
// way.

`default_nettype none

module core_kinds #(
    // Cycle by which all results must have come, if none had to wait.
    parameter DEADLINE = 76
) (
    input wire clk,
    input wire aso_ready
);

  `include "fcc_registers.vh"

  localparam PE = 2;
  localparam SIMD = 2;
  localparam INPUTS = 3;
  localparam HIDDEN = 2;
  localparam CLASSES = 2;
  localparam IMAGES = 1;
  localparam SCORE_BITS = 7;
  localparam WRITES = 27;
  localparam FIRST_WRITE = 2;
  localparam ORDER = 2;
  localparam TERNARY = 1;
  localparam MAX_WIDTH = INPUTS;
  localparam WEIGHT_DEPTH = 6;
  localparam THRESHOLD_DEPTH = 2;
  localparam IMAGE_WIDTH = 32;
  localparam EMPTY_BITS = 2;
  // Pixels of at least these become the levels 1, 2, 3.
  localparam [7:0] LOWER = 64;
  localparam [7:0] MIDDLE = 128;
  localparam [7:0] UPPER = 192;
  // The greatest P of either layer: three of each input, two of each weight.
  localparam MOST = 6 * INPUTS;
  localparam MOST_OUT = 6 * HIDDEN;

  // ---- any network, any images

  // Either plane: weight of input i of neuron j at bit j*INPUTS + i, or j*HIDDEN + i.
  (* anyconst *) wire [HIDDEN*INPUTS-1:0] hidden_a;
  (* anyconst *) wire [HIDDEN*INPUTS-1:0] hidden_b;
  (* anyconst *) wire [CLASSES*HIDDEN-1:0] class_a;
  (* anyconst *) wire [CLASSES*HIDDEN-1:0] class_b;
  // Of neuron j at bit 5*j; biases at bit SCORE_BITS*j.
  (* anyconst *) wire [5*HIDDEN-1:0] thresholds;
  (* anyconst *) wire [5*HIDDEN-1:0] lowers;
  (* anyconst *) wire [5*HIDDEN-1:0] uppers;
  (* anyconst *) wire [SCORE_BITS*CLASSES-1:0] biases;
  (* anyconst *) wire [8*IMAGES*INPUTS-1:0] pixels;

  // ---- what every image has to give

  // Level 0, 1, 2, 3 for the values -3, -1, 1, 3; the weight -1, 0, 1; their product.
  function [1:0] level_of(input [7:0] pixel);
    level_of = (pixel >= LOWER) + (pixel >= MIDDLE) + (pixel >= UPPER);
  endfunction

  function signed [7:0] product(input a, input b, input [1:0] level);
    product = (a == b) ? (a ? 2 * $signed({6'd0, level}) - 3 : 3 - 2 * $signed({6'd0, level})) : 0;
  endfunction

  reg [IMAGES*CLASSES*SCORE_BITS-1:0] want_scores;
  reg [IMAGES-1:0] want_class;
  reg [2*HIDDEN-1:0] levels;
  reg first;
  reg signed [7:0] sum;
  reg signed [7:0] score;
  reg signed [7:0] other;
  integer m;
  integer j;
  integer i;
  always @* begin
    score = 0;
    for (m = 0; m < IMAGES; m = m + 1) begin
      for (j = 0; j < HIDDEN; j = j + 1) begin
        // P is the dot product and half the greatest P.
        sum = MOST / 2;
        for (i = 0; i < INPUTS; i = i + 1) begin
          sum = sum + product(hidden_a[j*INPUTS+i], hidden_b[j*INPUTS+i],
                              level_of(pixels[8*(m*INPUTS+i)+:8]));
        end
        first = (sum >= $signed({3'd0, thresholds[5*j+:5]}));
        levels[2*j+:2] = {first,
            sum >= $signed({3'd0, first ? uppers[5*j+:5] : lowers[5*j+:5]})};
      end
      for (j = 0; j < CLASSES; j = j + 1) begin
        other = score;
        sum = 0;
        for (i = 0; i < HIDDEN; i = i + 1) begin
          sum = sum + product(class_a[j*HIDDEN+i], class_b[j*HIDDEN+i], levels[2*i+:2]);
        end
        score = 2 * sum + $signed(biases[j*SCORE_BITS+:SCORE_BITS]);
        want_scores[(m*CLASSES+j)*SCORE_BITS+:SCORE_BITS] = score[SCORE_BITS-1:0];
      end
      want_class[m] = (score > other);
    end
    for (j = 0; j < HIDDEN; j = j + 1) begin
      assume (lowers[5*j+:5] <= thresholds[5*j+:5] && thresholds[5*j+:5] <= uppers[5*j+:5]);
      assume (uppers[5*j+:5] <= MOST + 1);
    end
    for (j = 0; j < CLASSES; j = j + 1) begin
      score = $signed(biases[j*SCORE_BITS+:SCORE_BITS]);
      assume (score >= -40 && score <= 40);
    end
  end

  // ---- the core, and what the driver writes

  `include "core_rig.vh"

  // There is but one.
  assign image_data = {pixels[7:0], pixels[15:8], pixels[23:16], 8'd0};
  assign image_empty = 2'd1;

  always @* begin
    address = REG_LOAD_DATA;
    data = 32'd0;
    case (cycle - FIRST_WRITE)
      8'd0: begin address = REG_INPUTS; data = INPUTS; end
      8'd1: begin address = REG_CLASSES; data = CLASSES; end
      8'd2: begin address = REG_LAYERS; data = 2; end
      // TERNARY, groups, ORDER_2, words.
      8'd3: begin address = REG_LAYER_TABLE; data = {1'b1, 15'd1, 1'b1, 15'd2}; end
      8'd4: begin address = REG_LAYER_TABLE + 6'd1; data = {1'b1, 15'd1, 1'b1, 15'd1}; end
      8'd5: begin address = REG_PIXEL_RESIDUAL; data = {16'd0, UPPER, LOWER}; end
      8'd6: begin address = REG_LOAD_SELECT; data = 0; end
      // The words of the first plane, then those of the second one.
      8'd7: data = coded(hidden_a[0+:SIMD], hidden_a[INPUTS+:SIMD]);
      8'd8: data = coded({1'b1, hidden_a[SIMD]}, {1'b1, hidden_a[INPUTS+SIMD]});
      8'd9: data = coded(hidden_b[0+:SIMD], hidden_b[INPUTS+:SIMD]);
      8'd10: data = coded({1'b1, hidden_b[SIMD]}, {1'b1, hidden_b[INPUTS+SIMD]});
      8'd11: data = coded(class_a[0+:SIMD], class_a[HIDDEN+:SIMD]);
      8'd12: data = coded(class_b[0+:SIMD], class_b[HIDDEN+:SIMD]);
      8'd13: begin address = REG_LOAD_SELECT; data = 1; end
      // Offsets, distances up, distances down.
      8'd14: data = 1 - 2 * thresholds[0+:5];
      8'd15: data = 1 - 2 * thresholds[5+:5];
      8'd16: data = uppers[0+:5] - thresholds[0+:5];
      8'd17: data = uppers[5+:5] - thresholds[5+:5];
      8'd18: data = thresholds[0+:5] - lowers[0+:5];
      8'd19: data = thresholds[5+:5] - lowers[5+:5];
      8'd20: data = biases[0+:SCORE_BITS] - MOST_OUT;
      8'd21: data = biases[SCORE_BITS+:SCORE_BITS] - MOST_OUT;
      8'd26: begin
        address = REG_CONTROL;
        data = (1 << CONTROL_ENABLE) | (1 << CONTROL_PIXEL_8BIT);
      end
      default: ;
    endcase
  end

endmodule

`default_nettype wire
