// SPDX-License-Identifier: Apache-2.0
//
// A core behind a serial line: fcc_uart_host and xnor_fcc, wired port by port. With a clock and two
// wires it is all that a small board needs.

`default_nettype none

module xnor_fcc_uart #(
    // Clock cycles of a bit, as in fcc_uart_host.
    parameter DIVIDER = 50,
    // Bits that pass in silence before a frame counts as cut, as in fcc_uart_host.
    parameter TIMEOUT = 131072,
    // Neurons computed at once; this and those below as in xnor_fcc.
    parameter PE = 32,
    // Synapses per PE and cycle.
    parameter SIMD = 128,
    // Images computed in step.
    parameter LANES = 4,
    // Most inputs or neurons of a layer.
    parameter MAX_WIDTH = 1024,
    // Ring positions that PEs see.
    parameter TAPS = 1,
    // Layers of the largest network.
    parameter MAX_LAYERS = 8,
    // Classes of the largest network.
    parameter MAX_CLASSES = 16,
    // Words of the weight memory.
    parameter WEIGHT_DEPTH = 768,
    // Words of one bank of it.
    parameter BANK_DEPTH = 256,
    // Words of the threshold memory.
    parameter THRESHOLD_DEPTH = 128,
    // Most bits of an activation.
    parameter ORDER = 1,
    // 1 for a core that takes ternary weights too.
    parameter TERNARY = 0,
    // Classes whose output layer can learn; 0 for a core that does not.
    parameter LEARN = 0,
    // Words of a bank for an image in a core for convolutions; 0 for one of dense layers only.
    parameter MAP_INPUT = 0,
    // Words of a bank for the feature maps of even layers.
    parameter MAP_EVEN = 0,
    // Words of a bank for the feature maps of odd layers.
    parameter MAP_ODD = 0,
    // Colours of a pixel in a core for convolutions.
    parameter PIXEL_CHANNELS = 3,
    // Thresholds of each colour in a core for convolutions.
    parameter PIXEL_LEVELS = 7,
    // Bits of a beat of the core's image stream.
    parameter IMAGE_WIDTH = 64
) (
    input  wire clk,
    input  wire reset,
    input  wire rxd,
    output wire txd
);

  wire        image_valid;
  wire        image_ready;
  wire [IMAGE_WIDTH-1:0] image_data;
  wire        image_startofpacket;
  wire        image_endofpacket;
  wire [((IMAGE_WIDTH > 8) ? $clog2(IMAGE_WIDTH/8) : 1)-1:0] image_empty;
  wire        image_error;
  wire        result_valid;
  wire        result_ready;
  wire [31:0] result_data;
  wire        result_startofpacket;
  wire        result_endofpacket;
  wire [ 1:0] result_empty;
  wire [ 5:0] csr_address;
  wire        csr_read;
  wire        csr_write;
  wire [31:0] csr_writedata;
  wire [31:0] csr_readdata;
  wire        csr_readdatavalid;
  wire        weight_ready;
  wire        irq;
  wire        unused = &{1'b0, weight_ready, irq, result_empty};

  fcc_uart_host #(
      .DIVIDER    (DIVIDER),
      .TIMEOUT    (TIMEOUT),
      .BUFFER_BITS(11),
      .IMAGE_WIDTH(IMAGE_WIDTH)
  ) link (
      .clk                     (clk),
      .reset                   (reset),
      .rxd                     (rxd),
      .txd                     (txd),
      .avm_csr_address         (csr_address),
      .avm_csr_read            (csr_read),
      .avm_csr_write           (csr_write),
      .avm_csr_writedata       (csr_writedata),
      .avm_csr_readdata        (csr_readdata),
      .avm_csr_readdatavalid   (csr_readdatavalid),
      .aso_image_valid         (image_valid),
      .aso_image_ready         (image_ready),
      .aso_image_data          (image_data),
      .aso_image_startofpacket (image_startofpacket),
      .aso_image_endofpacket   (image_endofpacket),
      .aso_image_empty         (image_empty),
      .aso_image_error         (image_error),
      .asi_result_valid        (result_valid),
      .asi_result_ready        (result_ready),
      .asi_result_data         (result_data),
      .asi_result_startofpacket(result_startofpacket),
      .asi_result_endofpacket  (result_endofpacket)
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
      .ORDER          (ORDER),
      .TERNARY        (TERNARY),
      .LEARN          (LEARN),
      .MAP_INPUT      (MAP_INPUT),
      .MAP_EVEN       (MAP_EVEN),
      .MAP_ODD        (MAP_ODD),
      .PIXEL_CHANNELS (PIXEL_CHANNELS),
      .PIXEL_LEVELS   (PIXEL_LEVELS),
      .IMAGE_WIDTH    (IMAGE_WIDTH),
      .PRESET         ("")
  ) core (
      .clk                     (clk),
      .reset                   (reset),
      .asi_image_valid         (image_valid),
      .asi_image_ready         (image_ready),
      .asi_image_data          (image_data),
      .asi_image_startofpacket (image_startofpacket),
      .asi_image_endofpacket   (image_endofpacket),
      .asi_image_empty         (image_empty),
      .asi_image_error         (image_error),
      .asi_weight_valid        (1'b0),
      .asi_weight_ready        (weight_ready),
      .asi_weight_data         (8'd0),
      .asi_weight_startofpacket(1'b0),
      .asi_weight_endofpacket  (1'b0),
      .aso_result_valid        (result_valid),
      .aso_result_ready        (result_ready),
      .aso_result_data         (result_data),
      .aso_result_startofpacket(result_startofpacket),
      .aso_result_endofpacket  (result_endofpacket),
      .aso_result_empty        (result_empty),
      .avs_csr_address         (csr_address),
      .avs_csr_read            (csr_read),
      .avs_csr_write           (csr_write),
      .avs_csr_writedata       (csr_writedata),
      .avs_csr_readdata        (csr_readdata),
      .avs_csr_readdatavalid   (csr_readdatavalid),
      .ins_csr_irq             (irq)
  );

endmodule

`default_nettype wire
