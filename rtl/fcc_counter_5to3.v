// SPDX-License-Identifier: Apache-2.0
//
// Counts five bits of equal weight for WIDTH neurons at once: sum + 2 * twos + 4 * fours.
//
// Three functions of five inputs, an ALM and a half for two bits less to add: three quarters of
// what a full adder costs for each bit it removes. Synthesis must not look through it, because
// merging two counters into fewer levels of larger functions costs a quarter more; hence the
// attribute.
//
// Latency: combinational.

`default_nettype none

(* keep_hierarchy = "yes" *)
module fcc_counter_5to3 #(
    // Neurons counted side by side (>= 1).
    parameter WIDTH = 1
) (
    input  wire [WIDTH-1:0] a,
    input  wire [WIDTH-1:0] b,
    input  wire [WIDTH-1:0] c,
    input  wire [WIDTH-1:0] d,
    input  wire [WIDTH-1:0] e,
    output wire [WIDTH-1:0] sum,
    output wire [WIDTH-1:0] twos,
    output wire [WIDTH-1:0] fours
);

  wire [WIDTH-1:0] abc = a ^ b ^ c;
  wire [WIDTH-1:0] first = (a & b) | (a & c) | (b & c);
  wire [WIDTH-1:0] second = (abc & d) | (abc & e) | (d & e);

  assign sum   = abc ^ d ^ e;
  assign twos  = first ^ second;
  assign fours = first & second;

endmodule

`default_nettype wire
