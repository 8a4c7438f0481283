// SPDX-License-Identifier: Apache-2.0
//
// What computes in a core for feature maps: holds a network, checks its layer table, keeps images
// and maps, and gives the scores of their last layer. Wiring only.
//
//   fcc_map_sequencer -> fcc_window_feeder <-> fcc_map_memory (images, maps) <- fcc_map_writer
//                     -> fcc_weight_source, fcc_threshold_source -> fcc_map_lanes -> fcc_map_writer
//
// Schedule: load_output comes with the load of the output layer, `scores_done` with `scores` and
// `parity` 10 cycles after the last step of a group of that layer, or 11 where ORDER
// is 2. How many cycles a pass takes stands in fcc_map_sequencer, what a check takes in
// fcc_map_table_check.

`default_nettype none

module fcc_map_engine #(
    // Neurons computed at once in a lane, which divide a slot (>= 1).
    parameter PE = 1,
    // Bits of a slot; a word has three (>= 1).
    parameter SLOT = 1,
    // Most words of a window (>= 1).
    parameter RING = 1,
    // Bits of a signed score (3 to 32): must hold 2P + offset.
    parameter SCORE_BITS = 3,
    // Groups of the widest layer (>= 1).
    parameter GROUPS = 1,
    // Bits of a group's number (1 to 8).
    parameter GROUP_BITS = 1,
    // Entries of the layer table (>= 1).
    parameter MAX_LAYERS = 1,
    // Most classes of a network (>= 1).
    parameter MAX_CLASSES = 1,
    // Words of the weight memory (>= 2).
    parameter WEIGHT_DEPTH = 2,
    // Words of one bank of it (>= 1).
    parameter BANK_DEPTH = 1,
    // Words of the threshold memory (>= 2).
    parameter THRESHOLD_DEPTH = 2,
    // Words of a bank for an image (>= 1).
    parameter MAP_INPUT = 1,
    // Words of a bank for the map of an even layer (>= 1).
    parameter MAP_EVEN = 1,
    // Words of a bank for the map of an odd layer (>= 1).
    parameter MAP_ODD = 1,
    // Bits of a place of an image (1 to SLOT, or 8 times as many where pixels are numbers).
    parameter PLACE = 1,
    // 1: the first layer takes pixels as numbers of 8 bits. 0: it takes bits.
    parameter NUMBERS = 0,
    // 2: layers may have activations of order 2. 1: they have none.
    parameter ORDER = 1,
    // 1: layers may have ternary weights. 0: they have none.
    parameter TERNARY = 0,
    // Base name of memory files at power-up (see xnor_fcc); "" for none.
    parameter PRESET = ""
) (
    input  wire                          clk,
    // Forgets how much is loaded.
    input  wire                          reset,
    // Forgets what is under way.
    input  wire                          core_reset,
    // The network: stable from the start of its check on.
    input  wire [     32*MAX_LAYERS-1:0] table_entries,
    input  wire [                  15:0] layers,
    input  wire [                  15:0] inputs,
    input  wire [                  15:0] classes,
    input  wire                          pixel_mode,
    // Its check (see fcc_map_table_check).
    input  wire                          check_start,
    output wire                          check_busy,
    output wire                          check_done,
    output wire                          check_ok,
    output wire                          check_bad_table,
    output wire                          check_not_loaded,
    // Loading (see fcc_weight_source, fcc_threshold_source).
    input  wire                          weight_restart,
    input  wire                          chunk_valid,
    input  wire                          threshold_restart,
    input  wire                          chunk_threshold,
    input  wire [                  31:0] chunk,
    output wire [                  31:0] weights_loaded,
    output wire [                  31:0] thresholds_loaded,
    output wire [                  31:0] weights_crc,
    output wire [                  31:0] thresholds_crc,
    output wire                          load_overflow,
    // Images (see fcc_pixel_sink).
    input  wire [                   7:0] image_write,
    input  wire [ $clog2(2*MAP_INPUT)-1:0] image_address,
    input  wire [             PLACE-1:0] image_data,
    input  wire                          batch_valid,
    input  wire                          batch_half,
    output wire                          load_image,
    output wire                          image_done,
    // The output layer has begun; a group of it is finished (see fcc_result_source).
    output wire                          load_output,
    output wire                          scores_done,
    output wire [        GROUP_BITS-1:0] scores_group,
    output wire [ PE*(SCORE_BITS-1)-1:0] scores,
    output wire [                PE-1:0] parity,
    // All results of an image have been sent.
    input  wire                          results_sent,
    // Control words follow; a group may still be on its way to its scores.
    output wire                          sequencer_busy,
    output wire                          settling,
    // What this cycle is spent on: a step, waiting for results to leave.
    output wire                          step,
    output wire                          stall
);

  localparam ACC_BITS = SCORE_BITS - 1;
  localparam LAYER_BITS = $clog2(MAX_LAYERS + 1);
  localparam WEIGHT_BITS = $clog2(WEIGHT_DEPTH);
  localparam THRESHOLD_BITS = $clog2(THRESHOLD_DEPTH);
  localparam IMAGES = 2 * MAP_INPUT;
  localparam MAPS = MAP_EVEN + MAP_ODD;
  localparam IMAGE_BITS = $clog2(IMAGES);
  localparam MAP_BITS = $clog2(MAPS);
  localparam ADDRESS_BITS = (IMAGE_BITS > MAP_BITS) ? IMAGE_BITS : MAP_BITS;
  // Cycles from a step to the load of a layer that reads its bits: the feeder's first read follows
  // the load by 2 cycles, the writer's last write a step by 12, or 14 where two lanes decide, and
  // what is written can be read a cycle later.
  localparam DRAIN = (ORDER == 2) ? 13 : 11;

  wire                        weight_overflow;
  wire                        threshold_overflow;
  wire                        weight_ready;
  wire                        weight_fault;
  wire                        asi_weight_ready;
  wire [     WEIGHT_BITS-1:0] weight_address;
  wire [  THRESHOLD_BITS-1:0] threshold_address;
  wire [    ADDRESS_BITS-1:0] address;
  wire [    ADDRESS_BITS-1:0] row_step;
  wire [    ADDRESS_BITS-1:0] column_step;
  wire [                 1:0] row;
  wire                        far;
  wire                        image;
  wire [                 2:0] plane;
  wire                        start;
  wire                        odd;
  wire [                 7:0] groups;
  wire [                 6:0] side;
  wire                        pool;
  wire                        flat;
  wire [    ADDRESS_BITS-1:0] line_step;
  wire [    ADDRESS_BITS-1:0] slice_step;
  wire                        lane_step;
  wire                        first;
  wire                        last;
  wire                        halve;
  wire [      GROUP_BITS-1:0] group;
  wire                        output_layer;
  wire                        combine;
  wire                        split;
  wire [                 1:0] mask;
  wire [    ADDRESS_BITS-1:0] read_even_near;
  wire [    ADDRESS_BITS-1:0] read_even_far;
  wire [    ADDRESS_BITS-1:0] read_odd_near;
  wire [    ADDRESS_BITS-1:0] read_odd_far;
  wire [         8*PLACE-1:0] image_places;
  wire [          8*SLOT-1:0] image_pixels;
  wire [    8*ORDER*SLOT-1:0] map_pixels;
  wire [    8*ORDER*SLOT-1:0] pixels;
  wire [                 7:0] map_write;
  wire [    ADDRESS_BITS-1:0] map_address;
  wire [    4*ORDER*SLOT-1:0] map_data;
  wire [       3*SLOT*PE-1:0] weight;
  wire [     PE*ACC_BITS-1:0] offset;
  wire [     PE*ACC_BITS-1:0] up;
  wire [     PE*ACC_BITS-1:0] down;
  wire                        bits_done;
  wire [      4*ORDER*PE-1:0] bits;

  fcc_map_table_check #(
      .PE             (PE),
      .SLOT           (SLOT),
      .RING           (RING),
      .GROUPS         (GROUPS),
      .MAX_LAYERS     (MAX_LAYERS),
      .MAX_CLASSES    (MAX_CLASSES),
      .WEIGHT_DEPTH   (WEIGHT_DEPTH),
      .THRESHOLD_DEPTH(THRESHOLD_DEPTH),
      .MAP_INPUT      (MAP_INPUT),
      .MAP_EVEN       (MAP_EVEN),
      .MAP_ODD        (MAP_ODD),
      .ORDER          (ORDER),
      .TERNARY        (TERNARY),
      .NUMBERS        (NUMBERS)
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
      .not_loaded       (check_not_loaded)
  );

  fcc_map_sequencer #(
      .PE             (PE),
      .SLOT           (SLOT),
      .MAX_LAYERS     (MAX_LAYERS),
      .GROUP_BITS     (GROUP_BITS),
      .WEIGHT_DEPTH   (WEIGHT_DEPTH),
      .THRESHOLD_DEPTH(THRESHOLD_DEPTH),
      .ADDRESS_BITS   (ADDRESS_BITS),
      .IMAGE_DEPTH    (MAP_INPUT),
      .ODD            (MAP_EVEN),
      .DRAIN          (DRAIN),
      .TERNARY        (TERNARY),
      .NUMBERS        (NUMBERS)
  ) sequencer (
      .clk                 (clk),
      .reset               (core_reset),
      .table_entries       (table_entries),
      .layers              (layers[LAYER_BITS-1:0]),
      .batch_valid         (batch_valid),
      .batch_half          (batch_half),
      .results_sent        (results_sent),
      .busy                (sequencer_busy),
      .stall               (stall),
      .load_image          (load_image),
      .image_done          (image_done),
      .load_output         (load_output),
      .step                (step),
      .address             (address),
      .row_step            (row_step),
      .column_step         (column_step),
      .row                 (row),
      .far                 (far),
      .image               (image),
      .plane               (plane),
      .start               (start),
      .odd                 (odd),
      .groups              (groups),
      .side                (side),
      .pool                (pool),
      .flat                (flat),
      .line_step           (line_step),
      .slice_step          (slice_step),
      .weight_address_s2   (weight_address),
      .threshold_address_s2(threshold_address),
      .step_s2             (lane_step),
      .first_s2            (first),
      .last_s2             (last),
      .halve_s2            (halve),
      .group_s2            (group),
      .output_layer_s2     (output_layer),
      .combine_s2          (combine),
      .split_s2            (split),
      .mask_s4             (mask)
  );

  fcc_window_feeder #(
      .SLOT        (SLOT),
      .ORDER       (ORDER),
      .ADDRESS_BITS(ADDRESS_BITS)
  ) feeder (
      .clk           (clk),
      .address       (address),
      .row_step      (row_step),
      .column_step   (column_step),
      .row           (row),
      .far           (far),
      .image         (image),
      .read_even_near(read_even_near),
      .read_even_far (read_even_far),
      .read_odd_near (read_odd_near),
      .read_odd_far  (read_odd_far),
      .image_pixels  (image_pixels),
      .map_pixels    (map_pixels),
      .pixels        (pixels)
  );

  fcc_map_memory #(
      .WIDTH(PLACE),
      .DEPTH(IMAGES)
  ) images (
      .clk           (clk),
      .write         (image_write),
      .write_address (image_address),
      .write_data    ({4{image_data}}),
      .read_even_near(read_even_near[IMAGE_BITS-1:0]),
      .read_even_far (read_even_far[IMAGE_BITS-1:0]),
      .read_odd_near (read_odd_near[IMAGE_BITS-1:0]),
      .read_odd_far  (read_odd_far[IMAGE_BITS-1:0]),
      .pixels        (image_places)
  );

  genvar b;
  generate
    if (NUMBERS != 0) begin : g_numbers
      fcc_pixel_planes #(
          .NUMBERS(PLACE / 8),
          .SLOT   (SLOT)
      ) planes (
          .clk    (clk),
          .plane  (plane),
          .numbers(image_places),
          .bits   (image_pixels)
      );
    end else begin : g_bits
      wire unused_plane = &{1'b0, plane};
      for (b = 0; b < 8; b = b + 1) begin : g_bank
        assign image_pixels[b*SLOT+:PLACE] = image_places[b*PLACE+:PLACE];
        if (PLACE < SLOT) begin : g_rest
          assign image_pixels[b*SLOT+PLACE+:SLOT-PLACE] = {(SLOT - PLACE) {1'b0}};
        end
      end
    end
  endgenerate

  fcc_map_memory #(
      .WIDTH(ORDER * SLOT),
      .DEPTH(MAPS)
  ) maps (
      .clk           (clk),
      .write         (map_write),
      .write_address (map_address[MAP_BITS-1:0]),
      .write_data    (map_data),
      .read_even_near(read_even_near[MAP_BITS-1:0]),
      .read_even_far (read_even_far[MAP_BITS-1:0]),
      .read_odd_near (read_odd_near[MAP_BITS-1:0]),
      .read_odd_far  (read_odd_far[MAP_BITS-1:0]),
      .pixels        (map_pixels)
  );

  fcc_map_writer #(
      .PE          (PE),
      .SLOT        (SLOT),
      .ORDER       (ORDER),
      .ADDRESS_BITS(ADDRESS_BITS),
      .ODD         (MAP_EVEN)
  ) writer (
      .clk          (clk),
      .reset        (core_reset),
      .start        (start),
      .odd          (odd),
      .groups       (groups),
      .side         (side),
      .pool         (pool),
      .flat         (flat),
      .line_step    (line_step),
      .column_step  (slice_step),
      .done         (bits_done),
      .bits         (bits),
      .write        (map_write),
      .write_address(map_address),
      .write_data   (map_data)
  );

  fcc_weight_source #(
      .WIDTH     (3 * SLOT * PE),
      .DEPTH     (WEIGHT_DEPTH),
      .BANK_DEPTH(BANK_DEPTH),
      .BEAT      (0),
      .PRESET    (PRESET),
      .PATCH     (0)
  ) weight_source (
      .clk              (clk),
      .reset            (reset),
      .core_reset       (core_reset),
      .start            (check_start),
      .running          (1'b0),
      .core_busy        (1'b0),
      .restart          (weight_restart),
      .chunk_valid      (chunk_valid && !chunk_threshold),
      .chunk            (chunk),
      .seek             (1'b0),
      .seek_address     ({$clog2(WEIGHT_DEPTH) {1'b0}}),
      .patch_valid      (1'b0),
      .patch_chunk      (32'd0),
      .loaded           (weights_loaded),
      .overflow         (weight_overflow),
      .asi_valid        (1'b0),
      .asi_ready        (asi_weight_ready),
      .asi_data         (8'd0),
      .asi_startofpacket(1'b0),
      .asi_endofpacket  (1'b0),
      .ready            (weight_ready),
      .step             (lane_step),
      .address          (weight_address),
      .step_due         (lane_step),
      .pass_last        (1'b0),
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
      .step       (lane_step),
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

  fcc_map_lanes #(
      .PE        (PE),
      .SLOT      (SLOT),
      .ACC_BITS  (ACC_BITS),
      .GROUP_BITS(GROUP_BITS),
      .ORDER     (ORDER),
      .HALVE     (NUMBERS)
  ) lanes (
      .clk           (clk),
      .reset         (core_reset),
      .step          (lane_step),
      .first         (first),
      .last          (last),
      .halve         (halve),
      .group         (group),
      .output_layer  (output_layer),
      .combine       (combine),
      .split         (split),
      .sequencer_busy(sequencer_busy),
      .pixels        (pixels),
      .mask          (mask),
      .weight        (weight),
      .offset        (offset),
      .up            (up),
      .down          (down),
      .bits_done     (bits_done),
      .bits          (bits),
      .scores_done   (scores_done),
      .scores_group  (scores_group),
      .scores        (scores),
      .settling      (settling)
  );

  // Addresses of the smaller memory are narrower; weights are never streamed here.
  wire unused = &{1'b0, chunk, read_even_near, read_even_far, read_odd_near, read_odd_far,
                  map_address, weight_ready, weight_fault, asi_weight_ready};

  assign load_overflow = weight_overflow || threshold_overflow;

endmodule

`default_nettype wire
