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
// No multiplexer chooses between offset and accumulator. The accumulator is cleared when a group ends,
// by the flip-flops' own clear, its sum going to a register of its own; the offset is cleared unless a
// group begins. One of the two is zero, so that the lower bits are put together by an OR, and the upper
// ones, where no count is, by the adder itself.
//
// Schedule, counted from the cycle in which `step` and the word are presented:
//   cycle 0: activation, weight, step, first, last, tag
//   cycle 2: offset (sampled where `first` was given)
//   cycle 4: done with bits, accumulator and done_tag of a word given with `last`
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
    // Running parities (see xnor_popcount); synapse k of all PEs at bit k*PE.
    input  wire [    SIMD*PE-1:0] activation,
    input  wire [    SIMD*PE-1:0] weight,
    input  wire                   step,
    input  wire                   first,
    input  wire                   last,
    input  wire [   TAG_BITS-1:0] tag,
    // Offset of PE p without its bit 0, at bit p*ACC_BITS.
    input  wire [PE*ACC_BITS-1:0] offset,
    output reg                    done,
    output reg  [   TAG_BITS-1:0] done_tag,
    output wire [         PE-1:0] bits,
    output wire [PE*ACC_BITS-1:0] accumulator
);

  // Cycles of xnor_popcount.
  localparam COUNT_LATENCY = 3;
  localparam COUNT_BITS = $clog2(SIMD + 1);

  wire [COUNT_BITS*PE-1:0] count;
  reg  [  PE*ACC_BITS-1:0] acc_reg;
  reg  [  PE*ACC_BITS-1:0] sum_reg;
  reg  [  PE*ACC_BITS-1:0] offset_reg;

  // Control beside the popcount; the newest stage lowest.
  reg  [         COUNT_LATENCY-2:0] step_reg;
  reg                               first_reg;
  reg  [         COUNT_LATENCY-2:0] last_reg;
  reg  [COUNT_LATENCY*TAG_BITS-1:0] tag_reg;
  // For the accumulators, each of which goes to all of them: a count is there, it is the last one.
  reg                               move;
  reg                               clear;
  reg                               ends;
  // For the offsets: no group begins.
  reg                               silent;

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
    step_reg <= {step_reg[COUNT_LATENCY-3:0], step};
    first_reg <= step & first;
    silent <= ~first_reg;
    last_reg <= {last_reg[COUNT_LATENCY-3:0], step & last};
    move <= reset | step_reg[COUNT_LATENCY-2];
    clear <= reset | last_reg[COUNT_LATENCY-2];
    ends <= ~reset & last_reg[COUNT_LATENCY-2];
    tag_reg <= {tag_reg[(COUNT_LATENCY-1)*TAG_BITS-1:0], tag};
    done <= ends;
    done_tag <= tag_reg[COUNT_LATENCY*TAG_BITS-1-:TAG_BITS];
    if (reset) begin
      step_reg <= {(COUNT_LATENCY - 1) {1'b0}};
      last_reg <= {(COUNT_LATENCY - 1) {1'b0}};
      done <= 1'b0;
    end
  end

  genvar p;
  genvar b;
  generate
    for (p = 0; p < PE; p = p + 1) begin : g_pe
      wire [COUNT_BITS-1:0] pe_count;
      wire [  ACC_BITS-1:0] acc = acc_reg[p*ACC_BITS+:ACC_BITS];
      wire [  ACC_BITS-1:0] begins = offset_reg[p*ACC_BITS+:ACC_BITS];
      wire [  ACC_BITS-1:0] sum = {acc[ACC_BITS-1:COUNT_BITS],
                                   acc[COUNT_BITS-1:0] | begins[COUNT_BITS-1:0]}
          + {begins[ACC_BITS-1:COUNT_BITS], pe_count};
      for (b = 0; b < COUNT_BITS; b = b + 1) begin : g_bit
        assign pe_count[b] = count[b*PE+p];
      end
      always @(posedge clk) begin
        if (move) acc_reg[p*ACC_BITS+:ACC_BITS] <= clear ? {ACC_BITS{1'b0}} : sum;
        if (ends) sum_reg[p*ACC_BITS+:ACC_BITS] <= sum;
        if (silent) offset_reg[p*ACC_BITS+:ACC_BITS] <= {ACC_BITS{1'b0}};
        else offset_reg[p*ACC_BITS+:ACC_BITS] <= offset[p*ACC_BITS+:ACC_BITS];
      end
      assign bits[p] = ~sum_reg[p*ACC_BITS+ACC_BITS-1];
    end
  endgenerate

  assign accumulator = sum_reg;

endmodule

`default_nettype wire
