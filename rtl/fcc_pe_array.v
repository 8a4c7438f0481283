// SPDX-License-Identifier: Apache-2.0
//
// The PEs of one lane: XNOR, population count, accumulation over the words of a layer, decision.
//
// A neuron's accumulator starts at its offset's upper bits and gains the popcount of every word, so
// that after the last word {accumulator, offset bit 0} = 2P + offset, the neuron's score. For a
// hidden neuron with threshold T the offset is 1 - 2T, so that the score is not negative exactly
// when P >= T: the activation bit is the inverted sign, and no comparator is needed. For an output
// neuron the offset is bias - n and the score is the class score.
//
// Schedule, counted from the cycle in which `step` and the word are presented:
//   cycle 0: activation, weight, step, first, last, tag
//   cycle 2: offset (sampled where `first` was given)
//   cycle 3: done with bits, accumulator and done_tag of a word given with `last`
// One word a cycle, never stalls.

`default_nettype none

module fcc_pe_array #(
    // Neurons side by side (>= 1).
    parameter PE = 32,
    // Synapses per PE and cycle (>= 1).
    parameter SIMD = 128,
    // Bits of a signed accumulator: must hold offset/2 + P.
    parameter ACC_BITS = 12,
    // Bits that travel with a group (>= 1).
    parameter TAG_BITS = 2
) (
    input  wire                   clk,
    input  wire                   reset,
    // Synapse k of all PEs at bit k*PE.
    input  wire [    SIMD*PE-1:0] activation,
    input  wire [    SIMD*PE-1:0] weight,
    input  wire                   step,
    input  wire                   first,
    input  wire                   last,
    input  wire [   TAG_BITS-1:0] tag,
    // Offset of PE p without its bit 0, at bit p*ACC_BITS.
    input  wire [PE*ACC_BITS-1:0] offset,
    output wire                   done,
    output wire [   TAG_BITS-1:0] done_tag,
    output wire [         PE-1:0] bits,
    output wire [PE*ACC_BITS-1:0] accumulator
);

  localparam COUNT_BITS = $clog2(SIMD + 1);

  wire [COUNT_BITS*PE-1:0] count;
  reg  [  PE*ACC_BITS-1:0] acc_reg;

  reg                      step_s1;
  reg                      first_s1;
  reg                      last_s1;
  reg  [     TAG_BITS-1:0] tag_s1;
  reg                      step_s2;
  reg                      first_s2;
  reg                      last_s2;
  reg  [     TAG_BITS-1:0] tag_s2;
  reg                      done_reg;
  reg  [     TAG_BITS-1:0] done_tag_reg;

  xnor_popcount #(
      .PE  (PE),
      .SIMD(SIMD)
  ) popcount (
      .clk       (clk),
      .activation(activation),
      .weight    (weight),
      .count     (count)
  );

  always @(posedge clk) begin
    step_s1 <= step;
    first_s1 <= first;
    last_s1 <= last;
    tag_s1 <= tag;
    step_s2 <= step_s1;
    first_s2 <= first_s1;
    last_s2 <= last_s1;
    tag_s2 <= tag_s1;
    done_reg <= step_s2 & last_s2;
    done_tag_reg <= tag_s2;
    if (reset) begin
      step_s1  <= 1'b0;
      step_s2  <= 1'b0;
      done_reg <= 1'b0;
    end
  end

  genvar p;
  genvar b;
  generate
    for (p = 0; p < PE; p = p + 1) begin : g_pe
      wire [COUNT_BITS-1:0] pe_count;
      wire [  ACC_BITS-1:0] base = first_s2 ? offset[p*ACC_BITS+:ACC_BITS]
                                            : acc_reg[p*ACC_BITS+:ACC_BITS];
      for (b = 0; b < COUNT_BITS; b = b + 1) begin : g_bit
        assign pe_count[b] = count[b*PE+p];
      end
      always @(posedge clk) begin
        if (step_s2) begin
          acc_reg[p*ACC_BITS+:ACC_BITS] <= base + {{(ACC_BITS - COUNT_BITS) {1'b0}}, pe_count};
        end
      end
      assign bits[p] = ~acc_reg[p*ACC_BITS+ACC_BITS-1];
    end
  endgenerate

  assign done = done_reg;
  assign done_tag = done_tag_reg;
  assign accumulator = acc_reg;

endmodule

`default_nettype wire
