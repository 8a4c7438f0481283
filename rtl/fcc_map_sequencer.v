// SPDX-License-Identifier: Apache-2.0
//
// Turns the layer table of a core for feature maps into one control word a cycle: which word of the
// maps to fetch, which weight word and offset word to read, and what the lanes do with them. It is
// the only module there that knows layers, blocks, groups and steps.
//
// A layer goes through its blocks of 2x2 positions, line by line; a block through its groups, from
// group 0 on; a group through its words, twice where its weights are ternary. Where pixels are
// numbers, a group of the first layer does so for each of their planes of bits, the lowest first,
// with the same weights each time. The words of a 3x3 window are its three rows of each slice of
// channels, those of a 1x1 window its slices, those of a dense layer three slots each. The output
// layer counts its groups down, as fcc_result_source takes them. A layer begins DRAIN cycles after
// the last step of the one before, when its bits are stored.
//
// So a pass of L layers takes, without stalls,
//   sum(ceil(side / 2)^2 * repeats * groups * rounds * words) + (L - 1) * DRAIN
// cycles, repeats being 4 in an unpooled layer of more than one position a side in front of a dense
// one, else 1, and rounds those of all planes. The next pass follows without a gap when an image is
// waiting. The output layer waits until the results of the image before have been sent: `stall`
// marks the cycles by which it is loaded later.
//
// Latency: `batch_valid` to the load of an idle core: the same cycle. What the lanes and memories
// of weights and thresholds get is given 2 cycles after what the feeder gets, `mask` 4 cycles
// after.

