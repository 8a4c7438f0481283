// SPDX-License-Identifier: Apache-2.0
//
// Checks the layer table of a core for feature maps against its geometry and against what has been
// loaded before anything is computed with it, so that the sequencer and the writer may trust it
// blindly. A layer takes eight cycles, with one multiplier for all its products: nothing here is in
// a hurry.
//
// Entry of a layer: words of a window in bits 6:0, positions a side in 14:8, inputs of order 2 in
// bit 15, groups in 23:16, window in 25:24 (0 dense, 1 for 1x1, 2 for 3x3, 3 for 3x3 pixels of an
// image), max-pool in bit 26, flat in 27, slots of the last word in 29:28, ternary weights in 31;
// bits 7 and 30 are 0.
//
// A table is accepted when 1 <= layers <= MAX_LAYERS, images come as 8-bit pixels, and
//   - layer 0, and no other, has windows of pixels, one word each, and inputs = (side + 2)^2,
//   - a 3x3 layer has side + 2 = the side of the map before it and three words for each slice of
//     it, a 1x1 layer the same side and a word for each slice,
//   - a dense layer has side 1 and, three to a word, the slots that the flat layer before it wrote;
//     the layer before it is flat, and no other layer is,
//   - slots of the last word are 3 for 3x3, 1 for 1x1,
//   - max-pool has an even side, and no dense layer has it,
//   - the last layer is dense and has room for 1 <= classes <= MAX_CLASSES,
//   - where pixels are numbers, the inputs of layer 1 are of order 1,
//   - 1 <= words <= RING, 1 <= groups <= GROUPS, and no layer is of a kind that the core lacks,
//   - images, maps and flat slots fit their areas, steps and groups of all layers the memories.
// It is loaded when that many weight words and threshold words have been written.
//
// Latency: `done` comes 8 * layers + 3 cycles after `start`, or earlier where a layer is refused,
// with `ok` or one of the two reasons.

