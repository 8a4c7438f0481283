// SPDX-License-Identifier: Apache-2.0
//
// The core behind the parameter checks of xnor_fcc: wires the rooms together and knows no
// arithmetic. Parameters and ports are described in xnor_fcc.v.
//
//   asi_image -> fcc_image_sink -> fcc_batcher -> fcc_lane x LANES -> fcc_result_source -> aso_result
//                                   two lanes each <-> fcc_pair, fcc_margin_memory, where ORDER is 2
//                    fcc_sequencer -> fcc_weight_memory, fcc_threshold_memory -> all lanes
//                       asi_weight -> fcc_weight_stream, instead of the memory
//                    avs_csr -> fcc_csr -> fcc_table_check, fcc_word_loader, fcc_load_crc
//
// Timing: see xnor_fcc.v.

`default_nettype none

module fcc_core #(
    parameter PE = 32,
    parameter SIMD = 128,
    parameter LANES = 4,
    parameter MAX_WIDTH = 1024,
    parameter TAPS = 1,
    parameter MAX_LAYERS = 8,
    parameter MAX_CLASSES = 16,
    parameter WEIGHT_DEPTH = 768,
    parameter BANK_DEPTH = 256,
    parameter THRESHOLD_DEPTH = 128,
    parameter WEIGHT_STREAM = 0,
    parameter ORDER = 1,
    parameter TERNARY = 0,
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
    // One packet a pass, where weights come from outside (WEIGHT_STREAM); else unused.
    input  wire        asi_weight_valid,
    output wire        asi_weight_ready,
    input  wire [((WEIGHT_STREAM > 0) ? WEIGHT_STREAM : 8)-1:0] asi_weight_data,
    input  wire        asi_weight_startofpacket,
    input  wire        asi_weight_endofpacket,
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
  // The greatest P: a residual plane adds half of what the first plane counts, a second plane of
  // weights as much again. A score 2P + offset lies within +-(2 * MOST + 1); see fcc_pe_array.
  localparam MOST = CAPACITY * ((ORDER == 2) ? 3 : 1) * ((TERNARY != 0) ? 2 : 1);
  localparam ACC_BITS = $clog2(2 * MOST + 2);
  localparam SCORE_BITS = ACC_BITS + 1;
  localparam LAYER_BITS = $clog2(MAX_LAYERS + 1);
  localparam CLASS_BITS = $clog2(MAX_CLASSES + 1);
  localparam COUNT_BITS = $clog2(LANES + 1);
  localparam WEIGHT_BITS = $clog2(WEIGHT_DEPTH);
  localparam THRESHOLD_BITS = $clog2(THRESHOLD_DEPTH);
  localparam GROUP_BITS = (GROUPS > 1) ? $clog2(GROUPS) : 1;
  // Cycles from a step until its bits can be loaded; see fcc_lane.
  localparam DRAIN = (ORDER == 2) ? 9 : 7;
  // A word of the threshold memory, with the margins beside the offsets where ORDER is 2.
  localparam THRESHOLD_WIDTH = PE * SCORE_BITS * ((ORDER == 2) ? 3 : 1);
  localparam HAS_PRESET = (PRESET != "");
  localparam STREAMED = (WEIGHT_STREAM != 0);
  localparam UNLIMITED = 32'h7FFF_FFFF;

  wire core_reset;
  wire running;
  wire pixel_mode;
  wire [7:0] pixel_threshold;
  wire [15:0] pixel_residual;
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
  wire pairs;
  wire weight_restart;
  wire weight_chunk_valid;
  wire threshold_restart;
  wire threshold_chunk_valid;
  wire [31:0] chunk;
  wire [31:0] weights_loaded;
  wire weight_overflow;
  wire weight_fault;
  wire threshold_write;
  wire [THRESHOLD_BITS-1:0] threshold_write_address;
  wire [THRESHOLD_WIDTH-1:0] threshold_write_data;
  wire [$clog2(THRESHOLD_DEPTH+1)-1:0] threshold_words;
  wire [31:0] thresholds_loaded = {{(32 - $clog2(THRESHOLD_DEPTH + 1)) {1'b0}}, threshold_words};
  wire threshold_overflow;
  wire [31:0] weights_crc;
  wire [31:0] thresholds_crc;
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
      .WEIGHT_STREAM  (WEIGHT_STREAM),
      .ORDER          (ORDER),
      .TERNARY        (TERNARY),
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
      .weight_chunk_valid   (weight_chunk_valid),
      .threshold_restart    (threshold_restart),
      .threshold_chunk_valid(threshold_chunk_valid),
      .chunk                (chunk),
      .weights_loaded       (weights_loaded),
      .thresholds_loaded    (thresholds_loaded),
      .weights_crc          (weights_crc),
      .thresholds_crc       (thresholds_crc),
      .load_overflow        (weight_overflow || threshold_overflow),
      .core_busy            (core_busy),
      .packets_dropped      (packets_dropped),
      .packet_short         (packet_short),
      .packet_long          (packet_long),
      .packet_frame         (packet_frame),
      .packet_flagged       (packet_flagged),
      .sequencer_busy       (sequencer_busy),
      .sequencer_step       (step),
      .sequencer_stall      (sequencer_stall),
      .weight_stall         (weight_stall),
      .weight_fault         (weight_fault),
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
      .WEIGHT_DEPTH   (STREAMED ? UNLIMITED : WEIGHT_DEPTH),
      .THRESHOLD_DEPTH(THRESHOLD_DEPTH),
      .ORDER          (ORDER),
      .TERNARY        (TERNARY)
  ) table_check (
      .clk              (clk),
      .reset            (core_reset),
      .start            (check_start),
      .table_entries    (table_entries),
      .layers           (layers),
      .inputs           (inputs),
      .classes          (classes),
      .pixel_mode       (pixel_mode),
      .weights_loaded   (weights_loaded),
      .thresholds_loaded(thresholds_loaded),
      .busy             (check_busy),
      .done             (check_done),
      .ok               (check_ok),
      .bad_table        (check_bad_table),
      .not_loaded       (check_not_loaded),
      .pairs            (pairs)
  );

  fcc_word_loader #(
      .CHUNK       (SCORE_BITS),
      .WIDTH       (THRESHOLD_WIDTH),
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

  fcc_load_crc load_crc (
      .clk                  (clk),
      .reset                (reset),
      .weight_restart       (weight_restart),
      .threshold_restart    (threshold_restart),
      .weight_chunk_valid   (weight_chunk_valid),
      .threshold_chunk_valid(threshold_chunk_valid),
      .chunk                (chunk),
      .weights_crc          (weights_crc),
      .thresholds_crc       (thresholds_crc)
  );

  // ---- images in

  wire staged_valid;
  wire staged_ready;
  wire [CAPACITY-1:0] staged_bits;
  wire [CAPACITY-1:0] staged_residual;
  wire [15:0] staged_id;
  wire batch_valid;
  wire load_image;
  reg load_image_s1;
  reg load_image_s2;
  wire [LANES*CAPACITY-1:0] images;
  wire waiting;
  wire [COUNT_BITS-1:0] batch_count;
  wire [LANES*16-1:0] batch_ids;
  wire [31:0] batch_stamp;

  fcc_image_sink #(
      .WIDTH   (IMAGE_WIDTH),
      .CAPACITY(CAPACITY),
      .ORDER   (ORDER)
  ) image_sink (
      .clk              (clk),
      .reset            (core_reset),
      .enable           (running),
      .restart          (check_start),
      .inputs           (inputs),
      .pixel_mode       (pixel_mode),
      .pixel_threshold  (pixel_threshold),
      .pixel_residual   (pixel_residual),
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
      .staged_residual  (staged_residual),
      .staged_id        (staged_id),
      .dropped          (packets_dropped),
      .error_short      (packet_short),
      .error_long       (packet_long),
      .error_frame      (packet_frame),
      .error_flag       (packet_flagged)
  );

  fcc_batcher #(
      .LANES   (LANES),
      .CAPACITY(CAPACITY),
      .ORDER   (ORDER)
  ) batcher (
      .clk            (clk),
      .reset          (core_reset),
      .enable         (running),
      .timeout        (partial_timeout),
      .now            (now),
      .staged_valid   (staged_valid),
      .staged_ready   (staged_ready),
      .staged_bits    (staged_bits),
      .staged_residual(staged_residual),
      .pairs          (pairs),
      .planes         (table_entries[15]),
      .staged_id      (staged_id),
      .batch_valid    (batch_valid),
      .batch_taken    (load_image),
      .load_image     (load_image_s2),
      .images         (images),
      .waiting        (waiting),
      .batch_count    (batch_count),
      .batch_ids      (batch_ids),
      .batch_stamp    (batch_stamp)
  );

  // ---- control: one word a cycle, two cycles ahead of the lanes' rings and three ahead of their PEs,
  // while the weight memory reads

  wire [WEIGHT_BITS-1:0] weight_address;
  wire [THRESHOLD_BITS-1:0] threshold_address;
  wire [RING-1:0] length;
  wire load_hidden;
  wire load_late;
  wire load_output;
  wire rotate;
  wire step;
  wire first;
  wire last;
  wire [GROUP_BITS-1:0] group;
  wire output_layer;
  wire combine;
  wire split;
  wire step_due;
  wire pass_last;
  wire weight_ready;
  wire weight_stall;

  fcc_sequencer #(
      .PE             (PE),
      .SIMD           (SIMD),
      .RING           (RING),
      .TAPS           (TAPS),
      .MAX_LAYERS     (MAX_LAYERS),
      .GROUPS         (GROUPS),
      .GROUP_BITS     (GROUP_BITS),
      .WEIGHT_DEPTH   (WEIGHT_DEPTH),
      .THRESHOLD_DEPTH(THRESHOLD_DEPTH),
      .DRAIN          (DRAIN),
      .TERNARY        (TERNARY)
  ) sequencer (
      .clk              (clk),
      .reset            (core_reset),
      .table_entries    (table_entries),
      .layers           (layers[LAYER_BITS-1:0]),
      .batch_valid      (batch_valid),
      .weight_ready     (weight_ready),
      .results_sent     (results_sent),
      .busy             (sequencer_busy),
      .stall            (sequencer_stall),
      .weight_stall     (weight_stall),
      .weight_address   (weight_address),
      .threshold_address(threshold_address),
      .length           (length),
      .load_image       (load_image),
      .load_hidden      (load_hidden),
      .load_late        (load_late),
      .load_output      (load_output),
      .rotate           (rotate),
      .step             (step),
      .step_due         (step_due),
      .pass_last        (pass_last),
      .first            (first),
      .last             (last),
      .group            (group),
      .output_layer     (output_layer),
      .combine          (combine),
      .split            (split)
  );

  // Strobes that a reset must clear, and what merely accompanies them.
  reg                      load_hidden_s1;
  reg                      load_late_s1;
  reg                      load_output_s1;
  reg                      load_output_s2;
  reg                      load_output_s3;
  reg                      rotate_s1;
  reg                      step_s1;
  reg                      first_s1;
  reg                      last_s1;
  reg [    GROUP_BITS-1:0] group_s1;
  reg                      output_layer_s1;
  reg                      combine_s1;
  reg [          RING-1:0] length_s1;
  // The offsets are due when the first word of a group has been counted.
  reg [THRESHOLD_BITS-1:0] threshold_address_s1;
  reg [THRESHOLD_BITS-1:0] threshold_address_s2;
  reg [THRESHOLD_BITS-1:0] threshold_address_s3;
  reg [THRESHOLD_BITS-1:0] threshold_address_s4;
  reg [               5:0] step_first_reg;

  always @(posedge clk) begin
    load_image_s1 <= load_image;
    load_image_s2 <= load_image_s1;
    load_hidden_s1 <= load_hidden;
    load_late_s1 <= load_late;
    load_output_s1 <= load_output;
    load_output_s2 <= load_output_s1;
    load_output_s3 <= load_output_s2;
    rotate_s1 <= rotate;
    step_s1 <= step;
    first_s1 <= first;
    last_s1 <= last;
    group_s1 <= group;
    output_layer_s1 <= output_layer;
    combine_s1 <= combine;
    length_s1 <= length;
    threshold_address_s1 <= threshold_address;
    threshold_address_s2 <= threshold_address_s1;
    threshold_address_s3 <= threshold_address_s2;
    threshold_address_s4 <= threshold_address_s3;
    step_first_reg <= {step_first_reg[4:0], step && first};
    if (core_reset) begin
      load_image_s1 <= 1'b0;
      load_image_s2 <= 1'b0;
      load_hidden_s1 <= 1'b0;
      load_late_s1 <= 1'b0;
      load_output_s1 <= 1'b0;
      load_output_s2 <= 1'b0;
      load_output_s3 <= 1'b0;
      rotate_s1 <= 1'b0;
      step_s1 <= 1'b0;
    end
  end

  // ---- weights and thresholds, shared by all lanes

  wire [PE*SIMD-1:0] weight_word;
  wire [PE*ACC_BITS-1:0] offset;
  wire [PE-1:0] parity;

  generate
    if (STREAMED) begin : g_streamed
      // There is nothing to load: the table check is content, and a write is one too many.
      assign weights_loaded = UNLIMITED;
      assign weight_overflow = weight_chunk_valid;

      fcc_weight_stream #(
          .WIDTH(PE * SIMD),
          .BEAT (WEIGHT_STREAM)
      ) weight_stream (
          .clk              (clk),
          .reset            (core_reset || check_start),
          .enable           (running || core_busy),
          .asi_valid        (asi_weight_valid),
          .asi_ready        (asi_weight_ready),
          .asi_data         (asi_weight_data),
          .asi_startofpacket(asi_weight_startofpacket),
          .asi_endofpacket  (asi_weight_endofpacket),
          .ready            (weight_ready),
          .take             (step),
          .step_due         (step_due),
          .pass_last        (pass_last),
          .fault            (weight_fault),
          .word             (weight_word)
      );

      wire unused = &{1'b0, weight_restart, weight_address, chunk};
    end else begin : g_loaded
      wire weight_write;
      wire [WEIGHT_BITS-1:0] weight_write_address;
      wire [PE*SIMD-1:0] weight_write_data;
      wire [$clog2(WEIGHT_DEPTH+1)-1:0] weight_words;

      assign weights_loaded = {{(32 - $clog2(WEIGHT_DEPTH + 1)) {1'b0}}, weight_words};
      assign weight_ready = 1'b1;
      assign weight_fault = 1'b0;
      assign asi_weight_ready = 1'b0;

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

      wire unused = &{1'b0, asi_weight_valid, asi_weight_data, asi_weight_startofpacket,
                      asi_weight_endofpacket, step_due, pass_last};
    end
  endgenerate

  fcc_threshold_memory #(
      .PE        (PE),
      .SCORE_BITS(SCORE_BITS),
      .DEPTH     (THRESHOLD_DEPTH),
      .PRESET    (HAS_PRESET ? {PRESET, "_thresholds"} : "")
  ) threshold_memory (
      .clk          (clk),
      .write        (threshold_write),
      .write_address(threshold_write_address),
      .write_data   (threshold_write_data[PE*SCORE_BITS-1:0]),
      .read_address (threshold_address_s4),
      .first_s2     (step_first_reg[5]),
      .offset       (offset),
      .parity       (parity)
  );

  // ---- lanes

  wire [LANES-1:0] scores_done;
  wire [LANES*GROUP_BITS-1:0] scores_group;
  wire [LANES*PE*ACC_BITS-1:0] sums;
  wire [LANES*PE-1:0] decided;
  // With bit 0 of the offsets, which belongs to them.
  wire [LANES*PE*ACC_BITS-1:0] scores;
  wire [PE-1:0] scores_parity;

  genvar l;
  generate
    for (l = 0; l < LANES; l = l + 1) begin : g_lane
      fcc_lane #(
          .PE        (PE),
          .SIMD      (SIMD),
          .RING      (RING),
          .TAPS      (TAPS),
          .ACC_BITS  (ACC_BITS),
          .GROUPS    (GROUPS),
          .GROUP_BITS(GROUP_BITS),
          .ORDER     (ORDER)
      ) lane (
          .clk         (clk),
          .reset       (core_reset),
          .length      (length_s1),
          .load_image  (load_image_s1),
          .load_hidden (load_hidden_s1),
          .load_late   (load_late_s1),
          .image       (images[l*CAPACITY+:CAPACITY]),
          .rotate      (rotate_s1),
          .step        (step_s1),
          // The offset goes to the lower lane of a pair.
          .first       (first_s1 && !(ORDER == 2 && l % 2 == 1 && combine_s1)),
          .last        (last_s1),
          .output_layer(output_layer_s1),
          .group       (group_s1),
          .weight      (weight_word),
          .offset      (offset),
          .scores_done (scores_done[l]),
          .scores_group(scores_group[l*GROUP_BITS+:GROUP_BITS]),
          .sums        (sums[l*PE*ACC_BITS+:PE*ACC_BITS]),
          .decided     (decided[l*PE+:PE])
      );
    end
  endgenerate

  // ---- pairs of lanes

  genvar b;
  generate
    if (ORDER == 2) begin : g_pairs
      // PEs that share a copy of the controls.
      localparam BLOCK = 16;
      // The margins are due two cycles after the sums, like these from step to sum.
      reg [THRESHOLD_BITS-1:0] threshold_address_s5;
      reg [THRESHOLD_BITS-1:0] threshold_address_s6;
      reg [THRESHOLD_BITS-1:0] threshold_address_s7;
      reg [5:0] combine_reg;
      reg [7:0] split_reg;
      reg [PE-1:0] parity_reg;
      wire [PE*ACC_BITS-1:0] up;
      wire [PE*ACC_BITS-1:0] down;
      wire [2*PE*ACC_BITS-1:0] margins;

      always @(posedge clk) begin
        threshold_address_s5 <= threshold_address_s4;
        threshold_address_s6 <= threshold_address_s5;
        threshold_address_s7 <= threshold_address_s6;
        combine_reg <= {combine_reg[4:0], combine_s1};
        split_reg <= {split_reg[6:0], split};
        parity_reg <= parity;
      end
      assign scores_parity = parity_reg;

      // A chunk of a margin has one bit more than it needs.
      for (b = 0; b < 2 * PE; b = b + 1) begin : g_margin
        assign margins[b*ACC_BITS+:ACC_BITS] =
            threshold_write_data[(PE+b)*SCORE_BITS+:ACC_BITS];
        wire unused = &{1'b0, threshold_write_data[(PE+b)*SCORE_BITS+ACC_BITS]};
      end
      fcc_margin_memory #(
          .PE         (PE),
          .MARGIN_BITS(ACC_BITS),
          .DEPTH      (THRESHOLD_DEPTH),
          .PRESET     (HAS_PRESET ? {PRESET, "_margins"} : "")
      ) margin_memory (
          .clk          (clk),
          .write        (threshold_write),
          .write_address(threshold_write_address),
          .write_data   (margins),
          .read_address (threshold_address_s7),
          .up           (up),
          .down         (down)
      );

      for (l = 0; l < LANES; l = l + 2) begin : g_pair
        for (b = 0; b < PE; b = b + BLOCK) begin : g_block
          localparam PES = (PE - b < BLOCK) ? PE - b : BLOCK;
          fcc_pair #(
              .PE      (PES),
              .ACC_BITS(ACC_BITS)
          ) pair (
              .clk       (clk),
              .pairs     (pairs),
              .combine   (combine_reg[5]),
              .split     (split_reg[7]),
              .low       (sums[(l*PE+b)*ACC_BITS+:PES*ACC_BITS]),
              .high      (sums[((l+1)*PE+b)*ACC_BITS+:PES*ACC_BITS]),
              .up        (up[b*ACC_BITS+:PES*ACC_BITS]),
              .down      (down[b*ACC_BITS+:PES*ACC_BITS]),
              .low_score (scores[(l*PE+b)*ACC_BITS+:PES*ACC_BITS]),
              .high_score(scores[((l+1)*PE+b)*ACC_BITS+:PES*ACC_BITS]),
              .low_bits  (decided[l*PE+b+:PES]),
              .high_bits (decided[(l+1)*PE+b+:PES])
          );
        end
      end
    end else begin : g_no_pairs
      assign scores = sums;
      assign scores_parity = parity;
      assign decided = {LANES * PE{1'b0}};
      wire unused = &{1'b0, combine_s1, split, pairs};
    end
  endgenerate

  // ---- results out

  wire result_busy;

  // The lanes work in step: the first one speaks for all.
  fcc_result_source #(
      .LANES      (LANES),
      .PE         (PE),
      .MAX_CLASSES(MAX_CLASSES),
      .SCORE_BITS (SCORE_BITS),
      .GROUP_BITS (GROUP_BITS)
  ) result_source (
      .clk              (clk),
      .reset            (core_reset),
      .classes          (classes[CLASS_BITS-1:0]),
      .pairs            (pairs),
      .now              (now),
      .begin_batch      (load_output_s3),
      .batch_count      (batch_count),
      .batch_ids        (batch_ids),
      .batch_stamp      (batch_stamp),
      .scores_done      (scores_done[0]),
      .scores_group     (scores_group[GROUP_BITS-1:0]),
      .scores           (scores),
      .parity           (scores_parity),
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
  localparam SETTLING = DRAIN + 3;
  reg [SETTLING-1:0] settling_reg;
  always @(posedge clk) begin
    if (core_reset) settling_reg <= {SETTLING{1'b0}};
    else settling_reg <= {settling_reg[SETTLING-2:0], sequencer_busy};
  end
  assign core_busy = staged_valid || waiting || sequencer_busy || (|settling_reg) || result_busy;

  // Bits that only some parameters use.
  wire unused = &{1'b0, scores_done, scores_group, classes, layers};

endmodule

`default_nettype wire