`default_nettype none

module fcc_map_sequencer #(
    // Neurons side by side, which divide a slot (>= 1).
    parameter PE = 1,
    // Bits of a slot (>= 1).
    parameter SLOT = 1,
    // Entries of the layer table (>= 1).
    parameter MAX_LAYERS = 1,
    // Bits of a group's number in the output layer (1 to 8).
    parameter GROUP_BITS = 1,
    // Words of the weight memory (>= 2).
    parameter WEIGHT_DEPTH = 2,
    // Words of the threshold memory (>= 2).
    parameter THRESHOLD_DEPTH = 2,
    // Bits of an address of a map (>= 1).
    parameter ADDRESS_BITS = 1,
    // Words of a bank that an image takes (>= 1).
    parameter IMAGE_DEPTH = 1,
    // Where the area of the odd layers begins; that of the even ones begins at 0.
    parameter ODD = 1,
    // Cycles from a step to the load of a layer that reads its bits (>= 1).
    parameter DRAIN = 1,
    // 1: layers may have ternary weights. 0: the table has been checked to have none.
    parameter TERNARY = 0,
    // 1: the first layer takes pixels as numbers of 8 bits. 0: it takes bits.
    parameter NUMBERS = 0
) (
    input  wire                               clk,
    input  wire                               reset,
    // Checked layer table (see fcc_map_table_check); stable while busy and two cycles before. Entry
    // l at bit l*32.
    input  wire [          32*MAX_LAYERS-1:0] table_entries,
    input  wire [    $clog2(MAX_LAYERS+1)-1:0] layers,
    // An image waits, and in which half of its memory.
    input  wire                               batch_valid,
    input  wire                               batch_half,
    // All results of an image have been sent.
    input  wire                               results_sent,
    output wire                               busy,
    output wire                               stall,
    // Begun with an image; it is needed no more; begun with the output layer.
    output wire                               load_image,
    output wire                               image_done,
    output wire                               load_output,
    // A step is given in this cycle, its control word as told above.
    output wire                               step,
    // To fcc_window_feeder.
    output wire [           ADDRESS_BITS-1:0] address,
    output wire [           ADDRESS_BITS-1:0] row_step,
    output wire [           ADDRESS_BITS-1:0] column_step,
    output wire [                        1:0] row,
    output wire                               far,
    output wire                               image,
    // Of the pixels: the plane of bits that is read (to fcc_pixel_planes).
    output wire [                        2:0] plane,
    // To fcc_map_writer.
    output wire                               start,
    output wire                               odd,
    output wire [                        7:0] groups,
    output wire [                        6:0] side,
    output wire                               pool,
    output wire                               flat,
    output wire [           ADDRESS_BITS-1:0] line_step,
    output wire [           ADDRESS_BITS-1:0] slice_step,
    // To the memories and the lanes.
    output reg  [   $clog2(WEIGHT_DEPTH)-1:0] weight_address_s2,
    output reg  [$clog2(THRESHOLD_DEPTH)-1:0] threshold_address_s2,
    output reg                                step_s2,
    output reg                                first_s2,
    output reg                                last_s2,
    // A further plane begins.
    output reg                                halve_s2,
    output reg  [             GROUP_BITS-1:0] group_s2,
    output reg                                output_layer_s2,
    // The layer's inputs are of order 2, its outputs are (without meaning in the output layer).
    output reg                                combine_s2,
    output reg                                split_s2,
    // Slots 1 and 2 that belong to the word.
    output reg  [                        1:0] mask_s4
);

  localparam LAYER_BITS = $clog2(MAX_LAYERS + 1);
  localparam WEIGHT_BITS = $clog2(WEIGHT_DEPTH);
  localparam THRESHOLD_BITS = $clog2(THRESHOLD_DEPTH);
  localparam DRAIN_BITS = $clog2(DRAIN + 1);
  localparam PARTS = SLOT / PE;
  localparam [31:0] DRAIN_VALUE = DRAIN;
  localparam [31:0] HALF = IMAGE_DEPTH;
  localparam [31:0] ODD_AREA = ODD;

  localparam [1:0] DENSE = 2'd0;
  localparam [1:0] POINT = 2'd1;
  localparam [1:0] WINDOW = 2'd2;

  // In a layer; else waiting for the next one.
  reg                      running_reg;
  // The next layer to be loaded; 0 for the first one of the next image.
  reg  [   LAYER_BITS-1:0] next_layer_reg;
  reg  [   DRAIN_BITS-1:0] since_reg;
  reg                      results_pending_reg;
  // But for these results the layer would have been loaded by now.
  reg                      held_reg;
  // What the next layer takes, fetched while the one before it is computed.
  reg  [             31:0] entry_reg;
  // The layer: its entry, and what follows from it.
  reg  [              6:0] words_reg;
  reg  [              6:0] side_reg;
  reg                      combine_reg;
  reg  [              7:0] groups_reg;
  reg  [              1:0] window_reg;
  reg                      pool_reg;
  reg                      flat_reg;
  reg  [              1:0] last_slots_reg;
  reg                      ternary_reg;
  reg                      output_reg;
  reg                      odd_reg;
  reg                      image_reg;
  reg                      repeated_reg;
  // Steps of the addresses in the layer's map and in the one it writes.
  reg  [ ADDRESS_BITS-1:0] in_line_step_reg;
  reg  [ ADDRESS_BITS-1:0] in_slice_step_reg;
  reg  [ ADDRESS_BITS-1:0] out_line_step_reg;
  reg  [ ADDRESS_BITS-1:0] out_slice_step_reg;
  // Where it is: block, repeat, remaining groups less 1, round, word and what word that is.
  reg  [              5:0] line_reg;
  reg  [              5:0] column_reg;
  reg  [              1:0] repeat_reg;
  reg  [              7:0] group_reg;
  reg  [              2:0] plane_reg;
  reg                      round_reg;
  reg  [              6:0] word_reg;
  reg  [              1:0] row_reg;
  reg  [              6:0] slice_reg;
  reg  [ ADDRESS_BITS-1:0] line_address_reg;
  reg  [ ADDRESS_BITS-1:0] column_address_reg;
  reg  [  WEIGHT_BITS-1:0] weight_address_reg;
  reg  [THRESHOLD_BITS-1:0] threshold_address_reg;
  // Where the layer's words begin, which each of its blocks reads.
  reg  [  WEIGHT_BITS-1:0] first_weight_reg;
  reg  [THRESHOLD_BITS-1:0] first_threshold_reg;

  wire [ 6:0] last_place = side_reg - 7'd1;
  wire [31:0] slice32 = {25'd0, slice_reg};
  wire next_is_image = (next_layer_reg == 0);
  wire next_is_output = (next_layer_reg + 1'b1 == layers);
  wire [31:0] entry = next_is_image ? table_entries[31:0] : entry_reg;
  wire [ 6:0] entry_side = entry[14:8];
  wire [ 7:0] entry_groups = entry[23:16];
  wire [ 1:0] entry_window = entry[25:24];
  wire        entry_pool = entry[26];
  wire        entry_flat = entry[27];

  // Quads of columns and slices, less 1, of the map that the next layer writes, and quads of an
  // image; how many bits these take is how far apart what they count stands.
  wire [ 6:0] out_side = entry_pool ? {1'b0, entry_side[6:1]} : entry_side;
  wire [ 6:0] out_last = out_side - 7'd1;
  wire [ 6:0] image_last = entry_side + 7'd1;
  wire [ 7:0] last_group = entry_groups - 8'd1;
  wire [31:0] last_slice = {24'd0, last_group} / PARTS;
  wire [ 3:0] slice_bits = bits_of(last_slice[7:0]);
  wire [ 3:0] quad_bits = bits_of({3'd0, out_last[6:2]});
  wire [ 3:0] image_bits = bits_of({3'd0, image_last[6:2]});
  wire [ADDRESS_BITS-1:0] one = {{(ADDRESS_BITS - 1) {1'b0}}, 1'b1};
  // Bits that are 0, and addresses that fit: the table has been checked.
  wire unused = &{1'b0, entry, out_last, image_last, last_slice, last_place, slice32};

  // The number of bits of a number, 0 of 0.
  function [3:0] bits_of(input [7:0] number);
    integer n;
    begin
      bits_of = 4'd0;
      for (n = 0; n < 8; n = n + 1) if (number[n]) bits_of = n[3:0] + 4'd1;
    end
  endfunction

  wire last_word = (word_reg + 7'd1 == words_reg);
  wire plane_done = last_word && (round_reg == ternary_reg);
  wire last_plane = (NUMBERS == 0) || !image_reg || (plane_reg == 3'd7);
  wire group_done = plane_done && last_plane;
  wire pixel_done = group_done && (group_reg == 8'd0);
  wire block_done = pixel_done && (!repeated_reg || repeat_reg == 2'd3);
  wire last_column = (column_reg == last_place[6:1]);
  wire last_line = (line_reg == last_place[6:1]);
  wire layer_done = running_reg && block_done && last_column && last_line;
  // A layer is loaded in the cycle of the last step before it, or later.
  wire boundary = !running_reg || layer_done;
  wire blocked = next_is_output && results_pending_reg;
  wire drained = !running_reg && (since_reg == DRAIN_VALUE[DRAIN_BITS-1:0]);
  wire ready = next_is_image ? batch_valid : drained;
  wire load = boundary && ready && !blocked;
  wire last_row = (window_reg != WINDOW) || (row_reg == 2'd2);

  assign busy = running_reg || !next_is_image || stall;
  assign stall = !running_reg && held_reg;
  assign step = running_reg;
  assign load_image = load && next_is_image;
  assign load_output = load && next_is_output;
  assign image_done = layer_done && image_reg;
  assign address = column_address_reg + slice32[ADDRESS_BITS-1:0];
  assign row_step = in_line_step_reg;
  assign column_step = in_slice_step_reg;
  assign row = row_reg;
  assign far = column_reg[0];
  assign image = image_reg;
  assign plane = (NUMBERS != 0) ? plane_reg : 3'd0;
  assign start = load;
  assign odd = odd_reg;
  assign groups = groups_reg;
  assign side = side_reg;
  assign pool = pool_reg;
  assign flat = flat_reg;
  assign line_step = out_line_step_reg;
  assign slice_step = out_slice_step_reg;

  // Of the word of this step: dense layers fill their last word with what there is.
  reg [1:0] mask;
  always @* begin
    mask = 2'b11;
    if (window_reg == POINT) mask = 2'b00;
    if (window_reg == DENSE && last_word) mask = {last_slots_reg == 2'd3, last_slots_reg != 2'd1};
  end

  reg                      step_s1;
  reg                      first_s1;
  reg                      last_s1;
  reg                      halve_s1;
  reg  [              7:0] group_s1;
  reg                      output_layer_s1;
  reg                      combine_s1;
  reg                      split_s1;
  reg  [  WEIGHT_BITS-1:0] weight_address_s1;
  reg  [THRESHOLD_BITS-1:0] threshold_address_s1;
  reg  [              1:0] mask_s1;
  reg  [              1:0] mask_s2;
  reg  [              1:0] mask_s3;

  always @(posedge clk) begin
    weight_address_s1 <= weight_address_reg;
    weight_address_s2 <= weight_address_s1;
    threshold_address_s1 <= threshold_address_reg;
    threshold_address_s2 <= threshold_address_s1;
    step_s1 <= step;
    step_s2 <= step_s1;
    first_s1 <= (word_reg == 7'd0) && !round_reg && (plane == 3'd0);
    first_s2 <= first_s1;
    last_s1 <= group_done;
    last_s2 <= last_s1;
    halve_s1 <= (word_reg == 7'd0) && !round_reg && (plane != 3'd0);
    halve_s2 <= halve_s1;
    group_s1 <= group_reg;
    group_s2 <= group_s1[GROUP_BITS-1:0];
    output_layer_s1 <= output_reg;
    output_layer_s2 <= output_layer_s1;
    combine_s1 <= combine_reg;
    combine_s2 <= combine_s1;
    split_s1 <= table_entries[next_layer_reg*32+15];
    split_s2 <= split_s1;
    mask_s1 <= mask;
    mask_s2 <= mask_s1;
    mask_s3 <= mask_s2;
    mask_s4 <= mask_s3;
    if (reset) begin
      step_s1 <= 1'b0;
      step_s2 <= 1'b0;
    end
  end

  // A group of a hidden layer has no number that anybody asks for.
  wire unused_group = &{1'b0, group_s1};

  always @(posedge clk) begin
    entry_reg <= table_entries[next_layer_reg*32+:32];

    if (running_reg) begin
      word_reg <= last_word ? 7'd0 : word_reg + 7'd1;
      row_reg <= (last_row || last_word) ? 2'd0 : row_reg + 2'd1;
      if (last_word) slice_reg <= 7'd0;
      else if (last_row) slice_reg <= slice_reg + 7'd1;
      if (last_word) round_reg <= ternary_reg && !round_reg;
      weight_address_reg <= weight_address_reg + 1'b1;
      if (plane_done && !last_plane) begin
        // Of one word: the group's first weights are these, or those of the round before.
        weight_address_reg <= weight_address_reg - {{(WEIGHT_BITS - 1) {1'b0}}, ternary_reg};
      end
      if (plane_done) plane_reg <= last_plane ? 3'd0 : plane_reg + 3'd1;
      if (group_done) begin
        group_reg <= group_reg - 8'd1;
        threshold_address_reg <= threshold_address_reg + 1'b1;
      end
      if (pixel_done) begin
        group_reg <= groups_reg - 8'd1;
        if (repeated_reg) repeat_reg <= repeat_reg + 2'd1;
        if (!layer_done) begin
          weight_address_reg <= first_weight_reg;
          threshold_address_reg <= first_threshold_reg;
        end
      end
      if (block_done) begin
        column_reg <= last_column ? 6'd0 : column_reg + 6'd1;
        if (last_column) begin
          line_reg <= line_reg + 6'd1;
          line_address_reg <= line_address_reg + in_line_step_reg;
          column_address_reg <= line_address_reg + in_line_step_reg;
        end else if (column_reg[0]) begin
          column_address_reg <= column_address_reg + in_slice_step_reg;
        end
      end
    end
    if (layer_done) running_reg <= 1'b0;

    if (layer_done) since_reg <= {{(DRAIN_BITS - 1) {1'b0}}, 1'b1};
    else if (since_reg != DRAIN_VALUE[DRAIN_BITS-1:0]) since_reg <= since_reg + 1'b1;

    if (load) begin
      running_reg <= 1'b1;
      words_reg <= entry[6:0];
      side_reg <= entry_side;
      combine_reg <= entry[15];
      groups_reg <= entry_groups;
      window_reg <= entry_window;
      pool_reg <= entry_pool;
      flat_reg <= entry_flat;
      last_slots_reg <= entry[29:28];
      ternary_reg <= (TERNARY != 0) && entry[31];
      output_reg <= next_is_output;
      odd_reg <= next_layer_reg[0];
      image_reg <= next_is_image;
      repeated_reg <= entry_flat && !entry_pool && (entry_side != 7'd1);
      out_slice_step_reg <= one << slice_bits;
      out_line_step_reg <= one << ({1'b0, slice_bits} + {1'b0, quad_bits});
      // A map is read as it has been written.
      in_slice_step_reg <= next_is_image ? one : out_slice_step_reg;
      in_line_step_reg <= next_is_image ? one << image_bits : out_line_step_reg;
      line_reg <= 6'd0;
      column_reg <= 6'd0;
      repeat_reg <= 2'd0;
      group_reg <= last_group;
      round_reg <= 1'b0;
      plane_reg <= 3'd0;
      word_reg <= 7'd0;
      row_reg <= 2'd0;
      slice_reg <= 7'd0;
      // What layer l - 1 has written: in the odd area if l is even.
      line_address_reg <= next_is_image
          ? (batch_half ? HALF[ADDRESS_BITS-1:0] : {ADDRESS_BITS{1'b0}})
          : (next_layer_reg[0] ? {ADDRESS_BITS{1'b0}} : ODD_AREA[ADDRESS_BITS-1:0]);
      column_address_reg <= next_is_image
          ? (batch_half ? HALF[ADDRESS_BITS-1:0] : {ADDRESS_BITS{1'b0}})
          : (next_layer_reg[0] ? {ADDRESS_BITS{1'b0}} : ODD_AREA[ADDRESS_BITS-1:0]);
      first_weight_reg <= weight_address_reg;
      first_threshold_reg <= threshold_address_reg;
      next_layer_reg <= next_is_output ? {LAYER_BITS{1'b0}} : next_layer_reg + 1'b1;
    end
    if (load_image) begin
      weight_address_reg <= {WEIGHT_BITS{1'b0}};
      threshold_address_reg <= {THRESHOLD_BITS{1'b0}};
      first_weight_reg <= {WEIGHT_BITS{1'b0}};
      first_threshold_reg <= {THRESHOLD_BITS{1'b0}};
    end

    held_reg <= boundary && ready && blocked;
    if (load_output) results_pending_reg <= 1'b1;
    else if (results_sent) results_pending_reg <= 1'b0;

    if (reset) begin
      running_reg <= 1'b0;
      next_layer_reg <= {LAYER_BITS{1'b0}};
      results_pending_reg <= 1'b0;
      held_reg <= 1'b0;
    end
  end

endmodule

`default_nettype wire
