// SPDX-License-Identifier: Apache-2.0
//
// All forms of verif/forms, several sizes each, side by side, so that one build tests them all.
// Every instance gets the low bits of the same inputs: plain bits, running parities computed from
// them word by word, or pixels and weights of powers of two.

`default_nettype none

module forms_sizes (
    input  wire             clk,
    // Synapse k of PE p at bit k*3 + p.
    input  wire [    383:0] activation,
    input  wire [    383:0] weight,
    // Form f of size n at bit (f*6 + n)*32.
    output wire [4*6*32-1:0] counts,
    // SIMD of size n at bit n*8.
    output wire [   6*8-1:0] sizes,

    // form_shift, its ports for the largest size.
    input  wire              reset,
    input  wire [  8*37-1:0] pixel,
    input  wire [  3*37-1:0] sign,
    input  wire [3*3*37-1:0] exponent,
    input  wire              step,
    input  wire              first,
    input  wire              last,
    // Of PE p for size n at bit (n*3 + p)*27.
    input  wire [3*3*27-1:0] offset,
    // Of PE p with exponents e and size n at bit ((e*3 + n)*3 + p)*27.
    output wire [4*3*3*27-1:0] accumulators
);

  localparam PE = 3;
  localparam COUNT = 6;
  localparam [8*COUNT-1:0] SIZES = {8'd128, 8'd37, 8'd12, 8'd5, 8'd2, 8'd1};

  assign sizes = SIZES;

  wire [383:0] activation_coded;
  wire [383:0] weight_coded;
  genvar k;
  genvar n;
  generate
    assign activation_coded[PE-1:0] = activation[PE-1:0];
    assign weight_coded[PE-1:0] = ~weight[PE-1:0];
    for (k = 1; k < 128; k = k + 1) begin : g_code
      assign activation_coded[k*PE+:PE] = activation_coded[(k-1)*PE+:PE] ^ activation[k*PE+:PE];
      assign weight_coded[k*PE+:PE] = weight_coded[(k-1)*PE+:PE] ^ ~weight[k*PE+:PE];
    end

    for (n = 0; n < COUNT; n = n + 1) begin : g_size
      localparam SIMD = SIZES[8*n+:8];
      localparam BITS = SIMD * PE;
      wire [$clog2(SIMD+1)*PE-1:0] tree;
      wire [$clog2(SIMD+1)*PE-1:0] plus;
      wire [$clog2(SIMD+1)*PE-1:0] chains;
      wire [$clog2(SIMD+1)*PE-1:0] parity;
      form_tree #(
          .PE  (PE),
          .SIMD(SIMD)
      ) form_0 (
          .clk       (clk),
          .activation(activation[BITS-1:0]),
          .weight    (weight[BITS-1:0]),
          .count     (tree)
      );
      form_plus #(
          .PE  (PE),
          .SIMD(SIMD)
      ) form_1 (
          .clk       (clk),
          .activation(activation[BITS-1:0]),
          .weight    (weight[BITS-1:0]),
          .count     (plus)
      );
      form_chains #(
          .PE  (PE),
          .SIMD(SIMD)
      ) form_2 (
          .clk       (clk),
          .activation(activation[BITS-1:0]),
          .weight    (weight[BITS-1:0]),
          .count     (chains)
      );
      form_parity #(
          .PE  (PE),
          .SIMD(SIMD)
      ) form_3 (
          .clk       (clk),
          .activation(activation_coded[BITS-1:0]),
          .weight    (weight_coded[BITS-1:0]),
          .count     (parity)
      );
      assign counts[(0*COUNT+n)*32+:32] = tree;
      assign counts[(1*COUNT+n)*32+:32] = plus;
      assign counts[(2*COUNT+n)*32+:32] = chains;
      assign counts[(3*COUNT+n)*32+:32] = parity;
    end
  endgenerate

  localparam SHIFT_COUNT = 3;
  localparam [8*SHIFT_COUNT-1:0] SHIFT_SIZES = {8'd37, 8'd6, 8'd1};
  genvar e;
  generate
    for (e = 0; e < 4; e = e + 1) begin : g_exponents
      for (n = 0; n < SHIFT_COUNT; n = n + 1) begin : g_shift
        localparam SIMD = SHIFT_SIZES[8*n+:8];
        form_shift #(
            .PE       (PE),
            .SIMD     (SIMD),
            .EXPONENTS(1 << e)
        ) form_4 (
            .clk        (clk),
            .reset      (reset),
            .pixel      (pixel[8*SIMD-1:0]),
            .sign       (sign[SIMD*PE-1:0]),
            .exponent   (exponent[3*SIMD*PE-1:0]),
            .step       (step),
            .first      (first),
            .last       (last),
            .offset     (offset[n*PE*27+:PE*27]),
            .accumulator(accumulators[(e*SHIFT_COUNT+n)*PE*27+:PE*27])
        );
      end
    end
  endgenerate

endmodule

`default_nettype wire
