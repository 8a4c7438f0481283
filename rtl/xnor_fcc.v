// SPDX-License-Identifier: Apache-2.0
//
// The XNOR-Net core: images in, classes and scores out, the network loaded at run time. This module
// names the ports and refuses impossible parameters; what it guards is fcc_core, for dense layers,
// or fcc_map_core, for convolutions and dense layers behind them.
//
// Timing: a pass takes groups * words cycles a layer (twice that where its weights are ternary)
// and, where a layer cannot overlap with the one before, a gap of at most 7 (9 where ORDER is 2);
// passes follow each other without a gap (see fcc_sequencer; fcc_map_sequencer tells what a pass
// takes with convolutions). The exact latency and period are in model/xnor_fcc/geometry.py, which
// the tests hold this core to.
//
// The list of parameters is written by `make facts` from model/xnor_fcc/parameters.json.

`default_nettype none

module xnor_fcc #(
    // Neurons computed at once in a lane (>= 1).
    parameter PE = 32,
    // Synapses per PE and cycle (>= 1).
    parameter SIMD = 128,
    // Images computed in step, sharing every weight word (1 to 64).
    parameter LANES = 4,
    // Most inputs or neurons of a layer (1 to 32767).
    parameter MAX_WIDTH = 1024,
    // Ring positions that PEs see (1 to min(PE, ceil(MAX_WIDTH / SIMD))). More taps mean less
    // fan-out of each, fewer taps less area and more overlap of one layer with the next.
    parameter TAPS = 1,
    // Layers of the largest network (1 to 16).
    parameter MAX_LAYERS = 8,
    // Classes of the largest network (1 to MAX_WIDTH).
    parameter MAX_CLASSES = 16,
    // Words of the weight memory: steps of the largest network (>= 2).
    parameter WEIGHT_DEPTH = 768,
    // Words of one bank of the weight memory (>= 1, and at most 100 banks).
    parameter BANK_DEPTH = 256,
    // Words of the threshold memory: groups of the largest network (>= 2).
    parameter THRESHOLD_DEPTH = 128,
    // Bits of a beat of asi_weight; 0 for a core with a weight memory (0 or a multiple of 8). Where
    // it is not 0, weights are streamed in every pass, and WEIGHT_DEPTH and BANK_DEPTH mean
    // nothing.
    parameter WEIGHT_STREAM = 0,
    // Most bits of an activation (1 or 2). With 2 the lanes can also work in pairs, so that layers
    // may have activations of order 2; LANES is even then. A layer's entry in the table selects its
    // order.
    parameter ORDER = 1,
    // 1 for a core that takes ternary weights too (0 or 1).
    parameter TERNARY = 0,
    // Classes whose output layer can learn; 0 for a core that does not (0 to min(32, MAX_CLASSES)).
    // Where it is not 0, TAPS and ORDER are 1, and TERNARY, WEIGHT_STREAM and MAP_INPUT 0.
    parameter LEARN = 0,
    // Words of a bank for an image in a core for convolutions; 0 for one of dense layers only (0 to
    // 8192). Where it is not 0, LANES is 4 * ORDER, SIMD is three slots of SIMD / 3 channels, which
    // PE divides, TAPS is 1 and WEIGHT_STREAM is 0.
    parameter MAP_INPUT = 0,
    // Words of a bank for the feature maps of even layers, from layer 0 on (0, or from 1 on where
    // MAP_INPUT is not 0).
    parameter MAP_EVEN = 0,
    // Words of a bank for the feature maps of odd layers, from layer 1 on (0, or from 1 on where
    // MAP_INPUT is not 0).
    parameter MAP_ODD = 0,
    // Colours of a pixel in a core for convolutions (1 to 4).
    parameter PIXEL_CHANNELS = 3,
    // Thresholds of each colour in a core for convolutions; 0 where the first layer takes the
    // colours as numbers of 8 bits (0 to 64). The bits of three pixels fit a slot, of numbers one
    // bit of each colour.
    parameter PIXEL_LEVELS = 7,
    // Bits of a beat of asi_image (8, 16, 32, 64, 128, 256 or 512).
    parameter IMAGE_WIDTH = 64,
    // Path and prefix of memory files for a core that no host loads ("" for none). The files are
    // PREFIX_config.hex and, for each slice of the words (fcc_slice.vh), PREFIX_thresholds_000.hex,
    // _001.hex, ..., PREFIX_margins_000.hex, ... where ORDER is 2, and PREFIX_weights_00_000.hex,
    // ..., _01_000.hex, ... for each bank.
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

  // An undefined module stops every tool, and its name is the message. The core is left out then:
  // inside it some tools would give up over an impossible width before they name the reason.
  localparam IMAGE_WIDTH_LEGAL = (IMAGE_WIDTH == 8 || IMAGE_WIDTH == 16 || IMAGE_WIDTH == 32
      || IMAGE_WIDTH == 64 || IMAGE_WIDTH == 128 || IMAGE_WIDTH == 256 || IMAGE_WIDTH == 512);
  generate
    if (PE < 1) begin : g_pe
      PE_must_be_at_least_1 refused ();
    end else if (SIMD < 1) begin : g_simd
      SIMD_must_be_at_least_1 refused ();
    end else if (LANES < 1 || LANES > 64) begin : g_lanes
      LANES_must_be_1_to_64 refused ();
    end else if (MAX_WIDTH < 1 || MAX_WIDTH > 32767) begin : g_max_width
      MAX_WIDTH_must_be_1_to_32767 refused ();
    end else if (TAPS < 1 || TAPS > PE || (TAPS - 1) * SIMD >= MAX_WIDTH) begin : g_taps
      TAPS_must_be_1_to_the_smaller_of_PE_and_the_words_of_the_ring refused ();
    end else if (MAX_LAYERS < 1 || MAX_LAYERS > 16) begin : g_max_layers
      MAX_LAYERS_must_be_1_to_16 refused ();
    end else if (MAX_CLASSES < 1 || MAX_CLASSES > MAX_WIDTH) begin : g_max_classes
      MAX_CLASSES_must_be_1_to_MAX_WIDTH refused ();
    end else if (WEIGHT_DEPTH < 2) begin : g_weight_depth
      WEIGHT_DEPTH_must_be_at_least_2 refused ();
    end else if (BANK_DEPTH < 1 || WEIGHT_DEPTH > 100 * BANK_DEPTH) begin : g_bank_depth
      BANK_DEPTH_must_make_at_most_100_banks refused ();
    end else if (WEIGHT_STREAM < 0 || WEIGHT_STREAM % 8 != 0) begin : g_weight_stream
      WEIGHT_STREAM_must_be_0_or_a_multiple_of_8 refused ();
    end else if (ORDER != 1 && ORDER != 2) begin : g_order
      ORDER_must_be_1_or_2 refused ();
    end else if (ORDER == 2 && LANES % 2 != 0) begin : g_pairs
      LANES_must_be_even_where_ORDER_is_2 refused ();
    end else if (TERNARY != 0 && TERNARY != 1) begin : g_ternary
      TERNARY_must_be_0_or_1 refused ();
    end else if (LEARN < 0 || LEARN > 32 || LEARN > MAX_CLASSES) begin : g_learn
      LEARN_must_be_0_to_32_and_at_most_MAX_CLASSES refused ();
    end else if (LEARN != 0
        && (TAPS != 1 || ORDER != 1 || TERNARY != 0 || WEIGHT_STREAM != 0 || MAP_INPUT != 0))
    begin : g_learn_kinds
      LEARN_needs_TAPS_1_ORDER_1_and_no_TERNARY_WEIGHT_STREAM_or_MAP_INPUT refused ();
    end else if (THRESHOLD_DEPTH < 2) begin : g_threshold_depth
      THRESHOLD_DEPTH_must_be_at_least_2 refused ();
    end else if (!IMAGE_WIDTH_LEGAL) begin : g_image_width
      IMAGE_WIDTH_must_be_a_power_of_two_from_8_to_512 refused ();
    end else if (MAP_INPUT < 0 || MAP_INPUT > 8192) begin : g_map_input
      MAP_INPUT_must_be_0_to_8192 refused ();
    end else if (MAP_INPUT == 0 && (MAP_EVEN != 0 || MAP_ODD != 0)) begin : g_no_maps
      MAP_EVEN_and_MAP_ODD_must_be_0_where_MAP_INPUT_is_0 refused ();
    end else if (MAP_INPUT != 0 && (MAP_EVEN < 1 || MAP_EVEN > 8192)) begin : g_map_even
      MAP_EVEN_must_be_1_to_8192_where_MAP_INPUT_is_not_0 refused ();
    end else if (MAP_INPUT != 0 && (MAP_ODD < 1 || MAP_ODD > 8192)) begin : g_map_odd
      MAP_ODD_must_be_1_to_8192_where_MAP_INPUT_is_not_0 refused ();
    end else if (MAP_INPUT != 0 && LANES != 4 * ORDER) begin : g_map_lanes
      LANES_must_be_4_for_each_ORDER_where_MAP_INPUT_is_not_0 refused ();
    end else if (MAP_INPUT != 0 && (TAPS != 1 || WEIGHT_STREAM != 0)) begin : g_map_ring
      TAPS_must_be_1_and_WEIGHT_STREAM_0_where_MAP_INPUT_is_not_0 refused ();
    end else if (MAP_INPUT != 0 && (SIMD % 3 != 0 || SIMD / 3 % PE != 0)) begin : g_slot
      SIMD_must_be_three_slots_that_PE_divides_where_MAP_INPUT_is_not_0 refused ();
    end else if (MAP_INPUT != 0
        && (PIXEL_CHANNELS < 1 || PIXEL_CHANNELS > 4 || 8 * PIXEL_CHANNELS > IMAGE_WIDTH))
    begin : g_pixel_channels
      PIXEL_CHANNELS_must_be_1_to_4_symbols_of_a_beat refused ();
    end else if (MAP_INPUT != 0 && (PIXEL_LEVELS < 0 || PIXEL_LEVELS > 64)) begin : g_levels
      PIXEL_LEVELS_must_be_0_to_64 refused ();
    end else if (MAP_INPUT != 0
        && 9 * PIXEL_CHANNELS * ((PIXEL_LEVELS == 0) ? 1 : PIXEL_LEVELS) > SIMD)
    begin : g_pixel_levels
      PIXEL_LEVELS_must_leave_the_bits_of_three_pixels_room_in_a_slot refused ();
    end else if (MAP_INPUT != 0) begin : g_maps
      fcc_map_core #(
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
          .WEIGHT_STREAM  (WEIGHT_STREAM),
          .ORDER          (ORDER),
          .TERNARY        (TERNARY),
          .MAP_INPUT      (MAP_INPUT),
          .MAP_EVEN       (MAP_EVEN),
          .MAP_ODD        (MAP_ODD),
          .PIXEL_CHANNELS (PIXEL_CHANNELS),
          .PIXEL_LEVELS   (PIXEL_LEVELS),
          .IMAGE_WIDTH    (IMAGE_WIDTH),
          .PRESET         (PRESET)
      ) core (
          .clk                     (clk),
          .reset                   (reset),
          .asi_image_valid         (asi_image_valid),
          .asi_image_ready         (asi_image_ready),
          .asi_image_data          (asi_image_data),
          .asi_image_startofpacket (asi_image_startofpacket),
          .asi_image_endofpacket   (asi_image_endofpacket),
          .asi_image_empty         (asi_image_empty),
          .asi_image_error         (asi_image_error),
          .asi_weight_valid        (asi_weight_valid),
          .asi_weight_ready        (asi_weight_ready),
          .asi_weight_data         (asi_weight_data),
          .asi_weight_startofpacket(asi_weight_startofpacket),
          .asi_weight_endofpacket  (asi_weight_endofpacket),
          .aso_result_valid        (aso_result_valid),
          .aso_result_ready        (aso_result_ready),
          .aso_result_data         (aso_result_data),
          .aso_result_startofpacket(aso_result_startofpacket),
          .aso_result_endofpacket  (aso_result_endofpacket),
          .aso_result_empty        (aso_result_empty),
          .avs_csr_address         (avs_csr_address),
          .avs_csr_read            (avs_csr_read),
          .avs_csr_write           (avs_csr_write),
          .avs_csr_writedata       (avs_csr_writedata),
          .avs_csr_readdata        (avs_csr_readdata),
          .avs_csr_readdatavalid   (avs_csr_readdatavalid),
          .ins_csr_irq             (ins_csr_irq)
      );
    end else begin : g_legal
      fcc_core #(
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
          .WEIGHT_STREAM  (WEIGHT_STREAM),
          .ORDER          (ORDER),
          .TERNARY        (TERNARY),
          .LEARN          (LEARN),
          .IMAGE_WIDTH    (IMAGE_WIDTH),
          .PRESET         (PRESET)
      ) core (
          .clk                     (clk),
          .reset                   (reset),
          .asi_image_valid         (asi_image_valid),
          .asi_image_ready         (asi_image_ready),
          .asi_image_data          (asi_image_data),
          .asi_image_startofpacket (asi_image_startofpacket),
          .asi_image_endofpacket   (asi_image_endofpacket),
          .asi_image_empty         (asi_image_empty),
          .asi_image_error         (asi_image_error),
          .asi_weight_valid        (asi_weight_valid),
          .asi_weight_ready        (asi_weight_ready),
          .asi_weight_data         (asi_weight_data),
          .asi_weight_startofpacket(asi_weight_startofpacket),
          .asi_weight_endofpacket  (asi_weight_endofpacket),
          .aso_result_valid        (aso_result_valid),
          .aso_result_ready        (aso_result_ready),
          .aso_result_data         (aso_result_data),
          .aso_result_startofpacket(aso_result_startofpacket),
          .aso_result_endofpacket  (aso_result_endofpacket),
          .aso_result_empty        (aso_result_empty),
          .avs_csr_address         (avs_csr_address),
          .avs_csr_read            (avs_csr_read),
          .avs_csr_write           (avs_csr_write),
          .avs_csr_writedata       (avs_csr_writedata),
          .avs_csr_readdata        (avs_csr_readdata),
          .avs_csr_readdatavalid   (avs_csr_readdatavalid),
          .ins_csr_irq             (ins_csr_irq)
      );
    end
  endgenerate

endmodule

`default_nettype wire
