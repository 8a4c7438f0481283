// SPDX-License-Identifier: Apache-2.0
//
// Turns the layer table into one control word a cycle: which weight word and offset word to read,
// and what the lanes do with them. It is the only module that knows layers, groups and steps.
//
// The groups of a layer are computed from the last one down to group 0, so that the bits that are
// finished last all belong to word 0 of the next layer, and the next layer meets word 0 last
// (fcc_ring). So it may begin while the pipeline is still at work on group 0. Its ring is loaded in
// the cycle of the layer's last step, or
//   gap = max(0, DRAIN - min(max(0, words - TAPS), rounds * words of the layer before))
//                                                                                where PE <= SIMD
//   gap = DRAIN                                                                  otherwise
// cycles later. A layer of ternary weights takes two rounds through its words, one for each plane of
// its weights (see ARCHITECTURE.md), other layers one. A pass of L layers takes, without stalls,
//   sum(max(0, TAPS - words) + groups * rounds * words) + sum of the gaps in front of layers 1 to L-1
// cycles, and the next pass follows without a gap when a batch is waiting. The output layer waits
// until the results of the batch before have been sent: `stall` marks the cycles by which it is
// loaded later. A step waits (`weight_stall`) until its weight word is there.
//
// Latency: `batch_valid` to the load of an idle core: the same cycle.

