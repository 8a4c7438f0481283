// SPDX-License-Identifier: Apache-2.0
//
// The core behind the parameter checks of xnor_fcc: wires the rooms together and knows no
// arithmetic. Parameters and ports are described in xnor_fcc.v.
//
//   asi_image -> fcc_image_sink -> fcc_batcher -> fcc_lane x LANES -> fcc_result_source -> aso_result
//                    fcc_sequencer -> fcc_weight_memory, fcc_threshold_memory -> all lanes
//                    avs_csr -> fcc_csr -> fcc_table_check, fcc_word_loader
//
// Timing: see xnor_fcc.v.

`default_nettype none

module fcc_core #(
    parameter PE = 32,
    parameter SIMD = 128,
    parameter LANES = 4,
    parameter MAX_WIDTH = 1024,
    parameter TAPS = 4,
    parameter MAX_LAYERS = 8,
    parameter MAX_CLASSES = 16,
    parameter WEIGHT_DEPTH = 768,
    parameter BANK_DEPTH = 256,
    parameter THRESHOLD_DEPTH = 128,
    parameter IMAGE_WIDTH = 64,
    parameter PRESET = ""
) (
    input  wire        clk,
    input  wire        reset,
    // One packet an image.
    input  wire        asi_image_valid,
    output wire        asi_image_ready,
    input  wire [IMAGE_WIDTH-1:0] asi_image_data,
    input  wire        asi_image_startofpacket,
    input  wire        asi_image_endofpacket,
    input  wire [((IMAGE_WIDTH > 8) ? $clog2(IMAGE_WIDTH/8) : 1)-1:0] asi_image_empty,
    input  wire        asi_image_error,
    // One packet an image: scores, then class and id.
    output wire        aso_result_valid,
    input  wire        aso_result_ready,
    output wire [31:0] aso_result_data,
    output wire        aso_result_startofpacket,
    output wire        aso_result_endofpacket,
    output wire [ 1:0] aso_result_empty,
    // Registers, see REGISTERS.md; the address counts registers.
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
  // A score 2P + offset lies within +-(2 * CAPACITY + 1); see fcc_pe_array.
  localparam ACC_BITS = $clog2(2 * CAPACITY + 2);
  localparam SCORE_BITS = ACC_BITS + 1;
  localparam LAYER_BITS = $clog2(MAX_LAYERS + 1);
  localparam CLASS_BITS = $clog2(MAX_CLASSES + 1);
  localparam COUNT_BITS = $clog2(LANES + 1);
  localparam WEIGHT_BITS = $clog2(WEIGHT_DEPTH);
  localparam THRESHOLD_BITS = $clog2(THRESHOLD_DEPTH);
  // Cycles from a layer's last step to the load of the next layer: what fcc_lane documents, less 1.
  localparam DRAIN = 3;
  localparam HAS_PRESET = (PRESET != "");

  wire core_reset;
  wire running;
  wire pixel_mode;
  wire [7:0] pixel_threshold;
  wire [15:0] inputs;
  wire [15:0] classes;
  wire [15:0] layers;
  wire [31:0] partial_timeout;
  wire [32*MAX_LAYERS-1:0] table_entries;
  wire [31:0] now;

  // ---- registers and loading

  wire check_start;
  wire check_busy;
  wire check_done;
  wire check_ok;
  wire check_bad_table;
  wire check_not_loaded;
  wire weight_restart;
  wire weight_chunk_valid;
  wire threshold_restart;
  wire threshold_chunk_valid;
  wire [31:0] chunk;
  wire weight_write;
  wire [WEIGHT_BITS-1:0] weight_write_address;
  wire [PE*SIMD-1:0] weight_write_data;
  wire [$clog2(WEIGHT_DEPTH+1)-1:0] weight_words;
  wire [31:0] weights_loaded = {{(32 - $clog2(WEIGHT_DEPTH + 1)) {1'b0}}, weight_words};
  wire weight_overflow;
  wire threshold_write;
  wire [THRESHOLD_BITS-1:0] threshold_write_address;
  wire [PE*SCORE_BITS-1:0] threshold_write_data;
  wire [$clog2(THRESHOLD_DEPTH+1)-1:0] threshold_words;
  wire [31:0] thresholds_loaded = {{(32 - $clog2(THRESHOLD_DEPTH + 1)) {1'b0}}, threshold_words};
  wire threshold_overflow;
  wire core_busy;
  wire [1:0] packets_dropped;
  wire packet_short;
  wire packet_long;
  wire packet_frame;
  wire packet_flagged;
  wire sequencer_busy;
  wire sequencer_stall;
  wire image_sent;
  wire results_sent;
  wire [31:0] latency;

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
      .PRESET         ((HAS_PRESET) ? {PRESET, "_config.hex"} : "")
  ) csr (
      .clk                  (clk),
      .reset                (reset),
      .avs_address          (avs_csr_address),
      .avs_read             (avs_csr_read),
      .avs_write            (avs_csr_write),
      .avs_writedata        (avs_csr_writedata),
      .avs_readdata         (avs_csr_readdata),
      .avs_readdatavalid    (avs_csr_readdatavalid),
      .irq                  (ins_csr_irq),
      .core_reset           (core_reset),
      .running              (running),
      .pixel_mode           (pixel_mode),
      .pixel_threshold      (pixel_threshold),
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
      .weight_chunk_valid   (weight_chunk_valid),
      .threshold_restart    (threshold_restart),
      .threshold_chunk_valid(threshold_chunk_valid),
      .chunk                (chunk),
      .weights_loaded       (weights_loaded),
      .thresholds_loaded    (thresholds_loaded),
      .load_overflow        (weight_overflow || threshold_overflow),
      .core_busy            (core_busy),
      .packets_dropped      (packets_dropped),
      .packet_short         (packet_short),
      .packet_long          (packet_long),
      .packet_frame         (packet_frame),
      .packet_flagged       (packet_flagged),
      .sequencer_busy       (sequencer_busy),
      .sequencer_stall      (sequencer_stall),
      .image_sent           (image_sent),
      .results_sent         (results_sent),
      .latency              (latency)
  );

  fcc_table_check #(
      .PE             (PE),
      .SIMD           (SIMD),
      .RING           (RING),
      .GROUPS         (GROUPS),
      .MAX_WIDTH      (MAX_WIDTH),
      .MAX_LAYERS     (MAX_LAYERS),
      .MAX_CLASSES    (MAX_CLASSES),
      .WEIGHT_DEPTH   (WEIGHT_DEPTH),
      .THRESHOLD_DEPTH(THRESHOLD_DEPTH)
  ) table_check (
      .clk              (clk),
      .reset            (core_reset),
      .start            (check_start),
      .table_entries    (table_entries),
      .layers           (layers),
      .inputs           (inputs),
      .classes          (classes),
      .weights_loaded   (weights_loaded),
      .thresholds_loaded(thresholds_loaded),
      .busy             (check_busy),
      .done             (check_done),
      .ok               (check_ok),
      .bad_table        (check_bad_table),
      .not_loaded       (check_not_loaded)
  );

  fcc_word_loader #(
      .CHUNK       (32),
      .WIDTH       (PE * SIMD),
      .DEPTH       (WEIGHT_DEPTH),
      .PRESET_WORDS(HAS_PRESET ? WEIGHT_DEPTH : 0)
  ) weight_loader (
      .clk          (clk),
      .reset        (reset),
      .restart      (weight_restart),
      .chunk_valid  (weight_chunk_valid),
      .chunk        (chunk),
      .write        (weight_write),
      .write_address(weight_write_address),
      .write_data   (weight_write_data),
      .loaded       (weight_words),
      .overflow     (weight_overflow)
  );

  fcc_word_loader #(
      .CHUNK       (SCORE_BITS),
      .WIDTH       (PE * SCORE_BITS),
      .DEPTH       (THRESHOLD_DEPTH),
      .PRESET_WORDS(HAS_PRESET ? THRESHOLD_DEPTH : 0)
  ) threshold_loader (
      .clk          (clk),
      .reset        (reset),
      .restart      (threshold_restart),
      .chunk_valid  (threshold_chunk_valid),
      .chunk        (chunk[SCORE_BITS-1:0]),
      .write        (threshold_write),
      .write_address(threshold_write_address),
      .write_data   (threshold_write_data),
      .loaded       (threshold_words),
      .overflow     (threshold_overflow)
  );

  // ---- images in

  wire staged_valid;
  wire staged_ready;
  wire [CAPACITY-1:0] staged_bits;
  wire [15:0] staged_id;
  wire batch_valid;
  wire load_image;
  wire load_image_s2;
  wire [LANES*CAPACITY-1:0] images;
  wire waiting;
  wire [COUNT_BITS-1:0] batch_count;
  wire [LANES*16-1:0] batch_ids;
  wire [31:0] batch_stamp;

  fcc_image_sink #(
      .WIDTH   (IMAGE_WIDTH),
      .CAPACITY(CAPACITY)
  ) image_sink (
      .clk              (clk),
      .reset            (core_reset),
      .enable           (running),
      .restart          (check_start),
      .inputs           (inputs),
      .pixel_mode       (pixel_mode),
      .pixel_threshold  (pixel_threshold),
      .asi_valid        (asi_image_valid),
      .asi_ready        (asi_image_ready),
      .asi_data         (asi_image_data),
      .asi_startofpacket(asi_image_startofpacket),
      .asi_endofpacket  (asi_image_endofpacket),
      .asi_empty        (asi_image_empty),
      .asi_error        (asi_image_error),
      .staged_valid     (staged_valid),
      .staged_ready     (staged_ready),
      .staged_bits      (staged_bits),
      .staged_id        (staged_id),
      .dropped          (packets_dropped),
      .error_short      (packet_short),
      .error_long       (packet_long),
      .error_frame      (packet_frame),
      .error_flag       (packet_flagged)
  );

  fcc_batcher #(
      .LANES   (LANES),
      .CAPACITY(CAPACITY)
  ) batcher (
      .clk         (clk),
      .reset       (core_reset),
      .enable      (running),
      .timeout     (partial_timeout),
      .now         (now),
      .staged_valid(staged_valid),
      .staged_ready(staged_ready),
      .staged_bits (staged_bits),
      .staged_id   (staged_id),
      .batch_valid (batch_valid),
      .batch_taken (load_image),
      .load_image  (load_image_s2),
      .images      (images),
      .waiting     (waiting),
      .batch_count (batch_count),
      .batch_ids   (batch_ids),
      .batch_stamp (batch_stamp)
  );

  // ---- control: one word a cycle, two cycles ahead of the lanes while the weight memory reads

  wire [WEIGHT_BITS-1:0] weight_address;
  wire [THRESHOLD_BITS-1:0] threshold_address;
  wire [RING-1:0] length;
  wire load_hidden;
  wire load_output;
  wire rotate;
  wire step;
  wire first;
  wire last;
  wire last_group;
  wire output_layer;

  fcc_sequencer #(
      .RING           (RING),
      .TAPS           (TAPS),
      .MAX_LAYERS     (MAX_LAYERS),
      .GROUPS         (GROUPS),
      .WEIGHT_DEPTH   (WEIGHT_DEPTH),
      .THRESHOLD_DEPTH(THRESHOLD_DEPTH),
      .DRAIN          (DRAIN)
  ) sequencer (
      .clk              (clk),
      .reset            (core_reset),
      .table_entries    (table_entries),
      .layers           (layers[LAYER_BITS-1:0]),
      .batch_valid      (batch_valid),
      .results_sent     (results_sent),
      .busy             (sequencer_busy),
      .stall            (sequencer_stall),
      .weight_address   (weight_address),
      .threshold_address(threshold_address),
      .length           (length),
      .load_image       (load_image),
      .load_hidden      (load_hidden),
      .load_output      (load_output),
      .rotate           (rotate),
      .step             (step),
      .first            (first),
      .last             (last),
      .last_group       (last_group),
      .output_layer     (output_layer)
  );

  // Strobes that a reset must clear, and what merely accompanies them.
  localparam STROBES = 5;
  localparam FOLLOWERS = 4 + RING + THRESHOLD_BITS;
  reg  [  STROBES-1:0] strobes_s1;
  reg  [  STROBES-1:0] strobes_s2;
  reg  [FOLLOWERS-1:0] followers_s1;
  reg  [FOLLOWERS-1:0] followers_s2;
  wire                 load_hidden_s2;
  wire                 load_output_s2;
  wire                 rotate_s2;
  wire                 step_s2;
  wire                 first_s2;
  wire                 last_s2;
  wire                 last_group_s2;
  wire                 output_layer_s2;
  wire [     RING-1:0] length_s2;
  wire [THRESHOLD_BITS-1:0] threshold_address_s2;
  reg                  load_output_s3;
  reg                  step_first_s3;
  reg                  step_first_s4;

  always @(posedge clk) begin
    strobes_s1 <= {load_image, load_hidden, load_output, rotate, step};
    strobes_s2 <= strobes_s1;
    followers_s1 <= {first, last, last_group, output_layer, length, threshold_address};
    followers_s2 <= followers_s1;
    load_output_s3 <= load_output_s2;
    step_first_s3 <= step_s2 && first_s2;
    step_first_s4 <= step_first_s3;
    if (core_reset) begin
      strobes_s1 <= {STROBES{1'b0}};
      strobes_s2 <= {STROBES{1'b0}};
      load_output_s3 <= 1'b0;
    end
  end

  assign {load_image_s2, load_hidden_s2, load_output_s2, rotate_s2, step_s2} = strobes_s2;
  assign {first_s2, last_s2, last_group_s2, output_layer_s2, length_s2, threshold_address_s2} =
      followers_s2;

  // ---- weights and thresholds, shared by all lanes

  wire [PE*SIMD-1:0] weight_word;
  wire [PE*ACC_BITS-1:0] offset;
  wire [PE-1:0] parity;

  fcc_weight_memory #(
      .WIDTH     (PE * SIMD),
      .DEPTH     (WEIGHT_DEPTH),
      .BANK_DEPTH(BANK_DEPTH),
      .PRESET    (HAS_PRESET ? {PRESET, "_weights"} : "")
  ) weight_memory (
      .clk          (clk),
      .write        (weight_write),
      .write_address(weight_write_address),
      .write_data   (weight_write_data),
      .read_address (weight_address),
      .word         (weight_word)
  );

  fcc_threshold_memory #(
      .PE        (PE),
      .SCORE_BITS(SCORE_BITS),
      .DEPTH     (THRESHOLD_DEPTH),
      .PRESET    (HAS_PRESET ? {PRESET, "_thresholds.hex"} : "")
  ) threshold_memory (
      .clk          (clk),
      .write        (threshold_write),
      .write_address(threshold_write_address),
      .write_data   (threshold_write_data),
      .read_address (threshold_address_s2),
      .first_s2     (step_first_s4),
      .offset       (offset),
      .parity       (parity)
  );

  // ---- lanes

  wire [LANES-1:0] scores_done;
  wire [LANES-1:0] scores_last;
  wire [LANES*PE*ACC_BITS-1:0] scores;

  genvar l;
  generate
    for (l = 0; l < LANES; l = l + 1) begin : g_lane
      fcc_lane #(
          .PE      (PE),
          .SIMD    (SIMD),
          .RING    (RING),
          .TAPS    (TAPS),
          .ACC_BITS(ACC_BITS),
          .GROUPS  (GROUPS)
      ) lane (
          .clk         (clk),
          .reset       (core_reset),
          .length      (length_s2),
          .load_image  (load_image_s2),
          .load_hidden (load_hidden_s2),
          .image       (images[l*CAPACITY+:CAPACITY]),
          .rotate      (rotate_s2),
          .step        (step_s2),
          .first       (first_s2),
          .last        (last_s2),
          .output_layer(output_layer_s2),
          .last_group  (last_group_s2),
          .weight      (weight_word),
          .offset      (offset),
          .scores_done (scores_done[l]),
          .scores_last (scores_last[l]),
          .scores      (scores[l*PE*ACC_BITS+:PE*ACC_BITS])
      );
    end
  endgenerate

  // ---- results out

  wire result_busy;

  // The lanes work in step: the first one speaks for all.
  fcc_result_source #(
      .LANES      (LANES),
      .PE         (PE),
      .MAX_CLASSES(MAX_CLASSES),
      .SCORE_BITS (SCORE_BITS)
  ) result_source (
      .clk              (clk),
      .reset            (core_reset),
      .classes          (classes[CLASS_BITS-1:0]),
      .now              (now),
      .begin_batch      (load_output_s3),
      .batch_count      (batch_count),
      .batch_ids        (batch_ids),
      .batch_stamp      (batch_stamp),
      .scores_done      (scores_done[0]),
      .scores_last      (scores_last[0]),
      .scores           (scores),
      .parity           (parity),
      .busy             (result_busy),
      .results_sent     (results_sent),
      .image_sent       (image_sent),
      .latency          (latency),
      .aso_valid        (aso_result_valid),
      .aso_ready        (aso_result_ready),
      .aso_data         (aso_result_data),
      .aso_startofpacket(aso_result_startofpacket),
      .aso_endofpacket  (aso_result_endofpacket)
  );

  assign aso_result_empty = 2'd0;

  // Between the sequencer's last cycle and the first result the lanes' pipeline is still at work.
  reg [7:0] settling_reg;
  always @(posedge clk) begin
    if (core_reset) settling_reg <= 8'd0;
    else settling_reg <= {settling_reg[6:0], sequencer_busy};
  end
  assign core_busy = staged_valid || waiting || sequencer_busy || (|settling_reg) || result_busy;

  // Bits that only some parameters use.
  wire unused = &{1'b0, scores_done, scores_last, classes, layers};

endmodule

`default_nettype wire
