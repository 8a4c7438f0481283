// SPDX-License-Identifier: Apache-2.0
//
// The registers that only a core that learns has: what is asked of the learner, what it has done,
// and the way to its latents. It stands in front of fcc_csr, as fcc_map_registers does in a core
// for convolutions, and has the same addresses, which are unlisted ones in other cores.
//
// Accesses pass on to fcc_csr. A write that is refused goes to it as one of INPUTS, which it
// refuses: so the error is raised where all errors are.
//
// Latents are written and read row by row, four in a word, those of a row that are left in its last
// word. What of a core that runs is read as a latent is 0.
//
// Latency: a write counts in the next cycle, a latent word 2 cycles later. Reads take the cycle
// that fcc_csr's take.

`default_nettype none

module fcc_learn_registers #(
    // Classes that can learn (1 to 32).
    parameter CLASSES = 1,
    // Bits of the number of a row of latents (>= 1).
    parameter ROW_BITS = 1
) (
    input  wire                                        clk,
    input  wire                                        reset,
    // Forgets what has been counted.
    input  wire                                        core_reset,
    input  wire [                                 5:0] avs_address,
    input  wire                                        avs_read,
    input  wire                                        avs_write,
    input  wire [                                31:0] avs_writedata,
    output wire [                                31:0] avs_readdata,
    // To and from fcc_csr, which has the other signals of the bus as they are.
    output wire [                                 5:0] csr_address,
    input  wire [                                31:0] csr_readdata,
    input  wire                                        locked,
    output wire                                        enable,
    output wire [                                 7:0] margin,
    output wire [                                14:0] inputs,
    // Loading latents (see fcc_word_loader): again from row 0, a word.
    output wire                                        restart,
    output wire                                        chunk_valid,
    // The row whose latents are wanted in the next cycle.
    output wire [                        ROW_BITS-1:0] read_row,
    input  wire [                       CLASSES*8-1:0] word,
    // Events of fcc_learn_moves.
    input  wire                                        learnt,
    input  wire                                        moved
);

  `include "fcc_learn_registers.vh"

  localparam PARTS = (CLASSES * 8 + 31) / 32;
  localparam PART_BITS = (PARTS > 1) ? $clog2(PARTS) : 1;
  localparam [31:0] LAST_PART = PARTS - 1;
  localparam [31:0] CLASSES_VALUE = CLASSES;

  reg                 enable_reg;
  reg  [         7:0] margin_reg;
  reg  [        14:0] inputs_reg;
  reg  [        31:0] learnt_reg;
  reg  [        31:0] moved_reg;
  reg  [ROW_BITS-1:0] row_reg;
  reg [PART_BITS-1:0] part_reg;
  reg                 is_mine_reg;
  reg  [        31:0] readdata_reg;

  wire is_learn = (avs_address == REG_LEARNING);
  wire is_latents = (avs_address == REG_LATENTS);
  wire is_count = (avs_address == REG_LEARNT || avs_address == REG_MOVED);
  wire learn_write = avs_write && is_learn && !locked;
  wire refused = avs_write && (is_learn || is_latents) && locked;
  wire fetch = avs_read && is_latents && !locked;
  wire last_part = (part_reg == LAST_PART[PART_BITS-1:0]);

  assign csr_address = refused ? REG_INPUTS : avs_address;
  assign avs_readdata = is_mine_reg ? readdata_reg : csr_readdata;
  assign enable = enable_reg;
  assign margin = margin_reg;
  assign inputs = inputs_reg;
  assign restart = learn_write && avs_writedata[LEARNING_RESTART];
  assign chunk_valid = avs_write && is_latents && !locked;
  // A row is fetched in the cycle in which the last word of the row before it is read.
  assign read_row = row_reg + {{(ROW_BITS - 1) {1'b0}}, fetch && last_part};

  wire [PARTS*32-1:0] parts;
  reg  [        31:0] part;
  integer             i;
  generate
    if (PARTS * 32 > CLASSES * 8) begin : g_rest
      assign parts[PARTS*32-1:CLASSES*8] = {(PARTS * 32 - CLASSES * 8) {1'b0}};
    end
  endgenerate
  assign parts[CLASSES*8-1:0] = word;
  always @* begin
    part = 32'd0;
    for (i = 0; i < PARTS; i = i + 1) begin
      if (part_reg == i[PART_BITS-1:0]) part = parts[i*32+:32];
    end
  end

  always @(posedge clk) begin
    if (learn_write) begin
      enable_reg <= avs_writedata[LEARNING_ENABLE];
      margin_reg <= avs_writedata[LEARNING_MARGIN+:8];
      inputs_reg <= avs_writedata[LEARNING_INPUTS+:15];
      row_reg <= {ROW_BITS{1'b0}};
      part_reg <= {PART_BITS{1'b0}};
    end
    if (fetch) begin
      part_reg <= last_part ? {PART_BITS{1'b0}} : part_reg + 1'b1;
      row_reg  <= read_row;
    end
    learnt_reg <= learnt_reg + {31'd0, learnt};
    moved_reg  <= moved_reg + {31'd0, moved};
    if (avs_read) begin
      is_mine_reg <= is_learn || is_latents || is_count;
      case (avs_address)
        REG_LEARNING:
        readdata_reg <= {1'b0, inputs_reg, margin_reg, 1'b0, CLASSES_VALUE[5:0], enable_reg};
        REG_LATENTS: readdata_reg <= locked ? 32'd0 : part;
        REG_LEARNT: readdata_reg <= learnt_reg;
        default: readdata_reg <= moved_reg;
      endcase
    end
    if (core_reset) begin
      learnt_reg <= 32'd0;
      moved_reg  <= 32'd0;
    end
    if (reset) begin
      enable_reg <= 1'b0;
      margin_reg <= 8'd0;
      inputs_reg <= 15'd0;
      row_reg <= {ROW_BITS{1'b0}};
      part_reg <= {PART_BITS{1'b0}};
    end
  end

endmodule

`default_nettype wire
