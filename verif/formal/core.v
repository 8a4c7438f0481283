// SPDX-License-Identifier: Apache-2.0
//
// The whole core, from its registers to its results, against the mathematics of ARCHITECTURE.md:
// for all weights, all thresholds and biases, all images, every score and class is the one
// specified, in order of arrival. A small network, 4 inputs, 3 hidden neurons and 2 classes, on a
// core with two PEs, two synapses and two lanes: the first layer has more neurons than PEs, the
// second one an input that is padding, and three images make a full batch and a partial one.
//
// The registers are written as a driver does it, then the images are sent. Nothing else happens on
// the registers, and no image is malformed. Whoever takes the results may let them wait at any
// time. Assumed: biases within what a score can hold.

`default_nettype none

module core #(
    // Cycle by which all results must have come, if none had to wait.
    parameter DEADLINE = 80
) (
    input wire clk,
    input wire aso_ready
);

  `include "fcc_registers.vh"

  localparam PE = 2;
  localparam SIMD = 2;
  localparam INPUTS = 4;
  localparam HIDDEN = 3;
  localparam CLASSES = 2;
  localparam IMAGES = 3;
  localparam SCORE_BITS = 5;
  localparam WRITES = 21;
  localparam FIRST_WRITE = 2;
  localparam ORDER = 1;
  localparam TERNARY = 0;
  localparam MAX_WIDTH = 4;
  localparam WEIGHT_DEPTH = 6;
  localparam THRESHOLD_DEPTH = 3;
  localparam IMAGE_WIDTH = 8;
  localparam EMPTY_BITS = 1;

  // ---- any network, any images

  // Weight of input i of neuron j at bit j*INPUTS + i; the threshold of neuron j at bit 4*j.
  (* anyconst *) wire [HIDDEN*INPUTS-1:0] hidden_weights;
  (* anyconst *) wire [4*HIDDEN-1:0] thresholds;
  (* anyconst *) wire [CLASSES*HIDDEN-1:0] class_weights;
  (* anyconst *) wire [SCORE_BITS*CLASSES-1:0] offsets;
  (* anyconst *) wire [IMAGES*INPUTS-1:0] pixels;

  // ---- what every image has to give

  reg [IMAGES*CLASSES*SCORE_BITS-1:0] want_scores;
  reg [IMAGES-1:0] want_class;
  reg [HIDDEN-1:0] activation;
  reg signed [SCORE_BITS-1:0] score;
  reg signed [SCORE_BITS-1:0] other;
  reg [3:0] equal;
  integer m;
  integer j;
  integer i;
  always @* begin
    for (m = 0; m < IMAGES; m = m + 1) begin
      for (j = 0; j < HIDDEN; j = j + 1) begin
        equal = 0;
        for (i = 0; i < INPUTS; i = i + 1) begin
          equal = equal + (pixels[m*INPUTS+i] == hidden_weights[j*INPUTS+i]);
        end
        activation[j] = (equal >= thresholds[4*j+:4]);
      end
      for (j = 0; j < CLASSES; j = j + 1) begin
        equal = 0;
        for (i = 0; i < HIDDEN; i = i + 1) begin
          equal = equal + (activation[i] == class_weights[j*HIDDEN+i]);
        end
        other = score;
        score = 2 * equal + offsets[j*SCORE_BITS+:SCORE_BITS];
        want_scores[(m*CLASSES+j)*SCORE_BITS+:SCORE_BITS] = score;
      end
      want_class[m] = (score > other);
    end
    // A threshold is at most the number of inputs and one; 2 * 3 is added to an offset.
    for (j = 0; j < HIDDEN; j = j + 1) assume (thresholds[4*j+:4] <= INPUTS + 1);
    for (j = 0; j < CLASSES; j = j + 1) begin
      score = offsets[j*SCORE_BITS+:SCORE_BITS];
      assume (score < 10);
    end
  end

  // ---- the core, and what the driver writes

  `include "core_rig.vh"

  assign image_data = {4'd0, pixels[image*INPUTS+:INPUTS]};
  assign image_empty = 1'b0;

  always @* begin
    address = REG_LOAD_DATA;
    data = 32'd0;
    case (cycle - FIRST_WRITE)
      8'd0: begin address = REG_INPUTS; data = INPUTS; end
      8'd1: begin address = REG_CLASSES; data = CLASSES; end
      8'd2: begin address = REG_LAYERS; data = 2; end
      8'd3: begin address = REG_LAYER_TABLE; data = {16'd2, 16'd2}; end
      8'd4: begin address = REG_LAYER_TABLE + 6'd1; data = {16'd1, 16'd2}; end
      8'd5: begin address = REG_PARTIAL_TIMEOUT; data = 4; end
      8'd6: begin address = REG_LOAD_SELECT; data = 0; end
      // Groups from the last one to group 0, words from 0 on.
      8'd7: data = coded(hidden_weights[2*INPUTS+:SIMD], 2'b11);
      8'd8: data = coded(hidden_weights[2*INPUTS+SIMD+:SIMD], 2'b11);
      8'd9: data = coded(hidden_weights[0+:SIMD], hidden_weights[INPUTS+:SIMD]);
      8'd10: data = coded(hidden_weights[SIMD+:SIMD], hidden_weights[INPUTS+SIMD+:SIMD]);
      // Word 1, the padded one, comes before word 0.
      8'd11: data = coded({1'b1, class_weights[2]}, {1'b1, class_weights[HIDDEN+2]});
      8'd12: data = coded(class_weights[1:0], class_weights[HIDDEN+1:HIDDEN]);
      8'd13: begin address = REG_LOAD_SELECT; data = 1; end
      8'd14: data = 1 - 2 * thresholds[8+:4];
      // A neuron that is not there.
      8'd15: data = -2 * INPUTS - 1;
      8'd16: data = 1 - 2 * thresholds[0+:4];
      8'd17: data = 1 - 2 * thresholds[4+:4];
      8'd18: data = offsets[SCORE_BITS-1:0];
      8'd19: data = offsets[2*SCORE_BITS-1:SCORE_BITS];
      8'd20: begin address = REG_CONTROL; data = 1 << CONTROL_ENABLE; end
      default: ;
    endcase
  end

endmodule

`default_nettype wire
