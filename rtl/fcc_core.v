// SPDX-License-Identifier: Apache-2.0
//
// The core behind the parameter checks of xnor_fcc, which describes its ports: wires its modules
// together, and nothing else. It exists so that each of them can be read and tested alone.
//
//   asi_image -> fcc_image_input -> fcc_engine -> fcc_result_source -> aso_result
//                       asi_weight ----^
//   avs_csr -> fcc_csr -> what fcc_engine is loaded with
//
// Timing: see xnor_fcc.v. `make facts` writes the list of parameters.

`default_nettype none

module fcc_core #(
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
    // Classes whose output layer can learn; 0 for a core that does not.
    parameter LEARN = 0,
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

  localparam RING = (MAX_WIDTH + SIMD - 1) / SIMD;
  localparam CAPACITY = RING * SIMD;
  localparam GROUPS = (MAX_WIDTH + PE - 1) / PE;
  localparam GROUP_BITS = (GROUPS > 1) ? $clog2(GROUPS) : 1;
  // The greatest P: a residual plane adds half of what the first plane counts, a second plane of
  // weights as much again. A score 2P + offset lies within +-(2 * MOST + 1); see fcc_pe_array.
  localparam MOST = CAPACITY * ((ORDER == 2) ? 3 : 1) * ((TERNARY != 0) ? 2 : 1);
  localparam SCORE_BITS = $clog2(2 * MOST + 2) + 1;

  // Registers: what the core does, the network's description, loading.
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
  wire                             pairs;
  // Images in.
  wire [                      1:0] packets_dropped;
  wire                             packet_short;
  wire                             packet_long;
  wire                             packet_frame;
  wire                             packet_flagged;
  wire                             input_busy;
  wire                             batch_valid;
  wire [       LANES*CAPACITY-1:0] images;
  wire [      $clog2(LANES+1)-1:0] batch_count;
  wire [             LANES*16-1:0] batch_ids;
  wire [              LANES*8-1:0] batch_labels;
  wire [                     31:0] batch_stamp;
  // Batches.
  wire                             sequencer_busy;
  wire                             settling;
  wire                             load_image;
  wire                             load_image_s2;
  wire                             load_output_s3;
  wire                             step;
  wire                             stall;
  wire                             weight_stall;
  wire                             weight_fault;
  wire                             scores_done;
  wire [           GROUP_BITS-1:0] scores_group;
  wire [LANES*PE*(SCORE_BITS-1)-1:0] scores;
  wire [                   PE-1:0] parity;
  // Results out.
  wire                             result_busy;
  wire                             results_sent;
  wire                             image_sent;
  wire [                     31:0] latency;
  // Learning.
  wire [                      5:0] csr_address;
  wire [                     31:0] csr_readdata;
  wire                             learning;
  wire                             bad_label;
  wire                             score_valid;
  wire [      $clog2(LANES+1)-1:0] score_lane;
  wire [$clog2(MAX_CLASSES+1)-1:0] score_class;
  wire [           SCORE_BITS-1:0] score;
  wire core_busy = input_busy || sequencer_busy || settling || result_busy;

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
      .LEARN          (LEARN),
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
      .weight_stall         (weight_stall),
      .weight_fault         (weight_fault),
      .bad_label            (bad_label),
      .image_sent           (image_sent),
      .results_sent         (results_sent),
      .latency              (latency)
  );

  fcc_image_input #(
      .WIDTH   (IMAGE_WIDTH),
      .LANES   (LANES),
      .CAPACITY(CAPACITY),
      .ORDER   (ORDER),
      .LEARN   ((LEARN != 0) ? 1 : 0)
  ) image_input (
      .clk              (clk),
      .reset            (core_reset),
      .enable           (running),
      .restart          (check_start),
      .labelled         (learning),
      .inputs           (inputs),
      .pixel_mode       (pixel_mode),
      .pixel_threshold  (pixel_threshold),
      .pixel_residual   (pixel_residual),
      .timeout          (partial_timeout),
      .pairs            (pairs),
      .planes           (table_entries[15]),
      .now              (now),
      .asi_valid        (asi_image_valid),
      .asi_ready        (asi_image_ready),
      .asi_data         (asi_image_data),
      .asi_startofpacket(asi_image_startofpacket),
      .asi_endofpacket  (asi_image_endofpacket),
      .asi_empty        (asi_image_empty),
      .asi_error        (asi_image_error),
      .batch_valid      (batch_valid),
      .batch_taken      (load_image),
      .load_image       (load_image_s2),
      .images           (images),
      .batch_count      (batch_count),
      .batch_ids        (batch_ids),
      .batch_labels     (batch_labels),
      .batch_stamp      (batch_stamp),
      .busy             (input_busy),
      .dropped          (packets_dropped),
      .error_short      (packet_short),
      .error_long       (packet_long),
      .error_frame      (packet_frame),
      .error_flag       (packet_flagged)
  );

  fcc_engine #(
      .LANES          (LANES),
      .PE             (PE),
      .SIMD           (SIMD),
      .RING           (RING),
      .TAPS           (TAPS),
      .SCORE_BITS     (SCORE_BITS),
      .GROUPS         (GROUPS),
      .GROUP_BITS     (GROUP_BITS),
      .MAX_WIDTH      (MAX_WIDTH),
      .MAX_LAYERS     (MAX_LAYERS),
      .MAX_CLASSES    (MAX_CLASSES),
      .WEIGHT_DEPTH   (WEIGHT_DEPTH),
      .BANK_DEPTH     (BANK_DEPTH),
      .THRESHOLD_DEPTH(THRESHOLD_DEPTH),
      .WEIGHT_STREAM  (WEIGHT_STREAM),
      .ORDER          (ORDER),
      .TERNARY        (TERNARY),
      .LEARN          (LEARN),
      .PRESET         (PRESET)
  ) engine (
      .clk                     (clk),
      .reset                   (reset),
      .core_reset              (core_reset),
      .check_start             (check_start),
      .running                 (running),
      .core_busy               (core_busy),
      .table_entries           (table_entries),
      .layers                  (layers),
      .inputs                  (inputs),
      .classes                 (classes),
      .pixel_mode              (pixel_mode),
      .check_busy              (check_busy),
      .check_done              (check_done),
      .check_ok                (check_ok),
      .check_bad_table         (check_bad_table),
      .check_not_loaded        (check_not_loaded),
      .pairs                   (pairs),
      .weight_restart          (weight_restart),
      .chunk_valid             (chunk_valid),
      .threshold_restart       (threshold_restart),
      .chunk_threshold         (chunk_threshold),
      .chunk                   (chunk),
      .weights_loaded          (weights_loaded),
      .thresholds_loaded       (thresholds_loaded),
      .weights_crc             (weights_crc),
      .thresholds_crc          (thresholds_crc),
      .load_overflow           (load_overflow),
      .avs_address             (avs_csr_address),
      .avs_read                (avs_csr_read),
      .avs_write               (avs_csr_write),
      .avs_writedata           (avs_csr_writedata),
      .avs_readdata            (avs_csr_readdata),
      .csr_address             (csr_address),
      .csr_readdata            (csr_readdata),
      .locked                  (locked),
      .asi_weight_valid        (asi_weight_valid),
      .asi_weight_ready        (asi_weight_ready),
      .asi_weight_data         (asi_weight_data),
      .asi_weight_startofpacket(asi_weight_startofpacket),
      .asi_weight_endofpacket  (asi_weight_endofpacket),
      .batch_valid             (batch_valid),
      .load_image              (load_image),
      .load_image_s2           (load_image_s2),
      .images                  (images),
      .load_output_s3          (load_output_s3),
      .scores_done             (scores_done),
      .scores_group            (scores_group),
      .scores                  (scores),
      .parity                  (parity),
      .results_sent            (results_sent),
      .learning                (learning),
      .labels                  (batch_labels),
      .score_valid             (score_valid),
      .score_lane              (score_lane),
      .score_class             (score_class),
      .score                   (score),
      .bad_label               (bad_label),
      .sequencer_busy          (sequencer_busy),
      .settling                (settling),
      .step                    (step),
      .stall                   (stall),
      .weight_stall            (weight_stall),
      .weight_fault            (weight_fault)
  );

  fcc_result_source #(
      .LANES      (LANES),
      .PE         (PE),
      .MAX_CLASSES(MAX_CLASSES),
      .SCORE_BITS (SCORE_BITS),
      .GROUP_BITS (GROUP_BITS)
  ) result_source (
      .clk              (clk),
      .reset            (core_reset),
      .classes          (classes[$clog2(MAX_CLASSES+1)-1:0]),
      .pairs            (pairs),
      .now              (now),
      .begin_batch      (load_output_s3),
      .batch_count      (batch_count),
      .batch_ids        (batch_ids),
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

endmodule

`default_nettype wire
