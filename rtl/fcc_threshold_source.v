// SPDX-License-Identifier: Apache-2.0
//
// The numbers that each group of neurons is judged by, when the lanes need them: offsets and, where
// ORDER is 2, margins. It exists so that the sequencer can give a group's address with the group's
// steps, and nothing else counts the cycles from there.
//
// Schedule, counted from the cycle of `address`, `step` and `first`:
//   cycle 6: offset
//   cycle 8, or 9 where ORDER is 2: parity, which stays until the next first step's is due
//   cycle 9: up, down (ORDER 2)
// Never stalls. `loaded` counts a word 1 cycle after its last chunk; `overflow` comes 1 cycle after
// a refused chunk.

`default_nettype none

module fcc_threshold_source #(
    // Neurons of a group (>= 1).
    parameter PE = 1,
    // Bits of a signed offset, and of the chunk of a word that holds one number (3 to 32).
    parameter SCORE_BITS = 3,
    // Words: groups of all layers together (>= 2).
    parameter DEPTH = 2,
    // 2: a word has two margins for each neuron behind its offsets. 1: it has none.
    parameter ORDER = 1,
    // Memory files at power-up: PRESET_thresholds_sss.hex and, where ORDER is 2,
    // PRESET_margins_sss.hex for slice sss of the words (see fcc_memory_bank); "" for none.
    parameter PRESET = ""
) (
    input  wire                         clk,
    // Forgets how much is loaded.
    input  wire                         reset,
    // Loading (see fcc_word_loader): again from word 0, and one number of a word. All offsets of a
    // group, PE 0 first, then all its `up`, then all its `down`.
    input  wire                         restart,
    input  wire                         chunk_valid,
    input  wire [       SCORE_BITS-1:0] chunk,
    // Words loaded.
    output wire [                 31:0] loaded,
    output wire                         overflow,
    // A step, whether it is the first one of its group, and the group's word.
    input  wire                         step,
    input  wire                         first,
    input  wire [    $clog2(DEPTH)-1:0] address,
    // Of PE p at bit p*(SCORE_BITS-1): its offset without bit 0.
    output wire [PE*(SCORE_BITS-1)-1:0] offset,
    // Bit 0 of the offsets, which is bit 0 of the scores.
    output wire [               PE-1:0] parity,
    // Of PE p at bit p*(SCORE_BITS-1); 0 where ORDER is 1.
    output wire [PE*(SCORE_BITS-1)-1:0] up,
    output wire [PE*(SCORE_BITS-1)-1:0] down
);

  localparam ACC_BITS = SCORE_BITS - 1;
  localparam ADDRESS_BITS = $clog2(DEPTH);
  localparam COUNT_BITS = $clog2(DEPTH + 1);
  localparam WIDTH = PE * SCORE_BITS * ((ORDER == 2) ? 3 : 1);

  wire                    write;
  wire [ADDRESS_BITS-1:0] write_address;
  wire [       WIDTH-1:0] write_data;
  wire [  COUNT_BITS-1:0] words;
  wire [          PE-1:0] offset_parity;
  // The memory is read late, so that its output is the register that the accumulators take.
  reg  [ADDRESS_BITS-1:0] address_s1;
  reg  [ADDRESS_BITS-1:0] address_s2;
  reg  [ADDRESS_BITS-1:0] address_s3;
  // Bit n: the first step of a group was given n + 1 cycles before.
  reg  [             5:0] first_reg;

  assign loaded = {{(32 - COUNT_BITS) {1'b0}}, words};

  fcc_word_loader #(
      .CHUNK       (SCORE_BITS),
      .WIDTH       (WIDTH),
      .SLICE       (WIDTH),
      .DEPTH       (DEPTH),
      .PRESET_WORDS((PRESET != "") ? DEPTH : 0),
      .PATCH       (0)
  ) loader (
      .clk          (clk),
      .reset        (reset),
      .restart      (restart),
      .chunk_valid  (chunk_valid),
      .chunk        (chunk),
      .seek         (1'b0),
      .seek_address ({ADDRESS_BITS{1'b0}}),
      .patch_valid  (1'b0),
      .patch_chunk  ({SCORE_BITS{1'b0}}),
      .write        (write),
      .write_address(write_address),
      .write_data   (write_data),
      .loaded       (words),
      .overflow     (overflow)
  );

  always @(posedge clk) begin
    address_s1 <= address;
    address_s2 <= address_s1;
    address_s3 <= address_s2;
    first_reg  <= {first_reg[4:0], step && first};
  end

  fcc_threshold_memory #(
      .PE        (PE),
      .SCORE_BITS(SCORE_BITS),
      .DEPTH     (DEPTH),
      .PRESET    ((PRESET != "") ? {PRESET, "_thresholds"} : "")
  ) offsets (
      .clk          (clk),
      .write        (write),
      .write_address(write_address),
      .write_data   (write_data[PE*SCORE_BITS-1:0]),
      .read_address (address_s3),
      .first_s3     (first_reg[5]),
      .offset       (offset),
      .parity       (offset_parity)
  );

  genvar m;
  generate
    if (ORDER == 2) begin : g_margins
      reg  [  ADDRESS_BITS-1:0] address_s4;
      reg  [  ADDRESS_BITS-1:0] address_s5;
      reg  [  ADDRESS_BITS-1:0] address_s6;
      // Two lanes' sums become scores a cycle later than one lane's.
      reg  [            PE-1:0] parity_reg;
      wire [2*PE*ACC_BITS-1:0] margins;

      always @(posedge clk) begin
        address_s4 <= address_s3;
        address_s5 <= address_s4;
        address_s6 <= address_s5;
        parity_reg <= offset_parity;
      end
      assign parity = parity_reg;

      for (m = 0; m < 2 * PE; m = m + 1) begin : g_margin
        assign margins[m*ACC_BITS+:ACC_BITS] = write_data[(PE+m)*SCORE_BITS+:ACC_BITS];
        // A margin has no sign, so that its chunk has one bit more than it needs.
        wire unused = &{1'b0, write_data[(PE+m)*SCORE_BITS+ACC_BITS]};
      end

      fcc_margin_memory #(
          .PE         (PE),
          .MARGIN_BITS(ACC_BITS),
          .DEPTH      (DEPTH),
          .PRESET     ((PRESET != "") ? {PRESET, "_margins"} : "")
      ) memory (
          .clk          (clk),
          .write        (write),
          .write_address(write_address),
          .write_data   (margins),
          .read_address (address_s6),
          .up           (up),
          .down         (down)
      );
    end else begin : g_no_margins
      assign parity = offset_parity;
      assign up = {PE{{ACC_BITS{1'b0}}}};
      assign down = {PE{{ACC_BITS{1'b0}}}};
    end
  endgenerate

endmodule

`default_nettype wire
