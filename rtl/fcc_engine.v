// SPDX-License-Identifier: Apache-2.0
//
// What computes: holds a network, checks its layer table, takes batches of images and gives the
// scores of their last layer. It exists because the sequencer's control word concerns only what
// stands here.
//
//   fcc_sequencer -> fcc_weight_source, fcc_threshold_source -> fcc_lanes
//   fcc_table_check, fcc_load_crc: whether the network is one, and whether it came as it was sent
//   fcc_learner (LEARN): moves the weights of the output layer between two batches
//
// Schedule: load_image_s2 and `images` come 2 cycles after `load_image`, load_output_s3 comes 3
// cycles after the load of the output layer, `scores_done` with `scores` and `parity` 8 cycles
// after the last step of a group of that layer, or 9 where ORDER is 2. How many cycles a pass takes
// stands in fcc_sequencer, what a check takes in fcc_table_check, what loading takes in
// fcc_word_loader and fcc_load_crc.

`default_nettype none

module fcc_engine #(
    // Lanes (>= 1; even where ORDER is 2).
    parameter LANES = 1,
    // Neurons computed at once in a lane (>= 1).
    parameter PE = 1,
    // Synapses per PE and cycle (>= 1).
    parameter SIMD = 1,
    // Words of a ring (>= 1).
    parameter RING = 1,
    // Ring positions that PEs see (1 to the smaller of PE and RING).
    parameter TAPS = 1,
    // Bits of a signed score (3 to 32): must hold 2P + offset.
    parameter SCORE_BITS = 3,
    // Groups of the widest layer (>= 1).
    parameter GROUPS = 1,
    // Bits of a group's number (>= 1).
    parameter GROUP_BITS = 1,
    // Most inputs or neurons of a layer (1 to 32767).
    parameter MAX_WIDTH = 1,
    // Entries of the layer table (>= 1).
    parameter MAX_LAYERS = 1,
    // Most classes of a network (1 to MAX_WIDTH).
    parameter MAX_CLASSES = 1,
    // Words of the weight memory (>= 2).
    parameter WEIGHT_DEPTH = 2,
    // Words of one bank of it (>= 1).
    parameter BANK_DEPTH = 1,
    // Words of the threshold memory (>= 2).
    parameter THRESHOLD_DEPTH = 2,
    // 0: a weight memory. Else the bits of a beat of asi_weight (>= 8).
    parameter WEIGHT_STREAM = 0,
    // 2: layers may have activations of order 2. 1: they have none.
    parameter ORDER = 1,
    // 1: layers may have ternary weights. 0: they have none.
    parameter TERNARY = 0,
    // Classes that can learn; 0 for a core that does not (see fcc_learner).
    parameter LEARN = 0,
    // Base name of memory files at power-up (see xnor_fcc); "" for none.
    parameter PRESET = ""
) (
    input  wire                            clk,
    // Forgets how much is loaded.
    input  wire                            reset,
    // Forgets what is under way.
    input  wire                            core_reset,
    // Running, or finishing what has begun: weights are taken from asi_weight.
    input  wire                            running,
    input  wire                            core_busy,
    // The network: stable from the start of its check on.
    input  wire [       32*MAX_LAYERS-1:0] table_entries,
    input  wire [                    15:0] layers,
    input  wire [                    15:0] inputs,
    input  wire [                    15:0] classes,
    input  wire                            pixel_mode,
    // Its check (see fcc_table_check), which also forgets what asi_weight has brought.
    input  wire                            check_start,
    output wire                            check_busy,
    output wire                            check_done,
    output wire                            check_ok,
    output wire                            check_bad_table,
    output wire                            check_not_loaded,
    // Two lanes carry an image.
    output wire                            pairs,
    // Loading (see fcc_weight_source, fcc_threshold_source).
    input  wire                            weight_restart,
    input  wire                            chunk_valid,
    input  wire                            threshold_restart,
    input  wire                            chunk_threshold,
    input  wire [                    31:0] chunk,
    output wire [                    31:0] weights_loaded,
    output wire [                    31:0] thresholds_loaded,
    output wire [                    31:0] weights_crc,
    output wire [                    31:0] thresholds_crc,
    output wire                            load_overflow,
    // Registers of learning (see fcc_learn_registers), in front of those of fcc_csr.
    input  wire [                     5:0] avs_address,
    input  wire                            avs_read,
    input  wire                            avs_write,
    input  wire [                    31:0] avs_writedata,
    output wire [                    31:0] avs_readdata,
    output wire [                     5:0] csr_address,
    input  wire [                    31:0] csr_readdata,
    input  wire                            locked,
    input  wire                            asi_weight_valid,
    output wire                            asi_weight_ready,
    input  wire [((WEIGHT_STREAM > 0) ? WEIGHT_STREAM : 8)-1:0] asi_weight_data,
    input  wire                            asi_weight_startofpacket,
    input  wire                            asi_weight_endofpacket,
    // A batch waits; it has been begun with; the rings take its images at the end of this cycle.
    input  wire                            batch_valid,
    output wire                            load_image,
    output wire                            load_image_s2,
    input  wire [    LANES*RING*SIMD-1:0] images,
    // The output layer has begun; a group of it is finished (see fcc_result_source).
    output wire                            load_output_s3,
    output wire                            scores_done,
    output wire [          GROUP_BITS-1:0] scores_group,
    output wire [LANES*PE*(SCORE_BITS-1)-1:0] scores,
    output wire [                  PE-1:0] parity,
    // All results of a batch have been sent.
    input  wire                            results_sent,
    // Learning: it is on, its batch's labels, its scores on their way out (see fcc_learner).
    output wire                            learning,
    input  wire [             LANES*8-1:0] labels,
    input  wire                            score_valid,
    input  wire [     $clog2(LANES+1)-1:0] score_lane,
    input  wire [$clog2(MAX_CLASSES+1)-1:0] score_class,
    input  wire [          SCORE_BITS-1:0] score,
    output wire                            bad_label,
    // Control words follow; a group may still be on its way to its scores, or move weights.
    output wire                            sequencer_busy,
    output wire                            settling,
    // What this cycle is spent on: a step, waiting for results to leave, waiting for weights.
    output wire                            step,
    output wire                            stall,
    output wire                            weight_stall,
    // asi_weight is out of step with the passes.
    output wire                            weight_fault
);

  localparam ACC_BITS = SCORE_BITS - 1;
  localparam LAYER_BITS = $clog2(MAX_LAYERS + 1);
  localparam WEIGHT_BITS = $clog2(WEIGHT_DEPTH);
  localparam THRESHOLD_BITS = $clog2(THRESHOLD_DEPTH);
  // Cycles from a step until its bits can be loaded; see fcc_lane.
  localparam DRAIN = (ORDER == 2) ? 9 : 7;

  wire                      weight_overflow;
  wire                      threshold_overflow;
  wire                      latent_overflow;
  wire                      table_bad;
  wire                      table_not_loaded;
  wire                      table_ok;
  wire                      learn_bad_table;
  wire                      learn_not_loaded;
  wire                      learn_rotate;
  wire [    LANES*SIMD-1:0] shown;
  wire                      lanes_settling;
  wire                      hold;
  wire                      seek;
  wire [   WEIGHT_BITS-1:0] seek_address;
  wire                      patch_valid;
  wire [              31:0] patch_chunk;
  wire                      weight_ready;
  wire [   WEIGHT_BITS-1:0] weight_address;
  wire [THRESHOLD_BITS-1:0] threshold_address;
  wire [          RING-1:0] length;
  wire                      load_hidden;
  wire                      load_late;
  wire                      load_output;
  wire                      rotate;
  wire                      step_due;
  wire                      pass_last;
  wire                      first;
  wire                      last;
  wire [    GROUP_BITS-1:0] group;
  wire                      output_layer;
  wire                      combine;
  wire                      split;
  wire [       PE*SIMD-1:0] weight;
  wire [   PE*ACC_BITS-1:0] offset;
  wire [   PE*ACC_BITS-1:0] up;
  wire [   PE*ACC_BITS-1:0] down;

  fcc_table_check #(
      .PE             (PE),
      .SIMD           (SIMD),
      .RING           (RING),
      .GROUPS         (GROUPS),
      .MAX_WIDTH      (MAX_WIDTH),
      .MAX_LAYERS     (MAX_LAYERS),
      .MAX_CLASSES    (MAX_CLASSES),
      // Of a stream any table may have as many as count as loaded.
      .WEIGHT_DEPTH   ((WEIGHT_STREAM != 0) ? 32'h7FFF_FFFF : WEIGHT_DEPTH),
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
      .ok               (table_ok),
      .bad_table        (table_bad),
      .not_loaded       (table_not_loaded),
      .pairs            (pairs)
  );

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
      .batch_valid      (batch_valid && !hold),
      .weight_ready     (weight_ready),
      .results_sent     (results_sent),
      .busy             (sequencer_busy),
      .stall            (stall),
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

  fcc_weight_source #(
      .WIDTH     (PE * SIMD),
      .DEPTH     (WEIGHT_DEPTH),
      .BANK_DEPTH(BANK_DEPTH),
      .BEAT      (WEIGHT_STREAM),
      .PRESET    (PRESET),
      .PATCH     ((LEARN != 0) ? 1 : 0)
  ) weight_source (
      .clk              (clk),
      .reset            (reset),
      .core_reset       (core_reset),
      .start            (check_start),
      .running          (running),
      .core_busy        (core_busy),
      .restart          (weight_restart),
      .chunk_valid      (chunk_valid && !chunk_threshold),
      .chunk            (chunk),
      .seek             (seek),
      .seek_address     (seek_address),
      .patch_valid      (patch_valid),
      .patch_chunk      (patch_chunk),
      .loaded           (weights_loaded),
      .overflow         (weight_overflow),
      .asi_valid        (asi_weight_valid),
      .asi_ready        (asi_weight_ready),
      .asi_data         (asi_weight_data),
      .asi_startofpacket(asi_weight_startofpacket),
      .asi_endofpacket  (asi_weight_endofpacket),
      .ready            (weight_ready),
      .step             (step),
      .address          (weight_address),
      .step_due         (step_due),
      .pass_last        (pass_last),
      .fault            (weight_fault),
      .word             (weight)
  );

  fcc_threshold_source #(
      .PE        (PE),
      .SCORE_BITS(SCORE_BITS),
      .DEPTH     (THRESHOLD_DEPTH),
      .ORDER     (ORDER),
      .PRESET    (PRESET)
  ) threshold_source (
      .clk        (clk),
      .reset      (reset),
      .restart    (threshold_restart),
      .chunk_valid(chunk_valid && chunk_threshold),
      .chunk      (chunk[SCORE_BITS-1:0]),
      .loaded     (thresholds_loaded),
      .overflow   (threshold_overflow),
      .step       (step),
      .first      (first),
      .address    (threshold_address),
      .offset     (offset),
      .parity     (parity),
      .up         (up),
      .down       (down)
  );

  fcc_load_crc load_crc (
      .clk                  (clk),
      .reset                (reset),
      .weight_restart       (weight_restart),
      .threshold_restart    (threshold_restart),
      .chunk_valid          (chunk_valid),
      .chunk_threshold      (chunk_threshold),
      .chunk                (chunk),
      .weights_crc          (weights_crc),
      .thresholds_crc       (thresholds_crc)
  );

  fcc_lanes #(
      .LANES     (LANES),
      .PE        (PE),
      .SIMD      (SIMD),
      .RING      (RING),
      .TAPS      (TAPS),
      .ACC_BITS  (ACC_BITS),
      .GROUPS    (GROUPS),
      .GROUP_BITS(GROUP_BITS),
      .DRAIN     (DRAIN),
      .ORDER     (ORDER)
  ) lanes (
      .clk           (clk),
      .reset         (core_reset),
      .pairs         (pairs),
      .length        (length),
      .load_image    (load_image),
      .load_hidden   (load_hidden),
      .load_late     (load_late),
      .load_output   (load_output),
      .rotate        (rotate || learn_rotate),
      .step          (step),
      .first         (first),
      .last          (last),
      .group         (group),
      .output_layer  (output_layer),
      .combine       (combine),
      .split         (split),
      .sequencer_busy(sequencer_busy),
      .load_image_s2 (load_image_s2),
      .images        (images),
      .load_output_s3(load_output_s3),
      .weight        (weight),
      .offset        (offset),
      .up            (up),
      .down          (down),
      .scores_done   (scores_done),
      .scores_group  (scores_group),
      .scores        (scores),
      .shown         (shown),
      .settling      (lanes_settling)
  );

  generate
    if (LEARN != 0) begin : g_learn
      fcc_learner #(
          .LANES       (LANES),
          .PE          (PE),
          .SIMD        (SIMD),
          .RING        (RING),
          .CLASSES     (LEARN),
          .SCORE_BITS  (SCORE_BITS),
          .MAX_WIDTH   (MAX_WIDTH),
          .MAX_LAYERS  (MAX_LAYERS),
          .MAX_CLASSES (MAX_CLASSES),
          .WEIGHT_DEPTH(WEIGHT_DEPTH)
      ) learner (
          .clk           (clk),
          .reset         (reset),
          .core_reset    (core_reset),
          .avs_address   (avs_address),
          .avs_read      (avs_read),
          .avs_write     (avs_write),
          .avs_writedata (avs_writedata),
          .avs_readdata  (avs_readdata),
          .csr_address   (csr_address),
          .csr_readdata  (csr_readdata),
          .locked        (locked),
          .table_entries (table_entries),
          .layers        (layers),
          .classes       (classes),
          .enable        (learning),
          .bad_table     (learn_bad_table),
          .not_loaded    (learn_not_loaded),
          .overflow      (latent_overflow),
          .load_image    (load_image),
          .labels        (labels),
          .score_valid   (score_valid),
          .score_lane    (score_lane),
          .score_class   (score_class),
          .score         (score),
          .results_sent  (results_sent),
          .bad_label     (bad_label),
          .hold          (hold),
          .step          (step),
          .output_layer  (output_layer),
          .weight_address(weight_address),
          .rotate        (learn_rotate),
          .shown         (shown),
          .seek          (seek),
          .seek_address  (seek_address),
          .patch_valid   (patch_valid),
          .patch_chunk   (patch_chunk)
      );
    end else begin : g_fixed
      assign avs_readdata = csr_readdata;
      assign csr_address = avs_address;
      assign learning = 1'b0;
      assign learn_bad_table = 1'b0;
      assign learn_not_loaded = 1'b0;
      assign latent_overflow = 1'b0;
      assign bad_label = 1'b0;
      assign hold = 1'b0;
      assign learn_rotate = 1'b0;
      assign seek = 1'b0;
      assign seek_address = {WEIGHT_BITS{1'b0}};
      assign patch_valid = 1'b0;
      assign patch_chunk = 32'd0;
      wire unused_learn = &{1'b0, avs_read, avs_write, avs_writedata, locked, labels, score_valid,
                            score_lane, score_class, score, shown};
    end
  endgenerate

  // The threshold loader takes the low bits of a chunk; where SCORE_BITS is 32, all of them.
  wire unused = &{1'b0, chunk};

  assign load_overflow = weight_overflow || threshold_overflow || latent_overflow;
  assign settling = lanes_settling || hold;
  assign check_bad_table = table_bad || learn_bad_table;
  assign check_not_loaded = table_not_loaded || (learn_not_loaded && !check_bad_table);
  assign check_ok = table_ok && !learn_bad_table && !learn_not_loaded;

endmodule

`default_nettype wire
