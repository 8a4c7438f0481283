// SPDX-License-Identifier: Apache-2.0
//
// Which classes of which image move, and where to: the rule of learning.
//
// Each class is judged by itself as its score leaves. The label's moves towards the image where its
// score is below the margin, another one away from it where its score is above minus the margin. A
// label that is no class moves nothing: NO_LABEL (255) is legal and says that there is none, any
// other is an error.
//
// Latency: 2 cycles from a score to its `moves` and `ups`, and from the last score of an image to
// its events. One score a cycle.

`default_nettype none

module fcc_learn_moves #(
    // Images in a batch (>= 1).
    parameter LANES = 1,
    // Classes that can learn (1 to 32).
    parameter CLASSES = 1,
    // Most classes that scores can have (>= CLASSES).
    parameter MAX_CLASSES = 1,
    // Bits of a signed score (3 to 32).
    parameter SCORE_BITS = 3
) (
    input  wire                             clk,
    input  wire                             reset,
    input  wire                             enable,
    // Classes of the network, at most CLASSES, and the margin; stable while there are images.
    input  wire [    $clog2(MAX_CLASSES+1)-1:0] classes,
    input  wire [                      7:0] margin,
    // A batch begins: nothing moves. Its labels, of lane l at bit 8*l, stay.
    input  wire                             clear,
    input  wire [              LANES*8-1:0] labels,
    // A score of a lane's class, the last class last.
    input  wire                             score_valid,
    input  wire [        $clog2(LANES+1)-1:0] score_lane,
    input  wire [    $clog2(MAX_CLASSES+1)-1:0] score_class,
    input  wire [           SCORE_BITS-1:0] score,
    // Of lane l, class c at bit c*LANES + l: it moves, towards the image.
    output reg  [        CLASSES*LANES-1:0] moves,
    output reg  [        CLASSES*LANES-1:0] ups,
    // One cycle each for every image: it had a label; it moved something; its label was no class.
    output reg                              learnt,
    output reg                              moved,
    output reg                              bad_label
);

  localparam NO_LABEL = 8'd255;
  localparam LANE_BITS = $clog2(LANES + 1);
  localparam CLASS_BITS = $clog2(MAX_CLASSES + 1);
  // Holds a score and a margin, and their sum.
  localparam SUM_BITS = ((SCORE_BITS > 9) ? SCORE_BITS : 9) + 1;

  reg                  valid_s1;
  reg  [LANE_BITS-1:0] lane_s1;
  reg [CLASS_BITS-1:0] class_s1;
  reg [SCORE_BITS-1:0] score_s1;
  reg  [          7:0] label_s1;
  // Something of the lane has moved.
  reg                  moved_reg;

  reg  [          7:0] label;
  integer              i;
  always @* begin
    label = 8'd0;
    for (i = 0; i < LANES; i = i + 1) begin
      if (score_lane == i[LANE_BITS-1:0]) label = labels[i*8+:8];
    end
  end

  wire [31:0] label32 = {24'd0, label_s1};
  wire [31:0] class32 = {{(32 - CLASS_BITS) {1'b0}}, class_s1};
  wire is_class = label32 < {{(32 - CLASS_BITS) {1'b0}}, classes};
  wire up = (class32 == label32);
  // How far the score is on the wrong side: margin - score, or margin + score.
  wire [SUM_BITS-1:0] extended = {{(SUM_BITS - SCORE_BITS) {score_s1[SCORE_BITS-1]}}, score_s1};
  wire [SUM_BITS-1:0] turned = up ? ~extended : extended;
  wire [SUM_BITS-1:0] lacking =
      {{(SUM_BITS - 8) {1'b0}}, margin} + turned + {{(SUM_BITS - 1) {1'b0}}, up};
  wire done = valid_s1 && class32 + 32'd1 == {{(32 - CLASS_BITS) {1'b0}}, classes};
  wire move = valid_s1 && is_class && !lacking[SUM_BITS-1] && |lacking;

  always @(posedge clk) begin
    valid_s1 <= score_valid && enable;
    lane_s1 <= score_lane;
    class_s1 <= score_class;
    score_s1 <= score;
    label_s1 <= label;
    learnt <= done && is_class;
    moved <= done && (moved_reg || move);
    bad_label <= done && !is_class && label_s1 != NO_LABEL;
    moved_reg <= !done && (moved_reg || move);
    if (reset) begin
      valid_s1 <= 1'b0;
      learnt <= 1'b0;
      moved <= 1'b0;
      bad_label <= 1'b0;
      moved_reg <= 1'b0;
    end
  end

  genvar l;
  genvar c;
  generate
    for (c = 0; c < CLASSES; c = c + 1) begin : g_class
      localparam [31:0] CLASS = c;
      for (l = 0; l < LANES; l = l + 1) begin : g_lane
        localparam [31:0] LANE = l;
        always @(posedge clk) begin
          if (move && class32 == CLASS && lane_s1 == LANE[LANE_BITS-1:0]) begin
            moves[c*LANES+l] <= 1'b1;
            ups[c*LANES+l] <= up;
          end
          if (clear) moves[c*LANES+l] <= 1'b0;
        end
      end
    end
  endgenerate

endmodule

`default_nettype wire