`default_nettype none

module fcc_sequencer #(
    // Neurons side by side, synapses per PE and cycle.
    parameter PE = 32,
    parameter SIMD = 128,
    // Words of the ring (>= 1).
    parameter RING = 8,
    // Ring positions that PEs see.
    parameter TAPS = 1,
    // Entries of the layer table (>= 1).
    parameter MAX_LAYERS = 8,
    // Groups of the widest layer (>= 1), bits of a group's number.
    parameter GROUPS = 32,
    parameter GROUP_BITS = 5,
    // Words of the weight memory and of the threshold memory (>= 2).
    parameter WEIGHT_DEPTH = 744,
    parameter THRESHOLD_DEPTH = 128,
    // Cycles from a step to the load that can take its bits, less 1 (>= 3).
    parameter DRAIN = 7,
    // 1: layers may have ternary weights. 0: the table has been checked to have none.
    parameter TERNARY = 0
) (
    input  wire                               clk,
    input  wire                               reset,
    // Checked layer table (see fcc_table_check); stable while busy and two cycles before.
    // Entry l at bit l*32: words in bits 14:0, groups in bits 30:16; bit 15: the layer's inputs are of
    // order 2, bit 31: its weights are ternary.
    input  wire [          32*MAX_LAYERS-1:0] table_entries,
    input  wire [     $clog2(MAX_LAYERS+1)-1:0] layers,
    input  wire                               batch_valid,
    // The weight word of the next step can be read.
    input  wire                               weight_ready,
    // All results of a batch have been sent.
    input  wire                               results_sent,
    output wire                               busy,
    output wire                               stall,
    output wire                               weight_stall,
    // Control word; addresses and actions belong to the same step.
    output wire [   $clog2(WEIGHT_DEPTH)-1:0] weight_address,
    output wire [$clog2(THRESHOLD_DEPTH)-1:0] threshold_address,
    // One-hot number of words of the layer in the ring, or of the one being loaded.
    output wire [                   RING-1:0] length,
    output wire                               load_image,
    output wire                               load_hidden,
    output wire                               load_late,
    output wire                               load_output,
    output wire                               rotate,
    output wire                               step,
    // A step is given in this cycle if its weight word is there, and whether it is a pass's last one.
    output wire                               step_due,
    output wire                               pass_last,
    output wire                               first,
    output wire                               last,
    output wire [             GROUP_BITS-1:0] group,
    output wire                               output_layer,
    // The layer's inputs are of order 2, its outputs are (without meaning in the output layer).
    output wire                               combine,
    output wire                               split
);

  localparam LAYER_BITS = $clog2(MAX_LAYERS + 1);
  // Wide enough for a word beyond the ring.
  localparam WORD_BITS = $clog2(RING + 2);
  localparam COUNT_BITS = $clog2(GROUPS + 1);
  localparam DRAIN_BITS = $clog2(DRAIN + 1);
  localparam [31:0] TAPS_VALUE = TAPS;
  localparam [WORD_BITS-1:0] TAP_WORDS = TAPS_VALUE[WORD_BITS-1:0];
  localparam [31:0] DRAIN_VALUE = DRAIN;
  localparam [DRAIN_BITS-1:0] DRAINED = DRAIN_VALUE[DRAIN_BITS-1:0];
  // The bits of the last group lie within word 0.
  localparam OVERLAP = (PE <= SIMD);

  localparam [1:0] WAIT = 2'd0;
  localparam [1:0] WIND = 2'd1;
  localparam [1:0] STEP = 2'd2;

  reg [                    1:0] state_reg;
  // The next layer to be loaded; 0 for the first one of the next batch.
  reg [         LAYER_BITS-1:0] next_layer_reg;
  // Words, remaining groups less 1, of the layer in the ring.
  reg [          WORD_BITS-1:0] words_reg;
  reg [         GROUP_BITS-1:0] group_reg;
  reg [          WORD_BITS-1:0] word_reg;
  reg                           output_reg;
  reg                           combine_reg;
  // Two rounds through the words, and whether this is the second one.
  reg                           ternary_reg;
  reg                           round_reg;
  // In the first group of a hidden layer: word 0 has to be brought in.
  reg                           late_reg;
  // Cycles since the last step, as far as DRAIN.
  reg [         DRAIN_BITS-1:0] since_reg;
  reg [$clog2(WEIGHT_DEPTH)-1:0] weight_address_reg;
  reg [$clog2(THRESHOLD_DEPTH)-1:0] threshold_address_reg;
  reg                           results_pending_reg;
  // But for these results the layer would have been loaded by now.
  reg                           held_reg;

  // What the next hidden layer takes, fetched while the layer before it is computed: right from the
  // third cycle after that one was loaded. Nothing looks at it earlier: what stands there until then
  // is the gap in front of that layer itself, g, and a layer with g < DRAIN has at least
  // DRAIN - g + TAPS words, so that the next load cannot follow within fewer than DRAIN + 1 cycles.
  reg [         31:0] entry_reg;
  reg [DRAIN_BITS-1:0] gap_reg;

  wire next_is_image = (next_layer_reg == 0);
  wire next_is_output = (next_layer_reg + 1'b1 == layers);
  wire [31:0] entry = next_is_image ? table_entries[31:0] : entry_reg;
  wire [15:0] entry_words = {1'b0, entry[14:0]};
  wire [WORD_BITS-1:0] next_words = entry_words[WORD_BITS-1:0];
  wire [COUNT_BITS-1:0] next_groups = entry[16+:COUNT_BITS];
  wire [COUNT_BITS-1:0] next_group = next_groups - 1'b1;

  // The next layer may overlap with the steps before it needs word 0, if what it needs earlier, the
  // groups before the last one, is finished by then.
  wire [15:0] hidden_entry = {1'b0, entry_reg[14:0]};
  wire [WORD_BITS-1:0] hidden_words = hidden_entry[WORD_BITS-1:0];
  // The table has been checked to fit the geometry, so that the upper bits are zero.
  wire unused = &{1'b0, entry, entry_words, hidden_entry, next_group};
  wire [WORD_BITS-1:0] spare = (hidden_words > TAP_WORDS) ? hidden_words - TAP_WORDS
                                                          : {WORD_BITS{1'b0}};
  wire [WORD_BITS:0] group_steps = ternary_reg ? {words_reg, 1'b0} : {1'b0, words_reg};
  wire [WORD_BITS:0] overlap = ({1'b0, spare} < group_steps) ? {1'b0, spare} : group_steps;
  wire [31:0] overlap32 = {{(31 - WORD_BITS) {1'b0}}, overlap};
  wire [DRAIN_BITS-1:0] gap = !OVERLAP ? DRAINED
      : (overlap32 < DRAIN_VALUE) ? DRAINED - overlap32[DRAIN_BITS-1:0] : {DRAIN_BITS{1'b0}};

  wire last_word = (word_reg + 1'b1 == words_reg);
  wire group_done = last_word && (round_reg == ternary_reg);
  wire last_step = group_done && (group_reg == 0);
  wire layer_done = step && last_step;
  // A layer is loaded in the cycle of the last step before it, or later.
  wire boundary = (state_reg == WAIT) || layer_done;
  wire blocked = next_is_output && results_pending_reg;
  wire drained = (state_reg == WAIT && since_reg >= gap_reg) || (gap_reg == 0);
  wire ready = next_is_image ? batch_valid : drained;
  wire load = boundary && ready && !blocked;
  wire short_layer = (next_words < TAP_WORDS);

  assign busy = (state_reg != WAIT) || !next_is_image || stall;
  assign stall = (state_reg == WAIT) && held_reg;
  assign step_due = (state_reg == STEP);
  assign weight_stall = step_due && !weight_ready;
  assign weight_address = weight_address_reg;
  assign threshold_address = threshold_address_reg;
  assign load_image = load && next_is_image;
  assign load_hidden = load && !next_is_image;
  assign load_output = load && next_is_output;
  assign load_late = (load_hidden && next_words <= TAP_WORDS)
      || (step && late_reg && word_reg + 1'b1 + TAP_WORDS == words_reg);
  assign step = step_due && weight_ready;
  assign rotate = (state_reg == WIND) || step;
  assign pass_last = last_step && output_reg;
  assign first = (word_reg == 0) && !round_reg;
  assign last = group_done;
  assign group = group_reg;
  assign output_layer = output_reg;
  assign combine = combine_reg;
  assign split = table_entries[next_layer_reg*32+15];

  wire [WORD_BITS-1:0] ring_words = load ? next_words : words_reg;
  genvar w;
  generate
    for (w = 0; w < RING; w = w + 1) begin : g_length
      localparam [31:0] WORDS = w + 1;
      assign length[w] = (ring_words == WORDS[WORD_BITS-1:0]);
    end
  endgenerate

  always @(posedge clk) begin
    entry_reg <= table_entries[next_layer_reg*32+:32];
    gap_reg <= gap;

    if (step) begin
      weight_address_reg <= weight_address_reg + 1'b1;
      word_reg <= last_word ? {WORD_BITS{1'b0}} : word_reg + 1'b1;
      if (last_word) begin
        round_reg <= ternary_reg && !round_reg;
        late_reg  <= 1'b0;
      end
      if (group_done) begin
        threshold_address_reg <= threshold_address_reg + 1'b1;
        group_reg <= group_reg - 1'b1;
      end
    end
    if (state_reg == WIND) begin
      // Counts from `words` to TAPS.
      word_reg <= word_reg + 1'b1;
      if (word_reg + 1'b1 == TAP_WORDS) begin
        word_reg  <= {WORD_BITS{1'b0}};
        state_reg <= STEP;
      end
    end
    if (layer_done) state_reg <= WAIT;

    if (layer_done) since_reg <= {{(DRAIN_BITS - 1) {1'b0}}, 1'b1};
    else if (since_reg != DRAINED) since_reg <= since_reg + 1'b1;

    if (load) begin
      state_reg <= short_layer ? WIND : STEP;
      words_reg <= next_words;
      group_reg <= next_group[GROUP_BITS-1:0];
      word_reg <= short_layer ? next_words : {WORD_BITS{1'b0}};
      output_reg <= next_is_output;
      combine_reg <= entry[15];
      ternary_reg <= (TERNARY != 0) && entry[31];
      round_reg <= 1'b0;
      late_reg <= !next_is_image && (next_words > TAP_WORDS);
      next_layer_reg <= next_is_output ? {LAYER_BITS{1'b0}} : next_layer_reg + 1'b1;
    end
    if (load_image) begin
      weight_address_reg <= 0;
      threshold_address_reg <= 0;
    end

    held_reg <= boundary && ready && blocked;
    if (load_output) results_pending_reg <= 1'b1;
    else if (results_sent) results_pending_reg <= 1'b0;

    if (reset) begin
      state_reg <= WAIT;
      next_layer_reg <= {LAYER_BITS{1'b0}};
      results_pending_reg <= 1'b0;
      held_reg <= 1'b0;
    end
  end

endmodule

`default_nettype wire
