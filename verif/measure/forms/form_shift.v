// SPDX-License-Identifier: Apache-2.0
//
// Shifts instead of multiplications: the products of 8-bit pixels and weights +-2^k, summed over a
// word for each of PE neurons, and accumulated as rtl/fcc_pe_array.v does it. Here to be measured:
// no core has it, and verif/measure/METHODS.md says why.
//
// A negative product is the shifted complement of the pixel, 255 * 2^k too much, which depends on
// the weights alone and would be part of the neuron's offset. So the sum is that of (pixel ^ signs)
// * 2^k, and the sign costs an input of the shifter's first multiplexer, not an adder. The products
// are added in a tree with a register behind each level, lest Yosys turn it into counters, which
// cost more.
//
// Schedule, counted from the cycle in which `step` and the word are presented; one word a cycle:
//   cycle LEVELS + 1: offset (sampled where `first` was given)
//   cycle LEVELS + 3: accumulator of a word given with `last`

`default_nettype none

module form_shift #(
    parameter PE        = 4,
    parameter SIMD      = 128,
    // Weights are +-2^0 to +-2^(EXPONENTS-1) (1, 2, 4 or 8).
    parameter EXPONENTS = 8,
    // Bits of a signed accumulator.
    parameter ACC_BITS  = 27
) (
    input  wire                   clk,
    input  wire                   reset,
    // Pixel k at bit 8*k, the same for all PEs.
    input  wire [     8*SIMD-1:0] pixel,
    // Weight k of PE p: sign at bit k*PE + p, exponent at three times that.
    input  wire [    SIMD*PE-1:0] sign,
    input  wire [  3*SIMD*PE-1:0] exponent,
    input  wire                   step,
    input  wire                   first,
    input  wire                   last,
    // Of PE p at bit p*ACC_BITS.
    input  wire [PE*ACC_BITS-1:0] offset,
    output wire [PE*ACC_BITS-1:0] accumulator
);

  localparam BITS = 7 + EXPONENTS;
  localparam [31:0] LAST_EXPONENT = EXPONENTS - 1;
  localparam LEVELS = $clog2(SIMD);
  localparam SUM_BITS = BITS + LEVELS;

  // Bit b of every PE's sum at bit b*PE.
  reg  [SUM_BITS*PE-1:0] sum_reg;
  // Control beside the sums; the newest stage lowest.
  reg  [       LEVELS:0] step_reg;
  reg  [       LEVELS:0] first_reg;
  reg  [       LEVELS:0] last_reg;
  wire [     LEVELS+1:0] steps = {step_reg, step};
  wire [     LEVELS+1:0] firsts = {first_reg, step & first};
  wire [     LEVELS+1:0] lasts = {last_reg, step & last};

  genvar p;
  genvar k;
  genvar l;
  generate
    for (p = 0; p < PE; p = p + 1) begin : g_pe
      for (l = 0; l <= LEVELS; l = l + 1) begin : g_level
        localparam WIDTH = BITS + l;
        localparam NODES = (SIMD + (1 << l) - 1) >> l;
        reg [NODES*WIDTH-1:0] sums_reg;
        for (k = 0; k < NODES; k = k + 1) begin : g_node
          if (l == 0) begin : g_product
            wire [ 7:0] x = pixel[8*k+:8] ^ {8{sign[k*PE+p]}};
            wire [14:0] product;
            if (EXPONENTS > 1) begin : g_shift
              wire [2:0] shift = exponent[3*(k*PE+p)+:3] & LAST_EXPONENT[2:0];
              wire [8:0] near = shift[0] ? {x, 1'b0} : {1'b0, x};
              assign product = {6'd0, near} << {shift[2:1], 1'b0};
            end else begin : g_sign
              assign product = {7'd0, x};
            end
            always @(posedge clk) sums_reg[k*WIDTH+:WIDTH] <= product[WIDTH-1:0];
            wire unused = &{1'b0, product, exponent};
          end else begin : g_sum
            localparam BEFORE = (SIMD + (1 << (l - 1)) - 1) >> (l - 1);
            wire [WIDTH-2:0] left = g_level[l-1].sums_reg[2*k*(WIDTH-1)+:WIDTH-1];
            wire [WIDTH-2:0] right;
            if (2 * k + 1 < BEFORE) begin : g_right
              assign right = g_level[l-1].sums_reg[(2*k+1)*(WIDTH-1)+:WIDTH-1];
            end else begin : g_none
              assign right = {WIDTH - 1{1'b0}};
            end
            always @(posedge clk) sums_reg[k*WIDTH+:WIDTH] <= {1'b0, left} + {1'b0, right};
          end
        end
      end
      for (k = 0; k < SUM_BITS; k = k + 1) begin : g_bit
        always @(posedge clk) sum_reg[k*PE+p] <= g_level[LEVELS].sums_reg[k];
      end
    end
  endgenerate

  always @(posedge clk) begin
    step_reg <= steps[LEVELS:0];
    first_reg <= firsts[LEVELS:0];
    last_reg <= lasts[LEVELS:0];
  end

  fcc_accumulators #(
      .PE        (PE),
      .COUNT_BITS(SUM_BITS),
      .ACC_BITS  (ACC_BITS)
  ) accumulators (
      .clk   (clk),
      .reset (reset),
      .step  (steps[LEVELS+1]),
      .last  (lasts[LEVELS+1]),
      .first (firsts[LEVELS]),
      .halve (1'b0),
      .count (sum_reg),
      .offset(offset),
      .sum   (accumulator)
  );

endmodule

`default_nettype wire
