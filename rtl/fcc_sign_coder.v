// SPDX-License-Identifier: Apache-2.0
//
// Puts the signs of a group's synapses into the chunks of a weight word: the running parities of
// the inverted weights, as xnor_popcount takes them, those of synapse k from bit k*PE on. PEs
// beyond the classes get zeros.
//
// Latency: `chunk` with `chunk_valid` 2 cycles after `give`, with the bits of every synapse taken
// before it. A synapse, a chunk, or both in a cycle.

`default_nettype none

module fcc_sign_coder #(
    // Neurons of a group (>= 1).
    parameter PE = 1,
    // Classes that can learn (>= 1).
    parameter CLASSES = 1,
    // Bits of a group's number (>= 1).
    parameter GROUP_BITS = 1
) (
    input  wire                  clk,
    // Forgets what is left of an earlier walk.
    input  wire                  clear,
    input  wire                  take,
    // The synapse begins a word; its group; where in the chunk it begins, once `give` has been
    // obeyed.
    input  wire                  first,
    input  wire [GROUP_BITS-1:0] group,
    input  wire [           4:0] place,
    // The weight of a class is -1.
    input  wire [   CLASSES-1:0] negative,
    input  wire                  give,
    output reg                   chunk_valid,
    output reg  [          31:0] chunk
);

  // Groups that have classes, and the classes of one.
  localparam GROUPS = (CLASSES + PE - 1) / PE;
  localparam BITS = (CLASSES < PE) ? CLASSES : PE;
  // A synapse begins at most at bit 31 of a chunk, or always at bit 0.
  localparam ALIGNED = (PE % 32 == 0);
  localparam WIDTH = ALIGNED ? ((BITS > 32) ? BITS : 32) : 31 + BITS;

  wire [CLASSES-1:0] coded;
  reg  [CLASSES-1:0] parity_reg;
  reg     [BITS-1:0] code_s1;
  reg          [4:0] place_s1;
  reg                take_s1;
  reg                give_s1;
  reg    [WIDTH-1:0] pending_reg;

  assign coded = (first ? {CLASSES{1'b0}} : parity_reg) ^ negative;

  reg     [BITS-1:0] code;
  integer            g;
  integer            p;
  always @* begin
    code = {BITS{1'b0}};
    for (g = 0; g < GROUPS; g = g + 1) begin
      for (p = 0; p < BITS; p = p + 1) begin
        if (group == g[GROUP_BITS-1:0] && g * PE + p < CLASSES) code[p] = coded[g*PE+p];
      end
    end
  end

  wire [WIDTH-1:0] placed = {{(WIDTH - BITS) {1'b0}}, code_s1} << (ALIGNED ? 5'd0 : place_s1);
  wire [WIDTH-1:0] kept;
  generate
    if (WIDTH > 32) begin : g_more
      assign kept = give_s1 ? {32'd0, pending_reg[WIDTH-1:32]} : pending_reg;
    end else begin : g_one
      assign kept = give_s1 ? 32'd0 : pending_reg;
    end
  endgenerate

  always @(posedge clk) begin
    if (take) parity_reg <= coded;
    take_s1 <= take;
    give_s1 <= give;
    code_s1 <= code;
    place_s1 <= place;
    pending_reg <= kept | (take_s1 ? placed : {WIDTH{1'b0}});
    chunk_valid <= give_s1;
    chunk <= pending_reg[31:0];
    if (clear) begin
      pending_reg <= {WIDTH{1'b0}};
      give_s1 <= 1'b0;
      chunk_valid <= 1'b0;
    end
  end

endmodule

`default_nettype wire
