// SPDX-License-Identifier: Apache-2.0
//
// From packets to batches: wires what takes labels off, what makes images of packets, and what
// fills the lanes with them.
//
//   asi -> fcc_label_splitter (LEARN) -> fcc_image_sink -> fcc_batcher -> images
//
// Latency: `batch_valid` two cycles after the beat that completes the batch, and one more where
// that beat's packet has its label beside pixels; see the modules.

`default_nettype none

module fcc_image_input #(
    // Bits of a beat: 8, 16, 32, 64, ...
    parameter WIDTH = 8,
    // Images in a batch (>= 1).
    parameter LANES = 1,
    // Activation bits of an image (1 to 65535).
    parameter CAPACITY = 1,
    // Planes of an image (1 or 2); 2 only where LANES is even.
    parameter ORDER = 1,
    // 1: images may have labels.
    parameter LEARN = 0
) (
    input  wire                                          clk,
    input  wire                                          reset,
    // Images are accepted; they are counted from 0 again.
    input  wire                                          enable,
    input  wire                                          restart,
    // The last byte of a packet is a label. This and what follows: stable while there are images.
    input  wire                                          labelled,
    input  wire [                                  15:0] inputs,
    input  wire                                          pixel_mode,
    input  wire [                                   7:0] pixel_threshold,
    input  wire [                                  15:0] pixel_residual,
    input  wire [                                  31:0] timeout,
    input  wire                                          pairs,
    input  wire                                          planes,
    // Free-running cycle counter.
    input  wire [                                  31:0] now,
    input  wire                                          asi_valid,
    output wire                                          asi_ready,
    input  wire [                             WIDTH-1:0] asi_data,
    input  wire                                          asi_startofpacket,
    input  wire                                          asi_endofpacket,
    input  wire [((WIDTH > 8) ? $clog2(WIDTH/8) : 1)-1:0] asi_empty,
    input  wire                                          asi_error,
    // See fcc_batcher: a batch, and whether there is an image that is in no batch yet.
    output wire                                          batch_valid,
    input  wire                                          batch_taken,
    input  wire                                          load_image,
    output wire [                    LANES*CAPACITY-1:0] images,
    output wire [               $clog2(LANES+1)-1:0] batch_count,
    output wire [                          LANES*16-1:0] batch_ids,
    // Of lane l at bit 8*l; without meaning where `labelled` is low.
    output wire [                           LANES*8-1:0] batch_labels,
    output wire [                                  31:0] batch_stamp,
    output wire                                          busy,
    // Events of fcc_image_sink.
    output wire [                                   1:0] dropped,
    output wire                                          error_short,
    output wire                                          error_long,
    output wire                                          error_frame,
    output wire                                          error_flag
);

  localparam EMPTY_BITS = (WIDTH > 8) ? $clog2(WIDTH / 8) : 1;

  wire                  image_valid;
  wire                  image_ready;
  wire [     WIDTH-1:0] image_data;
  wire                  image_startofpacket;
  wire                  image_endofpacket;
  wire [EMPTY_BITS-1:0] image_empty;
  wire                  image_error;
  wire                  ending;
  wire                  staged_valid;
  wire                  staged_ready;
  wire [  CAPACITY-1:0] staged_bits;
  wire [  CAPACITY-1:0] staged_residual;
  wire [          15:0] staged_id;
  wire                  waiting;
  wire [           7:0] staged_label;

  assign busy = staged_valid || waiting || ending;

  generate
    if (LEARN != 0) begin : g_labels
      wire [7:0] label;
      // Of the image that is staged: nothing is accepted behind it until it is taken.
      reg  [7:0] label_reg;
      assign staged_label = label_reg;
      always @(posedge clk) begin
        if (image_valid && image_ready && image_endofpacket) label_reg <= label;
      end
      fcc_label_splitter #(
          .WIDTH(WIDTH)
      ) splitter (
          .clk              (clk),
          .reset            (reset),
          .enable           (labelled),
          .running          (enable),
          .restart          (restart),
          .asi_valid        (asi_valid),
          .asi_ready        (asi_ready),
          .asi_data         (asi_data),
          .asi_startofpacket(asi_startofpacket),
          .asi_endofpacket  (asi_endofpacket),
          .asi_empty        (asi_empty),
          .asi_error        (asi_error),
          .aso_valid        (image_valid),
          .aso_ready        (image_ready),
          .aso_data         (image_data),
          .aso_startofpacket(image_startofpacket),
          .aso_endofpacket  (image_endofpacket),
          .aso_empty        (image_empty),
          .aso_error        (image_error),
          .label            (label),
          .ending           (ending)
      );
    end else begin : g_no_labels
      assign image_valid = asi_valid;
      assign asi_ready = image_ready;
      assign image_data = asi_data;
      assign image_startofpacket = asi_startofpacket;
      assign image_endofpacket = asi_endofpacket;
      assign image_empty = asi_empty;
      assign image_error = asi_error;
      assign staged_label = 8'd0;
      assign ending = 1'b0;
      wire unused = &{1'b0, labelled};
    end
  endgenerate

  fcc_image_sink #(
      .WIDTH   (WIDTH),
      .CAPACITY(CAPACITY),
      .ORDER   (ORDER)
  ) image_sink (
      .clk              (clk),
      .reset            (reset),
      .enable           (enable || ending),
      .restart          (restart),
      .inputs           (inputs),
      .pixel_mode       (pixel_mode),
      .pixel_threshold  (pixel_threshold),
      .pixel_residual   (pixel_residual),
      .asi_valid        (image_valid),
      .asi_ready        (image_ready),
      .asi_data         (image_data),
      .asi_startofpacket(image_startofpacket),
      .asi_endofpacket  (image_endofpacket),
      .asi_empty        (image_empty),
      .asi_error        (image_error),
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

  fcc_batcher #(
      .LANES   (LANES),
      .CAPACITY(CAPACITY),
      .ORDER   (ORDER)
  ) batcher (
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
      .staged_label   (staged_label),
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

endmodule

`default_nettype wire
