// SPDX-License-Identifier: Apache-2.0
//
// fcc_latents: of any row and class, the latent that is written is the one that was read and what
// all lanes add up to, clipped to eight bits once, at the end; where it may not move, the one that
// was read. Its sign comes 5 cycles behind `take`. No other row is written, none that does not
// exist, and a row that is loaded is what is read. A reset ends what is on its way.
//
// Assumed: a row does not come again within 4 cycles (fcc_learn_walk: a group's walk through the
// rows takes longer); nothing is loaded while a row is on its way (a core that learns is locked).

`default_nettype none

module latents #(
    parameter LANES = 3,
    parameter CLASSES = 2,
    parameter DEPTH = 3
) (
    input wire                     clk,
    input wire                     reset,
    input wire                     take,
    input wire [              2:0] row,
    input wire                     exists,
    input wire                     moving,
    input wire [        LANES-1:0] x,
    input wire [CLASSES*LANES-1:0] moves,
    input wire [CLASSES*LANES-1:0] ups,
    input wire                     load,
    input wire [              1:0] load_row,
    input wire [    CLASSES*8-1:0] load_word,
    input wire [              1:0] read_row
);

  // Any one row and class.
  (* anyconst *) wire [1:0] its_row;
  (* anyconst *) wire [$clog2(CLASSES)-1:0] its_class;

  wire [CLASSES-1:0] negative;
  wire [CLASSES*8-1:0] word;

  fcc_latents #(
      .LANES   (LANES),
      .CLASSES (CLASSES),
      .DEPTH   (DEPTH),
      .ROW_BITS(3)
  ) dut (
      .clk      (clk),
      .reset    (reset),
      .take     (take),
      .row      (row),
      .exists   (exists),
      .moving   (moving),
      .x        (x),
      .moves    (moves),
      .ups      (ups),
      .negative (negative),
      .load     (load),
      .load_row (load_row),
      .load_word(load_word),
      .read_row (read_row),
      .word     (word)
  );

  reg started = 1'b0;
  // What the row holds, once it has been loaded.
  reg known;
  reg signed [7:0] latent;
  // Rows taken 1 to 5 cycles ago: whether one was, whether it is this one and exists, may move.
  reg [4:0] taken;
  reg [4:0] mine;
  reg [4:0] there;
  reg [4:0] may_move;
  reg [14:0] rows;
  // What the lanes add up to.
  reg signed [15:0] sum;
  reg signed [15:0] sum_s4;
  reg signed [15:0] sum_s5;
  reg asked;

  integer l;
  always @* begin
    sum = 16'sd0;
    for (l = 0; l < LANES; l = l + 1) begin
      if (moves[its_class*LANES+l] && may_move[2]) begin
        sum = (ups[its_class*LANES+l] == x[l]) ? sum + 16'sd1 : sum - 16'sd1;
      end
    end
  end

  wire signed [15:0] wide = latent + sum_s5;
  wire signed [7:0] clipped = (wide > 127) ? 8'sd127 : (wide < -128) ? -8'sd128 : wide[7:0];

  always @* begin
    if (!started) assume (reset);
    if (its_row >= DEPTH) assume (0);
    if (its_class >= CLASSES) assume (0);
    if (take && exists) assume (row < DEPTH);
    for (l = 0; l < 4; l = l + 1) begin
      if (take && taken[l]) assume (row != rows[3*l+:3]);
    end
    if (load) assume (load_row < DEPTH && !take && taken == 5'd0);
  end

  always @(posedge clk) begin
    started <= 1'b1;
    taken <= {taken[3:0], take};
    mine <= {mine[3:0], take && row == its_row};
    there <= {there[3:0], exists};
    may_move <= {may_move[3:0], moving};
    rows <= {rows[11:0], row};
    sum_s4 <= sum;
    sum_s5 <= sum_s4;
    if (mine[4] && there[4]) latent <= clipped;
    if (load && load_row == its_row) begin
      latent <= load_word[its_class*8+:8];
      known <= 1'b1;
    end
    asked <= read_row == its_row && !take && taken == 5'd0;
    if (reset) begin
      taken <= 5'd0;
      mine <= 5'd0;
      if (!started) known <= 1'b0;
    end
  end

  // Read in a cycle in which nothing was on its way, written or loaded.
  reg still;
  always @(posedge clk) still <= !load;

  always @* begin
    if (started && known) begin
      if (mine[4] && there[4]) assert (negative[its_class] == (clipped < 0));
      if (mine[4] && !there[4]) assert (!negative[its_class]);
      if (asked && still) assert (word[its_class*8+:8] == latent);
    end
  end

endmodule

`default_nettype wire
