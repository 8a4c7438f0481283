// SPDX-License-Identifier: Apache-2.0
//
// Neighbouring bits of the layer being computed, group by group, with a clear of their own: a net
// that reached all of them would be the slowest one of the core. Synthesis would merge the copies,
// hence the attributes: keep_hierarchy for Yosys, dont_merge for Quartus.
//
// Latency: what is stored is there 2 cycles after `store`, the bits being sampled one cycle after
// it; cleared bits are 0 two cycles after `clear`, which goes before storing.

`default_nettype none

(* keep_hierarchy = "yes" *)
module fcc_hidden_block #(
    // Bits of a group (>= 1).
    parameter PE = 1,
    // Groups (>= 1).
    parameter GROUPS = 1,
    // Bits of all groups together; the last one may be cut ((GROUPS-1)*PE+1 to GROUPS*PE).
    parameter WIDTH = 1
) (
    input  wire              clk,
    input  wire              clear,
    // By group: its bits come in the next cycle.
    input  wire [GROUPS-1:0] store,
    input  wire [    PE-1:0] bits,
    output reg  [ WIDTH-1:0] hidden
);

  (* dont_merge *) reg clear_s1;
  reg [GROUPS-1:0] store_s1;

  always @(posedge clk) begin
    clear_s1 <= clear;
    store_s1 <= store;
  end

  genvar g;
  generate
    for (g = 0; g < GROUPS; g = g + 1) begin : g_group
      localparam BITS = (WIDTH - g * PE < PE) ? WIDTH - g * PE : PE;
      always @(posedge clk) begin
        if (clear_s1) hidden[g*PE+:BITS] <= {BITS{1'b0}};
        else if (store_s1[g]) hidden[g*PE+:BITS] <= bits[BITS-1:0];
      end
    end
  endgenerate

  // A group that is cut leaves bits unused.
  wire unused = &{1'b0, bits};

endmodule

`default_nettype wire
