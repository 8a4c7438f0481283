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
//   cycle 0: activation, weight, step, first, last, halve, tag
//   cycle 2: offset (sampled where `first` was given)
//   cycle 3: done and done_tag of a word given with `last`
//   cycle 4: its bits and accumulator
// One word a cycle, never stalls.

`default_nettype none

module fcc_pe_array #(
    // Neurons side by side (>= 1).
    parameter PE = 1,
    // Synapses per PE and cycle (>= 1).
    parameter SIMD = 1,
    // Ring positions that PEs see (1 to PE): the PEs of a tap stand beside each other, those of tap
    // t from PE floor(t*PE / TAPS) on.
    parameter TAPS = 1,
    // Bits of a signed accumulator: must hold offset/2 + P.
    parameter ACC_BITS = 2,
    // Bits that travel with a group (>= 1).
    parameter TAG_BITS = 1,
    // 1: `halve` is looked at. 0: it is not.
    parameter HALVE = 0
) (
    input  wire                   clk,
    input  wire                   reset,
    // Running parities (see xnor_popcount) of the word at each tap, that of tap t at bit t*SIMD.
    input  wire [  SIMD*TAPS-1:0] activation,
    // Tap by tap: where a tap's PEs are `first` and the ones behind it, N in all, synapse k of them
    // at bit first*SIMD + k*N.
    input  wire [    SIMD*PE-1:0] weight,
    input  wire                   step,
    input  wire                   first,
    input  wire                   last,
    // With the first word of a plane of numbers behind the first one (see fcc_accumulators).
    input  wire                   halve,
    input  wire [   TAG_BITS-1:0] tag,
    // Offset of PE p without its bit 0, at bit p*ACC_BITS.
    input  wire [PE*ACC_BITS-1:0] offset,
    output wire                   done,
    output wire [   TAG_BITS-1:0] done_tag,
    output wire [         PE-1:0] bits,
    output wire [PE*ACC_BITS-1:0] accumulator
);

  // Cycles of xnor_popcount.
  localparam COUNT_LATENCY = 3;
  localparam COUNT_BITS = $clog2(SIMD + 1);
  // PEs that share a copy of the accumulators' controls, all of one tap: they will stand near it.
  localparam BLOCK = 16;

  // Control beside the popcount; the newest stage lowest.
  reg  [         COUNT_LATENCY-2:0] step_reg;
  reg                               first_reg;
  reg  [         COUNT_LATENCY-1:0] last_reg;
  reg  [COUNT_LATENCY*TAG_BITS-1:0] tag_reg;

  always @(posedge clk) begin
    step_reg <= {step_reg[COUNT_LATENCY-3:0], step};
    first_reg <= step & first;
    last_reg <= {last_reg[COUNT_LATENCY-2:0], step & last};
    tag_reg <= {tag_reg[(COUNT_LATENCY-1)*TAG_BITS-1:0], tag};
    if (reset) begin
      step_reg <= {(COUNT_LATENCY - 1) {1'b0}};
      last_reg <= {COUNT_LATENCY{1'b0}};
    end
  end

  assign done = last_reg[COUNT_LATENCY-1];
  assign done_tag = tag_reg[COUNT_LATENCY*TAG_BITS-1-:TAG_BITS];

  genvar t;
  genvar k;
  genvar i;
  genvar p;
  genvar b;
  generate
    for (t = 0; t < TAPS; t = t + 1) begin : g_tap
      localparam FIRST = t * PE / TAPS;
      localparam SHARING = (t + 1) * PE / TAPS - FIRST;
      wire [SIMD*SHARING-1:0] shared;
      wire [COUNT_BITS*SHARING-1:0] count;
      for (k = 0; k < SIMD; k = k + 1) begin : g_plane
        assign shared[k*SHARING+:SHARING] = {SHARING{activation[t*SIMD+k]}};
      end
      xnor_popcount #(
          .PE  (SHARING),
          .SIMD(SIMD)
      ) popcount (
          .clk       (clk),
          .activation(shared),
          .weight    (weight[FIRST*SIMD+:SHARING*SIMD]),
          .count     (count)
      );
      for (i = 0; i < SHARING; i = i + BLOCK) begin : g_block
        localparam PES = (SHARING - i < BLOCK) ? SHARING - i : BLOCK;
        wire [COUNT_BITS*PES-1:0] block_count;
        wire [  PES*ACC_BITS-1:0] block_sum;
        fcc_accumulators #(
            .PE        (PES),
            .COUNT_BITS(COUNT_BITS),
            .ACC_BITS  (ACC_BITS),
            .HALVE     (HALVE)
        ) accumulators (
            .clk   (clk),
            .reset (reset),
            .step  (step_reg[COUNT_LATENCY-2]),
            .last  (last_reg[COUNT_LATENCY-2]),
            .first (first_reg),
            .halve (halve),
            .count (block_count),
            .offset(offset[(FIRST+i)*ACC_BITS+:PES*ACC_BITS]),
            .sum   (block_sum)
        );
        for (b = 0; b < COUNT_BITS; b = b + 1) begin : g_bit
          assign block_count[b*PES+:PES] = count[b*SHARING+i+:PES];
        end
        assign accumulator[(FIRST+i)*ACC_BITS+:PES*ACC_BITS] = block_sum;
        for (p = 0; p < PES; p = p + 1) begin : g_pe
          assign bits[FIRST+i+p] = ~block_sum[p*ACC_BITS+ACC_BITS-1];
        end
      end
    end
  endgenerate

endmodule

`default_nettype wire
