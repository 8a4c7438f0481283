// SPDX-License-Identifier: Apache-2.0
//
// fcc_batcher and fcc_result_source, joined as in fcc_core: results leave in the order in which the
// images arrived, none lost, none doubled, whatever the batches, however full, however passes
// overlap, whenever results are accepted, and whether an image takes one lane or two.
//
// Assumed of the sequencer, which sequencer.v proves: a pass begins with `load_image`, only when a
// batch is offered; its output layer is loaded once, in the same cycle or later, before the next
// pass begins, and after `results_sent` of the pass before; its last scores come once, after that
// and before the next output layer. Assumed of the sink: as in batcher.v.

`default_nettype none

module order #(
    parameter LANES = 4
) (
    input wire                       clk,
    input wire                       reset,
    input wire                       enable,
    input wire [               31:0] timeout,
    input wire                       staged_valid,
    input wire                       load_image,
    input wire                       load_output,
    input wire                       scores_done,
    input wire                       aso_ready
);

  localparam COUNT_BITS = $clog2(LANES + 1);
  localparam CLASSES = 2;

  wire staged_ready;
  wire batch_valid;
  wire [COUNT_BITS-1:0] batch_count;
  wire [LANES*16-1:0] batch_ids;
  wire results_sent;
  wire aso_valid;
  wire [31:0] aso_data;
  wire aso_startofpacket, aso_endofpacket;

  // Images that have arrived; the staged one has this number for its id.
  reg [15:0] arrived;
  // The delays of fcc_lanes.
  reg load_image_s1, load_image_s2, load_output_s1, load_output_s2, load_output_s3;

  // Two lanes an image.
  (* anyconst *) wire pairs;

  wire waiting, busy, image_sent;
  wire [LANES-1:0] images;
  wire [LANES*8-1:0] batch_labels;
  wire [31:0] batch_stamp, latency;
  wire score_valid;
  wire [$clog2(LANES+1)-1:0] score_lane;
  wire [$clog2(CLASSES+1)-1:0] score_class;
  wire [2:0] score;
  (* anyseq *) wire [31:0] now;
  (* anyseq *) wire [4*LANES-1:0] scores;
  (* anyseq *) wire [1:0] parity;

  fcc_batcher #(
      .LANES   (LANES),
      .CAPACITY(1),
      .ORDER   (2)
  ) batcher (
      .clk            (clk),
      .reset          (reset),
      .enable         (enable),
      .timeout        (timeout),
      .now            (now),
      .staged_valid   (staged_valid),
      .staged_ready   (staged_ready),
      .staged_bits    (1'b0),
      .staged_residual(1'b0),
      .pairs          (pairs),
      .planes         (1'b0),
      .staged_id      (arrived),
      .staged_label   (arrived[7:0]),
      .batch_valid    (batch_valid),
      .batch_taken    (load_image),
      .load_image     (load_image_s2),
      .images         (images),
      .waiting        (waiting),
      .batch_count    (batch_count),
      .batch_ids      (batch_ids),
      .batch_labels   (batch_labels),
      .batch_stamp    (batch_stamp)
  );

  fcc_result_source #(
      .LANES      (LANES),
      .PE         (2),
      .MAX_CLASSES(CLASSES),
      .SCORE_BITS (3),
      .GROUP_BITS (1)
  ) result_source (
      .clk              (clk),
      .reset            (reset),
      .classes          (2'd2),
      .pairs            (pairs),
      .now              (now),
      .begin_batch      (load_output_s3),
      .batch_count      (batch_count),
      .batch_ids        (batch_ids),
      .batch_stamp      (batch_stamp),
      .scores_done      (scores_done),
      .scores_group     (1'b0),
      .scores           (scores),
      .parity           (parity),
      .busy             (busy),
      .results_sent     (results_sent),
      .image_sent       (image_sent),
      .score_valid      (score_valid),
      .score_lane       (score_lane),
      .score_class      (score_class),
      .score            (score),
      .latency          (latency),
      .aso_valid        (aso_valid),
      .aso_ready        (aso_ready),
      .aso_data         (aso_data),
      .aso_startofpacket(aso_startofpacket),
      .aso_endofpacket  (aso_endofpacket)
  );

  // ---- the sequencer, as far as it matters here

  reg started = 1'b0;
  // A pass whose output layer has not been loaded; results that have not been sent; those whose
  // scores have not come.
  reg in_pass;
  reg pending;
  reg computing;

  always @* begin
    if (!started) assume (reset);
    if (load_image) assume (batch_valid && !in_pass);
    if (load_output) assume ((in_pass || load_image) && !pending);
    if (scores_done) assume (computing);
  end

  always @(posedge clk) begin
    started <= 1'b1;
    load_image_s1 <= load_image;
    load_image_s2 <= load_image_s1;
    load_output_s1 <= load_output;
    load_output_s2 <= load_output_s1;
    load_output_s3 <= load_output_s2;
    if (staged_valid && staged_ready) arrived <= arrived + 16'd1;
    if (load_image) in_pass <= 1'b1;
    if (load_output) in_pass <= 1'b0;
    if (results_sent) pending <= 1'b0;
    if (load_output) pending <= 1'b1;
    // The scores take longer through a lane than the batch's identity to the results.
    if (load_output_s3) computing <= 1'b1;
    if (scores_done) computing <= 1'b0;
    if (reset) begin
      {load_image_s1, load_image_s2} <= 2'd0;
      {load_output_s1, load_output_s2, load_output_s3} <= 3'd0;
      in_pass <= 1'b0;
      pending <= 1'b0;
      computing <= 1'b0;
      arrived <= 16'd0;
    end
  end

  // ---- results are those of the images in order

  reg [15:0] sent;
  always @(posedge clk) begin
    if (aso_valid && aso_ready && aso_endofpacket) sent <= sent + 16'd1;
    if (reset) sent <= 16'd0;
  end

  always @* if (started && aso_valid && aso_endofpacket) assert (aso_data[15:0] == sent);

  // ---- for the induction: whose images stand where

  (* hierconn *) wire [COUNT_BITS-1:0] \batcher.count_reg ;
  (* hierconn *) wire [LANES*16-1:0] \batcher.ids_reg ;
  (* hierconn *) wire [LANES*8-1:0] \batcher.labels_reg ;
  (* hierconn *) wire \batcher.taken_reg ;
  (* hierconn *) wire [COUNT_BITS-1:0] \result_source.count_reg ;
  (* hierconn *) wire [LANES*16-1:0] \result_source.ids_reg ;
  (* hierconn *) wire [COUNT_BITS-1:0] \result_source.lane_reg ;
  (* hierconn *) wire [1:0] \result_source.class_reg ;
  (* hierconn *) wire \result_source.sending_reg ;

  // Images of so many lanes.
  function [15:0] images_of(input [COUNT_BITS-1:0] lanes);
    images_of = pairs ? lanes >> 1 : lanes;
  endfunction

  // In the rings and not yet known to the results; known to the results and not yet presented.
  reg in_rings;
  reg in_results;
  // The number of the first image of each.
  reg [15:0] first_in_rings;
  reg [15:0] first_in_results;
  always @(posedge clk) begin
    if (load_output_s3) begin
      in_rings <= 1'b0;
      in_results <= 1'b1;
      first_in_results <= first_in_rings;
    end
    if (results_sent) in_results <= 1'b0;
    if (load_image_s2) begin
      in_rings <= 1'b1;
      first_in_rings <= arrived - images_of(\batcher.count_reg );
    end
    if (reset) begin
      in_rings <= 1'b0;
      in_results <= 1'b0;
    end
  end
  wire [15:0] behind_rings = arrived - images_of(\batcher.count_reg );
  wire [15:0] behind_results = in_rings ? first_in_rings : behind_rings;
  wire [15:0] of_batch = computing ? 16'd0 : images_of(\result_source.lane_reg );
  wire [15:0] to_present = in_results ? first_in_results + of_batch : behind_results;
  wire [15:0] after_rings = first_in_rings + images_of(batch_count);
  wire [15:0] after_results = first_in_results + images_of(\result_source.count_reg );
  wire [15:0] presented = sent + (aso_valid && aso_endofpacket);
  wire on_its_way = load_output_s1 || load_output_s2 || load_output_s3;

  genvar l;
  generate
    for (l = 0; l < LANES; l = l + 1) begin : g_lane
      // Numbers begin again after 2^16.
      wire [15:0] behind_rings_l = behind_rings + images_of(l);
      wire [15:0] first_in_rings_l = first_in_rings + images_of(l);
      wire [15:0] first_in_results_l = first_in_results + images_of(l);
      always @* begin
        if (started) begin
          if (l < \batcher.count_reg ) begin
            assert (\batcher.ids_reg [l*16+:16] == behind_rings_l);
            assert (\batcher.labels_reg [l*8+:8] == behind_rings_l[7:0]);
          end
          if (in_rings && l < batch_count) begin
            assert (batch_ids[l*16+:16] == first_in_rings_l);
            assert (batch_labels[l*8+:8] == first_in_rings_l[7:0]);
          end
          if (in_results && l < \result_source.count_reg ) begin
            assert (\result_source.ids_reg [l*16+:16] == first_in_results_l);
          end
        end
      end
    end
  endgenerate

  always @* begin
    if (started) begin
      assert (\batcher.count_reg <= LANES && !(pairs && \batcher.count_reg [0]));
      assert (\batcher.taken_reg == (load_image_s1 || load_image_s2));
      assert (!(load_image_s1 && load_image_s2));
      if (\batcher.taken_reg ) assert (\batcher.count_reg != 0);
      if (in_rings) begin
        assert (batch_count >= 1 && batch_count <= LANES && !(pairs && batch_count[0]));
        assert (after_rings == behind_rings);
      end
      if (in_results) begin
        assert (\result_source.count_reg >= 1 && \result_source.count_reg <= LANES);
        assert (!(pairs && \result_source.count_reg [0]));
        assert (after_results == behind_results);
      end
      // Where a pass stands.
      assert (load_output_s1 + load_output_s2 + load_output_s3 <= 1);
      if (in_pass || load_output_s1 || load_output_s2) begin
        assert (in_rings || load_image_s1 || load_image_s2);
      end
      if (load_output_s3) assert (in_rings);
      if (load_image_s2 && in_rings) assert (load_output_s3);
      if (load_image_s1 && in_rings) assert (load_output_s2 || load_output_s3);
      if (in_rings) assert (in_pass || on_its_way);
      if (load_image_s1 && in_rings) assert (!load_output_s1);
      assert (pending == (on_its_way || in_results));
      assert (!(on_its_way && in_results));
      assert (in_results == (computing || \result_source.sending_reg ));
      assert (!(computing && \result_source.sending_reg ));
      if (\result_source.sending_reg ) begin
        assert (\result_source.lane_reg < \result_source.count_reg );
        assert (!(pairs && \result_source.lane_reg [0]));
        assert (\result_source.class_reg <= CLASSES);
      end
      assert (presented == to_present);
    end
  end

endmodule

`default_nettype wire
