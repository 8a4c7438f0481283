// SPDX-License-Identifier: Apache-2.0
//
// The demo without a host: a core with its network in preset memories, a ring of images in front of
// it, and behind it a checker and a counter for six digits and ten lamps. No pins and no parts of a
// vendor.
//
// The core starts by itself after `reset` (bit ENABLE of PREFIX_config.hex): nobody writes a
// register.
//
// Latency: an image is answered after the core's latency; the display follows 2 cycles later.

`default_nettype none

module demo #(
    // Neurons computed at once in a lane, like all of the core's parameters here: see xnor_fcc.v.
    parameter PE = 1,
    // Synapses per PE and cycle.
    parameter SIMD = 1,
    // Images computed in step.
    parameter LANES = 1,
    // Most inputs or neurons of a layer.
    parameter MAX_WIDTH = 1,
    // Ring positions that PEs see.
    parameter TAPS = 1,
    // Layers of the largest network.
    parameter MAX_LAYERS = 1,
    // Classes of the largest network.
    parameter MAX_CLASSES = 1,
    // Words of the weight memory.
    parameter WEIGHT_DEPTH = 2,
    // Words of one bank of it.
    parameter BANK_DEPTH = 1,
    // Words of the threshold memory.
    parameter THRESHOLD_DEPTH = 2,
    // Bits of a beat of images.
    parameter IMAGE_WIDTH = 8,
    // Pixels of an image (1 to MAX_WIDTH).
    parameter INPUTS = 1,
    // Images in the ring, a power of two (>= 2).
    parameter IMAGES = 2,
    // Path and prefix of the memory files: the core's, PREFIX_images.hex, PREFIX_labels.hex.
    parameter PRESET = "preset",
    // Cycles of a second (2 to 2^31 - 1).
    parameter SECOND = 2
) (
    input  wire                      clk,
    input  wire                      reset,
    // The image that is shown.
    input  wire [$clog2(IMAGES)-1:0] selected,
    // Show images a second in all digits.
    input  wire                      show_rate,
    // Digits 5 to 0, seven segments each, active low.
    output wire [              41:0] segments,
    // Wrong results of the worst round since reset.
    output wire [               9:0] errors
);

  localparam EMPTY_BITS = (IMAGE_WIDTH > 8) ? $clog2(IMAGE_WIDTH / 8) : 1;
  // Blank in seven_segment.
  localparam [3:0] BLANK = 4'd15;

  wire                   image_valid;
  wire                   image_ready;
  wire [IMAGE_WIDTH-1:0] image_data;
  wire                   image_startofpacket;
  wire                   image_endofpacket;
  wire [ EMPTY_BITS-1:0] image_empty;
  wire                   result_valid;
  wire [           31:0] result_data;
  wire                   result_startofpacket;
  wire                   result_endofpacket;
  wire [            1:0] result_empty;
  wire                   weight_ready;
  wire [           31:0] csr_readdata;
  wire                   csr_readdatavalid;
  wire                   csr_irq;
  wire                   answered = result_valid && result_endofpacket;
  wire                   seen;
  wire [            3:0] found;
  wire [            3:0] label;
  wire [           23:0] rate;

  demo_ring #(
      .WIDTH    (IMAGE_WIDTH),
      .INPUTS   (INPUTS),
      .IMAGES   (IMAGES),
      .INIT_FILE({PRESET, "_images.hex"})
  ) ring (
      .clk              (clk),
      .reset            (reset),
      .aso_valid        (image_valid),
      .aso_ready        (image_ready),
      .aso_data         (image_data),
      .aso_startofpacket(image_startofpacket),
      .aso_endofpacket  (image_endofpacket),
      .aso_empty        (image_empty)
  );

  xnor_fcc #(
      .PE             (PE),
      .SIMD           (SIMD),
      .LANES          (LANES),
      .MAX_WIDTH      (MAX_WIDTH),
      .TAPS           (TAPS),
      .MAX_LAYERS     (MAX_LAYERS),
      .MAX_CLASSES    (MAX_CLASSES),
      .WEIGHT_DEPTH   (WEIGHT_DEPTH),
      .BANK_DEPTH     (BANK_DEPTH),
      .THRESHOLD_DEPTH(THRESHOLD_DEPTH),
      .WEIGHT_STREAM  (0),
      .ORDER          (1),
      .TERNARY        (0),
      .LEARN          (0),
      .MAP_INPUT      (0),
      .MAP_EVEN       (0),
      .MAP_ODD        (0),
      .PIXEL_CHANNELS (1),
      .PIXEL_LEVELS   (1),
      .IMAGE_WIDTH    (IMAGE_WIDTH),
      .PRESET         (PRESET)
  ) core (
      .clk                     (clk),
      .reset                   (reset),
      .asi_image_valid         (image_valid),
      .asi_image_ready         (image_ready),
      .asi_image_data          (image_data),
      .asi_image_startofpacket (image_startofpacket),
      .asi_image_endofpacket   (image_endofpacket),
      .asi_image_empty         (image_empty),
      .asi_image_error         (1'b0),
      .asi_weight_valid        (1'b0),
      .asi_weight_ready        (weight_ready),
      .asi_weight_data         (8'd0),
      .asi_weight_startofpacket(1'b0),
      .asi_weight_endofpacket  (1'b0),
      .aso_result_valid        (result_valid),
      .aso_result_ready        (1'b1),
      .aso_result_data         (result_data),
      .aso_result_startofpacket(result_startofpacket),
      .aso_result_endofpacket  (result_endofpacket),
      .aso_result_empty        (result_empty),
      .avs_csr_address         (6'd0),
      .avs_csr_read            (1'b0),
      .avs_csr_write           (1'b0),
      .avs_csr_writedata       (32'd0),
      .avs_csr_readdata        (csr_readdata),
      .avs_csr_readdatavalid   (csr_readdatavalid),
      .ins_csr_irq             (csr_irq)
  );

  demo_checker #(
      .IMAGES   (IMAGES),
      .INIT_FILE({PRESET, "_labels.hex"})
  ) checker_of_labels (
      .clk         (clk),
      .reset       (reset),
      .result_valid(answered),
      .result_data (result_data),
      .selected    (selected),
      .seen        (seen),
      .found       (found),
      .label       (label),
      .worst       (errors)
  );

  demo_rate #(
      .SECOND(SECOND),
      .DIGITS(6)
  ) counter (
      .clk   (clk),
      .reset (reset),
      .occurs(answered),
      .rate  (rate)
  );

  wire [23:0] digits = show_rate ? rate : {rate[23:12], BLANK, label, found};

  genvar d;
  generate
    for (d = 0; d < 6; d = d + 1) begin : g_digit
      seven_segment display (
          .known   (show_rate || seen || d > 1),
          .digit   (digits[4*d+:4]),
          .segments(segments[7*d+:7])
      );
    end
  endgenerate

  wire unused = &{1'b0, result_startofpacket, result_empty, weight_ready, csr_readdata,
      csr_readdatavalid, csr_irq};

endmodule

`default_nettype wire
