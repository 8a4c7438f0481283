// SPDX-License-Identifier: Apache-2.0
//
// Form of xnor_popcount for comparison: for each neuron a recursive tree of adders over its XNORs,
// two of its levels registered. The textbook form.
//
// Takes plain bits. Latency: 3 cycles, ports as xnor_popcount.

`default_nettype none

module form_tree #(
    parameter PE   = 4,
    parameter SIMD = 128
) (
    input  wire                         clk,
    input  wire [          SIMD*PE-1:0] activation,
    input  wire [          SIMD*PE-1:0] weight,
    output reg  [$clog2(SIMD+1)*PE-1:0] count
);

  localparam COUNT_BITS = $clog2(SIMD + 1);
  localparam LEVELS = (SIMD > 1) ? $clog2(SIMD) : 1;

  genvar p;
  genvar k;
  generate
    for (p = 0; p < PE; p = p + 1) begin : g_pe
      wire [    SIMD-1:0] same;
      wire [    LEVELS:0] sum;
      for (k = 0; k < SIMD; k = k + 1) begin : g_synapse
        assign same[k] = activation[k*PE+p] ~^ weight[k*PE+p];
      end
      form_tree_node #(
          .LEVEL (LEVELS),
          .INPUTS(SIMD),
          .CUT_A (LEVELS / 3),
          .CUT_B (2 * LEVELS / 3)
      ) root (
          .clk (clk),
          .bits(same),
          .sum (sum)
      );
      for (k = 0; k < COUNT_BITS; k = k + 1) begin : g_count
        always @(posedge clk) count[k*PE+p] <= sum[k];
      end
      wire unused = &{1'b0, sum};
    end
  endgenerate

endmodule

// The sum of INPUTS bits, at most 2^LEVEL; a left subtree is always full, so that all leaves are
// equally deep and the registers stand side by side.
module form_tree_node #(
    parameter LEVEL  = 7,
    parameter INPUTS = 128,
    // A register behind this level; where both are the same level, two.
    parameter CUT_A  = 2,
    parameter CUT_B  = 4
) (
    input  wire              clk,
    input  wire [INPUTS-1:0] bits,
    output wire [   LEVEL:0] sum
);

  localparam HALF = (LEVEL > 0) ? (1 << LEVEL) / 2 : 1;
  localparam LEFT = (INPUTS > HALF) ? HALF : INPUTS;

  wire [LEVEL:0] total;
  wire [LEVEL:0] total_a;

  generate
    if (LEVEL == 0) begin : g_leaf
      assign total = bits;
    end else begin : g_inner
      wire [LEVEL-1:0] left_sum;
      wire [LEVEL-1:0] right_sum;
      form_tree_node #(
          .LEVEL (LEVEL - 1),
          .INPUTS(LEFT),
          .CUT_A (CUT_A),
          .CUT_B (CUT_B)
      ) left (
          .clk (clk),
          .bits(bits[LEFT-1:0]),
          .sum (left_sum)
      );
      if (INPUTS > HALF) begin : g_right
        form_tree_node #(
            .LEVEL (LEVEL - 1),
            .INPUTS(INPUTS - HALF),
            .CUT_A (CUT_A),
            .CUT_B (CUT_B)
        ) right (
            .clk (clk),
            .bits(bits[INPUTS-1:HALF]),
            .sum (right_sum)
        );
      end else begin : g_none
        assign right_sum = {LEVEL{1'b0}};
      end
      assign total = {1'b0, left_sum} + {1'b0, right_sum};
    end

    if (LEVEL == CUT_A) begin : g_cut_a
      reg [LEVEL:0] total_reg;
      always @(posedge clk) total_reg <= total;
      assign total_a = total_reg;
    end else begin : g_no_cut_a
      assign total_a = total;
    end
    if (LEVEL == CUT_B) begin : g_cut_b
      reg [LEVEL:0] total_reg;
      always @(posedge clk) total_reg <= total_a;
      assign sum = total_reg;
    end else begin : g_no_cut_b
      assign sum = total_a;
      wire unused = &{1'b0, clk};
    end
  endgenerate

endmodule

`default_nettype wire
