// SPDX-License-Identifier: Apache-2.0
//
// The latents of the output layer: an integer of 8 bits for each synapse of each class, whose sign
// is the weight, +1 from 0 on. A row has one synapse of all classes. It moves by what all images of
// a batch add up to,
//   latent = min(127, max(-128, latent + sum over the lanes of +x, -x or 0))      x = +1 or -1
//
// Schedule, counted from the cycle of `take`:
//   cycle 0: take, row, moving, and whether the synapse exists (`exists`)
//   cycle 3: x, a bit of each lane: 1 is +1
//   cycle 5: `negative`: 1 where the weight is -1; the row is written at the end of this cycle
// One row a cycle, never stalls. A row must not come again within 4 cycles.
//
// While nothing is taken, a row can be written with `load`, and is read: `word` is row `read_row`
// of the cycle before.

`default_nettype none

module fcc_latents #(
    // Images in a batch (>= 1).
    parameter LANES = 1,
    // Classes that can learn (>= 1).
    parameter CLASSES = 1,
    // Rows: most inputs of the layer (>= 1).
    parameter DEPTH = 1,
    // Bits of a row's number in a walk (at least as many as DEPTH needs).
    parameter ROW_BITS = 1
) (
    input  wire                                        clk,
    input  wire                                        reset,
    input  wire                                        take,
    input  wire [                        ROW_BITS-1:0] row,
    input  wire                                        exists,
    input  wire                                        moving,
    input  wire [                           LANES-1:0] x,
    // Of lane l, class c at bit c*LANES + l: it moves, towards the image (see fcc_learn_moves).
    input  wire [                   CLASSES*LANES-1:0] moves,
    input  wire [                   CLASSES*LANES-1:0] ups,
    output wire [                         CLASSES-1:0] negative,
    input  wire                                        load,
    input  wire [((DEPTH > 1) ? $clog2(DEPTH) : 1)-1:0] load_row,
    // Class c at bit 8*c.
    input  wire [                       CLASSES*8-1:0] load_word,
    input  wire [((DEPTH > 1) ? $clog2(DEPTH) : 1)-1:0] read_row,
    output wire [                       CLASSES*8-1:0] word
);

  localparam ADDRESS_BITS = (DEPTH > 1) ? $clog2(DEPTH) : 1;
  // Of a signed sum of LANES steps.
  localparam STEP_BITS = $clog2(LANES + 1) + 1;
  localparam SUM_BITS = ((STEP_BITS > 8) ? STEP_BITS : 8) + 1;

  reg  [             4:0] take_reg;
  reg  [             4:0] exists_reg;
  reg  [             2:0] moving_reg;
  reg  [ADDRESS_BITS-1:0] row_s1;
  reg  [ADDRESS_BITS-1:0] row_s2;
  reg  [ADDRESS_BITS-1:0] row_s3;
  reg  [ADDRESS_BITS-1:0] row_s4;
  reg  [ADDRESS_BITS-1:0] row_s5;
  reg  [   CLASSES*8-1:0] latents_s4;
  reg  [   CLASSES*8-1:0] latents_s5;
  wire                    walking = take_reg[1];
  wire                    write = take_reg[4] && exists_reg[4];

  always @(posedge clk) begin
    take_reg <= {take_reg[3:0], take};
    exists_reg <= {exists_reg[3:0], exists};
    moving_reg <= {moving_reg[1:0], moving};
    row_s1 <= row[ADDRESS_BITS-1:0];
    row_s2 <= row_s1;
    row_s3 <= row_s2;
    row_s4 <= row_s3;
    row_s5 <= row_s4;
    latents_s4 <= word;
    if (reset) take_reg <= 5'd0;
  end

  fcc_memory #(
      .WIDTH    (CLASSES * 8),
      .DEPTH    (DEPTH),
      .INIT_FILE("")
  ) rows (
      .clk          (clk),
      .write        (write || load),
      .write_address(write ? row_s5 : load_row),
      .write_data   (write ? latents_s5 : load_word),
      .read_address (walking ? row_s2 : read_row),
      .read_data    (word)
  );

  genvar c;
  generate
    for (c = 0; c < CLASSES; c = c + 1) begin : g_class
      wire [  LANES-1:0] plus = moves[c*LANES+:LANES] & ~(x ^ ups[c*LANES+:LANES]);
      wire [  LANES-1:0] minus = moves[c*LANES+:LANES] & (x ^ ups[c*LANES+:LANES]);
      reg [STEP_BITS-1:0] step;
      reg [STEP_BITS-1:0] step_s4;
      integer            l;
      always @* begin
        step = {STEP_BITS{1'b0}};
        for (l = 0; l < LANES; l = l + 1) begin
          step = step + {{(STEP_BITS - 1) {minus[l]}}, plus[l] | minus[l]};
        end
      end

      wire [7:0] latent = latents_s4[c*8+:8];
      wire [SUM_BITS-1:0] sum = {{(SUM_BITS - 8) {latent[7]}}, latent}
          + {{(SUM_BITS - STEP_BITS) {step_s4[STEP_BITS-1]}}, step_s4};
      // Beyond eight bits where those above bit 7 do not repeat it.
      wire beyond = (sum[SUM_BITS-1:7] != {(SUM_BITS - 7) {sum[SUM_BITS-1]}});
      always @(posedge clk) begin
        step_s4 <= moving_reg[2] ? step : {STEP_BITS{1'b0}};
        latents_s5[c*8+:8] <= beyond ? {sum[SUM_BITS-1], {7{!sum[SUM_BITS-1]}}} : sum[7:0];
      end
      assign negative[c] = exists_reg[4] && latents_s5[c*8+7];
    end
  endgenerate

  // A walk goes through the last word's padding, too.
  wire unused = &{1'b0, row};

endmodule

`default_nettype wire
