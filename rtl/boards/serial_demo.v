// SPDX-License-Identifier: Apache-2.0
//
// The demo of a board with a serial line: a core with its network in preset memories, and in front
// of it a ring of images until a host sends something; from then on the core is the host's. No pins
// and no parts of a vendor.
//
// The first start bit on the line stops the ring and resets the core, long before the frame that
// it begins is complete: so the host finds a core that nobody else uses, and sees no result of an
// image that is not its own. Only `reset` lets the ring begin again, with the network that the host
// has left in the memories.
//
// Eight lamps: while the ring runs, in bits 7:4 the label of an image and in 3:0 the class found,
// another image each second; when the host has the core, bits 7:4 are lit and 3:0 are the class
// of its last image. With `show_rate` they are two digits of the images answered in the last
// second: 0 hundred and ten thousands, 1 thousands and hundreds, 2 tens and ones. With `show_worst`
// the wrong answers of the worst round since `reset`, 255 for more.
//
// Latency: an image is answered after the core's latency; the lamps follow 2 cycles later.

`default_nettype none

module serial_demo #(
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
    parameter SECOND = 2,
    // Clock cycles of a bit of the line, as in fcc_uart_host.
    parameter DIVIDER = 50,
    // Bits that pass in silence before a frame counts as cut, as in fcc_uart_host.
    parameter TIMEOUT = 131072
) (
    input  wire       clk,
    input  wire       reset,
    input  wire       rxd,
    output wire       txd,
    // A digit pair of the rate, 3 for none.
    input  wire [1:0] show_rate,
    input  wire       show_worst,
    output reg  [7:0] lamps
);

  localparam INDEX_BITS = $clog2(IMAGES);
  localparam EMPTY_BITS = (IMAGE_WIDTH > 8) ? $clog2(IMAGE_WIDTH / 8) : 1;
  localparam SECOND_BITS = $clog2(SECOND);
  localparam [31:0] SECOND_LAST = SECOND - 1;
  localparam LOW_BITS = $clog2(DIVIDER);
  // A start bit is low at its middle; what is shorter is none.
  localparam [31:0] LOW_LAST = DIVIDER / 2 - 1;

  reg                    taken_reg;
  reg  [            3:0] handover_reg;
  reg  [   LOW_BITS-1:0] low_reg;
  reg  [SECOND_BITS-1:0] cycle_reg;
  reg  [ INDEX_BITS-1:0] selected_reg;
  reg  [            3:0] last_class_reg;

  wire                   line;
  wire                   core_reset = reset || (taken_reg && handover_reg != 4'd15);
  wire                   ring_valid;
  wire [IMAGE_WIDTH-1:0] ring_data;
  wire                   ring_startofpacket;
  wire                   ring_endofpacket;
  wire [ EMPTY_BITS-1:0] ring_empty;
  wire                   link_valid;
  wire [IMAGE_WIDTH-1:0] link_data;
  wire                   link_startofpacket;
  wire                   link_endofpacket;
  wire [ EMPTY_BITS-1:0] link_empty;
  wire                   link_error;
  wire                   link_result_ready;
  wire                   image_ready;
  wire                   result_valid;
  wire [           31:0] result_data;
  wire                   result_startofpacket;
  wire                   result_endofpacket;
  wire [            1:0] result_empty;
  wire [            5:0] csr_address;
  wire                   csr_read;
  wire                   csr_write;
  wire [           31:0] csr_writedata;
  wire [           31:0] csr_readdata;
  wire                   csr_readdatavalid;
  wire                   weight_ready;
  wire                   irq;
  wire                   result_ready = !taken_reg || link_result_ready;
  wire                   answered = result_valid && result_ready && result_endofpacket;
  wire                   seen;
  wire [            3:0] found;
  wire [            3:0] label;
  wire [            9:0] worst;
  wire [           23:0] rate;

  synchroniser #(
      .WIDTH(1)
  ) line_synchroniser (
      .clk   (clk),
      .level (rxd),
      .stable(line)
  );

  demo_ring #(
      .WIDTH    (IMAGE_WIDTH),
      .INPUTS   (INPUTS),
      .IMAGES   (IMAGES),
      .INIT_FILE({PRESET, "_images.hex"})
  ) ring (
      .clk              (clk),
      .reset            (reset),
      .aso_valid        (ring_valid),
      .aso_ready        (image_ready && !taken_reg),
      .aso_data         (ring_data),
      .aso_startofpacket(ring_startofpacket),
      .aso_endofpacket  (ring_endofpacket),
      .aso_empty        (ring_empty)
  );

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
      .aso_image_valid         (link_valid),
      .aso_image_ready         (image_ready),
      .aso_image_data          (link_data),
      .aso_image_startofpacket (link_startofpacket),
      .aso_image_endofpacket   (link_endofpacket),
      .aso_image_empty         (link_empty),
      .aso_image_error         (link_error),
      .asi_result_valid        (result_valid && taken_reg),
      .asi_result_ready        (link_result_ready),
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
      .reset                   (core_reset),
      .asi_image_valid         (taken_reg ? link_valid : ring_valid),
      .asi_image_ready         (image_ready),
      .asi_image_data          (taken_reg ? link_data : ring_data),
      .asi_image_startofpacket (taken_reg ? link_startofpacket : ring_startofpacket),
      .asi_image_endofpacket   (taken_reg ? link_endofpacket : ring_endofpacket),
      .asi_image_empty         (taken_reg ? link_empty : ring_empty),
      .asi_image_error         (taken_reg && link_error),
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

  demo_checker #(
      .IMAGES   (IMAGES),
      .INIT_FILE({PRESET, "_labels.hex"})
  ) checker_of_labels (
      .clk         (clk),
      .reset       (reset),
      .result_valid(answered && !taken_reg),
      .result_data (result_data),
      .selected    (selected_reg),
      .seen        (seen),
      .found       (found),
      .label       (label),
      .worst       (worst)
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

  always @(posedge clk) begin
    low_reg <= line ? {LOW_BITS{1'b0}} : low_reg + {{(LOW_BITS - 1) {1'b0}}, !taken_reg};
    if (low_reg == LOW_LAST[LOW_BITS-1:0]) taken_reg <= 1'b1;
    if (taken_reg && handover_reg != 4'd15) handover_reg <= handover_reg + 1'b1;
    if (answered) last_class_reg <= result_data[19:16];

    cycle_reg <= cycle_reg + 1'b1;
    if (cycle_reg == SECOND_LAST[SECOND_BITS-1:0]) begin
      cycle_reg <= {SECOND_BITS{1'b0}};
      selected_reg <= selected_reg + 1'b1;
    end

    if (show_worst) lamps <= (worst > 10'd255) ? 8'd255 : worst[7:0];
    else if (show_rate == 2'd0) lamps <= rate[23:16];
    else if (show_rate == 2'd1) lamps <= rate[15:8];
    else if (show_rate == 2'd2) lamps <= rate[7:0];
    else if (taken_reg) lamps <= {4'd15, last_class_reg};
    else lamps <= seen ? {label, found} : 8'd0;

    if (reset) begin
      taken_reg <= 1'b0;
      handover_reg <= 4'd0;
      low_reg <= {LOW_BITS{1'b0}};
      cycle_reg <= {SECOND_BITS{1'b0}};
      selected_reg <= {INDEX_BITS{1'b0}};
      last_class_reg <= 4'd15;
      lamps <= 8'd0;
    end
  end

  wire unused = &{1'b0, result_empty, weight_ready, irq, result_data};

endmodule

`default_nettype wire
