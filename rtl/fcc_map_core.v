// SPDX-License-Identifier: Apache-2.0
//
// The core for feature maps behind the parameter checks of xnor_fcc, which describes its ports:
// wires its modules together, and nothing else. It stands beside fcc_core, which has dense layers
// only, so that either costs what it needs and no more.
//
//   asi_image -> fcc_pixel_sink -> fcc_map_engine -> fcc_result_source -> aso_result
//   avs_csr -> fcc_map_registers -> fcc_csr -> what fcc_map_engine is loaded with
//
// Timing: see xnor_fcc.v. `make facts` writes the list of parameters.

`default_nettype none

module fcc_map_core #(
    // Neurons computed at once in a lane.
    parameter PE = 1,
    // Synapses per PE and cycle.
    parameter SIMD = 1,
    // Images computed in step, sharing every weight word.
    parameter LANES = 1,
    // Most inputs or neurons of a layer.
    parameter MAX_WIDTH = 1,
    // Ring positions that PEs see.
    parameter TAPS = 1,
    // Layers of the largest network.
    parameter MAX_LAYERS = 1,
    // Classes of the largest network.
    parameter MAX_CLASSES = 1,
    // Words of the weight memory: steps of the largest network.
    parameter WEIGHT_DEPTH = 2,
    // Words of one bank of the weight memory.
    parameter BANK_DEPTH = 1,
    // Words of the threshold memory: groups of the largest network.
    parameter THRESHOLD_DEPTH = 2,
    // Bits of a beat of asi_weight; 0 for a core with a weight memory.
    parameter WEIGHT_STREAM = 0,
    // Most bits of an activation.
    parameter ORDER = 1,
    // 1 for a core that takes ternary weights too.
    parameter TERNARY = 0,
    // Words of a bank for an image in a core for convolutions; 0 for one of dense layers only.
    parameter MAP_INPUT = 1,
    // Words of a bank for the feature maps of even layers, from layer 0 on.
    parameter MAP_EVEN = 1,
    // Words of a bank for the feature maps of odd layers, from layer 1 on.
    parameter MAP_ODD = 1,
    // Colours of a pixel in a core for convolutions.
    parameter PIXEL_CHANNELS = 1,
    // Thresholds of each colour in a core for convolutions; 0 where the first layer takes the
    // colours as numbers of 8 bits.
    parameter PIXEL_LEVELS = 0,
    // Bits of a beat of asi_image.
    parameter IMAGE_WIDTH = 8,
    // Path and prefix of memory files for a core that no host loads.
    parameter PRESET = ""
) (
    input  wire        clk,
    input  wire        reset,
    input  wire        asi_image_valid,
    output wire        asi_image_ready,
    input  wire [IMAGE_WIDTH-1:0] asi_image_data,
    input  wire        asi_image_startofpacket,
    input  wire        asi_image_endofpacket,
    input  wire [((IMAGE_WIDTH > 8) ? $clog2(IMAGE_WIDTH/8) : 1)-1:0] asi_image_empty,
    input  wire        asi_image_error,
    input  wire        asi_weight_valid,
    output wire        asi_weight_ready,
    input  wire [((WEIGHT_STREAM > 0) ? WEIGHT_STREAM : 8)-1:0] asi_weight_data,
    input  wire        asi_weight_startofpacket,
    input  wire        asi_weight_endofpacket,
    output wire        aso_result_valid,
    input  wire        aso_result_ready,
    output wire [31:0] aso_result_data,
    output wire        aso_result_startofpacket,
    output wire        aso_result_endofpacket,
    output wire [ 1:0] aso_result_empty,
    input  wire [ 5:0] avs_csr_address,
    input  wire        avs_csr_read,
    input  wire        avs_csr_write,
    input  wire [31:0] avs_csr_writedata,
    output wire [31:0] avs_csr_readdata,
    output wire        avs_csr_readdatavalid,
    output wire        ins_csr_irq
);

  localparam SLOT = SIMD / 3;
  localparam RING = (MAX_WIDTH + SIMD - 1) / SIMD;
  localparam CAPACITY = RING * SIMD;
  localparam GROUPS = (MAX_WIDTH + PE - 1) / PE;
  localparam GROUP_BITS = (GROUPS > 1) ? ((GROUPS > 256) ? 8 : $clog2(GROUPS)) : 1;
  // The greatest P: a residual plane adds half of what the first plane counts, a second plane of
  // weights as much again. A score 2P + offset lies within +-(2 * MOST + 1); see fcc_pe_array.
  localparam ROUNDS = (TERNARY != 0) ? 2 : 1;
  localparam MOST_OF_BITS = CAPACITY * ((ORDER == 2) ? 3 : 1) * ROUNDS;
  localparam MOST_OF_NUMBERS = 255 * 9 * PIXEL_CHANNELS * ROUNDS;
  localparam NUMBERS = (PIXEL_LEVELS == 0) ? 1 : 0;
  localparam MOST =
      (NUMBERS != 0 && MOST_OF_NUMBERS > MOST_OF_BITS) ? MOST_OF_NUMBERS : MOST_OF_BITS;
  localparam SCORE_BITS = $clog2(2 * MOST + 2) + 1;
  localparam PIXEL_BITS = PIXEL_CHANNELS * ((NUMBERS != 0) ? 8 : PIXEL_LEVELS);
  localparam PLACE = 3 * PIXEL_BITS;
  localparam IMAGE_BITS = $clog2(2 * MAP_INPUT);

  // Registers: what the core does, the network's description, loading.
  wire [                      5:0] csr_address;
  wire [                     31:0] csr_readdata;
  wire                             core_reset;
  wire                             running;
  wire                             locked;
  wire                             pixel_mode;
  wire [                      7:0] pixel_threshold;
  wire [                     15:0] pixel_residual;
  wire [                     15:0] inputs;
  wire [                     15:0] classes;
  wire [                     15:0] layers;
  wire [                     31:0] partial_timeout;
  wire [        32*MAX_LAYERS-1:0] table_entries;
  wire [                     31:0] now;
  wire [         8*PIXEL_BITS-1:0] levels;
  wire                             weight_restart;
  wire                             chunk_valid;
  wire                             threshold_restart;
  wire                             chunk_threshold;
  wire [                     31:0] chunk;
  wire [                     31:0] weights_loaded;
  wire [                     31:0] thresholds_loaded;
  wire [                     31:0] weights_crc;
  wire [                     31:0] thresholds_crc;
  wire                             load_overflow;
  // Table check.
  wire                             check_start;
  wire                             check_busy;
  wire                             check_done;
  wire                             check_ok;
  wire                             check_bad_table;
  wire                             check_not_loaded;
  // Images in.
  wire [                      6:0] image_side = table_entries[14:8] + 7'd2;
  wire [                      7:0] image_write;
  wire [           IMAGE_BITS-1:0] image_address;
  wire [                PLACE-1:0] image_data;
  wire                             batch_valid;
  wire                             batch_half;
  wire [                     15:0] batch_id;
  wire [                     31:0] batch_stamp;
  wire                             waiting;
  wire [                      1:0] packets_dropped;
  wire                             packet_short;
  wire                             packet_long;
  wire                             packet_frame;
  wire                             packet_flagged;
  // Computing.
  wire                             sequencer_busy;
  wire                             settling;
  wire                             load_image;
  wire                             image_done;
  wire                             load_output;
  wire                             step;
  wire                             stall;
  wire                             scores_done;
  wire [           GROUP_BITS-1:0] scores_group;
  wire [    PE*(SCORE_BITS-1)-1:0] scores;
  wire [                   PE-1:0] parity;
  // Results out.
  wire                             result_busy;
  wire                             results_sent;
  wire                             image_sent;
  wire [                     31:0] latency;
  wire                             score_valid;
  wire                             score_lane;
  wire [$clog2(MAX_CLASSES+1)-1:0] score_class;
  wire [           SCORE_BITS-1:0] score;
  wire core_busy = waiting || sequencer_busy || settling || result_busy;

  fcc_map_registers #(
      .MAP_INPUT     (MAP_INPUT),
      .MAP_EVEN      (MAP_EVEN),
      .MAP_ODD       (MAP_ODD),
      .PIXEL_CHANNELS(PIXEL_CHANNELS),
      .PIXEL_LEVELS  (PIXEL_LEVELS),
      .PRESET        ((PRESET != "") ? {PRESET, "_levels.hex"} : "")
  ) map_registers (
      .clk          (clk),
      .reset        (reset),
      .avs_address  (avs_csr_address),
      .avs_read     (avs_csr_read),
      .avs_write    (avs_csr_write),
      .avs_writedata(avs_csr_writedata),
      .avs_readdata (avs_csr_readdata),
      .csr_address  (csr_address),
      .csr_readdata (csr_readdata),
      .locked       (locked),
      .levels       (levels)
  );

  fcc_csr #(
      .PE             (PE),
      .SIMD           (SIMD),
      .LANES          (LANES),
      .TAPS           (TAPS),
      .MAX_WIDTH      (MAX_WIDTH),
      .MAX_LAYERS     (MAX_LAYERS),
      .MAX_CLASSES    (MAX_CLASSES),
      .WEIGHT_DEPTH   (WEIGHT_DEPTH),
      .THRESHOLD_DEPTH(THRESHOLD_DEPTH),
      .IMAGE_WIDTH    (IMAGE_WIDTH),
      .SCORE_BITS     (SCORE_BITS),
      .WEIGHT_STREAM  (WEIGHT_STREAM),
      .ORDER          (ORDER),
      .TERNARY        (TERNARY),
      .LEARN          (0),
      .PRESET         ((PRESET != "") ? {PRESET, "_config.hex"} : "")
  ) csr (
      .clk                  (clk),
      .reset                (reset),
      .avs_address          (csr_address),
      .avs_read             (avs_csr_read),
      .avs_write            (avs_csr_write),
      .avs_writedata        (avs_csr_writedata),
      .avs_readdata         (csr_readdata),
      .avs_readdatavalid    (avs_csr_readdatavalid),
      .irq                  (ins_csr_irq),
      .core_reset           (core_reset),
      .running              (running),
      .locked               (locked),
      .pixel_mode           (pixel_mode),
      .pixel_threshold      (pixel_threshold),
      .pixel_residual       (pixel_residual),
      .inputs               (inputs),
      .classes              (classes),
      .layers               (layers),
      .partial_timeout      (partial_timeout),
      .table_entries        (table_entries),
      .now                  (now),
      .check_start          (check_start),
      .check_busy           (check_busy),
      .check_done           (check_done),
      .check_ok             (check_ok),
      .check_bad_table      (check_bad_table),
      .check_not_loaded     (check_not_loaded),
      .weight_restart       (weight_restart),
      .chunk_valid          (chunk_valid),
      .threshold_restart    (threshold_restart),
      .chunk_threshold      (chunk_threshold),
      .chunk                (chunk),
      .weights_loaded       (weights_loaded),
      .thresholds_loaded    (thresholds_loaded),
      .weights_crc          (weights_crc),
      .thresholds_crc       (thresholds_crc),
      .load_overflow        (load_overflow),
      .core_busy            (core_busy),
      .packets_dropped      (packets_dropped),
      .packet_short         (packet_short),
      .packet_long          (packet_long),
      .packet_frame         (packet_frame),
      .packet_flagged       (packet_flagged),
      .sequencer_busy       (sequencer_busy),
      .sequencer_step       (step),
      .sequencer_stall      (stall),
      .weight_stall         (1'b0),
      .weight_fault         (1'b0),
      .bad_label            (1'b0),
      .image_sent           (image_sent),
      .results_sent         (results_sent),
      .latency              (latency)
  );

  fcc_pixel_sink #(
      .WIDTH   (IMAGE_WIDTH),
      .CHANNELS(PIXEL_CHANNELS),
      .LEVELS  (PIXEL_LEVELS),
      .DEPTH   (MAP_INPUT)
  ) pixel_sink (
      .clk              (clk),
      .reset            (core_reset),
      .enable           (running),
      .restart          (check_start),
      .now              (now),
      .side             (image_side),
      .levels           (levels),
      .asi_valid        (asi_image_valid),
      .asi_ready        (asi_image_ready),
      .asi_data         (asi_image_data),
      .asi_startofpacket(asi_image_startofpacket),
      .asi_endofpacket  (asi_image_endofpacket),
      .asi_empty        (asi_image_empty),
      .asi_error        (asi_image_error),
      .write            (image_write),
      .write_address    (image_address),
      .write_data       (image_data),
      .batch_valid      (batch_valid),
      .batch_taken      (load_image),
      .batch_done       (image_done),
      .batch_half       (batch_half),
      .batch_id         (batch_id),
      .batch_stamp      (batch_stamp),
      .waiting          (waiting),
      .dropped          (packets_dropped),
      .error_short      (packet_short),
      .error_long       (packet_long),
      .error_frame      (packet_frame),
      .error_flag       (packet_flagged)
  );

  fcc_map_engine #(
      .PE             (PE),
      .SLOT           (SLOT),
      .RING           (RING),
      .SCORE_BITS     (SCORE_BITS),
      .GROUPS         (GROUPS),
      .GROUP_BITS     (GROUP_BITS),
      .MAX_LAYERS     (MAX_LAYERS),
      .MAX_CLASSES    (MAX_CLASSES),
      .WEIGHT_DEPTH   (WEIGHT_DEPTH),
      .BANK_DEPTH     (BANK_DEPTH),
      .THRESHOLD_DEPTH(THRESHOLD_DEPTH),
      .MAP_INPUT      (MAP_INPUT),
      .MAP_EVEN       (MAP_EVEN),
      .MAP_ODD        (MAP_ODD),
      .PLACE          (PLACE),
      .NUMBERS        (NUMBERS),
      .ORDER          (ORDER),
      .TERNARY        (TERNARY),
      .PRESET         (PRESET)
  ) engine (
      .clk                  (clk),
      .reset                (reset),
      .core_reset           (core_reset),
      .table_entries        (table_entries),
      .layers               (layers),
      .inputs               (inputs),
      .classes              (classes),
      .pixel_mode           (pixel_mode),
      .check_start          (check_start),
      .check_busy           (check_busy),
      .check_done           (check_done),
      .check_ok             (check_ok),
      .check_bad_table      (check_bad_table),
      .check_not_loaded     (check_not_loaded),
      .weight_restart       (weight_restart),
      .chunk_valid          (chunk_valid),
      .threshold_restart    (threshold_restart),
      .chunk_threshold      (chunk_threshold),
      .chunk                (chunk),
      .weights_loaded       (weights_loaded),
      .thresholds_loaded    (thresholds_loaded),
      .weights_crc          (weights_crc),
      .thresholds_crc       (thresholds_crc),
      .load_overflow        (load_overflow),
      .image_write          (image_write),
      .image_address        (image_address),
      .image_data           (image_data),
      .batch_valid          (batch_valid),
      .batch_half           (batch_half),
      .load_image           (load_image),
      .image_done           (image_done),
      .load_output          (load_output),
      .scores_done          (scores_done),
      .scores_group         (scores_group),
      .scores               (scores),
      .parity               (parity),
      .results_sent         (results_sent),
      .sequencer_busy       (sequencer_busy),
      .settling             (settling),
      .step                 (step),
      .stall                (stall)
  );

  // One image at a time.
  fcc_result_source #(
      .LANES      (1),
      .PE         (PE),
      .MAX_CLASSES(MAX_CLASSES),
      .SCORE_BITS (SCORE_BITS),
      .GROUP_BITS (GROUP_BITS)
  ) result_source (
      .clk              (clk),
      .reset            (core_reset),
      .classes          (classes[$clog2(MAX_CLASSES+1)-1:0]),
      .pairs            (1'b0),
      .now              (now),
      .begin_batch      (load_output),
      .batch_count      (1'b1),
      .batch_ids        (batch_id),
      .batch_stamp      (batch_stamp),
      .scores_done      (scores_done),
      .scores_group     (scores_group),
      .scores           (scores),
      .parity           (parity),
      .busy             (result_busy),
      .results_sent     (results_sent),
      .image_sent       (image_sent),
      .score_valid      (score_valid),
      .score_lane       (score_lane),
      .score_class      (score_class),
      .score            (score),
      .latency          (latency),
      .aso_valid        (aso_result_valid),
      .aso_ready        (aso_result_ready),
      .aso_data         (aso_result_data),
      .aso_startofpacket(aso_result_startofpacket),
      .aso_endofpacket  (aso_result_endofpacket)
  );

  assign aso_result_empty = 2'd0;
  assign asi_weight_ready = 1'b0;

  // What concerns dense cores only, and bits that only some parameters use.
  wire unused = &{1'b0, classes, pixel_threshold, pixel_residual, partial_timeout,
                  asi_weight_valid, asi_weight_data, asi_weight_startofpacket,
                  asi_weight_endofpacket, score_valid, score_lane, score_class, score};

endmodule

`default_nettype wire
