// SPDX-License-Identifier: Apache-2.0
//
// fcc_image_sink: exactly the well-formed packets are staged, each as it was sent: every activation
// bit of the image, those of the second plane too, 0 beyond its end, and the packet's number since
// `restart`. What is staged stays as it is until it is taken, and nothing is accepted meanwhile.
// Every other packet is dropped whole and counted, with the reason.
//
// A packet is well-formed if it begins with startofpacket, ends with endofpacket before another one
// begins, has exactly the bytes of an image and no error, and `enable` did not fall in it.
//
// Assumed: the configuration stands still while enabled and two cycles before. The sender may do
// anything.

`default_nettype none

module image_sink #(
    // Bits of a beat (>= 16): a byte alone cannot be empty.
    parameter WIDTH = 16,
    parameter CAPACITY = 18,
    parameter ORDER = 2
) (
    input wire             clk,
    input wire             reset,
    input wire             enable,
    input wire             restart,
    input wire             asi_valid,
    input wire [WIDTH-1:0] asi_data,
    input wire             asi_startofpacket,
    input wire             asi_endofpacket,
    input wire [$clog2(WIDTH/8)-1:0] asi_empty,
    input wire             asi_error,
    input wire             staged_ready
);

  localparam BYTES = WIDTH / 8;

  (* anyconst *) wire [15:0] inputs;
  (* anyconst *) wire pixel_mode;
  (* anyconst *) wire [7:0] pixel_threshold;
  (* anyconst *) wire [15:0] pixel_residual;
  // Any one pixel.
  (* anyconst *) wire [7:0] pixel;

  wire asi_ready;
  wire staged_valid;
  wire [CAPACITY-1:0] staged_bits;
  wire [CAPACITY-1:0] staged_residual;
  wire [15:0] staged_id;
  wire [1:0] dropped;
  wire error_short, error_long, error_frame, error_flag;

  fcc_image_sink #(
      .WIDTH   (WIDTH),
      .CAPACITY(CAPACITY),
      .ORDER   (ORDER)
  ) dut (
      .clk              (clk),
      .reset            (reset),
      .enable           (enable),
      .restart          (restart),
      .inputs           (inputs),
      .pixel_mode       (pixel_mode),
      .pixel_threshold  (pixel_threshold),
      .pixel_residual   (pixel_residual),
      .asi_valid        (asi_valid),
      .asi_ready        (asi_ready),
      .asi_data         (asi_data),
      .asi_startofpacket(asi_startofpacket),
      .asi_endofpacket  (asi_endofpacket),
      .asi_empty        (asi_empty),
      .asi_error        (asi_error),
      .staged_valid     (staged_valid),
      .staged_ready     (staged_ready),
      .staged_bits      (staged_bits),
      .staged_residual  (staged_residual),
      .staged_id        (staged_id),
      .dropped          (dropped),
      .error_short      (error_short),
      .error_long       (error_long),
      .error_frame      (error_frame),
      .error_flag       (error_flag)
  );

  reg [1:0] age = 2'd0;
  wire started = (age == 2'd3);
  always @* begin
    assume (inputs >= 1 && inputs <= CAPACITY);
    assume (pixel < CAPACITY);
    if (!started) assume (reset && !enable);
  end

  // ---- the packet so far

  // More bytes than any image has count as this many.
  localparam [7:0] TOO_MANY = 8'd64;
  wire [31:0] image_bytes_32 = pixel_mode ? inputs : (inputs + 7) / 8;
  wire [7:0] image_bytes = image_bytes_32[7:0];

  reg in_packet;
  reg spoiled;
  reg [7:0] bytes;
  // Its bit in the first plane, and in the second one.
  reg value;
  reg value_2;
  reg [15:0] number;

  wire accept = asi_valid && asi_ready;
  wire begins = asi_startofpacket;
  wire [7:0] bytes_before = (begins || !in_packet) ? 8'd0 : bytes;
  wire [7:0] after_beat = (bytes_before == TOO_MANY) ? TOO_MANY : bytes_before + BYTES;
  wire [7:0] length = (after_beat == TOO_MANY) ? TOO_MANY : after_beat - asi_empty;
  wire interrupts = in_packet && begins;
  wire headless = !in_packet && !begins;
  wire fails = asi_error || headless || (!begins && spoiled);
  wire good = accept && asi_endofpacket && !fails && length == image_bytes;
  wire bad = accept && asi_endofpacket && !good;
  // Why a packet is bad; once it is, its length says nothing more.
  wire was_bad = in_packet && !begins && (spoiled || bytes >= image_bytes);
  wire length_counts = accept && !was_bad && !headless;
  wire too_short = asi_endofpacket && length < image_bytes;
  wire too_long = asi_endofpacket ? length > image_bytes : after_beat >= image_bytes;
  wire [15:0] this_number = number + interrupts;

  // The pixel's byte in the packet, the first one of a beat in its upper end.
  wire [7:0] its_byte = pixel_mode ? pixel : pixel / 8;
  wire here = bytes_before != TOO_MANY && its_byte >= bytes_before
      && its_byte < bytes_before + BYTES;
  wire [WIDTH-1:0] data_here = asi_data >> (WIDTH - 8 - 8 * (its_byte - bytes_before));
  wire [7:0] byte_here = data_here[7:0];
  wire value_here = (pixel < inputs)
      && (pixel_mode ? byte_here >= pixel_threshold : byte_here[pixel[2:0]]);
  wire new_value = here ? value_here : value;
  wire [7:0] its_threshold =
      (byte_here >= pixel_threshold) ? pixel_residual[15:8] : pixel_residual[7:0];
  wire value_2_here = (ORDER == 2) && pixel_mode && (pixel < inputs) && byte_here >= its_threshold;
  wire new_value_2 = here ? value_2_here : value_2;

  // ---- what has to be staged

  reg full;
  reg want;
  reg want_2;
  reg [15:0] want_id;
  reg [1:0] lost_s1;
  reg [3:0] errors_s1;

  always @(posedge clk) begin
    if (!started) age <= age + 2'd1;
    errors_s1 <= {accept && asi_error, accept && (interrupts || headless),
                  length_counts && too_long, length_counts && too_short};
    lost_s1 <= accept ? interrupts + bad : 2'd0;
    if (staged_ready) full <= 1'b0;
    if (accept) begin
      in_packet <= !asi_endofpacket;
      spoiled <= fails;
      bytes <= after_beat;
      value <= new_value;
      value_2 <= new_value_2;
      number <= this_number + asi_endofpacket;
    end else if (!enable) begin
      spoiled <= 1'b1;
    end
    if (good) begin
      full <= 1'b1;
      want <= (pixel < inputs) && new_value;
      want_2 <= (pixel < inputs) && new_value_2;
      want_id <= this_number;
    end
    if (restart) number <= 16'd0;
    if (reset) begin
      in_packet <= 1'b0;
      spoiled <= 1'b0;
      full <= 1'b0;
      number <= 16'd0;
    end
  end

  // ---- the stream of images, by its own signals

  reg stays = 1'b0;
  reg taken = 1'b0;
  reg [CAPACITY-1:0] bits_s1;
  reg [CAPACITY-1:0] residual_s1;
  reg [15:0] id_s1;
  always @(posedge clk) begin
    stays <= staged_valid && !staged_ready && !reset;
    taken <= staged_valid && staged_ready;
    bits_s1 <= staged_bits;
    residual_s1 <= staged_residual;
    id_s1 <= staged_id;
  end

  // For the induction.
  (* hierconn *) wire \dut.in_packet_reg ;
  (* hierconn *) wire \dut.bad_reg ;
  (* hierconn *) wire [16:0] \dut.beat_reg ;
  (* hierconn *) wire \dut.at_last_reg ;
  (* hierconn *) wire \dut.past_last_reg ;
  (* hierconn *) wire [15:0] \dut.id_reg ;
  (* hierconn *) wire [15:0] \dut.last_byte_reg ;
  (* hierconn *) wire [16:0] \dut.last_beat_reg ;
  wire [7:0] image_beats = (image_bytes + BYTES - 1) / BYTES;

  always @* begin
    if (started) begin
      assert (asi_ready == (enable && !full));
      assert (staged_valid == full);
      if (stays) assert (staged_valid && staged_bits == bits_s1 && staged_id == id_s1);
      if (stays) assert (staged_residual == residual_s1);
      if (taken) assert (!staged_valid);
      if (staged_valid) begin
        assert (staged_bits[pixel] == want && staged_residual[pixel] == want_2);
        assert (staged_id == want_id);
      end
      assert (dropped == lost_s1);
      assert ({error_flag, error_frame, error_long, error_short} == errors_s1);

      assert (\dut.last_byte_reg == image_bytes - 1'b1 && \dut.last_beat_reg == image_beats - 1'b1);
      assert (\dut.in_packet_reg == in_packet && \dut.id_reg == number);
      if (pixel >= inputs) assert (!staged_bits[pixel]);
      if (pixel >= inputs || !pixel_mode || ORDER != 2) assert (!staged_residual[pixel]);
      if (in_packet) assert (bytes <= TOO_MANY && bytes % BYTES == 0);
      if (in_packet && \dut.bad_reg ) assert (spoiled || bytes >= image_bytes);
      if (in_packet && !\dut.bad_reg ) begin
        assert (!spoiled && !\dut.past_last_reg && \dut.beat_reg < image_beats);
        assert (bytes == \dut.beat_reg * BYTES);
        assert (\dut.at_last_reg == (\dut.beat_reg + 1'b1 == image_beats));
        if (its_byte < bytes && pixel < inputs) begin
          assert (staged_bits[pixel] == value && staged_residual[pixel] == value_2);
        end
      end
    end
  end

endmodule

`default_nettype wire
