// SPDX-License-Identifier: Apache-2.0
//
// xnor_popcount: three cycles after a word and its weights the count of their equal bits is on
// `count`, for words of several lengths and two PEs. Nothing is assumed but the coding of both.

`default_nettype none

module popcount_property #(
    // Synapses.
    parameter SIMD = 8
) (
    input wire              clk,
    // Of PE p at bit p*SIMD.
    input wire [2*SIMD-1:0] x,
    input wire [2*SIMD-1:0] w
);

  localparam PE = 2;
  localparam BITS = $clog2(SIMD + 1);

  wire [SIMD*PE-1:0] activation;
  wire [SIMD*PE-1:0] weight;
  wire [BITS*PE-1:0] count;
  reg  [        1:0] age = 2'd0;

  xnor_popcount #(
      .PE  (PE),
      .SIMD(SIMD)
  ) dut (
      .clk       (clk),
      .activation(activation),
      .weight    (weight),
      .count     (count)
  );

  always @(posedge clk) if (age != 2'd3) age <= age + 2'd1;

  genvar p;
  genvar k;
  generate
    for (p = 0; p < PE; p = p + 1) begin : g_pe
      wire [SIMD-1:0] pe_x = x[p*SIMD+:SIMD];
      wire [SIMD-1:0] pe_w = w[p*SIMD+:SIMD];
      wire [BITS-1:0] pe_count;
      reg  [BITS-1:0] want;
      reg  [BITS-1:0] want_s1;
      reg  [BITS-1:0] want_s2;
      reg  [BITS-1:0] want_s3;
      integer         i;
      for (k = 0; k < SIMD; k = k + 1) begin : g_synapse
        assign activation[k*PE+p] = ^pe_x[k:0];
        assign weight[k*PE+p] = ^(~pe_w[k:0]);
      end
      for (k = 0; k < BITS; k = k + 1) begin : g_bit
        assign pe_count[k] = count[k*PE+p];
      end
      always @* begin
        want = {BITS{1'b0}};
        for (i = 0; i < SIMD; i = i + 1) want = want + (pe_x[i] == pe_w[i]);
      end
      always @(posedge clk) begin
        want_s1 <= want;
        want_s2 <= want_s1;
        want_s3 <= want_s2;
        if (age == 2'd3) assert (pe_count == want_s3);
      end
    end
  endgenerate

endmodule

module popcount #(
    parameter SIZES = 9,
    // Lengths of the words.
    parameter [8*SIZES-1:0] SIMDS = {8'd1, 8'd2, 8'd3, 8'd4, 8'd5, 8'd7, 8'd8, 8'd11, 8'd12}
) (
    input wire                 clk,
    input wire [128*SIZES-1:0] x,
    input wire [128*SIZES-1:0] w
);

  genvar i;
  generate
    for (i = 0; i < SIZES; i = i + 1) begin : g_size
      popcount_property #(
          .SIMD(SIMDS[8*i+:8])
      ) property_i (
          .clk(clk),
          .x  (x[128*i+:2*SIMDS[8*i+:8]]),
          .w  (w[128*i+:2*SIMDS[8*i+:8]])
      );
    end
  endgenerate

endmodule

`default_nettype wire
