// SPDX-License-Identifier: Apache-2.0
//
// The accumulators of some PEs, with controls of their own: a net that reached all accumulators of
// a lane would be the slowest one of the core. Synthesis would merge the copies, hence the
// attributes: keep_hierarchy for Yosys, dont_merge for Quartus.
//
// No multiplexer chooses between offset and accumulator. The accumulator is cleared when a group
// ends, by the flip-flops' own clear, its sum going to a register of its own; the offset is cleared
// unless a group begins. One of the two is zero, so that the lower bits are put together by an OR,
// and the upper ones, where no count is, by the adder itself.
//
// Where the inputs of a layer are numbers, their bits come plane by plane, the lowest first. In
// front of each further plane the accumulator is halved: whether a sum is negative its halves
// rounded down still tell, and what has been halved away no sign depends on:
//   offset/2 + P0 + 2*P1 >= 0  exactly if  floor((offset/2 + P0) / 2) + P1 >= 0
//
// Latency: a count is added in the cycle after `step`; one cycle later `sum` has it too, for that
// cycle.

`default_nettype none

(* keep_hierarchy = "yes" *)
module fcc_accumulators #(
    // PEs (>= 1).
    parameter PE = 1,
    // Bits of a count (>= 1).
    parameter COUNT_BITS = 1,
    // Bits of a signed accumulator, which must hold offset/2 + P (more than COUNT_BITS).
    parameter ACC_BITS = 2,
    // 1: `halve` is looked at. 0: it is not.
    parameter HALVE = 0
) (
    input  wire                     clk,
    // There is a count in the next cycle; it is the last one of its group (only with `step`).
    input  wire                     step,
    input  wire                     last,
    // There is the first count of a group in two cycles: the offset is taken in the next one.
    input  wire                     first,
    // The count of the third cycle from here is added to half of what its group has so far.
    input  wire                     halve,
    // All of it starts from nothing.
    input  wire                     reset,
    // Bit b of the count of PE p at bit b*PE + p.
    input  wire [COUNT_BITS*PE-1:0] count,
    // Of PE p at bit p*ACC_BITS.
    input  wire [  PE*ACC_BITS-1:0] offset,
    output wire [  PE*ACC_BITS-1:0] sum
);

  (* dont_merge *) reg move_s1;
  (* dont_merge *) reg clear_s1;
  (* dont_merge *) reg silent_s1;

  always @(posedge clk) begin
    move_s1 <= step;
    clear_s1 <= reset | last;
    silent_s1 <= ~first;
  end

  wire halved;
  genvar p;
  genvar b;
  generate
    if (HALVE != 0) begin : g_halve
      (* dont_merge *) reg [2:0] halve_reg;
      always @(posedge clk) halve_reg <= {halve_reg[1:0], halve};
      assign halved = halve_reg[2];
    end else begin : g_keep
      assign halved = 1'b0;
      wire unused = &{1'b0, halve};
    end
    for (p = 0; p < PE; p = p + 1) begin : g_pe
      wire [COUNT_BITS-1:0] pe_count;
      reg  [  ACC_BITS-1:0] acc_reg;
      wire [  ACC_BITS-1:0] held = halved ? {acc_reg[ACC_BITS-1], acc_reg[ACC_BITS-1:1]} : acc_reg;
      reg  [  ACC_BITS-1:0] offset_reg;
      reg  [  ACC_BITS-1:0] sum_reg;
      wire [  ACC_BITS-1:0] next = {held[ACC_BITS-1:COUNT_BITS],
                                    held[COUNT_BITS-1:0] | offset_reg[COUNT_BITS-1:0]}
          + {offset_reg[ACC_BITS-1:COUNT_BITS], pe_count};
      for (b = 0; b < COUNT_BITS; b = b + 1) begin : g_bit
        assign pe_count[b] = count[b*PE+p];
      end
      always @(posedge clk) begin
        if (clear_s1) acc_reg <= {ACC_BITS{1'b0}};
        else if (move_s1) acc_reg <= next;
        sum_reg <= next;
        if (silent_s1) offset_reg <= {ACC_BITS{1'b0}};
        else offset_reg <= offset[p*ACC_BITS+:ACC_BITS];
      end
      assign sum[p*ACC_BITS+:ACC_BITS] = sum_reg;
    end
  endgenerate

endmodule

`default_nettype wire
