// SPDX-License-Identifier: Apache-2.0
//
// fcc_batcher: a batch is the images staged since the one before, in order, 1 to LANES of them,
// with their bits, ids, labels and the cycle of the oldest one's last beat; it is offered when the
// lanes are full, when no image has come for `timeout` cycles, or when there is no `enable`, and
// not again once taken. No counter passes its end. Where an image takes two lanes, the higher one
// has its first plane, the lower one its residual plane, or its first one where there is but one.
//
// Assumed: an image stays staged until it is taken and is followed by a cycle without one
// (image_sink.v proves it); a batch is taken only when offered (sequencer.v), and its images are
// loaded 2 cycles later, as fcc_lanes has it.

`default_nettype none

module batcher #(
    parameter LANES = 3,
    parameter CAPACITY = 2,
    parameter ORDER = 1
) (
    input wire                clk,
    input wire                reset,
    input wire                enable,
    input wire [        31:0] timeout,
    input wire                staged_valid,
    input wire [CAPACITY-1:0] staged_bits,
    input wire [CAPACITY-1:0] staged_residual,
    input wire [        15:0] staged_id,
    input wire                batch_taken
);

  (* anyconst *) wire pairs;
  (* anyconst *) wire planes;
  wire paired = (ORDER == 2) && pairs;

  wire staged_ready;
  wire batch_valid;
  wire [LANES*CAPACITY-1:0] images;
  wire waiting;
  wire [$clog2(LANES+1)-1:0] batch_count;
  wire [LANES*16-1:0] batch_ids;
  wire [LANES*8-1:0] batch_labels;
  wire [31:0] batch_stamp;
  reg [31:0] now;
  reg taken_s1;
  reg load_image;

  fcc_batcher #(
      .LANES   (LANES),
      .CAPACITY(CAPACITY),
      .ORDER   (ORDER)
  ) dut (
      .clk            (clk),
      .reset          (reset),
      .enable         (enable),
      .timeout        (timeout),
      .now            (now),
      .staged_valid   (staged_valid),
      .staged_ready   (staged_ready),
      .staged_bits    (staged_bits),
      .staged_residual(staged_residual),
      .pairs          (pairs),
      .planes         (planes),
      .staged_id      (staged_id),
      .staged_label   (staged_id[7:0]),
      .batch_valid    (batch_valid),
      .batch_taken    (batch_taken),
      .load_image     (load_image),
      .images         (images),
      .waiting        (waiting),
      .batch_count    (batch_count),
      .batch_ids      (batch_ids),
      .batch_labels   (batch_labels),
      .batch_stamp    (batch_stamp)
  );

  reg started = 1'b0;
  // A label is here the lower byte of its image's id.
  wire take = staged_valid && staged_ready;
  reg take_s1;
  reg held;
  reg [CAPACITY-1:0] bits_s1;
  reg [CAPACITY-1:0] residual_s1;
  reg [15:0] id_s1;

  always @* begin
    // Images of two planes are those of a network that takes two lanes (table_check.v).
    if (planes) assume (paired);
    if (!started) assume (reset);
    if (batch_taken) assume (batch_valid);
    if (started && held) begin
      assume (staged_valid && staged_bits == bits_s1 && staged_id == id_s1);
      assume (staged_residual == residual_s1);
    end
    if (started && take_s1) assume (!staged_valid);
  end

  // The images of the batch that is being filled, and of the one handed over, lane by lane.
  reg [7:0] count;
  reg [LANES*CAPACITY-1:0] bits;
  reg [LANES*16-1:0] ids;
  reg [31:0] stamp;
  reg [7:0] given_count;
  reg [LANES*16-1:0] given_ids;
  reg [31:0] given_stamp;
  reg given = 1'b0;
  // Being loaded.
  reg taken;
  // Cycle in which the staged image was first seen.
  reg [31:0] first_seen;
  wire [31:0] seen = held ? first_seen : now;
  // Cycles since the last image, as far as `timeout` was then.
  reg [31:0] patience;
  reg [31:0] since;
  wire expired = (since == patience);

  always @(posedge clk) begin
    started <= 1'b1;
    now <= now + 32'd1;
    taken_s1 <= batch_taken;
    load_image <= taken_s1;
    take_s1 <= take;
    held <= staged_valid && !take;
    bits_s1 <= staged_bits;
    residual_s1 <= staged_residual;
    id_s1 <= staged_id;
    first_seen <= seen;
    if (!expired) since <= since + 32'd1;
    if (take) begin
      bits[count*CAPACITY+:CAPACITY] <= planes ? staged_residual : staged_bits;
      ids[count*16+:16] <= staged_id;
      if (paired) begin
        bits[(count+1)*CAPACITY+:CAPACITY] <= staged_bits;
        ids[(count+1)*16+:16] <= staged_id;
      end
      count <= count + (paired ? 2 : 1);
      if (count == 0) stamp <= seen - 32'd1;
      patience <= timeout;
      since <= 32'd0;
    end
    if (batch_taken) taken <= 1'b1;
    if (load_image) begin
      taken <= 1'b0;
      count <= 0;
      given <= 1'b1;
      given_count <= count;
      given_ids <= ids;
      given_stamp <= stamp;
    end
    if (reset) begin
      count <= 0;
      taken <= 1'b0;
      held <= 1'b0;
      taken_s1 <= 1'b0;
      load_image <= 1'b0;
      given <= 1'b0;
    end
  end

  // For the induction.
  (* hierconn *) wire [$clog2(LANES+1)-1:0] \dut.count_reg ;
  (* hierconn *) wire [LANES*16-1:0] \dut.ids_reg ;
  (* hierconn *) wire [LANES*8-1:0] \dut.labels_reg ;
  (* hierconn *) wire [31:0] \dut.stamp_reg ;
  (* hierconn *) wire [31:0] \dut.left_reg ;
  (* hierconn *) wire \dut.expired_reg ;
  (* hierconn *) wire \dut.taken_reg ;
  (* hierconn *) wire [31:0] \dut.staged_stamp_reg ;
  (* hierconn *) wire \dut.staged_seen_reg ;

  genvar l;
  generate
    for (l = 0; l < LANES; l = l + 1) begin : g_lane
      always @* begin
        if (started && l < count) begin
          assert (images[l*CAPACITY+:CAPACITY] == bits[l*CAPACITY+:CAPACITY]);
          assert (\dut.ids_reg [l*16+:16] == ids[l*16+:16]);
          assert (\dut.labels_reg [l*8+:8] == ids[l*16+:8]);
        end
        if (started && given && l < given_count) begin
          assert (batch_ids[l*16+:16] == given_ids[l*16+:16]);
          assert (batch_labels[l*8+:8] == given_ids[l*16+:8]);
        end
      end
    end
  endgenerate

  always @* begin
    if (started) begin
      assert (batch_valid == (!taken && count != 0 && (count == LANES || expired || !enable)));
      assert (waiting == (count != 0));
      assert (staged_ready == (count != LANES && !load_image));
      assert (count <= LANES && !(paired && count[0]));
      if (given) begin
        assert (given_count >= 1 && given_count <= LANES && !(paired && given_count[0]));
        assert (batch_count == given_count && batch_stamp == given_stamp);
      end

      assert (\dut.count_reg == count && \dut.taken_reg == taken);
      assert (taken == (taken_s1 || load_image) && !(taken_s1 && load_image));
      if (taken) assert (count != 0);
      assert (\dut.staged_seen_reg == held);
      if (held) assert (\dut.staged_stamp_reg == first_seen - 32'd1);
      if (count != 0) begin
        assert (\dut.stamp_reg == stamp);
        assert (since <= patience && \dut.expired_reg == expired);
        if (!expired) assert (\dut.left_reg == patience - since && \dut.left_reg != 0);
      end
    end
  end

endmodule

`default_nettype wire
