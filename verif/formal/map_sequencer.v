// SPDX-License-Identifier: Apache-2.0
//
// fcc_map_sequencer: a pass visits every (layer, line, column, repeat, group, word) of the table
// exactly once, in that order, a step in each cycle of a layer, with the addresses, marks and steps
// of areas that belong to it. So a layer takes blocks * repeats * groups * rounds * words cycles;
// the next one is loaded DRAIN cycles after its last step, or, if it is the output layer, as soon
// as the results of the image before have been sent, for which alone there is a stall; the next
// image follows without a gap. No address leaves its area or its memory. Holds for every legal
// table, for images and results at any time, and for resets at any time.
//
// Assumed: a legal table (see map_table_check.v), which stands still while a pass is on its way.
// The core is one with levels; the planes of pixels that are numbers are simulated, not proven.

`default_nettype none

module map_sequencer #(
    parameter PE = 1,
    parameter SLOT = 2,
    parameter RING = 11,
    parameter GROUPS = 3,
    parameter MAX_LAYERS = 3,
    parameter MAX_CLASSES = 1,
    parameter WEIGHT_DEPTH = 64,
    parameter THRESHOLD_DEPTH = 8,
    parameter MAP_INPUT = 6,
    parameter MAP_EVEN = 12,
    parameter MAP_ODD = 11,
    parameter ORDER = 2,
    parameter TERNARY = 1,
    parameter DRAIN = 3,
    // Greatest side of the first layer, as MAP_INPUT has it.
    parameter SIDE = 6
) (
    input wire                               clk,
    input wire                               reset,
    input wire [          32*MAX_LAYERS-1:0] table_entries,
    input wire [$clog2(MAX_LAYERS+1)-1:0] layers,
    input wire                               batch_valid,
    input wire                               batch_half,
    input wire                               results_sent
);

  localparam A = $clog2(2 * MAP_INPUT > MAP_EVEN + MAP_ODD ? 2 * MAP_INPUT : MAP_EVEN + MAP_ODD);
  localparam GROUP_BITS = $clog2(GROUPS);
  // As wide as anything here is counted.
  localparam W = 10;

  wire busy, stall, load_image, image_done, load_output, step, far, image, start, odd, pool, flat;
  wire [A-1:0] address, row_step, column_step, line_step, slice_step;
  wire [1:0] row, mask_s4;
  wire [2:0] plane;
  wire [7:0] groups;
  wire [6:0] side;
  wire [$clog2(WEIGHT_DEPTH)-1:0] weight_address_s2;
  wire [$clog2(THRESHOLD_DEPTH)-1:0] threshold_address_s2;
  wire step_s2, first_s2, last_s2, halve_s2, output_layer_s2, combine_s2, split_s2;
  wire [GROUP_BITS-1:0] group_s2;

  fcc_map_sequencer #(
      .PE             (PE),
      .SLOT           (SLOT),
      .MAX_LAYERS     (MAX_LAYERS),
      .GROUP_BITS     (GROUP_BITS),
      .WEIGHT_DEPTH   (WEIGHT_DEPTH),
      .THRESHOLD_DEPTH(THRESHOLD_DEPTH),
      .ADDRESS_BITS   (A),
      .IMAGE_DEPTH    (MAP_INPUT),
      .ODD            (MAP_EVEN),
      .DRAIN          (DRAIN),
      .TERNARY        (TERNARY)
  ) dut (
      .clk                 (clk),
      .reset               (reset),
      .table_entries       (table_entries),
      .layers              (layers),
      .batch_valid         (batch_valid),
      .batch_half          (batch_half),
      .results_sent        (results_sent),
      .busy                (busy),
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
      .weight_address_s2   (weight_address_s2),
      .threshold_address_s2(threshold_address_s2),
      .step_s2             (step_s2),
      .first_s2            (first_s2),
      .last_s2             (last_s2),
      .halve_s2            (halve_s2),
      .group_s2            (group_s2),
      .output_layer_s2     (output_layer_s2),
      .combine_s2          (combine_s2),
      .split_s2            (split_s2),
      .mask_s4             (mask_s4)
  );

  // ---- the table

  wire [W-1:0] padded = side_of(table_entries[31:0]) + 2;
  wire [W-1:0] inputs = padded * padded;
  wire [W-1:0] classes = 1;
  wire pixel_mode = 1'b1;

  `include "map_table.vh"

  reg started = 1'b0;
  reg [32*MAX_LAYERS-1:0] table_s1;
  reg [$clog2(MAX_LAYERS+1)-1:0] layers_s1;
  integer l;

  always @* begin
    if (!started) assume (reset);
    assume (legal);
    // W bits are enough for these.
    for (l = 0; l < MAX_LAYERS; l = l + 1) begin
      assume (side_of(table_entries[32*l+:32]) <= SIDE);
      assume (groups_of(table_entries[32*l+:32]) <= GROUPS);
      assume (words_of(table_entries[32*l+:32]) <= RING);
    end
    if (started && busy) assume (table_entries == table_s1 && layers == layers_s1);
  end

  always @(posedge clk) begin
    started <= 1'b1;
    table_s1 <= table_entries;
    layers_s1 <= layers;
  end

  // ---- where the pass has to be

  // A layer has steps to come; its number; where it is; the word counts on through a second plane.
  reg active = 1'b0;
  reg [W-1:0] layer = 0;
  reg [W-1:0] line, column, turn, group, word;
  // Layers of the pass that are still to be loaded; cycles since the last step, up to DRAIN; the
  // half in which the image is; results are to be sent.
  reg [W-1:0] layers_left = 0;
  reg [W-1:0] since = DRAIN;
  reg half;
  reg pending = 1'b0;
  // Steps of the layer.
  reg [W-1:0] steps;

  wire [31:0] entry = table_entries[32*layer+:32];
  wire [31:0] entry_before = table_entries[32*(layer-1)+:32];
  wire [31:0] entry_behind = table_entries[32*(layer+1)+:32];
  wire [W-1:0] words = words_of(entry);
  wire [W-1:0] blocks = (side_of(entry) + 1) / 2;
  wire dense = (window_of(entry) == DENSE);
  wire kernel = (window_of(entry) == WINDOW);
  wire is_output = (layer + 1 == layers);
  wire repeated = flat_of(entry) && !pool_of(entry) && side_of(entry) != 1;
  wire last_word = (word + 1 == turn_of(entry));
  wire last_group = last_word && group + 1 == groups_of(entry);
  wire last_turn = last_group && (!repeated || turn == 3);
  wire last_column = last_turn && column + 1 == blocks;
  wire finishes = step && last_column && line + 1 == blocks;
  wire idle = !active && layers_left == 0;
  wire [W-1:0] next = (layers_left == 0) ? 0 : layer + 1;

  always @(posedge clk) begin
    if (since != DRAIN) since <= since + 1;
    if (step) begin
      steps <= steps + 1;
      word <= last_word ? 0 : word + 1;
      if (last_word) group <= last_group ? 0 : group + 1;
      if (last_group) turn <= last_turn ? 0 : turn + 1;
      if (last_turn) column <= last_column ? 0 : column + 1;
      if (last_column) line <= line + 1;
      if (finishes) begin
        active <= 1'b0;
        since <= 1;
      end
    end
    if (start) begin
      active <= 1'b1;
      layer <= next;
      layers_left <= (load_image ? layers : layers_left) - 1;
      {line, column, turn, group, word, steps} <= 0;
    end
    if (load_image) half <= batch_half;
    if (load_output) pending <= 1'b1;
    else if (results_sent) pending <= 1'b0;
    if (reset) begin
      active <= 1'b0;
      layers_left <= 0;
      pending <= 1'b0;
    end
  end

  // ---- the word: its row of the kernel, its slice, its addresses

  wire [W-1:0] of_plane = (word < words) ? word : word - words;
  wire [W-1:0] row_now = kernel ? of_plane % 3 : 0;
  wire [W-1:0] slice_now = kernel ? of_plane / 3 : of_plane;
  wire [W-1:0] in_line_step = (layer == 0) ? image_step_of(entry) : line_step_of(entry_before);
  wire [W-1:0] in_slice_step = (layer == 0) ? 1 : slice_step_of(entry_before);
  wire [W-1:0] base = (layer == 0) ? (half ? MAP_INPUT : 0) : (layer % 2 == 1) ? 0 : MAP_EVEN;
  wire [W-1:0] area = (layer == 0) ? MAP_INPUT : (layer % 2 == 1) ? MAP_EVEN : MAP_ODD;
  wire [W-1:0] line_place = line * in_line_step;
  wire [W-1:0] block_place = line_place + column / 2 * in_slice_step;
  wire [W-1:0] place = base + (dense ? 0 : block_place) + slice_now;
  // The last pixel that a position of the block has in this word: a pixel of an image has three
  // rows.
  wire [W-1:0] last_y = (2 * line + 1 < side_of(entry) ? 2 * line + 1 : 2 * line) + row_now;
  wire [W-1:0] last_x = (2 * column + 1 < side_of(entry) ? 2 * column + 1 : 2 * column)
      + (kernel || layer == 0 ? 2 : 0);
  wire [W-1:0] last_place = dense ? place
      : base + last_y / 2 * in_line_step + last_x / 4 * in_slice_step + slice_now;

  reg [W-1:0] weights_before;
  reg [W-1:0] groups_before;
  integer g;
  always @* begin
    weights_before = 0;
    groups_before = 0;
    for (g = 0; g < MAX_LAYERS; g = g + 1) begin
      if (g < layer) begin
        weights_before = weights_before
            + turn_of(table_entries[32*g+:32]) * groups_of(table_entries[32*g+:32]);
        groups_before = groups_before + groups_of(table_entries[32*g+:32]);
      end
    end
  end
  wire [W-1:0] weight_place = weights_before + group * turn_of(entry) + word;
  wire [W-1:0] threshold_place = groups_before + group;
  wire [1:0] mask = (window_of(entry) == POINT) ? 2'b00
      : (dense && of_plane + 1 == words) ? {last_slots_of(entry) == 3, last_slots_of(entry) >= 2}
      : 2'b11;

  // ---- as much later as it is given

  reg want_step_s1, want_first_s1, want_last_s1, want_output_s1, want_combine_s1, want_split_s1;
  reg want_step_s2, want_first_s2, want_last_s2, want_output_s2, want_combine_s2, want_split_s2;
  reg want_step_s3 = 1'b0;
  reg want_step_s4 = 1'b0;
  reg [W-1:0] want_group_s1, want_weight_s1, want_threshold_s1;
  reg [W-1:0] want_group_s2, want_weight_s2, want_threshold_s2;
  reg [1:0] want_mask_s1, want_mask_s2, want_mask_s3, want_mask_s4;

  always @(posedge clk) begin
    want_step_s1 <= step;
    want_first_s1 <= (word == 0);
    want_last_s1 <= last_word;
    want_output_s1 <= is_output;
    want_combine_s1 <= order_of(entry);
    want_split_s1 <= order_of(entry_behind);
    // Groups are counted down, as the results are taken.
    want_group_s1 <= groups_of(entry) - 1 - group;
    want_weight_s1 <= weight_place;
    want_threshold_s1 <= threshold_place;
    {want_step_s2, want_step_s3, want_step_s4} <= {want_step_s1, want_step_s2, want_step_s3};
    {want_first_s2, want_last_s2} <= {want_first_s1, want_last_s1};
    {want_output_s2, want_combine_s2} <= {want_output_s1, want_combine_s1};
    {want_split_s2, want_group_s2} <= {want_split_s1, want_group_s1};
    {want_weight_s2, want_threshold_s2} <= {want_weight_s1, want_threshold_s1};
    {want_mask_s1, want_mask_s2} <= {mask, want_mask_s1};
    {want_mask_s3, want_mask_s4} <= {want_mask_s2, want_mask_s3};
    if (reset) {want_step_s1, want_step_s2, want_step_s3} <= 3'd0;
  end

  // ---- the visit of any one step

  (* anyconst *) wire [1:0] that_layer;
  (* anyconst *) wire [W-1:0] that_line;
  (* anyconst *) wire [W-1:0] that_column;
  (* anyconst *) wire [W-1:0] that_turn;
  (* anyconst *) wire [W-1:0] that_group;
  (* anyconst *) wire [W-1:0] that_word;
  wire [31:0] that_entry = table_entries[32*that_layer+:32];
  wire [W-1:0] that_side = side_of(that_entry);
  wire that_repeated = flat_of(that_entry) && !pool_of(that_entry) && that_side != 1;
  wire exists = that_layer < layers && that_line < (that_side + 1) / 2
      && that_column < (that_side + 1) / 2 && that_turn < (that_repeated ? 4 : 1)
      && that_group < groups_of(that_entry) && that_word < turn_of(that_entry);
  wire [6*W-1:0] where = {layer, line, column, turn, group, word};
  wire [6*W-1:0] that = {{W - 2{1'b0}}, that_layer, that_line, that_column, that_turn, that_group,
      that_word};
  reg [1:0] visits;
  wire [1:0] all_visits = (visits == 3) ? 3 : visits + (step && where == that);
  always @(posedge clk) visits <= load_image ? 0 : all_visits;

  // ---- what holds

  // Results of the image before stand where those of the next layer would go.
  wire due = (layers_left == 0) ? batch_valid && (!active || finishes) : !active && since == DRAIN;
  wire blocked = pending && layers_left == 1;
  reg held = 1'b0;
  always @(posedge clk) held <= due && blocked && !reset;

  always @* begin
    if (started && !reset) begin
      // A step in every cycle of a layer, and so many; the next one follows in time.
      assert (step == active);
      if (finishes) begin
        assert (steps + 1
            == blocks * blocks * (repeated ? 4 : 1) * groups_of(entry) * turn_of(entry));
      end
      assert (start == (due && !blocked));
      assert (load_image == (start && layers_left == 0));
      assert (load_output == (start && layers_left == 1));
      assert (!(load_output && pending));
      assert (stall == (held && !active) && busy == (!idle || stall));
      assert (image_done == (finishes && layer == 0));
      if (finishes && is_output && exists) assert (all_visits == 1);

      // Each as it has to be.
      if (step) begin
        assert (address == place);
        assert (image == (layer == 0));
        if (!dense) begin
          assert (row == row_now && far == column[0]);
          assert (row_step == in_line_step && column_step == in_slice_step);
        end
      end
      if (!idle && !is_output) begin
        assert (odd == layer[0] && groups == groups_of(entry) && side == side_of(entry));
        assert (pool == pool_of(entry) && flat == flat_of(entry));
        if (!flat) assert (line_step == line_step_of(entry) && slice_step == slice_step_of(entry));
      end

      // Areas and memories are large enough.
      if (step) begin
        assert (place >= base && place <= last_place && last_place < base + area);
        assert (base + area <= (1 << A));
        assert (weight_place < WEIGHT_DEPTH && threshold_place < THRESHOLD_DEPTH);
      end
    end
    if (started) begin
      assert (step_s2 == want_step_s2);
      if (step_s2) begin
        assert (weight_address_s2 == want_weight_s2);
        assert (threshold_address_s2 == want_threshold_s2);
        assert (first_s2 == want_first_s2 && last_s2 == want_last_s2);
        assert (output_layer_s2 == want_output_s2 && combine_s2 == want_combine_s2);
        if (output_layer_s2) assert (group_s2 == want_group_s2);
        else assert (split_s2 == want_split_s2);
      end
      if (want_step_s4) assert (mask_s4 == want_mask_s4);
    end
  end

  // ---- for the induction: how all this and the registers inside belong together

  (* hierconn *) wire \dut.running_reg ;
  (* hierconn *) wire [$clog2(MAX_LAYERS+1)-1:0] \dut.next_layer_reg ;
  (* hierconn *) wire [$clog2(DRAIN+1)-1:0] \dut.since_reg ;
  (* hierconn *) wire \dut.results_pending_reg ;
  (* hierconn *) wire \dut.held_reg ;
  (* hierconn *) wire [6:0] \dut.words_reg ;
  (* hierconn *) wire [6:0] \dut.side_reg ;
  (* hierconn *) wire \dut.combine_reg ;
  (* hierconn *) wire [7:0] \dut.groups_reg ;
  (* hierconn *) wire [1:0] \dut.window_reg ;
  (* hierconn *) wire \dut.ternary_reg ;
  (* hierconn *) wire \dut.output_reg ;
  (* hierconn *) wire \dut.image_reg ;
  (* hierconn *) wire \dut.repeated_reg ;
  (* hierconn *) wire [1:0] \dut.last_slots_reg ;
  (* hierconn *) wire [5:0] \dut.line_reg ;
  (* hierconn *) wire [5:0] \dut.column_reg ;
  (* hierconn *) wire [1:0] \dut.repeat_reg ;
  (* hierconn *) wire [7:0] \dut.group_reg ;
  (* hierconn *) wire \dut.round_reg ;
  (* hierconn *) wire [6:0] \dut.word_reg ;
  (* hierconn *) wire [1:0] \dut.row_reg ;
  (* hierconn *) wire [6:0] \dut.slice_reg ;
  (* hierconn *) wire [A-1:0] \dut.line_address_reg ;
  (* hierconn *) wire [A-1:0] \dut.column_address_reg ;
  (* hierconn *) wire [$clog2(WEIGHT_DEPTH)-1:0] \dut.weight_address_reg ;
  (* hierconn *) wire [$clog2(THRESHOLD_DEPTH)-1:0] \dut.threshold_address_reg ;
  (* hierconn *) wire [$clog2(WEIGHT_DEPTH)-1:0] \dut.first_weight_reg ;
  (* hierconn *) wire [$clog2(THRESHOLD_DEPTH)-1:0] \dut.first_threshold_reg ;

  wire [W-1:0] turns = repeated ? 4 : 1;
  wire [W-1:0] pixels = (line * blocks + column) * turns + turn;
  wire [W-1:0] line_now = base + line_place;
  wire [W-1:0] block_now = base + block_place;
  wire [W-1:0] weights_behind = weights_before + groups_of(entry) * turn_of(entry);
  wire [W-1:0] groups_behind = groups_before + groups_of(entry);

  always @* begin
    if (started) begin
      assert (active == \dut.running_reg && pending == \dut.results_pending_reg );
      assert (held == \dut.held_reg );
      assert (since <= DRAIN && \dut.since_reg <= DRAIN);
      if (idle) assert (\dut.next_layer_reg == 0);
      if (!idle) begin
        assert (layer < layers && layers_left == layers - 1 - layer);
        assert (\dut.next_layer_reg == (is_output ? 0 : layer + 1));
        if (exists) assert (visits == (where > that || (!active && layer >= that_layer)));
      end
      if (!idle && !active) begin
        assert (since == \dut.since_reg );
        assert (\dut.weight_address_reg == weights_behind);
        assert (\dut.threshold_address_reg == groups_behind);
      end
      if (active) begin
        assert (line < blocks && column < blocks && turn < turns);
        assert (group < groups_of(entry) && word < turn_of(entry));
        assert (steps == (pixels * groups_of(entry) + group) * turn_of(entry) + word);
        assert (\dut.words_reg == words && \dut.side_reg == side_of(entry));
        assert (\dut.groups_reg == groups_of(entry) && \dut.window_reg == window_of(entry));
        assert (\dut.combine_reg == order_of(entry) && \dut.ternary_reg == ternary_of(entry));
        assert (\dut.output_reg == is_output && \dut.image_reg == (layer == 0));
        assert (\dut.repeated_reg == repeated && \dut.last_slots_reg == last_slots_of(entry));
        assert (\dut.line_reg == line && \dut.column_reg == column && \dut.repeat_reg == turn);
        assert (\dut.group_reg + 1 + group == groups_of(entry));
        assert (\dut.round_reg == (word >= words) && \dut.word_reg == of_plane);
        assert (\dut.row_reg == row_now && \dut.slice_reg == slice_now);
        assert (\dut.weight_address_reg == weight_place);
        assert (\dut.threshold_address_reg == threshold_place);
        assert (\dut.first_weight_reg == weights_before);
        assert (\dut.first_threshold_reg == groups_before);
        if (dense) assert (\dut.column_address_reg == base);
        else assert (\dut.line_address_reg == line_now && \dut.column_address_reg == block_now);
      end
    end
  end

endmodule

`default_nettype wire
