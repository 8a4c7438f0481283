// SPDX-License-Identifier: Apache-2.0
//
// Sends one result packet an image over Avalon-ST, in order of arrival.
//
// A packet has classes + 1 beats of 32 bits: the scores of class 0 and up, signed, and last the
// class in bits 31:16 with the image's id in bits 15:0. The scores of a batch are copied when its
// output layer is finished; `results_sent` tells that the copy is free again. Where two lanes carry
// an image, the lower one has its scores.
//
// Latency: the first beat is presented 2 cycles after the cycle of the last `scores_done`; then one
// beat a cycle while `aso_ready` is high. `aso_valid` stays with stable data until `aso_ready`.

`default_nettype none

module fcc_result_source #(
    // Images in a batch (>= 1).
    parameter LANES = 1,
    // Scores that arrive side by side (>= 1).
    parameter PE = 1,
    // Most classes a network may have (>= 1).
    parameter MAX_CLASSES = 1,
    // Bits of a signed score (3 to 32).
    parameter SCORE_BITS = 3,
    // Bits of a group's number (>= 1).
    parameter GROUP_BITS = 1
) (
    input  wire                               clk,
    input  wire                               reset,
    input  wire [      $clog2(MAX_CLASSES+1)-1:0] classes,
    // Two lanes carry an image; stable while there are images.
    input  wire                               pairs,
    // Free-running cycle counter.
    input  wire [                       31:0] now,
    // The output layer of a batch has begun: its identity, valid in this cycle.
    input  wire                               begin_batch,
    input  wire [          $clog2(LANES+1)-1:0] batch_count,
    input  wire [               LANES*16-1:0] batch_ids,
    input  wire [                       31:0] batch_stamp,
    // Scores of a group: upper bits of lane l, PE p at bit (l*PE + p)*(SCORE_BITS-1); bit 0 of PE
    // p, the same for all lanes, in `parity`.
    input  wire                               scores_done,
    // Number of the group; its first class is the PE-fold. Group 0 comes last.
    input  wire [             GROUP_BITS-1:0] scores_group,
    input  wire [LANES*PE*(SCORE_BITS-1)-1:0] scores,
    input  wire [                     PE-1:0] parity,
    output wire                               busy,
    output wire                               results_sent,
    output wire                               image_sent,
    // A score on its way out, and whose it is.
    output wire                               score_valid,
    output wire [          $clog2(LANES+1)-1:0] score_lane,
    output wire [      $clog2(MAX_CLASSES+1)-1:0] score_class,
    output reg  [              SCORE_BITS-1:0] score,
    // Cycles from the last beat of the oldest image of the batch to the beat with its class.
    output reg  [                       31:0] latency,
    output reg                                aso_valid,
    input  wire                               aso_ready,
    output reg  [                       31:0] aso_data,
    output reg                                aso_startofpacket,
    output reg                                aso_endofpacket
);

  localparam ACC_BITS = SCORE_BITS - 1;
  localparam CLASS_BITS = $clog2(MAX_CLASSES + 1);
  localparam COUNT_BITS = $clog2(LANES + 1);

  reg  [LANES*MAX_CLASSES*SCORE_BITS-1:0] scores_reg;
  reg  [                  COUNT_BITS-1:0] count_reg;
  reg  [                    LANES*16-1:0] ids_reg;
  reg  [                            31:0] stamp_reg;
  reg                                     sending_reg;
  reg  [                  COUNT_BITS-1:0] lane_reg;
  reg  [                  CLASS_BITS-1:0] class_reg;

  wire                                    advance = sending_reg && (!aso_valid || aso_ready);
  wire                                    is_score = (class_reg != classes);
  wire [                  COUNT_BITS-1:0] one_more = lane_reg + 1'b1;
  wire [                  COUNT_BITS-1:0] next_lane = pairs ? one_more + 1'b1 : one_more;
  wire                                    last_lane = (next_lane == count_reg);
  wire [                  CLASS_BITS-1:0] best;
  reg  [                            15:0] id;
  reg  [      MAX_CLASSES*SCORE_BITS-1:0] lane_scores;

  genvar l;
  genvar c;
  generate
    for (l = 0; l < LANES; l = l + 1) begin : g_lane
      for (c = 0; c < MAX_CLASSES; c = c + 1) begin : g_class
        localparam [31:0] GROUP = c / PE;
        always @(posedge clk) begin
          if (scores_done && scores_group == GROUP[GROUP_BITS-1:0]) begin
            scores_reg[(l*MAX_CLASSES+c)*SCORE_BITS+:SCORE_BITS] <=
                {scores[(l*PE+c%PE)*ACC_BITS+:ACC_BITS], parity[c%PE]};
          end
        end
      end
    end
    // PEs beyond the most classes compute nothing that is asked for.
    if (PE > MAX_CLASSES) begin : g_rest
      wire unused = &{1'b0, parity, scores};
    end
  endgenerate

  // Index without multiplication: the selected lane, then the selected class.
  integer i;
  integer j;
  always @* begin
    lane_scores = {MAX_CLASSES * SCORE_BITS{1'b0}};
    score = {SCORE_BITS{1'b0}};
    id = 16'd0;
    for (i = 0; i < LANES; i = i + 1) begin
      if (lane_reg == i[COUNT_BITS-1:0]) begin
        id = ids_reg[i*16+:16];
        lane_scores = scores_reg[i*MAX_CLASSES*SCORE_BITS+:MAX_CLASSES*SCORE_BITS];
      end
    end
    for (j = 0; j < MAX_CLASSES; j = j + 1) begin
      if (class_reg == j[CLASS_BITS-1:0]) score = lane_scores[j*SCORE_BITS+:SCORE_BITS];
    end
  end

  fcc_argmax #(
      .SCORE_BITS(SCORE_BITS),
      .INDEX_BITS(CLASS_BITS)
  ) argmax (
      .clk  (clk),
      .valid(score_valid),
      .first(class_reg == 0),
      .score(score),
      .index(class_reg),
      .best (best)
  );

  assign busy = sending_reg || aso_valid;
  assign results_sent = advance && !is_score && last_lane;
  assign score_valid = advance && is_score;
  assign score_lane = lane_reg;
  assign score_class = class_reg;
  assign image_sent = aso_valid && aso_ready && aso_endofpacket;

  always @(posedge clk) begin
    if (begin_batch) begin
      count_reg <= batch_count;
      ids_reg <= batch_ids;
      stamp_reg <= batch_stamp;
    end
    if (scores_done && scores_group == 0) begin
      sending_reg <= 1'b1;
      lane_reg <= {COUNT_BITS{1'b0}};
      class_reg <= {CLASS_BITS{1'b0}};
    end

    if (aso_valid && aso_ready) aso_valid <= 1'b0;
    if (advance) begin
      aso_valid <= 1'b1;
      aso_startofpacket <= (class_reg == 0);
      aso_endofpacket <= !is_score;
      if (is_score) begin
        aso_data  <= {{(32 - SCORE_BITS) {score[SCORE_BITS-1]}}, score};
        class_reg <= class_reg + 1'b1;
      end else begin
        aso_data  <= {{(16 - CLASS_BITS) {1'b0}}, best, id};
        class_reg <= {CLASS_BITS{1'b0}};
        lane_reg  <= next_lane;
        if (lane_reg == 0) latency <= now + 32'd1 - stamp_reg;
        if (last_lane) sending_reg <= 1'b0;
      end
    end

    if (reset) begin
      sending_reg <= 1'b0;
      aso_valid   <= 1'b0;
      latency     <= 32'd0;
    end
  end

endmodule

`default_nettype wire