`default_nettype none

module fcc_map_table_check #(
    // Neurons side by side, which divide a slot (>= 1).
    parameter PE = 1,
    // Bits of a slot (>= 1).
    parameter SLOT = 1,
    // Most words of a window (>= 1).
    parameter RING = 1,
    // Groups of the widest layer (>= 1).
    parameter GROUPS = 1,
    // Entries of the layer table (>= 1).
    parameter MAX_LAYERS = 1,
    // Most classes (>= 1).
    parameter MAX_CLASSES = 1,
    // Words of the weight memory (>= 2).
    parameter WEIGHT_DEPTH = 2,
    // Words of the threshold memory (>= 2).
    parameter THRESHOLD_DEPTH = 2,
    // Words of a bank for an image (>= 1).
    parameter MAP_INPUT = 1,
    // Words of a bank for the map of an even layer (>= 1).
    parameter MAP_EVEN = 1,
    // Words of a bank for the map of an odd layer (>= 1).
    parameter MAP_ODD = 1,
    // 2: layers may have inputs of order 2. 1: none has.
    parameter ORDER = 1,
    // 1: layers may have ternary weights. 0: none has.
    parameter TERNARY = 0,
    // 1: the first layer takes pixels as numbers. 0: it takes bits.
    parameter NUMBERS = 0
) (
    input  wire                     clk,
    input  wire                     reset,
    input  wire                     start,
    // Entry l at bit l*32.
    input  wire [32*MAX_LAYERS-1:0] table_entries,
    input  wire [             15:0] layers,
    input  wire [             15:0] inputs,
    input  wire [             15:0] classes,
    input  wire                     pixel_mode,
    // Complete words in the memories.
    input  wire [             31:0] weights_loaded,
    input  wire [             31:0] thresholds_loaded,
    output reg                      busy,
    output reg                      done,
    output reg                      ok,
    output reg                      bad_table,
    output reg                      not_loaded
);

  localparam LAYER_BITS = $clog2(MAX_LAYERS + 1);
  localparam PARTS = SLOT / PE;

  localparam [1:0] DENSE = 2'd0;
  localparam [1:0] POINT = 2'd1;
  localparam [1:0] WINDOW = 2'd2;
  localparam [1:0] PIXELS = 2'd3;

  // A layer's entry is fetched and taken apart; four products are formed, each in the cycle after
  // its factors were chosen (between PLACES and JUDGE: that of the slots); the layer is judged.
  localparam [2:0] FETCH = 3'd0;
  localparam [2:0] DECODE = 3'd1;
  localparam [2:0] STEPS = 3'd2;
  localparam [2:0] PIXELS_IN = 3'd3;
  localparam [2:0] PLACES = 3'd4;
  localparam [2:0] JUDGE = 3'd7;

  reg  [           2:0] phase_reg;
  reg  [LAYER_BITS-1:0] layer_reg;
  reg                   fault_reg;
  // The layer's entry; what it writes: side, slices.
  reg  [          31:0] entry_reg;
  reg  [           6:0] out_side_reg;
  reg  [           7:0] slices_reg;
  // Factors of a product, and the products.
  reg  [          13:0] left_reg;
  reg  [           7:0] right_reg;
  reg  [          21:0] product_reg;
  reg  [          21:0] layer_steps_reg;
  reg  [          21:0] pixels_reg;
  // Of the layer before: side and slices of its map, slots if it is flat.
  reg  [           6:0] side_before_reg;
  reg  [           7:0] slices_before_reg;
  reg                   flat_before_reg;
  reg  [          21:0] slots_before_reg;
  // Sums over the layers so far; neurons that the last one has room for.
  reg  [          31:0] steps_reg;
  reg  [          31:0] groups_reg;
  reg  [          31:0] filled_reg;
  // Parts of the verdict on a layer, and the room that it takes.
  reg                   range_ok_reg;
  reg                   window_ok_reg;
  reg  [          31:0] image_words_reg;
  reg  [          31:0] map_words_reg;
  // The verdict, but for `bad_table` before `not_loaded`.
  reg                   bad_reg;
  reg                   lacking_reg;

  wire                  layers_ok = (layers >= 1) && ({16'd0, layers} <= MAX_LAYERS);
  wire                  at_end = fault_reg || (layer_reg == layers[LAYER_BITS-1:0]);
  wire                  first = (layer_reg == 0);
  wire                  last = (layer_reg + 1'b1 == layers[LAYER_BITS-1:0]);
  reg  [          31:0] entry;

  integer i;
  always @* begin
    entry = 32'd0;
    for (i = 0; i < MAX_LAYERS; i = i + 1) begin
      if (layer_reg == i[LAYER_BITS-1:0]) entry = table_entries[i*32+:32];
    end
  end

  wire [ 6:0] words = entry_reg[6:0];
  wire [ 6:0] side = entry_reg[14:8];
  wire        second = entry_reg[15];
  wire [ 7:0] groups = entry_reg[23:16];
  wire [ 1:0] window = entry_reg[25:24];
  wire        pool = entry_reg[26];
  wire        flat = entry_reg[27];
  wire [ 1:0] last_slots = entry_reg[29:28];
  wire        ternary = entry_reg[31];

  wire [31:0] words32 = {25'd0, words};
  wire [31:0] side32 = {25'd0, side};
  wire [31:0] groups32 = {24'd0, groups};
  wire [31:0] side_before = {25'd0, side_before_reg};
  wire [31:0] slices_before = {24'd0, slices_before_reg};
  wire [31:0] slots_before = {10'd0, slots_before_reg};
  wire [31:0] slots = {10'd0, product_reg};
  wire [31:0] classes32 = {16'd0, classes};
  wire [ 7:0] last_group = groups - 8'd1;
  wire [31:0] last_slice = {24'd0, last_group} / PARTS;

  // Words of a bank that the image or a map takes: pairs of lines, each of quads rounded up to a
  // power of two, each of slices rounded up likewise.
  wire [ 7:0] image_side = {1'b0, side} + 8'd2;
  wire [ 7:0] image_last = {1'b0, side} + 8'd1;
  wire [ 6:0] out_last = out_side_reg - 7'd1;
  wire [ 7:0] slices_last = slices_reg - 8'd1;
  wire [31:0] image_pairs = {26'd0, side[6:1]} + {31'd0, side[0]};
  wire [31:0] out_pairs = {26'd0, out_side_reg[6:1]} + {31'd0, out_side_reg[0]};
  wire [ 4:0] map_shift = {1'b0, bits_of({3'd0, out_last[6:2]})} + {1'b0, bits_of(slices_last)};
  wire [31:0] area = layer_reg[0] ? MAP_ODD : MAP_EVEN;
  // Three flat slots to a word.
  wire room_ok = (!first || image_words_reg <= MAP_INPUT)
      && (last || (flat ? slots <= 32'd3 * area : map_words_reg <= area));
  wire unused = &{1'b0, last_slice, image_last, out_last};

  // The number of bits of a number, 0 of 0.
  function [3:0] bits_of(input [7:0] number);
    integer n;
    begin
      bits_of = 4'd0;
      for (n = 0; n < 8; n = n + 1) if (number[n]) bits_of = n[3:0] + 4'd1;
    end
  endfunction

  reg window_ok;
  always @* begin
    case (window)
      PIXELS: begin
        window_ok = first && words == 7'd1 && last_slots == 2'd3 && side <= 7'd125;
      end
      WINDOW: begin
        window_ok = !first && !flat_before_reg && side32 + 32'd2 == side_before
            && words32 == 32'd3 * slices_before && last_slots == 2'd3;
      end
      POINT: begin
        window_ok = !first && !flat_before_reg && side32 == side_before
            && words32 == slices_before && last_slots == 2'd1;
      end
      default: begin
        window_ok = !first && flat_before_reg && side == 7'd1 && !pool && last_slots != 2'd0
            && 32'd3 * words32 + {30'd0, last_slots} == slots_before + 32'd3;
      end
    endcase
  end

  always @(posedge clk) begin
    done <= 1'b0;

    product_reg <= {8'd0, left_reg} * {14'd0, right_reg};
    // The last two factors are those of the slots: PLACES has the first of them.
    case (phase_reg)
      DECODE: begin
        left_reg  <= {7'd0, words};
        right_reg <= groups;
      end
      STEPS: begin
        left_reg  <= {6'd0, image_side};
        right_reg <= image_side;
      end
      PIXELS_IN: begin
        left_reg  <= {7'd0, out_side_reg};
        right_reg <= {1'b0, out_side_reg};
      end
      default: begin
        left_reg  <= product_reg[13:0];
        right_reg <= slices_reg;
      end
    endcase
    out_side_reg <= pool ? {1'b0, side[6:1]} : side;
    slices_reg <= last_slice[7:0] + 8'd1;
    // A side of 0 leaves no slots, and no dense layer reads none: it has a word.
    range_ok_reg <= (words32 >= 1) && (words32 <= RING) && (groups32 >= 1) && (groups32 <= GROUPS)
        && !entry_reg[7] && !entry_reg[30] && (ORDER == 2 || !second)
        && !(first && second) && !(NUMBERS != 0 && layer_reg == 1 && second)
        && (TERNARY != 0 || !ternary) && !(pool && side[0]);
    window_ok_reg <= window_ok && !(last && (window != DENSE || flat))
        && !(window == DENSE && !last && !flat);
    image_words_reg <= image_pairs << bits_of({3'd0, image_last[6:2]});
    map_words_reg <= out_pairs << map_shift;
    bad_reg <= fault_reg || (steps_reg > WEIGHT_DEPTH) || (groups_reg > THRESHOLD_DEPTH)
        || (classes32 < 1) || (classes32 > MAX_CLASSES) || (classes32 > filled_reg) || !pixel_mode;
    lacking_reg <= (steps_reg > weights_loaded) || (groups_reg > thresholds_loaded);

    if (start) begin
      busy <= 1'b1;
      phase_reg <= FETCH;
      layer_reg <= {LAYER_BITS{1'b0}};
      fault_reg <= !layers_ok;
      steps_reg <= 32'd0;
      groups_reg <= 32'd0;
      flat_before_reg <= 1'b0;
    end else if (busy) begin
      phase_reg <= phase_reg + 3'd1;
      case (phase_reg)
        FETCH: entry_reg <= entry;
        DECODE: begin
          // Behind the last layer the verdict has been waiting since the cycle before.
          if (at_end) begin
            busy <= 1'b0;
            done <= 1'b1;
            bad_table <= bad_reg;
            not_loaded <= !bad_reg && lacking_reg;
          end
        end
        PIXELS_IN: layer_steps_reg <= product_reg;
        PLACES: pixels_reg <= product_reg;
        JUDGE: begin
          layer_reg <= layer_reg + 1'b1;
          fault_reg <= !range_ok_reg || !window_ok_reg || !room_ok
              || (first && {10'd0, pixels_reg} != {16'd0, inputs});
          steps_reg <= steps_reg
              + (ternary ? {9'd0, layer_steps_reg, 1'b0} : {10'd0, layer_steps_reg});
          groups_reg <= groups_reg + groups32;
          filled_reg <= groups32 * PE;
          side_before_reg <= out_side_reg;
          slices_before_reg <= slices_reg;
          flat_before_reg <= flat;
          slots_before_reg <= product_reg;
        end
        // Products are formed, and there is nothing to keep.
        default: ;
      endcase
    end
    if (reset) begin
      busy <= 1'b0;
      done <= 1'b0;
    end
  end

  always @* ok = !bad_table && !not_loaded;

endmodule

`default_nettype wire
