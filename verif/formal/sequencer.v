// SPDX-License-Identifier: Apache-2.0
//
// fcc_sequencer: a pass visits every (layer, group, step) of the table exactly once, in order, with
// the addresses, marks and ring controls that belong to it, and ends; no layer is loaded before the
// bits that it takes are finished, nor later than the gap in the header of fcc_sequencer says; the
// output layer waits for the results of the batch before, and for them alone there is a stall.
// Holds for every legal table, for weights, batches and results at any time, and for resets at any
// time.
//
// Assumed: a legal table (see table_check.v), stable while busy and two cycles before; no batch
// within two cycles after a reset. Without the latter the gap of the layer before the reset could
// stand in front of layer 1; the core takes much longer to check the table and to receive an image.

`default_nettype none

module sequencer #(
    parameter PE = 2,
    parameter SIMD = 2,
    parameter RING = 4,
    parameter TAPS = 2,
    parameter MAX_LAYERS = 3,
    parameter GROUPS = 3,
    parameter DRAIN = 3,
    parameter TERNARY = 0
) (
    input wire                               clk,
    input wire                               reset,
    input wire [          32*MAX_LAYERS-1:0] table_entries,
    input wire [$clog2(MAX_LAYERS+1)-1:0] layers,
    input wire                               batch_valid,
    input wire                               weight_ready,
    input wire                               results_sent
);

  localparam GROUP_BITS = 2;
  localparam WEIGHT_DEPTH = MAX_LAYERS * RING * GROUPS * (1 + TERNARY);
  localparam THRESHOLD_DEPTH = MAX_LAYERS * GROUPS;

  wire busy, stall, weight_stall, load_image, load_hidden, load_late, load_output;
  wire rotate, step, step_due, pass_last, first, last, output_layer, combine, split;
  wire [$clog2(WEIGHT_DEPTH)-1:0] weight_address;
  wire [$clog2(THRESHOLD_DEPTH)-1:0] threshold_address;
  wire [RING-1:0] length;
  wire [GROUP_BITS-1:0] group;

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
  ) dut (
      .clk              (clk),
      .reset            (reset),
      .table_entries    (table_entries),
      .layers           (layers),
      .batch_valid      (batch_valid),
      .weight_ready     (weight_ready),
      .results_sent     (results_sent),
      .busy             (busy),
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

  // ---- the table

  // As wide as anything here is counted.
  localparam W = 8;
  localparam [W-1:0] TAP_WORDS = TAPS;

  function [W-1:0] words_of(input integer index);
    words_of = table_entries[32*index+:W];
  endfunction

  function [W-1:0] groups_of(input integer index);
    groups_of = table_entries[32*index+16+:W];
  endfunction

  // Inputs of order 2; ternary weights.
  function order_of(input integer index);
    order_of = table_entries[32*index+15];
  endfunction

  function ternary_of(input integer index);
    ternary_of = table_entries[32*index+31];
  endfunction

  // Steps of a group: its words, once for each plane of its weights.
  function [W-1:0] turn_of(input integer index);
    turn_of = table_entries[32*index+:W] << table_entries[32*index+31];
  endfunction

  reg started = 1'b0;
  reg [32*MAX_LAYERS-1:0] table_s1;
  reg [$clog2(MAX_LAYERS+1)-1:0] layers_s1;
  // Cycles since a reset or since the table changed, up to 2.
  reg [1:0] same = 2'd0;
  integer l;

  always @* begin
    if (!started) assume (reset);
    assume (layers >= 1 && layers <= MAX_LAYERS);
    for (l = 0; l < MAX_LAYERS; l = l + 1) begin
      assume (table_entries[32*l+:15] >= 1 && table_entries[32*l+:15] <= RING);
      assume (table_entries[32*l+16+:15] >= 1 && table_entries[32*l+16+:15] <= GROUPS);
      if (!TERNARY) assume (!ternary_of(l));
    end
    if (started && busy) assume (table_entries == table_s1 && layers == layers_s1);
    if (batch_valid) assume (same == 2'd2 && table_entries == table_s1 && layers == layers_s1);
  end

  always @(posedge clk) begin
    started <= 1'b1;
    table_s1 <= table_entries;
    layers_s1 <= layers;
    if (reset || table_entries != table_s1 || layers != layers_s1) same <= 2'd0;
    else if (same != 2'd2) same <= same + 2'd1;
  end

  // ---- where the pass has to be

  // A layer is in the ring and not finished; its number; what the next step has to be.
  reg active = 1'b0;
  reg [W-1:0] layer = 0;
  reg [W-1:0] to_do;
  reg [W-1:0] word;
  // Layers of the pass that are still to be loaded.
  reg [W-1:0] layers_left = 0;
  reg [W-1:0] steps;
  reg [W-1:0] groups;
  reg [W-1:0] wound;
  reg pending = 1'b0;

  wire [W-1:0] words = words_of(layer);
  wire [W-1:0] turn = turn_of(layer);
  wire load = load_image || load_hidden;
  wire [W-1:0] next = (layers_left == 0) ? 0 : layer + 1'b1;
  wire [W-1:0] next_words = words_of(next);
  wire [W-1:0] next_groups = groups_of(next);
  // The last step of a group; `word` counts on through its second plane.
  wire is_last_word = (word + 1'b1 == turn);
  wire finishes = step && is_last_word && to_do == 0;
  wire is_output = (layer + 1'b1 == layers);
  wire first_group = (to_do + 1'b1 == groups_of(layer));

  always @(posedge clk) begin
    if (step) begin
      steps <= steps + 1'b1;
      word <= is_last_word ? 0 : word + 1'b1;
      if (is_last_word) begin
        groups <= groups + 1'b1;
        to_do <= to_do - 1'b1;
      end
      if (finishes) active <= 1'b0;
    end
    if (rotate && !step) wound <= wound + 1'b1;
    if (load) begin
      active <= 1'b1;
      layer <= next;
      layers_left <= (load_image ? layers : layers_left) - 1'b1;
      to_do <= next_groups - 1'b1;
      word <= 0;
      wound <= 0;
    end
    if (load_image) begin
      steps <= 0;
      groups <= 0;
    end
    if (load_output) pending <= 1'b1;
    else if (results_sent) pending <= 1'b0;
    if (reset) begin
      active <= 1'b0;
      layers_left <= 0;
      pending <= 1'b0;
    end
  end

  // ---- the visit of any one step, by what the outputs alone say

  (* anyconst *) wire [W-1:0] that_layer;
  (* anyconst *) wire [W-1:0] that_group;
  (* anyconst *) wire [W-1:0] that_word;
  wire exists = that_layer < layers && that_group < groups_of(that_layer)
      && that_word < turn_of(that_layer);
  reg [W-1:0] shown_layer;
  reg [W-1:0] shown_word;
  reg [1:0] visits;
  wire [W-1:0] now_word = first ? 0 : shown_word + 1'b1;
  wire visit = step && shown_layer == that_layer && group == that_group && now_word == that_word;
  wire [1:0] all_visits = (visits == 2'd3) ? 2'd3 : visits + visit;

  always @(posedge clk) begin
    if (step) shown_word <= now_word;
    visits <= all_visits;
    if (load_image) begin
      shown_layer <= 0;
      visits <= 2'd0;
    end else if (load_hidden) begin
      shown_layer <= shown_layer + 1'b1;
    end
  end

  // ---- cycles since the last step of a group of the layer before load, as far as DRAIN

  reg [W-1:0] since_zero = DRAIN;
  reg [W-1:0] since_other = DRAIN;
  always @(posedge clk) begin
    if (since_zero != DRAIN) since_zero <= since_zero + 1'b1;
    if (since_other != DRAIN) since_other <= since_other + 1'b1;
    if (step && group == 0 && last) since_zero <= 1;
    if (step && group != 0 && last) since_other <= 1;
  end

  // The gap in front of the next layer, as the header of fcc_sequencer has it.
  wire [W-1:0] spare = (next_words > TAP_WORDS) ? next_words - TAP_WORDS : 0;
  wire [W-1:0] overlap = (spare < turn) ? spare : turn;
  wire [W-1:0] gap = (PE > SIMD) ? DRAIN : (overlap < DRAIN) ? DRAIN - overlap : 0;
  // Results of the batch before stand where those of the next layer would go.
  wire due = (layers_left == 0) ? batch_valid && (!active || finishes)
      : finishes ? gap == 0 : !active && since_zero >= gap;
  wire blocked = pending && (layers_left == 0 ? layers == 1 : layers_left == 1);
  reg held = 1'b0;
  always @(posedge clk) held <= due && blocked && !reset;

  // ---- the end: cycles of a layer that wait for nothing from outside

  reg [W-1:0] left = 0;
  wire [W-1:0] turns = (next_words < TAP_WORDS) ? TAP_WORDS - next_words : 0;
  wire idle = !active && layers_left == 0;
  always @(posedge clk) begin
    if (load) left <= turns + turn_of(next) * next_groups + DRAIN;
    else if (!stall && !weight_stall && !idle) left <= left - 1'b1;
  end

  always @* begin
    if (started && !reset) begin
      // One step after the other, each as it has to be.
      if (step) begin
        assert (active);
        assert (wound == ((words < TAP_WORDS) ? TAP_WORDS - words : 0));
        assert (group == to_do);
        assert (first == (word == 0));
        assert (last == is_last_word);
        assert (output_layer == is_output);
        assert (combine == order_of(layer));
        if (!is_output) assert (split == order_of(layer + 1));
        assert (weight_address == steps);
        assert (threshold_address == groups);
      end
      if (step_due) assert (pass_last == (is_output && is_last_word && to_do == 0));
      assert (step == (step_due && weight_ready));
      assert (weight_stall == (step_due && !weight_ready));
      if (rotate && !step) assert (active && word == 0 && wound < TAP_WORDS);
      if (step) assert (rotate);

      // Layers follow each other without a cycle more than they need, images only complete passes.
      assert (load == (due && !blocked) && load_image == (load && layers_left == 0));
      assert (stall == held && busy == (!idle || held));
      if (load) assert (!active || finishes);
      assert (!(load_image && load_hidden));
      if (load_image) assert (layers_left == 0 && batch_valid);
      if (load_hidden) assert (layers_left != 0);
      assert (load_output == (load && next + 1'b1 == layers));
      assert (!(load_output && pending));
      if (active || load) assert (length == (1 << ((load ? next_words : words) - 1)));

      // The late word: with the load where it is due at once, otherwise with the step before the
      // last tap sees it.
      assert (load_late == ((load_hidden && next_words <= TAP_WORDS)
          || (step && layer != 0 && first_group && word + 1'b1 + TAP_WORDS == words)));
      // Nothing is taken before it is finished; word 0 holds the bits of group 0 where PE <= SIMD.
      if (load_hidden) begin
        if (groups_of(layer) > 1) assert (since_other == DRAIN);
        if (PE > SIMD) assert (since_zero == DRAIN);
      end
      if (load_late) assert (since_zero == DRAIN);

      // Every step of the table exactly once.
      if (step && pass_last && exists) assert (all_visits == 2'd1);

      // The end.
      if (!idle && !load && !stall && !weight_stall) assert (left != 0);

      // The memories are large enough.
      if (step) assert (steps < WEIGHT_DEPTH && groups < THRESHOLD_DEPTH);
    end
  end

  // ---- for the induction: how all this and the registers inside belong together

  (* hierconn *) wire [1:0] \dut.state_reg ;
  (* hierconn *) wire [$clog2(MAX_LAYERS+1)-1:0] \dut.next_layer_reg ;
  (* hierconn *) wire [$clog2(RING+2)-1:0] \dut.words_reg ;
  (* hierconn *) wire [$clog2(RING+2)-1:0] \dut.word_reg ;
  (* hierconn *) wire [GROUP_BITS-1:0] \dut.group_reg ;
  (* hierconn *) wire \dut.output_reg ;
  (* hierconn *) wire \dut.late_reg ;
  (* hierconn *) wire \dut.ternary_reg ;
  (* hierconn *) wire \dut.round_reg ;
  (* hierconn *) wire \dut.results_pending_reg ;
  (* hierconn *) wire [$clog2(DRAIN+1)-1:0] \dut.since_reg ;

  wire [W-1:0] winding = (words < TAP_WORDS) ? TAP_WORDS - words : 0;
  integer g;
  reg [W-1:0] steps_before;
  reg [W-1:0] groups_before;
  always @* begin
    steps_before = 0;
    groups_before = 0;
    for (g = 0; g < MAX_LAYERS; g = g + 1) begin
      if (g < layer) begin
        steps_before = steps_before + turn_of(g) * groups_of(g);
        groups_before = groups_before + groups_of(g);
      end
    end
  end
  wire [W-1:0] groups_done = groups_of(layer) - 1'b1 - to_do;
  wire passed = that_layer < layer || (that_layer == layer
      && (!active || that_group > to_do || (that_group == to_do && that_word < word)));

  always @* begin
    if (started) begin
      assert (\dut.state_reg <= 2);
      assert (active == (\dut.state_reg != 0));
      assert (pending == \dut.results_pending_reg );
      assert (\dut.since_reg <= DRAIN);
      assert (same <= 2);
      if (idle) assert (\dut.next_layer_reg == 0);
      if (!idle) begin
        assert (layer < layers && layers_left == layers - 1'b1 - layer);
        assert (\dut.next_layer_reg == (layers_left == 0 ? 0 : layer + 1'b1));
        assert (\dut.words_reg == words && \dut.output_reg == is_output);
        assert (combine == order_of(layer) && \dut.ternary_reg == ternary_of(layer));
        if (!active) assert (to_do == {W{1'b1}} && word == 0);
        assert (steps == steps_before + groups_done * turn + word);
        assert (groups == groups_before + groups_done);
        assert (weight_address == steps && threshold_address == groups);
        assert (shown_layer == layer);
        if (exists) assert (visits == passed);
      end
      assert (since_zero <= DRAIN && since_other <= DRAIN);
      if (!idle && !active) begin
        // The wait for a hidden layer.
        assert (since_zero == \dut.since_reg );
        if (groups_of(layer) > 1) begin
          assert (since_other == DRAIN || since_other >= turn + \dut.since_reg );
        end
        assert (left + since_zero >= DRAIN + 1 || (since_zero == DRAIN && stall));
      end
      if (active) begin
        assert (to_do < groups_of(layer) && word < turn);
        assert (\dut.round_reg == (word >= words));
        assert (\dut.group_reg == to_do);
        assert (wound <= winding);
        if (word != 0) assert (shown_word + 1'b1 == word);
        if (\dut.state_reg == 1) begin
          assert (wound < winding && word == 0 && first_group);
          assert (\dut.word_reg == words + wound);
        end else begin
          assert (wound == winding && \dut.word_reg == (word < words ? word : word - words));
        end
        assert (left == winding - wound + to_do * turn + (turn - word) + DRAIN);
        // The groups before group 0 become older with each of its steps; word 0 is due after as
        // many steps as are left to it.
        if (to_do == 0 && groups_of(layer) > 1) assert (since_other == DRAIN || since_other > word);
        if (\dut.late_reg && word + 1'b1 + TAP_WORDS <= words) begin
          assert (since_zero + (words - TAP_WORDS - word - 1'b1) >= DRAIN);
        end
        assert (\dut.late_reg
            == (layer != 0 && words > TAP_WORDS && first_group && word < words));
      end
    end
  end

endmodule

`default_nettype wire
