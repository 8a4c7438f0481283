// SPDX-License-Identifier: Apache-2.0
//
// Turns the layer table into one control word a cycle: which weight word and offset word to read,
// and what the lanes do with them. It is the only room that knows layers, groups and steps.
//
// A layer takes 1 cycle to load the ring, max(0, TAPS - words) cycles to wind it up, and
// groups * words steps without a gap; DRAIN cycles pass before the next layer may load what this
// one computed. A pass of L layers therefore takes
//   sum(1 + max(0, TAPS - words) + groups * words) + DRAIN * (L - 1) cycles,
// and the next pass follows without a gap when a batch is waiting. The load of the output layer
// waits (`stall`) until the results of the batch before have been taken over and sent.
//
// Latency: 1 cycle from `batch_valid` to the load of the first layer.

`default_nettype none

module fcc_sequencer #(
    // Words of the ring (>= 1).
    parameter RING = 8,
    // Ring positions that PEs see.
    parameter TAPS = 4,
    // Entries of the layer table (>= 1).
    parameter MAX_LAYERS = 8,
    // Groups of the widest layer (>= 1).
    parameter GROUPS = 32,
    // Words of the weight memory and of the threshold memory (>= 2).
    parameter WEIGHT_DEPTH = 744,
    parameter THRESHOLD_DEPTH = 128,
    // Cycles between the last step of a layer and the load of the next one (>= 1).
    parameter DRAIN = 3
) (
    input  wire                               clk,
    input  wire                               reset,
    // Checked layer table (see fcc_table_check); stable while busy.
    // Entry l at bit l*32: words in bits 15:0, groups in bits 31:16.
    input  wire [          32*MAX_LAYERS-1:0] table_entries,
    input  wire [     $clog2(MAX_LAYERS+1)-1:0] layers,
    input  wire                               batch_valid,
    // All results of a batch have been sent.
    input  wire                               results_sent,
    output wire                               busy,
    output wire                               stall,
    // Control word; addresses and actions belong to the same step.
    output wire [   $clog2(WEIGHT_DEPTH)-1:0] weight_address,
    output wire [$clog2(THRESHOLD_DEPTH)-1:0] threshold_address,
    // One-hot number of words of the current layer.
    output wire [                   RING-1:0] length,
    output wire                               load_image,
    output wire                               load_hidden,
    output wire                               load_output,
    output wire                               rotate,
    output wire                               step,
    output wire                               first,
    output wire                               last,
    output wire                               last_group,
    output wire                               output_layer
);

  localparam LAYER_BITS = $clog2(MAX_LAYERS + 1);
  localparam WORD_BITS = $clog2(RING + 1);
  localparam GROUP_BITS = $clog2(GROUPS + 1);
  localparam DRAIN_BITS = $clog2(DRAIN + 1);
  localparam [31:0] TAPS_VALUE = TAPS;
  localparam [31:0] DRAIN_VALUE = DRAIN;

  localparam [2:0] IDLE = 3'd0;
  localparam [2:0] LOAD = 3'd1;
  localparam [2:0] WIND = 3'd2;
  localparam [2:0] STEP = 3'd3;
  localparam [2:0] WAIT = 3'd4;

  reg [                    2:0] state_reg;
  reg [         LAYER_BITS-1:0] layer_reg;
  reg [         GROUP_BITS-1:0] group_reg;
  reg [          WORD_BITS-1:0] word_reg;
  reg [         DRAIN_BITS-1:0] drain_reg;
  reg [$clog2(WEIGHT_DEPTH)-1:0] weight_address_reg;
  reg [$clog2(THRESHOLD_DEPTH)-1:0] threshold_address_reg;
  reg                           results_pending_reg;

  wire [31:0] entry = table_entries[layer_reg*32+:32];
  wire [WORD_BITS-1:0] words = entry[WORD_BITS-1:0];
  wire [GROUP_BITS-1:0] groups = entry[16+:GROUP_BITS];
  // The table has been checked to fit the geometry, so that the upper bits are zero.
  wire unused = &{1'b0, entry};

  wire is_output = (layer_reg + 1'b1 == layers);
  wire blocked = is_output && results_pending_reg;
  wire load = (state_reg == LOAD) && !blocked;
  wire wind = (state_reg == WIND);
  wire last_word = (word_reg + 1'b1 == words);
  wire final_group = (group_reg + 1'b1 == groups);
  wire layer_done = step && last_word && final_group;
  wire short_layer = (words < TAPS_VALUE[WORD_BITS-1:0]);

  assign busy = (state_reg != IDLE);
  assign stall = (state_reg == LOAD) && blocked;
  assign weight_address = weight_address_reg;
  assign threshold_address = threshold_address_reg;
  assign load_image = load && (layer_reg == 0);
  assign load_hidden = load && (layer_reg != 0);
  assign load_output = load && is_output;
  assign step = (state_reg == STEP);
  assign rotate = wind || step;
  assign first = (word_reg == 0);
  assign last = last_word;
  assign last_group = final_group;
  assign output_layer = is_output;

  genvar w;
  generate
    for (w = 0; w < RING; w = w + 1) begin : g_length
      localparam [31:0] WORDS = w + 1;
      assign length[w] = (words == WORDS[WORD_BITS-1:0]);
    end
  endgenerate

  always @(posedge clk) begin
    case (state_reg)
      IDLE: begin
        layer_reg <= {LAYER_BITS{1'b0}};
        weight_address_reg <= 0;
        threshold_address_reg <= 0;
        if (batch_valid) state_reg <= LOAD;
      end
      LOAD: begin
        group_reg <= {GROUP_BITS{1'b0}};
        // The ring is wound up while word_reg counts from `words` to TAPS.
        word_reg  <= short_layer ? words : {WORD_BITS{1'b0}};
        if (!blocked) state_reg <= short_layer ? WIND : STEP;
      end
      WIND: begin
        word_reg <= word_reg + 1'b1;
        if (word_reg + 1'b1 == TAPS_VALUE[WORD_BITS-1:0]) begin
          word_reg  <= {WORD_BITS{1'b0}};
          state_reg <= STEP;
        end
      end
      STEP: begin
        weight_address_reg <= weight_address_reg + 1'b1;
        word_reg <= last_word ? {WORD_BITS{1'b0}} : word_reg + 1'b1;
        if (last_word) begin
          threshold_address_reg <= threshold_address_reg + 1'b1;
          group_reg <= group_reg + 1'b1;
        end
        drain_reg <= {DRAIN_BITS{1'b0}};
        if (layer_done) begin
          if (!is_output) begin
            layer_reg <= layer_reg + 1'b1;
            state_reg <= WAIT;
          end else begin
            layer_reg <= {LAYER_BITS{1'b0}};
            weight_address_reg <= 0;
            threshold_address_reg <= 0;
            state_reg <= batch_valid ? LOAD : IDLE;
          end
        end
      end
      WAIT: begin
        drain_reg <= drain_reg + 1'b1;
        if (drain_reg + 1'b1 == DRAIN_VALUE[DRAIN_BITS-1:0]) state_reg <= LOAD;
      end
      default: state_reg <= IDLE;
    endcase

    if (load_output) results_pending_reg <= 1'b1;
    else if (results_sent) results_pending_reg <= 1'b0;

    if (reset) begin
      state_reg <= IDLE;
      results_pending_reg <= 1'b0;
    end
  end

endmodule

`default_nettype wire
