// SPDX-License-Identifier: Apache-2.0
//
// fcc_pe_array: a group's result is its offset plus the equal bits of all its words, cut to the
// accumulator's width, however long the group and however many cycles pass between its words;
// `done`, the tag, the bits and the accumulators come 3 and 4 cycles after the group's last word.
//
// Assumed: a group's words begin with `first` and end with `last`; a reset starts with a new group.

`default_nettype none

module accumulate #(
    parameter PE = 3,
    parameter SIMD = 3,
    parameter TAPS = 2,
    parameter ACC_BITS = 4
) (
    input wire                   clk,
    input wire                   reset,
    // Of tap t at bit t*SIMD.
    input wire [  TAPS*SIMD-1:0] x,
    // Of PE p at bit p*SIMD.
    input wire [    PE*SIMD-1:0] w,
    input wire                   step,
    input wire                   first,
    input wire                   last,
    input wire [            1:0] tag,
    input wire [PE*ACC_BITS-1:0] offset
);

  wire [  SIMD*TAPS-1:0] activation;
  wire [    SIMD*PE-1:0] weight;
  wire                   done;
  wire [            1:0] done_tag;
  wire [         PE-1:0] bits;
  wire [PE*ACC_BITS-1:0] accumulator;

  fcc_pe_array #(
      .PE      (PE),
      .SIMD    (SIMD),
      .TAPS    (TAPS),
      .ACC_BITS(ACC_BITS),
      .TAG_BITS(2)
  ) dut (
      .clk        (clk),
      .reset      (reset),
      .activation (activation),
      .weight     (weight),
      .step       (step),
      .first      (first),
      .last       (last),
      .halve      (1'b0),
      .tag        (tag),
      .offset     (offset),
      .done       (done),
      .done_tag   (done_tag),
      .bits       (bits),
      .accumulator(accumulator)
  );

  // Inside: the accumulators of PEs 0 to 2.
  (* hierconn *) wire [ACC_BITS-1:0] \dut.g_tap[0].g_block[0].accumulators.g_pe[0].acc_reg ;
  (* hierconn *) wire [ACC_BITS-1:0] \dut.g_tap[1].g_block[0].accumulators.g_pe[0].acc_reg ;
  (* hierconn *) wire [ACC_BITS-1:0] \dut.g_tap[1].g_block[0].accumulators.g_pe[1].acc_reg ;
  wire [PE*ACC_BITS-1:0] accs = {\dut.g_tap[1].g_block[0].accumulators.g_pe[1].acc_reg ,
                                 \dut.g_tap[1].g_block[0].accumulators.g_pe[0].acc_reg ,
                                 \dut.g_tap[0].g_block[0].accumulators.g_pe[0].acc_reg };

  reg       started = 1'b0;
  reg       reset_s1 = 1'b1;
  // Within a group: after the word of this cycle's step, and 1 to 3 cycles later.
  reg       open = 1'b0;
  reg       open_s1 = 1'b0;
  reg       open_s2 = 1'b0;
  reg       open_s3 = 1'b0;
  reg [2:0] step_s = 3'd0;
  reg [1:0] first_s;
  reg [3:0] last_s = 4'd0;
  reg [1:0] tag_s1;
  reg [1:0] tag_s2;
  reg [1:0] tag_s3;

  always @* begin
    if (!started) assume (reset);
    if (step) assume (first == !open);
  end

  always @(posedge clk) begin
    started <= 1'b1;
    reset_s1 <= reset;
    if (step) open <= !last;
    open_s1 <= open;
    open_s2 <= open_s1;
    open_s3 <= open_s2;
    step_s <= {step_s[1:0], step};
    first_s <= {first_s[0], first};
    last_s <= {last_s[2:0], step && last};
    tag_s1 <= tag;
    tag_s2 <= tag_s1;
    tag_s3 <= tag_s2;
    if (reset) begin
      {open, open_s1, open_s2, open_s3} <= 4'd0;
      step_s <= 3'd0;
      last_s <= 4'd0;
    end
    if (started) begin
      assert (done == last_s[2]);
      if (done) assert (done_tag == tag_s3);
    end
  end

  genvar p;
  genvar k;
  genvar t;
  generate
    for (t = 0; t < TAPS; t = t + 1) begin : g_tap
      wire [SIMD-1:0] word = x[t*SIMD+:SIMD];
      for (k = 0; k < SIMD; k = k + 1) begin : g_bit
        assign activation[t*SIMD+k] = ^word[k:0];
      end
    end
    for (p = 0; p < PE; p = p + 1) begin : g_pe
      // The PEs of its tap.
      localparam TAP = ((p + 1) * TAPS - 1) / PE;
      localparam FIRST = TAP * PE / TAPS;
      localparam SHARING = (TAP + 1) * PE / TAPS - FIRST;
      wire [    SIMD-1:0] pe_x = x[TAP*SIMD+:SIMD];
      wire [    SIMD-1:0] pe_w = w[p*SIMD+:SIMD];
      reg  [ACC_BITS-1:0] count;
      reg  [ACC_BITS-1:0] count_s1;
      reg  [ACC_BITS-1:0] count_s2;
      // The group's sum so far.
      reg  [ACC_BITS-1:0] sum_s3;
      reg  [ACC_BITS-1:0] sum_s4;
      integer             i;
      for (k = 0; k < SIMD; k = k + 1) begin : g_synapse
        assign weight[FIRST*SIMD+k*SHARING+p-FIRST] = ^(~pe_w[k:0]);
      end
      always @* begin
        count = {ACC_BITS{1'b0}};
        for (i = 0; i < SIMD; i = i + 1) count = count + (pe_x[i] == pe_w[i]);
      end
      always @(posedge clk) begin
        count_s1 <= count;
        count_s2 <= count_s1;
        if (step_s[1]) sum_s3 <= count_s2 + (first_s[1] ? offset[p*ACC_BITS+:ACC_BITS] : sum_s3);
        sum_s4 <= sum_s3;
        if (started && last_s[3]) begin
          assert (accumulator[p*ACC_BITS+:ACC_BITS] == sum_s4);
          assert (bits[p] == !sum_s4[ACC_BITS-1]);
        end
      end

      // For the induction: an accumulator stands at the sum so far, and is clear between groups.
      always @* begin
        if (started && !reset_s1) begin
          assert (accs[p*ACC_BITS+:ACC_BITS] == (open_s3 ? sum_s4 : {ACC_BITS{1'b0}}));
        end
      end
    end
  endgenerate

endmodule

`default_nettype wire
