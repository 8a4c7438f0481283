// SPDX-License-Identifier: Apache-2.0
//
// fcc_weight_stream: the words taken are the words received, in order, none lost, doubled or
// overwritten, each on `word` 4 cycles after `take`; a word is given to the last step of a pass
// exactly if it is the last one of its packet; `fault` rises for every packet that is out of frame
// or out of step, and from then on nothing is accepted and nothing given until a reset. It stands
// still only when both places are full, without `enable` or with a fault.
//
// Assumed: `take` exactly when a step is due and a word is ready (sequencer.v proves it). The
// sender may do anything, even withdraw a beat.

`default_nettype none

module weight_stream_property #(
    parameter WIDTH = 5,
    parameter BEAT = 2
) (
    input wire            clk,
    input wire            reset,
    input wire            enable,
    input wire            asi_valid,
    input wire [BEAT-1:0] asi_data,
    input wire            asi_startofpacket,
    input wire            asi_endofpacket,
    input wire            step_due,
    input wire            pass_last
);

  localparam BEATS = (WIDTH + BEAT - 1) / BEAT;
  localparam BITS = BEATS * BEAT;

  wire asi_ready;
  wire ready;
  wire fault;
  wire [WIDTH-1:0] word;
  wire take = step_due && ready;

  fcc_weight_stream #(
      .WIDTH(WIDTH),
      .BEAT (BEAT)
  ) dut (
      .clk              (clk),
      .reset            (reset),
      .enable           (enable),
      .asi_valid        (asi_valid),
      .asi_ready        (asi_ready),
      .asi_data         (asi_data),
      .asi_startofpacket(asi_startofpacket),
      .asi_endofpacket  (asi_endofpacket),
      .ready            (ready),
      .take             (take),
      .step_due         (step_due),
      .pass_last        (pass_last),
      .fault            (fault),
      .word             (word)
  );

  reg started = 1'b0;
  // A queue of two complete words with their marks, and the beats of the next one.
  reg [1:0] count;
  reg [BITS-1:0] word_0;
  reg [BITS-1:0] word_1;
  reg last_0;
  reg last_1;
  reg [7:0] beats;
  reg [BITS-1:0] received;
  reg in_packet;
  reg faulty;
  // The oldest one has been there for a cycle: it can be given.
  reg old;

  wire accept = asi_valid && asi_ready;
  wire complete = accept && beats + 1'b1 == BEATS;
  reg [BITS-1:0] with_beat;
  always @* begin
    if (!started) assume (reset);
    with_beat = received;
    with_beat[beats*BEAT+:BEAT] = asi_data;
  end

  always @(posedge clk) begin
    started <= 1'b1;
    if (accept) begin
      received <= with_beat;
      beats <= complete ? 0 : beats + 1'b1;
      in_packet <= !asi_endofpacket;
      if (asi_startofpacket == in_packet) faulty <= 1'b1;
      if (asi_endofpacket && !complete) faulty <= 1'b1;
    end
    if (step_due && old && last_0 != pass_last) faulty <= 1'b1;
    if (take) begin
      word_0 <= word_1;
      last_0 <= last_1;
    end
    if (complete && count - take == 0) begin
      word_0 <= with_beat;
      last_0 <= asi_endofpacket;
    end
    if (complete && count - take == 1) begin
      word_1 <= with_beat;
      last_1 <= asi_endofpacket;
    end
    count <= count + complete - take;
    old <= (count - take != 0);
    if (reset) begin
      count <= 2'd0;
      beats <= 0;
      in_packet <= 1'b0;
      faulty <= 1'b0;
      old <= 1'b0;
    end
  end

  // What was taken, 1 to 4 cycles ago.
  reg [3:0] taken = 4'd0;
  reg [WIDTH-1:0] taken_s1;
  reg [WIDTH-1:0] taken_s2;
  reg [WIDTH-1:0] taken_s3;
  reg [WIDTH-1:0] taken_s4;
  always @(posedge clk) begin
    taken <= {taken[2:0], take && started};
    taken_s1 <= word_0[WIDTH-1:0];
    taken_s2 <= taken_s1;
    taken_s3 <= taken_s2;
    taken_s4 <= taken_s3;
  end

  // For the induction: where the words and the beats of an incomplete one stand.
  (* hierconn *) wire [BITS-1:0] \dut.shifter.word_reg ;
  (* hierconn *) wire [((BEATS > 1) ? $clog2(BEATS) : 1)-1:0] \dut.index_reg ;
  (* hierconn *) wire \dut.in_packet_reg ;
  (* hierconn *) wire \dut.arrived_reg ;
  (* hierconn *) wire \dut.arrived_last_reg ;
  (* hierconn *) wire [WIDTH-1:0] \dut.waiting_reg ;
  (* hierconn *) wire \dut.waiting_valid_reg ;
  (* hierconn *) wire \dut.waiting_last_reg ;
  wire [BITS-1:0] first_beats = ~({BITS{1'b1}} << beats * BEAT);

  always @* begin
    if (started) begin
      assert (fault == faulty);
      if (fault) assert (!asi_ready && !ready);
      assert (asi_ready == (enable && !fault && !(count == 2 && !take && \dut.arrived_reg )));
      assert (ready == (old && !fault && last_0 == pass_last));
      if (take) assert (count != 0 && last_0 == pass_last);
      if (complete) assert (count - take < 2);
      if (taken[3]) assert (word == taken_s4);

      assert (count <= 2 && beats < BEATS && \dut.index_reg == beats);
      assert (\dut.in_packet_reg == in_packet);
      assert (count == \dut.arrived_reg + \dut.waiting_valid_reg );
      assert (old == \dut.waiting_valid_reg );
      if (\dut.waiting_valid_reg ) begin
        assert (\dut.waiting_reg == word_0[WIDTH-1:0] && \dut.waiting_last_reg == last_0);
      end
      if (\dut.arrived_reg ) begin
        assert (beats == 0);
        assert (\dut.shifter.word_reg == (old ? word_1 : word_0));
        assert (\dut.arrived_last_reg == (old ? last_1 : last_0));
      end
      assert (\dut.shifter.word_reg >> (BEATS - beats) * BEAT == (received & first_beats));
    end
  end

endmodule

module weight_stream (
    input wire       clk,
    input wire       reset,
    input wire       enable,
    input wire       asi_valid,
    input wire [3:0] asi_data,
    input wire       asi_startofpacket,
    input wire       asi_endofpacket,
    input wire       step_due,
    input wire       pass_last
);

  // Three beats a word with surplus bits; one beat a word.
  weight_stream_property #(
      .WIDTH(5),
      .BEAT (2)
  ) several (
      .clk              (clk),
      .reset            (reset),
      .enable           (enable),
      .asi_valid        (asi_valid),
      .asi_data         (asi_data[1:0]),
      .asi_startofpacket(asi_startofpacket),
      .asi_endofpacket  (asi_endofpacket),
      .step_due         (step_due),
      .pass_last        (pass_last)
  );
  weight_stream_property #(
      .WIDTH(3),
      .BEAT (4)
  ) single (
      .clk              (clk),
      .reset            (reset),
      .enable           (enable),
      .asi_valid        (asi_valid),
      .asi_data         (asi_data),
      .asi_startofpacket(asi_startofpacket),
      .asi_endofpacket  (asi_endofpacket),
      .step_due         (step_due),
      .pass_last        (pass_last)
  );

endmodule

`default_nettype wire
