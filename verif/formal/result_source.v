// SPDX-License-Identifier: Apache-2.0
//
// fcc_result_source: after every batch classes + 1 beats for each of its images, in order: the
// scores as they came, those of the lower lane where an image takes two, last the class (the first
// of the highest) with the image's id. A beat stays as it is until it is accepted; start and end of
// packet mark the first and the last one; with `aso_ready` there is a beat a cycle, from 2 cycles
// after the last scores on. `results_sent` comes once a batch.
//
// Assumed: the next batch begins after `results_sent`, and its groups come from any number down to
// 0, those of the classes included (sequencer.v proves both); 1 to MAX_CLASSES classes, 1 to LANES
// lanes taken, of pairs both.

`default_nettype none

module result_source #(
    parameter LANES = 4,
    parameter PE = 2,
    parameter MAX_CLASSES = 3,
    parameter SCORE_BITS = 3,
    parameter GROUP_BITS = 2
) (
    input wire                                   clk,
    input wire                                   reset,
    input wire                                   begin_batch,
    input wire [            $clog2(LANES+1)-1:0] batch_count,
    input wire [                   LANES*16-1:0] batch_ids,
    input wire [                           31:0] batch_stamp,
    input wire                                   scores_done,
    input wire [                 GROUP_BITS-1:0] scores_group,
    input wire [    LANES*PE*(SCORE_BITS-1)-1:0] scores,
    input wire [                         PE-1:0] parity,
    input wire                                   aso_ready
);

  localparam CLASS_BITS = $clog2(MAX_CLASSES + 1);
  localparam ACC_BITS = SCORE_BITS - 1;

  (* anyconst *) wire [CLASS_BITS-1:0] classes;
  (* anyconst *) wire pairs;
  wire busy, results_sent, image_sent, score_valid;
  wire [$clog2(LANES+1)-1:0] score_lane;
  wire [$clog2(MAX_CLASSES+1)-1:0] score_class;
  wire [SCORE_BITS-1:0] leaving;
  wire [31:0] latency;
  wire aso_valid;
  wire [31:0] aso_data;
  wire aso_startofpacket, aso_endofpacket;
  reg [31:0] now;

  fcc_result_source #(
      .LANES      (LANES),
      .PE         (PE),
      .MAX_CLASSES(MAX_CLASSES),
      .SCORE_BITS (SCORE_BITS),
      .GROUP_BITS (GROUP_BITS)
  ) dut (
      .clk              (clk),
      .reset            (reset),
      .classes          (classes),
      .pairs            (pairs),
      .now              (now),
      .begin_batch      (begin_batch),
      .batch_count      (batch_count),
      .batch_ids        (batch_ids),
      .batch_stamp      (batch_stamp),
      .scores_done      (scores_done),
      .scores_group     (scores_group),
      .scores           (scores),
      .parity           (parity),
      .busy             (busy),
      .results_sent     (results_sent),
      .image_sent       (image_sent),
      .score_valid      (score_valid),
      .score_lane       (score_lane),
      .score_class      (score_class),
      .score            (leaving),
      .latency          (latency),
      .aso_valid        (aso_valid),
      .aso_ready        (aso_ready),
      .aso_data         (aso_data),
      .aso_startofpacket(aso_startofpacket),
      .aso_endofpacket  (aso_endofpacket)
  );

  // ---- the batch

  localparam [1:0] IDLE = 2'd0;
  localparam [1:0] COMPUTING = 2'd1;
  localparam [1:0] SENDING = 2'd2;

  reg started = 1'b0;
  reg [1:0] phase;
  // The group that was last, in COMPUTING; above all groups before the first one.
  reg [GROUP_BITS:0] group;
  reg [7:0] count;
  reg [LANES*16-1:0] ids;
  reg [31:0] stamp;
  reg [LANES*MAX_CLASSES*SCORE_BITS-1:0] kept;

  wire [GROUP_BITS:0] needed = (classes - 1'b1) / PE;
  wire none_yet = group[GROUP_BITS];

  always @* begin
    if (!started) assume (reset);
    assume (classes >= 1 && classes <= MAX_CLASSES);
    if (begin_batch) begin
      assume (!started || phase == IDLE);
      assume (batch_count >= 1 && batch_count <= LANES && !(pairs && batch_count[0]));
    end
    if (scores_done) begin
      assume (!started || phase == COMPUTING);
      assume (none_yet ? scores_group >= needed : scores_group + 1'b1 == group);
    end
  end

  // ---- what is to be presented next

  reg [7:0] lane;
  reg [7:0] beat;
  wire present = (phase == SENDING) && (!aso_valid || aso_ready);
  wire is_class = (beat == classes);
  wire [7:0] next_lane = lane + (pairs ? 2 : 1);
  wire is_end = is_class && next_lane == count;

  integer c;
  reg signed [SCORE_BITS-1:0] score;
  reg signed [SCORE_BITS-1:0] highest;
  reg [7:0] winner;
  reg [31:0] data;
  always @* begin
    winner = 0;
    highest = kept[lane*MAX_CLASSES*SCORE_BITS+:SCORE_BITS];
    for (c = 1; c < MAX_CLASSES; c = c + 1) begin
      score = kept[(lane*MAX_CLASSES+c)*SCORE_BITS+:SCORE_BITS];
      if (c < classes && score > highest) begin
        winner = c[7:0];
        highest = score;
      end
    end
    score = kept[(lane*MAX_CLASSES+beat)*SCORE_BITS+:SCORE_BITS];
    data = is_class ? {8'd0, winner, ids[lane*16+:16]}
                    : {{(32 - SCORE_BITS) {score[SCORE_BITS-1]}}, score};
  end

  integer l;
  integer p;
  always @(posedge clk) begin
    started <= 1'b1;
    now <= now + 32'd1;
    if (begin_batch) begin
      phase <= COMPUTING;
      group <= 1 << GROUP_BITS;
      count <= batch_count;
      ids <= batch_ids;
      stamp <= batch_stamp;
    end
    if (scores_done) begin
      group <= scores_group;
      for (l = 0; l < LANES; l = l + 1) begin
        for (p = 0; p < PE; p = p + 1) begin
          if (scores_group * PE + p < MAX_CLASSES) begin
            kept[(l*MAX_CLASSES+scores_group*PE+p)*SCORE_BITS+:SCORE_BITS] <=
                {scores[(l*PE+p)*ACC_BITS+:ACC_BITS], parity[p]};
          end
        end
      end
      if (scores_group == 0) begin
        phase <= SENDING;
        lane <= 0;
        beat <= 0;
      end
    end
    if (present) begin
      beat <= is_class ? 0 : beat + 1'b1;
      if (is_class) lane <= next_lane;
      if (is_end) phase <= IDLE;
    end
    if (reset) phase <= IDLE;
  end

  // ---- what has to be on the bus after that

  reg reset_s1 = 1'b1;
  reg present_s1;
  reg [31:0] data_s1;
  reg start_s1;
  reg end_s1;
  reg valid_s1;
  reg ready_s1;
  reg [31:0] bus_s1;
  reg [31:0] latency_s1;
  always @(posedge clk) begin
    reset_s1 <= reset;
    present_s1 <= present;
    data_s1 <= data;
    start_s1 <= (beat == 0);
    end_s1 <= is_class;
    valid_s1 <= aso_valid;
    ready_s1 <= aso_ready;
    bus_s1 <= aso_data;
    if (present && is_class && lane == 0) latency_s1 <= now + 32'd1 - stamp;
    if (reset) latency_s1 <= 32'd0;
  end

  // The beats of the packet on the bus, counted there.
  reg [7:0] beats;
  always @(posedge clk) begin
    if (aso_valid && aso_ready) beats <= aso_endofpacket ? 0 : beats + 1'b1;
    if (reset) beats <= 0;
  end

  reg startofpacket_s1;
  reg endofpacket_s1;
  always @(posedge clk) begin
    startofpacket_s1 <= aso_startofpacket;
    endofpacket_s1 <= aso_endofpacket;
  end

  // For the induction.
  (* hierconn *) wire [LANES*MAX_CLASSES*SCORE_BITS-1:0] \dut.scores_reg ;
  (* hierconn *) wire [$clog2(LANES+1)-1:0] \dut.count_reg ;
  (* hierconn *) wire [LANES*16-1:0] \dut.ids_reg ;
  (* hierconn *) wire [31:0] \dut.stamp_reg ;
  (* hierconn *) wire \dut.sending_reg ;
  (* hierconn *) wire [$clog2(LANES+1)-1:0] \dut.lane_reg ;
  (* hierconn *) wire [CLASS_BITS-1:0] \dut.class_reg ;
  (* hierconn *) wire [CLASS_BITS-1:0] \dut.best ;
  (* hierconn *) wire [SCORE_BITS-1:0] \dut.argmax.best_score_reg ;

  wire signed [SCORE_BITS-1:0] best_score =
      kept[(lane*MAX_CLASSES+\dut.best )*SCORE_BITS+:SCORE_BITS];
  genvar i;
  genvar j;
  generate
    for (i = 0; i < MAX_CLASSES; i = i + 1) begin : g_class
      wire signed [SCORE_BITS-1:0] other = kept[(lane*MAX_CLASSES+i)*SCORE_BITS+:SCORE_BITS];
      always @* begin
        if (started && phase == SENDING && i < beat) begin
          assert ((i < \dut.best ) ? other < best_score : other <= best_score);
        end
      end
      for (j = 0; j < LANES; j = j + 1) begin : g_lane
        always @* begin
          if (started && i < classes && (phase == SENDING
              || (phase == COMPUTING && i / PE >= group && !none_yet))) begin
            assert (\dut.scores_reg [(j*MAX_CLASSES+i)*SCORE_BITS+:SCORE_BITS]
                == kept[(j*MAX_CLASSES+i)*SCORE_BITS+:SCORE_BITS]);
          end
        end
      end
    end
  endgenerate

  always @* begin
    if (!reset_s1) begin
      // The stream.
      if (valid_s1 && !ready_s1) begin
        assert (aso_valid && aso_data == bus_s1);
        assert (aso_startofpacket == startofpacket_s1 && aso_endofpacket == endofpacket_s1);
      end
      assert (aso_valid == (present_s1 || (valid_s1 && !ready_s1)));
      if (present_s1) begin
        assert (aso_data == data_s1);
        assert (aso_startofpacket == start_s1 && aso_endofpacket == end_s1);
      end
    end
    if (started) begin
      assert (latency == latency_s1);
      // The shape of a packet, by the bus alone.
      if (aso_valid) begin
        assert (aso_startofpacket == (beats == 0) && aso_endofpacket == (beats == classes));
      end
      assert (busy == (phase == SENDING || aso_valid));
      assert (results_sent == (present && is_end));
      assert (image_sent == (aso_valid && aso_ready && aso_endofpacket));

      assert (phase <= SENDING && \dut.sending_reg == (phase == SENDING));
      assert (beats <= classes);
      if (phase == COMPUTING) assert (group <= (1 << GROUP_BITS) && (none_yet || group != 0));
      if (phase != IDLE) begin
        assert (count >= 1 && count <= LANES && !(pairs && count[0]));
        assert (\dut.count_reg == count && \dut.ids_reg == ids && \dut.stamp_reg == stamp);
      end
      if (phase == SENDING) begin
        assert (lane < count && beat <= classes && !(pairs && lane[0]));
        assert (\dut.lane_reg == lane && \dut.class_reg == beat);
        assert (beat == (aso_valid ? (aso_endofpacket ? 0 : beats + 1'b1) : beats));
        if (beat != 0) begin
          assert (\dut.best < beat && \dut.argmax.best_score_reg == best_score);
        end
      end else begin
        assert (aso_valid ? aso_endofpacket : beats == 0);
      end
    end
  end

endmodule

`default_nettype wire
